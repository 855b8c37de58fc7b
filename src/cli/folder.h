/* SPDX-License-Identifier: MIT
 *
 * A run folder: made once, locked while a training uses it, runs/latest pointing at the newest. */
#ifndef VAE_FOLDER_H
#define VAE_FOLDER_H

#include "cli/command.h"

/* Where this folder is in a run's, its files are the run: see staging.h. */
#define FOLDER_PENDING ".vaectl-replace"

struct folder {
    char path[PATH_MAX_RUN], model[PATH_MAX_RUN], best[PATH_MAX_RUN], metrics[PATH_MAX_RUN];
    bool made; /* it was not there before */
    int lock;  /* file descriptor of the folder; closing it, also by dying, unlocks */
};

/* Makes and locks the folder `given`, or runs/PRIOR-DATE-TIME where it is NULL. VAE_E_EXISTS where it is there with
 * anything in it (and not `force`), or in use by another process. What a killed process left in it is put right. */
vae_status folder_make(struct folder *folder, const char *given, const char *prior, bool force, vae_error *err);
/* Locks a folder that is there, and puts right what a killed process left; VAE_E_MODEL where it is not there,
 * VAE_E_EXISTS where it is in use. */
vae_status folder_open(struct folder *folder, const char *path, vae_error *err);
/* Lets runs/latest point at the folder; says so on stderr where it cannot. A folder that is not below the working
 * directory makes no runs there. Does runs/latest point at it now? */
bool folder_publish(const struct folder *folder);
/* Replaces what of a path goes through a link by what the link leads to now: runs/latest soon leads elsewhere. */
void folder_follow_links(char path[PATH_MAX_RUN]);
/* Has the folder that is locked still its name? VAE_E_WRITE where it was moved, or another stands in its place. */
vae_status folder_check(const struct folder *folder, vae_error *err);
/* The checkpoint that stays after an epoch: FOLDER/epoch-0010.safetensors. */
void folder_epoch(const struct folder *folder, uint64_t epoch, char path[PATH_MAX_RUN]);
/* The epochs of such checkpoints in the folder `path`, ascending; the caller frees the list. VAE_E_MODEL where it
 * cannot be read. */
vae_status folder_epochs(const char *path, uint64_t **epochs, size_t *n, vae_error *err);
/* Fills in the names of the files from that of the folder. */
void folder_name_files(struct folder *folder);
/* Is it the name of one of these files? */
bool folder_is_own(const char *name);
/* Is a replacement of the run in this folder under way? */
bool folder_is_pending(const char *path);
void folder_close(struct folder *folder);

#endif
