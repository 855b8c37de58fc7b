# SPDX-License-Identifier: MIT
"""What vaectl says while it works: lines on stderr, and how they change on a terminal."""
import os
import re
import sys
import time

from shared.program import on_terminal, read_rows, vaectl, vaectl_json, write_idx
from shared.tap import alike, run, same, test

SMALL = ["train", "--data", "builtin:digits:train=30,test=20", "--hidden", 6, "--latent", 3, "--batch", 10, "--threads",
         1]
SETTINGS = ("validation 0, binarize none, prior normal, kl auto, kl-samples 10, kl-noise iid, posterior gaussian, "
            "likelihood bernoulli, latent 3, hidden 6, activation relu, conditional 0, init torch, output-bias init, "
            "objective elbo, samples 1, gradient standard, beta 1, beta-warmup 0, free-bits 0, epochs 2, patience 0, "
            "batch 10, lr 0.001, clip 0, schedule constant, lr-steps none, lr-factor 0.1, adam-beta1 0.9, "
            "adam-beta2 0.999, adam-eps 1e-08, seed 1")
CLEAR = "\r\033[K"
NEXT = "next: vaectl reconstruct, vaectl sample, vaectl traverse, vaectl eval\n"
BAR = re.compile(r"\repoch (\d+)/(\d+) \[(#*)(\.*)\] ([ \d]{3}) %  loss (\d+\.\d\d)  (\d+) images/s  (\d+):(\d\d) left"
                 r"\x1b\[K")
NLL = re.compile(r"\rnll: (\d+) of (\d+) images, (\d+):(\d\d) left\x1b\[K")


def epoch_line(row, epochs, latents, loss="", end=""):
    """What is said after an epoch, from its row of metrics.csv."""
    r = {name: float(text) for name, text in row.items()}
    return (f"epoch {row['epoch']}/{epochs}  {loss}train {r['train_recon'] + r['train_kl']:.2f} = "
            f"recon {r['train_recon']:.2f} + kl {r['train_kl']:.2f}  test {r['test_neg_elbo']:.2f} = "
            f"recon {r['test_recon']:.2f} + kl {r['test_kl']:.2f}  active {row['active_units']}/{latents}  "
            f"{r['seconds']:.1f} s{end}\n")


@test("train says what it trains on, its settings, and after each epoch its losses")
def _():
    errors = vaectl(*SMALL, "--epochs", 2, "-o", "run")[1]
    alike(errors, f"builtin:digits:train=30,test=20: 30 + 20 images of 28 x 28\n{SETTINGS}\n" +
          "".join(epoch_line(row, 2, 3) for row in read_rows("run")))


@test("the loss is said where it is not the ELBO, the validation loss where there is one, and when it is the best")
def _():
    errors = vaectl(*SMALL, "--epochs", 9, "--beta", 4, "--validation", 0.4, "--lr", 0.1, "-o", "run")[1]
    least, lines = float("inf"), []
    for row in read_rows("run"):
        validation = float(row["validation_loss"])
        lines += [epoch_line(row, 9, 3, f"loss {float(row['train_loss']):.2f}  ",
                             f"  validation {validation:.2f}{' (best)' if validation < least else ''}")]
        least = min(least, validation)
    alike("".join(errors.splitlines(keepends=True)[2:]), "".join(lines))
    assert 0 < errors.count("(best)") < 9, errors
    assert errors.startswith("builtin:digits:train=30,test=20: 18 + 12 + 20 images of 28 x 28\n"), errors


@test("--quiet says nothing, on a terminal neither; --json leaves stderr as it is")
def _():
    for flags in (["--quiet"], ["-q", "--json"]):
        same(vaectl(*SMALL, "--epochs", 1, "-o", "run", "--force", *flags)[1], "")
        same(on_terminal(*SMALL, "--epochs", 1, "-o", "run", "--force", *flags)[1], "")
    assert vaectl(*SMALL, "--epochs", 1, "-o", "run", "--force", "--json")[1].count("\n") == 3


@test("on a terminal the line of an epoch replaces the progress, and the next steps are named")
def _():
    for flags in ([], ["--json"]):
        out, sent = on_terminal(*SMALL, "--epochs", 2, "-o", "run", "--force", *flags)
        lines = "".join(CLEAR + epoch_line(row, 2, 3) for row in read_rows("run"))
        alike(BAR.sub("", sent).partition(f"\n{SETTINGS}\n")[2], lines + NEXT)
        same(out.count("\n"), 1 if flags else 2)


@test("a training that ends early says why, and clears the line of progress first")
def _():
    out, sent = on_terminal(*SMALL, "--lr", 1e6, "--epochs", 2, "-o", "run")
    assert re.search(r"seed 1\n(\r[^\n]*)?\r\x1b\[Kvaectl: training diverged: [^\n]*\n$", sent), sent
    same(out, "")
    errors = vaectl(*SMALL, "--lr", 0.1, "--validation", 0.4, "--patience", 2, "--epochs", 400, "-q", "-o", "run2")[1]
    losses = [float(row["validation_loss"]) for row in read_rows("run2")]
    same(losses.index(min(losses)), len(losses) - 3)
    same(errors, f"vaectl: stopped after epoch {len(losses)}: validation loss was best after epoch {len(losses) - 2} "
         "(--patience 2)\n")


# ---- Progress -------------------------------------------------------------------------------------------------------

# Few steps, each so slow that most of them show: a step is a quarter of an epoch.
IMAGES, BATCH, EPOCHS = 40, 10, 900
SLOW = ["train", "--data", f"builtin:digits:train={IMAGES},test=1", "--hidden", 4, "--latent", 2, "--batch", BATCH,
        "--threads", 1, "--kl", "mc", "--kl-samples", 20000 if os.environ.get("VAECTL_RUNNER") else 400000, "-o", "run"]


def check_bar(found, earlier=0):
    """Width, share, rate and the time left of a line of progress agree. Returns bounds of the seconds so far, that is
    without the `earlier` images of an epoch that was resumed."""
    epoch, epochs, done, rest, percent, loss, rate, minutes, seconds = found
    same((len(done + rest), int(epochs), int(percent) % 25), (24, EPOCHS, 0), found)
    same(len(done), 24 * int(percent) // 100, found)
    assert 0 < float(loss) < 2000 and int(seconds) < 60, found
    here = int(percent) * IMAGES // 100
    slowest, fastest = float(rate) - 0.51, float(rate) + 0.51
    left = (EPOCHS - int(epoch) + 1) * IMAGES - here
    assert left / fastest - 1 < 60 * int(minutes) + int(seconds) <= left / slowest, found
    return (here - earlier) / fastest, (here - earlier) / slowest


def is_within_a_later_epoch(sent):
    return any(int(found[0]) > 1 and int(found[4]) < 85 for found in BAR.findall(sent))


@test("progress on a terminal: a bar of 24, percent, rate and time left, at most ten times a second, in each epoch")
def _():
    out, sent = on_terminal(*SLOW, "--epochs", EPOCHS, until=is_within_a_later_epoch)
    assert is_within_a_later_epoch(sent), sent
    ends = [float(text) for text in re.findall(r"active \d/2  (\d+\.\d) s", sent)]
    for epoch, end in enumerate([*ends, float("inf")], 1):
        of_epoch = [check_bar(found) for found in BAR.findall(sent) if int(found[0]) == epoch]
        same(of_epoch, sorted(of_epoch))
        for i, (low, high) in enumerate(of_epoch, 1):
            assert high >= 0.1 * i - 1e-3 and low <= end + 0.06, (epoch, i, low, high, end)
    assert sent.endswith(f"{CLEAR}vaectl: interrupted: state saved in run/model.safetensors\n"), sent
    same(out, "")


@test("progress of a resumed epoch counts what was done before, but not in its rate")
def _():
    on_terminal(*SLOW, "--epochs", EPOCHS, until=BAR.search)
    state = vaectl_json("info", "run")
    earlier = BATCH * state["step"] - IMAGES * state["epoch"]
    sent = on_terminal("train", "--resume", "run", "--threads", 1, until=BAR.search)[1]
    assert sent.endswith(f"{CLEAR}vaectl: interrupted: state saved in run/model.safetensors\n"), sent
    found = BAR.search(sent).groups()
    if int(found[0]) == state["epoch"] + 1:  # else the rest of that epoch was too short to be seen
        assert check_bar(found, earlier)[1] > 0.1 - 1e-3 and int(found[4]) * IMAGES > 100 * earlier, (earlier, found)


@test("no progress of a long step under --quiet, nor where stderr is no terminal")
def _():
    flags = [*SLOW, "--data", "builtin:digits:train=10,test=1", "--epochs", 1, "--force"]
    same(on_terminal(*flags, "-q")[1], "")
    errors = vaectl(*flags)[1]
    same((errors.count("\n"), "\r" in errors, "\033" in errors), (3, False, False))


@test("eval on a terminal says how far the likelihood is, and clears that")
def _():
    vaectl(*SMALL, "--epochs", 1, "-q", "-o", "run")
    flags = ["eval", "run", "--samples", 2, "--json"]
    _, sent = on_terminal(*flags, "--data", "builtin:digits:train=300,test=1")
    same(sent, f"\rnll: 1 of 1 images, 0:00 left\033[K{CLEAR}")
    _, sent = on_terminal(*flags, "--data", "builtin:digits:train=300,test=1", "--split", "train")
    steps = re.fullmatch(r"\rnll: (\d+) of 300 images, \d+:\d\d left\x1b\[K"
                         r"\rnll: (\d+) of 300 images, \d+:\d\d left\x1b\[K"
                         rf"\rnll: 300 of 300 images, 0:00 left\x1b\[K\r\x1b\[K", sent)
    assert steps and 0 < int(steps[1]) < int(steps[2]) < 300, sent
    same(vaectl(*flags)[1], "")
    same(on_terminal("eval", "run", "--samples", 0)[1], "")


@test("the time left of a likelihood is that of the images to come")
def _():
    n = 12800
    write_idx("images", (n, 1, 2), bytes(2 * n))
    vaectl("train", "--data", "images", "--hidden", 2, "--latent", 2, "--epochs", 1, "--batch", 1000, "-q", "-o", "run")
    began = time.monotonic()
    _, sent = on_terminal("eval", "run", "--split", "train", "--samples", 5000, "--threads", 1, until=NLL.search)
    elapsed = time.monotonic() - began
    done, total, minutes, seconds = map(int, NLL.search(sent).groups())
    assert 0 < 60 * minutes + seconds <= elapsed * (total - done) / done, (sent, elapsed)


sys.exit(run())
