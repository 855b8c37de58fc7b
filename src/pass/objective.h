/* SPDX-License-Identifier: MIT */
#ifndef VAE_OBJECTIVE_H
#define VAE_OBJECTIVE_H

#include "pass/pass.h"

/* Means over the images of a batch, in nats; of a share of it, what its images add to them. */
struct losses {
    double loss, recon, kl;
};

/* loss = recon + beta sum_j max(free_bits, KL_j), with KL_j the batch mean for latent j (Kingma et al. 2016, "Improved
 * variational inference with inverse autoregressive flow", equation 15, one group a latent). kl (L) gets d loss / d
 * KL_j. */
struct losses objective_elbo(const struct pass *pass, double beta, double free_bits, real *kl);

/* For passes with KL_PER_DRAW, with l = log p(x|z) + beta (log p(z) - log q(z)) of each draw:
 *
 *     iwae:  loss = -mean over images of log mean_s exp l_s (Burda, Grosse & Salakhutdinov 2016, section 3);
 *            row gets w_s = softmax of l over the draws of an image
 *     else:  loss = -mean of l, the ELBO; row gets 1/S
 *
 * factor gets S w_s, which turns each row's part of the gradient of the plain mean into that of the weighted loss. */
struct losses objective_draws(const struct pass *pass, double beta, bool iwae, real *row, real *factor);

#endif
