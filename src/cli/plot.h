/* SPDX-License-Identifier: MIT
 *
 * Plots of one or several runs. A kind of plot is one file, plot_KIND.c, ending in a `const struct plot`, with a line
 * in the list below. */
#ifndef VAE_CLI_PLOT_H
#define VAE_CLI_PLOT_H

#include "cli/picture.h"

enum { PLOT_RUNS = 16 };

struct plot_run {
    char path[PATH_MAX_RUN]; /* of the model file */
    vae_model *model;
    char name[PICTURE_NAME]; /* tells it from the others: its prior where these differ, else the name of its folder */
};

/* What is to be drawn. */
struct plot_job {
    const struct arguments *arguments;
    size_t n;
    struct plot_run *run; /* (n), one or more */
    struct picture picture;
};

struct plot {
    const char *name, *summary;
    const char *output;       /* default: "KIND.svg" */
    size_t most;              /* runs that it can show */
    const char *const *flags; /* names of flags of `plot` that it takes beside those of all plots; NULL ends them, or is
                                 there for none */
    /* One of the two: makes the figure, which the caller frees, or writes the file by itself and says so. */
    vae_status (*figure)(const struct plot_job *job, vae_figure **figure, vae_error *err);
    vae_status (*write)(const struct plot_job *job, vae_error *err);
};

/* All kinds, in the order of help texts. */
#define PLOTS(X) X(curves) X(kl) X(latents) X(scatter) X(manifold) X(fields) X(prior) X(animation)

#define DECLARE_PLOT(name) extern const struct plot plot_##name;
PLOTS(DECLARE_PLOT)
#undef DECLARE_PLOT

#endif
