/* SPDX-License-Identifier: MIT
 *
 * CIFAR-10's binary version (https://www.cs.toronto.edu/~kriz/cifar.html): an image is 3073 bytes, its label from 0 to
 * 9 and the 32 x 32 red, green and blue values, colour by colour. It becomes grey. Such a file has nothing that tells
 * it from others, so it is known by the end of its name, .bin; the folder by those of its files. */
#include "data/cifar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/folder.h"
#include "data/format.h"
#include "data/grey.h"
#include "data/source.h"

enum { SIDE = 32, COLOUR = SIDE * SIDE, ROW = 1 + 3 * COLOUR, CLASSES = 10, BATCHES = 5 };

/* ---- One file --------------------------------------------------------------------------------------------------- */

static vae_status take_row(const struct input *input, vae_images *images, size_t i, const uint8_t row[ROW],
                           vae_error *err)
{
    const uint8_t *red = row + 1;
    if (row[0] >= CLASSES)
        return vae_fail(err, VAE_E_DATA, "%s: image %zu has label %d (expected 0 to %d, as in CIFAR-10's .bin files)",
                        input->path, i, row[0], CLASSES - 1);
    images->labels[i] = row[0];
    for (size_t k = 0; k < COLOUR; k++)
        images->pixels[i * COLOUR + k] = grey_of(red[k], red[k + COLOUR], red[k + 2 * COLOUR]);
    return VAE_OK;
}

static vae_status read_images(const struct input *input, size_t most, vae_images *images, vae_error *err)
{
    (void)most; /* grey ones are a third of the file */
    const size_t n = input->size / ROW;
    uint8_t row[ROW + 1];
    if (input->compressed || n == 0 || n > MAX_IMAGES || input->size % ROW)
        return vae_fail(err, VAE_E_DATA, "%s: %zu bytes%s (expected a multiple of %d, as CIFAR-10's .bin files have)",
                        input->path, input->size, input->compressed ? ", compressed" : "", ROW);
    vae_status status = images_new(images, n, SIDE, SIDE, true, err);
    for (size_t i = 0; i < n && !status; i++) {
        status = i + 1 < n ? input_read(input, row, ROW, err) : input_read_last(input, row, ROW, err);
        if (!status) status = take_row(input, images, i, row, err);
    }
    return status;
}

static const struct format_ops format_cifar = {.name = "CIFAR-10", .read = read_images}; /* not in the list */

bool cifar_is_file(const char *path) { return has_suffix(path, ".bin"); }

vae_status cifar_read(const char *path, vae_images *images, vae_error *err)
{
    return format_read(&format_cifar, path, 0, images, err);
}

/* ---- The folder ------------------------------------------------------------------------------------------------- */

/* Adds the images of a file behind those that are there. */
static vae_status add_batch(vae_images *all, const char *folder, const char *name, vae_error *err)
{
    char path[MAX_PATH];
    vae_images batch, both;
    vae_status status = cifar_read(join(path, folder, name), &batch, err);
    if (status) return status;
    status = images_new(&both, all->n + batch.n, SIDE, SIDE, true, err);
    if (!status) {
        if (all->n) memcpy(both.pixels, all->pixels, all->n * COLOUR);
        if (all->n) memcpy(both.labels, all->labels, all->n);
        memcpy(both.pixels + all->n * COLOUR, batch.pixels, batch.n * COLOUR);
        memcpy(both.labels + all->n, batch.labels, batch.n);
        images_free(all);
        *all = both;
    }
    images_free(&batch);
    return status;
}

static vae_status name_classes(vae_data *data, vae_error *err)
{
    static const char *const names[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                               "dog",      "frog",       "horse", "ship", "truck"};
    vae_status status = data_name_labels(data, CLASSES, err);
    for (size_t i = 0; i < CLASSES && !status; i++) strcpy(data->label_name[i], names[i]);
    return status;
}

static vae_status open_cifar(vae_data *data, const struct listing *listing, const struct source_options *options,
                             vae_error *err)
{
    char name[32];
    vae_status status = VAE_OK;
    (void)options;
    for (int i = 1; i <= BATCHES && !status; i++) {
        snprintf(name, sizeof name, "data_batch_%d.bin", i);
        status = add_batch(&data->train, listing->folder, name, err);
    }
    if (!status) status = add_batch(&data->test, listing->folder, "test_batch.bin", err);
    return status ? status : name_classes(data, err);
}

static vae_status is_cifar(const struct listing *listing, bool *is, vae_error *err)
{
    (void)err;
    *is = listing_has(listing, "data_batch_1.bin") || listing_has(listing, "test_batch.bin");
    return VAE_OK;
}

const struct folder_ops folder_cifar = {.is = is_cifar, .open = open_cifar};
