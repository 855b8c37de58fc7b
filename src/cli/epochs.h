/* SPDX-License-Identifier: MIT
 *
 * The table of epochs on stderr: a header, and a row of losses for each epoch. It fits the columns of the terminal:
 * where they are few, the less telling columns are left out. metrics.csv has them all. */
#ifndef VAE_CLI_EPOCHS_H
#define VAE_CLI_EPOCHS_H

#include "vae.h"

struct epochs {
    const vae_config *config;
    bool validates;  /* there is a validation split, and a column for it */
    bool repeats;    /* the header, before it is out of sight */
    int level, rows; /* which columns the last header has, and rows since then */
};

void epochs_begin(struct epochs *epochs, const vae_config *config, bool validates, bool repeats);
void epochs_row(struct epochs *epochs, const vae_metrics *metrics);

#endif
