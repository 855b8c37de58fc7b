# SPDX-License-Identifier: MIT
"""Eight processes start at once with one run folder: one trains, the others end with 7, and the lock ends with its
holder, however that dies."""
import concurrent.futures
import contextlib
import os
import signal
import sys

from shared.faults import LONG, attack, run
from shared.interrupted import PENDING, SMALL
from shared.program import started, vaectl, vaectl_json, wait_until
from shared.tap import same

PROCESSES = 8
ENDLESS = ["--epochs", 1000000]


def race(run, words, number):
    """One round: all but one must end with 7 and a line; a signal ends the last, whose run then goes on."""
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(started("train", *words, *ENDLESS)) for _ in range(PROCESSES)]
        wait_until(lambda: sum(p.poll() is None for p in processes) <= 1, "one is left")
        winners = [p for p in processes if p.poll() is None]
        for loser in (p for p in processes if p not in winners):
            errors = loser.stderr.read()
            assert loser.returncode == 7 and errors.count("\n") == 1, (loser.returncode, errors)
        assert len(winners) == 1, f"{len(winners)} winners"
        winners[0].send_signal(number)
        winners[0].communicate()
        assert winners[0].returncode == -number, winners[0].returncode
    if os.path.exists(f"{run}/model.safetensors") or os.path.exists(f"{run}/{PENDING}"):
        vaectl("train", "--resume", run, "--epochs", vaectl_json("info", run)["epoch"] + 1, "--threads", 1, "-q")
    else:  # a new one that was killed before it was there
        vaectl("train", *words, "--epochs", 1)


@attack("8 processes on one folder")
def _():
    rounds = 100 if LONG else 6
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    for i in range(rounds):
        number = signal.SIGTERM if i % 2 else signal.SIGKILL
        if i % 3 == 0:
            race(f"new{i}", [*SMALL, "-o", f"new{i}"], number)
        elif i % 3 == 1:
            race("run", [*SMALL, "-o", "run", "--force"], number)
        else:
            race("run", ["--resume", "run", "--threads", 1, "-q"], number)
    return f"{rounds} rounds, in each 1 trained and {PROCESSES - 1} ended with 7"


def replace_often(words, times):
    """Trains again and again in the place of the run."""
    for i in range(times):
        vaectl("train", *words, "--seed", i, "--epochs", 1, *["--validation", 0.3] * (i % 2))


@attack("reading a run that is being replaced")
def _():
    os.environ["LD_PRELOAD"] = os.environ["VAE_BUILD"] + "/tests/faults/shim.so"  # which does not wait for the disk
    words = [*SMALL, "-o", "run", "--force"]
    replace_often(words, 1)
    read, times = 0, 400 if LONG else 40
    with concurrent.futures.ThreadPoolExecutor() as pool:
        writer = pool.submit(replace_often, words, times)
        while not writer.done():
            same(vaectl_json("info", "run")["epoch"], 1)
            read += 1
        writer.result()
    del os.environ["LD_PRELOAD"]
    return f"{read} times while it was replaced {times} times"


sys.exit(run())
