/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* sched_getaffinity */
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "cli/compare.h"
#include "cli/folder.h"
#include "cli/outputs.h"

/* ---- What is written -------------------------------------------------------------------------------------------- */

struct outputs {
    struct picture figure, pictures; /* their paths "": not asked for */
    const char *csv, *latex;
    bool json;
};

/* What is wrong with them is said before anything is trained. `figure`: where it goes, or NULL. */
static vae_status read_outputs(const struct arguments *arguments, const char *figure, struct outputs *o, vae_error *err)
{
    const char *pictures = argument(arguments, "pictures");
    *o = (struct outputs){
        .csv = argument(arguments, "csv"), .latex = argument(arguments, "latex"), .json = argument(arguments, "json")};
    vae_status status = argument_real(arguments, "scale", 0.1, 20, 1, &o->figure.scale, err);
    if (!status && argument(arguments, "scale") && !figure && !pictures)
        status = vae_fail(err, VAE_E_USAGE, "--scale: is of pictures, and none is asked for");
    o->figure.silent = o->json;
    o->pictures = o->figure;
    if (!status && figure) status = picture_check_name("output", figure, err);
    if (!status && pictures) status = picture_check_name("pictures", pictures, err);
    if (status) return status;
    const int of_figure = snprintf(o->figure.path, PATH_MAX_RUN, "%s", figure ? figure : ""),
              of_pictures = snprintf(o->pictures.path, PATH_MAX_RUN, "%s", pictures ? pictures : "");
    if (of_figure < PATH_MAX_RUN && of_pictures < PATH_MAX_RUN) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "a file name of more than %d characters", PATH_MAX_RUN - 1);
}

/* They can be written, and are none of the data. The folder that is compared in, if there is one, is there. */
static vae_status check_outputs(const struct runs *runs, const struct arguments *arguments, const struct outputs *o,
                                vae_error *err)
{
    enum { PATHS = 4 };
    const char *const path[PATHS] = {*o->figure.path ? o->figure.path : NULL,
                                     *o->pictures.path ? o->pictures.path : NULL, o->csv, o->latex};
    const char *given = argument(arguments, "data");
    vae_status status = outputs_check(path, PATHS, err);
    for (size_t i = 0; i < runs->n; i++) {
        char found[VAE_MAX_SOURCE];
        run_look_for_data(runs->run[i].config.data, runs->run[i].path, found);
        for (size_t k = 0; k < PATHS && !status; k++)
            if (path[k]) status = outputs_spare(path[k], given ? given : found, err);
    }
    return status;
}

static vae_status write_all(const struct arguments *arguments, const struct table *table, const struct outputs *o,
                            vae_error *err)
{
    vae_status status = VAE_OK;
    if (o->json)
        status = table_print_json(table, err);
    else
        table_print(table);
    if (!status && o->csv) status = table_write_csv(table, o->csv, err);
    if (!status && o->csv && !o->json) run_say_written(o->csv);
    if (!status && o->latex) status = table_write_latex(table, o->latex, err);
    if (!status && o->latex && !o->json) run_say_written(o->latex);
    if (!status && *o->figure.path) status = table_write_figure(table, &o->figure, err);
    if (!status && *o->pictures.path) status = table_write_pictures(table, arguments, &o->pictures, err);
    return status;
}

static vae_status read_evaluated(const struct arguments *arguments, struct evaluated *e, vae_error *err)
{
    *e = (struct evaluated){.quiet = argument(arguments, "quiet")};
    vae_status status = argument_count(arguments, "nll", 0, VAE_MOST_DRAWS, 0, &e->samples, err);
    if (!status) status = argument_count(arguments, "elbo-samples", 1, 1e5, 1, &e->elbo_samples, err);
    if (!status) status = argument_count(arguments, "limit", 1, 1e9, 0, &e->limit, err);
    return status ? status : argument_count(arguments, "threads", 1, 256, 0, &e->threads, err);
}

static vae_status compare(struct runs *runs, const struct arguments *arguments, struct evaluated *evaluated,
                          const struct outputs *outputs, vae_error *err)
{
    struct table table = {0};
    vae_status status = runs_evaluate(runs, arguments, evaluated, err);
    if (!status) status = table_make(&table, runs, evaluated, argument(arguments, "baseline"), err);
    if (!status) status = write_all(arguments, &table, outputs, err);
    table_free(&table);
    return status;
}

/* ---- Runs that are there ---------------------------------------------------------------------------------------- */

/* Flags that have no meaning for them. */
static vae_status check_flags(const struct arguments *arguments, const struct command *command, vae_error *err)
{
    static const char *const training[] = {"seeds", "jobs", "plan"};
    for (size_t i = 0; i < sizeof training / sizeof *training; i++)
        if (argument(arguments, training[i]))
            return vae_fail(err, VAE_E_USAGE, "--%s: is of training, and RUN is trained already", training[i]);
    for (size_t i = 0; i < arguments->n; i++) {
        const char *name = arguments->given[i].name;
        if (settings_is_own_flag(command, name) || !strcmp(name, "data")) continue;
        return vae_fail(err, VAE_E_USAGE, "--%s: is a setting of training, and RUN is trained already%s", name,
                        strcmp(name, "samples") ? "" : " (--nll has samples of the likelihood)");
    }
    return VAE_OK;
}

static vae_status compare_runs(const struct arguments *arguments, const struct command *command, vae_error *err)
{
    struct runs runs = {0};
    struct evaluated evaluated;
    struct outputs outputs;
    vae_status status = check_flags(arguments, command, err);
    if (!status) status = read_outputs(arguments, argument(arguments, "output"), &outputs, err);
    if (!status) status = read_evaluated(arguments, &evaluated, err);
    if (!status) status = runs_find(&runs, arguments, err);
    if (!status) status = check_outputs(&runs, arguments, &outputs, err);
    if (!status) status = compare(&runs, arguments, &evaluated, &outputs, err);
    runs_free(&runs);
    return status;
}

/* ---- Training first --------------------------------------------------------------------------------------------- */

static size_t usable_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) ? 1 : (size_t)CPU_COUNT(&set);
}

/* The evaluation behind it gets the threads of all trainings. */
static vae_status train(struct runs *runs, const struct arguments *arguments, struct evaluated *evaluated,
                        vae_error *failure, vae_error *err)
{
    const size_t cores = usable_cores();
    struct jobs_options options = {.quiet = argument(arguments, "quiet")};
    uint64_t jobs, threads;
    vae_status status = argument_count(arguments, "jobs", 1, 256, cores, &jobs, err);
    if (!status)
        status = argument_count(arguments, "threads", 1, 256, jobs && jobs < cores ? cores / jobs : 1, &threads, err);
    if (status) return status;
    options.jobs = jobs;
    options.threads = threads;
    evaluated->threads = jobs * threads < 256 ? jobs * threads : 256;
    status = jobs_run(runs, arguments, &options, failure, err);
    return status ? status : runs_read(runs, 0, err);
}

/* The folder is locked for as long as one of the processes lives that train in it: they have the descriptor, too. Where
 * some runs failed, the others are compared. */
static vae_status train_and_compare(struct runs *runs, const struct arguments *arguments, const char *in,
                                    vae_error *err)
{
    char figure[PATH_MAX_RUN];
    struct folder folder = {.lock = -1};
    struct evaluated evaluated;
    struct outputs outputs;
    vae_error failure = {0};
    snprintf(figure, sizeof figure, "%.*s/compare.svg", PATH_MAX_RUN - 32, in);
    vae_status status = read_outputs(arguments, figure, &outputs, err);
    if (!status) status = read_evaluated(arguments, &evaluated, err);
    if (!status) status = folder_make(&folder, in, NULL, true, err);
    if (!status) status = check_outputs(runs, arguments, &outputs, err);
    if (!status) settings_say_data(arguments, &runs->run[0].config);
    if (!status) fcntl(folder.lock, F_SETFD, 0);
    if (!status) status = train(runs, arguments, &evaluated, &failure, err);
    if (!status && runs->n) status = compare(runs, arguments, &evaluated, &outputs, err);
    folder_close(&folder);
    return status || !failure.status ? status : vae_fail(err, failure.status, "%s", failure.message);
}

/* From the root, for the lines of a plan. */
static vae_status absolute(const char *folder, char path[PATH_MAX_RUN], vae_error *err)
{
    char here[PATH_MAX_RUN] = "";
    if (*folder != '/' && !getcwd(here, sizeof here - 1))
        return vae_fail(err, VAE_E_USAGE, "-o: cannot tell where the working directory is");
    const int length = snprintf(path, PATH_MAX_RUN, "%s%s%s", here, *here ? "/" : "", folder);
    for (const char *c = folder; *c; c++)
        if ((unsigned char)*c < 32) return vae_fail(err, VAE_E_USAGE, "-o: has control characters");
    return length < PATH_MAX_RUN / 2 ? VAE_OK : vae_fail(err, VAE_E_USAGE, "-o: too long");
}

/* Flags that have no meaning for --plan, which trains nothing. */
static vae_status check_plan_flags(const struct arguments *arguments, vae_error *err)
{
    static const char *const after[] = {"jobs", "baseline", "nll",      "elbo-samples", "limit", "split",
                                        "csv",  "latex",    "pictures", "scale",        "json"};
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        if (argument(arguments, after[i]))
            return vae_fail(err, VAE_E_USAGE, "--%s: is of runs that are trained, and --plan trains none", after[i]);
    return VAE_OK;
}

static vae_status compare_plan(const struct arguments *arguments, const struct command *command, vae_error *err)
{
    const char *output = argument(arguments, "output");
    char folder[PATH_MAX_RUN], path[PATH_MAX_RUN];
    struct runs runs = {0};
    uint64_t threads;
    if (!output)
        return vae_fail(
            err, VAE_E_USAGE,
            "compare: name RUNs that are trained, or a folder to train in (-o FOLDER, with lists of settings)");
    snprintf(folder, sizeof folder, "%s", output); /* too long a name is refused below */
    folder_follow_links(folder);
    const bool only_plan = argument(arguments, "plan");
    vae_status status = only_plan ? check_plan_flags(arguments, err) : VAE_OK;
    if (!status) status = absolute(folder, path, err);
    if (!status) status = argument_count(arguments, "threads", 1, 256, 0, &threads, err);
    if (!status) status = plan_make(&runs, arguments, command, only_plan ? path : folder, err);
    if (!status)
        status = only_plan ? plan_print(&runs, arguments, threads, err)
                           : train_and_compare(&runs, arguments, folder, err);
    runs_free(&runs);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    const struct command *command = &command_compare;
    return arguments->n_runs ? compare_runs(arguments, command, err) : compare_plan(arguments, command, err);
}

static const struct flag flags[] = {
    {"seeds", 0, "N", "train with N seeds, from --seed on [1]"},
    {"jobs", 0, "N", "trainings side by side [cores]"},
    {"threads", 0, "T", "threads of each; they do not change the result [cores / jobs]"},
    {"plan", 0, NULL, "print a shell command a run, and train nothing"},
    {"output", 'o', "FOLDER|FILE", "where to train, and draw compare.svg; of RUNs: figure, .svg or .png"},
    {"baseline", 0, "NAME", "row that the others are compared with [the first of beta 1]"},
    {"nll", 0, "S", "importance samples an image of the nll; 0: none [0]"},
    {"elbo-samples", 0, "S", "draws of z an image in neg_elbo [1]"},
    {"limit", 0, "N", "evaluate on the first N images [all]"},
    SPLIT_FLAG("the data"),
    {"csv", 0, "FILE", "write the table as CSV"},
    {"latex", 0, "FILE", "write the table for LaTeX, with booktabs"},
    {"pictures", 0, "FILE", "draw the same images under each configuration, .png or .svg"},
    PICTURE_SCALE,
    {"json", 0, NULL, "one JSON object on stdout, with all runs"},
    {"quiet", 'q', NULL, "no progress on stderr"},
    {0},
};

const struct command command_compare = {
    .name = "compare",
    .group = MEASURE,
    .summary = "one table over runs, or over settings that it trains",
    .details = "Compares runs RUN..., or those in a folder RUN, in one table: a row for each\n"
               "configuration, with means over its seeds and its difference from a baseline row,\n"
               "seed by seed.\n\n"
               "Without RUN it trains them first, in -o FOLDER. Each setting may then be a list,\n"
               "and there is a run for each combination of values:\n\n"
               "  vaectl compare --prior normal,laplace,spikeslab:p=0.8,c2=0.05 --seeds 3 -o all\n"
               "  vaectl compare --beta 0.25,1,4 --hidden 400/200,200 --epochs 30 -o betas\n\n"
               "Values are divided by commas, those of settings that are lists themselves by\n"
               "slashes. Runs that are complete are not trained again, and others go on where\n"
               "they were stopped. --nll is what --samples is to eval: here that is a setting.",
    .takes_runs = true,
    .takes_settings = true,
    .takes_lists = true,
    .flags = flags,
    .run = run,
};
