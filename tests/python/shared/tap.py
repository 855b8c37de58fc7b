# SPDX-License-Identifier: MIT
"""A list of tests that prints TAP: decorate functions with @test("what holds"), end with sys.exit(run())."""
import os
import re
import tempfile
import traceback

_tests = []


class Skip(Exception):
    """Raised by a test that something is missing for, with what that is."""


def not_under(*checkers, why):
    """Ends a test, as skipped, where one of these checkers (asan, tsan, valgrind) watches, which can say nothing about
    it. A whole file says so in a line "Not under tsan: WHY", which tests/run.sh reads."""
    if os.environ.get("VAE_CHECKER") in checkers:
        raise Skip(why)


def test(name):
    """The function is called in an empty folder of its own; it fails by raising (assert)."""
    def add(function):
        _tests.append((name, function))
        return function
    return add


def same(got, want, what=""):
    assert got == want, f"{what}: got {got!r}, expected {want!r}"


def near(got, want, bound, what=""):
    """|got - want| <= bound * max(1, |want|). NaN never passes."""
    assert abs(got - want) <= bound * max(1, abs(want)), f"{what}: got {got!r}, expected {want!r} within {bound:g}"


def alike(got, want):
    """The same text but for the last digit of its numbers, as one of them may have been rounded twice."""
    got, want = (re.split(r"(\d+\.\d+)", text) for text in (got, want))
    same(got[::2], want[::2])
    for a, b in zip(got[1::2], want[1::2]):
        digits = len(b.split(".")[1])
        same(len(a.split(".")[1]), digits, a)
        assert abs(float(a) - float(b)) < 1.01 * 10 ** -digits, (a, b)


def run():
    """Runs all tests; 1 if any failed, else 0."""
    failed = 0
    print(f"1..{len(_tests)}")
    for number, (name, function) in enumerate(_tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            before = os.getcwd()
            os.chdir(folder)
            skipped = ""
            try:
                function()
                good = True
            except Skip as reason:
                good, skipped = True, f" # SKIP {reason}"
            except Exception:
                print("# " + traceback.format_exc().rstrip().replace("\n", "\n# "))
                good = False
            os.chdir(before)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}{skipped}", flush=True)
    return int(failed > 0)
