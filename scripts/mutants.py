#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Do the tests notice small mistakes? Puts mistakes into src, one at a time, at random places of lines that tests
execute, and runs those tests until one fails.

    scripts/mutants.py [--seed N] [--count N] [--jobs N] [--only PATTERN] [--at FILE:LINE] [--list] [--fresh]

--seed    another seed, other mistakes [1]
--count   so many mistakes that compile and change the compiled code [20]
--jobs    at the same time, each in a copy of the tree [all cores]
--only    in files whose path matches PATTERN
--at      in one line alone
--list    print the mistakes and stop
--fresh   measure anew which test executes which line (else only after a change of src or tests)

A survivor is printed with its line: it needs a test, or an argument that nobody could tell the difference."""
import argparse
import concurrent.futures
import glob
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORK = os.path.join(ROOT, "build", "mutants")
FLAGS = ["OPTIMISE=-O2", "HARDENING="]
COVERAGE_FLAGS = ["OPTIMISE=-O1", "HARDENING=", "SANITIZE=--coverage"]

# ---- Tests ---------------------------------------------------------------------------------------------------------


def all_tests(tree):
    """{name: (make targets, command)}, a test being a program, a script, or one @test of a bats file."""
    tests = {}
    tools = ["build/" + source[:-2] for source in glob.glob("tests/tools/*.c", root_dir=tree)]
    for source in sorted(glob.glob("tests/unit/test_*.c", root_dir=tree) +
                         glob.glob("tests/double/test_*.c", root_dir=tree)):
        program = "build/" + source[:-2]
        tests[source[6:-2]] = ([program], [program])
    for script in sorted(glob.glob("tests/python/*.py", root_dir=tree)):
        tests[script[6:]] = (["build/vaectl", *tools], [python_with_torch(), script])
    for file in sorted(glob.glob("tests/cli/*.bats", root_dir=tree)):
        with open(os.path.join(tree, file)) as text:
            for name in re.findall(r'^@test "(.*)" \{', text.read(), re.MULTILINE):
                pattern = "^" + re.sub(r"[^A-Za-z0-9 ,_-]", ".", name) + "$"
                tests[f"{file[6:]}: {name}"] = (["build/vaectl"], ["bats", "-f", pattern, file])
    return tests


def python_with_torch():
    for python in ("python3", "/usr/bin/python3"):
        if not subprocess.run([python, "-c", "import numpy, torch"], capture_output=True).returncode:
            return python
    return "python3"


def run_test(tree, command, seconds):
    """Does it pass within so many seconds?"""
    build = os.path.join(tree, "build")
    environment = {**os.environ, "VAECTL": build + "/vaectl", "VAE_BUILD": build, "CMOCKA_MESSAGE_OUTPUT": "TAP"}
    process = subprocess.Popen(command, cwd=tree, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        return process.wait(timeout=seconds) == 0
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.wait()
        return False


def make(tree, targets, flags):
    done = subprocess.run(["make", "-s", *flags, *targets], cwd=tree, capture_output=True, text=True)
    return done.returncode == 0, done.stderr


def copy_tree(to):
    """All but what was built, with the times of files, so that make has little to do."""
    for name in os.listdir(ROOT):
        if name not in ("build", "runs", "data", ".git"):
            source, copy = os.path.join(ROOT, name), os.path.join(to, name)
            if os.path.isdir(source):
                shutil.rmtree(copy, ignore_errors=True)
                shutil.copytree(source, copy)
            else:
                os.makedirs(to, exist_ok=True)
                shutil.copy2(source, copy)


# ---- Which test executes which line --------------------------------------------------------------------------------


def state_of_tree():
    digest = hashlib.sha256()
    for folder in ("src", "include", "tests"):
        for path in sorted(glob.glob(f"{ROOT}/{folder}/**/*.*", recursive=True)):
            if os.path.isfile(path) and "__pycache__" not in path:
                digest.update(open(path, "rb").read())
    return digest.hexdigest()


def executed_lines(tree):
    """{file: [lines]} since the counters were removed, which this does as well. Lines without
    code of their own (tables, constants, the rest of a statement) count where anything in their file was executed."""
    counters = glob.glob(f"{tree}/build/**/*.gcda", recursive=True)
    done = subprocess.run(["gcov", "--json-format", "--stdout", *counters], cwd=tree, capture_output=True, text=True)
    lines, with_code = {}, {}
    for report in done.stdout.splitlines():
        for file in json.loads(report)["files"]:
            if file["file"].startswith("src/"):
                lines.setdefault(file["file"], set()).update(
                    line["line_number"] for line in file["lines"] if line["count"])
                with_code.setdefault(file["file"], set()).update(line["line_number"] for line in file["lines"])
    for counter in counters:
        os.remove(counter)
    for file, numbers in lines.items():
        with open(os.path.join(tree, file)) as source:
            numbers |= set(range(1, len(source.readlines()) + 1)) - with_code[file] if numbers else set()
    return {file: sorted(numbers) for file, numbers in lines.items() if numbers}


def measure_coverage(fresh):
    """{test: {"seconds": s, "lines": {file: [lines]}}} of the tests that pass."""
    path, state = os.path.join(WORK, "coverage.json"), state_of_tree()
    if not fresh and os.path.exists(path):
        with open(path) as file:
            known = json.load(file)
        if known["state"] == state:
            return known["tests"]
    tree = os.path.join(WORK, "coverage")
    copy_tree(tree)
    tests, measured = all_tests(tree), {}
    good, errors = make(tree, ["-j2", "test-programs"], COVERAGE_FLAGS)
    if not good:
        sys.exit(errors[-2000:])
    executed_lines(tree)
    for i, (name, (_, command)) in enumerate(tests.items()):
        began = time.monotonic()
        passed = run_test(tree, command, 600)
        seconds = time.monotonic() - began
        print(f"\rcoverage: {i + 1} of {len(tests)}\033[K", end="", file=sys.stderr, flush=True)
        lines = executed_lines(tree)
        if passed:
            measured[name] = {"seconds": seconds, "lines": lines}
        else:
            print(f"\r{name}: fails without any mistake; left out", file=sys.stderr)
    print("\r\033[K", end="", file=sys.stderr)
    with open(path, "w") as file:
        json.dump({"state": state, "tests": measured}, file)
    return measured


# ---- Mistakes ------------------------------------------------------------------------------------------------------

OPERATORS = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "/", "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=",
             "!=": "==", "&&": "||", "||": "&&", "+=": "-=", "-=": "+=", "|": "&", "&": "|", "^": "|", "<<": ">>",
             ">>": "<<"}
WORDS = {"true": "false", "false": "true", "VAE_OK": "VAE_E_INTERNAL", "VAE_E_USAGE": "VAE_E_DATA",
         "VAE_E_DATA": "VAE_E_MODEL", "VAE_E_WRITE": "VAE_E_MODEL", "VAE_E_MODEL": "VAE_E_DATA",
         "VAE_E_DIVERGED": "VAE_E_INTERNAL", "VAE_E_EXISTS": "VAE_E_WRITE", "VAE_E_MEMORY": "VAE_E_INTERNAL",
         "rows": "cols", "cols": "rows", "first": "0", "fmax": "fmin", "fmin": "fmax", "sqrt": "", "NAN": "0",
         "begin": "end", "down": "across", "across": "down"}


def other_number(m):
    text = m.group()
    if "." in text or "e" in text:
        return ["-" + text, f"({text} * 1.1)"]
    return [str(int(text) + 1), str(int(text) - 1) if int(text) else "(-1)"]


# What to look for in a line, and the texts that may stand in its place.
MISTAKES = [(re.compile(pattern), texts) for pattern, texts in [
    (r"(?<= )(?:" + "|".join(map(re.escape, sorted(OPERATORS, key=len, reverse=True))) + ")(?= )",
     lambda m: [OPERATORS[m.group()]]),
    (r"\b(?:" + "|".join(WORDS) + r")\b", lambda m: [WORDS[m.group()]]),
    (r"(?<![\w.\"])\d+(?:\.\d+)?(?:e-?\d+)?(?![\w.])", other_number),
    (r"\+\+|--", lambda m: ["--" if m.group() == "++" else "++"]),
    (r"!(?=[\w(])", lambda m: [""]),                                             # a negation dropped,
    (r"(?:(?<=[=(,] )|(?<=[(\[])|(?<=return ))-(?=[\w(])", lambda m: [""]),       # a sign,
    (r"(?<=\[)\w+(?=\])", lambda m: [m.group() + " + 1"]),                       # the next element,
    (r"(?<=[(,])( ?)([\w.>-]+)(, )([\w.>-]+)(?=[,)])",                            # arguments swapped,
     lambda m: [m.group(1) + m.group(4) + m.group(3) + m.group(2)]),
    (r"(?<=\bif \().*(?=\)(?: return| \{| \w+ = |$))", lambda m: [f"!({m.group()})"]),
    (r"(?<=^)( +)(?!return|const|static|struct|break|continue|case|if|for|while|switch|else|goto|do)(?!(?:\w+ )+\*?\w+"
     r"(?:\[.*\])? = )[\w>.\[\]*+ -]+(?:\(.*\)| [-+*/]?= .*|\+\+|--)(?=;$)",    # a statement dropped
     lambda m: [m.group(1) + "(void)0"]),
]]
DECLARATION = re.compile(r"\s*(?:(?:static|const|struct|unsigned|extern|size_t) )*\w+[ *]+\w+[\[(].*[;,=]$")


def blanked(text):
    """The text with comments, strings and preprocessor lines replaced by spaces, character by character."""
    def blank(match):
        return re.sub(r"[^\n]", " ", match.group())
    return re.sub(r'/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|\'(?:[^\'\\\n]|\\.)*\'|^[ \t]*#(?:[^\n\\]|\\.|\\\n)*', blank, text,
                  flags=re.DOTALL | re.MULTILINE)


def mistakes_in_line(code, start):
    """(begin, end, replacement) in the file, for one line of blanked code that starts at `start`. Sizes of arrays and
    names in declarations are left alone: nobody could tell the difference."""
    if DECLARATION.match(code):
        return []
    return [(start + m.start(), start + m.end(), text)
            for pattern, texts in MISTAKES for m in pattern.finditer(code) if m.group().count("(") == m.group().count(")")
            for text in texts(m)]


def all_mistakes(covered, only, at):
    """Sorted [(file, line, begin, end, replacement)] in lines that are executed by a test."""
    mistakes = []
    for file, lines in sorted(covered.items()):
        if only and not re.search(only, file):
            continue
        with open(os.path.join(ROOT, file)) as source:
            code, start = blanked(source.read()), 0
        for number, line in enumerate(code.split("\n"), 1):
            if number in lines and (not at or at == f"{file}:{number}"):
                mistakes += [(file, number, *mistake) for mistake in mistakes_in_line(line, start)]
            start += len(line) + 1
    return mistakes


def show(mistake):
    file, number, begin, end, new = mistake
    with open(os.path.join(ROOT, file)) as source:
        text = source.read()
    first, last = text.rfind("\n", 0, begin) + 1, text.find("\n", end)
    return (f"{file}:{number}\n    - {text[first:last].strip()}\n"
            f"    + {(text[first:begin] + new + text[end:last]).strip()}")


# ---- Trying them ---------------------------------------------------------------------------------------------------


class Worker:
    """A copy of the tree, built once, in which mistakes are tried."""

    def __init__(self, number):
        self.tree = os.path.join(WORK, f"tree-{number}")
        copy_tree(self.tree)
        good, errors = make(self.tree, ["test-programs"], FLAGS)
        if not good:
            sys.exit(errors[-2000:])
        self.tests = all_tests(self.tree)

    def objects(self, file):
        base = file[:-2] + ".o"
        return ["build/" + base] + (["build/double/" + base] if "/cli/" not in file else [])

    def fingerprint(self, file):
        if file.endswith(".h"):
            return None
        return [hashlib.sha256(open(os.path.join(self.tree, o), "rb").read()).hexdigest() for o in self.objects(file)]

    def try_mistake(self, mistake, order):
        """"still" (does not compile, or to the same code), "killed by TEST" or "survived"."""
        file, _, begin, end, new = mistake
        path = os.path.join(self.tree, file)
        with open(path) as source:
            original = source.read()
        before = self.fingerprint(file)
        try:
            with open(path, "w") as source:
                source.write(original[:begin] + new + original[end:])
            if before and not make(self.tree, self.objects(file), FLAGS)[0] or before == self.fingerprint(file) != None:
                return "still"
            for name in order:
                targets, command = self.tests[name]
                if not make(self.tree, targets, FLAGS)[0]:
                    return "still"
                if not run_test(self.tree, command, 10 + 10 * order[name]):
                    return "killed by " + name
            return "survived"
        finally:
            with open(path, "w") as source:
                source.write(original)
            make(self.tree, self.objects(file) if before else [], FLAGS)


class Experience:
    """Tests that executed a line, those first that were quick and have noticed mistakes in its file before."""

    def __init__(self, coverage):
        self.coverage, self.kills, self.lock = coverage, {}, threading.Lock()

    def order(self, mistake):
        file, number = mistake[:2]
        able = {name: c["seconds"] for name, c in self.coverage.items() if number in c["lines"].get(file, ())}

        def cost(name):
            return (able[name] + 0.5) / (self.kills.get((file, name), 0) + 0.3)
        return {name: able[name] for name in sorted(able, key=cost)}

    def learn(self, mistake, outcome):
        with self.lock:
            if outcome.startswith("killed by "):
                key = (mistake[0], outcome[10:])
                self.kills[key] = self.kills.get(key, 0) + 1


def try_all(mistakes, count, jobs, experience):
    """Takes mistakes in their order until `count` of them were alive; prints as it goes. Returns the survivors."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        workers = list(pool.map(Worker, range(jobs)))
        queue, lock, alive, survivors = iter(mistakes), threading.Lock(), [0], []

        def work(worker):
            while True:
                with lock:
                    mistake = next(queue, None) if alive[0] < count else None
                    alive[0] += mistake is not None
                if mistake is None:
                    return
                outcome = worker.try_mistake(mistake, experience.order(mistake))
                experience.learn(mistake, outcome)
                with lock:
                    alive[0] -= outcome == "still"
                    if outcome == "survived":
                        survivors.append(mistake)
                    if outcome != "still":
                        print(f"{outcome}: {show(mistake)}", flush=True)
        list(pool.map(work, workers))
    return alive[0], survivors


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--only")
    parser.add_argument("--at")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    os.makedirs(WORK, exist_ok=True)
    coverage = measure_coverage(options.fresh)
    covered = {}
    for test in coverage.values():
        for file, lines in test["lines"].items():
            covered.setdefault(file, set()).update(lines)
    mistakes = all_mistakes(covered, options.only, options.at)
    random.Random(options.seed).shuffle(mistakes)
    print(f"{len(mistakes)} possible mistakes in {sum(map(len, covered.values()))} executed lines, seed {options.seed}")
    if options.list:
        for mistake in mistakes[:options.count]:
            print(show(mistake))
        return 0
    alive, survivors = try_all(mistakes, options.count, options.jobs, Experience(coverage))
    print(f"\n{alive - len(survivors)} of {alive} killed. Survivors:")
    for mistake in survivors:
        print(show(mistake))
    return 0


if __name__ == "__main__":
    sys.exit(main())
