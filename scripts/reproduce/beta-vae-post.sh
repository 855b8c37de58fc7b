#!/usr/bin/env bash
# "Approximate inference via variational autoencoders" (J. Aslanides, 2019): a beta-VAE of MNIST, 784-100-100-10, batch 64,
# over betas (0 is a plain autoencoder) and sizes of the latent space. The post averages its reconstruction over
# pixels and its KL over latents, so that its beta of 0.01 weighs a nat of KL by 0.01 * 784 / 10.
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

table="beta-vae-post"
beta=$(awk 'BEGIN { print 0.01 * 784 / 10 }')
echo "beta of the post, per nat: $beta"
network=(--hidden "100,100" --batch 64 --epochs "$(choose 5 1 1)")
post=$RUNS/$table/beta/beta$beta-seed1

mkdir -p "$RUNS/documents"
show compare --data "$DATA" "${network[@]}" --beta "0,0.1,$beta,1,4,16" --nll "$(choose 100 20 5)" \
    --limit "$(choose 1000 300 20)" -q --pictures "$RUNS/documents/beta-reconstructions.svg" -o "$RUNS/$table/beta"
show compare --data "$DATA" "${network[@]}" --beta "$beta" --latent 2,5,10,20,50 --nll "$(choose 100 20 5)" \
    --limit "$(choose 1000 300 20)" -q --pictures "$RUNS/documents/latent-reconstructions.svg" -o "$RUNS/$table/latent"
cp "$RUNS/$table/beta/compare.svg" "$RUNS/documents/beta-rates.svg"
cp "$RUNS/$table/latent/compare.svg" "$RUNS/documents/latent-rates.svg"

draw beta-curves.svg plot curves "$post" --log
draw beta-traversal.svg traverse "$post" --dims 0,1 --range 1 --steps 10
draw beta-samples.svg sample "$post" -n 20
draw beta-samples-autoencoder.svg sample "$RUNS/$table/beta/beta0-seed1" -n 20

for run in "$RUNS/$table"/*/*-seed1; do
    evaluate "${run#"$RUNS"/}" elbo --samples 0
done
summarise $table/beta
summarise $table/latent
