# SPDX-License-Identifier: MIT
"""Model files with one bit flipped, or cut off: each is refused as damaged, and no process ends by a signal."""
import os
import subprocess
import sys

from shared.faults import LONG, attack, run
from shared.program import vaectl

FLIP_BITS = os.path.join(os.environ["VAE_BUILD"], "tests", "tools", "flip_bits")
TINY = ["--data", "builtin:gaussians", "--likelihood", "gaussian", "--hidden", 3, "--latent", 2]
DIGITS = ["--data", "builtin:digits:train=30,test=10", "--hidden", 2, "--latent", 2]
MODELS = {
    "factorised prior": [*TINY, "--prior", "spikeslab"],
    "prior with networks": [*TINY, "--prior", "realnvp:layers=2,width=3"],
    "flow posterior": [*TINY, "--posterior", "iaf:blocks=1,width=3,context=1"],
    "conditional": [*DIGITS, "--conditional"],
}


def damage(name, words, count):
    """So many flipped bits and lengths, all where `count` is 0. What is not noticed is in the program's output."""
    path = os.path.join(name, "model.safetensors")
    vaectl("train", *words, "--epochs", 1, "--batch", 100, "-q", "-o", name)
    done = subprocess.run([FLIP_BITS, path, str(count), "1"], capture_output=True, text=True)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
    size = os.path.getsize(path)
    bits, lengths = count or 8 * size, count or size
    assert done.stdout == f"{bits + lengths + 1} 0\n", (done.stdout, size)
    return f"{bits} of {8 * size} flipped bits and {lengths} of {size} lengths refused"


for number, (title, words) in enumerate(MODELS.items()):
    attack(f"damage, {title}")(lambda name=f"run{number}", words=words, count=0 if LONG or number == 0 else 2000:
                               damage(name, words, count))

sys.exit(run())
