/* SPDX-License-Identifier: MIT */
#include "evaluate/proposal.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

enum part { PLAIN, WIDE, PRIOR };
enum { ROW_ARRAYS = 5 };

static const double WIDER = 3, NOWHERE = -INFINITY;

/* ---- Workspace -------------------------------------------------------------------------------------------------- */

static enum part part_of(const struct proposal *p, size_t draw)
{
    static const enum part turns[] = {PLAIN, PLAIN, WIDE, PRIOR};
    return p->kind == VAE_PROPOSE_Q ? PLAIN : turns[draw % 4];
}

static void count_shares(struct proposal *p)
{
    double count[PROPOSAL_PARTS] = {0};
    for (size_t k = 0; k < p->draws; k++) count[part_of(p, k)]++;
    for (size_t i = 0; i < PROPOSAL_PARTS; i++) p->log_share[i] = log(count[i] / (double)p->draws);
}

static size_t lay_out(struct proposal *p, void *base)
{
    struct arena arena = {.base = base};
    const size_t L = p->pass->model->L, rows = p->pass->plan.S * p->pass->plan.capacity;
    p->target = arena_take(&arena, rows, sizeof *p->target);
    p->log_r = arena_take(&arena, rows, sizeof *p->log_r);
    if (p->pass->plan.slopes) p->log_r_slope = arena_take(&arena, rows * L, sizeof(real));
    p->words = arena_take(&arena, rows * L, sizeof *p->words);
    p->scratch = arena_take(&arena, rows * L * ROW_ARRAYS, sizeof(real));
    p->zero = arena_take(&arena, L, sizeof(real));
    p->one = arena_take(&arena, L, sizeof(real));
    return arena.used;
}

vae_status proposal_new(struct proposal *p, struct pass *pass, vae_proposal kind, size_t draws, vae_error *err)
{
    const struct vae_model *m = pass->model;
    *p = (struct proposal){.pass = pass, .kind = kind, .draws = draws};
    p->reach = m->posterior->reach ? m->posterior->reach(m->posterior_state) : (double)INFINITY;
    if (!(p->memory = mem_new(lay_out(p, NULL), 1, err))) return VAE_E_MEMORY;
    lay_out(p, p->memory);
    for (size_t j = 0; j < m->L; j++) p->one[j] = 1;
    count_shares(p);
    return VAE_OK;
}

void proposal_free(struct proposal *p) { free(p->memory); }

/* ---- Draws ------------------------------------------------------------------------------------------------------ */

struct drawing {
    struct proposal *p;
    const struct rng *rng;
    size_t first, image;
};

static void draw_q(const struct drawing *job, size_t r, bool wide)
{
    struct pass *pass = job->p->pass;
    const struct vae_model *m = pass->model;
    const uint32_t(*words)[4] = (const uint32_t(*)[4])(job->p->words + r * m->L);
    real *eps = pass->eps + r * m->L;
    for (size_t j = 0; j < m->L; j++) m->posterior->noise(m->posterior_state, 1, &words[j][0], eps + j);
    for (size_t j = 0; j < m->L && wide; j++)
        if (rng_uniform(words[j][1]) * (double)m->L < 1) eps[j] *= R(WIDER);
}

/* The random numbers of a row depend on the numbers of its draw and its image alone. */
static size_t place_of(const struct drawing *job, size_t r)
{
    const size_t B = job->p->pass->B;
    return ((job->first + r / B) << 24) + job->image + r % B;
}

static void draw_tile(void *context, size_t tile)
{
    const struct drawing *job = context;
    struct pass *pass = job->p->pass;
    const size_t L = pass->model->L;
    const struct span s = row_span(pass->plan.S * pass->B, tile);
    for (size_t r = s.begin; r < s.end; r++) {
        const enum part part = part_of(job->p, job->first + r / pass->B);
        for (size_t j = 0; j < L; j++) rng_block(job->rng, place_of(job, r) * L + j, job->p->words[r * L + j]);
        if (part != PRIOR) {
            draw_q(job, r, part == WIDE);
        } else if (!pass->model->prior->joint) {
            pass->model->prior->sample(pass->model->prior_state, L, (const uint32_t(*)[4])(job->p->words + r * L),
                                       pass->z + r * L);
        }
    }
}

/* A joint prior draws for all images at once, and on one thread: one draw may use all of its tape. */
static vae_status draw_prior(const struct drawing *job, size_t k, vae_error *err)
{
    struct pass *pass = job->p->pass;
    const struct joint_ops *joint = pass->model->prior->joint;
    const size_t B = pass->B, own = pass->density.own;
    vae_status status = VAE_OK;
    if (joint)
        status = joint->draw(&pass->density, job->rng, (struct span){own, own + B}, place_of(job, k * B),
                             pass->z + k * B * pass->model->L, err);
    if (!status) pass_noise(pass, k);
    return status;
}

vae_status proposal_draw(struct proposal *p, const struct rng *rng, size_t first, size_t image, vae_error *err)
{
    struct drawing job = {p, rng, first, image};
    vae_status status = VAE_OK;
    pool_run(p->pass->pool, "draws", row_tiles(p->pass->plan.S * p->pass->B), draw_tile, &job);
    for (size_t k = 0; k < p->pass->plan.S && !status; k++)
        if (part_of(p, first + k) == PRIOR) status = draw_prior(&job, k, err);
    return status;
}

/* ---- Densities -------------------------------------------------------------------------------------------------- */

/* What a row needs, in its part of the scratch memory: log q of each latent and its slope; the same where it is wider;
 * slopes of the parts. */
struct row {
    const real *eps;
    real *log_q, *slope, *log_wide, *wide_slope, *narrow;
};

static double sum_of(size_t n, const real *x)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

static bool is_within(double reach, size_t n, const real *eps)
{
    for (size_t i = 0; i < n; i++)
        if (!(fabs((double)eps[i]) <= reach)) return false;
    return true;
}

/* log of the sum of e^a, e^b, either of which may be -inf, and the share of the second in it. */
static double log_sum(double a, double b, double *share)
{
    const double most = fmax(a, b), sum = most > NOWHERE ? most + log(exp(a - most) + exp(b - most)) : most;
    *share = most > NOWHERE ? exp(b - sum) : 0;
    return sum;
}

/* log density of q with each latent wider with probability 1/L; its slopes into wide_slope. */
static double weigh_wide(const struct proposal *p, struct row *row)
{
    const struct vae_model *m = p->pass->model;
    const double wide = 1 / (double)m->L, log_wide = log(wide / WIDER), log_narrow = log1p(-wide);
    double sum = 0;
    for (size_t j = 0; j < m->L; j++) row->narrow[j] = row->eps[j] / R(WIDER);
    m->posterior->log_prob(m->posterior_state, m->L, p->zero, p->one, row->narrow, row->log_wide, row->wide_slope);
    for (size_t j = 0; j < m->L; j++) {
        const bool in = fabs((double)row->eps[j]) <= p->reach, in_wide = fabs((double)row->narrow[j]) <= p->reach;
        double share;
        sum += log_sum(in ? log_narrow + (double)row->log_q[j] : NOWHERE,
                       in_wide ? log_wide + (double)row->log_wide[j] : NOWHERE, &share);
        row->wide_slope[j] = R((1 - share) * (double)row->slope[j] + share * (double)row->wide_slope[j] / WIDER);
    }
    return sum;
}

/* log of the mixture at row r from the logarithms of its parts, and its slope. */
static void mix(const struct proposal *p, size_t r, const double *part, const struct row *row)
{
    const struct pass *pass = p->pass;
    const size_t L = pass->model->L, i = r % pass->B * L;
    double most = NOWHERE, sum = 0, share[PROPOSAL_PARTS];
    for (size_t k = 0; k < PROPOSAL_PARTS; k++) most = fmax(most, p->log_share[k] + part[k]);
    for (size_t k = 0; k < PROPOSAL_PARTS; k++) {
        share[k] = most > NOWHERE ? exp(p->log_share[k] + part[k] - most) : 0;
        sum += share[k];
    }
    p->log_r[r] = most + log(sum);
    if (!p->log_r_slope) return;
    real *slope = p->log_r_slope + r * L;
    for (size_t j = 0; j < L; j++) {
        double s = share[PLAIN] * (double)row->slope[j] + share[WIDE] * (double)row->wide_slope[j];
        if (share[PRIOR] > 0) s += share[PRIOR] * (double)(pass->scale[i + j] * pass->dlogp_dz[r * L + j]);
        slope[j] = R(s / sum);
    }
}

static void weigh_row(struct proposal *p, size_t r)
{
    struct pass *pass = p->pass;
    const struct vae_model *m = pass->model;
    const size_t L = m->L;
    real *at = p->scratch + r * L * ROW_ARRAYS;
    struct row row = {pass->eps + r * L, at, at + L, at + 2 * L, at + 3 * L, at + 4 * L};
    m->posterior->log_prob(m->posterior_state, L, p->zero, p->one, row.eps, row.log_q, row.slope);
    const double plain = sum_of(L, row.log_q);
    p->target[r] = pass->log_ratio[r] + plain - pass->recon[r];
    double part[PROPOSAL_PARTS] = {is_within(p->reach, L, row.eps) ? plain : NOWHERE, NOWHERE, NOWHERE};
    if (p->kind == VAE_PROPOSE_DEFENSIVE) {
        part[WIDE] = weigh_wide(p, &row);
        part[PRIOR] = pass->log_ratio[r] + plain;
    }
    mix(p, r, part, &row);
}

static void weigh_tile(void *context, size_t tile)
{
    struct proposal *p = context;
    const struct span s = row_span(p->pass->plan.S * p->pass->B, tile);
    for (size_t r = s.begin; r < s.end; r++) weigh_row(p, r);
}

void proposal_weigh(struct proposal *p)
{
    struct pass *pass = p->pass;
    const size_t rows = pass->plan.S * pass->B;
    pass_latent(pass, NULL);
    pass_decode(pass, rows);
    pass_likelihood(pass, pass->plan.slopes);
    if (pass->plan.slopes) pass_slopes(pass);
    pool_run(pass->pool, "weights of draws", row_tiles(rows), weigh_tile, p);
}
