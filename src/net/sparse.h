/* SPDX-License-Identifier: MIT
 *
 * Products with a matrix x (rows, D) that is mostly zeros, as images of strokes are: only a fifth of MNIST's pixels are
 * ink. The nonzeros of a row are listed when the row is gathered; those of a column when its weights are updated. Sums
 * run in the order of rows and columns, so results do not depend on who computes them. */
#ifndef VAE_SPARSE_H
#define VAE_SPARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/real.h"

struct span {
    size_t begin, end;
};

struct sparse {
    size_t D, capacity;  /* columns; rows that there is room for */
    uint32_t *row_count; /* (capacity) nonzeros of each row */
    uint32_t *column;    /* (capacity, D) their columns, ascending, */
    real *row_value;     /* (capacity, D) and their values */
    /* Scratch for sparse_gradient, which makes the list of each column. */
    uint32_t *column_count; /* (D) */
    uint32_t *row;          /* (D, capacity) */
    real *column_value;     /* (D, capacity) */
};

/* Lists the nonzeros of row `row`, whose D values are at x. */
void sparse_list_row(const struct sparse *sparse, size_t row, const real *x);

/* y = x W for W (D, out), in rows `rows` and columns `columns` of y (.., out). */
void sparse_forward(const struct sparse *sparse, struct span rows, const real *weight, size_t out, struct span columns,
                    real *y);

/* dw = x^T dy for the columns `inputs` of x: dw (inputs, out) starts at inputs.begin. Writes their part of the scratch.
 */
void sparse_gradient(const struct sparse *sparse, size_t rows, const real *dy, size_t out, struct span inputs,
                     real *dw);

#endif
