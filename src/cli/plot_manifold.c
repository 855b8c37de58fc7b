/* SPDX-License-Identifier: MIT
 *
 * The decoded plane of two latents (Kingma & Welling 2014, figure 4), the others at the middle of their range: the
 * first latent to the right, the second upwards, in steps between quantiles of the prior (see latents.h). Of a model
 * with one latent, a row. */
#include <stdlib.h>
#include <string.h>

#include "cli/latents.h"
#include "cli/plot.h"

enum { MOST_STEPS = 51 };

struct plane {
    size_t dims[2], across, down;
    float *z; /* (down * across, L) */
    char (*name)[LATENT_NAME];
    const char **labels, **columns;
};

static void free_plane(struct plane *p)
{
    free(p->z);
    free(p->name);
    free(p->labels);
    free(p->columns);
}

static vae_status take_plane(struct plane *p, size_t steps, size_t L, vae_error *err)
{
    p->across = steps;
    p->down = L > 1 ? steps : 1;
    p->z = calloc(p->down * p->across * L, sizeof *p->z);
    p->name = calloc(p->down + p->across, sizeof *p->name);
    p->labels = calloc(p->down, sizeof *p->labels);
    p->columns = calloc(p->across, sizeof *p->columns);
    if (p->z && p->name && p->labels && p->columns) return VAE_OK;
    return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu tiles", p->down * p->across);
}

static void fill_plane(struct plane *p, const struct latent_range *range, size_t L)
{
    latents_middle(range, L, p->z);
    for (size_t i = p->down * p->across; i-- > 0;) { /* the first, which has the middle, at last */
        float *z = p->z + i * L;
        if (i) memcpy(z, p->z, L * sizeof *z);
        z[p->dims[0]] = (float)latents_place(range, p->dims[0], i % p->across, p->across);
        if (p->down > 1) z[p->dims[1]] = (float)latents_place(range, p->dims[1], p->down - 1 - i / p->across, p->down);
    }
}

static void name_places(struct plane *p, size_t L)
{
    for (size_t c = 0; c < p->across; c++) {
        latents_place_name((double)p->z[c * L + p->dims[0]], p->name[c]);
        p->columns[c] = p->name[c];
    }
    for (size_t r = 0; r < p->down && L > 1; r++) {
        char *name = p->name[p->across + r];
        latents_place_name((double)p->z[r * p->across * L + p->dims[1]], name);
        p->labels[r] = name;
    }
}

static vae_status decode(const struct plot_job *job, struct plane *p, vae_figure *figure, vae_error *err)
{
    const vae_model *model = job->run->model;
    const bool plane = p->down > 1;
    char right[LATENT_NAME], up[LATENT_NAME];
    latents_name(model, p->dims[0], right);
    latents_name(model, p->dims[1], up);
    vae_grid grid = {.down = p->down,
                     .across = p->across,
                     .columns = p->columns,
                     .labels = plane ? p->labels : NULL,
                     .right = right,
                     .up = plane ? up : NULL};
    float *tiles = NULL;
    vae_model_shape(model, &grid.rows, &grid.cols);
    vae_status status = latents_decode(job->arguments, model, p->down * p->across, p->z, &tiles, err);
    grid.tiles = tiles;
    if (!status) vae_panel_tiles(vae_figure_panel(figure, NULL), &grid);
    free(tiles);
    return status;
}

static vae_status make_figure(const struct plot_job *job, const struct plane *p, const struct latent_range *range,
                              vae_figure **figure, vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64], note[160];
    picture_model_name(job->run->model, name);
    snprintf(title, sizeof title, "Decoded latents: %s", name);
    if (p->down > 1)
        snprintf(note, sizeof note, "z%zu to the right, z%zu upwards, %s.", p->dims[0], p->dims[1], range->name);
    else
        snprintf(note, sizeof note, "z0 to the right, %s.", range->name);
    return vae_figure_new(figure, title, note, 1, err);
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    const vae_model *model = job->run->model;
    const size_t L = (size_t)vae_model_config(model)->latent;
    struct plane p = {0};
    struct latent_range range = {0};
    uint64_t steps;
    vae_status status = argument_count(job->arguments, "steps", 1, MOST_STEPS, L > 1 ? 15 : 11, &steps, err);
    if (!status) status = latents_check_images(job->arguments, err);
    if (!status) status = run_check_pictures("plot manifold", model, err);
    if (!status && (L > 1 || argument(job->arguments, "dims")))
        status = latents_dims(job->arguments, model, p.dims, err);
    if (!status) status = latents_range(job->arguments, model, &range, err);
    if (!status) status = take_plane(&p, (size_t)steps, L, err);
    if (!status) {
        fill_plane(&p, &range, L);
        name_places(&p, L);
        status = make_figure(job, &p, &range, figure, err);
    }
    if (!status) status = decode(job, &p, *figure, err);
    free_plane(&p);
    latents_range_free(&range);
    return status;
}

static const char *const flags[] = {"data", "split", "range", "steps", "dims", "label", NULL};

const struct plot plot_manifold = {
    .name = "manifold",
    .summary = "the decoded plane of two latents",
    .output = "manifold.svg",
    .most = 1,
    .flags = flags,
    .figure = figure,
};
