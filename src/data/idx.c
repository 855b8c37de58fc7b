/* SPDX-License-Identifier: MIT
 *
 * The IDX format: bytes 0, 0, type (8: unsigned byte), rank; rank big-endian 32-bit dimensions; the elements.
 *
 * Every byte is hostile. Sizes are checked before anything is allocated: a plain file must have exactly the announced
 * size, a compressed one cannot hold more than deflate's limit of 1032 bytes a byte. gzread returns short or even
 * complete data with no error where a file is cut, so the data counts as good only after its end was read, checked and
 * closed. */
#include "data/idx.h"

#include "data/source.h"
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum {
    TYPE_UBYTE = 8,
    MAX_RANK = 3,
    MAX_IMAGES = INT32_MAX - 1, /* positions are kept in 32 bits */
    DEFLATE_LIMIT = 1032,
};

struct idx {
    const char *path;
    gzFile gz;
    size_t file_size;
    bool compressed;
    size_t dim[MAX_RANK], count;
};

static vae_status open_file(struct idx *idx, const char *path, vae_error *err)
{
    *idx = (struct idx){.path = path};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* non-blocking: a FIFO must not hang us */
    if (fd < 0) return vae_fail(err, VAE_E_DATA, "%s: cannot open: %s", path, strerror(errno));
    struct stat info;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        close(fd);
        return vae_fail(err, VAE_E_DATA, "%s: not a regular file (expected an IDX file)", path);
    }
    idx->file_size = (size_t)info.st_size;
    idx->gz = gzdopen(fd, "rb");
    if (!idx->gz) {
        close(fd);
        return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", path);
    }
    idx->compressed = !gzdirect(idx->gz);
    return VAE_OK;
}

static vae_status cut_short(const struct idx *idx, vae_error *err)
{
    int code = Z_OK;
    gzerror(idx->gz, &code);
    if (code == Z_DATA_ERROR)
        return vae_fail(err, VAE_E_DATA, "%s: damaged gzip data (a checksum or code in it is wrong)", idx->path);
    return vae_fail(err, VAE_E_DATA, "%s: file ends too early (the download or copy was cut off)", idx->path);
}

/* Reads until `size` bytes are there or the data ends; returns how many there were. */
static size_t read_bytes(const struct idx *idx, uint8_t *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const size_t left = size - done;
        int got = gzread(idx->gz, bytes + done,
                         left > 1u << 30 ? 1u << 29 : (unsigned)left); /* the last chunk is never tiny */
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

static vae_status check_magic(const struct idx *idx, const uint8_t magic[4], size_t rank, vae_error *err)
{
    const char *wanted = rank == 1 ? "labels, magic 00 00 08 01" : "images, magic 00 00 08 03";
    if (magic[0] == 0x1f && magic[1] == 0x8b)
        return vae_fail(err, VAE_E_DATA, "%s: compressed twice (expected IDX %s)", idx->path, wanted);
    if (magic[0] == '<')
        return vae_fail(err, VAE_E_DATA, "%s: an HTML or XML page, not an IDX file (expected %s)", idx->path, wanted);
    if (magic[0] || magic[1])
        return vae_fail(err, VAE_E_DATA, "%s: not an IDX file: starts with %02x %02x %02x %02x (expected %s)",
                        idx->path, magic[0], magic[1], magic[2], magic[3], wanted);
    if (magic[2] != TYPE_UBYTE)
        return vae_fail(err, VAE_E_DATA, "%s: IDX elements of type 0x%02x (expected 0x08, unsigned bytes)", idx->path,
                        magic[2]);
    if (magic[3] != rank)
        return vae_fail(err, VAE_E_DATA, "%s: IDX file of rank %d, %s (expected %s)", idx->path, magic[3],
                        magic[3] == 1   ? "labels"
                        : magic[3] == 3 ? "images"
                                        : "neither images nor labels",
                        wanted);
    return VAE_OK;
}

static vae_status check_dimensions(struct idx *idx, size_t rank, vae_error *err)
{
    const size_t *dim = idx->dim;
    size_t pixels = 1;
    for (size_t i = 0; i < rank; i++)
        if (dim[i] == 0) return vae_fail(err, VAE_E_DATA, "%s: IDX dimension %zu is 0", idx->path, i);
    if (dim[0] > MAX_IMAGES)
        return vae_fail(err, VAE_E_DATA, "%s: %zu items (at most %d)", idx->path, dim[0], MAX_IMAGES);
    if (rank == 3) {
        if (!is_image_size(dim[1], dim[2]))
            return vae_fail(err, VAE_E_DATA, "%s: images of %zu x %zu pixels (at most %d x %d and %d in all)",
                            idx->path, dim[1], dim[2], MAX_SIDE, MAX_SIDE, MAX_PIXELS);
        pixels = dim[1] * dim[2];
    }
    idx->count = dim[0] * pixels;
    return VAE_OK;
}

static vae_status check_size(const struct idx *idx, size_t header, vae_error *err)
{
    const size_t announced = header + idx->count;
    if (!idx->compressed && idx->file_size != announced)
        return vae_fail(err, VAE_E_DATA, "%s: %zu bytes, but its header announces %zu (cut off, or not this format)",
                        idx->path, idx->file_size, announced);
    if (idx->compressed && announced / DEFLATE_LIMIT > idx->file_size)
        return vae_fail(err, VAE_E_DATA, "%s: header announces %zu bytes, more than %zu compressed bytes can hold",
                        idx->path, announced, idx->file_size);
    return VAE_OK;
}

static vae_status read_header(struct idx *idx, size_t rank, vae_error *err)
{
    uint8_t header[4 + 4 * MAX_RANK] = {0};
    if (read_bytes(idx, header, 4) < 4) return cut_short(idx, err);
    vae_status status = check_magic(idx, header, rank, err);
    if (status) return status;
    if (read_bytes(idx, header + 4, 4 * rank) < 4 * rank) return cut_short(idx, err);
    for (size_t i = 0; i < rank; i++) {
        const uint8_t *b = header + 4 + 4 * i;
        idx->dim[i] = (size_t)b[0] << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
    }
    status = check_dimensions(idx, rank, err);
    return status ? status : check_size(idx, 4 + 4 * rank, err);
}

/* Asks for one byte more than there should be, and in the same breath: a read that ends exactly at the last byte leaves
 * the gzip trailer, with its checksum, unread, and zlib then calls a file cut there complete. */
static vae_status read_whole_body(const struct idx *idx, uint8_t *bytes, vae_error *err)
{
    const size_t got = read_bytes(idx, bytes, idx->count + 1);
    int code = Z_OK;
    gzerror(idx->gz, &code);
    if (got > idx->count) return vae_fail(err, VAE_E_DATA, "%s: more data than its header announces", idx->path);
    return got < idx->count || code != Z_OK ? cut_short(idx, err) : VAE_OK;
}

static vae_status read_body(const struct idx *idx, uint8_t **bytes, vae_error *err)
{
    *bytes = malloc(idx->count + 1);
    if (!*bytes) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory (%zu bytes)", idx->path, idx->count);
    vae_status status = read_whole_body(idx, *bytes, err);
    if (status) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

/* Opens the file for reading in place; its size was checked against its header. */
static vae_status open_stream(const struct idx *idx, struct vae_stream **stream, vae_error *err)
{
    enum { HEADER = 4 + 4 * MAX_RANK };
    return stream_open(stream, idx->path, HEADER, err);
}

vae_status idx_read_images(const char *path, size_t most, vae_images *images, vae_error *err)
{
    struct idx idx;
    *images = (vae_images){0};
    vae_status status = open_file(&idx, path, err);
    if (status) return status;
    status = read_header(&idx, MAX_RANK, err);
    if (!status && !idx.compressed && idx.count > most)
        status = open_stream(&idx, &images->stream, err);
    else if (!status)
        status = read_body(&idx, &images->pixels, err);
    if (gzclose(idx.gz) != Z_OK && !status && images->pixels)
        status = vae_fail(err, VAE_E_DATA, "%s: damaged or cut off", path);
    if (status) {
        images_free(images);
        return status;
    }
    images->n = idx.dim[0];
    images->rows = idx.dim[1];
    images->cols = idx.dim[2];
    return VAE_OK;
}

vae_status idx_read_labels(const char *path, size_t n, uint8_t **labels, vae_error *err)
{
    struct idx idx;
    *labels = NULL;
    vae_status status = open_file(&idx, path, err);
    if (status) return status;
    status = read_header(&idx, 1, err);
    if (!status) status = read_body(&idx, labels, err);
    if (gzclose(idx.gz) != Z_OK && !status) status = vae_fail(err, VAE_E_DATA, "%s: damaged or cut off", path);
    if (!status && idx.count != n)
        status = vae_fail(err, VAE_E_DATA, "%s: %zu labels for %zu images", path, idx.count, n);
    if (status) {
        free(*labels);
        *labels = NULL;
    }
    return status;
}
