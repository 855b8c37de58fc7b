/* SPDX-License-Identifier: MIT
 *
 * Using a trained model: its losses on a set of images, encoding, decoding, draws from the prior. */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "evaluate/evaluate.h"
#include "evaluate/sparsity.h"
#include "pass/pass.h"

/* Rows of a block in passes that only read: large enough for the matrix products, small enough for the caches. */
enum { BLOCK_ROWS = 512 };

/* ---- Losses ----------------------------------------------------------------------------------------------------- */

void vae_eval_defaults(vae_eval_options *options)
{
    *options = (vae_eval_options){.samples = 1,
                                  .seed = 1,
                                  .near_zero = 0.44721359549995794, /* 2 sqrt(0.05) */
                                  .calibration = VAE_CALIBRATION_DRAWS,
                                  .sparsity = true};
}

/* Sums over images, and the losses of each; mean and mean_square of how far the posterior means are from those of the
 * first image, so that a latent that never moves has the variance 0 and not a difference of roundings. */
struct sums {
    double recon, near_zero;
    double joint_kl;                          /* of all latents together, where the KL is known only so */
    double *image_recon, *image_kl;           /* (n) */
    double *kl, *origin, *mean, *mean_square; /* (L) */
    double floor;                             /* KL of an idle latent; */
    size_t *idle;                             /* (L) how many images have it, but for VAE_COLLAPSED_KL */
    float *means;                             /* (n,L) of all images, or NULL */
    size_t images;                            /* seen so far */
};

static void sums_free(struct sums *sums)
{
    free(sums->image_recon);
    free(sums->image_kl);
    free(sums->kl);
    free(sums->origin);
    free(sums->mean);
    free(sums->mean_square);
    free(sums->idle);
    free(sums->means);
}

/* Of n images with L latents. */
static vae_status sums_new(struct sums *sums, size_t L, size_t n, bool with_means, vae_error *err)
{
    *sums = (struct sums){.image_recon = mem_new(n, sizeof(double), err),
                          .image_kl = mem_new(n, sizeof(double), err),
                          .kl = mem_new(L, sizeof(double), err),
                          .origin = mem_new(L, sizeof(double), err),
                          .mean = mem_new(L, sizeof(double), err),
                          .mean_square = mem_new(L, sizeof(double), err),
                          .idle = mem_new(L, sizeof(size_t), err)};
    if (with_means) sums->means = mem_new(n, L * sizeof(float), err);
    const bool has_latents = sums->kl && sums->origin && sums->mean && sums->mean_square && sums->idle;
    const bool has_images = sums->image_recon && sums->image_kl && (sums->means || !with_means);
    return has_latents && has_images ? VAE_OK : VAE_E_MEMORY;
}

/* Means over the draws of each image. */
static void keep_losses(const struct pass *pass, struct sums *sums)
{
    const size_t S = pass->plan.S, B = pass->B, L = pass->model->L;
    double *recon = sums->image_recon + sums->images, *kl = sums->image_kl + sums->images;
    for (size_t r = 0; r < S * B; r++) recon[r % B] += pass->recon[r] / (double)S;
    for (size_t r = 0; r < S * B && pass->log_ratio; r++) kl[r % B] -= pass->log_ratio[r] / (double)S;
    for (size_t k = 0; k < B * L && !pass->log_ratio; k++) kl[k / L] += (double)pass->kl[k];
}

static void add_latents(struct pass *pass, struct sums *sums)
{
    const size_t L = pass->model->L;
    const real *centre = pass_centre(pass);
    for (size_t i = 0; i < pass->B; i++)
        for (size_t j = 0; j < L; j++) {
            const double mean = (double)centre[i * L + j];
            if (sums->images + i == 0) sums->origin[j] = mean;
            const double apart = mean - sums->origin[j];
            if (pass->plan.kl != KL_PER_DRAW) sums->kl[j] += (double)pass->kl[i * L + j];
            if (pass->plan.kl == KL_EXACT)
                sums->idle[j] += (double)pass->kl[i * L + j] < sums->floor + VAE_COLLAPSED_KL;
            sums->mean[j] += apart;
            sums->mean_square[j] += apart * apart;
            if (sums->means) sums->means[(sums->images + i) * L + j] = (float)mean;
        }
    sums->images += pass->B;
}

static void add_draws(const struct pass *pass, double near_zero, struct sums *sums)
{
    const size_t rows = pass->plan.S * pass->B;
    for (size_t r = 0; r < rows; r++) sums->recon += pass->recon[r];
    for (size_t r = 0; r < rows && pass->log_ratio; r++) sums->joint_kl -= pass->log_ratio[r];
    for (size_t i = 0; i < rows * pass->model->L; i++) sums->near_zero += fabs((double)pass->z[i]) < near_zero;
}

static vae_status run_blocks(struct pass *pass, const vae_images *images, const vae_eval_options *options,
                             struct sums *sums, vae_error *err)
{
    const double began = clock_now();
    for (size_t first = 0, block = 0; first < images->n && !pool_stopped(pass->pool);
         first += pass->plan.capacity, block++) {
        const size_t left = images->n - first, B = left < pass->plan.capacity ? left : pass->plan.capacity;
        const struct rng noise = {.seed = options->seed, .step = block, .stream = RNG_EVAL};
        vae_status status = pass_gather(pass, images, NULL, first, B, err);
        if (status) return status;
        pass_encode(pass);
        pass_latent(pass, &noise);
        pass_decode(pass, pass->plan.S * B);
        pass_likelihood(pass, false);
        keep_losses(pass, sums);
        add_latents(pass, sums);
        add_draws(pass, options->near_zero, sums);
        if (options->on_block) options->on_block(options->context, first + B, images->n, clock_now() - began);
    }
    return VAE_OK;
}

/* Standard error of the mean of recon + kl over images. */
static double error_of_mean(const vae_evaluation *e)
{
    const double n = (double)e->n;
    double squares = 0;
    for (size_t i = 0; i < e->n; i++) squares += pow(e->image_recon[i] + e->image_kl[i] - e->neg_elbo, 2);
    return e->n > 1 ? sqrt(squares / (n - 1) / n) : (double)NAN;
}

static void summarise_losses(vae_evaluation *e, const struct sums *sums, bool joint)
{
    const double n = (double)e->n, draws = n * (double)e->samples;
    e->recon = sums->recon / draws;
    e->near_zero_share = sums->near_zero / (draws * (double)e->latent);
    for (size_t j = 0; j < e->latent; j++) {
        const double mean = sums->mean[j] / n;
        e->kl_per_dim[j] = joint ? (double)NAN : sums->kl[j] / n;
        e->mean_variance[j] = fmax(0, sums->mean_square[j] / n - mean * mean);
        e->kl += joint ? 0 : e->kl_per_dim[j];
        e->active_units += e->mean_variance[j] > VAE_ACTIVE_VARIANCE;
        e->collapsed_share += (double)sums->idle[j] >= VAE_COLLAPSED_SHARE * n ? 1 / (double)e->latent : 0;
    }
    if (e->kl_samples || isnan(e->kl_floor)) e->collapsed_share = NAN;
    if (joint) e->kl = sums->joint_kl / draws;
    e->neg_elbo = e->recon + e->kl;
    e->neg_elbo_se = error_of_mean(e);
}

static vae_status summarise_sparsity(vae_evaluation *e, const struct sums *sums, vae_error *err)
{
    e->hoyer = e->hoyer_normalized = e->hoyer_active = NAN;
    if (!sums->means) return VAE_OK;
    double *scale = mem_new(e->latent, sizeof *scale, err);
    if (!scale) return VAE_E_MEMORY;
    e->hoyer = hoyer(e->n, e->latent, sums->means, NULL);
    for (size_t j = 0; j < e->latent; j++) scale[j] = sqrt(e->mean_variance[j]);
    e->hoyer_normalized = hoyer(e->n, e->latent, sums->means, scale);
    for (size_t j = 0; j < e->latent; j++)
        if (e->mean_variance[j] <= VAE_ACTIVE_VARIANCE) scale[j] = 0;
    e->hoyer_active = hoyer(e->n, e->latent, sums->means, scale);
    free(scale);
    return VAE_OK;
}

void vae_evaluation_free(vae_evaluation **evaluation)
{
    if (!evaluation || !*evaluation) return;
    free((*evaluation)->image_recon);
    free((*evaluation)->image_kl);
    free((*evaluation)->kl_per_dim);
    free((*evaluation)->mean_variance);
    free(*evaluation);
    *evaluation = NULL;
}

/* Which KL, and how many samples of it; fails where there is no such KL. */
static vae_status choose_kl(const struct vae_model *model, const vae_eval_options *o, struct pass_plan *plan,
                            vae_error *err)
{
    plan->K = o->kl_samples ? o->kl_samples : model->config.kl_samples;
    plan->kl = o->kl == VAE_KL_EXACT ? KL_EXACT : o->kl == VAE_KL_MC ? KL_MONTE_CARLO : model_kl(model);
    const bool per_draw = model_has_joint_kl(model) && plan->kl == KL_MONTE_CARLO;
    if (per_draw && o->kl_samples)
        return vae_fail(
            err, VAE_E_USAGE,
            "kl-samples: the KL of this model is taken by the draws that are decoded (elbo-samples says how "
            "many)");
    if (plan->kl == KL_EXACT && o->kl_samples)
        return vae_fail(err, VAE_E_USAGE, "kl-samples: the KL of this model is exact (expected it with --kl mc)");
    if (per_draw) {
        plan->kl = KL_PER_DRAW;
        plan->entropy = true;
        plan->K = plan->S;
    }
    if (plan->S == 0 || plan->S > VAE_MOST_DRAWS || plan->K > VAE_MOST_DRAWS)
        return vae_fail(err, VAE_E_USAGE, "%zu draws of z, %zu of the KL (expected 1 to %d)", plan->S, plan->K,
                        VAE_MOST_DRAWS);
    if (plan->kl == KL_EXACT && !model->exact)
        return vae_fail(err, VAE_E_USAGE, "prior %s has no exact KL to a %s posterior", model->config.prior.name,
                        model->config.posterior.name);
    return VAE_OK;
}

static vae_status plan_pass(struct pass *pass, const struct vae_model *model, const vae_images *images,
                            const vae_eval_options *options, struct pool *pool, vae_error *err)
{
    const size_t S = options->samples, rows = pass_rows(model, BLOCK_ROWS), block = S < 1 || S >= rows ? 1 : rows / S;
    struct pass_plan plan = {.capacity = block < images->n ? block : images->n,
                             .S = S,
                             .stratified = model->stratified,
                             .calibration = options->calibration,
                             .sparse = images_are_sparse(images)};
    vae_status status = choose_kl(model, options, &plan, err);
    if (!status) status = pass_new(pass, model, pool, &plan, err);
    if (!status) {
        const struct rng own = {.seed = options->seed, .stream = RNG_OWN};
        pass->pixels = model_pixels(model, images, options->seed, 0);
        pass_derive(pass, &own);
    }
    return status;
}

/* The losses of the images pass from the sums to what is handed out. */
static vae_status summarise(vae_evaluation **out, const struct pass *pass, struct sums *sums, vae_error *err)
{
    const size_t L = pass->model->L;
    vae_evaluation *e = mem_new(1, sizeof *e, err);
    if (!e) return VAE_E_MEMORY;
    *e = (vae_evaluation){.n = sums->images,
                          .latent = L,
                          .samples = pass->plan.S,
                          .kl_samples = pass->plan.kl == KL_EXACT ? 0 : pass->plan.K,
                          .image_recon = sums->image_recon,
                          .image_kl = sums->image_kl,
                          .kl_floor = sums->floor,
                          .kl_per_dim = mem_new(L, sizeof(double), err),
                          .mean_variance = mem_new(L, sizeof(double), err)};
    sums->image_recon = sums->image_kl = NULL;
    vae_status status = e->kl_per_dim && e->mean_variance ? VAE_OK : VAE_E_MEMORY;
    if (!status) summarise_losses(e, sums, pass->log_ratio);
    if (!status) status = summarise_sparsity(e, sums, err);
    if (status)
        vae_evaluation_free(&e);
    else
        *out = e;
    return status;
}

vae_status model_evaluate(vae_evaluation **out, const struct vae_model *model, const vae_images *images,
                          const vae_eval_options *options, struct pool *pool, vae_error *err)
{
    struct pass pass = {0};
    struct sums sums = {0};
    vae_status status = vae_model_check_images(model, images, err);
    if (!status) status = plan_pass(&pass, model, images, options, pool, err);
    if (!status) status = sums_new(&sums, model->L, images->n, options->sparsity, err);
    sums.floor = kl_floor(model);
    if (!status) status = run_blocks(&pass, images, options, &sums, err);
    if (!status) status = summarise(out, &pass, &sums, err);
    sums_free(&sums);
    pass_free(&pass);
    return status;
}

vae_status not_finite(const char *what, vae_error *err)
{
    return vae_fail(err, VAE_E_DIVERGED,
                    "%s of these images is not finite (are the weights those of a training that "
                    "diverged?)",
                    what);
}

vae_status vae_evaluate(vae_evaluation **out, const vae_model *model, const vae_images *images,
                        const vae_eval_options *options, vae_error *err)
{
    struct pool *pool = NULL;
    vae_status status = pool_new(&pool, options->threads, err);
    if (!status) status = model_evaluate(out, model, images, options, pool, err);
    pool_free(pool);
    if (status || isfinite((*out)->neg_elbo)) return status;
    vae_evaluation_free(out);
    return not_finite("neg_elbo", err);
}

/* ---- Encoding, decoding, drawing -------------------------------------------------------------------------------- */

static void copy_out(size_t n, const real *from, float *to)
{
    for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
}

/* A pool and a pass for blocks of at most BLOCK_ROWS of n. */
static vae_status begin(struct pass *pass, struct pool **pool, const struct vae_model *model, size_t n, size_t threads,
                        enum kl_kind kl, vae_error *err)
{
    const size_t rows = pass_rows(model, BLOCK_ROWS);
    const struct pass_plan plan = {.capacity = n < rows ? n : rows, .S = 1, .K = 1, .kl = kl};
    *pass = (struct pass){0};
    vae_status status = pool_new(pool, threads, err);
    if (!status) status = pass_new(pass, model, *pool, &plan, err);
    if (!status) return VAE_OK;
    pass_free(pass);
    pool_free(*pool);
    return status;
}

vae_status vae_encode(const vae_model *model, const vae_images *images, size_t first, size_t n, uint64_t seed,
                      size_t threads, float *mean, float *scale, vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass;
    vae_status status = model_check_span(model, images, first, n, err);
    if (!status) status = begin(&pass, &pool, model, n, threads, KL_NONE, err);
    if (status) return status;
    const size_t L = model->L;
    pass.pixels = model_pixels(model, images, seed, 0);
    for (size_t done = 0; done < n && !status; done += pass.B) {
        const size_t B = n - done < pass.plan.capacity ? n - done : pass.plan.capacity;
        status = pass_gather(&pass, images, NULL, first + done, B, err);
        if (status) break;
        pass_encode(&pass);
        copy_out(B * L, pass_centre(&pass), mean + done * L);
        if (scale) copy_out(B * L, pass.scale, scale + done * L);
    }
    pass_free(&pass);
    pool_free(pool);
    return status;
}

vae_status model_sample_posteriors(const vae_model *model, const vae_images *images, const uint32_t *index,
                                   size_t first, size_t n, uint64_t seed, size_t threads, float *z, vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass;
    vae_status status = begin(&pass, &pool, model, n, threads, KL_NONE, err);
    if (status) return status;
    pass.pixels = model_pixels(model, images, seed, 0);
    for (size_t done = 0, block = 0; done < n && !status; done += pass.B, block++) {
        const size_t B = n - done < pass.plan.capacity ? n - done : pass.plan.capacity;
        const struct rng noise = {.seed = seed, .step = block, .stream = RNG_EVAL};
        status = pass_gather(&pass, images, index ? index + done : NULL, first + done, B, err);
        if (status) break;
        pass_encode(&pass);
        pass_latent(&pass, &noise);
        copy_out(B * model->L, pass.z, z + done * model->L);
    }
    pass_free(&pass);
    pool_free(pool);
    return status;
}

vae_status vae_sample_posterior(const vae_model *model, const vae_images *images, size_t first, size_t n, uint64_t seed,
                                size_t threads, float *z, vae_error *err)
{
    vae_status status = model_check_span(model, images, first, n, err);
    return status ? status : model_sample_posteriors(model, images, NULL, first, n, seed, threads, z, err);
}

vae_status vae_sample_aggregate(const vae_model *model, const vae_images *images, uint64_t seed, size_t n,
                                size_t threads, float *z, vae_error *err)
{
    const struct rng rng = {.seed = seed, .stream = RNG_AGGREGATE};
    vae_status status = vae_model_check_images(model, images, err);
    if (!status && !images->n) status = vae_fail(err, VAE_E_DATA, "no images: there is no aggregate posterior");
    uint32_t *index = status ? NULL : mem_new(n, sizeof *index, err);
    if (!index) return status ? status : VAE_E_MEMORY;
    rng_words(&rng, 0, n, index);
    for (size_t i = 0; i < n; i++) index[i] = (uint32_t)(((uint64_t)index[i] * images->n) >> 32);
    status = model_sample_posteriors(model, images, index, 0, n, seed, threads, z, err);
    free(index);
    return status;
}

static vae_status check_labels(const struct vae_model *model, size_t n, const uint8_t *labels, vae_error *err)
{
    if (model->C && !labels)
        return vae_fail(err, VAE_E_USAGE, "a conditional model decodes latents with labels, and there are none");
    for (size_t i = 0; i < n && model->C; i++)
        if (labels[i] >= model->C)
            return vae_fail(err, VAE_E_USAGE, "label %u, the conditional model takes 0 to %zu", labels[i],
                            model->C - 1);
    return VAE_OK;
}

/* Where decoded rows go: means, or, where there is noise, draws, whose row r uses words r*D and following. */
struct decoding {
    const struct rng *noise;
    uint32_t *bits; /* (D) */
    float *x;       /* (n,D) */
};

static void decode_row(const struct pass *pass, const struct decoding *d, size_t row, const real *out)
{
    const struct vae_model *m = pass->model;
    const struct learned learned = {m->learned ? m->params + m->learned->offset : NULL, NULL};
    if (d->noise) {
        rng_words(d->noise, (uint64_t)row * m->D, m->D, d->bits);
        m->likelihood->sample(m->likelihood_state, m->D, out, d->bits, &learned, pass->x);
    } else {
        m->likelihood->mean(m->likelihood_state, m->D, out, pass->x);
    }
    copy_out(m->D, pass->x, d->x + row * m->D);
}

/* Latents first .. first+rows-1 of z. */
static void decode_block(struct pass *pass, const struct decoding *d, size_t first, size_t rows, const float *z)
{
    const struct vae_model *m = pass->model;
    const real *out = run_result(&pass->decoder);
    for (size_t i = 0; i < rows * m->L; i++) pass->z[i] = R(z[first * m->L + i]);
    pass_decode(pass, rows);
    for (size_t r = 0; r < rows; r++) decode_row(pass, d, first + r, out + r * m->D * m->outputs);
}

static vae_status decode(const vae_model *model, size_t n, const float *z, const uint8_t *labels, size_t threads,
                         const struct decoding *d, vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass;
    vae_status status = check_labels(model, n, labels, err);
    for (size_t i = 0; i < n * model->L && !status; i++)
        if (!isfinite(z[i]))
            status = vae_fail(err, VAE_E_USAGE, "latent %zu of vector %zu is %g (expected a finite number)",
                              i % model->L, i / model->L, (double)z[i]);
    if (!status) status = begin(&pass, &pool, model, n, threads, KL_NONE, err);
    if (status) return status;
    for (size_t done = 0; done < n; done += pass.plan.capacity) {
        const size_t rows = n - done < pass.plan.capacity ? n - done : pass.plan.capacity;
        if (model->C) pass.decoder.label = (struct labels){labels + done, rows};
        decode_block(&pass, d, done, rows, z);
    }
    pass_free(&pass);
    pool_free(pool);
    return VAE_OK;
}

vae_status vae_decode(const vae_model *model, size_t n, const float *z, const uint8_t *labels, size_t threads,
                      float *mean, vae_error *err)
{
    return decode(model, n, z, labels, threads, &(struct decoding){.x = mean}, err);
}

vae_status vae_sample_data(const vae_model *model, size_t n, const float *z, const uint8_t *labels, uint64_t seed,
                           size_t threads, float *x, vae_error *err)
{
    const struct rng noise = {.seed = seed, .stream = RNG_DATA};
    const struct decoding d = {&noise, mem_new(model->D, sizeof(uint32_t), err), x};
    vae_status status = d.bits ? decode(model, n, z, labels, threads, &d, err) : VAE_E_MEMORY;
    free(d.bits);
    return status;
}

/* Draw i uses the random numbers of place i, however the draws are cut into blocks. */
static vae_status sample_joint(const vae_model *model, const struct rng *rng, double temperature, size_t n, float *z,
                               vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass = {0};
    const size_t L = model->L;
    vae_status status = begin(&pass, &pool, model, n, 1, KL_PER_DRAW, err);
    if (status) return status;
    pass_derive(&pass, NULL);
    pass.density.temperature = R(temperature);
    const size_t block = pass.plan.capacity, own = pass.density.own;
    for (size_t done = 0; done < n && !status; done += block) {
        const size_t rows = n - done < block ? n - done : block;
        status = model->prior->joint->draw(&pass.density, rng, (struct span){own, own + rows}, done, pass.z, err);
        if (!status) copy_out(rows * L, pass.z, z + done * L);
    }
    pass_free(&pass);
    pool_free(pool);
    return status;
}

vae_status vae_sample_tempered(const vae_model *model, uint64_t seed, double temperature, size_t n, float *z,
                               vae_error *err)
{
    const struct rng rng = {.seed = seed, .stream = RNG_PRIOR};
    if (!(temperature >= 0 && temperature <= VAE_MOST_TEMPERATURE))
        return vae_fail(err, VAE_E_USAGE, "temperature: %g is out of range (expected 0 to %d)", temperature,
                        VAE_MOST_TEMPERATURE);
    if (model->prior->joint && !model->prior->joint->tempered && temperature != 1)
        return vae_fail(err, VAE_E_USAGE, "temperature: prior %s rejects draws, and has no noise to multiply",
                        model->prior->module.name);
    if (model->prior->joint) return sample_joint(model, &rng, temperature, n, z, err);
    for (size_t i = 0; i < n * model->L; i++) {
        uint32_t bits[1][4];
        real draw;
        rng_block(&rng, i, bits[0]);
        model->prior->sample(model->prior_state, 1, (const uint32_t(*)[4])bits, &draw);
        z[i] = (float)(R(temperature) * draw);
    }
    return VAE_OK;
}

vae_status vae_sample_prior(const vae_model *model, uint64_t seed, size_t n, float *z, vae_error *err)
{
    return vae_sample_tempered(model, seed, 1, n, z, err);
}
