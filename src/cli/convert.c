/* SPDX-License-Identifier: MIT
 *
 * IDX holds bytes, .npy bytes and real numbers. What was one set comes out in the order it had in its file. */
#include "cli/convert.h"
#include "cli/outputs.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { HEADER = 16 /* of images; that of labels is 8 */ };

/* ---- Images in their order -------------------------------------------------------------------------------------- */

static bool are_bytes(const vae_images *images) { return !images->values; }

/* Where image i goes: to where it was, if all that were with it are here. */
static size_t place_of(const vae_images *images, size_t i, bool all)
{
    return all && images->number ? images->number[i] : i;
}

/* Elements of all images behind `offset` bytes, in memory that the caller frees. */
static vae_status gather(const vae_images *images, bool all, size_t offset, uint8_t **out, vae_error *err)
{
    const size_t D = images->rows * images->cols, size = are_bytes(images) ? 1 : sizeof(float);
    uint8_t *bytes = malloc(offset + images->n * D * size);
    if (!bytes) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", images->n);
    vae_status status = VAE_OK;
    for (size_t i = 0; i < images->n && !status; i++) {
        const size_t place = place_of(images, i, all) * D;
        if (are_bytes(images))
            status = vae_images_read(images, i, 1, bytes + offset + place, err);
        else
            memcpy(bytes + offset + place * size, images->values + i * D, D * size);
    }
    *out = bytes;
    return status;
}

/* ---- IDX -------------------------------------------------------------------------------------------------------- */

static void put_header(uint8_t *bytes, size_t rank, const size_t *dim)
{
    const uint8_t magic[4] = {0, 0, 8, (uint8_t)rank};
    memcpy(bytes, magic, sizeof magic);
    for (size_t i = 0; i < rank; i++)
        for (size_t k = 0; k < 4; k++) bytes[4 + 4 * i + k] = (uint8_t)(dim[i] >> (24 - 8 * k));
}

static vae_status write_said(const char *path, const void *bytes, size_t size, vae_error *err)
{
    vae_status status = WHOLE(vae_write_file(path, bytes, size, err));
    if (!status) run_say_written(path);
    return status;
}

static vae_status write_idx(const char *path, const vae_images *images, bool all, vae_error *err)
{
    uint8_t *bytes = NULL;
    vae_status status = gather(images, all, HEADER, &bytes, err);
    if (!status) {
        put_header(bytes, 3, (const size_t[]){images->n, images->rows, images->cols});
        status = write_said(path, bytes, HEADER + images->n * images->rows * images->cols, err);
    }
    free(bytes);
    return status;
}

static vae_status write_labels(const char *path, const vae_images *images, bool all, vae_error *err)
{
    uint8_t *bytes = malloc(8 + images->n);
    if (!bytes) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu labels", images->n);
    put_header(bytes, 1, &images->n);
    for (size_t i = 0; i < images->n; i++) bytes[8 + place_of(images, i, all)] = images->labels[i];
    vae_status status = write_said(path, bytes, 8 + images->n, err);
    free(bytes);
    return status;
}

/* ---- .npy ------------------------------------------------------------------------------------------------------- */

static vae_status write_npy(const char *path, const vae_images *images, bool all, vae_error *err)
{
    uint8_t *bytes = NULL;
    vae_array array = {.element = are_bytes(images) ? VAE_U1 : VAE_F4,
                       .rank = images->rows > 1 ? 3 : 2,
                       .dim = {images->n, images->rows > 1 ? images->rows : images->cols, images->cols}};
    vae_status status = gather(images, all, 0, &bytes, err);
    array.at = bytes;
    if (!status) status = WHOLE(vae_write_npy(path, &array, err));
    if (!status) run_say_written(path);
    free(bytes);
    return status;
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

static vae_status write_split(const char *folder, const char *split, const vae_images *images, vae_error *err)
{
    char path[PATH_MAX_RUN];
    snprintf(path, sizeof path, "%s%s-images-idx3-ubyte", folder, split);
    vae_status status = write_idx(path, images, false, err);
    snprintf(path, sizeof path, "%s%s-labels-idx1-ubyte", folder, split);
    return status || !images->labels ? status : write_labels(path, images, false, err);
}

/* Files of another set, labels among them, would be taken for parts of this one. */
static vae_status check_free(const char *folder, vae_error *err)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte",
                                        "t10k-labels-idx1-ubyte"};
    for (size_t i = 0; i < 2 * sizeof names / sizeof *names; i++) {
        char path[PATH_MAX_RUN];
        struct stat info;
        snprintf(path, sizeof path, "%s%s%s", folder, names[i / 2], i % 2 ? ".gz" : "");
        if (!lstat(path, &info))
            return vae_fail(err, VAE_E_USAGE, "%s: is there already (expected a folder without it)", path);
    }
    return VAE_OK;
}

static vae_status write_folder(const vae_data *data, const struct conversion *c, vae_error *err)
{
    if (strcmp(c->to, "idx"))
        return vae_fail(err, VAE_E_USAGE, "-o %s: a folder is of IDX files (expected --to idx, or a file)", c->output);
    if (!data->test.n)
        return vae_fail(err, VAE_E_USAGE, "%s: has no test split (--holdout F takes one from it)", data->source);
    if (c->split) return vae_fail(err, VAE_E_USAGE, "--split: is of a single file, and a folder has both splits");
    if (strlen(c->output) > PATH_MAX_RUN - 64) return vae_fail(err, VAE_E_USAGE, "-o: too long");
    if (mkdir(c->output, 0777) && errno != EEXIST)
        return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", c->output, strerror(errno));
    vae_status status = check_free(c->output, err);
    if (!status) status = write_split(c->output, "train", &data->train, err);
    return status ? status : write_split(c->output, "t10k", &data->test, err);
}

static vae_status choose(const vae_data *data, const struct conversion *c, const vae_images **images, vae_error *err)
{
    const bool is_test = c->split && !strcmp(c->split, "test");
    *images = is_test ? &data->test : &data->train;
    if (!c->split && data->test.n)
        return vae_fail(err, VAE_E_USAGE,
                        "%s: has a training and a test split (expected --split train or test, or -o FOLDER/ for both)",
                        data->source);
    return (*images)->n
               ? VAE_OK
               : vae_fail(err, VAE_E_USAGE, "--split test: %s has no such split (--holdout F makes one)", data->source);
}

vae_status convert(const vae_data *data, const struct conversion *c, vae_error *err)
{
    const size_t length = strlen(c->output);
    const vae_images *images = &data->train;
    const bool is_folder = c->output[length - 1] == '/';
    if (!strcmp(c->to, "idx") && !are_bytes(images))
        return vae_fail(err, VAE_E_USAGE, "%s: real numbers, and IDX files hold bytes (expected --to npy)",
                        data->source);
    if (is_folder) return write_folder(data, c, err);
    vae_status status = choose(data, c, &images, err);
    if (!status) status = outputs_check(&c->output, 1, err);
    if (!status) status = outputs_spare(c->output, data->source, err);
    if (status) return status;
    if (images->labels)
        run_say("the labels are left out%s", are_bytes(images) ? " (--to idx -o FOLDER/ writes them, too)" : "");
    return strcmp(c->to, "idx") ? write_npy(c->output, images, !data->test.n, err)
                                : write_idx(c->output, images, !data->test.n, err);
}
