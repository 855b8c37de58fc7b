# SPDX-License-Identifier: MIT
"""Pictures of tiles as vaectl should draw them. A tile is a list of rows of grey levels, real numbers where 0 is black
and 255 white, before they are clipped and rounded; None is a tile that is left out."""
import math

from shared.png import read

PAPER, INK = 255, 34  # between the tiles; of labels
MARGIN = 4            # of paper around all
LETTERS_SIZE = 24     # of the font whose letters these are
LETTER, DOT = 12, 2   # pixels from letter to letter, and of a dot

_ART = """
0     1     2     3     4     5     6     7     8
.###. ..#.. .###. ##### ...#. ##### ..##. ##### .###.
#...# .##.. #...# ...#. ..##. #.... .#... ....# #...#
#..## ..#.. ....# ..#.. .#.#. ####. #.... ...#. #...#
#.#.# ..#.. ...#. ...#. #..#. ....# ####. ..#.. .###.
##..# ..#.. ..#.. ....# ##### ....# #...# .#... #...#
#...# ..#.. .#... #...# ...#. #...# #...# .#... #...#
.###. .###. ##### .###. ...#. .###. .###. .#... .###.

9     .     -     +     =     z     K     L     i
.###. ..... ..... ..... ..... ..... #...# #.... ..#..
#...# ..... ..... ..#.. ..... ..... #..#. #.... .....
#...# ..... ..... ..#.. ##### ##### #.#.. #.... .##..
.#### ..... ##### ##### ..... ...#. ##... #.... ..#..
....# ..... ..... ..#.. ##### ..#.. #.#.. #.... ..#..
...#. .##.. ..... ..#.. ..... .#... #..#. #.... ..#..
.##.. .##.. ..... ..... ..... ##### #...# ##### .###.

n     p     u     t     m     e     a     ?
..... ..... ..... .#... ..... ..... ..... .###.
..... ..... ..... .#... ..... ..... ..... #...#
#.##. ####. #...# ###.. ##.#. .###. .###. ....#
##..# #...# #...# .#... #.#.# #...# ....# ...#.
#...# #...# #...# .#... #.#.# ##### .#### ..#..
#...# ####. #..## .#..# #...# #.... #...# .....
#...# #.... .##.# ..##. #...# .###. .#### ..#..
..... #.... ..... ..... ..... ..... ..... .....
"""
# Thousandths of the font's size, of DejaVu Sans.
_WIDTHS = {**dict.fromkeys("0123456789", 636), ".": 318, "-": 361, "+": 838, "=": 838, "z": 525, "K": 656, "L": 557,
           "i": 278, "n": 634, "p": 635, "u": 634, "t": 392, "m": 974, "e": 615, "a": 613, "?": 531, " ": 318}


def _letters():
    """{letter: its rows of five dots}"""
    letters = {" ": ()}
    for part in _ART.strip().split("\n\n"):
        names, *rows = (line.split() for line in part.split("\n"))
        letters.update(zip(names, zip(*rows)))
    return letters


LETTERS = _letters()


def _width(words):
    """Room that a text takes: that of outlined letters or that of dots, whichever is more."""
    return LETTERS_SIZE / 1000 * max(sum(_WIDTHS[letter] for letter in words), 550 * len(words))


def _dots(words, share):
    """Left and upper edges of the dots of letters of which `share` lies left of 0, on the base line 0."""
    before = share * (LETTER * len(words) - DOT)
    return [(math.floor(LETTER * at + DOT * j - before), DOT * (i - 7)) for at, letter in enumerate(words)
            for i, row in enumerate(LETTERS[letter]) for j, dot in enumerate(row) if dot == "#"]


def _ink(canvas, left, top):
    """A dot; it ends where the canvas does."""
    for y in (y for y in range(top, top + DOT) if 0 <= y < len(canvas)):
        for column in (c for c in range(left, left + DOT) if 0 <= c < len(canvas[y])):
            canvas[y][column] = INK


def _write(canvas, x, base, words, share):
    """Letters of which `share` lies left of x, on a base line."""
    for along, down in _dots(words, share):
        _ink(canvas, math.floor(x + 0.5) + along, math.floor(base + 0.5) + down)


def _write_upwards(canvas, base, y, words):
    """Letters whose middle is at y, on a base line from below."""
    for along, down in _dots(words, 0.5):
        _ink(canvas, math.floor(base + 0.5) + down, math.floor(y + 0.5) - along - DOT)


def thinned(columns, pitch):
    """Texts above columns that begin so many pixels apart, of which those are left out that have no room: all but each
    second, third and so on."""
    step = 1
    while any((_width(a) + _width(b)) / 2 + LETTERS_SIZE / 2 > step * pitch
              for a, b in zip(columns[::step], columns[step::step])):
        step += 1
    return [words if k % step == 0 else "" for k, words in enumerate(columns)]


def draw(tiles, zoom, pad, band=0, labels=(), columns=(), right="", up=""):
    """The picture of rows of tiles: `pad` of paper between tiles, three times as much more behind each `band` rows of
    them but the last, labels that end left of the middle of their rows, others above the middle of their columns, and
    names of what goes to the right, below, and upwards, at the left."""
    sized = next(tile for line in tiles for tile in line if tile)
    high, wide = len(sized) * zoom, len(sized[0]) * zoom
    room = math.ceil(1.6 * LETTERS_SIZE)
    shown = [words for words in columns if words]
    over = max(0, math.ceil((max(map(_width, shown[:1] + shown[-1:]), default=0) - wide) / 2))
    beside = max(over, math.ceil(max(map(_width, labels)) + LETTERS_SIZE / 2) if labels else 0)
    xs = [c * (wide + pad) for c in range(len(tiles[0]))]
    ys = [r * (high + pad) + (3 * pad * (r // band) if band else 0) for r in range(len(tiles))]
    along = math.ceil(max(0, _width(right) - xs[-1] - wide) / 2)  # what names of axes are longer than the tiles
    upwards = math.ceil(max(0, _width(up) - ys[-1] - high) / 2)
    left, top = MARGIN + max(beside + (room if up else 0), along), MARGIN + max(LETTERS_SIZE + pad if columns else 0, upwards)
    low = max(room if right else 0, upwards)
    xs, ys = [x + left for x in xs], [y + top for y in ys]
    canvas = [[PAPER] * (xs[-1] + wide + max(over, along) + MARGIN) for _ in range(ys[-1] + high + low + MARGIN)]
    for y, line in zip(ys, tiles):
        for x, tile in ((x, tile) for x, tile in zip(xs, line) if tile):
            for i in range(high):
                canvas[y + i][x:x + wide] = [level for level in tile[i // zoom] for _ in range(zoom)]
    for y, words in zip(ys, labels):
        _write(canvas, left - LETTERS_SIZE / 2, y + high / 2 + 0.36 * LETTERS_SIZE, words, 1)
    for x, words in zip(xs, columns):
        _write(canvas, x + wide / 2, top - pad - 0.1 * LETTERS_SIZE, words, 0.5)
    _write(canvas, (left + xs[-1] + wide) / 2, ys[-1] + high + low - 0.3 * LETTERS_SIZE, right, 0.5)
    _write_upwards(canvas, MARGIN + LETTERS_SIZE, (top + ys[-1] + high) / 2, up)
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
