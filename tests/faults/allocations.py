# SPDX-License-Identifier: MIT
"""Every allocation of every command fails, alone or with all that come after it: the command must end with status 8 and
one line more, leaving what was there, or do what it does undisturbed, to the byte.

Commands run in a server of copies (allocations.c). The long form takes all allocations of a command, the short form BUDGET
of them at random. Names of commands as arguments: those alone."""
import collections
import hashlib
import math
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

from shared.faults import LONG, attack, run
from shared.program import vaectl, write_idx, write_npy
from shared.write_png import png

HERE = os.path.dirname(os.path.abspath(__file__))
BUDGET = math.inf if LONG else 15  # allocations that fail in a command, alone and with all after them
DATA = "builtin:digits:train=24,test=8"
SMALL = ["--data", DATA, "--hidden", 6, "--latent", 2, "--batch", 8]
ONE = ["--threads", 1]

# Name: arguments. Each works in a folder that has what `prepare` makes.
COMMANDS = {
    "train": ["train", *SMALL, *ONE, "--epochs", 2, "-o", "new"],
    "train --json": ["train", *SMALL, *ONE, "--epochs", 1, "-o", "new", "--json"],
    "train --validation --keep-every": ["train", *SMALL, *ONE, "--epochs", 2, "--validation", 0.3, "--keep-every", 1,
                                        "--patience", 3, "-o", "new"],
    "train --conditional": ["train", *SMALL, *ONE, "--epochs", 1, "--conditional", "-o", "new"],
    "train, two threads": ["train", *SMALL, "--threads", 2, "--epochs", 1, "-o", "new"],
    "train --resume": ["train", "--resume", "run", "--epochs", 3, *ONE],
    "train --force": ["train", *SMALL, *ONE, "--epochs", 1, "-o", "run", "--force"],
    "train --posterior iaf --prior mixture": ["train", *SMALL, *ONE, "--epochs", 1, "--posterior", "iaf:width=4,context=2",
                                              "--prior", "mixture:components=2", "-o", "new"],
    "train --prior vampprior": ["train", *SMALL, *ONE, "--epochs", 1, "--prior", "vampprior:components=3", "-o", "new"],
    "train --prior realnvp": ["train", *SMALL, *ONE, "--epochs", 1, "--prior", "realnvp:width=4", "-o", "new"],
    "train --prior lars": ["train", *SMALL, *ONE, "--epochs", 1, "--prior", "lars:width=4,draws=64", "-o", "new"],
    "train --objective iwae": ["train", *SMALL, *ONE, "--epochs", 1, "--objective", "iwae", "--samples", 3,
                               "--gradient", "dreg", "--binarize", "dynamic", "-o", "new"],
    "train --start": ["train", *SMALL, *ONE, "--epochs", 1, "--start", "kept", "--keep-every", 1, "-o", "new"],
    "train on a .npy": ["train", "--data", "rows.npy", "--likelihood", "gaussian:sigma=learned", "--hidden", 4, *ONE,
                        "--latent", 2, "--epochs", 1, "-o", "new"],
    "train on a .csv": ["train", "--data", "rows.csv", "--likelihood", "gaussian", "--hidden", 4, *ONE, "--latent", 2,
                        "--epochs", 1, "-o", "new"],
    "train on PNG files": ["train", "--data", "pictures", "--hidden", 4, *ONE, "--latent", 2, "--epochs", 1, "-o", "new"],
    "train on a compressed IDX file": ["train", "--data", "images.gz", "--hidden", 4, *ONE, "--latent", 2, "--epochs", 1,
                                       "-o", "new"],
    "fit": ["fit", "run", "--prior", "mixture:components=2", "--passes", 2, *ONE, "-o", "new"],
    "fit --json": ["fit", "run", "--prior", "realnvp:width=4", "--passes", 1, *ONE, "-o", "new", "--json"],
    "eval": ["eval", "run", "--samples", 3, *ONE],
    "eval --json": ["eval", "run", "--samples", 3, *ONE, "--json"],
    "eval --json, a learned prior": ["eval", "learned", "--samples", 3, *ONE, "--json"],
    "eval --per-image": ["eval", "run", "--samples", 2, *ONE, "--per-image", "rows-out.csv", "--json"],
    "eval --ais --bdmc": ["eval", "run", "--samples", 3, "--ais", 3, "--chains", 2, "--images", 4, "--bdmc", *ONE,
                          "--per-image", "rows-out.npy", "--json"],
    "eval --decompose": ["eval", "learned", "--samples", 0, "--decompose", 20, *ONE, "--json"],
    "compare": ["compare", "run", "other", "--nll", 2, *ONE, "-o", "table.svg"],
    "compare --json": ["compare", "run", "other", *ONE, "--json"],
    "compare, evaluated before": ["compare", "known", "other", *ONE, "--nll", 2, "--json"],
    "compare that trains": ["compare", "--prior", "normal,laplace", *SMALL, *ONE, "--jobs", 1, "--epochs", 1,
                            "-o", "priors"],
    "reconstruct": ["reconstruct", "run"],
    "reconstruct .svg": ["reconstruct", "run", "-o", "r.svg"],
    "sample": ["sample", "run"],
    "sample --from aggregate": ["sample", "learned", "--from", "aggregate", "-o", "s.svg"],
    "sample --label": ["sample", "classes", "--label", 3],
    "traverse": ["traverse", "kept"],
    "interpolate": ["interpolate", "kept"],
    **{f"plot {kind}": ["plot", kind, "kept"]
       for kind in ("curves", "kl", "latents", "scatter", "manifold", "fields", "prior", "animation")},
    "plot curves of two": ["plot", "curves", "kept", "other", "-o", "both.png"],
    "report": ["report", "kept", "--samples", 3, "-o", "page.html"],
    "report on two": ["report", "other", "learned", "--samples", 3, "-o", "page.html"],
    "encode": ["encode", "run"],
    "encode .csv": ["encode", "run", "-o", "z.csv"],
    "decode": ["decode", "run", "z.npy"],
    "info": ["info", "run"],
    "check": ["check", "kept", "other"],
    "check --json": ["check", "classes", "--json"],
    "info --json": ["info", "classes", "--json"],
    "priors": ["priors"],
    "priors --check": ["priors", "--check", "normal"],
    "priors --template": ["priors", "--template", "mine"],
    "bench": ["bench", *SMALL, *ONE],
    "data": ["data", DATA],
    "data --json, PNG files": ["data", "pictures", "--json"],
    "data --to": ["data", "images.gz", "--to", "npy", "-o", "copy.npy"],
    "data --to, .csv": ["data", "rows.csv", "--to", "npy", "-o", "copy.npy"],
    "data, CIFAR-10": ["data", "cifar"],
    "completion": ["completion"],
    "help": ["help", "train"],
    "--version": ["--version"],
}
if os.access("/dev/shm", os.W_OK):
    tempfile.tempdir = "/dev/shm"  # in memory, where saving waits for no disk
NO_OUTPUT = {"bench"}  # figures of speed


def prepare(folder):
    """What commands find: runs of all kinds, and files of data."""
    os.makedirs(f"{folder}/pictures/a")
    os.makedirs(f"{folder}/pictures/b")
    os.makedirs(f"{folder}/cifar")
    os.chdir(folder)
    vaectl("train", *SMALL, *ONE, "-q", "--epochs", 2, "--prior", "laplace", "-o", "run")
    vaectl("train", *SMALL, *ONE, "-q", "--epochs", 1, "--keep-every", 1, "-o", "kept")
    vaectl("train", *SMALL, *ONE, "-q", "--epochs", 1, "--seed", 2, "-o", "other")
    vaectl("train", *SMALL, *ONE, "-q", "--epochs", 1, "--prior", "vampprior:components=3", "-o", "learned")
    vaectl("train", *SMALL, *ONE, "-q", "--epochs", 1, "--conditional", "-o", "classes")
    shutil.copytree("run", "known")
    vaectl("compare", "known", "other", *ONE, "--nll", 2, "-o", "table.svg")
    os.remove("table.svg")
    vaectl("encode", "run", "-o", "z.npy")
    values = [(37 * i * i + 11 * i) % 97 / 97 for i in range(40)]
    write_npy("rows.npy", (20, 2), values)
    with open("rows.csv", "w") as file:
        file.write("a,b,label\n" + "".join(f"{values[2 * i]},{values[2 * i + 1]},{i % 3}\n" for i in range(20)))
    write_idx("images", (6, 5, 4), [i % 251 for i in range(120)])
    subprocess.run(["gzip", "images"], check=True)
    for i in range(6):
        with open(f"pictures/{'ab'[i % 2]}/{i}.png", "wb") as file:
            file.write(png([[(40 * i + 7 * x + y,) for x in range(4)] for y in range(4)], 8, 0))
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        with open(f"cifar/{name}", "wb") as file:
            file.write(2 * bytes(i % 10 for i in range(3073)))


def snapshot(folder):
    """Names and contents of all files below it; links and folders by what they are."""
    found = {}
    for path, folders, files in os.walk(folder):
        for name in files + folders:
            full = os.path.join(path, name)
            key = os.path.relpath(full, folder)
            if os.path.islink(full):
                found[key] = f"-> {os.readlink(full)}".encode()
            elif os.path.isdir(full):
                found[key] = b"folder"
            else:
                with open(full, "rb") as file:
                    found[key] = file.read()
    return found


class Server:
    """Runs one command again and again, in a folder that is made anew."""

    def __init__(self, shim, words, start):
        self.start, self.before = start, snapshot(start)
        self.folder = os.path.abspath("work")
        core = re.search(r"core (\w+)", vaectl("--version")[0])[1]  # so that the program does not start once more for it
        environment = {**os.environ, "LD_PRELOAD": shim, "VAE_FAULTS": "1", "OPENBLAS_NUM_THREADS": "1",
                       "OPENBLAS_CORETYPE": core}
        if words[0] == "bench":
            environment["VAE_CLOCK_STEP"] = "10000000"
        self.process = subprocess.Popen([os.environ["VAECTL"], *map(str, words)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)
        self.dirty = True

    def run(self, k, from_then_on):
        """Exit status (negative: a signal), allocations asked for, stdout, stderr and files."""
        if self.dirty:
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.copytree(self.start, self.folder, symlinks=True)
        self.process.stdin.write(f"{k} {int(from_then_on)} {self.folder}\n")
        self.process.stdin.flush()
        status, asked = map(int, self.process.stdout.readline().split())
        files = snapshot(self.folder)
        self.dirty = files != self.before
        with open(self.folder + ".out", "rb") as out, open(self.folder + ".err", "rb") as errors:
            return os.waitstatus_to_exitcode(status), asked, out.read(), errors.read(), files

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


def new_files_are_good(files, wanted, before, seen):
    """A model file that is neither that of before nor the final one must be one that loads."""
    for name, content in files.items():
        if name.endswith(".safetensors") and "/.vaectl-new/" not in name and content not in (wanted.get(name), before.get(name)):
            digest = hashlib.sha256(content).digest()
            if digest not in seen:
                with open("model", "wb") as file:
                    file.write(content)
                vaectl("info", "model")
                seen.add(digest)


def judge(name, got, wanted, before, seen):
    """What is wrong with the outcome, or "" ; wanted: that of the undisturbed run."""
    status, _, out, errors, files = got
    _, _, wanted_out, wanted_errors, wanted_files = wanted
    if status == 0:
        if name not in NO_OUTPUT and out != wanted_out:
            return "stdout differs, status 0"
        different = [f for f in sorted({*files, *wanted_files}) if files.get(f) != wanted_files.get(f)]
        return f"{different} differ, status 0" if different else ""
    if status != 8:
        said = errors.decode(errors="replace").strip().splitlines()
        return f"status {status}: {re.sub('tensor [^ ]*', 'tensor T', said[-1] if said else '')[:150]}"
    lines = errors.decode().splitlines()
    if not lines or not lines[-1].startswith("vaectl: ") or not errors.endswith(b"\n"):
        return f"no line: {errors!r}"
    more = [line for line in lines[:-1] if line not in wanted_errors.decode().splitlines()]
    if more:
        return f"more than one line: {more}"
    lost = [f for f in before if f not in files or files[f] != before[f] and files[f] != wanted_files.get(f)
            and not f.endswith(".safetensors") and not f.endswith("metrics.csv")]
    if lost:
        return f"{lost} lost"
    left = [f for f in files if f not in before and f not in wanted_files]
    if any("/.vaectl-replace" not in f for f in left):
        return f"{left} left behind"
    new_files_are_good(files, wanted_files, before, seen)
    return ""


def sweep(name, words, shim, start):
    """Fails allocations of a command; how many were failed, of how many, and how many of them it ended with 8."""
    server = Server(shim, words, start)
    wanted = server.run(0, False)
    assert wanted[0] == 0, f"{name}: status {wanted[0]} undisturbed: {wanted[3].decode()}"
    n, seen, statuses, wrong = wanted[1], set(), collections.Counter(), collections.OrderedDict()
    for k in sorted(random.Random(name).sample(range(1, n + 1), min(n, BUDGET))):
        for from_then_on in (False, True):
            got = server.run(k, from_then_on)
            statuses[got[0]] += 1
            fault = judge(name, got, wanted, server.before, seen)
            if fault:
                wrong.setdefault(fault, []).append(f"{k}{'+' if from_then_on else ''}")
    server.close()
    for fault, at in wrong.items():
        print(f"# {name}: {fault} (allocation {', '.join(at[:8])}{' ...' if len(at) > 8 else ''}; {len(at)} of {n})", flush=True)
    return n, statuses, wrong


@attack("allocations")
def _():
    shim = os.path.abspath("shim.so")
    subprocess.run([os.environ.get("CC", "cc"), "-std=c11", "-O1", "-g", "-shared", "-fPIC", f"{HERE}/allocations.c",
                    "-o", shim, "-ldl"], check=True)
    top = os.getcwd()
    prepare(f"{top}/start")
    os.chdir(top)
    only = [word for word in sys.argv[1:] if not word.startswith("--long")]
    total, statuses, bad = 0, collections.Counter(), 0
    chosen = {name: words for name, words in COMMANDS.items() if not only or name in only}
    for name, words in chosen.items():
        n, found, wrong = sweep(name, words, shim, f"{top}/start")
        total, bad = total + n, bad + len(wrong)
        statuses += found
        print(f"#   {name}: {n} allocations, {dict(found)}", flush=True)
    assert not bad, f"{bad} kinds of faults"
    return (f"{sum(statuses.values())} failed of {total} in {len(chosen)} commands, alone and with all after them: "
            f"{statuses[8]} times status 8, {statuses[0]} times the same output")


sys.exit(run())
