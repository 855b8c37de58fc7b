# SPDX-License-Identifier: MIT
"""Small trainings against the same trainings in plain Python (shared/reference.py): every parameter and moment after
each epoch, every loss in metrics.csv and on the screen. What they have in common is the definition alone: which random
word goes where, the order of images, schedules, Adam."""
import csv
import json
import re
import sys

from shared.model_file import load
from shared.philox import VALIDATION
from shared.program import vaectl, write_mnist
from shared.reference import Vae, divide, flat
from shared.tap import near, run, same, test

ROWS, COLS, TRAIN, TEST = 2, 3, 11, 5
IMAGES = [[(37 * i + 101 * k * k + 11 * i * k) % 256 for k in range(ROWS * COLS)] for i in range(TRAIN + TEST)]
SMALL = {"hidden": [3], "latent": 2, "activation": "tanh", "batch": 3, "epochs": 2, "lr": 0.02, "seed": 7}

CASES = {
    "normal prior": {},
    "another seed, relu, two layers": {"seed": 2 ** 40 + 3, "activation": "relu", "hidden": [5, 4]},
    "Laplace prior by Monte Carlo, warm-up within epochs": {"prior": "laplace:scale=0.7", "kl-samples": 3, "samples": 2,
                                                            "beta-warmup": 1.6},
    "Cauchy prior, exact, warm-up of beta": {"prior": "cauchy:scale=1.5", "kl": "exact", "beta": 3, "beta-warmup": 2,
                                             "epochs": 3, "batch": 100},
    "spike-and-slab prior, a step schedule": {"prior": "spikeslab:p=0.6,c2=0.1", "kl-samples": 4, "schedule": "step",
                                              "lr-steps": [1, 2], "lr-factor": 0.3, "epochs": 3},
    "importance-weighted, dynamic pixels": {"objective": "iwae", "samples": 3, "binarize": "dynamic"},
    "Gaussian likelihood, clipped, cosine schedule": {"likelihood": "gaussian:sigma=0.3", "clip": 0.5,
                                                      "schedule": "cosine", "init": "glorot"},
    "learned deviation, clipped": {"likelihood": "gaussian:sigma=learned", "clip": 3},
    "learned deviation with a high floor, importance-weighted": {"likelihood": "gaussian:sigma=learned,floor=0.6",
                                                                 "objective": "iwae", "samples": 3, "lr": 0.05},
    "deviation per pixel, bias from the data": {"likelihood": "gaussian:sigma=per-pixel,floor=0.1",
                                                "output-bias": "data"},
    "free bits, thresholded pixels, Adam's settings": {"free-bits": 0.05, "binarize": "threshold", "adam-beta1": 0.7,
                                                       "adam-beta2": 0.95, "adam-eps": 0.01, "init": "he"},
    "gated, static pixels, bias from the data": {"activation": "gated", "binarize": "static", "output-bias": "data",
                                                 "schedule": "iwae"},
    "a validation split": {"validation": 0.3, "binarize": "dynamic", "lr": 0.3, "epochs": 3},
    "a validation split, importance-weighted": {"validation": 0.2, "objective": "iwae", "samples": 4, "lr": 0.3,
                                                "output-bias": "data", "likelihood": "gaussian:sigma=0.5"},
}


def flags(settings):
    for name, value in settings.items():
        yield f"--{name}"
        yield ",".join(map(str, value)) if isinstance(value, list) else value


def compare_model(path, vae, wanted):
    """Parameters, moments and state in a model file."""
    tensors, metadata = load(path)
    for prefix, part in (("", vae.params), ("adam.m.", vae.m), ("adam.v.", vae.v)):
        for name, tensor in part.items():
            largest = max(abs(v) for v in flat(tensor))
            for k, (got, want) in enumerate(zip(tensors[prefix + name][1], flat(tensor), strict=True)):
                assert abs(got - want) <= 2e-4 * largest + 1e-7, f"{prefix}{name}[{k}]: {got!r}, expected {want!r}"
    state = json.loads(metadata["vaectl.state"])
    same((state["rows"], state["cols"], state["step"], state["epoch"], state["images"]),
         (ROWS, COLS, vae.step, wanted["epoch"], wanted["images"]), "state")
    for name, value in wanted.items():
        if name in state and name != "kl_per_dim":
            near_or_none(state[name], value, f"state, {name}")
    for got, want in zip(state["kl_per_dim"], wanted["kl_per_dim"], strict=True):
        near(got, want, 1e-4, "kl_per_dim")


def near_or_none(got, want, what):
    if want is None:
        assert got is None, f"{what}: got {got!r}, expected none"
    else:
        near(got, want, 1e-4, what)


def epoch_losses(vae, train, validation, epoch, before):
    """What metrics.csv and the model file say of an epoch."""
    loss, recon, kl = vae.train_epoch(train)
    test = vae.evaluate(list(enumerate(IMAGES[TRAIN:])), split=2)
    checked = None
    if validation and vae.set["objective"] == "iwae":
        checked = vae.nll(validation, vae.set["samples"])["nll"]
    elif validation:
        checked = vae.evaluate(validation)["neg_elbo"]
    best = checked is not None and (before["best_loss"] is None or checked < before["best_loss"])
    return {"epoch": epoch, "step": vae.step, "images": len(train), "train_loss": loss, "train_recon": recon,
            "train_kl": kl, "test_recon": test["recon"], "test_kl": test["kl"], "test_neg_elbo": test["neg_elbo"],
            "active_units": test["active_units"], "validation_loss": checked, "kl_per_dim": test["kl_per_dim"],
            "best_loss": checked if best else before["best_loss"],
            "best_epoch": epoch if best else before["best_epoch"], "sum_loss": 0, "sum_recon": 0, "sum_kl": 0}


def compare_row(row, wanted):
    for name in ("epoch", "step", "active_units"):
        same(int(row[name]), wanted[name], f"metrics.csv, {name}")
    for name in ("train_loss", "train_recon", "train_kl", "test_recon", "test_kl", "test_neg_elbo", "validation_loss"):
        if wanted[name] is not None:
            near(float(row[name]), wanted[name], 1e-4, f"metrics.csv, epoch {wanted['epoch']}, {name}")
    assert 0 <= float(row["seconds"]) < 600
    same("validation_loss" in row, wanted["validation_loss"] is not None, "a column validation_loss")


def compare_line(line, settings, w):
    """The row that an epoch leaves on the screen, to two digits."""
    words = line.split()
    same(words.pop() == "best" if words[-1] == "best" else False,
         bool(settings.get("validation")) and w["best_epoch"] == w["epoch"], "best")
    same((words.pop(0), words.pop(), words.pop(-2)), (f"{w['epoch']}/{settings['epochs']}", "s",
                                                      f"{w['active_units']}/{settings['latent']}"), line)
    assert re.fullmatch(r"[0-9]+(\.[0-9])?", words.pop()), line
    wanted = [w["train_loss"]] + ([w["test_neg_elbo"], w["test_recon"], w["test_kl"], w["validation_loss"]]
                                  if settings.get("validation") else
                                  [w["train_recon"], w["train_kl"], w["test_neg_elbo"], w["test_recon"], w["test_kl"]])
    same(len(words), len(wanted), line)
    for got, want in zip(words, wanted):
        assert abs(float(got) - want) < 0.0051, f"{line!r}: {got}, expected {want}"


def train_and_compare(settings):
    write_mnist("data", ROWS, COLS, IMAGES[:TRAIN], IMAGES[TRAIN:])
    vae = Vae(ROWS * COLS, **settings)
    kept, taken = divide(TRAIN, settings.get("validation", 0), settings["seed"], VALIDATION)
    if not settings.get("validation"):
        kept = range(TRAIN)
    train, validation = [(i, IMAGES[i]) for i in kept], [(i, IMAGES[i]) for i in taken]
    wanted = {"best_loss": None, "best_epoch": 0}
    vaectl("train", "--data", "data", "-o", "run", *flags({**settings, "epochs": settings["epochs"]}))
    whole = open("run/metrics.csv").read()
    # The same run again, epoch by epoch (a cosine schedule cannot be given other epochs): each leaves a model to look at.
    stages = [settings["epochs"]] if settings.get("schedule") == "cosine" else range(1, settings["epochs"] + 1)
    history = []
    for last in stages:
        words = ["--data", "data", "-o", "parts", *flags({**settings, "epochs": last})] if last == stages[0] else [
            "--resume", "parts", "--epochs", last]
        _, screen = vaectl("train", *words)
        lines = [line for line in screen.splitlines() if re.match(r" *\d+/\d+  ", line)]
        for epoch in range(len(history) + 1, last + 1):
            wanted = epoch_losses(vae, train, validation, epoch, wanted)
            history.append(wanted)
            compare_line(lines.pop(0), {**settings, "epochs": last}, wanted)
        same(lines, [], "further lines")
        compare_model("parts/model.safetensors", vae, wanted)
        if wanted["best_epoch"] == last:
            compare_model("parts/best.safetensors", vae, wanted)
    rows = list(csv.DictReader(whole.splitlines()))
    same(len(rows), len(history), "rows of metrics.csv")
    for row, w in zip(rows, history):
        compare_row(row, w)
    same(load("run/model.safetensors")[0], load("parts/model.safetensors")[0], "tensors of the whole run")


for name, changed in CASES.items():
    test(f"training as in plain Python: {name}")(lambda changed=changed: train_and_compare({**SMALL, **changed}))

if __name__ == "__main__":
    sys.exit(run())
