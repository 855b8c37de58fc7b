/* SPDX-License-Identifier: MIT
 *
 * Building a figure: everything that is given is copied into its store. */
#include "picture/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "picture/ticks.h"

enum { PANEL_WIDTH = 320, PANEL_HEIGHT = 220, LEAST_SIDE = 16, MOST_SIDE = 4096 };

vae_status vae_figure_new(vae_figure **out, const char *title, const char *note, size_t columns, vae_error *err)
{
    *out = NULL;
    vae_figure *figure = mem_new(1, sizeof *figure, err);
    if (!figure) return VAE_E_MEMORY;
    figure->columns = columns ? columns : 1;
    figure->title = store_text(&figure->store, title);
    figure->note = store_text(&figure->store, note);
    *out = figure;
    return VAE_OK;
}

void vae_figure_free(vae_figure **figure)
{
    if (!figure || !*figure) return;
    store_free(&(*figure)->store);
    free(*figure);
    *figure = NULL;
}

vae_panel *vae_figure_panel(vae_figure *figure, const char *title)
{
    vae_panel *panel = figure ? store_take(&figure->store, 1, sizeof *panel) : NULL;
    if (!panel) return NULL;
    *panel = (vae_panel){.figure = figure, .width = PANEL_WIDTH, .height = PANEL_HEIGHT};
    panel->title = store_text(&figure->store, title);
    if (figure->last)
        figure->last->next = panel;
    else
        figure->first = panel;
    figure->last = panel;
    figure->panels++;
    return panel;
}

/* ---- Axes ------------------------------------------------------------------------------------------------------- */

static double side(double value) { return value > LEAST_SIDE ? fmin(value, MOST_SIDE) : LEAST_SIDE; }

void vae_panel_size(vae_panel *panel, double width, double height)
{
    if (!panel) return;
    panel->width = side(width);
    panel->height = side(height);
}

void vae_panel_labels(vae_panel *panel, const char *x, const char *y)
{
    if (!panel) return;
    panel->x.label = store_text(&panel->figure->store, x);
    panel->y.label = store_text(&panel->figure->store, y);
}

void vae_panel_log(vae_panel *panel, bool x, bool y)
{
    if (!panel) return;
    panel->x.log = x;
    panel->y.log = y;
}

void vae_panel_whole_x(vae_panel *panel)
{
    if (panel) panel->x.whole = true;
}

static void set_limits(struct axis *axis, double low, double high)
{
    axis->limited = is_drawable(low) && is_drawable(high) && low < high;
    axis->low = low;
    axis->high = high;
}

void vae_panel_limits_x(vae_panel *panel, double low, double high)
{
    if (panel) set_limits(&panel->x, low, high);
}

void vae_panel_limits_y(vae_panel *panel, double low, double high)
{
    if (panel) set_limits(&panel->y, low, high);
}

static const char **copy_texts(struct store *store, size_t n, const char *const *text)
{
    const char **copy = text ? store_take(store, n, sizeof *copy) : NULL;
    for (size_t i = 0; copy && i < n; i++) copy[i] = store_text(store, text[i]);
    return copy;
}

static void set_ticks(struct store *store, struct axis *axis, size_t n, const double *at, const char *const *text)
{
    axis->at = store_numbers(store, n, at);
    axis->text = copy_texts(store, n, text);
    axis->ticks = axis->at && axis->text ? n : 0;
}

void vae_panel_ticks_x(vae_panel *panel, size_t n, const double *at, const char *const *text)
{
    if (panel) set_ticks(&panel->figure->store, &panel->x, n, at, text);
}

void vae_panel_ticks_y(vae_panel *panel, size_t n, const double *at, const char *const *text)
{
    if (panel) set_ticks(&panel->figure->store, &panel->y, n, at, text);
}

void vae_panel_equal(vae_panel *panel)
{
    if (panel) panel->equal = true;
}

/* ---- Marks ------------------------------------------------------------------------------------------------------ */

static struct mark *add_mark(vae_panel *panel, enum mark_kind kind, size_t n, const double *x, const double *y,
                             const double *other, vae_mark style)
{
    struct store *store = panel ? &panel->figure->store : NULL;
    struct mark *mark = store ? store_take(store, 1, sizeof *mark) : NULL;
    if (!mark) return NULL;
    *mark = (struct mark){.kind = kind, .style = style, .n = n};
    mark->style.name = store_text(store, style.name);
    mark->x = store_numbers(store, n, x);
    mark->y = store_numbers(store, n, y);
    mark->other = store_numbers(store, n, other);
    if (panel->last)
        panel->last->next = mark;
    else
        panel->first = mark;
    return panel->last = mark;
}

void vae_panel_line(vae_panel *panel, size_t n, const double *x, const double *y, vae_mark mark)
{
    add_mark(panel, MARK_LINE, n, x, y, NULL, mark);
}

void vae_panel_band(vae_panel *panel, size_t n, const double *x, const double *low, const double *high, vae_mark mark)
{
    add_mark(panel, MARK_BAND, n, x, low, high, mark);
}

void vae_panel_points(vae_panel *panel, size_t n, const double *x, const double *y, const double *error, vae_mark mark)
{
    add_mark(panel, MARK_POINTS, n, x, y, error, mark);
}

void vae_panel_bars(vae_panel *panel, size_t n, const double *x, const double *y, const double *error, double width,
                    vae_mark mark)
{
    struct mark *added = add_mark(panel, MARK_BARS, n, x, y, error, mark);
    if (added) added->width = width;
}

void vae_panel_rule_x(vae_panel *panel, double at, vae_mark mark)
{
    add_mark(panel, MARK_RULE_X, 1, &at, NULL, NULL, mark);
}

void vae_panel_rule_y(vae_panel *panel, double at, vae_mark mark)
{
    add_mark(panel, MARK_RULE_Y, 1, NULL, &at, NULL, mark);
}

void vae_panel_text(vae_panel *panel, double x, double y, const char *text)
{
    struct mark *mark = add_mark(panel, MARK_TEXT, 1, &x, &y, NULL, (vae_mark){.series = VAE_INK});
    if (mark) mark->text = store_text(&panel->figure->store, text);
}

void vae_panel_tiles(vae_panel *panel, const vae_grid *grid)
{
    size_t tiles = 0, values = 0;
    if (!panel) return;
    struct store *store = &panel->figure->store;
    vae_grid *copy = store_take(store, 1, sizeof *copy);
    if (!copy) return;
    *copy = *grid;
    if (__builtin_mul_overflow(grid->down, grid->across, &tiles) ||
        __builtin_mul_overflow(tiles, grid->rows, &values) || __builtin_mul_overflow(values, grid->cols, &values))
        store->failed = true;
    float *pixels = store->failed ? NULL : store_take(store, values, sizeof *pixels);
    if (pixels && values) memcpy(pixels, grid->tiles, values * sizeof *pixels);
    copy->tiles = pixels;
    copy->labels = copy_texts(store, grid->down, grid->labels);
    copy->columns = copy_texts(store, grid->across, grid->columns);
    copy->right = store_text(store, grid->right);
    copy->up = store_text(store, grid->up);
    panel->tiles = copy;
}
