#!/usr/bin/env bash
# "Sparse variational autoencoder" (R. Pyle, 2019): normal, Laplace and Cauchy prior, the last with a Cauchy posterior, on
# 5x5 images, 10x10 images of two templates, MNIST, and grey natural images. The slides leave networks and sizes open.
#
#   NATURAL  natural images, such as the folder of CIFAR-10's binary files; left out where it is not given
# shellcheck source-path=SCRIPTDIR source=common.sh
. "$(dirname "$0")/common.sh"

table="sparse-vae-slides"

# A file in CIFAR-10's format: a byte of label, then red, green and blue, 32 x 32 each.
if [ -n "${SMOKE:-}" ]; then
    NATURAL=$RUNS/images.bin
    for image in $(seq 40); do
        printf %b "\\0$(printf %o $((image % 10)))"
        head -c 3072 /dev/zero | tr '\0' "\\$(printf %o $((image * 5)))"
    done >"$NATURAL"
fi

# three NAME EPOCHS FLAG...   the three kinds of model, and the same images under each
three() {
    local name=$1 epochs=$2
    shift 2
    train "$table/$name/normal-1" "$epochs" --prior normal "$@"
    train "$table/$name/laplace-1" "$epochs" --prior laplace "$@"
    train "$table/$name/cauchy-1" "$epochs" --prior cauchy --posterior cauchy "$@"
    for prior in normal laplace cauchy; do
        evaluate "$table/$name/$prior-1" nll --samples "$(choose 100 20 5)" --limit "$(choose 1000 300 20)"
    done
    runs=("$RUNS/$table/$name"/{normal,laplace,cauchy}-1)
    mkdir -p "$RUNS/documents"
    "$VAECTL" compare "${runs[@]}" --limit 10 -q --pictures "$RUNS/documents/sparse-$name-reconstructions.svg" \
        -o "$RUNS/$table/$name.svg" >/dev/null
    summarise "$table/$name"
}

size=$(choose "" "" ":train=300,test=50")
gaussian=(--likelihood gaussian:sigma=learned)
DATA=builtin:patches$size three patches "$(choose 50 5 1)" --hidden 50 --latent 8 "${gaussian[@]}"
for prior in normal laplace cauchy; do
    draw sparse-patches-fields-$prior.svg plot fields "$RUNS/$table/patches/$prior-1"
done

DATA=builtin:templates$size three templates "$(choose 50 5 1)" --hidden 50 --latent 2 "${gaussian[@]}"
for prior in normal laplace cauchy; do
    draw sparse-templates-$prior.svg plot scatter "$RUNS/$table/templates/$prior-1" --points 400
    show eval "$RUNS/$table/templates/$prior-1" --samples 0
done

# Does a Laplace prior use one of two latents? Active units, over seeds.
show compare --data "builtin:templates$size" --prior normal,laplace --seeds "$(choose 5 2 1)" --epochs "$(choose 50 5 1)" \
    --hidden 50 --latent 2 "${gaussian[@]}" -q -o "$RUNS/$table/templates-seeds"

three mnist-2 "$(choose 5 1 1)" --latent 2
for prior in normal laplace cauchy; do
    draw sparse-mnist-$prior.svg plot scatter "$RUNS/$table/mnist-2/$prior-1" --points 400
done
three mnist-20 "$(choose 5 1 1)" --latent 20
for prior in normal laplace cauchy; do
    draw sparse-mnist-fields-$prior.svg plot fields "$RUNS/$table/mnist-20/$prior-1"
done

if [ -n "${NATURAL:-}" ]; then
    DATA=$NATURAL:size=16 three natural "$(choose 20 5 1)" --latent 32 "${gaussian[@]}"
    for prior in normal laplace cauchy; do
        draw sparse-natural-fields-$prior.svg plot fields "$RUNS/$table/natural/$prior-1"
    done
fi
