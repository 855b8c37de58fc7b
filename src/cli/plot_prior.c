/* SPDX-License-Identifier: MIT
 *
 * Does the aggregate posterior follow the prior? A panel a latent, the largest KL first: a histogram of draws of
 * q(z|x) over the split, and the prior's density, from its distribution function between points near each other (see
 * vae_marginal_cdf). The axis covers all but half a per cent of the draws at each end, and at least the prior's middle
 * nine tenths. */
#include <math.h>
#include <stdlib.h>

#include "cli/latents.h"
#include "cli/plot.h"

enum { BINS = 48, POINTS = 241, IN_A_ROW = 5, MOST_SHOWN = 100 };

/* The mean density between neighbouring points (n+1). */
static void densities(const vae_marginals *m, size_t latent, size_t n, const double *edge, double *density)
{
    double before = vae_marginal_cdf(m, latent, edge[0]);
    for (size_t i = 0; i < n; i++) {
        const double below = vae_marginal_cdf(m, latent, edge[i + 1]);
        density[i] = (below - before) / (edge[i + 1] - edge[i]);
        before = below;
    }
}

static void spread(double low, double high, size_t n, double *at)
{
    for (size_t i = 0; i < n; i++) at[i] = low + (high - low) * (double)i / (double)(n - 1);
}

static double largest(size_t n, const double *density)
{
    double most = 0;
    for (size_t i = 0; i < n; i++) most = fmax(most, density[i]);
    return most;
}

/* The outline of a histogram; returns its height. */
static double draw_histogram(const vae_marginals *m, size_t latent, double low, double high, vae_panel *panel)
{
    double edge[BINS + 1], density[BINS], x[2 * BINS], y[2 * BINS], zero[2 * BINS] = {0};
    spread(low, high, BINS + 1, edge);
    densities(m, latent, BINS, edge, density);
    for (size_t i = 0; i < 2 * BINS; i++) {
        x[i] = edge[(i + 1) / 2];
        y[i] = density[i / 2];
    }
    vae_panel_band(panel, 2 * BINS, x, zero, y, (vae_mark){.series = 0});
    vae_panel_line(panel, 2 * BINS, x, y, (vae_mark){.series = 0, .size = 1});
    return largest(BINS, density);
}

/* A line through the middles, or, of a prior that is known by draws, through bins as wide as those of the histogram.
 * Returns its height. */
static double draw_prior(const vae_marginals *m, size_t latent, double low, double high, bool drawn, vae_panel *panel)
{
    const size_t n = drawn ? BINS : POINTS;
    double edge[POINTS + 1], density[POINTS], middle[POINTS];
    spread(low, high, n + 1, edge);
    densities(m, latent, n, edge, density);
    for (size_t i = 0; i < n; i++) middle[i] = (edge[i] + edge[i + 1]) / 2;
    vae_panel_line(panel, n, middle, density, (vae_mark){.series = VAE_INK, .size = 1.25});
    return largest(n, density);
}

/* Zero and round numbers on both sides of it, as far as there is room. */
static void set_ticks(vae_panel *panel, double low, double high)
{
    const double step = picture_round(0.9 * fmax(fabs(low), fabs(high))), at[3] = {-step, 0, step};
    char text[3][LATENT_NAME];
    const char *name[3];
    for (size_t k = 0; k < 3; k++) {
        snprintf(text[k], sizeof text[k], "%g", at[k]);
        name[k] = text[k];
    }
    vae_panel_ticks_x(panel, 3, at, name);
    vae_panel_ticks_y(panel, 1, (const double[]){-1}, (const char *const[]){""}); /* a density: areas tell */
}

static void draw_latent(const vae_model *model, const vae_marginals *prior, const vae_marginals *aggregate,
                        size_t latent, bool drawn, vae_figure *figure)
{
    char name[LATENT_NAME];
    const double low = fmin(vae_marginal_quantile(aggregate, latent, 0.005),
                            vae_marginal_quantile(prior, latent, 0.05));
    const double high = fmax(vae_marginal_quantile(aggregate, latent, 0.995),
                             vae_marginal_quantile(prior, latent, 0.95));
    latents_name(model, latent, name);
    vae_panel *panel = vae_figure_panel(figure, name);
    vae_panel_size(panel, 140, 90);
    const double height = draw_histogram(aggregate, latent, low, high, panel);
    vae_panel_limits_y(panel, 0, 1.05 * fmax(height, draw_prior(prior, latent, low, high, drawn, panel)));
    vae_panel_limits_x(panel, low, high);
    set_ticks(panel, low, high);
}

static vae_status draw(const struct plot_job *job, const vae_images *images, vae_figure *figure, vae_error *err)
{
    const vae_model *model = job->run->model;
    const size_t L = (size_t)vae_model_config(model)->latent;
    vae_marginals *prior = NULL, *aggregate = NULL;
    size_t *order = calloc(L, sizeof *order);
    vae_status status = order ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    if (!status) status = vae_prior_marginals(&prior, model, 1, err);
    if (!status) status = vae_aggregate_marginals(&aggregate, model, images, 1, 0, err);
    if (!status) latents_order(vae_model_kl_per_dim(model), L, order);
    for (size_t i = 0; i < L && i < MOST_SHOWN && !status; i++)
        draw_latent(model, prior, aggregate, order[i], vae_marginal_draws(prior) > 0, figure);
    vae_marginals_free(&prior);
    vae_marginals_free(&aggregate);
    free(order);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64];
    vae_data *data = NULL;
    const vae_images *images = NULL;
    picture_model_name(job->run->model, name);
    snprintf(title, sizeof title, "Aggregate posterior and prior: %s", name);
    vae_status status = run_open_data(job->arguments, job->run->model, &data, &images, err);
    if (!status)
        status = vae_figure_new(
            figure, title, "Blue: draws of q(z|x) over the images; line: density of the prior. The largest KL first.",
            IN_A_ROW, err);
    if (!status) status = draw(job, images, *figure, err);
    vae_data_free(&data);
    return status;
}

static const char *const flags[] = {"data", "split", NULL};

const struct plot plot_prior = {
    .name = "prior",
    .summary = "aggregate posterior of each latent beside the prior",
    .output = "prior.svg",
    .most = 1,
    .flags = flags,
    .figure = figure,
};
