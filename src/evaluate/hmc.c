/* SPDX-License-Identifier: MIT */
#include "evaluate/hmc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Words of a chain in a move: one accepts, one varies the step, L make the momentum. */
enum { ACCEPT, STEP, MOMENTUM };

static const double VARIES = 0.2;

/* ---- Workspace -------------------------------------------------------------------------------------------------- */

static size_t lay_out(struct chains *c, void *base)
{
    struct arena arena = {.base = base};
    const size_t rows = c->pass->plan.S * c->pass->plan.capacity, values = rows * c->pass->model->L;
    real **const arrays[] = {&c->momentum, &c->slope, &c->eps, &c->slopes, &c->r_slope};
    double **const numbers[] = {&c->target, &c->log_r, &c->energy, &c->accepted};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) *arrays[i] = arena_take(&arena, values, sizeof(real));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        *numbers[i] = arena_take(&arena, rows, sizeof(double));
    return arena.used;
}

vae_status chains_new(struct chains *c, struct pass *pass, struct proposal *proposal, size_t leapfrog, vae_error *err)
{
    *c = (struct chains){.pass = pass, .proposal = proposal, .leapfrog = leapfrog};
    if (!(c->memory = mem_new(lay_out(c, NULL), 1, err))) return VAE_E_MEMORY;
    lay_out(c, c->memory);
    return VAE_OK;
}

void chains_free(struct chains *c) { free(c->memory); }

/* ---- Where chains are ------------------------------------------------------------------------------------------- */

static size_t rows_of(const struct chains *c) { return c->pass->plan.S * c->pass->B; }

/* z0 = a + s eps: d/d eps = s d/dz0. */
static void slope_tile(void *context, size_t tile)
{
    const struct chains *c = context;
    const size_t L = c->pass->model->L;
    const struct span s = row_span(rows_of(c), tile);
    for (size_t r = s.begin; r < s.end; r++)
        for (size_t j = 0; j < L; j++)
            c->slope[r * L + j] = c->pass->scale[r % c->pass->B * L + j] * c->pass->dz[r * L + j];
}

void chains_place(struct chains *c)
{
    proposal_weigh(c->proposal);
    pool_run(c->pass->pool, "slopes", row_tiles(rows_of(c)), slope_tile, c);
}

/* ---- A move ----------------------------------------------------------------------------------------------------- */

struct move {
    struct chains *c;
    const struct rng *rng;
    size_t image;
    double b, step;
    double kick; /* of a full step that the momentum gets */
};

static double log_density(const struct chains *c, size_t r, double b)
{
    const double log_r = c->proposal->log_r[r];
    return log_r > (double)-INFINITY ? (1 - b) * log_r + b * c->proposal->target[r] : log_r;
}

static double energy(const struct chains *c, size_t r, double b)
{
    const size_t L = c->pass->model->L;
    double sum = 0;
    for (size_t j = r * L; j < (r + 1) * L; j++) sum += (double)c->momentum[j] * (double)c->momentum[j];
    return sum / 2 - log_density(c, r, b);
}

/* Of row r: word `which` of the move. */
static uint64_t word_of(const struct move *m, size_t r, size_t which)
{
    const struct pass *pass = m->c->pass;
    const uint64_t chain = (uint64_t)(m->image + r % pass->B) * VAE_MOST_CHAINS + r / pass->B;
    return chain * (MOMENTUM + pass->model->L) + which;
}

static double uniform_of(const struct move *m, size_t r, size_t which)
{
    uint32_t word;
    rng_words(m->rng, word_of(m, r, which), 1, &word);
    return rng_uniform(word);
}

static real step_of(const struct move *m, size_t r)
{
    return R(m->step * (1 + VARIES * (2 * uniform_of(m, r, STEP) - 1)));
}

/* Momentum += kick h slope, eps += h momentum. */
static void go(const struct move *m, size_t r, real h, bool drift)
{
    const struct chains *c = m->c;
    const size_t L = c->pass->model->L, at = r * L;
    const real *slope = c->slope + at, *r_slope = c->proposal->log_r_slope + at;
    const real to = R(m->kick * m->b) * h, from = R(m->kick * (1 - m->b)) * h;
    real *v = c->momentum + at, *eps = c->pass->eps + at;
    for (size_t j = 0; j < L; j++) v[j] += from * r_slope[j] + to * slope[j];
    for (size_t j = 0; j < L && drift; j++) eps[j] += h * v[j];
}

static void start_tile(void *context, size_t tile)
{
    const struct move *m = context;
    struct chains *c = m->c;
    const size_t L = c->pass->model->L;
    const struct span s = row_span(rows_of(c), tile);
    const size_t at = s.begin * L, bytes = (s.end - s.begin) * L * sizeof(real);
    memcpy(c->eps + at, c->pass->eps + at, bytes);
    memcpy(c->slopes + at, c->slope + at, bytes);
    memcpy(c->r_slope + at, c->proposal->log_r_slope + at, bytes);
    for (size_t r = s.begin; r < s.end; r++) {
        uint32_t *words = c->proposal->words[r * L];
        rng_words(m->rng, word_of(m, r, MOMENTUM), L, words);
        for (size_t j = 0; j < L; j++) c->momentum[r * L + j] = rng_normal(words[j]);
        c->target[r] = c->proposal->target[r];
        c->log_r[r] = c->proposal->log_r[r];
        c->energy[r] = energy(c, r, m->b);
        go(m, r, step_of(m, r), true);
    }
}

static void go_on_tile(void *context, size_t tile)
{
    const struct move *m = context;
    const struct span s = row_span(rows_of(m->c), tile);
    for (size_t r = s.begin; r < s.end; r++) go(m, r, step_of(m, r), true);
}

static void go_back(struct chains *c, size_t r)
{
    const size_t L = c->pass->model->L, at = r * L, bytes = L * sizeof(real);
    memcpy(c->pass->eps + at, c->eps + at, bytes);
    memcpy(c->slope + at, c->slopes + at, bytes);
    memcpy(c->proposal->log_r_slope + at, c->r_slope + at, bytes);
    c->proposal->target[r] = c->target[r];
    c->proposal->log_r[r] = c->log_r[r];
}

static void end_tile(void *context, size_t tile)
{
    const struct move *m = context;
    struct chains *c = m->c;
    const struct span s = row_span(rows_of(c), tile);
    for (size_t r = s.begin; r < s.end; r++) {
        go(m, r, step_of(m, r), false);
        const double fall = c->energy[r] - energy(c, r, m->b);
        c->accepted[r] = fall >= 0 ? 1 : fall < 0 ? exp(fall) : 0; /* what is not a number is rejected */
        if (!(uniform_of(m, r, ACCEPT) < c->accepted[r])) go_back(c, r);
    }
}

void chains_move(struct chains *c, const struct rng *rng, size_t image, double b, double step)
{
    struct move move = {c, rng, image, b, step, 0.5};
    const size_t tiles = row_tiles(rows_of(c));
    pool_run(c->pass->pool, "moves", tiles, start_tile, &move);
    chains_place(c);
    for (size_t i = 1; i < c->leapfrog; i++) {
        move.kick = 1;
        pool_run(c->pass->pool, "moves", tiles, go_on_tile, &move);
        chains_place(c);
    }
    move.kick = 0.5;
    pool_run(c->pass->pool, "moves", tiles, end_tile, &move);
}
