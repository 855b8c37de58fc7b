# SPDX-License-Identifier: MIT
"""Power is lost. The calls of a training are written down; for each moment the folders are made that a disk may have by
then: data that was not synced is not there, or half of it, and of the changes to folders that were not synced any may be
there and any not. In each of these the run must be all old or all new, and go on to the bytes that it would have had."""
import collections
import os
import random
import shutil
import sys

from shared.faults import LONG, attack, run
from shared.interrupted import FORMS, Attack, files_of

Entry = collections.namedtuple("Entry", "folder name node")  # node None: the name goes
ROOT = 0


class Disk:
    """Files and folders are nodes with numbers. A change of folders is a list of entries, which happens as a whole."""

    def __init__(self, *trees):
        self.data, self.synced, self.folders, self.links = {}, {}, {ROOT}, {}
        self.open = {}                 # number of an open file: node
        self.names = {}                # (folder, name): node, as the program sees them
        self.changes = []              # [entries, is on the disk]
        self.n = 0
        for tree in trees:
            self._add_tree(tree, ROOT, os.path.basename(tree))

    def _new(self):
        self.n += 1
        return self.n

    def _add_tree(self, path, folder, name):
        node = self._new()
        if os.path.isdir(path):
            self.folders.add(node)
        else:
            with open(path, "rb") as file:
                self.data[node] = self.synced[node] = file.read()
        self._change([Entry(folder, name, node)], True)
        for inside in os.listdir(path) if os.path.isdir(path) else []:
            self._add_tree(f"{path}/{inside}", node, inside)

    def _change(self, entries, on_disk=False):
        self.changes.append([entries, on_disk])
        for entry in entries:
            if entry.node is None:
                self.names.pop((entry.folder, entry.name), None)
            else:
                self.names[entry.folder, entry.name] = entry.node

    def _find(self, path):
        """The folder of a path, its last name and the node there or None."""
        parts = [part for part in os.path.normpath(path).split("/") if part != "."]
        at = ROOT
        for part in parts[:-1]:
            at = self.names.get((at, part))
        return (at, parts[-1], self.names.get((at, parts[-1]))) if parts else (None, "", ROOT)

    def do(self, call):
        """A call that succeeded."""
        if call.name == "open":
            folder, name, node = self._find(call.path)
            if node is None:
                assert call.flags & os.O_CREAT, call
                node = self._new()
                self.data[node], self.synced[node] = b"", b""
                self._change([Entry(folder, name, node)])
            self.open[call.file] = node
        elif call.name == "write":
            self.data[self.open[call.file]] += call.data
        elif call.name == "fsync":
            node = self.open[call.file]
            if node in self.data:
                self.synced[node] = self.data[node]
            for change in self.changes:
                change[1] = change[1] or all(entry.folder == node for entry in change[0])
        elif call.name == "rename":
            (folder, name, node), (to, other, _) = self._find(call.path), self._find(call.other)
            self._change([Entry(folder, name, None), Entry(to, other, node)])
        elif call.name in ("unlink", "rmdir", "unlinkat"):
            folder, name, _ = (self.open[call.file], call.path, None) if call.name == "unlinkat" else self._find(call.path)
            self._change([Entry(folder, name, None)])
        elif call.name in ("mkdir", "symlink"):
            folder, name, _ = self._find(call.path)
            node = self._new()
            if call.name == "mkdir":
                self.folders.add(node)
            else:
                self.links[node] = call.other
            self._change([Entry(folder, name, node)])

    def state(self, dropped, content):
        """{path: bytes, or None for a folder, or the text that a link is} without some of the changes; `content` makes a
        file's bytes of what was synced and what was written."""
        names = collections.defaultdict(dict)
        for i, (entries, _) in enumerate(self.changes):
            for folder, name, node in entries if i not in dropped else []:
                if node is None:
                    names[folder].pop(name, None)
                else:
                    names[folder][name] = node
        found = {}

        def add(folder, path):
            for name, node in names[folder].items():
                if node in self.folders:
                    found[path + name] = None
                    add(node, f"{path}{name}/")
                else:
                    found[path + name] = self.links.get(node) or content(self.synced[node], self.data[node])
        add(ROOT, "")
        return found

    def states(self):
        """All that the disk may have now, of the kinds that are tried."""
        pending = [i for i, (_, on_disk) in enumerate(self.changes) if not on_disk]
        subsets = [set(), set(pending), *({i} for i in pending), *(set(pending) - {i} for i in pending)]
        subsets += [{i for i in pending if random.random() < 0.5} for _ in range(10 if LONG else 2) if len(pending) > 2]
        for dropped in subsets:
            for content in CONTENTS:
                yield self.state(dropped, content)


CONTENTS = [lambda synced, data: synced, lambda synced, data: data,
            lambda synced, data: data[:(len(synced) + len(data)) // 2]]


def make(state):
    """The folders of a state in the current one."""
    for name in ("run", "runs", "source"):
        shutil.rmtree(name, ignore_errors=True)
    for path, data in state.items():  # folders come before what is in them
        if data is None:
            os.mkdir(path)
        elif isinstance(data, str):
            os.symlink(data, path)
        else:
            with open(path, "wb") as file:
                file.write(data)


def try_states(form):
    training = Attack(form)
    training.begin()
    disk = Disk(*(name for name in ("run", "source") if os.path.exists(name)))
    random.seed(1)
    seen, states, tried, went_on = set(), collections.Counter(), 0, 0
    for call in training.calls:
        if call.result >= 0:
            disk.do(call)
        for state in disk.states() if call.name not in ("read", "stat", "lstat", "fstat", "access") else []:
            key = frozenset(state.items())
            if key in seen:
                continue
            seen.add(key)
            if not LONG and len(seen) % 3:
                continue
            tried += 1
            make(state)
            found = training.check()
            states[found] += 1
            if LONG or tried % 4 == 0:
                training.go_on(found)
                went_on += 1
    lost = disk.state({i for i, (_, on_disk) in enumerate(disk.changes) if not on_disk}, CONTENTS[0])
    make(lost)
    assert files_of("run") == training.last, "what was done is not on the disk"
    return (f"{tried} states after {len(training.calls)} calls, all whole ("
            + ", ".join(f"{n} {state}" for state, n in sorted(states.items()))
            + f"), {went_on} went on to the same bytes; what was done is there")


for one in FORMS:
    attack(f"loss of power, {one.name}")(lambda one=one: try_states(one))

sys.exit(run())
