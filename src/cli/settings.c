/* SPDX-License-Identifier: MIT
 *
 * A configuration from flags, for the commands that take all settings. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"

const vae_setting *settings_find(const char *name)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if (!strcmp(setting->name, name)) return setting;
    return NULL;
}

bool settings_is_own_flag(const struct command *command, const char *name)
{
    for (const struct flag *f = command->flags; f->name; f++)
        if (!strcmp(f->name, name)) return true;
    return false;
}

static vae_status set(vae_config *config, const char *name, const char *value, vae_error *err)
{
    char choice[VAE_MAX_SOURCE];
    if (!*value) value = "1"; /* a flag that takes none */
    if (strcmp(name, "prior")) return vae_config_set(config, name, value, err);
    vae_status status = plugin_choice(value, choice, err);
    return status ? status : vae_config_set(config, name, choice, err);
}

/* Settings first, then parameters of the modules that they chose, so that the order of flags does not matter. */
vae_status settings_from_flags(const struct arguments *arguments, const struct command *command, vae_config *config,
                               vae_error *err)
{
    vae_status status = VAE_OK;
    vae_config_defaults(config);
    for (int params = 0; params <= 1; params++)
        for (size_t i = 0; i < arguments->n && !status; i++) {
            const char *name = arguments->given[i].name;
            if (!settings_is_own_flag(command, name) && (settings_find(name) != NULL) == !params)
                status = set(config, name, arguments->given[i].value, err);
        }
    return status ? status : vae_config_check(config, err);
}

void settings_count_classes(vae_config *config, const vae_data *data)
{
    const size_t classes = vae_images_classes(&data->train);
    if (config->classes && classes) config->classes = classes;
}

bool settings_given(const struct arguments *arguments, const struct command *command)
{
    for (size_t i = 0; i < arguments->n; i++)
        if (!settings_is_own_flag(command, arguments->given[i].name) && strcmp(arguments->given[i].name, "data"))
            return true;
    return false;
}

bool same_setting(const vae_config *a, const vae_config *b, const vae_setting *setting)
{
    char of_a[VAE_MAX_SOURCE], of_b[VAE_MAX_SOURCE];
    if (setting->type == VAE_T_COUNT && !setting->metavar) return !a->classes == !b->classes;
    return !strcmp(vae_config_text(a, setting, of_a, sizeof of_a), vae_config_text(b, setting, of_b, sizeof of_b));
}

const vae_setting *differing_setting(const vae_config *a, const vae_config *b, bool changeable)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if ((changeable || !strstr("|" VAE_CHANGEABLE "|", setting->name)) && !same_setting(a, b, setting)) break;
    return setting;
}

/* Would the flag change nothing? */
static bool is_as_it_is(const vae_config *config, const char *name, const char *value)
{
    vae_config changed = *config;
    return !set(&changed, name, value, NULL) && !differing_setting(config, &changed, true);
}

vae_status settings_into_model(const struct arguments *arguments, const struct command *command, vae_model *model,
                               vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < arguments->n && !status; i++)
        if (!settings_is_own_flag(command, arguments->given[i].name) &&
            !is_as_it_is(vae_model_config(model), arguments->given[i].name, arguments->given[i].value))
            status = vae_model_set(model, arguments->given[i].name, arguments->given[i].value, err);
    return status;
}

static const char mnist[] = "data/mnist", digits[] = "builtin:digits";

vae_status settings_default_data(const struct arguments *arguments, vae_config *config, vae_error *err)
{
    if (argument(arguments, "data")) return VAE_OK;
    return vae_config_set(config, "data", vae_data_is_mnist(mnist) ? mnist : digits, err);
}

vae_status settings_find_start(vae_config *config, vae_error *err)
{
    char path[PATH_MAX_RUN], target[PATH_MAX];
    struct stat info;
    if (!strcmp(config->start, "none")) return VAE_OK;
    const bool is_link = !lstat(config->start, &info) && S_ISLNK(info.st_mode) && realpath(config->start, target);
    vae_status status = run_model_path(is_link ? target : config->start, path, err);
    return status ? status : vae_config_set(config, "start", path, err);
}

void settings_say_data(const struct arguments *arguments, const vae_config *config)
{
    struct stat info;
    if (argument(arguments, "data")) return;
    if (!strcmp(config->data, mnist))
        run_say("no --data given: using %s", mnist);
    else
        run_say("%s %s (scripts/fetch-mnist.sh fetches it): using %s",
                stat(mnist, &info) ? "no" : "not all of MNIST in", mnist, digits);
}
