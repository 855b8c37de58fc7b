# SPDX-License-Identifier: MIT
"""A VAE and its training in plain Python, in double precision, written from the formulas and not from the C code: no
vectors, no threads, no backward pass (gradients are central differences). Slow, and easy to be sure of. Models are a
dictionary {tensor name: list}, a weight being a list of rows, one an output, as in the model file."""
import math
import statistics
from statistics import NormalDist

from shared.philox import BINARIZE, DECOMPOSE, EVAL, INIT, NLL, POSTERIOR, SHUFFLE, permutation, uniform, words

LAST = 2 ** 64 - 1
LOG_2PI = math.log(2 * math.pi)

DEFAULTS = {
    "prior": "normal", "kl": "auto", "kl-samples": 10, "kl-noise": "iid", "likelihood": "bernoulli", "latent": 10,
    "hidden": [400], "activation": "relu", "init": "torch", "output-bias": "init", "objective": "elbo", "samples": 1,
    "gradient": "standard", "beta": 1, "beta-warmup": 0, "free-bits": 0, "epochs": 10, "batch": 128, "lr": 0.001,
    "clip": 0, "schedule": "constant", "lr-steps": [], "lr-factor": 0.1, "adam-beta1": 0.9, "adam-beta2": 0.999,
    "adam-eps": 1e-8, "seed": 1, "binarize": "none", "validation": 0, "holdout": 0.1,
}


def normal(word):
    return NormalDist().inv_cdf(uniform(word))


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def logsumexp(values):
    most = max(values)
    return most + math.log(sum(math.exp(v - most) for v in values))


ACTIVATIONS = {
    "relu": lambda x: max(x, 0.0), "tanh": math.tanh, "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "softplus": softplus, "elu": lambda x: x if x > 0 else math.expm1(x),
}


def choice(text):
    """"name:k=v,..." -> name, {k: v}"""
    name, _, params = text.partition(":")
    return name, {k: float(v) if v[0].isdigit() else v for k, v in (p.split("=") for p in params.split(",") if p)}


def log_normal(x, variance):
    return -0.5 * (x * x / variance + math.log(variance) + LOG_2PI)


def log_prior(prior, z):
    """Of one latent."""
    name, p = choice(prior)
    scale = p.get("scale", 1)
    if name == "normal":
        return log_normal(z, 1)
    if name == "laplace":
        return -abs(z) / scale - math.log(2 * scale)
    if name == "cauchy":
        return -math.log(math.pi * scale * (1 + (z / scale) ** 2))
    spike, c2 = p.get("p", 0.8), p.get("c2", 0.05)
    return logsumexp([math.log(spike) + log_normal(z, c2), math.log(1 - spike) + log_normal(z, 1)])


def exact_kl(prior, mu, logvar):
    """KL(N(mu, exp(logvar)) || p), by the midpoint rule where there is no formula."""
    s, (name, p) = math.exp(logvar / 2), choice(prior)
    if name == "normal":
        return 0.5 * (mu * mu + s * s - 1 - logvar)
    if name == "laplace":
        mean_size = s * math.sqrt(2 / math.pi) * math.exp(-0.5 * (mu / s) ** 2) + mu * math.erf(mu / s / math.sqrt(2))
        scale = p.get("scale", 1)
        return math.log(2 * scale) + mean_size / scale - 0.5 * (logvar + 1 + LOG_2PI)
    nodes, reach = 120, 7.0
    eps = [-reach + (k + 0.5) * 2 * reach / nodes for k in range(nodes)]
    mean_log = sum(math.exp(log_normal(e, 1)) * log_prior(prior, mu + s * e) for e in eps) * 2 * reach / nodes
    return -0.5 * (logvar + 1 + LOG_2PI) - mean_log


def divide(n, share, seed, stream):
    """Numbers of the images that are kept, and of the share that is taken away."""
    take, order = int(share * n + 0.5), permutation(seed, stream, 0, n)
    return order[:n - take], order[n - take:]


def pixels(image, number, rule, seed, step):
    """Bytes to values in [0,1]. `number`: place of the image in its file; `step`: of the stream that draws them."""
    if rule == "none":
        return [b / 255 for b in image]
    if rule == "threshold":
        return [float(b > 127) for b in image]
    fours = (len(image) + 3) // 4
    drawn = words(seed, BINARIZE, step, number * 4 * fours, 4 * fours)
    return [float(drawn[k] * 255 < b << 32) for k, b in enumerate(image)]


class Vae:
    """`settings` as in train's flags, with numbers and lists for text."""

    def __init__(self, D, **settings):
        self.D, self.set = D, {**DEFAULTS, **{k.replace("_", "-"): v for k, v in settings.items()}}
        unknown = set(self.set) - set(DEFAULTS)
        assert not unknown, unknown
        self.L, self.step = self.set["latent"], 0
        self.params = self.initial()
        self.m = {name: zeros(t) for name, t in self.params.items()}
        self.v = {name: zeros(t) for name, t in self.params.items()}

    def shapes(self):
        hidden, D, L = self.set["hidden"], self.D, self.L
        gates = [".gate"] if self.set["activation"] == "gated" else []
        wide = [(f"encoder.{i}", a, b) for i, (a, b) in enumerate(zip([D] + hidden, hidden))]
        back = hidden[::-1]
        deep = [(f"decoder.{i}", a, b) for i, (a, b) in enumerate(zip([L] + back, back))]
        layers = [(name + part, a, b) for name, a, b in wide for part in [""] + gates]
        layers += [("mu", hidden[-1], L), ("logvar", hidden[-1], L)]
        layers += [(name + part, a, b) for name, a, b in deep for part in [""] + gates]
        return layers + [(f"decoder.{len(hidden)}", back[-1], 2 * D if self.sigma() == "per-pixel" else D)]

    def sigma(self):
        return choice(self.set["likelihood"])[1].get("sigma", 1)

    def log_floor(self):
        return math.log(choice(self.set["likelihood"])[1].get("floor", 0.01))

    def initial(self):
        params, init, tensor = {}, self.set["init"], 0
        for name, fan_in, fan_out in self.shapes():
            spread = {"torch": fan_in ** -0.5, "glorot": (6 / (fan_in + fan_out)) ** 0.5, "he": (2 / fan_in) ** 0.5}
            draw = normal if init == "he" else lambda word: 2 * uniform(word) - 1
            flat = [draw(w) * spread[init] for w in words(self.set["seed"], INIT, tensor, 0, fan_in * fan_out)]
            params[name + ".weight"] = [flat[o * fan_in:(o + 1) * fan_in] for o in range(fan_out)]
            bias = words(self.set["seed"], INIT, tensor + 1, 0, fan_out) if init == "torch" else []
            params[name + ".bias"] = [draw(w) * spread[init] for w in bias] or [0.0] * fan_out
            tensor += 2
        if self.sigma() == "learned":
            params["likelihood.logsigma"] = [0.0]
        return params

    # ---- One image -----------------------------------------------------------------------------------------------

    def linear(self, name, x):
        return [sum(w * v for w, v in zip(row, x)) + b
                for row, b in zip(self.params[name + ".weight"], self.params[name + ".bias"])]

    def hidden(self, side, x):
        for i in range(len(self.set["hidden"])):
            if self.set["activation"] == "gated":
                gate = self.linear(f"{side}.{i}.gate", x)
                x = [h / (1 + math.exp(-g)) for h, g in zip(self.linear(f"{side}.{i}", x), gate)]
            else:
                x = [ACTIVATIONS[self.set["activation"]](h) for h in self.linear(f"{side}.{i}", x)]
        return x

    def encode(self, x):
        h = self.hidden("encoder", x)
        return self.linear("mu", h), self.linear("logvar", h)

    def decode(self, z):
        return self.linear(f"decoder.{len(self.set['hidden'])}", self.hidden("decoder", z))

    def recon(self, z, x):
        """-log p(x|z)"""
        out, sigma = self.decode(z), self.sigma()
        if self.set["likelihood"] == "bernoulli":
            return sum(softplus(logit) - v * logit for logit, v in zip(out, x))
        if sigma == "per-pixel":
            above = [raw - self.log_floor() for raw in out[self.D:]]
            log_sigma = [self.log_floor() + (d + math.sqrt(d * d + 4)) / 2 for d in above]
        else:
            log_sigma = [self.params["likelihood.logsigma"][0] if sigma == "learned" else math.log(sigma)] * self.D
        return -sum(log_normal(v - mean, math.exp(2 * s)) for mean, s, v in zip(out, log_sigma, x))

    def kl_is_exact(self):
        return self.set["kl"] == "exact" or (self.set["kl"] == "auto" and self.set["prior"] == "normal")

    def kl(self, mu, logvar, eps, exact):
        """Of each latent, exact or by Monte Carlo with the draws eps (K,L)."""
        if exact:
            return [exact_kl(self.set["prior"], m, v) for m, v in zip(mu, logvar)]
        mean_log = [sum(log_prior(self.set["prior"], mu[j] + math.exp(logvar[j] / 2) * e[j]) for e in eps) / len(eps)
                    for j in range(self.L)]
        return [-0.5 * (logvar[j] + 1 + LOG_2PI) - mean_log[j] for j in range(self.L)]

    def draws(self, mu, logvar, eps):
        return [[m + math.exp(v / 2) * e for m, v, e in zip(mu, logvar, draw)] for draw in eps]

    def log_ratio(self, z, logvar, eps):
        """log p(z) - log q(z|x) of one draw."""
        log_q = sum(-0.5 * (e * e + v + LOG_2PI) for e, v in zip(eps, logvar))
        return sum(log_prior(self.set["prior"], v) for v in z) - log_q

    # ---- A batch -------------------------------------------------------------------------------------------------

    def loss(self, xs, eps, beta):
        """(loss, recon, kl), means over images; eps[image][draw][latent]."""
        S, B = self.set["samples"], len(xs)
        if self.set["objective"] == "iwae":
            return self.iwae_loss(xs, eps, beta)
        recon, kl = 0.0, [0.0] * self.L
        for x, noise in zip(xs, eps):
            mu, logvar = self.encode(x)
            recon += sum(self.recon(z, x) for z in self.draws(mu, logvar, noise[:S])) / S / B
            for j, k in enumerate(self.kl(mu, logvar, noise[:self.set["kl-samples"]], self.kl_is_exact())):
                kl[j] += k / B
        free = self.set["free-bits"]
        return recon + beta * sum(max(free, k) if free else k for k in kl), recon, sum(kl)

    def iwae_loss(self, xs, eps, beta):
        S, B = self.set["samples"], len(xs)
        loss = recon = kl = 0.0
        for x, noise in zip(xs, eps):
            mu, logvar = self.encode(x)
            each = [(self.recon(z, x), self.log_ratio(z, logvar, e))
                    for z, e in zip(self.draws(mu, logvar, noise[:S]), noise)]
            loss -= (logsumexp([beta * ratio - r for r, ratio in each]) - math.log(S)) / B
            recon += sum(r for r, _ in each) / S / B
            kl -= sum(ratio for _, ratio in each) / S / B
        return loss, recon, kl

    def noise(self, seed, stream, step, B, draws):
        """eps[image][draw][latent]: word k*2^36 + i*L + j of the stream."""
        by_draw = [[normal(w) for w in words(seed, stream, step, k << 36, B * self.L)] for k in range(draws)]
        return [[draw[i * self.L:(i + 1) * self.L] for draw in by_draw] for i in range(B)]

    # ---- Training ------------------------------------------------------------------------------------------------

    def gradient(self, xs, eps, beta, h=1e-5):
        slopes = {}
        for name, tensor in self.params.items():
            slopes[name] = zeros(tensor)
            for row, slope in zip(rows_of(tensor), rows_of(slopes[name])):
                for k, value in enumerate(row):
                    row[k] = value + h
                    up = self.loss(xs, eps, beta)[0]
                    row[k] = value - h
                    slope[k] = (up - self.loss(xs, eps, beta)[0]) / (2 * h)
                    row[k] = value
        return slopes

    def learning_rate(self, steps):
        epoch, lr, schedule = self.step // steps, self.set["lr"], self.set["schedule"]
        if schedule == "step":
            return lr * self.set["lr-factor"] ** sum(epoch >= e for e in self.set["lr-steps"])
        if schedule == "cosine":
            return lr * (1 + math.cos(math.pi * self.step / (steps * self.set["epochs"]))) / 2
        if schedule == "iwae":
            return lr * [1, 0.72, 0.72, 0.72, 0.52, 0.52, 0.52, 0.52][epoch]
        return lr

    def adam(self, slopes, lr):
        b1, b2, t = self.set["adam-beta1"], self.set["adam-beta2"], self.step + 1
        for name in self.params:
            rate = 10 * lr if name == "likelihood.logsigma" else lr
            for p, m, v, g in zip(*(rows_of(part[name]) for part in (self.params, self.m, self.v, slopes))):
                for k in range(len(p)):
                    m[k] = b1 * m[k] + (1 - b1) * g[k]
                    v[k] = b2 * v[k] + (1 - b2) * g[k] ** 2
                    p[k] -= rate * m[k] / (1 - b1 ** t) / (math.sqrt(v[k] / (1 - b2 ** t)) + self.set["adam-eps"])
                    if name == "likelihood.logsigma":
                        p[k] = max(p[k], self.log_floor())

    def clipped(self, slopes):
        length = math.sqrt(sum(g * g for t in slopes.values() for row in rows_of(t) for g in row))
        if 0 < self.set["clip"] < length:
            for tensor in slopes.values():
                for row in rows_of(tensor):
                    row[:] = [g * self.set["clip"] / length for g in row]
        return slopes

    def start_output_bias(self, images):
        """The decoder's last bias from the mean training image and its deviations."""
        rule = self.set["binarize"] if self.set["binarize"] in ("threshold", "static") else "none"
        xs = [pixels(image, number, rule, 0, LAST) for number, image in images]
        for k in range(self.D):
            mean = sum(x[k] for x in xs) / len(xs)
            if self.set["likelihood"] == "bernoulli":
                mean = min(0.999, max(0.001, mean))
                mean = math.log(mean / (1 - mean))
            bias = self.params[f"decoder.{len(self.set['hidden'])}.bias"]
            bias[k] = mean
            if self.sigma() == "per-pixel":
                deviation = math.sqrt(sum((x[k] - mean) ** 2 for x in xs) / len(xs))
                rise = max(1, math.log(deviation) - self.log_floor())
                bias[self.D + k] = self.log_floor() + rise - 1 / rise

    def train_epoch(self, images):
        """images: (number in its file, bytes), in the order of the training split. Means of (loss, recon, kl)."""
        n, batch, seed = len(images), min(self.set["batch"], len(images)), self.set["seed"]
        steps, sums = -(-n // batch), [0.0, 0.0, 0.0]
        if self.step == 0 and self.set["output-bias"] == "data":
            self.start_output_bias(images)
        order = permutation(seed, SHUFFLE, self.step // steps, n)
        draws = max(self.set["samples"], 1 if self.kl_is_exact() else self.set["kl-samples"])
        for first in range(0, n, batch):
            chosen = [images[i] for i in order[first:first + batch]]
            static = self.set["binarize"] == "static"
            xs = [pixels(image, number, self.set["binarize"], 0 if static else seed, LAST if static else self.step + 1)
                  for number, image in chosen]
            eps = self.noise(seed, POSTERIOR, self.step, len(xs), draws)
            warmup = self.set["beta-warmup"] * steps
            beta = self.set["beta"] * (min(1, self.step / warmup) if warmup else 1)
            for k, value in enumerate(self.loss(xs, eps, beta)):
                sums[k] += value * len(xs) / n
            self.adam(self.clipped(self.gradient(xs, eps, beta)), self.learning_rate(steps))
            self.step += 1
        return sums

    # ---- Evaluation ----------------------------------------------------------------------------------------------

    def lasting_pixels(self, images, seed, split=0):
        """split: 0, 1, 2 for training, validation, test images that were not taken out of another file."""
        static = self.set["binarize"] == "static"
        return [pixels(image, number, self.set["binarize"], 0 if static else seed, LAST - split)
                for number, image in images]

    def evaluate(self, images, split=0, samples=1, kl_samples=None, exact=None, seed=1, near_zero=0.0):
        """What `eval` prints, as a dictionary."""
        exact, K = self.kl_is_exact() if exact is None else exact, kl_samples or self.set["kl-samples"]
        xs, per_block, n = self.lasting_pixels(images, seed, split), max(1, 512 // samples), len(images)
        recon, kl, means, near, each = 0.0, [0.0] * self.L, [], 0, []
        for first in range(0, n, per_block):
            part = xs[first:first + per_block]
            eps = self.noise(seed, EVAL, first // per_block, len(part), max(samples, 1 if exact else K))
            for x, noise in zip(part, eps):
                mu, logvar = self.encode(x)
                zs = self.draws(mu, logvar, noise[:samples])
                image_recon, image_kl = sum(self.recon(z, x) for z in zs) / samples, self.kl(mu, logvar, noise[:K], exact)
                each.append((image_recon + sum(image_kl), image_recon, sum(image_kl)))
                recon += image_recon / n
                near += sum(abs(v) < near_zero for z in zs for v in z)
                means.append(mu)
                for j, k in enumerate(image_kl):
                    kl[j] += k / n
        return {"recon": recon, "kl": sum(kl), "neg_elbo": recon + sum(kl), "kl_per_dim": kl,
                "near_zero_share": near / (n * samples * self.L), **sparsity(means),
                "neg_elbo_se": statistics.stdev(row[0] for row in each) / math.sqrt(n), "each": each}

    def nll(self, images, samples, split=0, seed=1):
        """Importance-sampled -log p(x) and what is said of it."""
        xs, n, each, relative, khats = self.lasting_pixels(images, seed, split), len(images), [], 0.0, []
        for first in range(0, n, 128):
            part = xs[first:first + 128]
            for x, noise in zip(part, self.noise(seed, NLL, first // 128, len(part), samples)):
                mu, logvar = self.encode(x)
                log_w = [self.log_ratio(z, logvar, e) - self.recon(z, x)
                         for z, e in zip(self.draws(mu, logvar, noise), noise)]
                each.append(math.log(samples) - logsumexp(log_w))
                w = [math.exp(v - max(log_w)) for v in log_w]
                relative += sum(v * v for v in w) / sum(w) ** 2
                khats += khat(w)
        mean, S = sum(each) / n, samples
        variance = (relative - n / S) * S / (S - 1) if S > 1 else math.nan  # of mean w / E w, summed over images
        return {"nll": mean, "each_nll": each, "nll_se": math.sqrt(sum((v - mean) ** 2 for v in each) / (n - 1) / n),
                "nll_mc_se": math.sqrt(variance) / n, "nll_bias": variance / n / 2,
                "nll_effective_samples": n / relative, "nll_khat": statistics.mean(khats) if khats else None,
                "nll_khat_above": sum(k > 0.7 for k in khats) / n if khats else None}

    def decompose(self, images, others, draws, split=0, other_split=0, seed=1):
        """The parts of the KL as {way: {part: (mean, standard error)}}, of a factorised prior and no labels."""
        encoded = [self.encode(x) for x in self.lasting_pixels(images, seed, split)]
        held = [self.encode(x) for x in self.lasting_pixels(others, seed, other_split)]
        n, latents, rows = len(encoded), range(self.L), {"in_sample": [], "left_out": [], "held_out": []}
        eps = [row[0] for first in range(0, draws, 512)
               for row in self.noise(seed, DECOMPOSE, first // 512, min(512, draws - first), 1)]
        for s, noise in enumerate(eps):
            own = s * n // draws
            mu, logvar = encoded[own]
            z = [m + math.exp(v / 2) * e for m, v, e in zip(mu, logvar, noise)]
            log_p = sum(log_prior(self.set["prior"], v) for v in z)
            log_own = sum(log_normal(z[j] - mu[j], math.exp(logvar[j])) for j in latents)
            for way, over in (("in_sample", encoded), ("left_out", encoded[:own] + encoded[own + 1:]), ("held_out", held)):
                each = [[log_normal(z[j] - m[j], math.exp(v[j])) for m, v in over] for j in latents]
                log_q = logsumexp([sum(terms) for terms in zip(*each)]) - math.log(len(over))
                product = sum(logsumexp(terms) - math.log(len(over)) for terms in each)
                rows[way].append({"information": log_own - log_q, "marginal_kl": log_q - log_p,
                                  "total_correlation": log_q - product, "latents_kl": product - log_p})
        return {way: {part: (statistics.mean(r[part] for r in parts),
                             statistics.stdev(r[part] for r in parts) / math.sqrt(draws)) for part in parts[0]}
                for way, parts in rows.items()}


def khat(weights):
    """[k-hat of Vehtari et al. (2024)], step by step as gpdfit of the R package loo; of less than 25 weights []."""
    S = len(weights)
    M = math.ceil(min(0.2 * S, 3 * math.sqrt(S)))
    if M < 5:
        return []
    kept = sorted(weights)
    x = [w - kept[-M - 1] for w in kept[-M:]]
    points = 30 + math.isqrt(M)
    quartile = x[math.floor(M / 4 + 0.5) - 1]
    theta = [1 / x[-1] + (1 - math.sqrt(points / (j - 0.5))) / 3 / quartile for j in range(1, points + 1)]
    k = [statistics.fmean(math.log1p(-t * v) for v in x) for t in theta]
    profile = [M * (math.log(-t / b) - b - 1) for t, b in zip(theta, k)]
    weight = [math.exp(p - logsumexp(profile)) for p in profile]
    best = sum(t * w for t, w in zip(theta, weight))
    return [(M * statistics.fmean(math.log1p(-best * v) for v in x) + 5) / (M + 10)]


def sparsity(means):
    n, L = len(means), len(means[0])
    centre = [sum(m[j] for m in means) / n for j in range(L)]
    variance = [sum((m[j] - centre[j]) ** 2 for m in means) / n for j in range(L)]
    deviation = [math.sqrt(v) for v in variance]

    def hoyer(latents, scale):
        total = 0.0
        for m in means:
            v = [abs(m[j]) / scale[j] for j in latents]
            d = math.sqrt(len(v))
            total += (d - sum(v) / math.sqrt(sum(a * a for a in v))) / (d - 1)
        return total / n
    active = [j for j in range(L) if variance[j] > 0.01]
    moving = [j for j in range(L) if variance[j] > 0]
    return {"mean_variance": variance, "active_units": len(active), "hoyer": hoyer(range(L), [1] * L),
            "hoyer_normalized": hoyer(moving, deviation) if len(moving) > 1 else None,
            "hoyer_active": hoyer(active, deviation) if len(active) > 1 else None}


def rows_of(tensor):
    return tensor if isinstance(tensor[0], list) else [tensor]


def zeros(tensor):
    return [[0.0] * len(row) for row in tensor] if isinstance(tensor[0], list) else [0.0] * len(tensor)


def flat(tensor):
    """In the order of the model file."""
    return [value for row in rows_of(tensor) for value in row]
