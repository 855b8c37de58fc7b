/* SPDX-License-Identifier: MIT
 *
 * The readers as functions of bytes, for fuzzers (fuzz.c) and for the test that replays their corpora
 * (tests/unit/test_fuzz.c). A reader may refuse, in one clean line, or give what it says that it gives. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "vae.h"

/* All targets: fuzz_NAME. */
#define TARGETS(X)                                                                                                     \
    X(any)                                                                                                             \
    X(csv)                                                                                                             \
    X(idx)                                                                                                             \
    X(npy) X(labels) X(cifar) X(png) X(folder) X(model) X(config) X(metrics) X(evaluations) X(flags) X(plan) X(choice)

#define DECLARE_TARGET(name) void fuzz_##name(const uint8_t *bytes, size_t size);
TARGETS(DECLARE_TARGET)
#undef DECLARE_TARGET

/* Unlike assert it is there in every build. */
#define HOLDS(condition)                                                                                               \
    do                                                                                                                 \
        if (!(condition)) fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort();                     \
    while (0)

/* The i-th model file to begin with, which the caller frees; NULL past the last one. They are made and not stored, as
 * their format may change. */
uint8_t *model_seed(size_t i, size_t *size);

/* The path of a file in memory with these bytes; there is no other one. */
const char *only_file(const uint8_t *bytes, size_t size);
/* A status of `expected` (one digit each) or out of memory; a line without control characters says why. */
void check_refusal(vae_status status, const char *expected, const vae_error *err);

#endif
