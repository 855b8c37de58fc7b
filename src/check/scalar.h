/* SPDX-License-Identifier: MIT
 *
 * A density of a scalar on the mesh of prior/mesh.h. With a and b the ends of a panel in v = log |z|,
 *
 *     sum over panels of  integral p(z) |z| dv = 1,   log p(b) - log p(a) = integral slope(z) z dv
 *
 * (a difference over a whole panel, and not of neighbouring floats, so that rounding does not hide a wrong slope). */
#ifndef VAE_SCALAR_H
#define VAE_SCALAR_H

#include "check/findings.h"
#include "prior/mesh.h"

enum { INNER = CELLS * NODES, POINTS = INNER + CELLS + 2 };

struct scalar {
    real z[POINTS], logp[POINTS], slope[POINTS]; /* nodes of all cells, then their ends */
    double mass[CELLS];
};

void scalar_lay(struct scalar *s);
/* Masses of the cells, from log p at the nodes. Returns their sum. */
double scalar_integrate(struct scalar *s);
/* Of the slope in one cell, relative to what rounding log p can do. */
double scalar_slope_error(const struct scalar *s, size_t cell);

#endif
