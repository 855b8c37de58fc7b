/* SPDX-License-Identifier: MIT
 *
 * A folder of arrays, each a file for a split, and beside it labels that are in a file of their own:
 *
 *     train.npy   train-labels.npy     or  train.csv
 *     test.npy    test-labels.npy          test.csv
 *
 * Without test.* a share of train.* is held out, as of a single file. */
#include "base/memory.h"
#include "data/folder.h"
#include "data/format.h"
#include "data/source.h"

static const char *const files[][2] = {{"train.npy", "test.npy"}, {"train.csv", "test.csv"}};

static vae_status add_labels(vae_images *images, const char *path, vae_error *err)
{
    if (images->labels) return vae_fail(err, VAE_E_DATA, "%s: labels, and its rows have a column of them", path);
    images->labels = mem_new(images->n, 1, err);
    return images->labels ? vae_labels_read(path, images->n, images->labels, err) : VAE_E_MEMORY;
}

static vae_status open_split(vae_images *images, const struct listing *listing, const char *name, const char *labels,
                             size_t most, vae_error *err)
{
    char path[MAX_PATH];
    vae_status status = format_read(NULL, join(path, listing->folder, name), most, images, err);
    if (status || !listing_has(listing, labels)) return status;
    return add_labels(images, join(path, listing->folder, labels), err);
}

static vae_status open_arrays(vae_data *data, const struct listing *listing, const struct source_options *options,
                              vae_error *err)
{
    const bool both = listing_has(listing, files[0][0]) && listing_has(listing, files[1][0]);
    const char *const *names = files[listing_has(listing, files[0][0]) ? 0 : 1];
    if (both)
        return vae_fail(err, VAE_E_DATA, "%s: %s and %s (expected one of them)", listing->folder, files[0][0],
                        files[1][0]);
    vae_status status = open_split(&data->train, listing, names[0], "train-labels.npy", options->most, err);
    if (status || !listing_has(listing, names[1])) return status;
    status = open_split(&data->test, listing, names[1], "test-labels.npy", options->most, err);
    if (!status && !data->train.values != !data->test.values)
        status = vae_fail(err, VAE_E_DATA, "%s: only one of its splits has real numbers, the other one bytes",
                          listing->folder);
    return status ? status : data_check_splits(data, listing->folder, err);
}

static vae_status is_arrays(const struct listing *listing, bool *is, vae_error *err)
{
    (void)err;
    *is = listing_has(listing, files[0][0]) || listing_has(listing, files[1][0]);
    return VAE_OK;
}

const struct folder_ops folder_arrays = {.is = is_arrays, .open = open_arrays};
