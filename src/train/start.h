/* SPDX-License-Identifier: MIT
 *
 * Where training starts: values that come from the training images or from another model. */
#ifndef VAE_START_H
#define VAE_START_H

#include "model/model.h"

/* The weights of a model before its first step, as its settings start, output-bias and prior say. */
vae_status start_training(struct vae_model *model, const vae_images *train, vae_error *err);
/* Data that the prior learns, such as VampPrior's pseudo-inputs, starts as training images: each another one, as long
 * as there are enough. */
vae_status start_encoded_data(struct vae_model *model, const vae_images *images, vae_error *err);

#endif
