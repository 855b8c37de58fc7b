/* SPDX-License-Identifier: MIT
 *
 * Does the aggregate posterior follow the prior? A panel a latent, the largest KL first: a histogram of draws of
 * q(z|x) over the split, and the prior's density, from its distribution function between points near each other (see
 * vae_marginal_cdf). The axis covers all but half a per cent of the draws at each end, and at least the prior's middle
 * nine tenths. */
#include <stdlib.h>

#include "cli/latents.h"
#include "cli/panels.h"
#include "cli/plot.h"

enum { IN_A_ROW = 5, MOST_SHOWN = 100 };

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
    for (size_t i = 0; i < L && i < MOST_SHOWN && !status; i++) {
        char name[LATENT_NAME];
        latents_name(model, order[i], name);
        panel_marginals(figure, name, prior, aggregate, order[i]);
    }
    vae_marginals_free(&prior);
    vae_marginals_free(&aggregate);
    free(order);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(job->run->model)->latent, shown = L < MOST_SHOWN ? L : MOST_SHOWN;
    char name[PICTURE_NAME], title[PICTURE_NAME + 64], which[64], note[160];
    vae_data *data = NULL;
    const vae_images *images = NULL;
    picture_model_name(job->run->model, name);
    snprintf(title, sizeof title, "Aggregate posterior and prior: %s", name);
    snprintf(note, sizeof note, "Blue: draws of q(z|x) over the images; line: density of the prior; %s.",
             latents_largest(shown, L, which));
    vae_status status = run_open_data(job->arguments, job->run->path, job->run->model, &data, &images, err);
    if (!status) status = vae_figure_new(figure, title, note, IN_A_ROW, err);
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
