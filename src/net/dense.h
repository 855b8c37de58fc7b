/* SPDX-License-Identifier: MIT
 *
 * A dense layer y = f(x W^T + b), W [out, in] as in PyTorch's nn.Linear. Parameters live in one block that the model
 * owns; a layer knows its offsets. Every matrix product is cut into tiles whose number depends on the shape alone (see
 * tiles_for). */
#ifndef VAE_DENSE_H
#define VAE_DENSE_H

#include "base/pool.h"
#include "base/real.h"
#include "net/activation.h"

struct dense {
    size_t in, out;
    const struct activation *activation;
    size_t weight, bias; /* offsets in the parameter block: [out, in] and [out] */
};

/* x (rows,in) -> y (rows,out). */
void dense_forward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *x,
                   real *y);

/* dy (rows,out), the gradient before this layer's activation -> dx (rows,in), the gradient before the activation
 * `below` that made x. */
void dense_backward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *dy,
                    const struct activation *below, const real *x, real *dx);

/* The weight gradient is cut by rows of W: tile t holds outputs [begin, end). */
struct span {
    size_t begin, end;
};
size_t dense_gradient_tiles(const struct dense *layer, size_t rows);
struct span dense_gradient_span(const struct dense *layer, size_t tiles, size_t tile);
/* grad[W rows in span] = dy^T x, grad[b in span] = column sums of dy. `grad` is a block like the parameters. */
void dense_gradient(const struct dense *layer, size_t rows, const real *x, const real *dy, struct span span,
                    real *grad);

/* Part `tile` of `n` things cut into `tiles` parts at multiples of the vector width. */
struct span tile_span(size_t n, size_t tiles, size_t tile);

#endif
