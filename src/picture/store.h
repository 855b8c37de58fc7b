/* SPDX-License-Identifier: MIT
 *
 * Memory that belongs to one object and is given back with it. A failure is remembered, so that it need be asked for
 * once, in the end. */
#ifndef VAE_STORE_H
#define VAE_STORE_H

#include "vae.h"

struct held; /* a piece of memory */

struct store {
    struct held *first;
    bool failed;
};

/* count * size bytes, zeroed; NULL where there are none. */
void *store_take(struct store *store, size_t count, size_t size);
/* A copy of n numbers, NULL for NULL. */
const double *store_numbers(struct store *store, size_t n, const double *numbers);
/* A copy of a text as pictures can show it: valid UTF-8 without control characters, for which there are question
 * marks. NULL for NULL. */
const char *store_text(struct store *store, const char *text);
void store_free(struct store *store);
/* VAE_E_MEMORY where it failed. */
vae_status store_status(const struct store *store, vae_error *err);

#endif
