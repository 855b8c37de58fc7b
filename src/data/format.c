/* SPDX-License-Identifier: MIT */
#include "data/format.h"

#include <stdio.h>
#include <string.h>

#include "data/source.h"

#define ENTRY(name) &format_##name,
static const struct format_ops *const formats[] = {FORMATS(ENTRY) NULL};

static vae_status unknown_format(const struct input *input, vae_error *err)
{
    const uint8_t *start = input->start;
    char names[128] = "";
    for (size_t i = 0; formats[i]; i++)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? ", " : "", formats[i]->name);
    return vae_fail(err, VAE_E_DATA, "%s: starts with %02x %02x %02x %02x (expected one of %s)", input->path, start[0],
                    start[1], start[2], start[3], names);
}

vae_status format_read(const struct format_ops *format, const char *path, size_t most, vae_images *images,
                       vae_error *err)
{
    struct input input;
    *images = (vae_images){0};
    vae_status status = input_open(&input, path, err);
    if (status) return status;
    for (size_t i = 0; !format && formats[i]; i++)
        if (formats[i]->is(input.start)) format = formats[i];
    status = format ? format->read(&input, most, images, err) : unknown_format(&input, err);
    status = input_close(&input, status, err);
    if (status) images_free(images);
    return status;
}
