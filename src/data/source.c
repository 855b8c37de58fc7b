/* SPDX-License-Identifier: MIT */
#include "data/source.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/simd.h"
#include "data/cifar.h"
#include "data/folder.h"
#include "data/format.h"
#include "data/idx.h"
#include "data/resize.h"
#include "data/stream.h"

static const struct source_ops *const sources[] = {&source_digits, &source_gaussians, &source_templates,
                                                   &source_patches, NULL};

const struct source_ops *source_at(size_t i) { return i < sizeof sources / sizeof *sources ? sources[i] : NULL; }

/* Bytes of pixels that a plain file may have before they stay in it. */
static const size_t IN_MEMORY = (size_t)128 << 20;

static const vae_module *source_module_at(size_t i) { return source_at(i) ? &source_at(i)->module : NULL; }

/* ---- Images ----------------------------------------------------------------------------------------------------- */

vae_status images_new(vae_images *images, size_t n, size_t rows, size_t cols, bool labelled, vae_error *err)
{
    *images = (vae_images){.n = n, .rows = rows, .cols = cols};
    images->pixels = mem_new(n, rows * cols, err);
    if (labelled) images->labels = mem_new(n, 1, err);
    if (images->pixels && (images->labels || !labelled)) return VAE_OK;
    images_free(images);
    return VAE_E_MEMORY;
}

void images_free(vae_images *images)
{
    free(images->pixels);
    free(images->values);
    free(images->labels);
    free(images->number);
    stream_close(images->stream);
    *images = (vae_images){0};
}

size_t vae_images_row(const vae_images *images, size_t i) { return images->number ? images->number[i] : i; }

static vae_status check_run(const vae_images *images, size_t first, size_t n, vae_error *err)
{
    if (first <= images->n && n <= images->n - first) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "%zu images from %zu on, of %zu", n, first, images->n);
}

static vae_status unreadable(const vae_images *images, size_t i, vae_error *err)
{
    return vae_fail(err, VAE_E_DATA, "%s: cannot read image %zu (was the file changed?)", images->stream->path, i);
}

vae_status vae_images_read(const vae_images *images, size_t first, size_t n, uint8_t *pixels, vae_error *err)
{
    const size_t D = images->rows * images->cols;
    vae_status status = check_run(images, first, n, err);
    if (!status && images->values)
        status = vae_fail(err, VAE_E_USAGE, "images of real numbers have no bytes (vae_images_values reads them)");
    if (!status && images->pixels) memcpy(pixels, images->pixels + first * D, n * D);
    for (size_t i = 0; i < n && !status && images->stream; i++)
        if (!stream_read(images->stream, vae_images_row(images, first + i), D, 0, D, pixels + i * D))
            status = unreadable(images, first + i, err);
    return status;
}

vae_status vae_images_values(const vae_images *images, size_t first, size_t n, float *values, vae_error *err)
{
    const size_t D = images->rows * images->cols;
    vae_status status = check_run(images, first, n, err);
    real *x = status ? NULL : mem_new(D, sizeof *x, err);
    if (!status && !x) status = VAE_E_MEMORY;
    for (size_t i = 0; i < n && !status; i++) {
        if (!images_gather(images, &(struct pixels){.rule = PIXELS_GREY}, NULL, first + i, 1, x))
            status = unreadable(images, first + i, err);
        for (size_t k = 0; k < D && !status; k++) values[i * D + k] = (float)x[k];
    }
    free(x);
    return status;
}

/* ---- Bytes to pixels -------------------------------------------------------------------------------------------- */

VAE_SIMD static void expand(size_t n, const uint8_t *restrict byte, real *restrict x)
{
    for (size_t i = 0; i < n; i++) x[i] = R(byte[i]) / R(255);
}

VAE_SIMD static void threshold(size_t n, const uint8_t *restrict byte, real *restrict x)
{
    for (size_t i = 0; i < n; i++) x[i] = byte[i] > 127 ? R(1) : R(0);
}

/* Is each byte 0 or 255, that is, are all of its bits equal? */
static bool is_black_or_white(const uint8_t four[4])
{
    uint32_t word;
    memcpy(&word, four, sizeof word);
    return ((word ^ word << 1) & 0xfefefefe) == 0;
}

/* Pixels by fours, as random words come; `block` numbers the fours of all images. Black and white need no words: they
 * are what the threshold makes of them. */
static void draw_pixels(const struct rng *rng, uint64_t block, size_t n, const uint8_t *byte, real *x)
{
    threshold(n, byte, x);
    for (size_t at = 0; at < n; at += 4, block++) {
        const size_t width = at + 4 < n ? 4 : n - at;
        uint8_t four[4] = {0};
        uint32_t word[4];
        memcpy(four, byte + at, width);
        if (is_black_or_white(four)) continue;
        rng_block(rng, block, word);
        for (size_t i = 0; i < width; i++) x[at + i] = (uint64_t)word[i] * 255 < (uint64_t)four[i] << 32 ? R(1) : R(0);
    }
}

/* Bytes at .. at+n-1 of an image; `at` is a multiple of 4. */
static void to_pixels(const struct pixels *pixels, size_t number, size_t D, size_t at, size_t n, const uint8_t *byte,
                      real *x)
{
    switch (pixels->rule) {
    case PIXELS_GREY: expand(n, byte, x); break;
    case PIXELS_THRESHOLD: threshold(n, byte, x); break;
    case PIXELS_DRAWN: draw_pixels(&pixels->rng, number * ((D + 3) / 4) + at / 4, n, byte, x); break;
    }
}

/* One image, from its file through a buffer. */
static bool gather_stream(const struct vae_stream *stream, const struct pixels *pixels, size_t number, size_t D,
                          real *x)
{
    uint8_t bytes[4096];
    for (size_t at = 0; at < D; at += sizeof bytes) {
        const size_t n = D - at < sizeof bytes ? D - at : sizeof bytes;
        if (!stream_read(stream, number, D, at, n, bytes)) return false;
        to_pixels(pixels, number, D, at, n, bytes, x + at);
    }
    return true;
}

/* The same for real numbers, with the same words. */
static void draw_values(const struct rng *rng, uint64_t block, size_t n, const float *value, real *x)
{
    uint32_t word[4] = {0};
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0) rng_block(rng, block + i / 4, word);
        x[i] = word[i % 4] < 4294967296.0 * (double)value[i] ? R(1) : R(0);
    }
}

/* One image of real numbers. */
static void gather_values(const struct pixels *pixels, size_t number, size_t D, const float *value, real *x)
{
    switch (pixels->rule) {
    case PIXELS_GREY:
        for (size_t i = 0; i < D; i++) x[i] = R(value[i]);
        break;
    case PIXELS_THRESHOLD:
        for (size_t i = 0; i < D; i++) x[i] = value[i] < 0.5F ? R(0) : R(1);
        break;
    case PIXELS_DRAWN: draw_values(&pixels->rng, number * ((D + 3) / 4), D, value, x); break;
    }
}

bool images_gather(const vae_images *images, const struct pixels *pixels, const uint32_t *index, size_t first,
                   size_t count, real *x)
{
    const size_t D = images->rows * images->cols;
    for (size_t i = 0; i < count; i++) {
        const size_t image = index ? index[i] : first + i, number = vae_images_row(images, image);
        if (images->pixels)
            to_pixels(pixels, number, D, 0, D, images->pixels + image * D, x + i * D);
        else if (images->values)
            gather_values(pixels, number, D, images->values + image * D, x + i * D);
        else if (!gather_stream(images->stream, pixels, number, D, x + i * D))
            return false;
    }
    return true;
}

bool images_are_sparse(const vae_images *images)
{
    const double most = 0.35;
    const size_t D = images->rows * images->cols, n = images->n < 1000 ? images->n : 1000;
    const size_t stride = images->stream ? n * D / 10000 + 1 : 1; /* a file is sampled */
    uint8_t byte;
    size_t ink = 0, seen = 0;
    for (size_t i = 0; i < n * D; i += stride, seen++) {
        if (images->stream && !stream_read(images->stream, vae_images_row(images, i / D), D, i % D, 1, &byte))
            return false;
        ink += images->values ? images->values[i] != 0 : (images->pixels ? images->pixels[i] : byte) != 0;
    }
    return (double)ink < most * (double)seen;
}

/* ---- Splits ----------------------------------------------------------------------------------------------------- */

/* Room for n images of the kind of `all`. */
static vae_status new_part(vae_images *part, const vae_images *all, size_t n, vae_error *err)
{
    const size_t D = all->rows * all->cols;
    *part = (vae_images){.n = n, .rows = all->rows, .cols = all->cols, .lowest = all->lowest, .highest = all->highest};
    vae_status status = VAE_OK;
    if (all->stream) status = stream_open(&part->stream, all->stream->path, all->stream->offset, err);
    if (all->pixels && !(part->pixels = mem_new(n, D, err))) status = VAE_E_MEMORY;
    if (all->values && !(part->values = mem_new(n, D * sizeof *part->values, err))) status = VAE_E_MEMORY;
    if (!status && all->labels && !(part->labels = mem_new(n, 1, err))) status = VAE_E_MEMORY;
    if (!status && !(part->number = mem_new(n, sizeof *part->number, err))) status = VAE_E_MEMORY;
    return status;
}

/* Those of `all` that `index` lists. */
static vae_status select_images(vae_images *to, const vae_images *all, const uint32_t *index, size_t n, vae_error *err)
{
    const size_t D = all->rows * all->cols;
    vae_status status = new_part(to, all, n, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (to->pixels) memcpy(to->pixels + i * D, all->pixels + index[i] * D, D);
        if (to->values) memcpy(to->values + i * D, all->values + index[i] * D, D * sizeof *to->values);
        if (to->labels) to->labels[i] = all->labels[index[i]];
        to->number[i] = (uint32_t)vae_images_row(all, index[i]);
    }
    return status;
}

/* Divides `all` at random into those kept and a share taken away, which may round to no image. */
static vae_status divide(const vae_images *all, const char *name, double share, const struct rng *rng, vae_images *kept,
                         vae_images *taken, vae_error *err)
{
    const size_t take = (size_t)(share * (double)all->n + 0.5), keep = all->n - take;
    if (keep == 0)
        return vae_fail(err, VAE_E_USAGE, "%s: %g leaves none of %zu images to train on", name, share, all->n);
    uint32_t *order = mem_new(all->n, sizeof *order, err);
    if (!order) return VAE_E_MEMORY;
    rng_permutation(rng, all->n, order);
    vae_status status = select_images(kept, all, order, keep, err);
    if (!status && take) status = select_images(taken, all, order + keep, take, err);
    free(order);
    return status;
}

static vae_status split_validation(vae_data *data, double share, uint64_t seed, vae_error *err)
{
    const struct rng rng = {.seed = seed, .stream = RNG_VALIDATION};
    vae_images all = data->train;
    data->train = (vae_images){0};
    vae_status status = divide(&all, "validation", share, &rng, &data->train, &data->validation, err);
    images_free(&all);
    return status;
}

/* ---- PATH[:set=NAME,size=N] ------------------------------------------------------------------------------------- */

static vae_status take_option(struct source_options *options, const char *source, const char *item, vae_error *err)
{
    if (!strncmp(item, "size=", 5)) return vae_parse_count("size", item + 5, 1, MAX_SIDE, &options->size, err);
    if (strncmp(item, "set=", 4) || strlen(item + 4) >= sizeof options->set)
        return vae_fail(err, VAE_E_USAGE, "%s: '%s' (expected set=NAME or size=N behind a path)", source, item);
    strcpy(options->set, item + 4);
    return VAE_OK;
}

/* A path that is there is one, whatever is in its name. Options stand behind the last colon of others. */
static vae_status split_source(const char *source, char path[VAE_MAX_SOURCE], struct source_options *options,
                               vae_error *err)
{
    char *colon, *rest = NULL;
    struct stat info;
    vae_status status = VAE_OK;
    strcpy(path, source);
    *options = (struct source_options){.most = IN_MEMORY};
    if (!stat(path, &info) || !(colon = strrchr(path, ':')) || !strchr(colon, '=')) return VAE_OK;
    *colon = '\0';
    for (char *item = strtok_r(colon + 1, ",", &rest); item && !status; item = strtok_r(NULL, ",", &rest))
        status = take_option(options, source, item, err);
    if (options->size) options->most = SIZE_MAX;
    return status;
}

#define FOLDER_ENTRY(name) &folder_##name,
static const struct folder_ops *const folders[] = {FOLDERS(FOLDER_ENTRY) NULL};

static vae_status open_folder(vae_data *data, const char *folder, const struct source_options *options, vae_error *err)
{
    struct listing listing;
    size_t kind = 0;
    vae_status status = listing_open(&listing, folder, err);
    if (status) return status;
    bool is = false;
    while (folders[kind] && !(status = folders[kind]->is(&listing, &is, err)) && !is) kind++;
    if (!folders[kind]) kind = 0;
    if (!status)
        status = kind > 0 && *options->set
                     ? vae_fail(err, VAE_E_USAGE, "%s: set %s: it has no sets of IDX files", folder, options->set)
                     : folders[kind]->open(data, &listing, options, err);
    listing_close(&listing);
    return status;
}

static vae_status open_file(vae_data *data, const char *path, const struct source_options *options, vae_error *err)
{
    if (*options->set) return vae_fail(err, VAE_E_USAGE, "%s: set %s: it is a single file", path, options->set);
    return cifar_is_file(path) ? cifar_read(path, &data->train, err)
                               : format_read(NULL, path, options->most, &data->train, err);
}

/* What has no test split of its own gets a share of its images. */
static vae_status split_test(vae_data *data, double holdout, uint64_t seed, vae_error *err)
{
    const struct rng rng = {.seed = seed, .stream = RNG_HOLDOUT};
    vae_images all = data->train;
    data->train = (vae_images){0};
    vae_status status = divide(&all, "holdout", holdout, &rng, &data->train, &data->test, err);
    images_free(&all);
    return status;
}

static vae_status no_such_path(const char *path, int cause, vae_error *err)
{
    char names[128] = "";
    for (size_t i = 0; sources[i]; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", sources[i]->module.name);
    return vae_fail(err, VAE_E_DATA,
                    "%s: %s (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv file, or "
                    "builtin:NAME of %s)",
                    path, strerror(cause), names);
}

static vae_status open_path(vae_data *data, const char *source, vae_error *err)
{
    char path[VAE_MAX_SOURCE];
    struct source_options options;
    struct stat info;
    vae_status status = split_source(source, path, &options, err);
    if (status) return status;
    if (stat(path, &info)) return no_such_path(path, errno, err);
    status = S_ISDIR(info.st_mode) ? open_folder(data, path, &options, err) : open_file(data, path, &options, err);
    if (!status && options.size) status = images_resize(&data->train, options.size, path, err);
    if (!status && options.size && data->test.n) status = images_resize(&data->test, options.size, path, err);
    return status;
}

/* ---- Labels by themselves ---------------------------------------------------------------------------------------- */

static vae_status read_idx_labels(const char *path, size_t n, uint8_t *labels, vae_error *err)
{
    uint8_t *read = NULL;
    vae_status status = idx_read_labels(path, n, &read, err);
    if (!status) memcpy(labels, read, n);
    free(read);
    return status;
}

vae_status vae_labels_read(const char *path, size_t n, uint8_t *labels, vae_error *err)
{
    struct input input;
    vae_status status = input_open(&input, path, err);
    if (status) return status;
    const bool is_npy = format_npy.is(input.start);
    if (is_npy) status = npy_read_labels(&input, n, labels, err);
    status = input_close(&input, status, err);
    return is_npy || status ? status : read_idx_labels(path, n, labels, err);
}

/* ---- builtin:NAME ----------------------------------------------------------------------------------------------- */

static vae_status open_builtin(vae_data *data, const char *text, vae_error *err)
{
    vae_choice choice = {0};
    vae_status status = choice_parse(&choice, "built-in data set", source_module_at, text, err);
    size_t i = 0;
    if (status) return status;
    while (strcmp(sources[i]->module.name, choice.name)) i++; /* it is one of them */
    return sources[i]->open(data, choice.value, err);
}

static const char BUILTIN[] = "builtin:";

static bool is_builtin(const char *source) { return !strncmp(source, BUILTIN, sizeof BUILTIN - 1); }

/* Undivided. */
static vae_status open_any(vae_data *data, const char *source, vae_error *err)
{
    return is_builtin(source) ? open_builtin(data, source + sizeof BUILTIN - 1, err) : open_path(data, source, err);
}

bool vae_data_is_mnist(const char *folder) { return mnist_is_whole(folder); }

vae_status data_name_labels(vae_data *data, size_t n, vae_error *err)
{
    data->label_names = n;
    data->label_name = mem_new(n, sizeof *data->label_name, err);
    return data->label_name ? VAE_OK : VAE_E_MEMORY;
}

vae_status data_check_splits(const vae_data *data, const char *folder, vae_error *err)
{
    const vae_images *a = &data->train, *b = &data->test;
    if (a->rows != b->rows || a->cols != b->cols)
        return vae_fail(err, VAE_E_DATA, "%s: training images are %zu x %zu, test images %zu x %zu", folder, a->rows,
                        a->cols, b->rows, b->cols);
    if (!a->labels == !b->labels) return VAE_OK;
    return vae_fail(err, VAE_E_DATA, "%s: only one of its splits has labels", folder);
}

/* "images of 28 x 28", or, where there is one row, which is no picture, "rows of 2 numbers". */
static void describe_kind(const vae_images *images, char *text, size_t size)
{
    if (!images->values)
        snprintf(text, size, "images of %zu x %zu", images->rows, images->cols);
    else if (images->rows > 1)
        snprintf(text, size, "images of %zu x %zu, values from %g to %g", images->rows, images->cols,
                 (double)images->lowest, (double)images->highest);
    else
        snprintf(text, size, "rows of %zu number%s from %g to %g", images->cols, images->cols == 1 ? "" : "s",
                 (double)images->lowest, (double)images->highest);
}

static void describe(vae_data *data)
{
    const vae_images *train = &data->train;
    char kind[128];
    describe_kind(train, kind, sizeof kind);
    int used = snprintf(data->name, sizeof data->name, "%s: %zu + ", data->source, train->n);
    if (data->validation.n)
        used += snprintf(data->name + used, sizeof data->name - (size_t)used, "%zu + ", data->validation.n);
    snprintf(data->name + used, sizeof data->name - (size_t)used, "%zu %s%s", data->test.n, kind,
             data->test.n ? "" : " (no test split: tested on the training images)");
}

/* Hands `data` out, unless something failed. */
static vae_status finish(vae_data **out, vae_data *data, const char *source, vae_status status)
{
    if (status) {
        vae_data_free(&data);
        return status;
    }
    data->validation.split = VAE_VALIDATION;
    data->test.split = VAE_TEST;
    strcpy(data->source, source);
    data->train.source = data->validation.source = data->test.source = data->source;
    describe(data);
    *out = data;
    return VAE_OK;
}

static vae_status check_length(const char *source, vae_error *err)
{
    if (strlen(source) < VAE_MAX_SOURCE) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "data: longer than %d characters", VAE_MAX_SOURCE - 1);
}

vae_status vae_data_open(vae_data **out, const char *source, double holdout, double validation, uint64_t seed,
                         vae_error *err)
{
    if (!(holdout >= 0 && holdout <= 1 && validation >= 0 && validation <= 1))
        return vae_fail(err, VAE_E_USAGE, "shares of images: holdout %g, validation %g (expected 0 to 1)", holdout,
                        validation);
    vae_status status = check_length(source, err);
    if (status) return status;
    vae_data *data = mem_new(1, sizeof *data, err);
    if (!data) return VAE_E_MEMORY;
    status = open_any(data, source, err);
    if (!status && !data->test.n && !is_builtin(source)) status = split_test(data, holdout, seed, err);
    if (!status && validation > 0) status = split_validation(data, validation, seed, err);
    return finish(out, data, source, status);
}

vae_status vae_data_open_whole(vae_data **out, const char *source, vae_error *err)
{
    vae_status status = check_length(source, err);
    if (status) return status;
    vae_data *data = mem_new(1, sizeof *data, err);
    if (!data) return VAE_E_MEMORY;
    status = finish(out, data, source, open_any(data, source, err));
    if (!status && !(*out)->test.n) (*out)->train.split = VAE_ALL;
    return status;
}

vae_status vae_data_read(vae_data **out, const char *path, vae_error *err)
{
    vae_status status = check_length(path, err);
    if (status) return status;
    vae_data *data = mem_new(1, sizeof *data, err);
    if (!data) return VAE_E_MEMORY;
    return finish(out, data, path, format_read(NULL, path, IN_MEMORY, &data->train, err));
}

void vae_data_free(vae_data **data)
{
    if (!data || !*data) return;
    images_free(&(*data)->train);
    images_free(&(*data)->validation);
    images_free(&(*data)->test);
    free((*data)->label_name);
    free(*data);
    *data = NULL;
}
