/* SPDX-License-Identifier: MIT
 *
 * The pool: every task once, in any number of rounds, whatever the number of threads. */
#include <stdatomic.h>
#include <time.h>

#include "base/pool.h"
#include "check.h"

enum { MOST = 1000 };

struct job {
    atomic_uint runs[MOST];
    uint64_t result[MOST];
    uint64_t salt;
};

static void run_task(void *context, size_t task)
{
    struct job *job = context;
    atomic_fetch_add_explicit(&job->runs[task], 1, memory_order_relaxed);
    job->result[task] = (task + job->salt) * 0x9e3779b97f4a7c15u; /* plain memory: the pool must make it visible */
}

/* One round, after which every task below n has run once and no other. */
static void run_round(struct pool *pool, struct job *job, size_t n, uint64_t salt)
{
    job->salt = salt;
    pool_run(pool, "test", n, run_task, job);
    for (size_t i = 0; i < n; i++) {
        if (atomic_exchange_explicit(&job->runs[i], 0, memory_order_relaxed) != 1)
            fail_msg("task %zu of %zu in round %llu did not run once", i, n, (unsigned long long)salt);
        assert_true(job->result[i] == (i + salt) * 0x9e3779b97f4a7c15u);
    }
    if (n < MOST) assert_int_equal(atomic_load_explicit(&job->runs[n], memory_order_relaxed), 0);
}

static const size_t threads[] = {1, 2, 3, 8};

static void test_every_task_once(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 7, MOST};
    static struct job job;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        struct pool *pool;
        assert_int_equal(pool_new(&pool, threads[t], NULL), VAE_OK);
        for (uint64_t round = 0; round < 200; round++) run_round(pool, &job, sizes[round % 5], round);
        pool_free(pool);
    }
}

/* Rounds that follow each other at once: a worker that is late for one must not take tasks of the next. With more
 * threads than cores workers sleep between rounds, which is another path and a slower one. */
static void test_many_rounds(void **state)
{
    static const uint64_t rounds[] = {20000, 20000, 3000, 1000};
    static struct job job;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        struct pool *pool;
        assert_int_equal(pool_new(&pool, threads[t], NULL), VAE_OK);
        for (uint64_t round = 0; round < rounds[t]; round++) run_round(pool, &job, 2 + round % 9, round);
        pool_free(pool);
    }
}

/* Long enough for the workers to fall from spinning into sleep. */
static void test_reuse_after_idle(void **state)
{
    static struct job job;
    struct pool *pool;
    (void)state;
    assert_int_equal(pool_new(&pool, 2, NULL), VAE_OK);
    for (uint64_t round = 0; round < 10; round++) {
        nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
        run_round(pool, &job, 50, round);
    }
    pool_free(pool);
}

/* A task that takes long, so that the caller runs out of tasks and must wait for it. */
static void run_slowly(void *context, size_t task)
{
    if (task == 1) nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
    run_task(context, task);
}

static void test_waits_for_the_slowest(void **state)
{
    static struct job job;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        struct pool *pool;
        assert_int_equal(pool_new(&pool, threads[t], NULL), VAE_OK);
        for (unsigned round = 0; round < 5; round++) {
            pool_run(pool, "test", 4, run_slowly, &job);
            for (size_t i = 0; i < 4; i++) assert_int_equal(atomic_exchange(&job.runs[i], 0), 1);
        }
        pool_free(pool);
    }
}

/* What a task computes depends on its number, so any number of threads gives the same results. */
static void test_results_do_not_depend_on_threads(void **state)
{
    static struct job one, more;
    (void)state;
    for (size_t t = 0; t < 4; t++) {
        struct pool *pool;
        assert_int_equal(pool_new(&pool, threads[t], NULL), VAE_OK);
        run_round(pool, t ? &more : &one, MOST, 12345);
        pool_free(pool);
        if (t) assert_memory_equal(one.result, more.result, sizeof one.result);
        memset(more.result, 0, sizeof more.result);
    }
}

/* Two pools at work in turn, and pools that never worked. */
static void test_life(void **state)
{
    static struct job job;
    struct pool *all, *two;
    (void)state;
    pool_free(NULL);
    assert_int_equal(pool_new(&all, 0, NULL), VAE_OK);
    assert_int_equal(pool_new(&two, 2, NULL), VAE_OK);
    for (uint64_t round = 0; round < 100; round++) run_round(round % 2 ? all : two, &job, 10, round);
    pool_free(all);
    pool_free(two);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pool_new(&two, 3, NULL), VAE_OK);
        pool_free(two);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_task_once),
        cmocka_unit_test(test_many_rounds),
        cmocka_unit_test(test_reuse_after_idle),
        cmocka_unit_test(test_waits_for_the_slowest),
        cmocka_unit_test(test_results_do_not_depend_on_threads),
        cmocka_unit_test(test_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
