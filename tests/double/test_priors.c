/* SPDX-License-Identifier: MIT
 *
 * Every prior at every parameter set: its density is one, its closed-form KL is the integral it claims to be, and it
 * passes the checks of vae_module_check.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "check.h"

static void integrates_to_one(const struct prior_case *c)
{
    /* sinh 40 = 1e17: what Cauchy has beyond is 1e-17. Zero, where a kink may be, is the end of a panel. */
    const double mass = integrate(density_sinh, c, -40, 0, 800) + integrate(density_sinh, c, 0, 40, 800);
    assert_near(mass, 1, 1e-11, "mass of %s", c->label);
}

static void is_finite_far_out(const struct prior_case *c)
{
    static const double at[] = {0, 1e-6, 50, 1e3};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double grad, logp = prior_logp(c, sign * at[i], &grad);
            if (!isfinite(logp) || !isfinite(grad)) fail_msg("%s at %g: %g, %g", c->label, sign * at[i], logp, grad);
            assert_near(logp, prior_logp(c, -sign * at[i], NULL), 1e-14, "symmetry of %s at %g", c->label, at[i]);
        }
}

/* Exact KLs and their slopes over a grid of posteriors from very narrow to wider than any prior, against quadrature and
 * its central differences. */
static void exact_kl_is_right(const struct prior_case *c)
{
    const bool closed = !strcmp(c->choice.name, "normal") || !strcmp(c->choice.name, "laplace");
    const double bound = closed ? 1e-10 : 2e-6, slopes = closed ? 1e-6 : 1e-5;
    if (!kl_to_gaussian(c->ops)) return;
    for (double mu = -4; mu <= 4; mu += 0.5)
        for (double sigma = 0.005; sigma < 2.2; sigma *= 1.5) {
            const double b = 2 * log(sigma);
            const real a_in = R(mu), b_in = R(b);
            real kl, dmu, dlogvar;
            kl_to_gaussian(c->ops)(c->state, 1, &a_in, &b_in, &kl, &dmu, &dlogvar);
            assert_near((double)kl, gaussian_kl(c, mu, b), bound, "KL(N(%g, %g^2) || %s)", mu, sigma, c->label);
            assert_near((double)dmu, gaussian_kl_dmu(c, mu, b), slopes, "dKL/dmu of %s at %g, %g", c->label, mu, sigma);
            assert_near((double)dlogvar, gaussian_kl_dlogvar(c, mu, b), slopes, "dKL/dlogvar of %s at %g, %g", c->label,
                        mu, sigma);
        }
}

static void exact_kl_of_spikes_is_right(void)
{
    static const double spikes[][2] = {{0.5, 0.05},   {0.8, 0.01},  {0.8, 0.0025}, {0.95, 0.0025},
                                       {0.999, 0.01}, {1e-6, 0.05}, {0.8, 1},      {0.8, 0.999}};
    for (size_t i = 0; i < sizeof spikes / sizeof *spikes; i++) {
        struct prior_case c;
        prior_case_set(&c, &prior_spikeslab, &(vae_choice){"spikeslab", {spikes[i][0], spikes[i][1]}});
        exact_kl_is_right(&c);
        free(c.state);
    }
}

static void is_finite_at_the_ends_of_its_ranges(const struct prior_ops *ops)
{
    vae_choice choice;
    for (size_t k = 0; ops->module.params && ops->module.params[k].name; k++)
        for (int end = 0; end < 2; end++) {
            struct prior_case c;
            module_case(&ops->module, 0, &choice);
            choice.value[k] = end ? ops->module.params[k].max : ops->module.params[k].min;
            prior_case_set(&c, ops, &choice);
            is_finite_far_out(&c);
            free(c.state);
        }
}

static void test_density(void **state)
{
    (void)state;
    for_each_prior(integrates_to_one);
}

static void test_finite(void **state)
{
    (void)state;
    for_each_prior(is_finite_far_out);
    for (size_t i = 0; prior_at(i); i++)
        if (!prior_at(i)->joint) is_finite_at_the_ends_of_its_ranges(prior_at(i));
}

static void test_exact_kl(void **state)
{
    (void)state;
    size_t exact = 0;
    for (size_t i = 0; prior_at(i); i++) exact += kl_to_gaussian(prior_at(i)) != NULL;
    assert_true(exact >= 4); /* else too little is checked */
    for_each_prior(exact_kl_is_right);
    exact_kl_of_spikes_is_right();
}

static void must_pass(void *context, const vae_check *check)
{
    (void)context;
    if (!check->passed) fail_msg("%s: %g, at most %g, at %s", check->what, check->figure, check->bound, check->where);
}

/* What plug-ins are held to, with bounds that only double precision can keep: gradients and known answers above all. */
static void test_checks(void **state)
{
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        if (prior_at(i)->joint) continue;
        assert_non_null(prior_at(i)->known);
        assert_int_equal(vae_module_check(VAE_PRIOR, prior_at(i)->module.name, must_pass, NULL, NULL), VAE_OK);
    }
}

/* The ends of the coin's range are the two parts by themselves. */
static void test_spike_alone_and_slab_alone(void **state)
{
    static const double at[] = {0, 0.1, -0.5, 2, 30};
    (void)state;
    for (size_t i = 0; i < 5; i++)
        for (int p = 0; p < 2; p++) {
            const double c2 = 0.05, var = p ? c2 : 1, z = at[i];
            struct prior_case c;
            prior_case_set(&c, &prior_spikeslab, &(vae_choice){"spikeslab", {p, c2}});
            double grad, logp = prior_logp(&c, z, &grad);
            assert_near(logp, -0.5 * z * z / var - 0.5 * log(6.28318530717958647693 * var), 1e-14, "p = %d, z = %g", p,
                        z);
            assert_near(grad, -z / var, 1e-14, "gradient, p = %d, z = %g", p, z);
            free(c.state);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_density),
        cmocka_unit_test(test_finite),
        cmocka_unit_test(test_exact_kl),
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_spike_alone_and_slab_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
