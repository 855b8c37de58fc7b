# SPDX-License-Identifier: MIT
# Not under tsan: no thread is started here.
"""Figures as SVG and PNG: that they are well-formed, that marks are where their numbers say, what becomes of numbers
that have no place and of hostile texts, legends, animations, and that both kinds of file show the same. Prints TAP."""
import math
import os
import re
import shutil
import struct
import subprocess
import sys
import xml.etree.ElementTree as tree
import zlib

from shared import browser
from shared.figure import SVG, corners, figure, pixels, read_svg, texts
from shared.png import read_file
from shared.tap import Skip, near, not_under, run, same, test

INK, GREY = -1, -2
NAN, INFINITE = math.nan, math.inf
LINE = "line", 0, "", 0, 0  # the first series, no name, usual size, not faint


def drawn(calls, **more):
    """The root of the SVG with these calls."""
    figure("figure.svg", calls, "a title", **more)
    return read_svg("figure.svg")


def polylines(root, width="1.75"):
    """Corners of the lines of usual width, in their order."""
    return [corners(element) for element in root.iter(SVG + "polyline") if element.get("stroke-width") == width]


def scale_of(root):
    """x and y of the drawing as functions of the data, from ticks and their numbers."""
    marks = {"x": [], "y": []}
    for element in root.iter(SVG + "text"):
        if re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", element.text or ""):
            at = "x" if element.get("text-anchor") == "middle" else "y"
            marks[at].append((float(element.text), float(element.get(at)) - (0.36 * 11 if at == "y" else 0)))
    def through(pairs):
        (a, x), (b, y) = pairs[0], pairs[-1]
        return lambda value: x + (value - a) / (b - a) * (y - x)
    return through(marks["x"]), through(marks["y"])


def places(points, got, x, y):
    """The corners are those of the points, to a tenth of a dot."""
    same(len(got), len(points), "corners")
    for (a, b), (left, top) in zip(points, got):
        assert abs(left - x(a)) < 0.1 and abs(top - y(b)) < 0.1, f"({a},{b}) at ({left},{top}), not ({x(a)},{y(b)})"


# ---- Marks -----------------------------------------------------------------------------------------------------------

POINTS = [(0, 1), (1.5, 4), (2, -3), (4, 0.25)]


@test("lines and points stand where their numbers are, bars from zero, error bars around them")
def marks():
    root = drawn([["panel"], [*LINE, *sum(POINTS, ())]])
    places(POINTS, polylines(root)[0], *scale_of(root))
    root = drawn([["panel"], ["points", 3, "", 5, 0, *sum(((*p, 0.5) for p in POINTS), ())]])
    x, y = scale_of(root)
    paths = [[tuple(map(float, pair.split(","))) for pair in re.findall(r"[ML]([^MLZ]+)", element.get("d"))]
             for element in root.iter(SVG + "path")]
    places(POINTS, [(path[0][0], path[0][1] + 1.3 * 5) for path in paths], x, y)  # the tip of a diamond
    errors = polylines(root, "1.25")
    same(len(errors), 3 * len(POINTS), "a bar and two caps each")
    places([(a, b + s) for a, b in POINTS for s in (-0.5, 0.5)], [at for line in errors[::3] for at in line], x, y)
    root = drawn([["panel"], ["points", 0, "", 0, 0, 0, 0, 5, 1, 1, 0]])
    (_, low), (_, high) = polylines(root, "1.25")[0]
    (_, top), (_, bottom), _ = next(axes_of(root))
    assert top < high < low < bottom, "an error bar is cut off"
    root = drawn([["panel"], ["bars", 0, "", 0, 0, 0.5, *sum(((*p, 0) for p in POINTS), ())]])
    x, y = scale_of(root)
    bars = [element for element in root.iter(SVG + "rect") if element.get("fill") == "#0072b2"]
    same(len(bars), len(POINTS))
    for (a, b), bar in zip(POINTS, bars):
        left, top, width, height = (float(bar.get(name)) for name in ("x", "y", "width", "height"))
        places([(a - 0.25, max(b, 0)), (a + 0.25, min(b, 0))], [(left, top), (left + width, top + height)], x, y)


@test("bands lie between their lines, rules across the panel, texts right of their points")
def areas():
    root = drawn([["panel"], ["band", 1, "", 0, 0, 0, 1, 2, 1, 0, 3], ["rule_x", INK, "", 0, 0, 0.5],
                  ["rule_y", 2, "", 0, 0, 1.5], ["text", 0.5, 2, "here"]])
    x, y = scale_of(root)
    area = next(root.iter(SVG + "polygon"))
    places([(0, 1), (1, 0), (1, 3), (0, 2)], corners(area), x, y)
    same((area.get("fill"), area.get("fill-opacity")), ("#d55e00", "0.3"))
    vertical, horizontal = polylines(root, "1.25")
    near(vertical[0][0], x(0.5), 1e-3)
    near(horizontal[0][1], y(1.5), 1e-3)
    here = next(element for element in root.iter(SVG + "text") if element.text == "here")
    near(float(here.get("x")), x(0.5), 1e-3)


@test("texts of points that are close do not lie on each other")
def close_texts():
    calls = [["panel"], *(["text", 0.5 + k / 1000, 2 - k / 1000, f"label {k}"] for k in range(3)), ["text", 0, 1, "far"]]
    root = drawn(calls)
    x, y = scale_of(root)
    at = {element.text: (float(element.get("x")), float(element.get("y"))) for element in root.iter(SVG + "text")}
    heights = sorted(at[f"label {k}"][1] for k in range(3))
    assert all(b - a >= 10 for a, b in zip(heights, heights[1:])), heights
    for k in range(3):
        near(at[f"label {k}"][0], x(0.5 + k / 1000), 1e-3)
        assert abs(at[f"label {k}"][1] - 0.36 * 11 - y(2 - k / 1000)) < 12
    near(at["far"][1] - 0.36 * 11, y(1), 1e-3)


@test("what has no place is left out: lines have gaps there, a point between gaps is a dot")
def gaps():
    values = [0, 0, 1, 1, 2, NAN, 3, 3, NAN, 4, 5, 2, 6, INFINITE, 7, 1, 8, 1e200, 9, -INFINITE]
    root = drawn([["panel"], [*LINE, *values]])
    x, y = scale_of(root)
    lines = polylines(root)
    same(len(lines), 1)
    places([(0, 0), (1, 1)], lines[0], x, y)
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(SVG + "circle")]
    places([(3, 3), (5, 2), (7, 1)], dots, x, y)
    root = drawn([["panel"], ["points", 0, "", 0, 0, 1, 1, NAN, 2, NAN, 0, NAN, 3, 0, 3, 3, INFINITE],
                  ["bars", 1, "", 0, 0, 1, 1, 1, 0, 2, NAN, 0], ["band", 1, "", 0, 0, 1, 1, 2, 2, NAN, 2]])
    same(len(list(root.iter(SVG + "circle"))), 2)
    same(len(polylines(root, "1.25")), 0, "error bars")
    same(len([e for e in root.iter(SVG + "rect") if e.get("fill") == "#d55e00"]), 1)
    same(len(list(root.iter(SVG + "polygon"))), 0)


@test("logarithmic axes leave out zero and what is below; bars begin at the bottom")
def logarithms():
    values = [1, 1, 2, 10, 3, 0, 4, -5, 5, 1000, 6, 100]
    root = drawn([["panel"], ["log", 0, 1], [*LINE, *values]])
    same([element.text for element in root.iter(SVG + "text") if element.get("text-anchor") == "end"],
         ["1", "10", "100", "1000"])
    lines = polylines(root)
    same([len(line) for line in lines], [2, 2])
    heights = [top for line in lines for _, top in line]
    near((heights[0] - heights[1]) * 2, heights[1] - heights[2], 1e-3, "a decade, two decades")
    root = drawn([["panel"], ["log", 1, 1], ["bars", 0, "", 0, 0, 0.5, 1, 10, 0, 10, 100, 0, 100, 0, 0]])
    bars = [e for e in root.iter(SVG + "rect") if e.get("fill") == "#0072b2"]
    same(len({round(float(bar.get("y")) + float(bar.get("height")), 1) for bar in bars}), 1, "where they begin")
    same(len(bars), 2)
    for calls in ([["log", 1, 1]], [["log", 1, 1], [*LINE, 0, 0, -1, -1]], [["log", 0, 1], ["limits_y", 0, 10]]):
        drawn([["panel"], *calls])  # nothing, or nothing that can be seen


@test("limits cut marks off, and points beyond them are not there")
def limits():
    root = drawn([["panel"], ["limits_x", 0, 2], ["limits_y", 0, 1], [*LINE, -1e9, -5, 1, 0.5, 3, 1e12],
                  ["points", 0, "", 0, 0, 0, 0, 0, 2, 1, 0, 2.1, 1, 0, -0.1, 0, 0]])
    x, y = scale_of(root)
    dots = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(SVG + "circle")]
    places([(0, 0), (2, 1)], dots, x, y)
    places([(0, 1), (0, 0), (2, 0)], next(axes_of(root)), x, y)  # limits are the ends of the axes
    line = polylines(root)[0]
    assert all(abs(value) < 1e5 for at in line for value in at), line
    clip = next(element for element in root.iter(SVG + "svg") if element is not root)
    near(float(clip.get("width")), x(2) - x(0) + 2, 1e-3)
    for low, high in ((1, 0), (1, 1), (NAN, 1), (0, INFINITE)):  # as if none were given
        same(tree.tostring(drawn([["panel"], ["limits_x", low, high], [*LINE, 0, 1, 2, 3]])),
             tree.tostring(drawn([["panel"], [*LINE, 0, 1, 2, 3]])), (low, high))


@test("equal axes: one unit is as long on both, whatever the limits")
def equal():
    for calls in ([], [["limits_x", 0, 10]], [["limits_x", 0, 10], ["limits_y", -1, 1]]):
        root = drawn([["panel"], *calls, ["equal"], [*LINE, 0, 0, 8, 1]])
        (a, b), (c, d) = polylines(root)[0]
        near((c - a) / 8, b - d, 1e-2, calls)
    root = drawn([["panel"], ["equal"], [*LINE, 0, 0, 1, 8]])  # a high one, in the middle of its panel
    (a, b), (c, d) = polylines(root)[0]
    near(c - a, (b - d) / 8, 1e-2)
    (left, _), _, (right, _) = next(axes_of(root))
    near((a + c) / 2, (left + right) / 2, 0.1)


@test("a single value, equal ones, huge ones and none make axes")
def ranges():
    for values in ([0, 0], [5, 5, 5, 5], [1e140, -1e140, 2e140, 1e140], [1, 1e-300, 2, 2e-300], [3, 7], [NAN, NAN], [],
                   [1e15, 1e15, 1e15 + 2, 1e15 + 2]):
        root = drawn([["panel"], [*LINE, *values], ["points", 1, "p", 0, 1, *sum(([v, v, 0] for v in values), [])]])
        assert len(texts(root)) >= 4, values
        for element in root.iter():
            for value in element.attrib.values():
                assert "nan" not in value.lower() and "inf" not in value.lower().replace("info", ""), (values, value)


# ---- Texts -----------------------------------------------------------------------------------------------------------

HOSTILE = "<script>alert('x')</script> & \"quotes\" \x1b[31m\x7f ]]> \u00e9\u6f22\U0001f600"
SHOWN = HOSTILE.replace("\x1b", "?").replace("\x7f", "?")


@test("hostile texts are shown as they are, without control characters")
def hostile():
    calls = [["panel", HOSTILE], ["labels", HOSTILE, HOSTILE], ["ticks_x", 0, HOSTILE, 1, "b"],
             ["line", 0, HOSTILE, 0, 0, 0, 0, 1, 1], ["text", 0, 0.5, HOSTILE], ["panel"],
             ["rows", HOSTILE], ["columns", HOSTILE], ["tiles", 1, 1, 2, 2, 0, 0, 0, 1, 0, 1, 0]]
    figure("figure.svg", calls, HOSTILE, note=HOSTILE)
    root = read_svg("figure.svg")
    same(root.get("aria-label"), SHOWN)
    whole = "".join(text for text in texts(root))
    same(whole.count(SHOWN), 10, whole)  # title and note are each in one line
    figure("figure.png", calls, HOSTILE, note=HOSTILE)
    inline, _ = figure("-", calls, HOSTILE, note=HOSTILE)
    same(tree.fromstring(inline).get("aria-label"), SHOWN)
    figure("bytes.svg", [["panel"], ["labels", os.fsdecode(b"\xff\xc0\x80ok"), "y"]])
    assert "???ok" in texts(read_svg("bytes.svg"))


@test("long titles are broken into lines, at spaces where there are some, and end where there are too many")
def long_titles():
    root = drawn([["panel"]], note="word " * 40)
    lines = [text for text in texts(root) if text.startswith("word")]
    assert 2 <= len(lines) <= 4 and all(line.strip().replace("word ", "").strip(".") in ("", "word") for line in lines), lines
    figure("long.svg", [["panel"]], "x" * 5000)
    lines = [text for text in texts(read_svg("long.svg")) if text.startswith("x")]
    same((len(lines), lines[-1][-3:]), (4, "..."))
    assert float(read_svg("long.svg").get("width")) < 700


# ---- Legends, panels, pages ------------------------------------------------------------------------------------------

def axes_of(root):
    """Corners of the axes of each panel: upper left, lower left, lower right."""
    return (corners(e) for e in root.iter(SVG + "polyline") if e.get("stroke-width") == "1" and len(corners(e)) == 3)


def legend_of(root, name):
    """Where the text of an entry begins, and the corners of the axes."""
    entry = next(element for element in root.iter(SVG + "text") if element.text == name)
    axis = next(axes_of(root))
    return float(entry.get("x")), float(entry.get("y")), axis


@test("a legend stands in a corner where it hides nothing, else outside; one entry a name")
def legends():
    named = ["line", 0, "name", 0, 0]
    for points, right, low in (([0, 1, 1, 1, 1.1, 0], False, True), ([0, 0, 1, 0, 2, 1], False, False), ([0, 1, 1, 0, 2, 0], True, False),
                               ([0, 0, 2, 2, 2, 0, 0, 2, 0, 0], None, None)):
        left, top, axis = legend_of(drawn([["panel"], [*named, *points]]), "name")
        (x0, y0), (_, y1), (x1, _) = axis
        if right is None:
            assert left > x1, "it is within"
        else:
            assert x0 < left < x1 and (left > (x0 + x1) / 2) == right and (top > (y0 + y1) / 2) == low, (left, top, axis)
    left, _, (_, _, (x1, _)) = legend_of(drawn([["panel"], ["points", 0, "name", 0, 0, 0, 0, 3, 1, 0, 3]]), "name")
    assert left > x1, "it hides an error bar"
    root = drawn([["panel"], [*named, 0, 0, 1, 1], ["points", 1, "name", 0, 0, 0, 0, 0], ["line", 2, "other", 0, 0, 1, 0]])
    same([text for text in texts(root) if text in ("name", "other")], ["name", "other"])


@test("series differ in colour and dash, colour and shape: 66 lines and 110 kinds of points, of eleven colours")
def series():
    root = drawn([["panel"]] + [["line", k, "", 0, 0, 0, k, 1, k] for k in range(66)])
    kinds = {(e.get("stroke"), e.get("stroke-dasharray")) for e in root.iter(SVG + "polyline")
             if e.get("stroke-width") == "1.75"}
    same(len(kinds), 66)
    root = drawn([["panel"]] + [["points", k, "", 0, 0, 0, 0, 0] for k in range(110)])
    shapes = {(g.get("fill"), g.get("stroke"), g[0].tag, re.sub("[0-9.,]", "", g[0].get("d", "")), g[0].get("d", ""))
              for g in root.iter(SVG + "g")}
    same(len(shapes), 110)
    same(len({(g.get("fill"), g.get("stroke")) for g in root.iter(SVG + "g")}), 2 * 11)


@test("a figure in a page has no paper and no ids, and its ink is that of the page")
def pages():
    calls = [["panel", "p"], ["line", INK, "ink", 0, 0, 0, 0, 1, 1], ["line", GREY, "grey", 0, 0, 0, 1, 1, 0]]
    inline, _ = figure("-", calls, "t")
    figure("figure.svg", calls, "t")
    with open("figure.svg", encoding="utf-8") as file:
        whole = file.read()
    paper = '<rect width="100%" height="100%" fill="#fff"/>\n'
    assert paper in whole and paper not in inline
    same(whole.replace(paper, "").replace(' color="#222"', ""), inline)
    for element in tree.fromstring(inline).iter():
        assert element.get("id") is None
        colours = {element.get("fill"), element.get("stroke")} - {None, "none"}
        same(element.get("class"), "ink" if colours == {"currentColor"} else None)
        assert colours <= {"currentColor", "#888888"}, colours


@test("panels stand in columns, and plotting areas of one column begin at one place")
def grids():
    wide = ["line", 0, "", 0, 0, 0, 0, 1, 1e5]
    root = drawn([["panel"], [*LINE, 0, 0, 1, 1], ["panel"], wide, ["panel"], wide, ["panel"], [*LINE, 0, 0, 1, 1]], columns=2)
    axes = list(axes_of(root))
    same(len({axis[0][0] for axis in axes}), 2)
    same((axes[0][0][0], axes[1][0][1]), (axes[2][0][0], axes[0][0][1]))
    figure("none.svg", [], "nothing")
    same(texts(read_svg("none.svg")), ["nothing"])


@test("tiles in an SVG are PNGs with the pixels, enlarged; a scale of colours says what they mean")
def tiles():
    levels = [0, 51, 102, 153, 204, 255]
    root = drawn([["panel"], ["rows", "a"], ["columns", "b"], ["tiles", 1, 1, 2, 3, 0, 0, 0, *(v / 255 for v in levels)]])
    image = next(root.iter(SVG + "image"))
    same(pixels(image, 18), [levels[:3], levels[3:]])
    near(float(image.get("width")) / float(image.get("height")), 1.5, 1e-9)
    root = drawn([["panel"], ["tiles", 1, 1, 1, 3, 0, 1, 2.5, -1, 0, 1]])
    same(texts(root)[-3:], ["-2.5", "0", "2.5"])
    same(pixels(next(root.iter(SVG + "image")), 18), [[0, 34, 78, 125, 124, 120, 254, 232, 56]])
    root = drawn([["panel"], ["tiles", 1, 1, 1, 17, 0, 1, 0, *(k / 8 for k in range(-8, 9))]])
    (row,) = pixels(next(root.iter(SVG + "image")), 3)
    light = [0.299 * row[at] + 0.587 * row[at + 1] + 0.114 * row[at + 2] for at in range(0, 51, 3)]
    assert all(8 < b - a < 18 for a, b in zip(light, light[1:])), light  # even in a grey print


# ---- PNG -------------------------------------------------------------------------------------------------------------

MIXED = [["panel", "lines"], ["labels", "x", "y"], ["line", 0, "", 3, 0, 0, 0, 1, 3, 2, 1], ["line", 1, "", 3, 1, 0, 3, 2, 0],
         ["band", 2, "", 0, 0, 0, 1, 2, 2, 0.5, 1], ["panel", "marks"], ["bars", 3, "", 0, 0, 0.8, 1, 2, 0.5, 2, 3, 0.5],
         ["points", 4, "", 8, 0, 1, 1, 0, 2, 2, 0], ["rule_y", INK, "", 3, 0, 1.5], ["panel"],
         ["tiles", 2, 2, 4, 4, 0, 0, 0, *(k % 7 / 7 for k in range(64))]]


def colours(path):
    """Rows of pixels, (red, green, blue) each."""
    rows, channels, _ = read_file(path)
    wide = [[tuple(row[at:at + 3]) if channels >= 3 else (row[at],) * 3 for at in range(0, len(row), channels)] for row in rows]
    return wide


def rsvg(svg, png):
    """The picture that librsvg makes of an SVG."""
    if not shutil.which("rsvg-convert"):
        raise Skip("no rsvg-convert")
    subprocess.run(["rsvg-convert", "--background-color", "white", "-o", png, svg], check=True)
    return colours(png)


def differing(one, other, bound):
    """How many pixels differ by more than `bound` in a channel; the pictures must be of one size."""
    same((len(one), len(one[0])), (len(other), len(other[0])))
    return sum(max(abs(a - b) for a, b in zip(p, q)) > bound for row, line in zip(one, other) for p, q in zip(row, line))


@test("SVG and PNG of one figure agree, where rsvg-convert shows the first")
def agreement():
    figure("figure.svg", MIXED, columns=2)
    figure("figure.png", MIXED, columns=2)
    ours, others = colours("figure.png"), rsvg("figure.svg", "other.png")
    differ = differing(ours, others, 64)
    marked = sum(max(p) - min(p) > 64 for line in ours for p in line)
    assert marked > 20000 and differ < marked / 15, (differ, marked)  # letters differ, and edges


# Of every kind of mark one, in panels with legends, ticks of text, logarithms and limits.
ALL = [*MIXED, ["panel", "shapes and dashes"], ["labels", "a & b", "<c>"],
       *(["line", k, f"dash {k}", 2, 0, 0, k, 1, k + 1] for k in range(7)),
       *(["points", k, "", 5, k % 2, k / 10, 8, 0.3] for k in range(11)),
       ["panel", "limits"], ["log", 0, 1], ["limits_x", 0, 2], ["ticks_x", 0, "none", 1, "one", 2, "two"],
       [*LINE, -1, 0.1, 1, 10, 3, 1000], ["rule_x", GREY, "", 0, 0, 0.5], ["text", 1, 100, "here"],
       ["panel", "colours"], ["rows", "a", "b"], ["columns", "c"],
       ["tiles", 2, 1, 3, 3, 0, 1, 2.5, *(k / 9 for k in range(-9, 9))]]


@test("an SVG looks the same in Chromium as rsvg-convert shows it")
def browsers():
    not_under("asan", "valgrind", why="what Chromium makes of an SVG")
    if not browser.find():
        raise Skip("no chromium")
    figure("figure.svg", ALL, "a title", columns=3, note="what it shows " * 20)
    bare = tree.parse("figure.svg")
    for parent in list(bare.iter()):
        for element in [child for child in parent if child.tag == SVG + "text"]:
            parent.remove(element)
    bare.write("bare.svg")
    page = browser.Browser()
    try:
        pictures = {}
        for name in ("figure", "bare"):
            others = rsvg(f"{name}.svg", f"{name}.png")
            page.open(f"{name}.svg")
            page.picture("shown.png", len(others[0]), len(others))
            pictures[name] = colours("shown.png"), others
        same([event for event in page.events if event[0] == "Runtime.exceptionThrown"], [])
    finally:
        page.close()
    shapes, letters = (differing(*pictures[name], 64) for name in ("bare", "figure"))
    marked = sum(max(p) < 128 or max(p) - min(p) > 64 for line in pictures["figure"][1] for p in line)
    assert marked > 30000 and shapes == 0 and differing(*pictures["bare"], 32) < 300 and letters < marked / 15, (
        marked, shapes, letters)


@test("dots of shapes: whole ones have their colour, those of an edge a share of it")
def shapes():
    calls = [["panel"], ["size", 100, 100], ["limits_x", 0, 100], ["limits_y", 0, 100],
             ["bars", 1, "", 0, 0, 20, 50, 40, 0], ["points", 0, "", 20, 1, 20, 70, 0]]
    figure("figure.svg", calls)
    box = next(e for e in read_svg("figure.svg").iter(SVG + "rect") if e.get("fill") == "#d55e00")
    left, top, width, height = (float(box.get(name)) for name in ("x", "y", "width", "height"))
    circle = next(read_svg("figure.svg").iter(SVG + "circle"))
    cx, cy = float(circle.get("cx")), float(circle.get("cy"))
    figure("figure.png", calls)
    rows = colours("figure.png")
    same(rows[int(top + height / 2)][int(left + width / 2)], (213, 94, 0))
    same(left % 1, 0.5, "the bar begins in the middle of a dot")
    red, _, blue = rows[int(top + height / 4 + 3)][int(left)]
    assert red > 225 and 100 < blue < 150, (red, blue)
    same(rows[int(cy) + 7][int(cx) + 7], (128, 185, 217), "half transparent")
    covered = sum((255 - p[0]) / 127 for line in rows for p in line if p[2] > p[0] + 2)
    near(covered, math.pi * 400, 0.02, "area of the disc")


@test("the same bytes for the same calls; a larger scale has as many times more dots")
def repeated():
    for ending in ("svg", "png"):
        for name in ("a", "b"):
            figure(f"{name}.{ending}", MIXED, "t", columns=2)
        with open(f"a.{ending}", "rb") as first, open(f"b.{ending}", "rb") as second:
            same(first.read() == second.read(), True, ending)
    figure("large.png", MIXED, "t", columns=2, scale=2.5)
    small, large = colours("a.png"), colours("large.png")
    same((len(large), len(large[0])), (math.ceil(2.5 * len(small)), math.ceil(2.5 * len(small[0]))))


@test("a picture without colours is grey; other endings, and folders that are not there, are refused")
def kinds():
    figure("grey.png", [["panel"], ["line", INK, "", 0, 0, 0, 0, 1, 1]], "t")
    same(read_file("grey.png")[1], 1)
    for name in ("x.jpg", "x", "svg", ".svg", "x.svgz", "x.PNG"):
        message = f"{name}: unknown kind of picture (expected a name that ends in .png or .svg)\n"
        same(figure(name, [["panel"]], status=2)[1], message)
    same(figure("no/x.svg", [["panel"]], status=4)[1], "no/x.svg: cannot write: No such file or directory\n")
    same([name for name in os.listdir(".") if not name.startswith("grey")], [])


# ---- Animations ------------------------------------------------------------------------------------------------------

def frames_of(path):
    """Frames of an animated PNG as rows of grey bytes, the picture without animation, and the time of a frame, as the
    specification has them; whatever is not as it says is refused."""
    with open(path, "rb") as file:
        data = file.read()
    same(data[:8], b"\x89PNG\r\n\x1a\n")
    at, names, order, frames, still, size, delays, count = 8, [], 0, [], b"", None, set(), None
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at:at + 8])
        content = data[at + 8:at + 8 + length]
        same(data[at + 8 + length:at + 12 + length], struct.pack(">I", zlib.crc32(name + content)), f"CRC of {name}")
        at += 12 + length
        names.append(name.decode())
        if name == b"IHDR":
            size = struct.unpack(">II", content[:8])
        elif name == b"acTL":
            count, plays = struct.unpack(">II", content)
            same(plays, 0)
        elif name == b"IDAT":
            still += content
        elif name in (b"fcTL", b"fdAT"):
            same(struct.unpack(">I", content[:4])[0], order, "order")
            order += 1
            if name == b"fcTL":
                same(struct.unpack(">IIII", content[4:20]), (*size, 0, 0))
                delays.add(struct.unpack(">HH", content[20:24]))
                same(content[24:], b"\0\0")
                frames.append(b"")
            else:
                frames[-1] += content[4:]
    assert re.fullmatch("IHDR acTL (IDAT )+(fcTL (fdAT )+)+IEND", " ".join(names)), names
    same(count, len(frames))
    (numerator, denominator), = delays
    return [zlib.decompress(frame) for frame in frames], zlib.decompress(still), numerator / denominator, size


@test("an animation has a frame for each grid, in their order, with its text; the last one where it does not move")
def animations():
    pictures = [[k / 4, 0.5, 1 - k / 4, 0] for k in range(5)]
    calls = sum(([["frame", f"epoch {k}"], ["tiles", 1, 1, 2, 2, 0, 0, 0, *values]] for k, values in enumerate(pictures)), [])
    figure("figure.png", calls, scale=0.25)
    frames, still, seconds, _ = frames_of("figure.png")
    same((len(set(frames)), still == frames[-1], seconds), (5, True, 0.25))
    figure("plain.png", [["tiles", 1, 1, 2, 2, 0, 0, 0, *values] for values in pictures], scale=1e-9)
    frames, _, seconds, size = frames_of("plain.png")
    same((size, seconds, len(set(frames))), ((56 + 8, 56 + 8), 0.001, 5))
    many = [["frame", f"{k}"] if k % 2 else ["tiles", 1, 1, 28, 28, 0, 0, 0, k % 64 / 64] for k in range(80)]
    figure("many.png", many, scale=1)
    same(len(frames_of("many.png")[0]), 40)


@test("animations of no frames, of different shapes, and other endings are refused")
def wrong_animations():
    one, other = ["tiles", 1, 1, 2, 2, 0, 0, 0], ["tiles", 1, 2, 2, 2, 0, 0, 0]
    same(figure("x.png", [one, other], status=2)[1], "x.png: 2 frames (expected one or more of one shape)\n")
    same(figure("x.gif", [one, one], status=2)[1],
         "x.gif: unknown kind of animation (expected a name that ends in .png)\n")
    same(figure("x.png", [one, ["rows", "long label"], one], status=2)[1],
         "x.png: frames of different sizes (expected labels of one width)\n")
    same(figure("x.png", [["tiles", 0, 1, 2, 2, 0, 0, 0]], status=2)[1], "x.png: a picture of no pixels\n")
    same(os.listdir("."), [])


sys.exit(run())
