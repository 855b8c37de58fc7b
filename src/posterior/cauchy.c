/* SPDX-License-Identifier: MIT
 *
 * Cauchy posterior with heads a = centre and b = log g, cut at a probability c of each tail:
 *
 *     z = a + g eps,  eps = tan(pi (c + (1 - 2c) u - 1/2)),  u uniform in (0, 1)      dz/da = 1,  dz/db = g eps
 *     log q(z) = -b - log pi - log(1 + eps^2) - log(1 - 2c)            d/dz = -2 eps / (g (1 + eps^2))
 *     H(q) = b + log pi + log(1 - 2c) + E log(1 + eps^2)               dH/db = 1
 *
 * with E log(1 + eps^2) = log 4 for c = 0. A Cauchy variable has no mean: through a decoder that is linear far out, the
 * ELBO of a posterior without a cut is minus infinity, and what training makes of it depends on the largest draws that
 * it meets. The cut is part of the model. KL(q || p) is finite only under priors with tails as heavy.
 *
 * Known answers, c = 0, a = b = 0: log q(0) = -1.1447299 (= -log pi), H = 2.5310242 (= log 4 pi). */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "posterior/posterior.h"

struct posterior_state {
    double cut;
    real norm;    /* log pi + log(1 - 2c) */
    real entropy; /* H at b = 0 */
};

static const vae_param params[] = {
    VAE_REAL("cut", 0.00390625, 0.0, 0.25, "probability of each tail that is cut off; 0: none"),
    {0},
};

static const double pi = 3.14159265358979323846;

/* E log(1 + tan^2) = -2 E log sin(pi u) over u in (c, 1 - c): twice the half up to 1/2, by the midpoint rule in log u,
 * where the integrand is smooth down to the smallest cut. */
static double mean_log(double cut)
{
    enum { NODES = 4000 };
    if (cut <= 0) return log(4);
    const double from = log(cut), step = (log(0.5) - from) / NODES;
    double sum = 0;
    for (int i = 0; i < NODES; i++) {
        const double u = exp(from + (i + 0.5) * step);
        sum -= 2 * log(sin(pi * u)) * u * step;
    }
    return 2 * sum / (1 - 2 * cut);
}

static void init(struct posterior_state *state, const double *param)
{
    const double norm = log(pi) + log1p(-2 * param[0]);
    state->cut = param[0];
    state->norm = R(norm);
    state->entropy = R(norm + mean_log(param[0]));
}

static bool has_exact_kl(const double *param) { return param[0] <= 0; }

static double reach(const struct posterior_state *state)
{
    const double rounding = 1 + 1e-6; /* of noise in single precision */
    return state->cut > 0 ? rounding * tan(pi * (0.5 - state->cut)) : (double)INFINITY;
}

static void noise(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps)
{
    const double c = state->cut;
    for (size_t i = 0; i < n; i++) eps[i] = R(tan(pi * (c + (1 - 2 * c) * rng_uniform(bits[i]) - 0.5)));
}

VAE_SIMD static void scale(size_t n, const real *b, real *s)
{
    for (size_t i = 0; i < n; i++) s[i] = vm_exp(b[i]);
}

static void draw(size_t n, const real *a, const real *s, const real *eps, real *z)
{
    for (size_t i = 0; i < n; i++) z[i] = a[i] + s[i] * eps[i];
}

static void backward(size_t n, const real *s, const real *eps, const real *dz, real weight, real *da, real *db)
{
    for (size_t i = 0; i < n; i++) {
        const real d = weight * dz[i];
        da[i] += d;
        db[i] += d * s[i] * eps[i];
    }
}

static void entropy(const struct posterior_state *state, size_t n, const real *b, real *h, real *db)
{
    for (size_t i = 0; i < n; i++) {
        h[i] = b[i] + state->entropy;
        db[i] = 1;
    }
}

VAE_SIMD static void log_prob(const struct posterior_state *state, size_t n, const real *b, const real *s,
                              const real *eps, real *logq, real *dz)
{
    const real least = R(1e-18), norm = state->norm;
    for (size_t i = 0; i < n; i++) {
        const real d = R(1) + eps[i] * eps[i];
        logq[i] = -b[i] - norm - vm_log(d);
        dz[i] = R(-2) * eps[i] / (d * (s[i] > least ? s[i] : least));
    }
}

const struct posterior_ops posterior_cauchy = {
    .module = {.name = "cauchy",
               .summary = "Cauchy, cut far out; encoder gives centre and log-scale",
               .formula = "q(z|x) = Cauchy(z; mu, exp(logscale)), z = mu + exp(logscale) tan(pi (u - 1/2))",
               .params = params},
    .head = {"mu", "logscale"},
    .state_size = sizeof(struct posterior_state),
    .heavy_tailed = true,
    .init = init,
    .has_exact_kl = has_exact_kl,
    .reach = reach,
    .noise = noise,
    .scale = scale,
    .draw = draw,
    .backward = backward,
    .entropy = entropy,
    .log_prob = log_prob,
};
