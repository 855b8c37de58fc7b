/* SPDX-License-Identifier: MIT
 *
 * A pool of threads that runs numbered tasks. What a task computes must depend on its number alone; who runs it, and
 * when, is open. Hence results cannot depend on the number of threads. */
#ifndef VAE_POOL_H
#define VAE_POOL_H

#include <stddef.h>

#include "vae.h"

struct pool;
typedef void pool_task(void *context, size_t task);

/* `threads` counts the calling thread; 0: all cores that this process may use. Sets OpenBLAS to one thread for the rest
 * of the process: each product then runs on the thread that asked for it. (Setting it back would change the products of
 * another pool that is still at work.) With a serial build of OpenBLAS there is one thread whatever is asked for: its
 * work buffers have no locks, and two threads in it at once get wrong products. */
vae_status pool_new(struct pool **out, size_t threads, vae_error *err);
void pool_free(struct pool *pool);

/* Runs tasks 0 .. n-1 and returns when all are done. `phase` names them in a profile. */
void pool_run(struct pool *pool, const char *phase, size_t n, pool_task *run, void *context);

/* From here on the calling thread asks `stop` between its tasks, until called with NULL. When it says yes, tasks that
 * have not begun are left out, and so are all of later calls: what they would have computed is not there. */
void pool_watch(struct pool *pool, bool (*stop)(void *context), void *context);
bool pool_stopped(const struct pool *pool);

/* Where the time goes: for each phase the wall time of its rounds and the time that threads spent in its tasks, in
 * seconds. Waiting time = threads * wall - busy. */
struct profile {
    size_t n;
    struct {
        const char *phase;
        double wall, busy;
    } entry[VAE_BENCH_PHASES];
};
/* Until called with NULL, rounds are timed and added to `profile`. */
void pool_profile(struct pool *pool, struct profile *profile);
size_t pool_threads(const struct pool *pool);

#endif
