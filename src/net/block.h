/* SPDX-License-Identifier: MIT
 *
 * The block of parameters: every learned number of a model, whoever owns it, lies in one array. Networks and
 * distributions take room in it when a model is made, and name their tensors; storage, Adam, clipping and the model
 * file see the tensors alone. */
#ifndef VAE_BLOCK_H
#define VAE_BLOCK_H

#include <string.h>

#include "base/real.h"
#include "net/net.h"

enum { MAX_TENSORS = 320, TENSOR_NAME = 32 };

/* Where a tensor's values come from before training. */
enum start {
    START_WEIGHT, /* drawn as the setting `init` says */
    START_BIAS,   /* likewise; zero but for PyTorch's rule */
    START_NORMAL, /* N(0, spread^2) */
    START_VALUE,  /* `spread` everywhere */
};

/* A named view of the block. */
struct tensor {
    char name[TENSOR_NAME];
    size_t rank, dim[2], count, offset;
    size_t stride[2]; /* elements of the block between neighbours along each dimension */
    enum start start;
    double spread;
    double rate;            /* factor on the learning rate; 0: no gradient moves it */
    double lowest, highest; /* values that it may have */
    /* Which weights are there; the others are zero and stay so. NULL: all. */
    bool (*keeps)(const struct tensor *tensor, size_t out, size_t in);
};

struct block {
    size_t size; /* elements, padding between tensors included */
    size_t tensors;
    struct tensor tensor[MAX_TENSORS];
};

/* Where in the block element k of a tensor is. */
static inline size_t tensor_at(const struct tensor *tensor, size_t k)
{
    if (tensor->rank < 2) return tensor->offset + k;
    return tensor->offset + k / tensor->dim[1] * tensor->stride[0] + k % tensor->dim[1] * tensor->stride[1];
}

static inline bool tensor_is_of_prior(const struct tensor *tensor) { return !strncmp(tensor->name, "prior.", 6); }
/* The tensor of that name, or NULL. */
const struct tensor *block_find(const struct block *block, const char *name);

/* Room for a tensor of rows x columns, row-major (columns 0: a vector of `rows`); the caller may then set start,
 * spread, rate and bounds. */
struct tensor *block_add(struct block *block, const char *name, size_t rows, size_t columns);

/* Appends a layer to a network. Its tensors are called SIDE.INDEX.weight and .bias, and SIDE.INDEX.gate.* for the
 * second sum of a gated activation. */
struct dense *block_add_layer(struct block *block, struct net *net, const char *side, size_t in, size_t out,
                              const struct activation *activation);
/* The same for a layer without activation whose outputs are `heads` named parts. */
void block_add_heads(struct block *block, struct net *net, size_t in, size_t heads, const char *const *name,
                     const size_t *width);
/* The same for a layer without bias: its tensor is called NAME.weight. */
void block_add_product(struct block *block, struct net *net, const char *name, size_t in, size_t out,
                       const struct activation *activation);

#endif
