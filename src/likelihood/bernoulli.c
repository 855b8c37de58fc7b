/* SPDX-License-Identifier: MIT
 *
 * Bernoulli likelihood on logits l, theta = sigmoid(l):
 *
 *     -log p(x|l) = softplus(l) - x l            d/dl = sigmoid(l) - x
 *
 * with softplus and sigmoid from the one exponential t = exp(-|l|), softplus(l) = max(l, 0) + log(1+t), so that no
 * logit overflows. For grey pixels x in (0, 1) this is the usual cross-entropy, a pseudo-likelihood: it is not a
 * density of grey values, and its floor is the entropy of the pixels, not zero. */
#include "base/rng.h"
#include "base/simd.h"
#include "base/vmath.h"
#include "likelihood/lanes.h"
#include "likelihood/likelihood.h"

struct likelihood_state {
    char unused;
};

static void init(struct likelihood_state *state, const double *param) { (void)state, (void)param; }

/* A pixel's value is hinge + log(factor). The logarithms of a lane are taken together, as that of a product; what
 * rounding 1 + t has lost goes into the hinge, so that small values keep their digits. */
struct pixel {
    real hinge, factor, slope;
};

VAE_INLINE struct pixel pixel(real l, real x)
{
    const real t = vm_exp(l < 0 ? l : -l), u = R(1) + t, lost = t - (u - R(1)), inverse = R(1) / u;
    return (struct pixel){(l > 0 ? l : R(0)) - x * l + lost * inverse, u, (l < 0 ? t : R(1)) * inverse - x};
}

/* Pixels 0 .. n-1, n at most PIXELS_AT_ONCE. Every factor is at most 2: a product of 64 stays far from the largest
 * float. */
VAE_INLINE double add_pixels(size_t n, const real *out, const real *x, real weight, real *grad)
{
    real hinge[LANES] = {0}, product[LANES];
    size_t i = 0;
    for (size_t k = 0; k < LANES; k++) product[k] = 1;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            const struct pixel p = pixel(out[i + k], x[i + k]);
            hinge[k] += p.hinge;
            product[k] *= p.factor;
            if (grad) grad[i + k] = weight * p.slope;
        }
    for (size_t k = 0; i + k < n; k++) {
        const struct pixel p = pixel(out[i + k], x[i + k]);
        hinge[k] += p.hinge;
        product[k] *= p.factor;
        if (grad) grad[i + k] = weight * p.slope;
    }
    for (size_t k = 0; k < LANES; k++) hinge[k] += vm_log(product[k]);
    return lanes_sum(hinge);
}

VAE_SIMD static double nll(const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight,
                           real *grad, const struct learned *learned)
{
    double sum = 0;
    (void)state, (void)learned;
    for (size_t i = 0; i < D; i += PIXELS_AT_ONCE) {
        const size_t n = lanes_pixels(D, i);
        sum += grad ? add_pixels(n, out + i, x + i, weight, grad + i) : add_pixels(n, out + i, x + i, weight, NULL);
    }
    return sum;
}

VAE_SIMD static void mean(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    (void)state;
    for (size_t i = 0; i < D; i++) mean[i] = vm_sigmoid(out[i]);
}

static void sample(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                   const struct learned *learned, real *x)
{
    (void)state, (void)learned;
    for (size_t i = 0; i < D; i++) x[i] = rng_uniform(bits[i]) < (double)vm_sigmoid(out[i]) ? R(1) : R(0);
}

/* Logits of the means, kept within 0.001 and 0.999 (as Burda et al. 2016 do): pixels that are never ink have no finite
 * logit. */
static void output_for(const struct likelihood_state *state, size_t D, const real *mean, const real *deviation,
                       real *out)
{
    (void)state, (void)deviation;
    for (size_t i = 0; i < D; i++) {
        const real m = mean[i] < R(0.001) ? R(0.001) : mean[i] > R(0.999) ? R(0.999) : mean[i];
        out[i] = vm_log(m / (R(1) - m));
    }
}

const struct likelihood_ops likelihood_bernoulli = {
    .module = {.name = "bernoulli",
               .summary = "pixels in [0,1], decoder gives logits",
               .formula = "p(x|z) = prod theta^x (1-theta)^(1-x), theta = sigmoid(logit)"},
    .state_size = sizeof(struct likelihood_state),
    .lowest = 0,
    .highest = 1,
    .discrete = true,
    .init = init,
    .nll = nll,
    .output_for = output_for,
    .mean = mean,
    .sample = sample,
};
