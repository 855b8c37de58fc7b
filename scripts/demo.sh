#!/bin/sh
# From nothing to pictures: builds, trains a spike-and-slab VAE for ten epochs and draws what it learned, in runs/demo.
set -eu
cd "$(dirname "$0")/.."

scripts/packages.sh build
echo "Building vaectl"
make -j"$(nproc 2>/dev/null || echo 2)" >/dev/null

vaectl=build/vaectl
run=runs/demo
echo "Training a spike-and-slab VAE for ten epochs, into $run"
"$vaectl" train --prior spikeslab --p 0.8 --c2 0.05 --epochs 10 -o "$run" --force
for picture in reconstruct sample traverse; do
    "$vaectl" "$picture" "$run" >/dev/null
done

echo
echo "Pictures of what it learned:"
echo "  $run/reconstruct.png   images above their reconstructions"
echo "  $run/sample.png        images decoded from draws of the prior"
echo "  $run/traverse.png      what each latent dimension does"
echo
echo "$vaectl --help tells what else it does; make install puts it on the path."
