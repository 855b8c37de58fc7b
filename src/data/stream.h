/* SPDX-License-Identifier: MIT
 *
 * Images that stay in their file, because they are more than memory should hold. Read with pread, not mapped: mapped
 * pages would count as memory of the process, and a file cut under a mapping kills it. */
#ifndef VAE_STREAM_H
#define VAE_STREAM_H

#include <sys/types.h>
#include <time.h>

#include "vae.h"

enum { MAX_PATH = VAE_MAX_SOURCE + 1024 }; /* of a file in folders of a source */

struct vae_stream {
    int file;
    size_t offset; /* of the first image */
    off_t size;    /* of the file, and when it was written: it may not be written again while it is read */
    struct timespec written;
    char path[MAX_PATH];
};

vae_status stream_open(struct vae_stream **out, const char *path, size_t offset, vae_error *err);
void stream_close(struct vae_stream *stream);

/* `size` bytes of image `number` of the file, of `pixels` bytes, from byte `at` of it on; false where they cannot be
 * read, and, found out at one image of sixteen, where the file is not what it was when it was opened. */
bool stream_read(const struct vae_stream *stream, size_t number, size_t pixels, size_t at, size_t size, uint8_t *bytes);

#endif
