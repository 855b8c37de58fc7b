/* SPDX-License-Identifier: MIT
 *
 * The importance-sampled likelihood of Burda, Grosse & Salakhutdinov ("Importance weighted autoencoders", 2016,
 * section 3), with the posterior as proposal:
 *
 *     log p(x) >= E log (1/S) sum_s w_s,   w_s = p(x|z_s) p(z_s) / q(z_s|x),   z_s ~ q(z|x)
 *
 * a bound that tightens as S grows. Weights are added up in double, relative to the largest so far. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "evaluate/evaluate.h"
#include "evaluate/pareto.h"
#include "evaluate/proposal.h"
#include "evaluate/weights.h"
#include "pass/pass.h"

/* Images of a block, and draws of each that are decoded at once. What noise a draw gets does not depend on the latter.
 */
enum { BLOCK = 128, CHUNK = 8 };

/* Weights of one image, and their tail. */
struct image_weights {
    struct weights all;
    struct tail tail;
};

static void add_weight(struct image_weights *w, double log_weight)
{
    weights_add(&w->all, log_weight);
    tail_add(&w->tail, log_weight);
}

/* An estimate at work, for whoever is told how far it is. */
struct work {
    const vae_nll_options *options;
    size_t images;
    double began;
};

static void tell(const struct work *work, double done)
{
    const vae_nll_options *o = work->options;
    if (o->on_draws) o->on_draws(o->context, (size_t)done, work->images, clock_now() - work->began);
}

/* Weights of the draws of plan.S, from first_draw on. */
static vae_status draw_some(struct pass *pass, struct proposal *proposal, const struct rng *noise, size_t image,
                            struct image_weights *w, vae_error *err)
{
    const size_t rows = pass->plan.S * pass->B;
    if (proposal->kind == VAE_PROPOSE_Q) {
        pass_latent(pass, noise);
        pass_decode(pass, rows);
        pass_likelihood(pass, false);
        for (size_t r = 0; r < rows; r++) add_weight(&w[r % pass->B], pass->log_ratio[r] - pass->recon[r]);
        return VAE_OK;
    }
    const struct rng rng = {.seed = noise->seed, .stream = RNG_PROPOSAL};
    vae_status status = proposal_draw(proposal, &rng, pass->first_draw, image, err);
    if (status) return status;
    proposal_weigh(proposal);
    for (size_t r = 0; r < rows; r++) add_weight(&w[r % pass->B], proposal->target[r] - proposal->log_r[r]);
    return VAE_OK;
}

/* Of the images that the pass has, before which there were `before`. */
static vae_status draw_all(struct pass *pass, struct proposal *proposal, const struct rng *noise,
                           const struct work *work, size_t before, size_t chunk, struct image_weights *w,
                           vae_error *err)
{
    const size_t samples = work->options->samples;
    for (size_t i = 0; i < pass->B; i++) {
        w[i].all = (struct weights){.most = -INFINITY};
        w[i].tail.n = 0;
    }
    for (size_t first = 0; first < samples && !pool_stopped(pass->pool); first += chunk) {
        pass->plan.S = samples - first < chunk ? samples - first : chunk;
        pass->first_draw = first;
        vae_status status = draw_some(pass, proposal, noise, before, w, err);
        if (status) return status;
        tell(work, (double)before + (double)pass->B * (double)(first + pass->plan.S) / (double)samples);
    }
    return VAE_OK;
}

struct totals {
    struct weight_totals weights;
    size_t diagnosed, above; /* images with a k-hat, and those where it is above its limit */
    double khat;             /* sum of it */
};

static void add_images(struct totals *t, size_t B, const vae_nll_options *o, size_t first, struct image_weights *w)
{
    for (size_t i = 0; i < B; i++) {
        const double khat = tail_khat(&w[i].tail), nll = weight_totals_add(&t->weights, &w[i].all, o->samples);
        if (o->image_nll) o->image_nll[first + i] = nll;
        if (o->image_khat) o->image_khat[first + i] = khat;
        if (isnan(khat)) continue;
        t->diagnosed++;
        t->above += khat > VAE_KHAT_LIMIT;
        t->khat += khat;
    }
}

static vae_status run_blocks(struct pass *pass, struct proposal *proposal, const vae_images *images,
                             const vae_nll_options *o, struct image_weights *w, struct totals *totals, vae_error *err)
{
    const struct work work = {o, images->n, clock_now()};
    const size_t chunk = pass->plan.S;
    for (size_t first = 0, block = 0; first < images->n && !pool_stopped(pass->pool);
         first += pass->plan.capacity, block++) {
        const size_t left = images->n - first, B = left < pass->plan.capacity ? left : pass->plan.capacity;
        const struct rng noise = {.seed = o->seed, .step = block, .stream = RNG_NLL};
        vae_status status = pass_gather(pass, images, NULL, first, B, err);
        if (status) return status;
        pass_encode(pass);
        status = draw_all(pass, proposal, &noise, &work, first, chunk, w, err);
        if (status) return status;
        add_images(totals, B, o, first, w);
    }
    return VAE_OK;
}

static void summarise(vae_nll *out, const vae_images *images, const vae_nll_options *o, const struct totals *t,
                      double common)
{
    const struct weight_summary s = weight_totals_summary(&t->weights, images->n, o->samples, common);
    *out = (vae_nll){.n = images->n,
                     .samples = o->samples,
                     .nll = s.nll,
                     .se = s.se,
                     .mc_se = s.mc_se,
                     .bias = s.bias,
                     .effective_samples = s.effective,
                     .khat = t->diagnosed ? t->khat / (double)t->diagnosed : (double)NAN,
                     .khat_above = t->diagnosed ? (double)t->above / (double)images->n : (double)NAN};
}

vae_status model_estimate_nll(vae_nll *out, const struct vae_model *model, const vae_images *images,
                              const vae_nll_options *o, size_t calibration, struct pool *pool, vae_error *err)
{
    const size_t block = pass_rows(model, BLOCK * CHUNK) / CHUNK;
    const struct pass_plan plan = {.capacity = block ? block : 1,
                                   .S = o->samples < CHUNK ? o->samples : CHUNK,
                                   .K = 1,
                                   .kl = KL_PER_DRAW,
                                   .calibration = calibration,
                                   .sparse = images_are_sparse(images)};
    struct pass pass = {0};
    struct proposal proposal = {0};
    struct totals totals = {0};
    struct image_weights *weights = NULL;
    double *tails = NULL;
    const size_t tail = tail_size(o->samples);
    if (o->samples < 1 || o->samples > VAE_MOST_DRAWS)
        return vae_fail(err, VAE_E_USAGE, "%zu importance samples (expected 1 to %d)", o->samples, VAE_MOST_DRAWS);
    vae_status status = vae_model_check_images(model, images, err);
    if (!status) status = pass_new(&pass, model, pool, &plan, err);
    if (!status && o->proposal != VAE_PROPOSE_Q) status = proposal_new(&proposal, &pass, o->proposal, o->samples, err);
    if (!status && !(weights = mem_new(plan.capacity, sizeof *weights, err))) status = VAE_E_MEMORY;
    if (!status && !(tails = mem_new(plan.capacity * tail + 1, sizeof *tails, err))) status = VAE_E_MEMORY;
    if (!status) {
        for (size_t i = 0; i < plan.capacity; i++)
            weights[i].tail = (struct tail){.most = tail, .at = tails + i * tail};
        const struct rng own = {.seed = o->seed, .stream = RNG_OWN};
        pass.pixels = model_pixels(model, images, o->seed, 0);
        pass_derive(&pass, &own);
        status = run_blocks(&pass, &proposal, images, o, weights, &totals, err);
    }
    if (!status) {
        const struct joint_ops *joint = model->prior->joint;
        summarise(out, images, o, &totals, joint && joint->common_error ? joint->common_error(&pass.density) : 0);
    }
    free(tails);
    free(weights);
    proposal_free(&proposal);
    pass_free(&pass);
    return status;
}

void vae_nll_defaults(vae_nll_options *options) { *options = (vae_nll_options){.samples = 100, .seed = 1}; }

vae_status vae_estimate_nll(vae_nll *out, const vae_model *model, const vae_images *images, const vae_nll_options *o,
                            vae_error *err)
{
    struct pool *pool = NULL;
    vae_status status = pool_new(&pool, o->threads, err);
    if (!status) status = model_estimate_nll(out, model, images, o, VAE_CALIBRATION_DRAWS, pool, err);
    pool_free(pool);
    return status || isfinite(out->nll) ? status : not_finite("nll", err);
}
