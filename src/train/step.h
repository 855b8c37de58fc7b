/* SPDX-License-Identifier: MIT
 *
 * One training step: what the training loop and the benchmark both run. */
#ifndef VAE_STEP_H
#define VAE_STEP_H

#include "pass/objective.h"

/* A training that has gone wrong may stay finite for long. It has diverged where a loss is so many times that of the
 * untrained model on the test images: the mean of a batch, which an outlier may raise, or that of an epoch or of the
 * test images. Losses below a nat a pixel are no measure. */
#define STEP_TIMES  1e6
#define EPOCH_TIMES 100.

struct stepper {
    struct vae_model *model;
    const vae_images *images;
    struct pass pass;
    real *kl_weight;    /* (L) of the KLs in the loss, */
    real *row, *factor; /* (S*B) or of the draws */
    uint32_t *order;    /* of the images in this epoch */
    size_t batch;
    uint64_t steps;   /* in an epoch */
    bool long_update; /* its gradient is computed before anything changes, so that it can be given up until then */
    bool (*asks_to_stop)(void *context); /* as in vae_train_hooks; set by the caller */
    void *context;
};

vae_status step_prepare(struct stepper *stepper, struct vae_model *model, const vae_images *images, struct pool *pool,
                        vae_error *err);
void step_release(struct stepper *stepper);

/* The order of an epoch, counted from 0. */
void step_shuffle(struct stepper *stepper, uint64_t epoch);
/* The loss of a forward pass, and its slope for the backward pass. */
struct losses step_objective(struct stepper *stepper, double beta, struct loss_slope *slope);
/* Trains on images order[first ..], B of them, as step number model->training.step, which the caller then raises;
 * unless the pool was stopped: the model is then as it was. */
vae_status step_take(struct stepper *stepper, size_t first, size_t B, struct losses *losses, vae_error *err);

#endif
