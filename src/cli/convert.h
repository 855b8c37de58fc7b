/* SPDX-License-Identifier: MIT
 *
 * Writing data as files of other formats. */
#ifndef VAE_CLI_CONVERT_H
#define VAE_CLI_CONVERT_H

#include "cli/command.h"

struct conversion {
    const char *to;     /* idx or npy */
    const char *output; /* a file, or, ending in a slash, a folder for both splits under the MNIST file names */
    const char *split;  /* train or test; NULL: the only one */
};

vae_status convert(const vae_data *data, const struct conversion *conversion, vae_error *err);

#endif
