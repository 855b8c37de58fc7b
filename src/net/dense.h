/* SPDX-License-Identifier: MIT
 *
 * A dense layer y = f(x W + b). W is stored [in, out], the transpose of PyTorch's nn.Linear (the model file has
 * PyTorch's layout): the weights of one input are contiguous, which is what a sparse input needs. Parameters live in
 * one block that the model owns; a layer knows its offsets. Every product is cut into tiles whose number depends on the
 * shape alone (see tiles_for). */
#ifndef VAE_DENSE_H
#define VAE_DENSE_H

#include "base/pool.h"
#include "base/real.h"
#include "net/activation.h"
#include "net/sparse.h"

struct dense {
    char forward[24], backward[24]; /* names of its phases, for profiles */
    size_t in, out;
    const struct activation *activation;
    size_t weight, bias; /* offsets in the parameter block: [in, out] and [out] */
};

/* x (rows,in) -> y (rows,out). `sparse`: the nonzeros of x, or NULL where x is dense. */
void dense_forward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *x,
                   const struct sparse *sparse, real *y);

/* dy (rows,out), the gradient before this layer's activation -> dx (rows,in), the gradient before the activation
 * `below` that made x. */
void dense_backward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *dy,
                    const struct activation *below, const real *x, real *dx);

/* The weight gradient is cut into tiles: rows of W, and beside them a part of b. */
size_t dense_gradient_tiles(const struct dense *layer, size_t rows);
struct span dense_weight_span(const struct dense *layer, size_t tiles, size_t tile);
struct span dense_bias_span(const struct dense *layer, size_t tiles, size_t tile);
/* grad[W] = x^T dy in the rows of `weight`, grad[b] = column sums of dy in `bias`. `grad` is a block like the
 * parameters. */
void dense_gradient(const struct dense *layer, size_t rows, const real *x, const struct sparse *sparse, const real *dy,
                    struct span weight, struct span bias, real *grad);

/* Part `tile` of `n` things cut into `tiles` parts at multiples of the vector width. */
struct span tile_span(size_t n, size_t tiles, size_t tile);

#endif
