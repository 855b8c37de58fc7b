/* SPDX-License-Identifier: MIT
 *
 * The training loop. Its only state is the model's: step number, parameters, moments and the sums of the unfinished
 * epoch. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/stream.h"
#include "train/losses.h"
#include "train/start.h"
#include "train/step.h"

enum { CALIBRATION = VAE_CALIBRATION_DRAWS / 16 }; /* once an epoch: a tenth of what the epoch draws itself */

struct training {
    struct vae_model *model;
    const vae_data *data;
    const vae_train_hooks *hooks;
    struct pool *pool;
    struct stepper step;
    double untrained; /* loss of the untrained model; 0: not known yet */
};

/* In step number `step`, counted from 0. */
static vae_status diverged(const struct training *t, uint64_t step, const char *what, vae_error *err)
{
    return vae_fail(err, VAE_E_DIVERGED, "training diverged: %s at step %llu (epoch %llu); try a smaller lr", what,
                    (unsigned long long)step + 1, (unsigned long long)(step / t->step.steps) + 1);
}

static void add_losses(struct training_state *state, const struct losses *losses, size_t B)
{
    state->sum_loss += losses->loss * (double)B;
    state->sum_recon += losses->recon * (double)B;
    state->sum_kl += losses->kl * (double)B;
    state->metrics.step = ++state->step;
}

static bool asked_to_stop(const struct training *t, uint64_t epoch, size_t done, size_t earlier, double began)
{
    if (!t->hooks || !t->hooks->on_step) return false;
    const vae_progress progress = {.epoch = epoch + 1,
                                   .epochs = t->model->config.epochs,
                                   .done = done,
                                   .total = t->data->train.n,
                                   .earlier = earlier,
                                   .seconds = clock_now() - began,
                                   .loss = t->model->training.sum_loss / (double)done};
    return t->hooks->on_step(t->hooks->context, &progress);
}

/* As it is trained: a KL that costs little may be large. */
static double weighted_loss(const struct training *t, const vae_evaluation *e)
{
    return e->recon + t->model->config.beta * e->kl;
}

/* The loss of the untrained model on the test images, with all that free bits may add, but a nat a pixel at least. It
 * is computed when it is needed. */
static vae_status measure_untrained(struct training *t, vae_error *err)
{
    struct vae_model *untrained = NULL;
    vae_evaluation *e = NULL;
    if (t->untrained > 0) return VAE_OK;
    vae_status status = vae_model_new(&untrained, &t->model->config, t->model->rows, t->model->cols, err);
    if (!status) status = losses_test(&e, untrained, t->data, CALIBRATION, t->pool, err);
    const double floor = t->model->config.beta * t->model->config.free_bits * (double)t->model->L;
    if (!status) t->untrained = fmax(weighted_loss(t, e), (double)t->model->D) + floor;
    if (pool_stopped(t->pool)) t->untrained = INFINITY; /* the pass was given up, and the training will be */
    vae_evaluation_free(&e);
    vae_model_free(&untrained);
    return status;
}

/* Is a loss finite, and below so many times that of the untrained model? What is finite and below so many nats a pixel
 * is not compared. */
static vae_status check_loss(struct training *t, uint64_t step, double loss, double times, const char *what,
                             vae_error *err)
{
    char text[128];
    snprintf(text, sizeof text, "the %s loss is not finite", what);
    if (!isfinite(loss)) return diverged(t, step, text, err);
    if (loss <= times * (double)t->model->D) return VAE_OK;
    vae_status status = measure_untrained(t, err);
    if (status || !(loss > times * t->untrained)) return status;
    snprintf(text, sizeof text, "the %s loss of %.3g nats is more than %g times that of the untrained model", what,
             loss, times);
    return diverged(t, step, text, err);
}

/* The rest of the epoch that the model is in. */
static vae_status run_steps(struct training *t, uint64_t epoch, bool *stopped, vae_error *err)
{
    struct vae_model *model = t->model;
    const uint64_t begun = model->training.step - epoch * t->step.steps;
    const size_t n = t->data->train.n, earlier = begun * t->step.batch;
    const double began = clock_now();
    step_shuffle(&t->step, epoch);
    for (uint64_t s = begun; s < t->step.steps && !*stopped; s++) {
        const size_t first = s * t->step.batch, B = n - first < t->step.batch ? n - first : t->step.batch;
        struct losses losses;
        vae_status status = step_take(&t->step, first, B, &losses, err);
        if (status) return status;
        *stopped = pool_stopped(t->pool);
        if (*stopped) break;
        status = check_loss(t, model->training.step, losses.loss, STEP_TIMES, "training", err);
        if (status) return status;
        add_losses(&model->training, &losses, B);
        *stopped = asked_to_stop(t, epoch, first + B, earlier, began);
    }
    model->training.metrics.seconds = clock_now() - began;
    return VAE_OK;
}

static void record(struct vae_model *model, const struct training *t, uint64_t epoch, const vae_evaluation *test,
                   double validation)
{
    const double n = (double)t->data->train.n;
    struct training_state *state = &model->training;
    const vae_metrics before = state->metrics;
    const bool best = isfinite(validation) && !(validation >= before.best_loss);
    state->metrics = (vae_metrics){.epoch = epoch + 1,
                                   .step = state->step,
                                   .seconds = before.seconds,
                                   .train_loss = state->sum_loss / n,
                                   .train_recon = state->sum_recon / n,
                                   .train_kl = state->sum_kl / n,
                                   .test_recon = test->recon,
                                   .test_kl = test->kl,
                                   .test_neg_elbo = test->neg_elbo,
                                   .active_units = test->active_units,
                                   .validation_loss = validation,
                                   .best_loss = best ? validation : before.best_loss,
                                   .best_epoch = best ? epoch + 1 : before.best_epoch};
    for (size_t j = 0; j < model->L; j++) state->kl_per_dim[j] = test->kl_per_dim[j];
    state->sum_loss = state->sum_recon = state->sum_kl = 0;
}

/* What is said of an epoch is said of its last step. */
static vae_status check_epoch(struct training *t, const vae_evaluation *test, vae_error *err)
{
    const struct training_state *state = &t->model->training;
    const uint64_t last = state->step - 1;
    const double mean = state->sum_loss / (double)t->data->train.n, test_loss = weighted_loss(t, test);
    vae_status status = check_loss(t, last, mean, EPOCH_TIMES, "training", err);
    if (!status) status = check_loss(t, last, test_loss, EPOCH_TIMES, "test", err);
    if (!status && !model_is_finite(t->model)) status = diverged(t, last, "the weights are not finite", err);
    return status;
}

/* Losses of the finished epoch, on a pass over test and validation split. Where this is stopped the epoch stays
 * unfinished, all of whose steps are taken. */
static vae_status finish_epoch(struct training *t, uint64_t epoch, bool *stopped, vae_error *err)
{
    struct vae_model *model = t->model;
    vae_evaluation *test = NULL;
    double validation = NAN;
    if (t->hooks) pool_watch(t->pool, t->hooks->asks_to_stop, t->hooks->context);
    vae_status status = losses_test(&test, model, t->data, CALIBRATION, t->pool, err);
    if (!status) status = losses_validation(&validation, model, t->data, CALIBRATION, t->pool, err);
    *stopped = *stopped || pool_stopped(t->pool);
    if (pool_stopped(t->pool)) {
        vae_evaluation_free(&test);
        return status;
    }
    if (!status) status = check_epoch(t, test, err);
    if (!status) record(model, t, epoch, test, validation);
    vae_evaluation_free(&test);
    if (status || !t->hooks || !t->hooks->on_epoch) return status;
    vae_error said = {0}; /* the host's own may hold anything */
    status = t->hooks->on_epoch(t->hooks->context, model, &said);
    if (!status) return status;
    return vae_fail(err, status, "%s", *said.message ? said.message : "on_epoch failed, and did not say why");
}

/* No better validation loss for `patience` epochs, those of the warm-up not counted. */
static bool out_of_patience(const struct vae_model *model)
{
    const vae_config *config = &model->config;
    const double since = fmax((double)model->training.metrics.best_epoch, config->beta_warmup);
    return config->patience > 0 && (double)model->training.metrics.epoch - since >= (double)config->patience;
}

static vae_status run_epochs(struct training *t, bool *stopped, vae_error *err)
{
    struct vae_model *model = t->model;
    for (uint64_t epoch = model->training.metrics.epoch; epoch < model->config.epochs; epoch++) {
        if (out_of_patience(model)) return VAE_OK;
        vae_status status = run_steps(t, epoch, stopped, err);
        if (!status && model->training.step == (epoch + 1) * t->step.steps)
            status = finish_epoch(t, epoch, stopped, err);
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
    vae_status status = vae_model_check_training(model, &data->train, err);
    if (!status) status = vae_model_check_data(model, data, err);
    if (!status && model->config.patience && !data->validation.n)
        status = vae_fail(err, VAE_E_USAGE, "patience: needs a validation split, and the data has none");
    if (status) return status;
    const size_t n = data->train.n, batch = model->config.batch < n ? model->config.batch : n;
    const uint64_t steps = (n + batch - 1) / batch, begins = model->training.metrics.epoch * steps;
    if (model->training.step < begins || model->training.step > begins + steps)
        return vae_fail(err, VAE_E_DATA, "%zu training images: not as many as the model was trained on so far", n);
    status = model_note_training(model, &data->train, err);
    if (status) return status;
    struct training t = {.model = model, .data = data, .hooks = hooks};
    status = pool_new(&t.pool, threads, err);
    if (!status) status = step_prepare(&t.step, model, &data->train, t.pool, err);
    if (hooks) t.step.asks_to_stop = hooks->asks_to_stop, t.step.context = hooks->context;
    if (!status && model->training.step == 0) status = vae_model_start(model, &data->train, err);
    if (!status) status = run_epochs(&t, stopped, err);
    step_release(&t.step);
    pool_free(t.pool);
    return status;
}
