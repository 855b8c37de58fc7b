# SPDX-License-Identifier: MIT
# Not under tsan: pixels and texts. Threads that encode and decode are in unit/test_latents and commands.bats.
"""Pictures of latents: traversals and interpolations, and the kinds of plot that show a latent space. What is in a
figure is compared with what encode and decode write. Prints TAP."""
import math
import os
import statistics
import struct
import sys
import xml.etree.ElementTree as tree

from shared import png
from shared.figure import SVG, pixels, read_svg, texts
from shared.program import read_bytes, read_npy, refuse, vaectl, vaectl_json, write_idx, write_npy
from shared.tap import near, run, same, test

SMALL = ["--data", "builtin:digits:train=60,test=30", "--hidden", 12, "--epochs", 2, "--batch", 20, "--threads", 1, "-q"]
BLUE, GREY = "#0072b2", "#888888"
END = statistics.NormalDist().inv_cdf(0.975)


def make_run(name, *flags):
    vaectl("train", *SMALL, "-o", name, "--force", *flags)


def draw(path, *words):
    """The SVG that a command writes, and says."""
    same(vaectl(*words, "-o", path), (f"{path}\n", ""), words)
    return tree.parse(path).getroot()


def texts(root):
    return [element.text or "" for element in root.iter(SVG + "text")]


def tiles(root):
    """Grey tiles of a figure in their order, as lists of bytes."""
    return [sum(pixels(image, 2), []) for image in root.iter(SVG + "image")]


def encoded(run, *flags):
    """Means and scales, a list for each image."""
    vaectl("encode", run, "-o", "mean.npy", "--scales", "scale.npy", *flags)
    both = []
    for name in ("mean.npy", "scale.npy"):
        _, (n, latents), values = read_npy(name)
        both.append([values[i * latents:(i + 1) * latents] for i in range(n)])
    return both


def decoded(run, z):
    """Mean images as lists of numbers."""
    write_npy("z.npy", (len(z), len(z[0])), [value for row in z for value in row])
    vaectl("decode", run, "z.npy", "-o", "x.npy")
    _, (n, rows, cols), values = read_npy("x.npy")
    return [values[i * rows * cols:(i + 1) * rows * cols] for i in range(n)]


def same_tiles(got, want):
    """Bytes against numbers from 0 to 1; places of the latents may differ in their last bits."""
    same(len(got), len(want), "tiles")
    for i, (tile, image) in enumerate(zip(got, want)):
        worst = max(abs(byte - 255 * min(1, max(0, value))) for byte, value in zip(tile, image))
        assert worst < 0.6, f"tile {i}: a grey is {worst:.2f} off"


def images_of(run, *flags):
    """Pixels of the images of the test split, through a reconstruction at its own size."""
    root = draw("given.svg", "reconstruct", run, "-n", 30, *flags)
    found = tiles(root)
    across = 10
    return [found[20 * (i // across) + i % across] for i in range(30)]


def normal_steps(steps):
    return [END * (2 * k / (steps - 1) - 1) for k in range(steps)]


def cauchy(probability):
    return 0 if probability == 0.5 else math.tan(math.pi * (probability - 0.5))


# ---- Traversals and interpolations -----------------------------------------------------------------------------------

@test("traverse: a Cauchy latent runs over quantiles that are even steps under a normal prior")
def _():
    make_run("run", "--prior", "cauchy", "--latent", 2)
    root = draw("t.svg", "traverse", "run", "--steps", 5)
    places = [cauchy(statistics.NormalDist().cdf(t)) for t in normal_steps(5)]
    same([text for text in texts(root) if text[-1:].isdigit()][-5:], [f"{place:.3g}" for place in places])
    order = [int(text[1]) for text in texts(root) if text.startswith("z")]
    z = [[place if j == latent else 0 for j in range(2)] for latent in order for place in places]
    same_tiles(tiles(root), decoded("run", z))
    same(read_bytes("t.svg"), (draw("u.svg", "traverse", "run", "--steps", 5, "--range", "prior"), read_bytes("u.svg"))[1])


@test("traverse --range aggregate: each latent runs over its own values, with probabilities above")
def _():
    make_run("run", "--latent", 2)
    root = draw("t.svg", "traverse", "run", "--steps", 5, "--range", "aggregate")
    assert {"2.5 %", "16 %", "50 %", "84 %", "98 %"} <= set(texts(root)), texts(root)
    means, scales = encoded("run")
    order = [int(text[1]) for text in texts(root) if text.startswith("z")]

    def quantile(latent, probability):
        low, high = -50, 50
        for _ in range(60):
            middle = (low + high) / 2
            below = statistics.fmean(statistics.NormalDist(m[latent], s[latent]).cdf(middle)
                                     for m, s in zip(means, scales))
            low, high = (middle, high) if below < probability else (low, middle)
        return middle

    # Quantiles of 16,384 draws are a little off: tiles are nearer to the right ones than to those of a step beside it.
    ends = [(latent, k) for latent in order for k in (0, 2, 4)]
    found = tiles(root)
    for latent, k in ends:
        at = [quantile(latent, statistics.NormalDist().cdf(END * (k + shift - 2) / 2)) for shift in (-0.25, 0, 0.25)]
        want = decoded("run", [[place if j == latent else 0 for j in range(2)] for place in at])
        tile = found[5 * order.index(latent) + k]
        off = [sum((byte / 255 - value) ** 2 for byte, value in zip(tile, image)) for image in want]
        assert off[1] < min(off[0], off[2]), (latent, k, off)


@test("interpolate: images at the ends, between them decoded latents on a line or on an arc")
def _():
    make_run("run", "--latent", 3)
    given, (means, _) = images_of("run"), encoded("run")
    pairs = [(4, 9), (2, 2)]
    for path in ("linear", "spherical"):
        root = draw("i.svg", "interpolate", "run", "--images", "4,9,2,2", "--steps", 4, "--path", path)
        found = tiles(root)
        for row, (a, b) in enumerate(pairs):
            norms = [math.sqrt(sum(v * v for v in means[i])) for i in (a, b)]
            angle = math.acos(min(1, sum(x * y for x, y in zip(means[a], means[b])) / (norms[0] * norms[1])))
            z = []
            for t in (0, 1 / 3, 2 / 3, 1):
                arc = path == "spherical" and a != b
                weights = (math.sin((1 - t) * angle) / math.sin(angle), math.sin(t * angle) / math.sin(angle)) if arc \
                    else (1 - t, t)
                z.append([weights[0] * x + weights[1] * y for x, y in zip(means[a], means[b])])
            line = found[6 * row:6 * row + 6]
            same((line[0], line[5]), (given[a], given[b]), "images at the ends")
            same_tiles(line[1:5], decoded("run", z))
        assert {"4, 9", "2, 2", "image", "0", "0.333", "1"} <= set(texts(root)), texts(root)
    same(len(tiles(draw("i.svg", "interpolate", "run"))), 5 * 11)
    refuse(2, "--images or --pairs, not both", "interpolate", "run", "--images", "4,9", "--pairs", 1)
    refuse(2, "--images or -n, not both", "plot", "latents", "run", "--images", "4", "-n", 1)


# ---- Plots -----------------------------------------------------------------------------------------------------------

def bars(root):
    """Rectangles of bars as (x, top, bottom, colour), panel by panel."""
    panels = []
    for part in root.findall(SVG + "svg"):
        found = [(float(r.get("x")), float(r.get("y")), float(r.get("y")) + float(r.get("height")), r.get("fill"))
                 for r in part.iter(SVG + "rect")]
        if found:
            panels.append(found)
    return panels


@test("plot latents: bars are posterior means, error bars scales; means near zero are grey")
def _():
    make_run("run", "--prior", "spikeslab", "--latent", 6, "--lr", 0.01)
    root = draw("l.svg", "plot", "latents", "run", "--images", "3,0")
    means, scales = encoded("run")
    given = images_of("run")
    same(tiles(root), [given[3], given[0]])
    panels = bars(root)
    same(len(panels), 4, "panels: near and away of two images")
    most = 1.04 * max(abs(m) + s for i in (3, 0) for m, s in zip(means[i], scales[i]))
    for i, image in enumerate((3, 0)):
        drawn = sorted(panels[2 * i] + panels[2 * i + 1])
        same(len(drawn), 6)
        for (x, top, bottom, colour), mean in zip(drawn, means[image]):
            near(bottom - top, abs(mean) * 80 / (2 * most), 0.02, f"height of image {image}")
            same(colour.lower(), GREY if abs(mean) < 2 * math.sqrt(0.05) else BLUE, mean)
    assert "Grey: a mean within 0.45 of zero." in " ".join(texts(root)).replace("  ", " "), texts(root)


@test("plot latents of two runs: a row an image, a panel a run, one axis for all")
def _():
    make_run("sparse", "--prior", "spikeslab:c2=0.01", "--latent", 3)
    make_run("dense", "--latent", 4)
    root = draw("l.svg", "plot", "latents", "sparse", "dense", "-n", 2)
    assert {"normal", "spikeslab:p=0.8,c2=0.01"} <= set(texts(root)), texts(root)
    assert "within 0.2 of zero." in " ".join(texts(root)).replace("  ", " "), texts(root)
    heights = {}
    for name in ("sparse", "dense"):
        means, scales = encoded(name)
        heights[name] = ([abs(m) for row in means[:2] for m in row],
                         max(abs(m) + s for a, b in zip(means[:2], scales[:2]) for m, s in zip(a, b)))
    most = 1.04 * max(top for _, top in heights.values())
    drawn = sorted(bottom - top for panel in bars(root) for _, top, bottom, _ in panel)
    want = sorted(v * 80 / (2 * most) for values, _ in heights.values() for v in values)
    same(len(drawn), len(want))
    for got, height in zip(drawn, want):
        near(got, height, 0.02, "height of a bar")


@test("plot scatter: posterior means of images without labels, one scale on both axes")
def _():
    write_idx("one", (90, 4, 4), [(37 * k * k + 11 * k) % 256 for k in range(90 * 16)])
    vaectl("train", "--data", "one", "--holdout", 0.5, "--latent", 3, "--hidden", 8, "--epochs", 1, "-q", "-o", "run")
    root = draw("s.svg", "plot", "scatter", "run", "--dims", "2,0")
    said, means = texts(root), encoded("run")[0]
    assert any(text.startswith("z2") for text in said) and any(text.startswith("z0") for text in said), said
    assert {"50 % and 95 % of the prior", "posterior means"} <= set(said), said
    half, most = [[float(pair.split(",")[0]) for pair in c.get("points").split()] for c in root.iter(SVG + "polyline")
                  if c.get("stroke-width") == "1.25"]
    near((max(most) - min(most)) / (max(half) - min(half)), math.sqrt(math.log(0.05) / math.log(0.5)), 0.01, "radii")
    marks = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(SVG + "circle") if c.get("r") == "1.8"]
    same(len(marks), len(means), "points")
    right = [(x, mean[2]) for (x, _), mean in zip(marks, means)]
    up = [(-y, mean[0]) for (_, y), mean in zip(marks, means)]
    low, high = min(right, key=lambda pair: pair[1]), max(right, key=lambda pair: pair[1])
    unit = (high[0] - low[0]) / (high[1] - low[1])
    for pairs in (right, up):
        for dots, mean in pairs:
            near((dots - pairs[0][0]) / 100, unit * (mean - pairs[0][1]) / 100, 0.001, "place of a point")
    same(len([c for c in draw("s.svg", "plot", "scatter", "run", "--points", 7).iter(SVG + "circle")
              if c.get("r") == "1.8"]), 7)
    refuse(2, "--label: only data of two dimensions are decoded here", "plot", "scatter", "run", "--label", 0)


@test("plot scatter: classes in the legend and at their middles; draws from a joint prior")
def _():
    make_run("run", "--latent", 2, "--prior", "realnvp:width=4")
    said = texts(draw("s.svg", "plot", "scatter", "run"))
    assert "draws from the prior" in said, said
    same([said.count(str(k)) >= 2 for k in range(10) if str(k) in said], [True] * 10)


@test("plot scatter of data in the plane: data, draws of p(x|z), and a curve of means where there is one latent")
def _():
    angles = [6.283 * k / 60 for k in range(60)]
    write_npy("ring.npy", (60, 2), [f(a) for a in angles for f in (math.cos, math.sin)])
    for latents, wanted in ((1, "means of p(x|z) along z"), (2, "means of p(x|z)")):
        vaectl("train", "--data", "ring.npy", "--likelihood", "gaussian:sigma=0.1", "--latent", latents, "--hidden", 8,
               "--epochs", 1, "-q", "--force", "-o", "run")
        said = texts(draw("s.svg", "plot", "scatter", "run"))
        assert {"data", "draws of p(x|z)", wanted, "x0", "x1"} <= set(said), said
        same("posterior means" in said, latents == 2)
        if latents == 1:
            refuse(2, "--dims: the model has one latent (expected two or more)", "plot", "scatter", "run", "--dims", "0,0")
    message = "the model is one of rows of 2 numbers, which are no pictures (encode and decode write the numbers, plot scatter draws them)"
    for kind in ("latents", "manifold", "fields", "animation"):
        refuse(2, f"plot {kind}: {message}", "plot", kind, "run")
    refuse(2, f"interpolate: {message}", "interpolate", "run")


@test("plot manifold: the plane of two latents between quantiles of the prior, and a row of one latent")
def _():
    make_run("run", "--latent", 3)
    root = draw("m.svg", "plot", "manifold", "run", "--steps", 3, "--dims", "2,0")
    z = [[up, 0, right] for up in (END, 0, -END) for right in (-END, 0, END)]
    same_tiles(tiles(root), decoded("run", z))
    same([text for text in texts(root) if text in ("-1.96", "0", "1.96")],
         ["1.96", "0", "-1.96", "-1.96", "0", "1.96"])
    make_run("line", "--latent", 1)
    root = draw("m.svg", "plot", "manifold", "line", "--steps", 4, "--range", 3)
    same_tiles(tiles(root), decoded("line", [[-3], [-1], [1], [3]]))
    refuse(2, "--dims: the model has one latent (expected two or more)", "plot", "manifold", "line", "--dims", "0,1")


@test("plot scatter: in a small picture the legend has room")
def _():
    make_run("run", "--latent", 2)
    for scale in (0.3, 0.5, 1):
        vaectl("plot", "scatter", "run", "-o", "s.png", "--scale", scale)
        same({value for row in png.read_file("s.png")[0] for value in row[-3:]}, {255}, scale)


@test("plot fields: central differences of the decoded image, the largest named at the scale of colours")
def _():
    make_run("run", "--latent", 3, "--lr", 0.02)
    root = draw("f.svg", "plot", "fields", "run")
    same(sorted(text for text in texts(root) if text.startswith("z")), ["z0", "z1", "z2"])
    steps = [[sign * 0.1 if j == latent else 0 for j in range(3)] for latent in range(3) for sign in (-1, 1)]
    images = decoded("run", steps)
    most = max(abs(high - low) / 0.2 for low, high in zip(images[::2], images[1::2]) for low, high in zip(low, high))
    named = [float(text) for text in texts(root) if text.replace(".", "").replace("-", "").isdigit()]
    near(max(named), most, 0.01, "what the end of the scale stands for")
    near(min(named), -most, 0.01)
    vaectl("plot", "fields", "run", "-o", "f.png")
    same({value for row in png.read_file("f.png")[0] for value in row[:3]}, {255}, "a number is cut off at the left")


@test("plot prior: the density of a Laplace prior falls by the same factor over the same distance")
def _():
    make_run("run", "--prior", "laplace", "--latent", 2)
    root = draw("p.svg", "plot", "prior", "run")
    same(sorted(text[:2] for text in texts(root) if text.startswith("z")), ["z0", "z1"])
    areas, checks = {}, 0
    for part in root.findall(SVG + "svg"):
        bottom = float(part.get("y")) + float(part.get("height")) - 1
        for line in part.iter(SVG + "polyline"):
            places = [tuple(map(float, pair.split(","))) for pair in line.get("points").split()]
            height = [bottom - y for _, y in places]
            areas.setdefault(len(places), []).append(
                sum((b[0] - a[0]) * (h + i) / 2 for a, b, h, i in zip(places, places[1:], height, height[1:])))
            top = max(range(len(places)), key=height.__getitem__) + 2
            for step in (10, 20, 40):
                if len(places) == 241 and top + 2 * step < 241 and height[top + 2 * step] > 10:
                    near(height[top + step] / height[top], height[top + 2 * step] / height[top + step], 0.01,
                         "how a density falls")
                    checks += 1
    assert checks >= 4, checks
    same(sorted(areas), [96, 241], "lines: outlines of histograms, densities of the prior")
    for histogram, prior in zip(areas[96], areas[241]):  # the range has nearly all of one and nine tenths of the other
        assert 0.95 < histogram / prior < 1.12, (histogram, prior)


@test("plots that have no room for all latents say so")
def _():
    make_run("run", "--latent", 201, "--epochs", 1)
    for kind, shown in (("fields", 200), ("prior", 100)):
        vaectl("plot", kind, "run", "-o", "plot.svg")
        said = " ".join(" ".join(texts(read_svg("plot.svg"))).split())
        assert f"the {shown} of 201 latents with the largest KL" in said, (kind, said[:400])


@test("plot animation: a frame for each checkpoint, and the model at the end")
def _():
    for latents in (1, 2, 4):
        make_run("run", "--latent", latents, "--epochs", 5, "--keep-every", 2)
        same(vaectl("plot", "animation", "run"), ("run/animation.png\n", ""))
        data = read_bytes("run/animation.png")
        at = data.index(b"acTL") + 4  # frames of epochs 0, 2, 4, and of the model after 5
        same((struct.unpack(">I", data[at:at + 4])[0], data.count(b"fcTL")), (4, 4), "frames")
    make_run("plain", "--latent", 2)
    none = "plain: no checkpoints of earlier epochs (train --keep-every leaves them)"
    refuse(2, none, "plot", "animation", "plain")
    vaectl("train", "--resume", "plain", "--epochs", vaectl_json("info", "plain")["epoch"] + 1, "--keep-every", 1, "-q")
    refuse(2, none, "plot", "animation", "plain")
    refuse(2, "--output: 'a.svg' (expected a name that ends in .png)", "plot", "animation", "run", "-o", "a.svg")


# ---- The same bytes, and refusals ------------------------------------------------------------------------------------

@test("the same bytes on one core and on all")
def _():
    make_run("run", "--latent", 2, "--epochs", 3, "--keep-every", 1)
    words = [["plot", kind, "run"] for kind in ("latents", "scatter", "manifold", "fields", "prior", "animation")]
    words += [["interpolate", "run"], ["traverse", "run", "--range", "aggregate"]]
    cores = os.sched_getaffinity(0)
    for command in words:
        name = "a.png" if "animation" in command else "a.svg"
        vaectl(*command, "-o", name)
        os.sched_setaffinity(0, {min(cores)})
        vaectl(*command, "-o", "b" + name)
        os.sched_setaffinity(0, cores)
        assert read_bytes(name) == read_bytes("b" + name), command


@test("what is refused: one line, the right status, and no file")
def _():
    make_run("run", "--latent", 2)
    make_run("one", "--latent", 1)
    make_run("spike", "--latent", 2, "--prior", "spikeslab")
    write_idx("eight", (40, 8, 8), bytes(i % 251 for i in range(40 * 64)))
    make_run("small", "--data", "eight")
    for status, message, *words in (
            (2, "--range: 'post' (expected prior, aggregate or a number)", "traverse", "run", "--range", "post"),
            (2, "--range: '3x' is not a number", "traverse", "run", "--range", "3x"),
            (2, "--images: 30 is out of range (expected 0 to 29)", "plot", "latents", "run", "--images", "30"),
            (2, "--images: ends in a comma (expected I,J,...)", "plot", "latents", "run", "--images", "1,"),
            (2, "--images: '' is not a whole number", "plot", "latents", "run", "--images", ",1"),
            (2, "3 images (expected pairs of images)", "interpolate", "run", "--images", "1,2,3"),
            (2, "--path: 'round' (expected linear or spherical)", "interpolate", "run", "--path", "round"),
            (2, "--path spherical: the prior is spikeslab (expected normal)", "interpolate", "spike", "--path",
             "spherical"),
            (2, "the model has one latent (expected two or more, or data of two dimensions)", "plot", "scatter", "one"),
            (2, "--dims: twice the same latent 1", "plot", "scatter", "run", "--dims", "1,1"),
            (2, "plot fields: takes no --dims", "plot", "fields", "run", "--dims", "0,1"),
            (2, "plot manifold: 2 runs (expected at most 1)", "plot", "manifold", "run", "one"),
            (2, "--label: the model is not conditional (train --conditional makes one)", "plot", "manifold", "run",
             "--label", 3),
            (3, "no: No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or "
             ".csv file, or builtin:NAME of digits, gaussians, templates, patches)", "plot", "prior", "run", "--data", "no"),
            (2, "--split: names images, and nothing here is of images (expected it with --range aggregate)", "traverse", "run", "--split", "train"),
            (2, "--data: names images, and nothing here is of images (expected it with --range aggregate)", "plot", "manifold", "run", "--data", "nowhere"),
            (3, "small/model.safetensors: images are 28 x 28, the model takes 8 x 8", "plot", "latents", "run", "small"),
            (2, "--rows: is of the rows of latents, and --dims shows a plane", "traverse", "run", "--dims", "0,1", "--rows", 1),
            (4, "no/p.svg: cannot write: No such file or directory", "plot", "manifold", "run", "-o", "no/p.svg"),
            (5, "no: cannot open: No such file or directory (expected a model file)", "plot", "latents", "no")):
        refuse(status, message, *words)
    same([name for name in os.listdir(".") if name.endswith(("svg", "png"))], [])
    same(sorted(os.listdir("run")), ["metrics.csv", "model.safetensors"])


sys.exit(run())
