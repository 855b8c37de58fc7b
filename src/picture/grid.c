/* SPDX-License-Identifier: MIT
 *
 * A grid of tiles with padding, enlarged by whole pixels so that small images can be read at a glance. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "picture/buffer.h"
#include "picture/picture.h"
#include "vae_figure.h"

enum {
    PAPER = 48,    /* grey between the tiles: neither black nor white, as digits are */
    INK = 235,     /* of labels */
    READABLE = 56, /* tiles are enlarged to about this side */
    MOST_SIDE = 32768,
};

/* Where things are, in pixels. */
struct plan {
    size_t zoom, pad, band_gap, margin, font;
};

static size_t label_width(const vae_grid *grid)
{
    size_t longest = 0;
    for (size_t r = 0; grid->labels && r < grid->down; r++)
        if (strlen(grid->labels[r]) > longest) longest = strlen(grid->labels[r]);
    return longest;
}

static struct plan plan_grid(const vae_grid *grid)
{
    const size_t side = grid->rows > grid->cols ? grid->rows : grid->cols;
    struct plan plan = {.zoom = side < READABLE ? READABLE / side : 1, .font = 2};
    plan.pad = 2 + plan.zoom;
    plan.band_gap = 3 * plan.pad;
    if (grid->labels) plan.margin = label_width(grid) * FONT_WIDTH * plan.font + plan.pad;
    return plan;
}

static size_t tile_x(const vae_grid *grid, const struct plan *plan, size_t c)
{
    return plan->margin + plan->pad + c * (grid->cols * plan->zoom + plan->pad);
}

static size_t tile_y(const vae_grid *grid, const struct plan *plan, size_t r)
{
    return plan->pad + r * (grid->rows * plan->zoom + plan->pad) + (grid->band ? r / grid->band * plan->band_gap : 0);
}

static uint8_t grey(float value) { return value > 0 ? (uint8_t)(value < 1 ? value * 255 + 0.5F : 255) : 0; }

static void draw_tile(struct canvas *canvas, const vae_grid *grid, const struct plan *plan, size_t r, size_t c)
{
    const float *tile = grid->tiles + (r * grid->across + c) * grid->rows * grid->cols;
    const size_t x0 = tile_x(grid, plan, c), y0 = tile_y(grid, plan, r);
    for (size_t y = 0; y < grid->rows * plan->zoom; y++) {
        uint8_t *row = canvas->pixels + (y0 + y) * canvas->width + x0;
        for (size_t x = 0; x < grid->cols * plan->zoom; x++)
            row[x] = grey(tile[y / plan->zoom * grid->cols + x / plan->zoom]);
    }
}

static void draw_label(struct canvas *canvas, const vae_grid *grid, const struct plan *plan, size_t r)
{
    const size_t middle = tile_y(grid, plan, r) + grid->rows * plan->zoom / 2, half = FONT_HEIGHT * plan->font / 2;
    canvas_text(canvas, plan->pad, middle > half ? middle - half : 0, plan->font, INK, grid->labels[r]);
}

vae_status vae_picture_grid(const char *path, const vae_grid *grid, vae_error *err)
{
    if (!grid->rows || !grid->cols || !grid->across || !grid->down)
        return vae_fail(err, VAE_E_USAGE, "%s: a picture of no pixels", path);
    const struct plan plan = plan_grid(grid);
    struct canvas canvas = {
        .channels = 1, .width = tile_x(grid, &plan, grid->across), .height = tile_y(grid, &plan, grid->down - 1)};
    canvas.height += grid->rows * plan.zoom + plan.pad;
    if (canvas.width > MOST_SIDE || canvas.height > MOST_SIDE)
        return vae_fail(err, VAE_E_USAGE, "%s: a picture of %zu x %zu pixels is too large (at most %d a side)", path,
                        canvas.width, canvas.height, MOST_SIDE);
    canvas.pixels = mem_new(canvas.width, canvas.height, err);
    if (!canvas.pixels) return VAE_E_MEMORY;
    memset(canvas.pixels, PAPER, canvas.width * canvas.height);
    for (size_t r = 0; r < grid->down; r++) {
        for (size_t c = 0; c < grid->across; c++) draw_tile(&canvas, grid, &plan, r, c);
        if (grid->labels) draw_label(&canvas, grid, &plan, r);
    }
    struct buffer buffer = {0};
    png_encode(&canvas, grid->title, &buffer);
    vae_status status = buffer.failed ? vae_fail(err, VAE_E_MEMORY, "%s: cannot encode a PNG of %zu x %zu", path,
                                                 canvas.width, canvas.height)
                                      : vae_write_file(path, buffer.bytes, buffer.size, err);
    free(buffer.bytes);
    free(canvas.pixels);
    return status;
}
