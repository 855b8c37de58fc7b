/* SPDX-License-Identifier: MIT
 *
 * Help texts, all from tables: what they list cannot differ from what the program takes. */
#include <string.h>

#include "cli/command.h"

static void print_flag(FILE *out, char letter, const char *name, const char *metavar, const char *help,
                       const char *fallback)
{
    char text[96];
    const int used = letter ? snprintf(text, sizeof text, "  -%c, --%s", letter, name)
                            : snprintf(text, sizeof text, "      --%s", name);
    if (metavar) snprintf(text + used, sizeof text - (size_t)used, " %s", metavar);
    const char *gap = strlen(text) > 30 ? "\n                              " : ""; /* help starts in one column */
    fprintf(out, "%-30s%s %s", text, gap, help);
    fprintf(out, fallback && *fallback ? " [%s]\n" : "\n", fallback);
}

static void print_sources(FILE *out)
{
    const vae_module *module;
    fprintf(out, "\nBuilt-in data (--data builtin:NAME[:k=v,...]):\n");
    for (size_t i = 0; (module = vae_module_at(VAE_SOURCE, i)); i++) {
        fprintf(out, "  %-12s %s\n", module->name, module->summary);
        for (const vae_param *p = module->params; p && p->name; p++)
            fprintf(out, "      %s=V  %s, %.0f to %.0f [%.0f]\n", p->name, p->help, p->min, p->max, p->value);
    }
}

void help_param_range(FILE *out, const vae_param *p)
{
    if (p->words)
        fprintf(out, "%s [%.*s]\n", p->words, (int)strcspn(p->words, "|"), p->words);
    else
        fprintf(out, "%g to %g%s%s [%g]\n", p->min, p->max, p->or_words ? " or " : "", p->or_words ? p->or_words : "",
                p->value);
}

/* Each module of a kind, with its parameters. */
static void print_modules(FILE *out, const vae_setting *setting)
{
    const vae_module *module;
    if (!vae_module_at(setting->kind, 1) && !vae_module_at(setting->kind, 0)->params) return; /* no choice */
    fprintf(out, "\n%c%ss (--%s NAME):\n", setting->name[0] - 'a' + 'A', setting->name + 1, setting->name);
    for (size_t i = 0; (module = vae_module_at(setting->kind, i)); i++) {
        fprintf(out, "  %-12s %s\n", module->name, module->summary);
        for (const vae_param *p = module->params; p && p->name; p++) {
            fprintf(out, "      --%s V  %s, ", p->name, p->help);
            help_param_range(out, p);
        }
    }
}

static void print_settings(FILE *out)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        const bool is_data = !strcmp(setting->name, "data"); /* its default depends on what is there */
        const char *fallback = setting->metavar ? setting->fallback : NULL;
        print_flag(out, 0, setting->name, setting->metavar, setting->help,
                   is_data ? "data/mnist if it is there, else builtin:digits" : fallback);
    }
}

void help_command(FILE *out, const struct command *command)
{
    const vae_setting *setting;
    fprintf(out, "Usage: vaectl %s [flags]%s%s%s%s%s\n\n%s\n\nFlags:\n", command->name, command->takes_word ? " " : "",
            command->takes_word ? command->takes_word : "",
            command->takes_runs  ? " [RUN...]"
            : command->takes_run ? " [RUN]"
                                 : "",
            command->takes_file ? " " : "", command->takes_file ? command->takes_file : "", command->details);
    if (command->takes_settings) print_settings(out);
    for (const struct flag *f = command->flags; f->name; f++)
        print_flag(out, f->letter, f->name, f->metavar, f->help, NULL);
    print_flag(out, 0, "plugin", "FILE", "load a prior from a shared object (see vaectl priors --template)", NULL);
    print_flag(out, 'h', "help", NULL, "this text", NULL);
    for (size_t i = 0; command->takes_settings && (setting = vae_setting_at(i)); i++)
        if (setting->type == VAE_T_CHOICE) print_modules(out, setting);
    if (command->takes_settings) print_sources(out);
    if (command->more_help) command->more_help(out);
    if (command->takes_run || command->takes_word)
        fprintf(out,
                "\nRUN is a model file or a run folder [runs/latest]; of a folder, best.safetensors is taken where\n"
                "there is one (train --validation writes it), else model.safetensors.\n");
}
