/* SPDX-License-Identifier: MIT */
#ifndef VAE_PER_IMAGE_H
#define VAE_PER_IMAGE_H

#include "vae.h"

struct per_image {
    const vae_evaluation *evaluation;
    const vae_images *images;
    const double *nll, *khat, *ais; /* (n), or NULL: not asked for */
    size_t ais_images;              /* `ais` is known of the first so many */
};

/* To a .csv, or to a .npy of double precision with the same columns, NaN where the .csv has nothing. */
vae_status per_image_write(const char *path, const struct per_image *p, vae_error *err);

#endif
