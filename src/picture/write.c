/* SPDX-License-Identifier: MIT
 *
 * Figures and animations into files and texts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
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
    if (!status && !plain) dots_widen(&drawing, scale);
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

/* ---- Animations ------------------------------------------------------------------------------------------------- */

/* Have all frames the shape of the first? */
static bool are_alike(size_t n, const vae_grid *frames)
{
    for (size_t i = 1; i < n; i++)
        if (frames[i].down != frames->down || frames[i].across != frames->across || frames[i].rows != frames->rows ||
            frames[i].cols != frames->cols || frames[i].diverging != frames->diverging)
            return false;
    return true;
}

static vae_status paint_frame(const vae_figure *figure, const char *path, const char *text, double width, double scale,
                              struct canvas *canvas, vae_error *err)
{
    struct drawing drawing = {0};
    vae_status status = check(figure, path, scale, err);
    if (!status) status = layout_tiles(figure->first, text, width, &drawing, err);
    if (!status) status = dots_paint(&drawing, scale, path, canvas, err);
    store_free(&drawing.store);
    return status;
}

/* One frame as a PNG. A grid without colours is grey in all frames. */
static vae_status encode_frame(const vae_grid *grid, const char *path, const char *text, double width, double scale,
                               struct buffer *buffer, vae_error *err)
{
    struct canvas canvas = {0};
    vae_figure *figure = NULL;
    vae_status status = vae_figure_new(&figure, NULL, NULL, 1, err);
    if (!status) vae_panel_tiles(vae_figure_panel(figure, NULL), grid);
    if (!status) status = paint_frame(figure, path, text, width, scale, &canvas, err);
    vae_figure_free(&figure);
    if (status) return status;
    if (!grid->diverging) dots_make_grey(&canvas);
    png_encode(&canvas, NULL, buffer);
    free(canvas.pixels);
    return buffer->failed ? out_of_memory(err) : VAE_OK;
}

/* Width and height are in bytes 16 to 23 of each file. */
static vae_status assemble(const char *path, size_t n, const struct buffer *frames, double seconds, vae_error *err)
{
    struct buffer buffer = {0};
    for (size_t i = 1; i < n; i++)
        if (memcmp(frames[i].bytes + 16, frames[0].bytes + 16, 8))
            return vae_fail(err, VAE_E_USAGE, "%s: frames of different sizes (expected labels of one width)", path);
    png_animate(n, frames, seconds, &buffer);
    vae_status status = buffer.failed ? out_of_memory(err) : vae_write_file(path, buffer.bytes, buffer.size, err);
    free(buffer.bytes);
    return status;
}

vae_status vae_animation_write(const char *path, size_t n, const vae_grid *frames, const char *const *texts,
                               double seconds_per_frame, double scale, vae_error *err)
{
    double width = 0;
    if (!ends_in(path, ".png"))
        return vae_fail(err, VAE_E_USAGE, "%s: unknown kind of animation (expected a name that ends in .png)", path);
    if (!n || n > INT32_MAX || !are_alike(n, frames))
        return vae_fail(err, VAE_E_USAGE, "%s: %zu frames (expected one or more of one shape)", path, n);
    struct buffer *encoded = mem_new(n, sizeof *encoded, err);
    if (!encoded) return VAE_E_MEMORY;
    for (size_t i = 0; texts && i < n; i++) width = fmax(width, layout_text_width(texts[i]));
    vae_status status = VAE_OK;
    for (size_t i = 0; i < n && !status; i++) {
        const char *text = texts && !texts[i] ? "" : texts ? texts[i] : NULL;
        status = encode_frame(&frames[i], path, text, width, scale, &encoded[i], err);
    }
    if (!status) status = assemble(path, n, encoded, seconds_per_frame, err);
    for (size_t i = 0; i < n; i++) free(encoded[i].bytes);
    free(encoded);
    return status;
}
