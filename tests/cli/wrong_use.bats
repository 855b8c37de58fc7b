# SPDX-License-Identifier: MIT
# Wrong words on the command line: exit status 2, one line that says what would be right, and nothing made.
# Not under tsan: no thread is started here.
load common

teardown() { [ ! -e runs ]; }

@test "no command prints help on stderr" {
    expect 2
    [ -z "$output" ]
    [[ $errors == *"vaectl train --prior spikeslab"* ]]
}

@test "unknown command" {
    refuse 2 "did you mean 'train'" trian
    refuse 2 "there are: train, fit, eval" frobnicate
}

@test "unknown flag, with the nearest" {
    refuse 2 "did you mean --epochs" train --epoch 3
    refuse 2 "unknown flag --frobnicate" train --frobnicate
    refuse 2 "unknown flag -x" train -x
}

@test "flags are not abbreviated" {
    refuse 2 "unknown flag --lat" train --lat 3
    refuse 2 "unknown flag --lat" train --lat=3
}

@test "flag without its value" { refuse 2 "--latent needs a value" train --latent; }

@test "stray arguments" {
    refuse 2 "unexpected argument 'there'" train there
    refuse 2 "unexpected argument 'b'" eval a b
}

@test "latent 0" { refuse 2 "vaectl: latent: 0 is out of range" train --latent 0; }
@test "lr nan" { refuse 2 "vaectl: lr: nan is out of range" train --lr nan; }
@test "lr with rubbish behind" { refuse 2 "vaectl: lr: '1e-3x' is not a number" train --lr 1e-3x; }
@test "epochs negative" { refuse 2 "vaectl: epochs: '-1' is not a whole number" train --epochs -1; }
@test "batch 0" { refuse 2 "vaectl: batch: 0 is out of range" train --batch 0; }
@test "hidden empty" { refuse 2 "(expected whole numbers" train --hidden ,; }
@test "empty items in lists" {
    for widths in 64,,3 ,64 64,; do refuse 2 "(expected whole numbers" train --hidden $widths; done
    for prior in spikeslab: spikeslab:,p=1 spikeslab:p=1,,c2=1; do
        refuse 2 "(expected name=value,...)" train --prior $prior
    done
}
@test "choices that do not go together" {
    refuse 2 "vaectl: gradient dreg: expected objective iwae" train --gradient dreg
    refuse 2 "vaectl: free-bits: needs a KL of its own" train --objective iwae --samples 2 --free-bits 1
    refuse 2 "vaectl: kl-noise stratified: needs a KL of its own" train --objective iwae --kl-noise stratified
    refuse 2 "vaectl: patience: needs a validation split" train --patience 3
    refuse 2 "vaectl: schedule step and lr-steps go together" train --schedule step
    refuse 2 "vaectl: schedule step and lr-steps go together" train --lr-steps 3,4
    refuse 2 "vaectl: validation: 1 is out of range" train --validation 1
    refuse 2 "train: --force takes no value" train --force=1
    refuse 2 "train: --data is empty" train --data ''
    refuse 2 "sample: -o is empty" sample -o ''
    refuse 2 "info: RUN is empty" info ''
    refuse 2 "vaectl: lr: '0x10' is not a number" train --lr 0x10
    refuse 5 "cannot open: File name too long (expected" info "$(printf 'x%.0s' {1..1500})"
    refuse 2 "digits parameter train: 10.5 is not a whole number" train --data builtin:digits:train=10.5
    refuse 2 "of 300 training images is none" train --data builtin:digits:train=300,test=5 --validation 0.001
    refuse 2 "vaectl: lr-steps: expected ascending epochs" train --schedule step --lr-steps 3,1
    refuse 2 "(expected one of none|threshold|static|dynamic)" train --binarize random
}

@test "threads 0" { refuse 2 "--threads: 0 is out of range" train --threads 0; }

@test "p 1.5" { refuse 2 "spikeslab parameter p: 1.5 is out of range (expected 0 to 1)" train --prior spikeslab --p 1.5; }
@test "c2 0" { refuse 2 "spikeslab parameter c2: 0 is out of range" train --prior spikeslab --c2 0; }
@test "p in the prior's name" { refuse 2 "spikeslab parameter p: 2 is out of range" train --prior spikeslab:p=2; }

@test "prior spikeslb" {
    refuse 2 "did you mean 'spikeslab'? there are: normal, spikeslab, laplace, cauchy, studentt, logistic, scaled, mixture, vampprior, realnvp, lars" train --prior spikeslb
}

@test "a flag of another prior, in either order" {
    refuse 2 "vaectl: p: prior normal and likelihood bernoulli have no such parameter (they have: none; prior spikeslab has it)" \
        train --prior normal --p 0.8
    refuse 2 "they have: scale; prior spikeslab has it" train --c2 0.1 --prior laplace
}

@test "unknown likelihood, posterior, activation" {
    refuse 2 "there are: bernoulli, gaussian" train --likelihood bernouli
    refuse 2 "unknown posterior 'cauchi'" train --posterior cauchi
    refuse 2 "the KL of a cauchy posterior to prior normal is infinite" train --posterior cauchy
    refuse 2 "vaectl: kl exact: the KL of posterior iaf is known by draws alone" train --posterior iaf --kl exact
    refuse 2 "vaectl: gradient stl: needs a factorised posterior" train --posterior iaf --gradient stl
    refuse 2 "prior vampprior takes the posteriors of pseudo-inputs for Gaussians, and posterior iaf is none" \
        compare --data builtin:digits:train=10,test=1 --posterior gaussian,iaf --prior normal,vampprior -o no
    refuse 2 "prior lars takes the posteriors of pseudo-inputs for Gaussians, and posterior iaf is none" \
        train --data builtin:digits:train=10,test=1 --posterior iaf --prior lars:base=vampprior
    refuse 2 "iaf parameter blocks: 9 is out of range (expected 1 to 8)" train --posterior iaf:blocks=9
    refuse 2 "unknown activation" train --activation gelu
}

@test "a floor of a deviation that is given" {
    refuse 2 "vaectl: likelihood gaussian: floor has no effect on a sigma that is a number (expected sigma=learned or" \
        train --likelihood gaussian --floor 0.1
    refuse 2 "floor has no effect" train --likelihood gaussian:sigma=0.5,floor=0.02
}

@test "kl of an unknown kind" { refuse 2 "expected one of auto|exact|mc" train --kl exakt; }

@test "help and version go to stdout" {
    for words in --help -h help "train --help" "help train" "eval -h" "traverse --help"; do
        expect 0 $words
        [ -z "$errors" ]
        [[ $output == *Usage:* ]]
    done
    expect 0 --version
    [[ $output == "vaectl "*OpenBLAS* ]]
}

# OpenBLAS takes a processor that is newer than itself for a very old one.
@test "matrix products are those that suit the processor, unless OPENBLAS_CORETYPE says otherwise" {
    grep -qw avx2 /proc/cpuinfo || skip "a processor without AVX2"
    expect 0 --version
    [[ $output == *"core "* && $output != *"core Prescott"* ]]
    OPENBLAS_CORETYPE=Prescott expect 0 --version
    [[ $output == *"core Prescott"* ]]
}

@test "the loader can be told to start the program" {
    command -v readelf >/dev/null || skip "no readelf"
    [ -z "${VAE_CHECKER:-}" ] || skip "checkers may start a program once more by themselves"
    loader=$(readelf -l "$VAECTL" | sed -n 's/.*interpreter: \(.*\)]/\1/p')
    [[ $("$loader" "$VAECTL" --version) == "vaectl "* ]]
}

@test "help lists every prior with its parameters, and so does priors" {
    expect 0 train --help
    for word in normal spikeslab laplace cauchy --p --c2 --scale bernoulli --sigma "train=V" "auto|exact|mc"; do [[ $output == *"$word"* ]]; done
    expect 0 priors
    for word in normal spikeslab laplace cauchy --p --c2 --scale; do [[ $output == *"$word"* ]]; done
}
