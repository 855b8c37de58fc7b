/* SPDX-License-Identifier: MIT
 *
 * A dense layer y = f(x W + b). Its sums have one column an output, or two where f is gated (all h, then all g). W is
 * stored [in, columns], the transpose of PyTorch's nn.Linear (the model file has
 * PyTorch's layout): the weights of one input are contiguous, which is what a sparse input needs. Parameters live in
 * one block that the model owns; a layer knows its offsets. Every product is cut into tiles whose number depends on the
 * shape alone (see tiles_for).
 *
 * Rows may come with labels. A layer of C classes is that of x and the one-hot label, side by side: W has C more rows,
 * one for each class, and the sums of a row get that of its label. */
#ifndef VAE_DENSE_H
#define VAE_DENSE_H

#include "base/pool.h"
#include "base/real.h"
#include "net/activation.h"
#include "net/sparse.h"

struct dense {
    char forward[24], backward[24]; /* names of its phases, for profiles */
    size_t in, out, classes;        /* classes 0: it looks at no labels */
    const struct activation *activation;
    size_t weight, bias; /* offsets in the parameter block: [in + classes, columns] and [columns] */
    bool unbiased;       /* it has no bias of its own */
};

/* Rows of W. */
static inline size_t dense_rows(const struct dense *layer) { return layer->in + layer->classes; }

static inline size_t dense_columns(const struct dense *layer) { return layer->activation->parts * layer->out; }

/* What a layer computed: pre (rows, columns of the layer) and y (rows, out), the same where the activation is
 * elementwise. */
struct output {
    real *pre, *y;
};

/* Labels below `classes`: that of row r is at[r % n], as draws of the same images lie one batch behind the other. */
struct labels {
    const uint8_t *at;
    size_t n;
};

/* What a layer is given: x (rows,in), its nonzeros or NULL where it is taken as dense, and the labels of its rows. */
struct input {
    const real *x;
    const struct sparse *sparse;
    struct labels label;
};

void dense_forward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, struct input x,
                   struct output to);

/* d (rows,columns), the gradient before this layer's activation -> dx (rows, in * below->parts), the gradient before
 * the activation `below` that made x. */
void dense_backward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *d,
                    const struct activation *below, struct output x, real *dx);

/* Instead of the layer's own bias: row r of the product has row r % period of `value` (period, columns). */
struct row_bias {
    const real *value; /* NULL: the layer's own */
    size_t period;
};

/* The same for some rows of dense x without labels, on the calling thread. */
void dense_forward_rows(const struct dense *layer, const real *params, struct span rows, const real *x,
                        struct row_bias bias, struct output to);
void dense_backward_rows(const struct dense *layer, const real *params, struct span rows, const real *d,
                         const struct activation *below, struct output x, real *dx);

/* The weight gradient is cut into tiles: rows of W, and beside them a part of b. */
size_t dense_gradient_tiles(const struct dense *layer, size_t rows);
struct span dense_weight_span(const struct dense *layer, size_t tiles, size_t tile);
struct span dense_bias_span(const struct dense *layer, size_t tiles, size_t tile);
/* grad[W] = x^T d in the rows of `weight`, of which those of a class are sums of d over the rows with its label, and
 * grad[b] = column sums of d in `bias`; `add`: in addition to what is there, which needs dense x without labels. `grad`
 * is a block like the parameters. */
void dense_gradient(const struct dense *layer, size_t rows, struct input x, const real *d, struct span weight,
                    struct span bias, bool add, real *grad);

/* Part `tile` of `n` things cut into `tiles` parts at multiples of the vector width. */
struct span tile_span(size_t n, size_t tiles, size_t tile);

#endif
