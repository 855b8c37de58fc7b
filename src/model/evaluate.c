/* SPDX-License-Identifier: MIT
 *
 * Using a trained model: its losses on a set of images, encoding, decoding, draws from the prior. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/pass.h"

/* Rows of a block in passes that only read: large enough for the matrix products, small enough for the caches. */
enum { BLOCK_ROWS = 512, MOST_DRAWS = 1000000 };

static const double ACTIVE_VARIANCE = 0.01; /* Burda, Grosse & Salakhutdinov 2016, section 5.2 */

/* ---- Losses ----------------------------------------------------------------------------------------------------- */

void vae_eval_defaults(vae_eval_options *options)
{
    *options = (vae_eval_options){.samples = 1, .seed = 1, .near_zero = 0.44721359549995794}; /* 2 sqrt(0.05) */
}

/* Sums over images; mean and mean_square of the posterior means. */
struct sums {
    double recon, near_zero;
    double *kl, *mean, *mean_square; /* (L) */
};

static void add_latents(const struct pass *pass, struct sums *sums)
{
    const size_t L = pass->model->L;
    for (size_t i = 0; i < pass->B; i++)
        for (size_t j = 0; j < L; j++) {
            const double mean = (double)pass->a[i * L + j];
            sums->kl[j] += (double)pass->kl[i * L + j];
            sums->mean[j] += mean;
            sums->mean_square[j] += mean * mean;
        }
}

static void add_draws(const struct pass *pass, double near_zero, struct sums *sums)
{
    const size_t rows = pass->plan.S * pass->B;
    for (size_t r = 0; r < rows; r++) sums->recon += pass->recon[r];
    for (size_t i = 0; i < rows * pass->model->L; i++) sums->near_zero += fabs((double)pass->z[i]) < near_zero;
}

static vae_status run_blocks(struct pass *pass, const vae_images *images, const vae_eval_options *options,
                             struct sums *sums, vae_error *err)
{
    for (size_t first = 0, block = 0; first < images->n; first += pass->plan.capacity, block++) {
        const size_t left = images->n - first, B = left < pass->plan.capacity ? left : pass->plan.capacity;
        const struct rng noise = {.seed = options->seed, .step = block, .stream = RNG_EVAL};
        vae_status status = pass_gather(pass, images, NULL, first, B, err);
        if (status) return status;
        pass_encode(pass);
        pass_latent(pass, &noise);
        pass_decode(pass, pass->plan.S * B);
        pass_likelihood(pass, false);
        add_latents(pass, sums);
        add_draws(pass, options->near_zero, sums);
    }
    return VAE_OK;
}

static void summarise(vae_evaluation *e, const struct sums *sums)
{
    const double n = (double)e->n, draws = n * (double)e->samples;
    e->recon = sums->recon / draws;
    e->near_zero_share = sums->near_zero / (draws * (double)e->latent);
    for (size_t j = 0; j < e->latent; j++) {
        const double mean = sums->mean[j] / n;
        e->kl_per_dim[j] = sums->kl[j] / n;
        e->mean_variance[j] = sums->mean_square[j] / n - mean * mean;
        e->kl += e->kl_per_dim[j];
        e->active_units += e->mean_variance[j] > ACTIVE_VARIANCE;
    }
    e->neg_elbo = e->recon + e->kl;
}

static vae_evaluation *evaluation_new(size_t L, vae_error *err)
{
    vae_evaluation *e = mem_new(1, sizeof *e, err);
    if (!e) return NULL;
    e->kl_per_dim = mem_new(L, sizeof(double), err);
    e->mean_variance = mem_new(L, sizeof(double), err);
    if (!e->kl_per_dim || !e->mean_variance) vae_evaluation_free(&e);
    return e;
}

void vae_evaluation_free(vae_evaluation **evaluation)
{
    if (!*evaluation) return;
    free((*evaluation)->kl_per_dim);
    free((*evaluation)->mean_variance);
    free(*evaluation);
    *evaluation = NULL;
}

static vae_status check_shape(const struct vae_model *model, const vae_images *images, vae_error *err)
{
    if (images->rows == model->rows && images->cols == model->cols) return VAE_OK;
    return vae_fail(err, VAE_E_DATA, "images are %zu x %zu, the model takes %zu x %zu", images->rows, images->cols,
                    model->rows, model->cols);
}

vae_status model_evaluate(vae_evaluation **out, const struct vae_model *model, const vae_images *images,
                          const vae_eval_options *options, struct pool *pool, vae_error *err)
{
    const size_t S = options->samples, K = options->kl_samples ? options->kl_samples : model->config.kl_samples;
    const size_t block = S < 1 || S >= BLOCK_ROWS ? 1 : BLOCK_ROWS / S,
                 capacity = block < images->n ? block : images->n;
    struct pass pass;
    vae_status status = check_shape(model, images, err);
    if (!status && (S == 0 || S > MOST_DRAWS || K > MOST_DRAWS))
        status = vae_fail(err, VAE_E_USAGE, "%zu draws of z, %zu of the KL (expected 1 to %d)", S, K, MOST_DRAWS);
    if (!status)
        status = pass_new(&pass, model, pool,
                          &(struct pass_plan){.capacity = capacity,
                                              .S = S,
                                              .K = K,
                                              .kl = model_kl(model),
                                              .stratified = model->stratified,
                                              .sparse = images_are_sparse(images)},
                          err);
    if (status) return status;
    vae_evaluation *e = evaluation_new(model->L, err);
    double *memory = mem_new(3 * model->L, sizeof *memory, err);
    if (!e || !memory) {
        status = VAE_E_MEMORY;
        vae_evaluation_free(&e);
    } else {
        struct sums sums = {.kl = memory, .mean = memory + model->L, .mean_square = memory + 2 * model->L};
        e->n = images->n;
        e->latent = model->L;
        e->samples = S;
        e->kl_samples = model->exact_kl ? 0 : K;
        pass.pixels = model_pixels(model, options->seed, 0);
        status = run_blocks(&pass, images, options, &sums, err);
        summarise(e, &sums);
        if (status)
            vae_evaluation_free(&e);
        else
            *out = e;
    }
    free(memory);
    pass_free(&pass);
    return status;
}

vae_status vae_evaluate(vae_evaluation **out, const vae_model *model, const vae_images *images,
                        const vae_eval_options *options, vae_error *err)
{
    struct pool *pool = NULL;
    vae_status status = pool_new(&pool, options->threads, err);
    if (!status) status = model_evaluate(out, model, images, options, pool, err);
    pool_free(pool);
    return status;
}

/* ---- Encoding, decoding, drawing -------------------------------------------------------------------------------- */

static void copy_out(size_t n, const real *from, float *to)
{
    for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
}

/* A pool and a pass for blocks of at most BLOCK_ROWS of n. */
static vae_status begin(struct pass *pass, struct pool **pool, const struct vae_model *model, size_t n, size_t threads,
                        vae_error *err)
{
    vae_status status = pool_new(pool, threads, err);
    if (!status)
        status = pass_new(pass, model, *pool,
                          &(struct pass_plan){.capacity = n < BLOCK_ROWS ? n : BLOCK_ROWS, .S = 1, .K = 1}, err);
    if (status) pool_free(*pool);
    return status;
}

vae_status vae_encode(const vae_model *model, const vae_images *images, size_t first, size_t n, size_t threads,
                      float *mean, float *scale, vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass;
    vae_status status = check_shape(model, images, err);
    if (!status) status = begin(&pass, &pool, model, n, threads, err);
    if (status) return status;
    const size_t L = model->L;
    pass.pixels = model_pixels(model, 1, 0);
    for (size_t done = 0; done < n && !status; done += pass.B) {
        const size_t B = n - done < pass.plan.capacity ? n - done : pass.plan.capacity;
        status = pass_gather(&pass, images, NULL, first + done, B, err);
        if (status) break;
        pass_encode(&pass);
        copy_out(B * L, pass.a, mean + done * L);
        if (scale) copy_out(B * L, pass.scale, scale + done * L);
    }
    pass_free(&pass);
    pool_free(pool);
    return status;
}

static void decode_block(struct pass *pass, size_t rows, const float *z, float *mean)
{
    const struct vae_model *m = pass->model;
    const real *out = pass->output[m->layers - 1].y;
    for (size_t i = 0; i < rows * m->L; i++) pass->z[i] = R(z[i]);
    pass_decode(pass, rows);
    for (size_t r = 0; r < rows; r++) {
        m->likelihood->mean(m->likelihood_state, m->D, out + r * m->D * m->likelihood->outputs, pass->x);
        copy_out(m->D, pass->x, mean + r * m->D);
    }
}

vae_status vae_decode(const vae_model *model, size_t n, const float *z, size_t threads, float *mean, vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass;
    vae_status status = begin(&pass, &pool, model, n, threads, err);
    if (status) return status;
    for (size_t done = 0; done < n; done += pass.plan.capacity)
        decode_block(&pass, n - done < pass.plan.capacity ? n - done : pass.plan.capacity, z + done * model->L,
                     mean + done * model->D);
    pass_free(&pass);
    pool_free(pool);
    return VAE_OK;
}

void vae_sample_prior(const vae_model *model, uint64_t seed, size_t n, float *z)
{
    const struct rng rng = {.seed = seed, .stream = RNG_PRIOR};
    for (size_t i = 0; i < n * model->L; i++) {
        uint32_t bits[1][4];
        real draw;
        rng_block(&rng, i, bits[0]);
        model->prior->sample(model->prior_state, 1, (const uint32_t(*)[4])bits, &draw);
        z[i] = (float)draw;
    }
}
