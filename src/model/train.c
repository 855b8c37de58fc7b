/* SPDX-License-Identifier: MIT
 *
 * The training loop. Its only state is the model's: step number, parameters, moments and the sums of the unfinished
 * epoch. */
#define _POSIX_C_SOURCE 199309L
#include <math.h>
#include <time.h>

#include "model/step.h"

struct training {
    struct vae_model *model;
    const vae_data *data;
    const vae_train_hooks *hooks;
    struct pool *pool;
    struct stepper step;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static vae_status diverged(const struct training *t, vae_error *err)
{
    const unsigned long long step = t->model->step, epoch = step / t->step.steps;
    return vae_fail(err, VAE_E_DIVERGED,
                    "training diverged: the loss is not finite at step %llu (epoch %llu); try a smaller --lr", step + 1,
                    epoch + 1);
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
    step_shuffle(&t->step, epoch);
    for (uint64_t s = model->step % t->step.steps; s < t->step.steps && !*stopped; s++) {
        const size_t first = s * t->step.batch, B = n - first < t->step.batch ? n - first : t->step.batch;
        struct losses losses;
        vae_status status = step_take(&t->step, first, B, &losses, err);
        if (status) return status;
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
    for (uint64_t epoch = t->model->step / t->step.steps; epoch < t->model->config.epochs; epoch++) {
        vae_status status = run_steps(t, epoch, stopped, err);
        if (!status && t->model->step == (epoch + 1) * t->step.steps) status = finish_epoch(t, epoch, err);
        if (status || *stopped) return status;
    }
    return VAE_OK;
}

vae_status vae_train(vae_model *model, const vae_data *data, size_t threads, const vae_train_hooks *hooks,
                     bool *stopped, vae_error *err)
{
    bool ignored;
    if (!stopped) stopped = &ignored;
    *stopped = false;
    if (data->train.rows != model->rows || data->train.cols != model->cols)
        return vae_fail(err, VAE_E_DATA, "images are %zu x %zu, the model takes %zu x %zu", data->train.rows,
                        data->train.cols, model->rows, model->cols);
    struct training t = {.model = model, .data = data, .hooks = hooks};
    vae_status status = pool_new(&t.pool, threads, err);
    if (!status) status = step_prepare(&t.step, model, &data->train, t.pool, err);
    if (!status) status = run_epochs(&t, stopped, err);
    step_release(&t.step);
    pool_free(t.pool);
    return status;
}
