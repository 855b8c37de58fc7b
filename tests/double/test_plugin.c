/* SPDX-License-Identifier: MIT
 *
 * A plug-in has floats; in double precision it is called for blocks of them. What comes out is as accurate as a float,
 * at any number of scalars.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "check.h"
#include "plugins.h"

enum { N = 600, SD = 2 }; /* two whole blocks and a part of one */

static void set_up(struct prior_case *c)
{
    char path[PATH_MOST];
    vae_error err = {0};
    if (vae_prior_load(plugin_path(path, "good"), NULL, &err)) fail_msg("%s", err.message);
    prior_case_set(c, prior_find("good"), &(vae_choice){"good", {SD}});
}

static void test_log_prob(void **state)
{
    static real z[N], logp[N], slope[N];
    struct prior_case c;
    (void)state;
    set_up(&c);
    for (size_t i = 0; i < N; i++) z[i] = R(test_uniform(i, -9, 9));
    c.ops->log_prob(c.state, N, z, logp, slope);
    for (size_t i = 0; i < N; i++) {
        assert_near(logp[i], -z[i] * z[i] / (2 * SD * SD) - log(SD) - 0.91893853320467274178, 1e-6, "log p %zu", i);
        assert_near(slope[i], -z[i] / (SD * SD), 1e-6, "slope %zu", i);
    }
    free(c.state);
}

static void test_sample(void **state)
{
    static uint32_t bits[N][4];
    static real z[N];
    struct prior_case c;
    (void)state;
    set_up(&c);
    rng_words(&(struct rng){.seed = 3, .stream = RNG_PRIOR}, 0, (size_t)N * 4, *bits);
    c.ops->sample(c.state, N, (const uint32_t(*)[4])bits, z);
    for (size_t i = 0; i < N; i++) {
        const double radius = sqrt(-2 * log(rng_uniform(bits[i][0])));
        assert_near(z[i], SD * radius * cos(6.28318530717958647693 * rng_uniform(bits[i][1])), 1e-6, "draw %zu", i);
    }
    free(c.state);
}

static void test_kl(void **state)
{
    static real mean[N], logvar[N], kl[N], dmean[N], dlogvar[N];
    struct prior_case c;
    (void)state;
    set_up(&c);
    for (size_t i = 0; i < N; i++) {
        mean[i] = R(test_uniform(i, -4, 4));
        logvar[i] = R(test_uniform(N + i, -4, 2));
    }
    kl_to_gaussian(c.ops)(c.state, N, mean, logvar, kl, dmean, dlogvar);
    for (size_t i = 0; i < N; i++) {
        const double ratio = exp(logvar[i]) / (SD * SD);
        assert_near(kl[i], 0.5 * (mean[i] * mean[i] / (SD * SD) + ratio - 1 - log(ratio)), 2e-6, "KL %zu", i);
        assert_near(dmean[i], mean[i] / (SD * SD), 1e-6, "by the mean %zu", i);
        assert_near(dlogvar[i], 0.5 * (ratio - 1), 1e-6, "by the log-variance %zu", i);
    }
    free(c.state);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_prob),
        cmocka_unit_test(test_sample),
        cmocka_unit_test(test_kl),
    };
    (void)argc;
    find_program_folder(argv[0]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
