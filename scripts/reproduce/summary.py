# SPDX-License-Identifier: MIT
"""Markdown rows from the JSON that eval wrote: mean ± standard deviation over seeds; of one seed there is no ±.

    summary.py RUNS TABLE     for all runs RUNS/TABLE/NAME-SEED with elbo.json, nll.json and ais.json,
                              or nll-EPOCHS.json and ais-EPOCHS.json

Columns that no run has are left out."""
import csv
import json
import pathlib
import statistics
import sys

# Heading, file (nll.json where the other is not there), key, digits.
COLUMNS = [("neg_elbo", "elbo", "neg_elbo", 2), ("recon", "elbo", "recon", 2), ("kl", "elbo", "kl", 2),
           ("neg_elbo, images of nll", "nll", "neg_elbo", 2), ("nll", "nll", "nll", 2),
           ("se over images", "nll", "nll_se", 2), ("se of sampling", "nll", "nll_mc_se", 3),
           ("nll_bias", "nll", "nll_bias", 3), ("k-hat above 0.7", "nll", "nll_khat_above", 2),
           ("nll, images of ais", "ais", "ais_nll", 2), ("ais", "ais", "ais", 2),
           ("se of its sampling", "ais", "ais_mc_se", 3), ("active_units", "elbo", "active_units", 1),
           ("hoyer_normalized", "elbo", "hoyer_normalized", 3), ("hoyer_active", "elbo", "hoyer_active", 3),
           ("near_zero_share", "elbo", "near_zero_share", 3), ("probe_accuracy", "elbo", "probe_accuracy", 4)]


def evaluations(run):
    """(row, what eval wrote by file, seconds of training until then) for each time that the run was evaluated."""
    files = {path.stem: json.loads(path.read_text()) for path in run.glob("*.json")}
    if not files:
        return
    name = run.name.rsplit("-", 1)[0]
    with open(run / "metrics.csv", encoding="ascii") as metrics:
        seconds = {int(row["epoch"]): float(row["seconds"]) for row in csv.DictReader(metrics)}
    ends = sorted(int(stem[4:]) for stem in files if stem.startswith("nll-"))
    for end in ends:
        until = sum(s for epoch, s in seconds.items() if epoch <= end)
        measured = {kind: files.get(f"{kind}-{end}", {}) for kind in ("nll", "ais")}
        yield f"{name}, epoch {end}", measured, until
    if not ends:
        yield name, files, sum(seconds.values())


def cell(values, digits):
    values = [v for v in values if v is not None]
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) < 2 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def main():
    folder = pathlib.Path(sys.argv[1]) / sys.argv[2]
    groups = {}
    for run in sorted(folder.iterdir()):
        for name, files, seconds in evaluations(run):
            groups.setdefault(name, []).append((files, seconds))
    table = [["run", *groups], ["seeds", *(str(len(runs)) for runs in groups.values())]]
    for heading, source, key, digits in COLUMNS:
        column = [cell([files.get(source, files.get("nll", {})).get(key) for files, _ in runs], digits)
                  for runs in groups.values()]
        if set(column) != {"-"}:
            table.append([heading, *column])
    table.append(["train s", *(cell([s for _, s in runs], 0) for runs in groups.values())])
    for i, row in enumerate(zip(*table)):
        print("| " + " | ".join(row) + " |" + ("\n" + "|---" * len(row) + "|" if i == 0 else ""))


if __name__ == "__main__":
    main()
