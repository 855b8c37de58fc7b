# SPDX-License-Identifier: MIT
"""vaectl beside PyTorch, seconds an epoch of MNIST: python3 bench/compare.py VAECTL MNIST-FOLDER [ROUNDS]

Each round runs vaectl and PyTorch in each of its thread settings in turn; the ratio is taken round by round, against the
setting that is fastest by median. PyTorch is the one of the Python that runs this script."""
import os
import statistics
import subprocess
import sys
import tempfile

SETTINGS = [  # hidden, latent, batch, prior, activation
    ("400", 20, 128, "normal", "relu"),
    ("200,200", 50, 100, "normal", "relu"),
    ("100,100", 10, 64, "normal", "relu"),
    ("400", 10, 128, "spikeslab", "relu"),
    ("200,200", 50, 20, "normal", "relu"),
] + [("300,300", 40, 100, prior, "gated") for prior in ("normal", "mixture", "realnvp", "lars", "vampprior")]
THREADS = [(1, 1), (1, 2), (2, 1), (2, 2)]  # torch, OpenBLAS
STEPS = 150


def ours(vaectl, folder, hidden, latent, batch, prior, activation):
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([vaectl, "train", "--data", folder, "--hidden", hidden, "--latent", str(latent), "--batch",
                        str(batch), "--prior", prior, "--activation", activation, "--epochs", "1", "-q", "-o", "run"],
                       check=True, stdout=subprocess.DEVNULL, cwd=place)
        with open(os.path.join(place, "run", "metrics.csv"), encoding="ascii") as file:
            return float(file.read().split("\n")[1].split(",")[2])


def theirs(folder, setting, torch_threads, blas_threads):
    environment = dict(os.environ, TORCH_THREADS=str(torch_threads), OMP_NUM_THREADS=str(torch_threads),
                       OPENBLAS_NUM_THREADS=str(blas_threads))
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_epoch.py")
    words = [sys.executable, script, folder] + [str(s) for s in setting] + [str(STEPS)]
    return float(subprocess.run(words, check=True, capture_output=True, env=environment).stdout)


def main():
    try:
        import torch
    except ImportError:
        print("skipped: this Python has no torch")
        return
    vaectl, folder = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    print(f"PyTorch {torch.__version__}, {os.cpu_count()} cores, medians of {rounds} rounds, seconds an epoch")
    print("| setting | vaectl | PyTorch | its threads (torch, BLAS) | times as fast (min to max) |\n|---|---|---|---|---|")
    for setting in SETTINGS:
        mine, other = [], {t: [] for t in THREADS}
        for _ in range(rounds):
            mine.append(ours(vaectl, folder, *setting))
            for t in THREADS:
                other[t].append(theirs(folder, setting, *t))
        best = min(THREADS, key=lambda t: statistics.median(other[t]))
        ratios = [o / m for o, m in zip(other[best], mine)]
        hidden, latent, batch, prior, activation = setting
        gated = "gated " if activation == "gated" else ""
        print(f"| {prior}, {gated}784-{hidden.replace(',', '-')}-{latent}, batch {batch} | {statistics.median(mine):.2f} "
              f"| {statistics.median(other[best]):.2f} | {best[0]}, {best[1]} | {statistics.median(ratios):.2f} "
              f"({min(ratios):.2f} to {max(ratios):.2f}) |", flush=True)


main()
