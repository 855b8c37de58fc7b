/* SPDX-License-Identifier: MIT */
#include "data/input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "data/stream.h"

enum { DEFLATE_LIMIT = 1032 };

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* Why there are fewer bytes than there should be. */
static vae_status cut_short(const struct input *input, vae_error *err)
{
    vae_status status = unpack_status(input->bytes, input->path, err);
    if (status) return status;
    return vae_fail(err, VAE_E_DATA, "%s: file ends too early (the download or copy was cut off)", input->path);
}

vae_status input_read(const struct input *input, uint8_t *bytes, size_t size, vae_error *err)
{
    return unpack_read(input->bytes, bytes, size) < size ? cut_short(input, err) : VAE_OK;
}

vae_status input_rewind(const struct input *input, vae_error *err)
{
    unpack_rewind(input->bytes);
    return unpack_status(input->bytes, input->path, err);
}

vae_status input_read_some(const struct input *input, uint8_t *bytes, size_t size, size_t *got, vae_error *err)
{
    *got = unpack_read(input->bytes, bytes, size);
    return *got < size ? unpack_status(input->bytes, input->path, err) : VAE_OK;
}

/* Asks for one byte more than there should be: only then the end is read, with the checksum in it. */
vae_status input_read_last(const struct input *input, uint8_t *bytes, size_t size, vae_error *err)
{
    const size_t got = unpack_read(input->bytes, bytes, size + 1);
    if (got > size) return vae_fail(err, VAE_E_DATA, "%s: more data than its header announces", input->path);
    return got < size ? cut_short(input, err) : unpack_status(input->bytes, input->path, err);
}

vae_status input_new_last(const struct input *input, uint8_t **bytes, size_t size, vae_error *err)
{
    *bytes = malloc(size + 1);
    if (!*bytes) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory (%zu bytes)", input->path, size);
    vae_status status = input_read_last(input, *bytes, size, err);
    if (status) {
        free(*bytes);
        *bytes = NULL;
    }
    return status;
}

vae_status input_pixels(const struct input *input, vae_images *images, size_t size, size_t most, vae_error *err)
{
    if (input->compressed || size <= most) return input_new_last(input, &images->pixels, size, err);
    return stream_open(&images->stream, input->path, input->size - size, err);
}

/* ---- Opening and closing ---------------------------------------------------------------------------------------- */

static vae_status open_file(struct input *input, const char *path, vae_error *err)
{
    *input = (struct input){.path = path};
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)); /* non-blocking: a FIFO must not hang us */
    if (fd < 0) return vae_fail(err, VAE_E_DATA, "%s: cannot open: %s", path, strerror(errno));
    struct stat info;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode)) {
        close(fd);
        return vae_fail(err, VAE_E_DATA, "%s: not a regular file (expected a file of data)", path);
    }
    input->size = (size_t)info.st_size;
    input->bytes = unpack_open(fd);
    if (!input->bytes) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", path);
    input->compressed = unpack_is_packed(input->bytes);
    return VAE_OK;
}

static vae_status look_at_start(struct input *input, vae_error *err)
{
    vae_status status = input_read(input, input->start, sizeof input->start, err);
    if (status) return status;
    if (input->start[0] == 0x1f && input->start[1] == 0x8b)
        return vae_fail(err, VAE_E_DATA, "%s: compressed twice (expected once or not at all)", input->path);
    if (input->start[0] == '<')
        return vae_fail(err, VAE_E_DATA, "%s: an HTML or XML page (expected a file of data)", input->path);
    return input_rewind(input, err);
}

vae_status input_open(struct input *input, const char *path, vae_error *err)
{
    vae_status status = open_file(input, path, err);
    if (status) return status;
    status = look_at_start(input, err);
    return status ? input_close(input, status, err) : VAE_OK;
}

vae_status input_close(struct input *input, vae_status status, vae_error *err)
{
    uint8_t more;
    if (!status && input->compressed) {
        unpack_read(input->bytes, &more, 1); /* which reads the end, if nothing else did */
        status = unpack_status(input->bytes, input->path, err);
    }
    unpack_close(input->bytes);
    return status;
}

vae_status input_check_size(const struct input *input, size_t announced, vae_error *err)
{
    if (!input->compressed && input->size != announced)
        return vae_fail(err, VAE_E_DATA, "%s: %zu bytes, but its header announces %zu (cut off, or not this format)",
                        input->path, input->size, announced);
    if (input->compressed && announced / DEFLATE_LIMIT > input->size)
        return vae_fail(err, VAE_E_DATA, "%s: header announces %zu bytes, more than %zu compressed bytes can hold",
                        input->path, announced, input->size);
    return VAE_OK;
}
