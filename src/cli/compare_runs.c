/* SPDX-License-Identifier: MIT
 *
 * Which runs are compared: those that were named, and those in folders that were named. */
#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/compare.h"

bool run_is_complete(const vae_config *config, const vae_metrics *metrics)
{
    const double since = fmax((double)metrics->best_epoch, config->beta_warmup);
    return metrics->epoch >= config->epochs ||
           (config->patience && (double)metrics->epoch - since >= (double)config->patience);
}

/* ---- Order ------------------------------------------------------------------------------------------------------ */

/* Where a module stands among those of its kind. */
static size_t place_of_module(vae_kind kind, const char *name)
{
    const vae_module *module;
    size_t i = 0;
    while ((module = vae_module_at(kind, i)) && strcmp(module->name, name)) i++;
    return i;
}

static int order_numbers(double a, double b) { return (a > b) - (a < b); }

static int order_choices(vae_kind kind, const vae_choice *a, const vae_choice *b)
{
    int order = order_numbers((double)place_of_module(kind, a->name), (double)place_of_module(kind, b->name));
    for (size_t i = 0; i < VAE_MAX_PARAMS && !order; i++) order = order_numbers(a->value[i], b->value[i]);
    return order;
}

/* Of a setting in two configurations: modules in the order of `vaectl priors`, numbers by size. */
static int order_values(const vae_setting *setting, const void *a, const void *b)
{
    const uint64_t *m = a, *n = b;
    int order = 0;
    switch (setting->type) {
    case VAE_T_COUNT: return order_numbers((double)*m, (double)*n);
    case VAE_T_REAL: return order_numbers(*(const double *)a, *(const double *)b);
    case VAE_T_CHOICE: return order_choices(setting->kind, a, b);
    case VAE_T_LIST:
        for (size_t i = 0; i < VAE_MAX_LIST && !order; i++) order = order_numbers((double)m[i], (double)n[i]);
        return order;
    case VAE_T_TEXT:
    case VAE_T_ENUM: break;
    }
    return strcmp(a, b);
}

static int order_runs(const void *a, const void *b)
{
    const struct run *m = a, *n = b;
    const vae_setting *setting;
    int order = 0;
    for (size_t i = 0; (setting = vae_setting_at(i)) && !order; i++)
        order = order_values(setting, (const char *)&m->config + setting->offset,
                             (const char *)&n->config + setting->offset);
    return order ? order : strcmp(m->path, n->path);
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

static bool is_folder(const char *path)
{
    struct stat info;
    return !stat(path, &info) && S_ISDIR(info.st_mode);
}

/* Settings and progress are those of the model that training goes on with, and not of the best one so far. */
static vae_status read_run(struct run *run, bool *complete, vae_error *err)
{
    char path[PATH_MAX_RUN];
    vae_model *model = NULL;
    if (is_folder(run->path))
        run_file(run->path, "model.safetensors", path);
    else
        snprintf(path, sizeof path, "%.*s", PATH_MAX_RUN - 1, run->path);
    vae_status status = vae_model_load(&model, path, err);
    if (status) return status;
    const vae_metrics *metrics = vae_model_metrics(model);
    run->config = *vae_model_config(model);
    *complete = run_is_complete(&run->config, metrics);
    if (!*complete)
        fprintf(stderr, "%s: left out: it stands after epoch %llu of %llu (vaectl train --resume goes on)\n",
                SHOWN(run->path), (unsigned long long)metrics->epoch, (unsigned long long)run->config.epochs);
    vae_model_free(&model);
    return VAE_OK;
}

vae_status runs_read(struct runs *runs, size_t first, vae_error *err)
{
    vae_status status = VAE_OK;
    size_t kept = first;
    for (size_t i = first; i < runs->n && !status; i++) {
        bool complete = false;
        status = read_run(&runs->run[i], &complete, err);
        if (complete) runs->run[kept++] = runs->run[i];
    }
    runs->n = kept;
    return status;
}

/* Is it what compare itself writes into the folder of its runs? A pattern of the shell that names them names it, too.
 */
static bool is_written(const char *path)
{
    const char *slash = strrchr(path, '/');
    return !is_folder(path) && !strncmp(slash ? slash + 1 : path, "compare.", strlen("compare."));
}

/* ---- Finding ---------------------------------------------------------------------------------------------------- */

static vae_status add_inside(struct runs *runs, const char *folder, vae_error *err)
{
    DIR *entries = opendir(folder);
    const size_t before = runs->n;
    struct run *run;
    vae_status status = VAE_OK;
    if (!entries && run_errno(VAE_OK)) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", folder);
    for (const struct dirent *entry; entries && !status && (entry = readdir(entries));) {
        char path[PATH_MAX_RUN];
        if (run_is_inside(folder, entry->d_name, path)) status = runs_add(runs, path, &run, err);
    }
    if (entries) closedir(entries);
    if (status || runs->n > before) return status;
    return vae_fail(err, VAE_E_MODEL,
                    "%s: no run (expected a folder with model.safetensors, or with such folders in it)", folder);
}

vae_status runs_find(struct runs *runs, const struct arguments *arguments, vae_error *err)
{
    vae_status status = VAE_OK;
    struct run *run;
    for (size_t i = 0; i < arguments->n_runs && !status; i++) {
        const char *path = arguments->runs[i];
        const size_t first = runs->n;
        if (arguments->n_runs > 1 && is_written(path)) continue;
        const bool is_one = !is_folder(path) || run_has_model(path);
        status = is_one ? runs_add(runs, path, &run, err) : add_inside(runs, path, err);
        if (!status) status = runs_read(runs, first, err);
        if (!status && runs->n > first) qsort(runs->run + first, runs->n - first, sizeof *run, order_runs);
    }
    if (!status && !runs->n) status = vae_fail(err, VAE_E_MODEL, "there is no complete run to compare");
    return status;
}
