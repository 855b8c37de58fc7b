/* SPDX-License-Identifier: MIT */
#include "net/dense.h"

#include <cblas.h>
#include <string.h>

#include "base/simd.h"

enum { VECTOR = 16, MAX_TILES = 64 };

/* Into how many tiles of columns a product of that size is cut. A function of the problem, never of the number of
 * threads, as another cut gives other bits. Each tile packs the other operand again, which costs a few per cent of a
 * small product, so there are two tiles at first and more as products grow. */
static size_t tiles_for(size_t rows, size_t columns, size_t depth)
{
    const double flops = 2.0 * (double)rows * (double)columns * (double)depth;
    const size_t widest = (columns + VECTOR - 1) / VECTOR;
    size_t tiles = flops < 5e5 ? 1 : flops < 4e7 ? 2 : flops < 2e8 ? 4 : (size_t)(flops / 5e7);
    if (tiles > MAX_TILES) tiles = MAX_TILES;
    return tiles < widest ? tiles : widest;
}

struct span tile_span(size_t n, size_t tiles, size_t tile)
{
    const size_t vectors = (n + VECTOR - 1) / VECTOR;
    size_t begin = vectors * tile / tiles * VECTOR, end = vectors * (tile + 1) / tiles * VECTOR;
    return (struct span){begin < n ? begin : n, end < n ? end : n};
}

struct product {
    const struct dense *layer;
    const real *params, *from, *x;
    const struct sparse *sparse;
    const struct activation *below;
    real *to;
    size_t rows, tiles;
};

static void forward_tile(void *context, size_t tile)
{
    const struct product *job = context;
    const struct dense *layer = job->layer;
    const struct span s = tile_span(layer->out, job->tiles, tile);
    const real *weight = job->params + layer->weight, *bias = job->params + layer->bias + s.begin;
    const size_t width = s.end - s.begin;
    if (job->sparse)
        sparse_forward(job->sparse, job->rows, weight, layer->out, s, job->to);
    else
        BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)job->rows, (int)width, (int)layer->in, 1, job->from,
     (int)layer->in, weight + s.begin, (int)layer->out, 0, job->to + s.begin, (int)layer->out);
    for (size_t r = 0; r < job->rows; r++) layer->activation->forward(width, bias, job->to + r * layer->out + s.begin);
}

void dense_forward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *x,
                   const struct sparse *sparse, real *y)
{
    struct product job = {.layer = layer, .params = params, .from = x, .sparse = sparse, .to = y, .rows = rows};
    job.tiles = tiles_for(rows, layer->out, layer->in);
    pool_run(pool, layer->forward, job.tiles, forward_tile, &job);
}

static void backward_tile(void *context, size_t tile)
{
    const struct product *job = context;
    const struct dense *layer = job->layer;
    const struct span s = tile_span(layer->in, job->tiles, tile);
    const size_t width = s.end - s.begin;
    BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, (int)job->rows, (int)width, (int)layer->out, 1, job->from,
     (int)layer->out, job->params + layer->weight + s.begin * layer->out, (int)layer->out, 0, job->to + s.begin,
     (int)layer->in);
    for (size_t r = 0; r < job->rows; r++)
        job->below->backward(width, job->x + r * layer->in + s.begin, job->to + r * layer->in + s.begin);
}

void dense_backward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *dy,
                    const struct activation *below, const real *x, real *dx)
{
    struct product job = {.layer = layer, .params = params, .from = dy, .x = x, .below = below, .to = dx, .rows = rows};
    job.tiles = tiles_for(rows, layer->in, layer->out);
    pool_run(pool, layer->backward, job.tiles, backward_tile, &job);
}

size_t dense_gradient_tiles(const struct dense *layer, size_t rows) { return tiles_for(layer->out, layer->in, rows); }

struct span dense_weight_span(const struct dense *layer, size_t tiles, size_t tile)
{
    return tile_span(layer->in, tiles, tile);
}

struct span dense_bias_span(const struct dense *layer, size_t tiles, size_t tile)
{
    return tile_span(layer->out, tiles, tile);
}

VAE_SIMD static void add_row(size_t width, const real *row, real *sum)
{
    for (size_t i = 0; i < width; i++) sum[i] += row[i];
}

void dense_gradient(const struct dense *layer, size_t rows, const real *x, const struct sparse *sparse, const real *dy,
                    struct span weight, struct span bias, real *grad)
{
    const size_t width = bias.end - bias.begin;
    real *dw = grad + layer->weight + weight.begin * layer->out, *db = grad + layer->bias + bias.begin;
    if (sparse)
        sparse_gradient(sparse, rows, dy, layer->out, weight, dw);
    else
        BLAS(gemm)
    (CblasRowMajor, CblasTrans, CblasNoTrans, (int)(weight.end - weight.begin), (int)layer->out, (int)rows, 1,
     x + weight.begin, (int)layer->in, dy, (int)layer->out, 0, dw, (int)layer->out);
    memset(db, 0, width * sizeof *db);
    for (size_t r = 0; r < rows; r++) add_row(width, dy + r * layer->out + bias.begin, db);
}
