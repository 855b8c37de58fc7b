/* SPDX-License-Identifier: MIT */
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    struct stat info = {0};
    fstat(stream->file, &info);
    stream->size = info.st_size;
    stream->written = info.st_mtim;
    *out = stream;
    return VAE_OK;
}

void stream_close(struct vae_stream *stream)
{
    if (!stream) return;
    if (stream->file >= 0) close(stream->file);
    free(stream);
}

static bool was_changed(const struct vae_stream *stream)
{
    struct stat info;
    return fstat(stream->file, &info) || info.st_size != stream->size ||
           info.st_mtim.tv_sec != stream->written.tv_sec || info.st_mtim.tv_nsec != stream->written.tv_nsec;
}

bool stream_read(const struct vae_stream *stream, size_t number, size_t pixels, size_t at, size_t size, uint8_t *bytes)
{
    if (number % 16 == 0 && was_changed(stream)) return false;
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
