/* SPDX-License-Identifier: MIT
 *
 * KL of each latent over a split, the largest first: a panel a run. A latent is active where the variance of its
 * posterior mean over the images is more than 0.01 (Burda et al. 2016). That of an idle one, whose posterior is the
 * same for all images, has a floor, the least KL of any Gaussian to the prior: 0 for a normal prior, more for others.
 */
#include <math.h>

#include "cli/panels.h"
#include "cli/plot.h"

static vae_status draw_evaluation(const vae_evaluation *e, const struct plot_run *run, const char *title,
                                  vae_figure *figure, vae_error *err)
{
    for (size_t j = 0; j < e->latent; j++)
        if (!isfinite(e->kl_per_dim[j]))
            return vae_fail(err, VAE_E_USAGE,
                            "%s: prior %s has one KL for all latents together, and none for each (expected a "
                            "factorised prior and posterior)",
                            run->path, vae_model_config(run->model)->prior.name);
    return panel_kl(figure, e, title, err);
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
