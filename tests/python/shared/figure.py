# SPDX-License-Identifier: MIT
"""Figures by calls of vae_figure.h, and what is in their SVG."""
import os
import shlex
import subprocess
import xml.etree.ElementTree as tree

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
