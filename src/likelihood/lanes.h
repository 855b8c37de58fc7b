/* SPDX-License-Identifier: MIT
 *
 * Sums over pixels. A float sum has one order or it has no defined bits: pixel i goes to lane i mod LANES, lanes are
 * added in double from the first to the last. Sixteen lanes let every instruction set add in vectors, all with the same
 * result. */
#ifndef VAE_LANES_H
#define VAE_LANES_H

#include "base/real.h"

enum { LANES = 16 };

static inline double lanes_sum(const real lane[LANES])
{
    double sum = 0;
    for (int i = 0; i < LANES; i++) sum += (double)lane[i];
    return sum;
}

#endif
