/* SPDX-License-Identifier: MIT */
#include "net/net.h"

void run_lay_out(struct run *run, struct arena *arena)
{
    for (size_t i = 0; i < run->net->layers; i++) {
        const struct dense *layer = &run->net->layer[i];
        run->output[i].y = run->output[i].pre = arena_take(arena, run->capacity * layer->out, sizeof(real));
        if (dense_columns(layer) > layer->out)
            run->output[i].pre = arena_take(arena, run->capacity * dense_columns(layer), sizeof(real));
    }
}

void run_lay_out_backward(struct run *run, struct arena *arena)
{
    for (size_t i = 0; i + 1 < run->net->layers; i++)
        run->gradient[i] = arena_take(arena, run->capacity * dense_columns(&run->net->layer[i]), sizeof(real));
}

size_t net_width(const struct net *net)
{
    size_t widest = net->layer[0].in;
    for (size_t i = 0; i < net->layers; i++)
        if (dense_columns(&net->layer[i]) > widest) widest = dense_columns(&net->layer[i]);
    return widest;
}

static struct input input_of(const struct run *run, size_t i)
{
    return i ? (struct input){.x = run->output[i - 1].y} : (struct input){run->x, run->sparse, run->label};
}

void net_forward(struct pool *pool, const real *params, struct run *run, size_t rows)
{
    run->rows = rows;
    for (size_t i = 0; i < run->net->layers; i++)
        dense_forward(pool, &run->net->layer[i], params, rows, input_of(run, i), run->output[i]);
}

void net_backward(struct pool *pool, const real *params, struct run *run, real *dx)
{
    const struct net *net = run->net;
    for (size_t i = net->layers - 1; i > 0; i--)
        dense_backward(pool, &net->layer[i], params, run->rows, run->gradient[i], net->layer[i - 1].activation,
                       run->output[i - 1], run->gradient[i - 1]);
    if (dx) /* an input has no activation, which is to say the identity, and that looks at nothing */
        dense_backward(pool, &net->layer[0], params, run->rows, run->gradient[0], &activation_identity,
                       (struct output){dx, dx}, dx);
}

void net_forward_rows(const real *params, struct run *run, struct span rows)
{
    for (size_t i = 0; i < run->net->layers; i++)
        dense_forward_rows(&run->net->layer[i], params, rows, input_of(run, i).x, i ? (struct row_bias){0} : run->bias,
                           run->output[i]);
}

void net_backward_rows(const real *params, struct run *run, struct span rows, real *dx)
{
    const struct net *net = run->net;
    for (size_t i = net->layers - 1; i > 0; i--)
        dense_backward_rows(&net->layer[i], params, rows, run->gradient[i], net->layer[i - 1].activation,
                            run->output[i - 1], run->gradient[i - 1]);
    if (dx)
        dense_backward_rows(&net->layer[0], params, rows, run->gradient[0], &activation_identity,
                            (struct output){dx, dx}, dx);
}

void run_gradient(const struct run *run, size_t i, struct span weight, struct span bias, bool add, real *grad)
{
    dense_gradient(&run->net->layer[i], run->rows, input_of(run, i), run->gradient[i], weight, bias, add, grad);
}
