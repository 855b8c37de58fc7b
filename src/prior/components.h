/* SPDX-License-Identifier: MIT
 *
 * Mixtures of K Gaussians with diagonal covariances over whole vectors, whoever owns their means and deviations:
 *
 *     log p(z) = logsumexp_k g_k,   g_k = log pi_k - sum_j [log(2 pi)/2 + l_kj + (z_j - m_kj)^2 e^(-2 l_kj) / 2]
 *     r_k = softmax_k g_k           d log p / dz_j    = -sum_k r_k u_kj,   u_kj = (z_j - m_kj) e^(-2 l_kj)
 *     d log p / d log pi_k = r_k    d log p / d m_kj  = r_k u_kj
 *                                   d log p / d l_kj  = r_k [(z_j - m_kj) u_kj - 1]
 *
 * The squares are taken directly. (As two matrix products, of z^2 and of z, they would be differences of large numbers:
 * in single precision that costs 0.04 nats where components are narrow.) */
#ifndef VAE_COMPONENTS_H
#define VAE_COMPONENTS_H

#include "prior/joint.h"

enum { GROUP = 32 }; /* components whose exponents are added up together, in registers */

struct components {
    size_t K, L, padded;    /* K rounded up to whole groups */
    real *constant;         /* (padded) log pi_k - sum_j (log(2 pi)/2 + l_kj); -inf in the padding */
    real *mean, *precision; /* (K,L) m and e^(-2l) */
    real *packed;           /* (groups, L, 2, GROUP) m and e^(-2l)/2 of the components of a group, latent by latent */
    size_t stride;          /* of a row of responsibilities: an odd number of cache lines, so that a column of them does
                             * not fall into the same few sets of a cache */
    real *responsibility;   /* (rows of the tape, stride): r_k, and behind `backward` weight * r_k */
};

void components_lay_out(struct components *c, size_t K, const struct density *d, struct arena *arena);
/* From log pi (K) and component k's m and l (L each) at m + k*apart, l + k*apart. The factor on l is 1 for a
 * log-deviation and 1/2 for a log-variance. */
void components_derive(struct components *c, const real *log_weight, const real *m, const real *l, size_t apart,
                       real factor);
void components_log_prob(struct components *c, struct span rows, const real *z, double *logp);
void components_backward(struct components *c, struct span rows, const real *z, const real *weight, real *dz);
/* Gradients of component k over all rows of the tape: of m and l (L each), and of log pi_k. z: of the batch. */
real components_learn(const struct components *c, const struct density *d, size_t k, const real *z, real factor,
                      real *dm, real *dl);
/* n draws, the first with the random numbers of place `place`, the next with those of the next: one word chooses the
 * component, others make noise, which is multiplied by the temperature. */
void components_draw(const struct components *c, const real *log_weight, real temperature, const struct rng *rng,
                     size_t n, size_t place, real *z);

#endif
