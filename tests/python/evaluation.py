# SPDX-License-Identifier: MIT
"""Every number that eval, info and train print, against the same model evaluated in plain Python; then every other way
to read a number against that one: text against JSON, the model file and metrics.csv."""
import csv
import json
import math
import re
import statistics
import sys

from shared.model_file import YOUNG, load, save
from shared.philox import VALIDATION
from shared.program import in_one_column, refuse, unwrapped, vaectl, write_mnist
from shared.reference import Vae, divide, rows_of
from shared.tap import near, run, same, test

ROWS, COLS, TRAIN, TEST = 3, 2, 40, 600  # of the test images, 512 are evaluated in one block, 128 by the nll
IMAGES = [[(37 * i + 101 * k * k + 11 * i * k) % 256 for k in range(ROWS * COLS)] for i in range(TRAIN + TEST)]
SMALL = {"hidden": [4], "latent": 3, "batch": 10, "epochs": 3, "lr": 0.02, "activation": "tanh"}

CASES = {  # training; evaluation; the same for the reference
    "as trained": ({"prior": "spikeslab:p=0.7,c2=0.04", "kl-samples": 3}, {}, {}),
    "exact KL, several draws, a seed": (
        {"prior": "laplace"}, {"kl": "exact", "elbo-samples": 3, "seed": 2 ** 33 + 5, "near-zero": 0.3},
        {"exact": True, "samples": 3, "seed": 2 ** 33 + 5, "near_zero": 0.3}),
    "Monte Carlo KL of a normal prior, some images": (
        {"likelihood": "gaussian:sigma=0.2"}, {"kl": "mc", "kl-samples": 4, "limit": 530, "near-zero": 1},
        {"exact": False, "kl_samples": 4, "near_zero": 1}),
    "drawn pixels, the training split": (
        {"binarize": "dynamic", "prior": "cauchy:scale=2"}, {"split": "train", "near-zero": 0.5}, {"near_zero": 0.5}),
    "static pixels": ({"binarize": "static"}, {"near-zero": 2}, {"near_zero": 2}),
    "the validation split, importance-weighted": (
        {"validation": 0.3, "objective": "iwae", "samples": 3, "binarize": "dynamic", "lr": 0.05},
        {"split": "validation", "seed": 3, "near-zero": 0.2}, {"seed": 3, "near_zero": 0.2}),
}
FLOORS = {"normal": 0, "laplace": 0.0484, "cauchy:scale=2": 0.1828}  # of an idle latent, from docs/statistics.md


def train(settings):
    write_mnist("data", ROWS, COLS, IMAGES[:TRAIN], IMAGES[TRAIN:])
    words = [w for k, v in settings.items() for w in (f"--{k}", ",".join(map(str, v)) if isinstance(v, list) else v)]
    return vaectl("train", "--data", "data", "-o", "run", "-q", *words)[0]


def reference_of(path, settings):
    """The model in a file, in plain Python."""
    vae = Vae(ROWS * COLS, **settings)
    tensors, _ = load(path)
    for name, tensor in vae.params.items():
        values = iter(tensors[name][1])
        for row in rows_of(tensor):
            row[:] = [next(values) for _ in row]
    return vae


def images_of(settings, split):
    """(number, bytes) of a split, and the number of the stream that draws its pixels."""
    if split == "test":
        return list(enumerate(IMAGES[TRAIN:])), 2
    kept, taken = divide(TRAIN, settings.get("validation", 0), settings.get("seed", 1), VALIDATION)
    chosen = range(TRAIN) if not settings.get("validation") else kept if split == "train" else taken
    return [(i, IMAGES[i]) for i in chosen], 0


def close(got, want, what):
    if isinstance(want, list):
        same(len(got), len(want), what)
        for j, value in enumerate(want):
            close(got[j], value, f"{what}[{j}]")
    elif want is None:
        same(got, None, what)
    else:
        near(got, want, 1e-4, what)


def evaluate_and_compare(settings, asked, reference):
    settings = {**SMALL, **settings}
    train(settings)
    name = "best" if settings.get("validation") else "model"
    vae = reference_of(f"run/{name}.safetensors", settings)
    images, split = images_of(settings, asked.get("split", "test"))
    images = images[:asked.get("limit", len(images))]
    flags = [w for k, v in asked.items() for w in (f"--{k}", v)]
    report = json.loads(vaectl("eval", "run", "--json", "--samples", 5, "--per-image", "each.csv", *flags)[0])
    if "near-zero" not in asked:
        reference = {**reference, "near_zero": 2 * math.sqrt(0.04)}  # of the spike
    wanted = {"n": len(images), **vae.evaluate(images, split, **reference),
              **vae.nll(images, 5, split, asked.get("seed", 1)), "nll_samples": 5, "seed": asked.get("seed", 1),
              "near_zero": reference["near_zero"], "elbo_samples": asked.get("elbo-samples", 1),
              "kl_samples": 0 if reference.get("exact", vae.kl_is_exact()) else
              asked.get("kl-samples", vae.set["kl-samples"]), "probe_accuracy": None}
    compare_each(report, [(*losses, nll) for losses, nll in zip(wanted.pop("each"), wanted.pop("each_nll"))])
    for key, value in wanted.items():
        close(report[key], value, key)
    if settings.get("prior", "normal") in FLOORS:
        near(report["kl_floor"], FLOORS[settings.get("prior", "normal")], 1e-4, "kl_floor")
    compare_text(report, vaectl("eval", "run", "--samples", 5, *flags)[0])


def compare_each(report, wanted):
    """The rows of --per-image against the reference, their means and standard errors against the report."""
    with open("each.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    same(report["per_image"], "each.csv")
    same([(row["index"], row["label"]) for row in rows], [(str(i), "") for i in range(len(wanted))])
    same(list(rows[0]), ["index", "label", "neg_elbo", "recon", "kl", "nll", "khat", "row"])
    keys = ["neg_elbo", "recon", "kl", "nll"]
    for row, values in zip(rows, wanted):
        for key, value in zip(keys, values):
            near(float(row[key]), value, 1e-4, key)
    for key in keys:
        values = [float(row[key]) for row in rows]
        near(sum(values) / len(values), report[key], 2e-8, f"mean of {key}")
        if key in ("neg_elbo", "nll"):
            near(statistics.stdev(values) / math.sqrt(len(values)), report[f"{key}_se"], 2e-8, f"error of {key}")


number = r"(-?[0-9.]+)"
HOYER = [
    (f"Hoyer         {number} raw, {number} normalized \\(fewer than two units are active\\)",
     ("hoyer", "hoyer_normalized")),
    (f"Hoyer         {number} raw, {number} normalized, {number} normalized over active units",
     ("hoyer", "hoyer_normalized", "hoyer_active")),
]


def compare_text(report, text):
    """The text of eval against its JSON, to the digits that it shows."""
    K = report["kl_samples"]
    patterns = [
        (f"{report['data']}, {report['split']} split: (\\d+) images, noise seed (\\d+), (\\d+) draws? of z an image, " +
         (f"Monte Carlo KL of {K} samples" if K else "exact KL"), ("n", "seed", "elbo_samples")),
        (f"neg_elbo      {number} = recon {number} \\+ kl {number} nats/image \\(standard error {number} over images\\)",
         ("neg_elbo", "recon", "kl", "neg_elbo_se")),
        (f"nll           {number} \\((\\d+) importance samples, {number} effective; standard error {number} over images, "
         f"{number} of sampling; in expectation too high by {number} or more\\)(?: \\(.*)?",
         ("nll", "nll_samples", "nll_effective_samples", "nll_se", "nll_mc_se", "nll_bias")),
        (f"active units  (\\d+) of 3 .*", ("active_units",)),
        HOYER[report["hoyer_active"] is not None],
        (f"an idle latent costs {number} nats under this prior", ("kl_floor",)),
        (f"\\|z\\| < {number} +{number} % of drawn latents", ("near_zero", "near_zero_percent")),
    ]
    report = {**report, "near_zero_percent": 100 * report["near_zero_share"]}
    text = unwrapped(text)
    for pattern, keys in patterns:
        found = re.search(f"^{pattern}$", text, re.MULTILINE)
        assert found, f"no line {pattern} in\n{text}"
        for key, shown in zip(keys, found.groups(), strict=True):
            as_shown(report[key], shown, key)
    table = re.findall(f"^ +(\\d) +{number} +{number} +{number}$", text, re.MULTILINE)
    same([int(row[0]) for row in table], [0, 1, 2], "latents")
    for j, row in enumerate(table):
        as_shown(report["kl_per_dim"][j], row[1], "KL")
        as_shown(report["kl_per_dim"][j] - report["kl_floor"], row[2], "KL - floor")
        as_shown(report["mean_variance"][j], row[3], "variance")


def as_shown(value, shown, what):
    """A number against its rounded text."""
    if value is None:
        return same(shown, "nan", what)
    digits = len(shown.partition(".")[2])
    half = 0.51 * 10 ** -digits + (5e-5 * abs(value) if what == "near_zero" else 0)  # that one has four digits
    assert abs(float(shown) - value) <= half, f"{what}: {shown}, elsewhere {value!r}"


for name, (settings, asked, reference) in CASES.items():
    test(f"eval as in plain Python: {name}")(
        lambda s=settings, a=asked, r=reference: evaluate_and_compare(s, a, r))


WAYS = {"in_sample": TEST, "left_out": TEST, "held_out": TRAIN}
PARTS = {"information": "I(x;z)", "marginal_kl": "KL(q(z) || p(z))", "total_correlation": "  total correlation",
         "latents_kl": "  sum over latents"}


def parts_of_the_kl(settings):
    settings = {**SMALL, **settings}
    train(settings)
    vae = reference_of("run/model.safetensors", settings)
    wanted = vae.decompose(images_of(settings, "test")[0], images_of(settings, "train")[0], 40, 2, 0)
    flags = ["eval", "run", "--samples", 0, "--decompose", 40]
    got, text = json.loads(vaectl(*flags, "--json")[0])["decomposition"], vaectl(*flags)[0]
    same(got["draws"], 40)
    for way, images in WAYS.items():
        same(got[way]["images"], images, way)
        near(got[way]["log_images"], math.log(images), 1e-8, way)
        for part, (value, se) in wanted[way].items():
            near(got[way][part]["value"], value, 1e-4, f"{part}, {way}")
            near(got[way][part]["se"], se, 1e-3, f"error of {part}, {way}")
    for part, name in PARTS.items():
        row = re.search(f"^  {re.escape(name)} {{2,}}" + "  +".join([f"{number} \\({number}\\)"] * 3), text, re.MULTILINE)
        for way, value, se in zip(WAYS, row.groups()[::2], row.groups()[1::2]):
            as_shown(got[way][part]["value"], value, part)
            as_shown(got[way][part]["se"], se, part)
    shown = re.findall(f"^ +\\d(?: +{number}){{2,3}} +(-?\\d\\.\\d+) +{number}$", text, re.MULTILINE)
    same(len(shown), 3, "latents")
    for row, latent in zip(shown, got["latent_marginal_kl"]):
        as_shown(latent["value"], row[1], "KL of q(z_j)")


for _settings in ({"prior": "laplace"}, {"binarize": "dynamic"}):
    test(f"the parts of the KL as in plain Python: {_settings}")(lambda s=_settings: parts_of_the_kl(s))


@test("k-hat as in plain Python")
def khats():
    settings = {**SMALL, "prior": "spikeslab", "lr": 0.1}
    train(settings)
    images, split = images_of(settings, "test")
    for samples in (25, 64):
        wanted = reference_of("run/model.safetensors", settings).nll(images[:150], samples, split)
        flags = ["--limit", 150, "--samples", samples]
        report = json.loads(vaectl("eval", "run", "--json", "--per-image", "each.csv", *flags)[0])
        close(report["nll_khat"], wanted["nll_khat"], "k-hat")
        with open("each.csv", newline="") as file:
            each = [float(row["khat"]) for row in csv.DictReader(file)]
        near(statistics.mean(each), report["nll_khat"], 2e-8, "mean of each image's k-hat")
        near(sum(k > 0.7 for k in each) / 150, report["nll_khat_above"], 1e-9, "share of them above 0.7")
        near(report["nll_khat_above"], wanted["nll_khat_above"], 0.5 / 150, "share above 0.7")
        assert (f"\nk-hat         {wanted['nll_khat']:.2f} on average, above 0.7 for "
                f"{100 * report['nll_khat_above']:.1f} % of images\n") in vaectl("eval", "run", *flags)[0]


@test("info, train --json, metrics.csv and the model file tell the same numbers")
def same_numbers():
    settings = {**SMALL, "validation": 0.25, "prior": "laplace:scale=0.5", "lr": 0.1}
    train({**settings, "epochs": 2})
    summary = json.loads(vaectl("train", "--resume", "run", "--epochs", 4, "-q", "--json")[0])
    state = json.loads(load("run/model.safetensors")[1]["vaectl.state"])
    info = json.loads(vaectl("info", "run/model.safetensors", "--json")[0])
    rows = list(csv.DictReader(open("run/metrics.csv")))
    same([int(row["epoch"]) for row in rows], [1, 2, 3, 4], "epochs")
    for key in ("epoch", "step", "train_loss", "test_recon", "test_kl", "test_neg_elbo", "active_units"):
        near(summary[key], state[key], 1e-8, f"train --json, {key}")
    for key in ("epoch", "step", "train_loss", "test_recon", "test_kl", "test_neg_elbo", "active_units", "best_loss",
                "best_epoch", "validation_loss", "rows", "cols"):
        near(info[key], state[key], 1e-12, f"info --json, {key}")
    for key in rows[-1]:
        if key != "seconds":
            as_shown(state[key], rows[-1][key], f"metrics.csv, {key}")
    best = min(rows, key=lambda row: float(row["validation_loss"]))
    same(int(best["epoch"]), state["best_epoch"], "best epoch")
    as_shown(state["best_loss"], best["validation_loss"], "best loss")
    near(state["test_recon"] + state["test_kl"], state["test_neg_elbo"], 1e-12, "neg_elbo")
    near(sum(state["kl_per_dim"]), state["test_kl"], 1e-12, "kl")


@test("info in text says what it says in JSON")
def info_text():
    train({**SMALL, "validation": 0.25, "prior": "laplace:scale=0.5", "hidden": [4, 3]})
    text = vaectl("info", "run")[0]
    assert len(text.splitlines()) <= 40, "more than a screen"
    info = json.loads(vaectl("info", "run", "--json")[0])
    tensors, metadata = load("run/best.safetensors")
    parameters = sum(len(values) for name, (_, values) in tensors.items() if not name.startswith("adam"))
    same(info["parameters"], parameters, "parameters")
    same(info["build"], metadata["vaectl.build"], "build")
    same(info["config"], {**json.loads(metadata["vaectl.config"]), **YOUNG}, "settings")
    lines = [f"model        {info['model']}", f"built by     {info['build']}", f"images       {ROWS} x {COLS}",
             f"parameters   {parameters}", f"trained      {info['epoch']} epochs, {info['step']} steps",
             f"test         neg_elbo {info['test_neg_elbo']:.2f} = recon {info['test_recon']:.2f} + kl "
             f"{info['test_kl']:.2f} nats/image, {info['active_units']} active units",
             f"validation   loss {info['validation_loss']:.2f}, best {info['best_loss']:.2f} after epoch "
             f"{info['best_epoch']} (best.safetensors)", "settings"]
    lines += [f"  {name:<20} {as_text(value)}" for name, value in info["config"].items()]
    lines += ["tensors"] + [f"  {name:<20} {' x '.join(map(str, shape))}" for name, (shape, _) in tensors.items()
                            if not name.startswith("adam")]
    same(sorted(in_one_column(text).splitlines()), sorted(lines), "info")


def as_text(value):
    return f"{value:g}" if isinstance(value, float) else str(value)


@test("a loss that is not finite ends eval, compare and the figure of the KL with 6, and names the model")
def _():
    train({"hidden": [4], "latent": 3, "epochs": 1})
    tensors, metadata = load("run/model.safetensors")
    shape, values = tensors["logvar.bias"]
    save("run/model.safetensors", {**tensors, "logvar.bias": (shape, [3e38] * len(values))}, metadata)
    why = "neg_elbo of these images is not finite (are the weights those of a training that diverged?)"
    for words in (["eval", "run"], ["eval", "run", "--json"], ["report", "run"], ["plot", "kl", "run"]):
        refuse(6, f"run/model.safetensors: {why}", *words)
    refuse(6, f"run: {why}", "compare", "run", "-o", "c.svg")


if __name__ == "__main__":
    sys.exit(run())
