# SPDX-License-Identifier: MIT
"""Each call of a training that deals with files fails, once with each of several errors, and writes are short or take
nothing. The training must end with a status that says so and one line, or go through to the bytes that it would have had
without; the run must be all old or all new with nothing lying beside it."""
import collections
import errno
import gzip
import os
import shutil
import sys

from shared.faults import LONG, attack, run
from shared.interrupted import FORMS, NEW, SMALL, Attack, files_of, leftovers, read_log, run_with, succeed
from shared.program import write_idx, write_npy

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
    status, errors, _ = run_with(training.form.command, calls=name, at=at, do=fault)
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


# ---- Commands that read data -----------------------------------------------------------------------------------------

IMAGES, STREAMED = 20, 180_000  # so many of 28 x 28 are more than is held in memory, and are read where they are used
EVAL = ["eval", "run", "--samples", 1, "--threads", 1]
READERS = [
    ("gzip", [*EVAL, "--data", "images.gz"]),
    (".npy", [*EVAL, "--data", "images.npy"]),
    (".csv", [*EVAL, "--data", "images.csv"]),
    ("streamed", [*EVAL, "--data", "streamed", "--limit", 3]),
    ("compare", ["compare", *SMALL, "--epochs", 1, "--prior", "normal,laplace", "--jobs", 2, "-o", "compared"]),
]


def write_data():
    """Images in each format; those to stream are a file without blocks."""
    pixels = bytes(i % 251 for i in range(IMAGES * 784))
    write_idx("images", (IMAGES, 28, 28), pixels)
    with open("images", "rb") as images, gzip.open("images.gz", "wb") as packed:
        packed.write(images.read())
    write_npy("images.npy", (IMAGES, 28, 28), pixels, "|u1")
    with open("images.csv", "w", encoding="ascii") as rows:
        print(*(f"{row}x{column}" for row in range(1, 29) for column in range(1, 29)), sep=",", file=rows)
        for i in range(0, len(pixels), 784):
            print(*pixels[i:i + 784], sep=",", file=rows)
    write_idx("streamed", (STREAMED, 28, 28), b"")
    os.truncate("streamed", os.path.getsize("streamed") + STREAMED * 784)


def result_of(words, **fault):
    """What a command that must succeed prints, or of a comparison the runs that it makes."""
    shutil.rmtree("compared", ignore_errors=True)
    status, errors, out = run_with(words, **fault)
    assert status == 0, (status, errors)
    return {name: files_of(f"compared/{name}") for name in os.listdir("compared")} if words[0] == "compare" else out


def places(most):
    """Which calls of so many: each process of a comparison has its own count, and the first one few calls."""
    first = 12
    return [*range(1, min(first, most) + 1), *range(first + 1, most + 1, 1 + most // (100 if LONG else 5))]


@attack("interrupted calls of commands that read data")
def interrupt_readers():
    succeed(["train", *SMALL, "--epochs", 1, "-o", "run"])
    write_data()
    tried = 0
    for name, words in READERS:
        expected = result_of(words, log="calls")
        count = collections.Counter(call.name for call in read_log("calls") if call.name not in LOOKING)
        os.remove("calls")
        for call, most in sorted(count.items()):
            for fault in (errno.EINTR, *["short"] * (call in ("read", "pread", "write"))):
                for at in places(most):
                    tried += 1
                    assert result_of(words, calls=call, at=at, do=fault) == expected, (name, call, at, fault)
    return f"{tried} calls interrupted or cut short, all without a difference"


for one in FORMS:
    attack(f"errors of calls, {one.name}")(lambda one=one: fail_everywhere(one))

sys.exit(run())
