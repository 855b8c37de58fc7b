#!/usr/bin/env bash
# The lowest likelihoods of one stochastic layer of dense units: gated 784-300-300-40-300-300-784, He initialisation,
# pixels drawn afresh at each use, beta warmed up over 50 of 500 epochs of all 60,000 images, and a learning rate that
# falls as a cosine. The last model counts: nothing is chosen by the test set. -log p(x) with 5000 importance samples on
# the 10,000 test images and, beside it, by annealed importance sampling on the first 1,000.
#
# RealNVP goes on for 40 epochs of the importance-weighted bound of 5 draws, from a rate of 5e-4, again as a cosine; and
# from there LARS over it for as many more.
#
#   ROWS   which priors [all]     IWAE   empty: none goes on     SEEDS  which seeds [1]
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

network=(--activation gated --hidden "300,300" --latent 40 --init he --binarize dynamic --schedule cosine)

# A row: prior, batch and learning rate. Pseudo-inputs cost as much for a large batch as for a small one.
settings() {
    case $1 in
    vampprior*) echo --batch 250 --lr 1.5e-3 ;;
    *) echo --batch 100 --lr 1e-3 ;;
    esac
}

# measure RUN
measure() {
    evaluate "$1" nll --samples "$(choose 5000 100 10)" --limit "$(choose 10000 300 20)"
    evaluate "$1" ais --samples "$(choose 5000 100 10)" --limit "$(choose 1000 20 4)" --ais "$(choose 100 20 3)" \
        --chains "$(choose 16 8 2)" --images "$(choose 1000 20 4)"
}

# go_on NAME PRIOR FROM
go_on() {
    train "record/$1-$seed" "$(choose 40 2 1)" "${network[@]}" --batch 100 --lr 5e-4 --objective iwae --samples 5 \
        --gradient dreg --prior "$2" --seed "$seed" --start "$RUNS/record/$3-$seed"
    measure "record/$1-$seed"
}

for seed in ${SEEDS:-1}; do
    for prior in ${ROWS:-$(choose "normal mixture vampprior realnvp lars lars:base=realnvp" "normal realnvp" realnvp)}; do
        run=record/${prior/:base=/-}-$seed
        read -ra how <<<"$(settings "$prior")"
        train "$run" "$(choose 500 4 1)" "${network[@]}" "${how[@]}" --beta-warmup "$(choose 50 1 0)" --prior "$prior" \
            --seed "$seed"
        measure "$run"
    done
    if [ -n "${IWAE-1}" ]; then
        go_on realnvp-iwae realnvp realnvp
        # An evaluation of LARS takes a million draws, which is not for a test of seconds.
        [ -n "${SMOKE:-}" ] || go_on lars-realnvp-iwae lars:base=realnvp realnvp-iwae
    fi
done
summarise record
for run in "$RUNS"/record/*-[0-9]; do
    for column in test_neg_elbo train_loss; do
        way "record/${run##*/}" $column 1 5 10 20 30 40 50 100 200 300 400 450 500
    done
done
