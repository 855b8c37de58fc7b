# SPDX-License-Identifier: MIT
"""Seconds that one epoch takes PyTorch, for bench/compare.py: torch_epoch.py FOLDER HIDDEN LATENT BATCH PRIOR STEPS

The usual training loop at its fastest: all images in one float tensor, batches by index, fused losses. Runs STEPS steps and
scales to an epoch. Threads come from the environment and TORCH_THREADS."""
import gzip
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as f
from torch import nn


def load(folder):
    path = os.path.join(folder, "train-images-idx3-ubyte")
    opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
    with opened as file:
        pixels = numpy.frombuffer(file.read()[16:], dtype="u1")
    return torch.from_numpy(pixels.reshape(-1, 784).astype("f4") / 255)


def mlp(widths):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers)


def kl_normal(mu, logvar):
    return -0.5 * (1 + logvar - mu * mu - logvar.exp()).sum()


def kl_spikeslab(mu, logvar, samples=10, p=0.8, c2=0.05):
    z = mu + (logvar / 2).exp() * torch.randn(samples, *mu.shape)
    log = numpy.log
    spike = log(p) - 0.5 * log(2 * numpy.pi * c2) - z * z / (2 * c2)
    slab = log(1 - p) - 0.5 * log(2 * numpy.pi) - z * z / 2
    entropy = 0.5 * logvar + 0.5 * log(2 * numpy.pi * numpy.e)
    return -entropy.sum() - torch.logaddexp(spike, slab).sum() / samples


def main():
    folder, hidden, latent, batch, prior, steps = sys.argv[1:]
    widths, latent, batch, steps = [int(h) for h in hidden.split(",")], int(latent), int(batch), int(steps)
    torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "1")))
    torch.manual_seed(1)
    x = load(folder)
    encoder, decoder = mlp([784] + widths), mlp([latent] + widths[::-1])
    mu_head, logvar_head = nn.Linear(widths[-1], latent), nn.Linear(widths[-1], latent)
    output = nn.Linear(widths[0], 784)
    parameters = [p for m in (encoder, decoder, mu_head, logvar_head, output) for p in m.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-3)
    kl = kl_spikeslab if prior == "spikeslab" else kl_normal
    order = torch.randperm(len(x))
    for step in range(-10, steps):
        if step == 0:
            began = time.perf_counter()
        at = (step % (len(x) // batch)) * batch
        images = x[order[at:at + batch]]
        h = encoder(images)
        mu, logvar = mu_head(h), logvar_head(h)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        recon = f.binary_cross_entropy_with_logits(output(decoder(z)), images, reduction="sum")
        loss = (recon + kl(mu, logvar)) / batch
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    print((time.perf_counter() - began) / steps * -(-len(x) // batch))


main()
