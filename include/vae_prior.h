/* SPDX-License-Identifier: MIT
 *
 * What a plug-in prior is: a shared object with one symbol, `vae_prior_plugin`. `vaectl priors --template NAME` writes
 * a complete one; docs/plugins.md goes from there to a trained model. In C or C++.
 *
 * A prior is factorised, p(z) = prod_j p(z_j), and a plug-in gives p of one latent dimension, a scalar. Callbacks work
 * on n scalars, wherever they come from in the (B,L) matrix, and scalar i of each array belongs to scalar i of the
 * others. Densities are in nats: log p is the natural logarithm of a density that integrates to one.
 *
 * Ownership: every array belongs to the caller; callbacks read n elements of the const ones, write n of the others, and
 * keep no pointer. The table and all that it points at must last as long as the process: a plug-in is never unloaded.
 *
 * Threads: callbacks may be called by several threads at once, with the same state. They are pure functions of state
 * and arguments: the same call gives the same bits, at any n (n scalars at once and one by one), changes nothing but
 * its outputs, allocates nothing and calls nothing that does.
 *
 * Numbers: arrays are float, parameters double. log p and its slope must be finite wherever |z| <= 1e6, and so for a
 * latent that is not a number log p must not be a number: that is how a diverged training is noticed. `vaectl priors
 * --check FILE.so` holds a prior to all of this. */
#ifndef VAE_PRIOR_PLUGIN_H
#define VAE_PRIOR_PLUGIN_H

#include "vae.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Changes with any change of the structs here, of vae_module or of vae_param. */
#define VAE_PRIOR_ABI 1

/* (word + 1/2) / 2^32, in (0,1): a uniform random number from a random word. */
static inline double vae_uniform(uint32_t word) { return ((double)word + 0.5) / 4294967296.0; }

/* A known answer that `priors --check` asks for: log p(z), or KL(N(z, sd^2) || p). */
enum { VAE_KNOWN_END, VAE_KNOWN_LOG_P, VAE_KNOWN_KL };
typedef struct vae_known {
    int what; /* VAE_KNOWN_END ends a table */
    double z, sd;
    double value;                 /* to seven decimals at least */
    double param[VAE_MAX_PARAMS]; /* values of the parameters, in the order of their table */
} vae_known;

/* Rows of such a table; the values of the parameters come last, a 0 where there are none. */
#define VAE_LOG_P(z, value, ...)                                                                                       \
    {                                                                                                                  \
        VAE_KNOWN_LOG_P, z, 0, value, { __VA_ARGS__ }                                                                  \
    }
#define VAE_KL_OF(mean, sd, value, ...)                                                                                \
    {                                                                                                                  \
        VAE_KNOWN_KL, mean, sd, value, { __VA_ARGS__ }                                                                 \
    }

/* Completed privately by the plug-in: what it derives from its parameters. */
struct vae_prior_state;

struct vae_prior_v1 {
    uint32_t abi;  /* VAE_PRIOR_ABI */
    uint32_t size; /* sizeof(struct vae_prior_v1) */

    /* Names have letters, digits, - and _, a letter first, and less than VAE_MAX_NAME of them. The prior's is that of
     * no built-in prior, a parameter's that of no setting (`vaectl train --help` lists both). The name is what model
     * files record. */
    vae_module module;
    size_t state_size; /* bytes of vae_prior_state, which the host allocates, zeroed and aligned to 64 bytes */

    /* Required. Derives the state from parameter values within their ranges, in the order of their table. Called once
     * for each state, before any other; a state stays where it is. */
    void (*init)(struct vae_prior_state *state, const double *param);
    /* Required. logp[i] = log p(z[i]) and slope[i] = d log p / dz at z[i]. */
    void (*log_prob)(const struct vae_prior_state *state, size_t n, const float *z, float *logp, float *slope);
    /* Required. n independent draws; bits[i] are four random words for draw i alone. Finite for any words. */
    void (*sample)(const struct vae_prior_state *state, size_t n, const uint32_t (*bits)[4], float *z);
    /* Optional: the exact KL(N(mean, s^2) || p), logvar = log s^2, and its derivatives in mean and logvar. NULL: it is
     * taken by Monte Carlo. With it, the setting kl may be exact. */
    void (*kl_gaussian)(const struct vae_prior_state *state, size_t n, const float *mean, const float *logvar,
                        float *kl, float *dmean, float *dlogvar);

    const vae_known *known; /* optional */
    /* Does -log p(z) grow like log |z|, and no faster? Then a Cauchy posterior goes with it. */
    bool heavy_tailed;
};

/* Data and not a function, so that nothing of a plug-in has to run before its ABI is known. */
extern VAE_API const struct vae_prior_v1 vae_prior_plugin;

#ifdef __cplusplus
}
#endif
#endif
