/* SPDX-License-Identifier: MIT
 *
 * Cauchy prior, p(z) = 1 / (pi g (1 + z^2/g^2)): tails so heavy that it has no mean. A latent may be very large at the
 * price of a logarithm.
 *
 *     log p(z) = -log(pi g) - log(1 + (z/g)^2)           d/dz = -2z / (g^2 + z^2)
 *     KL(N(m, s^2) || p) = log(pi g) - log(2 pi e s^2)/2 + E f,   f(z) = log(1 + (z/g)^2)
 *         d/dm = E f',   d/dlog s^2 = (s E eps f' - 1)/2,   f'(z) = 2z / (g^2 + z^2)
 *     sampler: z = g tan(pi (u - 1/2)), u uniform in (0, 1)
 *
 * The expectations are taken over nodes at eps = c + w sinh(u), u at equal distances: dense, at a distance of w = g/s,
 * around c, the point of the posterior that is nearest to the singularities of f at z = +-ig.
 *
 * Known answers, g = 1: log p(1) = -1.8378771 (= -log 2 pi), KL(N(0, 1) || p) = 0.2592445. */
#include <math.h>

#include "base/rng.h"
#include "base/simd.h"
#include "prior/nodes.h"
#include "prior/prior.h"

struct prior_state {
    real g2;   /* g^2 */
    real norm; /* log(g / pi) */
    double scale;
    int nodes; /* of the exact KL */
};

static const vae_param params[] = {
    {"scale", 1.0, 1e-3, 1e3, "scale g; half of the mass is within |z| < g"},
    {0},
};

static void init(struct prior_state *state, const double *param)
{
    state->scale = param[0];
    state->g2 = R(param[0] * param[0]);
    state->nodes = whole_vectors(param[0] < 0.3 ? 96 : 48);
    state->norm = R(log(param[0] / 3.14159265358979323846));
}

VAE_SIMD static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    const real g2 = state->g2, norm = state->norm;
    for (size_t i = 0; i < n; i++) {
        real d = g2 + z[i] * z[i];
        logp[i] = norm - vm_log(d);
        grad[i] = R(-2) * z[i] / d;
    }
}

VAE_INLINE real asinh_of(real x)
{
    const real size = x < 0 ? -x : x, y = vm_log(size + vm_sqrt(x * x + R(1)));
    return x < 0 ? -y : y;
}

/* Where the nodes of one posterior are: eps = c + w sinh(u), u from `from` on. */
struct line {
    real c, w, from, step;
};

VAE_INLINE struct line lay_nodes(const struct prior_state *state, real m, real s)
{
    const real most = R(5.5), widest = R(8), zero = -m / s, g = R(state->scale) / s;
    const real c = zero < -most ? -most : zero > most ? most : zero, far = zero - c;
    const real distance = vm_sqrt(g * g + far * far), w = distance < widest ? distance : widest;
    const real from = asinh_of((-most - c) / w), to = asinh_of((most - c) / w);
    return (struct line){c, w, from, (to - from) / R(state->nodes)};
}

/* E f, E f' and E eps f' of one posterior. */
VAE_INLINE void integrate_log(const struct prior_state *state, real m, real s, real *f, real *slope, real *moment)
{
    const struct line l = lay_nodes(state, m, s);
    const real scale = R(1) / R(state->scale);
    struct sums sum = {0};
    for (int node = 0; node < state->nodes; node += SUMS)
        for (int i = 0; i < SUMS; i++) {
            const real up = vm_exp(l.from + (R(node + i) + R(0.5)) * l.step), down = R(1) / up;
            const real eps = l.c + l.w * R(0.5) * (up - down), z = scale * (m + s * eps), d = R(1) + z * z;
            const real weight = (up + down) * vm_exp(R(-0.5) * eps * eps), fall = weight * z / d;
            sum.weight[i] += weight;
            sum.value[i] += weight * vm_log(d);
            sum.slope[i] += fall;
            sum.moment[i] += eps * fall;
        }
    const real share = R(1) / sum_up(sum.weight);
    *f = share * sum_up(sum.value);
    *slope = R(2) * scale * share * sum_up(sum.slope);
    *moment = R(2) * scale * share * sum_up(sum.moment);
}

VAE_SIMD static void kl_gaussian(const struct prior_state *state, size_t n, const real *mu, const real *logvar,
                                 real *kl, real *dmu, real *dlogvar)
{
    const real constant = -state->norm - R(1.41893853320467274178) + R(2) * vm_log(R(state->scale));
    for (size_t i = 0; i < n; i++) {
        const real s = deviation(logvar[i]);
        real f, slope, moment;
        integrate_log(state, mu[i], s, &f, &slope, &moment);
        kl[i] = constant - R(0.5) * logvar[i] + f;
        dmu[i] = slope;
        dlogvar[i] = R(0.5) * (s * moment - R(1));
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = R(state->scale * tan(3.14159265358979323846 * (rng_uniform(bits[i][0]) - 0.5)));
}

const struct prior_ops prior_cauchy = {
    .module = {.name = "cauchy",
               .summary = "Cauchy: very heavy tails",
               .formula = "p(z) = 1 / (pi scale (1 + (z/scale)^2))",
               .params = params},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .sample = sample,
    .kl_gaussian = kl_gaussian,
};
