/* SPDX-License-Identifier: MIT
 *
 * Means of few values, with confidence intervals by Student's t. For nu degrees of freedom and t = sqrt(nu) tan(a),
 * 0 <= a < pi/2, a finite sum (Abramowitz & Stegun, "Handbook of mathematical functions", 26.7.3 and 26.7.4) gives
 *
 *     P(|T| < t) = sin a (1 + 1/2 cos^2 a + 1*3/(2*4) cos^4 a + ... + cos^(nu-2) a)                   nu even
 *     P(|T| < t) = 2/pi (a + sin a (cos a + 2/3 cos^3 a + 2*4/(3*5) cos^5 a + ... + cos^(nu-2) a))    nu odd */
#include <math.h>

#include "vae.h"

static const double HALF_PI = 1.57079632679489661923;

/* P(|T| < sqrt(nu) tan a). */
static double probability_within(double a, size_t nu)
{
    const bool odd = nu % 2;
    const double c = cos(a);
    double sum = 0, term = odd ? c : 1;
    for (size_t k = odd; k + 2 <= nu; k += 2) { /* term: that of cos^k */
        sum += term;
        term *= c * c * (double)(k + 1) / (double)(k + 2);
    }
    return odd ? (a + sin(a) * sum) / HALF_PI : sin(a) * sum;
}

/* t with P(|T| < t) = confidence, by bisection. */
static double t_of(double confidence, size_t nu)
{
    double low = 0, high = HALF_PI;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;
        if (probability_within(middle, nu) < confidence)
            low = middle;
        else
            high = middle;
    }
    return sqrt((double)nu) * tan(low);
}

void vae_mean_of(vae_mean *out, size_t n, const double *values, double confidence)
{
    double mean = 0, squares = 0;
    for (size_t i = 0; i < n; i++) mean += values[i] / (double)n;
    for (size_t i = 0; i < n; i++) squares += (values[i] - mean) * (values[i] - mean);
    const double sd = n > 1 ? sqrt(squares / (double)(n - 1)) : (double)NAN;
    const double half = n > 1 ? t_of(confidence, n - 1) * sd / sqrt((double)n) : (double)NAN;
    *out = (vae_mean){.n = n, .mean = n ? mean : (double)NAN, .sd = sd, .low = mean - half, .high = mean + half};
}
