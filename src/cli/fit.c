/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/json.h"
#include "cli/metrics.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/staging.h"

struct session {
    const struct arguments *arguments;
    const vae_model *model;
    struct folder folder;
    vae_fit_options options;
    bool quiet;
    struct progress progress;
};

static bool asks_to_stop(void *context)
{
    (void)context;
    return signals_caught() != 0;
}

static bool on_step(void *context, const vae_progress *p)
{
    struct session *s = context;
    char work[48];
    snprintf(work, sizeof work, "pass %llu/%llu", (unsigned long long)p->epoch, (unsigned long long)p->epochs);
    progress_show(&s->progress, &(struct progress_line){.work = work,
                                                        .done = p->done,
                                                        .total = p->total,
                                                        .later = (p->epochs - p->epoch) * p->total,
                                                        .seconds = p->seconds,
                                                        .loss = NAN});
    return asks_to_stop(context);
}

static bool on_pass(void *context, uint64_t pass, double kl)
{
    struct session *s = context;
    progress_clear(&s->progress);
    if (!s->quiet)
        fprintf(stderr, "pass %llu/%llu  train kl %.4f\n", (unsigned long long)pass,
                (unsigned long long)s->options.passes, kl);
    return asks_to_stop(context);
}

/* A file of metrics with the one row that the new model has. */
static vae_status save_in(const struct folder *folder, const vae_model *fitted, bool validates, vae_error *err)
{
    struct metrics metrics;
    vae_status status = metrics_open(&metrics, folder->metrics, validates, err);
    if (status) return status;
    metrics_add(&metrics, vae_model_metrics(fitted));
    status = metrics_write(&metrics, folder->metrics, err);
    metrics_close(&metrics);
    return status ? status : vae_model_save(fitted, folder->model, err);
}

static vae_status save(const struct session *s, const vae_model *fitted, bool validates, vae_error *err)
{
    struct folder staged;
    vae_status status = folder_check(&s->folder, err);
    if (!status) status = staging_open(&s->folder, &staged, err);
    if (status) return status;
    status = save_in(&staged, fitted, validates, err);
    return status ? staging_drop(&s->folder, status, err) : staging_commit(&s->folder, err);
}

static vae_status report(const struct session *s, const vae_model *fitted, double before, vae_error *err)
{
    const vae_metrics *m = vae_model_metrics(fitted);
    if (argument(s->arguments, "json")) {
        json_t *object = json_pack("{s:o, s:o, s:o, s:o}", "run", json_text(s->folder.path), "model",
                                   json_text(s->folder.model), "metrics", json_text(s->folder.metrics),
                                   "test_kl_before", json_finite(before));
        json_add_metrics(object, m);
        return json_print(object, JSON_REAL_PRECISION(9), err);
    }
    if (!s->quiet)
        fprintf(stderr, "test kl %.4f, before %.4f; recon %.4f, neg_elbo %.4f nats/image\n", m->test_kl, before,
                m->test_recon, m->test_neg_elbo);
    printf("%s\n%s\n", SHOWN(s->folder.model), SHOWN(s->folder.metrics));
    return VAE_OK;
}

/* The KL of the model as it was, on the same images with the same noise. */
static vae_status kl_before(const vae_model *model, const vae_data *data, size_t threads, double *kl, vae_error *err)
{
    vae_eval_options options;
    vae_evaluation *e = NULL;
    vae_eval_defaults(&options);
    options.sparsity = false;
    options.threads = threads;
    vae_status status = vae_evaluate(&e, model, data->test.n ? &data->test : &data->train, &options, err);
    if (!status) *kl = e->kl;
    vae_evaluation_free(&e);
    return status;
}

static vae_status fit_in_folder(struct session *s, const vae_data *data, double before, vae_error *err)
{
    vae_model *fitted = NULL;
    bool stopped;
    progress_begin(&s->progress, s->quiet);
    vae_status status = staging_try(&s->folder, s->model, 2, err); /* its own, and the copy in its place */
    if (!status) status = vae_fit(&fitted, s->model, data, &s->options, &stopped, err);
    progress_clear(&s->progress);
    if (!status && !stopped) status = save(s, fitted, data->validation.n > 0, err);
    if (!status && !stopped) folder_publish(&s->folder);
    if (!status && !stopped) status = report(s, fitted, before, err);
    vae_model_free(&fitted);
    if (s->folder.made) rmdir(s->folder.path); /* where nothing got into it */
    if (!status && stopped) signals_die();
    return status;
}

static vae_status read_options(const struct arguments *a, vae_fit_options *o, vae_error *err)
{
    uint64_t threads;
    vae_fit_defaults(o);
    o->prior = argument(a, "prior");
    if (!o->prior) return vae_fail(err, VAE_E_USAGE, "--prior NAME: the prior to be fitted is missing");
    vae_status status = argument_count(a, "passes", 1, 1e6, o->passes, &o->passes, err);
    if (!status) status = argument_count(a, "batch", 1, 1e6, o->batch, &o->batch, err);
    if (!status) status = argument_real(a, "lr", 1e-12, 1e6, o->lr, &o->lr, err);
    if (!status) status = argument_count(a, "seed", 0, 9007199254740991.0, o->seed, &o->seed, err);
    if (!status) status = argument_count(a, "threads", 1, 256, 0, &threads, err);
    if (!status) o->threads = threads;
    return status;
}

/* "fit-NAME", for a folder that is named by date. */
static void name_run(const char *prior, char *name, size_t size)
{
    snprintf(name, size, "fit-%.*s", (int)strcspn(prior, ":/"), prior);
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN], name[VAE_MAX_NAME + 8];
    struct session s = {.arguments = arguments, .quiet = argument(arguments, "quiet"), .folder = {.lock = -1}};
    vae_model *model = NULL;
    vae_data *data = NULL;
    double before = NAN;
    vae_status status = read_options(arguments, &s.options, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_open_divided(arguments, arguments->run, model, &data, err);
    if (!status) status = run_check_training(data, err);
    if (!status) status = run_blame_model(model_path, kl_before(model, data, s.options.threads, &before, err), err);
    if (!status) {
        name_run(s.options.prior, name, sizeof name);
        signals_catch(); /* from here on there is a folder that must not stay empty */
        status = folder_make(&s.folder, argument(arguments, "output"), name, argument(arguments, "force"), err);
    }
    s.model = model;
    s.options.context = &s;
    s.options.on_step = on_step;
    s.options.asks_to_stop = asks_to_stop;
    s.options.on_pass = on_pass;
    if (!status) status = fit_in_folder(&s, data, before, err);
    folder_close(&s.folder);
    vae_model_free(&model);
    vae_data_free(&data);
    return status;
}

static const struct flag flags[] = {
    {"prior", 0, "NAME[:k=v,...]", "prior to be fitted: one that learns"},
    {"passes", 0, "N", "passes over the training images [20]"},
    {"batch", 0, "B", "images per step [100]"},
    {"lr", 0, "R", "learning rate of Adam at the start; it falls to zero as a cosine [0.001]"},
    {"seed", 0, "N", "of order and noise [1]"},
    {"data", 0, "SOURCE", "the images that the model was trained on [where they were]"},
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {"output", 'o', "RUN", "folder to write [runs/fit-PRIOR-DATE-TIME]"},
    {"force", 0, NULL, "replace a run that is already there"},
    {"quiet", 'q', NULL, "no progress on stderr"},
    {"json", 0, NULL, "a JSON summary on stdout instead of the files' names"},
    {0},
};

const struct command command_fit = {
    .name = "fit",
    .group = TRAIN,
    .summary = "fit a new prior to a trained model",
    .details =
        "Gives a trained model another prior, learned from the encoded training images. Encoder and decoder stay as\n"
        "they are, so reconstructions do not change, and the KL falls. The result is a run of its own.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
