/* SPDX-License-Identifier: MIT
 *
 * Exact KLs as they are used, in single precision, against quadrature of the prior's density and slope: to 1e-4 of a
 * nat, from posteriors that are far narrower than any spike to ones that are wider than the prior. */
#include "check.h"

static double times_slope(const void *context, double eps)
{
    const struct gaussian_point *q = context;
    double slope;
    prior_logp(q->prior, q->mu + q->s * eps, &slope);
    return 0.39894228040143267794 * exp(-0.5 * eps * eps) * slope;
}

static double times_eps_slope(const void *context, double eps) { return eps * times_slope(context, eps); }

/* Over all of q, in panels that double away from z = 0: there a prior may have a kink, or a peak much narrower than q.
 * The widest panels, where q itself has its peak, are divided more often. */
static double expectation(integrand *f, const struct gaussian_point *q)
{
    enum { PANELS = 22 };
    const double reach = 12, zero = fmax(-reach + 1, fmin(reach - 1, -q->mu / q->s));
    double sum = 0;
    for (int side = -1; side <= 1; side += 2) {
        const double end = side * reach - zero;
        for (int i = 0; i < PANELS; i++)
            sum += side * integrate(f, q, zero + (i ? ldexp(end, i - PANELS) : 0), zero + ldexp(end, i + 1 - PANELS),
                                    i < PANELS - 4 ? 3 : 8);
    }
    return sum;
}

static void check_point(const struct prior_case *prior, double mu, double sigma)
{
    const real m = R(mu), logvar = R(2 * log(sigma));
    const struct gaussian_point q = {prior, mu, sigma};
    real kl, dmu, dlogvar;
    kl_to_gaussian(prior->ops)(prior->state, 1, &m, &logvar, &kl, &dmu, &dlogvar);
    assert_near((double)kl, -1.41893853320467274178 - log(sigma) - expectation(weighted_logp, &q), 1e-4,
                "KL of N(%g, %g^2) to %s", mu, sigma, prior->label);
    assert_near((double)dmu, -expectation(times_slope, &q), 1e-4, "dKL/dmu of N(%g, %g^2) to %s", mu, sigma,
                prior->label);
    assert_near((double)dlogvar, -0.5 - 0.5 * sigma * expectation(times_eps_slope, &q), 1e-4,
                "dKL/dlogvar of N(%g, %g^2) to %s", mu, sigma, prior->label);
}

static size_t checked;

static void check_prior(const struct prior_case *prior)
{
    if (!kl_to_gaussian(prior->ops)) return;
    checked++;
    for (double mu = -4; mu <= 4; mu += 0.4)
        for (double sigma = 0.005; sigma < 2.1; sigma *= 1.35) check_point(prior, mu, sigma);
}

static void test_against_quadrature(void **state)
{
    (void)state;
    for_each_prior(check_prior);
    assert_true(checked >= 4);
}

static void test_extreme_spikes(void **state)
{
    static const double spikes[][2] = {{0.8, 0.01}, {0.8, 0.0025}, {0.95, 0.0025}, {0.999, 0.01}, {1e-6, 0.05}};
    (void)state;
    for (size_t i = 0; i < sizeof spikes / sizeof *spikes; i++) {
        struct prior_case prior;
        prior_case_set(&prior, &prior_spikeslab, &(vae_choice){"spikeslab", {spikes[i][0], spikes[i][1]}});
        check_prior(&prior);
        free(prior.state);
    }
}

/* The smallest and the largest value that each parameter of each prior may have. */
static void test_ends_of_ranges(void **state)
{
    size_t ends = 0;
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        if (prior_at(i)->joint) continue;
        const vae_module *module = &prior_at(i)->module;
        for (size_t k = 0; module->params && module->params[k].name; k++)
            for (int end = 0; end < 2; end++, ends++) {
                struct prior_case prior;
                vae_choice choice;
                module_case(module, 0, &choice);
                choice.value[k] = end ? module->params[k].max : module->params[k].min;
                prior_case_set(&prior, prior_at(i), &choice);
                check_prior(&prior);
                free(prior.state);
            }
    }
    assert_true(ends >= 8);
}

/* Posteriors that a training may pass through: vanishing, huge, far out. The KL stays a number. */
static void stays_finite(const struct prior_case *prior)
{
    static const double mus[] = {-1e4, -30, 0, 30, 1e4}, logvars[] = {-300, -80, -20, 10, 20};
    for (size_t i = 0; i < 25 && kl_to_gaussian(prior->ops); i++) {
        const real m = R(mus[i / 5]), logvar = R(logvars[i % 5]);
        real kl, dmu, dlogvar;
        kl_to_gaussian(prior->ops)(prior->state, 1, &m, &logvar, &kl, &dmu, &dlogvar);
        if (!isfinite(kl) || !isfinite(dmu) || !isfinite(dlogvar) || kl < -1e-3f)
            fail_msg("%s at mu %g, logvar %g: KL %g, slopes %g, %g", prior->label, (double)m, (double)logvar,
                     (double)kl, (double)dmu, (double)dlogvar);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    for_each_prior(stays_finite);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_quadrature),
        cmocka_unit_test(test_extreme_spikes),
        cmocka_unit_test(test_ends_of_ranges),
        cmocka_unit_test(test_extremes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
