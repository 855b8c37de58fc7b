/* SPDX-License-Identifier: MIT */
#include "prior/joint.h"

struct dense *declare_net(struct declared *declared, struct block *block, const char *side, size_t in, size_t layers,
                          size_t width, const struct activation *activation, size_t out)
{
    struct net *net = &declared->net[declared->nets++];
    for (size_t i = 0; i < layers; i++) block_add_layer(block, net, side, i ? width : in, width, activation);
    return block_add_layer(block, net, side, layers ? width : in, out, &activation_identity);
}

struct tensor *declare_tensor(struct declared *declared, struct block *block, const char *name, size_t rows,
                              size_t columns)
{
    declared->tensor[declared->tensors++] = block->tensors;
    return block_add(block, name, rows, columns);
}
