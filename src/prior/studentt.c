/* SPDX-License-Identifier: MIT
 *
 * Student's t prior with nu degrees of freedom, between the Cauchy (nu = 1) and the normal distribution (nu large).
 * With g = scale sqrt(nu):
 *
 *     log p(z) = log Gamma((nu+1)/2) - log Gamma(nu/2) - log(g sqrt(pi)) - (nu+1)/2 log(1 + (z/g)^2)
 *     d/dz = -(nu+1) z / (g^2 + z^2)
 *     KL(N(m, s^2) || p): as for the Cauchy prior, with (nu+1)/2 E log(1 + (z/g)^2), see power_law.h
 *     sampler: z = g sqrt(u^(-2/nu) - 1) cos(2 pi v), u and v uniform in (0, 1) (R. Bailey, "Polar generation of random
 *         variates with the t-distribution", Mathematics of Computation 62, 1994)
 *
 * Known answers are in a table below. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "prior/power_law.h"
#include "prior/prior.h"

enum { NU, SCALE };

struct prior_state {
    real g2, inverse; /* g^2 and 1/g^2 */
    real power;       /* (nu+1)/2 */
    real at_zero;     /* log p(0) */
    double nu;
    struct power_law law;
};

static const vae_param params[] = {
    [NU] = VAE_REAL("nu", 3.0, 0.5, 1e3, "degrees of freedom; moments of order nu and more are infinite"),
    [SCALE] = VAE_REAL("scale", 1.0, 1e-3, 1e3, "scale; the variance is scale^2 nu / (nu - 2) for nu > 2"),
    {0},
};

static void init(struct prior_state *state, const double *param)
{
    const double nu = param[NU], g = param[SCALE] * sqrt(nu), power = (nu + 1) / 2;
    int sign; /* lgamma has a variable of the whole process for it, which threads would share */
    const double at_zero = lgamma_r(power, &sign) - lgamma_r(nu / 2, &sign) - log(g * sqrt(3.14159265358979323846));
    state->g2 = R(g * g);
    state->power = R(power);
    state->at_zero = R(at_zero);
    state->inverse = R(1 / (g * g));
    state->nu = nu;
    state->law = power_law_of(g);
}

/* As log(1 + (z/g)^2), not as a difference of logarithms: (nu+1)/2 times a rounding of log g^2 would show. */
VAE_SIMD static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    const real g2 = state->g2, inverse = state->inverse, power = state->power, at_zero = state->at_zero;
    for (size_t i = 0; i < n; i++) {
        const real square = z[i] * z[i];
        logp[i] = at_zero - power * vm_log(R(1) + square * inverse);
        grad[i] = R(-2) * power * z[i] / (g2 + square);
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++) {
        const double u = rng_uniform(bits[i][0]), v = rng_uniform(bits[i][1]);
        const double radius = sqrt(expm1(-2 / state->nu * log(u)));
        z[i] = R(state->law.g * radius * cos(6.28318530717958647693 * v));
    }
}

VAE_SIMD static void kl_gaussian(const struct prior_state *state, size_t n, const real *mu, const real *logvar,
                                 real *kl, real *dmu, real *dlogvar)
{
    const real constant = -state->at_zero - R(1.41893853320467274178), power = state->power;
    for (size_t i = 0; i < n; i++) {
        const real s = deviation(logvar[i]);
        real f, slope, moment;
        integrate_log(&state->law, mu[i], s, &f, &slope, &moment);
        kl[i] = constant - R(0.5) * logvar[i] + power * f;
        dmu[i] = power * slope;
        dlogvar[i] = R(0.5) * (power * s * moment - R(1));
    }
}

static const vae_known known[] = {
    VAE_LOG_P(0, -1.0008889, 3, 1),
    VAE_LOG_P(1, -1.5762530, 3, 1),
    {0},
};

const struct prior_ops prior_studentt = {
    .module = {.name = "studentt",
               .summary = "Student's t: tails from heavy to normal",
               .formula = "p(z) = t_nu(z / scale) / scale",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .words = 2,
    .sample = sample,
    .heavy_tailed = true,
    .exact = {{"gaussian", false, kl_gaussian}},
    .known = known,
};
