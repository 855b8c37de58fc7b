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

static vae_status cut_short(const struct input *input, vae_error *err)
{
    int code = Z_OK;
    gzerror(input->gz, &code);
    if (code == Z_MEM_ERROR) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", input->path);
    if (code == Z_DATA_ERROR)
        return vae_fail(err, VAE_E_DATA, "%s: damaged gzip data (a checksum or code in it is wrong)", input->path);
    return vae_fail(err, VAE_E_DATA, "%s: file ends too early (the download or copy was cut off)", input->path);
}

/* Reads until `size` bytes are there or the data ends; returns how many there were. */
static size_t read_bytes(const struct input *input, uint8_t *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const size_t left = size - done;
        int got = gzread(input->gz, bytes + done,
                         left > 1u << 30 ? 1u << 29 : (unsigned)left); /* the last chunk is never tiny */
        if (got <= 0) break;
        done += (size_t)got;
    }
    return done;
}

vae_status input_read(const struct input *input, uint8_t *bytes, size_t size, vae_error *err)
{
    return read_bytes(input, bytes, size) < size ? cut_short(input, err) : VAE_OK;
}

vae_status input_rewind(const struct input *input, vae_error *err)
{
    return gzrewind(input->gz) ? cut_short(input, err) : VAE_OK;
}

vae_status input_read_some(const struct input *input, uint8_t *bytes, size_t size, size_t *got, vae_error *err)
{
    int code = Z_OK;
    *got = read_bytes(input, bytes, size);
    gzerror(input->gz, &code);
    return *got < size && code != Z_OK ? cut_short(input, err) : VAE_OK;
}

/* Asks for one byte more than there should be, and in the same breath: a read that ends exactly at the last byte leaves
 * the gzip trailer, with its checksum, unread, and zlib then calls a file cut there complete. */
vae_status input_read_last(const struct input *input, uint8_t *bytes, size_t size, vae_error *err)
{
    const size_t got = read_bytes(input, bytes, size + 1);
    int code = Z_OK;
    gzerror(input->gz, &code);
    if (got > size) return vae_fail(err, VAE_E_DATA, "%s: more data than its header announces", input->path);
    return got < size || code != Z_OK ? cut_short(input, err) : VAE_OK;
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
    input->gz = gzdopen(fd, "rb");
    if (!input->gz) {
        close(fd);
        return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", path);
    }
    input->compressed = !gzdirect(input->gz);
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
    if (gzclose(input->gz) == Z_OK || status) return status;
    return vae_fail(err, VAE_E_DATA, "%s: damaged or cut off", input->path);
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
