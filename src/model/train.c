/* SPDX-License-Identifier: MIT
 *
 * The training loop. Its only state is the model's: step number, parameters, moments and the sums of the unfinished
 * epoch. */
#define _POSIX_C_SOURCE 199309L
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "base/memory.h"
#include "data/source.h"
#include "model/objective.h"

struct training {
    struct vae_model *model;
    const vae_data *data;
    const vae_train_hooks *hooks;
    struct pool *pool;
    struct pass pass;
    real *weight;    /* (L), of the KLs in the loss */
    uint32_t *order; /* of the images in this epoch */
    size_t batch;
    uint64_t steps; /* in an epoch */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double beta_at(const struct training *t)
{
    const vae_config *config = &t->model->config;
    const double ramp = config->beta_warmup * (double)t->steps;
    return config->beta * (ramp > 0 ? fmin(1, (double)t->model->step / ramp) : 1);
}

/* One step on images order[first ..]. */
static struct losses take_step(struct training *t, size_t first, size_t B)
{
    struct vae_model *model = t->model;
    const struct rng noise = {.seed = model->config.seed, .step = model->step, .stream = RNG_POSTERIOR};
    const struct adam adam = adam_at(model->step + 1, model->config.lr);
    pass_gather(&t->pass, &t->data->train, t->order + first, 0, B);
    pass_encode(&t->pass);
    pass_latent(&t->pass, &noise);
    pass_decode(&t->pass, t->pass.S * B);
    pass_likelihood(&t->pass, true);
    const struct losses losses = objective_elbo(&t->pass, beta_at(t), model->config.free_bits, t->weight);
    pass_backward(&t->pass, t->weight);
    pass_update(&t->pass, model, &adam);
    return losses;
}

static vae_status diverged(const struct training *t, vae_error *err)
{
    return vae_fail(err, VAE_E_DIVERGED,
                    "training diverged: the loss is not finite at step %llu (epoch %llu); try a smaller --lr",
                    (unsigned long long)t->model->step + 1, (unsigned long long)(t->model->step / t->steps + 1));
}

static void add_losses(struct vae_model *model, const struct losses *losses, size_t B)
{
    model->sum_loss += losses->loss * (double)B;
    model->sum_recon += losses->recon * (double)B;
    model->sum_kl += losses->kl * (double)B;
    model->step++;
}

static bool asked_to_stop(const struct training *t, uint64_t epoch, size_t done, double began)
{
    if (!t->hooks || !t->hooks->on_step) return false;
    const vae_progress progress = {.epoch = epoch + 1,
                                   .epochs = t->model->config.epochs,
                                   .done = done,
                                   .total = t->data->train.n,
                                   .seconds = now() - began,
                                   .loss = t->model->sum_loss / (double)done};
    return t->hooks->on_step(t->hooks->context, &progress);
}

/* The rest of the epoch that the model is in. */
static vae_status run_steps(struct training *t, uint64_t epoch, bool *stopped, vae_error *err)
{
    struct vae_model *model = t->model;
    const size_t n = t->data->train.n;
    const double began = now();
    const struct rng shuffle = {.seed = model->config.seed, .step = epoch, .stream = RNG_SHUFFLE};
    rng_permutation(&shuffle, n, t->order);
    for (uint64_t s = model->step % t->steps; s < t->steps && !*stopped; s++) {
        const size_t first = s * t->batch, B = n - first < t->batch ? n - first : t->batch;
        const struct losses losses = take_step(t, first, B);
        if (!isfinite(losses.loss)) return diverged(t, err);
        add_losses(model, &losses, B);
        *stopped = asked_to_stop(t, epoch, first + B, began);
    }
    model->metrics.seconds = now() - began;
    return VAE_OK;
}

/* Losses of the finished epoch, on a test pass with one draw of z an image. */
static vae_status finish_epoch(struct training *t, uint64_t epoch, vae_error *err)
{
    struct vae_model *model = t->model;
    const vae_images *images = t->data->test.n ? &t->data->test : &t->data->train;
    const double n = (double)t->data->train.n;
    vae_evaluation *test = NULL;
    vae_eval_options options;
    vae_eval_defaults(&options);
    vae_status status = model_evaluate(&test, model, images, &options, t->pool, err);
    if (status) return status;
    if (!isfinite(test->neg_elbo) || !isfinite(model->sum_loss)) {
        vae_evaluation_free(&test);
        return diverged(t, err);
    }
    vae_metrics *m = &model->metrics;
    *m = (vae_metrics){.epoch = epoch + 1,
                       .step = model->step,
                       .seconds = m->seconds,
                       .train_loss = model->sum_loss / n,
                       .train_recon = model->sum_recon / n,
                       .train_kl = model->sum_kl / n,
                       .test_recon = test->recon,
                       .test_kl = test->kl,
                       .test_neg_elbo = test->neg_elbo,
                       .active_units = test->active_units};
    for (size_t j = 0; j < model->L; j++) model->kl_per_dim[j] = test->kl_per_dim[j];
    model->sum_loss = model->sum_recon = model->sum_kl = 0;
    vae_evaluation_free(&test);
    return t->hooks && t->hooks->on_epoch ? t->hooks->on_epoch(t->hooks->context, model, err) : VAE_OK;
}

static vae_status run_epochs(struct training *t, bool *stopped, vae_error *err)
{
    for (uint64_t epoch = t->model->step / t->steps; epoch < t->model->config.epochs; epoch++) {
        vae_status status = run_steps(t, epoch, stopped, err);
        if (!status && t->model->step == (epoch + 1) * t->steps) status = finish_epoch(t, epoch, err);
        if (status || *stopped) return status;
    }
    return VAE_OK;
}

static vae_status prepare(struct training *t, size_t threads, vae_error *err)
{
    const struct vae_model *model = t->model;
    const vae_config *config = &model->config;
    vae_status status = pool_new(&t->pool, threads, err);
    if (!status)
        status = pass_new(&t->pass, model, t->pool, t->batch, config->samples, config->kl_samples, model->exact_kl,
                          images_are_sparse(&t->data->train), true, err);
    if (status) return status;
    t->weight = mem_new(model->L, sizeof *t->weight, err);
    t->order = mem_new(t->data->train.n, sizeof *t->order, err);
    return t->weight && t->order ? VAE_OK : VAE_E_MEMORY;
}

vae_status vae_train(vae_model *model, const vae_data *data, size_t threads, const vae_train_hooks *hooks,
                     bool *stopped, vae_error *err)
{
    bool ignored;
    if (!stopped) stopped = &ignored;
    *stopped = false;
    const size_t n = data->train.n;
    if (data->train.rows != model->rows || data->train.cols != model->cols)
        return vae_fail(err, VAE_E_DATA, "images are %zu x %zu, the model takes %zu x %zu", data->train.rows,
                        data->train.cols, model->rows, model->cols);
    struct training t = {.model = model, .data = data, .hooks = hooks};
    t.batch = model->config.batch < n ? model->config.batch : n;
    t.steps = (n + t.batch - 1) / t.batch;
    vae_status status = prepare(&t, threads, err);
    if (!status) status = run_epochs(&t, stopped, err);
    free(t.order);
    free(t.weight);
    pass_free(&t.pass);
    pool_free(t.pool);
    return status;
}
