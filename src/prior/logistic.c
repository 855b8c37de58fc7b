/* SPDX-License-Identifier: MIT
 *
 * Logistic prior, p(z) = sigmoid'(z/s) / s: round as the normal distribution at its top, exponential as Laplace's in
 * its tails.
 *
 *     log p(z) = -|z|/s - log s - 2 log(1 + exp(-|z|/s))         d/dz = -tanh(z / 2s) / s
 *     sampler: z = s log(u / (1 - u)), u uniform in (0, 1)
 *
 * Known answers are in a table below. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "base/vmath.h"
#include "prior/prior.h"

struct prior_state {
    real rate; /* 1 / s */
    real norm; /* -log s */
    double scale;
};

static const vae_param params[] = {
    VAE_REAL("scale", 1.0, 1e-3, 1e3, "scale s; the variance is (pi s)^2 / 3"),
    {0},
};

static void init(struct prior_state *state, const double *param)
{
    state->scale = param[0];
    state->rate = R(1.0 / param[0]);
    state->norm = R(-log(param[0]));
}

VAE_SIMD static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    const real rate = state->rate, norm = state->norm;
    for (size_t i = 0; i < n; i++) {
        const real x = rate * z[i], size = x < 0 ? -x : x;
        logp[i] = norm - size - R(2) * vm_log1p_unit(vm_exp(-size));
        grad[i] = -rate * vm_tanh(R(0.5) * x);
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++) {
        const double u = rng_uniform(bits[i][0]);
        z[i] = R(state->scale * log(u / (1 - u)));
    }
}

static const vae_known known[] = {
    VAE_LOG_P(0, -1.3862944, 1), /* -log 4 */
    VAE_LOG_P(2, -2.2538560, 1),
    {0},
};

const struct prior_ops prior_logistic = {
    .module = {.name = "logistic",
               .summary = "logistic: round top, exponential tails",
               .formula = "p(z) = exp(-z/scale) / (scale (1 + exp(-z/scale))^2)",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .words = 1,
    .sample = sample,
    .known = known,
};
