# SPDX-License-Identifier: MIT
"""Data in .npy files: points with a Gaussian likelihood against the same model in plain Python, and images whose real
values are their bytes / 255 against the bytes. Prints TAP."""
import gzip
import math
import os
import struct
import sys

from shared.model_file import load
from shared.philox import HOLDOUT
from shared.png import read
from shared.program import read_bytes, refuse, vaectl, vaectl_json, write_idx, write_npy
from shared.reference import Vae, divide, flat
from shared.tap import near, not_under, run, same, test


def single(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


# ---- Points ---------------------------------------------------------------------------------------------------------

N = 40
POINTS = [(single((7 * i % 19) / 4 - 2.5), single((5 * i * i % 23) / 9 - 1)) for i in range(N)]
SETTINGS = {"likelihood": "gaussian:sigma=0.5", "hidden": [3], "latent": 2, "batch": 10, "lr": 0.02,
            "activation": "tanh", "seed": 3}
FLAGS = ["--likelihood", "gaussian:sigma=0.5", "--hidden", 3, "--latent", 2, "--batch", 10, "--lr", 0.02,
         "--activation", "tanh", "--seed", 3, "-q", "-o", "run"]


def write_points(path="points.npy", kind="<f4"):
    write_npy(path, (N, 2), [v for point in POINTS for v in point], kind)


def as_bytes(points):
    """What the reference divides by 255."""
    return [(i, [255 * v for v in POINTS[i]]) for i in points]


@test("points train and evaluate under a Gaussian likelihood as in plain Python")
def _():
    write_points()
    vaectl("train", "--data", "points.npy", "--holdout", 0.25, "--epochs", 2, "--output-bias", "data", *FLAGS)
    kept, taken = divide(N, 0.25, 3, HOLDOUT)
    vae = Vae(2, **SETTINGS, epochs=2, output_bias="data")
    for _ in range(2):
        vae.train_epoch(as_bytes(kept))
    tensors, _ = load("run/model.safetensors")
    for name, values in vae.params.items():
        for got, want in zip(tensors[name][1], flat(values), strict=True):
            near(got, want, 1e-4, name)
    got = vaectl_json("eval", "run", "--samples", 5)
    want = {**vae.evaluate(as_bytes(taken), split=2), **vae.nll(as_bytes(taken), 5, split=2)}
    for name in ("recon", "kl", "neg_elbo", "nll", "hoyer"):
        near(got[name], want[name], 1e-3, name)
    same((got["n"], got["pseudo_likelihood"]), (10, False))


@test("points of double precision, and compressed ones, are the same points")
def _():
    models = []
    for name, kind in (("points.npy", "<f4"), ("doubles.npy", "<f8")):
        write_points(name, kind)
        with open(name + ".gz", "wb") as file:
            file.write(gzip.compress(read_bytes(name)))
        for path in (name, name + ".gz"):
            vaectl("train", "--data", path, "--epochs", 1, *FLAGS, "--force")
            models.append(load("run/model.safetensors")[0])
    assert all(model == models[0] for model in models)


# ---- Bytes and reals ------------------------------------------------------------------------------------------------

ROWS, COLS, IMAGES = 5, 3, 60
BYTES = [(37 * i + i * i // 7) % 256 if i % 3 else 0 for i in range(IMAGES * ROWS * COLS)]
SMALL = ["--hidden", 8, "--latent", 3, "--batch", 10, "--epochs", 2, "--holdout", 0.2, "--threads", 2, "-q"]
TRAININGS = [
    [], ["--binarize", "threshold"], ["--binarize", "static"], ["--binarize", "dynamic", "--output-bias", "data"],
    ["--likelihood", "cbernoulli", "--validation", 0.2], ["--likelihood", "gaussian", "--output-bias", "data"],
]


def write_images():
    write_idx("bytes", (IMAGES, ROWS, COLS), BYTES)
    write_npy("bytes.npy", (IMAGES, ROWS, COLS), BYTES, "|u1")
    write_npy("singles.npy", (IMAGES, ROWS, COLS), [b / 255 for b in BYTES])
    write_npy("doubles.npy", (IMAGES, ROWS, COLS, 1), [b / 255 for b in BYTES], "<f8")
    return "bytes", "bytes.npy", "singles.npy", "doubles.npy"


def results(data, flags):
    """All that comes of a training, but for the name of the data."""
    vaectl("train", "--data", data, *SMALL, *flags, "-o", data + ".run")
    for command in ("reconstruct", "sample", "traverse"):
        vaectl(command, data + ".run")
    report = vaectl_json("eval", data + ".run", "--samples", 5)
    numbers = {name: value for name, value in report.items() if name not in ("model", "data", "seconds")}
    return (load(data + ".run/model.safetensors")[0], numbers,
            [read(f"{data}.run/{name}.png")[0] for name in ("reconstruct", "sample", "traverse")])


for flags in TRAININGS:
    @test(f"real values that are bytes / 255 give the same tensors, numbers and pictures {flags}")
    def _(flags=flags):
        first, *others = (results(name, flags) for name in write_images())
        for other in others:
            same(other[1], first[1])
            assert other == first


# ---- Values out of range --------------------------------------------------------------------------------------------

RANGE = "values from -2.5 to 2"


@test("values that a likelihood does not take: status 3, and nothing is made")
def _():
    write_points()
    for flags, message in (
            ([], f"{RANGE}, likelihood bernoulli takes 0 to 1 (gaussian takes any)"),
            (["--likelihood", "cbernoulli"], f"{RANGE}, likelihood cbernoulli takes 0 to 1 (gaussian takes any)"),
            (["--likelihood", "gaussian", "--binarize", "dynamic"], f"{RANGE}, binarize dynamic takes 0 to 1")):
        refuse(3, f"points.npy: {message}", "train", "--data", "points.npy", *flags)
        refuse(3, f"points.npy: {message}", "train", "--data", "points.npy", *flags, "-o", "new")
        refuse(3, f"points.npy: {message}", "bench", "--data", "points.npy", "--hidden", 3, "--json", *flags)
    same(os.listdir(), ["points.npy"])


@test("a model asks the same of all data that it is used on or goes on with")
def _():
    write_npy("points.npy", (N, 2, 1), [v for point in POINTS for v in point])
    write_npy("grey.npy", (N, 2, 1), [i / 2 / N for i in range(2 * N)])
    vaectl("train", "--data", "grey.npy", "--hidden", 3, "--latent", 2, "--epochs", 1, "-q", "-o", "run")
    before = {name: read_bytes(f"run/{name}") for name in os.listdir("run")}
    message = f"points.npy: {RANGE}, likelihood bernoulli takes 0 to 1 (gaussian takes any)"
    for command in (["eval"], ["reconstruct"], ["traverse", "--image", 1]):
        refuse(3, message, *command, "run", "--data", "points.npy")
    refuse(3, message, "train", "--resume", "run", "--epochs", 2, "--data", "points.npy")
    same({name: read_bytes(f"run/{name}") for name in os.listdir("run")}, before)


@test("a file that is refused leaves nothing behind")
def _():
    write_npy("points.npy", (N, 2), [float("nan") if i == 21 else i for i in range(2 * N)])
    refuse(3, "points.npy: image 10 has the value nan (expected finite numbers of at most 3.40282e+38)", "train",
           "--data", "points.npy", "--likelihood", "gaussian")
    same(os.listdir(), ["points.npy"])


@test("pictures show values below 0 as black and above 1 as white")
def _():
    write_npy("wide.npy", (4, 2, 4), [-3, 0.2, 7, 0.4] * 8)
    vaectl("train", "--data", "wide.npy", "--likelihood", "gaussian", "--hidden", 3, "--latent", 2, "--epochs", 1,
           "--holdout", 0, "-q", "-o", "run")
    vaectl("reconstruct", "run")
    zoom, margin = 14, 4
    row = read("run/reconstruct.png")[0][margin]
    end = len(row) - margin
    across = 4 * zoom + 2 + zoom
    first = end - (4 * across - 2 - zoom)  # behind the labels, the first of four tiles
    same([row[first + zoom * k] for k in range(4)], [0, 51, 255, 102])


@test("a learned sigma ends at the noise of the built-in templates, under each kind of prior")
def _():
    not_under("asan", "tsan", why="numbers after many steps; a learned sigma is in unit/test_combinations, too")
    for flags in ([], ["--prior", "laplace"], ["--prior", "cauchy", "--posterior", "cauchy"]):
        vaectl("train", "--data", "builtin:templates:train=2000,test=200", "--latent", 2, "--hidden", 30, "--activation",
               "tanh", "--likelihood", "gaussian:sigma=learned", "--epochs", 25, "--batch", 50, "--lr", 0.005, "--schedule",
               "cosine", "--threads", 1, "-q", "--force", "-o", "run", *flags)
        logsigma = load("run/model.safetensors")[0]["likelihood.logsigma"][1][0]
        near(math.exp(logsigma), 0.1, 0.003, flags)
        same(vaectl_json("eval", "run", "--samples", 0)["active_units"], 2)


if __name__ == "__main__":
    sys.exit(run())
