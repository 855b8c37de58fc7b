/* SPDX-License-Identifier: MIT
 *
 * The readers of data as functions of bytes, for fuzzers (fuzz.c) and for the test that replays their files
 * (tests/unit/test_fuzz.c). Bytes become a file, as the readers begin with one; gzip is a layer below all of them. A
 * reader may refuse, in one clean line, or give images that are what they say. */
#ifndef FUZZ_TARGETS_H
#define FUZZ_TARGETS_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "data/cifar.h"
#include "data/format.h"
#include "data/idx.h"
#include "data/source.h"

/* Unlike assert it is there in every build. */
#define HOLDS(condition)                                                                                               \
    do                                                                                                                 \
        if (!(condition)) fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), abort();                     \
    while (0)

/* One file for the whole process, in memory where there is such a place, which has no name any more but this one. */
static const char *file_of(const uint8_t *bytes, size_t size)
{
    static char path[64];
    static int file = -1;
    if (file < 0) {
        char name[] = "/dev/shm/vae-fuzz-XXXXXX", other[] = "/tmp/vae-fuzz-XXXXXX";
        char *made = (file = mkstemp(name)) < 0 ? other : name;
        if (file < 0) file = mkstemp(other);
        HOLDS(file >= 0 && !unlink(made));
        snprintf(path, sizeof path, "/dev/fd/%d", file);
    }
    HOLDS(!ftruncate(file, 0) && pwrite(file, bytes, size, 0) == (ssize_t)size);
    return path;
}

static void check_refusal(const vae_error *err)
{
    HOLDS(*err->message);
    for (const char *c = err->message; *c; c++) HOLDS(!is_control(c));
}

static void check_values(const vae_images *images, size_t count)
{
    float lowest = INFINITY, highest = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        HOLDS(isfinite(images->values[i]));
        lowest = fminf(lowest, images->values[i]);
        highest = fmaxf(highest, images->values[i]);
    }
    HOLDS(lowest == images->lowest && highest == images->highest);
}

static void check_images(vae_images *images)
{
    const size_t count = images->n * images->rows * images->cols;
    unsigned sum = 0;
    HOLDS(images->n > 0 && is_image_size(images->rows, images->cols));
    HOLDS(!images->pixels + !images->values == 1 && !images->stream);
    for (size_t i = 0; i < count && images->pixels; i++) sum += images->pixels[i];
    for (size_t i = 0; i < images->n && images->labels; i++) sum += images->labels[i];
    if (images->values) check_values(images, count);
    HOLDS(sum <= 255 * (count + images->n)); /* so that all are read */
    images_free(images);
}

static void check(vae_status status, vae_images *images, const vae_error *err)
{
    if (!status) {
        check_images(images);
        return;
    }
    HOLDS(status == VAE_E_DATA || status == VAE_E_MEMORY);
    HOLDS(!images->pixels && !images->values && !images->labels);
    check_refusal(err);
}

static void read_as(const struct format_ops *format, const uint8_t *bytes, size_t size)
{
    vae_images images;
    vae_error err = {0};
    check(format_read(format, file_of(bytes, size), SIZE_MAX, &images, &err), &images, &err);
}

static void read_labels(const uint8_t *bytes, size_t size)
{
    uint8_t labels[3];
    vae_error err = {0};
    if (vae_labels_read(file_of(bytes, size), 3, labels, &err)) check_refusal(&err);
}

/* ---- Targets ---------------------------------------------------------------------------------------------------- */

static void fuzz_any(const uint8_t *bytes, size_t size) { read_as(NULL, bytes, size); }
static void fuzz_csv(const uint8_t *bytes, size_t size) { read_as(&format_csv, bytes, size); }

static void fuzz_idx(const uint8_t *bytes, size_t size)
{
    read_as(&format_idx, bytes, size);
    read_labels(bytes, size);
}

static void fuzz_npy(const uint8_t *bytes, size_t size)
{
    read_as(&format_npy, bytes, size);
    read_labels(bytes, size);
}

static void fuzz_cifar(const uint8_t *bytes, size_t size)
{
    vae_images images;
    vae_error err = {0};
    check(cifar_read(file_of(bytes, size), &images, &err), &images, &err);
}

static size_t number_at(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* As it is, and with right checksums, without which little of a changed file would be read. */
static void fuzz_png(const uint8_t *bytes, size_t size)
{
    uint8_t *repaired = malloc(size + 1);
    HOLDS(repaired);
    read_as(&format_png, bytes, size);
    if (size) memcpy(repaired, bytes, size);
    for (size_t at = 8; at + 12 <= size;) {
        const size_t length = number_at(repaired + at);
        if (length > size - at - 12) break;
        const unsigned long crc = crc32_z(0, repaired + at + 4, length + 4);
        for (size_t k = 0; k < 4; k++) repaired[at + 8 + length + k] = (uint8_t)(crc >> (24 - 8 * k));
        at += 12 + length;
    }
    read_as(&format_png, repaired, size);
    free(repaired);
}

static const struct target {
    const char *name;
    void (*run)(const uint8_t *bytes, size_t size);
} targets[] = {{"any", fuzz_any}, {"csv", fuzz_csv},     {"idx", fuzz_idx},
               {"npy", fuzz_npy}, {"cifar", fuzz_cifar}, {"png", fuzz_png}};

#endif
