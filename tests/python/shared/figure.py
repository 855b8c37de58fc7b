# SPDX-License-Identifier: MIT
"""Figures by calls of vae_figure.h, and what is in their SVG."""
import base64
import os
import shlex
import subprocess
import xml.etree.ElementTree as tree

from shared.png import read_file
from shared.program import MOST_SECONDS
from shared.tap import same

SVG = "{http://www.w3.org/2000/svg}"


def figure(path, calls, title="", note="", columns=1, scale=1, status=0):
    """Makes the calls (see tests/tools/draw_figure.c) and writes the file, or "-": stdout; it and stderr."""
    command = shlex.split(os.environ.get("VAECTL_RUNNER", "")) + [os.environ["VAE_BUILD"] + "/tests/tools/draw_figure"]
    lines = "".join("\t".join(map(str, call)) + "\n" for call in calls)
    done = subprocess.run(command + [path, str(scale), str(columns), title] + [note] * (note != ""), input=lines.encode(errors="surrogateescape"),
                          capture_output=True, timeout=MOST_SECONDS)
    same(done.returncode, status, f"{calls} {done.stderr}")
    return done.stdout.decode(), done.stderr.decode()


def read_svg(path):
    """The root element; the file must be well-formed."""
    return tree.parse(path).getroot()


def texts(root):
    return [element.text or "" for element in root.iter(SVG + "text")]


def corners(element):
    """Coordinates of a polyline or polygon."""
    return [tuple(map(float, pair.split(","))) for pair in element.get("points").split()]


def pixels(image, zoom):
    """Rows of bytes of an <image>, whose PNG must repeat each pixel `zoom` times in both directions."""
    with open("tile.png", "wb") as file:
        file.write(base64.b64decode(image.get("href").partition("data:image/png;base64,")[2], validate=True))
    rows, channels, _ = read_file("tile.png")
    os.remove("tile.png")
    same((len(rows), len(rows[0])), (float(image.get("height")), channels * float(image.get("width"))), "dots")
    small = [[row[at:at + channels] for at in range(0, len(row), zoom * channels)] for row in rows[::zoom]]
    for y, row in enumerate(rows):
        assert bytes(row) == b"".join(bytes(pixel) * zoom for pixel in small[y // zoom]), f"row {y}"
    return [[byte for pixel in row for byte in pixel] for row in small]
