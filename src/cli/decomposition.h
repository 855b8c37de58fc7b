/* SPDX-License-Identifier: MIT
 *
 * The parts of the KL, as `eval` tells them. */
#ifndef VAE_CLI_DECOMPOSITION_H
#define VAE_CLI_DECOMPOSITION_H

#include "cli/command.h"
#include "cli/json.h"

/* An object; null where `d` is NULL; NULL where memory is out. */
json_t *decomposition_json(const vae_decomposition *d);
void decomposition_print(const vae_decomposition *d);

#endif
