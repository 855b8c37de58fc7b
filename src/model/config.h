/* SPDX-License-Identifier: MIT */
#ifndef VAE_CONFIG_H
#define VAE_CONFIG_H

#include <jansson.h>

#include "prior/prior.h"
#include "vae.h"

/* The configuration as a JSON object, one member a setting. To be called through json_run. */
json_t *config_to_json(const vae_config *config);
/* A missing setting keeps its default: it is younger than the file. An unknown one is an error. */
vae_status config_from_json(vae_config *config, const json_t *object, vae_error *err);

bool is_listed(const char *values, const char *word); /* is `word` one of "a|b|c"? */
size_t config_depth(const vae_config *config);        /* number of hidden layers */

/* Words that every step looks at, as numbers: their places in the lists of their settings. */
enum binarize { BINARIZE_NONE, BINARIZE_THRESHOLD, BINARIZE_STATIC, BINARIZE_DYNAMIC };
enum gradient { GRADIENT_STANDARD, GRADIENT_STL, GRADIENT_DREG };
enum schedule { SCHEDULE_CONSTANT, SCHEDULE_STEP, SCHEDULE_IWAE, SCHEDULE_COSINE };

/* The exact KL of the chosen posterior and prior, or NULL. */
kl_function *config_exact_kl(const vae_config *config, bool *by_default);

/* The place of the chosen word in the list of a setting that has one. */
int config_word(const vae_config *config, const char *setting);

#endif
