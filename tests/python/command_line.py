# SPDX-License-Identifier: MIT
# Not under tsan: flags and texts. What trains on several threads is in other tests.
"""Commands, flags, defaults, help and refusals of vaectl against literal tables. Every flag has a row here and an
effect that can be seen: a new flag without them turns these tests red."""
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time

from shared.model_file import YOUNG, load
from shared.program import (MOST_SECONDS, command_line, joined, read_bytes, refuse, started, unwrapped, vaectl,
                            vaectl_json, wait_until, write_idx)
from shared.tap import Skip, run, same, test

HELP_COLUMN = 31

COMMANDS = [
    ("train", "train a model, write a run folder"),
    ("fit", "fit a new prior to a trained model"),
    ("eval", "ELBO, likelihood, KL per dimension, sparsity"),
    ("compare", "one table over runs, or over settings that it trains"),
    ("report", "one HTML page: numbers, figures, and the decoder to explore"),
    ("reconstruct", "picture: images above their reconstructions"),
    ("sample", "picture: decoded draws from the prior"),
    ("traverse", "picture: one row per latent dimension, or a grid over two"),
    ("interpolate", "picture: rows of steps from one image to another"),
    ("plot", "curves, kl, latents, scatter, manifold, fields, prior, animation"),
    ("encode", "posterior means and scales of images, as .npy or .csv"),
    ("decode", "mean images of latents from a .npy or .csv"),
    ("data", "describe, check or convert a source of data"),
    ("info", "what a model is: settings, tensors, losses, build"),
    ("check", "whether the files of runs are whole and belong together"),
    ("priors", "list the priors, write one as a plug-in, check one"),
    ("bench", "speed of training against the machine's matrix products"),
    ("completion", "script by which bash completes commands, flags and words"),
]

# Name, what it takes, default; "": it takes nothing, and is in model files only where it is given.
SETTINGS = [
    ("data", "SOURCE", "data/mnist if it is there, else builtin:digits"), ("holdout", "F", "0.1"),
    ("validation", "F", "0"), ("binarize", "none|threshold|static|dynamic", "none"),
    ("prior", "NAME[:k=v,...]", "normal"), ("kl", "auto|exact|mc", "auto"), ("kl-samples", "K", "10"),
    ("kl-noise", "iid|stratified", "iid"), ("posterior", "NAME", "gaussian"), ("likelihood", "NAME[:k=v]", "bernoulli"),
    ("latent", "L", "10"), ("hidden", "H[,H...]", "400"), ("activation", "NAME", "relu"),
    ("conditional", "", ""), ("start", "RUN", "none"), ("init", "torch|glorot|he", "torch"),
    ("output-bias", "init|data", "init"), ("objective", "elbo|iwae", "elbo"),
    ("samples", "S", "1"), ("gradient", "standard|stl|dreg", "standard"), ("beta", "B", "1"), ("beta-warmup", "E", "0"),
    ("free-bits", "F", "0"), ("epochs", "N", "10"), ("patience", "E", "0"), ("batch", "B", "128"), ("lr", "R", "0.001"),
    ("clip", "C", "0"), ("schedule", "constant|step|iwae|cosine", "constant"), ("lr-steps", "E[,E...]", "none"),
    ("lr-factor", "F", "0.1"), ("adam-beta1", "B", "0.9"), ("adam-beta2", "B", "0.999"), ("adam-eps", "E", "1e-08"),
    ("seed", "N", "1"),
]

# Letter and name, what it takes, default; all commands have these two.
PLUGIN, HELP = ("", "plugin", "FILE", ""), ("h", "help", "", "")
FLAGS = {
    "train": [("", *row) for row in SETTINGS] + [
        ("", "threads", "N", "all cores"), ("o", "output", "RUN", "runs/PRIOR-DATE-TIME"), ("", "force", "", ""),
        ("", "resume", "RUN", ""), ("", "keep-every", "E", ""), ("q", "quiet", "", ""), ("", "json", "", ""), PLUGIN, HELP],
    "fit": [
        ("", "prior", "NAME[:k=v,...]", ""), ("", "passes", "N", "20"), ("", "batch", "B", "100"),
        ("", "lr", "R", "0.001"), ("", "seed", "N", "1"),
        ("", "data", "SOURCE", "where they were"), ("", "threads", "N", "all cores"),
        ("o", "output", "RUN", "runs/fit-PRIOR-DATE-TIME"), ("", "force", "", ""), ("q", "quiet", "", ""),
        ("", "json", "", ""), PLUGIN, HELP],
    "eval": [
        ("", "samples", "S", "100"), ("", "proposal", "q|defensive", "q"), ("", "ais", "T", ""), ("", "chains", "C", "16"),
        ("", "leapfrog", "N", "5"), ("", "images", "N", "1000"), ("", "bdmc", "", ""),
        ("", "elbo-samples", "S", "1"), ("", "kl", "exact|mc", "as trained"),
        ("", "kl-samples", "K", "as trained"), ("", "decompose", "S", "0"), ("", "near-zero", "T", "two sd of the spike, else 0.4472"),
        ("", "limit", "N", "all"), ("", "seed", "N", "1"),
        ("", "data", "SOURCE", "those that the model was trained on"), ("", "split", "train|validation|test|all", "test; all of another source without test images"),
        ("", "threads", "N", "all cores"), ("", "per-image", "FILE", ""), ("", "json", "", ""), PLUGIN, HELP],
    "reconstruct": [
        ("n", "n", "N", "20"), ("", "first", "I", "0"), ("", "data", "SOURCE", "those that the model was trained on"),
        ("", "split", "train|validation|test|all", "test; all of another source without test images"), ("o", "output", "FILE", "reconstruct.png beside the model"),
        ("", "scale", "S", "1"), PLUGIN, HELP],
    "sample": [
        ("n", "n", "N", "100"), ("", "seed", "N", "1"), ("", "from", "prior|aggregate", "prior"),
        ("", "temperature", "T", "1"), ("", "truncate", "R", "1"), ("", "data", "SOURCE", "what the model was trained on"),
        ("", "split", "train|validation|test|all", "test; all of another source without test images"), ("", "label", "C", "a row of tiles for each"),
        ("o", "output", "FILE", "sample.png beside the model"), ("", "scale", "S", "1"), ("", "latents", "FILE", ""),
        PLUGIN, HELP],
    "traverse": [
        ("", "range", "prior|aggregate|R", "prior"), ("", "steps", "N", "11"), ("", "rows", "N", "32"), ("", "dims", "I,J", ""),
        ("", "image", "I", "at 0"), ("", "label", "C", "that of --image, else 0"), ("", "data", "SOURCE", "what the model was trained on"),
        ("", "split", "train|validation|test|all", "test; all of another source without test images"), ("o", "output", "FILE", "traverse.png beside the model"),
        ("", "scale", "S", "1"), PLUGIN, HELP],
    "interpolate": [
        ("", "pairs", "N", "5"), ("", "images", "I,J,...", ""), ("", "steps", "N", "9"),
        ("", "path", "linear|spherical", "linear"), ("", "data", "SOURCE", "those that the model was trained on"),
        ("", "split", "train|validation|test|all", "test; all of another source without test images"), ("o", "output", "FILE", "interpolate.png beside the model"),
        ("", "scale", "S", "1"), PLUGIN, HELP],
    "plot": [
        ("o", "output", "FILE", "KIND.svg beside the model; of several runs, here"), ("", "scale", "S", "1"),
        ("", "data", "SOURCE", "those that the model was trained on"), ("", "split", "train|validation|test|all", "test; all of another source without test images"),
        ("", "images", "I,J,...", "the first"), ("n", "n", "N", "6"), ("", "points", "N", "3000"),
        ("", "dims", "I,J", "of largest KL"), ("", "range", "prior|aggregate|R", "prior"),
        ("", "steps", "N", "15, of one latent 11"), ("", "label", "C", "0"), ("", "log", "", ""), PLUGIN, HELP],
    "data": [
        ("", "check", "", ""), ("", "to", "idx|npy", ""), ("o", "output", "FILE|FOLDER/", ""),
        ("", "split", "train|test", "the only one"), ("", "holdout", "F", "0"), ("", "seed", "N", "1"),
        ("", "json", "", ""), PLUGIN, HELP],
    "encode": [
        ("o", "output", "FILE", "encode.npy beside the model"), ("", "scales", "FILE", ""), ("", "labels", "FILE", ""),
        ("", "rows", "FILE", ""),
        ("", "limit", "N", "all"), ("", "seed", "N", "1"), ("", "data", "SOURCE", "those that the model was trained on"),
        ("", "split", "train|validation|test|all", "test; all of another source without test images"), ("", "threads", "N", "all cores"), PLUGIN, HELP],
    "decode": [
        ("o", "output", "FILE", "decode.npy beside the model"), ("", "scale", "S", "1"), ("", "label", "C", ""),
        ("", "labels", "FILE", "label column of a .csv"), ("", "threads", "N", "all cores"), PLUGIN, HELP],
    "info": [("", "json", "", ""), PLUGIN, HELP],
    "check": [("", "json", "", ""), PLUGIN, HELP],
    "priors": [
        ("", "template", "NAME", ""), ("o", "output", "FILE", "NAME.c"), ("", "check", "NAME|FILE.so", ""),
        PLUGIN, HELP],
    "bench": [("", *row) for row in SETTINGS] + [
        ("", "threads", "N", "all cores"), ("", "rounds", "N", "5"), ("", "json", "", ""), PLUGIN, HELP],
    "report": [
        ("", "samples", "S", "100"), ("", "limit", "N", "all"), ("", "seed", "N", "1"),
        ("", "data", "SOURCE", "those that the model was trained on"), ("", "split", "train|validation|test|all", "test; all of another source without test images"),
        ("", "threads", "N", "all cores"), ("o", "output", "FILE", "report.html beside the model; of several runs, here"),
        PLUGIN, HELP],
    "compare": [("", *row) for row in SETTINGS] + [
        ("", "seeds", "N", "1"), ("", "jobs", "N", "cores"), ("", "threads", "T", "cores / jobs"), ("", "plan", "", ""),
        ("o", "output", "FOLDER|FILE", ""), ("", "baseline", "NAME", "the first of beta 1"), ("", "nll", "S", "0"),
        ("", "elbo-samples", "S", "1"),
        ("", "limit", "N", "all"), ("", "split", "train|validation|test|all", "test; all of another source without test images"), ("", "csv", "FILE", ""),
        ("", "latex", "FILE", ""), ("", "pictures", "FILE", ""), ("", "scale", "S", "1"), ("", "json", "", ""),
        ("q", "quiet", "", ""), PLUGIN, HELP],
    "completion": [PLUGIN, HELP],
}

MODULES = """
Priors (--prior NAME):
  normal       standard normal
  spikeslab    spike and slab: sparse latents
      --p V  weight of the spike, 0 to 1 [0.8]
      --c2 V  variance of the spike, 1e-06 to 1 [0.05]
  laplace      Laplace: peaked, exponential tails
      --scale V  scale b; the variance is 2 b^2, 0.001 to 1000 [1]
  cauchy       Cauchy: very heavy tails
      --scale V  scale g; half of the mass is within |z| < g, 0.001 to 1000 [1]
  studentt     Student's t: tails from heavy to normal
      --nu V  degrees of freedom; moments of order nu and more are infinite, 0.5
          to 1000 [3]
      --scale V  scale; the variance is scale^2 nu / (nu - 2) for nu > 2, 0.001
          to 1000 [1]
  logistic     logistic: round top, exponential tails
      --scale V  scale s; the variance is (pi s)^2 / 3, 0.001 to 1000 [1]
  scaled       a family with a learned scale for each latent
      --family V  family that has a scale; its parameters are as by default,
          normal|laplace|cauchy|studentt|logistic [normal]
  mixture      learned mixture of Gaussians over whole vectors
      --components V  number of Gaussians, 1 to 10000 [500]
  vampprior    VampPrior: mixture of the posteriors of learned pseudo-inputs
      --components V  number of pseudo-inputs, 1 to 10000 [500]
  realnvp      RealNVP: a learned invertible map to N(0, I)
      --blocks V  coupling blocks, 1 to 16 [4]
      --width V  hidden units of a layer of their networks, 1 to 4096 [100]
      --layers V  hidden layers of their networks, 1 to 4 [2]
  lars         LARS: draws of a base prior, accepted by a learned network
      --base V  prior whose draws are accepted or rejected, normal|spikeslab|
          laplace|cauchy|studentt|logistic|scaled|mixture|vampprior|realnvp
          [normal]
      --tries V  the last of so many tries is accepted; 0: no limit, 0 to 1e+06
          [100]
      --width V  hidden units of a layer of the network, 1 to 4096 [100]
      --layers V  hidden layers of the network, 1 to 4 [2]
      --draws V  draws of the base in a training step, 64 to 1e+06 [1024]

Posteriors (--posterior NAME):
  gaussian     diagonal Gaussian, encoder gives mean and log-variance
  cauchy       Cauchy, cut far out; encoder gives centre and log-scale
      --cut V  probability of each tail that is cut off; 0: none, 0 to 0.25
          [0.00390625]
  iaf          inverse autoregressive flow from a diagonal Gaussian
      --blocks V  blocks of the flow, 1 to 8 [2]
      --width V  hidden units of their networks, 1 to 4096 [320]
      --context V  numbers that the encoder tells the flow of an image, 1 to
          4096 [64]

Likelihoods (--likelihood NAME):
  bernoulli    pixels in [0,1], decoder gives logits
  gaussian     real pixels, decoder gives the mean
      --sigma V  standard deviation of a pixel, 0.001 to 1000 or learned|
          per-pixel [1]
      --floor V  least sigma where it is learned or per-pixel, 0.0001 to 1
          [0.01]
  cbernoulli   grey pixels in [0,1] with a density, decoder gives logits
      --limit V  size of the logit from which on the normaliser is held
          constant, 1 to 10000 [50]

Activations (--activation NAME):
  relu         max(x, 0)
  tanh         tanh x
  sigmoid      1 / (1 + exp(-x))
  softplus     log(1 + exp x)
  elu          x > 0 ? x : exp(x) - 1
  gated        h / (1 + exp(-g)), h and g from weights of their own

Built-in data (--data builtin:NAME[:k=v,...]):
  digits       28x28 handwritten-looking digits with labels, drawn by the
               program
      train=V  training images, 1 to 10000000 [10000]
      test=V  test images, 1 to 10000000 [1000]
      seed=V  another seed, another set, 0 to 9007199254740992 [1]
  gaussians    points of the plane from two Gaussians, labelled; real numbers
      train=V  training images, 1 to 10000000 [5000]
      test=V  test images, 1 to 10000000 [1000]
      seed=V  another seed, another set, 0 to 9007199254740992 [1]
      distance=V  between the means, 0 to 1000 [6]
      deviation=V  standard deviation of both, in each direction, 0 to 1000 [1]
      angle=V  of the line through the means, in degrees, -360 to 360 [30]
  templates    10x10 weighted sums of a cross and a frame, with noise; real
               numbers
      train=V  training images, 1 to 10000000 [5000]
      test=V  test images, 1 to 10000000 [1000]
      seed=V  another seed, another set, 0 to 9007199254740992 [1]
      noise=V  standard deviation of the noise of a pixel, 0 to 1000 [0.1]
      weights=V  distribution of the two weights, uniform|normal|laplace
          [uniform]
  patches      5x5 patches with a few bars and edges, with noise; real numbers
      train=V  training images, 1 to 10000000 [5000]
      test=V  test images, 1 to 10000000 [1000]
      seed=V  another seed, another set, 0 to 9007199254740992 [1]
      share=V  probability of each of the eight patterns, 0 to 1 [0.2]
      noise=V  standard deviation of the noise of a pixel, 0 to 1000 [0.05]
"""

RUN_PARAGRAPH = """
RUN is a model file or a run folder [runs/latest]; of a folder, best.safetensors
is taken where there is one (train --validation writes it), else
model.safetensors.
"""

PRIORS = """\
normal: standard normal
    p(z) = N(z; 0, 1)
spikeslab: spike and slab: sparse latents
    p(z) = p N(z; 0, c2) + (1-p) N(z; 0, 1)
    --p  weight of the spike, 0 to 1 [0.8]
    --c2  variance of the spike, 1e-06 to 1 [0.05]
laplace: Laplace: peaked, exponential tails
    p(z) = exp(-|z|/scale) / (2 scale)
    --scale  scale b; the variance is 2 b^2, 0.001 to 1000 [1]
cauchy: Cauchy: very heavy tails
    p(z) = 1 / (pi scale (1 + (z/scale)^2))
    --scale  scale g; half of the mass is within |z| < g, 0.001 to 1000 [1]
studentt: Student's t: tails from heavy to normal
    p(z) = t_nu(z / scale) / scale
    --nu  degrees of freedom; moments of order nu and more are infinite, 0.5 to
        1000 [3]
    --scale  scale; the variance is scale^2 nu / (nu - 2) for nu > 2, 0.001 to
        1000 [1]
logistic: logistic: round top, exponential tails
    p(z) = exp(-z/scale) / (scale (1 + exp(-z/scale))^2)
    --scale  scale s; the variance is (pi s)^2 / 3, 0.001 to 1000 [1]
scaled: a family with a learned scale for each latent
    p(z) = prod_j p0(z_j / s_j) / s_j
    --family  family that has a scale; its parameters are as by default, normal|
        laplace|cauchy|studentt|logistic [normal]
mixture: learned mixture of Gaussians over whole vectors
    p(z) = sum_k pi_k N(z; m_k, diag sd_k^2)
    --components  number of Gaussians, 1 to 10000 [500]
vampprior: VampPrior: mixture of the posteriors of learned pseudo-inputs
    p(z) = 1/K sum_k q(z|u_k)
    --components  number of pseudo-inputs, 1 to 10000 [500]
realnvp: RealNVP: a learned invertible map to N(0, I)
    p(z) = N(f(z); 0, I) |det df/dz|, f of N affine coupling blocks
    --blocks  coupling blocks, 1 to 16 [4]
    --width  hidden units of a layer of their networks, 1 to 4096 [100]
    --layers  hidden layers of their networks, 1 to 4 [2]
lars: LARS: draws of a base prior, accepted by a learned network
    p(z) = pi(z) [(1-alpha) a(z)/Z + alpha], Z = E_pi a, alpha = (1-Z)^(tries-1)
    --base  prior whose draws are accepted or rejected, normal|spikeslab|
        laplace|cauchy|studentt|logistic|scaled|mixture|vampprior|realnvp
        [normal]
    --tries  the last of so many tries is accepted; 0: no limit, 0 to 1e+06
        [100]
    --width  hidden units of a layer of the network, 1 to 4096 [100]
    --layers  hidden layers of the network, 1 to 4 [2]
    --draws  draws of the base in a training step, 64 to 1e+06 [1024]
"""

STATUSES = """
Exit status:
  0  done
  1  internal error
  2  wrong use: unknown command, flag or name, bad value, inconsistent choice
  3  input data missing or malformed
  4  could not write; what was there before is intact
  5  model missing, corrupt or incompatible
  6  training diverged, or a loss is not finite; the last good model is kept
  7  run folder in use or already there
  8  out of memory
  129, 130, 143  stopped by SIGHUP, SIGINT or SIGTERM; training saves its state
                 first
"""


# ---- Help -----------------------------------------------------------------------------------------------------------

def flags_of_help(text):
    """(letter, name, what it takes, default) of each flag; all help texts start in one column."""
    lines = re.search(r"^Flags:\n(.*?)(?:\n\n|\Z)", text, re.S | re.M)[1].splitlines()
    flags, helps = [], []
    for line in lines:
        head = re.match(r"  (?:-(\w), |    )--([\w-]+)(?: (\S+))?(?=  |$)", line)
        if head:
            flags.append((head[1] or "", head[2], head[3] or ""))
            helps.append("")
        if not head or len(head[0]) < HELP_COLUMN:
            assert line[HELP_COLUMN - 1] == " " != line[HELP_COLUMN], line
            helps[-1] += " " + line[HELP_COLUMN:]
    return [(*flag, (re.search(r"\[([^\[\]]*)\]$", help) or ["", ""])[1]) for flag, help in zip(flags, helps)]


@test("each command's help lists the flags of the table, with their defaults")
def _():
    for command, _ in COMMANDS:
        same(flags_of_help(vaectl(command, "--help")[0]), FLAGS[command], command)


@test("help: usage, modules and what RUN is, for the commands that take them")
def _():
    for command, _ in COMMANDS:
        text = vaectl(command, "--help")[0]
        takes_settings = command in ("train", "bench", "compare")
        takes_run = command not in ("train", "priors", "bench", "compare", "data", "completion")
        run = (" KIND [RUN...]" if command == "plot" else " [RUN...]" if command in ("compare", "report", "check")
               else " [RUN]" if takes_run else "")
        same(text.splitlines()[0], f"Usage: vaectl {command} [flags]{run}"
             f"{ {'decode': ' LATENTS', 'data': ' SOURCE'}.get(command, '')}")
        rest = text[text.index("this text\n") + len("this text\n"):]
        if command == "plot":
            kinds, rest = re.fullmatch(r"\nKinds of plot:\n((?: +\S[^\n]*\n)+)(.*)", rest, re.S).groups()
            assert re.search("^  curves ", kinds, re.M) and re.search("^  kl ", kinds, re.M), kinds
        same(rest, RUN_PARAGRAPH if takes_run and command != "check" else MODULES if takes_settings else "", command)
        for words in (["help", command], ["help", command, "more"], [command, "-h"]):
            same(vaectl(*words), (text, ""), words)


GROUPS = {"Train": "train fit", "Measure": "eval compare",
          "Draw": "report reconstruct sample traverse interpolate plot",
          "Exchange with other programs": "encode decode data", "Inspect": "info check priors bench completion"}


@test("help: lists keep their lines")
def _():
    text = vaectl("data", "--help")[0]
    for line in ("  a folder  with files under the names of MNIST", "            with PNG files of one size",
                 "  a file    IDX or .npy, plain or .gz;", "  builtin:NAME[:k=v,...]"):
        assert f"\n{line}" in text, (line, text)


@test("vaectl --help lists commands by what they are for, and exit statuses; no command: on stderr, with status 2")
def _():
    text, errors = vaectl("--help")
    lists = re.findall(r"^(\w[^:\n]*):\n((?:  [a-z]+ +\S.*\n)+)", text.partition("\nExamples:\n")[0], re.M)
    same({heading: " ".join(re.findall(r"^  (\w+)", lines, re.M)) for heading, lines in lists}, GROUPS)
    same([heading for heading, _ in lists], list(GROUPS))
    for name, summary in COMMANDS:
        same(text.count(f"\n  {name:12} {summary}\n"), 1, name)
    assert text.endswith("libraries it has.\n" + STATUSES) and not errors, text
    for words in (["-h"], ["help"]):
        same(vaectl(*words), (text, ""))
    same(vaectl(status=2), ("", text[:-len(STATUSES)]))


@test("no line of a help text, nor of priors, is wider than 80 columns")
def _():
    names = re.findall(r"^  ([a-z]+)  ", vaectl("--help")[0], re.M)
    for words in (["--help"], ["priors"], *([name, "--help"] for name in names)):
        text = vaectl(*words)[0]
        same([line for line in text.splitlines() if len(line) > 80 or line.endswith(" ")], [], words)
        assert words == ["priors"] or max(map(len, text.splitlines())) > 70, text  # lines are filled


@test("priors: names, densities, parameters with their ranges")
def _():
    same(vaectl("priors"), (PRIORS, ""))


@test("--version names the program and the libraries")
def _():
    text = vaectl("--version")[0]
    assert re.fullmatch(r"vaectl 0\.1\.0\nvaectl 0\.1\.0 \(OpenBLAS .*, zlib .*, libpng .*, jansson .*\)\n", text), text


# ---- Completion -----------------------------------------------------------------------------------------------------

def completed(*words):
    """What bash offers for the last word."""
    line = "source completion; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _vaectl; echo \"${COMPREPLY[@]}\""
    done = subprocess.run(["bash", "--norc", "-c", line, "bash", "vaectl", *words], capture_output=True, text=True,
                          check=True)
    same(done.stderr, "", words)
    return done.stdout.split()


@test("bash completes commands, their flags, and the words that flags take")
def _():
    if not shutil.which("bash"):
        raise Skip("no bash")
    with open("completion", "w") as file:
        file.write(vaectl("completion")[0])
    names = re.findall(r"^  ([a-z]+)  ", vaectl("--help")[0], re.M)
    same(sorted(completed("")), sorted([*names, "help", "--help", "--version"]))
    same(completed("tra"), ["train", "traverse"])
    same(completed("help", "f"), ["fit"])
    for name in names:
        offered = completed(name, "--")
        flags = {f"--{flag}" for _, flag, _, _ in flags_of_help(vaectl(name, "--help")[0])}
        params = set(re.findall(r"^      (--[\w-]+) V", MODULES, re.M)) if "--latent" in flags else set()
        same((sorted(offered), name), (sorted(flags | params), name))
    priors = re.findall(r"^(\w+):", vaectl("priors")[0], re.M)
    for line in ("train --prior ", "fit run --prior ", "train --prior =", "train --quiet --prior = "):
        same(completed(*line.split(" ")), priors, line)
    for line, offered in (("train --prior = la", "laplace lars"), ("train --kl ", "auto exact mc"),
                          ("eval --kl ", "exact mc"), ("eval --split t", "train test"), ("plot cu", "curves"),
                          ("train --sigma ", "learned per-pixel"), ("train --con", "--context --conditional"),
                          ("fit run --ba", "--batch"), ("train --force --rew", ""), ("train --epochs ", ""),
                          ("info ", "")):
        same(sorted(completed(*line.split(" "))), sorted(offered.split()), line)


# ---- Refusals -------------------------------------------------------------------------------------------------------

LIST = ("train, fit, eval, compare, report, reconstruct, sample, traverse, interpolate, plot, encode, decode, data, "
        "info, check, priors, bench, completion")
REFUSED = [
    (["trian"], f"unknown command 'trian' (did you mean 'train'? there are: {LIST})"),
    (["frobnicate"], f"unknown command 'frobnicate' (there are: {LIST})"),
    (["--verison"], "unknown flag --verison before a command (expected --help, --version or a command)"),
    (["train", "-epochs", 3], "train: unknown flag -epochs (did you mean --epochs?)"),
    (["train", "-x", 3], "train: unknown flag -x (see vaectl train --help)"),
    (["sample", "run", "run"], "sample: unexpected argument 'run' (expected one RUN)"),
    (["decode", "run", "z.npy", "z.npy"], "decode: unexpected argument 'z.npy' (expected [RUN] LATENTS)"),
    (["help", "evil"], f"unknown command 'evil' (did you mean 'eval'? there are: {LIST})"),
    (["train", "--epoch=3"], "train: unknown flag --epoch (did you mean --epochs?)"),
    (["train", "--scal", "3"], "train: unknown flag --scal (did you mean --scale?)"),
    (["train", "--helo"], "train: unknown flag --helo (did you mean --help?)"),
    (["info", "--quiet"], "info: unknown flag --quiet (see vaectl info --help)"),
    (["priors", "--p", "1"], "priors: unknown flag --p (see vaectl priors --help)"),
    (["sample", "-x"], "sample: unknown flag -x (see vaectl sample --help)"),
    (["train", "-qxq"], "train: unknown flag -qxq (see vaectl train --help)"),
    (["info", "run", "--quiet"], "info: unknown flag --quiet (see vaectl info --help)"),
    (["info", "run", "-x", "run"], "info: unknown flag -x (see vaectl info --help)"),
    (["sample", "-nn"], "--n: 'n' is not a whole number"),
    (["train", "--quie"], "train: unknown flag --quie (did you mean --quiet?)"),
    (["train", "--lat=3"], "train: unknown flag --lat (did you mean --data?)"),
    (["train", "--json=1"], "train: --json takes no value"),
    (["train", "--conditional=10"], "train: --conditional takes no value"),
    (["sample", "--label", 3], "--label: the model is not conditional (train --conditional makes one)"),
    (["traverse", "--label", 3], "--label: the model is not conditional (train --conditional makes one)"),
    (["train", "-q", "there"], "train: unexpected argument 'there' (expected flags alone)"),
    (["info", "a", "b", "c"], "info: unexpected argument 'b' (expected one RUN)"),
    (["info", "--", "--json", "b"], "info: unexpected argument 'b' (expected one RUN)"),
    (["priors", "a"], "priors: unexpected argument 'a' (expected flags alone)"),
    (["info", ""], "info: RUN is empty"),
    (["train", "--seed"], "train: --seed needs a value"),
    (["sample", "-q", "-n"], "sample: unknown flag -q (see vaectl sample --help)"),
    (["sample", "-n"], "sample: -n needs a value"),
    (["sample", "-n", ""], "sample: -n is empty"),
    (["sample", "--output="], "sample: --output= is empty"),
    (["sample", "--seed", ""], "sample: --seed is empty"),
    (["eval", "--split", "valid"], "--split: 'valid' (expected train, validation, test or all)"),
    (["eval", "--proposal", "p"], "--proposal: 'p' (expected q or defensive)"),
    (["eval", "--bdmc"], "--bdmc is of --ais, which is not given"),
    (["eval", "--chains", "3"], "--chains is of --ais, which is not given"),
    (["eval", "--samples", "0", "--proposal", "defensive"], "--proposal is of the nll and of --ais, and neither is asked for"),
    (["eval", "--kl-samples", "4"], "kl-samples: the KL of this model is exact (expected it with --kl mc)"),
    (["eval", "--kl", "exact", "--kl-samples", "4"], "kl-samples: the KL of this model is exact (expected it with --kl mc)"),
    (["eval", "--decompose", "1"], "decompose: 1 draws (expected 2 to 1000000)"),
    (["bench", "--start", "runs/latest"], "--start: is of training, and the time of a step does not depend on weights"),
    (["compare", "runs/latest", "--scale", "2"], "--scale: is of pictures, and none is asked for"),
    (["compare", "--plan", "-o", "x", "--csv", "x.csv"], "--csv: is of runs that are trained, and --plan trains none"),
    *[(["compare", "--plan", "-o", "x", f"--{flag}", "1"], f"--{flag}: is of runs that are trained, and --plan trains none")
      for flag in ("jobs", "baseline", "nll", "elbo-samples", "limit", "split", "latex", "pictures", "scale")],
    (["compare", "-o", "x", "--elbo-samples", "0"], "--elbo-samples: 0 is out of range (expected 1 to 100000)"),
    (["compare", "--plan", "-o", "x", "--json"], "--json: is of runs that are trained, and --plan trains none"),
    (["eval", "--kl", "auto"], "--kl: 'auto' (expected exact or mc)"),
    (["eval", "--near-zero", "x"], "--near-zero: 'x' is not a number"),
    (["info"] + ["--json"] * 129, "info: too many flags"),
]

# The first value that is too small, and the first that is too large, with the range that is named.
RANGES = [
    ("train", "threads", "0", "257", "1 to 256"), ("bench", "threads", "0", "257", "1 to 256"),
    ("train", "keep-every", "0", "1000001", "1 to 1000000"),
    ("bench", "rounds", "0", "102", "1 to 101"), ("eval", "threads", "0", "257", "1 to 256"),
    ("eval", "samples", None, "1000001", "0 to 1000000"), ("eval", "elbo-samples", "0", "100001", "1 to 100000"),
    ("eval", "kl-samples", "0", "1000001", "1 to 1000000"), ("eval", "limit", "0", "1000000001", "1 to 1000000000"),
    ("eval", "ais", "0", "1000001", "1 to 1000000"), ("eval", "chains", "0", "4097", "1 to 4096"),
    ("eval", "leapfrog", "0", "1001", "1 to 1000"), ("eval", "images", "0", "1000000001", "1 to 1000000000"),
    ("eval", "seed", None, "9007199254740992", "0 to 9007199254740991"),
    ("eval", "decompose", None, "100001", "0 to 100000"), ("eval", "near-zero", "-0.1", "1000000001", "0 to 1e+09"),
    ("sample", "seed", None, "9007199254740992", "0 to 9007199254740991"), ("sample", "n", "0", "10001", "1 to 10000"),
    ("sample", "truncate", "0.009", "1.1", "0.01 to 1"),
    ("reconstruct", "n", "0", "1001", "1 to 1000"), ("reconstruct", "first", None, "1000000001", "0 to 1000000000"),
    ("traverse", "steps", "0", "102", "1 to 101"), ("traverse", "range", "-1", "1000001", "0 to 1e+06"),
]


def make_run(name, *flags):
    """A small model in the run folder `name`, and its JSON summary."""
    return vaectl_json("train", "--data", "builtin:digits:train=30,test=20", "--hidden", 6, "--latent", 3, "--epochs",
                       2, "--batch", 10, "--threads", 1, "-q", "-o", name, *flags)


@test("wrong words: status 2 and one line, which says what would be right")
def _():
    make_run("run")  # runs/latest points at it
    for words, message in REFUSED:
        refuse(2, message, *words)


@test("flags may stand behind other words, whatever the environment says")
def _():
    make_run("run")
    os.environ["POSIXLY_CORRECT"] = "1"
    same(vaectl("sample", "run", "-n", 4, "-o", "x.png")[0], "x.png\n")
    del os.environ["POSIXLY_CORRECT"]


@test("numbers out of range are refused, with the range; the ends are in it")
def _():
    make_run("run")  # runs/latest points at it
    for command, flag, low, high, allowed in RANGES:
        for value in filter(None, (low, high)):
            refuse(2, f"--{flag}: {value} is out of range (expected {allowed})", command, f"--{flag}", value)
    for words in ("eval --samples 0 --elbo-samples 1 --kl mc --kl-samples 1 --limit 1 --seed 0 --near-zero 0 --threads 1",
                  "eval --samples 1 --limit 1000000000 --seed 9007199254740991 --near-zero 1e9",
                  "sample -n 1 --seed 0", "reconstruct -n 1000 --first 19", "traverse --steps 101 --rows 1 --range 0"):
        vaectl(*words.split())


@test("exit statuses 2 to 7: each has a cause that one line names")
def _():
    source = ["--data", "builtin:digits:train=30,test=5", "-q"]
    vaectl("train", *source, "--hidden", 6, "--epochs", 1, "-o", "run")
    open("file", "w").close()
    os.remove("runs/latest")
    refuse(5, "runs/latest: no model there (train one with 'vaectl train', or name a run)", "info")
    refuse(2, "latent: 0 is out of range (expected 1 to 65536)", "train", "--latent", 0)
    refuse(3, "nowhere: No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv "
           "file, or builtin:NAME of digits, gaussians, templates, patches)", "train", "--data", "nowhere")
    refuse(4, "file/a: cannot make folder: Not a directory", "train", *source, "-o", "file/a/b")
    refuse(4, "file/a: cannot make folder: Not a directory", "train", *source, "-o", "file/a")
    for flags in ([], ["--force"]):
        refuse(4, "file: is there and no folder (expected a folder to write into)", "train", *source, *flags, "-o",
               "file")
    os.mkdir("empty")
    for words in (["info", "empty"], ["train", "--resume", "empty"]):
        refuse(5, "empty: no model.safetensors in it (expected a run folder)", *words)
    refuse(5, "no/model: cannot open: No such file or directory (expected a model file)", "info", "no/model")
    refuse(5, "no/run: cannot open folder: No such file or directory (expected a run folder)", "train", "--resume",
           "no/run")
    refuse(6, "training diverged: the test loss is not finite at step 1 (epoch 1); try a smaller lr", "train",
           *source, "--lr", "1e6", "--likelihood", "gaussian", "-o", "wild")
    refuse(7, "run: is already there (--force trains into it; another -o keeps it)", "train", *source, "-o", "run")


@test("a reader that closes its end of the pipe is no fault: status 4 and not a word; a fault of our own is told")
def _():
    reader, writer = os.pipe()
    os.close(reader)
    missing = "vaectl: none: cannot open: No such file or directory (expected a model file)\n"
    for words, errors in ((["priors"], ""), (["--help"], ""), (["priors", "--help"], ""), (["info", "none"], missing)):
        done = subprocess.run(command_line(words), stdout=writer, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL, timeout=MOST_SECONDS)
        same((done.returncode, done.stderr), (5 if errors else 4, errors), words)
    os.close(writer)


# ---- What flags do --------------------------------------------------------------------------------------------------

# Given in every training.
BASE = {"data": "one", "hidden": "6", "latent": "3", "epochs": "2", "batch": "10"}

# Another value of each setting, and settings that it needs to matter.
CHANGED = [
    ("data", "two", {}), ("holdout", "0.25", {}), ("validation", "0.5", {}),
    ("binarize", "threshold", {}), ("prior", "laplace:scale=1", {}), ("kl", "mc", {}),
    ("kl-samples", "3", {"kl": "mc"}),
    ("kl-noise", "stratified", {"kl": "mc"}), ("posterior", "gaussian", {}), ("likelihood", "gaussian:sigma=1", {}),
    ("latent", "2", {}), ("hidden", "5,4", {}), ("activation", "tanh", {}),
    ("conditional", "", {"data": "builtin:digits:train=30,test=5"}), ("start", "first/model.safetensors", {}),
    ("init", "he", {}), ("output-bias", "data", {}), ("objective", "iwae", {"samples": "2"}), ("samples", "2", {}), ("gradient", "stl", {}),
    ("beta", "4", {}), ("beta-warmup", "2", {}), ("free-bits", "1.5", {}), ("epochs", "3", {}),
    ("patience", "1", {"validation": "0.5"}), ("batch", "7", {}), ("lr", "0.01", {}), ("clip", "0.01", {}),
    ("schedule", "cosine", {}), ("lr-steps", "1", {"schedule": "step", "lr-steps": "2"}),
    ("lr-factor", "0.5", {"schedule": "step", "lr-steps": "1"}), ("adam-beta1", "0.5", {}), ("adam-beta2", "0.9", {}),
    ("adam-eps", "0.001", {}), ("seed", "2", {}),
]
DIGITS = "10"  # what --conditional counts in the built-in digits
SAME_WEIGHTS = ("posterior", "patience")  # there is one posterior; two epochs are too few for patience


def numbers(texts):
    """Texts that are numbers, as numbers."""
    return {name: float(text) if re.fullmatch(r"[0-9.e-]+", str(text)) else text for name, text in texts.items()}


def trained(settings):
    """The configuration and the tensors after training with settings."""
    vaectl("train", *(word for name in settings for word in (f"--{name}", settings[name]) if word), "--threads", 1, "-q",
           "--force", "-o", "run")
    tensors, metadata = load("run/model.safetensors")
    return json.loads(metadata["vaectl.config"]), tensors


def write_ramps(path, n, rows=6, cols=5):
    """A file of n images, each pixel lighter than the one before."""
    size = rows * cols
    write_idx(path, (n, rows, cols), [(5 * i + 200 * k // size) % 256 for i in range(n) for k in range(size)])


@test("train: each setting reaches the model file and changes what is trained; the others keep their defaults")
def _():
    write_ramps("one", 40)
    write_ramps("two", 41)
    same([name for name, _, _ in CHANGED], [name for name, _, _ in SETTINGS])
    defaults, before = {name: default for name, _, default in SETTINGS if default and name not in YOUNG}, {}
    trained({**BASE, "seed": "3"})
    os.rename("run", "first")
    for name, value, needed in CHANGED:
        base = {**BASE, **needed}
        config, changed = trained({**base, name: value})
        same(numbers(config), numbers({**defaults, **base, name: value or DIGITS}), name)
        if str(needed) not in before:
            before[str(needed)] = trained(base)[1]
        assert (changed == before[str(needed)]) == (name in SAME_WEIGHTS), name


@test("parameters of modules are flags, before and behind the name of the module")
def _():
    for flags in ("--c2 0.1 --sigma 2 --prior spikeslab --likelihood gaussian --p 0.7",
                  "--likelihood gaussian:sigma=3 --prior spikeslab:p=0.1 --p 0.7 --c2 0.1 --sigma 2"):
        make_run("run", "--force", *flags.split())
        config = vaectl_json("info", "run")["config"]
        same((config["prior"], config["likelihood"]), ("spikeslab:p=0.7,c2=0.1", "gaussian:sigma=2"), flags)
    for flags, likelihood in (("--sigma learned", "gaussian:sigma=learned"),
                              ("--sigma per-pixel --floor 0.1", "gaussian:sigma=per-pixel,floor=0.1")):
        make_run("run", "--force", "--likelihood", "gaussian", *flags.split())
        same(vaectl_json("info", "run")["config"]["likelihood"], likelihood, flags)


# What the JSON of eval then says, other than without the flag.
EVALUATED = [
    ("samples", "7", "nll_samples", 7), ("proposal", "defensive", "nll_proposal", "defensive"), ("elbo-samples", "3", "elbo_samples", 3),
    ("kl", "exact", "kl_samples", 0),
    ("kl-samples", "33", "kl_samples", 33), ("decompose", "7", "decomposition_draws", 7),
    ("near-zero", "0.25", "near_zero", 0.25), ("limit", "5", "n", 5),
    ("seed", "9", "seed", 9), ("data", "builtin:digits:train=7,test=6", "n", 6), ("split", "train", "split", "train"),
]

# Flags that change a picture; `-o` names it.
PICTURES = {
    "reconstruct": [("n", "3"), ("first", "1"), ("data", "builtin:digits:train=5,test=5,seed=3"), ("split", "train"),
                    ("scale", "2")],
    "sample": [("n", "3"), ("seed", "2"), ("label", "3"), ("from", "aggregate"), ("temperature", "0.5"), ("truncate", "0.5"), ("scale", "2"),
               ("data", "builtin:digits:train=5,test=5,seed=3 --from aggregate"), ("split", "train --from aggregate")],
    "interpolate": [("pairs", "2"), ("images", "3,4"), ("steps", "3"), ("path", "spherical"), ("scale", "2"),
                    ("data", "builtin:digits:train=5,test=5,seed=3"), ("split", "train")],
    "traverse": [("range", "2"), ("steps", "5"), ("rows", "2"), ("dims", "0,2"), ("image", "1"), ("label", "3"),
                 ("data", "builtin:digits:train=5,test=5,seed=3 --image 1"), ("split", "train --image 1"), ("scale", "2")],
}


def names_of(command, *without):
    return [name for _, name, _, _ in FLAGS[command] if name not in ("help", "plugin", *without)]


@test("eval: each flag shows in the JSON")
def _():
    make_run("run", "--prior", "laplace")
    same([name for name, _, _, _ in EVALUATED], names_of("eval", "threads", "json", "per-image", "ais", "chains", "leapfrog", "images", "bdmc"))
    before = vaectl_json("eval", "run")
    for name, value, key, shown in EVALUATED:
        after = vaectl_json("eval", "run", f"--{name}", value)
        assert after[key] == shown != before[key], (name, after[key], before[key])
    same([before[key] for _, _, key, _ in EVALUATED], [100, "q", 1, 10, 10, 0, 0.447213595, 20, 1, 20, "test"])


AIS_KEYS = ["ais", "ais_se", "ais_mc_se", "ais_bias", "ais_effective_chains", "ais_acceptance", "ais_least_acceptance",
            "ais_nll", "ais_images", "ais_temperatures", "ais_chains", "ais_leapfrog"]
BDMC_KEYS = ["bdmc_high", "bdmc_low", "bdmc_gap", "bdmc_gap_se"]


@test("eval --ais: each flag shows in the JSON, and what it says in the text; nll is unchanged by it")
def _():
    make_run("run", "--prior", "laplace")
    before = vaectl_json("eval", "run")
    assert not [key for key in AIS_KEYS + BDMC_KEYS if key in before]
    flags = ["--ais", 6, "--chains", 3, "--leapfrog", 2, "--images", 7]
    after = vaectl_json("eval", "run", *flags, "--bdmc")
    same([key for key in after if key.startswith(("ais", "bdmc"))], AIS_KEYS + BDMC_KEYS)
    for key, value in (("ais_temperatures", 6), ("ais_chains", 3), ("ais_leapfrog", 2), ("ais_images", 7)):
        same(after[key], value, key)
    same({key: after[key] for key in before if key not in ("seconds", "trusted")},
         {key: before[key] for key in before if key not in ("seconds", "trusted")})
    assert 0 < after["ais_least_acceptance"] <= after["ais_acceptance"] <= 1
    assert abs(after["bdmc_high"] - after["bdmc_low"] - after["bdmc_gap"]) < 1e-6
    vaectl("eval", "run", *flags, "--bdmc", "--per-image", "each.csv")
    with open("each.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    same(list(rows[0])[-4:], ["nll", "khat", "ais", "row"])
    for key, column in (("ais_nll", "nll"), ("ais", "ais")):
        first = [float(row[column]) for row in rows[:7]]
        assert abs(after[key] - sum(first) / 7) < 1e-6, (after[key], first)
    same({row["ais"] for row in rows[7:]}, {""})
    vaectl("eval", "run", *flags, "--samples", 0, "--per-image", "each.csv")
    same(open("each.csv").readline(), "index,label,neg_elbo,recon,kl,ais,row\n")
    text = unwrapped(vaectl("eval", "run", *flags, "--bdmc")[0])
    lines = [f"ais           {after['ais']:.4f} (7 images, 6 temperatures, 3 chains, {after['ais_effective_chains']:.1f} "
             f"effective; standard error {after['ais_se']:.4f} over images, {after['ais_mc_se']:.4f} of sampling)",
             f"              ({100 * after['ais_acceptance']:.1f} % of moves of 2 leapfrog steps accepted, "
             f"{100 * after['ais_least_acceptance']:.1f} % of the image where it is least)",
             f"              (on the same images nll is {after['ais_nll']:.4f})",
             f"bdmc          -log p(x) of 7 images that the model made: {after['bdmc_low']:.4f} to "
             f"{after['bdmc_high']:.4f}, {after['bdmc_gap']:.4f} apart (standard error {after['bdmc_gap_se']:.4f})"]
    assert joined("\n".join(["", *lines, "trust"])) in text, (lines, text)
    apart = after["ais_nll"] - after["ais"]
    noise = 2 * (after["nll_mc_se"] ** 2 * after["n"] / 7 + after["ais_mc_se"] ** 2) ** 0.5
    same(after["trusted"], "both" if abs(apart) <= noise else "ais" if apart > 0 else "nll")
    same(vaectl_json("eval", "run", *flags, "--samples", 0)["trusted"], "ais")
    for one in (["--chains", 1], ["--samples", 1]):  # whose error nobody knows
        same(vaectl_json("eval", "run", *flags, *one)["trusted"], None, one)
    assert (f"\ntrust         ais: log p(x) is at least {-after['ais']:.4f} in expectation\n" in
            vaectl("eval", "run", *flags, "--samples", 0)[0])
    others = [vaectl_json("eval", "run", *flags, *more)["ais"] for more in (
        ["--ais", 7], ["--chains", 4], ["--leapfrog", 3], ["--images", 8], ["--proposal", "defensive"], ["--seed", 2])]
    same(len({after["ais"], *others}), 7)


@test("pictures: each flag changes the picture, which -o names; by default it lies beside the model")
def _():
    make_run("run", "--conditional")
    for command, rows in PICTURES.items():
        same(sorted(dict(rows)), sorted(names_of(command, "output", "latents")))
        same(vaectl(command, "run"), (f"run/{command}.png\n", ""))
        for name, words in rows:
            value, *more = words.split()
            same(vaectl(command, "run", f"--{name}={value}", "-o", "after.png", *more), ("after.png\n", ""))
            before = vaectl(command, "run", "-o", "before.png", *more)[0][:-1] if more else f"run/{command}.png"
            assert read_bytes("after.png") != read_bytes(before), (command, name)


@test("of a flag that is given twice, the last one counts; short and long forms are one flag")
def _():
    make_run("run")
    vaectl("sample", "-n", 4, "run", "--n=9", "-n2", "-o", "a.png", "--output", "b.png", "--seed", 1, "--seed=3")
    vaectl("sample", "run", "--n", 2, "--seed", 3, "-oc.png")
    same(os.path.exists("a.png"), False)
    same(read_bytes("b.png"), read_bytes("c.png"))
    same(vaectl("info", *["--json"] * 128, "run"), vaectl("info", "run", "--json"))


def threads_of(process):
    return len(os.listdir(f"/proc/{process.pid}/task"))


def lengthened(path, length):
    """Another name of the path, of so many characters, if both lengths are odd or both are even."""
    return "./" * ((length - len(path)) // 2) + path


@test("paths of RUN and -o are as long as they may be, and no longer; a picture lies beside a model without a folder")
def _():
    make_run("run")
    make_run("odds")
    vaectl("info", lengthened("run", 1983))
    refuse(5, "RUN: longer than 1984 characters", "info", lengthened("odds", 1986))
    longest = lengthened("run/p.png", 2047)
    same(vaectl("sample", "run", "-n", 1, "-o", longest)[0], longest + "\n")
    refuse(2, "-o: longer than 2047 characters", "sample", "run", "-o", lengthened("run/pp.png", 2048))
    os.chdir("run")
    same(vaectl("sample", "model.safetensors", "-n", 1)[0], "sample.png\n")
    same(read_bytes("sample.png"), read_bytes("p.png"))


def three_more(two, five):
    """Looked at a little later than before: a part of the work that is soon over does not count."""
    time.sleep(0.001)
    return two.poll() is None and five.poll() is None and threads_of(five) - threads_of(two) == 3


@test("--threads starts so many threads")
def _():
    if not os.path.isdir("/proc/self/task"):
        return
    make_run("two")
    make_run("five")
    for words in (["eval", "--limit", 1, "--samples", 1000000], ["eval", "--samples", 0, "--elbo-samples", 100000],
                  ["train", "--epochs", 100000, "-q", "--resume"]):
        # Two and five, as a checker may start a thread of its own with the first that a program starts.
        with started(*words, "two", "--threads", 2) as two, started(*words, "five", "--threads", 5) as five:
            wait_until(lambda: all(three_more(two, five) for _ in range(20)), f"threads of {words}")


@test("bench: the text has the JSON's phases, a line each")
def _():
    write_idx("one", (30, 4, 4), [k % 251 for k in range(480)])
    flags = ["bench", "--data", "one", "--rounds", 1, "--threads", 1, "--hidden", 3, "--latent", 2]
    lines = vaectl(*flags)[0].splitlines()
    phases = [phase["name"] for phase in vaectl_json(*flags)["results"][0]["phases"]]
    shown = [re.fullmatch(r"    (.{18}) +[0-9.]+ ms, of which waiting -?[0-9.]+", line) for line in lines]
    same([m.group(1).rstrip() for m in shown if m], phases)
    same(len(lines), 6 + len(phases))  # source, setting, floor, step, ratio; peak memory


@test("bench: a setting is measured alone; --data and flags of its own leave the five standard ones")
def _():
    write_ramps("one", 20)
    small = ["bench", "--data", "one", "--rounds", 1, "--threads", 1]
    one = vaectl_json(*small, "--hidden", "6,5", "--latent", 3, "--batch", 10, "--prior", "cauchy")["results"]
    same([(r["setting"], r["batch"], r["rounds"], r["threads"]) for r in one],
         [("cauchy, hidden 6-5, latent 3, batch 10", 10, 1, 1)])
    if os.environ.get("VAECTL_RUNNER"):
        return  # too slow under a checker
    same([r["setting"] for r in vaectl_json(*small)["results"]], [
        "normal, hidden 400, latent 20, batch 128", "normal, hidden 200-200, latent 50, batch 100",
        "normal, hidden 100-100, latent 10, batch 64", "spikeslab, hidden 400, latent 10, batch 128",
        "normal, hidden 200-200, latent 50, batch 20"])


sys.exit(run())
