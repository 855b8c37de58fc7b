/* SPDX-License-Identifier: MIT
 *
 * Losses on images that are not trained on, after an epoch or a fit. `calibration`: as that of vae_eval_options. */
#ifndef VAE_TRAIN_LOSSES_H
#define VAE_TRAIN_LOSSES_H

#include "base/pool.h"
#include "model/model.h"

/* ELBO of the test images, or where there are none of the training images, with one draw of z an image, always with the
 * same noise. */
vae_status losses_test(vae_evaluation **out, const struct vae_model *model, const vae_data *data, size_t calibration,
                       struct pool *pool, vae_error *err);
/* By the bound that is trained: a model may gain likelihood with more samples while its ELBO gets worse. NaN without
 * validation images. */
vae_status losses_validation(double *loss, const struct vae_model *model, const vae_data *data, size_t calibration,
                             struct pool *pool, vae_error *err);

#endif
