/* SPDX-License-Identifier: MIT */
#include "net/block.h"

#include <math.h>
#include <stdio.h>

enum { ALIGNMENT = 16 }; /* elements; tensors start at cache lines */

static size_t take(struct block *block, size_t count)
{
    size_t offset = block->size;
    block->size += (count + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return offset;
}

static struct tensor *append(struct block *block, struct tensor tensor)
{
    struct tensor *t = &block->tensor[block->tensors++];
    *t = tensor;
    t->rank = t->dim[1] ? 2 : 1;
    t->count = t->dim[0] * (t->dim[1] ? t->dim[1] : 1);
    t->rate = 1;
    t->lowest = -INFINITY;
    t->highest = INFINITY;
    return t;
}

const struct tensor *block_find(const struct block *block, const char *name)
{
    for (size_t i = 0; i < block->tensors; i++)
        if (!strcmp(block->tensor[i].name, name)) return &block->tensor[i];
    return NULL;
}

struct tensor *block_add(struct block *block, const char *name, size_t rows, size_t columns)
{
    struct tensor tensor = {.dim = {rows, columns}, .stride = {columns ? columns : 1, 1}, .start = START_VALUE};
    tensor.offset = take(block, rows * (columns ? columns : 1));
    snprintf(tensor.name, sizeof tensor.name, "%s", name);
    return append(block, tensor);
}

/* The part of a layer that makes outputs first .. first+out-1, as tensors MODULE.weight and MODULE.bias. */
static void name_tensors(struct block *block, const char *module, const struct dense *layer, size_t first, size_t out)
{
    struct tensor *weight = append(block, (struct tensor){.dim = {out, dense_rows(layer)},
                                                          .stride = {1, dense_columns(layer)},
                                                          .offset = layer->weight + first});
    weight->start = START_WEIGHT;
    snprintf(weight->name, sizeof weight->name, "%.23s.weight", module);
    if (layer->unbiased) return;
    struct tensor *bias = append(block, (struct tensor){.dim = {out}, .stride = {1}, .offset = layer->bias + first});
    bias->start = START_BIAS;
    snprintf(bias->name, sizeof bias->name, "%.23s.bias", module);
}

static struct dense *add_layer(struct block *block, struct net *net, const char *name, size_t in, size_t out,
                               const struct activation *activation, bool unbiased)
{
    struct dense *layer = &net->layer[net->layers++];
    *layer = (struct dense){.in = in, .out = out, .activation = activation, .unbiased = unbiased};
    if (net->layers == 1) layer->classes = net->classes;
    layer->weight = take(block, dense_columns(layer) * dense_rows(layer));
    layer->bias = take(block, unbiased ? 0 : dense_columns(layer));
    snprintf(layer->forward, sizeof layer->forward, "%.12s forward", name);
    snprintf(layer->backward, sizeof layer->backward, "%.12s backward", name);
    return layer;
}

struct dense *block_add_layer(struct block *block, struct net *net, const char *side, size_t in, size_t out,
                              const struct activation *activation)
{
    char name[TENSOR_NAME];
    const size_t index = net->layers;
    snprintf(name, sizeof name, "%s.%zu", side, index);
    struct dense *layer = add_layer(block, net, name, in, out, activation, false);
    name_tensors(block, name, layer, 0, out);
    if (activation->parts == 1) return layer;
    snprintf(name, sizeof name, "%s.%zu.gate", side, index);
    name_tensors(block, name, layer, out, out);
    return layer;
}

void block_add_heads(struct block *block, struct net *net, size_t in, size_t heads, const char *const *name,
                     const size_t *width)
{
    size_t out = 0, first = 0;
    for (size_t h = 0; h < heads; h++) out += width[h];
    const struct dense *layer = add_layer(block, net, "heads", in, out, &activation_identity, false);
    for (size_t h = 0; h < heads; first += width[h++]) name_tensors(block, name[h], layer, first, width[h]);
}

void block_add_product(struct block *block, struct net *net, const char *name, size_t in, size_t out,
                       const struct activation *activation)
{
    name_tensors(block, name, add_layer(block, net, name, in, out, activation, true), 0, out);
}
