/* SPDX-License-Identifier: MIT
 *
 * Where training starts: values that come from the training images or from another model. */
#ifndef VAE_START_H
#define VAE_START_H

#include "model/model.h"

/* Data that the prior learns, such as VampPrior's pseudo-inputs, starts as training images: each another one, as long
 * as there are enough. */
vae_status start_encoded_data(struct vae_model *model, const vae_images *images, vae_error *err);

#endif
