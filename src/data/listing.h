/* SPDX-License-Identifier: MIT
 *
 * The names in a folder, in the order of their bytes, whatever locale and file system say. */
#ifndef VAE_LISTING_H
#define VAE_LISTING_H

#include "data/stream.h"
#include "vae.h"

struct listing {
    const char *folder;
    char **name;
    size_t n;
};

/* Hidden files and folders are left out. */
vae_status listing_open(struct listing *listing, const char *folder, vae_error *err);
void listing_close(struct listing *listing);

bool listing_has(const struct listing *listing, const char *name);
/* FOLDER/NAME in `path`, which is returned. */
const char *join(char path[MAX_PATH], const char *folder, const char *name);
/* Is it one, or a link to one? */
bool is_folder(const char *path);
bool has_suffix(const char *name, const char *suffix); /* in letters of either case */

#endif
