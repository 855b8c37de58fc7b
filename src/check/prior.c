/* SPDX-License-Identifier: MIT
 *
 * Is a factorised prior what its table says? The same checks for those that are built in and for plug-ins. Density,
 * slope and sampler are looked at on a mesh (scalar.h); the sampler by the distance of Kolmogorov and Smirnov. A KL to
 * q = N(m, s^2) is
 *
 *     KL = -log(2 pi e s^2)/2 - E log p(m + s eps),   d/dm = -E slope,   d/dlog s^2 = -1/2 - s/2 E eps slope
 *
 * with panels that double away from z = 0. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"
#include "check/scalar.h"
#include "prior/prior.h"

enum { DRAWS = 100000 };

struct checker {
    struct findings *f;
    const struct prior_ops *prior;
    kl_function *kl; /* to a Gaussian, or NULL */
    struct prior_state *state;

    struct scalar line;
    double count[CELLS]; /* of draws in its cells */
    uint32_t bits[DRAWS][4];
    real draw[DRAWS];
};

/* ---- Density, slope and sampler --------------------------------------------------------------------------------- */

static void check_mass(struct checker *c)
{
    const double mass = scalar_integrate(&c->line);
    note(c->f, MASS, fabs(mass - 1), "mass %.6g", mass);
}

/* A kink spoils the one cell that it is in, so two neighbours have to be wrong: the smaller error counts. */
static void check_slope(struct checker *c)
{
    const size_t end = (size_t)((log(FAR) - FIRST) * FINENESS);
    for (size_t first = PANELS - end; first < PANELS + end; first += end) {
        double before = scalar_slope_error(&c->line, first);
        for (size_t cell = first + 1; cell < first + end; cell++) {
            const double error = scalar_slope_error(&c->line, cell);
            const double both = isnan(before) || before < error ? before : error;
            note(c->f, SLOPE, both, "z = %.4g", (double)c->line.z[cell * NODES]);
            before = error;
        }
    }
}

static void check_sampler(struct checker *c)
{
    double total = 0, below = 0, drawn = 0, finite = 0;
    memset(c->count, 0, sizeof c->count);
    c->prior->sample(c->state, DRAWS, (const uint32_t(*)[4])c->bits, c->draw);
    for (size_t i = 0; i < DRAWS; i++)
        if (isfinite((double)c->draw[i])) {
            c->count[cell_of((double)c->draw[i])] += 1;
            finite += 1;
        }
    note(c->f, DRAWS_FINITE, DRAWS - finite, "random words");
    for (size_t cell = 0; cell < CELLS; cell++) total += c->line.mass[cell];
    for (size_t cell = 0; cell < CELLS; cell++) {
        below += c->line.mass[cell] / total;
        drawn += c->count[cell] / DRAWS;
        note(c->f, SAMPLER, fabs(below - drawn), "z = %.4g", (double)c->line.z[cell * NODES]);
    }
}

/* Words at the ends of what they can be. */
static void check_extreme_draws(struct checker *c)
{
    static const uint32_t end[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff};
    for (size_t i = 0; i < 36; i++) {
        const uint32_t bits[1][4] = {{end[i / 6], end[i % 6], end[i / 6], end[i % 6]}};
        real z;
        c->prior->sample(c->state, 1, bits, &z);
        note(c->f, DRAWS_FINITE, isfinite((double)z) ? 0 : 1, "words %08x %08x", (unsigned)end[i / 6],
             (unsigned)end[i % 6]);
    }
}

static void check_tails(struct checker *c)
{
    static const double at[] = {0, 1e-30, 1e-6, 50, 1e3, 1e4, FAR};
    real z, logp, slope;
    for (size_t i = 0; i < 14; i++) {
        z = R(i % 2 ? -at[i / 2] : at[i / 2]);
        c->prior->log_prob(c->state, 1, &z, &logp, &slope);
        note(c->f, TAILS, isfinite((double)logp) && isfinite((double)slope) ? 0 : 1, "z = %g", (double)z);
    }
    z = R(NAN);
    c->prior->log_prob(c->state, 1, &z, &logp, &slope);
    note(c->f, NOT_A_NUMBER, isnan((double)logp) ? 0 : 1, "log p = %g", (double)logp);
}

/* Where -log p grows like log |z|, as it is said to, z d log p / dz tends to a constant; that of a double exponential
 * grows tenfold in a decade. */
static void check_heavy(struct checker *c)
{
    for (int side = -1; side <= 1 && c->prior->heavy_tailed; side += 2) {
        const real z[2] = {R(side * FAR / 10), R(side * FAR)};
        real logp[2], slope[2];
        c->prior->log_prob(c->state, 2, z, logp, slope);
        note(c->f, HEAVY, 10 * (double)slope[1] / (double)slope[0], "z = %g, slope %.4g", (double)z[1],
             (double)slope[1]);
    }
}

/* ---- Exact KL --------------------------------------------------------------------------------------------------- */

/* KL(N(m, s^2) || p) and its slopes in m and log s^2. */
struct kl {
    double value, dm, dlogvar;
};

/* Widths of panels double away from zero; the widest, where q has its peak, are divided more often. */
enum { DOUBLINGS = 22, FEW_PARTS = 3, MANY_PARTS = 8, MANY = DOUBLINGS - 4 };

/* The i-th panel in eps between `zero` and `end`, or false past the last. */
static bool panel_at(size_t i, double zero, double end, double *from, double *width)
{
    const size_t few = (size_t)MANY * FEW_PARTS, parts = i < few ? FEW_PARTS : MANY_PARTS;
    const size_t doubling = i < few ? i / FEW_PARTS : MANY + (i - few) / MANY_PARTS;
    const size_t part = i < few ? i % FEW_PARTS : (i - few) % MANY_PARTS;
    const double low = doubling ? ldexp(end - zero, (int)doubling - DOUBLINGS) : 0;
    *width = (ldexp(end - zero, (int)doubling + 1 - DOUBLINGS) - low) / (double)parts;
    *from = zero + low + (double)part * *width;
    return doubling < DOUBLINGS;
}

/* Nodes of the expectation, their eps, and the share that the integrand at each has in it. Returns their number. */
static size_t lay_eps(real *z, double *eps, double *share, double m, double s)
{
    const double reach = 12, zero = fmax(-reach + 1, fmin(reach - 1, -m / s));
    double from, width;
    size_t n = 0;
    for (int side = -1; side <= 1; side += 2)
        for (size_t i = 0; panel_at(i, zero, side * reach, &from, &width); i++)
            for (size_t k = 0; k < NODES; k++, n++) {
                eps[n] = from + width * (1 + node[k]) / 2;
                share[n] = 0.39894228040143267794 * exp(-0.5 * eps[n] * eps[n]) * fabs(width) / 2 * weight[k];
                z[n] = R(m + s * eps[n]);
            }
    return n;
}

/* `size`: of the terms of the slopes, whose rounding remains where they cancel. */
static struct kl kl_by_quadrature(struct checker *c, double m, double s, struct kl *size)
{
    enum { MOST = 2 * NODES * (MANY * FEW_PARTS + (DOUBLINGS - MANY) * MANY_PARTS) };
    double eps[MOST], share[MOST];
    struct kl kl = {-1.41893853320467274178 - log(s), 0, -0.5};
    const size_t n = lay_eps(c->line.z, eps, share, m, s);
    c->prior->log_prob(c->state, n, c->line.z, c->line.logp, c->line.slope);
    for (size_t i = 0; i < n; i++) {
        kl.value -= share[i] * (double)c->line.logp[i];
        const double dm = share[i] * (double)c->line.slope[i], dlogvar = 0.5 * s * eps[i] * dm;
        kl.dm -= dm;
        kl.dlogvar -= dlogvar;
        size->dm += fabs(dm);
        size->dlogvar += fabs(dlogvar);
    }
    return kl;
}

static struct kl exact_kl(const struct checker *c, double m, double logvar)
{
    const real a = R(m), b = R(logvar);
    real kl, da, db;
    c->kl(c->state, 1, &a, &b, &kl, &da, &db);
    return (struct kl){(double)kl, (double)da, (double)db};
}

/* From posteriors that are much narrower than any spike to ones that are wider than the prior. */
static void check_kl(struct checker *c)
{
    for (int i = -8; i <= 8; i++)
        for (int k = 0; k < 16; k++) {
            const double m = 0.5 * i, s = 0.005 * pow(1.5, k);
            struct kl size = {0};
            const struct kl got = exact_kl(c, m, 2 * log(s)), want = kl_by_quadrature(c, m, s, &size);
            note(c->f, KL, relative_error(got.value, want.value), "N(%g, %.4g^2)", m, s);
            note(c->f, KL_SLOPES, fabs(got.dm - want.dm) / fmax(1, size.dm), "by the mean at N(%g, %.4g^2)", m, s);
            note(c->f, KL_SLOPES, fabs(got.dlogvar - want.dlogvar) / fmax(1, size.dlogvar),
                 "by the log-variance at N(%g, %.4g^2)", m, s);
        }
}

/* Posteriors that a training may pass through: vanishing, huge, far out. */
static void check_extreme_kl(struct checker *c)
{
    static const double m[] = {-1e4, -30, 0, 30, 1e4}, logvar[] = {-300, -80, -20, 10, 20};
    for (size_t i = 0; i < 25; i++) {
        const struct kl kl = exact_kl(c, m[i / 5], logvar[i % 5]);
        const bool good = isfinite(kl.value) && isfinite(kl.dm) && isfinite(kl.dlogvar) && kl.value > -1e-3;
        note(c->f, KL_FINITE, good ? 0 : 1, "mean %g, log-variance %g", m[i / 5], logvar[i % 5]);
    }
}

/* ---- Rules for callbacks ---------------------------------------------------------------------------------------- */

enum callback { LOG_PROB, SAMPLE, KL_GAUSSIAN };
enum { INS = 2, OUTS = 3 };

/* Calls for scalars first .. first+n-1. */
static void call(struct checker *c, enum callback callback, size_t first, size_t n, struct guarded *in,
                 struct guarded *out)
{
    const real *a = (const real *)inside(&in[0]) + first, *b = (const real *)inside(&in[1]) + first;
    real *const x = (real *)inside(&out[0]) + first, *const y = (real *)inside(&out[1]) + first,
                *const z = (real *)inside(&out[2]) + first;
    switch (callback) {
    case LOG_PROB: c->prior->log_prob(c->state, n, a, x, y); break;
    case SAMPLE: c->prior->sample(c->state, n, (const uint32_t(*)[4])c->bits + first, x); break;
    case KL_GAUSSIAN: c->kl(c->state, n, a, b, x, y, z); break;
    }
}

static double differences(struct guarded *a, struct guarded *b)
{
    double count = 0;
    for (size_t k = 0; k < OUTS; k++) count += differing(inside(&a[k]), inside(&b[k]), SOME, sizeof(real));
    return count;
}

static double changed_by(const struct checker *c, const struct guarded *in, const struct guarded *before,
                         const struct guarded *out)
{
    double count = guard_changed((const unsigned char *)c->state + c->prior->state_size, GUARD);
    for (size_t k = 0; k < INS; k++) count += differing(in[k].bytes, before[k].bytes, sizeof in->bytes, 1);
    for (size_t k = 0; k < OUTS; k++) count += changed_around(&out[k], SOME * sizeof(real));
    return count;
}

static void check_callback(struct checker *c, enum callback callback, const char *name)
{
    struct guarded in[INS], before[INS], out[3][OUTS];
    real *const a = inside(&in[0]), *const b = inside(&in[1]);
    guard(in, sizeof in);
    guard(out, sizeof out);
    for (size_t i = 0; i < SOME; i++) {
        a[i] = R((i % 2 ? -0.01 : 0.01) * pow(1.27, (double)i)); /* up to 50 */
        b[i] = R(2 - 0.25 * (double)i);
    }
    memcpy(before, in, sizeof in);
    for (size_t k = 0; k < 2; k++) call(c, callback, 0, SOME, in, out[k]);
    for (size_t i = 0; i < SOME; i++) call(c, callback, i, 1, in, out[2]);
    note(c->f, AGAIN, differences(out[0], out[1]), "%s", name);
    note(c->f, ALONE, differences(out[0], out[2]), "%s", name);
    for (size_t k = 0; k < 3; k++) note(c->f, OUTSIDE, changed_by(c, in, before, out[k]), "%s", name);
}

static void check_callbacks(struct checker *c)
{
    check_callback(c, LOG_PROB, "log_prob");
    check_callback(c, SAMPLE, "sample");
    if (c->kl) check_callback(c, KL_GAUSSIAN, "kl_gaussian");
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

static void set_state(struct checker *c, const vae_choice *choice)
{
    memset(c->state, 0, c->prior->state_size);
    guard((unsigned char *)c->state + c->prior->state_size, GUARD);
    choice_text(choice, &c->prior->module, c->f->label, sizeof c->f->label);
    prior_init(c->prior, c->state, choice->value);
}

static void check_at(struct checker *c, const vae_choice *choice)
{
    set_state(c, choice);
    scalar_lay(&c->line);
    c->prior->log_prob(c->state, POINTS, c->line.z, c->line.logp, c->line.slope);
    check_mass(c);
    check_slope(c);
    check_sampler(c);
    check_extreme_draws(c);
    check_tails(c);
    check_heavy(c);
    if (c->kl) check_kl(c);
    if (c->kl) check_extreme_kl(c);
    check_callbacks(c);
}

static void check_known(struct checker *c, const vae_choice *defaults)
{
    for (const vae_known *k = c->prior->known; k && k->what != VAE_KNOWN_END; k++) {
        vae_choice choice = *defaults;
        memcpy(choice.value, k->param, sizeof choice.value);
        set_state(c, &choice);
        const real z = R(k->z);
        real logp = R(NAN), slope;
        double got = (double)NAN;
        if (k->what == VAE_KNOWN_LOG_P) {
            c->prior->log_prob(c->state, 1, &z, &logp, &slope);
            got = (double)logp;
        } else if (k->what == VAE_KNOWN_KL && c->kl) {
            got = exact_kl(c, k->z, 2 * log(k->sd)).value;
        }
        note(c->f, KNOWN, relative_error(got, k->value), "%s at %g: %.8g, known as %.8g",
             k->what == VAE_KNOWN_LOG_P ? "log p" : "KL", k->z, got, k->value);
    }
}

vae_status check_prior(struct findings *f, const struct prior_ops *prior, const vae_choice *given, vae_error *err)
{
    struct checker *c = mem_new(1, sizeof *c, err);
    struct prior_state *state = c ? mem_new(1, prior->state_size + GUARD, err) : NULL;
    vae_choice choice;
    if (state) {
        c->f = f;
        c->prior = prior;
        c->kl = prior_exact_kl(prior, "gaussian", NULL);
        c->state = state;
        rng_words(&(struct rng){.seed = 1, .stream = RNG_PRIOR}, 0, (size_t)DRAWS * 4, *c->bits);
        check_known(c, given);
        for (size_t i = 0; next_choice(&prior->module, given, false, i, &choice); i++) check_at(c, &choice);
    }
    free(state);
    free(c);
    return state ? VAE_OK : VAE_E_MEMORY;
}
