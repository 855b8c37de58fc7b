/* SPDX-License-Identifier: MIT
 *
 * Formats of a single file of images, told apart by their first bytes. A format is one file that ends in a `const
 * struct format_ops` and stands in the list below. */
#ifndef VAE_FORMAT_H
#define VAE_FORMAT_H

#include "data/input.h"
#include "vae.h"

struct format_ops {
    const char *name;                   /* for messages */
    bool (*is)(const uint8_t start[4]); /* NULL of one that is not in the list below */
    /* Fills n, rows, cols and what holds the pixels (see vae_images) of zeroed images; what it allocated before failing
     * is freed by the caller. Pixels of more than `most` bytes may stay in a plain file. */
    vae_status (*read)(const struct input *input, size_t most, vae_images *images, vae_error *err);
};

/* Reads a file of that format, or, where `format` is NULL, of the one that it looks like. On failure the images hold
 * nothing. */
vae_status format_read(const struct format_ops *format, const char *path, size_t most, vae_images *images,
                       vae_error *err);

/* The n labels of a .npy of rank 1. */
vae_status npy_read_labels(const struct input *input, size_t n, uint8_t *labels, vae_error *err);

/* All formats: src/data/NAME.c defines format_NAME. */
#define FORMATS(X) X(idx) X(npy) X(png) X(csv)

#define DECLARE_FORMAT(name) extern const struct format_ops format_##name;
FORMATS(DECLARE_FORMAT)
#undef DECLARE_FORMAT

#endif
