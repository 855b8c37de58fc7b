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

vae_status plugin_choice(const char *text, char choice[VAE_MAX_SOURCE], vae_error *err)
{
    char path[VAE_MAX_SOURCE];
    const size_t length = plugin_is_file(text) ? file_length(text) : 0;
    const char *name = "";
    if (length >= sizeof path)
        return vae_fail(err, VAE_E_USAGE, "plug-in: longer than %zu characters", sizeof path - 1);
    snprintf(path, sizeof path, "%.*s", (int)length, text);
    const vae_status status = length ? vae_prior_load(path, &name, err) : VAE_OK;
    if (!status) snprintf(choice, VAE_MAX_SOURCE, "%s%s", name, text + length);
    return status;
}
