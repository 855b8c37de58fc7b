/* SPDX-License-Identifier: MIT */
#include "model/pass.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/stream.h"

/* ---- Workspace -------------------------------------------------------------------------------------------------- */

static void lay_out_sparse(struct sparse *s, struct arena *arena)
{
    s->row_count = arena_take(arena, s->capacity, sizeof *s->row_count);
    s->column = arena_take(arena, s->capacity * s->D, sizeof *s->column);
    s->row_value = arena_take(arena, s->capacity * s->D, sizeof *s->row_value);
    s->column_count = arena_take(arena, s->D, sizeof *s->column_count);
    s->row = arena_take(arena, s->capacity * s->D, sizeof *s->row);
    s->column_value = arena_take(arena, s->capacity * s->D, sizeof *s->column_value);
}

static void lay_out_forward(struct pass *p, struct arena *arena)
{
    const struct vae_model *m = p->model;
    const size_t B = p->plan.capacity, BL = B * m->L;
    p->x = arena_take(arena, B * m->D, sizeof(real));
    if (p->sparse.D) lay_out_sparse(&p->sparse, arena);
    for (size_t i = 0; i < m->layers; i++) {
        const size_t rows = i <= m->depth ? B : p->plan.S * B, columns = dense_columns(&m->layer[i]);
        p->output[i].y = p->output[i].pre = arena_take(arena, rows * m->layer[i].out, sizeof(real));
        if (columns > m->layer[i].out) p->output[i].pre = arena_take(arena, rows * columns, sizeof(real));
    }
    real **const per_latent[] = {&p->a,    &p->b,      &p->scale, &p->kl,   &p->kl_a,
                                 &p->kl_b, &p->kl_eps, &p->kl_z,  &p->logp, &p->dlogp};
    for (size_t i = 0; i < sizeof per_latent / sizeof *per_latent; i++)
        *per_latent[i] = arena_take(arena, BL, sizeof(real));
    p->bits = arena_take(arena, BL, sizeof *p->bits);
    p->shift = arena_take(arena, BL, sizeof *p->shift);
    if (p->plan.kl == KL_PER_DRAW) {
        p->prior_slope = arena_take(arena, p->plan.S * BL, sizeof(real));
        p->ratio = arena_take(arena, p->plan.S * B, sizeof *p->ratio);
    }
    p->eps = arena_take(arena, p->plan.S * BL, sizeof(real));
    p->z = arena_take(arena, p->plan.S * BL, sizeof(real));
    p->recon = arena_take(arena, p->plan.S * B, sizeof *p->recon);
}

static void lay_out_backward(struct pass *p, struct arena *arena)
{
    const struct vae_model *m = p->model;
    const size_t B = p->plan.capacity;
    for (size_t i = 0; i + 1 < m->layers; i++)
        p->gradient[i] = arena_take(arena, (i <= m->depth ? B : p->plan.S * B) * dense_columns(&m->layer[i]),
                                    sizeof(real));
    p->gradient[m->layers - 1] = p->output[m->layers - 1].y;
    p->dz = arena_take(arena, p->plan.S * B * m->L, sizeof(real));
    p->da = arena_take(arena, B * m->L, sizeof(real));
    p->db = arena_take(arena, B * m->L, sizeof(real));
    p->params_gradient = arena_take(arena, m->size, sizeof(real));
}

static size_t lay_out(struct pass *p, void *base)
{
    struct arena arena = {.base = base};
    lay_out_forward(p, &arena);
    if (p->plan.training) lay_out_backward(p, &arena);
    return arena.used;
}

size_t pass_rows(const struct vae_model *model, size_t most)
{
    const size_t most_values = 1 << 22; /* of a layer */
    size_t widest = model->D;
    for (size_t i = 0; i < model->layers; i++)
        if (dense_columns(&model->layer[i]) > widest) widest = dense_columns(&model->layer[i]);
    const size_t rows = most_values / widest;
    return rows < 1 ? 1 : rows < most ? rows : most;
}

vae_status pass_new(struct pass *pass, const struct vae_model *model, struct pool *pool, const struct pass_plan *plan,
                    vae_error *err)
{
    *pass = (struct pass){.model = model, .pool = pool, .plan = *plan};
    if (plan->sparse) pass->sparse = (struct sparse){.D = model->D, .capacity = plan->capacity};
    pass->memory = mem_new(lay_out(pass, NULL), 1, err);
    if (!pass->memory) return VAE_E_MEMORY;
    lay_out(pass, pass->memory);
    return VAE_OK;
}

void pass_free(struct pass *pass)
{
    free(pass->memory);
    *pass = (struct pass){0};
}

static const struct sparse *sparse_input(const struct pass *pass) { return pass->sparse.D ? &pass->sparse : NULL; }

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

struct gathering {
    struct pass *pass;
    const vae_images *images;
    const uint32_t *index;
    size_t first;
    atomic_bool failed;
};

static void gather_tile(void *context, size_t tile)
{
    struct gathering *job = context;
    struct pass *pass = job->pass;
    const size_t D = pass->model->D;
    const struct span s = row_span(pass->B, tile);
    if (!images_gather(job->images, &pass->pixels, job->index ? job->index + s.begin : NULL, job->first + s.begin,
                       s.end - s.begin, pass->x + s.begin * D))
        atomic_store(&job->failed, true);
    for (size_t r = s.begin; r < s.end && sparse_input(pass); r++) sparse_list_row(&pass->sparse, r, pass->x + r * D);
}

vae_status pass_gather(struct pass *pass, const vae_images *images, const uint32_t *index, size_t first, size_t B,
                       vae_error *err)
{
    struct gathering job = {.pass = pass, .images = images, .index = index, .first = first};
    pass->B = B;
    pool_run(pass->pool, "data", row_tiles(B), gather_tile, &job);
    if (!atomic_load(&job.failed)) return VAE_OK;
    return vae_fail(err, VAE_E_DATA, "%s: cannot read images (was the file cut or removed?)", images->stream->path);
}

/* Layers begin .. end-1, each reading the output of the one before; the first reads `input`. */
static void run_layers(struct pass *pass, size_t begin, size_t end, size_t rows, const real *input)
{
    const struct vae_model *m = pass->model;
    for (size_t i = begin; i < end; i++) {
        dense_forward(pass->pool, &m->layer[i], m->params, rows, input, i == 0 ? sparse_input(pass) : NULL,
                      pass->output[i]);
        input = pass->output[i].y;
    }
}

/* Heads come as rows of 2L; the rest of the house wants L contiguous. */
static void split_heads(struct pass *pass, struct span s)
{
    const size_t L = pass->model->L, bytes = L * sizeof(real);
    const real *heads = pass->output[pass->model->depth].y;
    for (size_t r = s.begin; r < s.end; r++) {
        memcpy(pass->a + r * L, heads + r * 2 * L, bytes);
        memcpy(pass->b + r * L, heads + r * 2 * L + L, bytes);
    }
}

static void encode_tile(void *context, size_t tile)
{
    struct pass *pass = context;
    const size_t L = pass->model->L;
    const struct span s = row_span(pass->B, tile);
    split_heads(pass, s);
    pass->model->posterior->scale((s.end - s.begin) * L, pass->b + s.begin * L, pass->scale + s.begin * L);
}

void pass_encode(struct pass *pass)
{
    run_layers(pass, 0, pass->model->depth + 1, pass->B, pass->x);
    pool_run(pass->pool, "latent", row_tiles(pass->B), encode_tile, pass);
}

void pass_decode(struct pass *pass, size_t n)
{
    run_layers(pass, pass->model->depth + 1, pass->model->layers, n, pass->z);
}

struct likelihood_job {
    struct pass *pass;
    bool training;
};

static void likelihood_tile(void *context, size_t tile)
{
    const struct likelihood_job *job = context;
    struct pass *pass = job->pass;
    const struct vae_model *m = pass->model;
    const size_t rows = pass->plan.S * pass->B, width = m->D * m->likelihood->outputs;
    const real weight = R(1) / R(rows);
    const struct span s = row_span(rows, tile);
    for (size_t r = s.begin; r < s.end; r++) {
        real *out = pass->output[m->layers - 1].y + r * width;
        const real *x = pass->x + r % pass->B * m->D;
        pass->recon[r] = m->likelihood->nll(m->likelihood_state, m->D, out, x, weight, job->training ? out : NULL);
    }
}

void pass_likelihood(struct pass *pass, bool training)
{
    struct likelihood_job job = {pass, training};
    pool_run(pass->pool, "likelihood", row_tiles(pass->plan.S * pass->B), likelihood_tile, &job);
}

/* ---- Backward --------------------------------------------------------------------------------------------------- */

/* From the gradient of layer i to that of the layer before it. */
static void backward_layer(struct pass *pass, size_t i, size_t rows)
{
    const struct vae_model *m = pass->model;
    dense_backward(pass->pool, &m->layer[i], m->params, rows, pass->gradient[i], m->layer[i - 1].activation,
                   pass->output[i - 1], pass->gradient[i - 1]);
}

struct scaling {
    struct pass *pass;
    const real *factor;
};

static void scale_tile(void *context, size_t tile)
{
    const struct scaling *job = context;
    const struct vae_model *m = job->pass->model;
    const size_t width = m->layer[m->layers - 1].out;
    const struct span s = row_span(job->pass->plan.S * job->pass->B, tile);
    for (size_t r = s.begin; r < s.end; r++)
        for (size_t i = 0; i < width; i++) job->pass->gradient[m->layers - 1][r * width + i] *= job->factor[r];
}

void pass_backward(struct pass *pass, const struct loss_slope *slope)
{
    const struct vae_model *m = pass->model;
    const size_t first = m->depth + 1, rows = pass->plan.S * pass->B;
    if (slope->factor) {
        struct scaling job = {pass, slope->factor};
        pool_run(pass->pool, "likelihood", row_tiles(rows), scale_tile, &job);
    }
    for (size_t i = m->layers - 1; i > first; i--) backward_layer(pass, i, rows);
    dense_backward(pass->pool, &m->layer[first], m->params, rows, pass->gradient[first], &activation_identity,
                   (struct output){pass->z, pass->z}, pass->dz);
    pass_latent_backward(pass, slope);
    for (size_t i = m->depth; i > 0; i--) backward_layer(pass, i, pass->B);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

struct update_job {
    struct pass *pass;
    struct vae_model *model;
    const struct adam *adam;
    size_t
        order[MAX_LAYERS]; /* layers, the largest first: who finishes early finds small tiles, and nobody waits long */
    size_t tiles[MAX_LAYERS]; /* of layer order[i] */
};

static size_t rows_of_layer(const struct pass *pass, size_t i)
{
    return i <= pass->model->depth ? pass->B : pass->plan.S * pass->B;
}

static const real *input_of_layer(const struct pass *pass, size_t i)
{
    if (i == 0) return pass->x;
    return i == pass->model->depth + 1 ? pass->z : pass->output[i - 1].y;
}

static void apply_adam(const struct update_job *job, size_t offset, size_t count)
{
    struct vae_model *m = job->model;
    adam_update(job->adam, count, job->pass->params_gradient + offset, m->adam_m + offset, m->adam_v + offset,
                m->params + offset);
}

/* One slice of one layer's weights: its gradient over the whole batch, then Adam while it is in cache. */
static void update_tile(void *context, size_t tile)
{
    const struct update_job *job = context;
    size_t at = 0;
    for (; tile >= job->tiles[at]; at++) tile -= job->tiles[at];
    const size_t i = job->order[at];
    const struct dense *layer = &job->pass->model->layer[i];
    const struct span weight = dense_weight_span(layer, job->tiles[at], tile);
    const struct span bias = dense_bias_span(layer, job->tiles[at], tile);
    dense_gradient(layer, rows_of_layer(job->pass, i), input_of_layer(job->pass, i),
                   i == 0 ? sparse_input(job->pass) : NULL, job->pass->gradient[i], weight, bias,
                   job->pass->params_gradient);
    if (!job->adam) return;
    const size_t columns = dense_columns(layer);
    apply_adam(job, layer->weight + weight.begin * columns, (weight.end - weight.begin) * columns);
    apply_adam(job, layer->bias + bias.begin, bias.end - bias.begin);
}

static void order_layers(struct update_job *job)
{
    const struct dense *layer = job->pass->model->layer;
    for (size_t i = 0; i < job->pass->model->layers; i++) {
        size_t at = i;
        for (; at > 0; at--) {
            const struct dense *before = &layer[job->order[at - 1]];
            if (before->in * dense_columns(before) >= layer[i].in * dense_columns(&layer[i])) break;
            job->order[at] = job->order[at - 1];
        }
        job->order[at] = i;
    }
}

void pass_update(struct pass *pass, struct vae_model *model, const struct adam *adam)
{
    struct update_job job = {.pass = pass, .model = model, .adam = adam};
    size_t tiles = 0;
    order_layers(&job);
    for (size_t i = 0; i < pass->model->layers; i++) {
        job.tiles[i] = dense_gradient_tiles(&pass->model->layer[job.order[i]], rows_of_layer(pass, job.order[i]));
        tiles += job.tiles[i];
    }
    pool_run(pass->pool, "weights", tiles, update_tile, &job);
}

double pass_gradient_norm(const struct pass *pass)
{
    double sum = 0;
    for (size_t i = 0; i < pass->model->size; i++) {
        const double g = (double)pass->params_gradient[i];
        sum += g * g;
    }
    return sqrt(sum);
}

enum { APPLY_TILE = 1 << 14 };

static void apply_tile(void *context, size_t tile)
{
    const struct update_job *job = context;
    const size_t begin = tile * APPLY_TILE, left = job->model->size - begin;
    apply_adam(job, begin, left < APPLY_TILE ? left : APPLY_TILE);
}

void pass_apply(struct pass *pass, struct vae_model *model, const struct adam *adam)
{
    struct update_job job = {.pass = pass, .model = model, .adam = adam};
    pool_run(pass->pool, "update", (model->size + APPLY_TILE - 1) / APPLY_TILE, apply_tile, &job);
}
