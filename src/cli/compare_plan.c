/* SPDX-License-Identifier: MIT
 *
 * The runs that a comparison asks for: a setting, or a parameter of a module, may be a list of values, and there is a
 * run for each combination of values of all lists. Values are divided by commas, those of settings that are lists
 * themselves by slashes. In a list of modules, what follows a comma as "k=v" is a parameter of the module before it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/compare.h"
#include "cli/shell.h"

/* Many of them may be one run, as where parameters have no meaning for a prior; but they have to be gone through. */
enum { MOST_COMBINATIONS = 100 * MOST_RUNS };

/* ---- Lists ------------------------------------------------------------------------------------------------------ */

struct list {
    const char *name;
    const vae_setting *setting; /* NULL: a parameter of modules */
    char *text;                 /* the values, each with a zero behind it */
    size_t n;
    bool used; /* by a module that has such a parameter */
};

struct lists {
    struct list list[MAX_GIVEN];
    size_t n;
};

/* Does a value end before this character? */
static bool is_separator(const vae_setting *setting, const char *at)
{
    const vae_type type = setting ? setting->type : VAE_T_REAL;
    if (type == VAE_T_TEXT) return false;
    if (type == VAE_T_LIST) return *at == '/';
    if (*at != ',' || type != VAE_T_CHOICE) return *at == ',';
    return at[1 + strcspn(at + 1, ",:=")] != '=';
}

static const char *list_value(const struct list *list, size_t i)
{
    const char *value = list->text;
    while (i-- > 0) value += strlen(value) + 1;
    return value;
}

static vae_status list_divide(struct list *list, vae_error *err)
{
    list->n = 1;
    for (char *c = list->text; *c; c++)
        if (is_separator(list->setting, c)) {
            *c = '\0';
            list->n++;
        }
    for (size_t i = 0; i < list->n; i++)
        if (!*list_value(list, i))
            return vae_fail(err, VAE_E_USAGE, "%s: an empty value in the list (expected such as 1%s2)", list->name,
                            list->setting && list->setting->type == VAE_T_LIST ? "/" : ",");
    return VAE_OK;
}

static vae_status lists_add(struct lists *lists, const char *name, const char *text, vae_error *err)
{
    struct list *list = &lists->list[lists->n];
    *list = (struct list){.name = name, .setting = settings_find(name), .text = strdup(*text ? text : "1")};
    if (!list->text) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    lists->n++;
    return list_divide(list, err);
}

/* The seeds S .. S+N-1 of --seed S --seeds N. */
static vae_status add_seeds(struct lists *lists, const struct arguments *arguments, vae_error *err)
{
    const char *first = argument(arguments, "seed");
    uint64_t seeds, seed = 1;
    vae_status status = argument_count(arguments, "seeds", 1, MOST_RUNS, 1, &seeds, err);
    if (status || !argument(arguments, "seeds"))
        return status ? status : lists_add(lists, "seed", first ? first : "1", err);
    if (first && strchr(first, ','))
        return vae_fail(err, VAE_E_USAGE, "--seeds: --seed %s is a list of seeds already", first);
    if (first) status = vae_parse_count("seed", first, 0, 9007199254740991.0 - MOST_RUNS, &seed, err);
    char text[MOST_RUNS * 17 + 1] = ""; /* numbers of at most 16 digits */
    size_t used = 0;
    for (const uint64_t end = seed + seeds; seed < end; seed++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%llu", used ? "," : "", (unsigned long long)seed);
    return status ? status : lists_add(lists, "seed", text, err);
}

/* The last value given for a flag counts. */
static bool is_given_again(const struct arguments *arguments, size_t i)
{
    for (size_t k = i + 1; k < arguments->n; k++)
        if (!strcmp(arguments->given[k].name, arguments->given[i].name)) return true;
    return false;
}

/* In the order in which they are given, the seed last, which so varies fastest. */
static vae_status lists_make(struct lists *lists, const struct arguments *arguments, const struct command *command,
                             vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < arguments->n && !status; i++) {
        const char *name = arguments->given[i].name;
        if (!is_given_again(arguments, i) && strcmp(name, "seed") && !settings_is_own_flag(command, name))
            status = lists_add(lists, name, arguments->given[i].value, err);
    }
    return status ? status : add_seeds(lists, arguments, err);
}

static void lists_free(struct lists *lists)
{
    for (size_t i = 0; i < lists->n; i++) free(lists->list[i].text);
}

/* ---- Configurations --------------------------------------------------------------------------------------------- */

static const vae_choice *choice_of(const vae_config *config, const vae_setting *setting)
{
    return (const void *)((const char *)config + setting->offset);
}

/* Has a module that was chosen a parameter of this name? */
static bool has_parameter(const vae_config *config, const char *name)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        const vae_module *module = NULL;
        if (setting->type != VAE_T_CHOICE) continue;
        for (size_t k = 0; (module = vae_module_at(setting->kind, k)); k++)
            if (!strcmp(module->name, choice_of(config, setting)->name)) break;
        for (const vae_param *p = module ? module->params : NULL; p && p->name; p++)
            if (!strcmp(p->name, name)) return true;
    }
    return false;
}

static vae_status set(vae_config *config, const char *name, const char *value, vae_error *err)
{
    if (!strcmp(name, "prior") && plugin_is_file(value))
        return vae_fail(err, VAE_E_USAGE, "prior: '%s' is a file (--plugin loads it, and its name goes into the list)",
                        value);
    return vae_config_set(config, name, value, err);
}

/* Settings first, then the parameters that the modules have which they chose. */
static vae_status configure(struct lists *lists, const size_t *place, vae_config *config, vae_error *err)
{
    vae_status status = VAE_OK;
    for (int params = 0; params <= 1; params++)
        for (size_t i = 0; i < lists->n && !status; i++) {
            struct list *list = &lists->list[i];
            if ((list->setting == NULL) != params || (params && !has_parameter(config, list->name))) continue;
            list->used = true;
            status = set(config, list->name, list_value(list, place[i]), err);
        }
    if (!status) status = settings_find_start(config, err);
    return status ? status : vae_config_check(config, err);
}

/* Adds a part to the name of a folder, which shells and file systems take as it is. */
static void add_part(char *name, size_t size, const char *what, const char *value)
{
    const size_t used = strlen(name);
    snprintf(name + used, size - used, "%s%s%s", used ? "-" : "", what, value);
    for (char *c = name + used; *c; c++)
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *c)) *c = '-';
}

/* What tells the run from the others, such as "laplace-beta4-seed2". */
static void name_run(const struct lists *lists, const size_t *place, const vae_config *config, char *name, size_t size)
{
    *name = '\0';
    for (size_t i = 0; i < lists->n; i++) {
        const struct list *list = &lists->list[i];
        const bool is_word = list->setting &&
                             (list->setting->type == VAE_T_CHOICE || list->setting->type == VAE_T_ENUM);
        const bool is_last = i + 1 == lists->n;
        if (is_last && !*name) add_part(name, size, "", config->prior.name);
        if (is_last || (list->n > 1 && (list->setting || has_parameter(config, list->name))))
            add_part(name, size, is_word ? "" : list->name, list_value(list, place[i]));
    }
}

/* ---- The plan --------------------------------------------------------------------------------------------------- */

vae_status runs_add(struct runs *runs, const char *path, struct run **run, vae_error *err)
{
    if (runs->n == MOST_RUNS) return vae_fail(err, VAE_E_USAGE, "more than %d runs", MOST_RUNS);
    if (strlen(path) > PATH_MAX_RUN / 2)
        return vae_fail(err, VAE_E_USAGE, "a run's name of more than %d characters", PATH_MAX_RUN / 2);
    if ((runs->n & (runs->n - 1)) == 0) { /* doubles its room at 1, 2, 4, 8 */
        struct run *grown = realloc(runs->run, (runs->n ? 2 * runs->n : 1) * sizeof *grown);
        if (!grown) return vae_fail(err, VAE_E_MEMORY, "out of memory");
        runs->run = grown;
    }
    *run = &runs->run[runs->n++];
    **run = (struct run){0};
    snprintf((*run)->path, sizeof(*run)->path, "%s", path);
    return VAE_OK;
}

void runs_free(struct runs *runs)
{
    for (size_t i = 0; i < runs->n; i++) free(runs->run[i].image_loss);
    free(runs->run);
    *runs = (struct runs){0};
}

/* A combination that is there already, as where a parameter has no meaning for a prior, is no further run. */
static vae_status add_run(struct runs *runs, const char *folder, const char *name, const vae_config *config,
                          vae_error *err)
{
    char path[PATH_MAX_RUN];
    struct run *run;
    if (strlen(name) > 200) return vae_fail(err, VAE_E_USAGE, "%.60s...: the run's name is too long", name);
    snprintf(path, sizeof path, "%.*s/%.200s", PATH_MAX_RUN - 256, folder, name);
    for (size_t i = 0; i < runs->n; i++)
        if (!strcmp(runs->run[i].path, path)) {
            if (!differing_setting(&runs->run[i].config, config, true)) return VAE_OK;
            return vae_fail(err, VAE_E_USAGE, "%s: two runs would have this name", name);
        }
    vae_status status = runs_add(runs, path, &run, err);
    if (!status) run->config = *config;
    return status;
}

/* The places of the next combination; false after the last one. */
static bool next_combination(const struct lists *lists, size_t *place)
{
    for (size_t i = lists->n; i-- > 0;) {
        if (++place[i] < lists->list[i].n) return true;
        place[i] = 0;
    }
    return false;
}

static vae_status make_all(struct runs *runs, struct lists *lists, const vae_config *base, const char *folder,
                           vae_error *err)
{
    size_t place[MAX_GIVEN] = {0}, combinations = 0;
    vae_status status;
    do {
        if (++combinations > MOST_COMBINATIONS)
            return vae_fail(err, VAE_E_USAGE, "more than %d combinations of values", MOST_COMBINATIONS);
        char name[512];
        vae_config config = *base;
        status = configure(lists, place, &config, err);
        name_run(lists, place, &config, name, sizeof name);
        if (!status) status = add_run(runs, folder, name, &config, err);
    } while (!status && next_combination(lists, place));
    for (size_t i = 0; i < lists->n && !status; i++) {
        vae_config config = runs->run[0].config;
        if (!lists->list[i].used) /* which no module took: says what has it */
            status = vae_config_set(&config, lists->list[i].name, lists->list[i].text, err);
    }
    return status;
}

vae_status plan_make(struct runs *runs, const struct arguments *arguments, const struct command *command,
                     const char *folder, vae_error *err)
{
    struct lists lists = {.n = 0};
    vae_config base;
    vae_config_defaults(&base);
    vae_status status = lists_make(&lists, arguments, command, err);
    if (!status) status = settings_default_data(arguments, &base, err);
    if (!status) status = make_all(runs, &lists, &base, folder, err);
    lists_free(&lists);
    return status;
}

/* ---- Command lines ---------------------------------------------------------------------------------------------- */

static void add_word(struct words *words, const char *word)
{
    const size_t size = strlen(word) + 1, most = sizeof words->word / sizeof *words->word - 1;
    words->complete = words->complete && words->n < most && size <= sizeof words->text - words->used;
    if (!words->complete) return;
    words->word[words->n++] = memcpy(words->text + words->used, word, size);
    words->used += size;
}

static void add_flag(struct words *words, const char *name, const char *value)
{
    char flag[VAE_MAX_NAME + 3];
    snprintf(flag, sizeof flag, "--%s", name);
    add_word(words, flag);
    if (value) add_word(words, value);
}

/* Whatever differs from its default, and the data in any case. */
static void add_settings(struct words *words, const vae_config *config)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        char text[VAE_MAX_SOURCE];
        vae_config_text(config, setting, text, sizeof text);
        if (strcmp(text, setting->fallback) || !strcmp(setting->name, "data"))
            add_flag(words, setting->name, setting->metavar ? text : NULL);
    }
}

/* What a run that is there may go on with. */
static void add_changeable(struct words *words, const vae_config *config)
{
    static const char *const names[] = {"data", "epochs", "patience"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[VAE_MAX_SOURCE];
        add_flag(words, names[i], vae_config_text(config, settings_find(names[i]), text, sizeof text));
    }
}

vae_status plan_words(struct words *words, const struct run *run, const struct arguments *arguments, bool resume,
                      size_t threads, vae_error *err)
{
    char number[32];
    words->n = words->used = 0;
    words->complete = true;
    add_word(words, "vaectl");
    add_word(words, "train");
    for (size_t i = 0; i < arguments->n_plugins; i++) add_flag(words, "plugin", arguments->plugin[i]);
    if (resume) {
        add_flag(words, "resume", run->path);
        add_changeable(words, &run->config);
    } else {
        add_settings(words, &run->config);
        add_flag(words, "output", run->path);
        add_flag(words, "force", NULL);
    }
    snprintf(number, sizeof number, "%zu", threads);
    if (threads) add_flag(words, "threads", number);
    words->word[words->n] = NULL;
    return words->complete ? VAE_OK : vae_fail(err, VAE_E_USAGE, "%.100s: too many words to train it", run->path);
}

static void print_words(const struct words *words, const char *program)
{
    shell_word(stdout, program);
    for (size_t i = 1; i < words->n; i++) {
        putchar(' ');
        shell_word(stdout, words->word[i]);
    }
}

/* The words of a line: where it runs, and what is run where. */
static vae_status print_line(const struct run *run, const struct arguments *arguments, const char *here,
                             const char *program, size_t threads, vae_error *err)
{
    struct words begin, resume;
    vae_status status = plan_words(&begin, run, arguments, false, threads, err);
    if (!status) status = plan_words(&resume, run, arguments, true, threads, err);
    if (status) return status;
    printf("cd ");
    shell_word(stdout, here);
    printf(" && if [ -e ");
    shell_word(stdout, run->path);
    printf("/model.safetensors ]; then ");
    print_words(&resume, program);
    printf("; else ");
    print_words(&begin, program);
    printf("; fi\n");
    return VAE_OK;
}

vae_status plan_print(const struct runs *runs, const struct arguments *arguments, size_t threads, vae_error *err)
{
    char here[PATH_MAX_RUN], program[PATH_MAX_RUN];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length < 0 || !getcwd(here, sizeof here))
        return vae_fail(err, VAE_E_INTERNAL, "cannot tell where this program or its folder is: %s", strerror(errno));
    program[length] = '\0';
    vae_status status = VAE_OK;
    for (size_t i = 0; i < runs->n && !status; i++)
        status = print_line(&runs->run[i], arguments, here, program, threads, err);
    return status;
}
