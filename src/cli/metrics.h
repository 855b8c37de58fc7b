/* SPDX-License-Identifier: MIT
 *
 * metrics.csv of a run: a header and a row an epoch, kept in memory and written whole, so that the file on disk is
 * whole at every moment. */
#ifndef VAE_CLI_METRICS_H
#define VAE_CLI_METRICS_H

#include "cli/array.h"
#include "vae.h"

struct metrics {
    const char *path;
    bool validates; /* there is a validation split, and a column for it */
    size_t columns;
    struct text rows;
};

/* With the header alone. The path stays the caller's. */
vae_status metrics_open(struct metrics *metrics, const char *path, bool validates, vae_error *err);
void metrics_close(struct metrics *metrics);
/* Adds the whole rows of epochs 1 .. `epochs` that the file has, in their order; says on stderr what is missing. Fails
 * where there is a file that cannot be read, as it would be replaced. */
vae_status metrics_keep(struct metrics *metrics, uint64_t epochs, vae_error *err);
void metrics_add(struct metrics *metrics, const vae_metrics *row);
/* Into the file `path`, of this run or of one that is to become it. */
vae_status metrics_write(struct metrics *metrics, const char *path, vae_error *err);

/* The whole rows of a metrics.csv in ascending epochs, which the caller frees; NaN or 0 where there is no such column.
 * NULL and 0 where there is no file. */
vae_status metrics_read(const char *path, vae_metrics **rows, size_t *n, vae_error *err);

/* The losses that curves over epochs show, by the name of each: the same quantity of the training batches as they went
 * and of the test split. (train_loss, which is what is optimised, may have a beta and more, and is no -ELBO.) */
enum { METRICS_CURVES = 3 };
extern const char *const metrics_curves[METRICS_CURVES];
void metrics_losses(const vae_metrics *row, size_t curve, double *train, double *test);

#endif
