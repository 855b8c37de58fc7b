/* SPDX-License-Identifier: MIT
 *
 * Sums over pixels. A float sum has one order or it has no defined bits: pixel i goes to lane i mod LANES, lanes are
 * added in double from the first to the last. Sixteen lanes let every instruction set add in vectors, all with the same
 * result. Images of more pixels are summed in parts, which are added in double: a float would lose whole nats. */
#ifndef VAE_LANES_H
#define VAE_LANES_H

#include <stddef.h>

#include "base/real.h"

enum { LANES = 16, PIXELS_AT_ONCE = 64 * LANES };

/* How many pixels the part that begins at pixel i has. */
static inline size_t lanes_pixels(size_t D, size_t i) { return D - i < PIXELS_AT_ONCE ? D - i : PIXELS_AT_ONCE; }

static inline double lanes_sum(const real lane[LANES])
{
    double sum = 0;
    for (int i = 0; i < LANES; i++) sum += (double)lane[i];
    return sum;
}

#endif
