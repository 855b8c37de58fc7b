/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* Rounds up to whole cache lines; false on overflow. */
static bool padded_size(size_t count, size_t size, size_t *bytes)
{
    if (__builtin_mul_overflow(count, size, bytes) || *bytes > SIZE_MAX / 2) return false;
    *bytes = (*bytes + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    return true;
}

/* "4.8 GB": a size that may be larger than any that there is. */
static vae_status refuse(size_t count, size_t size, vae_error *err)
{
    static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB", "EB"};
    double bytes = (double)count * (double)size;
    size_t unit = 0;
    for (; bytes >= 999.5 && unit + 1 < sizeof units / sizeof *units; unit++) bytes /= 1000;
    const int decimals = unit && bytes < 99.95;
    return vae_fail(err, VAE_E_MEMORY, "out of memory (%.*f %s asked for)", decimals, bytes, units[unit]);
}

void *mem_new(size_t count, size_t size, vae_error *err)
{
    size_t bytes = 0;
    void *memory = NULL;
    if (padded_size(count, size, &bytes)) memory = aligned_alloc(CACHE_LINE, bytes ? bytes : CACHE_LINE);
    if (!memory) {
        refuse(count, size, err);
        return NULL;
    }
    return memset(memory, 0, bytes);
}

void *arena_take(struct arena *arena, size_t count, size_t size)
{
    size_t bytes = 0;
    if (arena->used == SIZE_MAX || !padded_size(count, size, &bytes) || arena->used > SIZE_MAX / 2 - bytes) {
        arena->used = SIZE_MAX;
        return NULL;
    }
    char *memory = arena->base ? arena->base + arena->used : NULL;
    arena->used += bytes;
    return memory;
}
