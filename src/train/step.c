/* SPDX-License-Identifier: MIT */
#include "train/step.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "train/schedule.h"

/* Rows times parameters from which on an update may take a second. */
#define LONG_UPDATE 4e9

vae_status step_prepare(struct stepper *s, struct vae_model *model, const vae_images *images, struct pool *pool,
                        vae_error *err)
{
    const vae_config *config = &model->config;
    const size_t n = images->n;
    *s = (struct stepper){.model = model, .images = images, .batch = config->batch < n ? config->batch : n};
    s->steps = (n + s->batch - 1) / s->batch;
    s->long_update = (double)s->batch * (double)config->samples * (double)model->block.size > LONG_UPDATE;
    const struct pass_plan plan = {.capacity = s->batch,
                                   .S = config->samples,
                                   .K = config->kl_samples,
                                   .kl = model->per_draw ? KL_PER_DRAW : model_kl(model),
                                   .entropy = !model->iwae && model->gradient == GRADIENT_STANDARD,
                                   .stratified = model->stratified,
                                   .sparse = images_are_sparse(images),
                                   .training = true};
    vae_status status = pass_new(&s->pass, model, pool, &plan, err);
    if (status) return status;
    s->kl_weight = mem_new(model->L, sizeof *s->kl_weight, err);
    s->row = mem_new(s->batch * config->samples, sizeof *s->row, err);
    s->factor = mem_new(s->batch * config->samples, sizeof *s->factor, err);
    s->order = mem_new(n, sizeof *s->order, err);
    return s->kl_weight && s->row && s->factor && s->order ? VAE_OK : VAE_E_MEMORY;
}

void step_release(struct stepper *s)
{
    free(s->order);
    free(s->kl_weight);
    free(s->row);
    free(s->factor);
    pass_free(&s->pass);
}

void step_shuffle(struct stepper *s, uint64_t epoch)
{
    const struct rng rng = {.seed = s->model->config.seed, .step = epoch, .stream = RNG_SHUFFLE};
    rng_permutation(&rng, s->images->n, s->order);
}

/* The weight of the KL rises linearly over the first beta_warmup epochs. */
static double beta_at(const struct stepper *s)
{
    const vae_config *config = &s->model->config;
    const double ramp = config->beta_warmup * (double)s->steps;
    return config->beta * (ramp > 0 ? fmin(1, (double)s->model->training.step / ramp) : 1);
}

static struct adam adam_now(const struct stepper *s)
{
    const vae_config *config = &s->model->config;
    const double lr = schedule_lr(config, s->model->schedule, s->model->training.step, s->steps);
    return adam_at(s->model->training.step + 1, lr, config->adam_beta1, config->adam_beta2, config->adam_eps);
}

/* Whatever may be given up comes before the parameters change. */
static void update(struct stepper *s, struct adam adam)
{
    const double clip = s->model->config.clip;
    const bool divided = clip > 0 || s->long_update;
    if (divided) pass_update(&s->pass, s->model, NULL);
    pool_watch(s->pass.pool, NULL, NULL);
    if (pool_stopped(s->pass.pool)) return;
    if (!divided) {
        pass_update(&s->pass, s->model, &adam);
    } else {
        const double norm = clip > 0 ? pass_gradient_norm(&s->pass) : 0;
        if (norm > clip) adam.share = R(clip / norm);
        pass_apply(&s->pass, s->model, &adam);
    }
    pass_settle(&s->pass, s->model);
}

struct losses step_objective(struct stepper *s, double beta, struct loss_slope *slope)
{
    const struct vae_model *model = s->model;
    *slope = (struct loss_slope){
        .kl = s->kl_weight, .importance_weight = s->row, .beta = R(beta), .gradient = model->gradient};
    if (!model->per_draw) return objective_elbo(&s->pass, beta, model->config.free_bits, s->kl_weight);
    if (model->iwae) slope->factor = s->factor;
    struct losses losses = objective_draws(&s->pass, beta, model->iwae, s->row, s->factor);
    /* With a joint prior or a flow there is one KL for all latents, and what is free for each is free for all of them
     * together. */
    const double free_nats = model->config.free_bits * (double)model->L;
    if (free_nats > 0 && losses.kl < free_nats) {
        losses.loss = losses.recon + beta * free_nats;
        slope->beta = 0;
    }
    return losses;
}

vae_status step_take(struct stepper *s, size_t first, size_t B, struct losses *losses, vae_error *err)
{
    struct vae_model *model = s->model;
    struct loss_slope slope;
    const struct rng noise = {.seed = model->config.seed, .step = model->training.step, .stream = RNG_POSTERIOR};
    const struct rng own = {.seed = model->config.seed, .step = model->training.step, .stream = RNG_OWN};
    pool_watch(s->pass.pool, s->asks_to_stop, s->context);
    s->pass.pixels = model_pixels(model, s->images, model->config.seed, model->training.step + 1);
    vae_status status = pass_gather(&s->pass, s->images, s->order + first, 0, B, err);
    if (status) return status;
    pass_derive(&s->pass, &own);
    pass_encode(&s->pass);
    pass_latent(&s->pass, &noise);
    pass_decode(&s->pass, s->pass.plan.S * B);
    pass_likelihood(&s->pass, true);
    *losses = step_objective(s, beta_at(s), &slope);
    pass_backward(&s->pass, &slope);
    update(s, adam_now(s));
    return VAE_OK;
}
