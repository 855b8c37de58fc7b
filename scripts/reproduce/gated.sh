#!/usr/bin/env bash
# The standard-normal row of the Exemplar VAE's table (Norouzi, Fleet & Norouzi 2020): two gated layers of 300, latent 40,
# pixels drawn afresh at each use, warm-up of beta over 100 epochs, at most 2000 epochs of 50,000 images, stopped after
# 50 without a better validation loss. Not as in their code: plain Adam instead of gradients divided by their norm, no
# bounds on the log-variance, an exact KL instead of one sample's, biases that start at zero, a random validation split
# instead of the last 10,000 images, and beta that rises with each step instead of each epoch. Evaluated with 5000
# samples, the model that did best on the validation split.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

run=gated/normal-1
train "$run" "$(choose 2000 10 2)" --hidden 300,300 --latent 40 --activation gated --binarize dynamic --init he \
    --lr 5e-4 --batch 100 --beta-warmup "$(choose 100 2 1)" --validation 0.1666666667 --patience 50
evaluate "$run" nll --samples "$(choose 5000 500 10)" --limit "$(choose 10000 1000 20)"
summarise gated
for column in test_neg_elbo validation_loss; do
    way $run $column 50 100 200 300 400 500 600 700 800 850
done
