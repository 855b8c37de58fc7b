/* SPDX-License-Identifier: MIT
 *
 * Where images come from. A source with parameters (`builtin:NAME:k=v`) is one file ending in a `const struct
 * source_ops`, listed in source.c; files and folders are recognised by their content. */
#ifndef VAE_SOURCE_H
#define VAE_SOURCE_H

#include "base/real.h"
#include "base/rng.h"
#include "vae.h"

struct source_ops {
    vae_module module;
    /* Fills train and test of a zeroed vae_data; what it allocated before failing is freed by the caller. */
    vae_status (*open)(vae_data *data, const double *param, vae_error *err);
};

const struct source_ops *source_at(size_t i); /* NULL past the last */

extern const struct source_ops source_digits, source_gaussians, source_templates, source_patches;

enum {
    MAX_SIDE = 1 << 16,
    MAX_PIXELS = 1 << 24,       /* of an image */
    MAX_IMAGES = INT32_MAX - 1, /* of a file: positions are kept in 32 bits */
};

static inline bool is_image_size(uint64_t rows, uint64_t cols)
{
    return rows > 0 && cols > 0 && rows <= MAX_SIDE && cols <= MAX_SIDE && rows * cols <= MAX_PIXELS;
}

/* Allocates pixels (and labels) for n images. */
vae_status images_new(vae_images *images, size_t n, size_t rows, size_t cols, bool labelled, vae_error *err);
void images_free(vae_images *images);

/* Whether so many pixels are zero that products with their nonzeros alone are faster; looks at the first images. */
bool images_are_sparse(const vae_images *images);

/* How bytes become pixels: byte / 255; 1 from half grey on, else 0; or 1 with probability byte / 255, by the words of
 * `rng` that belong to image and pixel. Of real numbers the first takes them as they are, and for the others they must
 * be in [0,1]. */
struct pixels {
    enum { PIXELS_GREY, PIXELS_THRESHOLD, PIXELS_DRAWN } rule;
    struct rng rng;
};

/* x (count, D): images index[0..count-1], or, where index is NULL, images first .. first+count-1; false where they
 * cannot be read. */
bool images_gather(const vae_images *images, const struct pixels *pixels, const uint32_t *index, size_t first,
                   size_t count, real *x);

#endif
