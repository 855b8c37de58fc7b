/* SPDX-License-Identifier: MIT
 *
 * The interface of a latent prior p(z), factorised over dimensions: p(z) = prod_j p(z_j). A prior is one file that ends
 * in a `const struct prior_ops`, listed in registry.c. All callbacks work on n scalars, wherever they come from in the
 * (B,L) matrix. */
#ifndef VAE_PRIOR_H
#define VAE_PRIOR_H

#include "base/real.h"
#include "vae.h"

struct prior_state; /* completed privately by each prior's file */

struct prior_ops {
    vae_module module;
    size_t state_size; /* bytes that the host allocates, zeroed, for prior_state */

    /* Required. Derives the state from parameter values that were already range-checked. */
    void (*init)(struct prior_state *state, const double *param);
    /* Required. logp[i] = log p(z[i]) and grad[i] = d log p / dz. */
    void (*log_prob)(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad);
    /* Required. n draws; bits[i] are four random words for draw i alone. */
    void (*sample)(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z);

    /* Optional (NULL: Monte Carlo only). KL(N(mu, exp(logvar)) || p) with its two derivatives, in closed form or by
     * quadrature; and whether `--kl auto` means it. */
    bool exact_by_default;
    void (*kl_gaussian)(const struct prior_state *state, size_t n, const real *mu, const real *logvar, real *kl,
                        real *dmu, real *dlogvar);
};

const struct prior_ops *prior_at(size_t i); /* NULL past the last */
const struct prior_ops *prior_find(const char *name);

extern const struct prior_ops prior_normal, prior_spikeslab, prior_laplace, prior_cauchy;

#endif
