# SPDX-License-Identifier: MIT
"""A list of tests that prints TAP: decorate functions with @test("what holds"), end with sys.exit(run())."""
import os
import tempfile
import traceback

_tests = []


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


def run():
    """Runs all tests; 1 if any failed, else 0."""
    failed = 0
    print(f"1..{len(_tests)}")
    for number, (name, function) in enumerate(_tests, 1):
        with tempfile.TemporaryDirectory() as folder:
            before = os.getcwd()
            os.chdir(folder)
            try:
                function()
                good = True
            except Exception:
                print("# " + traceback.format_exc().rstrip().replace("\n", "\n# "))
                good = False
            os.chdir(before)
        failed += not good
        print(f"{'ok' if good else 'not ok'} {number} - {name}", flush=True)
    return int(failed > 0)
