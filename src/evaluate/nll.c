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
#include "pass/pass.h"

/* Images of a block, and draws of each that are decoded at once. What noise a draw gets does not depend on the latter.
 */
enum { BLOCK = 128, CHUNK = 8 };

/* Weights of one image: their largest logarithm, and sums of w and w^2 in units of the largest; and their tail. */
struct weights {
    double most, sum, squares;
    struct tail tail;
};

static void add_weight(struct weights *w, double log_weight)
{
    if (log_weight > w->most) {
        const double shrink = exp(w->most - log_weight);
        w->sum *= shrink;
        w->squares *= shrink * shrink;
        w->most = log_weight;
    }
    const double relative = exp(log_weight - w->most);
    w->sum += relative;
    w->squares += relative * relative;
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

/* Of the images that the pass has, before which there were `before`. */
static void draw_all(struct pass *pass, const struct rng *noise, const struct work *work, size_t before, size_t chunk,
                     struct weights *w)
{
    const size_t samples = work->options->samples;
    for (size_t i = 0; i < pass->B; i++)
        w[i] = (struct weights){.most = -INFINITY, .tail = {.most = w[i].tail.most, .at = w[i].tail.at}};
    for (size_t first = 0; first < samples && !pool_stopped(pass->pool); first += chunk) {
        pass->plan.S = samples - first < chunk ? samples - first : chunk;
        pass->first_draw = first;
        pass_latent(pass, noise);
        pass_decode(pass, pass->plan.S * pass->B);
        pass_likelihood(pass, false);
        for (size_t r = 0; r < pass->plan.S * pass->B; r++)
            add_weight(&w[r % pass->B], pass->log_ratio[r] - pass->recon[r]);
        tell(work, (double)before + (double)pass->B * (double)(first + pass->plan.S) / (double)samples);
    }
}

struct totals {
    double nll, square, noise;
    size_t diagnosed, above; /* images with a k-hat, and those where it is above its limit */
    double khat;             /* sum of it */
};

/* To second order log mean w has the variance v of mean w / E w, and an expectation that is v/2 below log p(x). Here
 * sum w^2 / (sum w)^2 - 1/S = v (S-1)/S, as the variance is taken around the mean of the same draws. */
static void add_images(struct totals *t, size_t B, size_t samples, struct weights *w, double *image_nll,
                       double *image_khat)
{
    for (size_t i = 0; i < B; i++) {
        const double khat = tail_khat(&w[i].tail);
        if (image_khat) image_khat[i] = khat;
        if (!isnan(khat)) {
            t->diagnosed++;
            t->above += khat > VAE_KHAT_LIMIT;
            t->khat += khat;
        }
        const double nll = -(w[i].most + log(w[i].sum / (double)samples));
        if (image_nll) image_nll[i] = nll;
        t->nll += nll;
        t->square += nll * nll;
        t->noise += w[i].squares / (w[i].sum * w[i].sum) - 1 / (double)samples;
    }
}

static vae_status run_blocks(struct pass *pass, const vae_images *images, const vae_nll_options *o, struct weights *w,
                             struct totals *totals, vae_error *err)
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
        draw_all(pass, &noise, &work, first, chunk, w);
        add_images(totals, B, o->samples, w, o->image_nll ? o->image_nll + first : NULL,
                   o->image_khat ? o->image_khat + first : NULL);
    }
    return VAE_OK;
}

/* `common`: standard error e of log Z of a prior whose normaliser Z is estimated. It is the same for all images, so it
 * does not shrink with their number. E log Z-hat is log Z - e^2/2, by which nll is too low. */
static void summarise(vae_nll *out, const vae_images *images, const vae_nll_options *o, const struct totals *t,
                      double common)
{
    const double n = (double)images->n, mean = t->nll / n, variance = t->square / n - mean * mean;
    const double S = (double)o->samples, noise = o->samples > 1 ? fmax(0, t->noise) * S / (S - 1) : (double)NAN;
    *out = (vae_nll){.n = images->n,
                     .samples = o->samples,
                     .nll = mean,
                     .se = n > 1 ? sqrt(fmax(0, variance) / (n - 1)) : (double)NAN,
                     .mc_se = hypot(sqrt(noise) / n, common),
                     .bias = (noise / n - common * common) / 2,
                     .effective_samples = 1 / (t->noise / n + 1 / S),
                     .khat = t->diagnosed ? t->khat / (double)t->diagnosed : (double)NAN,
                     .khat_above = t->diagnosed ? (double)t->above / n : (double)NAN};
}

vae_status model_estimate_nll(vae_nll *out, const struct vae_model *model, const vae_images *images,
                              const vae_nll_options *o, struct pool *pool, vae_error *err)
{
    const size_t block = pass_rows(model, BLOCK * CHUNK) / CHUNK;
    const struct pass_plan plan = {.capacity = block ? block : 1,
                                   .S = o->samples < CHUNK ? o->samples : CHUNK,
                                   .K = 1,
                                   .kl = KL_PER_DRAW,
                                   .calibration = VAE_CALIBRATION_DRAWS,
                                   .sparse = images_are_sparse(images)};
    struct pass pass = {0};
    struct totals totals = {0};
    struct weights *weights = NULL;
    double *tails = NULL;
    const size_t tail = tail_size(o->samples);
    if (o->samples < 1 || o->samples > VAE_MOST_DRAWS)
        return vae_fail(err, VAE_E_USAGE, "%zu importance samples (expected 1 to %d)", o->samples, VAE_MOST_DRAWS);
    vae_status status = vae_model_check_images(model, images, err);
    if (!status) status = pass_new(&pass, model, pool, &plan, err);
    if (!status && !(weights = mem_new(plan.capacity, sizeof *weights, err))) status = VAE_E_MEMORY;
    if (!status && !(tails = mem_new(plan.capacity * tail + 1, sizeof *tails, err))) status = VAE_E_MEMORY;
    if (!status) {
        for (size_t i = 0; i < plan.capacity; i++)
            weights[i].tail = (struct tail){.most = tail, .at = tails + i * tail};
        const struct rng own = {.seed = o->seed, .stream = RNG_OWN};
        pass.pixels = model_pixels(model, images, o->seed, 0);
        pass_derive(&pass, &own);
        status = run_blocks(&pass, images, o, weights, &totals, err);
    }
    if (!status) {
        const struct joint_ops *joint = model->prior->joint;
        summarise(out, images, o, &totals, joint && joint->common_error ? joint->common_error(&pass.density) : 0);
    }
    free(tails);
    free(weights);
    pass_free(&pass);
    return status;
}

vae_status vae_estimate_nll(vae_nll *out, const vae_model *model, const vae_images *images, const vae_nll_options *o,
                            vae_error *err)
{
    struct pool *pool = NULL;
    vae_status status = pool_new(&pool, o->threads, err);
    if (!status) status = model_estimate_nll(out, model, images, o, pool, err);
    pool_free(pool);
    return status;
}
