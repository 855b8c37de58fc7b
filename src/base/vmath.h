/* SPDX-License-Identifier: MIT
 *
 * exp, log, log1p, tanh and relatives in plain C that vectorises: no branches, no tables, no libm. Scalar and vector
 * code give the same bits, and bits do not move with the C library. Coefficients are our own minimax fits (Lawson's
 * algorithm; relative weight); tests/unit/test_vmath.c holds them to their stated errors. In the double build these are
 * libm's functions. */
#ifndef VAE_VMATH_H
#define VAE_VMATH_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "base/real.h"
#include "base/simd.h"

#ifdef VAE_DOUBLE

VAE_INLINE real vm_exp(real x) { return exp(x); }
VAE_INLINE real vm_log(real x) { return log(x); }
VAE_INLINE real vm_log1p_unit(real t) { return log1p(t); }
VAE_INLINE real vm_tanh(real x) { return tanh(x); }
VAE_INLINE real vm_sqrt(real x) { return sqrt(x); }
VAE_INLINE real vm_erf(real x) { return erf(x); }

#else

VAE_INLINE float vm_sqrt(float x) { return sqrtf(x); }

VAE_INLINE uint32_t vm_bits(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

VAE_INLINE float vm_float(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* e^x = 2^n e^r, n = round(x / log 2), |r| <= log(2)/2. 2^n is applied in two halves so that subnormal results and
 * those next to overflow come out right. At most 1.05 ulp; exp(-inf) = 0, exp(inf) = inf, NaN stays. */
VAE_INLINE float vm_exp(float x)
{
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer, kept in the low bits */
    float y = x > 89.0f ? 89.0f : x;
    y = y < -104.0f ? -104.0f : y;
    float biased = fmaf(y, 1.44269504f, shift);
    float n = biased - shift;
    float r = fmaf(n, -0.693145752f, y); /* log 2 in two parts, the first with trailing zeros */
    r = fmaf(n, -1.42860677e-6f, r);
    float q = fmaf(0.00139505405f, r, 0.00836891787f);
    q = fmaf(q, r, 0.0416662051f);
    q = fmaf(q, r, 0.166665186f);
    q = fmaf(q, r, 0.50000001f);
    float p = fmaf(r * r, q, r) + 1.0f;
    uint32_t k = vm_bits(biased) - vm_bits(shift); /* n as two's complement */
    uint32_t half = (k + 256u) / 2u - 128u;        /* floor(n / 2) without signed shifts; n >= -151 */
    return p * vm_float((half + 127u) << 23) * vm_float((k - half + 127u) << 23);
}

/* log x = e log 2 + log m, m in [sqrt(1/2), sqrt(2)), log(1+f) = f - f^2/2 + f^3 P(f). For normal x > 0 under 1 ulp. */
VAE_INLINE float vm_log(float x)
{
    uint32_t u = vm_bits(x);
    uint32_t k = (u - 0x3f3504f3u) >> 23;          /* exponent of x / sqrt(1/2), biased by 256 for x < that */
    float e = (float)(int32_t)((k ^ 256u) - 256u); /* 9-bit two's complement to float */
    float f = vm_float(u - (k << 23)) - 1.0f;
    float p = fmaf(0.0691542711f, f, -0.117898357f);
    p = fmaf(p, f, 0.118729646f);
    p = fmaf(p, f, -0.123843429f);
    p = fmaf(p, f, 0.14218659f);
    p = fmaf(p, f, -0.166692512f);
    p = fmaf(p, f, 0.200022266f);
    p = fmaf(p, f, -0.249999866f);
    p = fmaf(p, f, 0.333333104f);
    float f2 = f * f;
    float small = fmaf(e, -2.12194440e-4f, fmaf(f2, -0.5f, f * f2 * p));
    float y = fmaf(e, 0.693359375f, f + small);
    return x < INFINITY ? y : x; /* also NaN */
}

/* log(1 + t) for t in [0, 1]: the rounding of 1 + t is given back. */
VAE_INLINE float vm_log1p_unit(float t)
{
    float u = 1.0f + t;
    return vm_log(u) + (t - (u - 1.0f)) / u;
}

/* Near zero an odd polynomial, elsewhere 1 - 2 / (e^2|x| + 1). */
VAE_INLINE float vm_tanh(float x)
{
    float a = fabsf(x), s = x * x;
    float p = fmaf(-0.00571704495f, s, 0.0206505872f);
    p = fmaf(p, s, -0.0537434981f);
    p = fmaf(p, s, 0.133314913f);
    p = fmaf(p, s, -0.333332839f);
    float near = fmaf(a * s, p, a);
    float far = 1.0f - 2.0f / (vm_exp(2.0f * a) + 1.0f);
    return copysignf(a < 0.625f ? near : far, x);
}

/* Abramowitz & Stegun, "Handbook of mathematical functions", 7.1.26. Absolute error below 5e-7, of which 1.5e-7 is
 * theirs. */
VAE_INLINE float vm_erf(float x)
{
    float a = fabsf(x), t = 1.0f / (1.0f + 0.3275911f * a);
    float p = fmaf(1.061405429f, t, -1.453152027f);
    p = fmaf(p, t, 1.421413741f);
    p = fmaf(p, t, -0.284496736f);
    p = fmaf(p, t, 0.254829592f);
    return copysignf(1.0f - p * t * vm_exp(-a * a), x);
}

#endif

/* 1 / (1 + e^-x) without overflow. */
VAE_INLINE real vm_sigmoid(real x)
{
    real t = vm_exp(x < 0 ? x : -x);
    return (x < 0 ? t : R(1)) / (R(1) + t);
}

/* log(1 + e^x) without overflow. */
VAE_INLINE real vm_softplus(real x) { return (x > 0 ? x : R(0)) + vm_log1p_unit(vm_exp(x < 0 ? x : -x)); }

/* log(e^a + e^b); either may be -inf. */
VAE_INLINE real vm_logaddexp(real a, real b)
{
    real hi = a > b ? a : b, lo = a > b ? b : a;
    return hi + vm_log1p_unit(vm_exp(lo - hi));
}

#endif
