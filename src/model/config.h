/* SPDX-License-Identifier: MIT */
#ifndef VAE_CONFIG_H
#define VAE_CONFIG_H

#include <jansson.h>

#include "vae.h"

/* The configuration as a JSON object, one member a setting; NULL: out of memory. The caller owns it. */
json_t *config_to_json(const vae_config *config);
/* A missing setting keeps its default: it is younger than the file. An unknown one is an error. */
vae_status config_from_json(vae_config *config, const json_t *object, vae_error *err);

bool is_listed(const char *values, const char *word); /* is `word` one of "a|b|c"? */
size_t config_depth(const vae_config *config);        /* number of hidden layers */

#endif
