/* SPDX-License-Identifier: MIT
 *
 * The words of command lines. No command is run. */
#include <string.h>

#include "cli/compare.h"
#include "fuzz/targets.h"

enum { MOST_WORDS = 200 };

/* Words of a text, one a line. Blocks of their own, so that the end of each is an end. */
static int divide(const uint8_t *bytes, size_t size, char *word[MOST_WORDS + 1])
{
    int n = 0;
    for (size_t at = 0; at < size && n < MOST_WORDS; n++) {
        const uint8_t *end = memchr(bytes + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - bytes) - at : size - at;
        word[n] = strndup((const char *)bytes + at, length);
        HOLDS(word[n]);
        at += length + 1;
    }
    word[n] = NULL;
    return n;
}

static const struct command *find_command(const char *name)
{
    size_t i = 0;
    while (commands[i] && strcmp(commands[i]->name, name)) i++;
    return commands[i];
}

/* The text of a setting gives it again. */
static void check_setting(const vae_config *config, const vae_setting *setting)
{
    vae_config again = *config;
    vae_error err = {0};
    char text[VAE_MAX_SOURCE], other[VAE_MAX_SOURCE];
    vae_config_text(config, setting, text, sizeof text);
    HOLDS(!vae_config_set(&again, setting->name, text, &err));
    HOLDS(!strcmp(vae_config_text(&again, setting, other, sizeof other), text));
}

static void check_config(const vae_config *config)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) check_setting(config, setting);
}

static void check_plan(const struct arguments *arguments, const struct command *command)
{
    struct runs runs = {0};
    vae_error err = {0};
    const vae_status status = plan_make(&runs, arguments, command, "folder", &err);
    HOLDS(status || runs.n);
    if (status) check_refusal(status, "25", &err); /* 5: of a folder that --start names */
    for (size_t i = 0; i < runs.n && !status; i++) HOLDS(!vae_config_check(&runs.run[i].config, &err));
    runs_free(&runs);
}

/* Of a command that takes settings, also what the flags make together. */
static void parse(const struct command *command, int n, char **word)
{
    struct arguments arguments;
    vae_config config;
    vae_error err = {0};
    vae_status status = arguments_parse(&arguments, command, n, word, &err);
    const bool parsed = !status;
    if (parsed && command->takes_settings && !command->takes_lists)
        status = settings_from_flags(&arguments, command, &config, &err);
    if (status)
        check_refusal(status, "2", &err);
    else if (command->takes_lists)
        check_plan(&arguments, command);
    else if (command->takes_settings)
        check_config(&config);
}

/* A command, its flags and its arguments. */
void fuzz_flags(const uint8_t *bytes, size_t size)
{
    char *word[MOST_WORDS + 1];
    const int n = divide(bytes, size, word);
    const struct command *command = n ? find_command(word[0]) : NULL;
    if (command && !command->takes_lists) parse(command, n, word);
    for (int i = 0; i < n; i++) free(word[i]);
}

/* "compare", and flags with lists of values. */
void fuzz_plan(const uint8_t *bytes, size_t size)
{
    char *word[MOST_WORDS + 1];
    const int n = divide(bytes, size, word);
    if (n) parse(&command_compare, n, word);
    for (int i = 0; i < n; i++) free(word[i]);
}

/* A setting or the name of a parameter, a line end, its value. */
void fuzz_choice(const uint8_t *bytes, size_t size)
{
    char *word[MOST_WORDS + 1];
    vae_config config;
    vae_error err = {0};
    const int n = divide(bytes, size, word);
    vae_config_defaults(&config);
    for (int i = 0; i + 1 < n; i += 2) {
        const vae_config before = config;
        const vae_setting *setting = settings_find(word[i]);
        const vae_status status = vae_config_set(&config, word[i], word[i + 1], &err);
        if (status) check_refusal(status, "2", &err);
        if (status) HOLDS(!memcmp(&config, &before, sizeof config)); /* what fails changes nothing */
        if (!status && setting) check_setting(&config, setting);
    }
    if (n > 1 && vae_config_check(&config, &err)) check_refusal(err.status, "2", &err);
    for (int i = 0; i < n; i++) free(word[i]);
}
