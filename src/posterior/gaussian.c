/* SPDX-License-Identifier: MIT
 *
 * Diagonal Gaussian posterior with heads a = mu and b = log s^2 (Kingma & Welling 2014, section 2.4):
 *
 *     z = mu + s eps,  eps ~ N(0, 1),  s = exp(b/2)         dz/dmu = 1,  dz/db = s eps / 2
 *     H(q) = (b + log 2 pi e)/2                             dH/db = 1/2
 *     log q(z) = -(eps^2 + b + log 2 pi)/2                  d/dz = -eps/s */
#include "posterior/gaussian.h"

#include "base/rng.h"
#include "base/simd.h"

VAE_SIMD void gaussian_noise(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps)
{
    (void)state;
    for (size_t i = 0; i < n; i++) eps[i] = rng_normal(bits[i]);
}

VAE_SIMD void gaussian_scale(size_t n, const real *b, real *s)
{
    for (size_t i = 0; i < n; i++) s[i] = vm_exp(R(0.5) * b[i]);
}

void gaussian_draw(size_t n, const real *a, const real *s, const real *eps, real *z)
{
    for (size_t i = 0; i < n; i++) z[i] = a[i] + s[i] * eps[i];
}

void gaussian_backward(size_t n, const real *s, const real *eps, const real *dz, real weight, real *da, real *db)
{
    for (size_t i = 0; i < n; i++) {
        real d = weight * dz[i];
        da[i] += d;
        db[i] += d * R(0.5) * s[i] * eps[i];
    }
}

void gaussian_entropy(const struct posterior_state *state, size_t n, const real *b, real *h, real *db)
{
    (void)state;
    for (size_t i = 0; i < n; i++) {
        h[i] = R(0.5) * b[i] + R(1.41893853320467274178);
        db[i] = R(0.5);
    }
}

void gaussian_log_prob(const struct posterior_state *state, size_t n, const real *b, const real *s, const real *eps,
                       real *logq, real *dz)
{
    (void)state;
    const real least = R(1e-18);
    for (size_t i = 0; i < n; i++) {
        logq[i] = R(-0.5) * (eps[i] * eps[i] + b[i]) - R(0.91893853320467274178);
        dz[i] = -eps[i] / (s[i] > least ? s[i] : least);
    }
}

const struct posterior_ops posterior_gaussian = {
    .module = {.name = "gaussian",
               .summary = "diagonal Gaussian, encoder gives mean and log-variance",
               .formula = "q(z|x) = N(z; mu, exp(logvar)), z = mu + exp(logvar/2) eps"},
    .head = {"mu", "logvar"},
    .noise = gaussian_noise,
    .scale = gaussian_scale,
    .draw = gaussian_draw,
    .backward = gaussian_backward,
    .entropy = gaussian_entropy,
    .log_prob = gaussian_log_prob,
};
