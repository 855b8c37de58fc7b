/* SPDX-License-Identifier: MIT
 *
 * The first lines of a training: what is trained on what, and how. */
#ifndef VAE_CLI_ANNOUNCE_H
#define VAE_CLI_ANNOUNCE_H

#include "vae.h"

/* A line on stderr where the network is so large that making it may take minutes or more memory than there is. Fails
 * where there is no such model. */
vae_status announce_large(const vae_config *config, const vae_data *data, vae_error *err);
/* On stderr. `run` is where it is written. */
vae_status announce(const char *run, const vae_model *model, const vae_data *data, vae_error *err);

#endif
