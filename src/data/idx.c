/* SPDX-License-Identifier: MIT
 *
 * The IDX format: bytes 0, 0, type (8: unsigned byte), rank; rank big-endian 32-bit dimensions; the elements. */
#include "data/idx.h"

#include <stdlib.h>

#include "data/format.h"
#include "data/source.h"

enum { TYPE_UBYTE = 8, MAX_RANK = 3 };

struct idx {
    const struct input *input;
    size_t dim[MAX_RANK], count;
};

static vae_status check_magic(const struct input *input, size_t rank, vae_error *err)
{
    const char *wanted = rank == 1 ? "labels, magic 00 00 08 01" : "images, magic 00 00 08 03";
    const uint8_t *magic = input->start;
    if (magic[0] || magic[1])
        return vae_fail(err, VAE_E_DATA, "%s: not an IDX file: starts with %02x %02x %02x %02x (expected %s)",
                        input->path, magic[0], magic[1], magic[2], magic[3], wanted);
    if (magic[2] != TYPE_UBYTE)
        return vae_fail(err, VAE_E_DATA, "%s: IDX elements of type 0x%02x (expected 0x08, unsigned bytes)", input->path,
                        magic[2]);
    if (magic[3] != rank)
        return vae_fail(err, VAE_E_DATA, "%s: IDX file of rank %d, %s (expected %s)", input->path, magic[3],
                        magic[3] == 1   ? "labels"
                        : magic[3] == 3 ? "images"
                                        : "neither images nor labels",
                        wanted);
    return VAE_OK;
}

static vae_status check_dimensions(struct idx *idx, size_t rank, vae_error *err)
{
    const size_t *dim = idx->dim;
    const char *path = idx->input->path;
    size_t pixels = 1;
    for (size_t i = 0; i < rank; i++)
        if (dim[i] == 0) return vae_fail(err, VAE_E_DATA, "%s: IDX dimension %zu is 0", path, i);
    if (dim[0] > MAX_IMAGES) return vae_fail(err, VAE_E_DATA, "%s: %zu items (at most %d)", path, dim[0], MAX_IMAGES);
    if (rank == 3) {
        if (!is_image_size(dim[1], dim[2]))
            return vae_fail(err, VAE_E_DATA, "%s: images of %zu x %zu pixels (at most %d x %d and %d in all)", path,
                            dim[1], dim[2], MAX_SIDE, MAX_SIDE, MAX_PIXELS);
        pixels = dim[1] * dim[2];
    }
    idx->count = dim[0] * pixels;
    return VAE_OK;
}

static vae_status read_header(struct idx *idx, size_t rank, vae_error *err)
{
    uint8_t header[4 + 4 * MAX_RANK] = {0};
    vae_status status = check_magic(idx->input, rank, err);
    if (!status) status = input_read(idx->input, header, 4 + 4 * rank, err);
    if (status) return status;
    for (size_t i = 0; i < rank; i++) {
        const uint8_t *b = header + 4 + 4 * i;
        idx->dim[i] = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    }
    status = check_dimensions(idx, rank, err);
    return status ? status : input_check_size(idx->input, 4 + 4 * rank + idx->count, err);
}

static vae_status read_images(const struct input *input, size_t most, vae_images *images, vae_error *err)
{
    struct idx idx = {.input = input};
    vae_status status = read_header(&idx, MAX_RANK, err);
    if (status) return status;
    images->n = idx.dim[0];
    images->rows = idx.dim[1];
    images->cols = idx.dim[2];
    return input_pixels(input, images, idx.count, most, err);
}

static vae_status read_labels(const struct input *input, size_t n, uint8_t **labels, vae_error *err)
{
    struct idx idx = {.input = input};
    vae_status status = read_header(&idx, 1, err);
    if (!status) status = input_new_last(input, labels, idx.count, err);
    if (!status && idx.count != n)
        status = vae_fail(err, VAE_E_DATA, "%s: %zu labels for %zu images", input->path, idx.count, n);
    return status;
}

vae_status idx_read_images(const char *path, size_t most, vae_images *images, vae_error *err)
{
    return format_read(&format_idx, path, most, images, err);
}

vae_status idx_read_labels(const char *path, size_t n, uint8_t **labels, vae_error *err)
{
    struct input input;
    *labels = NULL;
    vae_status status = input_open(&input, path, err);
    if (status) return status;
    status = input_close(&input, read_labels(&input, n, labels, err), err);
    if (status) {
        free(*labels);
        *labels = NULL;
    }
    return status;
}

static bool is_idx(const uint8_t start[4]) { return start[0] == 0 && start[1] == 0; }

const struct format_ops format_idx = {.name = "IDX", .is = is_idx, .read = read_images};
