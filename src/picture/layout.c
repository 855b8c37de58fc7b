/* SPDX-License-Identifier: MIT
 *
 * Panels in a grid: a column of panels is as wide as the widest of them, with the axes one below the other; a row
 * likewise. Above them stand title and note, in as many lines as they need. */
#include "picture/layout.h"

#include <math.h>
#include <string.h>

#include "picture/text.h"

enum { MARGIN = 14, GAP = 22, LEAST_WIDTH = 480, MOST_LINES = 4, PLAIN_MARGIN = 4, PLAIN_LETTERS = 24 };

/* Room of a column or row of panels: before, of and behind the plotting area. */
struct lane {
    double before, size, behind;
};

static double lane_length(const struct lane *lane) { return lane->before + lane->size + lane->behind; }

static void widen(struct lane *lane, double before, double size, double behind)
{
    lane->before = fmax(lane->before, before);
    lane->size = fmax(lane->size, size);
    lane->behind = fmax(lane->behind, behind);
}

/* All lanes and the gaps between them. */
static double total(size_t n, const struct lane *lanes)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += lane_length(&lanes[i]) + (i ? GAP : 0);
    return sum;
}

/* Where the plotting area of lane i begins. */
static double begins(const struct lane *lanes, size_t i) { return total(i, lanes) + (i ? GAP : 0) + lanes[i].before; }

/* Lines of a text at x and below y; returns where it ends. */
static double draw_lines(struct drawing *d, double x, double y, const char *text, double size, bool bold, double width,
                         struct paint paint)
{
    for (size_t line = 0; text && *text && line < MOST_LINES; line++) {
        const size_t length = text_line(text, size, bold, width);
        const bool cut = line + 1 == MOST_LINES && text[length];
        char *part = store_take(&d->store, length + sizeof "...", 1);
        if (!part) return y;
        memcpy(part, text, length);
        if (cut) memcpy(part + length, "...", sizeof "...");
        struct primitive *drawn = draw_text(d, x, y + size, part, size, ANCHOR_START, paint);
        if (drawn) drawn->bold = bold;
        y += 1.3 * size;
        text += length;
    }
    return y;
}

/* As wide as the panels, or as title and note, which are broken where they are longer than LEAST_WIDTH. */
static double width_for(const vae_figure *figure, double panels)
{
    const double title = figure->title ? text_width(figure->title, SIZE_TITLE, true) : 0;
    const double note = figure->note ? text_width(figure->note, SIZE_LABEL, false) : 0;
    return fmax(panels, fmin(fmax(title, note) + 1, fmax(panels, LEAST_WIDTH)));
}

static double draw_heading(const vae_figure *figure, struct drawing *d, double width)
{
    double y = MARGIN;
    y = draw_lines(d, MARGIN, y, figure->title, SIZE_TITLE, true, width, drawing_ink);
    y = draw_lines(d, MARGIN, y, figure->note, SIZE_LABEL, false, width, paint_faint(drawing_ink, 0.8));
    return y > MARGIN ? y + 12 : y;
}

static void draw_panel(const struct frame *f, struct drawing *d)
{
    if (f->panel->title) {
        struct primitive *title = draw_text(d, f->area.x, f->area.y - f->top + SIZE_PANEL * 0.8, f->panel->title,
                                            SIZE_PANEL, ANCHOR_START, drawing_ink);
        if (title) title->bold = true;
    }
    if (f->panel->tiles)
        tiles_draw(f, d);
    else
        axes_draw(f, d);
}

static void measure(struct frame *f, struct store *store)
{
    if (f->panel->tiles)
        tiles_measure(f, SIZE_TICK);
    else
        axes_measure(f, store);
    if (!f->panel->title) return;
    f->top += SIZE_PANEL + 8;
    f->right = fmax(f->right, text_width(f->panel->title, SIZE_PANEL, true) - f->area.width);
}

static void draw_grid(const vae_figure *figure, struct drawing *d, struct frame *frames, size_t columns, size_t rows)
{
    struct lane *across = store_take(&d->store, columns, sizeof *across);
    struct lane *down = store_take(&d->store, rows, sizeof *down);
    if (!across || !down) return;
    for (size_t i = 0; i < figure->panels; i++) {
        const struct frame *f = &frames[i];
        widen(&across[i % columns], f->left, f->area.width, f->right);
        widen(&down[i / columns], f->top, f->area.height, f->bottom);
    }
    const double width = width_for(figure, ceil(total(columns, across))), top = ceil(draw_heading(figure, d, width));
    for (size_t i = 0; i < figure->panels; i++) {
        frames[i].area.x = MARGIN + floor(begins(across, i % columns)) + 0.5;
        frames[i].area.y = top + floor(begins(down, i / columns)) + 0.5;
        if (frames[i].panel->tiles) frames[i].area.x -= 0.5, frames[i].area.y -= 0.5;
        draw_panel(&frames[i], d);
    }
    d->width = width + 2 * MARGIN;
    d->height = top + ceil(total(rows, down)) + MARGIN;
}

vae_status layout_figure(const vae_figure *figure, struct drawing *d, vae_error *err)
{
    const size_t columns = figure->columns < figure->panels ? figure->columns : figure->panels + !figure->panels;
    const size_t rows = (figure->panels + columns - 1) / columns;
    struct frame *frames = store_take(&d->store, figure->panels, sizeof *frames);
    size_t i = 0;
    d->title = figure->title ? figure->title : "";
    for (const vae_panel *p = figure->first; frames && p; p = p->next) {
        frames[i].panel = p;
        measure(&frames[i++], &d->store);
    }
    if (frames) draw_grid(figure, d, frames, columns, rows);
    return store_status(&d->store, err);
}

double layout_text_width(const char *text)
{
    return text ? ceil(text_width(text, PLAIN_LETTERS, false)) + 2 * PLAIN_MARGIN : 0;
}

vae_status layout_tiles(const vae_panel *panel, const char *text, double width, struct drawing *d, vae_error *err)
{
    struct frame f = {.panel = panel};
    const double above = text ? PLAIN_LETTERS + PLAIN_MARGIN : 0;
    tiles_measure(&f, PLAIN_LETTERS);
    f.area.x = PLAIN_MARGIN + f.left;
    f.area.y = PLAIN_MARGIN + above + f.top;
    d->title = "";
    d->width = fmax(width, ceil(f.area.x + f.area.width + f.right + PLAIN_MARGIN));
    d->height = ceil(f.area.y + f.area.height + f.bottom + PLAIN_MARGIN);
    if (text)
        draw_text(d, PLAIN_MARGIN, PLAIN_MARGIN + PLAIN_LETTERS * 0.8, text, PLAIN_LETTERS, ANCHOR_START, drawing_ink);
    tiles_draw(&f, d);
    return store_status(&d->store, err);
}
