/* SPDX-License-Identifier: MIT
 *
 * The interface of a flow: a learned invertible map from the draws z0 of a factorised posterior q0 to those of the
 * posterior, z = f(z0; context), where the context is one more head of the encoder:
 *
 *     log q(z) = log q0(z0) - log |det dz/dz0|
 *
 * Its callbacks are serial code over a span, and never see a thread: the host cuts and calls. Spans of rows are draws,
 * sample-major, so that row r is a draw of image r % images; spans of images are rows of the context. */
#ifndef VAE_FLOW_H
#define VAE_FLOW_H

#include "base/memory.h"
#include "base/pool.h"
#include "net/block.h"
#include "net/net.h"

enum { FLOW_NETS = 16 };

/* What a flow has brought into the block of parameters. */
struct flow_nets {
    const double *param; /* values of the posterior's parameters */
    size_t L, C;         /* latent dimension, width of the context */
    size_t nets;
    struct net net[FLOW_NETS];
    bool of_context[FLOW_NETS]; /* does it run on the context, once an image, or on the draws? */
};

/* A flow at work: memory of the forward pass for the backward pass (a tape). Everything here is the host's but `tape`.
 */
struct flow {
    const struct flow_ops *ops;
    const struct flow_nets *nets;
    const real *params;
    size_t L, images, draws;   /* most images and draws of each; */
    bool learns;               /* is there memory for the way back? */
    struct run run[FLOW_NETS]; /* of each network; the flow's lay_out sets `x` */
    real *context, *d_context; /* (images, C) and the gradient of the loss */
    struct tape *tape;         /* completed privately by each flow's file */
};

static inline size_t flow_rows(const struct flow *flow) { return flow->images * flow->draws; }

struct flow_ops {
    size_t size; /* bytes of struct tape */

    /* Width of the context. */
    size_t (*context)(const double *param);
    /* Brings networks into the block. */
    void (*declare)(struct flow_nets *nets, struct block *block);
    /* Memory for so many images and draws, and the inputs of the networks. */
    void (*lay_out)(struct flow *flow, struct arena *arena);
    /* What follows from the context alone. */
    void (*condition)(struct flow *flow, struct span images);
    /* z0 -> z, in its place, and adds log |det dz/dz0| of each row to log_det, unless that is NULL. */
    void (*forward)(struct flow *flow, struct span rows, real *z, double *log_det);
    /* z -> z0, in its place. Writes over the tape. */
    void (*inverse)(struct flow *flow, struct span rows, real *z);
    /* For a loss with weight * log_det: dz -> dz0, in its place. Leaves on the tape what the gradients of the networks
     * and of the context need. */
    void (*backward)(struct flow *flow, struct span rows, const real *weight, real *dz);
    /* The gradient of the context, summed over the draws of an image in their order; likewise. */
    void (*condition_backward)(struct flow *flow, struct span images);
};

#endif
