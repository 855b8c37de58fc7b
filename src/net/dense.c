/* SPDX-License-Identifier: MIT */
#include "net/dense.h"

#include <cblas.h>
#include <string.h>

#include "base/simd.h"

enum { VECTOR = 16, MAX_TILES = 64 };

static const double LARGE = 4e7; /* operations from which on a product has more than two tiles */

/* Cuts are a function of the problem, never of the number of threads, as another cut gives other bits. Each tile packs
 * the operand that is not cut again, which costs a few per cent of a small product, so there are two tiles at first and
 * more as products grow: one for every `grain` operations. */
static size_t tiles_for(size_t side, double flops, double grain)
{
    const size_t widest = (side + VECTOR - 1) / VECTOR;
    size_t tiles = flops < 5e5 ? 1 : flops < LARGE ? 2 : flops < 4 * grain ? 4 : (size_t)(flops / grain);
    if (tiles > MAX_TILES) tiles = MAX_TILES;
    return tiles < widest ? tiles : widest;
}

static double flops_of(size_t m, size_t n, size_t k) { return 2.0 * (double)m * (double)n * (double)k; }

struct span tile_span(size_t n, size_t tiles, size_t tile)
{
    const size_t vectors = (n + VECTOR - 1) / VECTOR;
    size_t begin = vectors * tile / tiles * VECTOR, end = vectors * (tile + 1) / tiles * VECTOR;
    return (struct span){begin < n ? begin : n, end < n ? end : n};
}

/* A result is cut along its columns, or, where that is longer and the product large, along its rows: what each tile
 * packs again is then the smaller operand. */
struct area {
    struct span rows, columns;
};

static bool is_cut_by_rows(size_t rows, size_t columns, size_t depth)
{
    return rows > columns && flops_of(rows, columns, depth) > LARGE;
}

static size_t area_tiles(size_t rows, size_t columns, size_t depth)
{
    return tiles_for(is_cut_by_rows(rows, columns, depth) ? rows : columns, flops_of(rows, columns, depth), 5e7);
}

static struct area tile_area(size_t rows, size_t columns, size_t depth, size_t tiles, size_t tile)
{
    if (is_cut_by_rows(rows, columns, depth)) return (struct area){tile_span(rows, tiles, tile), {0, columns}};
    return (struct area){{0, rows}, tile_span(columns, tiles, tile)};
}

struct product {
    const struct dense *layer;
    const real *params, *from;
    const struct sparse *sparse;
    struct labels label;
    const struct activation *below;
    struct output x; /* of the layer below */
    struct row_bias bias;
    struct output to;
    real *dx;
    size_t rows, tiles;
};

VAE_SIMD static void add_row(size_t width, const real *row, real *sum)
{
    for (size_t i = 0; i < width; i++) sum[i] += row[i];
}

/* The row of W that belongs to the label of row r. */
static size_t label_place(const struct dense *layer, struct labels label, size_t r)
{
    return layer->in + label.at[r % label.n];
}

/* Adds it to the sums of row r, in `columns`. */
static void add_label(const struct product *job, size_t r, struct span columns)
{
    const size_t width = dense_columns(job->layer), place = label_place(job->layer, job->label, r);
    add_row(columns.end - columns.begin, job->params + job->layer->weight + place * width + columns.begin,
            job->to.pre + r * width + columns.begin);
}

/* The same outputs of every part: an activation needs all sums of an output. */
static void forward_area(const struct product *job, struct area a)
{
    const struct dense *layer = job->layer;
    const size_t columns = dense_columns(layer), in = layer->in, out = layer->out;
    const struct span r = a.rows, s = a.columns;
    const real *weight = job->params + layer->weight, *own = job->params + layer->bias, *rows = job->bias.value;
    for (size_t part = 0; part < columns; part += out) {
        const struct span c = {part + s.begin, part + s.end};
        if (job->sparse)
            sparse_forward(job->sparse, r, weight, columns, c, job->to.pre);
        else
            BLAS(gemm)
        (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)(r.end - r.begin), (int)(c.end - c.begin), (int)in, 1,
         job->from + r.begin * in, (int)in, weight + c.begin, (int)columns, 0,
         job->to.pre + r.begin * columns + c.begin, (int)columns);
        for (size_t i = r.begin; i < r.end && layer->classes; i++) add_label(job, i, c);
    }
    for (size_t i = r.begin; i < r.end; i++)
        layer->activation->forward(s.end - s.begin, out, (rows ? rows + i % job->bias.period * columns : own) + s.begin,
                                   job->to.pre + i * columns + s.begin, job->to.y + i * out + s.begin);
}

static void forward_tile(void *context, size_t tile)
{
    const struct product *job = context;
    forward_area(job, tile_area(job->rows, job->layer->out, job->layer->in, job->tiles, tile));
}

void dense_forward_rows(const struct dense *layer, const real *params, struct span rows, const real *x,
                        struct row_bias bias, struct output to)
{
    const struct product job = {.layer = layer, .params = params, .from = x, .bias = bias, .to = to};
    forward_area(&job, (struct area){rows, {0, layer->out}});
}

void dense_forward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, struct input x,
                   struct output to)
{
    struct product job = {.layer = layer, .params = params, .from = x.x, .sparse = x.sparse, .label = x.label};
    job.to = to;
    job.rows = rows;
    job.tiles = area_tiles(rows, layer->out, layer->in);
    pool_run(pool, layer->forward, job.tiles, forward_tile, &job);
}

static void backward_area(const struct product *job, struct area a)
{
    const struct dense *layer = job->layer;
    const size_t columns = dense_columns(layer), in = layer->in, width = in * job->below->parts;
    const struct span r = a.rows, s = a.columns;
    BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasTrans, (int)(r.end - r.begin), (int)(s.end - s.begin), (int)columns, 1,
     job->from + r.begin * columns, (int)columns, job->params + layer->weight + s.begin * columns, (int)columns, 0,
     job->dx + r.begin * width + s.begin, (int)width);
    for (size_t i = r.begin; i < r.end; i++)
        job->below->backward(s.end - s.begin, in, job->x.pre + i * width + s.begin, job->x.y + i * in + s.begin,
                             job->dx + i * width + s.begin);
}

static void backward_tile(void *context, size_t tile)
{
    const struct product *job = context;
    backward_area(job, tile_area(job->rows, job->layer->in, dense_columns(job->layer), job->tiles, tile));
}

void dense_backward_rows(const struct dense *layer, const real *params, struct span rows, const real *d,
                         const struct activation *below, struct output x, real *dx)
{
    const struct product job = {.layer = layer, .params = params, .from = d, .x = x, .below = below, .dx = dx};
    backward_area(&job, (struct area){rows, {0, layer->in}});
}

void dense_backward(struct pool *pool, const struct dense *layer, const real *params, size_t rows, const real *d,
                    const struct activation *below, struct output x, real *dx)
{
    struct product job = {.layer = layer, .params = params, .from = d, .x = x, .below = below, .dx = dx, .rows = rows};
    job.tiles = area_tiles(rows, layer->in, dense_columns(layer));
    pool_run(pool, layer->backward, job.tiles, backward_tile, &job);
}

/* Fewer than of other products: those of all layers are at work together. */
size_t dense_gradient_tiles(const struct dense *layer, size_t rows)
{
    return tiles_for(dense_rows(layer), flops_of(layer->in, dense_columns(layer), rows), 1e8);
}

struct span dense_weight_span(const struct dense *layer, size_t tiles, size_t tile)
{
    return tile_span(dense_rows(layer), tiles, tile);
}

struct span dense_bias_span(const struct dense *layer, size_t tiles, size_t tile)
{
    return tile_span(layer->unbiased ? 0 : dense_columns(layer), tiles, tile);
}

/* The part of a span below a limit, and the part from there on; either may be empty. */
static struct span span_below(struct span s, size_t limit)
{
    return (struct span){s.begin < limit ? s.begin : limit, s.end < limit ? s.end : limit};
}

static struct span span_from(struct span s, size_t limit)
{
    return (struct span){s.begin > limit ? s.begin : limit, s.end > limit ? s.end : limit};
}

static void label_gradient(const struct dense *layer, size_t rows, struct labels label, const real *d,
                           struct span weight, real *dw)
{
    const size_t columns = dense_columns(layer);
    if (weight.begin == weight.end) return;
    memset(dw + weight.begin * columns, 0, (weight.end - weight.begin) * columns * sizeof *dw);
    for (size_t r = 0; r < rows; r++) {
        const size_t place = label_place(layer, label, r);
        if (weight.begin <= place && place < weight.end) add_row(columns, d + r * columns, dw + place * columns);
    }
}

void dense_gradient(const struct dense *layer, size_t rows, struct input x, const real *d, struct span weight,
                    struct span bias, bool add, real *grad)
{
    const size_t columns = dense_columns(layer), width = bias.end - bias.begin;
    const struct span in = span_below(weight, layer->in);
    real *dw = grad + layer->weight, *db = grad + layer->bias + bias.begin;
    if (x.sparse)
        sparse_gradient(x.sparse, rows, d, columns, in, dw + in.begin * columns);
    else
        BLAS(gemm)
    (CblasRowMajor, CblasTrans, CblasNoTrans, (int)(in.end - in.begin), (int)columns, (int)rows, 1, x.x + in.begin,
     (int)layer->in, d, (int)columns, add ? 1 : 0, dw + in.begin * columns, (int)columns);
    label_gradient(layer, rows, x.label, d, span_from(weight, layer->in), dw);
    if (!add) memset(db, 0, width * sizeof *db);
    for (size_t r = 0; r < rows; r++) add_row(width, d + r * columns + bias.begin, db);
}
