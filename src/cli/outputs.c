/* SPDX-License-Identifier: MIT */
#include "cli/outputs.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/folder.h"

enum { MOST = PATH_MAX + 256 };

/* The folder of a path: "." where it has none. */
static void folder_of(const char *path, char folder[PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    snprintf(folder, PATH_MAX, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
}

/* One name for all names of a file, be it there or not. */
static void resolve(const char *path, char resolved[MOST])
{
    char folder[PATH_MAX], real[PATH_MAX];
    const char *slash = strrchr(path, '/');
    folder_of(path, folder);
    if (realpath(path, real))
        snprintf(resolved, MOST, "%s", real);
    else
        snprintf(resolved, MOST, "%s/%.255s", realpath(folder, real) ? real : folder, slash ? slash + 1 : path);
}

/* A model, or the metrics of one. */
static bool belongs_to_run(const char *path)
{
    static const char end[] = ".safetensors";
    char folder[PATH_MAX], model[MOST];
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const size_t length = strlen(name), tail = sizeof end - 1;
    if (length > tail && !strcmp(name + length - tail, end)) return true;
    folder_of(path, folder);
    snprintf(model, sizeof model, "%s/model.safetensors", folder);
    return folder_is_own(name) && !access(model, F_OK);
}

static vae_status check_place(const char *path, vae_error *err)
{
    char folder[PATH_MAX];
    struct stat info;
    folder_of(path, folder);
    const int error = access(folder, W_OK) ? errno : !stat(path, &info) && S_ISDIR(info.st_mode) ? EISDIR : 0;
    if (error) return vae_fail(err, VAE_E_WRITE, "%s: cannot write: %s", path, strerror(error));
    if (access(path, F_OK) || !belongs_to_run(path)) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "%s: is a file of a run, and would be overwritten (another name keeps it)", path);
}

vae_status outputs_check(const char *const *path, size_t n, vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < n && !status; i++) {
        char one[MOST], other[MOST];
        if (!path[i]) continue;
        resolve(path[i], one);
        for (size_t k = 0; k < i && !status; k++) {
            if (!path[k]) continue;
            resolve(path[k], other);
            if (!strcmp(one, other)) status = vae_fail(err, VAE_E_USAGE, "%s: named for two outputs", path[i]);
        }
        if (!status) status = check_place(path[i], err);
    }
    return status;
}

vae_status outputs_spare(const char *path, const char *source, vae_error *err)
{
    char output[PATH_MAX], input[PATH_MAX], plain[PATH_MAX];
    struct stat info;
    const char *colon = strrchr(source, ':');
    snprintf(plain, sizeof plain, "%.*s", colon && stat(source, &info) ? (int)(colon - source) : PATH_MAX - 1, source);
    if (!realpath(path, output) || !realpath(plain, input) || stat(output, &info) || S_ISDIR(info.st_mode))
        return VAE_OK;
    const size_t length = strlen(input);
    if (strncmp(output, input, length) || (output[length] && output[length] != '/')) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "%s: is what is read, and would be overwritten (another name keeps it)", path);
}
