/* SPDX-License-Identifier: MIT
 *
 * Files appear whole or not at all. Order matters: data reaches the disk (fsync) before the name points at it (rename),
 * and the folder's new entry reaches the disk (fsync of the folder) before we say that it was written. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vae.h"

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t done = write(fd, bytes, size);
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) return -1;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

static int write_and_sync(int fd, const void *bytes, size_t size)
{
    int failed = write_all(fd, bytes, size) || fsync(fd);
    int error = errno;
    if (close(fd) && !failed) return -1;
    errno = error;
    return failed ? -1 : 0;
}

/* Best effort: some file systems refuse to sync a folder, and the file itself is safe by then. */
static void sync_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

/* rename would put the file in the place of a device or a pipe, or of a link to one, or of /dev/stdout, whatever that
 * is a link to. (Another link to a file is replaced: what it points at may be anyone's.) */
static bool is_special(const char *path)
{
    struct stat info;
    if (!lstat(path, &info) && S_ISLNK(info.st_mode) && !strncmp(path, "/dev/", 5)) return true;
    return !stat(path, &info) && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* Where a file is written before it gets its name: beside it, under the same name with an end of ours. The longest name
 * that a folder takes has room for it by losing its own end. */
static char *temporary_path(const char *path)
{
    enum { LONGEST_NAME = 255, END = 32 };
    const char *slash = strrchr(path, '/');
    const size_t folder = slash ? (size_t)(slash - path) + 1 : 0, name = strlen(path + folder);
    const size_t kept = folder + (name < LONGEST_NAME - END ? name : LONGEST_NAME - END), size = kept + END;
    char *temporary = malloc(size);
    if (temporary) snprintf(temporary, size, "%.*s.tmp-%ld", (int)kept, path, (long)getpid());
    return temporary;
}

vae_status vae_write_file(const char *path, const void *bytes, size_t size, vae_error *err)
{
    if (is_special(path)) return vae_fail(err, VAE_E_WRITE, "%s: cannot write: not a regular file", path);
    char *temporary = temporary_path(path);
    if (!temporary) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory while writing", path);
    unlink(temporary); /* left by a process of the same number that was killed */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    int failed = fd < 0 || write_and_sync(fd, bytes, size) || rename(temporary, path);
    int error = errno;
    if (failed && fd >= 0) unlink(temporary);
    free(temporary);
    if (failed) return vae_fail(err, VAE_E_WRITE, "%s: cannot write: %s", path, strerror(error));
    sync_folder_of(path);
    return VAE_OK;
}
