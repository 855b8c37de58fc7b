/* SPDX-License-Identifier: MIT
 *
 * Is a factorised posterior, or that which a flow begins with, what its table says? With eps from its noise and z =
 * g(eps; a, b), its density q0 at a = b = 0 is integrated by the midpoint rule in t, eps = sinh t, between the ends
 * that the noise can reach (a cut posterior has none beyond). Everything else follows from q0:
 *
 *     log q(z) = log q0(eps) + log g'(eps; 0, 0) - log g'(eps; a, b),   g' = dg/deps by differences
 *     H(q) = -E log q(z),   KL(q || p) = -H(q) - E log p(z),   E over q0
 *     dKL/da = -E slope dz/da,   dKL/db = -dH/db - E slope dz/db,   slope = d log p/dz
 */
#include "posterior/posterior.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"
#include "check/findings.h"
#include "prior/prior.h"

enum { LINE = 8192, DRAWS = 400000 };

struct bench {
    struct findings *f;
    const struct posterior_ops *posterior;
    const vae_choice *choice;
    struct posterior_state *state;

    real eps[LINE], logq[LINE], slope[LINE], zero[LINE], one[LINE];
    real a[LINE], b[LINE], scale[LINE], z[LINE], logp[LINE], dz_da[LINE], dz_db[LINE];
    double low, high, mass[LINE], below[LINE]; /* ends in t; of each cell and of those before, and it */
    uint32_t bits[DRAWS];
    real noise[DRAWS];
    double count[LINE];
};

/* ---- One point -------------------------------------------------------------------------------------------------- */

static real scale_of(const struct bench *c, real b)
{
    real scale;
    c->posterior->scale(1, &b, &scale);
    return scale;
}

static double draw(const struct bench *c, double a, double b, double eps)
{
    const real at = R(a), scale = scale_of(c, R(b)), noise = R(eps);
    real z;
    c->posterior->draw(1, &at, &scale, &noise, &z);
    return (double)z;
}

static double log_q(const struct bench *c, double b, double eps, double *slope)
{
    const real at = R(b), scale = scale_of(c, at), noise = R(eps);
    real logq, dz;
    c->posterior->log_prob(c->state, 1, &at, &scale, &noise, &logq, &dz);
    if (slope) *slope = (double)dz;
    return (double)logq;
}

static double entropy(const struct bench *c, double b, double *slope)
{
    const real at = R(b);
    real h, db;
    c->posterior->entropy(c->state, 1, &at, &h, &db);
    if (slope) *slope = (double)db;
    return (double)h;
}

/* A point of which one coordinate moves. */
struct point {
    const struct bench *c;
    double a, b, eps;
};

static double draw_along_a(void *context, double at)
{
    const struct point *p = context;
    return draw(p->c, at, p->b, p->eps);
}

static double draw_along_b(void *context, double at)
{
    const struct point *p = context;
    return draw(p->c, p->a, at, p->eps);
}

static double log_q_along_eps(void *context, double at)
{
    const struct point *p = context;
    return log_q(p->c, p->b, at, NULL);
}

static double entropy_along_b(void *context, double at)
{
    const struct point *p = context;
    return entropy(p->c, at, NULL);
}

/* dz/deps, of families that are linear in it. */
static double stretch(const struct bench *c, double a, double b, double eps)
{
    return (draw(c, a, b, eps + 1) - draw(c, a, b, eps - 1)) / 2;
}

/* ---- Density and noise ------------------------------------------------------------------------------------------ */

static double middle(const struct bench *c, size_t i) { return c->low + (c->high - c->low) * ((double)i + 0.5) / LINE; }

static void lay_line(struct bench *c)
{
    static const uint32_t end[] = {0, 0xffffffff};
    real reach[2];
    c->posterior->noise(c->state, 2, end, reach);
    c->low = asinh(fmin((double)reach[0], (double)reach[1]));
    c->high = asinh(fmax((double)reach[0], (double)reach[1]));
    for (size_t i = 0; i < LINE; i++) {
        c->eps[i] = R(sinh(middle(c, i)));
        c->zero[i] = 0;
    }
    c->posterior->scale(LINE, c->zero, c->one);
    c->posterior->log_prob(c->state, LINE, c->zero, c->one, c->eps, c->logq, c->slope);
}

static void check_mass(struct bench *c)
{
    const double h = (c->high - c->low) / LINE, unit = stretch(c, 0, 0, 0);
    double sum = 0;
    for (size_t i = 0; i < LINE; i++) {
        c->mass[i] = exp((double)c->logq[i]) * h * unit * cosh(middle(c, i));
        c->below[i] = sum += c->mass[i];
    }
    note(c->f, MASS, fabs(sum - 1), "mass %.6g", sum);
}

/* The distance of Kolmogorov and Smirnov. */
static void check_noise(struct bench *c)
{
    double drawn = 0, bad = 0;
    memset(c->count, 0, sizeof c->count);
    c->posterior->noise(c->state, DRAWS, c->bits, c->noise);
    for (size_t i = 0; i < DRAWS; i++) {
        const double at = (asinh((double)c->noise[i]) - c->low) / (c->high - c->low) * LINE;
        bad += !isfinite((double)c->noise[i]);
        if (isfinite(at)) c->count[(size_t)fmin(LINE - 1, fmax(0, at))] += 1;
    }
    for (size_t i = 0; i < LINE; i++) {
        drawn += c->count[i] / DRAWS;
        note(c->f, NOISE, fabs(drawn - c->below[i] / c->below[LINE - 1]), "eps = %.4g", (double)c->eps[i]);
    }
    note(c->f, DRAWS_FINITE, bad, "random words");
}

/* ---- Draws, log q and entropy ----------------------------------------------------------------------------------- */

/* What `backward` adds, and what differences of a draw say. */
static void check_backward(struct bench *c, struct point *p)
{
    const real scale = scale_of(c, R(p->b)), eps = R(p->eps), dz = R(1.25), weight = R(0.6);
    real da = 2, db = 3;
    c->posterior->backward(1, &scale, &eps, &dz, weight, &da, &db);
    const double by_a = ((double)da - 2) / 0.75, by_b = ((double)db - 3) / 0.75;
    note(c->f, SLOPE_OF_DRAWS, slope_error(draw_along_a, p, p->a, 0.5, by_a, 1), "by a at b = %g, eps = %g", p->b,
         p->eps);
    note(c->f, SLOPE_OF_DRAWS, slope_error(draw_along_b, p, p->b, 0.05, by_b, 1), "by b = %g, eps = %g", p->b, p->eps);
}

static void check_point(struct bench *c, double a, double b, double eps)
{
    struct point p = {c, a, b, eps};
    double slope;
    const double unit = stretch(c, 0, 0, eps), here = stretch(c, a, b, eps);
    const double want = log_q(c, 0, eps, NULL) + log(unit) - log(here);
    note(c->f, LOG_Q, relative_error(log_q(c, b, eps, &slope), want), "b = %g, eps = %g", b, eps);
    note(c->f, SLOPE_IN_Z, slope_error(log_q_along_eps, &p, eps, 0.05, slope * here, 1), "b = %g, eps = %g", b, eps);
    check_backward(c, &p);
}

static void check_entropy(struct bench *c, double b)
{
    struct point p = {.c = c, .b = b};
    double sum = 0, slope;
    const double h = entropy(c, b, &slope);
    for (size_t i = 0; i < LINE; i++) c->b[i] = R(b);
    c->posterior->scale(LINE, c->b, c->scale);
    c->posterior->log_prob(c->state, LINE, c->b, c->scale, c->eps, c->logp, c->slope);
    for (size_t i = 0; i < LINE; i++) sum -= c->mass[i] * (double)c->logp[i];
    note(c->f, ENTROPY, relative_error(h, sum), "b = %g: %.6g and %.6g", b, h, sum);
    note(c->f, ENTROPY_SLOPE, slope_error(entropy_along_b, &p, b, 0.5, slope, 0.1), "b = %g", b);
}

/* Posteriors that a training may pass through: vanishing and huge; random words at the ends of what they can be. */
static void check_finite(struct bench *c)
{
    static const double at[] = {-300, -80, -20, 0, 10, 20};
    static const uint32_t word[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < 36; i++) {
        real eps, dz = 1, da = 0, db = 0;
        double by_b, by_z;
        c->posterior->noise(c->state, 1, &word[i / 6], &eps);
        const double b = at[i % 6], h = entropy(c, b, &by_b), logq = log_q(c, b, (double)eps, &by_z);
        const real scale = scale_of(c, R(b));
        c->posterior->backward(1, &scale, &eps, &dz, 1, &da, &db);
        const double all = draw(c, 1, b, (double)eps) + h + by_b + logq + by_z + (double)da + (double)db;
        note(c->f, ENDS, !isfinite(all), "b = %g, eps = %g", b, (double)eps);
    }
    note(c->f, NOT_A_NUMBER, !isnan(log_q(c, (double)NAN, 0.5, NULL)), "b");
}

/* ---- Exact KL --------------------------------------------------------------------------------------------------- */

struct kl {
    double value, da, db;
};

static struct kl kl_by_quadrature(struct bench *c, const struct prior_ops *prior, const struct prior_state *state,
                                  double a, double b)
{
    double slope;
    struct kl kl = {-entropy(c, b, &slope), 0, -slope};
    for (size_t i = 0; i < LINE; i++) {
        c->a[i] = R(a);
        c->b[i] = R(b);
        c->dz_da[i] = c->dz_db[i] = 0;
    }
    c->posterior->scale(LINE, c->b, c->scale);
    c->posterior->draw(LINE, c->a, c->scale, c->eps, c->z);
    c->posterior->backward(LINE, c->scale, c->eps, c->one, 1, c->dz_da, c->dz_db);
    prior->log_prob(state, LINE, c->z, c->logp, c->slope);
    for (size_t i = 0; i < LINE; i++) {
        kl.value -= c->mass[i] * (double)c->logp[i];
        kl.da -= c->mass[i] * (double)c->slope[i] * (double)c->dz_da[i];
        kl.db -= c->mass[i] * (double)c->slope[i] * (double)c->dz_db[i];
    }
    return kl;
}

static void check_kl_at(struct bench *c, const struct prior_ops *prior, const struct prior_state *state, double a,
                        double b)
{
    const real at_a = R(a), at_b = R(b);
    const char *name = prior->module.name;
    real kl, da, db;
    prior_exact_kl(prior, c->posterior->module.name, NULL)(state, 1, &at_a, &at_b, &kl, &da, &db);
    const struct kl want = kl_by_quadrature(c, prior, state, a, b);
    note(c->f, PAIR_KL, relative_error((double)kl, want.value), "to %s, a = %g, b = %g", name, a, b);
    note(c->f, PAIR_SLOPES, relative_error((double)da, want.da), "to %s, by a = %g, b = %g", name, a, b);
    note(c->f, PAIR_SLOPES, relative_error((double)db, want.db), "to %s, a = %g, by b = %g", name, a, b);
}

/* To every prior that has one to this family, at its defaults. */
static vae_status check_kls(struct bench *c, vae_error *err)
{
    static const double at[] = {-3, -1, 0, 1};
    const bool holds = !c->posterior->has_exact_kl || c->posterior->has_exact_kl(c->choice->value);
    const struct prior_ops *prior;
    for (size_t i = 0; holds && (prior = prior_at(i)); i++) {
        double param[VAE_MAX_PARAMS] = {0};
        if (!prior_exact_kl(prior, c->posterior->module.name, NULL)) continue;
        struct prior_state *state = mem_new(1, prior->state_size, err);
        if (!state) return VAE_E_MEMORY;
        module_defaults(&prior->module, param);
        prior_init(prior, state, param);
        for (size_t k = 0; k < 16; k++) check_kl_at(c, prior, state, at[k / 4], at[k % 4]);
        free(state);
    }
    return VAE_OK;
}

/* ---- Rules for callbacks ---------------------------------------------------------------------------------------- */

enum callback { NOISE_OF, SCALE, DRAW, BACKWARD, ENTROPY_OF, LOG_PROB, CALLBACKS };
enum { A, B, S, EPS, INS, OUTS = 2 };

static const char *const callback_name[CALLBACKS] = {"noise", "scale", "draw", "backward", "entropy", "log_prob"};

/* Calls for scalars first .. first+n-1. */
static void call(struct bench *c, enum callback callback, size_t first, size_t n, struct guarded *in,
                 struct guarded *out)
{
    const struct posterior_ops *q = c->posterior;
    const real *a = (const real *)inside(&in[A]) + first, *b = (const real *)inside(&in[B]) + first;
    const real *s = (const real *)inside(&in[S]) + first, *eps = (const real *)inside(&in[EPS]) + first;
    real *const x = (real *)inside(&out[0]) + first, *const y = (real *)inside(&out[1]) + first;
    switch (callback) {
    case NOISE_OF: q->noise(c->state, n, c->bits + first, x); break;
    case SCALE: q->scale(n, b, x); break;
    case DRAW: q->draw(n, a, s, eps, x); break;
    case BACKWARD: q->backward(n, s, eps, a, R(0.7), x, y); break;
    case ENTROPY_OF: q->entropy(c->state, n, b, x, y); break;
    case LOG_PROB: q->log_prob(c->state, n, b, s, eps, x, y); break;
    case CALLBACKS: break;
    }
}

static void make_inputs(struct bench *c, struct guarded *in)
{
    guard(in, INS * sizeof *in);
    for (size_t i = 0; i < SOME; i++) {
        ((real *)inside(&in[A]))[i] = R(seeded(i, -3, 3));
        ((real *)inside(&in[B]))[i] = R(2 - 0.25 * (double)i);
    }
    c->posterior->scale(SOME, inside(&in[B]), inside(&in[S]));
    c->posterior->noise(c->state, SOME, c->bits, inside(&in[EPS]));
}

static void clear(struct guarded *out)
{
    guard(out, OUTS * sizeof *out);
    for (size_t k = 0; k < OUTS; k++) memset(inside(&out[k]), 0, SOME * sizeof(real)); /* backward adds */
}

static void check_callback(struct bench *c, enum callback callback)
{
    struct guarded in[INS], before[INS], out[3][OUTS];
    double other = 0, alone = 0, outside = 0;
    make_inputs(c, in);
    memcpy(before, in, sizeof in);
    for (size_t k = 0; k < 3; k++) clear(out[k]);
    for (size_t k = 0; k < 2; k++) call(c, callback, 0, SOME, in, out[k]);
    for (size_t i = 0; i < SOME; i++) call(c, callback, i, 1, in, out[2]);
    for (size_t k = 0; k < OUTS; k++) {
        other += differing(inside(&out[0][k]), inside(&out[1][k]), SOME, sizeof(real));
        alone += differing(inside(&out[0][k]), inside(&out[2][k]), SOME, sizeof(real));
        for (size_t i = 0; i < 3; i++) outside += changed_around(&out[i][k], SOME * sizeof(real));
    }
    outside += differing(in, before, sizeof in, 1) + guard_changed((char *)c->state + c->posterior->state_size, GUARD);
    note(c->f, AGAIN, other, "%s", callback_name[callback]);
    note(c->f, ALONE, alone, "%s", callback_name[callback]);
    note(c->f, OUTSIDE, outside, "%s", callback_name[callback]);
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

static vae_status check_at(struct bench *c, const vae_choice *choice, vae_error *err)
{
    static const double b[] = {-3, -0.5, 0, 1, 2.5}, eps[] = {-5, -1.2, -0.1, 0.4, 2, 7};
    c->choice = choice;
    memset(c->state, 0, c->posterior->state_size);
    guard((char *)c->state + c->posterior->state_size, GUARD);
    if (c->posterior->init) c->posterior->init(c->state, choice->value);
    choice_text(choice, &c->posterior->module, c->f->label, sizeof c->f->label);
    lay_line(c);
    check_mass(c);
    check_noise(c);
    for (size_t i = 0; i < 30; i++) check_point(c, seeded(i, -2, 2), b[i / 6], eps[i % 6]);
    for (size_t i = 0; i < 5; i++) check_entropy(c, b[i]);
    check_finite(c);
    for (enum callback k = 0; k < CALLBACKS; k++) check_callback(c, k);
    return check_kls(c, err);
}

vae_status check_posterior(struct findings *f, const struct posterior_ops *posterior, const vae_choice *given,
                           vae_error *err)
{
    vae_choice choice;
    vae_status status = posterior->flow ? check_flow(f, posterior, given, err) : VAE_OK;
    if (status) return status;
    struct bench *c = mem_new(1, sizeof *c, err);
    struct posterior_state *state = c ? mem_new(1, posterior->state_size + GUARD, err) : NULL;
    status = state ? VAE_OK : VAE_E_MEMORY;
    if (c) {
        c->f = f;
        c->posterior = posterior;
        c->state = state;
        rng_words(&(struct rng){.seed = 1, .stream = RNG_POSTERIOR}, 0, DRAWS, c->bits);
    }
    /* Where there is a flow, parameters are its own. */
    for (size_t i = 0; !status && next_choice(&posterior->module, given, true, i, &choice); i++)
        if (i == 0 || !posterior->flow) status = check_at(c, &choice, err);
    free(state);
    free(c);
    return status;
}
