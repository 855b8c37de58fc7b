/* SPDX-License-Identifier: MIT
 *
 * Writes NumPy's .npy, version 1.0 (numpy.lib.format; src/data/npy.c says what is in it). NumPy fills the header up
 * with spaces so that the elements begin at a multiple of 64 bytes, and so does this writer: the same array gives the
 * same bytes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "vae.h"

enum { ALIGNMENT = 64, START = 10 /* magic, version, length of the header */, MOST_HEADER = 256 };

static const struct {
    const char *descr;
    size_t size;
} elements[] = {[VAE_U1] = {"|u1", 1},
                [VAE_F4] = {"<f4", sizeof(float)},
                [VAE_F8] = {"<f8", sizeof(double)},
                [VAE_I4] = {"<i4", sizeof(int32_t)}};

/* (N,), (N, D), ... as Python writes a tuple. */
static void shape_text(const vae_array *array, char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < array->rank; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%zu", i ? ", " : "(", array->dim[i]);
    snprintf(text + used, size - used, array->rank == 1 ? ",)" : ")");
}

/* The header with its newline, from the start of the file; returns its length. */
static size_t make_header(const vae_array *array, char header[MOST_HEADER])
{
    char shape[MOST_HEADER / 2];
    shape_text(array, shape, sizeof shape);
    memcpy(header, "\x93NUMPY\1\0", START - 2);
    size_t used = START;
    used += (size_t)snprintf(header + used, MOST_HEADER - used,
                             "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", elements[array->element].descr,
                             shape);
    while ((used + 1) % ALIGNMENT) header[used++] = ' ';
    header[used++] = '\n';
    header[START - 2] = (char)((used - START) & 255);
    header[START - 1] = (char)((used - START) >> 8);
    return used;
}

vae_status vae_write_npy(const char *path, const vae_array *array, vae_error *err)
{
    char header[MOST_HEADER];
    if (array->rank < 1 || array->rank > VAE_MAX_RANK)
        return vae_fail(err, VAE_E_USAGE, "%s: an array of rank %zu (expected 1 to %d)", path, array->rank,
                        VAE_MAX_RANK);
    size_t bytes = elements[array->element].size, count = 1;
    for (size_t i = 0; i < array->rank; i++)
        if (__builtin_mul_overflow(count, array->dim[i], &count) || count > (SIZE_MAX - MOST_HEADER) / bytes)
            return vae_fail(err, VAE_E_USAGE, "%s: the array is too large", path);
    bytes *= count;
    const size_t used = make_header(array, header);
    char *file = mem_new(used + bytes, 1, err);
    if (!file) return VAE_E_MEMORY;
    memcpy(file, header, used);
    if (bytes) memcpy(file + used, array->at, bytes);
    vae_status status = vae_write_file(path, file, used + bytes, err);
    free(file);
    return status;
}
