/* SPDX-License-Identifier: MIT
 *
 * A folder of PNG files of one size. Images come in the order of the bytes of their names, so that no locale and no
 * file system changes it.
 *
 *     FOLDER/a.png ...              images without labels
 *     FOLDER/cat/a.png ...          sub-folders are labels: the first in that order is 0
 *     FOLDER/train/..., FOLDER/test/...   two splits, each as above with the same sub-folders; also training, testing
 *
 * Other files in them are of no interest, nor are folders without PNG files. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/folder.h"
#include "data/format.h"
#include "data/source.h"

enum { MAX_LABELS = 256 };

static bool is_png(const char *name) { return has_suffix(name, ".png"); }

static bool has_pngs(const struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++)
        if (is_png(listing->name[i])) return true;
    return false;
}

/* Opens FOLDER/NAME if that is a folder with PNG files; its listing is else empty. */
static vae_status open_label(struct listing *label, char path[MAX_PATH], const char *folder, const char *name,
                             vae_error *err)
{
    *label = (struct listing){0};
    if (!is_folder(join(path, folder, name))) return VAE_OK;
    vae_status status = listing_open(label, path, err);
    if (!status && !has_pngs(label)) listing_close(label);
    return status;
}

/* ---- Images ----------------------------------------------------------------------------------------------------- */

/* A split while it grows. */
struct pile {
    vae_images *images;
    size_t room;          /* in images */
    char first[MAX_PATH]; /* the file that says what size they have */
};

static vae_status grow(struct pile *pile, size_t D, bool labelled, vae_error *err)
{
    vae_images *images = pile->images;
    if (images->n < pile->room) return VAE_OK;
    const size_t room = 2 * pile->room + 16;
    uint8_t *pixels = realloc(images->pixels, room * D);
    uint8_t *labels = labelled ? realloc(images->labels, room) : NULL;
    if (pixels) images->pixels = pixels;
    if (labels) images->labels = labels;
    pile->room = room;
    return pixels && (labels || !labelled)
               ? VAE_OK
               : vae_fail(err, VAE_E_MEMORY, "%s: out of memory (%zu images)", pile->first, room);
}

/* Adds an image; label -1: none. */
static vae_status add(struct pile *pile, const vae_images *image, int label, const char *path, vae_error *err)
{
    vae_images *images = pile->images;
    const size_t D = image->rows * image->cols;
    if (images->n == 0) {
        images->rows = image->rows;
        images->cols = image->cols;
        strcpy(pile->first, path);
    }
    if (image->rows != images->rows || image->cols != images->cols)
        return vae_fail(err, VAE_E_DATA, "%s: %zu x %zu pixels, but %s has %zu x %zu (expected images of one size)",
                        path, image->rows, image->cols, pile->first, images->rows, images->cols);
    vae_status status = grow(pile, D, label >= 0, err);
    if (status) return status;
    memcpy(images->pixels + images->n * D, image->pixels, D);
    if (label >= 0) images->labels[images->n] = (uint8_t)label;
    images->n++;
    return VAE_OK;
}

static vae_status add_files(struct pile *pile, const struct listing *listing, int label, vae_error *err)
{
    char path[MAX_PATH];
    vae_images image;
    vae_status status = VAE_OK;
    for (size_t i = 0; i < listing->n && !status; i++) {
        if (!is_png(listing->name[i])) continue;
        status = format_read(&format_png, join(path, listing->folder, listing->name[i]), 0, &image, err);
        if (status) return status;
        status = add(pile, &image, label, path, err);
        images_free(&image);
    }
    return status;
}

/* ---- Labels ----------------------------------------------------------------------------------------------------- */

/* The label that a sub-folder stands for. The first split names them, the other one has the same. */
static vae_status label_of(vae_data *data, const struct pile *pile, const char *name, const char *path, int *label,
                           vae_error *err)
{
    for (size_t i = 0; i < data->label_names; i++)
        if (!strcmp(data->label_name[i], name)) return *label = (int)i, VAE_OK;
    if (pile->images == &data->test) return vae_fail(err, VAE_E_DATA, "%s: a label that no training image has", path);
    if (data->label_names == MAX_LABELS)
        return vae_fail(err, VAE_E_DATA, "%s: a folder too many (expected at most %d, which are labels)", path,
                        MAX_LABELS);
    *label = (int)data->label_names++;
    strncpy(data->label_name[*label], name, sizeof data->label_name[*label] - 1);
    return VAE_OK;
}

static vae_status add_labels(vae_data *data, struct pile *pile, const struct listing *listing, vae_error *err)
{
    char path[MAX_PATH];
    const bool flat = has_pngs(listing);
    struct listing label;
    int number = 0;
    vae_status status = VAE_OK;
    for (size_t i = 0; i < listing->n && !status; i++) {
        status = open_label(&label, path, listing->folder, listing->name[i], err);
        if (status || !label.n) continue;
        if (flat)
            status = vae_fail(err, VAE_E_DATA, "%s: PNG files beside %s/ (expected either files or folders of them)",
                              listing->folder, listing->name[i]);
        if (!status) status = label_of(data, pile, listing->name[i], path, &number, err);
        if (!status) status = add_files(pile, &label, number, err);
        listing_close(&label);
    }
    return status;
}

static vae_status open_split(vae_data *data, vae_images *images, const struct listing *listing, vae_error *err)
{
    struct pile pile = {.images = images};
    vae_status status = add_labels(data, &pile, listing, err);
    if (!status) status = add_files(&pile, listing, -1, err);
    if (!status && !images->n) status = vae_fail(err, VAE_E_DATA, "%s: no PNG files in it", listing->folder);
    return status;
}

/* ---- The folder ------------------------------------------------------------------------------------------------- */

static const char *const splits[][2] = {{"train", "test"}, {"training", "testing"}};

/* The names of the two splits, or NULL. */
static const char *const *splits_of(const struct listing *listing)
{
    for (size_t i = 0; i < sizeof splits / sizeof *splits; i++)
        if (listing_has(listing, splits[i][0]) && listing_has(listing, splits[i][1])) return splits[i];
    return NULL;
}

static vae_status open_named(vae_data *data, vae_images *images, const char *folder, const char *name, vae_error *err)
{
    char path[MAX_PATH];
    struct listing listing;
    vae_status status = listing_open(&listing, join(path, folder, name), err);
    if (status) return status;
    status = open_split(data, images, &listing, err);
    listing_close(&listing);
    return status;
}

static vae_status open_pngs(vae_data *data, const struct listing *listing, const struct source_options *options,
                            vae_error *err)
{
    const char *const *names = splits_of(listing);
    (void)options;
    vae_status status = data_name_labels(data, MAX_LABELS, err);
    data->label_names = 0; /* so far */
    if (!status && !names) return open_split(data, &data->train, listing, err);
    if (!status) status = open_named(data, &data->train, listing->folder, names[0], err);
    if (!status) status = open_named(data, &data->test, listing->folder, names[1], err);
    return status ? status : data_check_splits(data, listing->folder, err);
}

/* PNG files in it or in a folder in it, or in one in that. A folder that cannot be opened has none. */
static vae_status has_pngs_within(const char *folder, int depth, bool *found, vae_error *err)
{
    char path[MAX_PATH];
    struct listing listing;
    vae_status status = listing_open(&listing, folder, err);
    if (status) return status == VAE_E_MEMORY ? status : VAE_OK;
    *found = has_pngs(&listing);
    for (size_t i = 0; i < listing.n && depth > 0 && !*found && !status; i++)
        if (is_folder(join(path, folder, listing.name[i]))) status = has_pngs_within(path, depth - 1, found, err);
    listing_close(&listing);
    return status;
}

static vae_status is_pngs(const struct listing *listing, bool *is, vae_error *err)
{
    return has_pngs_within(listing->folder, splits_of(listing) ? 2 : 1, is, err);
}

const struct folder_ops folder_pngs = {.is = is_pngs, .open = open_pngs};
