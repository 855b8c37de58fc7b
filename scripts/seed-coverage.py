#!/usr/bin/env python3
"""How often do the intervals of `vaectl compare` say that there is a difference where there is none?

    scripts/seed-coverage.py BINARY FOLDER [flags of train]

Trains 40 seeds of two settings that are the same but for their noise (a Monte Carlo KL of 20 samples and one of 21),
and takes groups of n pairs of trainings as if each group were a comparison: the 95 % interval of the mean difference, by Student's t
over the n pairs, should leave zero out in 5 % of all groups. Pairs are

    strangers   trainings of one setting with different seeds, paired at random
    partners    trainings of the two settings with the same seed, as `compare` pairs them

The folder keeps the trainings; run again, it trains nothing. Groups of one partition are disjoint, and there are
PARTITIONS of them."""
import json
import math
import random
import statistics
import subprocess
import sys

SEEDS, PARTITIONS = 40, 2000
# Of n - 1 degrees of freedom, 97.5 %.
T = {2: 12.7062, 3: 4.30265, 4: 3.18245, 5: 2.77645, 10: 2.26216}
SMALL = ["--data", "builtin:digits:train=4000,test=1000", "--hidden", "64", "--epochs", "1",
         "--prior", "laplace", "--kl", "mc"]


def excludes_zero(differences):
    n = len(differences)
    half = T[n] * statistics.stdev(differences) / math.sqrt(n)
    return abs(statistics.mean(differences)) > half


def share(n, draw):
    """Of groups of n, whose interval leaves zero out; `draw` makes all differences of one partition."""
    excluded = total = 0
    for _ in range(PARTITIONS):
        differences = draw()
        for first in range(0, len(differences) - n + 1, n):
            excluded += excludes_zero(differences[first:first + n])
            total += 1
    return excluded / total


def main():
    if len(sys.argv) < 3:
        sys.exit("Usage: scripts/seed-coverage.py BINARY FOLDER [flags of train]")
    flags = sys.argv[3:] or SMALL
    table = json.loads(subprocess.run(
        [sys.argv[1], "compare", *flags, "--kl-samples", "20,21", "--seeds", str(SEEDS), "--json", "-o",
         sys.argv[2]], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()[0])
    one, other = ([run["neg_elbo"] for run in row["runs"]] for row in table["rows"])
    generator = random.Random(1)

    def strangers():
        seeds = generator.sample(one, len(one))
        return [a - b for a, b in zip(seeds[::2], seeds[1::2])]

    def partners():
        return generator.sample([a - b for a, b in zip(one, other)], len(one))

    print(f"neg_elbo of {SEEDS} seeds: {statistics.mean(one):.2f}, standard deviation {statistics.stdev(one):.2f}; of "
          f"partners' differences {statistics.stdev([a - b for a, b in zip(one, other)]):.3f}")
    for name, draw in (("strangers", strangers), ("partners", partners)):
        print(f"{name:10}" + "".join(f"  n={n}: {100 * share(n, draw):.1f} %" for n in T))


if __name__ == "__main__":
    main()
