/* SPDX-License-Identifier: MIT
 *
 * Spike-and-slab prior, p(z) = p N(z; 0, c2) + (1-p) N(z; 0, 1): a latent is either near zero (the spike) or free (the
 * slab); the coin is tossed for each dimension by itself. p is the weight of the spike and c2 its variance. (Mathieu,
 * Rainforth, Siddharth & Teh, "Disentangling disentanglement in variational autoencoders", ICML 2019, have this prior,
 * too; 0.05 in their code is the standard deviation of the spike, here c2 = 0.0025.)
 *
 *     a(z) = log p - z^2/(2 c2) - log(2 pi c2)/2,   b(z) = log(1-p) - z^2/2 - log(2 pi)/2
 *     log p(z) = logsumexp(a, b)
 *     d/dz = -z (r/c2 + 1 - r),   r = sigmoid(a - b), the probability that z came from the spike
 *
 * Exact KL to q = N(m, s^2). With k = log(p/(1-p)) - log(c2)/2 and a = (1/c2 - 1)/2,
 *
 *     KL(q || p) = KL(q || N(0,1)) - log(1-p) - E_q f,   f(z) = softplus(k - a z^2),  f'(z) = -2 a z sigmoid(k - a z^2)
 *     d/dm = m - E f',   d/dlog s^2 = (s^2 - 1 - s E eps f') / 2
 *
 * where f is a bump that is below 2e-8 outside of |z| < R = sqrt((k + 18)/a): nodes lie evenly where the bump and the
 * posterior meet. Its poles are pi/(2 sqrt(ka)) from the real axis, which gives the number of nodes.
 *
 * p = 0 and p = 1 make one log weight -inf, which logsumexp and sigmoid take as they should: plain N(0, 1) and N(0,
 * c2). Known answers are in a table below. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "prior/nodes.h"
#include "prior/prior.h"

struct prior_state {
    real spike, slab; /* log weight and normalising constant of each part */
    real precision;   /* 1 / c2 */
    double p, width;  /* width: standard deviation of the spike */
    /* Of the exact KL. */
    int nodes; /* 0: p(z) is one normal */
    real k, a, reach, log_slab;
};

enum { P, C2 };

static const vae_param params[] = {
    [P] = VAE_REAL("p", 0.8, 0.0, 1.0, "weight of the spike"),
    [C2] = VAE_REAL("c2", 0.05, 1e-6, 1.0, "variance of the spike"),
    {0},
};

static void init_kl(struct prior_state *state, double p, double c2)
{
    const double k = log(p) - log1p(-p) - 0.5 * log(c2), a = 0.5 * (1 / c2 - 1), ends = 18;
    state->log_slab = R(log1p(-p));
    state->k = R(k);
    state->a = R(a);
    if (p <= 0 || p >= 1 || c2 >= 1 || k + ends <= 0) return;
    state->reach = R(sqrt((k + ends) / a));
    state->nodes = whole_vectors(k > 0 ? fmax(48, 2 + 2.43 * sqrt(k * (k + ends))) : 48);
}

static void init(struct prior_state *state, const double *param)
{
    const double half_log_2pi = 0.91893853320467274178;
    state->p = param[P];
    state->width = sqrt(param[C2]);
    state->spike = R(log(param[P]) - 0.5 * log(param[C2]) - half_log_2pi);
    state->slab = R(log1p(-param[P]) - half_log_2pi);
    state->precision = R(1.0 / param[C2]);
    init_kl(state, param[P], param[C2]);
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

/* Where bump and posterior meet: from z = at, eps = from on, over `width` in eps. */
struct interval {
    real at, from, width;
};

VAE_INLINE struct interval overlap(real m, real s, real reach)
{
    const real most = R(6.75);
    const real low = (-reach - m) / s, high = (reach - m) / s;
    const real from = low > -most ? low : -most, to = high < most ? high : most;
    return (struct interval){low > -most ? -reach : m - most * s, from, to > from ? to - from : R(0)};
}

/* E f, E f' and E eps f' of one posterior. */
VAE_INLINE void integrate_bump(const struct prior_state *state, real m, real s, real *f, real *slope, real *moment)
{
    const struct interval q = overlap(m, s, state->reach);
    const real step = q.width / R(state->nodes), k = state->k, a = state->a;
    struct sums sum = {0};
    for (int node = 0; node < state->nodes; node += SUMS)
        for (int i = 0; i < SUMS; i++) {
            const real to = (R(node + i) + R(0.5)) * step, eps = q.from + to, z = q.at + s * to;
            const real weight = vm_exp(R(-0.5) * eps * eps), x = k - a * z * z;
            const real t = vm_exp(x < 0 ? x : -x), bump = (x > 0 ? x : R(0)) + vm_log1p_unit(t);
            const real down = weight * z * (x < 0 ? t : R(1)) / (R(1) + t);
            sum.value[i] += weight * bump;
            sum.slope[i] += down;
            sum.moment[i] += eps * down;
        }
    const real share = step * R(0.39894228040143267794);
    *f = share * sum_up(sum.value);
    *slope = R(-2) * a * share * sum_up(sum.slope);
    *moment = R(-2) * a * share * sum_up(sum.moment);
}

/* KL(N(mu, s^2) || N(0, 1/precision)), for the cases that are no mixture. */
static void kl_one_normal(const struct prior_state *state, size_t n, const real *mu, const real *logvar, real *kl,
                          real *dmu, real *dlogvar)
{
    const real precision = state->p < 1 ? R(1) : state->precision, constant = R(1) + vm_log(precision);
    for (size_t i = 0; i < n; i++) {
        const real var = precision * vm_exp(logvar[i]);
        kl[i] = R(0.5) * (precision * mu[i] * mu[i] + var - constant - logvar[i]);
        dmu[i] = precision * mu[i];
        dlogvar[i] = R(0.5) * (var - R(1));
    }
}

VAE_SIMD static void kl_gaussian(const struct prior_state *state, size_t n, const real *mu, const real *logvar,
                                 real *kl, real *dmu, real *dlogvar)
{
    if (state->nodes == 0) {
        kl_one_normal(state, n, mu, logvar, kl, dmu, dlogvar);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const real s = deviation(logvar[i]);
        real f, slope, moment;
        integrate_bump(state, mu[i], s, &f, &slope, &moment);
        kl[i] = R(0.5) * (mu[i] * mu[i] + s * s - R(1) - logvar[i]) - state->log_slab - f;
        dmu[i] = mu[i] - slope;
        dlogvar[i] = R(0.5) * (s * s - R(1) - s * moment);
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++) {
        bool spiked = rng_uniform(bits[i][1]) < state->p;
        z[i] = rng_normal(bits[i][0]) * (spiked ? R(state->width) : R(1));
    }
}

static const vae_known known[] = {
    VAE_LOG_P(0, 0.4101791, 0.8, 0.05),
    VAE_LOG_P(1, -3.0270384, 0.8, 0.05),
    {0},
};

const struct prior_ops prior_spikeslab = {
    .module = {.name = "spikeslab",
               .summary = "spike and slab: sparse latents",
               .formula = "p(z) = p N(z; 0, c2) + (1-p) N(z; 0, 1)",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .words = 2,
    .sample = sample,
    .exact = {{"gaussian", false, kl_gaussian}},
    .known = known,
};
