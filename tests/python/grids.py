# SPDX-License-Identifier: MIT
# Not under tsan: no thread is started here.
"""Pictures of given tiles, pixel by pixel: letters, zoom, padding, bands, greys and what is refused. Prints TAP."""
import math
import os
import sys

from shared.figure import figure
from shared.picture import LETTERS, draw, shows
from shared.philox import words
from shared.png import read, size
from shared.tap import run, same, test

INFINITE, NAN = math.inf, math.nan


def grid(down, across, rows, cols, values=(), band=0, title="", labels=(), columns=(), scale=1, status=0):
    """Writes picture.png; stderr. The values of all tiles come one after another, zeros where they end."""
    calls = [["panel"], ["rows", *labels], ["columns", *columns], ["tiles", down, across, rows, cols, band, 0, 0, *values]]
    return figure("picture.png", calls, title, scale=scale, status=status)[1]


def levels(down, across, rows, cols):
    """Tiles of which no two pixels near each other are equal; as rows of tiles of rows."""
    tone = iter(range(down * across * rows * cols))
    return [[[[next(tone) * 37 % 256 for _ in range(cols)] for _ in range(rows)] for _ in range(across)]
            for _ in range(down)]


def check(shape, zoom, pad, band=0, title="", labels=(), columns=(), without=()):
    """A picture of those tiles, `without` some, against the same picture drawn here."""
    tiles = levels(*shape)
    values = [level / 255 for line in tiles for tile in line for row in tile for level in row]
    for r, c in without:
        values[(r * shape[1] + c) * shape[2] * shape[3]], tiles[r][c] = NAN, None
    same(grid(*shape, values, band, title, labels, columns), "", f"stderr for {shape}")
    shows("picture.png", draw(tiles, zoom, pad, band, labels, columns), title)


@test("letters are drawn dot by dot; one that is not of ASCII is a question mark")
def letters():
    labels = ("0123456789.-+=zK L", "inputmean ?")
    same(set("".join(labels)), set(LETTERS), "letters with dots")
    check((2, 1, 20, 2), 2, 4, labels=labels)
    same(grid(1, 1, 20, 20, labels=["\u00e9?"]), "")
    accented = read("picture.png")
    same(grid(1, 1, 20, 20, labels=["??"]), "")
    same([row[-60:] for row in accented[0]], [row[-60:] for row in read("picture.png")[0]], "picture")


@test("all letters of ASCII differ, and are not empty")
def alphabet():
    seen = {}
    for code in range(33, 127):
        same(grid(1, 1, 20, 20, labels=[chr(code)]), "")
        dots = tuple(row[:row.index(0)][-24:] for row in read("picture.png")[0] if 0 in row)  # left of the tile
        assert any(34 in row for row in dots), f"nothing for {chr(code)}"
        assert dots not in seen, f"{chr(code)} is as {seen.get(dots)}"
        seen[dots] = chr(code)


@test("tiles are enlarged to about 56 pixels, with padding between them")
def zooms():
    known = [((1, 1), 56, 58), ((1, 2), 28, 30), ((5, 3), 11, 13), ((3, 5), 11, 13), ((2, 11), 5, 7), ((19, 1), 2, 4),
             ((28, 28), 2, 4), ((29, 1), 1, 3), ((1, 55), 1, 3), ((56, 1), 1, 3), ((2, 57), 1, 3), ((113, 1), 1, 3)]
    for (rows, cols), zoom, pad in known:
        check((2, 3, rows, cols), zoom, pad)


@test("there is a gap after every band of rows, and none after the last")
def bands():
    for band in range(5):
        check((4, 2, 29, 2), 1, 3, band)


@test("labels stand at the middle of their rows, as wide as the longest, within the picture")
def labels():
    check((3, 2, 29, 3), 1, 3, band=2, labels=("z1", "", "z12 K"))
    for rows in (1, 7, 8, 9, 10, 12, 13):  # lower than two of them: the letters are 14 pixels high
        check((1, 2, rows, 60), 1, 3, labels=("L0",))
    check((3, 1, 2, 57), 1, 3, labels=("8", "=", "z"))  # later labels are drawn over earlier ones


@test("texts above columns stand at their middle, and the picture is as wide as they need")
def columns():
    check((2, 3, 28, 28), 2, 4, columns=("-3", "0", "2.5"))
    check((2, 2, 5, 3), 11, 13, columns=("-125", "z"), labels=("z1", "K"))
    check((1, 2, 2, 57), 1, 3, columns=("", "i"), band=2)


@test("a tile that begins with no number is left out")
def left_out():
    check((2, 2, 28, 28), 2, 4, without=[(1, 1)])
    check((2, 2, 5, 3), 11, 13, without=[(0, 0), (1, 0)], labels=("1", "2"))


@test("greys are rounded to the nearest and clipped")
def greys():
    known = [((byte + part) / 255, byte) for byte in range(256) for part in (0, -0.49, 0.49)]
    known += [(0.5, 128), (1, 255), (1.1, 255), (1.9, 255), (1e9, 255), (INFINITE, 255),
              (-0.001, 0), (-0.9, 0), (-1e9, 0), (-INFINITE, 0), (NAN, 0)]
    grid(1, 1, 10, 78, [value for value, _ in known])
    rows, _ = read("picture.png")
    greys = [grey for row in rows[4:14] for grey in row[4:82]]
    for (value, want), grey in zip(known, greys):
        same(grey, want, f"{value}")


@test("a picture that does not compress comes in several pieces, and whole")
def noise():
    greys = bytes(word >> 24 for word in words(1, 0, 0, 0, 57 * 400))
    same(grid(1, 1, 57, 400, [grey / 255 for grey in greys]), "")
    rows, _ = read("picture.png")
    same(b"".join(row[4:404] for row in rows[4:61]), greys, "pixels")


@test("the title is the PNG's, or there is none")
def titles():
    check((1, 1, 56, 1), 1, 3, title="a title")
    check((1, 1, 56, 1), 1, 3)


@test("pictures of no pixels and too large ones are refused")
def refusals():
    for shape in ((0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)):
        same(grid(*shape, status=2), "picture.png: a picture of no pixels\n", f"{shape}")
    large = "picture.png: a picture of {} x {} dots is too large (at most 32768 a side, 268435456 in all)\n"
    for shape, pixels in (((1, 1, 1, 32761), (32769, 9)), ((1, 1, 32761, 1), (9, 32769)),
                          ((1, 2, 57, 16379), (32769, 65))):
        same(grid(*shape, status=2), large.format(*pixels), f"{shape}")
    same(grid(1, 1, 1000, 1000, scale=17, status=2), large.format(17136, 17136), "in all")
    for scale in (0, -1, 0.09, 21, math.nan):
        same(grid(1, 1, 1, 1, scale=scale, status=2),
             f"picture.png: scale {scale:g} is out of range (expected 0.1 to 20)\n", f"scale {scale}")
    assert not os.path.exists("picture.png")
    for shape, pixels in (((1, 1, 1, 32760), (32768, 9)), ((1, 1, 32760, 1), (9, 32768))):
        same(grid(*shape), "", f"{shape}")
        same(size("picture.png"), pixels, "width and height")


sys.exit(run())
