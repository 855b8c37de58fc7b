/* SPDX-License-Identifier: MIT */
#ifndef VAE_OBJECTIVE_H
#define VAE_OBJECTIVE_H

#include "model/pass.h"

/* Means over the images of a batch, in nats. */
struct losses {
    double loss, recon, kl;
};

/* loss = recon + beta sum_j max(free_bits, KL_j), with KL_j the batch mean for latent j (Kingma et al. 2016, "Improved
 * variational inference with inverse autoregressive flow", equation 15, one group a latent). weight (L) gets d loss / d
 * KL_j. */
struct losses objective_elbo(const struct pass *pass, double beta, double free_bits, real *weight);

#endif
