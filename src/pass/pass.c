/* SPDX-License-Identifier: MIT */
#include "pass/pass.h"

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

static void lay_out_density(struct pass *p, struct arena *arena)
{
    const size_t rows = p->plan.S * p->plan.capacity;
    density_lay_out(&p->density, arena);
    p->logp_joint = arena_take(arena, rows, sizeof *p->logp_joint);
}

static void lay_out_flow(struct pass *p, struct arena *arena)
{
    flow_lay_out(&p->flow, arena);
    p->centre = arena_take(arena, p->plan.capacity * p->model->L, sizeof(real));
}

static void lay_out_forward(struct pass *p, struct arena *arena)
{
    const struct vae_model *m = p->model;
    const size_t B = p->plan.capacity, BL = B * m->L;
    p->x = arena_take(arena, B * m->D, sizeof(real));
    if (m->C) p->label = arena_take(arena, B, sizeof *p->label);
    if (p->sparse.D) lay_out_sparse(&p->sparse, arena);
    run_lay_out(&p->encoder, arena);
    run_lay_out(&p->decoder, arena);
    real **const per_latent[] = {&p->a,    &p->b,      &p->scale, &p->kl,   &p->kl_a,
                                 &p->kl_b, &p->kl_eps, &p->kl_z,  &p->logp, &p->dlogp};
    for (size_t i = 0; i < sizeof per_latent / sizeof *per_latent; i++)
        *per_latent[i] = arena_take(arena, BL, sizeof(real));
    p->bits = arena_take(arena, BL, sizeof *p->bits);
    p->shift = arena_take(arena, BL, sizeof *p->shift);
    if (p->plan.kl == KL_PER_DRAW) {
        p->log_ratio = arena_take(arena, p->plan.S * B, sizeof *p->log_ratio);
        if (model_has_joint_kl(m)) p->row_weight = arena_take(arena, p->plan.S * B, sizeof *p->row_weight);
        if (m->prior->joint) lay_out_density(p, arena);
        if (!m->prior->joint || p->plan.slopes) p->dlogp_dz = arena_take(arena, p->plan.S * BL, sizeof(real));
    }
    if (m->posterior->flow) lay_out_flow(p, arena);
    p->eps = arena_take(arena, p->plan.S * BL, sizeof(real));
    p->z = arena_take(arena, p->plan.S * BL, sizeof(real));
    p->recon = arena_take(arena, p->plan.S * B, sizeof *p->recon);
    p->encoder.x = p->x;
    p->encoder.sparse = p->sparse.D ? &p->sparse : NULL;
    p->decoder.x = p->z;
}

static void lay_out_backward(struct pass *p, struct arena *arena)
{
    const struct vae_model *m = p->model;
    const size_t B = p->plan.capacity;
    run_lay_out_backward(&p->encoder, arena);
    run_lay_out_backward(&p->decoder, arena);
    p->encoder.gradient[m->encoder.layers - 1] = arena_take(arena, B * net_out(&m->encoder), sizeof(real));
    p->decoder.gradient[m->decoder.layers - 1] = run_result(&p->decoder);
    if (m->learned) p->learned_gradient = arena_take(arena, p->plan.S * B * m->learned->count, sizeof(real));
    p->da = arena_take(arena, B * m->L, sizeof(real));
    p->db = arena_take(arena, B * m->L, sizeof(real));
}

static void lay_out_slopes(struct pass *p, struct arena *arena)
{
    run_lay_out_backward(&p->decoder, arena);
    p->decoder.gradient[p->model->decoder.layers - 1] = run_result(&p->decoder);
    p->dz = arena_take(arena, p->plan.S * p->plan.capacity * p->model->L, sizeof(real));
}

static size_t lay_out(struct pass *p, void *base)
{
    struct arena arena = {.base = base};
    lay_out_forward(p, &arena);
    if (p->plan.training) lay_out_backward(p, &arena);
    if (p->plan.slopes) lay_out_slopes(p, &arena);
    if (p->plan.training || p->plan.fit) {
        p->dz = arena_take(&arena, p->plan.S * p->plan.capacity * p->model->L, sizeof(real));
        p->params_gradient = arena_take(&arena, p->model->block.size, sizeof(real));
    }
    return arena.used;
}

size_t pass_rows(const struct vae_model *model, size_t most)
{
    const size_t most_values = 1 << 22; /* of a layer */
    const size_t encoder = net_width(&model->encoder), decoder = net_width(&model->decoder);
    const size_t widest = encoder > decoder ? encoder : decoder;
    const size_t rows = most_values / widest;
    return rows < 1 ? 1 : rows < most ? rows : most;
}

vae_status pass_new(struct pass *pass, const struct vae_model *model, struct pool *pool, const struct pass_plan *plan,
                    vae_error *err)
{
    *pass = (struct pass){.model = model, .pool = pool, .plan = *plan};
    if (plan->sparse) pass->sparse = (struct sparse){.D = model->D, .capacity = plan->capacity};
    pass->encoder = (struct run){.net = &model->encoder, .capacity = plan->capacity};
    pass->decoder = (struct run){.net = &model->decoder, .capacity = plan->S * plan->capacity};
    const bool back = plan->training || plan->slopes;
    vae_status status = VAE_OK;
    if (plan->kl == KL_PER_DRAW && model->prior->joint)
        status = density_new(&pass->density, model, plan->S * plan->capacity, back || plan->fit, err);
    if (!status && model->posterior->flow) status = flow_new(&pass->flow, model, plan->capacity, plan->S, back, err);
    if (!status && !(pass->memory = mem_new(lay_out(pass, NULL), 1, err))) status = VAE_E_MEMORY;
    if (status)
        pass_free(pass);
    else
        lay_out(pass, pass->memory);
    return status;
}

void pass_free(struct pass *pass)
{
    density_free(&pass->density);
    flow_free(&pass->flow);
    free(pass->memory);
    *pass = (struct pass){0};
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

void pass_derive(struct pass *pass, const struct rng *noise)
{
    if (!pass->logp_joint) return;
    density_derive(&pass->density, pass->pool);
    if (noise && (pass->plan.training || pass->plan.fit))
        density_propose(&pass->density, pass->pool, noise);
    else if (noise)
        density_calibrate(&pass->density, pass->pool, noise, pass->plan.calibration);
}

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
    for (size_t r = s.begin; r < s.end && pass->encoder.sparse; r++) sparse_list_row(&pass->sparse, r, pass->x + r * D);
    for (size_t r = s.begin; r < s.end && pass->label; r++)
        pass->label[r] = job->images->labels[job->index ? job->index[r] : job->first + r];
}

vae_status pass_gather(struct pass *pass, const vae_images *images, const uint32_t *index, size_t first, size_t B,
                       vae_error *err)
{
    struct gathering job = {.pass = pass, .images = images, .index = index, .first = first};
    pass->B = B;
    pass->share = (struct share){0, B};
    pass->encoder.label = pass->decoder.label = (struct labels){pass->label, B};
    pool_run(pass->pool, "data", row_tiles(B), gather_tile, &job);
    if (!atomic_load(&job.failed)) return VAE_OK;
    return vae_fail(err, VAE_E_DATA, "%s: cannot read images (was the file changed or removed?)", images->stream->path);
}

/* Heads come as rows of all of them; everything else wants each contiguous. */
static void split_heads(struct pass *pass, struct span s)
{
    const size_t L = pass->model->L, C = pass->model->flow_nets.C, bytes = L * sizeof(real);
    const real *head = run_result(&pass->encoder) + s.begin * (2 * L + C);
    for (size_t r = s.begin; r < s.end; r++, head += 2 * L + C) {
        memcpy(pass->a + r * L, head, bytes);
        memcpy(pass->b + r * L, head + L, bytes);
        if (C) memcpy(pass->flow.context + r * C, head + 2 * L, C * sizeof(real));
    }
}

static void encode_tile(void *context, size_t tile)
{
    struct pass *pass = context;
    const size_t L = pass->model->L;
    const struct span s = row_span(pass->B, tile);
    split_heads(pass, s);
    pass->model->posterior->scale((s.end - s.begin) * L, pass->b + s.begin * L, pass->scale + s.begin * L);
    if (pass->flow.tape) pass->flow.ops->condition(&pass->flow, s);
}

void pass_encode(struct pass *pass)
{
    net_forward(pass->pool, pass->model->params, &pass->encoder, pass->B);
    pool_run(pass->pool, "latent", row_tiles(pass->B), encode_tile, pass);
}

const real *pass_centre(struct pass *pass)
{
    if (!pass->flow.tape) return pass->a;
    memcpy(pass->centre, pass->a, pass->B * pass->model->L * sizeof *pass->centre);
    flow_forward(&pass->flow, pass->pool, pass->B, pass->B, pass->centre, NULL);
    return pass->centre;
}

void pass_decode(struct pass *pass, size_t n) { net_forward(pass->pool, pass->model->params, &pass->decoder, n); }

struct likelihood_job {
    struct pass *pass;
    bool training;
};

/* What the likelihood learns, for one row. */
static struct learned learned_of(const struct pass *pass, size_t row, bool training)
{
    const struct tensor *t = pass->model->learned;
    if (!t) return (struct learned){0};
    const bool learns = training && pass->learned_gradient;
    return (struct learned){pass->model->params + t->offset, learns ? pass->learned_gradient + row * t->count : NULL};
}

static void likelihood_tile(void *context, size_t tile)
{
    const struct likelihood_job *job = context;
    struct pass *pass = job->pass;
    const struct vae_model *m = pass->model;
    const size_t rows = pass->plan.S * pass->B, width = m->D * m->outputs;
    const real weight = R(1) / R(pass->plan.S * pass->share.batch);
    const struct span s = row_span(rows, tile);
    for (size_t r = s.begin; r < s.end; r++) {
        real *out = run_result(&pass->decoder) + r * width;
        const real *x = pass->x + r % pass->B * m->D;
        const struct learned learned = learned_of(pass, r, job->training);
        pass->recon[r] = m->likelihood->nll(m->likelihood_state, m->D, out, x, weight, job->training ? out : NULL,
                                            &learned);
    }
}

void pass_likelihood(struct pass *pass, bool training)
{
    struct likelihood_job job = {pass, training};
    pool_run(pass->pool, "likelihood", row_tiles(pass->plan.S * pass->B), likelihood_tile, &job);
}

/* ---- Backward --------------------------------------------------------------------------------------------------- */

struct scaling {
    struct pass *pass;
    const real *factor;
};

static void scale_tile(void *context, size_t tile)
{
    const struct scaling *job = context;
    const struct net *decoder = &job->pass->model->decoder;
    const size_t last = decoder->layers - 1, width = decoder->layer[last].out;
    const struct span s = row_span(job->pass->plan.S * job->pass->B, tile);
    for (size_t r = s.begin; r < s.end; r++)
        for (size_t i = 0; i < width; i++) job->pass->decoder.gradient[last][r * width + i] *= job->factor[r];
}

static void set_row_weights(struct pass *pass, real weight)
{
    for (size_t r = 0; r < pass->plan.S * pass->B; r++) pass->row_weight[r] = weight;
}

void pass_fit_backward(struct pass *pass)
{
    const size_t rows = pass->plan.S * pass->B;
    set_row_weights(pass, R(-1) / R(rows));
    memset(pass->dz, 0, rows * pass->model->L * sizeof *pass->dz);
    density_backward(&pass->density, pass->pool, pass->z, pass->row_weight, pass->dz, pass->params_gradient);
}

/* A factorised prior behind a flow. */
static void factorised_prior_backward(struct pass *pass)
{
    const size_t L = pass->model->L, rows = pass->plan.S * pass->B;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = r * L; i < (r + 1) * L; i++) pass->dz[i] += pass->row_weight[r] * pass->dlogp_dz[i];
}

/* The loss has -beta w_s (log p(z_s) - log q(z_s)) of each draw, and the mean over images: the part of a joint prior
 * and of a flow. */
static void ratio_backward(struct pass *pass, const struct loss_slope *slope)
{
    const size_t rows = pass->plan.S * pass->B;
    for (size_t r = 0; r < rows; r++)
        pass->row_weight[r] = -slope->importance_weight[r] * slope->beta / R(pass->share.batch);
    if (pass->logp_joint)
        density_backward(&pass->density, pass->pool, pass->z, pass->row_weight, pass->dz, pass->params_gradient);
    else
        factorised_prior_backward(pass);
    if (pass->flow.tape) flow_backward(&pass->flow, pass->pool, rows, pass->row_weight, pass->dz);
}

/* From d mean recon / dz, which is -1/rows of what a row's own log p(x|z) has. */
static void slopes_tile(void *context, size_t tile)
{
    struct pass *pass = context;
    const size_t L = pass->model->L, rows = pass->plan.S * pass->B;
    const struct span s = row_span(rows, tile);
    for (size_t i = s.begin * L; i < s.end * L; i++) pass->dz[i] = pass->dlogp_dz[i] - R(rows) * pass->dz[i];
}

void pass_slopes(struct pass *pass)
{
    const size_t rows = pass->plan.S * pass->B;
    net_backward(pass->pool, pass->model->params, &pass->decoder, pass->dz);
    if (pass->row_weight) set_row_weights(pass, R(1));
    if (pass->logp_joint) density_slopes(&pass->density, pass->pool, pass->z, pass->row_weight, pass->dlogp_dz);
    pool_run(pass->pool, "slopes", row_tiles(rows), slopes_tile, pass);
    if (!pass->flow.tape) return;
    flow_backward(&pass->flow, pass->pool, rows, pass->row_weight, pass->dz);
    flow_backward(&pass->flow, pass->pool, rows, pass->row_weight, pass->dlogp_dz);
}

/* Numbers that the likelihood learns: sums over rows in their order, as weights are known only now. */
static void learned_backward(struct pass *pass, const real *factor)
{
    const struct tensor *t = pass->model->learned;
    const size_t rows = pass->plan.S * pass->B;
    for (size_t i = 0; i < t->count; i++) {
        double sum = 0;
        for (size_t r = 0; r < rows; r++)
            sum += (factor ? (double)factor[r] : 1) * (double)pass->learned_gradient[r * t->count + i];
        pass->params_gradient[t->offset + i] = R(sum);
    }
}

void pass_backward(struct pass *pass, const struct loss_slope *slope)
{
    const struct vae_model *m = pass->model;
    if (slope->factor) {
        struct scaling job = {pass, slope->factor};
        pool_run(pass->pool, "likelihood", row_tiles(pass->plan.S * pass->B), scale_tile, &job);
    }
    if (m->learned) learned_backward(pass, slope->factor);
    net_backward(pass->pool, m->params, &pass->decoder, pass->dz);
    if (model_has_joint_kl(m)) ratio_backward(pass, slope);
    pass_latent_backward(pass, slope);
    net_backward(pass->pool, m->params, &pass->encoder, NULL);
}

/* ---- Weights ---------------------------------------------------------------------------------------------------- */

/* What one task of the weights phase takes a part of: a layer of a network that ran over rows, whose gradient is
 * computed there, or a tensor that has its gradient already. */
struct part {
    const struct run *run, *also; /* of the same network; the gradient is the sum of both */
    size_t layer;
    const struct tensor *tensor;
    size_t tiles, weights;
};

enum { MAX_PARTS = MAX_LAYERS + PRIOR_TENSORS + 1, TENSOR_TILE = 1 << 14 };

/* All of them, the largest first: who finishes early finds small tiles, and nobody waits long. */
struct update_job {
    struct pass *pass;
    struct vae_model *model;
    const struct adam *adam; /* NULL: no update */
    bool differentiate;      /* compute gradients of networks, or are they there? */
    struct part part[MAX_PARTS];
    size_t parts;
};

static void add_part(struct update_job *job, struct part part)
{
    size_t at = job->parts++;
    for (; at > 0 && job->part[at - 1].weights < part.weights; at--) job->part[at] = job->part[at - 1];
    job->part[at] = part;
}

static void add_run(struct update_job *job, const struct run *run, const struct run *also)
{
    for (size_t i = 0; i < run->net->layers; i++) {
        const struct dense *layer = &run->net->layer[i];
        add_part(job, (struct part){.run = run,
                                    .also = also,
                                    .layer = i,
                                    .tiles = dense_gradient_tiles(layer, run->rows),
                                    .weights = layer->in * dense_columns(layer)});
    }
}

static void add_tensor(struct update_job *job, const struct tensor *tensor)
{
    const size_t tiles = (tensor->count + TENSOR_TILE - 1) / TENSOR_TILE;
    if (tensor->rate > 0) add_part(job, (struct part){.tensor = tensor, .tiles = tiles, .weights = tensor->count});
}

static void apply_adam(const struct update_job *job, const struct adam *adam, struct span span)
{
    struct vae_model *m = job->model;
    const size_t at = span.begin;
    adam_update(adam, span.end - at, job->pass->params_gradient + at, m->adam.m + at, m->adam.v + at, m->params + at);
}

static void apply_mask(const struct pass *pass, struct span span)
{
    for (size_t i = span.begin; i < span.end; i++) pass->params_gradient[i] *= pass->model->mask[i];
}

/* One slice of one layer's weights: its gradient over the whole batch, then Adam while it is in cache. */
static void update_layer(const struct update_job *job, const struct part *part, size_t tile)
{
    const struct dense *layer = &part->run->net->layer[part->layer];
    const struct span weight = dense_weight_span(layer, part->tiles, tile);
    const struct span bias = dense_bias_span(layer, part->tiles, tile);
    const size_t columns = dense_columns(layer);
    const struct span weights = {layer->weight + weight.begin * columns, layer->weight + weight.end * columns};
    if (job->differentiate) run_gradient(part->run, part->layer, weight, bias, false, job->pass->params_gradient);
    if (job->differentiate && part->also)
        run_gradient(part->also, part->layer, weight, bias, true, job->pass->params_gradient);
    if (job->differentiate && job->pass->model->mask) apply_mask(job->pass, weights);
    if (!job->adam) return;
    apply_adam(job, job->adam, weights);
    apply_adam(job, job->adam, (struct span){layer->bias + bias.begin, layer->bias + bias.end});
}

/* With its own factor on the learning rate, and within its bounds. */
static void update_tensor(const struct update_job *job, const struct part *part, size_t tile)
{
    const struct tensor *t = part->tensor;
    const size_t begin = t->offset + t->count * tile / part->tiles,
                 end = t->offset + t->count * (tile + 1) / part->tiles;
    if (!job->adam) return;
    struct adam adam = *job->adam;
    adam.rate *= R(t->rate);
    apply_adam(job, &adam, (struct span){begin, end});
    real *value = job->model->params;
    const real lowest = R(t->lowest), highest = R(t->highest);
    for (size_t i = begin; i < end; i++) {
        const real low = value[i] < lowest ? lowest : value[i]; /* NaN stays, and is found in the loss */
        value[i] = low > highest ? highest : low;
    }
}

static void update_tile(void *context, size_t tile)
{
    const struct update_job *job = context;
    const struct part *part = job->part;
    for (; tile >= part->tiles; part++) tile -= part->tiles;
    if (part->tensor)
        update_tensor(job, part, tile);
    else
        update_layer(job, part, tile);
}

static void run_update(struct update_job *job)
{
    struct pass *pass = job->pass;
    const struct vae_model *m = pass->model;
    const struct declared *prior = &m->declared;
    size_t tiles = 0;
    if (!pass->plan.fit) {
        add_run(job, &pass->encoder, prior->encodes ? &pass->density.encoded : NULL);
        add_run(job, &pass->decoder, NULL);
        for (size_t i = 0; i < m->flow_nets.nets; i++) add_run(job, &pass->flow.run[i], NULL);
    }
    for (size_t i = 0; i < prior->nets; i++) add_run(job, &pass->density.run[i], NULL);
    for (size_t i = 0; i < prior->tensors; i++) add_tensor(job, &m->block.tensor[prior->tensor[i]]);
    if (m->learned) add_tensor(job, m->learned);
    for (size_t i = 0; i < job->parts; i++) tiles += job->part[i].tiles;
    pool_run(pass->pool, "weights", tiles, update_tile, job);
}

void pass_update(struct pass *pass, struct vae_model *model, const struct adam *adam)
{
    struct update_job job = {.pass = pass, .model = model, .adam = adam, .differentiate = true};
    run_update(&job);
}

void pass_apply(struct pass *pass, struct vae_model *model, const struct adam *adam)
{
    struct update_job job = {.pass = pass, .model = model, .adam = adam};
    run_update(&job);
}

double pass_gradient_norm(const struct pass *pass)
{
    double sum = 0;
    for (size_t i = 0; i < pass->model->block.size; i++) {
        const double g = (double)pass->params_gradient[i];
        sum += g * g;
    }
    return sqrt(sum);
}

void pass_settle(const struct pass *pass, struct vae_model *model)
{
    const struct joint_ops *joint = model->prior->joint;
    if (joint && joint->settle) joint->settle(&pass->density, model->params);
}
