/* SPDX-License-Identifier: MIT
 *
 * All built-in factorised priors pass the checks that plug-ins are held to, in the precision that they are used in.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

struct seen {
    const char *prior;
    size_t all, exact;
};

static void must_pass(void *context, const vae_check *check)
{
    struct seen *seen = context;
    seen->all++;
    seen->exact += strstr(check->what, "exact KL") != NULL;
    if (!check->passed || !(check->figure <= check->bound))
        fail_msg("%s: %s: %g, at most %g, at %s", seen->prior, check->what, check->figure, check->bound, check->where);
}

/* Its checks, and how many of them are of an exact KL. */
static struct seen check_prior(const char *choice)
{
    struct seen seen = {.prior = choice};
    vae_error err = {0};
    if (vae_module_check(VAE_PRIOR, choice, must_pass, &seen, &err)) fail_msg("%s: %s", choice, err.message);
    return seen;
}

static void test_built_in_priors(void **state)
{
    size_t exact = 0;
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        if (prior_at(i)->joint) continue;
        const struct seen seen = check_prior(prior_at(i)->module.name);
        const bool has_exact = prior_exact_kl(prior_at(i), "gaussian", NULL) != NULL;
        assert_int_equal(seen.exact, has_exact ? 3 : 0);
        assert_int_equal(seen.all, 10 + seen.exact + prior_at(i)->heavy_tailed);
        exact += has_exact;
    }
    assert_true(exact >= 5); /* else too little is checked */
}

/* Where one mistake would hide behind another value of the other parameter, and where terms of slopes cancel. */
static void test_extreme_parameters(void **state)
{
    static const char *const extreme[] = {"spikeslab:p=0.5,c2=0.05",   "spikeslab:p=0.8,c2=0.01",
                                          "spikeslab:p=0.8,c2=0.0025", "spikeslab:p=0.95,c2=0.0025",
                                          "spikeslab:p=0.999,c2=0.01", "spikeslab:p=1e-6,c2=0.05",
                                          "spikeslab:p=0.8,c2=0.999",  "spikeslab:p=0.999999,c2=0.000001",
                                          "studentt:nu=100",           "studentt:nu=1000"};
    (void)state;
    for (size_t i = 0; i < sizeof extreme / sizeof *extreme; i++) check_prior(extreme[i]);
}

static void test_no_such_prior(void **state)
{
    vae_error err;
    (void)state;
    assert_int_equal(vae_module_check(VAE_PRIOR, "laplac", must_pass, NULL, &err), VAE_E_USAGE);
    assert_non_null(strstr(err.message, "unknown prior 'laplac' (did you mean 'laplace'?"));
    assert_int_equal(vae_module_check(VAE_PRIOR, "laplace:scale=0", must_pass, NULL, &err), VAE_E_USAGE);
    assert_int_equal(vae_module_check(VAE_PRIOR, "lars:base=lars", must_pass, NULL, &err), VAE_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_built_in_priors),
        cmocka_unit_test(test_extreme_parameters),
        cmocka_unit_test(test_no_such_prior),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
