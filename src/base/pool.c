/* SPDX-License-Identifier: MIT
 *
 * One round is: the caller publishes a job and raises `round`; everybody takes tasks from `next` until none is left;
 * each worker counts itself out of `busy`. Waiting is a short spin, because phases of a training step follow each other
 * within microseconds, and then a blocking wait, because somebody else may want the core (an OpenMP runtime that only
 * spins was measured 7 times slower on a loaded machine). */
#define _GNU_SOURCE
#include "base/pool.h"

#include <cblas.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/blas.h"
#include "base/memory.h"

enum { SPINS = 4000, MAX_THREADS = 256 };

struct pool {
    size_t workers; /* threads beside the caller */
    pthread_t *thread;
    int spins;
    size_t registered; /* threads, with OpenBLAS */

    pool_task *run;
    void *context;
    size_t n;
    atomic_size_t next;

    bool (*stop)(void *context); /* asked by the caller of pool_run; NULL: nobody is asked */
    void *stop_context;
    atomic_bool stopped;

    struct profile *profile; /* NULL: no timing */
    atomic_llong busy_time;  /* of the round, in nanoseconds over all threads */

    atomic_uint round;
    atomic_size_t busy;
    atomic_bool quit;
    pthread_mutex_t lock;
    pthread_cond_t started, finished;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Processors are slow with numbers below the smallest normal one, which mean nothing here; but Adam's moments of
 * dead units decay to them and stay, and so do densities far out in a tail. Tasks run with such results taken as zero,
 * on every thread alike. */
#if defined(__x86_64__)
typedef unsigned float_mode;
static float_mode flush_subnormals(void)
{
    const float_mode before = __builtin_ia32_stmxcsr();
    __builtin_ia32_ldmxcsr(before | 0x8040u); /* flush to zero, denormals are zero */
    return before;
}
static void restore_mode(float_mode before) { __builtin_ia32_ldmxcsr(before); }
#elif defined(__aarch64__)
typedef uint64_t float_mode;
static float_mode flush_subnormals(void)
{
    float_mode before;
    __asm__ volatile("mrs %0, fpcr" : "=r"(before));
    __asm__ volatile("msr fpcr, %0" : : "r"(before | (uint64_t)1 << 24));
    return before;
}
static void restore_mode(float_mode before) { __asm__ volatile("msr fpcr, %0" : : "r"(before)); }
#else
typedef int float_mode;
static float_mode flush_subnormals(void) { return 0; }
static void restore_mode(float_mode before) { (void)before; }
#endif

static long long nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* `asks`: is this the thread that may ask whether to stop? */
static void take_tasks(struct pool *pool, bool asks)
{
    const float_mode before = flush_subnormals();
    const long long began = pool->profile ? nanoseconds() : 0;
    while (!atomic_load_explicit(&pool->stopped, memory_order_relaxed)) {
        if (asks && pool->stop && pool->stop(pool->stop_context)) atomic_store(&pool->stopped, true);
        size_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (task >= pool->n) break;
        pool->run(pool->context, task);
    }
    if (pool->profile) atomic_fetch_add(&pool->busy_time, nanoseconds() - began);
    restore_mode(before);
}

static void wait_for_round(struct pool *pool, unsigned seen)
{
    for (int i = 0; i < pool->spins; i++) {
        if (atomic_load(&pool->round) != seen) return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->round) == seen) pthread_cond_wait(&pool->started, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void *work(void *argument)
{
    struct pool *pool = argument;
    openblas_set_num_threads(1); /* OpenMP builds of OpenBLAS keep that number for each thread */
    for (unsigned seen = 0;; seen++) {
        wait_for_round(pool, seen);
        if (atomic_load(&pool->quit)) return NULL;
        take_tasks(pool, false);
        if (atomic_fetch_sub(&pool->busy, 1) == 1) {
            pthread_mutex_lock(&pool->lock);
            pthread_cond_signal(&pool->finished);
            pthread_mutex_unlock(&pool->lock);
        }
    }
}

static void start_round(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->round, 1);
    pthread_cond_broadcast(&pool->started);
    pthread_mutex_unlock(&pool->lock);
}

static void wait_for_workers(struct pool *pool)
{
    for (int i = 0; i < pool->spins; i++) {
        if (atomic_load(&pool->busy) == 0) return;
        relax();
    }
    pthread_mutex_lock(&pool->lock);
    while (atomic_load(&pool->busy) != 0) pthread_cond_wait(&pool->finished, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
}

static void run_round(struct pool *pool)
{
    if (pool->workers == 0 || pool->n < 2) {
        take_tasks(pool, true);
        return;
    }
    atomic_store(&pool->busy, pool->workers);
    start_round(pool);
    take_tasks(pool, true);
    wait_for_workers(pool);
}

static void add_to_profile(struct pool *pool, const char *phase, long long wall)
{
    struct profile *p = pool->profile;
    const double busy = 1e-9 * (double)atomic_exchange(&pool->busy_time, 0);
    size_t i = 0;
    while (i < p->n && strcmp(p->entry[i].phase, phase)) i++;
    if (i == VAE_BENCH_PHASES) return;
    if (i == p->n) p->entry[p->n++].phase = phase;
    p->entry[i].wall += 1e-9 * (double)wall;
    p->entry[i].busy += busy;
}

void pool_run(struct pool *pool, const char *phase, size_t n, pool_task *run, void *context)
{
    pool->run = run;
    pool->context = context;
    pool->n = n;
    atomic_store(&pool->next, 0);
    if (!pool->profile) {
        run_round(pool);
        return;
    }
    const long long began = nanoseconds();
    run_round(pool);
    add_to_profile(pool, phase, nanoseconds() - began);
}

void pool_watch(struct pool *pool, bool (*stop)(void *context), void *context)
{
    pool->stop = stop;
    pool->stop_context = context;
}

bool pool_stopped(const struct pool *pool) { return atomic_load(&pool->stopped); }

void pool_profile(struct pool *pool, struct profile *profile) { pool->profile = profile; }
size_t pool_threads(const struct pool *pool) { return pool->workers + 1; }

static size_t usable_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set)) return 1;
    return (size_t)CPU_COUNT(&set);
}

vae_status pool_new(struct pool **out, size_t threads, vae_error *err)
{
    size_t cores = usable_cores();
    if (threads == 0) threads = cores;
    if (openblas_get_parallel() == OPENBLAS_SEQUENTIAL) threads = 1; /* see pool.h */
    if (threads > MAX_THREADS) threads = MAX_THREADS;
    struct pool *pool = mem_new(1, sizeof *pool, err);
    if (!pool) return VAE_E_MEMORY;
    pool->thread = mem_new(threads, sizeof *pool->thread, err);
    openblas_set_num_threads(1);
    if (!pool->thread || blas_register(threads, err)) {
        free(pool->thread);
        free(pool);
        return VAE_E_MEMORY;
    }
    pool->registered = threads;
    pool->spins = threads <= cores ? SPINS : 0;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->started, NULL);
    pthread_cond_init(&pool->finished, NULL);
    for (; pool->workers + 1 < threads; pool->workers++)
        if (pthread_create(&pool->thread[pool->workers], NULL, work, pool)) {
            vae_fail(err, VAE_E_MEMORY, "cannot start thread %zu of %zu", pool->workers + 2, threads);
            pool_free(pool);
            return VAE_E_MEMORY;
        }
    *out = pool;
    return VAE_OK;
}

void pool_free(struct pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->quit, true);
    start_round(pool);
    for (size_t i = 0; i < pool->workers; i++) pthread_join(pool->thread[i], NULL);
    pthread_cond_destroy(&pool->finished);
    pthread_cond_destroy(&pool->started);
    pthread_mutex_destroy(&pool->lock);
    blas_unregister(pool->registered);
    free(pool->thread);
    free(pool);
}
