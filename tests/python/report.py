# SPDX-License-Identifier: MIT
"""The page of `vaectl report`: what a parser finds in it, and what a browser shows and computes. Prints TAP."""
import base64
import contextlib
import csv
import html.parser
import json
import os
import random
import re
import shutil
import struct
import sys
import zlib

from shared import browser
from shared.model_file import load, save
from shared.page import ROOT
from shared.program import read_bytes, refuse, vaectl, vaectl_json, write_idx, write_mnist
from shared.tap import Skip, near, not_under, run, same, test

SOURCE = "builtin:digits:train=60,test=30"
SMALL = ["--data", SOURCE, "--hidden", 8, "--latent", 3, "--epochs", 2, "--batch", 20, "--lr", 0.01, "--threads", 1, "-q"]
QUICK = ["--samples", 5, "--threads", 1]
VOID = {"meta", "br", "input", "link", "img", "path", "polyline", "line", "rect", "circle", "image", "polygon"}


class Page(html.parser.HTMLParser):
    """Elements as (tag, attributes), and the texts of scripts, in their order."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.scripts, self.text, self.open = [], [], "", []
        with open(path, encoding="utf-8") as file:
            self.feed(file.read())
        self.close()
        same(self.open, [], "elements that are not closed")

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            same(self.open.pop(), tag, "an element ends")

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts.append(data)
        elif "style" not in self.open:
            self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]

    def numbers(self):
        return next(json.loads(text) for text in self.scripts if text.startswith('{"vaectl"'))

    def explorers(self):
        return [json.loads(text) for text in self.scripts if text.startswith('{"facts"')]


def train(name, *flags):
    vaectl("train", *SMALL, *flags, "-o", name)
    return name


def report(*words, path=None):
    """The page of these runs."""
    said = vaectl("report", *words, *QUICK)[0].strip()
    path = path or said
    same(said, path.replace("\x1b", "?"))
    assert os.path.getsize(path) < 2_000_000, path
    return Page(path)


def halves(text):
    data = zlib.decompress(base64.b64decode(text, validate=True))
    n = len(data) // 2
    return struct.unpack(f"<{n}e", bytes(byte for pair in zip(data[:n], data[n:]) for byte in pair))


# ---- Without a browser -----------------------------------------------------------------------------------------------

@test("the numbers are those of eval --json, of metrics.csv and of the model's settings")
def _():
    train("run", "--prior", "spikeslab", "--p", 0.7)
    page = report("run")
    numbers, want = page.numbers()["runs"][0], vaectl_json("eval", "run", "--decompose", 1000, *QUICK)
    del want["seconds"], want["per_image"]
    same(numbers["evaluation"], want)
    row = dict(zip(numbers["runs"]["columns"], numbers["runs"]["rows"][0]))
    same((row["nll"], row["neg_elbo"], row["setting_prior"]), (want["nll"], want["neg_elbo"], "spikeslab:p=0.7,c2=0.05"))
    same(numbers["latents"]["rows"], [[j, kl, want["kl_floor"], variance] for j, (kl, variance) in
                                      enumerate(zip(want["kl_per_dim"], want["mean_variance"]))])
    with open("run/metrics.csv", encoding="ascii") as file:
        for got, line in zip(numbers["epochs"]["rows"], csv.DictReader(file)):
            got = dict(zip(numbers["epochs"]["columns"], got))
            for name, value in line.items():
                near(got[name], float(value), 1e-8, name)
    for value in (want["nll"], want["neg_elbo"]):
        assert f"{value:.2f}" in page.text, value
    same(f"{want['active_units']} of 3" in page.text, True)
    for split in ("test", "train"):
        assert f"on the {split} split of {SOURCE}." in report("run", "--split", split).text, split


@test("the same page for any number of threads, and made again")
def _():
    train("run")
    pages = []
    for threads in (1, 3, 1):
        vaectl("report", "run", "--samples", 5, "--threads", threads, "-o", f"{threads}.html")
        pages.append(read_bytes(f"{threads}.html").replace(b"--threads %d" % threads, b"").replace(b"%d.html" % threads, b""))
    assert pages[0] == pages[1] == pages[2]


@test("checksums are those of the model file and of the pixels")
def _():
    train_images, test_images = [[i, 255 - i, 7, 0] for i in range(20)], [[0, i, 9, 200] for i in range(10)]
    write_mnist("m", 2, 2, train_images, test_images, ([0] * 20, [0] * 10))
    vaectl("train", *SMALL[2:], "--data", "m", "-o", "run")
    page = report("run", "--limit", 5)
    want = {"model": read_bytes("run/model.safetensors"), "train": bytes(sum(train_images, [])),
            "images": bytes(sum(test_images, []))}
    same(page.numbers()["runs"][0]["crc32"], {name: f"{zlib.crc32(data):08x}" for name, data in want.items()})


@test("the page asks for nothing: its policy, no address in it, pictures inside")
def _():
    page = report(train("run"))
    policy = next(m["content"] for m in page.all("meta") if m.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;") and "script-src 'sha256-" in policy, policy
    for tag, attributes in page.elements:
        for name, value in attributes.items():
            if name in ("src", "href", "xlink:href"):
                assert value.startswith(("#", "data:image/png")), (tag, value)
            assert not name.startswith("on"), (tag, name)
    for image in page.all("svg"):
        assert "viewBox" in image or "viewbox" in image
    same(len([a for tag, a in page.elements if tag == "div" and a.get("role") == "img" and not a.get("aria-label")]), 0)


def ring(path):
    with open(path, "w", encoding="ascii") as file:
        file.write("".join(f"{(i * 7 % 50) / 25 - 1},{(i * 13 % 50) / 25 - 1}\n" for i in range(200)))


NAME = "<!--<script>\"'&\x1b[31m\xe9"


def hostile():
    """A run and its data under names that would end a script, or begin a comment in it."""
    os.mkdir("x<")
    ring("x</script>.csv")
    vaectl("train", *SMALL[2:], "--latent", 1, "--data", "x</script>.csv", "--likelihood", "gaussian", "-o", "run")
    shutil.move("run", NAME)
    return report(NAME, path=f"{NAME}/report.html")


@test("names from outside are text and nothing else")
def _():
    page = hostile()
    same(len(page.all("script")), 3)
    assert "<!--<script>\"'&?[31m\xe9" in page.text and "x</script>.csv" in page.text
    same((page.numbers()["runs"][0]["run"], page.numbers()["runs"][0]["evaluation"]["data"]), (NAME, "x</script>.csv"))
    with open(NAME + "/report.html", encoding="utf-8") as file:
        assert "\x1b" not in file.read()


@test("the decoder in the page is the model's, in half precision")
def _():
    train("run", "--activation", "gated", "--conditional")
    page, tensors = report("run"), load("run/model.safetensors")[0]
    facts = page.explorers()[0]
    loss = float(re.search(r"is off by more than (\S+) of 255 levels", page.text)[1])
    assert 0 < loss < 2, loss  # of weights that the model has back when the page is filled again
    same(len(facts["layers"]), 3)
    for name, layer in zip(("decoder.0", "decoder.0.gate", "decoder.1"), facts["layers"]):
        for part in ("weight", "bias"):
            want = tensors[f"{name}.{part}"][1]
            same(halves(layer[part]), tuple(struct.unpack("<e", struct.pack("<e", v))[0] for v in want))
    vaectl("encode", "run", "-o", "z.csv")
    with open("z.csv", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    encoded = halves(facts["encoded"])
    for i, row in enumerate(rows):
        for j in range(3):
            near(encoded[3 * i + j], float(row[f"z{j}"]), 1e-3)
    same(list(base64.b64decode(facts["labels"])), [int(row["label"]) for row in rows])


@test("warnings: a collapsed posterior, an unfinished training, no metrics.csv, grey pixels")
def _():
    train("run", "--beta", 50)
    text = report("run").text
    for words in ("The posterior has collapsed", "Grey pixels under a Bernoulli likelihood", "a beta other than 1"):
        assert words in text, words
    os.remove("run/metrics.csv")
    assert "no metrics.csv beside the model" in report("run").text
    tensors, metadata = load("run/model.safetensors")
    metadata["vaectl.config"] = metadata["vaectl.config"].replace('"epochs":2', '"epochs":7')
    save("run/model.safetensors", tensors, metadata)
    assert "Training ended after epoch 2 of 7." in report("run").text


@test("a posterior of little KL that follows its data has not collapsed; even weights of few samples are to be trusted")
def _():
    numbers = random.Random(1)
    with open("two.csv", "w", encoding="ascii") as file:
        file.write("".join(f"{numbers.gauss(0, 1.3):.4f},{numbers.gauss(0, 0.05):.4f}\n" for _ in range(600)))
    vaectl("train", "--data", "two.csv", "--likelihood", "gaussian", "--latent", 2, "--hidden", 8, "--epochs", 30, "--lr", 0.01,
           "--batch", 20, "--holdout", 0.3, "-q", "-o", "run")
    e = vaectl_json("eval", "run", "--samples", 25)
    assert e["kl"] < 0.5 and e["active_units"] == 1 and e["trusted"] == "nll", e
    assert "has collapsed" not in report("run").text


@test("rows of this program beside the published ones have figures that docs/results.md has")
def _():
    with open(f"{ROOT}/src/cli/report_published.c", encoding="utf-8") as source:
        rows = re.findall(r'\{"[a-z]+", "([^"]+)", ([0-9.]+), ([0-9.]+),\s*"this program, docs/results.md', source.read())
    with open(f"{ROOT}/docs/results.md", encoding="utf-8") as page:
        results = page.read()
    assert len(rows) > 8, rows
    for name, neg_elbo, nll in rows:
        assert all(re.search(rf"\| {float(v):.2f}[ |]", results) for v in (neg_elbo, nll)), (name, neg_elbo, nll)


@test("the page warns where the errors of the nll are not to be trusted, as eval does")
def _():
    train("run", "--beta", 50)
    tensors, metadata = load("run/model.safetensors")
    shape, values = tensors["decoder.0.weight"]
    told = []
    for part in (0, 0.2, 1):  # of what the decoder makes of z, which the collapsed posterior does not know
        save("run/model.safetensors", {**tensors, "decoder.0.weight": (shape, [part * v for v in values])}, metadata)
        words = ["--samples", 200, "--threads", 1]
        e = vaectl_json("eval", "run", *words)
        few, heavy = e["nll_effective_samples"] < 5, e["trusted"] == "neither"
        vaectl("report", "run", *words, "-o", "page.html")
        text = Page("page.html").text
        same("The NLL rests on few effective samples." in text, few)
        same(f"heavy tails: k-hat is above 0.7 for {100 * e['nll_khat_above']:.0f} % of images." in text, heavy and not few)
        told.append((few, heavy))
    same(told, [(False, False), (False, True), (True, True)])


@test("several runs stand side by side, up to eight")
def _():
    names = [train("a"), train("b", "--prior", "mixture:components=4")]
    page = report(*names)
    same([r["run"] for r in page.numbers()["runs"]], names)
    same(len(page.explorers()), 2)
    same(page.explorers()[0]["draws"], None)
    same(len(halves(page.explorers()[1]["draws"])), 3 * 30)
    page = report(train("c", "--hidden", 480), train("d", "--hidden", 480, "--seed", 2))
    losses = re.findall(r"weights as (\d+)-bit floats: of these images no decoded pixel is off by more than ([0-9.]+) of", page.text)
    same(len(losses), 2)
    for name, facts, (bits, most) in zip("cd", page.explorers(), losses):
        kept, (_, weights) = halves(facts["layers"][-1]["weight"]), load(f"{name}/model.safetensors")[0]["decoder.1.weight"]
        off = max(abs(a - b) / abs(b) for a, b in zip(kept, weights) if abs(b) > 1e-3)
        assert int(bits) < 16 and 0.9 < off / 2 ** (5 - int(bits)) <= 1.001, (bits, off)
        assert 0 < float(most) < 2, most
    train("wide", "--hidden", 3000)
    page = report("a", "wide")
    same(len(page.explorers()), 1)
    assert "There is no explorer for this run" in page.text
    refuse(2, "report: 9 runs (expected at most 8)", "report", *["a"] * 9)
    refuse(5, "nowhere: cannot open: No such file or directory (expected a model file)", "report", "a", "nowhere")
    same(os.path.exists("nowhere"), False)


@test("the data of each of several runs is looked for where that run is")
def _():
    for folder, period in (("a", 211), ("b", 251)):
        os.mkdir(folder)
        write_idx(f"{folder}/images", (40, 8, 8), bytes(i * k % period for i in range(40) for k in range(64)))
        with contextlib.chdir(folder):
            vaectl("train", *SMALL[2:], "--data", "images", "-o", "runs/x")
    train("z")
    names = ["z", "a/runs/x", "b/runs/x"]
    for name, numbers in zip(names, report(*names).numbers()["runs"]):
        want = vaectl_json("eval", name, *QUICK)
        same((numbers["run"], numbers["evaluation"]["neg_elbo"]), (name, want["neg_elbo"]))


@test("the page of a fitted model says how it was fitted, in words that fit it again")
def _():
    fit = "Its prior was fitted to a trained model, RUN, by"
    train("run")
    words = ["fit", "RUN", "--prior", "mixture:components=4", "--passes", "2", "--batch", "8", "--lr", "0.0125", "--seed", "5"]
    vaectl(words[0], "run", *words[2:], "-q", "-o", "fitted")
    assert f"{fit}\nvaectl {' '.join(words)}\n" in report("fitted").text, report("fitted").text
    assert fit not in report("run").text


@test("rows of numbers and one latent have a page as well")
def _():
    ring("ring.csv")
    vaectl("train", *SMALL[2:], "--latent", 1, "--data", "ring.csv", "--likelihood", "gaussian:sigma=per-pixel", "-o", "run")
    page = report("run")
    facts = page.explorers()[0]
    same((facts["facts"]["picture"], len(halves(facts["data"])), len(halves(facts["layers"][-1]["bias"]))), (False, 40, 2))
    same(page.all("image"), [])
    ranked = ranked_rows("run")
    for some in (ranked[:8], ranked[-8:]):
        assert "".join(f"{row}{loss:.2f}\n" for row, loss in some) in page.text, (some, page.text)


def ranked_rows(run):
    """Rows in the file of data of the images with their losses, by loss."""
    vaectl("eval", run, "--samples", 0, "--per-image", "each.csv")
    with open("each.csv", encoding="ascii") as file:
        ranked = sorted(csv.DictReader(file), key=lambda row: (float(row["neg_elbo"]), int(row["index"])))
    return [(row["row"], float(row["neg_elbo"])) for row in ranked]


@test("the best and the worst images are named by their rows in the file of data")
def _():
    write_idx("one.idx", (60, 4, 4), [37 * i * i % 251 for i in range(960)])
    vaectl("train", *SMALL[2:], "--data", "one.idx", "--holdout", 0.5, "-o", "run")
    page, rows = report("run"), ranked_rows("run")
    for which, part in (("Least", rows[:8]), ("Greatest", rows[-8:])):
        words = f"{which} \u2212ELBO, in nats above each image. Rows in the data file: {', '.join(row for row, _ in part)}"
        assert words in page.text, words


# ---- In a browser -----------------------------------------------------------------------------------------------------

ERRORS = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
PRIORS = ["normal", "spikeslab", "laplace", "cauchy", "studentt", "logistic", "scaled"]
ACTIVATIONS = ["relu", "tanh", "sigmoid", "softplus", "elu", "gated"]
LIKELIHOODS = ["bernoulli", "cbernoulli", "gaussian:sigma=0.5", "gaussian:sigma=per-pixel"]


def needs_browser():
    not_under("asan", "tsan", "valgrind", why="what Chromium makes of a page; other tests make pages")
    if not browser.find():
        raise Skip("Chromium is not installed")


def show(page, path, width=800, dark=False):
    page.open(path, width, dark)
    page.run("ready")


def quiet(page):
    """Nothing was reported, and nothing fetched but files that were opened."""
    same([event for event in page.events if event[0] in ERRORS], [])
    for method, parameters in page.events:
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            assert url.startswith(("data:", "file:///")) and (url[0] == "d" or url.endswith(".html")), url


@test("in a browser: decoded pixels are within 2/255 of vaectl decode's, for all activations, likelihoods, labels")
def _():
    needs_browser()
    for heading, names in (("Activations", ACTIVATIONS), ("Likelihoods", sorted({name.split(":")[0] for name in LIKELIHOODS}))):
        lines = vaectl("train", "--help")[0].split(heading)[1].split("\n\n")[0]
        same(sorted(re.findall(r"^  (\w+)", lines, re.M)), sorted(names), heading)
    page = browser.Browser()
    try:
        for i, activation in enumerate(ACTIVATIONS):
            likelihood, conditional = LIKELIHOODS[i % 4], ["--conditional"] if i % 2 else []
            train("run", "--force", "--activation", activation, "--likelihood", likelihood, "--prior", PRIORS[i], *conditional)
            report("run")
            with open("z.csv", "w", encoding="ascii") as file:
                file.write("z0,z1,z2\n0,0,0\n1.5,-2,0.25\n-3,4,-6\n")
            vaectl("decode", "run", "z.csv", "-o", "x.csv", *(["--label", 7] if conditional else []))
            show(page, "run/report.html")
            with open("x.csv", encoding="ascii") as file:
                for z, row in zip(([0, 0, 0], [1.5, -2, 0.25], [-3, 4, -6]), list(csv.reader(file))[1:]):
                    row = row[-784:]  # behind the label of a conditional model
                    got = page.run(f"[...explorers[0].decode(Float64Array.from({z}), 7)]")
                    worst = max(abs(min(1, max(0, a)) - min(1, max(0, float(b)))) for a, b in zip(got, row))
                    same(len(got), 784)
                    assert worst < 2 / 255, (activation, likelihood, z, worst)
            quiet(page)
    finally:
        page.close()


SHOWN = "document.querySelector('.picture').toDataURL()"


@test("in a browser: no overflow at 400, 800 and 1600 pixels, light or dark; sliders, plane and draws change the picture")
def _():
    needs_browser()
    train("a", "--conditional")
    train("b", "--prior", "mixture:components=4")
    report("a")
    report("a", "b")
    page = browser.Browser()
    try:
        papers = set()
        for path in ("a/report.html", "report.html"):
            for width in (400, 800, 1600):
                show(page, path, width, dark=width == 800)
                assert page.run("document.documentElement.scrollWidth") <= width, (path, width)
                same(page.run("document.querySelectorAll('.slider input').length"), 3 if path[0] == "a" else 6)
                papers.add(page.run("getComputedStyle(document.body).backgroundColor"))
        same(len(papers), 2)
        show(page, "a/report.html")
        pictures = [page.run(SHOWN)]

        def changed(what):
            pictures.append(page.run(SHOWN))
            assert pictures[-1] != pictures[-2], what
        page.run("(() => { const s = document.querySelector('.slider input'); s.value = s.max; s.dispatchEvent(new Event('input')) })()")
        changed("a slider")
        page.run("document.querySelector('.slider input').focus()")
        for kind in ("rawKeyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowLeft", code="ArrowLeft", windowsVirtualKeyCode=37)
        changed("a key on a slider")
        page.run("document.querySelector('.plane').focus()")
        for kind in ("rawKeyDown", "keyUp"):
            page.call("Input.dispatchKeyEvent", type=kind, key="ArrowUp", code="ArrowUp", windowsVirtualKeyCode=38)
        changed("a key on the plane")
        page.run("document.querySelector('.explorer select').value = 3, document.querySelector('.explorer select').dispatchEvent(new Event('change'))")
        changed("another label")
        x, y = page.run("(() => { const c = document.querySelector('.plane'); c.scrollIntoView(); const r = c.getBoundingClientRect(); return [r.x + r.width / 3, r.y + r.height / 3] })()")
        for kind in ("mousePressed", "mouseReleased"):
            page.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)
        changed("a click on the plane")
        page.run("[...document.querySelectorAll('.explorer button')].find((b) => b.textContent.startsWith('Draw')).click()")
        changed("a draw from the prior")
        rows = list(csv.reader(page.run("csv('latents')").splitlines()))
        same((rows[0], len(rows)), (["run", "latent", "kl", "kl_floor", "mean_variance"], 4))
        quiet(page)
    finally:
        page.close()


@test("in a browser: every prior can be drawn from, rows of numbers are shown, names are harmless")
def _():
    needs_browser()
    page = browser.Browser()
    try:
        hostile()
        shutil.copy(NAME + "/report.html", "names.html")
        show(page, "names.html")
        same(page.run("document.querySelector('h1').textContent"), NAME.replace("\x1b", "?"))
        same(page.run("[explorers.length, document.querySelectorAll('h1 *').length]"), [1, 0])
        for prior in PRIORS:
            vaectl("train", *SMALL[2:], "--latent", 1, "--data", "x</script>.csv", "--likelihood", "gaussian", "--prior",
                   prior, "--force", "-o", "run")
            report("run")
            show(page, "run/report.html")
            for _ in range(5):
                page.run("[...document.querySelectorAll('.explorer button')].find((b) => b.textContent.startsWith('Draw')).click()")
                assert abs(page.run("explorers[0].z[0]")) > 0
        quiet(page)
    finally:
        page.close()


sys.exit(run())
