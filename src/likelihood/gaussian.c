/* SPDX-License-Identifier: MIT
 *
 * Gaussian likelihood with fixed standard deviation sigma, N(x; m, sigma^2) with the mean m from the decoder:
 *
 *     -log p(x|m) = (x - m)^2 / (2 sigma^2) + log sigma + log(2 pi)/2        d/dm = (m - x) / sigma^2
 *
 * summed over pixels, with all constants, so that values at different sigma compare. */
#include <math.h>

#include "base/simd.h"
#include "likelihood/lanes.h"
#include "likelihood/likelihood.h"

struct likelihood_state {
    real precision;  /* 1 / sigma^2 */
    double constant; /* log sigma + log(2 pi)/2, a pixel */
};

static const vae_param params[] = {
    VAE_REAL("sigma", 1.0, 1e-3, 1e3, "standard deviation of a pixel"),
    {0},
};

static void init(struct likelihood_state *state, const double *param)
{
    state->precision = R(1.0 / (param[0] * param[0]));
    state->constant = log(param[0]) + 0.91893853320467274178;
}

VAE_SIMD static double nll(const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight,
                           real *grad, const struct learned *learned)
{
    const real slope = weight * state->precision;
    real lane[LANES] = {0};
    size_t i = 0;
    (void)learned;
    for (; i + LANES <= D; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            real error = out[i + k] - x[i + k];
            lane[k] += error * error;
            if (grad) grad[i + k] = slope * error;
        }
    for (size_t k = 0; i + k < D; k++) {
        real error = out[i + k] - x[i + k];
        lane[k] += error * error;
        if (grad) grad[i + k] = slope * error;
    }
    return 0.5 * (double)state->precision * lanes_sum(lane) + (double)D * state->constant;
}

static void mean(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    (void)state;
    for (size_t i = 0; i < D; i++) mean[i] = out[i];
}

static void output_for(const struct likelihood_state *state, size_t D, const real *mean, const real *deviation,
                       real *out)
{
    (void)state, (void)deviation;
    for (size_t i = 0; i < D; i++) out[i] = mean[i];
}

const struct likelihood_ops likelihood_gaussian = {
    .module = {.name = "gaussian",
               .summary = "real pixels, decoder gives the mean",
               .formula = "p(x|z) = prod N(x; m, sigma^2)",
               .params = params},
    .state_size = sizeof(struct likelihood_state),
    .lowest = -HUGE_VAL,
    .highest = HUGE_VAL,
    .init = init,
    .nll = nll,
    .output_for = output_for,
    .mean = mean,
};
