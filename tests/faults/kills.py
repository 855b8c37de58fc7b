# SPDX-License-Identifier: MIT
"""A training is killed at each of its calls that deal with files: new, resumed, and in the place of another run. Every
time the run must be all old or all new, with at most one leftover, and go on to the bytes that it would have had."""
import collections
import signal
import sys

from shared.faults import LONG, attack, run
from shared.interrupted import FORMS, Attack, leftovers, run_with

# After a kill at another call the disk is as after a kill at the next of these.
CHANGING = "write,rename,unlinkat,rmdir,mkdir,symlink,posix_fallocate"


def kill_at(training, calls, at, do):
    training.begin()
    status, errors, _ = run_with(training.form.command, calls=calls, at=at, do=do)
    assert status == -signal.SIGKILL, (status, errors)
    state = training.check()
    assert len(leftovers("run")) <= 1, leftovers("run")
    left = len(leftovers("run"))
    training.go_on(state)
    return state, left


def kill_everywhere(form):
    training = Attack(form)
    calls = CHANGING if not LONG else ",".join(sorted({call.name for call in training.calls}))
    count = sum(call.name in calls.split(",") for call in training.calls)
    places = [(calls, at, "kill") for at in range(1, count + 1)]
    places += [("write", at, "torn") for at in range(1, sum(call.name == "write" for call in training.calls) + 1)]
    states, left = collections.Counter(), 0
    for names, at, do in places if LONG else places[::4]:
        try:
            state, one = kill_at(training, names, at, do)
        except AssertionError as error:
            raise AssertionError(f"{do} at call {at} of {names}: {error}") from error
        states[state] += 1
        left += one
    return (f"{sum(states.values())} kills, 0 lost, 0 mixed ("
            + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
            + f"), {left} with a leftover, none after the next start")


for one in FORMS:
    attack(f"kills at calls, {one.name}")(lambda one=one: kill_everywhere(one))

sys.exit(run())
