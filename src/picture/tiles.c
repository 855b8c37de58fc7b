/* SPDX-License-Identifier: MIT
 *
 * A panel of tiles: small images, enlarged by whole numbers so that they can be read at a glance, with labels beside
 * the rows and above the columns. Values from -1 to 1 have the colours of cividis (Nunez, Anderton & Renslow 2018),
 * from dark blue over grey to yellow: it rises evenly in lightness, so that a grey print, and a reader who sees no red
 * or green, tell which is less. */
#include "picture/layout.h"

#include <math.h>
#include <stdio.h>

#include "picture/text.h"

static const double AXIS_NAME = 1.6; /* room of the name of an axis, in sizes of the letters */
enum { READABLE = 56, BAR_WIDTH = 120, BAR_HEIGHT = 10, BAR_GAP = 8, BAR_STEPS = 60, UNIT_TEXT = 32 };

static size_t tile_zoom(const vae_grid *g)
{
    const size_t side = g->rows > g->cols ? g->rows : g->cols;
    return side && side < READABLE ? READABLE / side : 1;
}

static size_t tile_pad(const vae_grid *g) { return 2 + tile_zoom(g); }

/* Left and upper edge of tiles, relative to the first. */
static double tile_x(const vae_grid *g, size_t c) { return (double)(c * (g->cols * tile_zoom(g) + tile_pad(g))); }
static double tile_y(const vae_grid *g, size_t r)
{
    return (double)(r * (g->rows * tile_zoom(g) + tile_pad(g)) + (g->band ? r / g->band * 3 * tile_pad(g) : 0));
}

static double widest(size_t n, const char *const *text, double size)
{
    double width = 0;
    for (size_t i = 0; text && i < n; i++) width = fmax(width, text_width(text[i] ? text[i] : "", size, false));
    return width;
}

static double column_width(const struct frame *f, size_t c)
{
    const char *text = f->panel->tiles->columns[c];
    return text_width(text ? text : "", f->letters, false);
}

/* Of the texts above the columns each, or each second, third and so on, such that there is a space between them. */
static size_t column_step(const struct frame *f)
{
    const vae_grid *g = f->panel->tiles;
    size_t step = 1, c = 0;
    while (g->columns && c + step < g->across) {
        const double needed = (column_width(f, c) + column_width(f, c + step)) / 2 + f->letters / 2;
        const bool fits = needed <= tile_x(g, step);
        c = fits ? c + step : 0;
        step += !fits;
    }
    return step;
}

/* Half of what the first or the last of these texts is wider than its column. */
static double overhang(const struct frame *f)
{
    const vae_grid *g = f->panel->tiles;
    const size_t last = (g->across - 1) / column_step(f) * column_step(f);
    if (!g->columns) return 0;
    return fmax(0, (fmax(column_width(f, 0), column_width(f, last)) - (double)(g->cols * tile_zoom(g))) / 2);
}

static bool has_bar(const vae_grid *g) { return g->diverging && g->unit > 0; }

/* The numbers at the scale of colours: -unit, 0 and unit. */
static void write_unit(const vae_grid *g, int sign, char text[UNIT_TEXT])
{
    snprintf(text, UNIT_TEXT, "%.3g", sign * g->unit);
}

static double bar_text_width(const vae_grid *g, double letters)
{
    char text[UNIT_TEXT];
    write_unit(g, -1, text);
    return text_width(text, letters, false);
}

void tiles_measure(struct frame *f, double letters)
{
    const vae_grid *g = f->panel->tiles;
    const double pad = (double)tile_pad(g), zoom = (double)tile_zoom(g);
    f->letters = letters;
    f->area.width = tile_x(g, g->across - 1) + (double)g->cols * zoom;
    f->area.height = tile_y(g, g->down - 1) + (double)g->rows * zoom;
    f->right = ceil(overhang(f));
    f->left = fmax(f->right, g->labels ? ceil(widest(g->down, g->labels, letters) + letters / 2) : 0);
    f->top = g->columns ? ceil(letters) + pad : 0;
    f->bottom = has_bar(g) ? BAR_GAP + BAR_HEIGHT + BAR_GAP + ceil(letters) : 0;
    if (g->right) f->bottom += ceil(AXIS_NAME * letters);
    if (g->up) f->left += ceil(AXIS_NAME * letters);
    if (has_bar(g)) f->left = fmax(f->left, ceil(bar_text_width(g, letters) / 2 - letters));
    f->right = fmax(f->right, has_bar(g) ? ceil(BAR_WIDTH + 3 * letters - f->area.width) : 0);
    /* Names of the axes stand in the middle, and may be longer than a few tiles. */
    const double right = g->right ? ceil((text_width(g->right, letters, false) - f->area.width) / 2) : 0;
    const double up = g->up ? ceil((text_width(g->up, letters, false) - f->area.height) / 2) : 0;
    f->left = fmax(f->left, right);
    f->right = fmax(f->right, right);
    f->top = fmax(f->top, up);
    f->bottom = fmax(f->bottom, up);
}

/* ---- Colours ---------------------------------------------------------------------------------------------------- */

static uint8_t byte(double value) { return value > 0 ? (uint8_t)(value < 1 ? value * 255 + 0.5 : 255) : 0; }

/* cividis at -1, -0.75, ..., 1; NaN is the middle. */
static void colour_of(double value, uint8_t rgb[3])
{
    static const double scale[][3] = {{0, 34, 78},     {26, 56, 111},   {67, 78, 108},  {98, 101, 112}, {125, 124, 120},
                                      {155, 149, 119}, {186, 174, 108}, {220, 202, 86}, {254, 232, 56}};
    const double at = isnan(value) ? 4 : 4 * (fmax(-1, fmin(1, value)) + 1);
    const size_t i = at < 8 ? (size_t)at : 7;
    for (size_t k = 0; k < 3; k++)
        rgb[k] = byte((scale[i][k] + (at - (double)i) * (scale[i + 1][k] - scale[i][k])) / 255);
}

/* The tile's pixels: one byte of grey, or three of colour each. */
static void fill(struct canvas *canvas, const float *tile)
{
    for (size_t i = 0; i < canvas->width * canvas->height; i++) {
        if (canvas->channels == 1)
            canvas->pixels[i] = byte((double)tile[i]);
        else
            colour_of((double)tile[i], canvas->pixels + 3 * i);
    }
}

/* ---- Drawing ---------------------------------------------------------------------------------------------------- */

static void draw_tile(const struct frame *f, size_t r, size_t c, struct drawing *d)
{
    const vae_grid *g = f->panel->tiles;
    const float *tile = g->tiles + (r * g->across + c) * g->rows * g->cols;
    const double zoom = (double)tile_zoom(g);
    struct canvas canvas = {g->cols, g->rows, g->diverging ? 3 : 1, NULL};
    if (isnan(tile[0])) return;
    canvas.pixels = store_take(&d->store, g->rows * g->cols, canvas.channels);
    if (!canvas.pixels) return;
    fill(&canvas, tile);
    draw_image(d, f->area.x + tile_x(g, c), f->area.y + tile_y(g, r), (double)g->cols * zoom, (double)g->rows * zoom,
               canvas);
}

static void draw_labels(const struct frame *f, struct drawing *d)
{
    const vae_grid *g = f->panel->tiles;
    const double half_x = (double)(g->cols * tile_zoom(g)) / 2, half_y = (double)(g->rows * tile_zoom(g)) / 2;
    for (size_t r = 0; g->labels && r < g->down; r++)
        if (g->labels[r])
            draw_text(d, f->area.x - f->letters / 2, f->area.y + tile_y(g, r) + half_y + f->letters * 0.36,
                      g->labels[r], f->letters, ANCHOR_END, drawing_ink);
    for (size_t c = 0; g->columns && c < g->across; c += column_step(f))
        if (g->columns[c])
            draw_text(d, f->area.x + tile_x(g, c) + half_x, f->area.y - (double)tile_pad(g) - f->letters * 0.1,
                      g->columns[c], f->letters, ANCHOR_MIDDLE, drawing_ink);
}

static void draw_axis_names(const struct frame *f, struct drawing *d)
{
    const vae_grid *g = f->panel->tiles;
    const struct box *a = &f->area;
    if (g->right)
        draw_text(d, a->x + a->width / 2, a->y + a->height + f->bottom - 0.3 * f->letters, g->right, f->letters,
                  ANCHOR_MIDDLE, drawing_ink);
    struct primitive *text = g->up ? draw_text(d, a->x - f->left + f->letters, a->y + a->height / 2, g->up, f->letters,
                                               ANCHOR_MIDDLE, drawing_ink)
                                   : NULL;
    if (text) text->upwards = true;
}

/* The scale of colours, with the numbers of its ends and its middle. */
static void draw_bar(const struct frame *f, struct drawing *d)
{
    const double x = f->area.x + f->letters, y = f->area.y + f->area.height + BAR_GAP;
    struct canvas canvas = {BAR_STEPS + 1, 1, 3, store_take(&d->store, BAR_STEPS + 1, 3)};
    if (!canvas.pixels) return;
    for (size_t i = 0; i <= BAR_STEPS; i++) colour_of(2.0 * (double)i / BAR_STEPS - 1, canvas.pixels + 3 * i);
    draw_image(d, x, y, BAR_WIDTH, BAR_HEIGHT, canvas);
    for (int k = -1; k <= 1; k++) {
        char text[UNIT_TEXT];
        write_unit(f->panel->tiles, k, text);
        draw_text(d, x + BAR_WIDTH * (k + 1) / 2.0, y + BAR_HEIGHT + BAR_GAP / 2.0 + f->letters * 0.8, text, f->letters,
                  ANCHOR_MIDDLE, drawing_ink);
    }
}

void tiles_draw(const struct frame *f, struct drawing *d)
{
    const vae_grid *g = f->panel->tiles;
    for (size_t r = 0; r < g->down; r++)
        for (size_t c = 0; c < g->across; c++) draw_tile(f, r, c, d);
    draw_labels(f, d);
    draw_axis_names(f, d);
    if (has_bar(g)) draw_bar(f, d);
}
