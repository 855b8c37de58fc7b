/* SPDX-License-Identifier: MIT */
#ifndef VAE_CIFAR_H
#define VAE_CIFAR_H

#include "vae.h"

/* Has a file the name of such a one? */
bool cifar_is_file(const char *path);
/* Reads a file of CIFAR-10's binary version: grey pixels and labels. On failure the images hold nothing. */
vae_status cifar_read(const char *path, vae_images *images, vae_error *err);

#endif
