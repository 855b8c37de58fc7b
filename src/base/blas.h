/* SPDX-License-Identifier: MIT */
#ifndef VAE_BLAS_H
#define VAE_BLAS_H

#include <stddef.h>

#include "vae.h"

/* Each product that is at work holds one of OpenBLAS's work buffers, and OpenBLAS asks for a new one, again and again
 * for ever, where the address space is too small for it (ulimit -v). Threads that will make products at the same time
 * therefore register first: VAE_E_MEMORY where there is no room for a buffer each. */
vae_status blas_register(size_t threads, vae_error *err);
void blas_unregister(size_t threads);

#endif
