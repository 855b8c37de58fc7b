/* SPDX-License-Identifier: MIT
 *
 * A new prior for a trained model. With q(z|x) fixed, the ELBO depends on the prior through E_x E_q log p(z) alone: the
 * prior is fitted by maximum likelihood to draws of the aggregated posterior, with a new draw for each image in each
 * pass (Bauer & Mnih, "Resampled priors for variational autoencoders", 2019, table 2, "post hoc"). */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "model/metrics.h"
#include "train/losses.h"
#include "train/start.h"
#include "train/step.h"

static const uint64_t MOST_SEED = ((uint64_t)1 << 53) - 1;

struct fit {
    struct vae_model *model;
    const vae_images *images;
    const vae_fit_options *options;
    struct pass pass;
    uint32_t *order;
    size_t batch;
    uint64_t steps, step; /* of a pass over the images; done */
    double first_kl;      /* of the first step */
};

void vae_fit_defaults(vae_fit_options *options)
{
    *options = (vae_fit_options){.passes = 20, .batch = 100, .seed = 1, .lr = 1e-3};
}

/* ---- The model to be fitted ------------------------------------------------------------------------------------- */

/* The settings of the model, but for the prior and what other priors cannot have. */
static vae_status change_prior(vae_config *config, const char *prior, vae_error *err)
{
    vae_status status = vae_config_set(config, "prior", prior, err);
    if (!status && !prior_find(config->prior.name)->joint)
        status = vae_fail(err, VAE_E_USAGE, "prior %s has nothing to learn, and cannot be fitted", config->prior.name);
    if (!status) status = vae_config_set(config, "kl", "auto", err);
    if (!status) status = vae_config_set(config, "kl-noise", "iid", err);
    return status;
}

/* All but the prior, with the state of the optimiser: training may go on from here. */
static void copy_state(struct vae_model *to, const struct vae_model *from)
{
    for (size_t i = 0; i < to->block.tensors; i++) {
        const struct tensor *t = &to->block.tensor[i], *f = block_find(&from->block, t->name);
        for (size_t k = 0; f && !tensor_is_of_prior(t) && k < t->count; k++) {
            to->params[tensor_at(t, k)] = from->params[tensor_at(f, k)];
            to->adam.m[tensor_at(t, k)] = from->adam.m[tensor_at(f, k)];
            to->adam.v[tensor_at(t, k)] = from->adam.v[tensor_at(f, k)];
        }
    }
    const struct training_state *before = &from->training;
    struct training_state *after = &to->training;
    after->images = before->images;
    after->has_crc = before->has_crc;
    after->crc = before->crc;
    after->step = before->step;
    after->sum_loss = before->sum_loss; /* of the epoch that the training is in */
    after->sum_recon = before->sum_recon;
    after->sum_kl = before->sum_kl;
    after->metrics = metrics_none();
    after->metrics.epoch = before->metrics.epoch;
    after->metrics.step = before->step;
}

/* ---- Fitting ---------------------------------------------------------------------------------------------------- */

static vae_status prepare(struct fit *f, struct pool *pool, vae_error *err)
{
    const size_t n = f->images->n;
    f->batch = f->options->batch < n ? f->options->batch : n;
    f->steps = (n + f->batch - 1) / f->batch;
    const struct pass_plan plan = {.capacity = f->batch,
                                   .S = 1,
                                   .K = 1,
                                   .kl = KL_PER_DRAW,
                                   .entropy = true,
                                   .sparse = images_are_sparse(f->images),
                                   .fit = true};
    vae_status status = pass_new(&f->pass, f->model, pool, &plan, err);
    if (!status && !(f->order = mem_new(n, sizeof *f->order, err))) status = VAE_E_MEMORY;
    return status;
}

static struct adam adam_now(const struct fit *f)
{
    const vae_config *config = &f->model->config;
    const double share = (double)f->step / (double)(f->steps * f->options->passes);
    const double lr = f->options->lr * 0.5 * (1 + cos(3.14159265358979323846 * share));
    return adam_at(f->step + 1, lr, config->adam_beta1, config->adam_beta2, config->adam_eps);
}

/* Images order[first ..], B of them; *kl gets the sum of their KLs. */
static vae_status take_step(struct fit *f, size_t first, size_t B, double *kl, vae_error *err)
{
    struct pass *pass = &f->pass;
    const uint64_t seed = f->options->seed;
    const struct rng own = {.seed = seed, .step = f->step, .stream = RNG_OWN};
    const struct rng noise = {.seed = seed, .step = f->step, .stream = RNG_FIT};
    const struct adam adam = adam_now(f);
    pass->pixels = model_pixels(f->model, f->images, seed, f->step + 1);
    vae_status status = pass_gather(pass, f->images, f->order + first, 0, B, err);
    if (status) return status;
    pass_derive(pass, &own);
    pass_encode(pass);
    pass_latent(pass, &noise);
    pass_fit_backward(pass);
    pass_update(pass, f->model, &adam);
    pass_settle(pass, f->model);
    for (size_t r = 0; r < B; r++) *kl -= pass->log_ratio[r];
    f->step++;
    return VAE_OK;
}

static bool asked_to_stop(const struct fit *f, uint64_t number, size_t done, double kl, double began)
{
    const vae_fit_options *o = f->options;
    const vae_progress progress = {.epoch = number + 1,
                                   .epochs = o->passes,
                                   .done = done,
                                   .total = f->images->n,
                                   .seconds = clock_now() - began,
                                   .loss = kl / (double)done};
    return o->on_step && o->on_step(o->context, &progress);
}

/* In the step that was taken last. The KL is finite, and not so many times what the fit began with (a nat at least),
 * or the fit has diverged. */
static vae_status check_kl(const struct fit *f, uint64_t number, double kl, double times, vae_error *err)
{
    char text[96] = "is not finite";
    if (isfinite(kl) && kl <= times * fmax(1, f->first_kl)) return VAE_OK;
    if (isfinite(kl))
        snprintf(text, sizeof text, "of %.3g nats is more than %g times that of the first step", kl, times);
    return vae_fail(err, VAE_E_DIVERGED, "the fit diverged: the KL %s at step %llu (pass %llu); try a smaller lr", text,
                    (unsigned long long)f->step, (unsigned long long)number + 1);
}

static vae_status run_pass(struct fit *f, uint64_t number, double *kl, bool *stopped, vae_error *err)
{
    const double began = clock_now();
    const struct rng rng = {.seed = f->options->seed, .step = number, .stream = RNG_SHUFFLE};
    const size_t n = f->images->n;
    rng_permutation(&rng, n, f->order);
    *kl = 0;
    for (size_t first = 0; first < n && !*stopped; first += f->batch) {
        const size_t B = n - first < f->batch ? n - first : f->batch;
        const double before = *kl;
        vae_status status = take_step(f, first, B, kl, err);
        *stopped = pool_stopped(f->pass.pool);
        if (status || *stopped) return status;
        const double mean = (*kl - before) / (double)B;
        if (f->step == 1) f->first_kl = mean;
        status = check_kl(f, number, mean, STEP_TIMES, err);
        if (status) return status;
        *stopped = asked_to_stop(f, number, first + B, *kl, began);
    }
    *kl /= (double)n;
    return *stopped ? VAE_OK : check_kl(f, number, *kl, EPOCH_TIMES, err);
}

static vae_status run_passes(struct fit *f, bool *stopped, vae_error *err)
{
    const vae_fit_options *o = f->options;
    for (uint64_t number = 0; number < o->passes && !*stopped; number++) {
        double kl;
        vae_status status = run_pass(f, number, &kl, stopped, err);
        if (status || *stopped) return status;
        f->model->training.metrics.train_kl = kl;
        *stopped = o->on_pass && o->on_pass(o->context, number + 1, kl);
    }
    return VAE_OK;
}

static vae_status measure(struct vae_model *model, const vae_data *data, struct pool *pool, vae_error *err)
{
    vae_evaluation *e = NULL;
    double validation = NAN;
    vae_status status = losses_test(&e, model, data, VAE_CALIBRATION_DRAWS, pool, err);
    if (status) return status;
    status = losses_validation(&validation, model, data, VAE_CALIBRATION_DRAWS, pool, err);
    if (!status && !pool_stopped(pool) && !(isfinite(e->neg_elbo) && model_is_finite(model)))
        status = vae_fail(err, VAE_E_DIVERGED,
                          "the fit diverged: its loss or its weights are not finite; try a smaller lr");
    vae_metrics *metrics = &model->training.metrics;
    metrics->test_recon = e->recon;
    metrics->test_kl = e->kl;
    metrics->test_neg_elbo = e->neg_elbo;
    metrics->active_units = e->active_units;
    metrics->validation_loss = metrics->best_loss = validation; /* patience is counted from here */
    metrics->best_epoch = isnan(validation) ? 0 : metrics->epoch;
    vae_evaluation_free(&e);
    return status;
}

static vae_status fit_model(struct vae_model *model, const vae_data *data, const vae_fit_options *options,
                            bool *stopped, vae_error *err)
{
    struct fit f = {.model = model, .images = &data->train, .options = options};
    struct pool *pool = NULL;
    const double began = clock_now();
    vae_status status = pool_new(&pool, options->threads, err);
    if (!status && model->declared.encodes) status = start_encoded_data(model, &data->train, err);
    if (!status) status = prepare(&f, pool, err);
    if (!status) pool_watch(pool, options->asks_to_stop, options->context);
    if (!status) status = run_passes(&f, stopped, err);
    model->training.metrics.seconds = clock_now() - began;
    if (!status && !*stopped) status = measure(model, data, pool, err);
    if (!status) *stopped = *stopped || pool_stopped(pool);
    free(f.order);
    pass_free(&f.pass);
    pool_free(pool);
    return status;
}

vae_status vae_fit(vae_model **out, const vae_model *model, const vae_data *data, const vae_fit_options *options,
                   bool *stopped, vae_error *err)
{
    bool ignored;
    vae_config config = model->config;
    struct vae_model *fitted = NULL;
    if (!stopped) stopped = &ignored;
    *stopped = false;
    vae_status status = vae_model_check_training(model, &data->train, err);
    if (!status) status = vae_model_check_data(model, data, err);
    if (!status && !options->prior) status = vae_fail(err, VAE_E_USAGE, "a fit needs a prior");
    if (!status && options->seed > MOST_SEED)
        status = vae_fail(err, VAE_E_USAGE, "seed: above 2^53 - 1, which is the most that a model file holds");
    if (!status && (!options->passes || !options->batch || !(options->lr > 0)))
        status = vae_fail(err, VAE_E_USAGE, "a fit needs passes, batch and lr above 0");
    if (!status) status = change_prior(&config, options->prior, err);
    if (!status) status = vae_model_new(&fitted, &config, model->rows, model->cols, err);
    if (status) return status;
    copy_state(fitted, model);
    fitted->training.fit.passes = options->passes;
    fitted->training.fit.batch = options->batch;
    fitted->training.fit.seed = options->seed;
    fitted->training.fit.lr = options->lr;
    status = fit_model(fitted, data, options, stopped, err);
    if (status || *stopped)
        vae_model_free(&fitted);
    else
        *out = fitted;
    return status;
}
