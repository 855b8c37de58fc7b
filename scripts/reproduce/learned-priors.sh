#!/usr/bin/env bash
# Learned priors side by side: gated 784-300-300-40-300-300-784, He initialisation, Adam 5e-4, batch 100, pixels drawn
# afresh at each use, beta warmed up over 30 of 100 epochs; two seeds. The likelihood with 1000 samples on the first 2000
# test images, beside their ELBO. Then each prior fitted to the trained model with prior normal.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

network=(--activation gated --hidden "300,300" --latent 40 --init he --binarize dynamic --batch 100 --lr 5e-4)

# Evaluations of LARS take a million draws, which is not for a test of seconds.
all="normal mixture vampprior realnvp lars lars:base=realnvp"
fitted="mixture realnvp lars"

measure() { evaluate "$1" nll --samples "$(choose 1000 100 10)" --limit "$(choose 2000 300 20)"; }

for seed in $(choose "1 2" 1 1); do
    for prior in $(choose "$all" "$all" "normal vampprior"); do
        name=${prior/:base=/-}
        train "learned/$name-$seed" "$(choose 100 4 1)" "${network[@]}" --beta-warmup "$(choose 30 1 0)" \
            --prior "$prior" --seed "$seed"
        measure "learned/$name-$seed"
    done
    for prior in $(choose "$fitted" "$fitted" realnvp); do
        run=learned/fit-$prior-$seed
        [ -e "$RUNS/$run/model.safetensors" ] ||
            "$VAECTL" fit "$RUNS/learned/normal-$seed" --prior "$prior" --passes "$(choose 20 2 1)" -o "$RUNS/$run" \
                -q "${threads[@]}" >&2
        measure "$run"
    done
done
summarise learned
