/* SPDX-License-Identifier: MIT
 *
 * NumPy's .npy (numpy.lib.format, versions 1.0, 2.0 and 3.0): bytes 93 'NUMPY', major and minor version, the length of
 * the header in 2 bytes (from version 2.0 on 4), little-endian, the header, the elements. The header is a Python
 * dictionary in one line, filled up with spaces:
 *
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
 *
 * Bytes (|u1) are greys, as those of IDX. Real numbers (<f4, <f8) are taken as they are, in single precision; those
 * that it does not hold, infinite ones and NaN are refused. Like the tensors of a model file, they are copied as they
 * are, to a little-endian machine. */
#include <ctype.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/format.h"
#include "data/source.h"

enum { MOST_HEADER = 10000 /* as NumPy reads */, MAX_RANK = 4, WORD = 32, CHUNK = 4096 };

/* ---- The header ------------------------------------------------------------------------------------------------- */

struct header {
    char text[MOST_HEADER + 1];
    const char *at; /* how far it is read */
    char type[WORD];
    enum { NO_ORDER, C_ORDER, FORTRAN_ORDER } order;
    const char *shape; /* its text, */
    int shape_length;
    size_t rank, dim[MAX_RANK]; /* and its numbers, as many as there is room for */
    size_t end;                 /* where in the file the elements begin */
};

/* Each of the functions below takes what it is called after, with spaces before it, or returns false. */
static bool take(struct header *h, const char *text)
{
    while (*h->at == ' ') h->at++;
    const size_t length = strlen(text);
    if (strncmp(h->at, text, length)) return false;
    h->at += length;
    return true;
}

/* A word in quotes, of printable characters that need no escape. */
static bool take_word(struct header *h, char word[WORD])
{
    const char quote = take(h, "'") ? '\'' : '"';
    size_t length = 0;
    if (quote == '"' && !take(h, "\"")) return false;
    for (; *h->at > ' ' && *h->at < 127 && *h->at != quote && *h->at != '\\'; h->at++)
        if (length + 1 < WORD) word[length++] = *h->at;
    word[length] = '\0';
    if (length == 0 || *h->at != quote) return false;
    h->at++;
    return true;
}

/* One that is too large for us stays so. */
static bool take_number(struct header *h, size_t *value)
{
    *value = 0;
    if (take(h, "0")) return !isdigit((unsigned char)*h->at);
    const char *from = h->at;
    for (; isdigit((unsigned char)*h->at); h->at++)
        *value = *value < SIZE_MAX / 16 ? 10 * *value + (size_t)(*h->at - '0') : SIZE_MAX;
    return h->at > from;
}

/* A tuple of numbers; one number alone needs a comma behind it. */
static bool take_shape(struct header *h)
{
    bool comma = true;
    if (!take(h, "(")) return false;
    h->shape = h->at - 1;
    for (; !take(h, ")"); comma = take(h, ",")) {
        size_t value;
        if (!comma || !take_number(h, &value)) return false;
        if (h->rank < MAX_RANK) h->dim[h->rank] = value;
        h->rank++;
    }
    h->shape_length = (int)(h->at - h->shape);
    return h->rank != 1 || comma;
}

/* A key that was not there yet, and its value. */
static bool take_item(struct header *h)
{
    char key[WORD];
    if (!take_word(h, key) || !take(h, ":")) return false;
    if (!strcmp(key, "descr") && !*h->type) return take_word(h, h->type);
    if (!strcmp(key, "shape") && !h->shape) return take_shape(h);
    if (strcmp(key, "fortran_order") || h->order) return false;
    h->order = take(h, "False") ? C_ORDER : take(h, "True") ? FORTRAN_ORDER : NO_ORDER;
    return h->order;
}

/* The whole text: three items, and so each of the three keys. */
static bool take_dictionary(struct header *h, size_t length)
{
    if (!take(h, "{")) return false;
    for (size_t items = 0; items < 3; items++)
        if (!take_item(h) || (!take(h, ",") && items < 2)) return false;
    return take(h, "}") && take(h, "\n") && h->at == h->text + length;
}

static vae_status read_header(struct header *h, const struct input *input, vae_error *err)
{
    uint8_t start[12] = {0};
    vae_status status = input_read(input, start, 8, err);
    if (status) return status;
    if (memcmp(start, "\x93NUMPY", 6))
        return vae_fail(err, VAE_E_DATA, "%s: not a .npy file (expected bytes 93 'NUMPY' at its start)", input->path);
    if (start[6] < 1 || start[6] > 3 || start[7])
        return vae_fail(err, VAE_E_DATA, "%s: .npy version %d.%d (expected 1.0, 2.0 or 3.0)", input->path, start[6],
                        start[7]);
    const size_t width = start[6] == 1 ? 2 : 4;
    status = input_read(input, start + 8, width, err);
    if (status) return status;
    const size_t length = (size_t)start[11] << 24 | (size_t)start[10] << 16 | (size_t)start[9] << 8 | start[8];
    if (length > MOST_HEADER)
        return vae_fail(err, VAE_E_DATA, "%s: .npy header of %zu bytes (at most %d)", input->path, length, MOST_HEADER);
    *h = (struct header){.at = h->text, .end = 8 + width + length};
    status = input_read(input, (uint8_t *)h->text, length, err);
    if (status || take_dictionary(h, length)) return status;
    return vae_fail(err, VAE_E_DATA,
                    "%s: .npy header not understood from its byte %zu on (expected {'descr': '<f4', 'fortran_order': "
                    "False, 'shape': (N, ROWS, COLS), } and a newline)",
                    input->path, (size_t)(h->at - h->text));
}

/* ---- The array -------------------------------------------------------------------------------------------------- */

static size_t size_of_type(const char *type)
{
    return !strcmp(type, "|u1") ? 1 : !strcmp(type, "<f4") ? sizeof(float) : !strcmp(type, "<f8") ? sizeof(double) : 0;
}

/* N images of one row, of rows, or of rows with one colour, which stands last or, as PyTorch has it, first. */
static vae_status set_shape(vae_images *images, const struct header *h, const char *path, vae_error *err)
{
    const size_t *dim = h->dim;
    const bool colour_first = h->rank == 4 && dim[1] == 1 && dim[3] != 1;
    if (h->rank < 2 || h->rank > 4 || (h->rank == 4 && dim[3] != 1 && !colour_first))
        return vae_fail(err, VAE_E_DATA,
                        "%s: shape %.*s (expected (N, D), (N, ROWS, COLS), (N, ROWS, COLS, 1) or (N, 1, ROWS, COLS))",
                        path, h->shape_length, h->shape);
    images->n = dim[0];
    images->rows = h->rank == 2 ? 1 : dim[colour_first ? 2 : 1];
    images->cols = h->rank == 2 ? dim[1] : dim[colour_first ? 3 : 2];
    if (images->n > 0 && images->n <= MAX_IMAGES && is_image_size(images->rows, images->cols)) return VAE_OK;
    return vae_fail(err, VAE_E_DATA,
                    "%s: shape %.*s (expected 1 to %d images of 1 to %d pixels a side, at most %d in all)", path,
                    h->shape_length, h->shape, MAX_IMAGES, MAX_SIDE, MAX_PIXELS);
}

static double element(const uint8_t *bytes, size_t size)
{
    float single;
    double value;
    if (size == sizeof single) {
        memcpy(&single, bytes, sizeof single);
        return (double)single;
    }
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* Elements first .. first+n-1, of `size` bytes each. */
static vae_status take_values(vae_images *images, size_t first, size_t n, size_t size, const uint8_t *bytes,
                              const char *path, vae_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const double value = element(bytes + i * size, size);
        if (!(fabs(value) <= (double)FLT_MAX))
            return vae_fail(err, VAE_E_DATA, "%s: image %zu has the value %g (expected finite numbers of at most %g)",
                            path, (first + i) / (images->rows * images->cols), value, (double)FLT_MAX);
        const float v = images->values[first + i] = (float)value;
        if (first + i == 0) images->lowest = images->highest = v;
        if (v < images->lowest) images->lowest = v;
        if (v > images->highest) images->highest = v;
    }
    return VAE_OK;
}

static vae_status read_values(const struct input *input, vae_images *images, size_t count, size_t size, vae_error *err)
{
    uint8_t bytes[CHUNK * sizeof(double) + 1];
    images->values = malloc(count * sizeof *images->values);
    if (!images->values)
        return vae_fail(err, VAE_E_MEMORY, "%s: out of memory (%zu bytes)", input->path, count * sizeof(float));
    vae_status status = VAE_OK;
    for (size_t at = 0; at < count && !status; at += CHUNK) {
        const size_t left = count - at, n = left < CHUNK ? left : CHUNK;
        status = n < left ? input_read(input, bytes, n * size, err) : input_read_last(input, bytes, n * size, err);
        if (!status) status = take_values(images, at, n, size, bytes, input->path, err);
    }
    return status;
}

static vae_status read_images(const struct input *input, size_t most, vae_images *images, vae_error *err)
{
    struct header h;
    vae_status status = read_header(&h, input, err);
    if (status) return status;
    const size_t size = size_of_type(h.type);
    if (!size)
        return vae_fail(err, VAE_E_DATA,
                        "%s: elements of type %s (expected |u1, <f4 or <f8, as x.astype('float32') makes them)",
                        input->path, h.type);
    if (h.order == FORTRAN_ORDER)
        return vae_fail(err, VAE_E_DATA, "%s: Fortran order (expected C order, as numpy.ascontiguousarray makes it)",
                        input->path);
    status = set_shape(images, &h, input->path, err);
    if (status) return status;
    const size_t count = images->n * images->rows * images->cols;
    status = input_check_size(input, h.end + count * size, err);
    if (status) return status;
    if (size == 1) return input_pixels(input, images, count, most, err);
    return read_values(input, images, count, size, err);
}

/* ---- Labels ----------------------------------------------------------------------------------------------------- */

/* Whole numbers: bytes, or as NumPy makes them of Python's. */
static size_t size_of_whole(const char *type)
{
    return !strcmp(type, "|u1")   ? 1
           : !strcmp(type, "<i4") ? sizeof(int32_t)
           : !strcmp(type, "<i8") ? sizeof(int64_t)
                                  : 0;
}

static int64_t whole(const uint8_t *bytes, size_t size)
{
    int32_t half;
    int64_t value;
    if (size == 1) return *bytes;
    if (size == sizeof value) return memcpy(&value, bytes, sizeof value), value;
    return memcpy(&half, bytes, sizeof half), half;
}

static vae_status take_labels(const struct input *input, const uint8_t *bytes, size_t size, size_t n, uint8_t *labels,
                              vae_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const int64_t value = whole(bytes + i * size, size);
        if (value < 0 || value > UINT8_MAX)
            return vae_fail(err, VAE_E_DATA, "%s: label %zu is %lld (expected 0 to %d)", input->path, i,
                            (long long)value, UINT8_MAX);
        labels[i] = (uint8_t)value;
    }
    return VAE_OK;
}

vae_status npy_read_labels(const struct input *input, size_t n, uint8_t *labels, vae_error *err)
{
    struct header h;
    uint8_t *bytes = NULL;
    vae_status status = read_header(&h, input, err);
    if (status) return status;
    const size_t size = size_of_whole(h.type);
    if (!size)
        return vae_fail(err, VAE_E_DATA, "%s: labels of type %s (expected |u1, <i4 or <i8)", input->path, h.type);
    if (h.rank != 1 || h.dim[0] != n)
        return vae_fail(err, VAE_E_DATA, "%s: shape %.*s (expected (%zu,), a label for each row)", input->path,
                        h.shape_length, h.shape, n);
    status = input_check_size(input, h.end + n * size, err);
    if (!status) status = input_new_last(input, &bytes, n * size, err);
    if (!status) status = take_labels(input, bytes, size, n, labels, err);
    free(bytes);
    return status;
}

static bool is_npy(const uint8_t start[4]) { return !memcmp(start, "\x93NUM", 4); }

const struct format_ops format_npy = {.name = ".npy", .is = is_npy, .read = read_images};
