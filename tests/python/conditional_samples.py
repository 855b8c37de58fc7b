# SPDX-License-Identifier: MIT
# Not under tsan: no thread is started here.
"""Are the samples of a label what they should be? A conditional model of MNIST against a classifier trained on real
images, and its likelihood against that of the same model without labels. Prints TAP."""
import gzip
import math
import os
import sys

from shared.program import vaectl, vaectl_json
from shared.tap import Skip, run, test

MNIST = os.environ.get("VAE_MNIST")
TRAIN = ["--data", MNIST, "--hidden", 200, "--latent", 2, "--epochs", 2, "--lr", 0.005, "-q"]


def real_images(numpy, n):
    """The first n training images as rows, and their labels."""
    arrays = []
    for name, start, size in (("images-idx3", 16, 784), ("labels-idx1", 8, 1)):
        path = f"{MNIST}/train-{name}-ubyte"
        with gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb") as file:
            arrays.append(numpy.frombuffer(file.read(start + n * size)[start:], numpy.uint8))
    return arrays[0].reshape(n, 784).astype(numpy.float32) / 255, arrays[1]


def nearest(numpy, images, labels, queries):
    """The label of the nearest image to each query, all of them centred and of length one."""
    def normed(x):
        x = x - x.mean(1, keepdims=True)
        return x / numpy.linalg.norm(x, axis=1, keepdims=True)
    return labels[(normed(queries) @ normed(images).T).argmax(1)]


@test("of 1,000 samples with labels 90 % are of their class; -log p(x|y) + log 10, which bounds -log p(x), "
      "is below that of the model without labels")
def _():
    try:
        import numpy
    except ImportError:
        raise Skip("no NumPy")
    if not MNIST:
        raise Skip("no MNIST (set VAE_MNIST to its folder)")
    images, labels = real_images(numpy, 11000)
    known = (nearest(numpy, images[:10000], labels[:10000], images[10000:]) == labels[10000:]).mean()
    assert known > 0.94, f"the classifier is right for {known:.1%} of real images"
    vaectl("train", *TRAIN, "--conditional", "-o", "labels")
    vaectl("train", *TRAIN, "-o", "plain")
    right = 0
    for label in range(10):
        vaectl("sample", "labels", "--label", label, "-n", 100, "-o", "x.npy")
        found = nearest(numpy, images[:10000], labels[:10000], numpy.load("x.npy").reshape(100, 784))
        right += int((found == label).sum())
    assert right >= 900, f"{right} of 1000 samples are of their class"
    nll = [vaectl_json("eval", name, "--samples", 50, "--limit", 300)["nll"] for name in ("labels", "plain")]
    print(f"# {right} of 1000 samples, {known:.1%} of real images; -log p(x|y) {nll[0]:.2f}, -log p(x) {nll[1]:.2f}")
    assert nll[0] + math.log(10) < nll[1], nll


sys.exit(run())
