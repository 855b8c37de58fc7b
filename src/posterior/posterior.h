/* SPDX-License-Identifier: MIT
 *
 * The interface of a reparameterized posterior q(z|x), factorised over dimensions: z = g(eps; a, b) with noise eps that
 * does not depend on the parameters. The encoder's first two heads give a and b (for the Gaussian: mean and
 * log-variance), n scalars each. A posterior that is not factorised has a `flow` (see flow.h): what is said here is
 * then the posterior q0(z0|x) whose draws it moves, and a third head is told to it. */
#ifndef VAE_POSTERIOR_H
#define VAE_POSTERIOR_H

#include "base/real.h"
#include "vae.h"

struct flow_ops;
struct posterior_state; /* completed privately by files of families with parameters */

enum { POSTERIOR_HEADS = 3 };

struct posterior_ops {
    vae_module module;
    const char *head[POSTERIOR_HEADS]; /* names of the heads' tensors */
    size_t state_size;                 /* bytes that the host allocates, zeroed, for posterior_state */
    bool heavy_tailed;                 /* q has no moments: its KL is finite only to priors with heavy tails */
    const struct flow_ops *flow;       /* NULL: the posterior is factorised */

    /* Optional. Derives the state from parameter values that were already range-checked. */
    void (*init)(struct posterior_state *state, const double *param);
    /* Optional: do the exact KLs of priors hold for these parameter values? NULL: for all. */
    bool (*has_exact_kl)(const double *param);
    /* Optional: no |eps| is larger, and q(z) is zero beyond, of which log_prob does not know. NULL: there is no end. */
    double (*reach)(const struct posterior_state *state);
    /* Noise of this family from random words. */
    void (*noise)(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps);
    /* scale[i] = exp-like function of b[i]; computed once and handed to the rest. */
    void (*scale)(size_t n, const real *b, real *scale);
    /* z = g(eps; a, scale). */
    void (*draw)(size_t n, const real *a, const real *scale, const real *eps, real *z);
    /* Adds weight * dz * (dz/da, dz/db) to da, db. */
    void (*backward)(size_t n, const real *scale, const real *eps, const real *dz, real weight, real *da, real *db);
    /* Entropy H(q) of each dimension and its derivative in b (that in a is zero: these are location-scale families). */
    void (*entropy)(const struct posterior_state *state, size_t n, const real *b, real *entropy, real *db);
    /* log q(z) at z = g(eps; a, b), and d log q / dz there. */
    void (*log_prob)(const struct posterior_state *state, size_t n, const real *b, const real *scale, const real *eps,
                     real *logq, real *dz);
};

const struct posterior_ops *posterior_at(size_t i);
const struct posterior_ops *posterior_find(const char *name);

/* All posteriors: src/posterior/NAME.c defines posterior_NAME. */
#define POSTERIORS(X) X(gaussian) X(cauchy) X(iaf)

#define DECLARE_POSTERIOR(name) extern const struct posterior_ops posterior_##name;
POSTERIORS(DECLARE_POSTERIOR)
#undef DECLARE_POSTERIOR

#endif
