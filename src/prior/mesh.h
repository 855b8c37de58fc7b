/* SPDX-License-Identifier: MIT
 *
 * The mesh on which a density of one latent is integrated: panels of v = log |z|, on both sides of zero, with
 * Gauss-Legendre nodes. So spikes and power laws are both resolved, and zero, where there may be a kink, is no point of
 * it. Cells are numbered from the lowest z to the highest; |z| goes from 1e-14 to 5e18, whose square a float still
 * holds. */
#ifndef VAE_MESH_H
#define VAE_MESH_H

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

enum { NODES = 8, FINENESS = 32, FIRST = -32, LAST = 43, PANELS = (LAST - FIRST) * FINENESS, CELLS = 2 * PANELS };
enum { FAR = 1000000 }; /* |z| up to which log p and its slope have to be finite */

static const double node[NODES] = {-0.9602898564975362317, -0.7966664774136267396, -0.5255324099163289858,
                                   -0.1834346424956498049, 0.1834346424956498049,  0.5255324099163289858,
                                   0.7966664774136267396,  0.9602898564975362317};
static const double weight[NODES] = {0.1012285362903762591, 0.2223810344533744705, 0.3137066458778872873,
                                     0.3626837833783619830, 0.3626837833783619830, 0.3137066458778872873,
                                     0.2223810344533744705, 0.1012285362903762591};

static inline size_t panel_of(size_t cell) { return cell < PANELS ? PANELS - 1 - cell : cell - PANELS; }

/* z at the place x of a cell, x from -1, its end at smaller |z|, to 1. */
static inline double place(size_t cell, double x)
{
    const double size = exp(FIRST + ((double)panel_of(cell) + (1 + x) / 2) / FINENESS);
    return cell < PANELS ? -size : size;
}

/* Panels from the first one to |z|, at the most all of them. */
static inline double panels_to(double z) { return fmin(fmax((log(fabs(z)) - FIRST) * FINENESS, 0), PANELS); }

static inline size_t cell_of(double z)
{
    const double panels = fmin(panels_to(z), PANELS - 1);
    return z < 0 ? PANELS - 1 - (size_t)panels : PANELS + (size_t)panels;
}

/* The mass p(z) |z| dv of a node. Far out, where the squares of a scaled z overflow, what is not a number has no mass.
 */
static inline double mass_at(double z, double logp) { return isnan(logp) && fabs(z) > FAR ? 0 : exp(logp) * fabs(z); }

#endif
