# SPDX-License-Identifier: MIT
"""Signals at random times: the process ends by that signal within two seconds, a training can be resumed and ends with
the bytes of one that was never stopped, other commands leave nothing half-written; a second signal ends it at once."""
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

from shared.faults import LONG, attack, run
from shared.program import command_line, read_bytes, started, vaectl, vaectl_json

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST, MOST_SECOND = 2.0, 0.1  # seconds from a signal to the end
ROUNDS = 200 if LONG else 15
DATA = ["--data", "builtin:digits:train=2000,test=500"]
SMALL = [*DATA, "--hidden", 32, "--latent", 4, "--threads", 2, "-q"]
TRAININGS = {
    "short steps": [*SMALL, "--epochs", 3, "--keep-every", 1],
    "test passes with 1000 samples": [*SMALL, "--epochs", 2, "--prior", "laplace", "--kl", "mc", "--kl-samples", 1000,
                                      "--batch", 2000],
    "one large step": ["--data", "builtin:digits:train=10000,test=100", "--batch", 10000, "--epochs", 2, "--samples", 5,
                       "--threads", 2, "-q"],
    "learned prior": [*SMALL, "--epochs", 3, "--prior", "lars:draws=64"],
}
COMMANDS = {
    "eval": ["eval", "model", "--samples", 2000, "--json"],
    "sample": ["sample", "model", "-o", "sample.png"],
    "reconstruct": ["reconstruct", "model", "-o", "reconstruct.svg"],
    "encode": ["encode", "model", "-o", "encode.npy", "--split", "train"],
    "plot": ["plot", "scatter", "model", "-o", "scatter.svg"],
    "compare": ["compare", "model", "other", "--nll", 200, "-o", "compare.svg"],
    "report": ["report", "model", "-o", "report.html"],
    "fit": ["fit", "model", "--prior", "mixture:components=5", "--passes", 50, "-q", "-o", "fitted"],
    "bench": ["bench", *DATA],
}


def seconds_of(words):
    """How long the command takes when it is left alone."""
    began = time.monotonic()
    vaectl(*words)
    return time.monotonic() - began


def interrupt(words, seconds, number):
    """Sends a signal after so many seconds. How long it took to end the process; None where that had ended before."""
    with started(*words) as process:
        try:
            process.wait(seconds)
            assert process.returncode == 0, (words, process.returncode, process.stderr.read())
            return None
        except subprocess.TimeoutExpired:
            began = time.monotonic()
            process.send_signal(number)
        errors = process.communicate()[1]
        took = time.monotonic() - began
        if process.returncode == 0:
            return None
        assert process.returncode == -number, (words, number, process.returncode, errors)
        return took


def judge(times):
    took = sorted(t for t in times if t is not None)
    assert took and took[-1] <= MOST, f"slowest {took[-5:]} s"
    return f"{len(took)} signals, the slowest answered after {took[-1]:.2f} s"


def weights(folder):
    """What a training ends with: all of the model file but the header, in which a clock has a part."""
    file = read_bytes(f"{folder}/model.safetensors")
    return file[8 + int.from_bytes(file[:8], "little"):]


def interrupted_training(words, rounds, chance):
    vaectl("train", *words, "-o", "straight")
    whole = weights("straight")
    length = seconds_of(["train", *words, "-o", "timed"])
    times = []
    while len(times) < rounds:
        run = ["train", *words, "-o", "run", "--force"]
        while len(times) < rounds:
            times.append(interrupt(run, chance.uniform(0, 0.9) * length, chance.choice(NUMBERS)))
            if not os.path.exists("run/model.safetensors"):  # the signal came before there was a run
                assert not os.path.exists("run") or not os.listdir("run"), os.listdir("run")
                continue
            if times[-1] is None:
                break
            run = ["train", "--resume", "run", "--threads", 1, "-q"]
        has_begun = os.path.exists("run/model.safetensors")
        vaectl(*(["train", "--resume", "run", "--threads", 2, "-q"] if has_begun else run))
        assert weights("run") == whole, "other weights than those of a training that was never stopped"
    return judge(times)


def interrupted_command(words, rounds, chance):
    length = seconds_of([*words, "--force"] if words[0] == "fit" else words)
    subprocess.run(["rm", "-rf", *words[words.index("-o") + 1:][:1]] if "-o" in words else ["true"], check=True)
    before = {name: sorted(os.listdir(name)) if os.path.isdir(name) else None for name in os.listdir(".")}
    times = []
    for _ in range(5 * rounds):  # some end before their signal comes
        if sum(t is not None for t in times) == rounds:
            break
        times.append(interrupt(words, chance.uniform(0, 0.9) * length, chance.choice(NUMBERS)))
        if "-o" in words:
            subprocess.run(["rm", "-rf", words[words.index("-o") + 1]], check=True)  # whole, or not there
        after = {name: sorted(os.listdir(name)) if os.path.isdir(name) else None for name in os.listdir(".")}
        assert after == before, {k: v for k, v in after.items() if before.get(k, 0) != v}
    return judge(times) if any(times) else "it always ended before its signal"


@attack("a signal in a training, which then goes on")
def _():
    chance, figures = random.Random(1), []
    for number, (title, words) in enumerate(TRAININGS.items()):
        folder = f"training{number}"
        os.mkdir(folder)
        os.chdir(folder)
        figures.append(f"{title}: {interrupted_training(words, max(2, ROUNDS // 8), chance)}")
        os.chdir("..")
    return "; ".join(figures)


@attack("a signal in another command, which leaves nothing half-written")
def _():
    chance, figures = random.Random(2), []
    vaectl("train", *SMALL, "--epochs", 1, "-o", "model")
    vaectl("train", *SMALL, "--epochs", 1, "--seed", 2, "-o", "other")
    vaectl("compare", "model", "other", "-o", "compare.svg")  # which leaves what it knows in the runs
    for name, words in COMMANDS.items():
        figures.append(f"{name}: {interrupted_command(words, max(1, ROUNDS // 18), chance)}")
    return "; ".join(figures)


@attack("a second signal ends a training at once")
def _():
    """In a file system without a disk where there is one: a process that waits for its disk ends behind that."""
    chance, times = random.Random(3), []
    slow = [*SMALL, "--epochs", 100, "--prior", "laplace", "--kl", "mc", "--kl-samples", 3000]
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else ".") as folder:
        while len(times) < max(3, ROUNDS // 8):
            with started("train", *slow, "-o", f"{folder}/run", "--force") as process:
                time.sleep(chance.uniform(0.2, 1))
                first, second = chance.sample(NUMBERS, 2)
                process.send_signal(first)
                time.sleep(chance.uniform(0, 0.02))
                began = time.monotonic()
                process.send_signal(second)
                process.communicate()
                times.append(time.monotonic() - began)
                assert process.returncode in (-first, -second), process.returncode
    late = sum(t > MOST_SECOND for t in times)
    assert sorted(times)[len(times) // 2] <= MOST_SECOND and late <= len(times) // 4, sorted(times)
    return f"{len(times)} processes, the slowest ended after {1000 * max(times):.0f} ms, {late} after more than 100"


sys.exit(run())
