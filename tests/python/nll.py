# SPDX-License-Identifier: MIT
# Not under tsan: no thread is started here.
"""The importance-sampled likelihood of eval against an independent computation from the model file with NumPy: own
noise, own sums, in double. On 200 test images of MNIST where it is there, else of builtin:digits; prints TAP; skipped
where NumPy is absent."""
import gzip
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile

from shared.model_file import load

SAMPLES = 500
SEEDS = 6
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small products: threads of NumPy's cost more than they give
IMAGES = 200
CASES = [
    ("normal", ["--prior", "normal", "--activation", "tanh"]),
    ("spike-and-slab, thresholded pixels", ["--prior", "spikeslab", "--binarize", "threshold"]),
    ("cauchy, gated, Gaussian likelihood",
     ["--prior", "cauchy", "--activation", "gated", "--likelihood", "gaussian:sigma=0.4"]),
]


def load_model(path):
    import numpy
    tensors, metadata = load(path)
    return ({name: numpy.array(values).reshape(shape) for name, (shape, values) in tensors.items()},
            json.loads(metadata["vaectl.config"]))


def load_images(folder):
    import numpy
    for name in ("t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz", "t10k-images.idx3-ubyte"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            raw = (gzip.open if name.endswith(".gz") else open)(path, "rb").read()
            return numpy.frombuffer(raw[16:16 + IMAGES * 784], "u1").reshape(IMAGES, 784) / 255.0
    raise FileNotFoundError(folder)


def network(params, side, x, activation, last_is_linear):
    import numpy
    depth = sum(n.startswith(side) and n.endswith("weight") and "gate" not in n for n in params)
    for i in range(depth):
        y = x @ params[f"{side}.{i}.weight"].T + params[f"{side}.{i}.bias"]
        if i + 1 < depth or not last_is_linear:
            if activation == "gated":
                y = y / (1 + numpy.exp(-x @ params[f"{side}.{i}.gate.weight"].T - params[f"{side}.{i}.gate.bias"]))
            else:
                y = numpy.tanh(y) if activation == "tanh" else numpy.maximum(y, 0)
        x = y
    return x


def log_prior(name, z):
    import numpy
    if name.startswith("normal"):
        return -0.5 * z ** 2 - 0.5 * numpy.log(2 * numpy.pi)
    if name.startswith("cauchy"):
        return -numpy.log(numpy.pi * (1 + z ** 2))
    spike = numpy.log(0.8) - z ** 2 / 0.1 - 0.5 * numpy.log(2 * numpy.pi * 0.05)
    return numpy.logaddexp(spike, numpy.log(0.2) - 0.5 * z ** 2 - 0.5 * numpy.log(2 * numpy.pi))


def log_likelihood(config, out, x):
    import numpy
    if config["likelihood"] == "bernoulli":
        return (x * out - numpy.logaddexp(0, out)).sum(1)
    return (-0.5 * ((x - out) / 0.4) ** 2 - numpy.log(0.4) - 0.5 * numpy.log(2 * numpy.pi)).sum(1)


def nll(path, images):
    """Mean of -log p(x)."""
    import numpy
    params, config = load_model(path)
    if config["binarize"] == "threshold":
        images = (images > 0.5) * 1.0
    rng, each = numpy.random.default_rng(7), []
    for x in images:
        h = network(params, "encoder", x[None], config["activation"], False)
        mu = h @ params["mu.weight"].T + params["mu.bias"]
        logvar = h @ params["logvar.weight"].T + params["logvar.bias"]
        eps = rng.standard_normal((SAMPLES, mu.shape[1]))
        z = mu + numpy.exp(logvar / 2) * eps
        log_q = (-0.5 * (eps ** 2 + logvar + numpy.log(2 * numpy.pi))).sum(1)
        log_x = log_likelihood(config, network(params, "decoder", z, config["activation"], True), x[None])
        log_w = log_x + log_prior(config["prior"], z).sum(1) - log_q
        each.append(-(log_w.max() + numpy.log(numpy.exp(log_w - log_w.max()).mean())))
    return numpy.mean(each)


def run(*words):
    return subprocess.run([os.environ["VAECTL"], *words], check=True, capture_output=True, text=True).stdout


def evaluate(model, samples, *flags):
    return json.loads(run("eval", model, "--json", "--limit", str(IMAGES), "--samples", str(samples), *flags))


def check(folder, flags):
    mnist, source = os.environ.get("VAE_MNIST") or "data/mnist", os.path.join(folder, "images")
    if os.path.isdir(mnist):
        os.mkdir(source)  # images without labels: no time goes into the linear probe
        for name in os.listdir(mnist):
            if "images" in name:
                os.symlink(os.path.abspath(os.path.join(mnist, name)), os.path.join(source, name))
    else:
        write_digits(source)
    model = os.path.join(folder, "run")
    run("train", "--data", source, "--latent", "5", "--hidden", "60", "--epochs", "1", "-q", "-o", model, *flags)
    ours = evaluate(model, SAMPLES, "--elbo-samples", "20")
    # Weights have heavy tails, so the spread of an estimate is taken over seeds.
    seeds = [evaluate(model, SAMPLES, "--seed", str(s))["nll"] for s in range(SEEDS)]
    spread, ours_mean = statistics.stdev(seeds), statistics.mean(seeds)
    other = nll(os.path.join(model, "model.safetensors"), load_images(source))
    by_samples = [evaluate(model, s)["nll"] for s in (1, 10, 100)] + [ours["nll"]]
    print(f"# ours {ours_mean:.4f} (standard deviation of one estimate {spread:.4f}, stated {ours['nll_mc_se']:.4f}), "
          f"NumPy {other:.4f}, neg_elbo {ours['neg_elbo']:.4f}")
    print(f"# with 1, 10, 100, {SAMPLES} samples {', '.join(f'{v:.3f}' for v in by_samples)}")
    return {"agrees": abs(ours_mean - other) < 3 * spread * (1 + 1 / SEEDS) ** 0.5,
            "is no larger than neg_elbo": ours["nll"] <= ours["neg_elbo"] + 3 * spread,
            "falls as samples grow": all(a > b - 3 * spread for a, b in zip(by_samples, by_samples[1:]))}


def write_digits(folder):
    """Four IDX files of random strokes, for machines without MNIST."""
    import numpy
    rng = numpy.random.default_rng(1)
    os.makedirs(folder, exist_ok=True)
    for name, n in (("train", 1000), ("t10k", IMAGES)):
        images = numpy.zeros((n, 28, 28), "u1")
        for image in images:
            row, column = rng.integers(4, 20, 2)
            image[row:row + 3, column:column + 8] = rng.integers(100, 256, (3, 8))
            image[row:row + 9, column:column + 2] = 255
        with open(os.path.join(folder, f"{name}-images-idx3-ubyte"), "wb") as file:
            file.write(struct.pack(">IIII", 0x803, n, 28, 28) + images.tobytes())


def main():
    try:
        import numpy  # noqa: F401
    except ImportError:
        print("ok 1 - likelihood against NumPy # SKIP no NumPy")
        return 0
    number, failed = 0, 0
    for name, flags in CASES:
        with tempfile.TemporaryDirectory() as folder:
            for what, good in check(folder, flags).items():
                number += 1
                failed += not good
                print(f"{'ok' if good else 'not ok'} {number} - nll, {name}: {what}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
