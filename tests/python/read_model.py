# SPDX-License-Identifier: MIT
"""A model file opens with plain Python: no package, no vaectl. Prints TAP."""
import json
import os
import struct
import subprocess
import sys
import tempfile

from shared.model_file import load


def train(folder):
    run = os.path.join(folder, "run")
    subprocess.run([os.environ["VAECTL"], "train", "--data", "builtin:digits:train=200,test=20", "--hidden", "30,20",
                    "--latent", "5", "--epochs", "1", "--prior", "spikeslab", "--p", "0.7", "-q", "-o", run],
                   check=True, stdout=subprocess.DEVNULL, cwd=folder)
    return os.path.join(run, "model.safetensors")


SHAPES = {
    "encoder.0.weight": [30, 784], "encoder.0.bias": [30], "encoder.1.weight": [20, 30], "encoder.1.bias": [20],
    "mu.weight": [5, 20], "mu.bias": [5], "logvar.weight": [5, 20], "logvar.bias": [5],
    "decoder.0.weight": [20, 5], "decoder.0.bias": [20], "decoder.1.weight": [30, 20], "decoder.1.bias": [30],
    "decoder.2.weight": [784, 30], "decoder.2.bias": [784],
}



def is_read_with_header_of(path, size):
    """Does vaectl read the file with its header padded to so many bytes?"""
    with open(path, "rb") as file:
        header = file.read(struct.unpack("<Q", file.read(8))[0]).ljust(size)
        data = file.read()
    with open(path + ".padded", "wb") as file:
        file.write(struct.pack("<Q", size) + header + data)
    return subprocess.run([os.environ["VAECTL"], "info", path + ".padded"], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


with tempfile.TemporaryDirectory() as folder:
    path = train(folder)
    tensors, metadata = load(path)
    longest, longer = is_read_with_header_of(path, 4 << 20), is_read_with_header_of(path, (4 << 20) + 8)
config = json.loads(metadata["vaectl.config"])
wanted = {prefix + name: shape for name, shape in SHAPES.items() for prefix in ("", "adam.m.", "adam.v.")}
checks = {
    "names and shapes are those of nn.Linear, with Adam's moments": {n: s for n, (s, _) in tensors.items()} == wanted,
    "values are finite and not all zero": all(any(v) and all(abs(x) < 1e9 for x in v) for _, v in tensors.values()),
    "the configuration is JSON": config["prior"] == "spikeslab:p=0.7,c2=0.05" and config["latent"] == 5,
    "a header may have 4 MiB and no more": longest and not longer,
    "the state is JSON": json.loads(metadata["vaectl.state"])["epoch"] == 1,
}
for i, (name, good) in enumerate(checks.items()):
    print(f"{'ok' if good else 'not ok'} {i + 1} - {name}")
sys.exit(not all(checks.values()))
