/* SPDX-License-Identifier: MIT
 *
 * Loaded before the C library (LD_PRELOAD), it counts the calls by which a program deals with files, kills the program
 * at one of them or lets that one fail, and writes down what was called. What lies in folders of the system does not
 * count. The environment says what it does:
 *
 *   FAULT_CALLS  names of the calls that count, with commas between them; all without it
 *   FAULT_AT     which one of these, from 1
 *   FAULT_DO     what happens then: kill, torn (a write takes half of its bytes and then comes the kill), short (it
 * takes half of them), zero (it takes none) or an errno FAULT_LOG    file that gets a line for each call of any name:
 * name, result, number of the open file, one path or two, flags; with tabs between them. The bytes that a write has
 * taken are behind its line.
 *
 * Nothing is synced: that takes time, and only a machine that loses power would notice. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MOST_FILES = 1024, LINE = 9000 };

static const char *calls, *what;
static long at, counted;
static int out = -1;
static long number[MOST_FILES], opened; /* of what a descriptor is open for; 0: does not count */

__attribute__((constructor)) static void begin(void)
{
    const char *text = getenv("FAULT_AT"), *log = getenv("FAULT_LOG");
    calls = getenv("FAULT_CALLS");
    what = getenv("FAULT_DO");
    at = text ? strtol(text, NULL, 10) : 0;
    if (log) out = (int)syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
}

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (!found) abort();
    return found;
}
/* ISO C has no conversion from a pointer to a function. */
#define REAL(name, type, ...)                                                                                          \
    type (*real)(__VA_ARGS__);                                                                                         \
    *(void **)&real = next(name)

static bool is_own(const char *path)
{
    static const char *const others[] = {"/proc", "/sys", "/dev", "/etc", "/usr", "/lib"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strncmp(path, others[i], strlen(others[i]))) return false;
    return true;
}

static long number_of(int fd) { return fd >= 0 && fd < MOST_FILES ? number[fd] : 0; }

static bool is_listed(const char *name)
{
    const size_t length = strlen(name);
    for (const char *p = calls; p && *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == length && !strncmp(p, name, length)) return true;
    return !calls;
}

/* What becomes of this call, or its errno. */
enum { AS_IT_IS = 0, HALF = -1, NOTHING = -2, TORN = -3 };
static int fate(const char *name)
{
    if (!is_listed(name) || ++counted != at || !what) return AS_IT_IS;
    if (!strcmp(what, "kill")) kill(getpid(), SIGKILL);
    if (!strcmp(what, "torn")) return TORN;
    return !strcmp(what, "short") ? HALF : !strcmp(what, "zero") ? NOTHING : (int)strtol(what, NULL, 10);
}

static void note(const char *name, long result, long file, const char *a, const char *b, long flags, const void *bytes)
{
    char line[LINE];
    const int error = errno;
    if (out < 0) return;
    const int size = snprintf(line, sizeof line, "%s\t%ld\t%ld\t%s\t%s\t%ld\n", name, result, file, a, b, flags);
    /* At once, as other processes may write into the same file. */
    const struct iovec part[] = {{line, (size_t)size},
                                 {(void *)(uintptr_t)bytes, bytes && result > 0 ? (size_t)result : 0}};
    if (syscall(SYS_writev, out, part, 2) != (long)(part[0].iov_len + part[1].iov_len)) abort();
    errno = error;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* ---- Calls with a path ------------------------------------------------------------------------------------------- */

int open(const char *path, int flags, ...)
{
    REAL("open", int, const char *, int, ...);
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    if (!is_own(path)) return real(path, flags, mode);
    const int error = fate("open"), fd = error > 0 ? fail(error) : real(path, flags, mode);
    if (fd >= 0 && fd < MOST_FILES) number[fd] = ++opened;
    note("open", fd, number_of(fd), path, "", flags, NULL);
    return fd;
}

#define PATH_CALL(name, parameters, types, arguments, a, b)                                                            \
    int name parameters                                                                                                \
    {                                                                                                                  \
        REAL(#name, int, types);                                                                                       \
        if (!is_own(a)) return real arguments;                                                                         \
        const int error = fate(#name), result = error > 0 ? fail(error) : real arguments;                              \
        note(#name, result, 0, a, b, 0, NULL);                                                                         \
        return result;                                                                                                 \
    }
#define TWO(...) __VA_ARGS__
PATH_CALL(rename, (const char *from, const char *to), TWO(const char *, const char *), (from, to), from, to)
PATH_CALL(symlink, (const char *target, const char *path), TWO(const char *, const char *), (target, path), path,
          target)
PATH_CALL(unlink, (const char *path), const char *, (path), path, "")
PATH_CALL(rmdir, (const char *path), const char *, (path), path, "")
PATH_CALL(mkdir, (const char *path, mode_t mode), TWO(const char *, mode_t), (path, mode), path, "")
PATH_CALL(access, (const char *path, int mode), TWO(const char *, int), (path, mode), path, "")
PATH_CALL(stat, (const char *path, struct stat *info), TWO(const char *, struct stat *), (path, info), path, "")
PATH_CALL(lstat, (const char *path, struct stat *info), TWO(const char *, struct stat *), (path, info), path, "")

/* ---- Calls with a descriptor ------------------------------------------------------------------------------------- */

ssize_t write(int fd, const void *bytes, size_t size)
{
    REAL("write", ssize_t, int, const void *, size_t);
    if (!number_of(fd)) return real(fd, bytes, size);
    const int error = fate("write");
    const size_t most = (error == HALF || error == TORN) && size > 1 ? size / 2 : size;
    const ssize_t done = error > 0 ? fail(error) : error == NOTHING ? 0 : real(fd, bytes, most);
    if (error == TORN) kill(getpid(), SIGKILL);
    note("write", done, number_of(fd), "", "", 0, bytes);
    return done;
}

ssize_t read(int fd, void *bytes, size_t size)
{
    REAL("read", ssize_t, int, void *, size_t);
    if (!number_of(fd)) return real(fd, bytes, size);
    const int error = fate("read");
    const ssize_t done = error > 0 ? fail(error) : real(fd, bytes, error == HALF && size > 1 ? size / 2 : size);
    note("read", done, number_of(fd), "", "", 0, NULL);
    return done;
}

ssize_t pread(int fd, void *bytes, size_t size, off_t from)
{
    REAL("pread", ssize_t, int, void *, size_t, off_t);
    if (!number_of(fd)) return real(fd, bytes, size, from);
    const int error = fate("pread");
    const ssize_t done = error > 0 ? fail(error) : real(fd, bytes, error == HALF && size > 1 ? size / 2 : size, from);
    note("pread", done, number_of(fd), "", "", 0, NULL);
    return done;
}

#define FILE_CALL(name, parameters, types, arguments)                                                                  \
    int name parameters                                                                                                \
    {                                                                                                                  \
        REAL(#name, int, types);                                                                                       \
        if (!number_of(fd)) return real arguments;                                                                     \
        const int error = fate(#name), result = error > 0 ? fail(error) : real arguments;                              \
        note(#name, result, number_of(fd), "", "", 0, NULL);                                                           \
        return result;                                                                                                 \
    }
FILE_CALL(flock, (int fd, int operation), TWO(int, int), (fd, operation))
FILE_CALL(fstat, (int fd, struct stat *info), TWO(int, struct stat *), (fd, info))

int unlinkat(int fd, const char *path, int flags)
{
    REAL("unlinkat", int, int, const char *, int);
    const int error = fate("unlinkat"), result = error > 0 ? fail(error) : real(fd, path, flags);
    note("unlinkat", result, number_of(fd), path, "", flags, NULL);
    return result;
}

int fsync(int fd)
{
    const int error = fate("fsync"), result = error > 0 ? fail(error) : 0;
    note("fsync", result, number_of(fd), "", "", 0, NULL);
    return result;
}

/* It is closed in any case. */
int close(int fd)
{
    REAL("close", int, int);
    const long file = number_of(fd);
    if (!file) return real(fd);
    const int error = fate("close"), result = real(fd);
    number[fd] = 0;
    note("close", error > 0 ? -1 : result, file, "", "", 0, NULL);
    return error > 0 ? fail(error) : result;
}

int fcntl(int fd, int command, ...)
{
    REAL("fcntl", int, int, int, ...);
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (!number_of(fd) || command != F_DUPFD_CLOEXEC) return real(fd, command, argument);
    const int error = fate("fcntl"), copy = error > 0 ? fail(error) : real(fd, command, argument);
    if (copy >= 0 && copy < MOST_FILES) number[copy] = number[fd];
    note("fcntl", copy, number_of(fd), "", "", 0, NULL);
    return copy;
}

/* Returns its errno, and leaves the variable alone. */
int posix_fallocate(int fd, off_t offset, off_t size)
{
    REAL("posix_fallocate", int, int, off_t, off_t);
    const int error = fate("posix_fallocate"), result = error > 0 ? error : real(fd, offset, size);
    note("posix_fallocate", result ? -1 : 0, number_of(fd), "", "", 0, NULL);
    return result;
}
