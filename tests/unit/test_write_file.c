/* SPDX-License-Identifier: MIT
 *
 * Files appear whole or not at all: the order of the system's calls, and what is left where one of them fails. The
 * linker sends the library's calls through the functions below (-Wl,--wrap, see tests.mk), which write a log.
 *
 * Not under tsan: no thread is started here. */
#include "files.h"
#include "vae.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/wait.h>

/* ---- The calls -------------------------------------------------------------------------------------------------- */

enum call { NONE, OPEN, LOCK, DUP, WRITE, FSYNC, CLOSE, RENAME, UNLINK, OPEN_FOLDER, FSYNC_FOLDER, CALLS };

static struct {
    bool on;
    enum call failing;      /* this one ... */
    int error;              /* ... with this errno, ... */
    int left;               /* ... after so many that succeed, ... */
    bool once;              /* ... and not for ever */
    bool close_too;         /* the file's close fails as well, with EIO */
    size_t most;            /* bytes that a write takes at once */
    bool nothing;           /* a write takes no bytes, and is no error */
    bool stolen;            /* the next file is removed before it is locked */
    int file, lock, folder; /* descriptors, -1: not open */
    char log[4096];
} calls;

VAE_PRINTF(1, 2) static void note(const char *format, ...)
{
    const size_t used = strlen(calls.log);
    va_list arguments;
    assert_true(used < sizeof calls.log / 2); /* a loop that never ends */
    va_start(arguments, format);
    vsnprintf(calls.log + used, sizeof calls.log - used, format, arguments);
    va_end(arguments);
}

/* Sets errno and says whether this call fails. A call that succeeds may change errno, too. */
static bool fails(enum call call)
{
    const bool now = calls.failing == call && calls.left-- <= 0;
    if (now && calls.once) calls.failing = NONE;
    errno = now ? calls.error : ECHILD;
    return now;
}

/* Without the scratch folder, which is in every name. */
static const char *short_name(const char *path)
{
    const size_t length = strlen(scratch);
    return strncmp(path, scratch, length) ? path : path + length;
}

int __real_open(const char *path, int flags, ...);
ssize_t __real_write(int fd, const void *bytes, size_t size);
int __real_fsync(int fd);
int __real_close(int fd);
int __real_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __real_flock(int fd, int operation);
int __real_fcntl(int fd, int command, ...);
int __wrap_open(const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __wrap_fsync(int fd);
int __wrap_close(int fd);
int __wrap_rename(const char *from, const char *to);
int __wrap_unlink(const char *path);
int __wrap_flock(int fd, int operation);
int __wrap_fcntl(int fd, int command, ...);

/* Nothing below /dev is opened here: a mistake would replace it. */
int __wrap_open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    const unsigned mode = flags & O_CREAT ? va_arg(rest, unsigned) : 0;
    va_end(rest);
    if (!calls.on) return __real_open(path, flags, mode);
    const bool is_folder = flags & O_DIRECTORY;
    const int other = flags & ~(O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_DIRECTORY);
    note("open %s%s%s%s%s%s%s", short_name(path), flags & O_WRONLY ? " write" : "", flags & O_CREAT ? " create" : "",
         flags & O_EXCL ? " exclusive" : "", flags & O_NOFOLLOW ? " nofollow" : "", flags & O_CLOEXEC ? " cloexec" : "",
         is_folder ? " folder" : "");
    note(other ? " %x\n" : mode ? " %o\n" : "\n", other ? (unsigned)other : mode);
    if (fails(is_folder ? OPEN_FOLDER : OPEN)) return -1;
    const int fd = strncmp(path, "/dev/", 5) ? __real_open(path, flags, mode) : -1;
    *(is_folder ? &calls.folder : &calls.file) = fd;
    return fd;
}

static const char *name_of(int fd)
{
    return fd == calls.file ? "file" : fd == calls.lock ? "lock" : fd == calls.folder ? "folder" : "other";
}

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
    if (!calls.on) return __real_write(fd, bytes, size);
    note("write %s %zu\n", name_of(fd), size);
    if (calls.nothing) return 0;
    return fails(WRITE) ? -1 : __real_write(fd, bytes, size < calls.most ? size : calls.most);
}

int __wrap_fsync(int fd)
{
    if (!calls.on) return __real_fsync(fd);
    note("fsync %s\n", name_of(fd));
    return fails(fd == calls.folder ? FSYNC_FOLDER : FSYNC) ? -1 : 0; /* disks are slow, and have nothing to tell */
}

int __wrap_close(int fd)
{
    if (!calls.on) return __real_close(fd);
    note("close %s\n", name_of(fd));
    const bool is_file = fd == calls.file, also = is_file && calls.close_too;
    *(is_file ? &calls.file : fd == calls.lock ? &calls.lock : &calls.folder) = -1;
    assert_int_equal(__real_close(fd), 0);
    if (!is_file || (!fails(CLOSE) && !also)) return 0;
    if (also) errno = EIO;
    return -1;
}

int __wrap_rename(const char *from, const char *to)
{
    if (!calls.on) return __real_rename(from, to);
    note("rename %s %s\n", short_name(from), short_name(to));
    return fails(RENAME) ? -1 : __real_rename(from, to);
}

int __wrap_unlink(const char *path)
{
    if (!calls.on) return __real_unlink(path);
    note("unlink %s\n", short_name(path));
    if (fails(UNLINK)) return -1;
    const int done = __real_unlink(path);
    errno = ECHILD;
    return done;
}

int __wrap_flock(int fd, int operation)
{
    char path[PATH_MOST];
    if (!calls.on) return __real_flock(fd, operation);
    note("lock %s%s\n", name_of(fd), operation & LOCK_NB ? "" : " waiting");
    if (calls.stolen) assert_int_equal(__real_unlink(in_scratch(path, "out" VAE_TEMPORARY)), 0);
    calls.stolen = false;
    return fails(LOCK) ? -1 : __real_flock(fd, operation);
}

int __wrap_fcntl(int fd, int command, ...)
{
    va_list rest;
    va_start(rest, command);
    const int argument = va_arg(rest, int);
    va_end(rest);
    if (!calls.on) return __real_fcntl(fd, command, argument);
    assert_int_equal(command, F_DUPFD_CLOEXEC);
    note("dup %s\n", name_of(fd));
    return calls.lock = fails(DUP) ? -1 : __real_fcntl(fd, command, argument);
}

/* ---- Writing with a log ----------------------------------------------------------------------------------------- */

static vae_status write_logged(const char *path, const void *bytes, size_t size, vae_error *err)
{
    calls.on = true;
    calls.file = calls.lock = calls.folder = -1;
    calls.log[0] = '\0';
    if (calls.most == 0) calls.most = SIZE_MAX;
    const vae_status status = vae_write_file(path, bytes, size, err);
    assert_true(calls.file == -1 && calls.lock == -1 && calls.folder == -1); /* closed again */
    memset(&calls, 0, offsetof(__typeof__(calls), log));
    return status;
}

static void assert_log(const char *what, const char *want)
{
    if (strcmp(calls.log, want)) fail_msg("%s: calls are\n%sexpected\n%s", what, calls.log, want);
}

static void assert_file(const char *what, const char *path, const char *want)
{
    size_t size;
    uint8_t *bytes = get_file(path, &size);
    if (size != strlen(want) || memcmp(bytes, want, size))
        fail_msg("%s: the file is '%.*s' (expected '%s')", what, (int)size, (const char *)bytes, want);
    free(bytes);
}

#define TEMPORARY "/out" VAE_TEMPORARY
#define OPENING   "open " TEMPORARY " write create exclusive nofollow cloexec 666\n"
#define BEGINNING OPENING "lock file\ndup file\n"
#define END                                                                                                            \
    "fsync file\n"                                                                                                     \
    "close file\n"                                                                                                     \
    "rename " TEMPORARY " /out\n"                                                                                      \
    "close lock\n"
#define FOLDER                                                                                                         \
    "open / cloexec folder\n"                                                                                          \
    "fsync folder\n"                                                                                                   \
    "close folder\n"

static void test_order_of_calls(void **state)
{
    char path[PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    assert_int_equal(write_logged(path, "new text", 8, NULL), VAE_OK);
    assert_log("eight bytes", BEGINNING "write file 8\n" END FOLDER);
    assert_file("eight bytes", path, "new text");
    assert_int_equal(write_logged(path, "", 0, NULL), VAE_OK);
    assert_log("no bytes", BEGINNING END FOLDER);
    assert_file("no bytes", path, "");
    assert_int_equal(scratch_entries(), 1);
}

/* Without a slash in its name the file is in the working folder. */
static void test_folder_of_a_bare_name(void **state)
{
    char before[PATH_MOST], path[PATH_MOST];
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(scratch), 0);
    const vae_status status = write_logged("bare", "x", 1, NULL);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(status, VAE_OK);
    assert_file("a bare name", in_scratch(path, "bare"), "x");
    assert_non_null(strstr(calls.log, "rename bare" VAE_TEMPORARY " bare\n"));
    assert_non_null(strstr(calls.log, "\nopen . cloexec folder\nfsync folder\nclose folder\n"));
}

static void test_writes_go_on(void **state)
{
    char path[PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    calls.most = 3;
    assert_int_equal(write_logged(path, "new text", 8, NULL), VAE_OK);
    assert_log("short writes", BEGINNING "write file 8\nwrite file 5\nwrite file 2\n" END FOLDER);
    assert_file("short writes", path, "new text");
    calls.most = 6;
    calls.failing = WRITE, calls.error = EINTR, calls.left = 1, calls.once = true;
    assert_int_equal(write_logged(path, "new text", 8, NULL), VAE_OK);
    assert_log("an interrupted write", BEGINNING "write file 8\nwrite file 2\nwrite file 2\n" END FOLDER);
    assert_file("an interrupted write", path, "new text");
}

/* Also of a file that another process has left. */
static void test_interrupted_calls_are_made_again(void **state)
{
    char path[PATH_MOST], left[PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    for (enum call call = OPEN; call < CALLS; call++) {
        put_file(in_scratch(left, "out" VAE_TEMPORARY), "half", 4);
        calls.failing = call, calls.error = EINTR, calls.once = true;
        if (write_logged(path, "new text", 8, NULL)) fail_msg("call %d is not made again", (int)call);
        assert_file("an interrupted call", path, "new text");
        assert_int_equal(scratch_entries(), 1);
    }
}

/* ---- Failures --------------------------------------------------------------------------------------------------- */

#define UNDO "close file\nunlink " TEMPORARY "\nclose lock\n"

static const struct failure {
    const char *name;
    enum call failing;
    int error, left;
    size_t most;
    bool close_too;
    const char *log;
} failures[] = {
    {"open", OPEN, EACCES, 0, 0, false, OPENING},
    {"dup", DUP, EMFILE, 0, 0, false, BEGINNING "unlink " TEMPORARY "\nclose file\n"},
    {"write", WRITE, ENOSPC, 0, 0, false, BEGINNING "write file 8\n" UNDO},
    {"second write", WRITE, EDQUOT, 1, 5, false, BEGINNING "write file 8\nwrite file 3\n" UNDO},
    {"write and close", WRITE, ENOSPC, 0, 0, true, BEGINNING "write file 8\n" UNDO},
    {"fsync", FSYNC, EDQUOT, 0, 0, false, BEGINNING "write file 8\nfsync file\n" UNDO},
    {"fsync and close", FSYNC, ENOSPC, 0, 0, true, BEGINNING "write file 8\nfsync file\n" UNDO},
    {"close", CLOSE, EIO, 0, 0, false, BEGINNING "write file 8\nfsync file\n" UNDO},
    {"rename", RENAME, EXDEV, 0, 0, false,
     BEGINNING "write file 8\nfsync file\nclose file\nrename " TEMPORARY " /out\nunlink " TEMPORARY "\nclose lock\n"},
};

/* The old file stays, nothing lies beside it, and the message has the first cause. */
static void test_failures_leave_the_old_file(void **state)
{
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    put_file(path, "old", 3);
    for (size_t i = 0; i < sizeof failures / sizeof *failures; i++) {
        const struct failure *f = &failures[i];
        vae_error err = {0};
        calls.failing = f->failing, calls.error = f->error, calls.left = f->left;
        calls.most = f->most, calls.close_too = f->close_too;
        if (write_logged(path, "new text", 8, &err) != VAE_E_WRITE) fail_msg("%s: status %d", f->name, err.status);
        snprintf(wanted, sizeof wanted, "%s: cannot write: %s", path, strerror(f->error));
        assert_string_equal(err.message, wanted);
        assert_int_equal(err.status, VAE_E_WRITE);
        assert_log(f->name, f->log);
        assert_file(f->name, path, "old");
        assert_int_equal(scratch_entries(), 1);
    }
}

/* Which would be tried for ever. */
static void test_a_write_of_nothing(void **state)
{
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    vae_error err = {0};
    (void)state;
    put_file(in_scratch(path, "out"), "old", 3);
    calls.nothing = true;
    assert_int_equal(write_logged(path, "new text", 8, &err), VAE_E_WRITE);
    snprintf(wanted, sizeof wanted, "%s: cannot write: %s", path, strerror(EIO));
    assert_string_equal(err.message, wanted);
    assert_log("a write of nothing", BEGINNING "write file 8\n" UNDO);
    assert_file("a write of nothing", path, "old");
    assert_int_equal(scratch_entries(), 1);
}

/* The file is whole and has its name by then, but who knows whether it keeps that. Some file systems cannot sync a
 * folder, and one that cannot be read may still be written into. */
static void test_a_folder_that_cannot_be_synced(void **state)
{
    static const struct {
        enum call failing;
        int error;
        vae_status status;
    } cases[] = {{FSYNC_FOLDER, EINVAL, VAE_OK},   {FSYNC_FOLDER, ENOTSUP, VAE_OK},
                 {FSYNC_FOLDER, EIO, VAE_E_WRITE}, {FSYNC_FOLDER, ENOSPC, VAE_E_WRITE},
                 {OPEN_FOLDER, EACCES, VAE_OK},    {OPEN_FOLDER, EMFILE, VAE_E_WRITE}};
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vae_error err = {0};
        calls.failing = cases[i].failing, calls.error = cases[i].error;
        assert_int_equal(write_logged(path, i % 2 ? "one" : "two", 3, &err), cases[i].status);
        snprintf(wanted, sizeof wanted, "%s/: cannot sync folder: %s", scratch, strerror(cases[i].error));
        assert_string_equal(err.message, cases[i].status ? wanted : "");
        assert_log("a folder", cases[i].failing == OPEN_FOLDER ? BEGINNING "write file 3\n" END
                                                                           "open / cloexec folder\n"
                                                               : BEGINNING "write file 3\n" END FOLDER);
        assert_file("a folder", path, i % 2 ? "one" : "two");
        assert_int_equal(scratch_entries(), 1);
    }
}

/* Without a standard input the file itself may be number 0. */
static void test_descriptor_zero(void **state)
{
    char path[PATH_MOST];
    const int before = dup(0);
    vae_status status[2];
    (void)state;
    in_scratch(path, "out");
    close(0);
    status[0] = write_logged(path, "one", 3, NULL);
    const bool in_order = strstr(calls.log, "close file\nrename") && strstr(calls.log, "close lock\n") &&
                          strstr(calls.log, "fsync folder\nclose folder\n");
    calls.failing = FSYNC, calls.error = EIO;
    status[1] = write_logged(path, "two", 3, NULL);
    if (before >= 0) assert_true(dup2(before, 0) == 0 && close(before) == 0);
    assert_true(in_order);
    assert_int_equal(status[0], VAE_OK);
    assert_int_equal(status[1], VAE_E_WRITE);
    assert_file("descriptor 0", path, "one");
    assert_int_equal(scratch_entries(), 1);
}

/* ---- What is there before --------------------------------------------------------------------------------------- */

static void test_leftover_of_a_killed_process(void **state)
{
    char path[PATH_MOST], left[PATH_MOST], other[PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    put_file(in_scratch(left, "out" VAE_TEMPORARY), "half", 4);
    assert_int_equal(vae_write_file(path, "new", 3, NULL), VAE_OK);
    assert_file("a leftover", path, "new");
    put_file(in_scratch(other, "other"), "mine", 4);
    assert_int_equal(symlink(other, left), 0); /* nor is it followed elsewhere */
    assert_int_equal(vae_write_file(path, "newer", 5, NULL), VAE_OK);
    assert_file("a leftover link", path, "newer");
    assert_file("what it points at", other, "mine");
    assert_int_equal(scratch_entries(), 2);
}

/* As long as it holds the lock, the file has its name. */
static void test_a_process_that_writes_the_same_file(void **state)
{
    char path[PATH_MOST], left[PATH_MOST];
    int status;
    (void)state;
    put_file(in_scratch(left, "out" VAE_TEMPORARY), "theirs", 6);
    in_scratch(path, "out");
    const int fd = open(left, O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0 && __real_flock(fd, LOCK_EX) == 0);
    const pid_t child = fork();
    if (child == 0) {
        close(fd); /* the lock is the parent's as well */
        _exit(vae_write_file(path, "ours", 4, NULL) ? 1 : 0);
    }
    assert_true(child > 0);
    usleep(50000);
    assert_int_equal(waitpid(child, &status, WNOHANG), 0);
    assert_int_equal(rename(left, path), 0);
    assert_file("another process", path, "theirs");
    close(fd);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_file("after it", path, "ours");
    assert_int_equal(scratch_entries(), 1);
}

static void test_a_file_that_is_taken_for_a_leftover(void **state)
{
    char path[PATH_MOST];
    (void)state;
    in_scratch(path, "out");
    calls.stolen = true;
    assert_int_equal(write_logged(path, "new text", 8, NULL), VAE_OK);
    assert_log("a file that went", OPENING "lock file\nclose file\n" BEGINNING "write file 8\n" END FOLDER);
    assert_file("a file that went", path, "new text");
}

/* A temporary file may be anyone's where files have no locks. */
static void test_a_file_system_without_locks(void **state)
{
    char path[PATH_MOST], left[PATH_MOST];
    vae_error err = {0};
    (void)state;
    in_scratch(path, "out");
    calls.failing = LOCK, calls.error = ENOSYS;
    assert_int_equal(write_logged(path, "one", 3, NULL), VAE_OK);
    assert_file("no locks", path, "one");
    put_file(in_scratch(left, "out" VAE_TEMPORARY), "theirs", 6);
    calls.failing = LOCK, calls.error = ENOSYS;
    assert_int_equal(write_logged(path, "two", 3, &err), VAE_E_WRITE);
    assert_non_null(strstr(err.message, ": cannot write: Function not implemented"));
    assert_file("no locks", path, "one");
    assert_file("no locks", left, "theirs");
}

static void test_names_as_long_as_they_may_be(void **state)
{
    static const size_t lengths[] = {222, 223, 224, 232, 254, 255};
    char path[PATH_MOST], name[256];
    vae_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        memset(name, 'x', sizeof name);
        name[lengths[i]] = '\0';
        assert_int_equal(vae_write_file(in_scratch(path, name), "new", 3, &err), VAE_OK);
        assert_file("a long name", path, "new");
        assert_int_equal(vae_write_file(path, "newer", 5, &err), VAE_OK);
        assert_file("a long name again", path, "newer");
        assert_int_equal(scratch_entries(), i + 1);
    }
    strcat(path, "x");
    assert_int_equal(vae_write_file(path, "new", 3, &err), VAE_E_WRITE);
    assert_non_null(strstr(err.message, ": cannot write: File name too long"));
    assert_int_equal(scratch_entries(), sizeof lengths / sizeof *lengths);
}

static void assert_refused(const char *path, const char *reason)
{
    char wanted[2 * PATH_MOST];
    vae_error err = {0};
    if (write_logged(path, "new", 3, &err) != VAE_E_WRITE) fail_msg("%s: not refused", path);
    snprintf(wanted, sizeof wanted, "%s: cannot write: %s", path, reason);
    assert_string_equal(err.message, wanted);
}

static void test_only_files_are_replaced(void **state)
{
    char path[PATH_MOST], pipe[PATH_MOST], to_pipe[PATH_MOST], to_file[PATH_MOST], folder[PATH_MOST];
    struct stat info;
    (void)state;
    put_file(in_scratch(path, "file"), "old", 3);
    assert_int_equal(mkfifo(in_scratch(pipe, "pipe"), 0600), 0);
    assert_int_equal(mkdir(in_scratch(folder, "folder"), 0700), 0);
    assert_int_equal(symlink(pipe, in_scratch(to_pipe, "to-pipe")), 0);
    assert_int_equal(symlink(path, in_scratch(to_file, "to-file")), 0);
    assert_refused(pipe, "not a regular file");
    assert_log("a pipe", "");
    assert_refused(to_pipe, "not a regular file");
    assert_refused("/dev/null", "not a regular file");
    assert_refused(folder, "Is a directory");
    assert_int_equal(vae_write_file(to_file, "new", 3, NULL), VAE_OK);
    assert_file("a link to a file", to_file, "new");
    assert_file("the file that it pointed at", path, "old");
    assert_true(!lstat(to_file, &info) && S_ISREG(info.st_mode));
    assert_int_equal(scratch_entries(), 5);
}

/* /dev/stdout is a link, here to a file. */
static void test_standard_output_is_not_replaced(void **state)
{
    char path[PATH_MOST];
    struct stat info;
    (void)state;
    if (lstat("/dev/stdout", &info) || !S_ISLNK(info.st_mode)) skip();
    put_file(in_scratch(path, "file"), "old", 3);
    fflush(stdout);
    const int before = dup(1), file = open(path, O_RDWR | O_CLOEXEC);
    assert_true(before >= 0 && file >= 0);
    assert_int_equal(dup2(file, 1), 1);
    vae_error err = {0};
    const vae_status status = write_logged("/dev/stdout", "new", 3, &err);
    assert_int_equal(dup2(before, 1), 1);
    close(before);
    close(file);
    assert_int_equal(status, VAE_E_WRITE);
    assert_string_equal(err.message, "/dev/stdout: cannot write: not a regular file");
    assert_file("standard output", path, "old");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_order_of_calls),
        TEST(test_folder_of_a_bare_name),
        TEST(test_writes_go_on),
        TEST(test_interrupted_calls_are_made_again),
        TEST(test_failures_leave_the_old_file),
        TEST(test_a_write_of_nothing),
        TEST(test_a_folder_that_cannot_be_synced),
        TEST(test_descriptor_zero),
        TEST(test_leftover_of_a_killed_process),
        TEST(test_a_process_that_writes_the_same_file),
        TEST(test_a_file_that_is_taken_for_a_leftover),
        TEST(test_a_file_system_without_locks),
        TEST(test_names_as_long_as_they_may_be),
        TEST(test_only_files_are_replaced),
        TEST(test_standard_output_is_not_replaced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
