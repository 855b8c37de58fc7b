#!/usr/bin/env bash
# "The theory behind variational autoencoders" (2018): two latents of MNIST and the manifold over training; the KL by
# Monte Carlo and in closed form; a conditional model of 20 latents. The post leaves the networks open: 784-400-L here.
#
#   PYTHON  with PyTorch, to judge the conditional samples [python3]
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

table="theory-post"
plane=$RUNS/$table/plane
samples=$(choose 500 100 10) limit=$(choose 1000 300 20)

train $table/plane "$(choose 10 2 2)" --latent 2 --keep-every 2
draw theory-manifold.svg plot manifold "$plane" --steps 10
draw theory-samples.svg sample "$plane" -n 36
draw theory-reconstructions.svg reconstruct "$plane" -n 20
draw theory-animation.png plot animation "$plane" --scale 0.5

show eval "$plane" --samples 0
show eval "$plane" --samples 0 --kl mc --kl-samples "$(choose 1000 100 10)"

# A classifier trained on real images judges 100 samples of each label; the likelihood of images given their label is
# set beside that of a model without labels.
conditional() {
    local run=$table/conditional-$1-1 epochs=$2
    shift 2
    train "$run" "$epochs" --latent 20 --conditional "$@"
    evaluate "$run" nll --samples "$samples" --limit "$limit"
    for label in 0 1 2 3 4 5 6 7 8 9; do
        "$VAECTL" sample "$RUNS/$run" --label $label -n 100 -o "$RUNS/$run/label$label.npy" >&2
    done
    [ -n "${SMOKE:-}" ] || "${PYTHON:-python3}" scripts/reproduce/recognise.py "$DATA" "$RUNS/$table/classifier.pt" \
        "$RUNS/$run"/label?.npy
}

train $table/unconditional-1 "$(choose 10 1 1)" --latent 20
evaluate $table/unconditional-1 nll --samples "$samples" --limit "$limit"
conditional beta1 "$(choose 10 1 1)"
conditional warmup "$(choose 30 2 1)" --beta-warmup "$(choose 10 1 0)"
conditional beta2 "$(choose 10 1 1)" --beta 2
conditional beta4 "$(choose 10 1 1)" --beta 4
draw theory-conditional.svg sample "$RUNS/$table/conditional-beta2-1" -n 100
draw theory-sevens.svg sample "$RUNS/$table/conditional-beta2-1" --label 7 -n 30
summarise $table
