#!/usr/bin/env bash
# Table 1 of Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders" (2016), one stochastic layer:
# 784-200-200-50, tanh, pixels drawn afresh at each use, batch 20, 3280 epochs in 8 stages. Their Adam adds 1e-4 to the
# root of the mean squared SUM of gradients over the batch; ours are means, hence 1e-4 / 20. Not as in their code: mean
# squares start at zero instead of one, mean gradients decay by 0.9 instead of 0.99, the VAE's KL is exact instead of
# one sample's, all 60,000 images are trained on instead of 59,600, and they are shuffled; active units are counted on
# the test images instead of 500 training images.
#
#   MODELS     which of vae-1 iwae-5 iwae-50 [vae-1]
#   GRADIENT   of iwae-K: standard or dreg [standard]
#   EPOCHS     where to stop and evaluate, by 5000 samples of all test images and, beside annealed importance sampling,
#              of the first 1,000 [121 364 1093 3280, ends of stages]
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

recipe=(--hidden "200,200" --latent 50 --activation tanh --binarize dynamic --init glorot --output-bias data
    --schedule iwae --adam-eps 5e-6 --batch 20)
for model in ${MODELS:-vae-1}; do
    samples=${model##*-}
    case $model in
    vae-*) objective=(--objective elbo --samples "$samples") ;;
    iwae-*) objective=(--objective iwae --samples "$samples" --gradient "${GRADIENT:-standard}") ;;
    *) echo "$model: expected vae-K or iwae-K" >&2 && exit 2 ;;
    esac
    run=iwae/$model${GRADIENT:+-$GRADIENT}-1
    for epochs in ${EPOCHS:-$(choose "121 364 1093 3280" "4 13" 1)}; do
        train "$run" "$epochs" "${recipe[@]}" "${objective[@]}"
        evaluate "$run" "nll-$epochs" --samples "$(choose 5000 500 10)" --limit "$(choose 10000 1000 20)"
        evaluate "$run" "ais-$epochs" --samples "$(choose 5000 500 10)" --limit "$(choose 1000 20 4)" \
            --ais "$(choose 100 20 3)" --chains "$(choose 16 8 2)" --images "$(choose 1000 20 4)"
    done
done
summarise iwae
for model in ${MODELS:-vae-1}; do
    for column in $([[ $model == vae-* ]] && echo test_neg_elbo || echo train_loss) active_units; do
        way "iwae/$model${GRADIENT:+-$GRADIENT}-1" "$column" 1 4 13 40 121 228 364 1093 1447 2000 3280
    done
done
