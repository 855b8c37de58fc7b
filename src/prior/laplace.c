/* SPDX-License-Identifier: MIT
 *
 * Laplace prior, p(z) = exp(-|z|/b) / (2b): a sharp peak and exponential tails, the density behind the L1 penalty.
 *
 *     log p(z) = -|z|/b - log 2b                 d/dz = -sign(z)/b
 *     KL(N(m, s^2) || p) = log(2 b) - log(2 pi e s^2)/2 + E|z| / b,
 *         E|z| = s sqrt(2/pi) exp(-m^2/2s^2) + m erf(m / (s sqrt 2))
 *         d/dm = erf(m / (s sqrt 2)) / b,  d/dlog s^2 = s sqrt(2/pi) exp(-m^2/2s^2) / (2b) - 1/2
 *     sampler: z = -b sgn(u) log(1 - 2|u|), u uniform in (-1/2, 1/2)
 *
 * Known answers are in a table below. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "prior/nodes.h"
#include "prior/prior.h"

struct prior_state {
    real rate;    /* 1 / b */
    real at_zero; /* log p(0) */
    double scale;
};

static const vae_param params[] = {
    VAE_REAL("scale", 1.0, 1e-3, 1e3, "scale b; the variance is 2 b^2"),
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

VAE_SIMD static void kl_gaussian(const struct prior_state *state, size_t n, const real *mu, const real *logvar,
                                 real *kl, real *dmu, real *dlogvar)
{
    const real rate = state->rate, constant = -state->at_zero - R(1.41893853320467274178);
    for (size_t i = 0; i < n; i++) {
        const real s = deviation(logvar[i]), t = mu[i] / s;
        const real side = vm_erf(R(0.70710678118654752440) * t);
        const real peak = R(0.79788456080286535588) * s * vm_exp(R(-0.5) * t * t);
        kl[i] = constant - R(0.5) * logvar[i] + rate * (peak + mu[i] * side);
        dmu[i] = rate * side;
        dlogvar[i] = R(0.5) * (rate * peak - R(1));
    }
}

static const vae_known known[] = {
    VAE_LOG_P(1, -1.6931472, 1),
    VAE_KL_OF(0, 1, 0.0720932, 1),
    {0},
};

const struct prior_ops prior_laplace = {
    .module = {.name = "laplace",
               .summary = "Laplace: peaked, exponential tails",
               .formula = "p(z) = exp(-|z|/scale) / (2 scale)",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .words = 1,
    .sample = sample,
    .exact = {{"gaussian", false, kl_gaussian}},
    .known = known,
};
