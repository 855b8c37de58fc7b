/* SPDX-License-Identifier: MIT
 *
 * Preloaded into a program (LD_PRELOAD), it makes allocations fail: the k-th one after main began, or all from the k-th
 * on. The program becomes a server that has been loaded and started once, and runs main in a copy of itself for each
 * line on its stdin:
 *
 *     K FROM_THEN_ON FOLDER
 *
 * K 0: none fails. The copy works in FOLDER, with FOLDER.out and FOLDER.err for stdout and stderr; a line on stdout
 * answers with its wait status and the number of allocations that it asked for. With VAE_ALLOCATION=K in the
 * environment the K-th allocation of the process fails, loading included, and there is no server. Clocks stand still,
 * so that what is written depends on the command alone, or, with VAE_CLOCK_STEP, go on by so many nanoseconds whenever
 * they are read. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS = 20 }; /* after which a copy hangs */

/* ---- The allocator ---------------------------------------------------------------------------------------------- */

static atomic_long fallback, *asked = &fallback; /* the server's copies count where it sees it */
static long failing;
static bool from_then_on;

static uintptr_t blas_begin, blas_end;

static int find_blas(struct dl_phdr_info *library, size_t size, void *context)
{
    (void)size, (void)context;
    if (!strstr(library->dlpi_name, "libopenblas")) return 0;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &library->dlpi_phdr[i];
        if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
        blas_begin = library->dlpi_addr + part->p_vaddr;
        blas_end = blas_begin + part->p_memsz;
    }
    return 1;
}

/* Those of OpenBLAS itself are left alone: kernels for AVX-512 processors ask for some kilobytes in a product, and
 * write to them whether they got them or not (docs/reliability.md). */
#define FAILS() fails((uintptr_t)__builtin_return_address(0))

static bool fails(uintptr_t caller)
{
    if (caller >= blas_begin && caller < blas_end) return false;
    const long k = atomic_fetch_add(asked, 1) + 1;
    if (!failing || !(k == failing || (k > failing && from_then_on))) return false;
    errno = ENOMEM;
    return true;
}

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) { return FAILS() ? NULL : __libc_malloc(size); }
void *calloc(size_t count, size_t size) { return FAILS() ? NULL : __libc_calloc(count, size); }
void *realloc(void *memory, size_t size) { return FAILS() ? NULL : __libc_realloc(memory, size); }
void *aligned_alloc(size_t alignment, size_t size) { return FAILS() ? NULL : __libc_memalign(alignment, size); }
void *memalign(size_t alignment, size_t size) { return FAILS() ? NULL : __libc_memalign(alignment, size); }

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    void *made = FAILS() ? NULL : __libc_memalign(alignment, size);
    if (made) *memory = made;
    return made ? 0 : ENOMEM;
}

/* ---- Clocks ----------------------------------------------------------------------------------------------------- */

static atomic_llong now = 1700000000000000000LL;
static long long clock_step;

int clock_gettime(clockid_t clock, struct timespec *time)
{
    (void)clock;
    const long long t = atomic_fetch_add(&now, clock_step);
    *time = (struct timespec){.tv_sec = t / 1000000000, .tv_nsec = t % 1000000000};
    return 0;
}

time_t time(time_t *at)
{
    const time_t t = atomic_load(&now) / 1000000000;
    if (at) *at = t;
    return t;
}

/* ---- The server ------------------------------------------------------------------------------------------------- */

static int (*real_main)(int, char **, char **);

static void become(const char *path, const char *suffix, int flags, int fd)
{
    char name[4096];
    snprintf(name, sizeof name, "%s%s", path, suffix);
    const int file = open(name, flags, 0644);
    if (file < 0 || dup2(file, fd) < 0) _exit(125);
    close(file);
}

static int run(int argc, char **argv, char **environment, const char *folder, long k, bool on)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    become("/dev/null", "", O_RDONLY, 0);
    become(folder, ".out", O_WRONLY | O_CREAT | O_TRUNC, 1);
    become(folder, ".err", O_WRONLY | O_CREAT | O_TRUNC, 2);
    if (chdir(folder)) _exit(125);
    alarm(SECONDS);
    atomic_store(asked, 0);
    from_then_on = on;
    failing = k;
    return real_main(argc, argv, environment);
}

static int serve(int argc, char **argv, char **environment)
{
    char line[4096], folder[4096], answer[64];
    size_t n = 0;
    asked = mmap(NULL, sizeof *asked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    unsetenv("VAE_FAULTS");
    for (char c; read(0, &c, 1) == 1;) {
        if (c != '\n') {
            line[n++] = c;
            continue;
        }
        long k;
        int on, status = 0;
        line[n] = '\0', n = 0;
        if (sscanf(line, "%ld %d %4000s", &k, &on, folder) != 3) return 125;
        const pid_t copy = fork();
        if (copy < 0) return 125;
        if (!copy) return run(argc, argv, environment, folder, k, on);
        waitpid(copy, &status, 0);
        const int length = snprintf(answer, sizeof answer, "%d %ld\n", status, atomic_load(asked));
        if (write(1, answer, (size_t)length) != length) return 125;
    }
    return 0;
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void), void (*fini)(void),
                      void (*rtld_fini)(void), void *stack_end)
{
    int (*start)(int (*)(int, char **, char **), int, char **, void (*)(void), void (*)(void), void (*)(void), void *);
    *(void **)&start = dlsym(RTLD_NEXT, "__libc_start_main");
    real_main = main;
    return start(getenv("VAE_FAULTS") ? serve : main, argc, argv, init, fini, rtld_fini, stack_end);
}

__attribute__((constructor)) static void begin(void)
{
    const char *k = getenv("VAE_ALLOCATION"), *step = getenv("VAE_CLOCK_STEP");
    clock_step = step ? atoll(step) : 0;
    dl_iterate_phdr(find_blas, NULL);
    failing = k ? atol(k) : 0;
}
