# SPDX-License-Identifier: MIT
"""Each call of a training that deals with files fails, once with each of several errors, and writes are short or take
nothing. The training must end with a status that says so and one line, or go through to the bytes that it would have had
without; the run must be all old or all new with nothing lying beside it."""
import collections
import errno
import sys

from shared.faults import LONG, attack, run
from shared.interrupted import FORMS, NEW, Attack, files_of, leftovers, run_with

ERRORS = [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR]
LOOKING = {"stat", "lstat", "fstat", "access"}  # no signal interrupts these


def may_stay(name, left):
    """What could not be removed, or, as its new name could not be synced, may not yet be."""
    return len(left) == 1 and (name in {"unlink", "unlinkat", "rmdir"} or (name in {"open", "fsync"} and left == [NEW]))


def faults_of(training):
    """(call, which one, fault), in the short form one fault for each call."""
    count, found = collections.Counter(call.name for call in training.calls), []
    for name, most in sorted(count.items()):
        faults = [errno.EIO, errno.EACCES] if name in LOOKING else ERRORS
        faults = faults + ["short", "zero"] * (name == "write") + ["short"] * (name == "read")
        for at in range(1, most + 1):
            chosen = faults if LONG else [faults[at % len(faults)]] if at % 24 == 1 or most < 5 else []
            found += [(name, at, fault) for fault in chosen]
    return found


def fail_at(training, name, at, fault):
    """The exit status, which must be that of an error in writing, or of one in reading the run that is resumed."""
    training.begin()
    status, errors = run_with(training.form.command, calls=name, at=at, do=fault)
    assert status in (0, 4, 5), (status, errors)
    warned = status == 0 and errors.startswith("vaectl: runs/latest: cannot point at run: ")
    assert errors.count("\n") == (status != 0 or warned), errors
    assert status == 0 or errors.startswith(("vaectl: run", "vaectl: source", "vaectl: .: cannot sync")), errors
    assert status != 0 or files_of("run") == training.last, "other bytes"
    assert status == 0 or fault not in (errno.EINTR, "short"), errors
    assert status != 0 or name != "write" or fault in (errno.EINTR, "short"), f"{name} {at} {fault}: not noticed"
    assert status != 5 or training.form.name in ("--resume", "fit --force"), errors
    state = training.check()
    assert not leftovers("run") or may_stay(name, leftovers("run")), leftovers("run")
    if status:
        training.go_on(state)
    return status


def fail_everywhere(form):
    training, statuses, wrong = Attack(form), collections.Counter(), []
    for name, at, fault in faults_of(training):
        try:
            statuses[fail_at(training, name, at, fault)] += 1
        except AssertionError as error:
            wrong.append(f"{name} {at} fails with {fault}: {error}")
    assert not wrong, "\n".join([f"{len(wrong)} of {len(wrong) + sum(statuses.values())}", *wrong])
    return (f"{sum(statuses.values())} errors, 0 lost, 0 mixed; "
            + ", ".join(f"{n} ended with {status}" for status, n in sorted(statuses.items())))


for one in FORMS:
    attack(f"errors of calls, {one.name}")(lambda one=one: fail_everywhere(one))

sys.exit(run())
