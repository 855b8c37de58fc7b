/* SPDX-License-Identifier: MIT
 *
 * A run that takes the place of another does so at one moment, whatever happens. Its first files are written into
 * RUN/.vaectl-new, which nobody reads. Renamed to RUN/.vaectl-replace they are the run: as long as that folder is
 * there, its files are read and not those beside it. They are copied into RUN then, files of the old run that the new
 * one has not are removed, and the folder goes. Whoever holds the run's lock next finishes what was interrupted. */
#ifndef VAE_STAGING_H
#define VAE_STAGING_H

#include "cli/folder.h"

/* Makes RUN/.vaectl-new, whose files `staged` names. Fails also where a file in RUN could not be replaced. */
vae_status staging_open(const struct folder *folder, struct folder *staged, vae_error *err);
/* Removes it with all that was written into it. An error that `err` has keeps standing, and names files as they would
 * be called in RUN; its status is returned. */
vae_status staging_drop(const struct folder *folder, vae_status status, vae_error *err);
/* Its files are the run from here on: both where this fails before that moment (then it is dropped) and where it fails
 * later the run is whole. */
vae_status staging_commit(const struct folder *folder, vae_error *err);
/* In a folder that is locked: finishes a replacement, and removes what killed processes have left. */
vae_status staging_settle(const struct folder *folder, vae_error *err);
/* Does a killed process leave entries of this name in the folder of a run? */
bool staging_is_left(const char *name);
/* Is there room for `files` more files as large as this model's? */
vae_status staging_try(const struct folder *folder, const vae_model *model, size_t files, vae_error *err);
/* VAE_E_EXISTS where there is anything in the folder but what a killed process may have left before its run was there.
 */
vae_status staging_refuse(const struct folder *folder, vae_error *err);

#endif
