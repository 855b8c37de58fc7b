/* SPDX-License-Identifier: MIT
 *
 * What bash completes on a command line: commands, their flags, and the words that a flag takes. All of it is in the
 * script that is printed, from the tables that the program itself reads its command line by. */
#include <string.h>

#include "cli/plot.h"

static const char head[] = "# Completion of vaectl's command line in bash, made by 'vaectl completion'.\n"
                           "_vaectl() {\n"
                           "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
                           "    if [[ $word == = ]]; then\n"
                           "        word=\n"
                           "    elif [[ $before == = ]]; then\n"
                           "        before=${COMP_WORDS[COMP_CWORD-2]}\n"
                           "    fi\n"
                           "    [[ $COMP_CWORD -gt 1 ]] || before=\n"
                           "    case ${COMP_WORDS[1]}:$before:$word in\n";

/* Files where there is no word that fits. */
static const char tail[] = "    esac\n"
                           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
                           "}\n"
                           "complete -o default -F _vaectl vaectl\n";

enum { MOST_WORDS = 512 };

/* A list of plain words, "a|b|c", as "a b c"; nothing of others, such as NAME[:k=v,...]. */
static void add_list(char words[MOST_WORDS], const char *list)
{
    const bool is_list = list && strchr(list, '|') && !list[strspn(list, "abcdefghijklmnopqrstuvwxyz0123456789-|")];
    snprintf(words, MOST_WORDS, "%s", is_list ? list : "");
    for (char *bar = strchr(words, '|'); bar; bar = strchr(bar, '|')) *bar = ' ';
}

static void add_modules(char words[MOST_WORDS], vae_kind kind)
{
    const vae_module *module;
    for (size_t i = 0; (module = vae_module_at(kind, i)); i++)
        snprintf(words + strlen(words), MOST_WORDS - strlen(words), "%s%s", i ? " " : "", module->name);
}

static const vae_setting *find_setting(const char *name)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if (!strcmp(setting->name, name)) return setting;
    return NULL;
}

/* Words of a parameter of any module. */
static const char *words_of_param(const char *name)
{
    static const vae_kind kinds[] = {VAE_PRIOR, VAE_POSTERIOR, VAE_LIKELIHOOD};
    const vae_module *module;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (size_t i = 0; (module = vae_module_at(kinds[k], i)); i++)
            for (const vae_param *p = module->params; p && p->name; p++)
                if (!strcmp(p->name, name) && (p->words || p->or_words)) return p->words ? p->words : p->or_words;
    return NULL;
}

/* A flag of the command's own comes before a setting of the same name. */
static void find_words(const struct command *command, const char *name, char words[MOST_WORDS])
{
    const vae_setting *setting = find_setting(name);
    const struct flag *own = command->flags;
    words[0] = '\0';
    while (own->name && strcmp(own->name, name)) own++;
    if (setting && setting->type == VAE_T_CHOICE)
        add_modules(words, setting->kind);
    else
        add_list(words, own->name ? own->metavar : setting ? setting->metavar : words_of_param(name));
}

static void print_command(const struct command *command)
{
    const char *names[MAX_GIVEN + 1];
    arguments_flags(command, names);
    for (size_t i = 0; names[i]; i++) {
        char words[MOST_WORDS];
        find_words(command, names[i], words);
        if (*words) printf("    %s:--%s:*) words='%s' ;;\n", command->name, names[i], words);
    }
    printf("    %s:*:-*) words='", command->name);
    for (size_t i = 0; names[i]; i++) printf("%s--%s", i ? " " : "", names[i]);
    printf("' ;;\n");
}

static void print_commands(const char *where, const char *more)
{
    printf("    %s) words='", where);
    for (size_t i = 0; commands[i]; i++) printf("%s ", commands[i]->name);
    printf("%s' ;;\n", more);
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    (void)arguments;
    (void)err;
    fputs(head, stdout);
    print_commands("*::*", "help --help --version");
    print_commands("help:*", "");
    for (size_t i = 0; commands[i]; i++) print_command(commands[i]);
#define PLOT_WORD(name) " " #name
    printf("    plot:plot:*) words='%s' ;;\n", &(PLOTS(PLOT_WORD))[1]);
#undef PLOT_WORD
    fputs(tail, stdout);
    return VAE_OK;
}

static const struct flag flags[] = {{0}};

const struct command command_completion = {
    .name = "completion",
    .summary = "script by which bash completes commands, flags and words",
    .details = "Prints a script for bash: after source <(vaectl completion) the tab key completes commands, flags and "
               "the words that flags take. make install puts it where bash finds it by itself.",
    .flags = flags,
    .run = run,
};
