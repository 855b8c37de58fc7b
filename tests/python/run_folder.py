# SPDX-License-Identifier: MIT
"""Run folders: their names, locks and files, what signals leave in them, and what --resume and --force keep."""
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import time

from shared.figure import read_svg, texts
from shared.model_file import load, save
from shared.program import (MOST_SECONDS, read_bytes, read_rows, refuse, started, vaectl, vaectl_json, wait_until,
                            write_npy)
from shared.tap import run, same, test

SMALL = ["--data", "builtin:digits:train=30,test=20", "--hidden", 6, "--latent", 3, "--threads", 1, "-q"]
ENDLESS = [*SMALL, "--epochs", 100000]
IN_USE = "run: in use by another training"


def epoch_of(model):
    return vaectl_json("info", model)["epoch"]


def rows_on_disk(folder):
    return len(read_rows(folder)) if os.path.exists(f"{folder}/metrics.csv") else 0


def stop(process, number=signal.SIGTERM):
    """Sends a signal, of which the process must die; returns its stderr."""
    process.send_signal(number)
    errors = process.communicate()[1]
    same(process.returncode, -number, errors)
    return errors


# ---- Locks ----------------------------------------------------------------------------------------------------------

@test("a folder that anyone has locked is not trained in, and a training locks it against everyone")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    before = read_bytes("run/model.safetensors")
    for kind in (fcntl.LOCK_SH, fcntl.LOCK_EX):
        folder = os.open("run", os.O_RDONLY)
        fcntl.flock(folder, kind)
        refuse(7, IN_USE, "train", *SMALL, "-o", "run", "--force")
        refuse(7, IN_USE, "train", "--resume", "run", "--epochs", 2, "-q")
        refuse(7, IN_USE, "train", "--resume", "run/model.safetensors", "--epochs", 2, "-q")
        os.close(folder)
    same(read_bytes("run/model.safetensors"), before)
    vaectl("train", "--resume", "run", "--epochs", 2, "-q")
    same(epoch_of("run"), 2)


@test("a link is followed once: what it leads to later is another's")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "A")
    os.symlink("A", "link")
    with started("train", *ENDLESS, "-o", "link", "--force") as process:
        wait_until(lambda: rows_on_disk("A") > 1, "the first epochs")
        os.mkdir("B")
        os.symlink("B", "new")
        os.replace("new", "link")
        rows = rows_on_disk("A")
        wait_until(lambda: rows_on_disk("A") > rows + 1, "further epochs")
        stop(process)
    same(os.listdir("B"), [])
    out, _ = vaectl("train", *SMALL, "--epochs", 3, "-o", "runs/latest/sub")  # which it moves itself
    same((out, len(read_rows("A/sub"))), ("A/sub/model.safetensors\nA/sub/metrics.csv\n", 3))


@test("a folder that another takes the place of is not written into")
def _():
    with started("train", *ENDLESS, "-o", "run") as process:
        wait_until(lambda: rows_on_disk("run") > 1, "the first epochs")
        os.mkdir("other")
        os.rename("run", "moved")
        os.rename("other", "run")
        errors = process.communicate(timeout=MOST_SECONDS)[1]
    same((process.returncode, epoch_of("moved") > 0), (4, True))
    # Where it comes between this check and a save, that save is the last one.
    assert "run: cannot write: is no longer the folder" in errors or "cannot write: No such file" in errors, errors


@test("of two trainings in one folder the second ends with 7, and the first goes on unharmed")
def _():
    with started("train", *ENDLESS, "-o", "run") as first:
        wait_until(lambda: rows_on_disk("run") > 0, "the first epoch")
        refuse(7, IN_USE, "train", *SMALL, "--epochs", 1, "-o", "run", "--force")
        refuse(7, IN_USE, "train", "--resume", "run", "-q")
        reached = rows_on_disk("run")
        wait_until(lambda: rows_on_disk("run") > reached + 1, "two more epochs")
        stop(first)
    rows = read_rows("run")
    same([int(row["epoch"]) for row in rows], list(range(1, len(rows) + 1)))
    same(epoch_of("run"), len(rows))
    same(sorted(os.listdir("run")), ["metrics.csv", "model.safetensors"])


# ---- Signals --------------------------------------------------------------------------------------------------------

@test("SIGINT, SIGTERM and SIGHUP: the state is saved, and that is said; the best model stays")
def _():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        name = f"run{int(number)}"
        with started("train", *ENDLESS, "--validation", 0.3, "--batch", 1, "-o", name) as process:
            wait_until(lambda: rows_on_disk(name) > 0, "the first epoch")
            same(stop(process, number), f"vaectl: interrupted: state saved in {name}/model.safetensors\n")
        state, best = vaectl_json("info", f"{name}/model.safetensors"), vaectl_json("info", name)
        same(state["epoch"], rows_on_disk(name))
        assert 0 <= state["step"] - 21 * state["epoch"] <= 21, state["step"]
        same((best["model"], best["epoch"], best["step"]),
             (f"{name}/best.safetensors", state["best_epoch"], 21 * state["best_epoch"]))


def interrupt_twice(process):
    """A second signal of the same number may come before the first is taken, and is then lost: it is sent again."""
    wait_until(lambda: process.send_signal(signal.SIGINT) or process.poll() is not None, "the end")


def interrupt_and_terminate(process):
    for number in (signal.SIGINT, signal.SIGTERM):
        process.send_signal(number)
    process.wait(MOST_SECONDS)


def signals_come_late():
    """ThreadSanitizer keeps them until the program calls something that it watches."""
    return b"__tsan_init" in read_bytes(os.environ["VAECTL"])


AS_IT_WAS = "vaectl: interrupted before the end of the first epoch: the run in run is as it was\n"


@test("a signal before the end of the first epoch of --force leaves the run that was there")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    before = tree("run")
    slow = ["--kl", "mc", "--kl-samples", 30000, "--latent", 20, "--epochs", 1, "--batch", 1]
    with started("train", *SMALL[:-1], *slow, "-o", "run", "--force") as process:
        while process.stderr.readline() != "\n":
            pass
        process.terminate()
        same((process.communicate()[1], process.returncode), (AS_IT_WAS, -signal.SIGTERM))
    same(tree("run"), before)


@test("a second signal, also another one, quits at once, in the middle of a step; the last saved state is whole")
def _():
    if signals_come_late():
        return
    slow = ["--kl", "mc", "--kl-samples", 1000000, "--latent", 20, "--epochs", 1]
    for quit_at_once in (interrupt_twice, interrupt_and_terminate):
        with started("train", *SMALL[:-1], *slow, "-o", "run", "--force") as process:
            while process.stderr.readline() != "\n":  # ends what is said with the first step ahead
                pass
            quit_at_once(process)  # or the training has ended by the first signal, which it answers within a step
            assert process.stderr.read() in ("", "vaectl: interrupted: state saved in run/model.safetensors\n", AS_IT_WAS)
            assert process.returncode in (-signal.SIGINT, -signal.SIGTERM), process.returncode
        same((epoch_of("run"), vaectl_json("info", "run")["step"], rows_on_disk("run")), (0, 0, 0))


# ---- Names ----------------------------------------------------------------------------------------------------------

def dated(prior, t, suffix=""):
    return f"runs/{prior}-{time.strftime('%Y%m%d-%H%M%S', time.localtime(t))}{suffix}"


@test("without -o a run is named after its prior and the local time; what is there already has a number added")
def _():
    os.environ["TZ"] = "XXX-5:30"
    time.tzset()
    began = int(time.time())
    path = vaectl_json("train", *SMALL, "--epochs", 1, "--prior", "cauchy")["run"]
    assert path in [dated("cauchy", t) for t in range(began, int(time.time()) + 1)], path
    soon = range(int(time.time()), int(time.time()) + 60)
    for suffixes, free in (([""], "-2"), ([f"-{i}" for i in range(2, 99)], "-99")):
        for t in soon:
            for suffix in suffixes:
                os.makedirs(dated("laplace", t, suffix), exist_ok=True)
        path = vaectl("train", *SMALL, "--epochs", 1, "--prior", "laplace")[0].split("/model")[0]
        assert path in [dated("laplace", t, free) for t in soon], path
        same(os.readlink("runs/latest"), path[len("runs/"):])
    for t in soon:
        os.makedirs(dated("laplace", t, "-99"), exist_ok=True)
    errors = vaectl("train", *SMALL, "--epochs", 1, "--prior", "laplace", status=4)[1]
    assert re.fullmatch(r"vaectl: runs/laplace-\d{8}-\d{6}-99: cannot make folder: File exists\n", errors), errors


@test("-o: parents are made, slashes at the end do not count, and runs/latest points at it")
def _():
    here = os.getcwd()
    for given, path, target in (("a/b//c///", "a/b//c", f"{here}/a/b/c"), ("runs/x", "runs/x", "x"),
                                ("runs/x2/", "runs/x2", "x2"), ("runs/d/e", "runs/d/e", f"{here}/runs/d/e"),
                                ("runsy", "runsy", f"{here}/runsy"), (f"{here}/runs/z", f"{here}/runs/z", "z")):
        same(vaectl("train", *SMALL, "--epochs", 1, "-o", given)[0], f"{path}/model.safetensors\n{path}/metrics.csv\n")
        same(os.readlink("runs/latest"), target, given)
        same(vaectl_json("info", "runs/latest")["epoch"], 1)
        same(sorted(os.listdir(given)), ["metrics.csv", "model.safetensors"])
    same(sorted(os.listdir("runs")), ["d", "latest", "x", "x2", "z"])
    refuse(7, "/: is already there (--force trains into it; another -o keeps it)", "train", *SMALL, "-o", "//")


@test("slashes behind the name of a run do not count; a folder of runs says how they are named")
def _():
    for seed, name in ((1, "one"), (2, "two")):
        vaectl("train", *SMALL, "--epochs", 1, "--seed", seed, "-o", f"runs/{name}")
    same(vaectl("sample", "runs/one//")[0], "runs/one/sample.png\n")
    same(vaectl("train", "--resume", "runs/one/", "--epochs", 2, "-q")[0], "runs/one/model.safetensors\nruns/one/metrics.csv\n")
    many = "runs: a folder of 2 runs (expected a run folder; runs/*/ names those in it)"
    refuse(5, many, "plot", "curves", "runs/")
    refuse(5, many, "report", "runs")
    vaectl("plot", "curves", "runs/one/", "runs/two/")
    same([texts(read_svg("curves.svg")).count(name) for name in ("one", "two")], [1, 1])
    vaectl("compare", "runs/", "-o", "runs/compare.svg")
    for words in (["runs/"], ["runs/one", "runs/two/", "runs/compare.svg"]):
        rows = vaectl_json("compare", *words)["rows"]
        same(sorted(run["run"] for row in rows for run in row["runs"]), ["runs/one", "runs/two"])
    refuse(5, "runs/compare.svg: not a safetensors file, or cut off", "compare", "runs/compare.svg")


@test("runs/latest stays where it is until a new run has learned something; an untrained model is called so")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "runs/good")
    errors = vaectl("train", *SMALL, "--epochs", 1, "--batch", 5, "--lr", 1e6, "-o", "runs/bad", status=6)[1]
    assert errors.startswith("vaectl: training diverged"), errors
    same(os.readlink("runs/latest"), "good")
    said = "vaectl: runs/bad/model.safetensors: not trained: it is as it was initialised\n"
    out, errors = vaectl("eval", "runs/bad", "--samples", 0)
    same((errors, out.splitlines()[0]), (said, "runs/bad/model.safetensors after epoch 0"))
    same(vaectl("eval", "--samples", 0)[1], "")


@test("flags that change nothing are told")
def _():
    for flags, said in ((["--lr-factor", 0.5], "--lr-factor has no effect (schedule constant)"),
                        (["--holdout", 0.5], "--holdout has no effect (the data has a test split)"),
                        (["--lr-factor", 0.5, "--schedule", "step", "--lr-steps", 1], None)):
        same(vaectl("train", *SMALL, "--epochs", 1, *flags, "-o", "run", "--force")[1], f"vaectl: {said}\n" if said else "")


@test("a floor of free bits is no divergence")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "--free-bits", 100000, "-o", "run")


@test("runs/latest is no name for a new run")
def _():
    for given in ("runs/latest", "./runs/latest//"):
        refuse(2, f"-o {given.rstrip('/')}: is the name of the link to the newest run (expected one of its own)", "train", *SMALL,
               "-o", given)
    same(os.path.lexists("runs"), False)


@test("a runs/latest that is a folder stays, and training goes on")
def _():
    os.makedirs("runs/latest")
    same(vaectl("train", *SMALL, "--epochs", 1, "-o", "run")[1],
         "vaectl: runs/latest: cannot point at run: Is a directory\n")
    same((os.listdir("runs"), os.listdir("runs/latest")), (["latest"], []))


@test("names of folders may have 1024 characters")
def _():
    longest = "/".join(["x" * 255] * 4)
    same(len(longest + "/"), 1024)
    vaectl("train", *SMALL, "--epochs", 1, "-o", longest + "/")
    vaectl("train", "--resume", longest + "/", "--epochs", 2, "-q")
    refuse(2, "-o: a folder name of 1025 characters (expected 1 to 1024)", "train", *SMALL, "-o", longest + "/y")
    refuse(5, "RUN: longer than 1024 characters", "train", "--resume", longest + "/y", "--epochs", 3)


# ---- What a folder keeps --------------------------------------------------------------------------------------------

def put_bytes(path, data):
    with open(path, "wb") as file:
        file.write(data)


def row(epoch, fields=10):
    return ",".join([str(epoch)] + ["1.5"] * (fields - 1)) + "\n"


# What metrics.csv has below its header, whether there is a validation split, the epochs whose rows are kept of 3.
KEPT = [
    (row(1) + row(2) + row(3), False, [1, 2, 3]),
    (row(1) + row(2) + row(3) + row(4), False, [1, 2, 3]),
    (row(1) + row(1) + row(2) + row(3) + row(2), False, [1, 2, 3]),
    (row(0) + row(2) + row(1) + row(3), False, [2, 3]),
    (row(1) + row(2) + row(3)[:-1], False, [1, 2]),
    (row(1) + row(2, 9) + row(3, 11), False, [1]),
    (row(1) + row(2, 11) + row(3, 11), True, [2, 3]),
    (row(1).replace("1.5", "nan", 3) + row(2).replace("1.5", "", 1) + row(3).replace("1.5", "1.5x", 1), False, [1]),
    (row(1).replace("1.5", " 1.5", 1) + " " + row(2) + row(3).replace("\n", " \n"), False, []),
    (row(1).replace(",", ";", 1) + row(2).replace("\n", "\r\n") + row(3).replace(",1.5\n", ",1.5,\n"), False, []),
    ("\n" + row(1) + "\n\n" + row(2) + "rubbish\n" + row(3), False, [1, 2, 3]),
    ("", True, []),
]


def check_kept(name, whole, header, text, epochs, fields):
    """Resumes a run of 3 epochs, whose model file is `whole`, with `text` in metrics.csv."""
    put_bytes(f"{name}/model.safetensors", whole)
    put_bytes(f"{name}/metrics.csv", header + text.encode())
    errors = vaectl("train", "--resume", name, "-q", "--epochs", 4)[1]
    same(errors, "" if len(epochs) == 3 else f"vaectl: {name}/metrics.csv: {3 - len(epochs)} of 3 earlier epochs are "
         "missing or damaged; the rest is kept\n", text)
    first, *kept, last = read_bytes(f"{name}/metrics.csv").splitlines(keepends=True)
    same("".join(row(epoch, fields) for epoch in epochs).replace("1.5", "nan", text.count("nan")),
         b"".join(kept).decode(), text)
    same((first, last[:2]), (header, b"4,"), text)


@test("resume keeps the whole rows of the epochs that the model has, in their order, and says how many are missing")
def _():
    for name, fields, *flags in (["run", 10], ["validating", 11, "--validation", 0.3]):
        vaectl("train", *SMALL, "--epochs", 3, "-o", name, *flags)
        whole, header = read_bytes(f"{name}/model.safetensors"), read_bytes(f"{name}/metrics.csv").split(b"\n")[0]
        for text, validates, epochs in KEPT:
            if validates == (fields == 11):
                check_kept(name, whole, header + b"\n", text, epochs, fields)


@test("a run whose metrics.csv is gone goes on; its rows are missing")
def _():
    vaectl("train", *SMALL, "--epochs", 2, "-o", "run")
    os.remove("run/metrics.csv")
    same(vaectl("train", "--resume", "run", "--epochs", 3, "-q")[1],
         "vaectl: run/metrics.csv: 2 of 2 earlier epochs are missing or damaged; the rest is kept\n")
    same([r["epoch"] for r in read_rows("run")], ["3"])


@test("best.safetensors is written after the epochs whose validation loss is the lowest so far, and after no other")
def _():
    flags = ["--data", "builtin:digits:train=40,test=5", "--hidden", 20, "--latent", 3, "--threads", 1, "--validation",
             0.3, "--batch", 4, "--lr", 0.05, "-q"]
    vaectl("train", *flags, "--epochs", 1, "-o", "run")
    written, before = [], read_bytes("run/best.safetensors")
    same(before, read_bytes("run/model.safetensors"))
    for epoch in range(2, 13):
        vaectl("train", "--resume", "run", "--epochs", epoch, "-q", "--threads", 1)
        best = read_bytes("run/best.safetensors")
        written += [epoch] if best != before else []
        same(best == read_bytes("run/model.safetensors"), best != before, epoch)
        before = best
    losses = [float(r["validation_loss"]) for r in read_rows("run")]
    same(written, [e for e in range(2, 13) if losses[e - 1] < min(losses[:e - 1])])
    assert 0 < len(written) < 11, losses
    same(vaectl_json("eval", "run", "--samples", 0)["epoch"], written[-1])
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run", "--force")
    same(sorted(os.listdir("run")), ["metrics.csv", "model.safetensors"])
    same(len(read_rows("run")), 1)


@test("--resume takes a folder or its model file, also from within; not -o nor --force")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    for epochs, given in enumerate(("run", "run/", "run/model.safetensors", "./run//model.safetensors"), 2):
        vaectl("train", "--resume", given, "--epochs", epochs, "-q")
        same((epoch_of("run"), len(read_rows("run"))), (epochs, epochs), given)
    for flag in (["--output", "x"], ["-o", "x"], ["--force"]):
        name = "force" if flag == ["--force"] else "output"
        refuse(2, f"--resume goes on in the run's own folder (no --{name})", "train", "--resume", "run", *flag)
    refuse(2, "--resume: run/metrics.csv: expected a run folder or its model.safetensors", "train", "--resume",
           "run/metrics.csv")
    os.chdir("run")
    for epochs, given in ((6, "model.safetensors"), (7, ".")):
        same(vaectl("train", "--resume", given, "--epochs", epochs, "-q")[0], "./model.safetensors\n./metrics.csv\n")
        same(epoch_of("."), epochs)


@test("a trained model keeps its settings, but for data, epochs and patience")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "--validation", 0.3, "-o", "run")
    kept = "a trained model keeps its settings (all but data|epochs|patience)"
    for flag, value in (("lr", 0.002), ("latent", 9), ("p", 0.5), ("scale", 2)):
        refuse(2, f"{flag}: {kept}", "train", "--resume", "run", f"--{flag}", value)
    data = "builtin:digits:train=30,test=10"
    vaectl("train", "--resume", "run", "--data", data, "--epochs", 2, "--patience", 5, "--threads", 2, "--json", "-q")
    config = vaectl_json("info", "run")["config"]
    same((config["data"], config["epochs"], config["patience"]), (data, 2, 5))
    vaectl("train", *SMALL, "--lr", 0.001, "--validation", 0.3, "--epochs", 3, "--patience", 5, "--resume", "run")
    same(vaectl_json("info", "run")["epoch"], 3)


# ---- Checkpoints that stay -------------------------------------------------------------------------------------------

STAYING = ["epoch-0000.safetensors", "epoch-0002.safetensors", "epoch-0004.safetensors"]
PLAIN = ["metrics.csv", "model.safetensors"]


def files(folder):
    """Content by name, but for metrics.csv, which has times."""
    return {name: read_bytes(f"{folder}/{name}") for name in os.listdir(folder) if name != "metrics.csv"}


@test("--keep-every: a checkpoint before training and after each so many epochs, which another training goes on from")
def _():
    vaectl("train", *SMALL, "--epochs", 5, "--keep-every", 2, "-o", "run")
    same(sorted(os.listdir("run")), STAYING + PLAIN)
    same([epoch_of(f"run/{name}") for name in STAYING], [0, 2, 4])
    refuse(2, f"--resume: run/{STAYING[1]}: expected a run folder or its model.safetensors", "train", "--resume",
           f"run/{STAYING[1]}")
    for name in STAYING:
        os.mkdir(name)
        os.rename(f"run/{name}", f"{name}/model.safetensors")
        vaectl("train", "--resume", name, "-q")
        same(read_bytes(f"{name}/model.safetensors"), read_bytes("run/model.safetensors"), name)


@test("--keep-every: what training takes from the data before its first step is in the checkpoint before training")
def _():
    for flags, name in ((["--output-bias", "data"], "decoder.1.bias"), (["--prior", "vampprior:components=5"], "prior.pseudo")):
        vaectl("train", *SMALL, *flags, "--epochs", 1, "--lr", 1e-12, "--keep-every", 1, "-o", "run", "--force")
        first, last = (load(f"run/epoch-000{epoch}.safetensors")[0][name][1] for epoch in (0, 1))
        same(max(abs(a - b) for a, b in zip(first, last)) < 1e-6, True, name)


@test("--keep-every with --resume: the files of a training that never stopped")
def _():
    vaectl("train", *SMALL, "--epochs", 5, "--keep-every", 2, "-o", "whole")
    for epochs in (1, 2, 3):
        vaectl("train", *SMALL, "--epochs", epochs, "--keep-every", 2, "-o", f"run{epochs}")
        vaectl("train", "--resume", f"run{epochs}", "--epochs", 5, "--keep-every", 2, "-q")
        whole, resumed = files("whole"), files(f"run{epochs}")
        same(sorted(resumed), sorted(whole))
        for name in ("model.safetensors", STAYING[2]):
            same(resumed[name], whole[name], name)


@test("--force removes the checkpoints of the run that was there, and no other file")
def _():
    vaectl("train", *SMALL, "--epochs", 4, "--keep-every", 2, "-o", "run")
    others = ["epoch-1.safetensors", "epoch-0001.safetensors.bak", "epoch-00001.safetensors", "epochs", "epoch-x"]
    for name in others:
        open(f"run/{name}", "w").close()
    vaectl("train", *SMALL, "--epochs", 3, "--keep-every", 3, "-o", "run", "--force")
    same(sorted(os.listdir("run")), sorted([STAYING[0], "epoch-0003.safetensors", *PLAIN, *others]))
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run", "--force")
    same(sorted(os.listdir("run")), sorted(PLAIN + others))


# ---- Replacements and what killed processes leave --------------------------------------------------------------------

PENDING, NEW, TEMPORARY = ".vaectl-replace", ".vaectl-new", ".vaectl-tmp"


def tree(folder):
    """All files below a folder, with their content; None: a folder."""
    found = {}
    for at, folders, names in os.walk(folder):
        found.update({os.path.relpath(f"{at}/{name}", folder): read_bytes(f"{at}/{name}") for name in names})
        found.update({os.path.relpath(f"{at}/{name}", folder): None for name in folders})
    return found


def interrupted_replacement():
    """`run`, in which `new` is about to replace another run: the moment has come, and one file is in its place."""
    vaectl("train", *SMALL, "--epochs", 4, "--validation", 0.3, "--keep-every", 2, "-o", "run")
    vaectl("train", *SMALL, "--epochs", 3, "--seed", 2, "--keep-every", 3, "-o", "new")
    open("run/notes.txt", "w").close()
    shutil.copytree("new", f"run/{PENDING}")
    shutil.copy("new/metrics.csv", "run/metrics.csv")


@test("half a replacement replaces nothing")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    before = {name: read_bytes(f"run/{name}") for name in os.listdir("run")}
    os.mkdir(f"run/{PENDING}")
    for content in ({}, {"metrics.csv": before["metrics.csv"]}, {"model.safetensors": before["model.safetensors"][:-9]}):
        for name, text in content.items():
            with open(f"run/{PENDING}/{name}", "wb") as file:
                file.write(text)
        for words in (["--resume", "run", "--epochs", 2], [*SMALL, "--epochs", 1, "-o", "run", "--force"]):
            _, errors = vaectl("train", *words, status=5)
            assert errors.startswith(f"vaectl: run/{PENDING}/model.safetensors: "), errors
        same({name: read_bytes(f"run/{name}") for name in os.listdir("run") if name != PENDING}, before)


@test("metrics of a size that no run has are not read")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    os.truncate("run/metrics.csv", 65 << 20)
    message = "run/metrics.csv: larger than 64 MB (expected the metrics of a run)"
    refuse(5, message, "plot", "curves", "run")
    refuse(5, message, "train", "--resume", "run", "--epochs", 2)


@test("a run that is being replaced is the new one for every command that reads it, and none of them writes")
def _():
    interrupted_replacement()
    before = tree("run")
    for given, path in (("run", "run"), ("run/", "run"), ("./run/model.safetensors", "./run"),
                        ("run/epoch-0003.safetensors", "run")):
        shown = vaectl_json("info", given)
        same((shown["config"]["seed"], shown["epoch"]), (2, 3), given)
        same(shown["model"], f"{path}/{PENDING}/{os.path.basename(given) if given[-1] == 's' else 'model.safetensors'}",
             given)
    refuse(5, f"run/{PENDING}/best.safetensors: cannot open: No such file or directory (expected a model file)", "info",
           "run/best.safetensors")
    os.chdir("run")
    same(vaectl_json("info", "model.safetensors")["config"]["seed"], 2)
    os.chdir("..")
    for words in (["curves"], ["animation"]):
        vaectl("plot", *words, "run", "-o", "a.png"), vaectl("plot", *words, "new", "-o", "b.png")
        same(read_bytes("a.png"), read_bytes("b.png"), words)
    same(tree("run"), before)
    same(vaectl("sample", "run")[0], "run/sample.png\n")
    same({name for name in tree("run") if name not in before}, {"sample.png"})
    tables = [vaectl("compare", name, "-o", "c.svg", "--json")[0] for name in ("run", "new")]
    same(tables[0], tables[1].replace('"run": "new"', '"run": "run"'))


@test("the next training finishes the replacement: the old run's files go, what is no run's stays")
def _():
    interrupted_replacement()
    vaectl("train", "--resume", "run", "--epochs", 3, "-q")
    same(tree("run"), {**tree("new"), "notes.txt": b""})
    os.mkdir(f"run/{PENDING}")
    os.rename("run/model.safetensors", f"run/{PENDING}/model.safetensors")
    vaectl("train", *SMALL, "-o", "run", "--force", "--epochs", 1)
    same(sorted(os.listdir("run")), sorted([*PLAIN, "notes.txt"]))


LEFT = [NEW, f"model.safetensors{TEMPORARY}", f"best.safetensors{TEMPORARY}", f"metrics.csv{TEMPORARY}",
        f"epoch-0010.safetensors{TEMPORARY}"]


def leave(folder, names=LEFT):
    """What killed processes leave; the folder of a run that never began has files in it."""
    os.makedirs(folder, exist_ok=True)
    for name in names:
        if name == NEW:
            os.mkdir(f"{folder}/{NEW}")
            leave(f"{folder}/{NEW}", ["metrics.csv", *LEFT[1:]])
        else:
            put_bytes(f"{folder}/{name}", b"half")


@test("what killed processes leave goes with the next start, but nothing that may be anybody's")
def _():
    others = [f"sample.png{TEMPORARY}", f"epoch-1.safetensors{TEMPORARY}", TEMPORARY, "model.safetensors.tmp", ".probe"]
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    for words in (["--resume", "run", "-q"], [*SMALL, "--epochs", 1, "-o", "run", "--force"]):
        leave("run")
        leave("run", others)
        vaectl("train", *words)
        same(sorted(os.listdir("run")), sorted(PLAIN + others))
    leave("run")
    vaectl("fit", "run", "--prior", "mixture:components=2", "--passes", 1, "-q", "-o", "run", "--force")
    same(sorted(os.listdir("run")), sorted(PLAIN + others))


@test("a folder with nothing in it but what a killed first save left counts as not there")
def _():
    for i, names in enumerate(([], [NEW], LEFT)):
        leave(f"run{i}", names)
        vaectl("train", *SMALL, "--epochs", 1, "-o", f"run{i}")
        same(sorted(os.listdir(f"run{i}")), PLAIN)
    os.makedirs("mine/runs")
    for name in ("notes.txt", f"sample.png{TEMPORARY}", "metrics.csv", "runs", PENDING):
        leave(f"{name}-run", LEFT)
        put_bytes(f"{name}-run/{name}", b"")
        before = tree(f"{name}-run")
        refuse(7, f"{name}-run: is already there (--force trains into it; another -o keeps it)", "train", *SMALL, "-o",
               f"{name}-run")
        same(tree(f"{name}-run"), before)


@test("a link with the name of a leftover folder is followed nowhere")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    leave("mine", ["notes.txt"])
    os.symlink("../mine", f"run/{NEW}")
    refuse(4, f"run/{NEW}: cannot read folder: Not a directory", "train", "--resume", "run", "--epochs", 2, "-q")
    os.rename(f"run/{NEW}", f"run/{PENDING}")
    same(vaectl_json("info", "run")["model"], "run/model.safetensors")
    vaectl("train", "--resume", "run", "--epochs", 1, "-q")
    same(os.listdir("mine"), ["notes.txt"])


@test("what could not be put into its place is found out before the old run is touched")
def _():
    vaectl("train", *SMALL, "--epochs", 2, "--validation", 0.3, "-o", "run")
    before = tree("run")
    for name in ("epoch-0000.safetensors", "epoch-0007.safetensors"):
        os.mkdir(f"run/{name}")
        refuse(4, f"run/{name}: cannot write: Is a directory", "train", *SMALL, "-o", "run", "--force")
        refuse(4, f"run/{name}: cannot write: Is a directory", "fit", "run", "--prior", "mixture:components=2", "-o", "run", "--force")
        os.rmdir(f"run/{name}")
        os.mkfifo(f"run/{name}")
        refuse(4, f"run/{name}: cannot write: not a regular file", "fit", "run", "--prior", "mixture:components=2", "--passes", 1, "-q",
               "-o", "run", "--force")
        os.remove(f"run/{name}")
    same(tree("run"), before)


@test("fit --force removes the best model and the checkpoints of the run that was there")
def _():
    vaectl("train", *SMALL, "--epochs", 4, "--validation", 0.3, "--keep-every", 2, "-o", "run")
    vaectl("fit", "run", "--prior", "mixture:components=2", "--passes", 1, "-q", "-o", "run", "--force")
    same(sorted(os.listdir("run")), PLAIN)


@test("a best model that cannot be looked for is an error, and not as if there were none")
def _():
    vaectl("train", *SMALL, "--epochs", 1, "-o", "run")
    os.symlink("best.safetensors", "run/best.safetensors")
    refuse(5, "run/best.safetensors: cannot read: Too many levels of symbolic links", "info", "run")


@test("a link for runs/latest that a killed process left does not stay")
def _():
    os.makedirs("runs")
    os.symlink("nowhere", f"runs/.latest{TEMPORARY}")
    vaectl("train", *SMALL, "--epochs", 1, "-o", "runs/x")
    same((sorted(os.listdir("runs")), os.readlink("runs/latest")), (["latest", "x"], "x"))


# ---- Checks ---------------------------------------------------------------------------------------------------------

CHECKED = ["--data", "rows.npy", "--holdout", 0.2, "--likelihood", "gaussian", "--hidden", 4, "--latent", 2,
           "--threads", 1, "-q"]


def write_rows(path, first=0.5):
    write_npy(path, (100, 3), [first] + [(i * 7 % 13) / 13 for i in range(299)])


def verdicts(status=0):
    """What is said of each file of the run."""
    out, errors = vaectl("check", "run", status=status)
    lines = dict(line.split(": ", 1) for line in out.splitlines())
    bad = sum(verdict.startswith("BAD, ") for verdict in lines.values())
    same(errors, f"vaectl: {bad} of {len(lines)} files are not as they should be\n" if status else "")
    same(bad > 0, status == 5)
    found = vaectl_json("check", "run") if not status else None
    same(found and [file["file"] for file in found["files"]], found and list(lines))
    return {path.removeprefix("run/"): verdict for path, verdict in lines.items()}


@test("check tells of each file of a run whether it is whole and the run's, and whether the data are")
def _():
    write_rows("rows.npy")
    vaectl("train", *CHECKED, "--epochs", 3, "--validation", 0.2, "--keep-every", 1, "-o", "run")
    vaectl("train", *CHECKED, "--epochs", 3, "--validation", 0.2, "--keep-every", 1, "--seed", 2, "-o", "other")
    best = vaectl_json("info", "run/model.safetensors")["best_epoch"]
    steps = vaectl_json("info", "run/model.safetensors")["step"]
    good = {"model.safetensors": f"ok, after epoch 3, step {steps}", "best.safetensors": f"ok, after epoch {best}",
            **{f"epoch-000{i}.safetensors": f"ok, after epoch {i}" for i in range(4)}, "metrics.csv": "ok, 3 rows",
            "rows.npy": "ok, 64 training images"}
    same(verdicts(), good)
    same(vaectl("check", "run/best.safetensors")[0].count("\n"), 2)
    shutil.copytree("run", "whole")

    def damaged(name, verdict, status=5):
        found = verdicts(status)
        assert found.pop(name).startswith(verdict), (name, verdicts(status)[name])
        same(found, {n: v for n, v in good.items() if n != name}, name)
        shutil.rmtree("run")
        shutil.copytree("whole", "run")

    for name in ("best.safetensors", "epoch-0002.safetensors"):
        os.truncate(f"run/{name}", 3000)
        damaged(name, "BAD, ")
        shutil.copy(f"other/{name}", "run")
        damaged(name, "BAD, of another run: its seed is not that of model.safetensors")
    shutil.copy("run/epoch-0001.safetensors", "run/epoch-0002.safetensors")
    damaged("epoch-0002.safetensors", "BAD, after epoch 1 (expected 2)")
    shutil.copy("run/epoch-0003.safetensors", "run/epoch-0004.safetensors")
    damaged("epoch-0004.safetensors", "BAD, of an epoch that the run has not had")
    os.remove("run/best.safetensors")
    damaged("best.safetensors", f"BAD, missing, and epoch {best} was the best")
    os.remove("run/metrics.csv")
    damaged("metrics.csv", "BAD, missing")
    os.truncate("run/metrics.csv", os.path.getsize("run/metrics.csv") - 2)
    damaged("metrics.csv", "BAD, 2 whole rows (expected one for each of 3 epochs)")
    shutil.copy("other/metrics.csv", "run")
    damaged("metrics.csv", "BAD, its last row has not the losses that are in model.safetensors")
    open(f"run/best.safetensors{TEMPORARY}", "w").close()
    damaged(f"best.safetensors{TEMPORARY}", "ok, left by a process that was killed", 0)
    write_rows("rows.npy", 0.25)
    damaged("rows.npy", "BAD, not the images that the model was trained on so far (CRC-32 ")
    os.remove("rows.npy")
    damaged("rows.npy", "ok, not checked: rows.npy: No such file or directory", 0)
    os.truncate("run/model.safetensors", 3000)
    same(list(verdicts(5)), ["model.safetensors"])


@test("--resume refuses other data of the same size by name; a model that has no checksum of its data takes them")
def _():
    write_rows("rows.npy")
    write_rows("other.npy", 0.25)
    vaectl("train", *CHECKED, "--epochs", 1, "-o", "run")
    shutil.copytree("run", "old")
    before = read_bytes("run/model.safetensors")
    out, errors = vaectl("train", "--resume", "run", "--data", "other.npy", "--epochs", 2, "-q", status=3)
    assert re.fullmatch(r"vaectl: other.npy: not the images that the model was trained on so far \(CRC-32 [0-9a-f]{8}, "
                        r"expected [0-9a-f]{8}\)\n", errors), errors
    same((out, read_bytes("run/model.safetensors")), ("", before))
    shutil.copy("rows.npy", "moved.npy")
    vaectl("train", "--resume", "run", "--data", "moved.npy", "--epochs", 2, "-q")
    tensors, metadata = load("old/model.safetensors")
    state = json.loads(metadata["vaectl.state"])
    del state["data_crc32"]
    save("old/model.safetensors", tensors, {**metadata, "vaectl.state": json.dumps(state, separators=(",", ":"), sort_keys=True)})
    vaectl("train", "--resume", "old", "--data", "other.npy", "--epochs", 2, "-q")


sys.exit(run())
