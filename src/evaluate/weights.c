/* SPDX-License-Identifier: MIT */
#include "evaluate/weights.h"

#include <math.h>

void weights_add(struct weights *w, double log_weight)
{
    if (log_weight == -(double)INFINITY) return;
    if (log_weight > w->most) {
        const double shrink = exp(w->most - log_weight);
        w->sum *= shrink;
        w->squares *= shrink * shrink;
        w->most = log_weight;
    }
    const double relative = exp(log_weight - w->most);
    w->sum += relative;
    w->squares += relative * relative;
}

/* To second order log mean w has the variance v of mean w / E w, and an expectation that is v/2 below log p(x). Here
 * sum w^2 / (sum w)^2 - 1/S = v (S-1)/S, as the variance is taken around the mean of the same draws. */
double weight_totals_add(struct weight_totals *t, const struct weights *w, size_t draws)
{
    const double nll = -(w->most + log(w->sum / (double)draws));
    t->nll += nll;
    t->square += nll * nll;
    t->noise += w->squares / (w->sum * w->sum) - 1 / (double)draws;
    return nll;
}

struct weight_summary weight_totals_summary(const struct weight_totals *t, size_t images, size_t draws, double common)
{
    const double n = (double)images, mean = t->nll / n, variance = t->square / n - mean * mean;
    const double S = (double)draws, noise = draws > 1 ? fmax(0, t->noise) * S / (S - 1) : (double)NAN;
    return (struct weight_summary){.nll = mean,
                                   .se = images > 1 ? sqrt(fmax(0, variance) / (n - 1)) : (double)NAN,
                                   .mc_se = hypot(sqrt(noise) / n, common),
                                   .bias = (noise / n - common * common) / 2,
                                   .effective = 1 / (t->noise / n + 1 / S)};
}
