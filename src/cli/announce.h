/* SPDX-License-Identifier: MIT
 *
 * The first lines of a training: what is trained on what, and how. */
#ifndef VAE_CLI_ANNOUNCE_H
#define VAE_CLI_ANNOUNCE_H

#include "vae.h"

/* On stderr. `run` is where it is written. */
vae_status announce(const char *run, const vae_model *model, const vae_data *data, vae_error *err);

#endif
