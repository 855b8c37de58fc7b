/* SPDX-License-Identifier: MIT */
#include "cli/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* mkdir -p of everything above the last part. */
static vae_status make_parents(const char *path, vae_error *err)
{
    char part[PATH_MAX_RUN];
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0777) && errno != EEXIST)
            return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", part, strerror(errno));
        *slash = '/';
    }
    return VAE_OK;
}

static vae_status make_given(struct folder *folder, const char *given, bool force, vae_error *err)
{
    const int length = snprintf(folder->path, sizeof folder->path, "%s", given);
    if (length == 0 || length > PATH_MAX_RUN / 2)
        return vae_fail(err, VAE_E_USAGE, "-o: a folder name of %d characters", length);
    for (size_t end = (size_t)length; end > 1 && folder->path[end - 1] == '/'; end--) folder->path[end - 1] = '\0';
    vae_status status = make_parents(folder->path, err);
    if (status || !mkdir(folder->path, 0777)) return status;
    if (errno != EEXIST) return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", folder->path, strerror(errno));
    if (force) return VAE_OK;
    return vae_fail(err, VAE_E_EXISTS, "%s: is already there (--force trains into it; another -o keeps it)",
                    folder->path);
}

/* Two runs in one second get different names. */
static vae_status make_dated(struct folder *folder, const char *prior, vae_error *err)
{
    char date[32];
    const time_t t = time(NULL);
    struct tm local;
    strftime(date, sizeof date, "%Y%m%d-%H%M%S", localtime_r(&t, &local));
    for (int i = 1; i < 100; i++) {
        char suffix[16] = "";
        if (i > 1) snprintf(suffix, sizeof suffix, "-%d", i);
        snprintf(folder->path, sizeof folder->path, "runs/%s-%s%s", prior, date, suffix);
        vae_status status = make_parents(folder->path, err);
        if (status || !mkdir(folder->path, 0777)) return status;
        if (errno != EEXIST) break;
    }
    return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", folder->path, strerror(errno));
}

static vae_status lock(struct folder *folder, vae_error *err)
{
    folder->lock = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->lock < 0)
        return vae_fail(err, VAE_E_WRITE, "%s: cannot open folder: %s", folder->path, strerror(errno));
    if (!flock(folder->lock, LOCK_EX | LOCK_NB) || errno != EWOULDBLOCK)
        return VAE_OK; /* some file systems have no locks */
    folder_close(folder);
    return vae_fail(err, VAE_E_EXISTS, "%s: in use by another training", folder->path);
}

vae_status folder_make(struct folder *folder, const char *given, const char *prior, bool force, vae_error *err)
{
    *folder = (struct folder){.lock = -1};
    vae_status status = given ? make_given(folder, given, force, err) : make_dated(folder, prior, err);
    if (!status) status = lock(folder, err);
    snprintf(folder->model, sizeof folder->model, "%.*s/model.safetensors", PATH_MAX_RUN - 32, folder->path);
    snprintf(folder->best, sizeof folder->best, "%.*s/best.safetensors", PATH_MAX_RUN - 32, folder->path);
    snprintf(folder->metrics, sizeof folder->metrics, "%.*s/metrics.csv", PATH_MAX_RUN - 32, folder->path);
    return status;
}

void folder_close(struct folder *folder)
{
    if (folder->lock >= 0) close(folder->lock);
    folder->lock = -1;
}

/* A link made beside it and renamed over it: there is a runs/latest at every moment. */
vae_status folder_publish(const struct folder *folder, vae_error *err)
{
    static const char link[] = "runs/latest", temporary[] = "runs/.latest.tmp";
    char absolute[PATH_MAX], target[PATH_MAX];
    if (!realpath(folder->path, absolute)) return vae_fail(err, VAE_E_WRITE, "%s: %s", folder->path, strerror(errno));
    const bool inside = !strncmp(folder->path, "runs/", 5) && !strchr(folder->path + 5, '/');
    snprintf(target, sizeof target, "%s", inside ? folder->path + 5 : absolute);
    if (mkdir("runs", 0777) && errno != EEXIST)
        return vae_fail(err, VAE_E_WRITE, "runs: cannot make folder: %s", strerror(errno));
    unlink(temporary);
    if (symlink(target, temporary) || rename(temporary, link)) {
        const int error = errno;
        unlink(temporary);
        return vae_fail(err, VAE_E_WRITE, "%s: cannot point at the new run: %s", link, strerror(error));
    }
    return VAE_OK;
}
