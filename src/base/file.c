/* SPDX-License-Identifier: MIT
 *
 * Files appear whole or not at all. Order matters: data reaches the disk (fsync) before the name points at it (rename),
 * and the folder's new entry reaches the disk (fsync of the folder) before we say that it was written. Any call may be
 * interrupted by a signal, and is then made again. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done;
        RETRY(done, write(fd, bytes, size));
        if (done == 0) errno = EIO; /* which would go on for ever */
        if (done <= 0) return -1;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

/* Linux has closed a descriptor also where close was interrupted; the data was synced by then. */
static int write_and_sync(int fd, const void *bytes, size_t size)
{
    int failed = write_all(fd, bytes, size);
    if (!failed) RETRY(failed, fsync(fd));
    int error = errno;
    if (close(fd) && errno != EINTR && !failed) return -1;
    errno = error;
    return failed;
}

vae_status vae_sync_folder(const char *path, vae_error *err)
{
    int fd, failed = 0, error = 0;
    RETRY(fd, open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd >= 0) {
        RETRY(failed, fsync(fd));
        error = errno;
        close(fd);
    } else if (errno != EACCES) { /* writing into a folder that cannot be read is all right */
        failed = -1;
        error = errno;
    }
    if (!failed || error == EINVAL || error == ENOTSUP) return VAE_OK;
    return vae_fail(err, VAE_E_WRITE, "%s: cannot sync folder: %s", path, strerror(error));
}

/* rename would put the file in the place of a device or a pipe, or of a link to one, or of /dev/stdout, whatever that
 * is a link to. (Another link to a file is replaced: what it points at may be anyone's.) */
static bool is_special(const char *path)
{
    struct stat info;
    if (!lstat(path, &info) && S_ISLNK(info.st_mode) && !strncmp(path, "/dev/", 5)) return true;
    return !stat(path, &info) && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* ---- The temporary file ------------------------------------------------------------------------------------------ */

/* Where a file is written before it gets its name: beside it, under the same name with an end of ours. The longest name
 * that a folder takes has room for it by losing its own end. */
static char *temporary_path(const char *path)
{
    enum { LONGEST_NAME = 255, END = sizeof VAE_TEMPORARY };
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, name = strlen(path + folder);
    const size_t kept = folder + (name < LONGEST_NAME - END ? name : LONGEST_NAME - END), size = kept + END;
    char *temporary = malloc(size);
    if (temporary) snprintf(temporary, size, "%.*s" VAE_TEMPORARY, (int)kept, path);
    return temporary;
}

/* Does the name still stand for the open file? */
static bool is_at(const char *path, int fd)
{
    struct stat named, opened;
    return !lstat(path, &named) && !fstat(fd, &opened) && named.st_dev == opened.st_dev &&
           named.st_ino == opened.st_ino;
}

/* Whoever writes a temporary file holds its lock. Waits for that, and removes what a killed process left. Where files
 * have no locks, nobody can tell them apart: that is then an error. */
static int remove_leftover(const char *temporary)
{
    int fd, failed;
    RETRY(fd, open(temporary, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (fd < 0 && errno == ENOENT) return 0;
    if (fd >= 0) {
        RETRY(failed, flock(fd, LOCK_EX));
        const bool is_left = !failed && is_at(temporary, fd);
        if (is_left) RETRY(failed, unlink(temporary));
        const int error = errno;
        close(fd);
        errno = error;
        return failed;
    }
    RETRY(failed, unlink(temporary)); /* a link, or not to be opened: none of ours in any case */
    return failed && errno == ENOENT ? 0 : failed;
}

/* Opens it, new and locked. Somebody may take it for a leftover before it is locked: then there is another try. */
static int open_temporary(const char *temporary)
{
    for (;;) {
        int fd, failed;
        RETRY(fd, open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
        if (fd < 0 && errno == EEXIST) {
            if (remove_leftover(temporary)) return -1;
            continue;
        }
        if (fd < 0) return -1;
        RETRY(failed, flock(fd, LOCK_EX | LOCK_NB));
        if (failed ? errno != EWOULDBLOCK : is_at(temporary, fd)) return fd;
        close(fd);
    }
}

/* The lock is held, by a second descriptor, until the file has its name. */
static int write_and_rename(const char *temporary, const char *path, const void *bytes, size_t size)
{
    const int fd = open_temporary(temporary);
    if (fd < 0) return -1;
    int failed, gone, lock;
    RETRY(lock, fcntl(fd, F_DUPFD_CLOEXEC, 0));
    failed = lock < 0 ? -1 : write_and_sync(fd, bytes, size);
    if (!failed) RETRY(failed, rename(temporary, path));
    const int error = errno;
    if (failed) RETRY(gone, unlink(temporary));
    close(lock < 0 ? fd : lock);
    errno = error;
    return failed;
}

vae_status vae_write_file(const char *path, const void *bytes, size_t size, vae_error *err)
{
    if (is_special(path)) return vae_fail(err, VAE_E_WRITE, "%s: cannot write: not a regular file", path);
    char *temporary = temporary_path(path);
    if (!temporary) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory while writing", path);
    vae_status status = VAE_OK;
    if (write_and_rename(temporary, path, bytes, size))
        status = vae_fail(err, VAE_E_WRITE, "%s: cannot write: %s", path, strerror(errno));
    char *slash = strrchr(temporary, '/'); /* what it is before that is the folder */
    if (slash) slash[1] = '\0';
    if (!status) status = vae_sync_folder(slash ? temporary : ".", err);
    free(temporary);
    return status;
}
