# SPDX-License-Identifier: MIT
# Not under tsan: numbers, pictures and texts. Threads of joint priors are in unit/test_joint and fit.py.
"""What users see of joint priors: a short training of each on built-in digits, and every command that reads the run."""
import csv
import json
import os
import sys

from shared import png
from shared.model_file import load
from shared.program import in_one_column, joined, read_rows, refuse, unwrapped, vaectl, vaectl_json
from shared.tap import alike, near, run, same, test

LATENT = 3
TRAIN = ["--data", "builtin:digits:train=400,test=60", "--hidden", 32, "--latent", LATENT, "--batch", 25, "--lr", 0.005,
         "--epochs", 2, "-q", "-o", "run"]
# Each with its tensors: shapes by name.
PRIORS = {
    "mixture:components=20": {"prior.logit": [20], "prior.mean": [20, LATENT], "prior.logsd": [20, LATENT]},
    "vampprior:components=10": {"prior.pseudo": [10, 784]},
    "realnvp:blocks=1,width=8,layers=1": {
        "prior.0.0.weight": [8, 2], "prior.0.0.bias": [8], "prior.0.1.weight": [2, 8], "prior.0.1.bias": [2]},
    "lars:width=2,layers=1,draws=4096": {
        "prior.accept.0.weight": [2, LATENT], "prior.accept.0.bias": [2], "prior.accept.1.weight": [1, 2],
        "prior.accept.1.bias": [1], "prior.z": [1]},
}


def eval_text(e):
    """What eval prints, made from its JSON."""
    text = (f"{e['model']} after epoch 2\n"
            f"{e['data']}, test split: 60 images, noise seed 1, {e['elbo_samples']} draw{'s' * (e['elbo_samples'] > 1)} of "
            f"z an image, KL by the draws that are decoded\n"
            f"neg_elbo      {e['neg_elbo']:.4f} = recon {e['recon']:.4f} + kl {e['kl']:.4f} nats/image "
            f"(standard error {e['neg_elbo_se']:.4f} over images)\n")
    if e["nll_samples"]:
        text += (f"nll           {e['nll']:.4f} ({e['nll_samples']} importance samples, "
                 f"{e['nll_effective_samples']:.1f} effective; standard error {e['nll_se']:.4f} over images, "
                 f"{e['nll_mc_se']:.4f} of sampling; in expectation too high by {e['nll_bias']:.3f} or more)\n")
    if e["nll_khat"] is not None:
        text += f"k-hat         {e['nll_khat']:.2f} on average, above 0.7 for {100 * e['nll_khat_above']:.1f} % of images\n"
    if e["nll_samples"] and e["nll_effective_samples"] < 5:
        text += ("              (few effective samples: -log p(x) is lower than nll by more than that; give more "
                 "--samples)\n")
    if e["trusted"] == "neither":
        text += ("trust         neither nll nor its errors: log p(x) is at least -nll, and more than they say; measure "
                 "with --ais 100, with few latents also --proposal defensive\n")
    same(e["trusted"], None if e["nll_khat"] is None else "neither" if e["nll_khat_above"] > 0.05 else "nll")
    text += ("              (grey pixels under a Bernoulli likelihood: a pseudo-likelihood)\n"
             f"active units  {e['active_units']} of {LATENT} (the posterior mean has a variance above 0.01)\n"
             f"Hoyer         {e['hoyer']:.3f} raw, {e['hoyer_normalized']:.3f} normalized, {e['hoyer_active']:.3f} "
             "normalized over active units\n"
             f"|z| < 0.4472   {100 * e['near_zero_share']:.1f} % of drawn latents\n"
             f"linear probe  {100 * e['probe_accuracy']:.2f} % of labels read off the posterior means\n"
             f"k-means       NMI {e['cluster_nmi']:.3f} of labels and as many clusters of posterior means\n"
             "latent  variance of posterior mean\n")
    return text + "".join(f"{j:6}  {variance:.4f}\n" for j, variance in enumerate(e["mean_variance"]))


def check_training():
    rows = read_rows("run")
    same([row["epoch"] for row in rows], ["1", "2"])
    first, last = (float(rows[i]["test_neg_elbo"]) for i in (0, 1))
    assert last < first - 10, f"nothing is learned: {first}, {last}"
    assert float(rows[1]["test_kl"]) > 0.5, rows[1]["test_kl"]


def check_eval():
    for flags in (["--samples", 20], ["--samples", 0, "--elbo-samples", 4]):
        e = vaectl_json("eval", "run", *flags)
        same((e["kl_per_dim"], e["kl_floor"], e["kl_samples"]), (None, None, e["elbo_samples"]))
        alike(unwrapped(vaectl("eval", "run", *flags)[0]), joined(eval_text(e)))
    same(vaectl("eval", "run", "--kl", "exact", status=2)[1],
         f"vaectl: prior {vaectl_json('info', 'run')['config']['prior'].split(':')[0]} has no exact KL to a gaussian posterior\n")
    refuse(2, "kl-samples: the KL of this model is taken by the draws that are decoded (elbo-samples says how many)",
           "eval", "run", "--kl-samples", 3)
    vaectl("eval", "run", "--samples", 20, "--elbo-samples", 4, "--per-image", "each.csv")
    e = vaectl_json("eval", "run", "--samples", 20, "--elbo-samples", 4)
    with open("each.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for key in ("neg_elbo", "recon", "kl", "nll"):
        near(sum(float(row[key]) for row in rows) / len(rows), e[key], 2e-8, key)


def check_pictures():
    config = vaectl_json("info", "run")["config"]
    for name, title in (("sample", "Samples"), ("reconstruct", "Reconstructions"), ("traverse", "Traversal")):
        same(vaectl(name, "run"), (f"run/{name}.png\n", ""))
        same(png.read(f"run/{name}.png")[1]["Title"], f"{title}: {config['prior']} on {config['data']}")
    vaectl("sample", "run", "--seed", 2, "-o", "other.png")
    assert png.read("other.png")[0] != png.read("run/sample.png")[0], "the same draws with another seed"


def check_info(prior, tensors):
    info, text = vaectl_json("info", "run"), in_one_column(vaectl("info", "run")[0]).splitlines()
    stored, metadata = load("run/model.safetensors")
    same({name: shape for name, (shape, _) in stored.items() if name.startswith("prior.")}, tensors)
    same(info["config"]["prior"].split(":")[0], prior.split(":")[0])
    for word in prior.partition(":")[2].split(","):
        assert word in info["config"]["prior"], info["config"]["prior"]
    same(json.loads(metadata["vaectl.state"])["kl_per_dim"], [None] * LATENT)
    for name, shape in tensors.items():
        assert f"  {name:20} {' x '.join(map(str, shape))}" in text, name


def use(prior, tensors):
    vaectl("train", *TRAIN, "--prior", prior)
    check_training()
    check_eval()
    check_pictures()
    check_info(prior, tensors)


for prior, tensors in PRIORS.items():
    test(f"train, eval, sample, reconstruct, traverse and info: {prior}")(lambda p=prior, t=tensors: use(p, t))


@test("a prior that cannot be is refused before anything is written")
def _():
    for prior, message in (("realnvp", "prior realnvp couples two parts of the latents (expected latent at least 2)"),
                           ("lars:base=lars", "lars parameter base: 'lars' (expected one of normal|spikeslab|laplace|cauchy|"
                            "studentt|logistic|scaled|mixture|vampprior|realnvp)")):
        refuse(2, message, "train", *TRAIN, "--latent", 1, "--prior", prior)
        same(os.listdir("."), [])


if __name__ == "__main__":
    sys.exit(run())
