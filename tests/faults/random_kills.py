# SPDX-License-Identifier: MIT
"""Trainings under several priors are killed at random moments and resumed, again and again. Each must end with the bytes
that it has where nobody kills it."""
import contextlib
import os
import random
import shutil
import subprocess
import sys
import time

from shared.faults import LONG, attack, run
from shared.interrupted import files_of, leftovers
from shared.program import MOST_SECONDS, started, vaectl

PRIORS = ["normal", "spikeslab", "mixture:components=3", "vampprior:components=3", "realnvp", "lars"]
SMALL = ["--data", "builtin:digits:train=40,test=10", "--hidden", 8, "--latent", 2, "--batch", 10, "--threads", 1, "-q"]
SAVING = ["--validation", 0.25, "--keep-every", 2]
EPOCHS = 8
os.environ["LD_PRELOAD"] = os.environ["VAE_BUILD"] + "/tests/faults/shim.so"  # which does not wait for the disk


def go_on():
    """The words that take the training up where it is."""
    if os.path.exists("run/model.safetensors") or os.path.exists("run/.vaectl-replace"):
        return ["train", "--resume", "run", "--keep-every", 2, "--threads", 1, "-q"]
    return None


def kill_once(command, seconds):
    """Was it killed before it ended, within half of so many seconds? Not more than one leftover may be there."""
    with started(*command) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(random.uniform(0, seconds / 2) if seconds < MOST_SECONDS else seconds)
        process.kill()
        process.communicate()
        assert process.returncode in (0, -9), process.returncode
    assert len(leftovers("run")) <= 1, leftovers("run")
    if os.path.isdir("run") and files_of("run"):
        vaectl("info", "run")
    return process.returncode == -9


def kill_often(prior, least):
    """Whole trainings until there were `least` kills."""
    command = ["train", *SMALL, *SAVING, "--epochs", EPOCHS, "--prior", prior, "-o", "run"]
    shutil.rmtree("run", ignore_errors=True)
    began = time.monotonic()
    vaectl(*command)
    seconds, want = time.monotonic() - began, files_of("run")
    kills, trainings = 0, 0
    while kills < least:
        shutil.rmtree("run")
        while kill_once(go_on() or command, seconds if kills < least else MOST_SECONDS):
            kills += 1
        got = files_of("run")
        assert got == want, f"other bytes: {[name for name in {*got, *want} if got.get(name) != want.get(name)]}"
        assert not leftovers("run"), leftovers("run")
        trainings += 1
    return kills, trainings


def kill_all():
    random.seed(1)
    results = [kill_often(prior, 170 if LONG else 5) for prior in PRIORS]
    kills, trainings = map(sum, zip(*results))
    return f"{kills} kills in {trainings} trainings under {len(PRIORS)} priors, 0 lost, all ended with the same bytes"


attack("random kills with resume")(kill_all)

sys.exit(run())
