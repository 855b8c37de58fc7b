/* SPDX-License-Identifier: MIT */
#include "cli/panels.h"

#include <math.h>
#include <stdlib.h>

#include "cli/latents.h"
#include "cli/picture.h"

/* ---- KL of each latent ------------------------------------------------------------------------------------------- */

enum { NAME = 16 };
static const double WIDTH = 0.8;

/* Latents with their KL, and what a panel takes of them. */
struct bars {
    size_t *order;
    double *place, *active, *idle; /* KL of those of one kind, NaN where it is of the other */
    char (*name)[NAME];
    const char **names;
};

static vae_status take_bars(struct bars *b, size_t L, vae_error *err)
{
    *b = (struct bars){.order = calloc(L, sizeof *b->order),
                       .place = calloc(L, sizeof *b->place),
                       .active = calloc(L, sizeof *b->active),
                       .idle = calloc(L, sizeof *b->idle),
                       .name = calloc(L, sizeof *b->name),
                       .names = calloc(L, sizeof *b->names)};
    if (b->order && b->place && b->active && b->idle && b->name && b->names) return VAE_OK;
    return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
}

static void free_bars(struct bars *b)
{
    free(b->order);
    free(b->place);
    free(b->active);
    free(b->idle);
    free(b->name);
    free(b->names);
}

static void fill_bars(const vae_evaluation *e, struct bars *b)
{
    latents_order(e->kl_per_dim, e->latent, b->order);
    for (size_t i = 0; i < e->latent; i++) {
        const size_t j = b->order[i];
        const bool active = e->mean_variance[j] > VAE_ACTIVE_VARIANCE;
        b->place[i] = (double)i;
        b->active[i] = active ? e->kl_per_dim[j] : (double)NAN;
        b->idle[i] = active ? (double)NAN : e->kl_per_dim[j];
        snprintf(b->name[i], NAME, "z%zu", j);
        b->names[i] = b->name[i];
    }
}

static void draw_bars(const vae_evaluation *e, const struct bars *b, const char *title, double most, vae_figure *figure)
{
    const size_t L = e->latent;
    vae_panel *panel = vae_figure_panel(figure, title);
    vae_panel_size(panel, fmax(240, fmin(22.0 * (double)L, 760)), 200);
    vae_panel_labels(panel, "latent, the largest KL first", "KL, nats per image");
    vae_panel_ticks_x(panel, L, b->place, b->names);
    vae_panel_limits_x(panel, -0.6, (double)L - 0.4);
    if (most > 0) vae_panel_limits_y(panel, fmin(0, e->kl_per_dim[b->order[L - 1]]), 1.05 * most);
    const bool all = e->active_units == L, none = e->active_units == 0;
    if (!none) vae_panel_bars(panel, L, b->place, b->active, NULL, WIDTH, (vae_mark){.series = 0, .name = "active"});
    if (!all) vae_panel_bars(panel, L, b->place, b->idle, NULL, WIDTH, (vae_mark){.series = VAE_GREY, .name = "idle"});
    if (isfinite(e->kl_floor))
        vae_panel_rule_y(panel, e->kl_floor, (vae_mark){.series = VAE_INK, .name = "floor of an idle latent"});
}

vae_status panel_kl(vae_figure *figure, const vae_evaluation *e, const char *title, double most, vae_error *err)
{
    struct bars bars;
    vae_status status = take_bars(&bars, e->latent, err);
    if (!status) fill_bars(e, &bars);
    if (!status) draw_bars(e, &bars, title, most, figure);
    free_bars(&bars);
    return status;
}

/* ---- Aggregate posterior and prior of a latent ------------------------------------------------------------------- */

enum { BINS = 48, POINTS = 241 };

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

void panel_marginals(vae_figure *figure, const char *title, const vae_marginals *prior, const vae_marginals *aggregate,
                     size_t latent)
{
    const bool drawn = vae_marginal_draws(prior) > 0;
    const double low = fmin(vae_marginal_quantile(aggregate, latent, 0.005),
                            vae_marginal_quantile(prior, latent, 0.05));
    const double high = fmax(vae_marginal_quantile(aggregate, latent, 0.995),
                             vae_marginal_quantile(prior, latent, 0.95));
    vae_panel *panel = vae_figure_panel(figure, title);
    vae_panel_size(panel, 140, 90);
    const double height = draw_histogram(aggregate, latent, low, high, panel);
    vae_panel_limits_y(panel, 0, 1.05 * fmax(height, draw_prior(prior, latent, low, high, drawn, panel)));
    vae_panel_limits_x(panel, low, high);
    set_ticks(panel, low, high);
}
