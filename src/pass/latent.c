/* SPDX-License-Identifier: MIT
 *
 * Between encoder and decoder: from q(z|x) to draws z and what they cost, and the way back. */
#include <string.h>

#include "pass/pass.h"

/* ---- Noise ------------------------------------------------------------------------------------------------------ */

/* Words of draw k start at k * 2^36; those that choose strata behind all draws. */
static const uint64_t STRATA = (uint64_t)1 << 57;

static uint64_t words_of(size_t draw) { return (uint64_t)draw << 36; }

/* The word of an element of the images at work among those of the batch. */
static uint64_t noise_at(const struct pass *pass, size_t at) { return pass->share.first * pass->model->L + at; }

/* Cuts the range of random words into K strata, and puts draw k of the KL into stratum (k + random) mod K: together
 * they cover all strata, and each by itself is still uniform. */
static void stratify(size_t n, const uint32_t *shift, size_t k, size_t K, uint32_t *word)
{
    for (size_t i = 0; i < n; i++) {
        const uint64_t stratum = (k + ((uint64_t)shift[i] * K >> 32)) % K;
        word[i] = (uint32_t)((stratum << 32 | word[i]) / K);
    }
}

/* ---- The KL of its own ------------------------------------------------------------------------------------------ */

/* KL = -H(q) - (1/K) sum_k log p(z_k), z_k = g(eps_k; a, b), with pathwise derivatives: the sample itself moves with a
 * and b. */
static void start_mc_kl(struct pass *pass, size_t at, size_t n)
{
    real *kl = pass->kl + at, *kl_b = pass->kl_b + at;
    pass->model->posterior->entropy(pass->model->posterior_state, n, pass->b + at, kl, kl_b);
    for (size_t i = 0; i < n; i++) {
        kl[i] = -kl[i];
        kl_b[i] = -kl_b[i];
        pass->kl_a[at + i] = 0;
    }
}

static void add_mc_sample(struct pass *pass, size_t at, size_t n, const real *eps, const real *z)
{
    const struct vae_model *m = pass->model;
    const real share = R(1) / R(pass->plan.K);
    real *logp = pass->logp + at, *dlogp = pass->dlogp + at, *kl = pass->kl + at;
    m->prior->log_prob(m->prior_state, n, z, logp, dlogp);
    for (size_t i = 0; i < n; i++) kl[i] -= share * logp[i];
    m->posterior->backward(n, pass->scale + at, eps, dlogp, -share, pass->kl_a + at, pass->kl_b + at);
}

/* ---- The KL in each draw ---------------------------------------------------------------------------------------- */

/* -log q(z), or the entropy of q, of each row of draw k; under a factorised prior also log p(z) and its slope. Joint
 * priors come later, as do all priors behind a flow. */
static void add_ratio(struct pass *pass, size_t k, size_t at, size_t n)
{
    const struct vae_model *m = pass->model;
    const size_t L = m->L, plane = k * pass->B * L + at;
    const bool later = model_has_joint_kl(m);
    const real *logp = pass->logp + at, *minus_logq = pass->kl + at;
    real *logq = pass->kl_z + at;
    if (!later) m->prior->log_prob(m->prior_state, n, pass->z + plane, pass->logp + at, pass->dlogp_dz + plane);
    if (!pass->plan.entropy)
        m->posterior->log_prob(m->posterior_state, n, pass->b + at, pass->scale + at, pass->eps + plane, logq,
                               pass->dlogp + at);
    for (size_t i = 0; i < n; i += L) {
        double ratio = 0;
        for (size_t j = i; j < i + L; j++)
            ratio += (later ? 0 : (double)logp[j]) - (pass->plan.entropy ? -(double)minus_logq[j] : (double)logq[j]);
        pass->log_ratio[k * pass->B + (at + i) / L] = ratio;
    }
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */

struct latent_job {
    struct pass *pass;
    const struct rng *rng;
};

/* Draw k of the posterior for one tile. Draws below S are kept for decoder and backward pass; others serve the KL
 * alone. */
static void draw_sample(struct pass *pass, const struct rng *rng, size_t k, size_t at, size_t n)
{
    const struct pass_plan *plan = &pass->plan;
    const struct posterior_ops *q = pass->model->posterior;
    const bool kept = k < plan->S, in_kl = plan->kl == KL_MONTE_CARLO && k < plan->K;
    const size_t plane = k * pass->B * pass->model->L;
    real *eps = kept ? pass->eps + plane + at : pass->kl_eps + at;
    real *z = kept ? pass->z + plane + at : pass->kl_z + at;
    if (rng) {
        rng_words(rng, words_of(pass->first_draw + k) + noise_at(pass, at), n, pass->bits + at);
        if (in_kl && plan->stratified) stratify(n, pass->shift + at, k, plan->K, pass->bits + at);
        q->noise(pass->model->posterior_state, n, pass->bits + at, eps);
    }
    q->draw(n, pass->a + at, pass->scale + at, eps, z);
    if (in_kl) add_mc_sample(pass, at, n, eps, z);
    if (plan->kl == KL_PER_DRAW) add_ratio(pass, k, at, n);
}

static void latent_tile(void *context, size_t tile)
{
    const struct latent_job *job = context;
    struct pass *pass = job->pass;
    const struct vae_model *m = pass->model;
    const struct span s = row_span(pass->B, tile);
    const size_t at = s.begin * m->L, n = (s.end - s.begin) * m->L;
    size_t draws = pass->plan.S;
    switch (pass->plan.kl) {
    case KL_EXACT:
        m->exact(m->prior_state, n, pass->a + at, pass->b + at, pass->kl + at, pass->kl_a + at, pass->kl_b + at);
        break;
    case KL_MONTE_CARLO:
        start_mc_kl(pass, at, n);
        if (pass->plan.stratified) rng_words(job->rng, STRATA + noise_at(pass, at), n, pass->shift + at);
        if (pass->plan.K > draws) draws = pass->plan.K;
        break;
    case KL_PER_DRAW: m->posterior->entropy(m->posterior_state, n, pass->b + at, pass->kl + at, pass->kl_b + at); break;
    case KL_NONE: break;
    }
    for (size_t k = 0; k < draws; k++) draw_sample(pass, job->rng, k, at, n);
}

/* log p(z) under a factorised prior, where a flow has moved z. */
static void moved_tile(void *context, size_t tile)
{
    struct pass *pass = context;
    const struct vae_model *m = pass->model;
    const size_t L = m->L;
    const struct span s = row_span(pass->B, tile);
    const size_t at = s.begin * L, n = (s.end - s.begin) * L;
    for (size_t k = 0; k < pass->plan.S; k++) {
        const size_t plane = k * pass->B * L + at;
        m->prior->log_prob(m->prior_state, n, pass->z + plane, pass->logp + at, pass->dlogp_dz + plane);
        for (size_t i = 0; i < n; i++) pass->log_ratio[k * pass->B + (at + i) / L] += (double)pass->logp[at + i];
    }
}

static void add_joint_prior(struct pass *pass)
{
    const size_t rows = pass->plan.S * pass->B;
    density_log_prob(&pass->density, pass->pool, rows, pass->z, pass->logp_joint);
    for (size_t r = 0; r < rows; r++) pass->log_ratio[r] += pass->logp_joint[r];
}

void pass_latent(struct pass *pass, const struct rng *rng)
{
    struct latent_job job = {pass, rng};
    pool_run(pass->pool, "latent", row_tiles(pass->B), latent_tile, &job);
    if (pass->flow.tape)
        flow_forward(&pass->flow, pass->pool, pass->B, pass->plan.S * pass->B, pass->z, pass->log_ratio);
    if (pass->logp_joint)
        add_joint_prior(pass);
    else if (pass->flow.tape && pass->log_ratio)
        pool_run(pass->pool, "latent", row_tiles(pass->B), moved_tile, pass);
}

void pass_noise(struct pass *pass, size_t k)
{
    const size_t plane = pass->B * pass->model->L;
    real *z = pass->z + k * plane, *eps = pass->eps + k * plane;
    if (pass->flow.tape) flow_inverse(&pass->flow, pass->pool, pass->B, pass->B, z);
    for (size_t i = 0; i < plane; i++) eps[i] = (z[i] - pass->a[i]) / pass->scale[i];
}

/* ---- Backward --------------------------------------------------------------------------------------------------- */

struct backward_job {
    struct pass *pass;
    const struct loss_slope *slope;
};

/* What the KL of its own adds to da, db. */
static void start_from_kl(const struct backward_job *job, size_t at, size_t n)
{
    struct pass *pass = job->pass;
    for (size_t i = at; i < at + n; i++) {
        const real weight = job->slope->kl[i % pass->model->L] / R(pass->share.batch);
        pass->da[i] = weight * pass->kl_a[i];
        pass->db[i] = weight * pass->kl_b[i];
    }
}

/* Draws that carry log p - log q themselves: log w = log p(x|z) + beta (log p(z) - log q(z)), with weights w_s that sum
 * to one. In all of d log w / d(a,b), the part of log q that does not go through z is d log q / db = -dH/db, whatever
 * the draw. The path estimators leave it out: its expectation is zero in the ELBO (Roeder, Wu & Duvenaud 2017), and in
 * IWAE it becomes another factor in the weights (see add_ratio_slope). */
static void start_from_draws(const struct backward_job *job, size_t at, size_t n)
{
    struct pass *pass = job->pass;
    const bool scored = job->slope->gradient == GRADIENT_STANDARD;
    const real weight = scored ? -job->slope->beta / R(pass->share.batch) : R(0);
    for (size_t i = at; i < at + n; i++) {
        pass->da[i] = 0;
        pass->db[i] = weight * pass->kl_b[i];
    }
}

/* Adds to dz what log p(z), and in path estimators -log q(z), contribute through z. (A joint prior has added its part
 * before, as have all priors behind a flow.) */
static void add_ratio_slope(const struct backward_job *job, size_t k, size_t at, size_t n)
{
    struct pass *pass = job->pass;
    const struct loss_slope *slope = job->slope;
    const size_t L = pass->model->L, plane = k * pass->B * L + at;
    const bool path = slope->gradient != GRADIENT_STANDARD, done = model_has_joint_kl(pass->model);
    if (path)
        pass->model->posterior->log_prob(pass->model->posterior_state, n, pass->b + at, pass->scale + at,
                                         pass->eps + plane, pass->kl_z + at, pass->dlogp + at);
    for (size_t i = 0; i < n; i++) {
        const real w = slope->importance_weight[k * pass->B + (at + i) / L];
        const real up = (done ? R(0) : pass->dlogp_dz[plane + i]) - (path ? pass->dlogp[at + i] : R(0));
        const real d = pass->dz[plane + i] - w * slope->beta / R(pass->share.batch) * up;
        /* Tucker, Lawson, Gu & Maddison 2019 (DReG): w becomes w^2 in the encoder. Their proof with beta in
         * log w gives w (1 - beta + beta w). */
        const real scale = slope->gradient == GRADIENT_DREG ? R(1) - slope->beta + slope->beta * w : R(1);
        pass->dz[plane + i] = scale * d;
    }
}

/* As split_heads, the other way. */
static void join_heads(struct pass *pass, struct span s)
{
    const size_t L = pass->model->L, C = pass->model->flow_nets.C, bytes = L * sizeof(real);
    real *head = pass->encoder.gradient[pass->model->encoder.layers - 1] + s.begin * (2 * L + C);
    if (C) pass->flow.ops->condition_backward(&pass->flow, s);
    for (size_t r = s.begin; r < s.end; r++, head += 2 * L + C) {
        memcpy(head, pass->da + r * L, bytes);
        memcpy(head + L, pass->db + r * L, bytes);
        if (C) memcpy(head + 2 * L, pass->flow.d_context + r * C, C * sizeof(real));
    }
}

/* dz of all draws and the KL's own derivatives -> gradient of the heads. */
static void backward_tile(void *context, size_t tile)
{
    const struct backward_job *job = context;
    struct pass *pass = job->pass;
    const size_t L = pass->model->L, B = pass->B;
    const struct span s = row_span(B, tile);
    const size_t at = s.begin * L, n = (s.end - s.begin) * L;
    const bool per_draw = pass->plan.kl == KL_PER_DRAW;
    if (per_draw)
        start_from_draws(job, at, n);
    else
        start_from_kl(job, at, n);
    for (size_t k = 0; k < pass->plan.S; k++) {
        const size_t plane = k * B * L + at;
        if (per_draw) add_ratio_slope(job, k, at, n);
        pass->model->posterior->backward(n, pass->scale + at, pass->eps + plane, pass->dz + plane, 1, pass->da + at,
                                         pass->db + at);
    }
    join_heads(pass, s);
}

void pass_latent_backward(struct pass *pass, const struct loss_slope *slope)
{
    struct backward_job job = {pass, slope};
    pool_run(pass->pool, "latent", row_tiles(pass->B), backward_tile, &job);
}
