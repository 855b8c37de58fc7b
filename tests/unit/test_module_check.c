/* SPDX-License-Identifier: MIT
 *
 * Checks of joint priors, posteriors and likelihoods: those that are built in pass them all; of tables that call a
 * right one and spoil one thing, each fails the checks that are about it, and no others. (Factorised priors:
 * test_plugins.c.)
 *
 * Not under tsan: no thread is started here. */
#include "check.h"
#include "check/findings.h"
#include "posterior/flow.h"
#include "prior/joint.h"

#define MASS     "density integrates to 1: error; "
#define SUM      "p(pixel) sums to 1: error; "
#define MORE     "p(pixel) sums to more than 1, by; "
#define IN_Z     "slopes in z: error; "
#define OUTPUTS  "slopes in outputs: error; "
#define LEARNED  "slopes in what is learned: error; "
#define CONTEXT  "slopes in the context: error; "
#define SAMPLES  "draws follow density: chi-square's score; "
#define FOLLOW   "draws follow density: Kolmogorov-Smirnov; "
#define NOISY    "noise follows density: Kolmogorov-Smirnov; "
#define DENSITY  "log q follows from the noise: error; "
#define DRAWN    "slopes of draws: error; "
#define JACOBIAN "log det is that of a Jacobian: error; "
#define INFINITE "draws that are not finite; "
#define TAIL     "log p, slope not finite up to |z| = 1e6; "
#define EXTREMES "numbers not finite at extremes; "
#define HIDDEN   "log p(NaN) that is a number; "
#define MEANS    "mean image is the integral: error; "
#define NO_PIXEL "means and draws that are no pixels; "
#define H        "entropy is the integral: error; "
#define H_SLOPE  "slope of the entropy: error; "
#define KLS      "exact KL to priors: error; "
#define KL_RISE  "slopes of the exact KL to priors: error; "
#define REPEATED "numbers that differ at a second call; "
#define SINGLE   "numbers that differ one by one; "
#define ONE      "numbers computed one by one: error; "
#define BYTES    "bytes changed outside of outputs; "

static void collect(void *context, const vae_check *check)
{
    char *failures = context;
    if (check->passed) return;
    assert_true(strlen(failures) + strlen(check->what) + 3 < 1024);
    assert_true(*check->where);
    strcat(failures, check->what);
    strcat(failures, "; ");
}

/* ---- Those that are right --------------------------------------------------------------------------------------- */

static void must_pass(void *context, const vae_check *check)
{
    size_t *all = context;
    (*all)++;
    if (!check->passed) fail_msg("%s: %g, at most %g, at %s", check->what, check->figure, check->bound, check->where);
}

/* How many checks it passed. */
static size_t pass(vae_kind kind, const char *name)
{
    size_t all = 0;
    vae_error err = {0};
    if (vae_module_check(kind, name, must_pass, &all, &err)) fail_msg("%s: %s", name, err.message);
    return all;
}

static void joint_priors_pass(void **state)
{
    static const char *const small[] = {"scaled", "mixture:components=7", "vampprior:components=5", "realnvp:width=20",
                                        "lars:width=6,tries=7"};
    size_t joint = 0;
    (void)state;
    for (size_t i = 0; prior_at(i); i++) joint += prior_at(i)->joint != NULL;
    assert_int_equal(joint, sizeof small / sizeof *small);
    for (size_t i = 0; i < joint; i++) assert_int_equal(pass(VAE_PRIOR, small[i]), 10);
}

/* Steep, if all of it were moved as far as few networks are. Where it is thrice as deep, slopes of single precision
 * between kinks are too noisy. */
static void deep_flows_are_resolved(void **state)
{
    char failures[1024] = "";
    (void)state;
    vae_module_check(VAE_PRIOR, "realnvp:blocks=16,width=32", collect, failures, NULL);
    assert_string_equal(failures, LEARNED);
}

static void posteriors_pass(void **state)
{
    (void)state;
    for (size_t i = 0; posterior_at(i); i++) {
        const bool is_flow = posterior_at(i)->flow != NULL;
        assert_int_equal(pass(VAE_POSTERIOR, posterior_at(i)->module.name), is_flow ? 17 : 15);
    }
}

static void likelihoods_pass(void **state)
{
    (void)state;
    for (size_t i = 0; likelihood_at(i); i++) {
        const bool learns = likelihood_at(i)->declare != NULL;
        assert_int_equal(pass(VAE_LIKELIHOOD, likelihood_at(i)->module.name), learns ? 13 : 12);
    }
}

static void other_kinds_are_refused(void **state)
{
    vae_error err;
    size_t all = 0;
    (void)state;
    assert_int_equal(vae_module_check(VAE_ACTIVATION, "relu", must_pass, &all, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "checked are priors, posteriors and likelihoods");
    assert_int_equal(vae_module_check(VAE_POSTERIOR, "laplace", must_pass, &all, &err), VAE_E_USAGE);
    assert_int_equal(all, 0);
}

/* ---- Joint priors that are wrong -------------------------------------------------------------------------------- */

static const struct joint_ops *joint; /* the right one */

static void joint_unnormalised(struct density *d, struct span rows, const real *z, double *logp)
{
    joint->log_prob(d, rows, z, logp);
    for (size_t i = 0; i < rows.end - rows.begin; i++) logp[i] += log(1.02);
}

static void joint_nan_in_tail(struct density *d, struct span rows, const real *z, double *logp)
{
    joint->log_prob(d, rows, z, logp);
    for (size_t i = 0; i < rows.end - rows.begin; i++)
        if (fabs((double)z[i * d->L]) > 5e5) logp[i] = (double)NAN;
}

static void joint_hidden_nan(struct density *d, struct span rows, const real *z, double *logp)
{
    joint->log_prob(d, rows, z, logp);
    for (size_t i = 0; i < rows.end - rows.begin; i++)
        if (isnan(logp[i])) logp[i] = -100;
}

/* In the last tile of a batch that has guarded bytes behind it. */
static void joint_writes_past(struct density *d, struct span rows, const real *z, double *logp)
{
    joint->log_prob(d, rows, z, logp);
    if (rows.end == d->own + SOME && rows.begin > d->own && rows.end - rows.begin > 1) logp[rows.end - rows.begin] = 0;
}

static void joint_changes_state(struct density *d, struct span rows, const real *z, double *logp)
{
    static double calls;
    joint->log_prob(d, rows, z, logp);
    for (size_t i = 0; i < rows.end - rows.begin; i++) logp[i] *= 1 + 1e-9 * ++calls;
}

static void joint_sees_the_span(struct density *d, struct span rows, const real *z, double *logp)
{
    joint->log_prob(d, rows, z, logp);
    if (d->rows == SOME && rows.end - rows.begin == 1) *logp += 0.01;
}

static void joint_writes_file(struct density *d, struct span rows, const real *z, double *logp)
{
    joint->log_prob(d, rows, z, logp);
    ((unsigned char *)d->file)[joint->size] = 0;
}

static void joint_slopes_times(double factor, struct density *d, struct span rows, const real *z, const real *weight,
                               real *dz)
{
    const size_t n = (rows.end - rows.begin) * d->L;
    real before[SOME * 3];
    memcpy(before, dz, n * sizeof *dz);
    joint->backward(d, rows, z, weight, dz);
    for (size_t i = 0; i < n; i++) dz[i] = before[i] + R(factor) * (dz[i] - before[i]);
}

static void joint_negated_slope(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    joint_slopes_times(-1, d, rows, z, weight, dz);
}

static void joint_small_slope(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    joint_slopes_times(0.9, d, rows, z, weight, dz);
}

static void joint_other_weight(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    real other[SOME];
    for (size_t i = 0; i < rows.end - rows.begin; i++) other[i] = R(fabs((double)weight[i]));
    joint->backward(d, rows, z, other, dz);
}

static void joint_tensor_times(double factor, size_t which, struct density *d, struct span items, const real *z,
                               real *gradient)
{
    const struct tensor *t = density_tensor(d, which);
    joint->learn(d, items, z, gradient);
    for (size_t k = 0; k < t->count; k++) gradient[t->offset + k] *= R(factor);
}

static void joint_negated_mean(struct density *d, struct span items, const real *z, real *gradient)
{
    joint_tensor_times(-1, 1, d, items, z, gradient);
}

static void joint_small_deviation(struct density *d, struct span items, const real *z, real *gradient)
{
    joint_tensor_times(0.9, 2, d, items, z, gradient);
}

static void joint_forgotten_weight(struct density *d, struct span items, const real *z, real *gradient)
{
    joint_tensor_times(0, 0, d, items, z, gradient);
}

/* Of one of many elements. */
static void joint_negated_element(struct density *d, struct span items, const real *z, real *gradient)
{
    joint->learn(d, items, z, gradient);
    gradient[density_tensor(d, 1)->offset] *= R(-1);
}

static void joint_added_gradient(struct density *d, struct span items, const real *z, real *gradient)
{
    const real before = gradient[density_tensor(d, 0)->offset];
    joint->learn(d, items, z, gradient);
    gradient[density_tensor(d, 0)->offset] += before;
}

static void joint_negated_heads(struct density *d, struct span items, const real *z, real *gradient)
{
    joint->learn(d, items, z, gradient);
    for (size_t i = items.begin * 2 * d->L; i < items.end * 2 * d->L; i++) d->heads_gradient[i] *= R(-1);
}

static void joint_small_network(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    const size_t width = d->run[0].net->layer[0].out;
    joint->backward(d, rows, z, weight, dz);
    for (size_t i = rows.begin * width; i < rows.end * width; i++) d->run[0].gradient[0][i] *= R(0.9);
}

static void joint_forgotten_normaliser(struct density *d, struct span rows)
{
    const struct run *run = &d->run[d->declared->nets - 1];
    joint->own_backward(d, rows);
    for (size_t i = 0; i < run->net->layers; i++) {
        const size_t width = run->net->layer[i].out;
        memset(run->gradient[i] + rows.begin * width, 0, (rows.end - rows.begin) * width * sizeof(real));
    }
}

static vae_status joint_wide_draws(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                                   vae_error *err)
{
    const vae_status status = joint->draw(d, rng, rows, place, z, err);
    for (size_t i = 0; i < (rows.end - rows.begin) * d->L; i++) z[i] *= R(1.05);
    return status;
}

/* Each latent as it should be, and not together. */
static vae_status joint_unrelated_draws(struct density *d, const struct rng *rng, struct span rows, size_t place,
                                        real *z, vae_error *err)
{
    const size_t n = rows.end - rows.begin;
    vae_status status = joint->draw(d, rng, rows, place, z, err);
    for (size_t i = 0; i < n && d->L == 2 && !status; i++) {
        real other[2];
        status = joint->draw(d, rng, (struct span){rows.begin, rows.begin + 1}, place + i + 1000000, other, err);
        z[2 * i] = other[0];
    }
    return status;
}

static vae_status joint_infinite_draw(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                                      vae_error *err)
{
    const vae_status status = joint->draw(d, rng, rows, place, z, err);
    if (place <= 777 && 777 < place + rows.end - rows.begin) z[(777 - place) * d->L] = R(INFINITY);
    return status;
}

#define MIXTURE "mixture:components=3"

static const struct {
    const char *prior, *failures;
    struct joint_ops instead; /* callbacks that take the place of the right one's */
} joint_cases[] = {
    {MIXTURE, "", {.size = 0}},
    {MIXTURE, MASS, {.log_prob = joint_unnormalised}},
    {MIXTURE, TAIL, {.log_prob = joint_nan_in_tail}},
    {MIXTURE, HIDDEN, {.log_prob = joint_hidden_nan}},
    {MIXTURE, BYTES, {.log_prob = joint_writes_past}},
    {MIXTURE, BYTES, {.log_prob = joint_writes_file}},
    {MIXTURE, REPEATED, {.log_prob = joint_changes_state}},
    {MIXTURE, ONE, {.log_prob = joint_sees_the_span}},
    {MIXTURE, IN_Z, {.backward = joint_negated_slope}},
    {MIXTURE, IN_Z, {.backward = joint_small_slope}},
    {MIXTURE, IN_Z LEARNED, {.backward = joint_other_weight}},
    {MIXTURE, LEARNED, {.learn = joint_negated_mean}},
    {MIXTURE, LEARNED, {.learn = joint_small_deviation}},
    {MIXTURE, LEARNED, {.learn = joint_forgotten_weight}},
    {MIXTURE, LEARNED, {.learn = joint_negated_element}},
    {"scaled", LEARNED REPEATED, {.learn = joint_added_gradient}},
    {MIXTURE, SAMPLES, {.draw = joint_wide_draws}},
    {MIXTURE, SAMPLES, {.draw = joint_unrelated_draws}},
    {MIXTURE, INFINITE, {.draw = joint_infinite_draw}},
    {"scaled", SAMPLES, {.draw = joint_wide_draws}},
    {"vampprior:components=3", LEARNED, {.learn = joint_negated_heads}},
    {"realnvp:width=8", LEARNED, {.backward = joint_small_network}},
    {"lars:width=4,tries=5", LEARNED, {.own_backward = joint_forgotten_normaliser}},
};

static const vae_module *prior_module(size_t i) { return prior_at(i) ? &prior_at(i)->module : NULL; }

/* One value of the parameters is enough: those of other values would only take time. */
static void without_parameters(vae_module *module) { module->params = NULL; }

static void report_failures(const struct findings *f, char failures[1024])
{
    *failures = '\0';
    const vae_status status = findings_report(f, "it", collect, failures, NULL);
    assert_int_equal(status, *failures ? VAE_E_INTERNAL : VAE_OK);
}

static void wrong_joint_priors_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof joint_cases / sizeof *joint_cases; i++) {
        const struct joint_ops *instead = &joint_cases[i].instead;
        struct findings f = {.found = {{0}}};
        char failures[1024];
        vae_choice choice;
        vae_error err = {0};
        assert_int_equal(choice_parse(&choice, "prior", prior_module, joint_cases[i].prior, &err), VAE_OK);
        struct prior_ops prior = *prior_find(choice.name);
        struct joint_ops broken = *prior.joint;
        joint = prior.joint;
        prior.joint = &broken;
        without_parameters(&prior.module);
        if (instead->log_prob) broken.log_prob = instead->log_prob;
        if (instead->backward) broken.backward = instead->backward;
        if (instead->own_backward) broken.own_backward = instead->own_backward;
        if (instead->learn) broken.learn = instead->learn;
        if (instead->draw) broken.draw = instead->draw;
        if (check_joint(&f, &prior, &choice, &err)) fail_msg("case %zu: %s", i, err.message);
        report_failures(&f, failures);
        if (strcmp(failures, joint_cases[i].failures))
            fail_msg("case %zu: failed: '%s', expected '%s'", i, failures, joint_cases[i].failures);
    }
}

/* ---- Posteriors that are wrong ---------------------------------------------------------------------------------- */

static const struct posterior_ops *q; /* the right one */

static void wide_noise(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps)
{
    q->noise(state, n, bits, eps);
    for (size_t i = 0; i < n; i++) eps[i] *= R(1.05);
}

static void infinite_noise(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps)
{
    q->noise(state, n, bits, eps);
    for (size_t i = 0; i < n; i++)
        if (bits[i] % 100003 == 5) eps[i] = R(INFINITY);
}

static void noise_depends_on_n(const struct posterior_state *state, size_t n, const uint32_t *bits, real *eps)
{
    q->noise(state, n, bits, eps);
    for (size_t i = 0; i < n && n == SOME; i++) eps[i] *= R(1.000001);
}

static void wide_draws(size_t n, const real *a, const real *scale, const real *eps, real *z)
{
    for (size_t i = 0; i < n; i++) z[i] = a[i] + scale[i] * scale[i] * eps[i];
}

static void draws_write_past(size_t n, const real *a, const real *scale, const real *eps, real *z)
{
    q->draw(n, a, scale, eps, z);
    if (n == SOME) z[n] = 0;
}

static void draws_overflow(size_t n, const real *a, const real *scale, const real *eps, real *z)
{
    for (size_t i = 0; i < n; i++) z[i] = scale[i] < R(1e-20) ? a[i] / scale[i] : a[i] + scale[i] * eps[i];
}

static void negated_backward(size_t n, const real *scale, const real *eps, const real *dz, real weight, real *da,
                             real *db)
{
    for (size_t i = 0; i < n; i++) da[i] -= 2 * weight * dz[i];
    q->backward(n, scale, eps, dz, weight, da, db);
}

static void small_backward(size_t n, const real *scale, const real *eps, const real *dz, real weight, real *da,
                           real *db)
{
    real unused[SOME] = {0};
    for (size_t i = 0; i < n; i++) {
        q->backward(1, scale + i, eps + i, dz + i, weight, da + i, unused);
        q->backward(1, scale + i, eps + i, dz + i, weight * R(0.9), unused, db + i);
    }
}

static void other_entropy(const struct posterior_state *state, size_t n, const real *b, real *entropy, real *db)
{
    q->entropy(state, n, b, entropy, db);
    for (size_t i = 0; i < n; i++) entropy[i] += R(0.02);
}

static void small_entropy_slope(const struct posterior_state *state, size_t n, const real *b, real *entropy, real *db)
{
    q->entropy(state, n, b, entropy, db);
    for (size_t i = 0; i < n; i++) db[i] *= R(0.9);
}

static void unsteady_entropy(const struct posterior_state *state, size_t n, const real *b, real *entropy, real *db)
{
    static unsigned calls;
    q->entropy(state, n, b, entropy, db);
    for (size_t i = 0; i < n; i++) entropy[i] += R(calls++ % 1024) * R(1e-8);
}

static void unnormalised(const struct posterior_state *state, size_t n, const real *b, const real *scale,
                         const real *eps, real *logq, real *dz)
{
    q->log_prob(state, n, b, scale, eps, logq, dz);
    for (size_t i = 0; i < n; i++) logq[i] += R(log(1.02));
}

static void without_scale(const struct posterior_state *state, size_t n, const real *b, const real *scale,
                          const real *eps, real *logq, real *dz)
{
    q->log_prob(state, n, b, scale, eps, logq, dz);
    for (size_t i = 0; i < n; i++) logq[i] += R(0.5) * b[i];
}

static void negated_slope(const struct posterior_state *state, size_t n, const real *b, const real *scale,
                          const real *eps, real *logq, real *dz)
{
    q->log_prob(state, n, b, scale, eps, logq, dz);
    for (size_t i = 0; i < n; i++) dz[i] = -dz[i];
}

static void small_slope(const struct posterior_state *state, size_t n, const real *b, const real *scale,
                        const real *eps, real *logq, real *dz)
{
    q->log_prob(state, n, b, scale, eps, logq, dz);
    for (size_t i = 0; i < n; i++) dz[i] *= R(0.9);
}

static void hidden_nan(const struct posterior_state *state, size_t n, const real *b, const real *scale, const real *eps,
                       real *logq, real *dz)
{
    q->log_prob(state, n, b, scale, eps, logq, dz);
    for (size_t i = 0; i < n; i++)
        if (isnan((double)logq[i])) logq[i] = 0;
}

static void writes_input(const struct posterior_state *state, size_t n, const real *b, const real *scale,
                         const real *eps, real *logq, real *dz)
{
    q->log_prob(state, n, b, scale, eps, logq, dz);
    if (n == SOME) logq[-1] = 0;
}

static void short_log_det(struct flow *flow, struct span rows, real *z, double *log_det)
{
    double right[64] = {0};
    q->flow->forward(flow, rows, z, log_det ? right : NULL);
    for (size_t r = rows.begin; r < rows.end && log_det; r++) log_det[r] += 0.98 * right[r];
}

static void written_log_det(struct flow *flow, struct span rows, real *z, double *log_det)
{
    q->flow->forward(flow, rows, z, log_det);
    if (rows.end > 1 && log_det) log_det[rows.end] = 0;
}

static void negated_flow(struct flow *flow, struct span rows, const real *weight, real *dz)
{
    q->flow->backward(flow, rows, weight, dz);
    for (size_t i = rows.begin * flow->L; i < rows.end * flow->L; i++) dz[i] = -dz[i];
}

static void small_flow(struct flow *flow, struct span rows, const real *weight, real *dz)
{
    q->flow->backward(flow, rows, weight, dz);
    for (size_t i = rows.begin * flow->L; i < rows.end * flow->L; i++) dz[i] *= R(0.9);
}

static void forgotten_log_det(struct flow *flow, struct span rows, const real *weight, real *dz)
{
    static const real none[64];
    (void)weight;
    q->flow->backward(flow, rows, none, dz);
}

static void small_context(struct flow *flow, struct span images)
{
    q->flow->condition_backward(flow, images);
    for (size_t i = 0; i < images.end * flow->nets->C; i++) flow->d_context[i] *= R(0.9);
}

static void small_network(struct flow *flow, struct span images)
{
    q->flow->condition_backward(flow, images);
    const size_t width = net_out(flow->run[0].net);
    for (size_t i = 0; i < images.end * width; i++) flow->run[0].gradient[0][i] *= R(0.9);
}

#define IAF "iaf:width=12,context=3"

static const struct {
    const char *posterior, *failures;
    struct posterior_ops instead;
    struct flow_ops flow;
} posterior_cases[] = {
    {"gaussian", "", {.state_size = 0}, {0}},
    {"gaussian", NOISY, {.noise = wide_noise}, {0}},
    {"cauchy", MASS NOISY H, {.noise = wide_noise}, {0}},
    {"gaussian", INFINITE, {.noise = infinite_noise}, {0}},
    {"gaussian", SINGLE, {.noise = noise_depends_on_n}, {0}},
    {"cauchy", IN_Z DENSITY DRAWN, {.draw = wide_draws}, {0}},
    {"gaussian", BYTES, {.draw = draws_write_past}, {0}},
    {"gaussian", EXTREMES, {.draw = draws_overflow}, {0}},
    {"gaussian", DRAWN KL_RISE, {.backward = negated_backward}, {0}},
    {"cauchy", DRAWN, {.backward = small_backward}, {0}},
    {"cauchy", H, {.entropy = other_entropy}, {0}},
    {"gaussian", H KLS, {.entropy = other_entropy}, {0}},
    {"gaussian", H_SLOPE KL_RISE, {.entropy = small_entropy_slope}, {0}},
    {"cauchy", REPEATED SINGLE, {.entropy = unsteady_entropy}, {0}},
    {"cauchy", MASS H, {.log_prob = unnormalised}, {0}},
    {"cauchy", DENSITY H, {.log_prob = without_scale}, {0}},
    {"gaussian", IN_Z, {.log_prob = negated_slope}, {0}},
    {"cauchy", IN_Z, {.log_prob = small_slope}, {0}},
    {"gaussian", HIDDEN, {.log_prob = hidden_nan}, {0}},
    {"gaussian", BYTES, {.log_prob = writes_input}, {0}},
    {IAF, "", {.state_size = 0}, {0}},
    {IAF, NOISY, {.noise = wide_noise}, {0}},
    {IAF, LEARNED JACOBIAN, {.state_size = 0}, {.forward = short_log_det}},
    {IAF, BYTES, {.state_size = 0}, {.forward = written_log_det}},
    {IAF, IN_Z, {.state_size = 0}, {.backward = negated_flow}},
    {IAF, IN_Z, {.state_size = 0}, {.backward = small_flow}},
    {IAF, IN_Z LEARNED CONTEXT, {.state_size = 0}, {.backward = forgotten_log_det}},
    {IAF, CONTEXT, {.state_size = 0}, {.condition_backward = small_context}},
    {IAF, LEARNED, {.state_size = 0}, {.condition_backward = small_network}},
};

static const vae_module *posterior_module(size_t i) { return posterior_at(i) ? &posterior_at(i)->module : NULL; }

static void spoil_posterior(struct posterior_ops *ops, const struct posterior_ops *instead)
{
    if (instead->noise) ops->noise = instead->noise;
    if (instead->draw) ops->draw = instead->draw;
    if (instead->backward) ops->backward = instead->backward;
    if (instead->entropy) ops->entropy = instead->entropy;
    if (instead->log_prob) ops->log_prob = instead->log_prob;
}

static void wrong_posteriors_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof posterior_cases / sizeof *posterior_cases; i++) {
        struct findings f = {.found = {{0}}};
        char failures[1024];
        vae_choice choice;
        vae_error err = {0};
        assert_int_equal(choice_parse(&choice, "posterior", posterior_module, posterior_cases[i].posterior, &err),
                         VAE_OK);
        q = posterior_find(choice.name);
        struct posterior_ops broken = *q;
        struct flow_ops flow = {0};
        const struct flow_ops *instead = &posterior_cases[i].flow;
        without_parameters(&broken.module);
        spoil_posterior(&broken, &posterior_cases[i].instead);
        if (q->flow) {
            flow = *q->flow;
            broken.flow = &flow;
        }
        if (instead->forward) flow.forward = instead->forward;
        if (instead->backward) flow.backward = instead->backward;
        if (instead->condition_backward) flow.condition_backward = instead->condition_backward;
        if (check_posterior(&f, &broken, &choice, &err)) fail_msg("case %zu: %s", i, err.message);
        report_failures(&f, failures);
        if (strcmp(failures, posterior_cases[i].failures))
            fail_msg("case %zu: failed: '%s', expected '%s'", i, failures, posterior_cases[i].failures);
    }
}

/* ---- Likelihoods that are wrong --------------------------------------------------------------------------------- */

static const struct likelihood_ops *p; /* the right one */

#define NLL_ARGUMENTS                                                                                                  \
    const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight, real *grad,           \
        const struct learned *learned
#define RIGHT_NLL p->nll(state, D, out, x, weight, grad, learned)

static double nll_too_small(NLL_ARGUMENTS) { return RIGHT_NLL - (double)D * log(1.02); }
static double nll_too_large(NLL_ARGUMENTS) { return RIGHT_NLL + (double)D * log(1.02); }
static double nll_as_mean(NLL_ARGUMENTS) { return RIGHT_NLL / (double)D; }

static double nll_without_a_pixel(NLL_ARGUMENTS)
{
    const double last = D > 16 ? p->nll(state, 1, out + 16, x + 16, 1, NULL, learned) : 0;
    return RIGHT_NLL - last;
}

static double nll_negated_slope(NLL_ARGUMENTS)
{
    const double value = RIGHT_NLL;
    for (size_t i = 0; grad && i < D; i++) grad[i] = -grad[i];
    return value;
}

static double nll_small_slope(NLL_ARGUMENTS)
{
    const double value = RIGHT_NLL;
    for (size_t i = 0; grad && i < D; i++) grad[i] *= R(0.9);
    return value;
}

static double nll_small_learned(NLL_ARGUMENTS)
{
    const double value = RIGHT_NLL;
    if (learned->grad) *learned->grad *= R(0.9);
    return value;
}

static double nll_not_finite(NLL_ARGUMENTS)
{
    const bool far = fabs((double)*out) > 5000;
    return far ? (double)INFINITY : RIGHT_NLL;
}

static double nll_hidden_nan(NLL_ARGUMENTS)
{
    const double value = RIGHT_NLL;
    return isnan(value) ? 0 : value;
}

static double nll_unsteady(NLL_ARGUMENTS)
{
    static double calls;
    return RIGHT_NLL * (1 + 1e-9 * ++calls);
}

static double nll_writes_past(NLL_ARGUMENTS)
{
    const double value = RIGHT_NLL;
    if (D > 20 && grad && weight > 0 && grad != out) grad[D] = 0;
    return value;
}

static void dark_mean(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    p->mean(state, D, out, mean);
    for (size_t i = 0; i < D; i++) mean[i] *= R(0.95);
}

static void mean_of_no_pixel(const struct likelihood_state *state, size_t D, const real *out, real *mean)
{
    p->mean(state, D, out, mean);
    for (size_t i = 0; i < D; i++)
        if (out[i] > 1000) mean[i] = R(1.01);
}

static void wide_pixels(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                        const struct learned *learned, real *x)
{
    p->sample(state, D, out, bits, learned, x);
    for (size_t i = 0; i < D; i++) x[i] = out[i] + R(1.05) * (x[i] - out[i]);
}

/* A twentieth of the white pixels are black; grey ones are as much darker. */
static void dark_pixels(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                        const struct learned *learned, real *x)
{
    p->sample(state, D, out, bits, learned, x);
    for (size_t i = 0; i < D; i++) x[i] = x[i] < 1 ? R(0.95) * x[i] : bits[i] % 20 ? R(1) : R(0);
}

static void strange_pixel(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                          const struct learned *learned, real *x)
{
    p->sample(state, D, out, bits, learned, x);
    for (size_t i = 0; i < D; i++)
        if (bits[i] % 10007 == 5) x[i] = R(1.5);
}

static void pixels_by_place(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                            const struct learned *learned, real *x)
{
    p->sample(state, D, out, bits, learned, x);
    if (D > 1) x[D - 1] = x[0];
}

static void pixels_past(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                        const struct learned *learned, real *x)
{
    p->sample(state, D, out, bits, learned, x);
    if (D == 21) x[D] = 0; /* a whole image, behind which there is room */
}

static const struct {
    const char *likelihood, *failures;
    struct likelihood_ops instead;
} likelihood_cases[] = {
    {"bernoulli", "", {.state_size = 0}},
    {"bernoulli", SUM MORE FOLLOW, {.nll = nll_too_small}},
    {"gaussian", SUM MORE FOLLOW, {.nll = nll_too_small}},
    {"cbernoulli", SUM FOLLOW, {.nll = nll_too_large}},
    {"bernoulli", ONE, {.nll = nll_as_mean}},
    {"gaussian", ONE, {.nll = nll_without_a_pixel}},
    {"bernoulli", OUTPUTS, {.nll = nll_negated_slope}},
    {"gaussian", OUTPUTS, {.nll = nll_small_slope}},
    {"cbernoulli", OUTPUTS, {.nll = nll_small_slope}},
    {"gaussian:sigma=learned", LEARNED, {.nll = nll_small_learned}},
    {"gaussian:sigma=per-pixel", OUTPUTS, {.nll = nll_negated_slope}},
    {"cbernoulli", EXTREMES, {.nll = nll_not_finite}},
    {"bernoulli", HIDDEN, {.nll = nll_hidden_nan}},
    {"bernoulli", REPEATED, {.nll = nll_unsteady}},
    {"cbernoulli", BYTES, {.nll = nll_writes_past}},
    {"bernoulli", MEANS, {.mean = dark_mean}},
    {"gaussian", MEANS, {.mean = dark_mean}},
    {"cbernoulli", MEANS, {.mean = dark_mean}},
    {"bernoulli", NO_PIXEL, {.mean = mean_of_no_pixel}},
    {"gaussian", FOLLOW, {.sample = wide_pixels}},
    {"gaussian:sigma=per-pixel", FOLLOW, {.sample = wide_pixels}},
    {"bernoulli", FOLLOW, {.sample = dark_pixels}},
    {"cbernoulli", FOLLOW, {.sample = dark_pixels}},
    {"bernoulli", NO_PIXEL, {.sample = strange_pixel}},
    {"cbernoulli", SINGLE, {.sample = pixels_by_place}},
    {"gaussian", BYTES, {.sample = pixels_past}},
};

static const vae_module *likelihood_module(size_t i) { return likelihood_at(i) ? &likelihood_at(i)->module : NULL; }

static void wrong_likelihoods_fail(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof likelihood_cases / sizeof *likelihood_cases; i++) {
        struct findings f = {.found = {{0}}};
        char failures[1024];
        vae_choice choice;
        vae_error err = {0};
        assert_int_equal(choice_parse(&choice, "likelihood", likelihood_module, likelihood_cases[i].likelihood, &err),
                         VAE_OK);
        p = likelihood_find(choice.name);
        struct likelihood_ops broken = *p;
        without_parameters(&broken.module);
        if (likelihood_cases[i].instead.nll) broken.nll = likelihood_cases[i].instead.nll;
        if (likelihood_cases[i].instead.mean) broken.mean = likelihood_cases[i].instead.mean;
        if (likelihood_cases[i].instead.sample) broken.sample = likelihood_cases[i].instead.sample;
        if (check_likelihood(&f, &broken, &choice, &err)) fail_msg("case %zu: %s", i, err.message);
        report_failures(&f, failures);
        if (strcmp(failures, likelihood_cases[i].failures))
            fail_msg("case %zu: failed: '%s', expected '%s'", i, failures, likelihood_cases[i].failures);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(joint_priors_pass),       cmocka_unit_test(deep_flows_are_resolved),
        cmocka_unit_test(posteriors_pass),         cmocka_unit_test(likelihoods_pass),
        cmocka_unit_test(other_kinds_are_refused), cmocka_unit_test(wrong_joint_priors_fail),
        cmocka_unit_test(wrong_posteriors_fail),   cmocka_unit_test(wrong_likelihoods_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
