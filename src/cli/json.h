/* SPDX-License-Identifier: MIT
 *
 * JSON on stdout. */
#ifndef VAE_CLI_JSON_H
#define VAE_CLI_JSON_H

#include <jansson.h>

#include "vae.h"

/* null where it is not finite, which JSON cannot say. */
json_t *json_finite(double value);
/* Adds the numbers of an epoch to an object: each that a model file stores. */
void json_add_metrics(json_t *object, const vae_metrics *metrics);
/* JSON is UTF-8 and names of files need not be: of one that is not, every byte beyond ASCII is given as '?'. */
json_t *json_text(const char *text);
/* Prints `object` and a newline, and releases it; NULL: out of memory. */
vae_status json_print(json_t *object, size_t jansson_flags, vae_error *err);

#endif
