#!/usr/bin/env bash
# Priors side by side: 784-400-L-400-784, ReLU, Adam 1e-3, batch 128, 30 epochs, grey pixels; L 10 and 50; exact and
# Monte Carlo training KL; three seeds. Evaluated with the exact KL on all test images, and the likelihood with 1000
# samples on the first 1000 of them, beside their ELBO with the KL of training.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

for seed in $(choose "1 2 3" 1 1); do
    for latent in $(choose "10 50" 10 10); do
        for prior in normal laplace spikeslab:p=0.8,c2=0.05 cauchy; do
            for kl in exact mc; do
                run=priors/${prior%%:*}-$latent-$kl-$seed
                train "$run" "$(choose 30 3 1)" --prior "$prior" --latent "$latent" --kl $kl --seed "$seed"
                evaluate "$run" elbo --kl exact --samples 0
                evaluate "$run" nll --samples "$(choose 1000 100 10)" --limit "$(choose 1000 300 20)"
            done
        done
    done
done
summarise priors
