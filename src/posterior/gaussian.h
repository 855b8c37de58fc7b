/* SPDX-License-Identifier: MIT
 *
 * The callbacks of the diagonal Gaussian, which is also where a flow begins. */
#ifndef VAE_GAUSSIAN_H
#define VAE_GAUSSIAN_H

#include "posterior/posterior.h"

void gaussian_noise(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps);
void gaussian_scale(size_t n, const real *b, real *scale);
void gaussian_draw(size_t n, const real *a, const real *scale, const real *eps, real *z);
void gaussian_backward(size_t n, const real *scale, const real *eps, const real *dz, real weight, real *da, real *db);
void gaussian_entropy(const struct posterior_state *state, size_t n, const real *b, real *entropy, real *db);
void gaussian_log_prob(const struct posterior_state *state, size_t n, const real *b, const real *scale, const real *eps,
                       real *logq, real *dz);

#endif
