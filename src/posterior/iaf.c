/* SPDX-License-Identifier: MIT
 *
 * Inverse autoregressive flow (Kingma, Salimans, Jozefowicz, Chen, Sutskever & Welling, "Improved variational inference
 * with inverse autoregressive flow", 2016, algorithm 1): draws z_0 of a diagonal Gaussian go through N blocks
 *
 *     h = elu(W z_t + U c + a),  (m, s) = V h + b               c: the context, a head of the encoder
 *     z_(t+1) = sigma z_t + (1 - sigma) m,  sigma = sigmoid(s + 2)
 *     log q(z_N) = log q0(z_0) - sum_t sum_j log sigma_t,j
 *
 * in which (m, s) of a latent see only latents of lower rank, so that dz_(t+1)/dz_t is triangular (Germain, Gregor,
 * Murray & Larochelle, "MADE", 2015): with L latents, unit k of H sees ranks below floor(k L/H), and is seen from that
 * rank on. Some units see the context alone, and so does the latent of rank 0. The rank of a latent is its number, in
 * every second block counted from the end. Backwards, with g = dL/dz_(t+1) and a loss that has w log det:
 *
 *     dL/dm = g (1 - sigma)    dL/ds = (g sigma (z_t - m) + w) (1 - sigma)    dL/dz_t = g sigma + J^T (dL/dm, dL/ds)
 *
 * U c + a is computed once an image, and its gradient is the sum over the draws. V and b start at zero: the flow then
 * only shrinks, by sigmoid(2) a block. */
#include <stdio.h>
#include <string.h>

#include "base/simd.h"
#include "base/vmath.h"
#include "posterior/flow.h"
#include "posterior/gaussian.h"

enum { BLOCKS, WIDTH, CONTEXT };
enum { MOST_BLOCKS = FLOW_NETS / 2 };

struct tape {
    real *z[MOST_BLOCKS + 1]; /* (rows, L) z_t */
    real *sigma[MOST_BLOCKS]; /* (rows, L) */
    real *dz, *d_context;     /* (rows, L), (images, C) what a network gives back to its input */
};

static const real START = 2;

static const vae_param params[] = {
    [BLOCKS] = VAE_COUNT("blocks", 2, 1, MOST_BLOCKS, "blocks of the flow"),
    [WIDTH] = VAE_COUNT("width", 320, 1, 4096, "hidden units of their networks"),
    [CONTEXT] = VAE_COUNT("context", 64, 1, 4096, "numbers that the encoder tells the flow of an image"),
    {0},
};

/* ---- Networks --------------------------------------------------------------------------------------------------- */

/* Block t has network 2t from the context to the sums of its units, and 2t+1 from z_t through the units to (m, s). */
static struct run *context_run(struct flow *flow, size_t t) { return &flow->run[2 * t]; }
static struct run *latent_run(struct flow *flow, size_t t) { return &flow->run[2 * t + 1]; }
static size_t blocks_of(const struct flow *flow) { return flow->nets->nets / 2; }

static size_t context(const double *param) { return (size_t)param[CONTEXT]; }

/* Does unit `unit` see latent `in`, and is it seen by latent `out`? */
static bool sees(const struct tensor *t, size_t unit, size_t in) { return in < unit * t->dim[1] / t->dim[0]; }
static bool is_seen(const struct tensor *t, size_t out, size_t unit) { return unit * t->dim[0] / t->dim[1] <= out; }

static bool sees_from_end(const struct tensor *t, size_t unit, size_t in) { return sees(t, unit, t->dim[1] - 1 - in); }
static bool is_seen_from_end(const struct tensor *t, size_t out, size_t unit)
{
    return is_seen(t, t->dim[0] - 1 - out, unit);
}

static void declare_block(struct flow_nets *nets, struct block *block, size_t t)
{
    struct net *from_context = &nets->net[2 * t], *from_latents = &nets->net[2 * t + 1];
    const size_t width = (size_t)nets->param[WIDTH], outputs[] = {nets->L, nets->L};
    char name[4][TENSOR_NAME];
    const char *const part[4] = {"context", "latents", "m", "s"}, *const heads[] = {name[2], name[3]},
                      *const context = name[0];
    for (size_t i = 0; i < 4; i++) snprintf(name[i], sizeof name[i], "posterior.%u.%s", (unsigned)t, part[i]);
    block_add_heads(block, from_context, nets->C, 1, &context, &width);
    block_add_product(block, from_latents, name[1], nets->L, width, activation_find("elu"));
    block->tensor[block->tensors - 1].keeps = t % 2 ? sees_from_end : sees;
    block_add_heads(block, from_latents, width, 2, heads, outputs);
    for (struct tensor *head = &block->tensor[block->tensors - 4]; head < &block->tensor[block->tensors]; head++) {
        head->start = START_VALUE; /* zero */
        if (head->rank == 2) head->keeps = t % 2 ? is_seen_from_end : is_seen;
    }
}

static void declare(struct flow_nets *nets, struct block *block)
{
    for (size_t t = 0; t < (size_t)nets->param[BLOCKS]; t++) {
        declare_block(nets, block, t);
        nets->of_context[2 * t] = true;
        nets->nets += 2;
    }
}

static void lay_out(struct flow *flow, struct arena *arena)
{
    struct tape *tape = flow->tape;
    const size_t values = flow_rows(flow) * flow->L, blocks = blocks_of(flow);
    for (size_t t = 0; t <= blocks; t++) tape->z[t] = arena_take(arena, values, sizeof(real));
    for (size_t t = 0; t < blocks; t++) {
        tape->sigma[t] = arena_take(arena, values, sizeof(real));
        context_run(flow, t)->x = flow->context;
        latent_run(flow, t)->x = tape->z[t];
        latent_run(flow, t)->bias.value = run_result(context_run(flow, t));
    }
    if (!flow->learns) return;
    tape->dz = arena_take(arena, values, sizeof(real));
    tape->d_context = arena_take(arena, flow->images * flow->nets->C, sizeof(real));
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

static void condition(struct flow *flow, struct span images)
{
    for (size_t t = 0; t < blocks_of(flow); t++) net_forward_rows(flow->params, context_run(flow, t), images);
}

/* From m (n) and s behind it: sigma and z_(t+1); returns sum log sigma. */
VAE_SIMD static real move(size_t n, const real *m, const real *before, real *sigma, real *after)
{
    const real *s = m + n;
    real sum = 0;
    for (size_t j = 0; j < n; j++) {
        sigma[j] = vm_sigmoid(s[j] + START);
        after[j] = sigma[j] * before[j] + (R(1) - sigma[j]) * m[j];
        sum -= vm_softplus(-s[j] - START);
    }
    return sum;
}

static void forward(struct flow *flow, struct span rows, real *z, double *log_det)
{
    struct tape *tape = flow->tape;
    const size_t L = flow->L, blocks = blocks_of(flow), at = rows.begin * L,
                 bytes = (rows.end - rows.begin) * L * sizeof *z;
    memcpy(tape->z[0] + at, z + at, bytes);
    for (size_t t = 0; t < blocks; t++) {
        const real *out = run_result(latent_run(flow, t));
        net_forward_rows(flow->params, latent_run(flow, t), rows);
        for (size_t r = rows.begin; r < rows.end; r++) {
            const real sum = move(L, out + r * 2 * L, tape->z[t] + r * L, tape->sigma[t] + r * L,
                                  tape->z[t + 1] + r * L);
            if (log_det) log_det[r] += (double)sum;
        }
    }
    memcpy(z + at, tape->z[blocks] + at, bytes);
}

/* From m (n) and s behind it, and z_(t+1): z_t, where m and s were right. */
VAE_SIMD static void unravel(size_t n, const real *m, const real *after, real *before)
{
    const real *s = m + n;
    for (size_t j = 0; j < n; j++) {
        const real sigma = vm_sigmoid(s[j] + START);
        before[j] = (after[j] - (R(1) - sigma) * m[j]) / sigma;
    }
}

/* (m, s) of a latent see those of lower rank alone: each round makes one more rank right. */
static void inverse(struct flow *flow, struct span rows, real *z)
{
    struct tape *tape = flow->tape;
    const size_t L = flow->L, at = rows.begin * L, bytes = (rows.end - rows.begin) * L * sizeof *z;
    for (size_t t = blocks_of(flow); t-- > 0;) {
        memcpy(tape->z[t] + at, z + at, bytes);
        for (size_t round = 0; round < L; round++) {
            net_forward_rows(flow->params, latent_run(flow, t), rows);
            for (size_t r = rows.begin; r < rows.end; r++)
                unravel(L, run_result(latent_run(flow, t)) + r * 2 * L, z + r * L, tape->z[t] + r * L);
        }
        memcpy(z + at, tape->z[t] + at, bytes);
    }
}

/* ---- Backward --------------------------------------------------------------------------------------------------- */

/* From dL/dz_(t+1): dL/dm, dL/ds and, in its place, the part of dL/dz_t that does not go through the network. */
VAE_SIMD static void unmove(size_t n, real weight, const real *m, const real *before, const real *sigma, real *dm,
                            real *dz)
{
    real *ds = dm + n;
    for (size_t j = 0; j < n; j++) {
        const real rest = R(1) - sigma[j];
        dm[j] = dz[j] * rest;
        ds[j] = (dz[j] * sigma[j] * (before[j] - m[j]) + weight) * rest;
        dz[j] *= sigma[j];
    }
}

static void backward(struct flow *flow, struct span rows, const real *weight, real *dz)
{
    struct tape *tape = flow->tape;
    const size_t L = flow->L;
    for (size_t t = blocks_of(flow); t-- > 0;) {
        struct run *run = latent_run(flow, t);
        for (size_t r = rows.begin; r < rows.end; r++)
            unmove(L, weight[r], run_result(run) + r * 2 * L, tape->z[t] + r * L, tape->sigma[t] + r * L,
                   run->gradient[1] + r * 2 * L, dz + r * L);
        net_backward_rows(flow->params, run, rows, tape->dz);
        for (size_t i = rows.begin * L; i < rows.end * L; i++) dz[i] += tape->dz[i];
    }
}

static void add(size_t n, const real *from, real *to)
{
    for (size_t i = 0; i < n; i++) to[i] += from[i];
}

/* The gradient of the units' sums, of all draws of each image together. */
static void sum_draws(struct flow *flow, struct span images, size_t t)
{
    const struct run *draws = latent_run(flow, t);
    const size_t width = net_out(context_run(flow, t)->net), period = draws->bias.period;
    real *sum = context_run(flow, t)->gradient[0];
    memset(sum + images.begin * width, 0, (images.end - images.begin) * width * sizeof *sum);
    for (size_t i = images.begin; i < images.end; i++)
        for (size_t r = i; r < draws->rows; r += period) add(width, draws->gradient[0] + r * width, sum + i * width);
}

static void condition_backward(struct flow *flow, struct span images)
{
    const size_t C = flow->nets->C, at = images.begin * C, n = (images.end - images.begin) * C;
    memset(flow->d_context + at, 0, n * sizeof(real));
    for (size_t t = 0; t < blocks_of(flow); t++) {
        sum_draws(flow, images, t);
        net_backward_rows(flow->params, context_run(flow, t), images, flow->tape->d_context);
        add(n, flow->tape->d_context + at, flow->d_context + at);
    }
}

static const struct flow_ops flow = {
    .size = sizeof(struct tape),
    .context = context,
    .declare = declare,
    .lay_out = lay_out,
    .condition = condition,
    .forward = forward,
    .inverse = inverse,
    .backward = backward,
    .condition_backward = condition_backward,
};

const struct posterior_ops posterior_iaf = {
    .module = {.name = "iaf",
               .summary = "inverse autoregressive flow from a diagonal Gaussian",
               .formula = "q(z|x) = N(z0; mu, exp(logvar)) / |det dz/dz0|, z = f(z0; context) of N masked blocks",
               .params = params},
    .head = {"mu", "logvar", "context"},
    .flow = &flow,
    .noise = gaussian_noise,
    .scale = gaussian_scale,
    .draw = gaussian_draw,
    .backward = gaussian_backward,
    .entropy = gaussian_entropy,
    .log_prob = gaussian_log_prob,
};
