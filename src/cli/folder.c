/* SPDX-License-Identifier: MIT */
#include "cli/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli/staging.h"

static const char LATEST[] = "runs/latest";

/* What of a real path is below the folder `above`, or NULL. */
static const char *below(const char *above, const char *path)
{
    const size_t length = strcmp(above, "/") ? strlen(above) : 0;
    return !strncmp(path, above, length) && path[length] == '/' ? path + length + 1 : NULL;
}

void folder_follow_links(char path[PATH_MAX_RUN])
{
    char part[PATH_MAX_RUN], real[PATH_MAX], here[PATH_MAX], followed[2 * PATH_MAX];
    struct stat info;
    for (size_t length = strlen(path); length > 0; length--) {
        if (path[length] && path[length] != '/') continue;
        snprintf(part, sizeof part, "%.*s", (int)length, path);
        if (lstat(part, &info) || !S_ISLNK(info.st_mode) || !realpath(part, real)) continue;
        const char *name = realpath(".", here) ? below(here, real) : NULL;
        if (snprintf(followed, sizeof followed, "%s%s", name ? name : real, path + length) < PATH_MAX_RUN)
            strcpy(path, followed);
        return; /* behind it there is no link, and before it none is left */
    }
}

/* Makes a folder whose name then is on the disk. `made`: it was not there before. */
static vae_status make(const char *path, bool *made, vae_error *err)
{
    char above[PATH_MAX_RUN];
    int failed;
    RETRY(failed, mkdir(path, 0777));
    *made = !failed;
    if (failed && errno == EEXIST) return VAE_OK;
    if (failed) return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", path, strerror(errno));
    const char *slash = strrchr(path, '/');
    snprintf(above, sizeof above, "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    return vae_sync_folder(above, err);
}

/* mkdir -p of everything above the last part. */
static vae_status make_parents(const char *path, vae_error *err)
{
    char part[PATH_MAX_RUN];
    vae_status status = VAE_OK;
    snprintf(part, sizeof part, "%s", path);
    for (char *slash = strchr(part + 1, '/'); slash && !status; slash = strchr(slash + 1, '/')) {
        bool made;
        *slash = '\0';
        status = make(part, &made, err);
        *slash = '/';
    }
    return status;
}

/* The name of the link to the newest run, where there is none. */
static bool is_missing_link(const char *given)
{
    struct stat info;
    while (!strncmp(given, "./", 2)) given += 2;
    return !strcmp(given, LATEST) && lstat(LATEST, &info);
}

static vae_status make_given(struct folder *folder, const char *given, vae_error *err)
{
    const int length = snprintf(folder->path, sizeof folder->path, "%s", given);
    if (is_missing_link(given))
        return vae_fail(err, VAE_E_USAGE, "-o %s: is the name of the link to the newest run (expected one of its own)",
                        given);
    if (length == 0 || length > PATH_MAX_RUN / 2)
        return vae_fail(err, VAE_E_USAGE, "-o: a folder name of %d characters (expected 1 to %d)", length,
                        PATH_MAX_RUN / 2);
    folder_follow_links(folder->path);
    vae_status status = make_parents(folder->path, err);
    if (!status) status = make(folder->path, &folder->made, err);
    struct stat info;
    if (!status && !stat(folder->path, &info) && !S_ISDIR(info.st_mode))
        return vae_fail(err, VAE_E_WRITE, "%s: is there and no folder (expected a folder to write into)", folder->path);
    return status;
}

/* Two runs in one second get different names. */
static vae_status make_dated(struct folder *folder, const char *prior, vae_error *err)
{
    char date[32];
    const time_t t = time(NULL);
    struct tm local = {.tm_mday = 1}; /* where the clock is past all years */
    localtime_r(&t, &local);
    strftime(date, sizeof date, "%Y%m%d-%H%M%S", &local);
    for (int i = 1; i < 100; i++) {
        char suffix[16] = "";
        if (i > 1) snprintf(suffix, sizeof suffix, "-%d", i);
        snprintf(folder->path, sizeof folder->path, "runs/%s-%s%s", prior, date, suffix);
        vae_status status = make_parents(folder->path, err);
        if (status) return status;
        status = make(folder->path, &folder->made, err);
        if (status || folder->made) return status;
    }
    return vae_fail(err, VAE_E_WRITE, "%s: cannot make folder: %s", folder->path, strerror(EEXIST));
}

void folder_name_files(struct folder *folder)
{
    snprintf(folder->model, sizeof folder->model, "%.*s/model.safetensors", PATH_MAX_RUN - 32, folder->path);
    snprintf(folder->best, sizeof folder->best, "%.*s/best.safetensors", PATH_MAX_RUN - 32, folder->path);
    snprintf(folder->metrics, sizeof folder->metrics, "%.*s/metrics.csv", PATH_MAX_RUN - 32, folder->path);
}

/* Locks the folder and names its files; `missing` is the status where it cannot be opened. */
static vae_status lock(struct folder *folder, vae_status missing, vae_error *err)
{
    int failed;
    folder_name_files(folder);
    RETRY(folder->lock, open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder->lock < 0)
        return vae_fail(err, run_errno(missing), "%s: cannot open folder: %s (expected a run folder)", folder->path,
                        strerror(errno));
    RETRY(failed, flock(folder->lock, LOCK_EX | LOCK_NB));
    if (!failed || errno != EWOULDBLOCK) return VAE_OK; /* some file systems have no locks */
    return vae_fail(err, VAE_E_EXISTS, "%s: in use by another training", folder->path);
}

/* What is in the folder is looked at again when it is locked: another training may have come and gone. */
vae_status folder_make(struct folder *folder, const char *given, const char *prior, bool force, vae_error *err)
{
    *folder = (struct folder){.lock = -1};
    vae_status status = given ? make_given(folder, given, err) : make_dated(folder, prior, err);
    if (!status && !force) status = staging_refuse(folder, err);
    if (!status) status = lock(folder, VAE_E_WRITE, err);
    if (!status && !force) status = staging_refuse(folder, err);
    if (!status) status = staging_settle(folder, err);
    if (status) folder_close(folder);
    return status;
}

vae_status folder_check(const struct folder *folder, vae_error *err)
{
    struct stat locked, named;
    if (folder->lock < 0 || fstat(folder->lock, &locked)) return VAE_OK;
    if (!stat(folder->path, &named) && named.st_dev == locked.st_dev && named.st_ino == locked.st_ino) return VAE_OK;
    return vae_fail(err, VAE_E_WRITE, "%s: cannot write: is no longer the folder that was there when this began",
                    folder->path);
}

static vae_status find_model(const struct folder *folder, vae_error *err)
{
    if (!access(folder->model, F_OK) || errno != ENOENT) return VAE_OK;
    return vae_fail(err, VAE_E_MODEL, "%s: no model.safetensors in it (expected a run folder)", folder->path);
}

vae_status folder_open(struct folder *folder, const char *path, vae_error *err)
{
    *folder = (struct folder){.lock = -1};
    if (snprintf(folder->path, sizeof folder->path, "%s", path) > PATH_MAX_RUN / 2)
        return vae_fail(err, VAE_E_MODEL, "RUN: longer than %d characters", PATH_MAX_RUN / 2);
    folder_follow_links(folder->path);
    vae_status status = lock(folder, VAE_E_MODEL, err);
    if (!status) status = staging_settle(folder, err);
    if (!status) status = find_model(folder, err);
    if (status) folder_close(folder);
    return status;
}

bool folder_is_pending(const char *path)
{
    char pending[PATH_MAX_RUN];
    struct stat info;
    snprintf(pending, sizeof pending, "%.*s/" FOLDER_PENDING, PATH_MAX_RUN - 32, path);
    return !lstat(pending, &info) && S_ISDIR(info.st_mode);
}

void folder_close(struct folder *folder)
{
    if (folder->lock >= 0) close(folder->lock);
    folder->lock = -1;
}

/* ---- Checkpoints that stay --------------------------------------------------------------------------------------- */

static void epoch_path(const char *folder, uint64_t epoch, char path[PATH_MAX_RUN])
{
    snprintf(path, PATH_MAX_RUN, "%.*s/epoch-%04llu.safetensors", PATH_MAX_RUN - 48, folder, (unsigned long long)epoch);
}

void folder_epoch(const struct folder *folder, uint64_t epoch, char path[PATH_MAX_RUN])
{
    epoch_path(folder->path, epoch, path);
}

/* Is it a name that epoch_path makes? */
static bool is_epoch(const char *name, uint64_t *epoch)
{
    char made[PATH_MAX_RUN];
    if (strncmp(name, "epoch-", 6)) return false;
    *epoch = strtoull(name + 6, NULL, 10);
    epoch_path("", *epoch, made);
    return !strcmp(made + 1, name);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

vae_status folder_epochs(const char *path, uint64_t **epochs, size_t *n, vae_error *err)
{
    DIR *entries = opendir(path);
    vae_status status = VAE_OK;
    *epochs = NULL;
    *n = 0;
    if (!entries) return vae_fail(err, run_errno(VAE_E_MODEL), "%s: cannot open folder: %s", path, strerror(errno));
    for (struct dirent *entry; !status && (entry = readdir(entries));) {
        uint64_t epoch;
        if (!is_epoch(entry->d_name, &epoch)) continue;
        uint64_t *more = realloc(*epochs, (*n + 1) * sizeof **epochs);
        if (more)
            (*epochs = more)[(*n)++] = epoch;
        else
            status = vae_fail(err, VAE_E_MEMORY, "out of memory");
    }
    closedir(entries);
    if (*n) qsort(*epochs, *n, sizeof **epochs, by_number);
    return status;
}

bool folder_is_own(const char *name)
{
    uint64_t epoch;
    return !strcmp(name, "model.safetensors") || !strcmp(name, "best.safetensors") || !strcmp(name, "metrics.csv") ||
           is_epoch(name, &epoch);
}

/* ---- The newest run ---------------------------------------------------------------------------------------------- */

static bool is_here(const char *target)
{
    char here[PATH_MAX];
    return realpath(".", here) && below(here, target);
}

/* Of two that do it at once one may remove or rename the other's link, which is then made again. */
static bool point_at(const char *target, const char *temporary, const char *link)
{
    int failed;
    for (int i = 0; i < 100; i++) {
        RETRY(failed, symlink(target, temporary));
        if (!failed) {
            RETRY(failed, rename(temporary, link));
            if (!failed) return true;
            if (errno != ENOENT) break;
        } else {
            if (errno != EEXIST) break;
            RETRY(failed, unlink(temporary));
        }
    }
    const int error = errno;
    RETRY(failed, unlink(temporary));
    errno = error;
    return false;
}

/* A link made beside it and renamed over it: there is a runs/latest at every moment, whoever else starts a run. The
 * folder's own name, as the one given may be runs/latest itself. */
bool folder_publish(const struct folder *folder)
{
    char runs[PATH_MAX], target[PATH_MAX];
    bool made;
    vae_error err;
    const bool found = realpath(folder->path, target);
    if (found && !is_here(target) && access("runs", F_OK)) return false;
    if (found && !make("runs", &made, &err) && realpath("runs", runs)) {
        const char *name = below(runs, target);
        if (point_at(name && !strchr(name, '/') ? name : target, "runs/.latest" VAE_TEMPORARY, LATEST)) return true;
    }
    run_say("%s: cannot point at %s: %s", LATEST, folder->path, strerror(errno));
    return false;
}
