/* SPDX-License-Identifier: MIT
 *
 * Random numbers without state: word i of a stream is a pure function of (seed, stream, step, i), by Philox4x32-10
 * (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011). Any thread may make any word, in any order.
 */
#ifndef VAE_RNG_H
#define VAE_RNG_H

#include <Random123/philox.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"
#include "base/vmath.h"

/* One number a purpose; part of what a seed means, so never renumber. */
enum rng_stream {
    RNG_INIT = 0,       /* weight initialisation; step = index of the tensor */
    RNG_SHUFFLE = 1,    /* order of the images; step = epoch */
    RNG_POSTERIOR = 2,  /* eps of q(z|x) in training; step = training step */
    RNG_PRIOR = 3,      /* draws from p(z) */
    RNG_EVAL = 4,       /* eps of q(z|x) in an evaluation; step = block of images */
    RNG_HOLDOUT = 5,    /* which images of a single file are held out */
    RNG_DIGITS = 6,     /* builtin:digits; step = index of the image */
    RNG_BINARIZE = 7,   /* pixels drawn from their grey value; step: see model_pixels */
    RNG_VALIDATION = 8, /* which training images become the validation split */
    RNG_NLL = 9,        /* eps of importance samples; step = block of images */
    RNG_OWN = 10,       /* a prior's own draws; step = training step, or round of an evaluation */
    RNG_FIT = 12,       /* eps of q(z|x) where a prior is fitted; step = its step */
    RNG_ACCEPT = 11,    /* acceptance of draws from a resampled prior; step = draw */
    RNG_DRAWN = 13,     /* built-in sets of real numbers; step = number of the image */
    RNG_AGGREGATE = 14, /* whose posterior a draw from the aggregate is from */
    RNG_DATA = 15,      /* draws from p(x|z) */
    RNG_DECOMPOSE = 16, /* eps of q(z|x) where the KL is decomposed; step = block of draws */
    RNG_CLUSTER = 17,   /* seeds of k-means; step = start */
    RNG_PROPOSAL = 18,  /* draws of a proposal of several parts */
    RNG_AIS = 19,       /* moves of chains; step = temperature */
    RNG_AIS_BACK = 20,  /* the same from the posterior to the proposal */
    RNG_AIS_TUNE = 21,  /* the same of the pilot */
};

struct rng {
    uint64_t seed, step;
    enum rng_stream stream;
};

static inline void rng_block(const struct rng *rng, uint64_t block, uint32_t word[4])
{
    philox4x32_ctr_t counter = {{(uint32_t)block, (uint32_t)(block >> 32) ^ ((uint32_t)rng->stream << 24),
                                 (uint32_t)rng->step, (uint32_t)(rng->step >> 32)}};
    philox4x32_key_t key = {{(uint32_t)rng->seed, (uint32_t)(rng->seed >> 32)}};
    philox4x32_ctr_t out = philox4x32(counter, key);
    for (int i = 0; i < 4; i++) word[i] = out.v[i];
}

/* Words first .. first+n-1 of the stream. */
void rng_words(const struct rng *rng, uint64_t first, size_t n, uint32_t *out);

/* A random permutation of 0 .. n-1 (Fisher-Yates). */
void rng_permutation(const struct rng *rng, size_t n, uint32_t *order);

/* (word + 1/2) / 2^32, in (0,1), exact in double. */
static inline double rng_uniform(uint32_t word) { return ((double)word + 0.5) * 0x1p-32; }

/* Quantile of N(0,1) at rng_uniform(word). With p the smaller tail and w = -log(4p(1-p)), erf^-1(1-2p) = (1-2p) P(w); P
 * in two pieces from M. Giles, "Approximating the erfinv function", GPU Computing Gems (2011), table 5 (single
 * precision). The smaller tail is taken from integers, so the two tails mirror each other. Relative error of the tail
 * probability below 1e-5, but for the 128 outermost words at each end, where |z| is between 5.4 and 6.34 and the fit is
 * extrapolated. */
VAE_INLINE real rng_normal(uint32_t word)
{
    uint32_t low = word & 0x7fffffffu;
    uint32_t tail = word >> 31 ? 0x7fffffffu - low : low;
    real p = (R((int32_t)tail) + R(0.5)) * R(0x1p-32);
    real w = -vm_log(R(4) * p * (R(1) - p)) - R(2.5);
    real v = (w > R(2.5) ? vm_sqrt(w + R(2.5)) : R(2.0)) - R(3);
    real a = R(2.81022636e-08), b = R(-0.000200214257);
    a = a * w + R(3.43273939e-07), b = b * v + R(0.000100950558);
    a = a * w + R(-3.5233877e-06), b = b * v + R(0.00134934322);
    a = a * w + R(-4.39150654e-06), b = b * v + R(-0.00367342844);
    a = a * w + R(0.00021858087), b = b * v + R(0.00573950773);
    a = a * w + R(-0.00125372503), b = b * v + R(-0.0076224613);
    a = a * w + R(-0.00417768164), b = b * v + R(0.00943887047);
    a = a * w + R(0.246640727), b = b * v + R(1.00167406);
    a = a * w + R(1.50140941), b = b * v + R(2.83297682);
    real z = R(1.41421356237) * (R(1) - R(2) * p) * (w > R(2.5) ? b : a);
    return word >> 31 ? z : -z;
}

#endif
