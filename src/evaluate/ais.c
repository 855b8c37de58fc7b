/* SPDX-License-Identifier: MIT
 *
 * Annealed importance sampling (Neal, "Annealed importance sampling", 2001; Wu, Burda, Salakhutdinov & Grosse, "On the
 * quantitative analysis of decoder-based generative models", 2017) and bidirectional Monte Carlo (Grosse, Ancha & Roy,
 * 2016). With f_b of hmc.h, b_t = t/T and a move M_t that leaves f_b(t) as it is:
 *
 *     forwards   e_0 ~ r,           log w += (b_t - b_(t-1)) (target - log r)(e_(t-1)),  e_t = M_t e_(t-1),  t = 1 .. T
 *     backwards  e_T ~ p(.|x),      e_(t-1) = M_t e_t,  log w += the same at e_(t-1),                        t = T .. 1
 *
 * E w = p(x) forwards and E 1/w = 1/p(x) backwards, so that the logarithm of a mean over chains is a bound in
 * expectation, from below and from above. The last move forwards changes no weight and is left out.
 *
 * The steps of the leapfrog come from a pilot, chains of some of the images, in which each step follows the acceptance
 * of the moves before it; they are then fixed, as a step that follows the chain would not leave f_b as it is. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "evaluate/evaluate.h"
#include "evaluate/hmc.h"
#include "evaluate/weights.h"

/* Chains at work at once: what noise one gets does not depend on it. */
enum { MOST_ROWS = 1024 };
/* Of the pilot: moves before the first temperature, and at least so many on its way. */
enum { WARM_UP = 30, PILOT_MOVES = 60 };

static const double TARGET = 0.65, GAIN = 0.7, FIRST_STEP = 0.5, LEAST_STEP = 1e-6, MOST_STEP = 4;

void vae_ais_defaults(vae_ais_options *options)
{
    *options = (vae_ais_options){.temperatures = 100, .chains = 16, .leapfrog = 5, .seed = 1};
}

struct ais {
    const struct vae_model *model;
    const vae_images *images;
    const vae_ais_options *options;
    struct pass pass;
    struct proposal proposal;
    struct chains chains;
    double *step;     /* (T+1) of the leapfrog at each temperature */
    double *log_w;    /* (S*B) */
    double *accepted; /* (S*B) sum over moves */
    uint32_t *spread; /* (B) images of the pilot */
    const float *z;   /* (n,L) backwards: exact draws of p(z|x) */

    double began;
    struct weight_totals totals;
    double moves, acceptance, least; /* sum of the moves' acceptance, and of the image where it is least the mean */
};

/* ---- A run ------------------------------------------------------------------------------------------------------ */

static void tell(const struct ais *a, double done)
{
    const vae_ais_options *o = a->options;
    if (o->on_moves) o->on_moves(o->context, (size_t)done, a->images->n, clock_now() - a->began);
}

static size_t rows_of(const struct ais *a) { return a->pass.plan.S * a->pass.B; }

static void move(struct ais *a, enum rng_stream stream, uint64_t number, size_t image, size_t t)
{
    const double T = (double)a->options->temperatures;
    const struct rng rng = {.seed = a->options->seed, .step = number, .stream = stream};
    chains_move(&a->chains, &rng, image, (double)t / T, a->step[t]);
}

static void add_weights(struct ais *a)
{
    const double apart = 1 / (double)a->options->temperatures;
    for (size_t r = 0; r < rows_of(a); r++) a->log_w[r] += apart * (a->proposal.target[r] - a->proposal.log_r[r]);
}

static void add_acceptance(struct ais *a)
{
    for (size_t r = 0; r < rows_of(a); r++) a->accepted[r] += a->chains.accepted[r];
}

static void reset(struct ais *a)
{
    memset(a->log_w, 0, rows_of(a) * sizeof *a->log_w);
    memset(a->accepted, 0, rows_of(a) * sizeof *a->accepted);
}

static vae_status start_forwards(struct ais *a, enum rng_stream stream, size_t image, vae_error *err)
{
    const struct rng rng = {.seed = a->options->seed, .stream = stream};
    vae_status status = proposal_draw(&a->proposal, &rng, 0, image, err);
    if (!status) chains_place(&a->chains);
    return status;
}

static vae_status go_forwards(struct ais *a, size_t image, vae_error *err)
{
    const size_t T = a->options->temperatures;
    vae_status status = start_forwards(a, RNG_AIS, image, err);
    for (size_t t = 1; t <= T && !status; t++) {
        add_weights(a);
        if (t == T) break;
        move(a, RNG_AIS, t, image, t);
        add_acceptance(a);
        tell(a, (double)image + (double)a->pass.B * (double)t / (double)T);
    }
    return status;
}

/* All chains of an image begin at its z. */
static void go_backwards(struct ais *a, size_t image)
{
    const size_t T = a->options->temperatures, L = a->model->L, plane = a->pass.B * L;
    for (size_t i = 0; i < plane; i++) a->pass.z[i] = R(a->z[image * L + i]);
    pass_noise(&a->pass, 0);
    for (size_t k = 1; k < a->pass.plan.S; k++)
        memcpy(a->pass.eps + k * plane, a->pass.eps, plane * sizeof *a->pass.eps);
    chains_place(&a->chains);
    for (size_t t = T; t > 0; t--) {
        move(a, RNG_AIS_BACK, t, image, t);
        add_weights(a);
        tell(a, (double)image + (double)a->pass.B * (double)(T - t + 1) / (double)T);
    }
}

/* ---- The pilot -------------------------------------------------------------------------------------------------- */

static double mean_acceptance(const struct ais *a)
{
    double sum = 0;
    for (size_t r = 0; r < rows_of(a); r++) sum += a->chains.accepted[r];
    return sum / (double)rows_of(a);
}

/* A move at temperature t with the step, which then follows its acceptance. */
static void adapt(struct ais *a, uint64_t number, size_t t)
{
    move(a, RNG_AIS_TUNE, number, 0, t);
    const double step = a->step[t] * exp(GAIN * (mean_acceptance(a) - TARGET));
    a->step[t] = fmin(MOST_STEP, fmax(LEAST_STEP, step));
}

static vae_status tune(struct ais *a, vae_error *err)
{
    const size_t T = a->options->temperatures, n = a->images->n, capacity = a->pass.plan.capacity,
                 B = n < capacity ? n : capacity, again = T < PILOT_MOVES ? (PILOT_MOVES + T - 1) / T : 1;
    uint64_t number = 0;
    for (size_t i = 0; i < B; i++) a->spread[i] = (uint32_t)(i * n / B);
    vae_status status = pass_gather(&a->pass, a->images, a->spread, 0, B, err);
    if (status) return status;
    pass_encode(&a->pass);
    status = start_forwards(a, RNG_AIS_TUNE, 0, err);
    if (status) return status;
    a->step[1] = FIRST_STEP;
    for (size_t i = 0; i < WARM_UP; i++) adapt(a, ++number, 1);
    for (size_t t = 1; t <= T; t++) {
        if (t > 1) a->step[t] = a->step[t - 1];
        for (size_t i = 0; i < again; i++) adapt(a, ++number, t);
        tell(a, 0);
    }
    return VAE_OK;
}

/* ---- All images ------------------------------------------------------------------------------------------------- */

/* Of the block at work, whose first image is `first`; `sign`: -1 backwards, where a mean of 1/w is taken. */
static void add_block(struct ais *a, size_t first, double sign, double *image_nll)
{
    const size_t C = a->pass.plan.S, B = a->pass.B;
    const double moves = (double)(C * (a->options->temperatures - 1));
    for (size_t i = 0; i < B; i++) {
        struct weights w = {.most = -INFINITY};
        double accepted = 0;
        for (size_t r = i; r < C * B; r += B) {
            weights_add(&w, sign * a->log_w[r]);
            accepted += a->accepted[r];
        }
        const double nll = weight_totals_add(&a->totals, &w, C);
        if (image_nll) image_nll[first + i] = sign * nll;
        a->acceptance += accepted;
        a->moves += moves;
        a->least = fmin(a->least, accepted / moves);
    }
}

/* sign * -log mean w^sign of each image into image_nll. */
static vae_status run_blocks(struct ais *a, double sign, double *image_nll, vae_error *err)
{
    const size_t n = a->images->n, capacity = a->pass.plan.capacity;
    for (size_t first = 0; first < n; first += capacity) {
        const size_t B = n - first < capacity ? n - first : capacity;
        vae_status status = pass_gather(&a->pass, a->images, NULL, first, B, err);
        if (status) return status;
        pass_encode(&a->pass);
        reset(a);
        if (sign > 0)
            status = go_forwards(a, first, err);
        else
            go_backwards(a, first);
        if (status) return status;
        add_block(a, first, sign, image_nll);
    }
    return VAE_OK;
}

static vae_status check_options(const vae_ais_options *o, vae_error *err)
{
    if (o->temperatures < 1 || o->temperatures > VAE_MOST_TEMPERATURES)
        return vae_fail(err, VAE_E_USAGE, "%zu temperatures (expected 1 to %d)", o->temperatures,
                        VAE_MOST_TEMPERATURES);
    if (o->chains < 1 || o->chains > VAE_MOST_CHAINS)
        return vae_fail(err, VAE_E_USAGE, "%zu chains (expected 1 to %d)", o->chains, VAE_MOST_CHAINS);
    if (o->leapfrog < 1 || o->leapfrog > VAE_MOST_LEAPFROG)
        return vae_fail(err, VAE_E_USAGE, "%zu leapfrog steps (expected 1 to %d)", o->leapfrog, VAE_MOST_LEAPFROG);
    return VAE_OK;
}

static void ais_free(struct ais *a)
{
    free(a->step);
    free(a->log_w);
    free(a->accepted);
    free(a->spread);
    chains_free(&a->chains);
    proposal_free(&a->proposal);
    pass_free(&a->pass);
}

/* `a` has model, images and options. */
static vae_status ais_new(struct ais *a, struct pool *pool, vae_error *err)
{
    const vae_ais_options *o = a->options;
    const size_t C = o->chains, block = pass_rows(a->model, MOST_ROWS) / C, most = block ? block : 1;
    const struct pass_plan plan = {.capacity = most < a->images->n ? most : a->images->n,
                                   .S = C,
                                   .K = 1,
                                   .kl = KL_PER_DRAW,
                                   .calibration = VAE_CALIBRATION_DRAWS,
                                   .sparse = images_are_sparse(a->images),
                                   .slopes = true};
    const size_t rows = plan.capacity * C;
    vae_status status = pass_new(&a->pass, a->model, pool, &plan, err);
    if (!status) status = proposal_new(&a->proposal, &a->pass, o->proposal, C, err);
    if (!status) status = chains_new(&a->chains, &a->pass, &a->proposal, o->leapfrog, err);
    if (status) return status;
    a->step = mem_new(o->temperatures + 1, sizeof *a->step, err);
    a->log_w = mem_new(rows, sizeof *a->log_w, err);
    a->accepted = mem_new(rows, sizeof *a->accepted, err);
    a->spread = mem_new(plan.capacity, sizeof *a->spread, err);
    if (!a->step || !a->log_w || !a->accepted || !a->spread) return VAE_E_MEMORY;
    const struct rng own = {.seed = o->seed, .stream = RNG_OWN};
    a->pass.pixels = model_pixels(a->model, a->images, o->seed, 0);
    pass_derive(&a->pass, &own);
    return VAE_OK;
}

static vae_ais summary_of(const struct ais *a)
{
    const vae_ais_options *o = a->options;
    const struct joint_ops *joint = a->model->prior->joint;
    const double common = joint && joint->common_error ? joint->common_error(&a->pass.density) : 0;
    const struct weight_summary s = weight_totals_summary(&a->totals, a->images->n, o->chains, common);
    return (vae_ais){.n = a->images->n,
                     .nll = s.nll,
                     .se = s.se,
                     .mc_se = s.mc_se,
                     .bias = s.bias,
                     .effective_chains = s.effective,
                     .acceptance = a->moves > 0 ? a->acceptance / a->moves : (double)NAN,
                     .least_acceptance = a->moves > 0 ? a->least : (double)NAN,
                     .first_step = a->step[1],
                     .last_step = a->step[o->temperatures]};
}

/* Forwards, and backwards where there are `z` and `low` (n). */
static vae_status estimate(vae_ais *out, const struct vae_model *model, const vae_images *images,
                           const vae_ais_options *o, double *image_nll, const float *z, double *low, vae_error *err)
{
    struct ais a = {.model = model, .images = images, .options = o, .z = z, .began = clock_now(), .least = INFINITY};
    struct pool *pool = NULL;
    vae_status status = check_options(o, err);
    if (!status) status = vae_model_check_images(model, images, err);
    if (!status) status = pool_new(&pool, o->threads, err);
    if (!status) status = ais_new(&a, pool, err);
    if (!status) status = tune(&a, err);
    if (!status) status = run_blocks(&a, 1, image_nll, err);
    if (!status) *out = summary_of(&a);
    if (!status && !isfinite(out->nll)) status = not_finite("ais", err);
    if (!status && z) status = run_blocks(&a, -1, low, err);
    ais_free(&a);
    pool_free(pool);
    return status;
}

vae_status vae_estimate_ais(vae_ais *out, const vae_model *model, const vae_images *images, const vae_ais_options *o,
                            vae_error *err)
{
    return estimate(out, model, images, o, o->image_nll, NULL, NULL, err);
}

/* ---- Both ways -------------------------------------------------------------------------------------------------- */

/* Images that the model makes, and the draws of its prior that they are of. */
struct simulated {
    vae_images images;
    float *z;          /* (n,L) */
    double *nll, *low; /* (n) */
};

static void simulated_free(struct simulated *s)
{
    free(s->images.values);
    free(s->z);
    free(s->nll);
    free(s->low);
}

static vae_status simulate(struct simulated *s, const struct vae_model *model, const vae_images *labels,
                           const vae_ais_options *o, vae_error *err)
{
    const size_t n = labels->n, D = model->D;
    s->images = (vae_images){.n = n,
                             .rows = model->rows,
                             .cols = model->cols,
                             .labels = labels->labels,
                             .split = VAE_TEST,
                             .source = "images that the model made"};
    s->images.values = mem_new(n, D * sizeof *s->images.values, err);
    s->z = mem_new(n, model->L * sizeof *s->z, err);
    s->nll = mem_new(n, sizeof *s->nll, err);
    s->low = mem_new(n, sizeof *s->low, err);
    if (!s->images.values || !s->z || !s->nll || !s->low) return VAE_E_MEMORY;
    vae_status status = vae_sample_prior(model, o->seed, n, s->z, err);
    if (!status) status = vae_sample_data(model, n, s->z, labels->labels, o->seed, o->threads, s->images.values, err);
    const float *x = s->images.values;
    s->images.lowest = s->images.highest = *x;
    for (size_t i = 0; i < n * D && !status; i++) {
        if (x[i] < s->images.lowest) s->images.lowest = x[i];
        if (x[i] > s->images.highest) s->images.highest = x[i];
    }
    return status;
}

/* The way back begins at a draw of p(z|x), which has to lie where the proposal has density. */
vae_status vae_bdmc_check(const vae_model *model, const vae_ais_options *o, vae_error *err)
{
    const int least = 4; /* so many draws have one of the prior among them */
    if (!model->posterior->reach || isinf(model->posterior->reach(model->posterior_state))) return VAE_OK;
    if (o->proposal == VAE_PROPOSE_DEFENSIVE && o->chains >= least) return VAE_OK;
    return vae_fail(
        err, VAE_E_USAGE,
        "bdmc: a %s posterior has no density beyond its cut (expected the proposal defensive, and %d or more "
        "chains)",
        model->posterior->module.name, least);
}

vae_status vae_estimate_bdmc(vae_bdmc *out, const vae_model *model, const vae_images *images, const vae_ais_options *o,
                             vae_error *err)
{
    struct simulated s = {0};
    if (!images->n) return vae_fail(err, VAE_E_DATA, "no images: their number says how many are to be made");
    vae_status status = vae_bdmc_check(model, o, err);
    if (!status) status = simulate(&s, model, images, o, err);
    if (!status) status = estimate(&out->ais, model, &s.images, o, s.nll, s.z, s.low, err);
    const double n = (double)images->n;
    double low = 0, square = 0;
    for (size_t i = 0; i < images->n && !status; i++) {
        low += s.low[i] / n;
        square += (s.nll[i] - s.low[i]) * (s.nll[i] - s.low[i]) / n;
    }
    if (!status) {
        out->nll_low = low;
        out->gap = out->ais.nll - low;
        out->gap_se = n > 1 ? sqrt(fmax(0, square - out->gap * out->gap) / (n - 1)) : (double)NAN;
        if (!isfinite(out->gap)) status = not_finite("bdmc", err);
    }
    simulated_free(&s);
    return status;
}
