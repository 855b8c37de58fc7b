# SPDX-License-Identifier: MIT
# Not under tsan: pixels and texts. Threads that encode and decode are in unit/test_latents and commands.bats.
"""The pictures of reconstruct, sample and traverse, pixel by pixel, of models whose encoder and decoder are linear with
known weights. Prints TAP."""
import json
import math
import os
import shutil
import statistics
import sys

from shared.figure import read_svg, texts
from shared.model_file import load, save
from shared.philox import AGGREGATE, BINARIZE, HOLDOUT, PRIOR, VALIDATION, block, permutation, uniform, words
from shared.picture import draw, shows, thinned
from shared.png import read, size
from shared.program import read_bytes, read_npy, refuse, vaectl, write_idx, write_mnist
from shared.tap import run, same, test

ROWS, COLS, LATENT, HIDDEN = 5, 3, 12, 24
PIXELS = ROWS * COLS
ZOOM, PAD = 11, 13  # of such tiles

# ---- Images and models -----------------------------------------------------------------------------------------------

# The mean of latent j is 2 x[j] - x[j+3]; pixel k of the mean image is BIAS[k] + sum_j WEIGHT[k][j] z[j].
BIAS = [(8 + k) / 32 for k in range(PIXELS)]
WEIGHT = [[((7 * k + 5 * j) % 13 - 6) / 64 for j in range(LATENT)] for k in range(PIXELS)]


def make_images(number, n):
    """n images of noise, of a stream that vaectl has not; `number` names the set."""
    return [bytes(word >> 24 for word in words(number, 99, i, 0, PIXELS)) for i in range(n)]


TRAIN, TEST = make_images(1, 30), make_images(2, 25)


def tile(levels):
    return [levels[at:at + COLS] for at in range(0, PIXELS, COLS)]


def grey(image):
    return [byte / 255 for byte in image]


def encode(x):
    return [2 * x[j] - x[j + 3] for j in range(LATENT)]


def outputs(z):
    return [bias + sum(w * v for w, v in zip(row, z)) for bias, row in zip(BIAS, WEIGHT)]


def decode(z):
    return tile([255 * out for out in outputs(z)])


def sigmoid_decode(z):
    return tile([255 / (1 + math.exp(-out)) for out in outputs(z)])


def matrix(rows, cols, values):
    """A tensor with values at {(row, column): value}, zero elsewhere."""
    return [rows, cols], [values.get((r, c), 0) for r in range(rows) for c in range(cols)]


def linear_weights():
    """ReLU passes pixels, which are not negative; a latent takes two units, for its positive and its negative part. The
    posterior is wide: were z drawn and not its mean, every pixel would show it."""
    signs = [(j, sign) for j in range(LATENT) for sign in (1, -1)]
    return {
        "encoder.0.weight": matrix(HIDDEN, PIXELS, {(k, k): 1 for k in range(PIXELS)}),
        "encoder.0.bias": ([HIDDEN], [0] * HIDDEN),
        "mu.weight": matrix(LATENT, HIDDEN, {(j, k): v for j in range(LATENT) for k, v in ((j, 2), (j + 3, -1))}),
        "mu.bias": ([LATENT], [0] * LATENT),
        "logvar.weight": matrix(LATENT, HIDDEN, {}),
        "logvar.bias": ([LATENT], [4] * LATENT),
        "decoder.0.weight": matrix(HIDDEN, LATENT, {(h, j): sign for h, (j, sign) in enumerate(signs)}),
        "decoder.0.bias": ([HIDDEN], [0] * HIDDEN),
        "decoder.1.weight": ([PIXELS, HIDDEN], [sign * row[j] for row in WEIGHT for j, sign in signs]),
        "decoder.1.bias": ([PIXELS], BIAS),
    }


def rewrite(path, weights, **state):
    """Puts tensors and parts of the training state into a model file."""
    tensors, metadata = load(path)
    for name, (shape, values) in weights.items():
        same(tensors[name][0], shape, name)
        tensors[name] = shape, values
    metadata["vaectl.state"] = json.dumps({**json.loads(metadata["vaectl.state"]), **state})
    save(path, tensors, metadata)


def make_model(*flags, weights=None, kl=(None,) * LATENT, data="images"):
    """run/model.safetensors, trained on TRAIN and TEST in the folder `images`, with known weights put in."""
    write_mnist("images", ROWS, COLS, TRAIN, TEST)
    vaectl("train", "--data", data, "--latent", LATENT, "--hidden", HIDDEN, "--likelihood", "gaussian", "--epochs", 1,
           "-q", "-o", "run", *flags)
    rewrite("run/model.safetensors", weights or linear_weights(), kl_per_dim=list(kl))


def written(path, *command):
    """The command succeeds and says the file that it wrote, and no more."""
    if os.path.exists(path):
        os.remove(path)
    same(vaectl(*command), (f"{path}\n", ""), f"{command}")


# ---- Traversals ------------------------------------------------------------------------------------------------------

KL = [0.31, 2.5, 17.04, 2.5, 9.99, 0, -0.06, 1, 33.33, 104.25, 0.07, 6.5]
BY_KL = {9: "z9 KL 104.25", 8: "z8 KL 33.33", 2: "z2 KL 17.04", 4: "z4 KL 9.99", 11: "z11 KL 6.50", 1: "z1 KL 2.50",
         3: "z3 KL 2.50", 7: "z7 KL 1.00", 0: "z0 KL 0.31", 10: "z10 KL 0.07", 5: "z5 KL 0.00", 6: "z6 KL -0.06"}
ORIGIN = [0] * LATENT
TITLE = "Traversal: normal on images"
END = statistics.NormalDist().inv_cdf(0.975)  # of the middle 95 % of the prior


def moved(base, to):
    """`base` with some latents put elsewhere."""
    return [to.get(j, value) for j, value in enumerate(base)]


def rows_of(base, latents, positions, decode=decode):
    """The picture of a traversal, latents with their labels."""
    tiles = [[decode(moved(base, {j: z})) for z in positions] for j in latents]
    return draw(tiles, ZOOM, PAD, labels=list(latents.values()),
                columns=thinned([f"{z:.3g}" for z in positions], COLS * ZOOM + PAD))


def first_by_kl(n):
    return dict(list(BY_KL.items())[:n])


@test("traverse: a row a latent, the largest KL first, over the middle 95 % of the prior from left to right")
def traverse_rows():
    make_model(kl=KL)
    written("run/traverse.png", "traverse", "run", "--steps", 3)
    shows("run/traverse.png", rows_of(ORIGIN, BY_KL, (-END, 0, END)), TITLE)
    written("p.png", "traverse", "run", "--steps", 5, "--range", 1.5, "--rows", 3, "-o", "p.png")
    shows("p.png", rows_of(ORIGIN, first_by_kl(3), (-1.5, -0.75, 0, 0.75, 1.5)), TITLE)
    rewrite("run/model.safetensors", {}, kl_per_dim=[0] * 11 + [1234567890123.25])  # no label may be longer
    written("p.png", "traverse", "run", "--steps", 1, "--rows", 1, "-o", "p.png")
    shows("p.png", rows_of(ORIGIN, {11: "z11 KL 1234567890123.25"}, [0]), TITLE)


@test("traverse: unknown KLs are in the order of the latents, which are named alone")
def traverse_without_kl():
    make_model()
    written("run/traverse.png", "traverse", "run", "--steps", 2, "--rows", 11)
    shows("run/traverse.png", rows_of(ORIGIN, {j: f"z{j}" for j in range(11)}, (-END, END)),
          TITLE)


@test("traverse: the means of a Bernoulli likelihood are probabilities")
def traverse_bernoulli():
    make_model("--likelihood", "bernoulli", kl=KL)
    written("run/traverse.png", "traverse", "run", "--steps", 2, "--rows", 2, "--range", 20)
    shows("run/traverse.png", rows_of(ORIGIN, first_by_kl(2), (-20, 20), sigmoid_decode), TITLE)


@test("traverse --image: the other latents stay at the posterior mean of that image of that split")
def traverse_from_image():
    others = make_images(3, 7)
    make_model(kl=KL)
    write_mnist("others", ROWS, COLS, others[:4], others[4:])
    for image, flags in ((TEST[0], "0"), (TEST[24], "24"), (TRAIN[29], "29 --split train"),
                         (others[2], "2 --split train --data others"), (others[4], "0 --data others")):
        written("p.png", "traverse", "run", "--rows", 2, "--steps", 2, "-o", "p.png", "--image", *flags.split())
        shows("p.png", rows_of(encode(grey(image)), first_by_kl(2), (-END, END)), TITLE)
    written("p.png", "traverse", "run", "--rows", 2, "--steps", 1, "--image", 3, "-o", "p.png")
    shows("p.png", rows_of(encode(grey(TEST[3])), first_by_kl(2), (0,)), TITLE)


@test("traverse --dims: the first latent to the right, the second upwards")
def traverse_plane():
    make_model(kl=KL)
    base = encode(grey(TEST[2]))
    for (right, up), flags, start in (((0, 11), [], ORIGIN), ((10, 2), ["--image", 2], base)):
        dims = f"{right},{up}"
        written("p.png", "traverse", "run", "--dims", dims, "--range", 2, "--steps", 3, "-o", "p.png", *flags)
        tiles = [[decode(moved(start, {right: x, up: y})) for x in (-2, 0, 2)] for y in (2, 0, -2)]
        shows("p.png", draw(tiles, ZOOM, PAD, labels=("2", "0", "-2"), columns=("-2", "0", "2"), right=BY_KL[right],
                            up=BY_KL[up]), TITLE)
    written("p.png", "traverse", "run", "--dims", "0,11", "--steps", 1, "-o", "p.png")
    shows("p.png", draw([[decode(ORIGIN)]], ZOOM, PAD, labels=("0",), columns=("0",), right=BY_KL[0], up=BY_KL[11]),
          TITLE)


@test("texts above columns stand apart: only each second or third of them where they are long")
def columns_apart():
    make_model(kl=KL)
    for most, steps, shown in ((2, 5, (0, 1, 2, 3, 4)), (1.234, 5, (0, 2, 4)), (1.234, 4, (0, 2)), (1.234e5, 4, (0, 3))):
        places = [most * (2 * k / (steps - 1) - 1) for k in range(steps)]
        names = [f"{place:.3g}" if k in shown else "" for k, place in enumerate(places)]
        written("p.png", "traverse", "run", "--rows", 1, "--range", most, "--steps", steps, "-o", "p.png")
        (latent, name), = first_by_kl(1).items()
        shows("p.png", draw([[decode(moved(ORIGIN, {latent: x})) for x in places]], ZOOM, PAD, labels=(name,),
                            columns=names), TITLE)


# ---- Samples ---------------------------------------------------------------------------------------------------------

def prior_draws(seed, n):
    """Latents of n draws from the normal prior: word 0 of a block each, through the normal quantile."""
    quantile = statistics.NormalDist().inv_cdf
    return [[quantile(uniform(block(seed, PRIOR, 0, i * LATENT + j)[0])) for j in range(LATENT)] for i in range(n)]


@test("sample: draws from the prior of a seed, in the smallest square that holds them, wide rather than high")
def sample():
    make_model()
    most = 2**53 - 1
    for n, across, seed in ((1, 1, 1), (2, 2, 2), (3, 2, 7), (5, 3, most), (7, 3, 0), (9, 3, 1)):
        tiles = [decode(z) for z in prior_draws(seed, n)]
        tiles += [None] * (-n % across)
        written("run/sample.png", "sample", "run", "-n", n, "--seed", seed)
        shows("run/sample.png", draw([tiles[at:at + across] for at in range(0, len(tiles), across)], ZOOM, PAD),
              "Samples: normal on images")


@test("sample --temperature multiplies the noise; --from aggregate draws images, and z from their posteriors")
def sample_otherwise():
    make_model(weights={**linear_weights(), "logvar.bias": ([LATENT], [-60] * LATENT)})  # posteriors are points
    for temperature in (0, 0.5, 2):
        written("run/sample.png", "sample", "run", "-n", 4, "--temperature", temperature)
        tiles = [decode([temperature * value for value in z]) for z in prior_draws(1, 4)]
        shows("run/sample.png", draw([tiles[:2], tiles[2:]], ZOOM, PAD), "Samples: normal on images")
    for flags, images, seed in (([], TEST, 1), (["--split", "train"], TRAIN, 5)):
        written("run/sample.png", "sample", "run", "-n", 6, "--from", "aggregate", "--seed", seed, *flags)
        chosen = [images[word * len(images) >> 32] for word in words(seed, AGGREGATE, 0, 0, 6)]
        tiles = [decode(encode(grey(image))) for image in chosen]
        shows("run/sample.png", draw([tiles[:3], tiles[3:]], ZOOM, PAD), "Samples: normal on images")
    for flags, message in ((["--from", "posterior"], "--from: 'posterior' (expected prior or aggregate)"),
                           (["--split", "test"], "--split: goes with --from aggregate alone"),
                           (["--data", "images", "--from", "prior"], "--data: goes with --from aggregate alone"),
                           (["--from", "aggregate", "--temperature", 2], "--temperature: goes with --from prior alone"),
                           (["--temperature", -1], "--temperature: -1 is out of range (expected 0 to 1000)")):
        refuse(2, message, "sample", "run", *flags)


@test("sample --truncate: the first values of each latent in the central share of the prior")
def sample_truncated():
    make_model()
    pool = prior_draws(7, 200)
    for share in (0.8, 0.1):
        most = statistics.NormalDist().inv_cdf((1 + share) / 2)
        columns = [[value for value in column if abs(value) <= most][:4] for column in zip(*pool)]
        written("run/sample.png", "sample", "run", "-n", 4, "--seed", 7, "--truncate", share)
        tiles = [decode(z) for z in zip(*columns, strict=True)]
        shows("run/sample.png", draw([tiles[:2], tiles[2:]], ZOOM, PAD), "Samples: normal on images")
    written("all.png", "sample", "run", "--truncate", 1, "-o", "all.png")
    written("run/sample.png", "sample", "run")
    same(read_bytes("all.png"), read_bytes("run/sample.png"))
    vaectl("sample", "run", "--truncate", 0.01, "-n", 9000, "-o", "many.npy")  # of a million draws, the last try
    for flags, message in ((["--from", "aggregate", "--truncate", 0.5], "--truncate: goes with --from prior alone"),
                           (["--temperature", 2, "--truncate", 0.5], "sample: --temperature or --truncate, not both")):
        refuse(2, message, "sample", "run", *flags)


@test("sample --truncate of a joint prior: the first draws of which each latent is within")
def sample_truncated_draws():
    vaectl("train", "--data", "builtin:digits:train=60,test=10", "--hidden", 8, "--latent", 2, "--prior",
           "mixture:components=5", "--epochs", 1, "-q", "-o", "run")
    def latents(n, *flags):
        vaectl("sample", "run", "-n", n, "--seed", 3, "--latents", "z.npy", *flags)
        values = read_npy("z.npy")[2]
        return list(zip(values[::2], values[1::2]))
    everything = latents(5000)
    bounds = [statistics.quantiles(column, n=10) for column in zip(*everything)]  # 10 % and 90 %, of fewer draws
    def outside(z, slack):
        return any(not b[0] - slack < value < b[-1] + slack for value, b in zip(z, bounds))
    kept = latents(300, "--truncate", 0.8)
    assert not any(outside(z, 0.15) for z in kept), kept
    inner = [z for z in everything[:everything.index(kept[-1])] if not outside(z, -0.15)]
    assert len(inner) > 100 and set(inner) <= set(kept), len(inner)
    same(kept, [z for z in everything if z in set(kept)])
    refuse(2, "--truncate: fewer than 10000 of 1048576 draws lie within (expected more)", "sample", "run", "-n", 10000,
           "--truncate", 0.01, "-o", "z.npy")


# ---- Labelled figures ------------------------------------------------------------------------------------------------

@test("a picture whose name ends in .svg has title, note and labels; other endings and scales are refused")
def labelled():
    make_model(kl=KL)
    for command, flags, title, note, labels in (
            ("reconstruct", ["-n", 2, "--first", 3], "Reconstructions", "Images 3 to 4 of the test split. Mean: of p(x|z) "
             "at the mean of q(z|x).", ["input", "mean"]),
            ("sample", ["-n", 3], "Samples", "Draws from the prior, decoded to their means.", []),
            ("sample", ["--temperature", 0.5], "Samples", "Draws from the prior at temperature 0.5, decoded to their means.",
             []),
            ("sample", ["--truncate", 0.9], "Samples", "Draws from the central 90 % of the prior of each latent, decoded to "
             "their means.", []),
            ("sample", ["--from", "aggregate"], "Samples", "Draws from the aggregate posterior of the test split, decoded to "
             "their means.", []),
            ("traverse", ["--rows", 2, "--steps", 3, "--range", 3], "Traversal", None,
             ["z9 KL 104.25", "z8 KL 33.33", "-3", "0", "3"])):
        written("figure.svg", command, "run", *flags, "-o", "figure.svg")
        shown = texts(read_svg("figure.svg"))
        same(shown[0], f"{title}: normal on images")
        joined = "".join(shown[1:])
        assert note is None or joined.startswith(note), joined
        assert not labels or shown[-len(labels):] == labels, (shown, labels)
    written("large.png", "sample", "run", "-n", 3, "--scale", 3, "-o", "large.png")
    written("small.png", "sample", "run", "-n", 3, "-o", "small.png")
    same(size("large.png"), tuple(3 * side for side in size("small.png")))
    for command, kinds in (("reconstruct", ""), ("sample", ".npy, .csv, "), ("traverse", ""), ("plot kl", "")):
        for name in ("x.jpg", "x", "x.svg.gz"):
            refuse(2, f"--output: '{name}' (expected a name that ends in {kinds}.png or .svg)", *command.split(), "run", "-o", name)
        for scale in ("0", "21", "nan", "x"):
            _, errors = vaectl(*command.split(), "run", "--scale", scale, status=2)
            assert errors.startswith("vaectl: --scale: "), errors


# ---- Reconstructions -------------------------------------------------------------------------------------------------

def reconstructions(images, pixels=grey):
    """Bands of ten images, below them the decoded means of q(z|x), where x are the image's `pixels`. The last band may
    be filled in part."""
    rows, across = [], min(10, len(images))
    for at in range(0, len(images), across):
        band = images[at:at + across]
        rest = [None] * (across - len(band))
        rows += [[tile(image) for image in band] + rest, [decode(encode(pixels(image))) for image in band] + rest]
    return draw(rows, ZOOM, PAD, band=2, labels=("input", "mean") * (len(rows) // 2))


def reconstructed(images, *flags, pixels=grey, data="images"):
    written("run/reconstruct.png", "reconstruct", "run", *flags)
    shows("run/reconstruct.png", reconstructions(images, pixels), f"Reconstructions: normal on {data}")


@test("reconstruct: ten images a band, each above the decoded mean of its posterior")
def reconstruct():
    make_model()
    reconstructed(TEST[:20])
    reconstructed(TEST[7:20], "-n", 13, "--first", 7)
    reconstructed(TEST[2:4], "-n", 2, "--first", 2)
    reconstructed(TEST[24:], "--first", 24)
    refuse(2, "--first: 25 is past the last of 25 images", "reconstruct", "run", "--first", 25)


@test("reconstruct: the splits of one file by the model's shares and seed; training images where none are held out")
def reconstruct_splits():
    write_idx("one", (len(TRAIN), ROWS, COLS), b"".join(TRAIN))
    make_model("--holdout", 0.2, "--validation", 0.25, "--seed", 5, data="one")
    os.remove("run/best.safetensors")  # its weights are those that were trained
    first = [TRAIN[i] for i in permutation(5, HOLDOUT, 0, 30)]
    kept, test = first[:24], first[24:]
    second = [kept[i] for i in permutation(5, VALIDATION, 0, 24)]
    for images, flags in ((test, []), (test, ["--split", "test"]), (second[:18], ["--split", "train"]),
                          (second[18:], ["--split", "validation"])):
        reconstructed(images, *flags, data="one")
    shutil.rmtree("run")
    make_model("--holdout", 0, data="one")
    reconstructed([TRAIN[i] for i in permutation(1, HOLDOUT, 0, 30)][:2], "-n", 2, data="one")
    for split in ("test", "validation"):
        refuse(2, f"--split {split}: the data has no such split", "reconstruct", "run", "--split", split)
    refuse(2, "--split: 'valid' (expected train, validation, test or all)", "reconstruct", "run", "--split", "valid")


@test("reconstruct --data: other images; where the model's own are missing, the message names the flag")
def reconstruct_other_data():
    make_model()
    os.rename("images", "moved")
    reconstructed(TEST[:1], "--data", "moved", "-n", 1)
    missing = (": No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv file, or "
               "builtin:NAME of digits, gaussians, templates, patches)")
    refuse(3, f"images{missing} (the model's training data; --data names others)", "reconstruct", "run")
    refuse(3, f"other{missing}", "reconstruct", "run", "--data", "other")


@test("pixels of the encoder are binarised as the model has it, those of the picture are not")
def binarised():
    make_model("--binarize", "threshold")
    reconstructed(TEST[:2], "-n", 2, pixels=lambda image: [byte > 127 for byte in image])
    shutil.rmtree("run")
    make_model("--binarize", "dynamic", kl=KL)

    def drawn(image):
        """By seed 1; a step of its own for the test split, counted from the last; four pixels a block, four blocks an
        image."""
        noise = words(1, BINARIZE, 2**64 - 1 - 2, 16 * TEST.index(image), PIXELS)
        return [255 * word < byte << 32 for word, byte in zip(noise, image)]

    reconstructed(TEST[3:6], "-n", 3, "--first", 3, pixels=drawn)
    written("p.png", "traverse", "run", "--rows", 2, "--steps", 2, "--image", 4, "-o", "p.png")
    shows("p.png", rows_of(encode(drawn(TEST[4])), first_by_kl(2), (-END, END)), TITLE)


# ---- Which model, which file, which values ---------------------------------------------------------------------------

def even_weights(level):
    """A decoder whose images are of one grey."""
    return {"decoder.1.weight": matrix(PIXELS, HIDDEN, {}), "decoder.1.bias": ([PIXELS], [level / 255] * PIXELS)}


def level_of(path):
    return min(read(path)[0][-5])  # there are tiles and paper


@test("a run's best model before its last, a file by its own name, runs/latest without a name; pictures beside them")
def models():
    make_model(weights=even_weights(10))
    os.remove("runs/latest")
    shutil.copytree("run", "runs/latest")
    for path, level in (("run/best", 20), ("runs/latest/model", 30), ("file", 40)):
        shutil.copy("run/model.safetensors", f"{path}.safetensors")
        rewrite(f"{path}.safetensors", even_weights(level))
    os.mkdir("folder")
    for flags, path, level in (("run", "run/{}.png", 20), ("run/model.safetensors", "run/{}.png", 10),
                               ("file.safetensors", "{}.png", 40), ("", "runs/latest/{}.png", 30),
                               ("-o p.png", "p.png", 30), ("run --output=folder/p.png", "folder/p.png", 20)):
        for command in ("sample", "traverse"):
            name = path.format(command)
            written(name, command, *flags.split(), *{"sample": ["-n", 1], "traverse": ["--rows", 1]}[command])
            same(level_of(name), level, f"grey of {command} {flags}")
    for command in ("reconstruct", "sample", "traverse"):
        refuse(4, "nowhere/p.png: cannot write: No such file or directory", command, "run", "-o", "nowhere/p.png")


@test("models that are not there")
def no_models():
    os.mkdir("empty")
    cannot = "cannot open: No such file or directory (expected a model file)"
    refuse(5, "runs/latest: no model there (train one with 'vaectl train', or name a run)", "sample")
    refuse(5, f"nowhere: {cannot}", "reconstruct", "nowhere")
    refuse(5, "empty: no model.safetensors in it (expected a run folder)", "traverse", "empty")
    refuse(5, "/dev/null: not a regular file (expected a model file)", "sample", "/dev/null")


@test("names as long as they may be, and longer")
def long_names():
    make_model(weights=even_weights(10))
    name = "./" * 1020 + "abc.png"
    written(name, "sample", "run", "-n", 1, "-o", name)
    refuse(2, "-o: longer than 2047 characters", "sample", "run", "-o", "./" + name[1:])
    name = "./" * 990 + "run"
    written(f"{name}/sample.png", "sample", name, "-n", 1)
    refuse(5, "RUN: longer than 1984 characters", "sample", "./." + name[1:])


DEFAULTS = {"reconstruct": {"n": 20, "first": 0, "split": "test"}, "sample": {"n": 100, "seed": 1},
            "traverse": {"range": "prior", "steps": 11, "rows": 32}}


@test("values without flags")
def defaults():
    write_mnist("images", ROWS, COLS, TRAIN, TEST)
    vaectl("train", "--data", "images", "--latent", 34, "--hidden", 8, "--epochs", 1, "-q", "-o", "run")
    for command, values in DEFAULTS.items():
        written(f"run/{command}.png", command, "run")
        written("p.png", command, "run", "-o", "p.png", *(f"--{name}={value}" for name, value in values.items()))
        same(read(f"run/{command}.png"), read("p.png"), command)
    same(size("run/traverse.png")[1], 2 * 4 + 24 + 32 * (ROWS * ZOOM + PAD), "height of 32 rows")


@test("traverse: rows, latents and images out of range")
def wrong_traversals():
    make_model()
    expected = "(expected two latent indices such as 0,1)"
    for flag, value, message in (
            ("--rows", "0", "0 is out of range (expected 1 to 256)"),
            ("--rows", "257", "257 is out of range (expected 1 to 256)"),
            ("--image", "25", "25 is out of range (expected 0 to 24)"), ("--dims", "0", f"'0' {expected}"),
            ("--dims", "0,", f"'0,' {expected}"), ("--dims", "0,1,2", f"'0,1,2' {expected}"),
            ("--dims", "a,1", f"'a,1' {expected}"), ("--dims", "0,12", "12 is out of range (expected 0 to 11)"),
            ("--dims", "12,0", "12 is out of range (expected 0 to 11)"), ("--dims", "3,3", "twice the same latent 3")):
        refuse(2, f"{flag}: {message}", "traverse", "run", flag, value)
    assert not os.path.exists("run/traverse.png")


sys.exit(run())
