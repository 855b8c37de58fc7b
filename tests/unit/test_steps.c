/* SPDX-License-Identifier: MIT
 *
 * A training step allocates nothing. This program's malloc and relatives take the place of the C library's for
 * everybody, shared libraries included, and count. (Checkers bring allocators of their own; there the test is skipped.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vae.h"

static atomic_long allocations;

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

void *memalign(size_t alignment, size_t size);

static void *counted(void *memory)
{
    allocations++;
    return memory;
}

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void *realloc(void *memory, size_t size) { return counted(__libc_realloc(memory, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
#endif

static bool counting(void)
{
    const long before = allocations;
    void *volatile memory = malloc(100);
    free(memory);
    return allocations > before;
}

struct watch {
    long at_step_two;
    uint64_t steps;
    bool grown;
};

/* The first step of an epoch may fill pools of the libraries. */
static bool on_step(void *context, const vae_progress *progress)
{
    struct watch *watch = context;
    watch->steps++;
    if (progress->done == 64)
        watch->at_step_two = allocations;
    else if (progress->done > 64)
        watch->grown = watch->grown || allocations != watch->at_step_two;
    return false;
}

/* Settings besides batch and epochs. */
static void train(const char *const *settings)
{
    vae_config config;
    vae_data *data = NULL;
    vae_model *model = NULL;
    vae_error err = {0};
    struct watch watch = {0};
    const vae_train_hooks hooks = {.context = &watch, .on_step = on_step};
    vae_config_defaults(&config);
    config.batch = 32;
    config.epochs = 2;
    for (; *settings; settings += 2)
        if (vae_config_set(&config, settings[0], settings[1], &err)) fail_msg("%s", err.message);
    assert_int_equal(vae_data_open(&data, "builtin:digits:train=330,test=10", 0, 0, 1, &err), VAE_OK);
    assert_int_equal(vae_model_new(&model, &config, 28, 28, &err), VAE_OK);
    assert_int_equal(vae_train(model, data, 2, &hooks, NULL, &err), VAE_OK);
    assert_int_equal(watch.steps, 2 * 11);
    assert_false(watch.grown);
    vae_model_free(&model);
    vae_data_free(&data);
}

static void steps_allocate_nothing(void **state)
{
    (void)state;
    if (!counting()) skip();
    train((const char *const[]){"prior", "spikeslab", "free-bits", "0.01", NULL});
    train((const char *const[]){"samples", "3", "likelihood", "gaussian", NULL});
    train((const char *const[]){"samples", "3", "objective", "iwae", "gradient", "dreg", "activation", "gated", NULL});
    train((const char *const[]){"conditional", "10", "samples", "2", NULL});
    train((const char *const[]){"samples", "2", "objective", "iwae", "likelihood", "gaussian:sigma=learned", NULL});
    train((const char *const[]){"prior", "vampprior:components=9", "hidden", "16", NULL});
    train((const char *const[]){"prior", "lars:width=4,draws=64", "hidden", "16", "latent", "2", "clip", "1", NULL});
    train((const char *const[]){"samples", "3", "posterior", "iaf:width=50", NULL});
    train((const char *const[]){"binarize", "dynamic", "clip", "1", "prior", "cauchy", "kl", "exact", NULL});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(steps_allocate_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
