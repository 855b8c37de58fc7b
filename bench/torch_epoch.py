# SPDX-License-Identifier: MIT
"""Seconds that one epoch takes PyTorch, for bench/compare.py: torch_epoch.py FOLDER HIDDEN LATENT BATCH PRIOR ACTIVATION STEPS

The usual training loop at its fastest: all images in one float tensor, batches by index, fused losses. Runs STEPS steps and
scales to an epoch. Threads come from the environment and TORCH_THREADS."""
import gzip
import math
import os
import sys
import time

import numpy
import torch
import torch.nn.functional as f
from torch import nn

LOG_2PI = math.log(2 * math.pi)


def load(folder):
    path = os.path.join(folder, "train-images-idx3-ubyte")
    opened = gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")
    with opened as file:
        pixels = numpy.frombuffer(file.read()[16:], dtype="u1")
    return torch.from_numpy(pixels.reshape(-1, 784).astype("f4") / 255)


class Gated(nn.Module):
    def forward(self, x):
        h, g = x.chunk(2, 1)
        return h * torch.sigmoid(g)


def mlp(widths, activation):
    layers = []
    for a, b in zip(widths, widths[1:]):
        layers += [nn.Linear(a, 2 * b), Gated()] if activation == "gated" else [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers)


# ---- Priors: modules that give the KL of a batch, summed ------------------------------------------------------------

def minus_entropy(logvar):
    return -0.5 * (logvar + 1 + LOG_2PI).sum()


class Normal(nn.Module):
    def forward(self, mu, logvar, z, encode):
        return -0.5 * (1 + logvar - mu * mu - logvar.exp()).sum()


class SpikeSlab(nn.Module):
    def forward(self, mu, logvar, z, encode, samples=10, p=0.8, c2=0.05):
        z = mu + (logvar / 2).exp() * torch.randn(samples, *mu.shape)
        spike = math.log(p) - 0.5 * math.log(2 * math.pi * c2) - z * z / (2 * c2)
        slab = math.log(1 - p) - 0.5 * LOG_2PI - z * z / 2
        return minus_entropy(logvar) - torch.logaddexp(spike, slab).sum() / samples


def log_components(z, mean, logsd):
    """log N(z_b; m_k, sd_k^2) (B,K) by matrix products."""
    precision = torch.exp(-2 * logsd)
    constant = -(logsd + 0.5 * LOG_2PI).sum(1) - 0.5 * (mean * mean * precision).sum(1)
    return constant + z @ (mean * precision).T - 0.5 * (z * z) @ precision.T


class Mixture(nn.Module):
    def __init__(self, latent, components=500):
        super().__init__()
        self.logit = nn.Parameter(torch.zeros(components))
        self.mean = nn.Parameter(torch.randn(components, latent))
        self.logsd = nn.Parameter(torch.zeros(components, latent))

    def forward(self, mu, logvar, z, encode):
        log_p = torch.logsumexp(self.logit.log_softmax(0) + log_components(z, self.mean, self.logsd), 1)
        return minus_entropy(logvar) - log_p.sum()


class VampPrior(nn.Module):
    def __init__(self, latent, components=500):
        super().__init__()
        self.pseudo = nn.Parameter(torch.rand(components, 784))

    def forward(self, mu, logvar, z, encode):
        mean, log_variance = encode(self.pseudo)
        log_p = torch.logsumexp(log_components(z, mean, log_variance / 2), 1) - math.log(len(self.pseudo))
        return minus_entropy(logvar) - log_p.sum()


class RealNVP(nn.Module):
    def __init__(self, latent, blocks=4, width=100):
        super().__init__()
        half = latent // 2
        self.nets = nn.ModuleList(nn.Sequential(nn.Linear(half, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
                                                nn.Linear(width, 2 * half)) for _ in range(blocks))

    def forward(self, mu, logvar, z, encode):
        now, other = z.chunk(2, 1)
        log_p = 0
        for net in self.nets:
            raw, shift = net(now).chunk(2, 1)
            scale = 2 * torch.tanh(raw / 2)
            now, other = (other - shift) * torch.exp(-scale), now
            log_p = log_p - scale.sum()
        log_p = log_p - 0.5 * (now * now).sum() - 0.5 * (other * other).sum() - 0.5 * LOG_2PI * z.numel()
        return minus_entropy(logvar) - log_p


class Lars(nn.Module):
    def __init__(self, latent, width=100, tries=100, draws=1024):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(latent, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(),
                                 nn.Linear(width, 1))
        self.tries, self.draws, self.Z = tries, draws, None

    def forward(self, mu, logvar, z, encode):
        accept = torch.sigmoid(self.net(torch.cat((torch.randn(self.draws, z.shape[1]), z))))
        now = accept[:self.draws].mean()
        smooth = now.detach() if self.Z is None else 0.99 * self.Z + 0.01 * now.detach()
        self.Z = smooth
        Z = now + (smooth - now).detach()
        alpha = (1 - Z) ** (self.tries - 1)
        log_p = torch.log((1 - alpha) * accept[self.draws:] / Z + alpha).sum() - 0.5 * (z * z + LOG_2PI).sum()
        return minus_entropy(logvar) - log_p


PRIORS = {"normal": lambda latent: Normal(), "spikeslab": lambda latent: SpikeSlab(), "mixture": Mixture,
          "vampprior": VampPrior, "realnvp": RealNVP, "lars": Lars}


def main():
    folder, hidden, latent, batch, prior, activation, steps = sys.argv[1:]
    widths, latent, batch, steps = [int(h) for h in hidden.split(",")], int(latent), int(batch), int(steps)
    torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "1")))
    torch.manual_seed(1)
    x = load(folder)
    encoder, decoder = mlp([784] + widths, activation), mlp([latent] + widths[::-1], activation)
    mu_head, logvar_head = nn.Linear(widths[-1], latent), nn.Linear(widths[-1], latent)
    output, prior = nn.Linear(widths[0], 784), PRIORS[prior](latent)
    parameters = [p for m in (encoder, decoder, mu_head, logvar_head, output, prior) for p in m.parameters()]
    adam = torch.optim.Adam(parameters, lr=1e-3)

    def encode(images):
        h = encoder(images)
        return mu_head(h), logvar_head(h)

    order = torch.randperm(len(x))
    for step in range(-10, steps):
        if step == 0:
            began = time.perf_counter()
        at = (step % (len(x) // batch)) * batch
        images = x[order[at:at + batch]]
        mu, logvar = encode(images)
        z = mu + (logvar / 2).exp() * torch.randn_like(mu)
        recon = f.binary_cross_entropy_with_logits(output(decoder(z)), images, reduction="sum")
        loss = (recon + prior(mu, logvar, z, encode)) / batch
        adam.zero_grad(set_to_none=True)
        loss.backward()
        adam.step()
    print((time.perf_counter() - began) / steps * -(-len(x) // batch))


main()
