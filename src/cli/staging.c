/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW ".vaectl-new"

static void path_in(const struct folder *folder, const char *name, char path[PATH_MAX_RUN])
{
    snprintf(path, PATH_MAX_RUN, "%.*s/%.*s", PATH_MAX_RUN - 512, folder->path, NAME_MAX, name);
}

static vae_status cannot(const char *what, const char *path, vae_error *err)
{
    return vae_fail(err, VAE_E_WRITE, "%s: cannot %s: %s", path, what, strerror(errno));
}

/* ---- Entries of folders ------------------------------------------------------------------------------------------ */

/* Calls `visit` with the entries of a folder until it fails; `ours`: it may be missing, and is no link to one. It needs
 * no memory, as opendir does: what a training leaves that ended for want of memory can still be removed. */
static vae_status each_entry(const char *path, bool ours,
                             vae_status (*visit)(const struct folder *, int, const char *, vae_error *),
                             const struct folder *folder, vae_error *err)
{
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (ours ? O_NOFOLLOW : 0)));
    if (fd < 0 && errno == ENOENT && ours) return VAE_OK;
    if (fd < 0) return cannot("read folder", path, err);
    alignas(struct dirent64) char entries[4096];
    ssize_t size = 0;
    vae_status status = VAE_OK;
    do {
        RETRY(size, getdents64(fd, entries, sizeof entries));
        if (size < 0) status = cannot("read folder", path, err);
        for (ssize_t at = 0; at < size && !status;) {
            const struct dirent64 *entry = (const void *)(entries + at);
            const char *name = entry->d_name;
            if (strcmp(name, ".") && strcmp(name, "..")) status = visit(folder, fd, name, err);
            at += entry->d_reclen;
        }
    } while (size > 0 && !status);
    close(fd);
    return status;
}

/* NAME or, with `temporary`, the name under which a killed process left it half-written. */
static bool is_of_run(const char *name, bool temporary)
{
    char stem[NAME_MAX + 1];
    const size_t length = strlen(name), end = temporary ? strlen(VAE_TEMPORARY) : 0;
    if (length <= end || strcmp(name + length - end, temporary ? VAE_TEMPORARY : "")) return false;
    snprintf(stem, sizeof stem, "%.*s", (int)(length - end), name);
    return folder_is_own(stem);
}

bool staging_is_left(const char *name)
{
    return is_of_run(name, true) || !strcmp(name, NEW) || !strcmp(name, FOLDER_PENDING);
}

static vae_status remove_entry(const struct folder *folder, int fd, const char *name, vae_error *err)
{
    char path[PATH_MAX_RUN];
    int failed;
    RETRY(failed, unlinkat(fd, name, 0));
    if (!failed) return VAE_OK;
    path_in(folder, name, path);
    return cannot("remove", path, err);
}

static vae_status remove_leftover(const struct folder *folder, int fd, const char *name, vae_error *err)
{
    return is_of_run(name, true) ? remove_entry(folder, fd, name, err) : VAE_OK;
}

static vae_status remove_new(const struct folder *folder, vae_error *err)
{
    struct folder staged;
    int failed;
    path_in(folder, NEW, staged.path);
    vae_status status = each_entry(staged.path, true, remove_entry, &staged, err);
    if (status) return status;
    RETRY(failed, rmdir(staged.path));
    return failed && errno != ENOENT ? cannot("remove", staged.path, err) : VAE_OK;
}

/* ---- Putting files in place -------------------------------------------------------------------------------------- */

static vae_status read_all(int fd, const char *path, char *bytes, size_t size, vae_error *err)
{
    for (size_t done = 0; done < size;) {
        ssize_t got;
        RETRY(got, read(fd, bytes + done, size - done));
        if (got == 0) errno = EIO; /* it was longer */
        if (got <= 0) return cannot("read", path, err);
        done += (size_t)got;
    }
    return VAE_OK;
}

static vae_status copy(const char *from, const char *to, vae_error *err)
{
    struct stat info;
    int fd;
    RETRY(fd, open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd < 0 || fstat(fd, &info)) {
        const vae_status status = cannot("read", from, err);
        if (fd >= 0) close(fd);
        return status;
    }
    const size_t size = (size_t)info.st_size;
    char *bytes = malloc(size ? size : 1);
    vae_status status = bytes ? read_all(fd, from, bytes, size, err) : vae_fail(err, VAE_E_MEMORY, "out of memory");
    close(fd);
    if (!status) status = vae_write_file(to, bytes, size, err);
    free(bytes);
    return status;
}

static vae_status place_entry(const struct folder *folder, int fd, const char *name, vae_error *err)
{
    char from[PATH_MAX_RUN], to[PATH_MAX_RUN];
    struct folder pending;
    (void)fd;
    if (!is_of_run(name, false)) return VAE_OK;
    path_in(folder, FOLDER_PENDING, pending.path);
    path_in(&pending, name, from);
    path_in(folder, name, to);
    return copy(from, to, err);
}

/* A file of the old run that the new one has not. */
static vae_status remove_old(const struct folder *folder, int fd, const char *name, vae_error *err)
{
    char path[PATH_MAX_RUN];
    struct folder pending;
    struct stat info;
    if (!is_of_run(name, false)) return VAE_OK;
    path_in(folder, FOLDER_PENDING, pending.path);
    path_in(&pending, name, path);
    if (!lstat(path, &info)) return VAE_OK;
    return errno == ENOENT ? remove_entry(folder, fd, name, err) : cannot("read", path, err);
}

/* The folder has another name, on the disk as well, before the first of its files goes: as long as it has this one it
 * must be whole. */
static vae_status place(const struct folder *folder, vae_error *err)
{
    char pending[PATH_MAX_RUN], new[PATH_MAX_RUN];
    int failed;
    path_in(folder, FOLDER_PENDING, pending);
    path_in(folder, NEW, new);
    vae_status status = each_entry(pending, false, place_entry, folder, err);
    if (!status) status = each_entry(folder->path, false, remove_old, folder, err);
    if (!status) status = vae_sync_folder(folder->path, err);
    if (status) return status;
    RETRY(failed, rename(pending, new));
    if (failed) return cannot("rename", pending, err);
    status = vae_sync_folder(folder->path, err);
    return status ? status : remove_new(folder, err);
}

/* ---- From outside ------------------------------------------------------------------------------------------------ */

/* Found out before anything is written, as a run of which only some files can be put in place is not to begin. */
static vae_status check_target(const struct folder *folder, int fd, const char *name, vae_error *err)
{
    char path[PATH_MAX_RUN];
    struct stat info;
    if (!is_of_run(name, false) || fstatat(fd, name, &info, 0) || S_ISREG(info.st_mode)) return VAE_OK;
    path_in(folder, name, path);
    return vae_fail(err, VAE_E_WRITE, "%s: cannot write: %s", path,
                    S_ISDIR(info.st_mode) ? strerror(EISDIR) : "not a regular file");
}

vae_status staging_open(const struct folder *folder, struct folder *staged, vae_error *err)
{
    int failed;
    *staged = (struct folder){.lock = -1};
    path_in(folder, NEW, staged->path);
    folder_name_files(staged);
    vae_status status = each_entry(folder->path, false, check_target, folder, err);
    if (status) return status;
    RETRY(failed, mkdir(staged->path, 0777));
    return failed ? cannot("make folder", staged->path, err) : VAE_OK;
}

vae_status staging_drop(const struct folder *folder, vae_status status, vae_error *err)
{
    vae_error other;
    const vae_status removed = remove_new(folder, status ? &other : err);
    static const char name[] = "/" NEW "/";
    char *at = status && err ? strstr(err->message, name) : NULL;
    if (at) memmove(at + 1, at + sizeof name - 1, strlen(at + sizeof name - 1) + 1);
    return status ? status : removed;
}

vae_status staging_commit(const struct folder *folder, vae_error *err)
{
    char pending[PATH_MAX_RUN], new[PATH_MAX_RUN];
    int failed;
    path_in(folder, FOLDER_PENDING, pending);
    path_in(folder, NEW, new);
    vae_status status = vae_sync_folder(new, err);
    if (status) return staging_drop(folder, status, err);
    RETRY(failed, rename(new, pending));
    if (failed) return staging_drop(folder, cannot("write", folder->path, err), err);
    status = vae_sync_folder(folder->path, err);
    return status ? status : place(folder, err);
}

/* It replaces all that is there: half a run, as a copy that was broken off leaves it, must not. */
static vae_status check_pending(const struct folder *folder, vae_error *err)
{
    struct folder pending;
    vae_model *model = NULL;
    path_in(folder, FOLDER_PENDING, pending.path);
    folder_name_files(&pending);
    vae_status status = vae_model_load(&model, pending.model, err);
    vae_model_free(&model);
    return status;
}

vae_status staging_settle(const struct folder *folder, vae_error *err)
{
    vae_status status = each_entry(folder->path, false, remove_leftover, folder, err);
    if (!status) status = remove_new(folder, err);
    if (status || !folder_is_pending(folder->path)) return status;
    status = check_pending(folder, err);
    return status ? status : place(folder, err);
}

static vae_status reserve(const char *path, off_t size, vae_error *err)
{
    int fd, error;
    RETRY(fd, open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
    if (fd < 0) return cannot("write", path, err);
    do error = posix_fallocate(fd, 0, size);
    while (error == EINTR);
    close(fd);
    if (!error || error == EINVAL || error == EOPNOTSUPP) return VAE_OK;
    return vae_fail(err, VAE_E_WRITE, "%s: cannot write: %s", path, strerror(error));
}

/* One is written, which also shows that the model can be; the others are reserved. */
static vae_status try_in(const struct folder *staged, const vae_model *model, size_t files, vae_error *err)
{
    struct stat info;
    vae_status status = vae_model_save(model, staged->model, err);
    if (!status && stat(staged->model, &info)) status = cannot("read", staged->model, err);
    for (size_t i = 1; i < files && !status; i++) {
        char path[PATH_MAX_RUN];
        folder_epoch(staged, i, path);
        status = reserve(path, info.st_size, err);
    }
    return status;
}

vae_status staging_try(const struct folder *folder, const vae_model *model, size_t files, vae_error *err)
{
    struct folder staged;
    vae_status status = staging_open(folder, &staged, err);
    return status ? status : staging_drop(folder, try_in(&staged, model, files, err), err);
}

static vae_status refuse(const struct folder *folder, int fd, const char *name, vae_error *err)
{
    (void)fd;
    if (!strcmp(name, NEW) || is_of_run(name, true)) return VAE_OK;
    return vae_fail(err, VAE_E_EXISTS, "%s: is already there (--force trains into it; another -o keeps it)",
                    folder->path);
}

vae_status staging_refuse(const struct folder *folder, vae_error *err)
{
    return each_entry(folder->path, false, refuse, folder, err);
}
