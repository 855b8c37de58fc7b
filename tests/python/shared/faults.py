# SPDX-License-Identifier: MIT
"""A list of attacks: decorate functions @attack("name"), end with sys.exit(run()). Only the standard library."""
import os
import shutil
import sys
import tempfile
import time
import traceback

LONG = "--long" in sys.argv[1:]
_attacks = []


def attack(name):
    """The function is called in an empty folder of its own and returns its figure, a text; it fails by raising."""
    def add(function):
        _attacks.append((name, function))
        return function
    return add


def run():
    """Runs all attacks; 1 if any failed, else 0."""
    start, failed = time.monotonic(), 0
    for name, function in _attacks:
        folder, before, began = tempfile.mkdtemp(), os.getcwd(), time.monotonic()
        os.chdir(folder)
        try:
            result = f"ok    {name}: {function()}"
        except Exception:
            print(traceback.format_exc().rstrip())
            result, failed = f"FAIL  {name}", failed + 1
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)
        print(f"{result}  [{time.monotonic() - began:.0f} s]", flush=True)
    print(f"{os.path.basename(sys.argv[0])}: {len(_attacks) - failed} of {len(_attacks)} attacks withstood, "
          f"{time.monotonic() - start:.0f} s", flush=True)
    return int(failed > 0)
