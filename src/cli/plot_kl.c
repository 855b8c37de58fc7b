/* SPDX-License-Identifier: MIT
 *
 * KL of each latent over a split, the largest first: a panel a run. A latent is active where the variance of its
 * posterior mean over the images is more than 0.01 (Burda et al. 2016). That of an idle one, whose posterior is the
 * same for all images, has a floor, the least KL of any Gaussian to the prior: 0 for a normal prior, more for others.
 */
#include <math.h>
#include <stdlib.h>

#include "cli/latents.h"
#include "cli/plot.h"

enum { NAME = 16 };
static const double ACTIVE_VARIANCE = 0.01, WIDTH = 0.8;

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
        const bool active = e->mean_variance[j] > ACTIVE_VARIANCE;
        b->place[i] = (double)i;
        b->active[i] = active ? e->kl_per_dim[j] : (double)NAN;
        b->idle[i] = active ? (double)NAN : e->kl_per_dim[j];
        snprintf(b->name[i], NAME, "z%zu", j);
        b->names[i] = b->name[i];
    }
}

static void draw_panel(const vae_evaluation *e, const struct bars *b, const char *title, vae_figure *figure)
{
    const size_t L = e->latent;
    vae_panel *panel = vae_figure_panel(figure, title);
    vae_panel_size(panel, fmax(240, fmin(22.0 * (double)L, 760)), 200);
    vae_panel_labels(panel, "latent, the largest KL first", "KL, nats per image");
    vae_panel_ticks_x(panel, L, b->place, b->names);
    vae_panel_limits_x(panel, -0.6, (double)L - 0.4);
    const bool all = e->active_units == L, none = e->active_units == 0;
    if (!none) vae_panel_bars(panel, L, b->place, b->active, NULL, WIDTH, (vae_mark){.series = 0, .name = "active"});
    if (!all) vae_panel_bars(panel, L, b->place, b->idle, NULL, WIDTH, (vae_mark){.series = VAE_GREY, .name = "idle"});
    if (isfinite(e->kl_floor))
        vae_panel_rule_y(panel, e->kl_floor, (vae_mark){.series = VAE_INK, .name = "floor of an idle latent"});
}

static vae_status draw_evaluation(const vae_evaluation *e, const struct plot_run *run, const char *title,
                                  vae_figure *figure, vae_error *err)
{
    struct bars bars = {0};
    for (size_t j = 0; j < e->latent; j++)
        if (!isfinite(e->kl_per_dim[j]))
            return vae_fail(err, VAE_E_USAGE,
                            "%s: prior %s has one KL for all latents together, and none for each (expected a "
                            "factorised prior and posterior)",
                            run->path, vae_model_config(run->model)->prior.name);
    vae_status status = take_bars(&bars, e->latent, err);
    if (!status) fill_bars(e, &bars);
    if (!status) draw_panel(e, &bars, title, figure);
    free_bars(&bars);
    return status;
}

static vae_status add_run(const struct plot_job *job, const struct plot_run *run, vae_figure *figure, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_evaluation *evaluation = NULL;
    vae_eval_options options;
    vae_eval_defaults(&options);
    options.sparsity = false;
    struct arguments own = *job->arguments;
    own.run = run->path; /* where its data are looked for */
    vae_status status = run_open_data(&own, run->model, &data, &images, err);
    if (!status) status = vae_evaluate(&evaluation, run->model, images, &options, err);
    if (!status) status = draw_evaluation(evaluation, run, job->n > 1 ? run->name : NULL, figure, err);
    vae_evaluation_free(&evaluation);
    vae_data_free(&data);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64];
    picture_model_name(job->run->model, name);
    snprintf(title, sizeof title, "KL of each latent: %s", job->n > 1 ? "several runs" : name);
    vae_status status = vae_figure_new(figure, title, "Active: the posterior's mean has variance above 0.01.",
                                       job->n < 3 ? job->n : 2, err);
    for (size_t i = 0; i < job->n && !status; i++) status = add_run(job, &job->run[i], *figure, err);
    return status;
}

static const char *const flags[] = {"data", "split", NULL};

const struct plot plot_kl = {
    .name = "kl",
    .summary = "KL of each latent, active and idle, beside the floor of an idle one",
    .output = "kl.svg",
    .most = PLOT_RUNS,
    .flags = flags,
    .figure = figure,
};
