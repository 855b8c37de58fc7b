/* SPDX-License-Identifier: MIT
 *
 * Cauchy prior, p(z) = 1 / (pi g (1 + z^2/g^2)): tails so heavy that it has no mean. A latent may be very large at the
 * price of a logarithm.
 *
 *     log p(z) = -log(pi g) - log(1 + (z/g)^2)           d/dz = -2z / (g^2 + z^2)
 *     KL(N(m, s^2) || p) = log(pi g) - log(2 pi e s^2)/2 + E f,   f(z) = log(1 + (z/g)^2)
 *         d/dm = E f',   d/dlog s^2 = (s E eps f' - 1)/2,   with the expectations of power_law.h
 *     sampler: z = g tan(pi (u - 1/2)), u uniform in (0, 1)
 *
 * To a Cauchy posterior there is a closed form: see kl_cauchy. Known answers are in a table below. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "prior/power_law.h"
#include "prior/prior.h"

struct prior_state {
    real g2;   /* g^2 */
    real norm; /* log(g / pi) */
    struct power_law law;
};

static const vae_param params[] = {
    VAE_REAL("scale", 1.0, 1e-3, 1e3, "scale g; half of the mass is within |z| < g"),
    {0},
};

static void init(struct prior_state *state, const double *param)
{
    state->law = power_law_of(param[0]);
    state->g2 = R(param[0] * param[0]);
    state->norm = R(log(param[0] / 3.14159265358979323846));
}

VAE_SIMD static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    const real g2 = state->g2, norm = state->norm;
    for (size_t i = 0; i < n; i++) {
        real d = g2 + z[i] * z[i];
        logp[i] = norm - vm_log(d);
        grad[i] = R(-2) * z[i] / d;
    }
}

VAE_SIMD static void kl_gaussian(const struct prior_state *state, size_t n, const real *mu, const real *logvar,
                                 real *kl, real *dmu, real *dlogvar)
{
    const real constant = -state->norm - R(1.41893853320467274178) + R(2) * vm_log(R(state->law.g));
    for (size_t i = 0; i < n; i++) {
        const real s = deviation(logvar[i]);
        real f, slope, moment;
        integrate_log(&state->law, mu[i], s, &f, &slope, &moment);
        kl[i] = constant - R(0.5) * logvar[i] + f;
        dmu[i] = slope;
        dlogvar[i] = R(0.5) * (s * moment - R(1));
    }
}

/* KL(Cauchy(m, s) || p) = log(((s + g)^2 + m^2) / (4 s g)) (Chyzak & Nielsen, "A closed-form formula for the
 * Kullback-Leibler divergence between Cauchy distributions", 2019). */
VAE_SIMD static void kl_cauchy(const struct prior_state *state, size_t n, const real *m, const real *logs, real *kl,
                               real *dm, real *dlogs)
{
    const real g = R(state->law.g), constant = -vm_log(R(4) * g);
    for (size_t i = 0; i < n; i++) {
        const real s = vm_exp(logs[i]), d = (s + g) * (s + g) + m[i] * m[i];
        kl[i] = constant + vm_log(d) - logs[i];
        dm[i] = R(2) * m[i] / d;
        dlogs[i] = R(2) * s * (s + g) / d - R(1);
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = R(state->law.g * tan(3.14159265358979323846 * (rng_uniform(bits[i][0]) - 0.5)));
}

static const vae_known known[] = {
    VAE_LOG_P(1, -1.8378771, 1), /* -log 2 pi */
    VAE_KL_OF(0, 1, 0.2592445, 1),
    {0},
};

const struct prior_ops prior_cauchy = {
    .module = {.name = "cauchy",
               .summary = "Cauchy: very heavy tails",
               .formula = "p(z) = 1 / (pi scale (1 + (z/scale)^2))",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .words = 1,
    .sample = sample,
    .heavy_tailed = true,
    .exact = {{"gaussian", false, kl_gaussian}, {"cauchy", false, kl_cauchy}},
    .known = known,
};
