/* SPDX-License-Identifier: MIT */
#include "picture/store.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "picture/text.h"

/* Stands before each piece, as long as a cache line, so that the piece is aligned as mem_new aligns. */
struct held {
    _Alignas(64) struct held *next;
};

void *store_take(struct store *store, size_t count, size_t size)
{
    size_t bytes;
    struct held *held = NULL;
    if (!__builtin_mul_overflow(count, size, &bytes) && bytes < SIZE_MAX / 2)
        held = mem_new(1, sizeof *held + bytes, NULL);
    if (!held) {
        store->failed = true;
        return NULL;
    }
    held->next = store->first;
    store->first = held;
    return held + 1;
}

const double *store_numbers(struct store *store, size_t n, const double *numbers)
{
    double *copy = numbers ? store_take(store, n, sizeof *copy) : NULL;
    if (copy && n) memcpy(copy, numbers, n * sizeof *copy);
    return copy;
}

const char *store_text(struct store *store, const char *text)
{
    char *copy = text ? store_take(store, strlen(text) + 1, 1) : NULL;
    if (copy) text_clean(copy, text);
    return copy;
}

void store_free(struct store *store)
{
    while (store->first) {
        struct held *held = store->first;
        store->first = held->next;
        free(held);
    }
}

vae_status store_status(const struct store *store, vae_error *err)
{
    return store->failed ? vae_fail(err, VAE_E_MEMORY, "out of memory for a picture") : VAE_OK;
}
