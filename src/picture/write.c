/* SPDX-License-Identifier: MIT
 *
 * Figures into files and texts. */
#include <stdlib.h>
#include <string.h>

#include "picture/buffer.h"
#include "picture/layout.h"
#include "picture/picture.h"

static const double LEAST_SCALE = 0.1, MOST_SCALE = 20;

/* Can it be drawn at all? `name` is what messages call it. */
static vae_status check(const vae_figure *figure, const char *name, double scale, vae_error *err)
{
    for (const vae_panel *p = figure->first; p; p = p->next)
        if (p->tiles && !(p->tiles->down && p->tiles->across && p->tiles->rows && p->tiles->cols))
            return vae_fail(err, VAE_E_USAGE, "%s: a picture of no pixels", name);
    if (!(scale >= LEAST_SCALE && scale <= MOST_SCALE))
        return vae_fail(err, VAE_E_USAGE, "%s: scale %g is out of range (expected %g to %g)", name, scale, LEAST_SCALE,
                        MOST_SCALE);
    return store_status(&figure->store, err);
}

static vae_status out_of_memory(vae_error *err) { return vae_fail(err, VAE_E_MEMORY, "out of memory for a picture"); }

static vae_status to_svg(const vae_figure *figure, double scale, bool paper, struct buffer *buffer, vae_error *err)
{
    struct drawing drawing = {0};
    vae_status status = layout_figure(figure, &drawing, err);
    if (!status) status = svg_encode(&drawing, scale, paper, buffer, err);
    store_free(&drawing.store);
    return status;
}

static vae_status to_png(const vae_figure *figure, const char *path, double scale, struct buffer *buffer,
                         vae_error *err)
{
    struct drawing drawing = {0};
    struct canvas canvas = {0};
    const bool plain = figure->panels == 1 && figure->first->tiles;
    vae_status status = plain ? layout_tiles(figure->first, NULL, 0, &drawing, err)
                              : layout_figure(figure, &drawing, err);
    if (!status) status = dots_paint(&drawing, scale, path, &canvas, err);
    store_free(&drawing.store);
    if (status) return status;
    dots_make_grey(&canvas);
    png_encode(&canvas, figure->title, buffer);
    free(canvas.pixels);
    return buffer->failed ? out_of_memory(err) : VAE_OK;
}

vae_status vae_figure_svg(const vae_figure *figure, double scale, char **svg, vae_error *err)
{
    struct buffer buffer = {0};
    *svg = NULL;
    vae_status status = check(figure, "figure", scale, err);
    if (!status) status = to_svg(figure, scale, false, &buffer, err);
    buffer_add(&buffer, "", 1);
    if (!status && buffer.failed) status = out_of_memory(err);
    if (status)
        free(buffer.bytes);
    else
        *svg = buffer.bytes;
    return status;
}

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), end = strlen(ending);
    return length > end && !strcmp(path + length - end, ending);
}

vae_status vae_figure_write(const vae_figure *figure, const char *path, double scale, vae_error *err)
{
    struct buffer buffer = {0};
    const bool svg = ends_in(path, ".svg");
    if (!svg && !ends_in(path, ".png"))
        return vae_fail(err, VAE_E_USAGE, "%s: unknown kind of picture (expected a name that ends in .png or .svg)",
                        path);
    vae_status status = check(figure, path, scale, err);
    if (!status) status = svg ? to_svg(figure, scale, true, &buffer, err) : to_png(figure, path, scale, &buffer, err);
    if (!status) status = vae_write_file(path, buffer.bytes, buffer.size, err);
    free(buffer.bytes);
    return status;
}
