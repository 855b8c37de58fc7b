# SPDX-License-Identifier: MIT
"""Colour crops of photographs in the format of CIFAR-10's binary files: 10,000 for training, 1,000 for testing.

    photographs.py FOLDER PHOTOGRAPH...

The label is the photograph, from 0. Test crops are of its columns from 40 to 60 %, training crops of the others. Needs
NumPy and Pillow."""
import pathlib
import sys

import numpy
from PIL import Image

SIZE = 32
draw = numpy.random.default_rng(1)


def crops(photographs, n, parts):
    """Records: label, then 32 x 32 red, green and blue, from parts of the width chosen by turns."""
    for i in range(n):
        label = i % len(photographs)
        photograph = photographs[label]
        low, high = (int(end * photograph.shape[1]) for end in parts[i // len(photographs) % len(parts)])
        row, column = draw.integers(0, photograph.shape[0] - SIZE), draw.integers(low, high - SIZE)
        crop = photograph[row:row + SIZE, column:column + SIZE]
        yield bytes([label]) + numpy.ascontiguousarray(crop.transpose(2, 0, 1)).tobytes()


def main():
    folder = pathlib.Path(sys.argv[1])
    photographs = [numpy.asarray(Image.open(name).convert("RGB")) for name in sys.argv[2:]]
    folder.mkdir(parents=True, exist_ok=True)
    for batch in range(1, 6):
        records = crops(photographs, 2000, [(0, 0.4), (0.6, 1)])
        (folder / f"data_batch_{batch}.bin").write_bytes(b"".join(records))
    (folder / "test_batch.bin").write_bytes(b"".join(crops(photographs, 1000, [(0.4, 0.6)])))


main()
