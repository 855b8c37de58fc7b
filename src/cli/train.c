/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/announce.h"
#include "cli/epochs.h"
#include "cli/json.h"
#include "cli/metrics.h"
#include "cli/progress.h"
#include "cli/shell.h"
#include "cli/signals.h"
#include "cli/staging.h"

/* ---- What is said and written while training -------------------------------------------------------------------- */

struct session {
    const struct folder *folder;
    const vae_data *data;
    bool quiet;
    struct progress progress;
    struct epochs epochs;
    struct metrics metrics;
    bool replaces;       /* the folder still has another run's files */
    bool is_published;   /* runs/latest was pointed at the folder, */
    bool is_latest;      /* and does so */
    uint64_t keep_every; /* epochs after which a checkpoint stays; 0: none does */
};

static void show_progress(struct session *s, const vae_progress *p)
{
    char work[48];
    snprintf(work, sizeof work, "epoch %llu/%llu", (unsigned long long)p->epoch, (unsigned long long)p->epochs);
    progress_show(&s->progress, &(struct progress_line){.work = work,
                                                        .done = p->done,
                                                        .total = p->total,
                                                        .earlier = p->earlier,
                                                        .later = (p->epochs - p->epoch) * p->total,
                                                        .seconds = p->seconds,
                                                        .loss = p->loss});
}

static bool asks_to_stop(void *context)
{
    (void)context;
    return signals_caught() != 0;
}

static bool on_step(void *context, const vae_progress *progress)
{
    show_progress(context, progress);
    return asks_to_stop(context);
}

/* The model as it was before its first step, which is what epoch 0 of the kept checkpoints is. */
static vae_status keep_untrained(const struct session *s, const struct folder *folder, const vae_model *model,
                                 vae_error *err)
{
    char path[PATH_MAX_RUN];
    size_t rows, cols;
    vae_model *untrained = NULL;
    folder_epoch(folder, 0, path);
    vae_model_shape(model, &rows, &cols);
    vae_status status = vae_model_new(&untrained, vae_model_config(model), rows, cols, err);
    if (!status) status = vae_model_start(untrained, &s->data->train, err);
    if (!status) status = vae_model_save(untrained, path, err);
    vae_model_free(&untrained);
    return status;
}

/* A finished epoch's checkpoint, if it stays. */
static vae_status keep(const struct session *s, const struct folder *folder, const vae_model *model, vae_error *err)
{
    const uint64_t epoch = vae_model_metrics(model)->epoch;
    char path[PATH_MAX_RUN];
    if (!s->keep_every || epoch % s->keep_every) return VAE_OK;
    folder_epoch(folder, epoch, path);
    return vae_model_save(model, path, err);
}

/* metrics.csv first: rows that the model does not know are dropped by --resume, missing ones would be lost. The model
 * comes last: what it says is done is there. `finished`: an epoch was. */
static vae_status save_in(struct session *s, const struct folder *folder, const vae_model *model, bool finished,
                          vae_error *err)
{
    const vae_metrics *m = vae_model_metrics(model);
    const bool is_best = finished && s->metrics.validates && m->best_epoch == m->epoch;
    vae_status status = metrics_write(&s->metrics, folder->metrics, err);
    if (!status && finished) status = keep(s, folder, model, err);
    if (!status && is_best) status = vae_model_save(model, folder->best, err);
    return status ? status : vae_model_save(model, folder->model, err);
}

/* The first files of a run come all at once, in the place of those of another run or of none. */
static vae_status save_first(struct session *s, const vae_model *model, bool finished, vae_error *err)
{
    struct folder staged;
    vae_status status = staging_open(s->folder, &staged, err);
    if (status) return status;
    if (s->keep_every) status = keep_untrained(s, &staged, model, err);
    if (!status) status = save_in(s, &staged, model, finished, err);
    if (status) return staging_drop(s->folder, status, err);
    status = staging_commit(s->folder, err);
    if (!status) s->replaces = false;
    return status;
}

static vae_status save(struct session *s, const vae_model *model, bool finished, vae_error *err)
{
    vae_status status = folder_check(s->folder, err);
    if (status) return status;
    return s->replaces ? save_first(s, model, finished, err) : save_in(s, s->folder, model, finished, err);
}

/* A run that has not learned anything is not the newest one: it may end before its first epoch does. */
static void publish(struct session *s)
{
    if (!s->is_published) s->is_latest = folder_publish(s->folder);
    s->is_published = true;
}

static vae_status on_epoch(void *context, const vae_model *model, vae_error *err)
{
    struct session *s = context;
    progress_clear(&s->progress);
    if (!s->quiet) epochs_row(&s->epochs, vae_model_metrics(model));
    metrics_add(&s->metrics, vae_model_metrics(model));
    vae_status status = save(s, model, true, err);
    if (!status) publish(s);
    return status;
}

/* How many files of the model's size a save may need room for beside those that are there: the model and the best one
 * under their temporary names, and a checkpoint that stays. The first save has all of them twice for a moment, and the
 * checkpoint of epoch 0. */
static size_t files_of_a_save(const struct session *s)
{
    const size_t best = s->metrics.validates, kept = s->keep_every > 0;
    return s->replaces ? 2 * (1 + best + 2 * kept) : 1 + best + kept;
}

/* That a model can be written is found out before the first step. A new folder gets one at once, from where training
 * starts; files that are there already stay as they are until there is something to replace them. */
static vae_status start_session(struct session *s, const vae_model *model, bool resumed, vae_error *err)
{
    const bool is_new = access(s->folder->model, F_OK) != 0;
    vae_status status = VAE_OK;
    s->replaces = !resumed;
    if (resumed) status = metrics_keep(&s->metrics, vae_model_metrics(model)->epoch, err);
    if (!status) status = staging_try(s->folder, model, files_of_a_save(s), err);
    if (!status && is_new) status = save(s, model, false, err);
    if (!status && vae_model_metrics(model)->step > 0) publish(s);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

/* That there is no test split is said in any case: the losses then are not what they are called. */
static vae_status say_what(const struct session *s, const vae_model *model, const vae_data *data, vae_error *err)
{
    const bool is_done = vae_model_metrics(model)->epoch >= vae_model_config(model)->epochs;
    if (!s->quiet && !is_done) return announce(s->folder->path, model, data, err);
    if (!data->test.n) fprintf(stderr, "%s\n", SHOWN(data->name));
    return VAE_OK;
}

/* Why a training ended before its last epoch, or had nothing to do. */
static void show_end(const struct session *s, const vae_model *model, uint64_t first)
{
    const vae_metrics *m = vae_model_metrics(model);
    const vae_config *config = vae_model_config(model);
    if (m->epoch < config->epochs)
        run_say("stopped after epoch %llu: validation loss was best after epoch %llu (--patience %llu)",
                (unsigned long long)m->epoch, (unsigned long long)m->best_epoch, (unsigned long long)config->patience);
    else if (m->epoch == first)
        run_say("%s: all %llu epochs are done (--epochs may be raised)", s->folder->path, (unsigned long long)m->epoch);
}

/* The run as the shell takes it, or what stands for it where that would need quotes; nothing where it is the default.
 */
static const char *run_in_shell(const struct session *s)
{
    return s->is_latest ? "" : shell_is_plain(s->folder->path) ? s->folder->path : "RUN";
}

/* On a terminal: commands that show what was learned, to be pasted as they are, with what each gives where that has
 * room. */
static void show_next_steps(const struct session *s)
{
    static const struct command *const next[] = {&command_reconstruct, &command_sample, &command_traverse,
                                                 &command_eval};
    if (!s->progress.shows) return;
    fprintf(stderr, "\nnext\n");
    for (size_t i = 0; i < sizeof next / sizeof *next; i++) {
        const int used = fprintf(stderr, "  vaectl %-11s %s", next[i]->name, run_in_shell(s));
        const bool has_room = used + 4 + (int)strlen(next[i]->summary) <= progress_columns();
        fprintf(stderr, has_room ? "  # %s\n" : "\n", next[i]->summary);
    }
}

static vae_status print_summary(const struct session *s, const vae_model *model, bool json, vae_error *err)
{
    if (!json) {
        printf("%s\n%s\n", SHOWN(s->folder->model), SHOWN(s->folder->metrics));
        return VAE_OK;
    }
    json_t *object = json_pack("{s:o, s:o, s:o}", "run", json_text(s->folder->path), "model",
                               json_text(s->folder->model), "metrics", json_text(s->folder->metrics));
    json_add_metrics(object, vae_model_metrics(model));
    return json_print(object, JSON_REAL_PRECISION(9), err);
}

/* Saves a model stopped within an epoch; then the signal takes its course. A run that was to be replaced stays where
 * there is no epoch yet to replace it. */
static vae_status die_of_signal(struct session *s, const vae_model *model, vae_error *err)
{
    vae_status status = s->replaces ? VAE_OK : save(s, model, false, err);
    if (status) return status;
    if (vae_model_metrics(model)->step > 0) publish(s);
    if (s->replaces)
        run_say("interrupted before the end of the first epoch: the run in %s is as it was", s->folder->path);
    else
        run_say("interrupted: state saved in %s", s->folder->model);
    signals_die();
    return VAE_OK;
}

struct request {
    const struct arguments *arguments;
    uint64_t threads, keep_every;
    bool resumed;
};

static vae_status train_in_folder(const struct request *r, vae_model *model, const vae_data *data,
                                  const struct folder *folder, vae_error *err)
{
    struct session session = {
        .folder = folder, .data = data, .quiet = argument(r->arguments, "quiet"), .keep_every = r->keep_every};
    const vae_train_hooks hooks = {
        .context = &session, .on_step = on_step, .asks_to_stop = asks_to_stop, .on_epoch = on_epoch};
    const uint64_t first = vae_model_metrics(model)->epoch;
    vae_status status = metrics_open(&session.metrics, folder->metrics, data->validation.n > 0, err);
    if (!status) status = start_session(&session, model, r->resumed, err);
    if (!status) status = say_what(&session, model, data, err);
    if (!status) {
        progress_begin(&session.progress, session.quiet);
        epochs_begin(&session.epochs, vae_model_config(model), data->validation.n > 0, session.progress.shows);
        status = vae_train(model, data, r->threads, &hooks, NULL, err);
    }
    progress_clear(&session.progress);
    if (!status && signals_caught()) status = die_of_signal(&session, model, err);
    if (!status) show_end(&session, model, first);
    if (!status) status = print_summary(&session, model, argument(r->arguments, "json"), err);
    if (!status) show_next_steps(&session);
    metrics_close(&session.metrics);
    if (status && folder->made) rmdir(folder->path); /* where nothing got into it */
    return status;
}

/* `run` is the one that is resumed, or NULL. */
static vae_status open_training_data(const vae_config *config, const char *run, vae_data **data, vae_error *err)
{
    char source[VAE_MAX_SOURCE];
    snprintf(source, sizeof source, "%s", config->data);
    if (run) run_find_data(config->data, run, source);
    vae_status status = vae_data_open(data, source, config->holdout, config->validation, config->seed, err);
    if (!status) status = run_check_training(*data, err);
    if (!status && config->validation > 0 && (*data)->validation.n == 0)
        status = vae_fail(err, VAE_E_USAGE, "--validation %g of %zu training images is none", config->validation,
                          (*data)->train.n);
    return status;
}

/* That a split is not what the model takes would else be found out in vae_train, when there is a folder. */
static vae_status check_data(const vae_model *model, const vae_data *data, vae_error *err)
{
    vae_status status = vae_model_check_training(model, &data->train, err);
    return status ? status : vae_model_check_data(model, data, err);
}

/* Flags that change nothing here; a script may give them to all of its runs. */
static void say_ignored(const struct arguments *arguments, const vae_config *config, const vae_data *data)
{
    if (argument(arguments, "lr-factor") && strcmp(config->schedule, "step"))
        run_say("--lr-factor has no effect (schedule %s)", config->schedule);
    if (argument(arguments, "holdout") && data->test.n && !data->test.number)
        run_say("--holdout has no effect (the data has a test split)");
}

static vae_status train_anew(const struct request *r, vae_error *err)
{
    vae_config config;
    vae_data *data = NULL;
    vae_model *model = NULL;
    struct folder folder = {.lock = -1};
    vae_status status = settings_from_flags(r->arguments, &command_train, &config, err);
    if (!status) status = settings_default_data(r->arguments, &config, err);
    if (!status) status = settings_find_start(&config, err);
    if (!status) status = open_training_data(&config, NULL, &data, err);
    if (!status) settings_count_classes(&config, data);
    if (!status) status = announce_large(&config, data, err);
    if (!status) status = vae_model_new(&model, &config, data->train.rows, data->train.cols, err);
    if (!status) status = check_data(model, data, err);
    if (!status)
        status = vae_model_start(model, &data->train, err); /* what is wrong is said before there is a folder */
    signals_catch(); /* from here on there is a folder that must not stay empty */
    if (!status)
        status = folder_make(&folder, argument(r->arguments, "output"), config.prior.name,
                             argument(r->arguments, "force"), err);
    if (!status) settings_say_data(r->arguments, &config);
    if (!status) say_ignored(r->arguments, &config, data);
    if (!status) status = train_in_folder(r, model, data, &folder, err);
    folder_close(&folder);
    vae_model_free(&model);
    vae_data_free(&data);
    return status;
}

/* The folder of a run that was given as folder or as its model.safetensors. Another file in it is not the run's state,
 * and going on from it would overwrite that. */
static vae_status folder_of(const char *run, char path[PATH_MAX_RUN], vae_error *err)
{
    static const char name[] = "model.safetensors";
    struct stat info;
    const char *slash = strrchr(run, '/'), *base = slash ? slash + 1 : run;
    const bool is_folder = stat(run, &info) || S_ISDIR(info.st_mode);
    if (!is_folder && strcmp(base, name))
        return vae_fail(err, VAE_E_USAGE, "--resume: %s: expected a run folder or its %s", run, name);
    snprintf(path, PATH_MAX_RUN, "%.*s",
             is_folder ? PATH_MAX_RUN
             : slash   ? (int)(slash - run)
                       : 1,
             is_folder || slash ? run : ".");
    return VAE_OK;
}

/* A run goes on with the settings in its file, but for those that it can train on with. */
static vae_status resume_settings(const struct arguments *arguments, vae_model *model, vae_error *err)
{
    static const char *const refused[] = {"output", "force"};
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (argument(arguments, refused[i]))
            return vae_fail(err, VAE_E_USAGE, "--resume goes on in the run's own folder (no --%s)", refused[i]);
    return settings_into_model(arguments, &command_train, model, err);
}

/* Locked before it is read: whoever trains in it now may not have finished its last save. */
static vae_status resume(const struct request *r, vae_error *err)
{
    char path[PATH_MAX_RUN];
    vae_data *data = NULL;
    vae_model *model = NULL;
    struct folder folder = {.lock = -1};
    vae_status status = folder_of(argument(r->arguments, "resume"), path, err);
    if (!status) status = folder_open(&folder, path, err);
    if (!status) status = vae_model_load(&model, folder.model, err);
    if (!status) status = resume_settings(r->arguments, model, err);
    if (!status) status = open_training_data(vae_model_config(model), path, &data, err);
    if (!status) status = check_data(model, data, err);
    signals_catch();
    if (!status) status = train_in_folder(r, model, data, &folder, err);
    folder_close(&folder);
    vae_model_free(&model);
    vae_data_free(&data);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    struct request r = {.arguments = arguments, .resumed = argument(arguments, "resume")};
    vae_status status = argument_count(arguments, "threads", 1, 256, 0, &r.threads, err);
    if (!status) status = argument_count(arguments, "keep-every", 1, 1e6, 0, &r.keep_every, err);
    if (status) return status;
    return r.resumed ? resume(&r, err) : train_anew(&r, err);
}

static const struct flag flags[] = {
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {"output", 'o', "RUN", "folder to write [runs/PRIOR-DATE-TIME]"},
    {"force", 0, NULL, "replace a run that is already there"},
    {"resume", 0, "RUN", "go on with a run where it stopped; of its settings only " VAE_CHANGEABLE " may differ"},
    {"keep-every", 0, "E",
     "keep the model before training and after each E epochs, as epoch-0010.safetensors; --resume needs it again"},
    {"quiet", 'q', NULL, "no progress on stderr"},
    {"json", 0, NULL, "a JSON summary on stdout instead of the files' names"},
    {0},
};

const struct command command_train = {
    .name = "train",
    .group = TRAIN,
    .summary = "train a model, write a run folder",
    .details =
        "Trains a variational autoencoder and writes a run folder with model.safetensors (after each epoch) and\n"
        "metrics.csv. Losses are in nats per image: summed over pixels and latents, averaged over images. In the "
        "table,\n"
        "loss is what is optimised (with --beta, --free-bits, --objective), recon the reconstruction, kl the KL\n"
        "(Kullback-Leibler divergence), and neg_elbo their sum: minus the evidence lower bound (ELBO).",
    .takes_settings = true,
    .flags = flags,
    .run = run,
};
