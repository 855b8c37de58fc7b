/* SPDX-License-Identifier: MIT
 *
 * Activations are a closed set of functions, nearly all elementwise with a derivative that follows from their output,
 * so that layers work in place. Adding one is a row in activation.c. */
#ifndef VAE_ACTIVATION_H
#define VAE_ACTIVATION_H

#include "base/real.h"
#include "vae.h"

struct activation {
    vae_module module;
    /* Sums that a layer makes for each output. One: elementwise, and y is where the sum was (pre == y). Two: the second
     * of column i is `apart` columns behind the first, and `pre` is kept for the backward pass. */
    size_t parts;
    /* y = f(pre + bias), for `width` columns of one row. */
    void (*forward)(size_t width, size_t apart, const real *bias, real *pre, real *y);
    /* From dL/dy in its first part makes dL/dpre in all parts of `d`. */
    void (*backward)(size_t width, size_t apart, const real *pre, const real *y, real *d);
};

const struct activation *activation_at(size_t i); /* NULL past the last */
const struct activation *activation_find(const char *name);

extern const struct activation activation_identity; /* for heads and outputs; not in the list */

#endif
