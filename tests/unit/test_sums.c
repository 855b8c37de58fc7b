/* SPDX-License-Identifier: MIT
 *
 * Losses of images of many pixels, in the single precision that users get: what single precision loses in a sum must
 * not grow with the number of its terms.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

#include "likelihood/likelihood.h"

enum { FEW = 1024, TIMES = 4096, MANY = FEW * TIMES };

static real out[2 * MANY], x[MANY], grad[2 * MANY];

static double loss(const struct likelihood_ops *ops, const struct likelihood_state *state, const real *value, size_t D)
{
    const struct learned learned = {.value = value};
    return ops->nll(state, D, out, x, R(1), grad, &learned);
}

/* All pixels are the same: the loss of many is that of few, so many times. */
static void check(const char *name, const double *param)
{
    const struct likelihood_ops *ops = likelihood_find(name);
    struct likelihood_state *state = calloc(1, ops->state_size);
    const real log_sigma = R(-2);
    assert_non_null(state);
    ops->init(state, param);
    for (size_t i = 0; i < 2 * MANY; i++) out[i] = R(0.3);
    for (size_t i = 0; i < MANY; i++) x[i] = R(0.7);
    const double few = loss(ops, state, &log_sigma, FEW), many = loss(ops, state, &log_sigma, MANY);
    assert_near(many / (few * TIMES), 1, 1e-9, "%s", name);
    for (size_t i = 0; i < MANY; i++) assert_true(grad[i] == grad[0]);
    free(state);
}

static void losses_of_many_pixels(void **unused)
{
    (void)unused;
    check("bernoulli", (const double[VAE_MAX_PARAMS]){0});
    check("cbernoulli", (const double[VAE_MAX_PARAMS]){0});
    check("gaussian", (const double[VAE_MAX_PARAMS]){0.1, 0.1}); /* a fixed sigma */
    check("gaussian", (const double[VAE_MAX_PARAMS]){VAE_OR_WORD(0), 0.1});
    check("gaussian", (const double[VAE_MAX_PARAMS]){VAE_OR_WORD(1), 0.1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(losses_of_many_pixels)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
