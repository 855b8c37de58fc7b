# SPDX-License-Identifier: MIT
"""Training that begins with the weights of another model: which come along, where it goes from there, what is refused."""
import os
import signal
import sys

from shared.model_file import load
from shared.program import MOST_SECONDS, read_bytes, read_rows, refuse, started, vaectl, vaectl_json
from shared.tap import near, not_under, run, same, test

SMALL = ["--data", "builtin:digits:train=300,test=40", "--hidden", "20,10", "--latent", 3, "--binarize", "dynamic",
         "--batch", 30, "--lr", 0.01, "--threads", 1, "-q"]
STILL = ["--lr", 1e-12, "--epochs", 1]
PRIORS = ["normal", "mixture:components=4", "vampprior:components=4", "realnvp:width=8", "lars:width=8,draws=64"]


def weights(file):
    tensors = load(file)[0]
    return {name: values for name, (_, values) in tensors.items() if not name.startswith("adam")}


def alike(tensors, others, names):
    for name in names:
        for value, other in zip(tensors[name], others[name], strict=True):
            near(value, other, 1e-6, name)


@test("weights come along, the prior's where it is the same; another prior starts as it does without")
def _():
    not_under("tsan", "valgrind", why="numbers; the next test copies weights, too")
    for prior in PRIORS:
        vaectl("train", *SMALL, "--epochs", 2, "--prior", prior, "-o", "first", "--force")
        first = weights("first/model.safetensors")
        for other in PRIORS:
            words = ["train", *SMALL, *STILL, "--seed", 2, "--prior", other]
            vaectl(*words, "--start", "first", "--keep-every", 1, "-o", "second", "--force")
            vaectl(*words, "-o", "new", "--force")
            second, new, kept = (weights(f"{name}.safetensors") for name in ("second/model", "new/model", "second/epoch-0000"))
            mine = [name for name in second if name.startswith("prior.") and name != "prior.z"]
            same(bool(mine), other != "normal")
            alike(second, first if other == prior else new, mine)
            networks = [name for name in second if not name.startswith("prior.")]
            alike(second, first, networks)
            same([kept[name] == first[name] for name in networks], [True] * len(networks))
            assert second["encoder.0.weight"] != new["encoder.0.weight"]


@test("a prior comes along where it has the same shape, or is the base of the new one")
def _():
    for before, after, base in (("realnvp:width=8", "realnvp:width=9", None), ("mixture:components=4", "mixture:components=5", None),
                                ("mixture:components=5", "vampprior:components=5", None),
                                ("vampprior:components=5", "vampprior:components=6", None),
                                ("mixture", "lars:base=mixture,width=8,draws=64", ["prior.mean", "prior.logsd", "prior.logit"]),
                                ("realnvp", "lars:base=mixture,width=8,draws=64", None),
                                ("lars:width=8,draws=64", "lars:width=9,draws=64", None),
                                ("lars:width=8,draws=64", "lars:base=vampprior,width=8,draws=64", None),
                                ("lars:width=8,draws=64", "lars:base=laplace,width=8,draws=64", None),
                                ("realnvp:width=8,blocks=2", "realnvp:width=8,blocks=4", None),
                                ("realnvp:blocks=2", "lars:base=realnvp,width=8,draws=64", None),
                                ("scaled:family=laplace", "scaled:family=normal", None),
                                ("lars:width=8,draws=64", "lars:width=8,draws=128", ["prior.accept.0.weight", "prior.accept.2.bias"])):
        vaectl("train", *SMALL, "--epochs", 1, "--prior", before, "-o", "first", "--force")
        words = ["train", *SMALL, *STILL, "--seed", 2, "--prior", after]
        vaectl(*words, "--start", "first", "-o", "second", "--force")
        vaectl(*words, "-o", "new", "--force")
        first, second, new = (weights(f"{name}/model.safetensors") for name in ("first", "second", "new"))
        alike(second, first, base or [])
        alike(second, new, [name for name in second if name.startswith("prior.") and name != "prior.z" and
                            name not in (first if base else [])])


@test("training goes on from there with a new optimiser: its first epoch is better than the first one of all")
def _():
    vaectl("train", *SMALL, "--epochs", 4, "--prior", "realnvp:width=8", "-o", "first")
    vaectl("train", *SMALL, "--epochs", 1, "--prior", "realnvp:width=8", "--objective", "iwae", "--samples", 5, "--start",
           "first/model.safetensors", "-o", "second")
    losses = [float(row["test_neg_elbo"]) for row in read_rows("first")]
    assert float(read_rows("second")[0]["test_neg_elbo"]) < losses[0] - 5, (losses, read_rows("second"))
    same(vaectl_json("info", "second")["config"]["start"], "first/model.safetensors")
    same((vaectl_json("info", "second")["epoch"], vaectl_json("info", "second")["step"]), (1, 10))


@test("of a link to a run the run is kept, as the link will lead elsewhere")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "runs/first")
    same(os.readlink("runs/latest"), "first")
    vaectl("train", *SMALL, "--epochs", 1, "--start", "runs/latest", "-o", "runs/second")
    same(os.readlink("runs/latest"), "second")
    same(vaectl_json("info")["config"]["start"], os.path.realpath("runs/first/model.safetensors"))


@test("interrupted and resumed, it ends with the same bytes, also where what it began with is gone")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "first")
    words = ["train", *SMALL, "--start", "first", "--epochs", 30]
    vaectl(*words, "-o", "whole")
    with started(*words, "-o", "stopped") as process:
        while process.poll() is None and not (os.path.exists("stopped/metrics.csv") and read_rows("stopped")):
            pass
        process.send_signal(signal.SIGINT)
        process.wait(MOST_SECONDS)
    os.rename("first", "gone")
    vaectl("train", "--resume", "stopped", "--threads", 1, "-q")
    same(weights("stopped/model.safetensors"), weights("whole/model.safetensors"))
    same([row["test_neg_elbo"] for row in read_rows("stopped")], [row["test_neg_elbo"] for row in read_rows("whole")])


@test("a report and a plan say what a run began with; compare begins each of its runs with it")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "first")
    table = vaectl_json("compare", *SMALL, "--epochs", 1, "--start", "first", "--beta", "1,2", "-o", "all")
    same([row["name"] for row in table["rows"]], ["beta 1", "beta 2"])
    for beta in (1, 2):
        same(vaectl_json("info", f"all/beta{beta}-seed1")["config"]["start"], "first/model.safetensors")
    vaectl("report", "all/beta2-seed1", "-o", "page.html")
    with open("page.html", encoding="utf-8") as page:
        assert " --start first/model.safetensors " in page.read()
    same(vaectl_json("compare", *SMALL, "--epochs", 1, "--start", "first", "--beta", "1,2", "-o", "all")["rows"], table["rows"])
    assert " --start first/model.safetensors " in vaectl("compare", *SMALL, "--start", "first", "--plan", "-o", "all")[0]
    assert "--start" not in vaectl("compare", *SMALL, "--plan", "-o", "all")[0]


@test("what cannot begin with it is refused, and leaves no folder")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "first")
    file = "first/model.safetensors"

    def refused(status, why, *flags):
        refuse(status, why, "train", *SMALL, "--start", "first", *flags, "-o", "second")
        same(os.path.exists("second"), False)

    refused(2, f"start: {file} has other networks (it has latent 3, hidden 20,10, activation relu)", "--latent", 4,
            "--hidden", 20, "--activation", "tanh")
    refused(2, f"start: {file} has other networks (it has likelihood bernoulli)", "--likelihood", "cbernoulli",
            "--binarize", "none")
    refused(2, f"start: {file} has other networks (it has posterior gaussian)", "--prior", "cauchy", "--posterior", "cauchy")
    refused(2, f"start: {file} has other networks (it has conditional 0)", "--conditional")
    refused(2, "output-bias: data has no meaning with start, whose biases come along", "--output-bias", "data")
    with open("own.csv", "w", encoding="ascii") as own:
        own.write("".join(f"0,{i % 2},1\n" for i in range(40)))
    refused(3, f"start: {file} is for images of 28 x 28, and the data has 1 x 3", "--data", "own.csv")
    refused(5, "nowhere: cannot open: No such file or directory (expected a model file)", "--start", "nowhere")
    refused(5, "runs/none: cannot open: No such file or directory (expected a model file)", "--start", "runs/none")
    whole = read_bytes(file)
    with open(file, "wb") as cut:
        cut.write(whole[:-1])
    refused(5, f"{file}: too short for the network that its configuration describes")


if __name__ == "__main__":
    sys.exit(run())
