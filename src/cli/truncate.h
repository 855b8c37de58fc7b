/* SPDX-License-Identifier: MIT */
#ifndef VAE_CLI_TRUNCATE_H
#define VAE_CLI_TRUNCATE_H

#include "vae.h"

/* n draws (n,L) from the prior with each latent in the central `share`, above 0 and below 1, of its distribution.
 * VAE_E_USAGE where a joint prior has hardly any such draw. */
vae_status truncate_draws(const vae_model *model, uint64_t seed, double share, size_t n, float *z, vae_error *err);

#endif
