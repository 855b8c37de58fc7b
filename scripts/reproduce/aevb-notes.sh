#!/usr/bin/env bash
# Notes on "Auto-encoding variational Bayes": points of the plane from two Gaussians through one latent, 2-10-1-10-2, 5000
# steps of Adam; a plain autoencoder (beta 0), a VAE whose decoder gives mean and deviation and that takes three
# draws of z for each point, and one with a single learned deviation.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

table="aevb-notes"
DATA=builtin:gaussians$(choose "" "" ":train=300,test=50")
network=(--hidden 10 --latent 1 --batch 100)
epochs=$(choose 100 100 1)

train $table/autoencoder-1 "$epochs" "${network[@]}" --beta 0 --likelihood gaussian
train $table/vae-1 "$epochs" "${network[@]}" --likelihood gaussian:sigma=per-pixel --samples 3
train $table/vae-one-deviation-1 "$epochs" "${network[@]}" --likelihood gaussian:sigma=learned --samples 3
for model in autoencoder vae vae-one-deviation; do
    evaluate $table/$model-1 nll --samples "$(choose 1000 100 10)"
done
draw aevb-autoencoder.svg plot scatter "$RUNS/$table/autoencoder-1" --points 300
draw aevb-vae.svg plot scatter "$RUNS/$table/vae-1" --points 300
summarise $table
