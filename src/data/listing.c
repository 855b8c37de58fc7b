/* SPDX-License-Identifier: MIT */
#include "data/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"

static int is_shown(const struct dirent *entry) { return entry->d_name[0] != '.'; }

static int by_bytes(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

vae_status listing_open(struct listing *listing, const char *folder, vae_error *err)
{
    struct dirent **entries = NULL;
    *listing = (struct listing){.folder = folder};
    const int n = scandir(folder, &entries, is_shown, by_bytes);
    if (n < 0 && errno == ENOMEM) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", folder);
    if (n < 0) return vae_fail(err, VAE_E_DATA, "%s: cannot open folder: %s", folder, strerror(errno));
    listing->name = mem_new((size_t)n, sizeof *listing->name, err);
    vae_status status = listing->name ? VAE_OK : VAE_E_MEMORY;
    for (int i = 0; i < n; i++) {
        if (!status && !(listing->name[listing->n++] = strdup(entries[i]->d_name)))
            status = vae_fail(err, VAE_E_MEMORY, "%s: out of memory", folder);
        free(entries[i]);
    }
    free(entries);
    if (status) listing_close(listing);
    return status;
}

void listing_close(struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++) free(listing->name[i]);
    free(listing->name);
    *listing = (struct listing){0};
}

bool listing_has(const struct listing *listing, const char *name)
{
    for (size_t i = 0; i < listing->n; i++)
        if (!strcmp(listing->name[i], name)) return true;
    return false;
}

const char *join(char path[MAX_PATH], const char *folder, const char *name)
{
    snprintf(path, MAX_PATH, "%s/%s", folder, name);
    return path;
}

bool is_folder(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

bool has_suffix(const char *name, const char *suffix)
{
    const size_t length = strlen(name), end = strlen(suffix);
    return length >= end && !strcasecmp(name + length - end, suffix);
}
