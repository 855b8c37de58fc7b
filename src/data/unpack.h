/* SPDX-License-Identifier: MIT
 *
 * The bytes of an open file, or, where it is gzip, what is packed in it: in one member or several, behind which only
 * zeros may stand, as some media pad files with them. (zlib's gzread takes anything else there for the end, too, and a
 * file cut within the trailer for whole.) */
#ifndef VAE_UNPACK_H
#define VAE_UNPACK_H

#include "vae.h"

struct unpacking;

/* `file`: at its start; it is closed with the unpacking, or here where this fails. NULL: out of memory. */
struct unpacking *unpack_open(int file);
void unpack_close(struct unpacking *u);
bool unpack_is_packed(const struct unpacking *u);
/* The next bytes; fewer than `size` at the end, or where something is wrong. */
size_t unpack_read(struct unpacking *u, uint8_t *bytes, size_t size);
/* Back to the first byte. */
void unpack_rewind(struct unpacking *u);
/* What came in the way of reading, or VAE_OK; `path` is for the message. */
vae_status unpack_status(const struct unpacking *u, const char *path, vae_error *err);

#endif
