/* SPDX-License-Identifier: MIT
 *
 * Files that a command is to write. What would lose one of them, or what the command reads, is said before the work. */
#ifndef VAE_OUTPUTS_H
#define VAE_OUTPUTS_H

#include "vae.h"

/* Each of n paths, of which some may be NULL, must be no folder and in one that may be written in (VAE_E_WRITE), none
 * may be a model or the metrics beside one, and no two may name one file (VAE_E_USAGE). */
vae_status outputs_check(const char *const *path, size_t n, vae_error *err);
/* A path that is `source`, a file or a folder, or a file in it, is refused: VAE_E_USAGE. Options behind a colon of
 * `source` are none of its name. */
vae_status outputs_spare(const char *path, const char *source, vae_error *err);

#endif
