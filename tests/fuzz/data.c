/* SPDX-License-Identifier: MIT
 *
 * The readers of data. gzip is a layer below all of them. */
#include <math.h>
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "data/cifar.h"
#include "data/format.h"
#include "data/idx.h"
#include "data/source.h"
#include "fuzz/memory.h"
#include "fuzz/targets.h"

const char *only_file(const uint8_t *bytes, size_t size)
{
    memory_clear();
    memory_add("file", bytes, size);
    return MEMORY "/file";
}

void check_refusal(vae_status status, const char *expected, const vae_error *err)
{
    HOLDS(status == err->status && (status == VAE_E_MEMORY || strchr(expected, '0' + (int)status)));
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
    HOLDS(images->number || (lowest == images->lowest && highest == images->highest)); /* of all that were divided */
}

static void check_images(const vae_images *images)
{
    const size_t count = images->n * images->rows * images->cols;
    unsigned sum = 0;
    HOLDS(images->n > 0 && is_image_size(images->rows, images->cols));
    HOLDS(!images->pixels + !images->values == 1 && !images->stream);
    for (size_t i = 0; i < count && images->pixels; i++) sum += images->pixels[i];
    for (size_t i = 0; i < images->n && images->labels; i++) sum += images->labels[i];
    if (images->values) check_values(images, count);
    HOLDS(sum <= 255 * (count + images->n)); /* so that all are read */
}

static void check(vae_status status, vae_images *images, const vae_error *err)
{
    if (!status) {
        check_images(images);
        images_free(images);
        return;
    }
    HOLDS(!images->pixels && !images->values && !images->labels);
    check_refusal(status, "3", err);
}

static void read_as(const struct format_ops *format, const uint8_t *bytes, size_t size)
{
    vae_images images;
    vae_error err = {0};
    const vae_status status = format_read(format, only_file(bytes, size), SIZE_MAX, &images, &err);
    check(status, &images, &err);
}

/* ---- Targets ---------------------------------------------------------------------------------------------------- */

void fuzz_any(const uint8_t *bytes, size_t size) { read_as(NULL, bytes, size); }
void fuzz_csv(const uint8_t *bytes, size_t size) { read_as(&format_csv, bytes, size); }
void fuzz_idx(const uint8_t *bytes, size_t size) { read_as(&format_idx, bytes, size); }
void fuzz_npy(const uint8_t *bytes, size_t size) { read_as(&format_npy, bytes, size); }

void fuzz_labels(const uint8_t *bytes, size_t size)
{
    uint8_t labels[3];
    vae_error err = {0};
    const vae_status status = vae_labels_read(only_file(bytes, size), 3, labels, &err);
    if (status) check_refusal(status, "3", &err);
}

void fuzz_cifar(const uint8_t *bytes, size_t size)
{
    vae_images images;
    vae_error err = {0};
    check(cifar_read(only_file(bytes, size), &images, &err), &images, &err);
}

static size_t number_at(const uint8_t *bytes)
{
    return (size_t)bytes[0] << 24 | (size_t)bytes[1] << 16 | (size_t)bytes[2] << 8 | bytes[3];
}

/* As it is, and with right checksums, without which little of a changed file would be read. */
void fuzz_png(const uint8_t *bytes, size_t size)
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
    memory_clear();
    free(repaired);
}

/* ---- Folders ---------------------------------------------------------------------------------------------------- */

/* Takes from the bytes a name, which a line end follows, into `name`; false where there is no line end. */
static bool take_line(const uint8_t **bytes, size_t *size, char name[MEMORY_NAME])
{
    const uint8_t *end = *size ? memchr(*bytes, '\n', *size) : NULL;
    if (!end) return false;
    const size_t length = (size_t)(end - *bytes), kept = length < MEMORY_NAME ? length : MEMORY_NAME - 1;
    memcpy(name, *bytes, kept);
    name[kept] = '\0';
    *bytes += length + 1;
    *size -= length + 1;
    return true;
}

/* The first line is what stands behind the folder in --data, such as ":set=letters,size=2". A file is a line with its
 * name, two bytes with its size, and itself. */
void fuzz_folder(const uint8_t *bytes, size_t size)
{
    char options[MEMORY_NAME], name[MEMORY_NAME], source[sizeof MEMORY + MEMORY_NAME];
    vae_data *data = NULL;
    vae_error err = {0};
    memory_clear();
    if (!take_line(&bytes, &size, options)) return;
    while (take_line(&bytes, &size, name) && size >= 2) {
        const size_t wanted = (size_t)bytes[0] << 8 | bytes[1], length = wanted < size - 2 ? wanted : size - 2;
        memory_add(name, bytes + 2, length);
        bytes += 2 + length;
        size -= 2 + length;
    }
    snprintf(source, sizeof source, MEMORY "%s", options);
    const vae_status status = vae_data_open(&data, source, 0.5, 0, 1, &err);
    if (status)
        check_refusal(status, "23", &err);
    else
        check_images(&data->train);
    vae_data_free(&data);
}
