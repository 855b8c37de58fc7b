/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE /* lseek64 */
#include "fuzz/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "vae.h"

enum { MOST_FILES = 32, MOST_OPEN = 16, FIRST = 1 << 20 /* of our descriptors, which the system does not give */ };

static struct {
    char path[sizeof MEMORY + MEMORY_NAME];
    const uint8_t *bytes;
    size_t size;
} file[MOST_FILES];

static struct {
    size_t file; /* its number + 1; 0: closed */
    off_t at;
} opened[MOST_OPEN];

static size_t files, written_size;
static uint8_t *written;

void memory_add(const char *name, const uint8_t *bytes, size_t size)
{
    if (files == MOST_FILES || strlen(name) >= MEMORY_NAME) return;
    memcpy(file[files].path, MEMORY "/", sizeof MEMORY);
    strcpy(file[files].path + sizeof MEMORY, name);
    file[files].bytes = bytes;
    file[files++].size = size;
}

void memory_clear(void)
{
    for (size_t i = 0; i < MOST_OPEN; i++)
        if (opened[i].file) abort();
    files = 0;
    free(written);
    written = NULL;
}

uint8_t *memory_take(size_t *size)
{
    uint8_t *bytes = written;
    *size = written_size;
    written = NULL;
    return bytes;
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

static bool is_ours(const char *path) { return !strncmp(path, MEMORY, sizeof MEMORY - 1); }

/* What stands behind FOLDER/ in a path, or NULL. */
static const char *below(const char *path, const char *folder)
{
    const size_t length = strlen(folder);
    return !strncmp(path, folder, length) && path[length] == '/' ? path + length + 1 : NULL;
}

/* The number of a file, or `files`. */
static size_t find(const char *path)
{
    size_t i = 0;
    while (i < files && strcmp(file[i].path, path)) i++;
    return i;
}

static bool is_folder(const char *path)
{
    for (size_t i = 0; i < files; i++)
        if (below(file[i].path, path)) return true;
    return !strcmp(path, MEMORY);
}

static int missing(void)
{
    errno = ENOENT;
    return -1;
}

/* ---- What stands in the place of the system's calls ---------------------------------------------------------------
 *
 * They have to be seen by the shared libraries. */

#pragma GCC visibility push(default)

int open(const char *path, int flags, ...)
{
    va_list arguments;
    va_start(arguments, flags);
    const int mode = flags & O_CREAT ? va_arg(arguments, int) : 0;
    va_end(arguments);
    if (!is_ours(path)) return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
    const size_t i = find(path);
    for (size_t k = 0; i < files && k < MOST_OPEN; k++)
        if (!opened[k].file) {
            opened[k].file = i + 1;
            opened[k].at = 0;
            return FIRST + (int)k;
        }
    return missing();
}

int close(int number)
{
    if (number < FIRST) return (int)syscall(SYS_close, number);
    opened[number - FIRST].file = 0;
    return 0;
}

static ssize_t copy(int number, void *bytes, size_t size, off_t at)
{
    const size_t i = opened[number - FIRST].file - 1;
    const size_t left = (size_t)at < file[i].size ? file[i].size - (size_t)at : 0;
    if (size > left) size = left;
    if (size) memcpy(bytes, file[i].bytes + at, size);
    return (ssize_t)size;
}

ssize_t pread(int number, void *bytes, size_t size, off_t at)
{
    return number < FIRST ? syscall(SYS_pread64, number, bytes, size, at) : copy(number, bytes, size, at);
}

ssize_t read(int number, void *bytes, size_t size)
{
    if (number < FIRST) return syscall(SYS_read, number, bytes, size);
    const ssize_t got = copy(number, bytes, size, opened[number - FIRST].at);
    opened[number - FIRST].at += got;
    return got;
}

off_t lseek(int number, off_t offset, int whence)
{
    if (number < FIRST) return syscall(SYS_lseek, number, offset, whence);
    off_t *at = &opened[number - FIRST].at;
    const off_t end = (off_t)file[opened[number - FIRST].file - 1].size;
    return *at = offset + (whence == SEEK_SET ? 0 : whence == SEEK_CUR ? *at : end);
}

off64_t lseek64(int number, off64_t offset, int whence) { return lseek(number, offset, whence); }

static int describe(struct stat *info, size_t i)
{
    *info = (struct stat){.st_mode = i < files ? S_IFREG : S_IFDIR, .st_size = i < files ? (off_t)file[i].size : 0};
    return 0;
}

int fstat(int number, struct stat *info)
{
    if (number < FIRST) return (int)syscall(SYS_newfstatat, number, "", info, AT_EMPTY_PATH);
    return describe(info, opened[number - FIRST].file - 1);
}

int stat(const char *path, struct stat *info)
{
    if (!is_ours(path)) return (int)syscall(SYS_newfstatat, AT_FDCWD, path, info, 0);
    const size_t i = find(path);
    return i < files || is_folder(path) ? describe(info, i) : missing();
}

int access(const char *path, int mode)
{
    if (!is_ours(path)) return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
    return find(path) < files || is_folder(path) ? 0 : missing();
}

static bool is_there(struct dirent *const *entries, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(entries[i]->d_name, name)) return true;
    return false;
}

int scandir(const char *folder, struct dirent ***list, int (*is_wanted)(const struct dirent *),
            int (*order)(const struct dirent **, const struct dirent **))
{
    struct dirent **entries = calloc(MOST_FILES, sizeof *entries);
    size_t n = 0;
    if (!is_folder(folder)) {
        free(entries);
        return missing();
    }
    for (size_t i = 0; i < files; i++) {
        const char *name = below(file[i].path, folder);
        struct dirent entry = {0};
        if (name) memcpy(entry.d_name, name, strcspn(name, "/"));
        if (!*entry.d_name || !is_wanted(&entry) || is_there(entries, n, entry.d_name)) continue;
        entries[n] = malloc(sizeof entry);
        *entries[n++] = entry;
    }
    qsort(entries, n, sizeof *entries, (int (*)(const void *, const void *))(void (*)(void))order);
    *list = entries;
    return (int)n;
}

/* ---- What the linker puts in the place of functions (--wrap) ------------------------------------------------------
 */

FILE *__wrap_fdopen(int number, const char *mode);
FILE *__real_fdopen(int number, const char *mode);
FILE *__wrap_fdopen(int number, const char *mode)
{
    if (number < FIRST) return __real_fdopen(number, mode);
    const size_t i = opened[number - FIRST].file - 1;
    FILE *stream = fmemopen((void *)(uintptr_t)file[i].bytes, file[i].size, "r");
    if (stream) close(number);
    return stream;
}

vae_status __wrap_vae_write_file(const char *path, const void *bytes, size_t size, vae_error *err);
vae_status __wrap_vae_write_file(const char *path, const void *bytes, size_t size, vae_error *err)
{
    (void)path, (void)err;
    free(written);
    written = malloc(size + 1);
    memcpy(written, bytes, size);
    written_size = size;
    return VAE_OK;
}

/* Nothing is said on stderr. */
void __wrap_run_say(const char *format, ...);
void __wrap_run_say(const char *format, ...) { (void)format; }
