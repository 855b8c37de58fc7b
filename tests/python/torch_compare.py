# SPDX-License-Identifier: MIT
# Not under asan, tsan: numbers against PyTorch. Each module is in unit/test_combinations and unit/test_train, too.
"""Loss and every gradient of a model against PyTorch, on the same weights, batch and noise.

The reference is written with torch.distributions and autograd, in double. Prints TAP; skipped where torch is absent."""
import math
import os
import subprocess
import sys
import tempfile

BATCH = 100
BOUND = 1e-4  # of the largest entry of a tensor
JOINT = ("mixture", "vampprior", "realnvp", "lars")
CASES = [
    {"prior": "normal"},
    {"prior": "normal", "kl": "mc", "kl-samples": "5"},
    {"prior": "spikeslab:p=0.8,c2=0.05"},
    {"prior": "spikeslab:p=0.5,c2=0.01", "activation": "tanh", "hidden": "60,40", "batch": "100"},
    {"prior": "laplace:scale=0.7", "activation": "softplus"},
    {"prior": "cauchy:scale=1", "activation": "elu", "latent": "3"},
    {"prior": "studentt:nu=4,scale=0.8"},
    {"prior": "logistic:scale=0.6"},
    {"prior": "normal", "likelihood": "gaussian:sigma=0.5", "activation": "sigmoid"},
    {"prior": "normal", "likelihood": "cbernoulli"},
    {"prior": "normal", "likelihood": "gaussian:sigma=learned", "samples": "2"},
    {"prior": "laplace", "likelihood": "gaussian:sigma=learned", "objective": "iwae", "samples": "3"},
    {"prior": "normal", "likelihood": "gaussian:sigma=learned", "objective": "iwae", "gradient": "dreg", "samples": "3"},
    {"prior": "cauchy", "likelihood": "gaussian:sigma=learned", "objective": "elbo", "gradient": "stl", "samples": "2"},
    {"prior": "normal", "likelihood": "gaussian:sigma=per-pixel", "activation": "tanh"},
    {"prior": "normal", "likelihood": "gaussian:sigma=per-pixel,floor=0.5", "objective": "iwae", "samples": "3"},
    {"prior": "laplace", "samples": "4", "kl-samples": "2", "beta": "3"},
    {"prior": "laplace:scale=0.8", "kl": "exact"},
    {"prior": "normal", "activation": "gated", "hidden": "50,30", "init": "he"},
    {"prior": "normal", "objective": "iwae", "samples": "5", "activation": "tanh", "init": "glorot"},
    {"prior": "spikeslab", "objective": "iwae", "samples": "3", "beta": "0.5"},
    {"prior": "cauchy", "objective": "elbo", "gradient": "stl", "samples": "2"},
    {"prior": "normal", "objective": "iwae", "gradient": "stl", "samples": "4", "binarize": "dynamic"},
    {"prior": "laplace", "objective": "iwae", "gradient": "dreg", "samples": "4"},
    {"prior": "mixture:components=30", "samples": "2"},
    {"prior": "mixture:components=7", "objective": "iwae", "samples": "3", "activation": "tanh", "latent": "3"},
    {"prior": "vampprior:components=20", "activation": "gated", "hidden": "50,30", "beta": "0.5"},
    {"prior": "realnvp:width=30", "latent": "5", "activation": "tanh"},
    {"prior": "realnvp:blocks=3,layers=1", "objective": "iwae", "samples": "3"},
    {"prior": "lars:width=20,draws=200", "samples": "3"},
    {"prior": "lars:width=20,draws=200,base=laplace,tries=5", "objective": "iwae", "samples": "2"},
    {"prior": "lars:draws=100,base=mixture", "latent": "2"},
    {"prior": "lars:draws=100,base=realnvp,tries=3", "latent": "4"},
    {"prior": "normal", "objective": "elbo", "samples": "1", "posterior": "iaf:width=60,context=16", "latent": "7"},
    {"prior": "cauchy", "objective": "elbo", "samples": "3", "posterior": "iaf:blocks=3,width=20", "beta": "0.5"},
    {"prior": "normal", "objective": "iwae", "samples": "4", "posterior": "iaf", "activation": "tanh"},
    {"prior": "normal", "conditional": "10", "samples": "2"},
    {"prior": "laplace", "conditional": "12", "objective": "iwae", "samples": "3", "activation": "gated"},
]


def read_records(path):
    import numpy
    records = {}
    with open(path, "rb") as file:
        while line := file.readline():
            name, count = line.decode().split()
            records[name] = numpy.frombuffer(file.read(4 * int(count)), dtype="<f4").astype("float64")
    return records


def parse_choice(text):
    name, _, params = text.partition(":")
    return name, {k: float(v) if v[0].isdigit() else v for k, v in (p.split("=") for p in params.split(",") if p)}


def make_prior(text):
    import torch
    from torch import distributions as d
    name, p = parse_choice(text)
    one = torch.ones((), dtype=torch.float64)
    if name == "normal":
        return d.Normal(0 * one, one)
    if name == "laplace":
        return d.Laplace(0 * one, p.get("scale", 1) * one)
    if name == "cauchy":
        return d.Cauchy(0 * one, p.get("scale", 1) * one)
    if name == "studentt":
        return d.StudentT(p.get("nu", 3) * one, 0 * one, p.get("scale", 1) * one)
    if name == "logistic":
        return d.TransformedDistribution(d.Uniform(0 * one, one), [
            d.SigmoidTransform().inv, d.AffineTransform(0, p.get("scale", 1))])
    spike, c2 = p.get("p", 0.8), p.get("c2", 0.05)
    weights = torch.tensor([spike, 1 - spike], dtype=torch.float64)
    scales = torch.tensor([c2 ** 0.5, 1.0], dtype=torch.float64)
    return d.MixtureSameFamily(d.Categorical(weights), d.Normal(0 * scales, scales))


def linear(params, name, x):
    return x @ params[name + ".weight"].T + params[name + ".bias"]


def labelled(x, case):
    """x beside the one-hot labels, where the model is conditional."""
    import torch
    return torch.cat([x, case["one-hot"]], 1) if "conditional" in case else x


def network(params, side, x, activation, last_is_linear):
    import torch
    import torch.nn.functional as f
    functions = {"relu": f.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "softplus": f.softplus, "elu": f.elu}
    depth = sum(name.startswith(side + ".") and name.endswith(".weight") and "gate" not in name for name in params)
    for i in range(depth):
        y = linear(params, f"{side}.{i}", x)
        if i + 1 < depth or not last_is_linear:
            gate = torch.sigmoid(linear(params, f"{side}.{i}.gate", x)) if activation == "gated" else None
            y = functions[activation](y) if gate is None else y * gate
        x = y
    return x


def log_mixture(z, log_weight, mean, log_sd):
    import torch
    from torch import distributions as d
    components = d.Independent(d.Normal(mean, log_sd.exp()), 1)
    return d.MixtureSameFamily(d.Categorical(logits=log_weight + torch.zeros(len(mean))), components).log_prob(z)


def log_realnvp(params, z):
    """The parts of z take turns: one of them is shifted and scaled by what a network says of the other."""
    import torch
    from torch import distributions as d
    half, log_det = (z.shape[1] + 1) // 2, 0
    fixed, moved = z[:, :half], z[:, half:]
    for t in range(sum(name.startswith("prior.") and name.endswith(".0.weight") and "accept" not in name
                       for name in params)):
        raw, shift = network(params, f"prior.{t}", fixed, "relu", True).chunk(2, 1)
        s = 2 * torch.tanh(raw / 2)
        fixed, moved, log_det = (moved - shift) * (-s).exp(), fixed, log_det - s.sum(1)
    return d.Normal(0, 1).log_prob(torch.cat([fixed, moved], 1)).sum(1) + log_det


def log_lars(params, z, own, p, case):
    """Z is the mean acceptance of given draws of the base, weighed by how their density under the base changes."""
    import torch
    base = {**case, "prior": p.get("base", "normal")}
    accept = [torch.sigmoid(network(params, "prior.accept", x, "tanh", True)[:, 0]) for x in (z, own)]
    log_own = log_prior(params, own, None, base)
    Z = (torch.softmax(log_own - log_own.detach(), 0) * accept[1]).sum()
    last = (1 - Z) ** (p["tries"] - 1) if "tries" in p else 0
    return log_prior(params, z, None, base) + ((1 - last) * accept[0] / Z + last).log()


def log_prior(params, z, own, case):
    """log p(z) of each row; `own`: draws of the prior itself."""
    name, p = parse_choice(case["prior"])
    if name == "mixture":
        return log_mixture(z, params["prior.logit"], params["prior.mean"], params["prior.logsd"])
    if name == "vampprior":
        h = network(params, "encoder", params["prior.pseudo"], case.get("activation", "relu"), False)
        return log_mixture(z, 0, linear(params, "mu", h), linear(params, "logvar", h) / 2)
    if name == "realnvp":
        return log_realnvp(params, z)
    if name == "lars":
        return log_lars(params, z, own, p, case)
    return make_prior(case["prior"]).log_prob(z).sum(1)


def log_likelihood(params, z, x, case):
    """log p(x|z) of each image."""
    from torch import distributions as d
    name, p = parse_choice(case.get("likelihood", "bernoulli"))
    out = network(params, "decoder", labelled(z, case), case.get("activation", "relu"), True)
    if name == "bernoulli":
        log_x = -bce(out, x)
    elif name == "cbernoulli":
        log_x = d.ContinuousBernoulli(logits=out).log_prob(x)
    else:
        mean, sigma = gaussian(params, out, p)
        log_x = d.Normal(mean, sigma).log_prob(x)
    return log_x.sum(1)


def gaussian(params, out, p):
    """Mean and standard deviation of each pixel."""
    if p.get("sigma") == "learned":
        return out, params["likelihood.logsigma"].exp()
    if p.get("sigma") != "per-pixel":
        return out, p.get("sigma", 1.0)
    mean, raw = out.chunk(2, 1)
    lowest = math.log(p.get("floor", 0.01))
    return mean, (lowest + (raw - lowest + ((raw - lowest) ** 2 + 4).sqrt()) / 2).exp()


def flow(params, z, context):
    """Where an inverse autoregressive flow moves z, and the log-determinant; weights that a latent must not see are
    multiplied by zero."""
    import torch
    import torch.nn.functional as f
    latent, log_det, block = z.shape[1], 0, 0
    while f"posterior.{block}.m.weight" in params:
        side = f"posterior.{block}."
        width = len(params[side + "latents.weight"])
        seen = torch.arange(width) * latent // width  # by a unit: the latents of ranks below
        rank = torch.arange(latent) if block % 2 == 0 else torch.arange(latent).flip(0)
        h = f.elu(z @ (params[side + "latents.weight"] * (rank[None, :] < seen[:, None])).T
                  + linear(params, side + "context", context))
        m, s = (h @ (params[side + name + ".weight"] * (seen[None, :] <= rank[:, None])).T + params[side + name + ".bias"]
                for name in "ms")
        sigma = torch.sigmoid(s + 2)
        z, log_det, block = sigma * z + (1 - sigma) * m, log_det + torch.log(sigma).sum(1), block + 1
    return z, log_det


def reference_draws(params, x, mu, logvar, eps, own, case, context):
    """Objectives that weigh draws. In path estimators log q does not see the gradient of its own parameters; DReG
    multiplies what comes back to z by the weight once more (for beta = 1)."""
    import torch
    from torch import distributions as d
    estimator, beta = case.get("gradient", "standard"), float(case.get("beta", 1))
    draws = int(case["samples"])
    log_w, recon, kl, hooks = [], 0, 0, []
    for e in eps[:draws]:
        z = mu + (logvar / 2).exp() * e
        if estimator == "dreg":
            weight = torch.zeros(len(x), 1, dtype=torch.float64)
            hooks.append(weight)
            z.register_hook(lambda grad, weight=weight: grad * weight)
        fixed = estimator != "standard"
        q = d.Normal(mu.detach() if fixed else mu, ((logvar.detach() if fixed else logvar) / 2).exp())
        entropy = case["objective"] == "elbo" and estimator == "standard"  # it stands for -log q on average
        log_q = -q.entropy().sum(1) if entropy else q.log_prob(z).sum(1)
        if context is not None:
            z, log_det = flow(params, z, context)
            log_q = log_q - log_det
        log_x, ratio = log_likelihood(params, z, x, case), log_prior(params, z, own, case) - log_q
        log_w.append(log_x + beta * ratio)
        recon, kl = recon - log_x.mean() / draws, kl - ratio.mean() / draws
    log_w = torch.stack(log_w)
    for weight, w in zip(hooks, torch.softmax(log_w.detach(), 0)):
        weight += w[:, None]
    iwae = case["objective"] == "iwae"
    bound = torch.logsumexp(log_w, 0) - math.log(draws) if iwae else log_w.mean(0)
    return -bound.mean(), recon, kl


def reference(params, x, eps, own, case):
    """(loss, recon, kl) in nats per image."""
    from torch import distributions as d
    activation = case.get("activation", "relu")
    h = network(params, "encoder", labelled(x, case), activation, False)
    mu, logvar = linear(params, "mu", h), linear(params, "logvar", h)
    if "objective" in case:
        context = linear(params, "context", h) if "context.weight" in params else None
        return reference_draws(params, x, mu, logvar, eps, own, case, context)
    q, samples = d.Normal(mu, (logvar / 2).exp()), int(case.get("samples", 1))
    z = [mu + (logvar / 2).exp() * e for e in eps]
    if case["prior"] == "normal" and "kl" not in case:
        kl = d.kl_divergence(q, d.Normal(0 * mu, 0 * mu + 1)).sum(1).mean()
    elif case.get("kl") == "exact":
        prior = make_prior(case["prior"])
        kl = d.kl_divergence(q, d.Laplace(prior.loc + 0 * mu, prior.scale + 0 * mu)).sum(1).mean()
    else:
        draws = samples if parse_choice(case["prior"])[0] in JOINT else int(case.get("kl-samples", 10))
        log_p = sum(log_prior(params, zk, own, case) for zk in z[:draws]) / draws
        kl = (-q.entropy().sum(1) - log_p).mean()
    recon = 0
    for zk in z[:samples]:
        recon = recon - log_likelihood(params, zk, x, case).mean() / samples
    return recon + float(case.get("beta", 1)) * kl, recon, kl


def bce(logits, x):
    import torch.nn.functional as f
    return f.binary_cross_entropy_with_logits(logits, x, reduction="none")


def compare(build, case, path):
    """The largest relative error over losses and gradients, and where it is."""
    import torch
    flags = [word for item in case.items() for word in item]
    subprocess.run([os.path.join(build, "tests/tools/dump_gradient"), path, str(BATCH)] + flags, check=True)
    r = read_records(path)
    latent = int(case.get("latent", 10))
    params = {name[6:]: torch.tensor(v) for name, v in r.items() if name.startswith("param.")}
    for name in params:
        if name.endswith(".weight"):
            bias = name[:-6].replace(".latents.", ".context.") + "bias"
            params[name] = params[name].reshape(len(params[bias]), -1)
        if name in ("prior.mean", "prior.logsd", "prior.pseudo"):
            params[name] = params[name].reshape(-1, len(r["x"]) // BATCH if name == "prior.pseudo" else latent)
        params[name].requires_grad_()
    eps = [torch.tensor(r[f"eps.{k}"]).reshape(BATCH, latent) for k in range(sum(n.startswith("eps.") for n in r))]
    own = torch.tensor(r["own"]).reshape(-1, latent)
    label = torch.tensor(r["label"]).long()
    case = {**case, "one-hot": torch.eye(int(case.get("conditional", BATCH)), dtype=torch.float64)[label]}
    losses = reference(params, torch.tensor(r["x"]).reshape(BATCH, -1), eps, own, case)
    losses[0].backward()
    errors = {"losses": max(abs(a - float(b)) / abs(a) for a, b in zip(r["losses"], losses))}
    for name, p in params.items():
        if name == "prior.z":  # no gradient moves it
            continue
        ours = torch.tensor(r["grad." + name]).reshape(p.shape)
        errors[name] = float((ours - p.grad).abs().max() / p.grad.abs().max())
    worst = max(errors, key=lambda name: errors[name] if errors[name] == errors[name] else float("inf"))
    return errors[worst], worst


def main():
    try:
        import torch  # noqa: F401
    except ImportError:
        for i in range(len(CASES)):
            print(f"ok {i + 1} - gradients against PyTorch {CASES[i]} # SKIP no torch")
        return 0
    failed = 0
    for i, case in enumerate(CASES):
        with tempfile.TemporaryDirectory() as folder:
            error, where = compare(os.environ["VAE_BUILD"], case, os.path.join(folder, "dump"))
        good = error < BOUND
        failed += not good
        print(f"{'ok' if good else 'not ok'} {i + 1} - gradients against PyTorch {case}")
        print(f"# largest error {error:.2e} of the largest entry, in {where}")
    return failed > 0


sys.exit(main())
