/* SPDX-License-Identifier: MIT
 *
 * Every prior at every parameter set: its density is one, its gradient is that of its density, its closed-form KL is
 * the integral it claims to be. */
#include "check.h"

static void integrates_to_one(const struct prior_case *c)
{
    /* sinh 40 = 1e17: what Cauchy has beyond is 1e-17. Zero, where a kink may be, is the end of a panel. */
    const double mass = integrate(density_sinh, c, -40, 0, 800) + integrate(density_sinh, c, 0, 40, 800);
    assert_near(mass, 1, 1e-11, "mass of %s", c->label);
}

static void gradient_is_right(const struct prior_case *c)
{
    static const double at[] = {1e-3, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 50};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        for (int sign = -1; sign <= 1; sign += 2) {
            const double z = sign * at[i], h = 1e-5 * fmax(z * sign, 0.1);
            double grad;
            prior_logp(c, z, &grad);
            const double slope = (prior_logp(c, z + h, NULL) - prior_logp(c, z - h, NULL)) / (2 * h);
            assert_near(grad, slope, 1e-6, "d log p of %s at %g", c->label, z);
        }
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

static void test_gradient(void **state)
{
    (void)state;
    for_each_prior(gradient_is_right);
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

/* Known answers at default parameters, as in the heads of the priors' files. */
static void test_known_answers(void **state)
{
    static const struct {
        const char *name;
        double z, logp, digits;
    } known[] = {{"spikeslab", 0, 0.4101791, 5e-8}, {"spikeslab", 1, -3.0270384, 5e-8},
                 {"laplace", 1, -1.6931472, 5e-8},  {"cauchy", 1, -1.8378771, 5e-8},
                 {"studentt", 0, -1.0008889, 6e-8}, {"studentt", 1, -1.5762530, 6e-8},
                 {"logistic", 0, -1.3862944, 5e-8}, {"logistic", 2, -2.2538560, 5e-8}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct prior_ops *ops = prior_find(known[i].name);
        struct prior_case c;
        vae_choice choice;
        assert_non_null(ops);
        module_case(&ops->module, 0, &choice);
        prior_case_set(&c, ops, &choice);
        assert_near(prior_logp(&c, known[i].z, NULL), known[i].logp, known[i].digits, "log p(%g) of %s", known[i].z,
                    known[i].name);
        free(c.state);
    }
}

static void test_known_kl(void **state)
{
    const struct prior_ops *ops = prior_find("normal");
    const real mu = R(1.3), logvar = R(2 * log(0.4));
    real kl, dmu, dlogvar;
    (void)state;
    assert_non_null(ops);
    kl_to_gaussian(ops)(NULL, 1, &mu, &logvar, &kl, &dmu, &dlogvar);
    assert_near((double)kl, 1.3412907, 5e-8, "KL(N(1.3, 0.4^2) || N(0, 1))");
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
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_finite),
        cmocka_unit_test(test_exact_kl),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_known_kl),
        cmocka_unit_test(test_spike_alone_and_slab_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
