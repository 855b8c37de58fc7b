/* SPDX-License-Identifier: MIT */
#ifndef VAE_IDX_H
#define VAE_IDX_H

#include "vae.h"

/* Reads an IDX file (http://yann.lecun.com/exdb/mnist, "the IDX file format") of unsigned bytes, plain or gzip, told
 * apart by content. Fills n, rows, cols, pixels of a zeroed vae_images; on failure it holds nothing. The pixels of a
 * plain file with more than `most` bytes of them stay in the file: a stream takes the place of `pixels`. */
vae_status idx_read_images(const char *path, size_t most, vae_images *images, vae_error *err);
/* Reads n labels, a rank-1 IDX file. */
vae_status idx_read_labels(const char *path, size_t n, uint8_t **labels, vae_error *err);

#endif
