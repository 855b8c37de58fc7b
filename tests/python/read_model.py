# SPDX-License-Identifier: MIT
# Not under tsan: no thread is started here.
"""A model file opens with plain Python: no package, no vaectl. Prints TAP."""
import json
import os
import struct
import subprocess
import sys
import tempfile
import zlib

from shared.model_file import load, save


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


def is_read(path):
    return subprocess.run([os.environ["VAECTL"], "info", path], stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL).returncode == 0


def with_header_of(path, size):
    """The bytes of the file with its header padded to so many, and the checksum that it then has."""
    with open(path, "rb") as file:
        header = file.read(struct.unpack("<Q", file.read(8))[0]).ljust(size)
        data = file.read()
    place = header.index(b'"vaectl.crc32":"') + len(b'"vaectl.crc32":"')
    header = header[:place] + b"0" * 8 + header[place + 8:]
    crc = zlib.crc32(struct.pack("<Q", size) + header + data)
    return struct.pack("<Q", size) + header[:place] + b"%08x" % crc + header[place + 8:] + data


def is_read_with_header_of(path, size):
    """Does vaectl read the file with its header padded to so many bytes?"""
    with open(path + ".padded", "wb") as file:
        file.write(with_header_of(path, size))
    return is_read(path + ".padded")


def is_read_in_format_1(path):
    """Does vaectl read the file as versions before format 2 wrote it, and not with the checksum of another format?"""
    tensors, metadata = load(path)
    save(path + ".1", tensors, {**metadata, "vaectl.format": "1"})
    with open(path + ".1", "rb") as file:
        old = file.read()
    with open(path + ".mixed", "wb") as file:
        file.write(old.replace(b'"vaectl.format":"1"', b'"vaectl.format":"2"'))
    return is_read(path + ".1") and not is_read(path + ".mixed")


with tempfile.TemporaryDirectory() as folder:
    path = train(folder)
    tensors, metadata = load(path)
    with open(path, "rb") as file:
        stored = file.read()
    size = struct.unpack("<Q", stored[:8])[0]
    sealed, old = with_header_of(path, size) == stored, is_read_in_format_1(path)
    longest, longer = is_read_with_header_of(path, 4 << 20), is_read_with_header_of(path, (4 << 20) + 8)
config = json.loads(metadata["vaectl.config"])
wanted = {prefix + name: shape for name, shape in SHAPES.items() for prefix in ("", "adam.m.", "adam.v.")}
checks = {
    "names and shapes are those of nn.Linear, with Adam's moments": {n: s for n, (s, _) in tensors.items()} == wanted,
    "values are finite and not all zero": all(any(v) and all(abs(x) < 1e9 for x in v) for _, v in tensors.values()),
    "the configuration is JSON": config["prior"] == "spikeslab:p=0.7,c2=0.05" and config["latent"] == 5,
    "the checksum is a CRC-32 of the whole file with zeros in its place": sealed,
    "files of format 1 are read": old,
    "a header may have 4 MiB and no more": longest and not longer,
    "the state is JSON": json.loads(metadata["vaectl.state"])["epoch"] == 1,
}
for i, (name, good) in enumerate(checks.items()):
    print(f"{'ok' if good else 'not ok'} {i + 1} - {name}")
sys.exit(not all(checks.values()))
