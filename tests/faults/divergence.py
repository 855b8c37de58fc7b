# SPDX-License-Identifier: MIT
"""Learning rates that are too large: a training ends with 6 and names epoch and step, the last good checkpoint stays,
and no epoch is kept or reported whose losses mean nothing."""
import re
import sys

from shared.faults import LONG, attack, run
from shared.program import read_rows, vaectl, vaectl_json

PIXELS, TIMES = 784, 100
RATES = [0.03, 1, 10, 100, 1e4, 1e6] if LONG else [1, 100, 1e6]
SETTINGS = {
    "normal": [], "laplace": ["--prior", "laplace"], "spike and slab": ["--prior", "spikeslab"],
    "learned sigma": ["--likelihood", "gaussian:sigma=learned"],
    "sigma per pixel": ["--likelihood", "gaussian:sigma=per-pixel"], "iwae": ["--objective", "iwae", "--samples", 5],
    "mixture": ["--prior", "mixture"], "realnvp": ["--prior", "realnvp"], "lars": ["--prior", "lars:draws=64"],
    "vampprior": ["--prior", "vampprior:components=20"], "iaf": ["--posterior", "iaf"],
    "cauchy": ["--posterior", "cauchy", "--prior", "cauchy"],
    "clipped": ["--clip", 1],
}
COMMON = ["--data", "builtin:digits:train=500,test=100", "--hidden", 50, "--latent", 4, "--epochs", 4, "--keep-every", 1,
          "--threads", 2]
DIVERGED = re.compile(r"vaectl: training diverged: the .* at step (\d+) \(epoch (\d+)\); try a smaller lr\n")


def train(name, words):
    """Exit status of a training, which is 0 or 6, and what it said."""
    for status in (6, 0):
        try:
            return status, vaectl("train", *COMMON, *words, "-o", name, "--force", "-q", status=status)[1]
        except AssertionError as error:
            if status == 0:
                raise error


def judge(rate, words):
    """Was the training stopped?"""
    status, errors = train("run", [*words, "--lr", rate])
    rows = read_rows("run")
    untrained = vaectl_json("eval", "run/epoch-0000.safetensors", "--samples", 0)
    most = TIMES * max(PIXELS, untrained["neg_elbo"])
    for row in rows:
        assert float(row["test_recon"]) < most and float(row["train_loss"]) < most, (rate, words, row)
    vaectl("check", "run")
    if status == 6:
        match = DIVERGED.fullmatch(errors)
        assert match and int(match[2]) == (int(match[1]) + 3) // 4 == len(rows) + 1, (rate, words, errors, len(rows))
    return status == 6


@attack("learning rates that are too large")
def _():
    stopped = {rate: sum(judge(rate, words) for words in SETTINGS.values()) for rate in RATES}
    assert stopped[1e6] == len(SETTINGS), stopped
    return f"of {len(SETTINGS)} models " + ", ".join(f"{n} stopped at lr {rate:g}" for rate, n in stopped.items())


sys.exit(run())
