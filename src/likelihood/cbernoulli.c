/* SPDX-License-Identifier: MIT
 *
 * Continuous Bernoulli likelihood of grey pixels x in [0, 1], with the logit l from the decoder (Loaiza-Ganem &
 * Cunningham, "The continuous Bernoulli", NeurIPS 2019):
 *
 *     p(x|l) = C(l) exp(x l) / (1 + exp l),   log C(l) = log(l / tanh(l/2))
 *     -log p(x|l) = softplus(l) - x l - log C(l)                d/dl = m(l) - x
 *     E[x|l] = m(l) = 1 / (1 - exp(-l)) - 1/l
 *
 * Near l = 0 both are series: log C = log 2 + l^2/12 - 7 l^4/1440 + 31 l^6/90720 - 127 l^8/4838400, m = 1/2 + l/12 -
 * l^3/720 + l^5/30240 - l^7/1209600.
 *
 * The density is unbounded: for a pixel that is always white, log C grows with log l for ever. So C is held constant
 * beyond |l| = limit, where the density then integrates to less than one (log p is understated, never overstated) and
 * d/dl = sigmoid(l) - x, which still brings a wrong logit back.
 *
 * Known answers: -log p(x|0) = 0, -log p(1|2) = -0.8385606, m(2) = 0.6565176. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "base/vmath.h"
#include "likelihood/lanes.h"
#include "likelihood/likelihood.h"

struct likelihood_state {
    real limit;
};

static const vae_param params[] = {
    VAE_REAL("limit", 50.0, 1.0, 1e4, "size of the logit from which on the normaliser is held constant"),
    {0},
};

static void init(struct likelihood_state *state, const double *param) { state->limit = R(param[0]); }

VAE_INLINE real size_of(real l) { return l < 0 ? -l : l; }

/* For |l| = a: both are symmetric, log C(-l) = log C(l) and m(-l) = 1 - m(l). */
VAE_INLINE real log_normaliser(real a)
{
    const real small = R(0.3), l = a > small ? a : small, s = a * a;
    const real far = vm_log(l / vm_tanh(R(0.5) * l));
    const real near = R(0.69314718055994530942) +
                      s * (R(1.0 / 12) + s * (R(-7.0 / 1440) + s * (R(31.0 / 90720) - s * R(127.0 / 4838400))));
    return a > small ? far : near;
}

VAE_INLINE real mean_of(real a)
{
    const real small = R(0.3), l = a > small ? a : small, s = a * a;
    const real far = R(1) / (R(1) - vm_exp(-l)) - R(1) / l;
    const real near = R(0.5) + a * (R(1.0 / 12) + s * (R(-1.0 / 720) + s * (R(1.0 / 30240) - s * R(1.0 / 1209600))));
    return a > small ? far : near;
}

struct pixel {
    real value, slope;
};

VAE_INLINE struct pixel pixel(real limit, real l, real x)
{
    const real a = size_of(l), held = a < limit ? a : limit;
    const real inside = l < 0 ? R(1) - mean_of(a) : mean_of(a), mean = a < limit ? inside : vm_sigmoid(l);
    return (struct pixel){vm_softplus(l) - x * l - log_normaliser(held), mean - x};
}

VAE_SIMD static double add_pixels(real limit, size_t n, const real *out, const real *x, real weight, real *grad)
{
    real lane[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t k = 0; k < LANES && i + k < n; k++) {
            const struct pixel p = pixel(limit, out[i + k], x[i + k]);
            lane[k] += p.value;
            if (grad) grad[i + k] = weight * p.slope;
        }
    return lanes_sum(lane);
}

static double nll(const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight,
                  real *grad, const struct learned *learned)
{
    double sum = 0;
    (void)learned;
    for (size_t i = 0; i < D; i += PIXELS_AT_ONCE)
        sum += add_pixels(state->limit, lanes_pixels(D, i), out + i, x + i, weight, grad ? grad + i : NULL);
    return sum;
}

VAE_SIMD static void mean(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    (void)state;
    for (size_t i = 0; i < D; i++) mean[i] = out[i] < 0 ? R(1) - mean_of(size_of(out[i])) : mean_of(size_of(out[i]));
}

/* The distribution function is (exp(l x) - 1) / (exp l - 1); here for l < 0, and 1 - x for l > 0. */
static void sample(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                   const struct learned *learned, real *x)
{
    (void)state, (void)learned;
    for (size_t i = 0; i < D; i++) {
        const double l = -(double)size_of(out[i]), u = rng_uniform(bits[i]);
        const double darker = l > -1e-5 ? u : fmin(1, log1p(u * expm1(l)) / l);
        x[i] = R(out[i] < 0 ? darker : 1 - darker);
    }
}

/* The logit of a mean, by bisection: m rises. */
static void output_for(const struct likelihood_state *state, size_t D, const real *mean, const real *deviation,
                       real *out)
{
    (void)deviation;
    for (size_t i = 0; i < D; i++) {
        const double m = fmin((double)mean[i], 1 - (double)mean[i]); /* the darker of the two, l < 0 */
        double low = -(double)state->limit, high = 0;
        for (int k = 0; k < 60; k++) {
            const double l = (low + high) / 2, here = l > -1e-6 ? 0.5 + l / 12 : 1 / (1 - exp(-l)) - 1 / l;
            if (here < m)
                low = l;
            else
                high = l;
        }
        out[i] = R(mean[i] < R(0.5) ? low : -low);
    }
}

const struct likelihood_ops likelihood_cbernoulli = {
    .module = {.name = "cbernoulli",
               .summary = "grey pixels in [0,1] with a density, decoder gives logits",
               .formula = "p(x|z) = prod C(l) exp(x l) / (1 + exp l), C(l) = l / tanh(l/2)",
               .params = params},
    .state_size = sizeof(struct likelihood_state),
    .lowest = 0,
    .highest = 1,
    .init = init,
    .nll = nll,
    .output_for = output_for,
    .mean = mean,
    .sample = sample,
};
