/* SPDX-License-Identifier: MIT
 *
 * The training step against its own matrix products. Machines drift, so each round measures products and steps in turn
 * and the ratio is taken round by round. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/memory.h"
#include "data/source.h"
#include "train/step.h"

/* ---- The floor -------------------------------------------------------------------------------------------------- */

/* C (m,n) = A B, with A (m,k) or, transposed, (k,m), and B (k,n) or (n,k). */
struct product {
    bool transposed_a, transposed_b;
    size_t m, n, k;
};

enum { MOST_PRODUCTS = 3 * (MAX_LAYERS + NET_LAYERS) + 6, MOST_ROUNDS = 101, STEPS = 20 };

struct floor_job {
    struct product product[MOST_PRODUCTS];
    size_t products, largest; /* elements of the largest operand */
    real *a, *b, *c;          /* room for the largest operands; their values do not matter to SGEMM */
    struct pool *pool;
    size_t threads;
    /* The product at work. */
    const struct product *at;
    bool by_rows;
    size_t tiles;
};

static void multiply(const struct floor_job *job, struct span rows, struct span columns)
{
    const struct product *p = job->at;
    const size_t lda = p->transposed_a ? p->m : p->k, ldb = p->transposed_b ? p->k : p->n;
    BLAS(gemm)
    (CblasRowMajor, p->transposed_a ? CblasTrans : CblasNoTrans, p->transposed_b ? CblasTrans : CblasNoTrans,
     (int)(rows.end - rows.begin), (int)(columns.end - columns.begin), (int)p->k, 1,
     job->a + rows.begin * (p->transposed_a ? 1 : lda), (int)lda, job->b + columns.begin * (p->transposed_b ? ldb : 1),
     (int)ldb, 0, job->c + rows.begin * p->n + columns.begin, (int)p->n);
}

static void floor_tile(void *context, size_t tile)
{
    const struct floor_job *job = context;
    const struct span all_rows = {0, job->at->m}, all_columns = {0, job->at->n};
    if (job->by_rows)
        multiply(job, tile_span(job->at->m, job->tiles, tile), all_columns);
    else
        multiply(job, all_rows, tile_span(job->at->n, job->tiles, tile));
}

/* The ways to use the threads, each over all products once. */
static void with_openblas(struct floor_job *job)
{
    openblas_set_num_threads((int)job->threads);
    for (size_t i = 0; i < job->products; i++) {
        job->at = &job->product[i];
        multiply(job, (struct span){0, job->at->m}, (struct span){0, job->at->n});
    }
    openblas_set_num_threads(1);
}

static void in_tiles(struct floor_job *job, bool by_rows, size_t tiles)
{
    for (size_t i = 0; i < job->products; i++) {
        job->at = &job->product[i];
        const size_t most = ((by_rows ? job->at->m : job->at->n) + 15) / 16;
        job->by_rows = by_rows;
        job->tiles = tiles < most ? tiles : most;
        pool_run(job->pool, "floor", job->tiles, floor_tile, job);
    }
}

static void by_columns(struct floor_job *job) { in_tiles(job, false, job->threads); }
static void by_rows(struct floor_job *job) { in_tiles(job, true, job->threads); }
static void by_columns_twice(struct floor_job *job) { in_tiles(job, false, 2 * job->threads); }

static const struct {
    const char *name;
    void (*run)(struct floor_job *job);
} ways[] = {
    {"OpenBLAS's own threads", with_openblas},
    {"a tile of columns a thread", by_columns},
    {"two tiles of columns a thread", by_columns_twice},
    {"a tile of rows a thread", by_rows},
};
enum { WAYS = sizeof ways / sizeof *ways };

static void add_product(struct floor_job *job, struct product p)
{
    const size_t sizes[] = {p.m * p.k, p.k * p.n, p.m * p.n};
    for (size_t i = 0; i < 3; i++)
        if (sizes[i] > job->largest) job->largest = sizes[i];
    job->product[job->products++] = p;
}

/* The products of `rows` rows through a network and back, down to its input or not. */
static void add_net(struct floor_job *job, const struct net *net, size_t rows, bool to_input)
{
    for (size_t i = 0; i < net->layers; i++) {
        const size_t in = net->layer[i].in, out = dense_columns(&net->layer[i]);
        add_product(job, (struct product){false, false, rows, out, in});
        add_product(job, (struct product){true, false, in, out, rows});
        if (i > 0 || to_input) add_product(job, (struct product){false, true, rows, in, out});
    }
}

/* Those of a joint prior: its networks; the encoder's for data that is encoded; and of mixtures z and z^2 with means
 * and precisions, forward, back to z and to means and precisions. */
static void add_prior(struct floor_job *job, const struct vae_model *model, size_t rows)
{
    const struct declared *prior = &model->declared;
    const size_t all = rows + prior->own, K = prior->items, L = model->L;
    for (size_t i = 0; i < prior->nets; i++) add_net(job, &prior->net[i], all, true);
    if (prior->encodes) add_net(job, &model->encoder, K, true);
    for (size_t i = 0; K && i < 2; i++) {
        add_product(job, (struct product){false, true, all, K, L});
        add_product(job, (struct product){false, false, all, L, K});
        add_product(job, (struct product){true, false, K, L, all});
    }
}

/* Those of a flow: networks of the context run once an image, the others on each draw. */
static void add_flow(struct floor_job *job, const struct flow_nets *flow, size_t B, size_t rows)
{
    for (size_t i = 0; i < flow->nets; i++) add_net(job, &flow->net[i], flow->of_context[i] ? B : rows, true);
}

/* The products of one step, and room for their operands. */
static vae_status prepare_floor(struct floor_job *job, const struct vae_model *model, size_t B, vae_error *err)
{
    add_net(job, &model->encoder, B, false);
    add_net(job, &model->decoder, B * model->config.samples, true);
    add_prior(job, model, B * model->config.samples);
    add_flow(job, &model->flow_nets, B, B * model->config.samples);
    const size_t largest = job->largest;
    job->a = mem_new(largest, sizeof(real), err);
    job->b = mem_new(largest, sizeof(real), err);
    job->c = mem_new(largest, sizeof(real), err);
    if (!job->a || !job->b || !job->c) return VAE_E_MEMORY;
    for (size_t i = 0; i < largest; i++) job->a[i] = job->b[i] = R(i % 7) - R(3);
    return VAE_OK;
}

static double time_floor(struct floor_job *job, size_t way)
{
    const double began = clock_now();
    for (size_t i = 0; i < STEPS; i++) ways[way].run(job);
    return (clock_now() - began) / STEPS;
}

/* ---- Rounds ----------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(const double *values, size_t n)
{
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, n * sizeof *values);
    qsort(sorted, n, sizeof *sorted, compare);
    return n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
}

static vae_status time_steps(struct stepper *stepper, double *seconds, vae_error *err)
{
    const size_t batches = stepper->images->n / stepper->batch;
    struct losses losses;
    vae_status status = VAE_OK;
    const double began = clock_now();
    for (size_t i = 0; i < STEPS && !status; i++)
        status = step_take(stepper, (stepper->model->training.step++ % batches) * stepper->batch, stepper->batch,
                           &losses, err);
    *seconds = (clock_now() - began) / STEPS;
    return status;
}

static void summarise(vae_bench *out, double floor_time[WAYS][MOST_ROUNDS], const double *step_time)
{
    size_t best = 0;
    for (size_t w = 1; w < WAYS; w++)
        if (median(floor_time[w], out->rounds) < median(floor_time[best], out->rounds)) best = w;
    double ratio[MOST_ROUNDS];
    for (size_t r = 0; r < out->rounds; r++) ratio[r] = step_time[r] / floor_time[best][r];
    qsort(ratio, out->rounds, sizeof *ratio, compare);
    out->floor = median(floor_time[best], out->rounds);
    out->floor_way = ways[best].name;
    out->step = median(step_time, out->rounds);
    out->ratio = median(ratio, out->rounds);
    out->ratio_min = ratio[0];
    out->ratio_max = ratio[out->rounds - 1];
    out->images_per_second = (double)out->batch / out->step;
}

/* Where a step's time goes; timing every phase costs a little, so these are steps of their own. */
static vae_status break_down(vae_bench *out, struct stepper *stepper, vae_error *err)
{
    struct profile profile = {0};
    const double threads = (double)pool_threads(stepper->pass.pool), steps = STEPS;
    double ignored;
    pool_profile(stepper->pass.pool, &profile);
    vae_status status = time_steps(stepper, &ignored, err);
    pool_profile(stepper->pass.pool, NULL);
    for (size_t i = 0; i < profile.n; i++, out->phases++) {
        const double wall = profile.entry[i].wall / steps, busy = profile.entry[i].busy / steps;
        snprintf(out->phase[i].name, sizeof out->phase[i].name, "%s", profile.entry[i].phase);
        out->phase[i].wall = wall;
        out->phase[i].waiting = wall - busy / threads;
    }
    return status;
}

static vae_status run_rounds(vae_bench *out, struct floor_job *job, struct stepper *stepper, vae_error *err)
{
    double floor_time[WAYS][MOST_ROUNDS], step_time[MOST_ROUNDS];
    vae_status status = time_steps(stepper, step_time, err); /* warms up; so do the ways' first runs */
    for (size_t w = 0; w < WAYS; w++) ways[w].run(job);
    for (size_t r = 0; r < out->rounds && !status; r++) {
        for (size_t w = 0; w < WAYS; w++) floor_time[w][r] = time_floor(job, w);
        status = time_steps(stepper, &step_time[r], err);
    }
    if (status) return status;
    summarise(out, floor_time, step_time);
    return break_down(out, stepper, err);
}

vae_status vae_bench_run(vae_bench *out, const vae_config *config, const vae_images *images, size_t threads,
                         size_t rounds, vae_error *err)
{
    struct vae_model *model = NULL;
    struct pool *pool = NULL;
    struct stepper stepper = {0};
    struct floor_job job = {0};
    *out = (vae_bench){.rounds = rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds ? rounds : 1};
    vae_status status = vae_model_new(&model, config, images->rows, images->cols, err);
    if (!status) status = vae_model_check_images(model, images, err);
    if (!status) status = pool_new(&pool, threads, err);
    if (!status) status = step_prepare(&stepper, model, images, pool, err);
    if (!status) status = prepare_floor(&job, model, stepper.batch, err);
    if (!status) {
        out->threads = job.threads = pool_threads(pool);
        out->batch = stepper.batch;
        out->sparse = stepper.pass.sparse.D > 0;
        job.pool = pool;
        step_shuffle(&stepper, 0);
        status = blas_register(job.threads, err); /* OpenBLAS's own threads hold buffers as well */
        if (!status) {
            status = run_rounds(out, &job, &stepper, err);
            blas_unregister(job.threads);
        }
    }
    free(job.a);
    free(job.b);
    free(job.c);
    step_release(&stepper);
    pool_free(pool);
    vae_model_free(&model);
    return status;
}
