/* SPDX-License-Identifier: MIT
 *
 * Standard normal prior, p(z) = N(z; 0, 1) (Kingma & Welling, "Auto-Encoding Variational Bayes", 2014, appendix B).
 *
 *     log p(z) = -z^2/2 - log(2 pi)/2                    d/dz = -z
 *     KL(N(mu, s^2) || p) = (mu^2 + s^2 - 1 - log s^2)/2      d/dmu = mu,  d/dlog s^2 = (s^2 - 1)/2
 *
 * A known answer is in a table below. */
#include "base/rng.h"
#include "base/simd.h"
#include "prior/prior.h"

struct prior_state {
    char unused;
};

static void init(struct prior_state *state, const double *param) { (void)state, (void)param; }

static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad)
{
    (void)state;
    for (size_t i = 0; i < n; i++) {
        logp[i] = R(-0.5) * z[i] * z[i] - R(0.91893853320467274178);
        grad[i] = -z[i];
    }
}

VAE_SIMD static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    (void)state;
    for (size_t i = 0; i < n; i++) z[i] = rng_normal(bits[i][0]);
}

VAE_SIMD static void kl_gaussian(const struct prior_state *state, size_t n, const real *mu, const real *logvar,
                                 real *kl, real *dmu, real *dlogvar)
{
    (void)state;
    for (size_t i = 0; i < n; i++) {
        real var = vm_exp(logvar[i]);
        kl[i] = R(0.5) * (mu[i] * mu[i] + var - R(1) - logvar[i]);
        dmu[i] = mu[i];
        dlogvar[i] = R(0.5) * (var - R(1));
    }
}

static const vae_known known[] = {
    VAE_KL_OF(1.3, 0.4, 1.3412907, 0),
    {0},
};

const struct prior_ops prior_normal = {
    .module = {.name = "normal", .summary = "standard normal", .formula = "p(z) = N(z; 0, 1)"},
    .state_size = sizeof(struct prior_state),
    .init = init,
    .log_prob = log_prob,
    .words = 1,
    .sample = sample,
    .exact = {{"gaussian", true, kl_gaussian}},
    .known = known,
};
