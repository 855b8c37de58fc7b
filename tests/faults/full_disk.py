# SPDX-License-Identifier: MIT
"""A disk that is full sooner or later: a small one in memory, of many sizes. A training that does not fit must say so
before its first step and leave what was there; one that begins must come to its end. Needs a mount of its own."""
import collections
import os
import shutil
import subprocess
import sys

from shared.faults import LONG, attack, run
from shared.interrupted import SMALL, files_of, leftovers, run_with, succeed

INSIDE = "VAE_OWN_MOUNTS"
VALIDATED = [*SMALL, "--validation", 0.3]
RESUME = ["train", "--resume", "run", "--epochs", 4, "--threads", 1, "-q"]
FORMS = {"a new run": ([], ["train", *VALIDATED, "--epochs", 4, "-o", "run"]),
         "--resume": (["train", *VALIDATED, "--epochs", 1, "-o", "run"], RESUME),
         "--force": (["train", *VALIDATED, "--epochs", 2, "--seed", 2, "-o", "run"],
                     ["train", *VALIDATED, "--epochs", 4, "-o", "run", "--force"])}


def train_on_disk(kilobytes, command, before):
    """The exit status of the command on a disk of this size, which has the folder `before`, and its files."""
    os.makedirs("disk", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", "disk"], check=True)
    os.chdir("disk")
    try:
        if before:
            shutil.copytree("../before", "run")
        status, errors, _ = run_with(command)
        assert status in (0, 4) and errors.count("\n") == (status == 4), (status, errors)
        assert not leftovers("run"), leftovers("run")
        return status, files_of("run")
    finally:
        os.chdir("..")
        subprocess.run(["umount", "disk"], check=True)


def fill(before, command):
    if before:
        succeed(before)
        shutil.copytree("run", "before")
    old = files_of("before")
    succeed(command)
    new = files_of("run")
    used = sum(len(data) for data in old.values()) // 1024
    results = collections.Counter()
    for more in range(40, 900, 12 if LONG else 80):
        status, files = train_on_disk(used + more, command, before)
        assert files == (old if status else new), f"{more} kB more: exit status {status}, {sorted(files)}"
        assert status == 0 or not results[0], f"{more} kB are too few, fewer were enough"
        results[status] += 1
    assert results[0] and results[4], results
    return f"{results[4]} disks too small, found out before the first step; {results[0]} large enough"


if INSIDE not in os.environ:
    if subprocess.run(["unshare", "-rm", "true"], stderr=subprocess.DEVNULL).returncode:
        print("full_disk.py: skipped, as no file system may be mounted here")
        sys.exit(0)
    os.execvpe("unshare", ["unshare", "-rm", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
for form, words in FORMS.items():
    attack(f"full disks, {form}")(lambda words=words: fill(*words))
sys.exit(run())
