/* SPDX-License-Identifier: MIT
 *
 * The command line: a command is one file ending in a `const struct command`, listed below and in main.c. Parsing and
 * help are made from its table of flags; `train` adds the settings of vae.h and the parameters of all modules. */
#ifndef VAE_COMMAND_H
#define VAE_COMMAND_H

#include <errno.h>
#include <stdio.h>

#include "vae.h"

/* A call of the system, again where a signal interrupts it. */
#define RETRY(result, call)                                                                                            \
    do (result) = (call);                                                                                              \
    while ((result) < 0 && errno == EINTR)

struct flag {
    const char *name;
    char letter;         /* short form, or 0 */
    const char *metavar; /* NULL: takes no value */
    const char *help;    /* with the default in brackets */
};

enum { MAX_GIVEN = 128, MAX_PLUGINS = 16 };

struct arguments {
    struct {
        const char *name, *value; /* value "" for flags that take none */
    } given[MAX_GIVEN];
    size_t n;
    const char *word; /* the first positional argument, of a command that takes a word, or NULL */
    const char *run;  /* the next one, or NULL */
    char *const *runs;
    size_t n_runs;
    const char *file;                /* the last one, of a command that takes a file */
    const char *plugin[MAX_PLUGINS]; /* files of --plugin */
    size_t n_plugins;
};

/* Commands stand together in the help by what they are for. */
enum command_group { INSPECT, TRAIN, MEASURE, DRAW, EXCHANGE, COMMAND_GROUPS };

struct command {
    const char *name, *summary;
    enum command_group group;
    const char *details;          /* a paragraph for --help */
    const char *takes_word;       /* what help calls a word that has to be given before RUN, or NULL */
    bool takes_run;               /* a positional RUN, */
    bool takes_runs;              /* or any number of them */
    const char *takes_file;       /* what help calls a file that has to be given behind RUN, or NULL */
    bool takes_settings;          /* all settings of vae.h, and parameters of modules; */
    bool takes_lists;             /* each may be a list of values, which the command divides */
    const struct flag *flags;     /* ends with a NULL name */
    void (*more_help)(FILE *out); /* behind the flags; may be NULL */
    vae_status (*run)(const struct arguments *arguments, vae_error *err);
};

extern const struct command command_train, command_completion;
extern const struct command *const commands[]; /* all, in the order of help; NULL ends them */
extern const struct command command_fit;
extern const struct command command_eval;
extern const struct command command_compare;
extern const struct command command_report;
extern const struct command command_reconstruct;
extern const struct command command_sample;
extern const struct command command_traverse;
extern const struct command command_interpolate;
extern const struct command command_plot;
extern const struct command command_encode;
extern const struct command command_decode;
extern const struct command command_data;
extern const struct command command_info;
extern const struct command command_check;
extern const struct command command_priors;
extern const struct command command_bench;

/* ---- arguments.c ------------------------------------------------------------------------------------------------ */
vae_status arguments_parse(struct arguments *arguments, const struct command *command, int argc, char **argv,
                           vae_error *err);
/* Names of all flags that a command takes; NULL ends them. */
void arguments_flags(const struct command *command, const char *names[MAX_GIVEN + 1]);
/* The last value given for a flag, or NULL. */
const char *argument(const struct arguments *arguments, const char *name);
/* A whole number in [min, max], `fallback` where not given. */
vae_status argument_count(const struct arguments *arguments, const char *name, double min, double max,
                          uint64_t fallback, uint64_t *value, vae_error *err);
vae_status argument_real(const struct arguments *arguments, const char *name, double min, double max, double fallback,
                         double *value, vae_error *err);

/* ---- settings.c: for commands with takes_settings --------------------------------------------------------------- */
/* NULL: no setting, but perhaps a parameter of a module. */
const vae_setting *settings_find(const char *name);
/* Is the flag the command's, whatever settings there are? */
bool settings_is_own_flag(const struct command *command, const char *name);
vae_status settings_from_flags(const struct arguments *arguments, const struct command *command, vae_config *config,
                               vae_error *err);
/* --conditional says that there are classes; how many, the labels of the training images say. */
void settings_count_classes(vae_config *config, const vae_data *data);
/* Was any setting given but --data? */
bool settings_given(const struct arguments *arguments, const struct command *command);
/* The settings that were given into a trained model; fails where they cannot change any more. */
vae_status settings_into_model(const struct arguments *arguments, const struct command *command, vae_model *model,
                               vae_error *err);
/* Without --data: data/mnist if its images are there, else builtin:digits. */
vae_status settings_default_data(const struct arguments *arguments, vae_config *config, vae_error *err);
/* Do two configurations have the same value of a setting? How many classes there are is said by the data. */
bool same_setting(const vae_config *a, const vae_config *b, const vae_setting *setting);
/* The first setting in which they differ, or NULL. Those of VAE_CHANGEABLE count only where `changeable`. */
const vae_setting *differing_setting(const vae_config *a, const vae_config *b, bool changeable);
/* --start RUN names a run folder or a model file: the model file is what is kept. A link, such as runs/latest, is
 * followed, as it will soon lead elsewhere. */
vae_status settings_find_start(vae_config *config, vae_error *err);
/* Says on stderr which of the two data it is, as soon as nothing else can be wrong. */
void settings_say_data(const struct arguments *arguments, const vae_config *config);

/* ---- plugin.c: priors from files --------------------------------------------------------------------------------- */
/* Is a prior given as a file: has it a slash, or does it end in .so? */
bool plugin_is_file(const char *text);
/* vae_prior_load, and no parameter has the name of a flag of train. `name` may be NULL. */
vae_status plugin_load(const char *path, const char **name, vae_error *err);
/* NAME[:k=v,...] for FILE[:k=v,...], which is loaded; other text stays as it is. */
vae_status plugin_choice(const char *text, char choice[VAE_MAX_SOURCE], vae_error *err);
/* The lines of a plug-in's source, src/cli/template/prior.c; NULL ends them. */
extern const char *const plugin_template[];

/* ---- help.c ----------------------------------------------------------------------------------------------------- */
void help_command(FILE *out, const struct command *command);
/* A line of a list of names, with what they are. */
void help_item(FILE *out, const char *name, const char *text);
/* What a module's parameter is, its values and its default, from `column` to the end of the line; further lines begin
 * in column `indent`. */
void help_param(FILE *out, size_t column, size_t indent, const vae_param *param);

/* ---- run.c: where models, their data and pictures are ----------------------------------------------------------- */
enum { PATH_MAX_RUN = 2048 };
/* The model file that RUN (or its absence) means: a file, or of a folder best.safetensors where there is one, else
 * model.safetensors. Fails with VAE_E_MODEL, also where best.safetensors cannot be looked for. */
vae_status run_model_path(const char *given, char path[PATH_MAX_RUN], vae_error *err);
/* A file of a run folder, in whose place another may be just about to come: see staging.h. */
void run_file(const char *run, const char *name, char path[PATH_MAX_RUN]);
/* Is a folder a run? */
bool run_has_model(const char *folder);
/* Is an entry of a folder one, and not a link, as runs/latest is, to one that is there as well? `path` is the entry's.
 */
bool run_is_inside(const char *folder, const char *name, char path[PATH_MAX_RUN]);
/* The model in it. */
vae_status run_load_model(const char *given, vae_model **model, char path[PATH_MAX_RUN], vae_error *err);
/* How much of a model's path is the folder that it is in for its user, with the slash. */
int run_folder_length(const char *model_path);
/* Where a command writes NAME: -o, or beside the model file. */
vae_status run_output(const struct arguments *arguments, const char *model_path, const char *name,
                      char path[PATH_MAX_RUN], vae_error *err);
/* What a call of the system failed for, by errno: VAE_E_MEMORY, or `other`. */
vae_status run_errno(vae_status other);
const char *run_split_name(vae_split split);
/* The same for a sentence: "the test split", "the whole set". */
const char *run_split_words(vae_split split);
/* A row of the tables of flags of commands that use images of a model. */
#define SPLIT_FLAG(of)                                                                                                 \
    {                                                                                                                  \
        "split", 0, "train|validation|test|all",                                                                       \
            "which part of " of " [test; all of another source without test images]"                                   \
    }
/* Where a run's data is. A path that is relative and not there from here is looked for in the folders above the run, of
 * which one was the working directory of the training, unless -o led out of it; `found` is `source` where it is
 * nowhere. `run` NULL: runs/latest. */
void run_look_for_data(const char *source, const char *run, char found[VAE_MAX_SOURCE]);
/* Is `given` the data, perhaps under another name, that the model in `run` was trained on as `source`? */
bool run_is_own_data(const char *given, const char *source, const char *run);
/* The same, and says on stderr where the data is another one than `source`. */
void run_find_data(const char *source, const char *run, char found[VAE_MAX_SOURCE]);
/* Without --data: are these the images that the model was trained on? VAE_E_DATA where not. */
vae_status run_check_own_data(const struct arguments *arguments, const vae_model *model, const vae_data *data,
                              vae_error *err);
/* The data of --data or of the run's model, divided as the model's were. */
vae_status run_open_divided(const struct arguments *arguments, const char *run, const vae_model *model, vae_data **data,
                            vae_error *err);
/* The same and the split of --split. Without --split it is all of a source that is not the model's own and has no test
 * split, which is said on stderr, and else the test split, or the training split where there is no other. */
vae_status run_open_data(const struct arguments *arguments, const char *run, const vae_model *model, vae_data **data,
                         const vae_images **split, vae_error *err);
/* A single image, as a PNG file is, is no set to train on: VAE_E_DATA. */
vae_status run_check_training(const vae_data *data, vae_error *err);
/* Data of one row are no pictures: commands that draw some say so. */
vae_status run_check_pictures(const char *command, const vae_model *model, vae_error *err);
/* --label, one of the model's classes; `fallback` where it is not given. Only conditional models take it. */
vae_status run_label(const struct arguments *arguments, const vae_model *model, uint8_t fallback, uint8_t *label,
                     vae_error *err);
/* The sigma of all pixels that a Gaussian likelihood learned; NaN where there is none. */
double run_learned_sigma(const vae_model *model);
/* A loss that is no number is the fault of the model, whose file the message then names first. Returns `status`. */
vae_status run_blame_model(const char *path, vae_status status, vae_error *err);
/* A copy of a name in which '?' stands for control characters, which a terminal would obey: names go to stdout so. */
#define SHOWN(name) run_shown(name, (char[PATH_MAX_RUN]){0})
const char *run_shown(const char *name, char shown[PATH_MAX_RUN]);
void run_say_written(const char *path);
/* A line on stderr that is no error, "vaectl: ...", without control characters. */
VAE_PRINTF(1, 2) void run_say(const char *format, ...);

#endif
