/* SPDX-License-Identifier: MIT
 *
 * Losses over epochs, from metrics.csv: of the training batches as they went (faint) and of the test split. */
#include <stdlib.h>
#include <string.h>

#include "cli/metrics.h"
#include "cli/plot.h"

static vae_status read_metrics(const struct plot_run *run, vae_metrics **rows, size_t *n, vae_error *err)
{
    char path[PATH_MAX_RUN];
    const char *slash = strrchr(run->path, '/');
    const int length = snprintf(path, sizeof path, "%.*smetrics.csv", slash ? (int)(slash - run->path) + 1 : 0,
                                run->path);
    if (length >= (int)sizeof path) return vae_fail(err, VAE_E_MODEL, "RUN: longer than %d characters", PATH_MAX_RUN);
    vae_status status = metrics_read(path, rows, n, err);
    if (!status && !*n) status = vae_fail(err, VAE_E_MODEL, "%s: no epoch there (expected the metrics of a run)", path);
    return status;
}

/* Two lines of a run in each panel; `x` has room for 3 n. */
static void draw_run(const struct plot_job *job, size_t which, const vae_metrics *rows, size_t n, vae_panel **panel,
                     double *x)
{
    double *train = x + n, *test = train + n;
    const bool alone = job->n == 1;
    for (size_t i = 0; i < n; i++) x[i] = (double)rows[i].epoch;
    for (size_t k = 0; k < METRICS_CURVES; k++) {
        const bool last = k + 1 == METRICS_CURVES; /* it has the legend */
        const char *name = alone ? "test" : job->run[which].name;
        const vae_mark faint = {.series = (int)which, .name = last && alone ? "training" : NULL, .faint = true};
        for (size_t i = 0; i < n; i++) metrics_losses(&rows[i], k, &train[i], &test[i]);
        vae_panel_line(panel[k], n, x, train, faint);
        vae_panel_line(panel[k], n, x, test, (vae_mark){.series = (int)which, .name = last ? name : NULL});
    }
}

static vae_status add_run(const struct plot_job *job, size_t which, vae_panel **panel, vae_error *err)
{
    vae_metrics *rows = NULL;
    size_t n = 0;
    vae_status status = read_metrics(&job->run[which], &rows, &n, err);
    double *x = calloc(3 * n + 1, sizeof *x);
    if (!status && !x) status = vae_fail(err, VAE_E_MEMORY, "out of memory for %zu epochs", n);
    if (!status) draw_run(job, which, rows, n, panel, x);
    free(rows);
    free(x);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64];
    vae_panel *panel[METRICS_CURVES];
    const bool log = argument(job->arguments, "log");
    picture_model_name(job->run->model, name);
    snprintf(title, sizeof title, "Training of %s", job->n > 1 ? "several runs" : name);
    vae_status status = vae_figure_new(figure, title,
                                       "Strong: the test split, or, of data without one, the training images after "
                                       "each epoch. Faint: training batches as they went.",
                                       METRICS_CURVES, err);
    for (size_t k = 0; k < METRICS_CURVES && !status; k++) {
        panel[k] = vae_figure_panel(*figure, metrics_curves[k]);
        vae_panel_size(panel[k], 260, 200);
        vae_panel_labels(panel[k], "epoch", k ? NULL : "nats per image");
        vae_panel_log(panel[k], log, log);
        vae_panel_whole_x(panel[k]);
    }
    for (size_t i = 0; i < job->n && !status; i++) status = add_run(job, i, panel, err);
    return status;
}

static const char *const flags[] = {"log", NULL};

const struct plot plot_curves = {
    .name = "curves",
    .summary = "-ELBO, reconstruction and KL over epochs, of training and test",
    .output = "curves.svg",
    .most = PLOT_RUNS,
    .flags = flags,
    .figure = figure,
};
