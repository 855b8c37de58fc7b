/* SPDX-License-Identifier: MIT */
#include "check/scalar.h"

/* Among the points: the end of a cell that is nearer to zero, and the other. */
static size_t inner_end(size_t cell) { return INNER + cell + 1; }
static size_t outer_end(size_t cell) { return cell < PANELS ? INNER + cell : INNER + cell + 2; }

void scalar_lay(struct scalar *s)
{
    for (size_t cell = 0; cell < CELLS; cell++) {
        for (size_t k = 0; k < NODES; k++) s->z[cell * NODES + k] = R(place(cell, node[k]));
        s->z[inner_end(cell)] = R(place(cell, -1));
        s->z[outer_end(cell)] = R(place(cell, 1));
    }
}

double scalar_integrate(struct scalar *s)
{
    double sum = 0;
    for (size_t cell = 0; cell < CELLS; cell++) {
        s->mass[cell] = 0;
        for (size_t i = cell * NODES, k = 0; k < NODES; i++, k++)
            s->mass[cell] += weight[k] * mass_at((double)s->z[i], (double)s->logp[i]) / (2 * FINENESS);
        sum += s->mass[cell];
    }
    return sum;
}

double scalar_slope_error(const struct scalar *s, size_t cell)
{
    const double from = (double)s->logp[inner_end(cell)], to = (double)s->logp[outer_end(cell)];
    double integral = 0;
    for (size_t i = cell * NODES, k = 0; k < NODES; i++, k++)
        integral += weight[k] * (double)s->slope[i] * (double)s->z[i] / (2 * FINENESS);
    return fabs(to - from - integral) / (1 + fabs(from) + fabs(to));
}
