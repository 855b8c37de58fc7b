/* SPDX-License-Identifier: MIT
 *
 * Laplace prior, p(z) = exp(-|z|/b) / (2b): a sharp peak and exponential tails, the density behind the L1 penalty.
 *
 *     log p(z) = -|z|/b - log 2b                 d/dz = -sign(z)/b
 *     sampler: z = -b sgn(u) log(1 - 2|u|), u uniform in (-1/2, 1/2)
 *
 * Known answer, b = 1: log p(1) = -1.6931472. */
#include <math.h>

#include "base/rng.h"
#include "prior/prior.h"

struct prior_state {
    real rate;    /* 1 / b */
    real at_zero; /* log p(0) */
    double scale;
};

static const vae_param params[] = {
    {"scale", 1.0, 1e-3, 1e3, "scale b; the variance is 2 b^2"},
    {0},
};

static void init(struct prior_state *state, const double *param)
{
    state->scale = param[0];
    state->rate = R(1.0 / param[0]);
    state->at_zero = R(-log(2.0 * param[0]));
}

static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    const real rate = state->rate, at_zero = state->at_zero;
    for (size_t i = 0; i < n; i++) {
        real sign = z[i] < 0 ? R(-1) : R(1);
        logp[i] = at_zero - sign * z[i] * rate;
        grad[i] = -sign * rate;
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++) {
        double u = rng_uniform(bits[i][0]);
        double magnitude = -state->scale * log(u < 0.5 ? 2.0 * u : 2.0 * (1.0 - u));
        z[i] = R(u < 0.5 ? -magnitude : magnitude);
    }
}

const struct prior_ops prior_laplace = {
    .module = {.name = "laplace",
               .summary = "Laplace: peaked, exponential tails",
               .formula = "p(z) = exp(-|z|/scale) / (2 scale)",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .sample = sample,
};
