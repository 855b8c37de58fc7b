/* SPDX-License-Identifier: MIT
 *
 * How sparse a representation is, and the least KL of an inactive latent. */
#ifndef VAE_SPARSITY_H
#define VAE_SPARSITY_H

#include "model/model.h"

/* Hoyer's measure, (sqrt d - |m|_1 / |m|_2) / (sqrt d - 1), from 0 (all equal) to 1 (all but one zero), of the means
 * (n,L), averaged over images (P. Hoyer, "Non-negative matrix factorization with sparseness constraints", JMLR 2004).
 * `scale` (L): what each latent is divided by first, zero for latents that are left out; NULL: 1. NaN where fewer than
 * two latents are left. */
double hoyer(size_t n, size_t L, const float *mean, const double *scale);

/* min over m, s of KL(N(m, s^2) || p): what an idle latent still pays, because a Gaussian posterior cannot equal the
 * prior. The priors are symmetric and unimodal, so m = 0. NaN where there is no exact KL. */
double kl_floor(const struct vae_model *model);

#endif
