/* SPDX-License-Identifier: MIT
 *
 * What the unit tests share: comparisons that print what they compared, quadrature, running moments, and modules with
 * the parameter values they are tested at. */
#ifndef VAE_CHECK_H
#define VAE_CHECK_H

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/real.h"
#include "base/rng.h"
#include "likelihood/likelihood.h"
#include "posterior/posterior.h"
#include "prior/prior.h"
#include "vae.h"

/* ---- Comparisons ------------------------------------------------------------------------------------------------ */

/* |got - want| <= bound * max(1, |want|): relative for large values, absolute for small ones. NaN never passes. The
 * rest is printf for the case at hand. */
#define assert_near(got, want, bound, ...) check_near(__FILE__, __LINE__, got, want, bound, __VA_ARGS__)

VAE_PRINTF(6, 7)
static inline void check_near(const char *file, int line, double got, double want, double bound, const char *format,
                              ...)
{
    const double error = fabs(got - want), allowed = bound * fmax(1, fabs(want));
    char what[256];
    va_list arguments;
    if (error <= allowed) return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    print_error("%s:%d: %s: got %.17g, expected %.17g (error %.3g, allowed %.3g)\n", file, line, what, got, want, error,
                allowed);
    fail();
}

/* low <= value <= high; NaN never passes. */
#define assert_within(value, low, high, ...) check_within(__FILE__, __LINE__, value, low, high, __VA_ARGS__)

VAE_PRINTF(6, 7)
static inline void check_within(const char *file, int line, double value, double low, double high, const char *format,
                                ...)
{
    char what[256];
    va_list arguments;
    if (value >= low && value <= high) return;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    print_error("%s:%d: %s: got %.17g, expected %g to %g\n", file, line, what, value, low, high);
    fail();
}

/* ---- Quadrature ------------------------------------------------------------------------------------------------- */

typedef double integrand(const void *context, double x);

/* Composite Gauss-Legendre, eight points a panel. */
static inline double integrate(integrand *f, const void *context, double from, double to, size_t panels)
{
    static const double node[] = {0.1834346424956498049, 0.5255324099163289858, 0.7966664774136267396,
                                  0.9602898564975362317};
    static const double weight[] = {0.3626837833783619830, 0.3137066458778872873, 0.2223810344533744705,
                                    0.1012285362903762591};
    const double half = (to - from) / (2 * (double)panels);
    double sum = 0;
    for (size_t i = 0; i < panels; i++) {
        const double middle = from + (2 * (double)i + 1) * half;
        for (size_t k = 0; k < 4; k++)
            sum += weight[k] * (f(context, middle - half * node[k]) + f(context, middle + half * node[k]));
    }
    return sum * half;
}

/* ---- Statistics ------------------------------------------------------------------------------------------------- */

/* Running mean and spread (Welford). */
struct moments {
    double n, mean, squares;
};

static inline void moments_add(struct moments *m, double x)
{
    const double delta = x - m->mean;
    m->n += 1;
    m->mean += delta / m->n;
    m->squares += delta * (x - m->mean);
}

static inline double moments_variance(const struct moments *m) { return m->squares / (m->n - 1); }
static inline double moments_error(const struct moments *m) { return sqrt(moments_variance(m) / m->n); }

static inline double normal_cdf(double z) { return 0.5 * erfc(-z / 1.41421356237309504880); }

/* Upper tail of chi-square by Wilson and Hilferty's cube root: good to a few per cent of itself from 5 degrees on. */
static inline double chi_square_tail(double x, double degrees)
{
    const double v = 2 / (9 * degrees);
    return normal_cdf(-(cbrt(x / degrees) - (1 - v)) / sqrt(v));
}

/* Counts against expected counts: neither too far off nor suspiciously close. */
static inline void assert_chi_square(size_t cells, const double *count, const double *expected, const char *what)
{
    double x = 0;
    for (size_t i = 0; i < cells; i++) x += (count[i] - expected[i]) * (count[i] - expected[i]) / expected[i];
    assert_within(chi_square_tail(x, (double)cells - 1), 1e-4, 1 - 1e-4, "%s: chi-square %g over %zu cells, p-value",
                  what, x, cells);
}

/* Repeatable numbers in (low, high) for inputs of tests. */
static inline double test_uniform(uint64_t i, double low, double high)
{
    const struct rng rng = {.seed = 20250101, .step = 7, .stream = RNG_DIGITS};
    uint32_t word;
    rng_words(&rng, i, 1, &word);
    return low + (high - low) * rng_uniform(word);
}

/* ---- Modules with parameters ------------------------------------------------------------------------------------ */

/* The i-th parameter set a module is tested at, false past the last one: the defaults; then for each parameter a third
 * of it, 2.5 times it, and zero where its range begins there (a weight that may vanish), else 1.4 times it; inside the
 * range; and the words that it may be instead. */
static inline bool module_case(const vae_module *module, size_t i, vae_choice *choice)
{
    const vae_param *param = module->params;
    *choice = (vae_choice){0};
    snprintf(choice->name, sizeof choice->name, "%s", module->name);
    for (size_t k = 0; param && param[k].name; k++) choice->value[k] = param[k].value;
    if (i-- == 0) return true;
    for (size_t k = 0; param && param[k].name; k++) {
        const double v = param[k].value, third = param[k].min == 0 ? 0 : 1.4 * v;
        const double variant[] = {v / 3, 2.5 * v, third};
        if (i < 3) {
            const double value = param[k].words ? (double)i : variant[i];
            choice->value[k] = fmin(param[k].max, fmax(param[k].min, param[k].whole ? floor(value) : value));
            return true;
        }
        i -= 3;
        size_t words = 0;
        for (const char *word = param[k].or_words; word; word = strchr(word + 1, '|')) words++;
        if (i < words) {
            choice->value[k] = VAE_OR_WORD((double)i);
            return true;
        }
        i -= words;
    }
    return false;
}

struct prior_case {
    const struct prior_ops *ops;
    struct prior_state *state;
    vae_choice choice;
    char label[128];
};

static inline void prior_case_set(struct prior_case *c, const struct prior_ops *ops, const vae_choice *choice)
{
    c->ops = ops;
    c->choice = *choice;
    c->state = mem_new(1, ops->state_size, NULL);
    assert_non_null(c->state);
    prior_init(ops, c->state, choice->value);
    choice_text(choice, &ops->module, c->label, sizeof c->label);
}

static inline kl_function *kl_to_gaussian(const struct prior_ops *prior)
{
    return prior_exact_kl(prior, "gaussian", NULL);
}

/* Runs `check` on every factorised prior with every parameter set. */
static inline void for_each_prior(void (*check)(const struct prior_case *c))
{
    size_t priors = 0;
    for (; prior_at(priors); priors++) {
        vae_choice choice;
        for (size_t k = 0; !prior_at(priors)->joint && module_case(&prior_at(priors)->module, k, &choice); k++) {
            struct prior_case c;
            prior_case_set(&c, prior_at(priors), &choice);
            check(&c);
            free(c.state);
        }
    }
    assert_true(priors >= 2);
}

struct posterior_case {
    const struct posterior_ops *ops;
    struct posterior_state *state;
    char label[128];
};

/* Runs `check` on every posterior with every parameter set. */
static inline void for_each_posterior(void (*check)(const struct posterior_case *c))
{
    size_t posteriors = 0;
    for (; posterior_at(posteriors); posteriors++) {
        vae_choice choice;
        for (size_t k = 0; module_case(&posterior_at(posteriors)->module, k, &choice); k++) {
            struct posterior_case c = {.ops = posterior_at(posteriors)};
            c.state = mem_new(1, c.ops->state_size, NULL);
            assert_non_null(c.state);
            if (c.ops->init) c.ops->init(c.state, choice.value);
            choice_text(&choice, &c.ops->module, c.label, sizeof c.label);
            check(&c);
            free(c.state);
        }
    }
    assert_true(posteriors >= 2);
}

static inline double prior_logp(const struct prior_case *c, double z, double *grad)
{
    const real at = R(z);
    real logp, slope;
    c->ops->log_prob(c->state, 1, &at, &logp, &slope);
    if (grad) *grad = (double)slope;
    return (double)logp;
}

/* p(z) dz/du with z = sinh u: a power-law tail becomes an exponential one. */
static inline double density_sinh(const void *prior, double u)
{
    return exp(prior_logp(prior, sinh(u), NULL)) * cosh(u);
}

struct gaussian_point {
    const struct prior_case *prior;
    double mu, s;
};

static inline double weighted_logp(const void *context, double eps)
{
    const struct gaussian_point *q = context;
    return 0.39894228040143267794 * exp(-0.5 * eps * eps) * prior_logp(q->prior, q->mu + q->s * eps, NULL);
}

/* KL(N(mu, exp(logvar)) || p) by quadrature. A prior may have a kink at zero, so zero is the end of a panel. */
static inline double gaussian_kl(const struct prior_case *prior, double mu, double logvar)
{
    const double reach = 12, s = exp(0.5 * logvar), entropy = 0.5 * (logvar + 1 + log(6.28318530717958647693));
    const double zero = fmax(-reach + 1, fmin(reach - 1, -mu / s));
    const struct gaussian_point q = {prior, mu, s};
    return -entropy - integrate(weighted_logp, &q, -reach, zero, 200) - integrate(weighted_logp, &q, zero, reach, 200);
}

/* Signed central differences of it. */
static inline double gaussian_kl_dmu(const struct prior_case *prior, double mu, double logvar)
{
    const double h = 1e-4;
    return (gaussian_kl(prior, mu + h, logvar) - gaussian_kl(prior, mu - h, logvar)) / (2 * h);
}

static inline double gaussian_kl_dlogvar(const struct prior_case *prior, double mu, double logvar)
{
    const double h = 1e-4;
    return (gaussian_kl(prior, mu, logvar + h) - gaussian_kl(prior, mu, logvar - h)) / (2 * h);
}

#endif
