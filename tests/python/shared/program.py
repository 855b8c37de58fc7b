# SPDX-License-Identifier: MIT
"""Running vaectl, and files for it to read."""
import os
import shlex
import struct
import subprocess


def vaectl(*words, status=0):
    """stdout of `vaectl WORDS` and its stderr; the exit status must be `status`."""
    command = shlex.split(os.environ.get("VAECTL_RUNNER", "")) + [os.environ["VAECTL"], *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert done.returncode == status, f"vaectl {words}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def write_idx(path, dims, values):
    """An IDX file of bytes."""
    with open(path, "wb") as file:
        file.write(bytes([0, 0, 8, len(dims)]) + struct.pack(f">{len(dims)}I", *dims) + bytes(values))


def write_mnist(folder, rows, cols, train, test, labels=None):
    """A folder with the MNIST names. `train` and `test` are lists of images, each a list of rows*cols bytes; `labels` a
    pair of lists of labels, or None."""
    os.makedirs(folder, exist_ok=True)
    for i, (name, images) in enumerate((("train", train), ("t10k", test))):
        write_idx(f"{folder}/{name}-images-idx3-ubyte", (len(images), rows, cols), b"".join(map(bytes, images)))
        if labels:
            write_idx(f"{folder}/{name}-labels-idx1-ubyte", (len(images),), labels[i])
