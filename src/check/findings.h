/* SPDX-License-Identifier: MIT
 *
 * Whether a distribution is what its table says: the checks that there are, and the largest figure that each of them
 * found. There is one file for each kind of distribution, which is given the table of one, and looks at nothing but
 * what its callbacks do, in the precision that they are used in. */
#ifndef VAE_FINDINGS_H
#define VAE_FINDINGS_H

#include <stddef.h>

#include "base/real.h"
#include "vae.h"

struct prior_ops;
struct posterior_ops;
struct likelihood_ops;

/* ---- Findings --------------------------------------------------------------------------------------------------- */

/* In the order in which they are reported. findings.c has what they are called and their bounds. */
enum check {
    MASS,
    JOINT_MASS,
    PIXEL_MASS,
    MORE_THAN_ONE,
    SLOPE,
    SLOPE_IN_Z,
    SLOPE_OF_OUTPUTS,
    SLOPE_OF_TENSORS,
    SLOPE_OF_CONTEXT,
    SAMPLER,
    JOINT_SAMPLER,
    NOISE,
    LOG_Q,
    SLOPE_OF_DRAWS,
    LOG_DET,
    DRAWS_FINITE,
    TAILS,
    HEAVY,
    ENDS,
    NOT_A_NUMBER,
    MEAN,
    NO_PIXELS,
    KNOWN,
    ENTROPY,
    ENTROPY_SLOPE,
    KL,
    KL_SLOPES,
    KL_FINITE,
    PAIR_KL,
    PAIR_SLOPES,
    AGAIN,
    ALONE,
    CUT,
    OUTSIDE,
    CHECKS
};

struct found {
    double figure;
    bool is_there;
    char where[256];
};

struct findings {
    char label[256]; /* what is being looked at: a name and its parameters */
    struct found found[CHECKS];
};

/* Keeps the largest figure of a check, and where it was. NaN is larger than anything. */
void note(struct findings *f, enum check check, double figure, const char *format, ...) VAE_PRINTF(4, 5);

typedef void report_check(void *context, const vae_check *check);
/* VAE_E_INTERNAL where one failed. `what`: the kind and name of the distribution, for the message. */
vae_status findings_report(const struct findings *f, const char *what, report_check *report, void *context,
                           vae_error *err);

/* The i-th choice to check, or false past the last: the one that was given; then with one parameter changed to the ends
 * of its range and to what is halfway from its value to them, and to each of its words. With `few_counts` counts are
 * changed to their least alone: of what learns they are sizes, and large ones only cost time. */
bool next_choice(const vae_module *module, const vae_choice *given, bool few_counts, size_t i, vae_choice *choice);

vae_status check_prior(struct findings *f, const struct prior_ops *prior, const vae_choice *given, vae_error *err);
vae_status check_joint(struct findings *f, const struct prior_ops *prior, const vae_choice *given, vae_error *err);
vae_status check_posterior(struct findings *f, const struct posterior_ops *posterior, const vae_choice *given,
                           vae_error *err);
vae_status check_flow(struct findings *f, const struct posterior_ops *posterior, const vae_choice *given,
                      vae_error *err);
vae_status check_likelihood(struct findings *f, const struct likelihood_ops *likelihood, const vae_choice *given,
                            vae_error *err);

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* Absolute for small numbers, relative for large ones. */
double relative_error(double got, double want);
/* A number in [low, high) for the i-th of many uses. */
double seeded(size_t i, double low, double high);

typedef double curve(void *context, double at);
/* How far `slope` is from that of f at a point, relative to the larger of `size` and the slope. It is compared with
 *
 *     [8 f(h) - 8 f(-h) - f(2h) + f(-2h)] / 12h                        (at + h for h; its error is of order h^4)
 *
 * for five steps, of which the best counts: a large one suffers from what f does, a kink above all, a small one from
 * rounding, and a slope that is wrong is so at all of them. */
double slope_error(curve *f, void *context, double at, double step, double slope, double size);

/* ---- Memory that nobody may change ------------------------------------------------------------------------------ */

enum { SOME = 37, GUARD = 64, GUARDED = 4 * SOME * sizeof(double) };

/* Room for some numbers, in bytes of a pattern. */
struct guarded {
    _Alignas(64) unsigned char bytes[GUARD + GUARDED + GUARD];
};

void guard(void *bytes, size_t n);
/* How many bytes are not what `guard` made them. */
double guard_changed(const void *bytes, size_t n);

static inline void *inside(struct guarded *g) { return g->bytes + GUARD; }
/* Likewise of everything around the first `used` bytes inside. */
double changed_around(const struct guarded *g, size_t used);
/* How many of n numbers differ by a bit. */
double differing(const void *a, const void *b, size_t n, size_t size);

#endif
