# SPDX-License-Identifier: MIT
"""Latents and images as arrays: what encode, decode and sample write and read, against each other, against the pictures
of the same images, and where it is installed against NumPy."""
import csv
import os
import random
import re
import shutil
import struct
import sys

from shared import png
from shared.program import read_bytes, read_npy, refuse, vaectl, vaectl_json, write_idx, write_npy
from shared.tap import Skip, near, run, same, test

SMALL = ["--data", "builtin:digits:train=60,test=30", "--hidden", 16, "--latent", 3, "--epochs", 2, "--batch", 20, "-q"]


def read_csv(path):
    """Header and rows."""
    with open(path, newline="") as file:
        header, *rows = csv.reader(file)
    return header, rows


def single(value):
    """The nearest number of single precision."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def shown_in(path, values, cols=28):
    """Is the image with these values somewhere in a picture, each of its pixels as 1, 2, ... dots a side?"""
    picture = [bytes(line) for line in png.read(path)[0]]
    greys = [min(255, max(0, int(255 * v + 0.5))) for v in values]
    for zoom in (1, 2, 3, 4):
        lines = [bytes(g for g in greys[at:at + cols] for _ in range(zoom)) for at in range(0, len(greys), cols)]
        lines = [line for line in lines for _ in range(zoom)]
        for top in range(len(picture) - len(lines) + 1):
            left = -1
            while (left := picture[top].find(lines[0], left + 1)) >= 0:
                if all(row[left:left + len(line)] == line for row, line in zip(picture[top:], lines)):
                    return True
    return False


def near_rows(got, want, what=""):
    """The same rows, but for rounding: with some of OpenBLAS's products a row's bits depend on the rows beside it."""
    same(len(got), len(want), what)
    for row, wanted in zip(got, want):
        for x, y in zip(row, wanted, strict=True):
            near(x, y, 1e-6, what)


def nearest(row, rows):
    return min(rows, key=lambda other: max(abs(x - y) for x, y in zip(row, other, strict=True)))


def singles(rows):
    """Texts to numbers of single precision, in one list."""
    return [single(float(text)) for row in rows for text in row]


@test("encode: means, scales and labels, the same as .npy and .csv, for any number of threads")
def _():
    vaectl("train", *SMALL, "-o", "run")
    same(vaectl("encode", "run"), ("run/encode.npy\n", ""))
    same(vaectl("encode", "run", "-o", "z.npy", "--scales", "s.npy", "--labels", "y.npy", "--threads", 3)[0],
         "z.npy\ns.npy\ny.npy\n")
    same(read_bytes("z.npy"), read_bytes("run/encode.npy"))
    vaectl("encode", "run", "-o", "z.csv", "--scales", "s.csv", "--threads", 1)
    labels = read_npy("y.npy")
    same(labels[:2], ("|u1", (30,)))
    for letter in "zs":
        kind, shape, values = read_npy(f"{letter}.npy")
        header, rows = read_csv(f"{letter}.csv")
        same((kind, shape), ("<f4", (30, 3)))
        same(header, ["label", *(f"{letter}{j}" for j in range(3))])
        same(singles(row[1:] for row in rows), values)
        same([int(row[0]) for row in rows], labels[2])
    assert min(read_npy("s.npy")[2]) > 0 > min(read_npy("z.npy")[2])


@test("encode: --split, --limit, --data; without labels there is no column for them")
def _():
    vaectl("train", *SMALL, "-o", "run")
    vaectl("encode", "run", "--split", "train", "-o", "train.npy")
    vaectl("encode", "run", "--split", "train", "--limit", 7, "-o", "seven.csv")
    same((read_npy("train.npy")[1], len(read_csv("seven.csv")[1])), ((60, 3), 7))
    write_idx("some", (4, 28, 28), bytes(i % 256 for i in range(4 * 784)))
    vaectl("encode", "run", "--data", "some", "--split", "train", "-o", "some.csv")
    same(read_csv("some.csv")[0], ["z0", "z1", "z2"])
    refuse(3, "some: no labels (--labels writes those of the images)", "encode", "run", "--data", "some", "--split", "all",
           "--labels", "y.npy")


@test("decode of what encode wrote is what reconstruct draws; .npy and .csv agree to the last bit")
def _():
    vaectl("train", *SMALL, "-o", "run")
    for ending in ("npy", "csv"):
        vaectl("encode", "run", "--limit", 20, "-o", f"z.{ending}")
    same(vaectl("decode", "run", "z.npy"), ("run/decode.npy\n", ""))
    kind, shape, values = read_npy("run/decode.npy")
    same((kind, shape), ("<f4", (20, 28, 28)))
    vaectl("decode", "run", "z.npy", "-o", "x.csv", "--threads", 2)
    same(singles(read_csv("x.csv")[1]), values)
    vaectl("reconstruct", "run", "-n", 20)
    vaectl("decode", "run", "z.npy", "-o", "x.png")
    for picture in ("run/reconstruct.png", "x.png"):
        for i in (0, 5, 10, 19):
            assert shown_in(picture, values[784 * i:784 * (i + 1)]), (picture, i)


@test("decode of a conditional model: one label, a file of labels, or none")
def _():
    vaectl("train", *SMALL, "--conditional", "-o", "run")
    vaectl("encode", "run", "-o", "z.npy", "--labels", "y.npy")
    pictures = {}
    for label in (3, 4):
        vaectl("decode", "run", "z.npy", "--label", label, "-o", "x.npy")
        pictures[label] = read_npy("x.npy")[2]
    assert pictures[3] != pictures[4]
    write_npy("whole.npy", (30,), [3, 4] * 15, "<i8")
    write_idx("whole.idx", (30,), [3, 4] * 15)
    for file in ("whole.npy", "whole.idx"):
        vaectl("decode", "run", "z.npy", "--labels", file, "-o", "x.npy")
        same(read_npy("x.npy")[2], [v for i in range(30) for v in pictures[3 + i % 2][784 * i:784 * (i + 1)]], file)
    vaectl("decode", "run", "z.npy", "--labels", "y.npy", "-o", "x.npy")
    vaectl("reconstruct", "run", "-n", 30)
    assert shown_in("run/reconstruct.png", read_npy("x.npy")[2][:784])
    assert not shown_in("run/reconstruct.png", pictures[3][:784]) or not shown_in("run/reconstruct.png", pictures[4][:784])
    vaectl("encode", "run", "-o", "z.csv")
    vaectl("decode", "run", "z.csv", "-o", "from_csv.npy")
    same(read_bytes("from_csv.npy"), read_bytes("x.npy"))
    refuse(2, "the model is conditional (--label C, or --labels FILE, says what to decode)", "decode", "run", "z.npy")
    refuse(2, "--label and --labels: give one of them", "decode", "run", "z.npy", "--label", 1, "--labels", "y.npy")
    write_npy("ten.npy", (30,), [10] * 30, "|u1")
    refuse(2, "label 10, the conditional model takes 0 to 9", "decode", "run", "z.npy", "--labels", "ten.npy")


@test("sample: --latents are what is decoded, -o as .npy the images that a picture shows")
def _():
    vaectl("train", *SMALL, "--conditional", "-o", "run")
    same(vaectl("sample", "run", "-n", 9, "--label", 3, "-o", "x.npy", "--latents", "z.npy")[0], "x.npy\nz.npy\n")
    same((read_npy("x.npy")[:2], read_npy("z.npy")[:2]), (("<f4", (9, 28, 28)), ("<f4", (9, 3))))
    vaectl("decode", "run", "z.npy", "--label", 3, "-o", "decoded.npy")
    same(read_bytes("decoded.npy"), read_bytes("x.npy"))
    vaectl("sample", "run", "-n", 9, "--label", 3)
    vaectl("decode", "run", "z.npy", "--label", 3, "-o", "x.png")
    tiles, titled = png.read("x.png")[0], png.read("run/sample.png")[0]  # which has the label below
    same(tiles[:-2], titled[:len(tiles) - 2])
    vaectl("sample", "run", "-n", 20, "-o", "x.csv", "--latents", "z.csv")
    for file in ("x.csv", "z.csv"):
        header, rows = read_csv(file)
        same((header[0], [row[0] for row in rows]), ("label", [str(i // 2) for i in range(20)]), file)
    rows = [row[1:] for row in read_csv("z.csv")[1]]
    same(rows[:2] * 10, rows)


@test("data that are rows of numbers are decoded to rows of numbers")
def _():
    write_npy("points.npy", (40, 2), [((7 * i) % 11) / 4 for i in range(80)])
    vaectl("train", "--data", "points.npy", "--likelihood", "gaussian", "--hidden", 4, "--latent", 1, "--epochs", 1, "-q",
           "-o", "run")
    vaectl("encode", "run", "-o", "z.npy")
    vaectl("decode", "run", "z.npy", "-o", "x.npy")
    vaectl("decode", "run", "z.npy", "-o", "x.csv")
    same((read_npy("z.npy")[1], read_npy("x.npy")[1], read_csv("x.csv")[0]), ((4, 1), (4, 2), ["x0", "x1"]))
    vaectl("sample", "run", "-n", 5, "-o", "x.npy")
    same(read_npy("x.npy")[1], (5, 2))
    for words in (["sample", "run"], ["decode", "run", "z.npy", "-o", "x.png"]):
        refuse(2, f"{words[0]}: the model is one of rows of 2 numbers, which are no pictures (-o FILE.npy or FILE.csv writes the numbers)", *words)


@test("what is refused, and nothing written")
def _():
    vaectl("train", *SMALL, "-o", "run")
    write_npy("wide.npy", (5, 4), [0.5] * 20)
    write_npy("bytes.npy", (5, 3), [1] * 15, "|u1")
    write_npy("z.npy", (5, 3), [0.5] * 15)
    write_npy("y.npy", (5,), [1] * 5, "|u1")
    with open("labels.csv", "w") as file:
        file.write("label,z0,z1\n1,0.5,0.25\n")
    before = sorted(os.listdir("."))
    names = "(expected a name that ends in .npy or .csv)"
    of_run = "is a file of a run, and would be overwritten (another name keeps it)"
    for words, status, message in (
            (["encode", "run", "-o", "z.txt"], 2, f"--output: 'z.txt' {names}"),
            (["encode", "run", "-o", ".npy"], 2, f"--output: '.npy' {names}"),
            (["encode", "run", "--scales", "s.png"], 2, f"--scales: 's.png' {names}"),
            (["encode", "run", "--labels", "y.csv"], 2, "--labels: 'y.csv' (expected a name that ends in .npy)"),
            (["encode", "run", "--rows", "r.csv"], 2, "--rows: 'r.csv' (expected a name that ends in .npy)"),
            (["encode", "run", "-o", "a.npy", "--labels", "a.npy"], 2, "a.npy: named for two outputs"),
            (["encode", "run", "-o", "a.npy", "--scales", "./a.npy"], 2, "./a.npy: named for two outputs"),
            (["encode", "run", "-o", "a.npy", "--scales", "no/s.npy"], 4, "no/s.npy: cannot write: No such file or directory"),
            (["sample", "run", "-o", "s.npy", "--latents", "s.npy"], 2, "s.npy: named for two outputs"),
            (["sample", "run", "-o", "s.npy", "--scale", "2"], 2, "--scale: is of pictures, and s.npy is none"),
            (["encode", "run", "-o", "run/metrics.csv"], 2, f"run/metrics.csv: {of_run}"),
            (["sample", "run", "-o", "run/metrics.csv"], 2, f"run/metrics.csv: {of_run}"),
            (["eval", "run", "--per-image", "./run/metrics.csv"], 2, f"./run/metrics.csv: {of_run}"),
            (["report", "run", "-o", "run/model.safetensors"], 2, f"run/model.safetensors: {of_run}"),
            (["compare", "run", "--latex", "run/model.safetensors"], 2, f"run/model.safetensors: {of_run}"),
            (["data", "builtin:digits:train=9,test=9", "--to", "npy", "--split", "train", "-o", "run/model.safetensors"],
             2, f"run/model.safetensors: {of_run}"),
            (["decode", "run", "z.npy", "-o", "./z.npy"], 2,
             "./z.npy: is what is read, and would be overwritten (another name keeps it)"),
            (["encode", "run", "-o", "no/a.npy"], 4, "no/a.npy: cannot write: No such file or directory"),
            (["sample", "run", "--latents", "z.png"], 2, f"--latents: 'z.png' {names}"),
            (["eval", "run", "--per-image", "no/e.csv"], 4, "no/e.csv: cannot write: No such file or directory"),
            (["eval", "run", "--per-image", "e.png"], 2, f"--per-image: 'e.png' {names}"),
            (["decode"], 2, "decode: no LATENTS given (vaectl decode [RUN] LATENTS)"),
            (["decode", "run", ""], 2, "decode: LATENTS is empty"),
            (["decode", "", "z.npy"], 2, "decode: RUN is empty"),
            (["decode", "run", "z.npy", "more"], 2, "decode: unexpected argument 'more' (expected [RUN] LATENTS)"),
            (["decode", "run", "z.npy", "-o", "x.txt"], 2,
             "--output: 'x.txt' (expected a name that ends in .npy, .csv, .png or .svg)"),
            (["decode", "run", "labels.csv"], 3, "labels.csv: rows of 2 numbers (expected 3, one for each latent of the "
             "model)"),
            (["decode", "run", "nothing"], 3, "nothing: cannot open: No such file or directory"),
            (["decode", "run", "wide.npy"], 3, "wide.npy: rows of 4 numbers (expected 3, one for each latent of the model)"),
            (["decode", "run", "bytes.npy"], 3,
             "bytes.npy: bytes (expected real numbers, as 'vaectl encode' writes them)"),
            (["decode", "run", "z.npy", "--label", 1], 2,
             "--label: the model is not conditional (train --conditional makes one)"),
            (["decode", "run", "z.npy", "--labels", "y.npy"], 2,
             "--labels: the model is not conditional (train --conditional makes one)")):
        refuse(status, message, *words)
    same(sorted(os.listdir(".")), before)


# Labels that are none: type, shape, elements, what is said.
LABELS = [
    ("<f4", (5,), [1] * 5, "labels of type <f4 (expected |u1, <i4 or <i8)"),
    ("<i8", (5, 1), [1] * 5, "shape (5, 1) (expected (5,), a label for each row)"),
    ("|u1", (4,), [1] * 4, "shape (4,) (expected (5,), a label for each row)"),
    ("<i8", (5,), [1, 1, -1, 1, 1], "label 2 is -1 (expected 0 to 255)"),
    ("<i4", (5,), [1, 1, 1, 1, 256], "label 4 is 256 (expected 0 to 255)"),
]


@test("files of labels that are none are refused by name")
def _():
    vaectl("train", *SMALL, "--conditional", "-o", "run")
    write_npy("z.npy", (5, 3), [0.5] * 15)
    for kind, shape, values, message in LABELS:
        write_npy("y.npy", shape, values, kind)
        refuse(3, f"y.npy: {message}", "decode", "run", "z.npy", "--labels", "y.npy")
    write_npy("y.npy", (5,), [1] * 5, "<i8")
    with open("y.npy", "r+b") as file:
        file.truncate(os.path.getsize("y.npy") - 1)
    refuse(3, f"y.npy: {os.path.getsize('y.npy')} bytes, but its header announces {os.path.getsize('y.npy') + 1} "
           "(cut off, or not this format)", "decode", "run", "z.npy", "--labels", "y.npy")
    write_idx("y.idx", (4,), [1] * 4)
    refuse(3, "y.idx: 4 labels for 5 images", "decode", "run", "z.npy", "--labels", "y.idx")


@test("NumPy reads what is written, and writes the same bytes")
def _():
    try:
        import numpy
    except ImportError:
        raise Skip("no NumPy")
    vaectl("train", *SMALL, "-o", "run")
    vaectl("encode", "run", "-o", "z.npy", "--labels", "y.npy")
    vaectl("decode", "run", "z.npy", "-o", "x.npy")
    vaectl("eval", "run", "--per-image", "e.npy", "--samples", 5)
    vaectl("eval", "run", "--per-image", "e.csv", "--samples", 5)
    for file in ("z.npy", "y.npy", "x.npy", "e.npy"):
        array = numpy.load(file)
        numpy.testing.assert_array_equal(array.ravel(), read_npy(file)[2], file)  # for which a NaN is equal to itself
        numpy.save("again.npy", array)
        same(read_bytes("again.npy"), read_bytes(file), file)
    table = numpy.genfromtxt("e.csv", delimiter=",", names=True)
    same(table.dtype.names, ("index", "label", "neg_elbo", "recon", "kl", "nll", "khat", "row"))
    for k, name in enumerate(table.dtype.names):
        assert numpy.allclose(table[name], numpy.load("e.npy")[:, k], rtol=1e-11, equal_nan=True), name
    labels = numpy.load("y.npy")
    vaectl("train", *SMALL, "--conditional", "-o", "conditional")
    for kind in (numpy.uint8, numpy.int32, numpy.int64):
        numpy.save("again.npy", labels.astype(kind))
        vaectl("decode", "conditional", "z.npy", "--labels", "again.npy", "-o", f"{kind.__name__}.npy")
        same(read_bytes(f"{kind.__name__}.npy"), read_bytes("uint8.npy"))


def newton(numpy, x, labels, classes, ridge=1e-4):
    """Weights of multinomial logistic regression by Newton's method with the whole Hessian, in double precision."""
    n, features = x.shape
    weights = numpy.zeros((features, classes))
    for _ in range(30):
        scores = x @ weights
        p = numpy.exp(scores - scores.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        slope = x.T @ (p - numpy.eye(classes)[labels]) / n + ridge * weights
        blocks = numpy.einsum("nf,nc,ng->fcg", x, p, x) / n
        hessian = -numpy.einsum("nf,nc,ng,nd->fcgd", x, p, x, p) / n
        for c in range(classes):
            hessian[:, c, :, c] += blocks[:, c] + ridge * numpy.eye(features)
        size = features * classes
        weights -= numpy.linalg.solve(hessian.reshape(size, size), slope.ravel()).reshape(features, classes)
    assert numpy.abs(slope).max() < 1e-10, slope
    return weights


@test("a file that is not the model's own is taken whole and in its order, the model's own where --split all asks for it")
def _():
    numbers = random.Random(1)
    for name, n in (("own.npy", 30), ("other.npy", 20)):
        write_npy(name, (n, 2), [numbers.random() for _ in range(2 * n)])
    vaectl("train", "--data", "own.npy", "--likelihood", "gaussian", "--latent", 2, "--hidden", 8, "--epochs", 2, "--batch",
           10, "--holdout", 0.3, "--validation", 0.2, "-q", "-o", "run")

    def encoded(*flags, said=""):
        same(vaectl("encode", "run", "-o", "z.npy", *flags), ("z.npy\n", said))
        _, shape, values = read_npy("z.npy")
        return [tuple(values[2 * i:2 * i + 2]) for i in range(shape[0])]

    used = ("vaectl: other.npy: all of its 20 (--split test takes the share of 0.3 that --holdout and --seed of the training "
            "choose)\n")
    whole = encoded("--data", "other.npy", said=used)
    _, _, values = read_npy("other.npy")
    for i in (0, 7, 19):  # a row by itself
        write_npy("one.npy", (1, 2), values[2 * i:2 * i + 2])
        near_rows(encoded("--data", "one.npy", "--split", "all"), whole[i:i + 1])
    same(encoded("--data", "other.npy", "--split", "all"), whole)
    test = encoded("--data", "other.npy", "--split", "test")
    same((len(whole), len(test)), (20, 6))
    near_rows(test, [nearest(row, whole) for row in test])
    own = encoded("--split", "all")
    same(len(own), 30)
    for split, n in (("train", 17), ("validation", 4), ("test", 9)):
        part = encoded("--split", split)
        same(len(part), n, split)
        near_rows(part, [nearest(row, own) for row in part], split)
    for flags in ([], ["--data", "own.npy"], ["--data", "./own.npy"], ["--data", os.path.abspath("own.npy")]):
        same(encoded(*flags), part, flags)
    os.mkdir("elsewhere")
    os.chdir("elsewhere")
    same(vaectl("encode", "../run", "-o", "../z.npy", "--data", "../own.npy"), ("../z.npy\n", ""))
    os.chdir("..")
    same(read_npy("z.npy")[1], (9, 2))
    e = vaectl_json("eval", "run", "--data", "other.npy", "--samples", 0, "--split", "all")
    same((e["n"], e["split"], e["probe_accuracy"]), (20, "all", None))
    os.rename("own.npy", "moved.npy")
    for flags in ([], ["--split", "all"]):
        refuse(3, "own.npy: No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv "
               "file, or builtin:NAME of digits, gaussians, templates, patches) (the model's training data; --data names others)", "encode", "run", *flags)
    refuse(2, "--split: 'some' (expected train, validation, test or all)", "encode", "run", "--split", "some")
    shutil.copytree("run", "twin")
    table = vaectl_json("compare", "run", "twin", "--data", "other.npy", "-q")
    same((table["n"], table["split"]), (20, "all"))


@test("no output takes the place of the data")
def _():
    write_npy("in.npy", (40, 28, 28), bytes(i % 251 for i in range(40 * 784)), "|u1")
    vaectl("train", "--data", "in.npy", *SMALL[2:], "-o", "run")
    lost = "is what is read, and would be overwritten (another name keeps it)"
    refuse(2, f"in.npy: {lost}", "encode", "run", "-o", "in.npy")
    refuse(2, f"./in.npy: {lost}", "encode", "run", "--labels", "./in.npy")
    refuse(2, f"in.npy: {lost}", "data", "in.npy", "--to", "npy", "-o", "in.npy")
    os.mkdir("arrays")
    shutil.copy("in.npy", "arrays/train.npy")
    refuse(2, f"arrays/train.npy: {lost}", "encode", "run", "--data", "arrays", "-o", "arrays/train.npy")
    for _ in range(2):  # a name that only begins as the source's
        vaectl("encode", "run", "-o", "in.npy.npy")
    vaectl("data", "in.npy", "--holdout", 0.5, "--to", "idx", "-o", "folder/")
    before = read_bytes("folder/train-images-idx3-ubyte")
    refuse(2, "folder/train-images-idx3-ubyte: is there already (expected a folder without it)", "data", "in.npy", "--holdout",
           0.25, "--to", "idx", "-o", "folder/")
    same(read_bytes("folder/train-images-idx3-ubyte"), before)
    os.mkdir("packed")
    open("packed/t10k-labels-idx1-ubyte.gz", "w").close()
    refuse(2, "packed/t10k-labels-idx1-ubyte.gz: is there already (expected a folder without it)", "data", "in.npy", "--holdout",
           0.25, "--to", "idx", "-o", "packed/")
    same(os.listdir("packed"), ["t10k-labels-idx1-ubyte.gz"])
    refuse(2, "--split: is of a single file, and a folder has both splits", "data", "in.npy", "--holdout", 0.5, "--to", "idx",
           "-o", "other/", "--split", "test")


@test("a model's own data are those that it was trained on, and no others of their name")
def _():
    table = [f"{k % 7 / 7},{k % 3 / 3}\n" for k in range(40)]
    write = lambda rows: open("d.csv", "w", encoding="ascii").write("".join(rows))
    write(table)
    vaectl("train", "--data", "d.csv", "--hidden", 4, "--latent", 2, "--epochs", 1, "-q", "-o", "run")
    vaectl("eval", "run")
    shutil.copytree("run", "other")
    remedy = "(the model's training data; --data names others)"
    for rows, wrong in ((table + table[:3], "39 training images, and the model was trained on 36 so far"),
                        (table[::-1], "not the images that the model was trained on so far")):
        write(rows)
        for command in (["eval", "run"], ["encode", "run"], ["report", "run"], ["compare", "run"]):
            _, errors = vaectl(*command, status=3)
            assert errors.startswith(f"vaectl: d.csv: {wrong}") and errors.endswith(f" {remedy}\n"), errors
        vaectl("compare", "other", "run", status=3)
        vaectl("eval", "run", "--data", "d.csv")


@test("eval prints what it measured, also where the file of --per-image cannot be written")
def _():
    vaectl("train", *SMALL, "-o", "run")
    name = 300 * "x" + ".csv"
    out, errors = vaectl("eval", "run", "--samples", 5, "--per-image", name, status=4)
    assert "neg_elbo" in out and errors == f"vaectl: {name}: cannot write: File name too long\n", (out, errors)
    os.mkdir("each.csv")
    refuse(4, "each.csv: cannot write: Is a directory", "eval", "run", "--samples", 5, "--per-image", "each.csv")


@test("encode --rows and eval --per-image say where in the file the images of a split are")
def _():
    numbers = random.Random(2)
    write_npy("own.npy", (30, 2), [numbers.random() for _ in range(60)])
    vaectl("train", "--data", "own.npy", "--likelihood", "gaussian", "--latent", 2, "--hidden", 8, "--epochs", 1, "--batch",
           10, "--holdout", 0.4, "--validation", 0.3, "--seed", 3, "-q", "-o", "run")

    def encoded(split, *flags):
        vaectl("encode", "run", "-o", "z.npy", "--rows", "r.npy", "--split", split, *flags)
        (_, (n, _), values), (kind, shape, rows) = read_npy("z.npy"), read_npy("r.npy")
        same((kind, shape), ("<i4", (n,)))
        return rows, [tuple(values[2 * i:2 * i + 2]) for i in range(n)]

    rows, whole = encoded("all")
    same(list(rows), list(range(30)))
    found = []
    for split in ("train", "validation", "test"):
        rows, codes = encoded(split)
        near_rows([whole[row] for row in rows], codes, split)
        found += rows
        for name, samples in (("e.csv", 0), ("f.csv", 2)):
            vaectl("eval", "run", "--split", split, "--samples", samples, "--per-image", name)
            header, lines = read_csv(name)
            same((header[-1], [int(line[-1]) for line in lines]), ("row", list(rows)))
    same(sorted(found), list(range(30)))
    assert found != sorted(found)
    same(list(encoded("test", "--limit", 5)[0]), list(rows)[:5])


@test("--split all: binary pixels of an image are those that it has in a split; a test split is not mixed with training")
def _():
    write_idx("own.idx", (20, 2, 2), [17 * i % 256 for i in range(80)])
    vaectl("train", "--data", "own.idx", "--binarize", "static", "--latent", 2, "--hidden", 8, "--epochs", 1, "--batch", 10, "-q",
           "--holdout", 0.5, "-o", "run")
    rows = {}
    for split in ("train", "test", "all"):
        vaectl("encode", "run", "-o", "z.npy", "--split", split)
        values = read_npy("z.npy")[2]
        rows[split] = sorted(zip(values[::2], values[1::2]))
    near_rows(sorted(rows["train"] + rows["test"]), rows["all"])
    vaectl("train", *SMALL, "-o", "other")
    refuse(2, "--split all: builtin:digits:train=60,test=30 has a test split (expected train, validation or test)", "encode",
           "other", "--split", "all")
    same(vaectl("encode", "other", "--data", "builtin:digits:train=20,test=10,seed=2", "-o", "z.npy"), ("z.npy\n", ""))
    same(read_npy("z.npy")[1], (10, 3))


@test("the linear probe finds as many labels as a regression with NumPy on what encode writes")
def _():
    try:
        import numpy
    except ImportError:
        raise Skip("no NumPy")
    vaectl("train", "--data", "builtin:digits:train=600,test=400", "--hidden", 32, "--latent", 3, "--epochs", 5, "--lr",
           0.005, "-q", "-o", "run")
    x, labels = {}, {}
    for split in ("train", "test"):
        vaectl("encode", "run", "--split", split, "-o", "z.npy", "--labels", "y.npy")
        x[split], labels[split] = numpy.load("z.npy").astype(float), numpy.load("y.npy")
    centre, scale = x["train"].mean(0), x["train"].std(0)
    for split, z in x.items():
        x[split] = numpy.hstack([(z - centre) / scale, numpy.ones((len(z), 1))])
    weights = newton(numpy, x["train"], labels["train"], 10)
    accuracy = ((x["test"] @ weights).argmax(1) == labels["test"]).mean()
    near(vaectl_json("eval", "run", "--samples", 0)["probe_accuracy"], accuracy, 1e-9)


sys.exit(run())
