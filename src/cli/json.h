/* SPDX-License-Identifier: MIT
 *
 * JSON on stdout. */
#ifndef VAE_CLI_JSON_H
#define VAE_CLI_JSON_H

#include <jansson.h>
#include <stdio.h>

#include "vae.h"

/* Makes json_lacks_memory able to tell. To be called once, before anything else of jansson. */
void json_begin(void);
/* Did an allocation of jansson's fail? What was made or read since may lack something, and is not to be shown or kept:
 * its functions need no check each, where this is asked in the end. */
bool json_lacks_memory(void);
/* null where it is not finite, which JSON cannot say. */
json_t *json_finite(double value);
/* Adds the numbers of an epoch to an object: each that a model file stores. */
void json_add_metrics(json_t *object, const vae_metrics *metrics);
/* JSON is UTF-8 and names of files need not be: in one that is not, every byte beyond ASCII is given as \xHH, and a
 * backslash as two. */
json_t *json_text(const char *text);
/* The JSON in a file; NULL: none, or out of memory. */
json_t *json_read(FILE *file);
/* Prints `object` and a newline, and releases it; VAE_E_MEMORY where it is NULL or memory was lacking. */
vae_status json_print(json_t *object, size_t jansson_flags, vae_error *err);

#endif
