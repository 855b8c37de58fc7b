/* SPDX-License-Identifier: MIT
 *
 * Gaussian likelihood N(x; m, sigma^2) with the mean m from the decoder:
 *
 *     -log p(x|m) = u^2/2 + log sigma + log(2 pi)/2,  u = (x - m)/sigma        d/dm = -u/sigma,  d/dlog sigma = 1 - u^2
 *
 * summed over pixels, with all constants, so that values at different sigma compare. sigma is one of three:
 *
 * - a number;
 * - learned: e^l for all pixels, with l a tensor of the model. At the optimum sigma^2 is the mean squared error
 * (Rybkin, Daniilidis & Levine, "Simple and effective VAE training with calibrated decoders", ICML 2021). Adam moves a
 * number by the learning rate a step whatever its gradient, and l is one number that all pixels pull at: with ten times
 * the learning rate it follows the error, which falls by a factor in the first hundred steps;
 * - per pixel: the decoder's outputs are the means of all pixels and behind them l of all pixels,
 *
 *       log sigma = log floor + r(l - log floor),  r(d) = (d + s)/2,  s = sqrt(d^2 + 4)        dr/dd = r/s
 *
 *   r is a smooth maximum of d and 0 (Barron, "Squareplus", 2021).
 *
 * A constant pixel would gain likelihood without end as sigma goes to zero, so there is a floor: a bound of the learned
 * l, and the limit of sigma per pixel. There a hard clamp would have no slope, and a pixel that had come below the
 * floor would stay. The slope of r falls with 1/d^2, that of the softplus with e^d.
 *
 * Known answers, sigma = 1/2: -log p(1|0.5) = 0.7257914, d/dm = -2, d/dlog sigma = 0. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "base/vmath.h"
#include "likelihood/lanes.h"
#include "likelihood/likelihood.h"

enum kind { FIXED, LEARNED, PER_PIXEL };

struct likelihood_state {
    enum kind kind;
    real precision;   /* 1 / sigma^2 of a fixed sigma */
    double log_sigma; /* likewise */
    real log_floor;
};

enum { SIGMA, FLOOR };

static const vae_param params[] = {
    [SIGMA] = VAE_REAL_OR("sigma", 1.0, 1e-3, 1e3, "learned|per-pixel", "standard deviation of a pixel"),
    [FLOOR] = VAE_YOUNG_REAL("floor", 0.01, 1e-4, 1.0, "least sigma where it is learned or per-pixel"),
    {0},
};

static const double half_log_2pi = 0.91893853320467274178;

static enum kind kind_of(const double *param)
{
    return param[SIGMA] >= 0 ? FIXED : param[SIGMA] == VAE_OR_WORD(0) ? LEARNED : PER_PIXEL;
}

static void init(struct likelihood_state *state, const double *param)
{
    *state = (struct likelihood_state){.kind = kind_of(param), .log_floor = R(log(param[FLOOR]))};
    if (state->kind != FIXED) return;
    state->precision = R(1.0 / (param[SIGMA] * param[SIGMA]));
    state->log_sigma = log(param[SIGMA]);
}

static const char *conflict(const double *param)
{
    if (kind_of(param) != FIXED || param[FLOOR] == params[FLOOR].value) return NULL;
    return "floor has no effect on a sigma that is a number (expected sigma=learned or sigma=per-pixel)";
}

static size_t outputs(const double *param) { return kind_of(param) == PER_PIXEL ? 2 : 1; }

static const struct tensor *declare(const double *param, struct block *block)
{
    if (kind_of(param) != LEARNED) return NULL;
    struct tensor *log_sigma = block_add(block, "likelihood.logsigma", 1, 0);
    log_sigma->rate = 10;
    log_sigma->lowest = log(param[FLOOR]);
    return log_sigma;
}

/* Sum of squared errors; grad = slope * error. */
VAE_SIMD static double add_squares(size_t n, const real *out, const real *x, real slope, real *grad)
{
    real lane[LANES] = {0};
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) {
            real error = out[i + k] - x[i + k];
            lane[k] += error * error;
            if (grad) grad[i + k] = slope * error;
        }
    for (size_t k = 0; i + k < n; k++) {
        real error = out[i + k] - x[i + k];
        lane[k] += error * error;
        if (grad) grad[i + k] = slope * error;
    }
    return lanes_sum(lane);
}

static double squares(size_t D, const real *out, const real *x, real slope, real *grad)
{
    double sum = 0;
    for (size_t i = 0; i < D; i += PIXELS_AT_ONCE)
        sum += add_squares(lanes_pixels(D, i), out + i, x + i, slope, grad ? grad + i : NULL);
    return sum;
}

struct pixel {
    real value; /* without log(2 pi)/2 */
    real mean_slope, l_slope;
};

VAE_INLINE struct pixel pixel(real log_floor, real m, real l, real x)
{
    const real d = l - log_floor, size = d < 0 ? -d : d, s = vm_sqrt(d * d + R(4)), far = R(0.5) * (size + s);
    const real rise = d < 0 ? R(1) / far : far; /* (d + s)/2 without cancellation */
    const real log_sigma = log_floor + rise, inverse = vm_exp(-log_sigma), u = (x - m) * inverse;
    return (struct pixel){R(0.5) * u * u + log_sigma, -u * inverse, (R(1) - u * u) * rise / s};
}

/* Of n pixels; their l, and its gradient, are D places behind their means. */
VAE_SIMD static double add_pixels(real log_floor, size_t D, size_t n, const real *out, const real *x, real weight,
                                  real *grad)
{
    real lane[LANES] = {0};
    for (size_t i = 0; i < n; i += LANES)
        for (size_t k = 0; k < LANES && i + k < n; k++) {
            const struct pixel p = pixel(log_floor, out[i + k], out[D + i + k], x[i + k]);
            lane[k] += p.value;
            if (grad) grad[i + k] = weight * p.mean_slope;
            if (grad) grad[D + i + k] = weight * p.l_slope;
        }
    return lanes_sum(lane);
}

static double per_pixel(real log_floor, size_t D, const real *out, const real *x, real weight, real *grad)
{
    double sum = 0;
    for (size_t i = 0; i < D; i += PIXELS_AT_ONCE)
        sum += add_pixels(log_floor, D, lanes_pixels(D, i), out + i, x + i, weight, grad ? grad + i : NULL);
    return sum;
}

static double nll(const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight,
                  real *grad, const struct learned *learned)
{
    const double pixels = (double)D;
    if (state->kind == PER_PIXEL) return per_pixel(state->log_floor, D, out, x, weight, grad) + pixels * half_log_2pi;
    const bool fixed = state->kind == FIXED;
    const double log_sigma = fixed ? state->log_sigma : (double)*learned->value;
    const real precision = fixed ? state->precision : vm_exp(R(-2) * *learned->value);
    const double u2 = (double)precision * squares(D, out, x, weight * precision, grad);
    if (!fixed && learned->grad) *learned->grad = R((double)weight * (pixels - u2));
    return 0.5 * u2 + pixels * (log_sigma + half_log_2pi);
}

static void mean(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    (void)state;
    for (size_t i = 0; i < D; i++) mean[i] = out[i];
}

static double log_sigma_of(const struct likelihood_state *state, size_t D, const real *out, size_t i,
                           const struct learned *learned)
{
    if (state->kind == FIXED) return state->log_sigma;
    if (state->kind == LEARNED) return (double)*learned->value;
    const double d = (double)(out[D + i] - state->log_floor), s = sqrt(d * d + 4);
    return (double)state->log_floor + (d < 0 ? 2 / (s - d) : (d + s) / 2);
}

static void sample(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                   const struct learned *learned, real *x)
{
    for (size_t i = 0; i < D; i++)
        x[i] = out[i] + R(exp(log_sigma_of(state, D, out, i, learned))) * rng_normal(bits[i]);
}

/* Per pixel also its deviation, or, where that is near the floor, the sigma where r has most of its slope. */
static void output_for(const struct likelihood_state *state, size_t D, const real *mean, const real *deviation,
                       real *out)
{
    for (size_t i = 0; i < D; i++) out[i] = mean[i];
    for (size_t i = 0; i < D && state->kind == PER_PIXEL; i++) {
        const double lowest = (double)state->log_floor, rise = fmax(1, log((double)deviation[i]) - lowest);
        out[D + i] = R(lowest + rise - 1 / rise);
    }
}

const struct likelihood_ops likelihood_gaussian = {
    .module = {.name = "gaussian",
               .summary = "real pixels, decoder gives the mean",
               .formula = "p(x|z) = prod N(x; m, sigma^2)",
               .params = params},
    .state_size = sizeof(struct likelihood_state),
    .lowest = -HUGE_VAL,
    .highest = HUGE_VAL,
    .conflict = conflict,
    .outputs = outputs,
    .declare = declare,
    .init = init,
    .nll = nll,
    .output_for = output_for,
    .mean = mean,
    .sample = sample,
};
