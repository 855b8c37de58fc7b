/* SPDX-License-Identifier: MIT */
#include "base/rng.h"

__extension__ typedef unsigned __int128 uint128; /* not ISO C, but gcc and clang on every 64-bit machine have it */

void rng_words(const struct rng *rng, uint64_t first, size_t n, uint32_t *out)
{
    uint32_t word[4];
    for (size_t i = 0; i < n;) {
        size_t lane = (size_t)((first + i) % 4);
        rng_block(rng, (first + i) / 4, word);
        for (; lane < 4 && i < n; lane++) out[i++] = word[lane];
    }
}

void rng_permutation(const struct rng *rng, size_t n, uint32_t *order)
{
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        uint32_t word[4];
        rng_block(rng, i, word);
        /* 64 random bits times i, upper half: the bias is below i / 2^64. */
        uint64_t wide = (uint64_t)word[1] << 32 | word[0];
        size_t j = (size_t)(((uint128)wide * i) >> 64);
        uint32_t swap = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swap;
    }
}
