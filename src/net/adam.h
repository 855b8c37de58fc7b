/* SPDX-License-Identifier: MIT */
#ifndef VAE_ADAM_H
#define VAE_ADAM_H

#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

/* Adam (Kingma & Ba 2015, algorithm 1); epsilon is added after the bias correction, as in PyTorch:
 *
 *     m = b1 m + (1-b1) g,   v = b2 v + (1-b2) g^2
 *     p -= lr / (1-b1^t) * m / (sqrt(v / (1-b2^t)) + eps)
 */
struct adam {
    real keep1, mix1, keep2, mix2; /* b1, 1-b1, b2, 1-b2 */
    real epsilon;
    real share; /* of the gradient that is used */
    real rate;  /* lr / (1 - beta1^t) */
    real scale; /* 1 / sqrt(1 - beta2^t) */
};

/* m and v of a block of parameters. */
struct adam_moments {
    real *m, *v;
};

/* Of step t, counted from 1, with the whole gradient. */
struct adam adam_at(uint64_t t, double lr, double beta1, double beta2, double epsilon);
void adam_update(const struct adam *adam, size_t n, const real *restrict grad, real *restrict m, real *restrict v,
                 real *restrict param);

#endif
