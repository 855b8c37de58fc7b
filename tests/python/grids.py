# SPDX-License-Identifier: MIT
"""Pictures of given tiles, pixel by pixel: letters, zoom, padding, bands, greys and what is refused. Prints TAP."""
import math
import os
import shlex
import struct
import subprocess
import sys

from shared.picture import LETTERS, draw, shows
from shared.philox import words
from shared.png import read, size
from shared.program import MOST_SECONDS
from shared.tap import run, same, test

INFINITE, NAN = math.inf, math.nan


def grid(down, across, rows, cols, values=(), band=0, title="", labels=(), status=0):
    """Writes picture.png; stderr. The values of all tiles come one after another, zeros where they end."""
    count = down * across * rows * cols
    command = shlex.split(os.environ.get("VAECTL_RUNNER", "")) + [os.environ["VAE_BUILD"] + "/tests/tools/draw_grid"]
    words = ["picture.png", down, across, rows, cols, band, title, *labels]
    done = subprocess.run(command + [str(word) for word in words], capture_output=True, timeout=MOST_SECONDS,
                          input=struct.pack(f"={len(values)}f", *values) + bytes(4 * (count - len(values))))
    same(done.returncode, status, f"{words} {done.stderr}")
    return done.stderr.decode()


def levels(down, across, rows, cols):
    """Tiles of which no two pixels near each other are equal; as rows of tiles of rows."""
    tone = iter(range(down * across * rows * cols))
    return [[[[next(tone) * 37 % 256 for _ in range(cols)] for _ in range(rows)] for _ in range(across)]
            for _ in range(down)]


def check(shape, zoom, pad, band=0, title="", labels=()):
    """A picture of those tiles against the same picture drawn here."""
    tiles = levels(*shape)
    values = [level / 255 for line in tiles for tile in line for row in tile for level in row]
    same(grid(*shape, values, band, title, labels), "", f"stderr for {shape}")
    shows("picture.png", draw(tiles, zoom, pad, band, labels), title)


@test("every letter is drawn dot by dot, and what has no dots is a space")
def letters():
    labels = ("0123456789.-+=zK L", "aL,z")
    same(set("".join(labels)) - set(LETTERS), set(" a,"), "letters without dots")
    check((2, 1, 20, 2), 2, 4, labels=labels)


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


@test("greys are rounded to the nearest and clipped")
def greys():
    known = [((byte + part) / 255, byte) for byte in range(256) for part in (0, -0.49, 0.49)]
    known += [(0.5, 128), (1, 255), (1.1, 255), (1.9, 255), (1e9, 255), (INFINITE, 255),
              (-0.001, 0), (-0.9, 0), (-1e9, 0), (-INFINITE, 0), (NAN, 0)]
    grid(1, 1, 10, 78, [value for value, _ in known])
    rows, _ = read("picture.png")
    greys = [grey for row in rows[3:13] for grey in row[3:81]]
    for (value, want), grey in zip(known, greys):
        same(grey, want, f"{value}")


@test("a picture that does not compress comes in several pieces, and whole")
def noise():
    greys = bytes(word >> 24 for word in words(1, 0, 0, 0, 57 * 400))
    same(grid(1, 1, 57, 400, [grey / 255 for grey in greys]), "")
    rows, _ = read("picture.png")
    same(b"".join(row[3:403] for row in rows[3:60]), greys, "pixels")


@test("the title is the PNG's, or there is none")
def titles():
    check((1, 1, 56, 1), 1, 3, title="a title")
    check((1, 1, 56, 1), 1, 3)


@test("pictures of no pixels and too large ones are refused")
def refusals():
    for shape in ((0, 1, 1, 1), (1, 0, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)):
        same(grid(*shape, status=2), "picture.png: a picture of no pixels\n", f"{shape}")
    large = "picture.png: a picture of {} x {} pixels is too large (at most 32768 a side)\n"
    for shape, pixels in (((1, 1, 1, 32763), (32769, 7)), ((1, 1, 32763, 1), (7, 32769)),
                          ((1, 2, 57, 16380), (32769, 63))):
        same(grid(*shape, status=2), large.format(*pixels), f"{shape}")
    assert not os.path.exists("picture.png")
    for shape, pixels in (((1, 1, 1, 32762), (32768, 7)), ((1, 1, 32762, 1), (7, 32768))):
        same(grid(*shape), "", f"{shape}")
        same(size("picture.png"), pixels, "width and height")


sys.exit(run())
