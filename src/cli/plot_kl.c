/* SPDX-License-Identifier: MIT
 *
 * KL of each latent over a split, the largest first: a panel a run. A latent is active where the variance of its
 * posterior mean over the images is more than 0.01 (Burda et al. 2016). That of an idle one, whose posterior is the
 * same for all images, has a floor, the least KL of any Gaussian to the prior: 0 for a normal prior, more for others.
 */
#include <math.h>
#include <stdlib.h>

#include "cli/panels.h"
#include "cli/plot.h"

static vae_status check(const vae_evaluation *e, const struct plot_run *run, vae_error *err)
{
    for (size_t j = 0; j < e->latent; j++)
        if (!isfinite(e->kl_per_dim[j]))
            return vae_fail(err, VAE_E_USAGE,
                            "%s: prior %s has one KL for all latents together, and none for each (expected a "
                            "factorised prior and posterior)",
                            run->path, vae_model_config(run->model)->prior.name);
    return VAE_OK;
}

static vae_status evaluate(const struct plot_job *job, const struct plot_run *run, vae_evaluation **evaluation,
                           vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_eval_options options;
    vae_eval_defaults(&options);
    options.sparsity = false;
    vae_status status = run_open_data(job->arguments, run->path, run->model, &data, &images, err);
    if (!status) status = run_blame_model(run->path, vae_evaluate(evaluation, run->model, images, &options, err), err);
    if (!status) status = check(*evaluation, run, err);
    vae_data_free(&data);
    return status;
}

/* All panels have one axis of KL: runs are compared by their heights. */
static vae_status draw(const struct plot_job *job, vae_evaluation *const *evaluation, vae_figure *figure,
                       vae_error *err)
{
    double most = 0;
    vae_status status = VAE_OK;
    for (size_t i = 0; i < job->n; i++)
        for (size_t j = 0; j < evaluation[i]->latent; j++) most = fmax(most, evaluation[i]->kl_per_dim[j]);
    for (size_t i = 0; i < job->n && !status; i++)
        status = panel_kl(figure, evaluation[i], job->n > 1 ? job->run[i].name : NULL, job->n > 1 ? most : 0, err);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64];
    vae_evaluation **evaluation = calloc(job->n, sizeof *evaluation);
    if (!evaluation) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    picture_model_name(job->run->model, name);
    snprintf(title, sizeof title, "KL of each latent: %s", job->n > 1 ? "several runs" : name);
    vae_status status = vae_figure_new(figure, title, "Active: the posterior's mean has variance above 0.01.",
                                       job->n < 3 ? job->n : 2, err);
    for (size_t i = 0; i < job->n && !status; i++) status = evaluate(job, &job->run[i], &evaluation[i], err);
    if (!status) status = draw(job, evaluation, *figure, err);
    for (size_t i = 0; i < job->n; i++) vae_evaluation_free(&evaluation[i]);
    free(evaluation);
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
