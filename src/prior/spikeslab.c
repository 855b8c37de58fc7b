/* SPDX-License-Identifier: MIT
 *
 * Spike-and-slab prior, p(z) = p N(z; 0, c2) + (1-p) N(z; 0, 1): a latent is either near zero (the spike) or free (the
 * slab); the coin is tossed for each dimension by itself. p is the weight of the spike and c2 its variance (as in the
 * code of Mathieu, Rainforth, Siddharth & Teh, "Disentangling disentanglement in variational autoencoders", ICML 2019,
 * whose settings give the spike's standard deviation instead).
 *
 *     a(z) = log p - z^2/(2 c2) - log(2 pi c2)/2,   b(z) = log(1-p) - z^2/2 - log(2 pi)/2
 *     log p(z) = logsumexp(a, b)
 *     d/dz = -z (r/c2 + 1 - r),   r = sigmoid(a - b), the probability that z came from the spike
 *
 * p = 0 and p = 1 make one log weight -inf, which logsumexp and sigmoid take as they should: plain N(0, 1) and N(0,
 * c2). Known answer, p = 0.8, c2 = 0.05: log p(0) = 0.4101791, log p(1) = -3.0270384. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "prior/prior.h"

struct prior_state {
    real spike, slab; /* log weight and normalising constant of each part */
    real precision;   /* 1 / c2 */
    double p, width;  /* width: standard deviation of the spike */
};

enum { P, C2 };

static const vae_param params[] = {
    [P] = {"p", 0.8, 0.0, 1.0, "weight of the spike"},
    [C2] = {"c2", 0.05, 1e-6, 1.0, "variance of the spike"},
    {0},
};

static void init(struct prior_state *state, const double *param)
{
    const double half_log_2pi = 0.91893853320467274178;
    state->p = param[P];
    state->width = sqrt(param[C2]);
    state->spike = R(log(param[P]) - 0.5 * log(param[C2]) - half_log_2pi);
    state->slab = R(log1p(-param[P]) - half_log_2pi);
    state->precision = R(1.0 / param[C2]);
}

VAE_SIMD static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    const real precision = state->precision, spike = state->spike, slab = state->slab;
    for (size_t i = 0; i < n; i++) {
        real z2 = R(0.5) * z[i] * z[i];
        real a = spike - z2 * precision, b = slab - z2;
        real r = vm_sigmoid(a - b);
        logp[i] = vm_logaddexp(a, b);
        grad[i] = -z[i] * (r * precision + (R(1) - r));
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++) {
        bool spiked = rng_uniform(bits[i][1]) < state->p;
        z[i] = rng_normal(bits[i][0]) * (spiked ? R(state->width) : R(1));
    }
}

const struct prior_ops prior_spikeslab = {
    .module = {.name = "spikeslab",
               .summary = "spike and slab: sparse latents",
               .formula = "p(z) = p N(z; 0, c2) + (1-p) N(z; 0, 1)",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .sample = sample,
};
