/* SPDX-License-Identifier: MIT
 *
 * Is a prior what its table says? The same checks for those that are built in and for plug-ins, made from their
 * callbacks alone, in the precision that they are used in.
 *
 * Density and slope are looked at on one mesh in v = log |z| (see mesh.h). With a and b the ends of a panel,
 *
 *     sum over panels of  integral p(z) |z| dv = 1,   log p(b) - log p(a) = integral slope(z) z dv
 *
 * (a difference over a whole panel, and not of neighbouring floats, so that rounding does not hide a wrong slope). The
 * sampler is held against the sums of the first by the distance of Kolmogorov and Smirnov. A KL to q = N(m, s^2) is
 *
 *     KL = -log(2 pi e s^2)/2 - E log p(m + s eps),   d/dm = -E slope,   d/dlog s^2 = -1/2 - s/2 E eps slope
 *
 * with panels that double away from z = 0. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"
#include "prior/mesh.h"
#include "prior/prior.h"

/* ---- What is found ---------------------------------------------------------------------------------------------- */

enum check {
    MASS,
    SLOPE,
    SAMPLER,
    DRAWS_FINITE,
    TAILS,
    NOT_A_NUMBER,
    KNOWN,
    KL,
    KL_SLOPES,
    KL_FINITE,
    AGAIN,
    ALONE,
    OUTSIDE,
    CHECKS
};

#define FLOAT_OR_DOUBLE(single, twice) (sizeof(real) == sizeof(float) ? (single) : (twice))

/* The bound on the sampler is passed by a right one with probability 1 - 1e-6. */
static const struct {
    const char *what;
    double bound;
} rules[CHECKS] = {
    [MASS] = {"density integrates to 1: error", FLOAT_OR_DOUBLE(2e-5, 1e-9)},
    [SLOPE] = {"slope is that of log p: error", FLOAT_OR_DOUBLE(3e-5, 1e-12)},
    [SAMPLER] = {"draws follow density: Kolmogorov-Smirnov", 0.0085},
    [DRAWS_FINITE] = {"draws that are not finite", 0},
    [TAILS] = {"log p, slope not finite up to |z| = 1e6", 0},
    [NOT_A_NUMBER] = {"log p(NaN) that is a number", 0},
    [KNOWN] = {"known answers: error", FLOAT_OR_DOUBLE(5e-7, 6e-8)},
    [KL] = {"exact KL is the integral: error", FLOAT_OR_DOUBLE(1e-4, 5e-6)},
    [KL_SLOPES] = {"slopes of the exact KL: error", FLOAT_OR_DOUBLE(1e-4, 5e-6)},
    [KL_FINITE] = {"exact KL negative or not finite", 0},
    [AGAIN] = {"numbers that differ at a second call", 0},
    [ALONE] = {"numbers that differ one by one", 0},
    [OUTSIDE] = {"bytes changed outside of outputs", 0},
};

struct found {
    double figure;
    bool is_there;
    char where[256];
};

/* Nodes of all cells of the mesh, then their ends. */
enum { INNER = CELLS * NODES, POINTS = INNER + CELLS + 2 };
enum { DRAWS = 100000 };

struct checker {
    const struct prior_ops *prior;
    kl_function *kl; /* to a Gaussian, or NULL */
    struct prior_state *state;
    char label[256]; /* name and parameters */
    struct found found[CHECKS];

    real z[POINTS], logp[POINTS], slope[POINTS]; /* nodes of all cells, then their ends */
    double mass[CELLS], count[CELLS];            /* cells from the lowest z to the highest */
    uint32_t bits[DRAWS][4];
    real draw[DRAWS];
};

/* Keeps the largest figure of a check, and where it was. NaN is larger than anything. */
VAE_PRINTF(4, 5)
static void note(struct checker *c, enum check check, double figure, const char *format, ...)
{
    struct found *f = &c->found[check];
    if (f->is_there && (isnan(f->figure) || figure <= f->figure)) return;
    char point[96];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(point, sizeof point, format, arguments);
    va_end(arguments);
    f->figure = figure;
    f->is_there = true;
    snprintf(f->where, sizeof f->where, "%.150s%s%s", c->label, *point ? ", " : "", point);
}

static double relative_error(double got, double want) { return fabs(got - want) / fmax(1, fabs(want)); }

/* ---- Density, slope and sampler --------------------------------------------------------------------------------- */

/* Among the points: the end of a cell that is nearer to zero, and the other. */
static size_t inner_end(size_t cell) { return INNER + cell + 1; }
static size_t outer_end(size_t cell) { return cell < PANELS ? INNER + cell : INNER + cell + 2; }

static void lay_mesh(struct checker *c)
{
    for (size_t cell = 0; cell < CELLS; cell++) {
        for (size_t k = 0; k < NODES; k++) c->z[cell * NODES + k] = R(place(cell, node[k]));
        c->z[inner_end(cell)] = R(place(cell, -1));
        c->z[outer_end(cell)] = R(place(cell, 1));
    }
}

static void check_mass(struct checker *c)
{
    double mass = 0;
    for (size_t cell = 0; cell < CELLS; cell++) {
        c->mass[cell] = 0;
        for (size_t k = 0; k < NODES; k++) {
            const size_t i = cell * NODES + k;
            c->mass[cell] += weight[k] * mass_at((double)c->z[i], (double)c->logp[i]) / (2 * FINENESS);
        }
        mass += c->mass[cell];
    }
    note(c, MASS, fabs(mass - 1), "mass %.6g", mass);
}

/* Of one cell, relative to what rounding log p can do. */
static double slope_error(const struct checker *c, size_t cell)
{
    const double from = (double)c->logp[inner_end(cell)], to = (double)c->logp[outer_end(cell)];
    double integral = 0;
    for (size_t i = cell * NODES, k = 0; k < NODES; i++, k++)
        integral += weight[k] * (double)c->slope[i] * (double)c->z[i] / (2 * FINENESS);
    return fabs(to - from - integral) / (1 + fabs(from) + fabs(to));
}

/* A kink spoils the one cell that it is in, so two neighbours have to be wrong: the smaller error counts. */
static void check_slope(struct checker *c)
{
    const size_t end = (size_t)((log(FAR) - FIRST) * FINENESS);
    for (size_t first = PANELS - end; first < PANELS + end; first += end) {
        double before = slope_error(c, first);
        for (size_t cell = first + 1; cell < first + end; cell++) {
            const double error = slope_error(c, cell);
            const double both = isnan(before) || before < error ? before : error;
            note(c, SLOPE, both, "z = %.4g", (double)c->z[cell * NODES]);
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
    note(c, DRAWS_FINITE, DRAWS - finite, "random words");
    for (size_t cell = 0; cell < CELLS; cell++) total += c->mass[cell];
    for (size_t cell = 0; cell < CELLS; cell++) {
        below += c->mass[cell] / total;
        drawn += c->count[cell] / DRAWS;
        note(c, SAMPLER, fabs(below - drawn), "z = %.4g", (double)c->z[cell * NODES]);
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
        note(c, DRAWS_FINITE, isfinite((double)z) ? 0 : 1, "words %08x %08x", (unsigned)end[i / 6],
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
        note(c, TAILS, isfinite((double)logp) && isfinite((double)slope) ? 0 : 1, "z = %g", (double)z);
    }
    z = R(NAN);
    c->prior->log_prob(c->state, 1, &z, &logp, &slope);
    note(c, NOT_A_NUMBER, isnan((double)logp) ? 0 : 1, "log p = %g", (double)logp);
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

static struct kl kl_by_quadrature(struct checker *c, double m, double s)
{
    enum { MOST = 2 * NODES * (MANY * FEW_PARTS + (DOUBLINGS - MANY) * MANY_PARTS) };
    double eps[MOST], share[MOST];
    struct kl kl = {-1.41893853320467274178 - log(s), 0, -0.5};
    const size_t n = lay_eps(c->z, eps, share, m, s);
    c->prior->log_prob(c->state, n, c->z, c->logp, c->slope);
    for (size_t i = 0; i < n; i++) {
        kl.value -= share[i] * (double)c->logp[i];
        kl.dm -= share[i] * (double)c->slope[i];
        kl.dlogvar -= 0.5 * s * share[i] * eps[i] * (double)c->slope[i];
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
            const struct kl got = exact_kl(c, m, 2 * log(s)), want = kl_by_quadrature(c, m, s);
            note(c, KL, relative_error(got.value, want.value), "N(%g, %.4g^2)", m, s);
            note(c, KL_SLOPES, relative_error(got.dm, want.dm), "by the mean at N(%g, %.4g^2)", m, s);
            note(c, KL_SLOPES, relative_error(got.dlogvar, want.dlogvar), "by the log-variance at N(%g, %.4g^2)", m, s);
        }
}

/* Posteriors that a training may pass through: vanishing, huge, far out. */
static void check_extreme_kl(struct checker *c)
{
    static const double m[] = {-1e4, -30, 0, 30, 1e4}, logvar[] = {-300, -80, -20, 10, 20};
    for (size_t i = 0; i < 25; i++) {
        const struct kl kl = exact_kl(c, m[i / 5], logvar[i % 5]);
        const bool good = isfinite(kl.value) && isfinite(kl.dm) && isfinite(kl.dlogvar) && kl.value > -1e-3;
        note(c, KL_FINITE, good ? 0 : 1, "mean %g, log-variance %g", m[i / 5], logvar[i % 5]);
    }
}

/* ---- Rules for callbacks ---------------------------------------------------------------------------------------- */

enum callback { LOG_PROB, SAMPLE, KL_GAUSSIAN };
enum { SOME = 37, GUARD = 64, INS = 2, OUTS = 3 };

/* Room for SOME numbers with bytes of a pattern around them, which nobody may change. */
struct guarded {
    _Alignas(64) unsigned char bytes[GUARD + SOME * sizeof(real) + GUARD];
};

static const unsigned char pattern = 0xa5;

static real *inside(struct guarded *g) { return (real *)(void *)(g->bytes + GUARD); }

static double changed(const unsigned char *bytes, size_t n)
{
    double count = 0;
    for (size_t i = 0; i < n; i++) count += bytes[i] != pattern;
    return count;
}

static double changed_around(const struct guarded *g)
{
    return changed(g->bytes, GUARD) + changed(g->bytes + sizeof g->bytes - GUARD, GUARD);
}

/* Calls for scalars first .. first+n-1. */
static void call(struct checker *c, enum callback callback, size_t first, size_t n, struct guarded *in,
                 struct guarded *out)
{
    const real *a = inside(&in[0]) + first, *b = inside(&in[1]) + first;
    real *const x = inside(&out[0]) + first, *const y = inside(&out[1]) + first, *const z = inside(&out[2]) + first;
    switch (callback) {
    case LOG_PROB: c->prior->log_prob(c->state, n, a, x, y); break;
    case SAMPLE: c->prior->sample(c->state, n, (const uint32_t(*)[4])c->bits + first, x); break;
    case KL_GAUSSIAN: c->kl(c->state, n, a, b, x, y, z); break;
    }
}

static double differences(const struct guarded *a, const struct guarded *b)
{
    double count = 0;
    for (size_t k = 0; k < OUTS; k++)
        for (size_t i = 0; i < SOME; i++) {
            const size_t at = GUARD + i * sizeof(real);
            count += memcmp(a[k].bytes + at, b[k].bytes + at, sizeof(real)) != 0;
        }
    return count;
}

static double changed_by(const struct checker *c, const struct guarded *in, const struct guarded *before,
                         const struct guarded *out)
{
    double count = changed((const unsigned char *)c->state + c->prior->state_size, GUARD);
    for (size_t k = 0; k < INS; k++)
        for (size_t i = 0; i < sizeof in->bytes; i++) count += in[k].bytes[i] != before[k].bytes[i];
    for (size_t k = 0; k < OUTS; k++) count += changed_around(&out[k]);
    return count;
}

static void check_callback(struct checker *c, enum callback callback, const char *name)
{
    struct guarded in[INS], before[INS], out[3][OUTS];
    memset(in, pattern, sizeof in);
    memset(out, pattern, sizeof out);
    for (size_t i = 0; i < SOME; i++) {
        inside(&in[0])[i] = R((i % 2 ? -0.01 : 0.01) * pow(1.27, (double)i)); /* up to 50 */
        inside(&in[1])[i] = R(2 - 0.25 * (double)i);
    }
    memcpy(before, in, sizeof in);
    for (size_t k = 0; k < 2; k++) call(c, callback, 0, SOME, in, out[k]);
    for (size_t i = 0; i < SOME; i++) call(c, callback, i, 1, in, out[2]);
    note(c, AGAIN, differences(out[0], out[1]), "%s", name);
    note(c, ALONE, differences(out[0], out[2]), "%s", name);
    for (size_t k = 0; k < 3; k++) note(c, OUTSIDE, changed_by(c, in, before, out[k]), "%s", name);
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
    memset((unsigned char *)c->state + c->prior->state_size, pattern, GUARD);
    choice_text(choice, &c->prior->module, c->label, sizeof c->label);
    prior_init(c->prior, c->state, choice->value);
}

static void check_at(struct checker *c, const vae_choice *choice)
{
    set_state(c, choice);
    lay_mesh(c);
    c->prior->log_prob(c->state, POINTS, c->z, c->logp, c->slope);
    check_mass(c);
    check_slope(c);
    check_sampler(c);
    check_extreme_draws(c);
    check_tails(c);
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
        note(c, KNOWN, relative_error(got, k->value), "%s at %g: %.8g, known as %.8g",
             k->what == VAE_KNOWN_LOG_P ? "log p" : "KL", k->z, got, k->value);
    }
}

/* The ends of a parameter's range, and what is halfway from its default to them. */
static void check_range(struct checker *c, const vae_choice *defaults, size_t k)
{
    const vae_param *p = &c->prior->module.params[k];
    const double value = defaults->value[k];
    const double at[] = {p->min, (p->min + value) / 2, (value + p->max) / 2, p->max};
    for (size_t i = 0; i < 4; i++) {
        vae_choice choice = *defaults;
        choice.value[k] = p->whole ? floor(at[i]) : at[i];
        check_at(c, &choice);
    }
}

static vae_status report_all(const struct checker *c, void (*report)(void *context, const vae_check *check),
                             void *context, vae_error *err)
{
    size_t failed = 0, all = 0;
    for (size_t i = 0; i < CHECKS; i++) {
        const struct found *f = &c->found[i];
        if (!f->is_there) continue;
        const vae_check check = {rules[i].what, f->figure, rules[i].bound, f->figure <= rules[i].bound, f->where};
        all++;
        failed += !check.passed;
        report(context, &check);
    }
    if (!failed) return VAE_OK;
    return vae_fail(err, VAE_E_INTERNAL, "prior %s is not what it should be: %zu of %zu checks failed",
                    c->prior->module.name, failed, all);
}

static const vae_module *module_of(size_t i)
{
    const struct prior_ops *prior = prior_at(i);
    return prior ? &prior->module : NULL;
}

vae_status vae_prior_check(const char *name, void (*report)(void *context, const vae_check *check), void *context,
                           vae_error *err)
{
    vae_choice defaults;
    vae_status status = choice_parse(&defaults, "prior", module_of, name, err);
    if (status) return status;
    const struct prior_ops *prior = prior_find(defaults.name);
    if (prior->joint)
        return vae_fail(err, VAE_E_USAGE, "prior %s is a density of whole vectors (checked are those of one latent)",
                        prior->module.name);
    struct checker *c = mem_new(1, sizeof *c, err);
    if (!c) return VAE_E_MEMORY;
    c->prior = prior;
    c->kl = prior_exact_kl(c->prior, "gaussian", NULL);
    c->state = mem_new(1, c->prior->state_size + GUARD, err);
    status = c->state ? VAE_OK : VAE_E_MEMORY;
    if (!status) {
        rng_words(&(struct rng){.seed = 1, .stream = RNG_PRIOR}, 0, (size_t)DRAWS * 4, *c->bits);
        check_known(c, &defaults);
        check_at(c, &defaults);
        for (size_t k = 0; c->prior->module.params && c->prior->module.params[k].name; k++)
            check_range(c, &defaults, k);
        status = report_all(c, report, context, err);
    }
    free(c->state);
    free(c);
    return status;
}
