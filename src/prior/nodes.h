/* SPDX-License-Identifier: MIT
 *
 * Quadrature for priors without a closed-form KL, in eps of z = m + s eps. The rule is the plainest there is: nodes at
 * equal distances (in a variable that suits the prior), all of the same weight. For a smooth integrand that vanishes at
 * both ends it converges exponentially (Trefethen & Weideman, "The exponentially convergent trapezoidal rule", SIAM
 * Review 56, 2014). Gauss-Hermite nodes do not: they miss a spike that is narrower than the posterior.
 *
 * We differentiate under the integral, with the same nodes. Since nodes move with m and s, this is not the exact
 * derivative of the sum; both approximate the derivative of the integral equally well. */
#ifndef VAE_NODES_H
#define VAE_NODES_H

#include "base/vmath.h"

/* Node k goes to sum k mod SUMS, so that vectors of any width add in the same order. */
enum { SUMS = 16, MOST_NODES = 256 };

/* Sums over nodes: of the integrand, of its derivative in z, of eps times that, of the weights. */
struct sums {
    real value[SUMS], slope[SUMS], moment[SUMS], weight[SUMS];
};

VAE_INLINE real sum_up(const real *sum)
{
    real total = 0;
    for (int i = 0; i < SUMS; i++) total += sum[i];
    return total;
}

/* Standard deviation from a log-variance, never so small that dividing by it overflows. */
VAE_INLINE real deviation(real logvar)
{
    const real s = vm_exp(R(0.5) * logvar), least = R(1e-18);
    return s > least ? s : least;
}

/* Nodes for an estimate, rounded up to whole vectors. */
static inline int whole_vectors(double nodes)
{
    const int n = nodes < MOST_NODES ? (int)nodes : MOST_NODES;
    return (n + SUMS - 1) / SUMS * SUMS;
}

#endif
