/* SPDX-License-Identifier: MIT
 *
 * Pareto-smoothed diagnosis of importance weights: k-hat, the shape of the generalised Pareto distribution that fits
 * the largest of S weights best (Vehtari, Simpson, Gelman, Yao & Gabry, "Pareto smoothed importance sampling", JMLR
 * 2024). 1/k is how many moments the weights have: at k > 1/2 the variance is infinite, and above VAE_KHAT_LIMIT so
 * many draws would be needed that a mean of weights cannot be trusted, nor what their sample says of its error. */
#ifndef VAE_PARETO_H
#define VAE_PARETO_H

#include <stddef.h>

/* The largest values of a row of them: the M that are the tail, and one more, from which the tail begins. */
struct tail {
    size_t most, n; /* M + 1, and how many there are */
    double *at;     /* (most) a heap, whose least is the first */
};

/* M = min(S/5, 3 sqrt S), rounded up, and one more; 0 where M is below 5, too few for a fit. */
size_t tail_size(size_t samples);
void tail_add(struct tail *tail, double value);

/* k-hat of weights whose logarithms are in the tail, which is sorted by it. NaN where it has no memory or is not full,
 * or the weights of the tail are all equal, as where the proposal is the posterior. */
double tail_khat(struct tail *tail);

/* Shape k of the generalised Pareto distribution of n > 4 sorted values above zero (Zhang & Stephens, "A new and
 * efficient estimation method for the generalized Pareto distribution", Technometrics 2009), drawn towards 1/2 as if by
 * ten values (Vehtari et al.). */
double pareto_shape(size_t n, const double *value);

#endif
