/* SPDX-License-Identifier: MIT */
#include "evaluate/pareto.h"

#include <math.h>
#include <stdlib.h>

enum { LEAST_TAIL = 5, GRID = 30, MOST_GRID = 256 };

static const double LEAST = 1e-300; /* for weights that are equal to the one before the tail, or vanish beside it */

size_t tail_size(size_t samples)
{
    const double S = (double)samples;
    const size_t M = (size_t)ceil(fmin(0.2 * S, 3 * sqrt(S)));
    return M < LEAST_TAIL ? 0 : M + 1;
}

static void swap(double *a, double *b)
{
    const double kept = *a;
    *a = *b;
    *b = kept;
}

static void sift_up(struct tail *tail)
{
    for (size_t i = tail->n - 1; i > 0 && tail->at[i] < tail->at[(i - 1) / 2]; i = (i - 1) / 2)
        swap(&tail->at[i], &tail->at[(i - 1) / 2]);
}

static void sift_down(struct tail *tail)
{
    for (size_t i = 0, least; 2 * i + 1 < tail->n; i = least) {
        least = 2 * i + 1;
        if (least + 1 < tail->n && tail->at[least + 1] < tail->at[least]) least++;
        if (tail->at[i] <= tail->at[least]) return;
        swap(&tail->at[i], &tail->at[least]);
    }
}

void tail_add(struct tail *tail, double value)
{
    if (tail->n < tail->most) {
        tail->at[tail->n++] = value;
        sift_up(tail);
    } else if (tail->most && value > tail->at[0]) {
        tail->at[0] = value;
        sift_down(tail);
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double tail_khat(struct tail *tail)
{
    if (!tail->most || tail->n < tail->most) return NAN;
    qsort(tail->at, tail->n, sizeof *tail->at, ascending);
    const double most = tail->at[tail->n - 1], begin = tail->at[0];
    if (!isfinite(begin) || !(most > begin)) return NAN;
    for (size_t i = 1; i < tail->n; i++) tail->at[i] = fmax(LEAST, exp(tail->at[i] - most) - exp(begin - most));
    return pareto_shape(tail->n - 1, tail->at + 1);
}

/* The shape k that is the likeliest for a given theta = -k/sigma. */
static double mean_log(double theta, size_t n, const double *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += log1p(-theta * x[i]);
    return sum / (double)n;
}

/* The mean of theta over a grid, weighted by its profile likelihood l, and the shape there. */
double pareto_shape(size_t n, const double *x)
{
    const double N = (double)n, quartile = x[(size_t)(N / 4 + 0.5) - 1], largest = x[n - 1];
    double theta[MOST_GRID], l[MOST_GRID], most = -INFINITY, sum = 0, mean = 0;
    size_t grid = GRID + (size_t)sqrt(N);
    if (grid > MOST_GRID) grid = MOST_GRID;
    for (size_t j = 0; j < grid; j++) {
        theta[j] = 1 / largest + (1 - sqrt((double)grid / ((double)j + 0.5))) / (3 * quartile);
        const double k = mean_log(theta[j], n, x);
        l[j] = N * (log(-theta[j] / k) - k - 1);
        if (isnan(l[j])) l[j] = -INFINITY; /* theta = k = 0, one point of a grid */
        if (l[j] > most) most = l[j];
    }
    for (size_t j = 0; j < grid; j++) {
        const double weight = exp(l[j] - most);
        sum += weight;
        mean += weight * theta[j];
    }
    return (N * mean_log(mean / sum, n, x) + 10 * 0.5) / (N + 10);
}
