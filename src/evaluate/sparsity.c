/* SPDX-License-Identifier: MIT */
#include "evaluate/sparsity.h"

#include <math.h>

static double hoyer_of_row(size_t L, const float *mean, const double *scale)
{
    double sum = 0, squares = 0;
    size_t d = 0;
    for (size_t j = 0; j < L; j++) {
        if (scale && scale[j] <= 0) continue;
        const double m = fabs((double)mean[j]) / (scale ? scale[j] : 1);
        sum += m;
        squares += m * m;
        d++;
    }
    if (d < 2) return NAN;
    if (squares <= 0) return 0;
    return (sqrt((double)d) - sum / sqrt(squares)) / (sqrt((double)d) - 1);
}

double hoyer(size_t n, size_t L, const float *mean, const double *scale)
{
    double total = 0;
    for (size_t i = 0; i < n; i++) total += hoyer_of_row(L, mean + i * L, scale);
    return total / (double)n;
}

/* As a function of log s^2. */
static double idle_kl(const struct vae_model *model, double logvar)
{
    const real a = 0, b = R(logvar);
    real kl, da, db;
    model->exact(model->prior_state, 1, &a, &b, &kl, &da, &db);
    return (double)kl;
}

/* There may be two minima, one in the spike and one in the slab: the better one is found by a scan, then narrowed. */
double kl_floor(const struct vae_model *model)
{
    enum { POINTS = 240, ROUNDS = 40 };
    const double lowest = -20, step = 40.0 / POINTS;
    if (!model->exact) return NAN;
    double best = lowest;
    for (int i = 1; i <= POINTS; i++)
        if (idle_kl(model, lowest + i * step) < idle_kl(model, best)) best = lowest + i * step;
    double low = best - step, high = best + step;
    for (int i = 0; i < ROUNDS; i++) {
        const double left = low + (high - low) / 3, right = high - (high - low) / 3;
        if (idle_kl(model, left) < idle_kl(model, right))
            high = right;
        else
            low = left;
    }
    return fmax(0, idle_kl(model, 0.5 * (low + high)));
}
