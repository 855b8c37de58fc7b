/* SPDX-License-Identifier: MIT */
#include "cli/plot.h"

#include <stdlib.h>
#include <string.h>

#define LIST_PLOT(name) &plot_##name,
static const struct plot *const plots[] = {PLOTS(LIST_PLOT) NULL};
#undef LIST_PLOT

static vae_status find_plot(const char *word, const struct plot **plot, vae_error *err)
{
    const char *names[sizeof plots / sizeof *plots] = {NULL};
    char list[256] = "";
    for (size_t i = 0; plots[i]; i++) {
        *plot = plots[i];
        if (word && !strcmp(plots[i]->name, word)) return VAE_OK;
        names[i] = plots[i]->name;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "", names[i]);
    }
    if (!word) return vae_fail(err, VAE_E_USAGE, "plot: no KIND given (there are: %s)", list);
    const char *near = vae_nearest(word, names);
    return vae_fail(err, VAE_E_USAGE, "plot: unknown kind '%s' (%s%s%sthere are: %s)", word,
                    near ? "did you mean '" : "", near ? near : "", near ? "'? " : "", list);
}

static const char *const common_flags[] = {"help", "output", "scale", NULL};

static bool is_listed(const char *const *names, const char *name)
{
    while (names && *names && strcmp(*names, name)) names++;
    return names && *names;
}

/* A flag that another kind takes is refused, not ignored. */
static vae_status check_flags(const struct arguments *arguments, const struct plot *plot, vae_error *err)
{
    for (size_t i = 0; i < arguments->n; i++) {
        const char *name = arguments->given[i].name;
        if (!is_listed(common_flags, name) && !is_listed(plot->flags, name))
            return vae_fail(err, VAE_E_USAGE, "plot %s: takes no --%s", plot->name, name);
    }
    return VAE_OK;
}

/* ---- Runs ------------------------------------------------------------------------------------------------------- */

/* The folder of a model file, or the file's own name where it stands alone. */
static void folder_name(const char *path, char name[PICTURE_NAME])
{
    const int length = run_folder_length(path);
    const char *end = path + length - 1, *first = end;
    if (!length) {
        snprintf(name, PICTURE_NAME, "%s", path);
        return;
    }
    while (first > path && first[-1] != '/') first--;
    snprintf(name, PICTURE_NAME, "%.*s", (int)(end - first), first);
}

static void prior_name(const vae_model *model, char name[PICTURE_NAME])
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if (!strcmp(setting->name, "prior")) vae_config_text(vae_model_config(model), setting, name, PICTURE_NAME);
}

static bool all_differ(const struct plot_run *run, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!strcmp(run[i].name, run[k].name)) return false;
    return true;
}

/* By the first that tells them apart. */
static void name_runs(struct plot_run *run, size_t n)
{
    for (size_t i = 0; i < n; i++) prior_name(run[i].model, run[i].name);
    if (all_differ(run, n)) return;
    for (size_t i = 0; i < n; i++) folder_name(run[i].path, run[i].name);
    if (all_differ(run, n)) return;
    for (size_t i = 0; i < n; i++) snprintf(run[i].name, PICTURE_NAME, "%.*s", PICTURE_NAME - 1, run[i].path);
}

static vae_status load_runs(const struct arguments *arguments, struct plot_job *job, vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < job->n && !status; i++)
        status = run_load_model(arguments->n_runs ? arguments->runs[i] : NULL, &job->run[i].model, job->run[i].path,
                                err);
    if (!status) name_runs(job->run, job->n);
    return status;
}

static vae_status draw(const struct plot *plot, const struct plot_job *job, vae_error *err)
{
    vae_figure *figure = NULL;
    if (plot->write) return plot->write(job, err);
    vae_status status = plot->figure(job, &figure, err);
    if (!status) status = picture_write(&job->picture, figure, err);
    vae_figure_free(&figure);
    return status;
}

static vae_status draw_runs(const struct arguments *arguments, const struct plot *plot, vae_error *err)
{
    struct plot_job job = {.arguments = arguments, .n = arguments->n_runs ? arguments->n_runs : 1};
    if (job.n > plot->most)
        return vae_fail(err, VAE_E_USAGE, "plot %s: %zu runs (expected at most %zu)", plot->name, job.n, plot->most);
    job.run = calloc(job.n, sizeof *job.run);
    if (!job.run) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu runs", job.n);
    vae_status status = load_runs(arguments, &job, err);
    if (!status)
        status = picture_options(arguments, job.n == 1 ? job.run->path : NULL, plot->output, &job.picture, err);
    if (!status) status = draw(plot, &job, err);
    for (size_t i = 0; i < job.n; i++) vae_model_free(&job.run[i].model);
    free(job.run);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    const struct plot *plot = NULL;
    vae_status status = find_plot(arguments->word, &plot, err);
    if (!status) status = check_flags(arguments, plot, err);
    return status ? status : draw_runs(arguments, plot, err);
}

static void print_kinds(FILE *out)
{
    fprintf(out, "\nKinds of plot:\n");
    for (size_t i = 0; plots[i]; i++) help_item(out, plots[i]->name, plots[i]->summary);
}

static const struct flag flags[] = {
    PICTURE_OUTPUT("KIND.svg beside the model; of several runs, here"),
    PICTURE_SCALE,
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    SPLIT_FLAG("them"),
    {"images", 0, "I,J,...", "latents: the images with these indices [the first]"},
    {"n", 'n', "N", "latents: how many images [6]"},
    {"points", 0, "N", "scatter: at most so many images [3000]"},
    {"dims", 0, "I,J", "scatter, manifold: latents to the right and upwards [of largest KL]"},
    {"range", 0, "prior|aggregate|R", "manifold: between quantiles, or from -R to R [prior]"},
    {"steps", 0, "N", "manifold: tiles on each side [15, of one latent 11]"},
    {"label", 0, "C", "of a conditional model: label of what is decoded [0]"},
    {"log", 0, NULL, "curves: logarithmic axes"},
    {0},
};

const struct command command_plot = {
    .name = "plot",
    .group = DRAW,
    .summary = "curves, kl, latents, scatter, manifold, fields, prior, animation",
    .details = "Draws a figure of one run or of several, as SVG or PNG by the ending of its name.",
    .takes_word = "KIND",
    .takes_runs = true,
    .flags = flags,
    .more_help = print_kinds,
    .run = run,
};
