# SPDX-License-Identifier: MIT
"""Fitting a new prior to a trained model: what changes, what stays, what is refused, and what a signal leaves."""
import json
import os
import re
import shutil
import signal
import sys
import time

from shared.model_file import load
from shared.program import MOST_SECONDS, read_bytes, read_rows, refuse, started, vaectl, vaectl_json, wait_until
from shared.tap import near, not_under, run, same, test

SMALL = ["--data", "builtin:digits:train=600,test=100", "--hidden", 20, "--latent", 4, "--binarize", "dynamic",
         "--batch", 30, "--lr", 0.01, "--epochs", 3, "--threads", 1, "-q"]
FITTED = ["mixture:components=20", "vampprior:components=20", "realnvp:width=8", "lars:width=8,draws=64", "scaled"]


def trained(*settings):
    vaectl("train", *SMALL, *settings, "-o", "run")
    return "run"


@test("the KL falls, the reconstruction stays; tensors and moments of encoder and decoder are the same bits")
def _():
    not_under("asan", "tsan", why="numbers; the next test fits each prior")
    before, _ = load(trained() + "/model.safetensors")
    row = read_rows("run")[-1]
    for prior in FITTED:
        fitted = vaectl_json("fit", "run", "--prior", prior, "--passes", 10, "--lr", 0.01, "--batch", 20, "-o",
                             "fitted", "--force", "-q")
        same(fitted["test_recon"], float(row["test_recon"]), prior)
        near(fitted["test_kl_before"], float(row["test_kl"]), 1e-6, prior)
        assert fitted["test_kl"] < fitted["test_kl_before"] - 0.02, fitted
        near(fitted["test_neg_elbo"], fitted["test_recon"] + fitted["test_kl"], 1e-6, prior)
        after, metadata = load("fitted/model.safetensors")
        for name, tensor in before.items():
            same(after[name], tensor, name)
        assert any(name.startswith("prior.") for name in after), prior
        same(json.loads(metadata["vaectl.config"])["prior"].split(":")[0], prior.split(":")[0])


@test("the same bits on any number of threads; another seed gives others")
def _():
    trained()
    for prior in FITTED:
        fit = ["fit", "run", "--prior", prior, "--passes", 1, "-o", "fitted", "--force", "-q"]
        models = []
        for flags in (["--threads", 1], ["--threads", 3], ["--seed", 2]):
            vaectl(*fit, *flags)
            models.append((read_bytes("fitted/model.safetensors"), load("fitted/model.safetensors")[0]))
        same(models[0][0], models[1][0], prior)
        assert models[0][1] != models[2][1], prior


@test("a model tells how its prior was fitted, also when it was trained on since")
def _():
    trained()
    same(vaectl_json("info", "run")["fit"], None)
    told = {"passes": 2, "batch": 20, "lr": 0.0125, "seed": 3}
    vaectl("fit", "run", "--prior", "mixture:components=4", *(w for k, v in told.items() for w in (f"--{k}", v)), "-q", "-o",
           "fitted")
    same(vaectl_json("info", "fitted")["fit"], told)
    assert "\nprior        fitted in 2 passes (batch 20, lr 0.0125, seed 3)\n" in vaectl("info", "fitted")[0]
    vaectl("train", "--resume", "fitted", "--epochs", read_rows("run")[-1]["epoch"] + "0", "-q")
    same(vaectl_json("info", "fitted")["fit"], told)


@test("the new run is sampled, evaluated and trained on like any other; runs/latest is the new one")
def _():
    trained()
    vaectl("fit", "run", "--prior", "realnvp:width=8", "--passes", 2, "-q")
    assert os.readlink("runs/latest").startswith("fit-realnvp-"), os.readlink("runs/latest")
    vaectl("sample")
    assert vaectl_json("eval", "--samples", 5)["kl"] > 0
    row = read_rows("runs/latest")
    same([r["epoch"] for r in row], ["3"])
    vaectl("check", "run", "runs/latest")
    vaectl("train", "--resume", "runs/latest", "--epochs", 4, "-q")
    same([r["epoch"] for r in read_rows("runs/latest")], ["3", "4"])
    vaectl("check")


@test("a fitted run is trained on: its row stays, nothing is missed, and patience counts from the fit")
def _():
    vaectl("train", *SMALL, "--validation", 0.2, "--patience", 1, "--epochs", 3, "-o", "first")
    vaectl("fit", "first", "--prior", "mixture:components=5", "--passes", 1, "-q", "-o", "second")
    fitted = read_rows("second")
    same((len(fitted), fitted[0]["validation_loss"] == "nan"), (1, False))
    epoch = int(fitted[0]["epoch"])
    same(vaectl_json("info", "second")["best_epoch"], epoch)
    errors = vaectl("train", "--resume", "second", "--epochs", epoch + 2, "--patience", 3, "-q")[1]
    same((errors, [int(row["epoch"]) for row in read_rows("second")]), ("", [epoch, epoch + 1, epoch + 2]))
    same(read_rows("second")[0], fitted[0])
    vaectl("fit", "second", "--prior", "mixture:components=5", "--passes", 1, "-q", "-o", "third")
    vaectl("train", "--resume", "third", "--epochs", epoch + 4, "--patience", 0, "-q")
    with open("third/metrics.csv", encoding="ascii") as file:
        lines = file.readlines()
    with open("third/metrics.csv", "w", encoding="ascii") as file:
        file.writelines(lines[:2] + lines[3:])
    assert "1 of 3 earlier epochs are missing" in vaectl("train", "--resume", "third", "--epochs", epoch + 5, "-q")[1]


@test("the loss of an epoch within which the prior was fitted is that of all its images")
def _():
    not_under("tsan", "asan", "valgrind", why="ten thousand steps on one thread")
    for seconds in (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2):  # until the signal comes within the epoch
        shutil.rmtree("first", ignore_errors=True)
        with started("train", "--data", "builtin:digits:train=20000,test=20", "--hidden", 8, "--latent", 2, "--batch", 2,
                     "--epochs", 1, "--threads", 1, "-q", "-o", "first") as process:
            wait_until(lambda: os.path.exists("first/model.safetensors"), "a run")
            time.sleep(seconds)
            process.terminate()
            process.communicate()
        step = vaectl_json("info", "first")["step"]
        if step:
            break
    same(0 < step < 10000, True)
    vaectl("fit", "first", "--prior", "scaled", "--passes", 1, "-q", "-o", "second")
    losses = []
    for run in ("first", "second"):
        vaectl("train", "--resume", run, "-q")
        losses.append([float(read_rows(run)[-1][name]) for name in ("train_loss", "train_recon", "train_kl")])
    for one, other, bound in zip(*losses, (0.03, 0.03, 1)):  # the KL of the rest is to another prior
        near(other, one, bound)


@test("a prior that has learned is replaced by another one")
def _():
    trained("--prior", "mixture:components=7")
    vaectl("fit", "run", "--prior", "lars:base=scaled,width=5,draws=64", "--passes", 1, "-o", "fitted", "-q")
    names = [name for name in load("fitted/model.safetensors")[0] if name.startswith("prior.")]
    same(names[0], "prior.logscale")
    assert "prior.mean" not in names and "prior.accept.0.weight" in names, names


@test("steps of Adam: the first is as long as the rate, the second of two half of it; scales stay within their bounds")
def _():
    trained()

    def logscale(*flags):
        vaectl("fit", "run", "--prior", "scaled", "--batch", 600, *flags, "-o", "fitted", "--force", "-q")
        return [abs(v) for v in load("fitted/model.safetensors")[0]["prior.logscale"][1]]

    for moved in logscale("--passes", 1, "--lr", 0.01):
        near(moved, 0.01, 1e-6)
    for moved in logscale("--passes", 2, "--lr", 0.01):  # another draw may turn a gradient around
        assert 0.005 <= moved <= 0.0151, moved
    same(logscale("--passes", 1, "--lr", 100), [7] * 4)


@test("refused: no prior, one that does not learn, an unknown one, a folder that is there, other data")
def _():
    trained()
    refuse(2, "--prior NAME: the prior to be fitted is missing", "fit", "run")
    refuse(2, "prior laplace has nothing to learn, and cannot be fitted", "fit", "run", "--prior", "laplace")
    refuse(2, "realnvp has no parameter 'block' (it has: blocks, width, layers)", "fit", "run", "--prior",
           "realnvp:block=3")
    refuse(7, "run: is already there (--force trains into it; another -o keeps it)", "fit", "run", "--prior", "mixture",
           "-o", "run")
    refuse(2, "--passes: 0 is out of range (expected 1 to 1000000)", "fit", "run", "--prior", "mixture", "--passes", 0)
    for data, wrong in (("train=500,test=100", "500 training images, and the model was trained on 600 so far"),
                        ("train=600,test=100,seed=2", "not the images that the model was trained on so far (CRC-32 ")):
        _, errors = vaectl("fit", "run", "--prior", "mixture", "--data", f"builtin:digits:{data}", "-o", "no", status=3)
        assert errors.startswith(f"vaectl: builtin:digits:{data}: {wrong}"), errors
    same(sorted(os.listdir(".")), ["run", "runs"])


@test("a fit that diverges names pass and step, and leaves nothing")
def _():
    trained()
    for prior in ("mixture:components=20", "realnvp:width=8", "scaled"):  # others are bounded, whatever the rate
        out, errors = vaectl("fit", "run", "--prior", prior, "--lr", 1e6, "-q", "-o", "fitted", status=6)
        assert re.fullmatch(r"vaectl: the fit diverged: .* at step \d+ \(pass \d+\); try a smaller lr\n", errors), errors
        assert out == "" and not os.path.exists("fitted"), (prior, out)


@test("a signal ends a fit, and leaves nothing")
def _():
    trained()
    with started("fit", "run", "--prior", "mixture", "--passes", 100000, "-o", "fitted", "--threads", 1) as process:
        assert process.stderr.readline().startswith("pass 1/100000  train kl "), "a line a pass"
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=MOST_SECONDS)
        same(process.returncode, -signal.SIGTERM)
    assert not os.path.exists("fitted")


sys.exit(run())
