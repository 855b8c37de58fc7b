/* SPDX-License-Identifier: MIT
 *
 * Built-in sets of real numbers that are drawn from a distribution with known parameters. What an image is depends on
 * (seed, number of the image) alone; training images come first, then test images. */
#ifndef VAE_DRAWN_H
#define VAE_DRAWN_H

#include "data/source.h"

enum { DRAWN_TRAIN, DRAWN_TEST, DRAWN_SEED, DRAWN_PARAMS };

/* The first parameters of each of these sets. */
#define DRAWN_ROWS                                                                                                     \
    [DRAWN_TRAIN] = VAE_COUNT("train", 5000, 1, 1e7, "training images"),                                               \
    [DRAWN_TEST] = VAE_COUNT("test", 1000, 1, 1e7, "test images"),                                                     \
    [DRAWN_SEED] = VAE_COUNT("seed", 1, 0, 9007199254740992.0, "another seed, another set")

/* Random numbers of an image, one word each. */
struct drawn_noise {
    struct rng rng;
    uint64_t used;
};

double drawn_uniform(struct drawn_noise *noise); /* in (0,1) */
double drawn_normal(struct drawn_noise *noise);

/* Makes an image of rows * cols numbers and its label. */
typedef void drawn_image(const double *param, struct drawn_noise *noise, float *x, uint8_t *label);

vae_status drawn_open(vae_data *data, size_t rows, size_t cols, const double *param, drawn_image *draw, vae_error *err);

#endif
