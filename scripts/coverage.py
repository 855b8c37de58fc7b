#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lines and branches that tests reach, by gcov's own counts:  scripts/coverage.py BUILD LINES BRANCHES FILE...

BUILD has been built with --coverage and run. Prints a table of the FILEs, with the lines that were not reached and those
of whose branches one was not taken; ends with 1 where they reach less of all than LINES and BRANCHES percent."""
import gzip
import json
import os
import subprocess
import sys
import tempfile


def counts_of(build, source):
    """{line: executions} and {line: [executions of each branch]} of a source file."""
    notes = os.path.abspath(os.path.join(build, os.path.splitext(source)[0] + ".gcda"))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["gcov", "--branch-probabilities", "--json-format", notes], check=True, cwd=folder, stdout=subprocess.DEVNULL)
        with gzip.open(os.path.join(folder, os.listdir(folder)[0])) as file:
            found = [f for f in json.load(file)["files"] if f["file"].endswith(source)]
    lines, branches = {}, {}
    for line in (line for f in found for line in f["lines"]):
        number = line["line_number"]
        lines[number] = lines.get(number, 0) + line["count"]
        branches.setdefault(number, []).extend(b["count"] for b in line["branches"])
    return lines, branches


def percent(counts):
    return 100 * sum(c > 0 for c in counts) / len(counts) if counts else 100.0


def main(build, least_lines, least_branches, *sources):
    all_lines, all_branches = [], []
    print("  lines  branches  file")
    for source in sources:
        lines, branches = counts_of(build, source)
        taken = [c for counts in branches.values() for c in counts]
        print(f"{percent(lines.values()):6.1f}%   {percent(taken):6.1f}%  {source}")
        missed = [n for n, c in sorted(lines.items()) if not c]
        half = [n for n, counts in sorted(branches.items()) if lines[n] and not all(counts)]
        for what, numbers in (("not reached", missed), ("not every branch", half)):
            if numbers:
                print(f"                   {what}: {' '.join(map(str, numbers))}")
        all_lines += lines.values()
        all_branches += taken
    print(f"{percent(all_lines):6.1f}%   {percent(all_branches):6.1f}%  of all {len(all_lines)} lines and {len(all_branches)} branches")
    return int(percent(all_lines) < float(least_lines) or percent(all_branches) < float(least_branches))


sys.exit(main(*sys.argv[1:]))
