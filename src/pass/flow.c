/* SPDX-License-Identifier: MIT */
#include "pass/flow.h"

#include <stdlib.h>

#include "base/memory.h"

/* Rows are cut into tiles by their number alone, so that results do not depend on the number of threads. */
enum { ROWS = 32 };

vae_status flow_new(struct flow *flow, const struct vae_model *model, size_t images, size_t draws, bool learns,
                    vae_error *err)
{
    *flow = (struct flow){.ops = model->posterior->flow,
                          .nets = &model->flow_nets,
                          .params = model->params,
                          .L = model->L,
                          .images = images,
                          .draws = draws,
                          .learns = learns};
    flow->tape = mem_new(1, flow->ops->size, err);
    return flow->tape ? VAE_OK : VAE_E_MEMORY;
}

void flow_lay_out(struct flow *flow, struct arena *arena)
{
    flow->context = arena_take(arena, flow->images * flow->nets->C, sizeof(real));
    if (flow->learns) flow->d_context = arena_take(arena, flow->images * flow->nets->C, sizeof(real));
    for (size_t i = 0; i < flow->nets->nets; i++) {
        const struct net *net = &flow->nets->net[i];
        struct run *run = &flow->run[i];
        *run = (struct run){.net = net, .capacity = flow->nets->of_context[i] ? flow->images : flow_rows(flow)};
        run_lay_out(run, arena);
        if (!flow->learns) continue;
        run_lay_out_backward(run, arena);
        run->gradient[net->layers - 1] = arena_take(arena, run->capacity * net_out(net), sizeof(real));
    }
    flow->ops->lay_out(flow, arena);
}

void flow_free(struct flow *flow) { free(flow->tape); }

struct job {
    struct flow *flow;
    size_t rows, tiles;
    real *z, *dz;
    double *log_det;
    const real *weight;
};

static struct span rows_of(const struct job *job, size_t tile)
{
    return (struct span){job->rows * tile / job->tiles, job->rows * (tile + 1) / job->tiles};
}

static void forward_tile(void *context, size_t tile)
{
    const struct job *job = context;
    job->flow->ops->forward(job->flow, rows_of(job, tile), job->z, job->log_det);
}

static void set_rows(struct flow *flow, size_t images, size_t rows)
{
    for (size_t i = 0; i < flow->nets->nets; i++) {
        flow->run[i].rows = flow->nets->of_context[i] ? images : rows;
        flow->run[i].bias.period = images;
    }
}

void flow_forward(struct flow *flow, struct pool *pool, size_t images, size_t rows, real *z, double *log_det)
{
    struct job job = {.flow = flow, .rows = rows, .tiles = (rows + ROWS - 1) / ROWS, .z = z, .log_det = log_det};
    set_rows(flow, images, rows);
    pool_run(pool, "flow", job.tiles, forward_tile, &job);
}

static void inverse_tile(void *context, size_t tile)
{
    const struct job *job = context;
    job->flow->ops->inverse(job->flow, rows_of(job, tile), job->z);
}

void flow_inverse(struct flow *flow, struct pool *pool, size_t images, size_t rows, real *z)
{
    struct job job = {.flow = flow, .rows = rows, .tiles = (rows + ROWS - 1) / ROWS, .z = z};
    set_rows(flow, images, rows);
    pool_run(pool, "flow", job.tiles, inverse_tile, &job);
}

static void backward_tile(void *context, size_t tile)
{
    const struct job *job = context;
    job->flow->ops->backward(job->flow, rows_of(job, tile), job->weight, job->dz);
}

void flow_backward(struct flow *flow, struct pool *pool, size_t rows, const real *weight, real *dz)
{
    struct job job = {.flow = flow, .rows = rows, .tiles = (rows + ROWS - 1) / ROWS, .weight = weight, .dz = dz};
    pool_run(pool, "flow back", job.tiles, backward_tile, &job);
}
