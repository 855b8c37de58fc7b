# SPDX-License-Identifier: MIT
"""Address space that ends anywhere (ulimit -v): each command must end within five seconds of the processor's time with
status 0 or 8, and say why with one line where it is 8. OpenBLAS gets no help from the environment."""
import collections
import os
import resource
import subprocess
import sys

from shared.faults import LONG, attack, run
from shared.program import vaectl

os.environ.pop("OPENBLAS_NUM_THREADS", None)
FIRST, LAST, STEP = (150, 500, 4) if LONG else (150, 500, 70)  # MB
COUNTS = range(1, 5) if LONG else (1, 3)  # of threads
TIMES = 5 if LONG else 1  # that the first command is swept, which gets its memory in the largest pieces
SECONDS, PATIENCE = 5, 120  # of the processor; of the clock, as others use the machine as well
WIDE = ["--data", "builtin:digits:train=300,test=10", "--hidden", 800, "--batch", 300, "--epochs", 1, "-q", "--force"]
SMALL = ["--data", "builtin:digits:train=60,test=10", "--hidden", 20, "--latent", 3, "--epochs", 1, "-q", "--force"]
COMMANDS = {
    "train": ["train", *WIDE, "-o", "wide"],
    "train --prior vampprior": ["train", *SMALL, "--prior", "vampprior:components=20", "-o", "vampprior"],
    "train --prior realnvp --posterior iaf": ["train", *SMALL, "--prior", "realnvp:width=20", "--posterior",
                                              "iaf:width=20,context=4", "-o", "realnvp"],
    "fit": ["fit", "run", "--prior", "mixture:components=5", "--passes", 1, "-q", "--force", "-o", "fit"],
    "eval": ["eval", "run", "--samples", 20],
    "sample": ["sample", "run", "-o", "sample.png"],
    "report": ["report", "run", "--samples", 5, "-o", "report.html"],
    "bench": ["bench", *SMALL[:6]],
}
THREADS = {name: name not in ("sample",) for name in COMMANDS}  # takes --threads


def limited(words, kilobytes):
    """Exit status (negative: a signal) and stderr under `ulimit -v KILOBYTES`."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (kilobytes * 1024,) * 2)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        done = subprocess.run([os.environ["VAECTL"], *map(str, words)], preexec_fn=limit, timeout=PATIENCE,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    except subprocess.TimeoutExpired:
        return "hangs", b""
    return done.returncode, done.stderr


def judge(status, errors):
    """What is wrong with an end, or ""."""
    told = errors.decode().splitlines()[-1:]
    is_good = status == 0 or status == 8 and told and told[0].startswith("vaectl: ")
    return "" if is_good else f"status {status} {told}"


def sweep(name, words):
    """How often it ended with which status; each but 0 and 8 is a failure."""
    statuses = collections.Counter()
    wrong = []
    for megabytes in range(FIRST, LAST + 1, STEP):
        for threads in COUNTS if THREADS[name] else [None]:
            status, errors = limited([*words, *(["--threads", threads] if threads else [])], 1000 * megabytes)
            statuses[status] += 1
            if fault := judge(status, errors):
                wrong.append(f"{megabytes} MB, {threads} threads: {fault}")
    print(f"#   {name}: {dict(statuses)}", *wrong, sep="\n#     ", flush=True)
    return statuses, wrong


@attack("address space that ends anywhere")
def _():
    vaectl("train", *SMALL, "-o", "run")
    total, wrong = collections.Counter(), []
    for name, words in [*COMMANDS.items()][:1] * (TIMES - 1) + [*COMMANDS.items()]:
        statuses, bad = sweep(name, words)
        total += statuses
        wrong += bad
    assert not wrong, f"{len(wrong)} of {sum(total.values())}"
    return (f"{sum(total.values())} runs of {len(COMMANDS)} commands, {FIRST} to {LAST} MB in steps of {STEP}, "
            f"{COUNTS[0]} to {COUNTS[-1]} threads: {total[8]} ended with 8, {total[0]} with 0, each within {SECONDS} s")


def threshold(words):
    """The kilobytes from which on a command has enough, to within 16."""
    low, high = 1000 * FIRST, 1000 * LAST
    assert limited(words, low)[0] == 8 and limited(words, high)[0] == 0
    while high - low > 16:
        middle = (low + high) // 2
        low, high = (low, middle) if limited(words, middle)[0] == 0 else (middle, high)
    return high


@attack("address space that ends by a few kilobytes within a command")
def _():
    """Where all but a little fits, it is the last pieces that are missing, those of OpenBLAS's products among them."""
    span, step = (4000, 8) if LONG else (1000, 50)  # KB
    statuses, wrong = collections.Counter(), []
    for name in ("train", "train --prior vampprior", "eval"):
        words = [*COMMANDS[name], "--threads", 1]
        vaectl("train", *SMALL, "-o", "run")
        enough = threshold(words)
        for kilobytes in range(enough - span, enough + step, step):
            status, errors = limited(words, kilobytes)
            statuses[status] += 1
            if fault := judge(status, errors):
                wrong.append(f"{name}, {kilobytes} KB: {fault}")
    print(*wrong[:10], sep="\n")
    assert not wrong, f"{len(wrong)} of {sum(statuses.values())}"
    return f"{sum(statuses.values())} runs in steps of {step} KB: {statuses[8]} ended with 8, {statuses[0]} with 0"


sys.exit(run())
