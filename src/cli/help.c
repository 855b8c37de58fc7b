/* SPDX-License-Identifier: MIT
 *
 * Help texts, all from tables: what they list cannot differ from what the program takes. */
#include <string.h>

#include "cli/command.h"
#include "cli/wrap.h"

enum { HELP_COLUMN = 31, ITEM_COLUMN = 15, PARAM_INDENT = 10, MOST_TEXT = 512 };

static void print_wrapped(FILE *out, size_t column, size_t indent, const char *text)
{
    wrap(out, WRAP_COLUMNS, column, indent, text);
}

static void print_flag(FILE *out, char letter, const char *name, const char *metavar, const char *help,
                       const char *fallback)
{
    char text[MOST_TEXT];
    int used = letter ? fprintf(out, "  -%c, --%s", letter, name) : fprintf(out, "      --%s", name);
    if (metavar) used += fprintf(out, " %s", metavar);
    if (used >= HELP_COLUMN) used = fprintf(out, "\n") - 1; /* help starts in one column */
    fprintf(out, "%*s", HELP_COLUMN - used, "");
    snprintf(text, sizeof text, fallback && *fallback ? "%s [%s]" : "%s", help, fallback);
    print_wrapped(out, HELP_COLUMN, HELP_COLUMN, text);
}

void help_item(FILE *out, const char *name, const char *text)
{
    print_wrapped(out, (size_t)fprintf(out, "  %-12s ", name), ITEM_COLUMN, text);
}

static void print_sources(FILE *out)
{
    const vae_module *module;
    fprintf(out, "\nBuilt-in data (--data builtin:NAME[:k=v,...]):\n");
    for (size_t i = 0; (module = vae_module_at(VAE_SOURCE, i)); i++) {
        help_item(out, module->name, module->summary);
        for (const vae_param *p = module->params; p && p->name; p++) {
            const size_t used = (size_t)fprintf(out, "      %s=V  ", p->name);
            if (p->whole && !p->words)
                fprintf(out, "%s, %.0f to %.0f [%.0f]\n", p->help, p->min, p->max, p->value);
            else
                help_param(out, used, PARAM_INDENT, p);
        }
    }
}

void help_param(FILE *out, size_t column, size_t indent, const vae_param *p)
{
    char text[MOST_TEXT];
    if (p->words)
        snprintf(text, sizeof text, "%s, %s [%.*s]", p->help, p->words, (int)strcspn(p->words, "|"), p->words);
    else
        snprintf(text, sizeof text, "%s, %g to %g%s%s [%g]", p->help, p->min, p->max, p->or_words ? " or " : "",
                 p->or_words ? p->or_words : "", p->value);
    print_wrapped(out, column, indent, text);
}

/* Each module of a kind, with its parameters. */
static void print_modules(FILE *out, const vae_setting *setting)
{
    const vae_module *module;
    if (!vae_module_at(setting->kind, 1) && !vae_module_at(setting->kind, 0)->params) return; /* no choice */
    fprintf(out, "\n%c%ss (--%s NAME):\n", setting->name[0] - 'a' + 'A', setting->name + 1, setting->name);
    for (size_t i = 0; (module = vae_module_at(setting->kind, i)); i++) {
        help_item(out, module->name, module->summary);
        for (const vae_param *p = module->params; p && p->name; p++)
            help_param(out, (size_t)fprintf(out, "      --%s V  ", p->name), PARAM_INDENT, p);
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

/* Paragraphs, with an empty line between them; what is indented in `text` stays as it is. */
static void print_paragraphs(FILE *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, "\n\n");
        const size_t length = end ? (size_t)(end - text) : strlen(text);
        char paragraph[4 * MOST_TEXT];
        snprintf(paragraph, sizeof paragraph, "%.*s", (int)length, text);
        if (*text == ' ')
            fprintf(out, "%s\n", paragraph);
        else
            print_wrapped(out, 0, 0, paragraph);
        if (end) fputc('\n', out);
        text += length + (end ? 2 : 0);
    }
}

void help_command(FILE *out, const struct command *command)
{
    const vae_setting *setting;
    fprintf(out, "Usage: vaectl %s [flags]%s%s%s%s%s\n\n", command->name, command->takes_word ? " " : "",
            command->takes_word ? command->takes_word : "",
            command->takes_runs  ? " [RUN...]"
            : command->takes_run ? " [RUN]"
                                 : "",
            command->takes_file ? " " : "", command->takes_file ? command->takes_file : "");
    print_paragraphs(out, command->details);
    fprintf(out, "\nFlags:\n");
    if (command->takes_settings) print_settings(out);
    for (const struct flag *f = command->flags; f->name; f++)
        print_flag(out, f->letter, f->name, f->metavar, f->help, NULL);
    print_flag(out, 0, "plugin", "FILE", "load a prior from a shared object (see vaectl priors --template)", NULL);
    print_flag(out, 'h', "help", NULL, "this text", NULL);
    for (size_t i = 0; command->takes_settings && (setting = vae_setting_at(i)); i++)
        if (setting->type == VAE_T_CHOICE) print_modules(out, setting);
    if (command->takes_settings) print_sources(out);
    if (command->more_help) command->more_help(out);
    if (!command->takes_run && !command->takes_word) return;
    fputc('\n', out);
    print_wrapped(
        out, 0, 0,
        "RUN is a model file or a run folder [runs/latest]; of a folder, best.safetensors is taken where there "
        "is one (train --validation writes it), else model.safetensors.");
}
