/* SPDX-License-Identifier: MIT */
#include "check/findings.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/choice.h"
#include "base/rng.h"

/* ---- Findings --------------------------------------------------------------------------------------------------- */

#define FLOAT_OR_DOUBLE(single, twice) (sizeof(real) == sizeof(float) ? (single) : (twice))

/* The bounds on samplers are passed by a right one with probability 1 - 1e-6; that on chi-square is of its normal
 * score. */
static const struct {
    const char *what;
    double bound;
} rules[CHECKS] = {
    [MASS] = {"density integrates to 1: error", FLOAT_OR_DOUBLE(2e-5, 1e-9)},
    [JOINT_MASS] = {"density integrates to 1: error", 2e-3},
    [PIXEL_MASS] = {"p(pixel) sums to 1: error", 2e-5},
    [MORE_THAN_ONE] = {"p(pixel) sums to more than 1, by", 1e-4},
    [SLOPE] = {"slope is that of log p: error", FLOAT_OR_DOUBLE(3e-5, 1e-12)},
    [SLOPE_IN_Z] = {"slopes in z: error", 5e-3},
    [SLOPE_OF_OUTPUTS] = {"slopes in outputs: error", 1e-3},
    [SLOPE_OF_TENSORS] = {"slopes in what is learned: error", 1e-2},
    [SLOPE_OF_CONTEXT] = {"slopes in the context: error", 1e-3},
    [SAMPLER] = {"draws follow density: Kolmogorov-Smirnov", 0.0085},
    [JOINT_SAMPLER] = {"draws follow density: chi-square's score", 4.75},
    [NOISE] = {"noise follows density: Kolmogorov-Smirnov", 0.00425},
    [LOG_Q] = {"log q follows from the noise: error", 1e-4},
    [SLOPE_OF_DRAWS] = {"slopes of draws: error", 1e-3},
    [LOG_DET] = {"log det is that of a Jacobian: error", 2e-4},
    [DRAWS_FINITE] = {"draws that are not finite", 0},
    [TAILS] = {"log p, slope not finite up to |z| = 1e6", 0},
    [HEAVY] = {"heavy tails: z d log p / dz, 1e6 to 1e5", 2},
    [ENDS] = {"numbers not finite at extremes", 0},
    [NOT_A_NUMBER] = {"log p(NaN) that is a number", 0},
    [MEAN] = {"mean image is the integral: error", 2e-5},
    [NO_PIXELS] = {"means and draws that are no pixels", 0},
    [KNOWN] = {"known answers: error", FLOAT_OR_DOUBLE(5e-7, 6e-8)},
    [ENTROPY] = {"entropy is the integral: error", 1e-4},
    [ENTROPY_SLOPE] = {"slope of the entropy: error", 1e-3},
    [KL] = {"exact KL is the integral: error", FLOAT_OR_DOUBLE(1e-4, 5e-6)},
    [KL_SLOPES] = {"slopes of the exact KL: error", FLOAT_OR_DOUBLE(1e-4, 5e-6)},
    [KL_FINITE] = {"exact KL negative or not finite", 0},
    [PAIR_KL] = {"exact KL to priors: error", 1e-4},
    [PAIR_SLOPES] = {"slopes of the exact KL to priors: error", 1e-3},
    [AGAIN] = {"numbers that differ at a second call", 0},
    [ALONE] = {"numbers that differ one by one", 0},
    [CUT] = {"numbers computed one by one: error", 1e-4},
    [OUTSIDE] = {"bytes changed outside of outputs", 0},
};

void note(struct findings *f, enum check check, double figure, const char *format, ...)
{
    struct found *found = &f->found[check];
    char point[96], where[sizeof found->where];
    va_list arguments;
    if (found->is_there && (isnan(found->figure) || figure <= found->figure)) return;
    va_start(arguments, format);
    vsnprintf(point, sizeof point, format, arguments);
    va_end(arguments);
    found->figure = figure;
    found->is_there = true;
    snprintf(where, sizeof where, "%.150s%s%s", f->label, *point ? ", " : "", point);
    memcpy(found->where, where, sizeof where);
}

vae_status findings_report(const struct findings *f, const char *what, report_check *report, void *context,
                           vae_error *err)
{
    size_t failed = 0, all = 0;
    for (size_t i = 0; i < CHECKS; i++) {
        const double figure = f->found[i].figure;
        if (!f->found[i].is_there) continue;
        const vae_check check = {rules[i].what, figure, rules[i].bound, figure <= rules[i].bound, f->found[i].where};
        all++;
        failed += !check.passed;
        if (report) report(context, &check);
    }
    if (!failed) return VAE_OK;
    return vae_fail(err, VAE_E_INTERNAL, "%s is not what it should be: %zu of %zu checks failed", what, failed, all);
}

/* ---- Choices ---------------------------------------------------------------------------------------------------- */

static size_t count_words(const char *words)
{
    size_t n = words != NULL;
    for (; words && *words; words++) n += *words == '|';
    return n;
}

/* The i-th value to try for a parameter, or false past the last. */
static bool next_value(const vae_param *p, double given, bool few_counts, size_t i, double *value)
{
    const double at[] = {p->min, (p->min + given) / 2, (given + p->max) / 2, p->max};
    const size_t numbers = p->words ? 0 : p->whole && few_counts ? 1 : 4;
    if (i < numbers) {
        *value = p->whole ? floor(at[i]) : at[i];
        return true;
    }
    i -= numbers;
    *value = p->words ? (double)i : VAE_OR_WORD((double)i);
    return i < count_words(p->words ? p->words : p->or_words);
}

bool next_choice(const vae_module *module, const vae_choice *given, bool few_counts, size_t i, vae_choice *choice)
{
    *choice = *given;
    if (i-- == 0) return true;
    for (size_t k = 0; module->params && module->params[k].name; k++) {
        double *const value = &choice->value[k];
        for (size_t n = 0; next_value(&module->params[k], given->value[k], few_counts, n, value); n++)
            if (*value != given->value[k] && i-- == 0) return true;
        *value = given->value[k];
    }
    return false;
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

double relative_error(double got, double want) { return fabs(got - want) / fmax(1, fabs(want)); }

double seeded(size_t i, double low, double high)
{
    uint32_t word;
    rng_words(&(struct rng){.seed = 1, .step = 1, .stream = RNG_PRIOR}, i, 1, &word);
    return low + (high - low) * rng_uniform(word);
}

double slope_error(curve *f, void *context, double at, double step, double slope, double size)
{
    double least = (double)INFINITY;
    for (int i = 0; i < 5; i++, step /= 4) {
        const double near = f(context, at + step) - f(context, at - step);
        const double far = f(context, at + 2 * step) - f(context, at - 2 * step);
        const double error = fabs((8 * near - far) / (12 * step) - slope) / fmax(size, fabs(slope));
        if (isnan(error)) return error;
        least = fmin(least, error);
    }
    return least;
}

/* ---- Memory that nobody may change ------------------------------------------------------------------------------ */

static const unsigned char pattern = 0xa5;

void guard(void *bytes, size_t n) { memset(bytes, pattern, n); }

double guard_changed(const void *bytes, size_t n)
{
    const unsigned char *at = bytes;
    double count = 0;
    for (size_t i = 0; i < n; i++) count += at[i] != pattern;
    return count;
}

double changed_around(const struct guarded *g, size_t used)
{
    return guard_changed(g->bytes, GUARD) + guard_changed(g->bytes + GUARD + used, sizeof g->bytes - GUARD - used);
}

double differing(const void *a, const void *b, size_t n, size_t size)
{
    const unsigned char *x = a, *y = b;
    double count = 0;
    for (size_t i = 0; i < n; i++) count += memcmp(x + i * size, y + i * size, size) != 0;
    return count;
}
