# SPDX-License-Identifier: MIT
# Not under tsan: numbers and texts. Threads that evaluate are in unit/test_evaluate and evaluation.py.
"""Which number stands under which name: the JSON and text of train, info and eval and the columns of metrics.csv,
against each other and against two models whose weights are so simple that all is known beforehand."""
import json
import math
import os
import statistics
import sys
import time

from shared.model_file import YOUNG, load, save
from shared.program import in_one_column, joined, read_rows, refuse, unwrapped, vaectl, vaectl_json, write_mnist
from shared.tap import alike, near, run, same, test

EPOCH_KEYS = ["epoch", "step", "train_loss", "train_recon", "train_kl", "test_recon", "test_kl", "test_neg_elbo",
              "active_units", "validation_loss", "best_loss", "best_epoch"]
TRAIN_KEYS = ["run", "model", "metrics", *EPOCH_KEYS]
INFO_KEYS = ["model", "build", "rows", "cols", "parameters", "config", "sigma", "fit", *EPOCH_KEYS]
EVAL_KEYS = ["model", "epoch", "data", "split", "binarize", "pseudo_likelihood", "n", "neg_elbo", "neg_elbo_se",
             "recon", "kl",
             "elbo_samples", "kl_samples", "nll", "nll_se", "nll_mc_se", "nll_bias", "nll_samples",
             "nll_effective_samples", "nll_proposal", "nll_khat", "nll_khat_above", "trusted",
             "kl_per_dim", "kl_floor", "mean_variance", "active_units", "hoyer",
             "hoyer_normalized", "hoyer_active", "near_zero", "near_zero_share",
             "collapsed_share", "probe_accuracy", "cluster_nmi", "decomposition_draws", "decomposition", "sigma", "seed", "seconds",
             "per_image"]
COLUMNS = ["epoch", "step", "seconds", "train_loss", "train_recon", "train_kl", "test_recon", "test_kl",
           "test_neg_elbo", "active_units"]
SOURCE = "builtin:digits:train=30,test=20"
SMALL = ["--data", SOURCE, "--hidden", 6, "--latent", 3, "--batch", 10, "--threads", 1, "-q"]
PAST_BEST = [*SMALL, "--validation", 0.4, "--lr", 0.1, "--patience", 2, "--epochs", 400, "-o", "run"]
TINY = ["--hidden", 2, "--latent", 2, "--epochs", 1, "--threads", 1, "-q", "--force", "-o", "run"]

# Four images of two pixels. Labels tell the first pixel in training, and in testing the reverse but for one.
TEST_IMAGES = [[0, 255], [0, 0], [255, 255], [255, 0]]
TRAIN_IMAGES = TEST_IMAGES * 5
LABELS = ([0, 0, 1, 1] * 5, [1, 1, 0, 1])

# mu = (4 x_0 + 1, 0.1 x_1 + 2), the standard deviation of both is 0.1, logits are (1, -2): nothing comes from z.
STILL = {
    "encoder.0.weight": [1, 0, 0, 1], "encoder.0.bias": [0, 0], "mu.weight": [4, 0, 0, 0.1], "mu.bias": [1, 2],
    "logvar.weight": [0] * 4, "logvar.bias": [math.log(0.01)] * 2, "decoder.0.weight": [0] * 4,
    "decoder.0.bias": [0] * 2, "decoder.1.weight": [0] * 4, "decoder.1.bias": [1, -2],
}
# The posterior is the prior.
IDLE = {**STILL, "mu.weight": [0] * 4, "mu.bias": [0] * 2, "logvar.bias": [0] * 2}
RECON = [0.4401897 + 2 * (x[1] == 255) + 1 * (x[0] == 0) for x in TEST_IMAGES]  # log(1+e) + log(1+e^-2) - (x_0 - 2 x_1)


def still_model(weights):
    """run/model.safetensors with given weights, after one epoch on m."""
    write_mnist("m", 1, 2, TRAIN_IMAGES, TEST_IMAGES, LABELS)
    vaectl("train", "--data", "m", *TINY)
    tensors, metadata = load("run/model.safetensors")
    tensors.update({name: (tensors[name][0], values) for name, values in weights.items()})
    save("run/model.safetensors", tensors, metadata)


def keys_of(text):
    """The keys of the JSON object in their order."""
    return list(json.loads(text, object_pairs_hook=lambda pairs: dict(pairs)))


# ---- Training: metrics.csv, train --json, info ----------------------------------------------------------------------

@test("the columns of metrics.csv hang together, and the summary of train and info repeat the last row")
def _():
    text = vaectl("train", *SMALL, "--beta", 3, "--epochs", 3, "--lr", 0.01, "-o", "run", "--json")[0]
    summary, info, rows = json.loads(text), vaectl_json("info", "run"), read_rows("run")
    same((keys_of(text), list(info), list(rows[0]), text.count("\n")), (TRAIN_KEYS, INFO_KEYS, COLUMNS, 1))
    same([(r["epoch"], r["step"]) for r in rows], [("1", "3"), ("2", "6"), ("3", "9")])
    for r in rows:
        r = {name: float(value) for name, value in r.items()}
        near(r["train_loss"], r["train_recon"] + 3 * r["train_kl"], 1e-5)
        near(r["test_neg_elbo"], r["test_recon"] + r["test_kl"], 1e-5)
    same([len(rows[2][name].split(".")[1]) for name in COLUMNS[2:9]], [3] + [6] * 6)
    for name in EPOCH_KEYS[:9]:
        near(summary[name], float(rows[2][name]), 1e-6, name)
        near(summary[name], info[name], 2e-9, name)
    same([summary[name] for name in TRAIN_KEYS[:3]], ["run", "run/model.safetensors", "run/metrics.csv"])
    for report in (summary, info):
        same([report[name] for name in EPOCH_KEYS[9:]], [None, None, 0])


@test("without an exact KL there is no floor, and no column for it")
def _():
    for prior, floor in (("logistic", None), ("studentt", 0.0407)):
        vaectl("train", *SMALL, "--prior", prior, "-o", prior)
        report = vaectl_json("eval", prior, "--samples", 0)
        lines = unwrapped(vaectl("eval", prior, "--samples", 0)[0]).splitlines()
        table = lines[lines.index("latent        KL (nats)  " + "KL - floor  " * bool(floor) +
                                  "variance of posterior mean") + 1:]
        for j, line in enumerate(table):
            row = [report["kl_per_dim"][j], *([report["kl_per_dim"][j] - report["kl_floor"]] if floor else []),
                   report["mean_variance"][j]]
            same(line.split(), [str(j), *(f"{value:.4f}" for value in row)])
        same(len(table), 3)
        same(report["kl_floor"] is None, floor is None)
        if floor:
            near(report["kl_floor"], floor, 1e-4)


@test("info says what the model file says, to the last digit")
def _():
    vaectl("train", *PAST_BEST)
    for path in ("run/model.safetensors", "run/best.safetensors"):
        info, (_, metadata) = vaectl_json("info", path), load(path)
        state, config = json.loads(metadata["vaectl.state"]), json.loads(metadata["vaectl.config"])
        same((info["model"], info["build"]), (path, metadata["vaectl.build"]))
        for name in EPOCH_KEYS + ["rows", "cols"]:
            near(info[name], state[name], 1e-14, name)
        same(info["config"], {**config, **YOUNG})
        same(info["parameters"], 784 * 6 + 6 + 2 * (6 * 3 + 3) + 3 * 6 + 6 + 6 * 784 + 784)
    rows = read_rows("run")
    near(vaectl_json("info", "run/model.safetensors")["validation_loss"], float(rows[-1]["validation_loss"]), 1e-6)
    near(info["best_loss"], min(float(row["validation_loss"]) for row in rows), 1e-6)


@test("info as text")
def _():
    vaectl("train", *PAST_BEST)
    m, text = vaectl_json("info", "run/model.safetensors"), vaectl("info", "run/model.safetensors")[0]
    assert max(map(len, text.splitlines()[2:])) <= 80 and len(text.splitlines()) <= 40, text
    settings = "".join(f"  {name:20} {'%g' % value if isinstance(value, float) else value}\n"
                       for name, value in m["config"].items())
    same(in_one_column(text), f"""\
model        run/model.safetensors
built by     {m['build']}
images       28 x 28
parameters   {m['parameters']}
trained      {m['epoch']} epochs, {m['step']} steps
test         neg_elbo {m['test_neg_elbo']:.2f} = recon {m['test_recon']:.2f} + kl {m['test_kl']:.2f} nats/image, \
{m['active_units']} active units
validation   loss {m['validation_loss']:.2f}, best {m['best_loss']:.2f} after epoch {m['best_epoch']} \
(best.safetensors)
settings
{settings}tensors
  encoder.0.weight     6 x 784
  encoder.0.bias       6
  mu.weight            3 x 6
  mu.bias              3
  logvar.weight        3 x 6
  logvar.bias          3
  decoder.0.weight     6 x 3
  decoder.0.bias       6
  decoder.1.weight     784 x 6
  decoder.1.bias       784
""")


@test("info of a model that has not been trained and has no validation split has no losses")
def _():
    vaectl("train", *SMALL, "--lr", 1e6, "--epochs", 1, "-o", "run", status=6)
    info, text = vaectl_json("info", "run"), vaectl("info", "run")[0]
    same([info[name] for name in EPOCH_KEYS], [0, 0] + [None] * 6 + [0, None, None, 0])
    assert "\ntrained      0 epochs, 0 steps\nsettings\n" in text, text


@test("train and eval measure the same: test losses are those of the test split, the validation loss its ELBO")
def _():
    vaectl("train", *SMALL, "--validation", 0.4, "--epochs", 1, "-o", "run")
    row = read_rows("run")[0]
    for split, n, column in (("test", 20, "test_neg_elbo"), ("validation", 12, "validation_loss"), ("train", 18, None)):
        e = vaectl_json("eval", "run", "--split", split, "--samples", 0)
        same((e["split"], e["n"], e["probe_accuracy"] is None), (split, n, split == "train"))
        if column:
            near(e["neg_elbo"], float(row[column]), 1e-6, split)
    e = vaectl_json("eval", "run", "--samples", 0)
    for name in ("recon", "kl"):
        near(e[name], float(row[f"test_{name}"]), 1e-6, name)
    near(e["neg_elbo"], vaectl_json("info", "run")["test_neg_elbo"], 1e-9)


# ---- Evaluation -----------------------------------------------------------------------------------------------------

def hoyer(rows):
    """Of Hoyer (2004): mean over rows of (sqrt n - |x|_1 / |x|_2) / (sqrt n - 1)."""
    return sum((2 ** 0.5 - sum(map(abs, x)) / math.hypot(*x)) / (2 ** 0.5 - 1) for x in rows) / len(rows)


@test("eval of a model whose posterior, reconstruction and labels are known")
def _():
    still_model(STILL)
    began = time.monotonic()
    e = vaectl_json("eval", "run", "--near-zero", 3, "--samples", 0)
    elapsed = time.monotonic() - began
    same(list(e), EVAL_KEYS)
    means = [(1 + 4 * (x[0] > 0), 2 + 0.1 * (x[1] > 0)) for x in TEST_IMAGES]
    kl = [0.5 * (sum(m[j] ** 2 for m in means) / 4 + 0.01 - 1 - math.log(0.01)) for j in range(2)]
    losses = [r + sum(0.5 * (m[j] ** 2 + 0.01 - 1 - math.log(0.01)) for j in range(2)) for r, m in zip(RECON, means)]
    want = {"neg_elbo": sum(losses) / 4, "neg_elbo_se": statistics.stdev(losses) / 2, "recon": sum(RECON) / 4, "kl": sum(kl), "kl_floor": 0,
            "hoyer": hoyer(means), "hoyer_normalized": hoyer([(a / 2, b / 0.05) for a, b in means]),
            "near_zero": 3, "near_zero_share": 6 / 8, "probe_accuracy": 1 / 4}
    for name, value in want.items():
        near(e[name], value, 1e-5, name)
    for got, value in zip(e["kl_per_dim"] + e["mean_variance"], kl + [4, 0.0025]):
        near(got, value, 1e-5)
    want = {"model": "run/model.safetensors", "epoch": 1, "data": "m", "split": "test", "binarize": "none",
            "pseudo_likelihood": False, "n": 4, "elbo_samples": 1, "kl_samples": 0, "nll": None, "nll_se": None,
            "nll_mc_se": None, "nll_bias": None, "nll_samples": 0, "nll_effective_samples": None, "nll_proposal": None,
            "nll_khat": None, "nll_khat_above": None, "trusted": None, "active_units": 1,
            "hoyer_active": None, "collapsed_share": 0, "decomposition_draws": 0, "decomposition": None, "seed": 1, "per_image": None}
    same({name: e[name] for name in want}, want)
    assert 0 < e["seconds"] < elapsed, (e["seconds"], elapsed)


@test("rows and columns of images are not exchanged")
def _():
    still_model(STILL)
    info = vaectl_json("info", "run")
    same((info["rows"], info["cols"]), (1, 2))
    assert "\nimages       1 x 2\n" in vaectl("info", "run")[0]


@test("eval of a model whose posterior is the prior: weights are equal, and the likelihood is the reconstruction")
def _():
    still_model(IDLE)
    mean = sum(RECON) / 4
    for samples in (4, 6):
        e = vaectl_json("eval", "run", "--samples", samples)
        near(e["nll"], mean, 1e-5)
        near(e["nll_se"], (sum((r - mean) ** 2 for r in RECON) / 3 / 4) ** 0.5, 1e-5)
        for name, value in (("nll_mc_se", 0), ("nll_bias", 0), ("nll_effective_samples", samples), ("kl", 0)):
            near(e[name], value, 1e-4, name)
        same((e["nll_samples"], e["active_units"], e["hoyer_normalized"]), (samples, 0, None))
        text = unwrapped(vaectl("eval", "run", "--samples", samples)[0])
        assert f"\n{hoyer_text(e)}\n" in text and "nan" not in text, text
        same("(few effective samples: -log p(x) is lower than nll by more than that; give more --samples)" in text,
             samples < 5)


def hoyer_text(e):
    """What is not defined is not said."""
    said = "".join(f", {e[key]:.3f} {name}" for key, name in (
        ("hoyer_normalized", "normalized"), ("hoyer_active", "normalized over active units")) if e[key] is not None)
    few = " (fewer than two units are active)" if e["hoyer_active"] is None else ""
    return f"Hoyer         {e['hoyer']:.3f} raw{said}{few}"


def text_of(e, kl, few=False):
    """What eval prints, from the object that eval --json does."""
    text = f"{e['model']} after epoch {e['epoch']}\n{e['data']}, {e['split']} split: {e['n']} images, noise seed "
    text += f"{e['seed']}, {e['elbo_samples']} draw{'' if e['elbo_samples'] == 1 else 's'} of z an image, {kl}\n"
    text += f"neg_elbo      {e['neg_elbo']:.4f} = recon {e['recon']:.4f} + kl {e['kl']:.4f} nats/image"
    text += f" (standard error {e['neg_elbo_se']:.4f} over images)\n"
    if e["kl"] < 0:
        text += " " * 14 + ("(a KL is never negative: this is the error of its Monte Carlo estimate; give more "
                            "--kl-samples or --elbo-samples)\n")
    if e["nll_samples"]:
        text += (f"nll           {e['nll']:.4f} ({e['nll_samples']} importance samples, "
                 f"{e['nll_effective_samples']:.1f} effective; standard error {e['nll_se']:.4f} over images, "
                 f"{e['nll_mc_se']:.4f} of sampling; in expectation too high by {e['nll_bias']:.3f} or more)\n")
    if e["nll_khat"] is not None:
        text += f"k-hat         {e['nll_khat']:.2f} on average, above 0.7 for {100 * e['nll_khat_above']:.1f} % of images\n"
    if few:
        text += " " * 14 + ("(few effective samples: -log p(x) is lower than nll by more than that; give more "
                            "--samples)\n")
    if e["trusted"] == "neither":
        text += ("trust         neither nll nor its errors: log p(x) is at least -nll, and more than they say; measure "
                 "with --ais 100, with few latents also --proposal defensive\n")
    even = e["nll_samples"] and e["nll_effective_samples"] > 0.9 * e["nll_samples"]
    same(e["trusted"], None if e["nll_khat"] is None else "neither" if e["nll_khat_above"] > 0.05 and not even else "nll")
    if e["pseudo_likelihood"]:
        text += " " * 14 + "(grey pixels under a Bernoulli likelihood: a pseudo-likelihood)\n"
    text += (f"active units  {e['active_units']} of {len(e['kl_per_dim'])} (the posterior mean has a variance above "
             f"0.01)\n")
    if e["collapsed_share"] is not None:
        text += f"collapsed     {100 * e['collapsed_share']:.1f} % of latents (their KL is that of an idle latent)\n"
    text += (f"{hoyer_text(e)}\n|z| < {e['near_zero']:.4g}   {100 * e['near_zero_share']:.1f} % of drawn latents\n")
    if e["probe_accuracy"] is not None:
        text += f"linear probe  {100 * e['probe_accuracy']:.2f} % of labels read off the posterior means\n"
    if e["cluster_nmi"] is not None:
        text += f"k-means       NMI {e['cluster_nmi']:.3f} of labels and as many clusters of posterior means\n"
    if e["kl_floor"] is not None:
        text += f"an idle latent costs {e['kl_floor']:.4f} nats under this prior\n"
    text += "latent        KL (nats)  KL - floor  variance of posterior mean\n"
    for j, (kl, variance) in enumerate(zip(e["kl_per_dim"], e["mean_variance"])):
        text += f"{j:6} {kl:16.4f}  {kl - (e['kl_floor'] or 0):10.4f}  {variance:.4f}\n"
    return text


@test("a Monte Carlo KL below zero is told as its error")
def _():
    vaectl("train", "--data", "builtin:digits:train=60,test=20", "--hidden", 4, "--latent", 2, "--epochs", 1, "--prior", "cauchy",
           "--posterior", "cauchy", "-q", "-o", "run")
    below = []
    for seed in range(12):
        e = vaectl_json("eval", "run", "--samples", 0, "--seed", seed)
        below.append(e["kl"] < 0)
        same("(a KL is never negative: " in vaectl("eval", "run", "--samples", 0, "--seed", seed)[0], below[-1], e["kl"])
    same(sorted(set(below)), [False, True])


@test("eval prints as text what it gives as JSON")
def _():
    vaectl("train", *SMALL, "--epochs", 4, "--lr", 0.01, "--prior", "cauchy", "-o", "run")
    for flags, kl, few in (([], "Monte Carlo KL of 10 samples", None),
                           (["--elbo-samples", 2, "--samples", 3, "--kl", "exact"], "exact KL", True),
                           (["--kl", "mc", "--kl-samples", 7, "--samples", 0, "--seed", 5, "--split", "train"],
                            "Monte Carlo KL of 7 samples", False),
                           (["--kl", "mc", "--kl-samples", 1], "Monte Carlo KL of 1 sample", None)):
        e = vaectl_json("eval", "run", *flags)
        few = e["nll_effective_samples"] < 5 if few is None else few
        alike(unwrapped(vaectl("eval", "run", *flags)[0]), joined(text_of(e, kl, few)))
        same(e["probe_accuracy"] is None, "train" in flags)
        near(e["kl_floor"], 0.183, 1e-3)


@test("--near-zero is by default two standard deviations of the spike, of a model without one 0.4472")
def _():
    for prior, threshold in (("spikeslab:p=0.8,c2=0.04", 0.4), ("spikeslab:p=0.5,c2=0.81", 1.8), ("normal", 0.44721359),
                             ("laplace:scale=0.04", 0.44721359)):
        vaectl("train", *SMALL, "--epochs", 1, "--prior", prior, "-o", "run", "--force")
        near(vaectl_json("eval", "run", "--samples", 0)["near_zero"], threshold, 1e-8, prior)
        for flag, share in ((0, 0), (1e9, 1)):
            e = vaectl_json("eval", "run", "--samples", 0, "--near-zero", flag)
            same((e["near_zero"], e["near_zero_share"]), (flag, share), prior)


@test("--seed is that of all noise, --elbo-samples and --samples average it away")
def _():
    vaectl("train", *SMALL, "--epochs", 2, "--prior", "laplace", "-o", "run")
    one, again, two = (vaectl_json("eval", "run", "--seed", seed, "--samples", 3) for seed in (1, 1, 2))
    for name in ("recon", "kl", "nll", "near_zero_share"):
        assert one[name] == again[name] != two[name], name
    spread = [abs(a["recon"] - b["recon"]) for a, b in ((one, two), [vaectl_json(
        "eval", "run", "--seed", seed, "--samples", 0, "--elbo-samples", 300) for seed in (1, 2)])]
    assert spread[1] < spread[0] / 2, spread


# Pixels of 101 images but for the one named, which has a pixel of its own; what the model was trained with; is it told?
GREY = [
    (None, 0, [], False), (0, 1, [], True), (0, 254, [], True), (99, 128, [], True), (50, 255, [], False),
    (0, 128, ["--binarize", "threshold"], False), (0, 128, ["--binarize", "dynamic"], False),
    (0, 128, ["--likelihood", "gaussian"], False), (100, 128, ["--limit"], False), (50, 128, ["--limit"], False),
]


@test("grey pixels under a Bernoulli likelihood are called a pseudo-likelihood, black and white ones are not")
def _():
    for image, pixel, flags, told in GREY:
        images = [[0, 255] if i % 2 else [255, 0] for i in range(101)]
        if image is not None:
            images[image] = [0, pixel]
        write_mnist("m", 1, 2, [[0, 255]] * 4, images)
        limit, flags = (["--limit", 50], []) if flags == ["--limit"] else ([], flags)
        vaectl("train", "--data", "m", *TINY, *flags)
        what = (image, pixel, flags)
        e = vaectl_json("eval", "run", "--samples", 0, *limit)
        same((e["pseudo_likelihood"], e["binarize"]), (told, flags[1] if "--binarize" in flags else "none"), what)
        same("a pseudo-likelihood" in vaectl("eval", "run", "--samples", 0, *limit)[0], told, what)


@test("eval takes other data where given, and says whose data is missing")
def _():
    write_mnist("m", 2, 1, TRAIN_IMAGES, TEST_IMAGES)
    vaectl("train", "--data", "m", *TINY)
    os.rename("m", "n")
    expected = ("No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv file, or "
                "builtin:NAME of digits, gaussians, templates, patches)")
    for command in (["eval", "run"], ["reconstruct", "run"], ["traverse", "run", "--image", 0]):
        refuse(3, f"m: {expected} (the model's training data; --data names others)", *command)
        refuse(3, f"o: {expected}", *command, "--data", "o")
        vaectl(*command, "--data", "n")
    e = vaectl_json("eval", "run", "--data", "n", "--samples", 0)
    same((e["data"], e["probe_accuracy"]), ("n", None))
    refuse(2, "--split validation: the data has no such split", "eval", "run", "--data", "n", "--split", "validation")


@test("a learned sigma is told by info, eval and report; there is none otherwise")
def _():
    for flags, learned in ((["--likelihood", "gaussian:sigma=learned"], True), (["--likelihood", "gaussian:sigma=0.5"], False), ([], False)):
        vaectl("train", *SMALL, "--epochs", 3, "--force", "-o", "run", *flags)
        sigma = math.exp(load("run/model.safetensors")[0]["likelihood.logsigma"][1][0]) if learned else None
        for command in ("info", "eval"):
            got = vaectl_json(command, "run")["sigma"]
            if learned:
                near(got, sigma, 1e-8, command)
            else:
                same(got, None, command)
        vaectl("report", "run", "--samples", 2)
        with open("run/report.html", encoding="utf-8") as file:
            page = file.read()
        for text, line in ((vaectl("info", "run")[0], "\nsigma        {} (learned)\n"),
                           (vaectl("eval", "run")[0], "\nsigma         {} (learned, of all pixels)\n"),
                           (page, " (sigma {}),")):
            same(line.format(f"{sigma:.4g}") in text if learned else "\nsigma  " in text or "(sigma " in text, learned, line)


@test("eval holds the same images of a single file out as training did")
def _():
    write_mnist("m", 1, 2, [[12 * i, 255 - 7 * i] for i in range(20)], [])
    vaectl("train", "--data", "m/train-images-idx3-ubyte", "--holdout", 0.3, "--validation", 0.5, "--seed", 7, *TINY)
    row = read_rows("run")[0]
    for split, n, column in (("test", 6, "test_neg_elbo"), ("validation", 7, "validation_loss")):
        e = vaectl_json("eval", "run", "--split", split, "--samples", 0)
        same(e["n"], n, split)
        near(e["neg_elbo"], float(row[column]), 1e-6, split)


@test("without a test split the training images are evaluated, and that is said")
def _():
    write_mnist("m", 1, 2, TRAIN_IMAGES, TEST_IMAGES)
    os.rename("m/train-images-idx3-ubyte", "one")
    out, errors = vaectl("train", "--data", "one", "--holdout", 0, *TINY, "--json")
    same(errors, "one: 20 + 0 images of 1 x 2 (no test split: tested on the training images)\n")
    e = vaectl_json("eval", "run")
    same((e["split"], e["n"], e["probe_accuracy"]), ("train", 20, None))
    near(e["neg_elbo"], json.loads(out)["test_neg_elbo"], 1e-8)
    refuse(2, "--split test: the data has no such split", "eval", "run", "--split", "test")


sys.exit(run())
