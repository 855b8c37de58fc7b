/* SPDX-License-Identifier: MIT */
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"

vae_status stream_open(struct vae_stream **out, const char *path, size_t offset, vae_error *err)
{
    struct vae_stream *stream = mem_new(1, sizeof *stream, err);
    if (!stream) return VAE_E_MEMORY;
    stream->offset = offset;
    snprintf(stream->path, sizeof stream->path, "%s", path);
    RETRY(stream->file, open(path, O_RDONLY | O_CLOEXEC));
    if (stream->file < 0) {
        vae_fail(err, VAE_E_DATA, "%s: cannot open: %s", path, strerror(errno));
        stream_close(stream);
        return VAE_E_DATA;
    }
    *out = stream;
    return VAE_OK;
}

void stream_close(struct vae_stream *stream)
{
    if (!stream) return;
    if (stream->file >= 0) close(stream->file);
    free(stream);
}

bool stream_read(const struct vae_stream *stream, size_t number, size_t pixels, size_t at, size_t size, uint8_t *bytes)
{
    off_t from = (off_t)(stream->offset + number * pixels + at);
    while (size > 0) {
        ssize_t got;
        RETRY(got, pread(stream->file, bytes, size, from));
        if (got <= 0) return false;
        bytes += got;
        from += got;
        size -= (size_t)got;
    }
    return true;
}
