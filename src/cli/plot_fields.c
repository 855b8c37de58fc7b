/* SPDX-License-Identifier: MIT
 *
 * What each latent does to the decoded image: its change for each unit of z where all latents are at the prior's
 * median, a central difference,
 *
 *     (x(m + h e_j) - x(m - h e_j)) / 2h,   h = 0.1
 *
 * of mean images x(z). Of a linear decoder these are its weights. Latents are in the order of their KL; all have one
 * scale of colours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/latents.h"
#include "cli/plot.h"

enum { IN_A_ROW = 10, MOST_SHOWN = 200 };
static const double STEP = 0.1;

/* Both ends of each latent's step, at `shown` latents of largest KL: z (2 * shown, L). */
static void fill(const struct latent_range *middle, const size_t *order, size_t shown, size_t L, float *z)
{
    latents_middle(middle, L, z);
    for (size_t i = 2 * shown; i-- > 0;) {
        if (i) memcpy(z + i * L, z, L * sizeof *z);
        z[i * L + order[i / 2]] += (float)(i % 2 ? STEP : -STEP);
    }
}

/* Pairs of images (2 * shown, D) to fields (shown, D), which take their place, between -1 and 1; returns what 1 is. */
static double subtract(size_t shown, size_t D, float *x)
{
    double most = 0;
    for (size_t i = 0; i < shown; i++)
        for (size_t k = 0; k < D; k++) {
            const double low = (double)x[2 * i * D + k], high = (double)x[(2 * i + 1) * D + k];
            x[i * D + k] = (float)((high - low) / (2 * STEP));
            most = fmax(most, fabs((double)x[i * D + k]));
        }
    for (size_t i = 0; i < shown * D && most > 0; i++) x[i] = (float)((double)x[i] / most);
    return most;
}

/* Rows of tiles, each a panel, as names stand above the tiles; the last has the bar of colours, which is that of all.
 */
static void draw(const vae_model *model, const size_t *order, size_t shown, const float *fields, double unit,
                 vae_figure *figure)
{
    vae_grid grid = {.down = 1, .diverging = true};
    vae_model_shape(model, &grid.rows, &grid.cols);
    for (size_t first = 0; first < shown; first += IN_A_ROW) {
        char name[IN_A_ROW][LATENT_NAME];
        const char *columns[IN_A_ROW];
        grid.across = shown - first < IN_A_ROW ? shown - first : IN_A_ROW;
        for (size_t c = 0; c < grid.across; c++) {
            snprintf(name[c], sizeof name[c], "z%zu", order[first + c]);
            columns[c] = name[c];
        }
        grid.columns = columns;
        grid.unit = first + IN_A_ROW < shown ? 0 : unit;
        grid.tiles = fields + first * grid.rows * grid.cols;
        vae_panel_tiles(vae_figure_panel(figure, NULL), &grid);
    }
}

static vae_status compute(const struct plot_job *job, const size_t *order, size_t shown, float **x, vae_error *err)
{
    const vae_model *model = job->run->model;
    const size_t L = (size_t)vae_model_config(model)->latent;
    struct latent_range middle = {0};
    float *z = calloc(2 * shown * L, sizeof *z);
    vae_status status = z ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", shown);
    if (!status) status = latents_range(job->arguments, model, &middle, err);
    if (!status) {
        fill(&middle, order, shown, L, z);
        status = latents_decode(job->arguments, model, 2 * shown, z, x, err);
    }
    latents_range_free(&middle);
    free(z);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    const vae_model *model = job->run->model;
    const size_t L = (size_t)vae_model_config(model)->latent, shown = L < MOST_SHOWN ? L : MOST_SHOWN;
    char name[PICTURE_NAME], title[PICTURE_NAME + 64], which[64], note[160];
    size_t rows, cols, *order = calloc(L, sizeof *order);
    float *x = NULL;
    vae_status status = order ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    vae_model_shape(model, &rows, &cols);
    picture_model_name(model, name);
    snprintf(title, sizeof title, "Receptive fields of the decoder: %s", name);
    snprintf(note, sizeof note, "Change of the decoded image for each unit of z, at the prior's median; %s.",
             latents_largest(shown, L, which));
    if (!status) latents_order(vae_model_kl_per_dim(model), L, order);
    if (!status) status = run_check_pictures("plot fields", model, err);
    if (!status) status = compute(job, order, shown, &x, err);
    if (!status) status = vae_figure_new(figure, title, note, 1, err);
    if (!status) {
        const double unit = subtract(shown, rows * cols, x);
        draw(model, order, shown, x, unit, *figure);
    }
    free(order);
    free(x);
    return status;
}

static const char *const flags[] = {"label", NULL};

const struct plot plot_fields = {
    .name = "fields",
    .summary = "what each latent changes in the decoded image",
    .output = "fields.svg",
    .most = 1,
    .flags = flags,
    .figure = figure,
};
