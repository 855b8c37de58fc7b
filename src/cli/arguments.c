/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <string.h>

#include "cli/command.h"

/* All flags that a command knows, for getopt_long and for suggestions. */
struct known {
    struct option option[MAX_GIVEN];
    const char *name[MAX_GIVEN + 1];
    char letters[2 * MAX_GIVEN];
    size_t n;
};

static void add_flag(struct known *known, const char *name, char letter, bool takes_value)
{
    for (size_t i = 0; i < known->n; i++)
        if (!strcmp(known->name[i], name)) return; /* several modules have a parameter of that name */
    if (known->n + 1 >= MAX_GIVEN) return;
    known->option[known->n] = (struct option){
        .name = name, .has_arg = takes_value ? required_argument : no_argument, .val = letter};
    known->name[known->n++] = name;
    const size_t used = strlen(known->letters);
    if (letter) snprintf(known->letters + used, sizeof known->letters - used, "%c%s", letter, takes_value ? ":" : "");
}

static void add_params(struct known *known, vae_kind kind)
{
    const vae_module *module;
    for (size_t i = 0; (module = vae_module_at(kind, i)); i++)
        for (const vae_param *p = module->params; p && p->name; p++) add_flag(known, p->name, 0, true);
}

static void collect_flags(struct known *known, const struct command *command)
{
    const vae_setting *setting;
    *known = (struct known){.letters = ":"};
    add_flag(known, "help", 'h', false);
    add_flag(known, "plugin", 0, true);
    for (const struct flag *f = command->flags; f->name; f++) add_flag(known, f->name, f->letter, f->metavar);
    for (size_t i = 0; command->takes_settings && (setting = vae_setting_at(i)); i++) {
        add_flag(known, setting->name, 0, setting->metavar);
        if (setting->type == VAE_T_CHOICE) add_params(known, setting->kind);
    }
}

void arguments_flags(const struct command *command, const char *names[MAX_GIVEN + 1])
{
    struct known known;
    collect_flags(&known, command);
    memcpy(names, known.name, sizeof known.name);
}

/* The flag part of "--flag=value". */
static void flag_of(const char *word, char *flag, size_t size)
{
    snprintf(flag, size, "%.*s", (int)strcspn(word, "="), word);
}

static const char *same_name(const struct known *known, const char *name)
{
    for (size_t i = 0; i < known->n; i++)
        if (!strcmp(name, known->name[i])) return known->name[i];
    return NULL;
}

static vae_status unknown_flag(const struct known *known, const struct command *command, const char *word,
                               vae_error *err)
{
    char flag[64];
    flag_of(word, flag, sizeof flag);
    if (!strncmp(flag, "--", 2) && same_name(known, flag + 2))
        return vae_fail(err, VAE_E_USAGE, "%s: %s takes no value", command->name, flag);
    const char *near = strncmp(flag, "--", 2) ? same_name(known, flag + 1) : vae_nearest(flag + 2, known->name);
    if (near) return vae_fail(err, VAE_E_USAGE, "%s: unknown flag %s (did you mean --%s?)", command->name, flag, near);
    return vae_fail(err, VAE_E_USAGE, "%s: unknown flag %s (see vaectl %s --help)", command->name, flag, command->name);
}

static size_t index_of_letter(const struct known *known, int letter)
{
    size_t i = 0;
    while (known->option[i].val != letter) i++;
    return i;
}

/* getopt_long takes any unique beginning of a name; a script that relies on that breaks when a name is added. */
static bool abbreviated(const char *word, const char *name)
{
    char flag[64];
    flag_of(word, flag, sizeof flag);
    return !strncmp(flag, "--", 2) && strcmp(flag + 2, name);
}

/* A shell completes the names of folders with a slash. */
static void strip_slashes(char *path)
{
    for (size_t end = strlen(path); end > 1 && path[end - 1] == '/'; end--) path[end - 1] = '\0';
}

/* Is the value of a flag a run, or a folder of runs? */
static bool takes_folder(const struct command *command, const char *name)
{
    const struct flag *f = command->flags;
    while (f->name && strcmp(f->name, name)) f++;
    return f->name && f->metavar && (!strncmp(f->metavar, "RUN", 3) || !strncmp(f->metavar, "FOLDER", 6));
}

/* What stands behind the flags of a command that takes no list of runs. */
static void describe_positional(const struct command *command, char *text, size_t size)
{
    const char *file = command->takes_file;
    if (file)
        snprintf(text, size, "%s%s", command->takes_run ? "[RUN] " : "one ", file);
    else
        snprintf(text, size, "%s", command->takes_run ? "one RUN" : "flags alone");
}

static vae_status take_positional(struct arguments *a, const struct command *command, int argc, char **argv,
                                  vae_error *err)
{
    if (command->takes_word && optind < argc) a->word = argv[optind++];
    const int most = command->takes_runs ? argc : command->takes_run + (command->takes_file ? 1 : 0);
    if (argc - optind > most) {
        char expected[64];
        describe_positional(command, expected, sizeof expected);
        return vae_fail(err, VAE_E_USAGE, "%s: unexpected argument '%s' (expected %s)", command->name,
                        argv[optind + most], expected);
    }
    if (command->takes_file && optind == argc && !argument(a, "help"))
        return vae_fail(err, VAE_E_USAGE, "%s: no %s given (vaectl %s%s %s)", command->name, command->takes_file,
                        command->name, command->takes_run ? " [RUN]" : "", command->takes_file);
    if (command->takes_file && optind < argc) a->file = argv[--argc];
    if (a->file && !*a->file) return vae_fail(err, VAE_E_USAGE, "%s: %s is empty", command->name, command->takes_file);
    if (optind == argc) return VAE_OK;
    a->run = argv[optind];
    a->runs = argv + optind;
    a->n_runs = (size_t)(argc - optind);
    for (size_t i = 0; i < a->n_runs; i++) {
        if (!*a->runs[i]) return vae_fail(err, VAE_E_USAGE, "%s: RUN is empty", command->name);
        strip_slashes(a->runs[i]);
    }
    return VAE_OK;
}

static vae_status load_plugin(const struct command *command, const char *flag, const char *value, vae_error *err)
{
    char choice[VAE_MAX_SOURCE];
    if (!strcmp(flag, "plugin")) return plugin_load(value, NULL, err);
    return !strcmp(flag, "prior") && !command->takes_lists ? plugin_choice(value, choice, err) : VAE_OK;
}

/* The parameters of a plug-in are flags, so it is loaded before the words are taken for what they are. Which of them
 * are values of flags is plain without its parameters; '-' leaves the words in their order. */
static vae_status load_plugins(const struct command *command, int argc, char **argv, vae_error *err)
{
    struct known known;
    char letters[sizeof known.letters + 1];
    vae_status status = VAE_OK;
    int letter = 0;
    collect_flags(&known, command);
    snprintf(letters, sizeof letters, "-%s", known.letters);
    optind = 0; /* begin anew */
    while (!status && letter != -1) {
        int index = -1;
        letter = getopt_long(argc, argv, letters, known.option, &index);
        if (index < 0 || !optarg || !*optarg || letter == '?' || letter == ':') continue;
        const char *text = argv[optind - (optarg == argv[optind - 1] ? 2 : 1)];
        if (!abbreviated(text, known.name[index])) status = load_plugin(command, known.name[index], optarg, err);
    }
    return status;
}

vae_status arguments_parse(struct arguments *a, const struct command *command, int argc, char **argv, vae_error *err)
{
    struct known known;
    *a = (struct arguments){0};
    opterr = 0;
    vae_status status = load_plugins(command, argc, argv, err);
    if (status) return status;
    collect_flags(&known, command);
    optind = 0;
    for (;;) {
        int index = -1;
        const int word = optind ? optind : 1, letter = getopt_long(argc, argv, known.letters, known.option, &index);
        if (letter == -1) return take_positional(a, command, argc, argv, err);
        if (letter == '?') return unknown_flag(&known, command, argv[optind > word ? optind - 1 : word], err);
        if (letter == ':') return vae_fail(err, VAE_E_USAGE, "%s: %s needs a value", command->name, argv[optind - 1]);
        const bool is_long = index >= 0;
        const size_t i = is_long ? (size_t)index : index_of_letter(&known, letter);
        const char *text = argv[optind - (optarg && optarg == argv[optind - 1] ? 2 : 1)];
        if (is_long && abbreviated(text, known.name[i])) return unknown_flag(&known, command, text, err);
        if (optarg && !*optarg) return vae_fail(err, VAE_E_USAGE, "%s: %s is empty", command->name, text);
        if (!strcmp(known.name[i], "plugin")) { /* it is loaded */
            if (a->n_plugins == MAX_PLUGINS) return vae_fail(err, VAE_E_USAGE, "%s: too many plug-ins", command->name);
            a->plugin[a->n_plugins++] = optarg;
            continue;
        }
        if (a->n == MAX_GIVEN) return vae_fail(err, VAE_E_USAGE, "%s: too many flags", command->name);
        if (optarg && takes_folder(command, known.name[i])) strip_slashes(optarg);
        a->given[a->n].name = known.name[i];
        a->given[a->n++].value = optarg ? optarg : "";
    }
}

const char *argument(const struct arguments *arguments, const char *name)
{
    for (size_t i = arguments->n; i > 0; i--)
        if (!strcmp(arguments->given[i - 1].name, name)) return arguments->given[i - 1].value;
    return NULL;
}

/* The value of a flag and the name that messages give it; false where it was not given. */
static bool given(const struct arguments *arguments, const char *name, const char **text, char label[64])
{
    *text = argument(arguments, name);
    snprintf(label, 64, "--%s", name);
    return *text != NULL;
}

vae_status argument_count(const struct arguments *arguments, const char *name, double min, double max,
                          uint64_t fallback, uint64_t *value, vae_error *err)
{
    const char *text;
    char label[64];
    *value = fallback;
    return given(arguments, name, &text, label) ? vae_parse_count(label, text, min, max, value, err) : VAE_OK;
}

vae_status argument_real(const struct arguments *arguments, const char *name, double min, double max, double fallback,
                         double *value, vae_error *err)
{
    const char *text;
    char label[64];
    *value = fallback;
    return given(arguments, name, &text, label) ? vae_parse_real(label, text, min, max, value, err) : VAE_OK;
}
