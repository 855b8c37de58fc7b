/* SPDX-License-Identifier: MIT
 *
 * Kinds of folders that are a source of data, told apart by the names in them. A kind is one file that ends in a `const
 * struct folder_ops` and stands in the list below. */
#ifndef VAE_FOLDER_H
#define VAE_FOLDER_H

#include "data/listing.h"
#include "vae.h"

/* What may stand behind the path of a source: PATH:set=NAME,size=N. */
struct source_options {
    char set[VAE_MAX_NAME]; /* one of several in a folder; "": not given */
    uint64_t size;          /* pictures become N x N; 0: not given */
    size_t most;            /* bytes of pixels that a plain file may have before they stay in it */
};

struct folder_ops {
    /* Fails for want of memory alone. */
    vae_status (*is)(const struct listing *listing, bool *is, vae_error *err);
    /* Fills train, and test if the folder has one, and names of labels, of a zeroed vae_data; what it allocated before
     * failing is freed by the caller. */
    vae_status (*open)(vae_data *data, const struct listing *listing, const struct source_options *options,
                       vae_error *err);
};

/* All kinds: folder_NAME. The first says what it expected where a folder is of no kind. */
#define FOLDERS(X) X(mnist) X(cifar) X(pngs) X(arrays)

#define DECLARE_FOLDER(name) extern const struct folder_ops folder_##name;
FOLDERS(DECLARE_FOLDER)
#undef DECLARE_FOLDER

/* Are the images of training and testing there, under the MNIST file names? */
bool mnist_is_whole(const char *folder);

/* Have training and test images one size, and both labels or neither? */
vae_status data_check_splits(const vae_data *data, const char *folder, vae_error *err);
/* Room for names of labels 0 .. n-1. */
vae_status data_name_labels(vae_data *data, size_t n, vae_error *err);

#endif
