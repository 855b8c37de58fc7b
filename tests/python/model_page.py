# SPDX-License-Identifier: MIT
"""The Python of docs/model-file.md, which reads a model file and computes log p(z): its KL of each test image, with the
noise of an evaluation, against that of vaectl eval. And whether its tables list what the files have. Prints TAP."""
import csv
import json
import math
import re
import sys

from shared.model_file import load
from shared.page import ROOT, blocks
from shared.philox import EVAL, words
from shared.program import read_npy, vaectl
from shared.reference import normal
from shared.tap import Skip, near, run, same, test

TRAIN = ["--data", "builtin:digits:train=200,test=40", "--hidden", 16, "--batch", 20, "--lr", 0.005, "--epochs", 2, "-q", "-o",
         "run"]
LOG_2PI = math.log(2 * math.pi)


def page():
    with open(f"{ROOT}/docs/model-file.md", encoding="utf-8") as file:
        return file.read()


def functions():
    """What the page defines."""
    try:
        import numpy
    except ImportError:
        raise Skip("no NumPy")
    defined = {}
    for text, _ in blocks("model-file.md", "python"):
        exec(text, defined)
    return numpy, defined


for prior, latent in (("mixture:components=7", 3), ("realnvp:blocks=3,width=9,layers=2", 5), ("realnvp:blocks=2,width=4,layers=1", 4)):
    def check(prior=prior, latent=latent):
        numpy, defined = functions()
        vaectl("train", *TRAIN, "--prior", prior, "--latent", latent)
        vaectl("encode", "run", "-o", "mean.npy", "--scales", "scale.npy")
        mean, scale = (numpy.array(read_npy(name)[2]).reshape(40, latent) for name in ("mean.npy", "scale.npy"))
        noise = numpy.array([normal(word) for word in words(1, EVAL, 0, 0, 40 * latent)]).reshape(40, latent)
        tensors, _ = defined["load"]("run/model.safetensors")
        log_p = defined["log_" + prior.partition(":")[0]](tensors, mean + scale * noise)
        entropy = (0.5 + numpy.log(scale) + 0.5 * LOG_2PI).sum(1)  # exact, as eval takes it
        vaectl("eval", "run", "--samples", 0, "--per-image", "each.csv")
        with open("each.csv", encoding="ascii") as file:
            for row, want in zip(csv.DictReader(file), -entropy - log_p, strict=True):
                near(float(row["kl"]), want, 1e-4, row["index"])

    test(f"docs/model-file.md: log p(z) of {prior} in NumPy gives the KL of vaectl eval")(check)


@test("docs/model-file.md: its load reads what is there")
def _():
    _, defined = functions()
    vaectl("train", *TRAIN, "--latent", 3)
    tensors, metadata = defined["load"]("run/model.safetensors")
    want, texts = load("run/model.safetensors")
    same((metadata, sorted(tensors)), (texts, sorted(want)))
    for name, (shape, values) in want.items():
        same((list(tensors[name].shape), list(tensors[name].ravel())), (shape, list(values)), name)


MODELS = [[], ["--posterior", "cauchy", "--prior", "cauchy"], ["--posterior", "iaf"], ["--activation", "gated"], ["--conditional"],
          ["--likelihood", "gaussian:sigma=learned"], ["--prior", "mixture:components=3"], ["--prior", "vampprior:components=3"],
          ["--prior", "realnvp:blocks=1,width=4"], ["--prior", "lars:width=4,base=mixture"], ["--validation", 0.2]]


@test("docs/model-file.md: each key, column and tensor that there is stands in its tables")
def _():
    listed = set(re.findall(r"`([\w.]+)`", "".join(line for line in page().splitlines(True) if line.startswith("|"))))
    for flags in MODELS:
        vaectl("train", *TRAIN, "--force", "--latent", 3, *flags)
        tensors, metadata = load("run/model.safetensors")
        with open("run/metrics.csv", encoding="ascii") as file:
            columns = next(csv.reader(file))
        layers = {re.sub(r"\.(weight|bias)$", "", name) for name in tensors if not name.startswith("adam.")}
        names = {re.sub(r"^posterior\.\d", "posterior.t", re.sub(r"^prior\.\d\.", "prior.t.", name)) for name in layers}
        names = {re.sub(r"^(encoder|decoder|prior.accept|prior.t)\.\d", r"\1.0", name) for name in names}
        names = {name.replace("decoder.0.gate", "encoder.0.gate").replace("posterior.t.latents", "posterior.t.latents.weight")
                 for name in names}
        same({*metadata, *json.loads(metadata["vaectl.state"]), *columns, *names} - listed, set(), flags)


sys.exit(run())
