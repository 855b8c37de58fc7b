# SPDX-License-Identifier: MIT
"""Plug-in priors as a user meets them: the commands of docs/plugins.md from an installed vaectl, plug-ins as --prior and
--plugin, models that need one, and what is refused."""
import json
import os
import re
import shutil
import sys

from shared.model_file import load, save
from shared.page import ROOT, blocks, installed, needs, shell
from shared.program import read_bytes, refuse, vaectl, vaectl_json, write_idx
from shared.tap import run, same, test

PLUGINS = os.path.join(os.environ["VAE_BUILD"], "tests", "plugins")
SMALL = ["--data", "images", "--hidden", 6, "--latent", 3, "--batch", 10, "--threads", 1, "-q"]


def take(name, file=None):
    """Copies a plug-in into the working directory."""
    shutil.copy(f"{PLUGINS}/{name}.so", file or f"{name}.so")


def train(run, *flags, epochs=2):
    write_idx("images", (30, 4, 4), [(7 * i + 31 * (i // 16)) % 256 for i in range(30 * 16)])
    vaectl("train", *SMALL, "--epochs", epochs, "-o", run, *flags)


def prior_of(run, *flags):
    return vaectl_json("info", run, *flags)["config"]["prior"]


# ---- Training and using -----------------------------------------------------------------------------------------------

@test("a plug-in trains to the same weights as the built-in prior that it equals; the model file has its name alone")
def _():
    take("good")
    train("theirs", "--prior", "./good.so", "--kl", "mc")
    train("ours", "--prior", "normal", "--kl", "mc")
    (theirs, metadata), (ours, _) = load("theirs/model.safetensors"), load("ours/model.safetensors")
    same(theirs, ours)
    same(json.loads(metadata["vaectl.config"])["prior"], "good:sd=1")
    assert b".so" not in read_bytes("theirs/model.safetensors")


@test("parameters: behind the file, as flags, and as flags before the file")
def _():
    take("good")
    for run, words in enumerate((["--prior", "./good.so:sd=2"], ["--prior", "good.so", "--sd", "2"],
                                 ["--sd=2", "--prior=./good.so"], ["--sd", 2, "--prior", "./good.so"],
                                 ["--plugin", "good.so", "--prior", "good:sd=2"])):
        train(str(run), *words)
        same(prior_of(str(run), "--plugin", "good.so"), "good:sd=2", words)
    refuse(2, "good parameter sd: 1000 is out of range (expected 0.01 to 100)", "train", "--prior", "./good.so", "--sd",
           1000)
    refuse(2, "good has no parameter 'p' (it has: sd)", "train", "--prior", "./good.so:p=1")
    refuse(2, "train: unknown flag --sd (see vaectl train --help)", "train", "--sd", 1)


@test("all commands take a model with --plugin, and say what is missing without")
def _():
    take("good")
    train("run", "--prior", "./good.so", "--validation", "0.2")
    os.rename("good.so", "moved:1.so")
    for command in (["eval"], ["reconstruct", "-n", 2], ["sample", "-n", 2], ["traverse"], ["info"]):
        refuse(5, "run/best.safetensors: its prior 'good' is a plug-in that is not loaded (--plugin FILE.so loads it), "
               "or younger than this vaectl", *command, "run")
        vaectl(*command, "run", "--plugin", "moved:1.so")


@test("--resume with the plug-in ends with the same bytes as one that never stopped")
def _():
    take("good")
    train("whole", "--prior", "./good.so", epochs=4)
    train("parts", "--prior", "./good.so")
    words = ["train", "--resume", "parts", "--epochs", 4, "-q"]
    refuse(5, "parts/model.safetensors: its prior 'good' is a plug-in that is not loaded (--plugin FILE.so loads it), or "
           "younger than this vaectl", *words)
    refuse(2, "prior: a trained model keeps its settings (all but data|epochs|patience)", *words, "--prior",
           "./good.so:sd=2")
    vaectl(*words, "--plugin", "./good.so")
    same(read_bytes("parts/model.safetensors"), read_bytes("whole/model.safetensors"))


@test("exact KL and posteriors: what the table says")
def _():
    take("good")
    train("exact", "--prior", "./good.so", "--kl", "exact")
    same(vaectl_json("eval", "exact", "--plugin", "good.so", "--samples", 0)["kl_samples"], 0)
    refuse(2, "the KL of a cauchy posterior to prior good is infinite: it has no moments (a prior with heavy tails, such "
           "as cauchy or studentt, goes with it)", "train", "--prior", "./good.so", "--posterior", "cauchy")
    take("heavy_tails")
    out, _ = vaectl("priors", "--check", "./heavy_tails.so", status=1)
    same([line[:60] for line in out.splitlines() if line.startswith("FAILED")],
         ["FAILED  heavy tails: z d log p / dz, 1e6 to 1e5         100 "])
    train("heavy", "--prior", "./heavy_tails.so", "--posterior", "cauchy")


@test("a plug-in is listed, has its place in the help, and bench takes it")
def _():
    take("good")
    listed, built_in = vaectl("priors", "--plugin", "./good.so")[0], vaectl("priors")[0]
    same(listed, built_in + "good: normal\n    p(z) = N(z; 0, sd^2)\n    --sd  standard deviation, 0.01 to 100 [1]\n")
    assert "  good         normal\n      --sd V  standard deviation" in vaectl("train", "--plugin", "good.so", "--help")[0]
    write_idx("images", (30, 4, 4), bytes(480))
    said = vaectl("bench", "--data", "images", "--rounds", 1, "--plugin", "good.so")[0]
    same(said.count("ratio"), 5)  # a plug-in is no setting: the standard ones
    same(vaectl("bench", "--data", "images", "--rounds", 1, "--prior", "./good.so")[0].count("ratio"), 1)


# ---- Refusals ---------------------------------------------------------------------------------------------------------

@test("a path in a model file is not loaded")
def _():
    take("good", "evil.so")
    train("run", "--prior", "laplace")
    tensors, metadata = load("run/model.safetensors")
    for prior in ("./evil.so", "evil.so:sd=1"):
        config = {**json.loads(metadata["vaectl.config"]), "prior": prior}
        save("changed", tensors, {**metadata, "vaectl.config": json.dumps(config)})
        refuse(5, f"changed: its prior '{prior.split(':')[0]}' is a plug-in that is not loaded (--plugin FILE.so "
               "loads it), or younger than this vaectl", "info", "changed")


@test("files that are no plug-in: status 2 and one line; other words stay what they are")
def _():
    take("good")
    take("wrong_abi")
    with open("text.so", "w") as file:
        file.write("text\n")
    refuse(2, "none.so: No such file or directory (expected a plug-in, a shared object)", "train", "--prior", "none.so")
    refuse(2, "./none: No such file or directory (expected a plug-in, a shared object)", "train", "--prior", "./none:a=1")
    refuse(2, "text.so: cannot load the plug-in: file too short", "priors", "--check", "text.so")
    refuse(2, "./wrong_abi.so: made for ABI 2 with a struct of 96 bytes; here it is ABI 1 with 96 bytes", "sample",
           "--plugin", "./wrong_abi.so")
    refuse(2, "train: --plugin needs a value", "train", "--plugin")
    refuse(2, "train: --plugin= is empty", "train", "--plugin=")
    refuse(2, "train: unknown flag --plugi (did you mean --plugin?)", "train", "--plugi", "none.so")
    refuse(2, "train: unexpected argument 'good.so' (expected flags alone)", "train", "-o", "--plugin", "good.so")
    refuse(5, "--plugin: cannot open: No such file or directory (expected a model file)", "info", "--", "--plugin")
    assert not os.path.exists("runs")


# ---- priors --check and --template ------------------------------------------------------------------------------------

@test("priors --check: a line a check; status 1 and where it failed")
def _():
    take("good")
    take("negated_slope")
    lines = vaectl("priors", "--check", "./good.so:sd=3")[0].splitlines()
    same((len(lines), {line.split()[0] for line in lines}), (13, {"ok"}))
    same(vaectl("priors", "--check", "laplace:scale=2")[0].count("ok  "), 13)
    out, errors = vaectl("priors", "--check", "./negated_slope.so", status=1)
    same(errors, "vaectl: prior negated_slope is not what it should be: 2 of 13 checks failed\n")
    failed = [line for line in out.splitlines() if not line.startswith("ok ")]
    same(len(failed), 2)
    assert re.fullmatch(r"FAILED  slope is that of log p: error +\S+ \(at most 3e-05\): negated_slope:sd=\S+, z = \S+",
                        failed[0]), failed[0]
    names = re.findall(r"^(\w+):", vaectl("priors")[0], re.M)
    refuse(2, f"unknown prior 'lapace' (did you mean 'laplace'? there are: {', '.join(names)})", "priors", "--check",
           "lapace")


@test("priors --check: joint priors, posteriors and likelihoods; a name of two kinds")
def _():
    def checks(name):
        lines = vaectl("priors", "--check", name)[0].splitlines()
        assert all(line.startswith("ok ") and len(line) <= 80 for line in lines), lines
        return "\n".join(lines)

    assert "density integrates to 1" in checks("mixture:components=3")
    assert "log det is that of a Jacobian" in checks("iaf:width=8,context=2")
    assert "p(pixel) sums to 1" in checks("bernoulli")
    assert "known answers" in checks("cauchy") and "known answers" in checks("prior:cauchy:scale=2")
    assert "entropy is the integral" in checks("posterior:cauchy")
    assert "p(pixel)" in checks("likelihood:gaussian:sigma=learned") and "entropy" in checks("posterior:gaussian")
    refuse(2, "--check: 'gaussian' is a posterior and a likelihood (expected posterior:gaussian or "
              "likelihood:gaussian)", "priors", "--check", "gaussian:sigma=2")
    refuse(2, "unknown posterior 'laplace' (there are: gaussian, cauchy, iaf)", "priors", "--check",
           "posterior:laplace")


@test("priors --template: one file, never over another, with the name in it")
def _():
    same(vaectl("priors", "--template", "mine"), ("mine.c\n", ""))
    before = read_bytes("mine.c")
    assert b'.name = "mine"' in before and b"NAME" not in before.replace(b"VAE_MAX_NAME", b"")
    same(vaectl("priors", "--template", "mine", "-o", "-"), (before.decode(), ""))
    same(vaectl("priors", "--template", "mine", "-o", "other.c"), ("other.c\n", ""))
    same(read_bytes("other.c"), before)
    refuse(4, "mine.c: is already there (another -o keeps it)", "priors", "--template", "mine")
    same(read_bytes("mine.c"), before)
    refuse(4, "no/x.c: cannot write: No such file or directory", "priors", "--template", "mine", "-o", "no/x.c")
    for name in ("1st", "a/b", "a.so", "ü", "x" * 32, "a b"):
        refuse(2, f"--template: '{name}' (expected letters, digits, - and _, at most 31)", "priors", "--template", name)
    refuse(2, "--template: there is a prior 'laplace' already", "priors", "--template", "laplace")
    refuse(2, "priors: --template or --check, not both", "priors", "--template", "a", "--check", "laplace")
    refuse(2, "priors: --output is for --template", "priors", "-o", "x")
    same(sorted(os.listdir()), ["mine.c", "other.c"])


# ---- The page ---------------------------------------------------------------------------------------------------------

def without_figures(text):
    """Figures of checks depend on the machine's mathematical library."""
    return re.sub(r" +\S+ \(at most", " # (at most", text)


@test("docs/plugins.md: each command does what the page says, from an installed vaectl and an empty folder")
def _():
    steps = blocks("plugins.md", "sh")
    same(len(steps), 6)
    with installed() as env:
        for commands, said in steps:
            got = shell(commands, **env)
            if said:
                same(without_figures(got), without_figures(said), commands)


@test("the template as C without a warning, and the header as C++")
def _():
    needs("cc", "c++")
    vaectl("priors", "--template", "mine")
    shell(f"cc -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -shared -fPIC -O2 mine.c -o mine.so -I{ROOT}/include -lm")
    with open("other.cc", "w") as file:
        file.write(CPP)
    shell(f"c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -shared -fPIC -O2 other.cc -o other.so -I{ROOT}/include")
    for name in ("mine", "other"):
        vaectl("priors", "--check", f"./{name}.so")


# Laplace's distribution in C++, where a struct is initialised in its order.
CPP = """
#include <cmath>
#include <vae_prior.h>
struct vae_prior_state { char unused; };
static void init(vae_prior_state *, const double *) {}
static void log_prob(const vae_prior_state *, size_t n, const float *z, float *logp, float *slope)
{
    for (size_t i = 0; i < n; i++) {
        logp[i] = -std::fabs(z[i]) - 0.69314718f;
        slope[i] = z[i] < 0 ? 1 : -1;
    }
}
static void sample(const vae_prior_state *, size_t n, const uint32_t (*bits)[4], float *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = static_cast<float>((bits[i][1] & 1 ? -1 : 1) * std::log(vae_uniform(bits[i][0])));
}
static const vae_known known[] = {VAE_LOG_P(1, -1.6931472, 0), VAE_LOG_P(0, -0.6931472, 0), {}};
const vae_prior_v1 vae_prior_plugin = {
    VAE_PRIOR_ABI, sizeof(vae_prior_v1), {"other", "Laplace in C++", "p(z) = exp(-|z|) / 2", nullptr},
    sizeof(vae_prior_state), init, log_prob, sample, nullptr, known, false};
"""

if __name__ == "__main__":
    sys.exit(run())
