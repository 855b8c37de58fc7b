/* SPDX-License-Identifier: MIT
 *
 * Multinomial logistic regression with a slight penalty on all weights: the W (F,C) where
 *
 *     J(W) = 1/n sum_i [ log sum_c exp S_ic - S_i,label(i) ] + LOGISTIC_RIDGE/2 |W|^2,    S = X W
 *
 * is least. J is strictly convex, so there is one such W. */
#ifndef VAE_LOGISTIC_H
#define VAE_LOGISTIC_H

#include "base/real.h"
#include "vae.h"

#define LOGISTIC_RIDGE 1e-4

struct logistic {
    size_t n, F, C;
    const real *x;        /* (n,F) */
    const uint8_t *label; /* (n), below C */
};

/* `slope` (may be NULL): |dJ/dW| there. */
vae_status logistic_fit(const struct logistic *problem, real *weight, double *slope, vae_error *err);

/* Scores (rows,C) of images first .. first+rows-1. */
void logistic_scores(const struct logistic *problem, const real *weight, size_t first, size_t rows, real *score);

#endif
