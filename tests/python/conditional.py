# SPDX-License-Identifier: MIT
"""Conditional models from outside: what their file has, which commands take labels, what is refused. Prints TAP."""
import json
import os
import sys

from shared.figure import read_svg, texts
from shared.model_file import load
from shared.png import read
from shared.program import read_bytes, refuse, vaectl, vaectl_json, write_idx, write_mnist
from shared.tap import run, same, test

SMALL = ["--hidden", 12, "--latent", 3, "--epochs", 2, "--batch", 20, "-q"]
DIGITS = ["--data", "builtin:digits:train=90,test=30", *SMALL]
ROWS, COLS = 5, 6
SIDE, PAD = 56, 4  # in pictures of 28 x 28 pixels: of a tile, between tiles


def images(n):
    return [[(37 * i + 11 * k) % 256 for k in range(ROWS * COLS)] for i in range(n)]


def make_data(train, test):
    """A folder of images with these labels."""
    write_mnist("data", ROWS, COLS, images(len(train)), images(len(test)), (train, test))
    return ["--data", "data", *SMALL]


@test("the file has the number of classes, and the first layers of encoder and decoder as many more inputs")
def _():
    vaectl("train", *make_data([0, 2, 1, 2] * 5, [2, 0]), "--conditional", "-o", "run")
    tensors, metadata = load("run/model.safetensors")
    same(json.loads(metadata["vaectl.config"])["conditional"], 3)
    same({name: tensors[name][0] for name in ("encoder.0.weight", "mu.weight", "decoder.0.weight", "decoder.1.weight")},
         {"encoder.0.weight": [12, 33], "mu.weight": [3, 12], "decoder.0.weight": [12, 6], "decoder.1.weight": [30, 12]})
    same(vaectl_json("info", "run")["config"]["conditional"], 3)


@test("the same bytes on any number of threads, and after a training that stopped")
def _():
    for threads in (1, 2, 3, 8):
        vaectl("train", *DIGITS, "--conditional", "-o", f"run{threads}", "--threads", threads)
        same(read_bytes("run1/model.safetensors"), read_bytes(f"run{threads}/model.safetensors"), threads)
    vaectl("train", *DIGITS, "--epochs", 1, "--conditional", "-o", "short")
    vaectl("train", "--resume", "short", "--epochs", 2, "-q")
    same(read_bytes("run1/model.safetensors"), read_bytes("short/model.safetensors"))


def tiles_of(path, down, across, below=0):
    """Rows of tiles of a picture of 28 x 28 pixels, without labels at its left and `below` pixels of a name."""
    rows, _ = read(path)
    left, top, apart = len(rows[0]) - across * (SIDE + PAD), PAD, SIDE + PAD
    same(len(rows), PAD + down * apart + below, path)
    return [[[line[left + c * apart:left + c * apart + SIDE] for line in rows[top + r * apart:top + r * apart + SIDE]]
             for c in range(across)] for r in range(down)]


@test("sample: a row of tiles for each label, of the draws that --label has for one")
def _():
    vaectl("train", *DIGITS, "--conditional", "-o", "run")
    vaectl("sample", "run", "-n", 28)
    rows = tiles_of("run/sample.png", 10, 3)
    for label in (0, 3, 9):
        vaectl("sample", "run", "--label", label, "-n", 4, "-o", "one.png")
        first, second = tiles_of("one.png", 2, 2, below=39)
        same(rows[label], [*first, second[0]], label)
    assert len({str(row) for row in rows}) == 10 and rows[0][0] != rows[0][1]
    vaectl("sample", "run", "--label", 3, "-n", 4, "-o", "one.svg")
    same(texts(read_svg("one.svg"))[-2:], ["Draws from the prior, decoded to their means with label 3.", "label 3"])
    vaectl("sample", "run", "-n", 1)
    same([row[0] for row in tiles_of("run/sample.png", 10, 1)], [row[0] for row in rows])


@test("traverse: --label, else that of --image, else 0")
def _():
    vaectl("train", *make_data([0, 2, 1, 2] * 5, [2, 1, 0]), "--conditional", "-o", "run")
    pictures = {}
    for image in ([], ["--image", 1], ["--image", 0]):
        for label in ([], ["--label", 0], ["--label", 1], ["--label", 2]):
            vaectl("traverse", "run", *image, *label, "-o", "picture.png")
            pictures[(*image, *label)] = read_bytes("picture.png")
    same(pictures[()], pictures[("--label", 0)])
    same(pictures[("--image", 1)], pictures[("--image", 1, "--label", 1)])
    same(pictures[("--image", 0)], pictures[("--image", 0, "--label", 2)])
    same(len(set(pictures.values())), 9)


@test("eval and reconstruct see the labels of the images; of a model that is not conditional they do not")
def _():
    labels = [0, 1, 2, 2, 1] * 4
    for name, flags in (("run", ["--conditional"]), ("plain", [])):
        vaectl("train", *make_data(labels, [2, 1, 0, 1]), "--epochs", 20, *flags, "-o", name)
        seen = []
        for others in ([2, 1, 0, 1], [0, 2, 1, 0]):
            make_data(labels, others)
            vaectl("reconstruct", name, "-o", "picture.png")
            e = vaectl_json("eval", name, "--samples", 3)
            seen.append((e["recon"], e["kl"], e["nll"], read_bytes("picture.png")))
        same([a != b for a, b in zip(*seen)], [name == "run"] * 4, name)


@test("a fitted prior leaves a model conditional; bench measures conditional steps")
def _():
    data = make_data([0, 2, 1, 2] * 5, [2, 1])
    vaectl("train", *data, "--conditional", "-o", "run")
    vaectl("fit", "run", "--prior", "mixture:components=3", "--passes", 1, "-o", "fitted", "-q")
    same(vaectl_json("info", "fitted")["config"]["conditional"], 3)
    vaectl("sample", "fitted", "--label", 2)
    bench = vaectl_json("bench", *data[:-1], "--conditional", "--rounds", 1, "--threads", 1)
    same([r["setting"] for r in bench["results"]], ["normal, hidden 12, latent 3, batch 20"])


@test("refused: no labels, a label that the training images have not, priors with pseudo-inputs, a change of mind")
def _():
    write_idx("plain.idx", (20, ROWS, COLS), sum(images(20), []))
    refuse(3, "plain.idx: no labels, and conditional needs them", "train", "--data", "plain.idx", *SMALL,
           "--conditional", "-o", "no")
    same(vaectl("bench", "--data", "plain.idx", "--conditional", status=3)[1],
         "vaectl: plain.idx: no labels, and conditional needs them\n")
    refuse(3, "data: label 3, the conditional model takes 0 to 2", "train", *make_data([0, 2] * 10, [0, 3]),
           "--conditional", "-o", "no")
    refuse(3, "data: label 1, the conditional model takes 0 to 0", "train", *make_data([0, 0, 1, 0, 0, 0], [0]),
           "--conditional", "--validation", 0.5, "-o", "no")  # the third image is one of those that validate
    data = make_data([0, 2] * 10, [0, 1])
    for prior in ("vampprior", "lars:base=vampprior"):
        refuse(2, f"conditional: the pseudo-inputs of prior {prior.split(':')[0]} have no labels", "train", *data,
               "--conditional", "--prior", prior, "-o", "no")
    vaectl("train", *data, "--conditional", "-o", "run")
    refuse(3, "plain.idx: no labels, and conditional needs them", "eval", "run", "--data", "plain.idx")
    refuse(2, "--label: 3 is out of range (expected 0 to 2)", "sample", "run", "--label", 3)
    refuse(2, "--label: 3 is out of range (expected 0 to 2)", "traverse", "run", "--label", 3)
    refuse(2, "conditional: the pseudo-inputs of prior vampprior have no labels", "fit", "run", "--prior",
           "vampprior", "-o", "no")
    vaectl("train", *data, "-o", "plain")
    refuse(2, "conditional: a trained model keeps its settings (all but data|epochs|patience)", "train", "--resume",
           "plain", "--conditional")
    same(vaectl("train", "--resume", "run", "--conditional")[1],
         "vaectl: run: all 2 epochs are done (--epochs may be raised)\n")  # it is conditional: nothing changes
    make_data([0, 2] * 10, [0, 3])
    refuse(3, "data: label 3, the conditional model takes 0 to 2", "train", "--resume", "run", "--epochs", 3)
    same(sorted(os.listdir(".")), ["data", "plain", "plain.idx", "run", "runs"])


sys.exit(run())
