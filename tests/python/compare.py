# SPDX-License-Identifier: MIT
"""vaectl compare: the runs that lists ask for, trained side by side and again after any end; what the table says of them,
and its figures against those of eval."""
import contextlib
import csv
import json
import math
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
from xml.etree import ElementTree

from shared.program import (MOST_SECONDS, command_line, on_terminal, read_bytes, refuse, started, vaectl, vaectl_json,
                            wait_until, write_idx, write_npy)
from shared.tap import Skip, alike, near, not_under, run, same, test

SMALL = ["--data", "builtin:digits:train=30,test=20", "--hidden", 6, "--latent", 3, "--batch", 10, "--epochs", 2]
SVG = "{http://www.w3.org/2000/svg}"
T_OF_THREE = 4.302652729749464  # 97.5 % quantile of Student's t with two degrees of freedom


def models(folder):
    """Bytes of the models in a folder of runs."""
    return {name: read_bytes(f"{folder}/{name}/model.safetensors") for name in runs_in(folder)}


def runs_in(folder):
    return sorted(name for name in os.listdir(folder) if os.path.isdir(f"{folder}/{name}"))


def trained(folder, *words):
    """The table that `compare ... -o FOLDER` prints before the name of its figure, and what it says."""
    out, errors = vaectl("compare", *words, "-o", folder)
    assert out.endswith(f"\n{folder}/compare.svg\n"), out
    return out[:out.rindex(folder)], errors


# ---- Plans ----------------------------------------------------------------------------------------------------------

# Flags, and the folders of the runs that they ask for.
PLANS = [
    ("", "normal-seed1"),
    ("--prior laplace --seeds 3", "laplace-seed1 laplace-seed2 laplace-seed3"),
    ("--seed 5 --seeds 2", "normal-seed5 normal-seed6"),
    ("--seed 7,9", "normal-seed7 normal-seed9"),
    ("--prior normal,laplace --seeds 2", "normal-seed1 normal-seed2 laplace-seed1 laplace-seed2"),
    ("--beta 0,0.25,4", "beta0-seed1 beta0.25-seed1 beta4-seed1"),
    ("--latent 2,5 --beta 1,4",
     "latent2-beta1-seed1 latent2-beta4-seed1 latent5-beta1-seed1 latent5-beta4-seed1"),
    ("--prior spikeslab:p=0.8,c2=0.05,normal,laplace:scale=2",
     "spikeslab-p-0.8-c2-0.05-seed1 normal-seed1 laplace-scale-2-seed1"),
    ("--prior spikeslab,normal --p 0.5,0.9", "spikeslab-p0.5-seed1 spikeslab-p0.9-seed1 normal-seed1"),
    ("--hidden 100,50/400", "hidden100-50-seed1 hidden400-seed1"),
    ("--objective elbo,iwae --samples 5", "elbo-seed1 iwae-seed1"),
    ("--kl exact,mc", "exact-seed1 mc-seed1"),
    ("--conditional --latent 2,3", "latent2-seed1 latent3-seed1"),
    ("--beta 1,1 --latent 2", "beta1-seed1"),
    ("--beta 1,4 --beta 2", "normal-seed1"),
]


@test("files that cannot be written, and two of one name, are told before a run is trained or evaluated")
def _():
    os.mkdir("t.csv")
    wrong = [(4, "t.csv: cannot write: Is a directory", ("--csv", "t.csv")),
             (4, "no/t.tex: cannot write: No such file or directory", ("--latex", "no/t.tex")),
             (4, "no/t.png: cannot write: No such file or directory", ("--pictures", "no/t.png")),
             (2, "./t: named for two outputs", ("--csv", "t", "--latex", "./t"))]
    for status, message, flags in wrong:
        refuse(status, message, "compare", *SMALL, *flags, "-o", "all")
        same(models("all"), {})
    vaectl("compare", *SMALL, "--csv", "all/t.csv", "-o", "all", "-q")  # a folder that it makes itself
    for status, message, flags in wrong:
        refuse(status, message, "compare", "all", *flags)


@test("data are not overwritten, and runs that are there count with their own data alone")
def _():
    with open("d.csv", "w", encoding="ascii") as file:
        file.write("".join(f"{k % 7 / 7},{k % 3 / 3}\n" for k in range(40)))
    before = read_bytes("d.csv")
    words = ["--data", "d.csv", "--hidden", 4, "--latent", 2, "--epochs", 1, "-q"]
    read = "d.csv: is what is read, and would be overwritten (another name keeps it)"
    refuse(2, read, "compare", *words, "--csv", "d.csv", "-o", "all")
    vaectl("compare", *words, "-o", "all")
    refuse(2, read, "compare", "all", "--latex", "d.csv")
    same(read_bytes("d.csv"), before)
    vaectl("compare", *words[2:], "--data", "./d.csv", "-o", "all")  # the same file
    shutil.copy("d.csv", "e.csv")
    refuse(7, "all/normal-seed1: holds a run with data d.csv, not e.csv (another -o keeps it)", "compare", *words[2:],
           "--data", "e.csv", "-o", "all")
    vaectl("compare", *words, "-o", "runs/latest/more")  # a link that its trainings move


@test("what a training said last is its reason, and not what one before it said; metrics that are a pipe are none")
def _():
    vaectl("compare", *SMALL, "-o", "all")
    with open("all/normal-seed1/train.log", "a", encoding="ascii") as file:
        file.write("vaectl: of another training\n")
    os.truncate("all/normal-seed1/model.safetensors", 100)
    os.remove("all/normal-seed1/metrics.csv")
    os.mkfifo("all/normal-seed1/metrics.csv")
    _, errors = vaectl("compare", *SMALL, "-o", "all", status=5)
    assert "normal-seed1: failed: all/normal-seed1/model.safetensors: " in errors and "another training" not in errors, errors


@test("a run for each combination of the lists, named by them")
def _():
    for flags, names in PLANS:
        lines = vaectl("compare", *flags.split(), "--data", "builtin:digits", "--plan", "-o", "all")[0].splitlines()
        same([re.search(r"--output \S*/all/(\S+) --force", line)[1] for line in lines], names.split(), flags)
        same([" --data builtin:digits " in line.split("; else ")[1] for line in lines], [True] * len(lines), "data, though it may be the default")
    assert not os.path.exists("all")


@test("a plan's lines train what compare trains, in folders with any name, and again change nothing")
def _():
    flags = [*SMALL, "--prior", "normal,spikeslab:p=0.7", "--conditional"]
    vaectl("compare", *flags, "--jobs", 2, "-o", "ours")
    plan = vaectl("compare", *flags, "--plan", "--threads", 1, "-o", "it's a \"$HOME\" `x`")[0]
    same(plan.count("\n"), 2)
    theirs = ""
    for _ in range(2):
        for line in plan.splitlines():
            subprocess.run(["sh", "-c", line], check=True, cwd="/", capture_output=True, timeout=MOST_SECONDS)
        theirs = theirs or models("it's a \"$HOME\" `x`")
        same(models("it's a \"$HOME\" `x`"), theirs)
    same(theirs, models("ours"))
    table = vaectl("compare", "ours")[0]
    same(vaectl("compare", "it's a \"$HOME\" `x`")[0], table)


@test("GNU parallel runs a plan")
def _():
    if not shutil.which("parallel"):
        raise Skip("no GNU parallel")
    flags = [*SMALL, "--beta", "1,4", "--seeds", 2]
    plan = vaectl("compare", *flags, "--plan", "--threads", 1, "-o", "betas")[0]
    done = subprocess.run(["parallel", "--jobs", "2"], input=plan, text=True, capture_output=True, timeout=MOST_SECONDS)
    same(done.returncode, 0, done.stderr)
    out, errors = trained("betas", *flags)
    same((out.count("\n"), errors), (11, ""))


# ---- Figures --------------------------------------------------------------------------------------------------------

def interval(values):
    mean, sd = statistics.mean(values), statistics.stdev(values)
    half = T_OF_THREE * sd / math.sqrt(3)
    return {"n": 3, "mean": mean, "sd": sd, "low": mean - half, "high": mean + half}


def check_mean(got, want):
    same(set(got), set(want))
    for name, value in want.items():
        near(got[name], value, 1e-6, name)


@test("losses of each run are those of eval; means, deviations and paired intervals follow from them")
def _():
    vaectl("compare", *SMALL, "--prior", "normal,laplace", "--seeds", 3, "-o", "all")
    sampling = ["nll_bias", "nll_mc_se", "nll_effective_samples", "nll_khat"]
    for flags, loss in (([], "neg_elbo"), (["--nll", 30, "--elbo-samples", 4, "--limit", 11], "nll")):
        names = ["neg_elbo", "recon", "kl", "active_units", "cluster_nmi", loss, *(sampling if flags else [])]
        table = vaectl_json("compare", "all", *flags)
        same((table["n"], table["difference_of"], table["baseline"]), (11 if flags else 20, loss, "normal"))
        same(table["elbo_samples"], 4 if flags else 1)
        losses = {}
        for row in table["rows"]:
            same([one["seed"] for one in row["runs"]], [1, 2, 3])
            losses[row["name"]] = [one[loss] for one in row["runs"]]
            for one in row["runs"]:
                evaluated = vaectl_json("eval", one["run"], "--decompose", 1000,
                                        *(flags and ["--samples", 30, "--elbo-samples", 4, "--limit", 11]))
                for name in names:
                    near(one[name], evaluated[name], 1e-8, name)
                same(one["collapsed_share"], evaluated["collapsed_share"], "collapsed share")
                parts = evaluated["decomposition"]["left_out"]
                for name in ("information", "marginal_kl", "total_correlation", "latents_kl"):
                    near(one[name], parts[name]["value"], 1e-8, name)
            for name in names:
                check_mean(row[name], interval([one[name] for one in row["runs"]]))
        laplace = next(row for row in table["rows"] if row["name"] == "laplace")
        check_mean(laplace["difference"], interval([a - b for a, b in zip(losses["laplace"], losses["normal"])]))


@test("the standard error over images is that of the mean difference of each image")
def _():
    vaectl("compare", *SMALL, "--beta", "1,9", "--seeds", 2, "-o", "all")

    def losses(name):
        """Of the first images: a further image moves the mean by what it has."""
        sums = [0.0] + [n * vaectl_json("eval", f"all/{name}", "--limit", n)["neg_elbo"] for n in (1, 2, 3)]
        return [after - before for before, after in zip(sums, sums[1:])]

    differences = [(a + b - c - d) / 2 for a, b, c, d in
                   zip(*(losses(f"beta{beta}-seed{seed}") for beta in (9, 1) for seed in (1, 2)))]
    row = vaectl_json("compare", "all", "--limit", 3)["rows"][1]
    near(row["difference_image_se"], statistics.stdev(differences) / math.sqrt(3), 1e-4)


@test("the table as text, of three seeds and of one")
def _():
    vaectl("compare", *SMALL, "--prior", "normal,laplace", "--seeds", 3, "-o", "all")
    rows = vaectl_json("compare", "all")["rows"]
    head = ("builtin:digits:train=30,test=20, test split: 20 images, noise seed 1\n"
            "nats per image; mean over seeds, and standard deviation (sd) between them\n"
            "grey pixels under a Bernoulli likelihood: a pseudo-likelihood\n\n"
            "prior    seeds neg_elbo    sd    recon    sd       kl    sd   active    sd\n")
    lines = [f"{row['name']:9}{3:5}" + "".join(
        f"{row[name]['mean']:9.{digits}f}{row[name]['sd']:6.{digits}f}"
        for name, digits in (("neg_elbo", 2), ("recon", 2), ("kl", 2), ("active_units", 1))) for row in rows]
    d = rows[1]["difference"]
    between = f"{d['low']:.2f} to {d['high']:.2f}"
    want = (head + "\n".join(lines) + "\n\nneg_elbo less that of normal, seed by seed on the same images\n"
            "prior    pairs  difference  95 % interval over seeds  se over images\n"
            f"laplace      3  {d['mean']:10.2f}  {between:24}{rows[1]['difference_image_se']:16.2f}\n")
    alike(vaectl("compare", "all")[0], want)
    assert max(map(len, want.splitlines())) <= 80
    single = vaectl("compare", "all/normal-seed1", "all/laplace-seed1")[0]
    assert re.search(r"laplace      1 +-?\d+\.\d\d  none from one pair +\d\.\d\d\n$", single), single
    assert re.search(r"normal       1 +\d+\.\d\d     - ", single), single
    os.symlink("normal-seed1", "all/latest")  # as there is one in runs/
    same(vaectl("compare", "all")[1], "")
    same(vaectl("compare", "all/normal-seed1")[0].count("\n"), 6)


@test("what eval says of the sampling of a nll, the table says of its runs")
def _():
    vaectl("compare", *SMALL, "--beta", "0.01,1", "-o", "all")
    for samples in (4, 40):  # few to be effective, or enough for a k-hat
        table, text = vaectl_json("compare", "all", "--nll", samples), vaectl("compare", "all", "--nll", samples)[0]
        runs = [row["runs"][0] for row in table["rows"]]
        few = min(runs, key=lambda one: one["nll_effective_samples"])
        heavy = max(runs, key=lambda one: one["nll_khat_above"] or 0)
        for row in table["rows"]:
            assert re.search(rf"^{row['name'][5:]} .* {row['nll_bias']['mean']:.2f}$", text, re.M), text
        lines = [f"few effective samples ({few['nll_effective_samples']:.1f} in {few['run']}): nll is too high by more than its "
                 "bias; give more --nll\n",
                 f"k-hat is above 0.7 for {100 * (heavy['nll_khat_above'] or 0):.1f} % of images in {heavy['run']}: their error is "
                 "larger than it looks\n"]
        same([line in text for line in lines], [few["nll_effective_samples"] < 5, (heavy["nll_khat_above"] or 0) > 0], text)
        same([line in text for line in lines], [samples == 4, samples == 40])
        assert "\nbias: nll is in expectation too high by so much or more, which more samples (--nll) make smaller\n" in text, text
    assert "bias" not in vaectl("compare", "all")[0]
    vaectl("compare", "all", "--nll", 40, "--csv", "t.csv")
    with open("t.csv", encoding="ascii") as file:
        for row, line in zip(table["rows"], csv.DictReader(file), strict=True):
            for name in ("nll_bias", "nll_mc_se", "nll_effective_samples", "nll_khat", "nll_khat_above"):
                near(float(line[name]), row[name]["mean"], 1e-5, name)


@test("LaTeX and CSV say of what the differences are, from what, and what was evaluated")
def _():
    vaectl("compare", *SMALL, "--prior", "normal,laplace", "-o", "all")
    for flags, loss, heading in (([], "neg_elbo", r"$\Delta(-\mathrm{ELBO})$"),
                                 (["--nll", 9, "--elbo-samples", 3, "--limit", 5], "nll", r"$\Delta$NLL")):
        table = vaectl_json("compare", "all", *flags, "--baseline", "laplace")
        vaectl("compare", "all", *flags, "--baseline", "laplace", "--latex", "t.tex", "--csv", "t.csv")
        tex, n = read_bytes("t.tex").decode(), 5 if flags else 20
        samples = ", 3 draws of z an image, 9 importance samples of the NLL" if flags else ""
        assert f" & {heading} to laplace \\\\\n" in tex, tex
        for line in (f"% Data: builtin:digits:train=30,test=20, test split, {n} images, noise seed 1{samples}.",
                     f"% Last column: {loss} less that of laplace, mean over pairs of seeds with its 95 % interval."):
            assert f"\n{line}\n" in tex, (line, tex)
        biases = ", ".join(f"{row['nll_bias']['mean']:.3f} ({row['name']})" for row in table["rows"]) if flags else None
        same(re.findall("% The NLL is in expectation too high by (.*), its bias, or more.\n", tex), [biases] if flags else [])
        vaectl("compare", "all", "--nll", 1, "--latex", "t.tex")
        assert b"nan" not in read_bytes("t.tex"), read_bytes("t.tex")
        with open("t.csv", encoding="ascii") as file:
            for row, line in zip(table["rows"], csv.DictReader(file), strict=True):
                near(float(line[f"{loss}_difference"]), row["difference"]["mean"], 1e-5)
                near(float(line[f"{loss}_difference_image_se"]), row["difference_image_se"], 1e-5)
                same([line[name] for name in ("baseline", "data", "split", "images", "elbo_samples", "nll_samples")],
                     ["laplace", "builtin:digits:train=30,test=20", "test", str(n), *(["3", "9"] if flags else ["1", "0"])])


@test("the order of rows: of lists, of the command line, of settings in a folder; --baseline names one")
def _():
    def names(*words):
        table = json.loads(vaectl("compare", *words, "--json")[0])
        return [row["name"] for row in table["rows"]], table["baseline"]

    same(names(*SMALL, "--prior", "laplace,normal", "-o", "all"), (["laplace", "normal"], "laplace"))
    same(names("all"), (["normal", "laplace"], "normal"))
    same(names("all", "--baseline", "laplace"), (["normal", "laplace"], "laplace"))
    same(names("all/laplace-seed1", "all/normal-seed1"), (["laplace", "normal"], "laplace"))


@test("seeds without a partner are in the means and not in the differences")
def _():
    vaectl("compare", *SMALL, "--beta", "1,4", "--seeds", 3, "-o", "all")
    shutil.rmtree("all/beta4-seed2")
    rows = vaectl_json("compare", "all")["rows"]
    same([(row["neg_elbo"]["n"], row["difference"]["n"]) for row in rows], [(3, 3), (2, 2)])
    both = [rows[1]["runs"][i]["neg_elbo"] - rows[0]["runs"][2 * i]["neg_elbo"] for i in range(2)]
    near(rows[1]["difference"]["mean"], sum(both) / 2, 1e-6)
    shutil.rmtree("all/beta4-seed1")
    text = vaectl("compare", "all/beta1-seed1", "all/beta1-seed2", "all/beta4-seed3")[0]
    assert re.search(r"4 +0 +-  no seed in common +-\n$", text), text


@test("rows are named by what differs; --baseline takes such a name")
def _():
    vaectl("compare", *SMALL, "--prior", "laplace,spikeslab:p=0.9,spikeslab:c2=0.1,spikeslab", "--latent", "2,10",
           "-o", "all")
    names = [row["name"] for row in vaectl_json("compare", "all")["rows"]]
    same(names, [f"{prior}, latent {latent}" for prior in ("spikeslab:p=0.8,c2=0.05", "spikeslab:p=0.8,c2=0.1",
                                                    "spikeslab:p=0.9,c2=0.05", "laplace") for latent in (2, 10)])
    table = vaectl_json("compare", "all", "--baseline", "laplace, latent 2")
    same((table["baseline"], table["rows"][6]["difference"]["mean"]), ("laplace, latent 2", 0))
    given = vaectl_json("compare", "all/laplace-latent2-seed1", "all/spikeslab-latent2-seed1")
    same([row["name"] for row in given["rows"]], ["laplace", "spikeslab"])
    vaectl("compare", *SMALL, "--beta", "0.5,1,2", "-o", "betas")
    same([vaectl_json("compare", *words)["baseline"] for words in (["betas"], ["betas/beta0.5-seed1", "betas/beta2-seed1"])],
         ["beta 1", "beta 0.5"])
    refuse(2, "--baseline: no row is named 'cauchy' (there are: laplace; spikeslab)", "compare",
           "all/laplace-latent2-seed1", "all/spikeslab-latent2-seed1", "--baseline", "cauchy")


@test("models of the same settings that are not the same are told apart by their folders; LaTeX and CSV escape them")
def _():
    odd = "a_b&c%d$e#f{g}h~i^j\\k,\"l"
    vaectl("train", *SMALL, "-q", "-o", "plain")
    vaectl("train", *SMALL, "--prior", "realnvp:blocks=1,width=4", "-q", "-o", odd)
    vaectl("fit", "plain", "--prior", "realnvp:blocks=1,width=4", "--passes", 1, "-q", "-o", "fitted")
    same([row["name"] for row in vaectl_json("compare", odd, "fitted")["rows"]], [odd, "fitted"])
    out = vaectl("compare", odd, "fitted", "--latex", "t.tex", "--csv", "t.csv")[0]
    assert out.endswith("\nt.csv\nt.tex\n"), out
    with open("t.tex") as file:
        tex = file.read()
    assert r'a\_b\&c\%d\$e\#f\{g\}h\~{}i\^{}j\textbackslash{}k,"l & 1 & $' in tex, tex
    assert tex.index(r"\toprule") < tex.index(r"\midrule") < tex.index(r"\bottomrule")
    same({line.count(" & ") for line in tex.splitlines() if line.endswith(r"\\")}, {6})
    with open("t.csv") as file:
        lines = file.read().splitlines()
    assert lines[1].startswith('"a_b&c%d$e#f{g}h~i^j\\k,""l",1,'), lines
    shutil.copytree("plain", "copy")
    errors = vaectl("compare", "plain", "copy", "fitted")[1]
    same(errors, "copy: left out: a run with these settings, seed and losses is there already\n")


# ---- Figures ---------------------------------------------------------------------------------------------------------

def marks(path):
    """Of a figure: its texts, the places of all points, and those of the ends of all intervals."""
    root = ElementTree.parse(path).getroot()
    inner = [line for clip in root.iter(f"{SVG}svg") if clip is not root for line in clip.iter(f"{SVG}polyline")]
    ends = [[float(word) for word in re.split("[ ,]", line.get("points"))] for line in inner]
    return ([text.text for text in root.iter(f"{SVG}text")],
            [(float(dot.get("cx")), float(dot.get("cy"))) for dot in root.iter(f"{SVG}circle")], ends)


def check_scale(places, values):
    """Places are a straight line of the values, to the rounding of the file."""
    low, high = min(values), max(values)
    least, most = (places[values.index(value)] for value in (low, high))
    for place, value in zip(places, values, strict=True):
        assert abs(place - least - (most - least) * (value - low) / (high - low)) < 0.02, (places, values)


@test("the figure has a point a seed, means with their intervals, and the paired differences")
def _():
    vaectl("compare", *SMALL, "--prior", "normal,laplace", "--seeds", 3, "-o", "all")
    same(vaectl("compare", "all", "-o", "figure.svg")[0].splitlines()[-1], "figure.svg")
    rows = vaectl_json("compare", "all")["rows"]
    texts, dots, ends = marks("figure.svg")
    assert {"normal", "laplace", "difference from normal, seed by seed", "neg_elbo, nats per image"} <= set(texts), texts
    values = [[one["neg_elbo"] for one in row["runs"]] + [row["neg_elbo"]["mean"]] for row in rows]
    same(len(dots), 12)
    check_scale([x for x, _ in dots[:8]] + [end for x1, _, x2, _ in ends[:2] for end in (x1, x2)],
                values[0] + values[1] + [row["neg_elbo"][end] for row in rows for end in ("low", "high")])
    d = rows[1]["difference"]
    assert ends[2][0] == ends[2][2]  # the line at zero
    check_scale([x for x, _ in dots[8:]] + [ends[3][0], ends[3][2]],
                [b - a for a, b in zip(*values)][:3] + [d["mean"], d["low"], d["high"]])
    same([len({y for _, y in dots[i:i + 4]}) for i in (0, 4, 8)], [1, 1, 1])
    assert dots[0][1] < dots[4][1] == dots[8][1], dots


@test("where a number is varied, reconstruction against KL is joined in its order")
def _():
    vaectl("compare", *SMALL, "--beta", "4,0.5,10", "--lr", "0.01", "-o", "all")
    rows = vaectl_json("compare", "all")["rows"]
    same([row["name"] for row in rows], ["beta 0.5", "beta 4", "beta 10"])
    root = ElementTree.parse("all/compare.svg").getroot()
    line = [one for one in root.iter(f"{SVG}polyline") if len(one.get("points").split()) == 3 and one.get("class") != "ink"]
    same(len(line), 1)
    x, y = zip(*(map(float, point.split(",")) for point in line[0].get("points").split()))
    check_scale(x, [row["kl"]["mean"] for row in rows])
    check_scale(y, [row["recon"]["mean"] for row in rows])
    assert "reconstruction and KL by beta" in marks("all/compare.svg")[0]


@test("pictures: the same images, and below them reconstructions under each configuration")
def _():
    vaectl("compare", *SMALL, "--prior", "normal,laplace", "--seeds", 2, "-o", "all", "--pictures", "p.svg")
    texts = marks("p.svg")[0]
    for name in ("images", "normal", "laplace"):
        assert name in texts, texts
    before = read_bytes("p.svg")
    vaectl("compare", "all", "--pictures", "p.svg")
    same(read_bytes("p.svg"), before)
    vaectl("compare", "all/laplace-seed1", "all/normal-seed1", "--pictures", "p.svg")
    assert read_bytes("p.svg") != before
    refuse(2, "--pictures: 'p.jpg' (expected a name that ends in .png or .svg)", "compare", "all", "--pictures", "p.jpg")
    refuse(2, "--output: 'figure' (expected a name that ends in .png or .svg)", "compare", "all", "-o", "figure")


# ---- Data -----------------------------------------------------------------------------------------------------------

@test("runs on other images are refused, but for --data; a file that the seed divides is compared within each seed")
def _():
    vaectl("train", *SMALL, "-q", "-o", "a")
    vaectl("train", *SMALL, "--data", "builtin:digits:train=30,test=21", "--beta", 2, "-q", "-o", "b")
    refuse(3, "b: its images are not those of a (--data names some for all)", "compare", "a", "b")
    table = vaectl_json("compare", "a", "b", "--data", "builtin:digits:train=5,test=7")
    same((table["n"], [row["name"] for row in table["rows"]]),
         (7, ["builtin:digits:train=30,test=20, beta 1", "builtin:digits:train=30,test=21, beta 2"]))
    write_idx("images", (40, 28, 28), bytes(i * k % 251 for i in range(40) for k in range(784)))
    vaectl("compare", *SMALL, "--data", "images", "--beta", "1,4", "--seeds", 2, "-o", "all")
    rows = vaectl_json("compare", "all")["rows"]
    same((rows[1]["difference"]["n"], rows[1]["difference_image_se"]), (2, None))
    each = "each seed has a test split of its own, which it chose: deviations over seeds contain that\n"
    none = "beta 4 has no image in common with beta 1: their losses are of different images\n"
    for runs, said, apart in ((["all"], True, False), (["all/beta1-seed1", "all/beta4-seed1"], False, False),
                              (["all/beta1-seed1", "all/beta4-seed2"], True, True), (["a"], False, False)):
        text = vaectl("compare", *runs, "--latex", "t.tex")[0]
        same((each in text, none in text, f"\n% {each}" in read_bytes("t.tex").decode()), (said, apart, said), text)
        same(vaectl_json("compare", *runs)["split_by_seed"], said)


@test("a run's data is looked for where that run is")
def _():
    for folder in ("a", "b", "c"):
        os.mkdir(folder)
        write_idx(f"{folder}/images", (40, 28, 28), bytes(i * k % (211 if folder == "b" else 251) for i in range(40) for k in range(784)))
        with contextlib.chdir(folder):
            vaectl("train", *SMALL[2:], "--data", "images", "--beta", "2" if folder == "c" else "1", "-q", "-o", "runs/x")
    errors = vaectl("compare", "a/runs/x", "b/runs/x", status=3)[1]
    same(errors.splitlines()[-1], "vaectl: b/runs/x: its images are not those of a/runs/x (--data names some for all)")
    rows = vaectl_json("compare", "a/runs/x", "c/runs/x")["rows"]
    for row, run in zip(rows, ("a/runs/x", "c/runs/x")):
        near(row["neg_elbo"]["mean"], vaectl_json("eval", run)["neg_elbo"], 1e-9, run)


@test("what is known of a run is read, if it is of this model and these options, and is what it should be")
def _():
    vaectl("train", *SMALL, "-q", "-o", "run")
    before, path = vaectl("compare", "run", "--nll", 5), "run/evaluations.json"
    known = json.loads(read_bytes(path))
    same(sorted(one["of"]["nll_samples"] for one in known), [0, 5])
    same(vaectl("compare", "run", "--nll", 5), before)
    same(json.loads(read_bytes(path)), known)
    assert vaectl("compare", "run", "--nll", 5, "--elbo-samples", 2)[0].startswith(
        "builtin:digits:train=30,test=20, test split: 20 images, noise seed 1, 2 draws of z an image,\n5 samples of the nll\n")
    same(len(json.loads(read_bytes(path))), 3)  # the nll is that of before
    os.remove(path)
    vaectl("compare", "run", "--nll", 5)
    known[0]["values"]["neg_elbo"] = 1.0
    for text in (json.dumps(known)[:-5], "", "{}", "[1, {}, [], null]", '[{"of": 3}]'):
        with open(path, "w") as file:
            file.write(text)
        same(vaectl("compare", "run", "--nll", 5), before, text)
    with open(path, "w") as file:
        json.dump(known, file)
    assert "   1.00" in vaectl("compare", "run")[0]  # it is believed
    vaectl("train", "--resume", "run", "--epochs", 3, "-q")
    assert "   1.00 " not in vaectl("compare", "run")[0]  # but not of another model
    same(len(json.loads(read_bytes(path))), 1)
    os.remove(path)
    os.mkfifo(path)
    vaectl("compare", "run")


@test("what is known of binarised pixels is of their split, too")
def _():
    os.mkdir("grey")
    for name, n in (("train", 30), ("test", 20)):
        write_npy(f"grey/{name}.npy", (n, 4, 4), bytes(37 * k * k % 256 for k in range(16 * n)), "|u1")
    vaectl("train", "--data", "grey", *SMALL[2:], "--binarize", "static", "-q", "-o", "run")
    for data in ([], ["--data", "grey/test.npy"], []):
        table = vaectl_json("compare", "run", *data)
        near(table["rows"][0]["neg_elbo"]["mean"], vaectl_json("eval", "run", "--samples", 0, *data)["neg_elbo"], 1e-8, data)


@test("runs that are not complete are left out; those that patience ended are, with their best model")
def _():
    vaectl("train", *SMALL, "-q", "-o", "whole")
    vaectl("train", *SMALL, "--beta", 2, "--epochs", 400, "--lr", 0.1, "--validation", 0.4, "--patience", 2, "-q", "-o",
           "early")
    shutil.copytree("whole", "part")
    with started("train", "--resume", "part", "--epochs", 100000, "-q") as process:
        wait_until(lambda: read_bytes("part/metrics.csv").count(b"\n") > 3, "a further epoch")
        process.terminate()
        process.communicate()
    out, errors = vaectl("compare", "whole", "part", "early", "--json")
    assert re.fullmatch(r"part: left out: it stands after epoch \d+ of 100000 \(vaectl train --resume goes on\)\n",
                        errors), errors
    rows = json.loads(out)["rows"]
    same([row["runs"][0]["run"] for row in rows], ["whole", "early"])
    near(rows[1]["neg_elbo"]["mean"], vaectl_json("eval", "early/best.safetensors")["neg_elbo"], 1e-8)
    same(vaectl("compare", "part", status=5)[1].splitlines()[-1], "vaectl: there is no complete run to compare")


# ---- Refusals -------------------------------------------------------------------------------------------------------

FIFTY = ",".join(["0.5"] * 50)  # which one run would take, after many days where there are more such lists
REFUSED = [
    (2, "compare: name RUNs that are trained, or a folder to train in (-o FOLDER, with lists of settings)", ""),
    (2, "--prior: is a setting of training, and RUN is trained already", "run --prior normal"),
    (2, "--samples: is a setting of training, and RUN is trained already (--nll has samples of the likelihood)",
     "run --samples 5"),
    (2, "--seeds: is of training, and RUN is trained already", "run --seeds 2"),
    (2, "--seeds: --seed 1,2 is a list of seeds already", "--seed 1,2 --seeds 2 -o x"),
    (2, "--seeds: 0 is out of range (expected 1 to 1000)", "--seeds 0 -o x"),
    (2, "beta: an empty value in the list (expected such as 1,2)", "--beta 1,,2 -o x"),
    (2, "hidden: an empty value in the list (expected such as 1/2)", "--hidden 8/ -o x"),
    (2, "beta: 'b' is not a number", "--beta 1,b -o x"),
    (2, "unknown prior 'laplac' (did you mean 'laplace'? there are: normal, spikeslab, laplace, cauchy, studentt, "
     "logistic, scaled, mixture, vampprior, realnvp, lars)", "--prior normal,laplac -o x"),
    (2, "prior: './my.so' is a file (--plugin loads it, and its name goes into the list)", "--prior normal,./my.so -o x"),
    (2, "p: prior normal and likelihood bernoulli have no such parameter (they have: none; prior spikeslab has it)",
     "--p 0.5,0.6 -o x"),
    (2, "--jobs: 0 is out of range (expected 1 to 256)", "--jobs 0 -o x"),
    (2, "more than 1000 runs", "--seeds 600 --beta 1,2 -o x"),
    (2, "more than 100000 combinations of values", f"--p {FIFTY} --c2 {FIFTY} --nu {FIFTY} -o x"),
    (5, "nowhere: cannot open: No such file or directory (expected a model file)", "nowhere"),
    (5, "empty: no run (expected a folder with model.safetensors, or with such folders in it)", "empty"),
    (5, "run/metrics.csv: not a safetensors file, or cut off", "run/metrics.csv"),
    (4, "file: is there and no folder (expected a folder to write into)", "-o file"),
]


@test("control characters in the names of runs are not shown")
def _():
    name = "e\x1b[31mv"
    vaectl("train", *SMALL, "-q", "-o", name)
    shutil.copytree(name, f"{name}2")
    shutil.copytree(name, f"{name}3")
    with started("train", "--resume", f"{name}3", "--epochs", 100000, "-q") as process:
        wait_until(lambda: read_bytes(f"{name}3/metrics.csv").count(b"\n") > 3, "a further epoch")
        process.terminate()
        process.communicate()
    out, errors = vaectl("compare", name, f"{name}2", f"{name}3", "--nll", 3)
    assert "e?[31mv2: left out: a run with these" in errors and "e?[31mv3: left out: it stands" in errors, errors
    assert "\x1b" not in out + errors and "few effective samples" in out, out


@test("wrong use is one line, and makes nothing")
def _():
    vaectl("train", *SMALL, "-q", "-o", "run")
    os.mkdir("empty")
    open("file", "w").close()
    for status, message, words in REFUSED:
        data = [] if "run" in words.split() else ["--data", "builtin:digits:train=30,test=5"]
        refuse(status, message, "compare", *words.split(), *data)
    assert not os.path.exists("x") or not os.listdir("x")


@test("a training that cannot be started is none that said what another said before it")
def _():
    not_under("asan", "tsan", "valgrind", why="a checker needs more open files")
    vaectl("compare", *SMALL, "-o", "all")
    with open("all/normal-seed1/train.log", "a", encoding="ascii") as file:
        file.write("vaectl: of another training\n")
    os.remove("all/normal-seed1/model.safetensors")
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (6, 6))
    result = subprocess.run(command_line(["compare", *SMALL, "-o", "all"]), capture_output=True, text=True, preexec_fn=few,
                            check=False)
    assert "normal-seed1: failed: could not be started" in result.stderr, (result.returncode, result.stderr)


@test("a folder that holds other settings, or more epochs, is not trained into")
def _():
    vaectl("compare", *SMALL, "-o", "all")
    before = models("all")
    refuse(7, "all/normal-seed1: holds a run with beta 1, not 4 (another -o keeps it)", "compare", *SMALL, "--beta", 4,
           "-o", "all")
    refuse(7, "all/normal-seed1: has had more than 1 epochs (another -o keeps it)", "compare", *SMALL, "--epochs", 1,
           "-o", "all")
    same(models("all"), before)
    vaectl("compare", *SMALL, "--epochs", 3, "-o", "all")
    vaectl("compare", *SMALL, "--epochs", 3, "-o", "new")
    same(vaectl_json("info", "all/normal-seed1")["epoch"], 3)


# ---- Ends -----------------------------------------------------------------------------------------------------------

@test("a run that fails is named, the others are compared, and the status is that of the failure")
def _():
    out, errors = vaectl("compare", *SMALL, "--lr", "1e6,0.001", "--jobs", 1, "-o", "all", status=6)
    assert out.endswith("\nall/compare.svg\n") and out.count("\n") == 7, out
    why = r"training diverged: the \w+ loss .* at step \d+ \(epoch \d\); try a smaller lr"
    assert re.fullmatch(rf"lr1e6-seed1: failed: {why}\nlr0.001-seed1: trained in \d+\.\d s, 1 of 2 runs\n"
                        rf"vaectl: 1 of 2 runs failed, the first of them lr1e6-seed1: {why}\n", errors), errors
    same(vaectl("compare", "all")[0] + "all/compare.svg\n", out)


@test("jobs side by side train what one after the other does, and complete runs are left alone")
def _():
    flags = [*SMALL, "--prior", "normal,cauchy", "--seeds", 2]
    one = trained("one", *flags, "--jobs", 1)
    three = trained("three", *flags, "--jobs", 3, "--threads", 2)
    same((one[0], models("one"), read_bytes("one/compare.svg")),
         (three[0], models("three"), read_bytes("three/compare.svg")))
    assert re.fullmatch(r"(\w+-seed\d: trained in \d+\.\d s, \d of 4 runs\n){4}", one[1]), one[1]
    logs = [read_bytes(f"one/{name}/train.log") for name in runs_in("one")]
    same(trained("one", *flags), (one[0], ""))
    same([read_bytes(f"one/{name}/train.log") for name in runs_in("one")], logs)
    same(trained("quiet", *flags, "-q")[1], "")


ENDLESS = [*SMALL, "--epochs", 100000, "--prior", "normal,laplace", "--seeds", 2, "--jobs", 2]
IN_USE = "all: in use by another training"


def epochs_had():
    """Of each run in the folder `all`."""
    files = [f"all/{name}/metrics.csv" for name in (runs_in("all") if os.path.exists("all") else [])]
    return [read_bytes(path).count(b"\n") - 1 for path in files if os.path.exists(path)]


def is_at_work():
    return sum(epochs > 0 for epochs in epochs_had()) == 2


def children(process):
    """Numbers of the processes that it has started."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat") as file:  # it may end meanwhile
            if int(file.read().rpartition(")")[2].split()[1]) == process.pid:
                found.append(int(name))
    return found


def open_files(process):
    """What a process has open that stays open while we look."""
    files = []
    for number in os.listdir(f"/proc/{process}/fd"):
        with contextlib.suppress(FileNotFoundError):
            files.append(os.readlink(f"/proc/{process}/fd/{number}"))
    return files


def is_free():
    """Can the folder be locked, as when all that trained in it is gone?"""
    return subprocess.run(["flock", "-n", "all", "true"]).returncode == 0


@test("killed in the middle, it takes its trainings with it; the same command then ends as if it had not been")
def _():
    with started("compare", *ENDLESS, "-o", "all") as process:
        wait_until(is_at_work, "epochs of two runs")
        refuse(7, IN_USE, "compare", *ENDLESS, "-o", "all")
        for training in children(process):  # it holds the lock, too
            files = open_files(training)
            assert os.path.realpath("all") in files, files
            with open(f"/proc/{training}/comm", encoding="ascii") as file:
                assert os.environ.get("VAE_CHECKER") == "valgrind" or file.read() == "vaectl\n"  # for ps and killall
        process.kill()
        process.communicate()
    wait_until(is_free, "the trainings end")
    had = epochs_had()
    same(len(had), 2)
    flags = [*ENDLESS, "--epochs", max(had) + 2]
    same((trained("all", *flags)[0], models("all")), (trained("whole", *flags)[0], models("whole")))


@test("a signal is passed on once: the trainings save their state, and compare ends with the signal")
def _():
    for number, send in ((signal.SIGTERM, os.kill), (signal.SIGINT, os.killpg)):  # Ctrl-C goes to the whole group
        shutil.rmtree("all", ignore_errors=True)
        with started("compare", *ENDLESS, "-o", "all", new_session=True) as process:
            wait_until(is_at_work, "epochs of two runs")
            trainings = children(process)
            same((len(trainings), [os.getpgid(one) for one in trainings]), (2, trainings))  # each leads its own group
            send(process.pid, number)
            out, errors = process.communicate(timeout=MOST_SECONDS)
        same((process.returncode, out, errors),
             (-number, "", "vaectl: interrupted: 0 of 4 runs are trained (the same command goes on)\n"))
        assert is_free()
        for name in runs_in("all"):
            log = read_bytes(f"all/{name}/train.log").decode()
            assert log.endswith(f"vaectl: interrupted: state saved in all/{name}/model.safetensors\n"), log


@test("whoever has the ends of its children ignored gets their statuses all the same")
def _():
    done = subprocess.run(command_line(["compare", *SMALL, "--lr", "1e6,0.001", "-o", "all"]), capture_output=True,
                          text=True, timeout=MOST_SECONDS,
                          preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    same(done.returncode, 6, done.stderr)


@test("on a terminal one line moves: runs, epochs and the time left")
def _():
    sent = on_terminal("compare", *ENDLESS, "-o", "all", until=lambda sent: "left" in sent)[1]
    assert sent.endswith("\r\033[Jvaectl: interrupted: 0 of 4 runs are trained (the same command goes on)\n"), sent
    same(sent.count("\n"), 1)
    lines = re.findall(r"\r\x1b\[\?7l([^\r\n]*)\x1b\[J\x1b\[\?7h\r", sent)
    form = r"0 of 4 runs \[\.+\] +0 %(  \d+(\.\d)? epochs/s  \d+ [a-z]+( \d\d [a-z]+)? left)?"
    assert lines and all(re.fullmatch(form, line) for line in lines) and lines[-1].endswith("left"), lines


sys.exit(run())
