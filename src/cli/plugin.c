/* SPDX-License-Identifier: MIT
 *
 * Plug-ins on the command line: a prior that is given as a file. Nothing but the words of the command line loads one.
 */
#include <string.h>

#include "cli/command.h"

/* Where the file's name ends and ":k=v,..." begins. */
static size_t file_length(const char *text)
{
    const char *slash = strrchr(text, '/'), *base = slash ? slash + 1 : text;
    return (size_t)(base - text) + strcspn(base, ":");
}

bool plugin_is_file(const char *text)
{
    const size_t length = file_length(text);
    return memchr(text, '/', length) || (length > 3 && !memcmp(text + length - 3, ".so", 3));
}

/* A flag of the command is that before it is a parameter: one of its name could not be set by a flag. */
static vae_status check_flags(const char *path, const char *name, vae_error *err)
{
    const vae_module *module;
    for (size_t i = 0; (module = vae_module_at(VAE_PRIOR, i)); i++)
        for (const vae_param *p = strcmp(module->name, name) ? NULL : module->params; p && p->name; p++)
            if (settings_is_own_flag(&command_train, p->name) || !strcmp(p->name, "plugin") || !strcmp(p->name, "help"))
                return vae_fail(err, VAE_E_USAGE, "%s: its parameter '%s' has the name of a flag of vaectl train", path,
                                p->name);
    return VAE_OK;
}

vae_status plugin_load(const char *path, const char **name, vae_error *err)
{
    const char *loaded = "";
    vae_status status = vae_prior_load(path, &loaded, err);
    if (!status) status = check_flags(path, loaded, err);
    if (!status && name) *name = loaded;
    return status;
}

vae_status plugin_choice(const char *text, char choice[VAE_MAX_SOURCE], vae_error *err)
{
    char path[VAE_MAX_SOURCE];
    const size_t length = plugin_is_file(text) ? file_length(text) : 0;
    const char *name = "";
    if (length >= sizeof path)
        return vae_fail(err, VAE_E_USAGE, "plug-in: longer than %zu characters", sizeof path - 1);
    snprintf(path, sizeof path, "%.*s", (int)length, text);
    const vae_status status = length ? plugin_load(path, &name, err) : VAE_OK;
    if (!status) snprintf(choice, VAE_MAX_SOURCE, "%s%s", name, text + length);
    return status;
}
