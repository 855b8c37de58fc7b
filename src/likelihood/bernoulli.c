/* SPDX-License-Identifier: MIT
 *
 * Bernoulli likelihood on logits l, theta = sigmoid(l):
 *
 *     -log p(x|l) = softplus(l) - x l            d/dl = sigmoid(l) - x
 *
 * with softplus and sigmoid from the one exponential t = exp(-|l|), so that no logit overflows. For grey pixels x in
 * (0, 1) this is the usual cross-entropy, a pseudo-likelihood: it is not a density of grey values, and its floor is the
 * entropy of the pixels, not zero. */
#include "base/simd.h"
#include "base/vmath.h"
#include "likelihood/lanes.h"
#include "likelihood/likelihood.h"

struct likelihood_state {
    char unused;
};

static void init(struct likelihood_state *state, const double *param) { (void)state, (void)param; }

static inline real pixel(real l, real x, real *slope)
{
    real t = vm_exp(l < 0 ? l : -l);
    *slope = (l < 0 ? t : R(1)) / (R(1) + t) - x;
    return (l > 0 ? l : R(0)) - x * l + vm_log1p_unit(t);
}

VAE_SIMD static double nll(const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight,
                           real *grad)
{
    (void)state;
    real lane[LANES] = {0}, slope[LANES];
    size_t i = 0;
    for (; i + LANES <= D; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            lane[k] += pixel(out[i + k], x[i + k], &slope[k]);
            if (grad) grad[i + k] = weight * slope[k];
        }
    for (size_t k = 0; i + k < D; k++) {
        lane[k] += pixel(out[i + k], x[i + k], &slope[k]);
        if (grad) grad[i + k] = weight * slope[k];
    }
    return lanes_sum(lane);
}

VAE_SIMD static void mean(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    (void)state;
    for (size_t i = 0; i < D; i++) mean[i] = vm_sigmoid(out[i]);
}

const struct likelihood_ops likelihood_bernoulli = {
    .module = {.name = "bernoulli",
               .summary = "pixels in [0,1], decoder gives logits",
               .formula = "p(x|z) = prod theta^x (1-theta)^(1-x), theta = sigmoid(logit)"},
    .state_size = sizeof(struct likelihood_state),
    .outputs = 1,
    .init = init,
    .nll = nll,
    .mean = mean,
};
