/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/folder.h"
#include "cli/outputs.h"

enum { MOST_FOLDER = PATH_MAX_RUN - 64 }; /* characters, so that names of files in it have room */

/* Where a folder's files are: in it, or in the one that is about to replace them. */
static void folder_of_files(const char *run, char path[PATH_MAX_RUN])
{
    snprintf(path, PATH_MAX_RUN, "%.*s%s", MOST_FOLDER, run, folder_is_pending(run) ? "/" FOLDER_PENDING : "");
}

void run_file(const char *run, const char *name, char path[PATH_MAX_RUN])
{
    char folder[PATH_MAX_RUN];
    folder_of_files(run, folder);
    snprintf(path, PATH_MAX_RUN, "%.*s/%.30s", PATH_MAX_RUN - 32, folder, name);
}

/* A run's file that was given by its own name. */
static void find_given_file(const char *given, char path[PATH_MAX_RUN])
{
    char folder[PATH_MAX_RUN];
    const char *slash = strrchr(given, '/'), *name = slash ? slash + 1 : given;
    snprintf(path, PATH_MAX_RUN, "%s", given);
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - given) : 1, slash ? given : ".");
    if (folder_is_own(name) && folder_is_pending(folder)) run_file(folder, name, path);
}

bool run_has_model(const char *folder)
{
    char model[PATH_MAX_RUN];
    struct stat info;
    run_file(folder, "model.safetensors", model);
    return !stat(model, &info);
}

bool run_is_inside(const char *folder, const char *name, char path[PATH_MAX_RUN])
{
    struct stat info;
    return name[0] != '.' && snprintf(path, PATH_MAX_RUN, "%s/%s", folder, name) < PATH_MAX_RUN &&
           !lstat(path, &info) && S_ISDIR(info.st_mode) && run_has_model(path);
}

/* Of a folder that is no run, but may have some in it. */
static vae_status refuse_folder(const char *folder, vae_error *err)
{
    size_t runs = 0;
    char path[PATH_MAX_RUN];
    DIR *entries = opendir(folder);
    if (!entries && run_errno(VAE_OK)) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", folder);
    for (const struct dirent *entry; entries && (entry = readdir(entries));)
        runs += run_is_inside(folder, entry->d_name, path);
    if (entries) closedir(entries);
    if (!runs) return vae_fail(err, VAE_E_MODEL, "%s: no model.safetensors in it (expected a run folder)", folder);
    return vae_fail(err, VAE_E_MODEL, "%s: a folder of %zu run%s (expected a run folder; %s/*/ names those in it)",
                    folder, runs, runs == 1 ? "" : "s", folder);
}

static vae_status find_in_folder(const char *run, char path[PATH_MAX_RUN], vae_error *err)
{
    static const char *const names[] = {"best.safetensors", "model.safetensors"};
    char folder[PATH_MAX_RUN];
    struct stat info;
    folder_of_files(run, folder);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, PATH_MAX_RUN, "%.*s/%s", PATH_MAX_RUN - (int)sizeof "/model.safetensors", folder, names[i]);
        if (!stat(path, &info)) return VAE_OK;
        if (errno != ENOENT) return vae_fail(err, VAE_E_MODEL, "%s: cannot read: %s", path, strerror(errno));
    }
    return refuse_folder(run, err);
}

vae_status run_model_path(const char *given, char path[PATH_MAX_RUN], vae_error *err)
{
    static const char latest[] = "runs/latest";
    const char *run = given ? given : latest;
    struct stat info;
    if (stat(run, &info) && !given)
        return vae_fail(err, VAE_E_MODEL, "%s: no model there (train one with 'vaectl train', or name a run)", latest);
    const bool is_folder = !stat(run, &info) && S_ISDIR(info.st_mode);
    const size_t longest = MOST_FOLDER;
    if (strlen(run) > longest) return vae_fail(err, VAE_E_MODEL, "RUN: longer than %zu characters", longest);
    if (is_folder) return find_in_folder(run, path, err);
    find_given_file(run, path);
    return VAE_OK;
}

/* A training may replace the run between the two calls: it is then looked for again. */
vae_status run_load_model(const char *given, vae_model **model, char path[PATH_MAX_RUN], vae_error *err)
{
    enum { TRIES = 10 };
    vae_status status = VAE_E_MODEL;
    for (int i = 0; i < TRIES && status == VAE_E_MODEL; i++) {
        struct stat info;
        status = run_model_path(given, path, err);
        if (!status) status = vae_model_load(model, path, err);
        if (!stat(path, &info) || errno != ENOENT) break;
    }
    if (!status && vae_model_metrics(*model)->step == 0) run_say("%s: not trained: it is as it was initialised", path);
    return status;
}

int run_folder_length(const char *model_path)
{
    static const char pending[] = "/" FOLDER_PENDING;
    const size_t most = sizeof pending - 1;
    const char *slash = strrchr(model_path, '/');
    if (!slash) return 0;
    const size_t length = (size_t)(slash - model_path);
    const bool is_pending = length >= most && !strncmp(slash - most, pending, most);
    return (int)(length - (is_pending ? most : 0)) + 1;
}

vae_status run_output(const struct arguments *arguments, const char *model_path, const char *name,
                      char path[PATH_MAX_RUN], vae_error *err)
{
    const char *given = argument(arguments, "output");
    const int length = given ? snprintf(path, PATH_MAX_RUN, "%s", given)
                             : snprintf(path, PATH_MAX_RUN, "%.*s%s", run_folder_length(model_path), model_path, name);
    return length < PATH_MAX_RUN ? VAE_OK
                                 : vae_fail(err, VAE_E_USAGE, "-o: longer than %d characters", PATH_MAX_RUN - 1);
}

vae_status run_errno(vae_status other) { return errno == ENOMEM ? VAE_E_MEMORY : other; }

static const char *const split_names[VAE_SPLITS] = {
    [VAE_TRAIN] = "train", [VAE_VALIDATION] = "validation", [VAE_TEST] = "test", [VAE_ALL] = "all"};

const char *run_split_name(vae_split split) { return split_names[split]; }

const char *run_split_words(vae_split split)
{
    static const char *const words[VAE_SPLITS] = {[VAE_TRAIN] = "the train split",
                                                  [VAE_VALIDATION] = "the validation split",
                                                  [VAE_TEST] = "the test split",
                                                  [VAE_ALL] = "the whole set"};
    return words[split];
}

/* Is a path there, perhaps with options behind a colon? */
static bool find_path(const char *source, struct stat *info)
{
    char path[PATH_MAX_RUN];
    const char *colon = strrchr(source, ':');
    snprintf(path, sizeof path, "%.*s", colon ? (int)(colon - source) : 0, source);
    return !stat(source, info) || (colon && !stat(path, info));
}

static bool is_there(const char *source)
{
    struct stat info;
    return find_path(source, &info);
}

static bool is_relative(const char *source) { return source[0] != '/' && strncmp(source, "builtin:", 8) != 0; }

void run_look_for_data(const char *source, const char *run, char found[VAE_MAX_SOURCE])
{
    char resolved[PATH_MAX], *folder = NULL;
    if (is_relative(source) && !is_there(source)) folder = realpath(run ? run : "runs/latest", resolved);
    snprintf(found, VAE_MAX_SOURCE, "%s", source);
    for (char *slash; folder && (slash = strrchr(folder, '/')); *slash = '\0') {
        char path[2 * PATH_MAX_RUN];
        snprintf(path, sizeof path, "%s/%s", folder, source);
        if (strlen(path) >= VAE_MAX_SOURCE || !is_there(path)) continue;
        strcpy(found, path);
        break;
    }
}

void run_find_data(const char *source, const char *run, char found[VAE_MAX_SOURCE])
{
    run_look_for_data(source, run, found);
    if (strcmp(found, source)) run_say("%s is not here: using %s", source, found);
}

bool run_is_own_data(const char *given, const char *source, const char *run)
{
    char own[VAE_MAX_SOURCE];
    struct stat a, b;
    run_look_for_data(source, run, own);
    if (!strcmp(given, source)) return true;
    return find_path(given, &a) && find_path(own, &b) && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* SOURCE of --data, or where the model's data is. */
static const char *source_of(const struct arguments *arguments, const char *run, const vae_model *model,
                             char found[VAE_MAX_SOURCE])
{
    const char *given = argument(arguments, "data");
    if (given) return given;
    run_find_data(vae_model_config(model)->data, run, found);
    return found;
}

/* Of data that nobody named, the message says what they are. */
static vae_status blame(const struct arguments *arguments, vae_status status, vae_error *err)
{
    const vae_error why = *err;
    if (argument(arguments, "data")) return status;
    return vae_fail(err, status, "%.300s (the model's training data; --data names others)", why.message);
}

/* A file that is too large for memory is not checked, as all of it would have to be read. */
vae_status run_check_own_data(const struct arguments *arguments, const vae_model *model, const vae_data *data,
                              vae_error *err)
{
    if (argument(arguments, "data") || data->train.stream) return VAE_OK;
    vae_status status = vae_model_check_training(model, &data->train, err);
    return status ? blame(arguments, status, err) : VAE_OK;
}

vae_status run_open_divided(const struct arguments *arguments, const char *run, const vae_model *model, vae_data **data,
                            vae_error *err)
{
    const vae_config *config = vae_model_config(model);
    char found[VAE_MAX_SOURCE];
    const char *source = source_of(arguments, run, model, found);
    vae_status status = vae_data_open(data, source, config->holdout, config->validation, config->seed, err);
    return status ? blame(arguments, status, err) : run_check_own_data(arguments, model, *data, err);
}

/* No file that the command writes may be the source, or in it. */
static vae_status spare_source(const struct arguments *arguments, const char *run, const vae_model *model,
                               vae_error *err)
{
    static const char *const outputs[] = {"output", "scales", "labels", "rows", "latents", "per-image", "pictures"};
    const char *given = argument(arguments, "data");
    char found[VAE_MAX_SOURCE];
    vae_status status = VAE_OK;
    run_look_for_data(vae_model_config(model)->data, run, found);
    for (size_t i = 0; i < sizeof outputs / sizeof *outputs && !status; i++)
        if (argument(arguments, outputs[i]))
            status = outputs_spare(argument(arguments, outputs[i]), given ? given : found, err);
    return status;
}

/* The images of a source that has no test split of its own. `*split` stays NULL where it has one. */
static vae_status open_all(const struct arguments *arguments, const char *run, const vae_model *model, bool asked_for,
                           vae_data **data, const vae_images **split, vae_error *err)
{
    char found[VAE_MAX_SOURCE];
    const char *source = source_of(arguments, run, model, found);
    vae_status status = vae_data_open_whole(data, source, err);
    if (status) return blame(arguments, status, err);
    if (!(*data)->test.n) {
        *split = &(*data)->train;
        if (!asked_for && !vae_model_check_images(model, *split, NULL))
            run_say("%s: all of its %zu (--split test takes the share of %g that --holdout and --seed of the training "
                    "choose)",
                    source, (*split)->n, vae_model_config(model)->holdout);
        return VAE_OK;
    }
    vae_data_free(data);
    return asked_for ? vae_fail(err, VAE_E_USAGE,
                                "--split all: %s has a test split (expected train, validation or test)", source)
                     : VAE_OK;
}

vae_status run_open_data(const struct arguments *arguments, const char *run, const vae_model *model, vae_data **data,
                         const vae_images **split, vae_error *err)
{
    const char *given = argument(arguments, "data"), *name = argument(arguments, "split");
    size_t which = name ? 0 : VAE_TEST;
    while (name && which < VAE_SPLITS && strcmp(name, split_names[which])) which++;
    if (which == VAE_SPLITS)
        return vae_fail(err, VAE_E_USAGE, "--split: '%s' (expected train, validation, test or all)", name);
    vae_status status = spare_source(arguments, run, model, err);
    *split = NULL;
    if (status) return status;
    if (name ? which == VAE_ALL : given && !run_is_own_data(given, vae_model_config(model)->data, run))
        status = open_all(arguments, run, model, name, data, split, err);
    if (status || *split) return status;
    status = run_open_divided(arguments, run, model, data, err);
    if (status) return status;
    const vae_images *const splits[] = {
        [VAE_TRAIN] = &(*data)->train, [VAE_VALIDATION] = &(*data)->validation, [VAE_TEST] = &(*data)->test};
    if (name && !splits[which]->n) return vae_fail(err, VAE_E_USAGE, "--split %s: the data has no such split", name);
    *split = splits[which]->n ? splits[which] : splits[VAE_TRAIN];
    return VAE_OK;
}

vae_status run_check_training(const vae_data *data, vae_error *err)
{
    if (data->train.n > 1) return VAE_OK;
    return vae_fail(err, VAE_E_DATA,
                    "%s: a single image to train on (expected at least 2: a folder of PNG files or of MNIST's files, "
                    "or one file, IDX, .npy or .csv, of many images)",
                    data->source);
}

vae_status run_check_pictures(const char *command, const vae_model *model, vae_error *err)
{
    size_t rows, cols;
    vae_model_shape(model, &rows, &cols);
    if (rows > 1) return VAE_OK;
    const bool writes_arrays = !strcmp(command, "sample") || !strcmp(command, "decode");
    return vae_fail(err, VAE_E_USAGE, "%s: the model is one of rows of %zu number%s, which are no pictures (%s)",
                    command, cols, cols == 1 ? "" : "s",
                    writes_arrays ? "-o FILE.npy or FILE.csv writes the numbers"
                                  : "encode and decode write the numbers, plot scatter draws them");
}

vae_status run_label(const struct arguments *arguments, const vae_model *model, uint8_t fallback, uint8_t *label,
                     vae_error *err)
{
    const uint64_t classes = vae_model_config(model)->classes;
    uint64_t value;
    if (!classes && argument(arguments, "label"))
        return vae_fail(err, VAE_E_USAGE, "--label: the model is not conditional (train --conditional makes one)");
    vae_status status = argument_count(arguments, "label", 0, (double)classes - 1, fallback, &value, err);
    if (!status) *label = (uint8_t)value;
    return status;
}

double run_learned_sigma(const vae_model *model)
{
    vae_tensor tensor;
    float log_sigma;
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++) {
        if (strcmp(tensor.name, "likelihood.logsigma")) continue;
        vae_model_read(model, i, &log_sigma);
        return exp((double)log_sigma);
    }
    return NAN;
}

vae_status run_blame_model(const char *path, vae_status status, vae_error *err)
{
    if (status != VAE_E_DIVERGED || !err) return status;
    const vae_error why = *err;
    return vae_fail(err, status, "%s: %s", path, why.message);
}

const char *run_shown(const char *name, char shown[PATH_MAX_RUN])
{
    size_t n = 0;
    for (const unsigned char *c = (const unsigned char *)name; *c && n + 1 < PATH_MAX_RUN; c++) {
        const bool is_two = *c == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0; /* U+0080 to U+009F */
        shown[n++] = *c < 0x20 || *c == 0x7f || is_two ? '?' : (char)*c;
        if (is_two && n + 1 < PATH_MAX_RUN) shown[n++] = '?', c++;
    }
    shown[n] = '\0';
    return shown;
}

void run_say_written(const char *path) { printf("%s\n", SHOWN(path)); }

void run_say(const char *format, ...)
{
    char text[2 * PATH_MAX_RUN];
    vae_error line;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    vae_fail(&line, VAE_OK, "%s", text); /* which masks them */
    fprintf(stderr, "vaectl: %s\n", line.message);
}
