/* SPDX-License-Identifier: MIT */
#ifndef VAE_RESIZE_H
#define VAE_RESIZE_H

#include "vae.h"

/* Makes images of bytes in memory N x N, each side no longer than it was. `path` is for messages. */
vae_status images_resize(vae_images *images, size_t N, const char *path, vae_error *err);

#endif
