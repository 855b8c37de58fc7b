# SPDX-License-Identifier: MIT
"""How many conditional samples are of the label asked for, by a convolutional network trained on real images.

    recognise.py MNIST CLASSIFIER label0.npy label1.npy ...

CLASSIFIER is the file of its weights, trained (two passes) where it is not there. Needs PyTorch."""
import gzip
import os
import sys

try:
    import numpy
    import torch
except ImportError:
    print("no PyTorch: samples not judged (PYTHON names another interpreter)")
    sys.exit(0)
from torch import nn

PASSES, BATCH = 2, 100


def split(folder, name):
    """Images, N x 1 x 28 x 28 from 0 to 1, and labels."""
    arrays = []
    for part, header in (("images-idx3", 16), ("labels-idx1", 8)):
        path = f"{folder}/{name}-{part}-ubyte"
        with gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb") as file:
            arrays.append(numpy.frombuffer(file.read()[header:], numpy.uint8))
    return (torch.tensor(arrays[0].reshape(-1, 1, 28, 28).astype(numpy.float32) / 255),
            torch.tensor(arrays[1].astype(numpy.int64)))


def network():
    return nn.Sequential(nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 100), nn.ReLU(), nn.Linear(100, 10))


def train(classifier, images, labels):
    steps = PASSES * len(labels) // BATCH
    optimizer = torch.optim.Adam(classifier.parameters(), 2e-3)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(PASSES):
        for chosen in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(classifier(images[chosen]), labels[chosen]).backward()
            optimizer.step()
            schedule.step()


def main():
    folder, weights, *files = sys.argv[1:]
    torch.manual_seed(1)
    classifier = network()
    if os.path.exists(weights):
        classifier.load_state_dict(torch.load(weights))
    else:
        train(classifier, *split(folder, "train"))
        torch.save(classifier.state_dict(), weights)
    with torch.no_grad():
        images, labels = split(folder, "t10k")
        print(f"classifier: {100 * (classifier(images).argmax(1) == labels).float().mean():.2f} % of test images")
        right, n = [], 0
        for label, file in enumerate(files):
            images = torch.tensor(numpy.load(file).reshape(-1, 1, 28, 28))
            right.append(int((classifier(images).argmax(1) == label).sum()))
            n += len(images)
    print(f"{files[0].rsplit('/', 2)[-2]}: {sum(right)} of {n} samples are of their label "
          f"({', '.join(f'{label}: {count}' for label, count in enumerate(right))})")


main()
