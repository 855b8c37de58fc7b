/* SPDX-License-Identifier: MIT
 *
 * Start values that come from the training images. */
#ifndef VAE_START_H
#define VAE_START_H

#include "model/model.h"

/* --output-bias data: an empty decoder gives the mean training image, and deviations from it where it gives those. */
vae_status start_output_bias(struct vae_model *model, const vae_images *images, vae_error *err);
/* Data that the prior learns, such as VampPrior's pseudo-inputs, starts as training images: each another one, as long
 * as there are enough. */
vae_status start_encoded_data(struct vae_model *model, const vae_images *images, vae_error *err);

#endif
