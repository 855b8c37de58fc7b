/* SPDX-License-Identifier: MIT */
#ifndef VAE_MEMORY_H
#define VAE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

#include "vae.h"

/* count * size bytes, zeroed, aligned to a cache line; NULL (and VAE_E_MEMORY in err) where there is no such memory or
 * the product overflows. Release with free(). */
void *mem_new(size_t count, size_t size, vae_error *err);

/* A workspace is laid out twice by the same function: once with base == NULL to learn the size, once to hand out
 * pointers. */
struct arena {
    char *base;
    size_t used; /* SIZE_MAX: overflow */
};
void *arena_take(struct arena *arena, size_t count, size_t size);

#endif
