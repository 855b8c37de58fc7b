/* SPDX-License-Identifier: MIT
 *
 * What is in a set of images: its values and labels in numbers. */
#ifndef VAE_CLI_SUMMARY_H
#define VAE_CLI_SUMMARY_H

#include "vae.h"

enum { MOST_DISTINCT = 10000, LABELS = 256 };

struct summary {
    size_t n;
    double lowest, highest, mean, zeros; /* of values, which are bytes / 255 or real numbers; zeros: their share */
    size_t distinct;                     /* values; MOST_DISTINCT + 1: more than that */
    size_t classes, label[LABELS];       /* images of each label; classes 0: no labels */
    uint64_t *print;                     /* (n), equal for equal images, in ascending order */
};

/* Reads all images. summary_free releases it, also where this failed. */
vae_status summary_of(struct summary *summary, const vae_images *images, vae_error *err);
void summary_free(struct summary *summary);

/* How many images of `b` are in `a`, too. */
size_t summary_common(const struct summary *a, const struct summary *b);

#endif
