/* SPDX-License-Identifier: MIT
 *
 * Importance weights w of an image, E w = p(x), and what their mean says of -log p(x). */
#ifndef VAE_WEIGHTS_H
#define VAE_WEIGHTS_H

#include <stddef.h>

/* Their largest logarithm, and sums of w and w^2 in units of the largest, in double. Starts with most = -INFINITY. */
struct weights {
    double most, sum, squares;
};

void weights_add(struct weights *w, double log_weight);

/* Sums over images of -log mean w, of its square, and of the variance of mean w / E w. */
struct weight_totals {
    double nll, square, noise;
};

/* Returns -log mean w of the image, which has so many weights. */
double weight_totals_add(struct weight_totals *t, const struct weights *w, size_t draws);

/* Means over n images; see vae_nll. */
struct weight_summary {
    double nll, se, mc_se, bias, effective;
};

/* `common`: standard error e of log Z of a prior whose normaliser Z is estimated. It is the same for all images, so it
 * does not shrink with their number. E log Z-hat is log Z - e^2/2, by which nll is too low. */
struct weight_summary weight_totals_summary(const struct weight_totals *t, size_t n, size_t draws, double common);

#endif
