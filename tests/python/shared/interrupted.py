# SPDX-License-Identifier: MIT
"""Trainings that are killed, or whose calls fail, and what must be true of their run folders: see tests/faults/shim.c.
Every attack works in the current folder, on the run `run`."""
import collections
import os
import re
import shutil
import subprocess

from shared.program import MOST_SECONDS, command_line, read_bytes

SMALL = ["--data", "builtin:digits:train=30,test=20", "--hidden", 6, "--latent", 3, "--threads", 1, "-q"]
SAVING = ["--validation", 0.3, "--keep-every", 1]  # all files that a save may write
PENDING, NEW, TEMPORARY = ".vaectl-replace", ".vaectl-new", ".vaectl-tmp"
OWN = re.compile(r"(model|best|epoch-\d{4,})\.safetensors|metrics\.csv")

# What makes the run that is there before, the command, and what goes on with the run that is there when that was killed;
# None: the same command.
Form = collections.namedtuple("Form", "name before command resume")
FORMS = [
    Form("a new run", [], ["train", *SMALL, *SAVING, "--epochs", 2, "-o", "run"],
         ["train", "--resume", "run", "--keep-every", 1, "--threads", 1, "-q"]),
    Form("--resume", ["train", *SMALL, *SAVING, "--epochs", 1, "-o", "run"],
         ["train", "--resume", "run", "--epochs", 2, "--keep-every", 1, "--threads", 1, "-q"], None),
    Form("--force", ["train", *SMALL, *SAVING, "--epochs", 4, "--seed", 2, "-o", "run"],
         ["train", *SMALL, *SAVING, "--epochs", 2, "-o", "run", "--force"],
         ["train", "--resume", "run", "--keep-every", 1, "--threads", 1, "-q"]),
    Form("fit --force", ["train", *SMALL, *SAVING, "--epochs", 2, "--seed", 2, "-o", "run"],
         ["fit", "source", "--prior", "mixture:components=2", "--passes", 1, "--threads", 1, "-q", "-o", "run", "--force"],
         None),
]


def run_with(words, **fault):
    """Exit status, stderr and stdout of vaectl with these variables of the shim (calls=..., at=..., do=..., log=...)."""
    environment = {**os.environ, "LD_PRELOAD": os.environ["VAE_BUILD"] + "/tests/faults/shim.so"}
    environment.update({f"FAULT_{key.upper()}": str(value) for key, value in fault.items() if value is not None})
    done = subprocess.run(command_line(words), capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment,
                          timeout=MOST_SECONDS)
    return done.returncode, done.stderr, done.stdout


def succeed(words, **fault):
    """vaectl must end with 0; without waiting for the disk."""
    status, errors, _ = run_with(words, **fault)
    assert status == 0, f"vaectl {words}: exit status {status}: {errors}"


Call = collections.namedtuple("Call", "name result file path other flags data")


def read_log(path):
    """The calls that the shim wrote down."""
    data, at, calls = read_bytes(path), 0, []
    while at < len(data):
        end = data.index(b"\n", at)
        name, result, file, path, other, flags = data[at:end].decode().split("\t")
        at = end + 1
        size = max(0, int(result)) if name == "write" else 0
        calls.append(Call(name, int(result), int(file), path, other, int(flags), data[at:at + size]))
        at += size
    return calls


# ---- What is in a folder ---------------------------------------------------------------------------------------------

def without_times(name, data):
    """The bytes of a file of a run; metrics.csv without its third column, the seconds."""
    if os.path.basename(name) != "metrics.csv":
        return data
    return b"\n".join(b",".join(row[:2] + row[3:]) for row in (line.split(b",") for line in data.split(b"\n")))


def files_of(run):
    """The files that are the run, as docs/reliability.md says: {name: bytes}."""
    folder = f"{run}/{PENDING}" if os.path.isdir(f"{run}/{PENDING}") else run
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return {name: without_times(name, read_bytes(f"{folder}/{name}")) for name in names if OWN.fullmatch(name)}


def leftovers(run):
    """What a user did not put there and no run has."""
    names = os.listdir(run) if os.path.isdir(run) else []
    return [name for name in names if not OWN.fullmatch(name) and name not in (PENDING, "notes.txt")]


def versions(calls):
    """{name: contents} that the calls gave to the files of a run, under any folder."""
    data, file_at, found = collections.defaultdict(bytes), {}, collections.defaultdict(set)
    for call in calls:
        if call.name == "open":
            file_at[call.path] = call.file
        elif call.name == "write":
            data[call.file] += call.data
        elif call.name == "rename" and call.path in file_at:
            name = os.path.basename(call.other)
            found[name].add(without_times(name, data[file_at[call.path]]))
    return found


class Attack:
    """A form of training, made ready: the folders `before`, the state it begins with, and `after`, that it ends with, its
    calls, and all contents that files of the old and the new run may have."""

    def __init__(self, form):
        self.form = form
        shutil.rmtree("runs", ignore_errors=True)
        for name in ("run", "before", "after"):
            shutil.rmtree(name, ignore_errors=True)
        if form.before:
            succeed(form.before)
            open("run/notes.txt", "w").close()
            shutil.copytree("run", "before")
        if form.command[0] == "fit" and not os.path.exists("source"):
            succeed(["train", *SMALL, "--epochs", 1, "-o", "source"])
        if os.path.exists("log"):
            os.remove("log")
        succeed(form.command, log="log")
        self.calls = read_log("log")
        shutil.copytree("run", "after")
        self.old, self.new = files_of("before"), versions(self.calls)
        self.last = files_of("after")
        if form.name == "--resume":
            for name, data in self.old.items():
                self.new[name].add(data)
            self.old = {}
        assert not leftovers("after") and all(data in self.new[name] for name, data in self.last.items())

    def begin(self):
        """The state that the command begins with."""
        for name in ("run", "runs"):  # where that is there already, fewer calls are made
            shutil.rmtree(name, ignore_errors=True)
        if self.form.before:
            shutil.copytree("before", "run")

    def check(self):
        """The run must be all old or all new, or, where it is a new one, may be none yet. Which of these?"""
        files = files_of("run")
        if "model.safetensors" not in files:
            assert not self.form.before and not files, f"lost: {os.listdir('run') if os.path.isdir('run') else None}"
            return "none"
        succeed(["info", "run"])
        if files == self.old:
            return "old"
        wrong = [name for name, data in files.items() if data not in self.new[name]]
        assert not wrong and "metrics.csv" in files, f"mixed: {wrong} of {sorted(files)}"
        return "new"

    def go_on(self, state):
        """The next start must end as if nothing had happened, and leave nothing."""
        succeed(self.form.resume if state == "new" and self.form.resume else self.form.command)
        files = files_of("run")
        same = {name for name in {*files, *self.last} if files.get(name) == self.last.get(name)}
        assert same == {*files, *self.last}, f"other bytes: {({*files, *self.last}) - same}"
        assert not leftovers("run") and not os.path.exists(f"run/{PENDING}"), os.listdir("run")
        assert not self.form.before or os.path.exists("run/notes.txt")
