/* SPDX-License-Identifier: MIT
 *
 * A dense network, and what some rows leave behind on their way through it. */
#ifndef VAE_NET_H
#define VAE_NET_H

#include "base/memory.h"
#include "net/dense.h"

enum { NET_LAYERS = VAE_MAX_LIST + 1 };

/* Shapes and offsets; the weights are in the block of parameters. */
struct net {
    size_t classes; /* of labels, which the first layer is given beside its input; 0: none */
    size_t layers;
    struct dense layer[NET_LAYERS];
};

struct run {
    const struct net *net;
    size_t capacity, rows;            /* most rows; those of the last net_forward */
    const real *x;                    /* (rows, in) input, */
    const struct sparse *sparse;      /* its nonzeros, or NULL where it is taken as dense, */
    struct labels label;              /* and labels, where the network has classes */
    struct row_bias bias;             /* of the first layer, in net_forward_rows */
    struct output output[NET_LAYERS]; /* of each layer */
    /* (rows, columns) of the loss, before each layer's activation. The caller provides the last one, which may be in
     * place of the last output. */
    real *gradient[NET_LAYERS];
};

/* Memory for the way forward, and for the way back. */
void run_lay_out(struct run *run, struct arena *arena);
void run_lay_out_backward(struct run *run, struct arena *arena);

/* The output (rows, out) of the last layer. */
static inline real *run_result(const struct run *run) { return run->output[run->net->layers - 1].y; }

/* The outputs of the last layer. */
static inline size_t net_out(const struct net *net) { return net->layer[net->layers - 1].out; }

/* The most columns of a layer, or of the input. */
size_t net_width(const struct net *net);

void net_forward(struct pool *pool, const real *params, struct run *run, size_t rows);
/* From the last layer's gradient to those of the layers before it and, unless it is NULL, to dx (rows, in). */
void net_backward(struct pool *pool, const real *params, struct run *run, real *dx);

/* The same for some of the rows and on one thread: what belongs to them alone is read and written, in buffers of all
 * rows. Forward does not set run->rows. */
void net_forward_rows(const real *params, struct run *run, struct span rows);
void net_backward_rows(const real *params, struct run *run, struct span rows, real *dx);

/* A part of the gradient of layer i: see dense_gradient. `add`: to what is there. */
void run_gradient(const struct run *run, size_t i, struct span weight, struct span bias, bool add, real *grad);

#endif
