/* SPDX-License-Identifier: MIT
 *
 * Whether the files of runs are whole and belong together. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/metrics.h"
#include "cli/staging.h"

struct check {
    json_t *files; /* NULL: the verdicts are printed */
    size_t n, bad;
};

/* The verdict on one file. */
VAE_PRINTF(4, 5)
static void tell(struct check *c, const char *path, bool good, const char *format, ...)
{
    char verdict[sizeof((vae_error *)NULL)->message];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(verdict, sizeof verdict, format, arguments);
    va_end(arguments);
    c->n++;
    c->bad += !good;
    if (c->files)
        json_array_append_new(
            c->files, json_pack("{s:o, s:b, s:o}", "file", json_text(path), "ok", good, "verdict", json_text(verdict)));
    else
        printf("%s: %s%s\n", SHOWN(path), good ? "ok, " : "BAD, ", SHOWN(verdict));
}

/* What is wrong with a file, which the message may name first. Only a lack of memory ends the command. */
static vae_status tell_error(struct check *c, const char *path, const vae_error *why, vae_error *err)
{
    const size_t length = strlen(path);
    const bool names_it = !strncmp(why->message, path, length) && !strncmp(why->message + length, ": ", 2);
    if (why->status == VAE_E_MEMORY) return vae_fail(err, why->status, "%s", why->message);
    tell(c, path, false, "%s", why->message + (names_it ? length + 2 : 0));
    return VAE_OK;
}

/* NULL where it cannot be read, which is told. */
static vae_status load(struct check *c, const char *path, vae_model **model, vae_error *err)
{
    vae_error why;
    *model = NULL;
    return vae_model_load(model, path, &why) ? tell_error(c, path, &why, err) : VAE_OK;
}

/* ---- The files of a folder beside its model ---------------------------------------------------------------------- */

/* The setting in which another model differs that a run cannot change, or NULL. */
static const char *other_setting(const vae_model *model, const vae_model *other)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        char a[VAE_MAX_SOURCE], b[VAE_MAX_SOURCE];
        if (strstr("|" VAE_CHANGEABLE "|", setting->name)) continue;
        vae_config_text(vae_model_config(model), setting, a, sizeof a);
        vae_config_text(vae_model_config(other), setting, b, sizeof b);
        if (strcmp(a, b)) return setting->name;
    }
    return NULL;
}

/* A checkpoint that should be one of this model's training, after `epoch`. */
static vae_status check_earlier(struct check *c, const char *path, const vae_model *model, uint64_t epoch,
                                vae_error *err)
{
    vae_model *earlier;
    vae_status status = load(c, path, &earlier, err);
    if (status || !earlier) return status;
    const char *setting = other_setting(model, earlier);
    const uint64_t is = vae_model_metrics(earlier)->epoch;
    if (setting)
        tell(c, path, false, "of another run: its %s is not that of model.safetensors", setting);
    else if (is != epoch)
        tell(c, path, false, "after epoch %llu (expected %llu)", (unsigned long long)is, (unsigned long long)epoch);
    else
        tell(c, path, true, "after epoch %llu", (unsigned long long)is);
    vae_model_free(&earlier);
    return VAE_OK;
}

static vae_status check_best(struct check *c, const char *run, const vae_model *model, vae_error *err)
{
    char path[PATH_MAX_RUN];
    const uint64_t best = vae_model_metrics(model)->best_epoch;
    run_file(run, "best.safetensors", path);
    if (!access(path, F_OK)) return check_earlier(c, path, model, best, err);
    if (best) tell(c, path, false, "missing, and epoch %llu was the best", (unsigned long long)best);
    return VAE_OK;
}

static vae_status check_epochs(struct check *c, const char *run, const vae_model *model, vae_error *err)
{
    char folder[PATH_MAX_RUN], name[64], path[PATH_MAX_RUN];
    uint64_t *epochs = NULL;
    size_t n = 0;
    run_file(run, "", folder);
    vae_status status = folder_epochs(folder, &epochs, &n, err);
    for (size_t i = 0; i < n && !status; i++) {
        snprintf(name, sizeof name, "epoch-%04llu.safetensors", (unsigned long long)epochs[i]);
        run_file(run, name, path);
        if (epochs[i] > vae_model_metrics(model)->epoch)
            tell(c, path, false, "of an epoch that the run has not had");
        else
            status = check_earlier(c, path, model, epochs[i], err);
    }
    free(epochs);
    return status;
}

/* To the millionth of a nat that the file has. */
static bool alike(double written, double value)
{
    return fabs(written - value) <= 1e-6 + 1e-12 * fabs(value) || (isnan(written) && isnan(value));
}

/* One row for each epoch up to the last one; from the first on, or from the one that `fit` wrote, which has no loss of
 * a training. */
static bool has_all_epochs(const vae_metrics *rows, size_t n, uint64_t last)
{
    if (!n) return last == 0;
    for (size_t i = 1; i < n; i++)
        if (rows[i].epoch != rows[i - 1].epoch + 1) return false;
    return (rows[0].epoch == 1 || isnan(rows[0].train_loss)) && rows[n - 1].epoch == last;
}

static vae_status check_metrics(struct check *c, const char *run, const vae_model *model, vae_error *err)
{
    char path[PATH_MAX_RUN];
    vae_metrics *rows = NULL;
    vae_error why;
    size_t n = 0;
    const vae_metrics *m = vae_model_metrics(model);
    run_file(run, "metrics.csv", path);
    if (metrics_read(path, &rows, &n, &why)) return tell_error(c, path, &why, err);
    if (access(path, F_OK))
        tell(c, path, false, "missing");
    else if (!has_all_epochs(rows, n, m->epoch))
        tell(c, path, false, "%zu whole rows (expected one for each of %llu epochs)", n, (unsigned long long)m->epoch);
    else if (n && !(alike(rows[n - 1].train_loss, m->train_loss) && alike(rows[n - 1].test_neg_elbo, m->test_neg_elbo)))
        tell(c, path, false, "its last row has not the losses that are in model.safetensors");
    else
        tell(c, path, true, "%zu row%s", n, n == 1 ? "" : "s");
    free(rows);
    return VAE_OK;
}

/* What killed processes left does no harm. */
static vae_status tell_leftovers(struct check *c, const char *run, vae_error *err)
{
    char path[PATH_MAX_RUN];
    DIR *folder = opendir(run);
    if (!folder) return vae_fail(err, run_errno(VAE_E_MODEL), "%s: cannot read folder: %s", run, strerror(errno));
    for (const struct dirent *entry; (entry = readdir(folder));) {
        if (!staging_is_left(entry->d_name)) continue;
        snprintf(path, sizeof path, "%.*s/%s", PATH_MAX_RUN - 300, run, entry->d_name);
        tell(c, path, true, "left by a process that was killed: the next training here puts it right");
    }
    closedir(folder);
    return VAE_OK;
}

/* ---- One run ----------------------------------------------------------------------------------------------------- */

/* Data that are elsewhere do not make a model bad. */
static vae_status check_data(struct check *c, const char *run, const vae_model *model, vae_error *err)
{
    const vae_config *config = vae_model_config(model);
    char source[VAE_MAX_SOURCE];
    vae_data *data = NULL;
    vae_error why;
    run_find_data(config->data, run, source);
    vae_status status = vae_data_open(&data, source, config->holdout, config->validation, config->seed, &why);
    if (status == VAE_E_MEMORY) return vae_fail(err, status, "%s", why.message);
    if (status) {
        tell(c, source, true, "not checked: %s", why.message);
        return VAE_OK;
    }
    status = vae_model_check_training(model, &data->train, &why);
    if (status)
        status = tell_error(c, source, &why, err);
    else
        tell(c, source, true, "%zu training images", data->train.n);
    vae_data_free(&data);
    return status;
}

static vae_status check_folder(struct check *c, const char *run, const vae_model *model, vae_error *err)
{
    vae_status status = check_best(c, run, model, err);
    if (!status) status = check_epochs(c, run, model, err);
    if (!status) status = check_metrics(c, run, model, err);
    return status ? status : tell_leftovers(c, run, err);
}

static vae_status check_run(struct check *c, const char *run, vae_error *err)
{
    char path[PATH_MAX_RUN];
    struct stat info;
    vae_model *model;
    const bool is_folder = !stat(run, &info) && S_ISDIR(info.st_mode);
    snprintf(path, sizeof path, "%s", run);
    if (is_folder) run_file(run, "model.safetensors", path);
    vae_status status = load(c, path, &model, err);
    if (status || !model) return status;
    const vae_metrics *m = vae_model_metrics(model);
    tell(c, path, true, "after epoch %llu, step %llu", (unsigned long long)m->epoch, (unsigned long long)m->step);
    if (is_folder) status = check_folder(c, run, model, err);
    if (!status) status = check_data(c, run, model, err);
    vae_model_free(&model);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    struct check c = {.files = argument(arguments, "json") ? json_array() : NULL};
    char latest[] = "runs/latest", *const only[] = {latest};
    char *const *runs = arguments->n_runs ? arguments->runs : only;
    vae_status status = json_lacks_memory() ? vae_fail(err, VAE_E_MEMORY, "out of memory") : VAE_OK;
    for (size_t i = 0; i < (arguments->n_runs ? arguments->n_runs : 1) && !status; i++)
        status = check_run(&c, runs[i], err);
    if (!status && c.files) status = json_print(json_pack("{s:b, s:O}", "ok", c.bad == 0, "files", c.files), 0, err);
    json_decref(c.files);
    if (status || !c.bad) return status;
    return vae_fail(err, VAE_E_MODEL, "%zu of %zu files are not as they should be", c.bad, c.n);
}

static const struct flag flags[] = {{"json", 0, NULL, "one JSON object on stdout"}, {0}};

const struct command command_check = {
    .name = "check",
    .summary = "whether the files of runs are whole and belong together",
    .details = "Reads every file of the runs RUN..., or model files, and says of each whether it is\n"
               "whole, whether it belongs to the same training, and whether the data are still those\n"
               "of that training, where they are there. Without RUN it is runs/latest.",
    .takes_runs = true,
    .flags = flags,
    .run = run,
};
