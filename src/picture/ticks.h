/* SPDX-License-Identifier: MIT
 *
 * The range of an axis, and where its ticks are. */
#ifndef VAE_TICKS_H
#define VAE_TICKS_H

#include "picture/store.h"

/* Can it be drawn? Numbers so large that differences of them overflow are left out with those that are not finite. */
bool is_drawable(double value);

struct range {
    bool log;
    double low, high; /* low < high; on a logarithmic axis both are positive */
};

struct ticks {
    size_t n;
    double *at;
    const char **text;
};

/* Where a value is: 0 at the low end, 1 at the high one; NaN for what an axis cannot show, such as 0 on a logarithmic
 * one. Values far outside are put nearer, so that all places are small numbers. */
double range_place(const struct range *range, double value);
/* The value at a place. */
double range_value(const struct range *range, double place);
/* Ticks at round numbers, about so many; texts have as many decimals as their distance needs. */
struct ticks ticks_make(struct store *store, const struct range *range, size_t about);

#endif
