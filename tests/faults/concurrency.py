# SPDX-License-Identifier: MIT
"""Eight processes start at once with one run folder: one trains, the others end with 7, and the lock ends with its
holder, however that dies."""
import contextlib
import signal
import sys

from shared.faults import LONG, attack, run
from shared.program import started, vaectl, vaectl_json, wait_until

PROCESSES = 8
SMALL = ["--data", "builtin:digits:train=30,test=10", "--hidden", 6, "--latent", 3, "--threads", 1, "-q"]
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
    vaectl("train", "--resume", run, "--epochs", vaectl_json("info", run)["epoch"] + 1, "--threads", 1, "-q")


@attack("8 processes on one folder")
def _():
    rounds = 100 if LONG else 6
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    for i in range(rounds):
        number = signal.SIGTERM if i % 2 else signal.SIGKILL
        if i % 3 == 0:
            race(f"new{i}", [*SMALL, "-o", f"new{i}"], signal.SIGTERM)
        elif i % 3 == 1:
            race("run", [*SMALL, "-o", "run", "--force"], number)
        else:
            race("run", ["--resume", "run", "--threads", 1, "-q"], number)
    return f"{rounds} rounds, in each 1 trained and {PROCESSES - 1} ended with 7"


sys.exit(run())
