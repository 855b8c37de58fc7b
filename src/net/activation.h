/* SPDX-License-Identifier: MIT
 *
 * Activations are a closed set of elementwise functions whose derivative follows from their output, so that layers work
 * in place. Adding one is a row in activation.c. */
#ifndef VAE_ACTIVATION_H
#define VAE_ACTIVATION_H

#include "base/real.h"
#include "vae.h"

struct activation {
    vae_module module;
    /* y = f(y + bias), for one row. */
    void (*forward)(size_t width, const real *bias, real *y);
    /* dy = dy * f'(.), with f' taken from the output y. */
    void (*backward)(size_t width, const real *y, real *dy);
};

const struct activation *activation_at(size_t i); /* NULL past the last */
const struct activation *activation_find(const char *name);

extern const struct activation activation_identity; /* for heads and outputs; not in the list */

#endif
