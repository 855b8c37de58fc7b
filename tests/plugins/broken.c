/* SPDX-License-Identifier: MIT
 *
 * Plug-ins for tests: N(0, sd^2), right as -DBROKEN=good, and with one thing wrong, or claimed, as each of the others.
 * The name of the prior, NAME, is that of the file. */
#include <math.h>
#include <string.h>

#include "vae_prior.h"

enum broken {
    good,
    heavy_tails,
    negated_slope,
    unnormalised,
    other_scale,
    nan_in_tail,
    hidden_nan,
    wrong_kl,
    negated_kl_slope,
    negative_kl,
    wrong_answer,
    unsteady,
    depends_on_n,
    writes_past,
    writes_input,
    writes_state,
    infinite_draw,
    unmoved,
    wrong_abi,
    short_struct,
    no_symbol,
    many_parameters,
    twice_a_parameter,
    setting_parameter,
    flag_parameter,
    default_out_of_range,
    endless_range,
    fractional_count,
    wordless,
    below_zero,
    no_help,
    unnamed_parameter,
    no_formula,
    no_sample,
    huge_state,
    bad_name,
    built_in_name
};

struct vae_prior_state {
    float precision, norm, log_variance, spare;
    double sd;
    const struct vae_prior_state *self; /* which is right only as long as it is where it was begun */
};

static int calls;

#define SD VAE_REAL("sd", 1.0, 1e-2, 1e2, "standard deviation")
static const vae_param one[] = {SD, {0}};
static const vae_param nine[] = {VAE_REAL("a", 1, 1, 1, ""), VAE_REAL("b", 1, 1, 1, ""),
                                 VAE_REAL("c", 1, 1, 1, ""), VAE_REAL("d", 1, 1, 1, ""),
                                 VAE_REAL("e", 1, 1, 1, ""), VAE_REAL("f", 1, 1, 1, ""),
                                 VAE_REAL("g", 1, 1, 1, ""), VAE_REAL("h", 1, 1, 1, ""),
                                 VAE_REAL("i", 1, 1, 1, ""), {0}};
static const vae_param twice[] = {SD, SD, {0}};
static const vae_param fractional[] = {VAE_COUNT("k", 1.5, 0, 2, ""), {0}};
static const vae_param no_word[] = {{"kind", 5, 0, 63, "", true, "a|b|c", NULL, false}, {0}};
static const vae_param below[] = {VAE_REAL_OR("s", 1, -5, 5, "free|tied", ""), {0}};
static const vae_param flag[] = {VAE_REAL("threads", 1, 0, 2, ""), {0}};
static const vae_param setting[] = {VAE_REAL("beta", 1, 0, 2, ""), {0}};
static const vae_param outside[] = {VAE_REAL("sd", 3, 1, 2, ""), {0}};
static const vae_param endless[] = {VAE_REAL("sd", 1, 1, INFINITY, ""), {0}};
static const vae_param unnamed[] = {VAE_REAL("", 1, 1, 2, ""), {0}};
static const vae_param helpless[] = {VAE_REAL("sd", 1, 1, 2, NULL), {0}};

static void init(struct vae_prior_state *state, const double *param)
{
    state->precision = (float)(1 / (param[0] * param[0]));
    state->log_variance = (float)(2 * log(param[0]));
    state->norm = (float)(-log(param[0]) - 0.91893853320467274178);
    state->sd = param[0];
    state->self = state;
    if (BROKEN == writes_state) memset(state + 1, 0, 1);
}

static void log_prob(const struct vae_prior_state *state, size_t n, const float *z, float *logp, float *slope)
{
    for (size_t i = 0; i < n; i++) {
        logp[i] = -0.5f * state->precision * z[i] * z[i] + state->norm;
        slope[i] = -state->precision * z[i];
        if (BROKEN == negated_slope) slope[i] = -slope[i];
        if (BROKEN == unnormalised) logp[i] += 0.001f;
        if (BROKEN == nan_in_tail && z[i] > 1e5f) slope[i] = NAN;
        if (BROKEN == hidden_nan && isnan(z[i])) logp[i] = 0;
        if (BROKEN == unsteady) logp[i] += 1e-6f * (float)(calls++ % 2);
        if (BROKEN == depends_on_n && n > 1) slope[i] *= 1.000001f;
        if (BROKEN == unmoved && state->self != state) logp[i] = NAN;
        if (BROKEN == writes_input) ((float *)(size_t)z)[i] += 1;
    }
    if (BROKEN == writes_past) logp[n] = 0;
}

static void sample(const struct vae_prior_state *state, size_t n, const uint32_t (*bits)[4], float *z)
{
    const double factor = BROKEN == other_scale ? 1.1 : 1;
    for (size_t i = 0; i < n; i++) {
        const double radius = sqrt(-2 * log(vae_uniform(bits[i][0])));
        z[i] = (float)(factor * state->sd * radius * cos(6.28318530717958647693 * vae_uniform(bits[i][1])));
        if (BROKEN == infinite_draw && bits[i][0] == 0) z[i] = INFINITY;
    }
}

static void kl_gaussian(const struct vae_prior_state *state, size_t n, const float *mean, const float *logvar,
                        float *kl, float *dmean, float *dlogvar)
{
    for (size_t i = 0; i < n; i++) {
        const float variance = state->precision * expf(logvar[i]), square = state->precision * mean[i] * mean[i];
        kl[i] = 0.5f * (square + variance - 1 + state->log_variance - logvar[i]);
        dmean[i] = state->precision * mean[i];
        dlogvar[i] = 0.5f * (variance - 1);
        if (BROKEN == wrong_kl) kl[i] += 0.01f;
        if (BROKEN == negative_kl && logvar[i] < -100) kl[i] = -1;
        if (BROKEN == negated_kl_slope) dlogvar[i] = -dlogvar[i];
    }
}

static const vae_known known[] = {
    VAE_LOG_P(0, BROKEN == wrong_answer ? -0.9189395 : -0.9189385, 1),
    VAE_KL_OF(1.3, 0.4, 1.3412907, 1),
    {0},
};

const struct vae_prior_v1 vae_prior_plugin = {
    .abi = BROKEN == wrong_abi ? VAE_PRIOR_ABI + 1 : VAE_PRIOR_ABI,
    .size = sizeof(struct vae_prior_v1) - (BROKEN == short_struct ? 8 : 0),
    .module = {.name = BROKEN == bad_name        ? "a:b"
                       : BROKEN == built_in_name ? "laplace"
                                                 : NAME,
               .summary = "normal",
               .formula = BROKEN == no_formula ? NULL : "p(z) = N(z; 0, sd^2)",
               .params = BROKEN == many_parameters        ? nine
                         : BROKEN == twice_a_parameter    ? twice
                         : BROKEN == setting_parameter    ? setting
                         : BROKEN == flag_parameter       ? flag
                         : BROKEN == default_out_of_range ? outside
                         : BROKEN == endless_range        ? endless
                         : BROKEN == fractional_count     ? fractional
                         : BROKEN == wordless             ? no_word
                         : BROKEN == below_zero           ? below
                         : BROKEN == no_help              ? helpless
                         : BROKEN == unnamed_parameter    ? unnamed
                                                          : one},
    .state_size = BROKEN == huge_state ? SIZE_MAX : sizeof(struct vae_prior_state),
    .init = init,
    .log_prob = log_prob,
    .sample = BROKEN == no_sample ? NULL : sample,
    .kl_gaussian = kl_gaussian,
    .known = known,
    .heavy_tailed = BROKEN == heavy_tails,
};
