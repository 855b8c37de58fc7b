# SPDX-License-Identifier: MIT
# Not under tsan: marks and texts. Threads that encode and decode are in unit/test_latents and commands.bats.
"""plot: its frame, the curves of metrics.csv and the KL of each latent, against the numbers that they are made of.
Prints TAP."""
import os
import re
import shutil
import sys

from shared.figure import SVG, corners, read_svg, texts
from shared.program import read_bytes, read_rows, refuse, vaectl, vaectl_json
from shared.tap import near, run, same, test

SMALL = ["--data", "builtin:digits:train=200,test=100", "--hidden", 8, "--latent", 4, "--epochs", 3, "-q"]


def train(name, *flags):
    vaectl("train", *SMALL, *flags, "-o", name)


def plot(*words, path):
    """The root of the SVG that the command says it wrote."""
    out, errors = vaectl("plot", *words)
    same((out, errors), (f"{path}\n", ""), words)
    return read_svg(path)


def lines(root):
    """Corners of the lines of data in their order, whether each is faint, and its colour."""
    return [(corners(e), e.get("stroke-opacity") == "0.5", e.get("stroke")) for clip in root.iter(SVG + "svg")
            if clip is not root for e in clip.iter(SVG + "polyline")]


def proportional(line, values):
    """Heights of a line against its values: all corners on one scale, upwards."""
    same(len(line), len(values))
    (_, top), (_, low) = line[0], line[-1]
    unit = (low - top) / (values[0] - values[-1])
    for (_, y), value in zip(line, values):
        near(y, top + unit * (values[0] - value), 0.02, f"{value}")
    assert unit > 0, "it falls where its values rise"


COLUMNS = ("train_recon train_kl", "test_neg_elbo", "train_recon", "test_recon", "train_kl", "test_kl")


def curve(rows, columns):
    """The sum of columns in each row."""
    return [sum(float(row[column]) for column in columns.split()) for row in rows]


@test("curves: -ELBO, reconstruction and KL of training and test over epochs, of one run and of several")
def curves():
    train("run", "--beta", 4)
    root = plot("curves", "run", path="run/curves.svg")
    rows = read_rows("run")
    drawn = lines(root)
    same([faint for _, faint, _ in drawn], [True, False] * 3)
    for (line, _, _), column in zip(drawn, COLUMNS):
        proportional(line, curve(rows, column))
    shown = texts(root)
    same([text for text in shown if text.startswith(("1", "2", "3")) and float(text) <= 3], ["1", "2", "3"] * 3)
    same(shown[0], "Training of normal on builtin:digits:train=200,test=100")
    same([text for text in shown if text in ("-ELBO", "reconstruction", "KL", "epoch", "training", "test")],
         ["-ELBO", "epoch", "reconstruction", "epoch", "KL", "epoch", "training", "test"])
    train("other", "--prior", "laplace")
    root = plot("curves", "run", "other", path="curves.svg")
    drawn = lines(root)
    same(len({colour for _, _, colour in drawn}), 2)
    same([text for text in texts(root) if text in ("normal", "laplace:scale=1")], ["normal", "laplace:scale=1"])
    both = [curve(read_rows(name), column) for name in ("run", "other") for column in COLUMNS]
    order = [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11]
    for (line, _, _), which in zip(drawn, order):
        proportional(line, both[which])


@test("curves --log: a decade is as long everywhere, and what is below zero is left out")
def logarithmic():
    train("run")
    rows = read_bytes("run/metrics.csv").decode().splitlines()
    fields = rows[0].split(",")
    kl = fields.index("test_kl")
    made = [line.split(",") for line in rows[1:]]
    for line, value in zip(made, ("1", "10", "-1")):
        line[kl] = value
    made.append(["4", *made[-1][1:kl], "100", *made[-1][kl + 1:]])
    made.append(["5", *made[-1][1:kl], "1000", *made[-1][kl + 1:]])
    with open("run/metrics.csv", "w", encoding="ascii") as file:
        file.write("\n".join([rows[0], *map(",".join, made), ""]))
    drawn = [line for line, faint, _ in lines(plot("curves", "run", "--log", path="run/curves.svg")) if not faint]
    (first, second), (third, fourth) = drawn[-2:]
    near(first[1] - second[1], third[1] - fourth[1], 0.02)


@test("curves --log: epochs are whole numbers on an axis of two, too")
def whole():
    train("run", "--epochs", 2)
    same([text for text in texts(plot("curves", "run", "--log", path="run/curves.svg")) if re.fullmatch(r"[12](\.\d)?", text)],
         ["1", "2"] * 3)


@test("curves: runs are told apart by their priors, else by their folders, else by what was typed")
def names():
    os.mkdir("there")
    train("run")
    shutil.copytree("run", "other")
    shutil.copytree("run", "there/run")
    for folders, want in ((["run", "other"], ["run", "other"]),
                          (["run", "there/run"], ["run/model.safetensors", "there/run/model.safetensors"])):
        shown = texts(plot("curves", *folders, path="curves.svg"))
        same([text for text in shown if text in want], want)


@test("curves: the names of sixteen runs are within the figure")
def many_names():
    train("run")
    names = [f"run{i:02}" for i in range(16)]
    for name in names:
        shutil.copytree("run", name)
    root = plot("curves", *names, path="curves.svg")
    shown = {text.text: float(text.get("y")) for text in root.iter(SVG + "text") if text.text in names}
    assert all(shown[name] + 4 < float(root.get("height")) for name in names), (shown, root.get("height"))


@test("curves: runs without their metrics, and damaged ones")
def no_metrics():
    train("run")
    whole = read_bytes("run/metrics.csv")
    none = "run/metrics.csv: no epoch there (expected the metrics of a run)"
    for text in (None, b"", whole[:whole.index(b"\n") + 1], b"\0" * 100, b"epoch,step\n" + b"x,y\n" * 10):
        if text is None:
            os.remove("run/metrics.csv")
        else:
            with open("run/metrics.csv", "wb") as file:
                file.write(text)
        refuse(5, none, "plot", "curves", "run")
    os.remove("run/metrics.csv")
    os.mkdir("run/metrics.csv")
    _, errors = vaectl("plot", "curves", "run", status=5)
    assert errors.startswith("vaectl: run/metrics.csv: cannot read: not a regular file"), errors
    assert not os.path.exists("run/curves.svg")
    os.rmdir("run/metrics.csv")
    with open("run/metrics.csv", "wb") as file:
        file.write(whole + b"4,9,nan,inf")  # a row that is cut off
    same(len(lines(plot("curves", "run", path="run/curves.svg"))[0][0]), 3)


def bars(root):
    """(text of the tick, height, is it active) of each bar from left to right."""
    found = [(float(e.get("x")) + float(e.get("width")) / 2, float(e.get("height")), e.get("fill") == "#0072b2")
             for clip in root.iter(SVG + "svg") if clip is not root for e in clip.iter(SVG + "rect")]
    ticks = {round(float(e.get("x"))): e.text for e in root.iter(SVG + "text") if re.fullmatch(r"z\d+", e.text or "")}
    return [(ticks[min(ticks, key=lambda at: abs(at - x))], height, active) for x, height, active in sorted(found)]


@test("kl: a bar a latent as eval has it, the largest first, active ones in colour, the floor of an idle one as a rule")
def kl():
    for prior, idle in (("normal", 0), ("laplace", 1)):
        train(prior, "--prior", prior, "--epochs", 6, "--beta", 1 + 3 * idle)
        report = vaectl_json("eval", prior)
        values = report["kl_per_dim"]
        root = plot("kl", prior, path=f"{prior}/kl.svg")
        drawn = bars(root)
        order = sorted(range(4), key=lambda j: -values[j])
        same([name for name, _, _ in drawn], [f"z{j}" for j in order])
        unit = drawn[0][1] / values[order[0]]
        for (_, height, _), j in zip(drawn, order):
            near(height, unit * values[j], 0.02, f"latent {j}")
        same(sum(active for _, _, active in drawn), report["active_units"])
        same(("idle" in texts(root)), report["active_units"] < 4)
        rule, = lines(root)
        bottom = max(float(e.get("y")) + float(e.get("height")) for clip in root.iter(SVG + "svg") if clip is not root
                     for e in clip.iter(SVG + "rect"))
        near(bottom - rule[0][0][1], unit * report["kl_floor"], 0.02, "floor")
        same(root.get("aria-label"), "KL of each latent: " + {"normal": "normal", "laplace": "laplace:scale=1"}[prior]
             + " on builtin:digits:train=200,test=100")
    root = plot("kl", "normal", "laplace", path="kl.svg")
    same([text for text in texts(root) if text in ("normal", "laplace:scale=1")], ["normal", "laplace:scale=1"])
    ticks = [text for text in texts(root) if text.replace(".", "").isdigit()]
    same(ticks[:len(ticks) // 2], ticks[len(ticks) // 2:], "panels of several runs have one axis")
    before = read_bytes("kl.svg")
    plot("kl", "normal", "laplace", path="kl.svg")
    assert read_bytes("kl.svg") == before


@test("kl: a joint prior has one KL for all latents, and no bars")
def joint():
    train("run", "--prior", "mixture", "--components", 3)
    refuse(2, "run/model.safetensors: prior mixture has one KL for all latents together, and none for each (expected a "
           "factorised prior and posterior)", "plot", "kl", "run")
    assert not os.path.exists("run/kl.svg")


@test("plot: unknown kinds, no kind, flags of other kinds, too many runs, runs that are none")
def refusals():
    _, errors = vaectl("plot", "curve", status=2)
    assert errors.startswith("vaectl: plot: unknown kind 'curve' (did you mean 'curves'? there are: curves, kl, "), errors
    _, errors = vaectl("plot", "xyzzy", status=2)
    assert errors.startswith("vaectl: plot: unknown kind 'xyzzy' (there are: curves, kl, "), errors
    _, errors = vaectl("plot", status=2)
    assert errors.startswith("vaectl: plot: no KIND given (there are: curves, kl, "), errors
    train("run")
    refuse(2, "plot curves: takes no --data", "plot", "curves", "run", "--data", "builtin:digits")
    refuse(2, "plot kl: takes no --log", "plot", "kl", "run", "--log")
    refuse(2, "plot curves: 17 runs (expected at most 16)", "plot", "curves", *["run"] * 17)
    refuse(2, "plot: RUN is empty", "plot", "curves", "")
    refuse(5, "nowhere: cannot open: No such file or directory (expected a model file)", "plot", "curves", "run", "nowhere")
    refuse(4, "no/x.svg: cannot write: No such file or directory", "plot", "curves", "run", "-o", "no/x.svg")
    same(sorted(name for name in os.listdir(".") if name != "runs"), ["run"])


@test("a model's names, whatever is in them, are text in the figure")
def hostile():
    os.mkdir("<b>&\x1b[31m")
    train("<b>&\x1b[31m/run")
    shutil.copytree("<b>&\x1b[31m/run", "x<y>&\x1b")
    shown = texts(plot("curves", "<b>&\x1b[31m/run", "x<y>&\x1b", path="curves.svg"))
    assert "x<y>&?" in shown, shown


sys.exit(run())
