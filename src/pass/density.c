/* SPDX-License-Identifier: MIT */
#include "pass/density.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Rows and items are cut into tiles by their number alone, so that results do not depend on the number of threads. */
enum { ROWS = 32, ITEMS = 32 };

static size_t tiles_of(size_t n, size_t most) { return (n + most - 1) / most; }

static struct span cut(size_t n, size_t tiles, size_t tile)
{
    return (struct span){n * tile / tiles, n * (tile + 1) / tiles};
}

/* ---- Workspace -------------------------------------------------------------------------------------------------- */

vae_status density_new(struct density *d, const struct vae_model *model, size_t capacity, bool learns, vae_error *err)
{
    const struct joint_ops *joint = model->prior->joint;
    *d = (struct density){.prior = model->prior,
                          .declared = &model->declared,
                          .tensor = model->block.tensor,
                          .params = model->params,
                          .encoder = &model->encoder,
                          .L = model->L,
                          .own = model->declared.own,
                          .capacity = capacity,
                          .temperature = R(1),
                          .learns = learns};
    d->run = d->runs;
    d->file = mem_new(1, joint->size, err);
    return d->file ? VAE_OK : VAE_E_MEMORY;
}

/* A copy of the data: its tensor moves while the gradient of the encoder's first layer is still being computed. */
static void lay_out_encoded(struct density *d, struct arena *arena)
{
    const size_t items = d->declared->items, last = d->encoder->layers - 1;
    d->encoded = (struct run){.net = d->encoder, .capacity = items};
    d->encoded.x = d->data = arena_take(arena, items * d->declared->D, sizeof(real));
    run_lay_out(&d->encoded, arena);
    d->heads = run_result(&d->encoded);
    if (!d->learns) return;
    run_lay_out_backward(&d->encoded, arena);
    d->heads_gradient = d->encoded.gradient[last] = arena_take(arena, items * 2 * d->L, sizeof(real));
}

void density_lay_out(struct density *d, struct arena *arena)
{
    const struct declared *own = d->declared;
    for (size_t i = 0; i < own->nets; i++) {
        const struct net *net = &own->net[i];
        const struct dense *last = &net->layer[net->layers - 1];
        d->run[i] = (struct run){.net = net, .capacity = density_rows(d)};
        run_lay_out(&d->run[i], arena);
        if (!d->learns) continue;
        run_lay_out_backward(&d->run[i], arena);
        d->run[i].gradient[net->layers - 1] = arena_take(arena, density_rows(d) * last->out, sizeof(real));
    }
    if (own->encodes) lay_out_encoded(d, arena);
    d->own_z = arena_take(arena, d->own * d->L, sizeof(real));
    d->prior->joint->lay_out(d, arena);
}

void density_free(struct density *d) { free(d->file); }

/* ---- Phases ----------------------------------------------------------------------------------------------------- */

struct job {
    struct density *d;
    const struct rng *rng;
    const real *z;
    const real *weight;
    double *logp;
    real *dz, *gradient;
    size_t tiles;
};

void density_derive(struct density *d, struct pool *pool)
{
    if (d->declared->encodes) {
        memcpy(d->data, density_values(d, 0), density_tensor(d, 0)->count * sizeof *d->data);
        net_forward(pool, d->params, &d->encoded, d->declared->items);
    }
    d->prior->joint->derive(d);
}

static void propose_tile(void *context, size_t tile)
{
    const struct job *job = context;
    struct density *d = job->d;
    const struct span s = cut(d->own, job->tiles, tile);
    d->prior->joint->propose(d, job->rng, s);
}

static void weigh_own_tile(void *context, size_t tile)
{
    const struct job *job = context;
    struct density *d = job->d;
    const struct span s = cut(d->own, job->tiles, tile);
    d->prior->joint->log_prob(d, s, d->own_z + s.begin * d->L, NULL);
}

static void weigh_own(struct density *d, struct pool *pool, enum weighing how)
{
    struct job job = {.d = d, .tiles = tiles_of(d->own, ROWS)};
    pool_run(pool, "prior", job.tiles, weigh_own_tile, &job);
    d->prior->joint->weigh_own(d, how);
}

void density_propose(struct density *d, struct pool *pool, const struct rng *rng)
{
    struct job job = {.d = d, .rng = rng, .tiles = tiles_of(d->own, ROWS)};
    if (!d->own) return;
    pool_run(pool, "prior", job.tiles, propose_tile, &job);
    d->fresh = true;
}

void density_calibrate(struct density *d, struct pool *pool, const struct rng *rng, size_t draws)
{
    struct rng now = *rng;
    for (size_t round = 0; d->own && round * d->own < draws; round++, now.step++) {
        density_propose(d, pool, &now);
        weigh_own(d, pool, round ? OWN_NEXT_ROUND : OWN_FIRST_ROUND);
    }
    d->calibrated = true;
}

static void log_prob_tile(void *context, size_t tile)
{
    const struct job *job = context;
    struct density *d = job->d;
    const struct span s = cut(d->rows, job->tiles, tile);
    d->prior->joint->log_prob(d, (struct span){d->own + s.begin, d->own + s.end}, job->z + s.begin * d->L,
                              job->logp + s.begin);
}

void density_log_prob(struct density *d, struct pool *pool, size_t rows, const real *z, double *logp)
{
    struct job job = {.d = d, .z = z, .logp = logp, .tiles = tiles_of(rows, ROWS)};
    d->rows = rows;
    for (size_t i = 0; i < d->declared->nets; i++) d->run[i].rows = d->own + rows;
    if (d->own && !d->calibrated) weigh_own(d, pool, d->fresh ? OWN_FRESH : OWN_AGAIN);
    d->fresh = false;
    pool_run(pool, "prior", job.tiles, log_prob_tile, &job);
}

static void backward_tile(void *context, size_t tile)
{
    const struct job *job = context;
    struct density *d = job->d;
    const struct span s = cut(d->rows, job->tiles, tile);
    d->prior->joint->backward(d, (struct span){d->own + s.begin, d->own + s.end}, job->z + s.begin * d->L,
                              job->weight + s.begin, job->dz + s.begin * d->L);
}

void density_slopes(struct density *d, struct pool *pool, const real *z, const real *weight, real *dz)
{
    struct job job = {.d = d, .z = z, .weight = weight, .dz = dz, .tiles = tiles_of(d->rows, ROWS)};
    memset(dz, 0, d->rows * d->L * sizeof *dz);
    pool_run(pool, "prior back", job.tiles, backward_tile, &job);
}

static void own_backward_tile(void *context, size_t tile)
{
    const struct job *job = context;
    struct density *d = job->d;
    d->prior->joint->own_backward(d, cut(d->own, job->tiles, tile));
}

static void learn_tile(void *context, size_t tile)
{
    const struct job *job = context;
    struct density *d = job->d;
    d->prior->joint->learn(d, cut(d->declared->items, job->tiles, tile), job->z, job->gradient);
}

void density_backward(struct density *d, struct pool *pool, const real *z, const real *weight, real *dz, real *gradient)
{
    const struct joint_ops *joint = d->prior->joint;
    struct job job = {.d = d, .z = z, .weight = weight, .dz = dz, .gradient = gradient};
    job.tiles = tiles_of(d->rows, ROWS);
    pool_run(pool, "prior back", job.tiles, backward_tile, &job);
    job.tiles = tiles_of(d->own, ROWS);
    if (d->own) pool_run(pool, "prior back", job.tiles, own_backward_tile, &job);
    job.tiles = tiles_of(d->declared->items, ITEMS);
    if (joint->learn) pool_run(pool, "prior back", job.tiles, learn_tile, &job);
    if (d->declared->encodes) net_backward(pool, d->params, &d->encoded, gradient + density_tensor(d, 0)->offset);
}
