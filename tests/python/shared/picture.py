# SPDX-License-Identifier: MIT
"""Pictures as vaectl should draw them. A tile is a list of rows of grey levels, real numbers where 0 is black and 255
white, before they are clipped and rounded."""
from shared.png import read

PAPER, INK = 48, 235  # between the tiles; of labels

_ART = """
0     1     2     3     4     5     6     7     8
.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###.
#...# .##.. #...# ...#. ..##. #.... .#... ....# #...#
#..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...#
#.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###.
##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...#
.###. .###. ##### .###. ...#. .###. .###. .#... .###.

9     .     -     +     =     z     K     L
.###. ..... ..... ..... ..... ..... #...# #....
#...# ..... ..... ..#.. ..... ..... #..#. #....
#...# ..... ..... ..#.. ##### ##### #.#.. #....
.#### ..... ##### ##### ..... ...#. ##... #....
....# ..... ..... ..#.. ##### ..#.. #.#.. #....
...#. .##.. ..... ..#.. ..... .#... #..#. #....
.##.. .##.. ..... ..... ..... ##### #...# #####
"""


def _letters():
    """{letter: its seven rows of five dots}"""
    letters = {}
    for part in _ART.strip().split("\n\n"):
        names, *rows = (line.split() for line in part.split("\n"))
        letters.update(zip(names, zip(*rows)))
    return letters


LETTERS = _letters()


def _write(canvas, x, y, words):
    """Dots of 2 x 2 pixels, a letter every 12 pixels, as far as the canvas goes; letters without dots are spaces."""
    for at, letter in enumerate(words):
        for i, row in enumerate(LETTERS.get(letter, ())):
            for j in (j for j, dot in enumerate(row) if dot == "#"):
                left = x + 12 * at + 2 * j
                for line in canvas[y + 2 * i:y + 2 * i + 2]:
                    line[left:left + 2] = [INK, INK]


def _row(tiles, zoom, pad, margin):
    """Tiles side by side, enlarged, with paper around each and `margin` of it on the left."""
    rows = []
    for lines in zip(*tiles):
        row = [PAPER] * (margin + pad)
        for line in lines:
            row += [level for level in line for _ in range(zoom)] + [PAPER] * pad
        rows += [list(row) for _ in range(zoom)]
    return rows


def draw(tiles, zoom, pad, band=0, labels=()):
    """The picture of rows of tiles: `pad` of paper around tiles, three times as much more behind each `band` rows of
    them but the last, and labels at the middle of their rows."""
    margin = pad + 12 * max(map(len, labels)) if labels else 0
    rows = [_row(line, zoom, pad, margin) for line in tiles]
    blank, canvas, places = [PAPER] * len(rows[0][0]), [], []
    for number, row in enumerate(rows):
        gap = 3 * pad if band and number and number % band == 0 else 0
        canvas += [list(blank) for _ in range(gap + pad)]
        places.append(len(canvas) + len(row) // 2)
        canvas += row
    canvas += [list(blank) for _ in range(pad)]
    for middle, words in zip(places, labels):
        _write(canvas, pad, max(0, middle - 7), words)
    return canvas


def shows(path, want, title):
    """The PNG is the picture `want`, each pixel the nearest grey to its level; single precision may have moved the
    level by 1/100."""
    rows, texts = read(path)
    assert (len(rows[0]), len(rows)) == (len(want[0]), len(want)), \
        f"{path}: {len(rows[0])} x {len(rows)} pixels, expected {len(want[0])} x {len(want)}"
    for y, (row, levels) in enumerate(zip(rows, want)):
        for x, (grey, level) in enumerate(zip(row, levels)):
            if abs(grey - min(255, max(0, level))) > 0.51:
                raise AssertionError(f"{path}: grey {grey} at column {x} of row {y}, expected {level:.2f}")
    assert texts == ({"Title": title} if title else {}), f"{path}: texts {texts}"
