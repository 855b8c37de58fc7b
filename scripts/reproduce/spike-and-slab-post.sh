#!/usr/bin/env bash
# "Spike and slab prior for VAE's" (N. Nethercott, 2023): spike-and-slab prior on ten latents of MNIST, spike of weight 0.8
# and variance 0.05, beside the normal prior, three seeds each; the same with a Gaussian likelihood of variance 1.
# The post leaves the networks open: 784-400-10 here. Pictures go to RUNS/documents.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

table="spike-and-slab-post"
priors=$RUNS/$table/priors
sparse=$priors/spikeslab-p-0.8-c2-0.05-seed1
dense=$priors/normal-seed1

show compare --data "$DATA" --prior normal,spikeslab:p=0.8,c2=0.05 --epochs "$(choose 30 2 1)" --seeds "$(choose 3 1 1)" \
    -q -o "$priors"
for run in "$priors"/*-seed*; do
    evaluate "${run#"$RUNS"/}" elbo --kl exact --samples 0
    evaluate "${run#"$RUNS"/}" nll --samples "$(choose 500 100 10)" --limit "$(choose 1000 300 20)"
done
summarise $table/priors

# The same images under both priors, each latent on the same scale.
draw spike-and-slab-reconstructions.svg reconstruct "$sparse" -n 20
draw spike-and-slab-latents.svg plot latents "$sparse" -n 6
draw spike-and-slab-latents-normal.svg plot latents "$dense" -n 6
draw spike-and-slab-prior.svg plot prior "$sparse"

train $table/gaussian "$(choose 15 2 1)" --prior spikeslab:p=0.8,c2=0.05 --likelihood gaussian
show eval "$RUNS/$table/gaussian" --samples "$(choose 500 100 10)" --limit "$(choose 1000 300 20)"
draw spike-and-slab-gaussian.svg reconstruct "$RUNS/$table/gaussian" -n 20
