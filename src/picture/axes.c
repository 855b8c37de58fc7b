/* SPDX-License-Identifier: MIT
 *
 * Axes of a panel: their ranges, ticks, grid lines and labels. */
#include "picture/layout.h"

#include <math.h>
#include <string.h>

#include "picture/text.h"

enum { TICK = 4, GAP = 4, LABEL_GAP = 8, ROOM_X = 60, ROOM_Y = 42 };

double frame_x(const struct frame *f, double value)
{
    return f->area.x + f->area.width * range_place(&f->across, value);
}

double frame_y(const struct frame *f, double value)
{
    return f->area.y + f->area.height * (1 - range_place(&f->up, value));
}

/* ---- Ranges ----------------------------------------------------------------------------------------------------- */

/* Widens a range, which is empty where low > high. */
static void include(struct range *r, double value)
{
    if (!is_drawable(value) || (r->log && value <= 0)) return;
    r->low = fmin(r->low, value);
    r->high = fmax(r->high, value);
}

static void include_point(const struct mark *m, size_t i, struct range *across, struct range *up)
{
    const double error = m->other && m->kind != MARK_BAND && is_drawable(m->other[i]) ? m->other[i] : 0;
    if (m->x && m->y && (!is_drawable(m->x[i]) || !is_drawable(m->y[i]))) return;
    if (m->x) include(across, m->x[i] - m->width / 2);
    if (m->x) include(across, m->x[i] + m->width / 2);
    if (m->y) include(up, m->y[i] - error);
    if (m->y) include(up, m->y[i] + error);
    if (m->kind == MARK_BAND) include(up, m->other[i]);
    if (m->kind == MARK_BARS) include(up, 0);
}

/* A little room at both ends, but none below bars or above those that hang. */
static void add_room(struct range *r, bool from_zero)
{
    const double share = 0.04;
    const struct range old = *r;
    if (r->low > r->high) *r = (struct range){r->log, r->log ? 0.1 : 0, 1};
    const double middle = r->low / 2 + r->high / 2, least = 1e-9 * fabs(middle);
    if (r->log && r->high / r->low < 1 + 1e-9) {
        r->low /= 2;
        r->high *= 2;
    } else if (!r->log && r->high - r->low <= least) {
        r->low -= middle != 0 ? fabs(middle) / 10 : 1;
        r->high += middle != 0 ? fabs(middle) / 10 : 1;
    } else if (old.low <= old.high) {
        const struct range tight = *r;
        r->low = range_value(&tight, -share);
        r->high = range_value(&tight, 1 + share);
    }
    if (from_zero && !r->log && old.low == 0 && old.high > 0) r->low = 0;
    if (from_zero && !r->log && old.high == 0 && old.low < 0) r->high = 0;
}

static void limit(struct range *r, const struct axis *axis)
{
    if (!axis->limited || (axis->log && axis->low <= 0)) return;
    r->low = axis->low;
    r->high = axis->high;
}

/* One unit as long on both: an axis without limits shows more, one with limits becomes shorter. */
static void make_equal(struct frame *f)
{
    const vae_panel *p = f->panel;
    const double dx = f->across.high - f->across.low, dy = f->up.high - f->up.low;
    const double unit = fmin(f->area.width / dx, f->area.height / dy);
    const double more_x = f->area.width / unit - dx, more_y = f->area.height / unit - dy;
    if (p->x.limited) {
        f->area.width = fmax(1, dx * unit);
    } else {
        f->across.low -= more_x / 2;
        f->across.high += more_x / 2;
    }
    if (p->y.limited) {
        f->area.height = fmax(1, dy * unit);
    } else {
        f->up.low -= more_y / 2;
        f->up.high += more_y / 2;
    }
}

static void find_ranges(struct frame *f)
{
    const vae_panel *p = f->panel;
    bool bars = false;
    f->across = (struct range){p->x.log, INFINITY, -INFINITY};
    f->up = (struct range){p->y.log, INFINITY, -INFINITY};
    for (const struct mark *m = p->first; m; m = m->next) {
        for (size_t i = 0; i < m->n; i++) include_point(m, i, &f->across, &f->up);
        bars = bars || m->kind == MARK_BARS;
    }
    add_room(&f->across, false);
    add_room(&f->up, bars);
    limit(&f->across, &p->x);
    limit(&f->up, &p->y);
    if (p->equal && !p->x.log && !p->y.log) make_equal(f);
}

/* ---- Ticks ------------------------------------------------------------------------------------------------------ */

static struct ticks given_or_round(const struct axis *axis, const struct range *range, double length, double room,
                                   struct store *store)
{
    double about = fmax(2, floor(length / room));
    if (axis->whole) about = fmax(1, fmin(about, floor(range->high - range->low)));
    struct ticks ticks = {0};
    if (!axis->ticks) return ticks_make(store, range, (size_t)about);
    ticks.at = store_take(store, axis->ticks, sizeof *ticks.at);
    ticks.text = store_take(store, axis->ticks, sizeof *ticks.text);
    for (size_t i = 0; i < axis->ticks && ticks.at && ticks.text; i++) {
        const double place = range_place(range, axis->at[i]);
        if (!(place >= -1e-9 && place <= 1 + 1e-9) || !axis->text[i]) continue;
        ticks.at[ticks.n] = axis->at[i];
        ticks.text[ticks.n++] = axis->text[i];
    }
    return ticks;
}

static double widest(const struct ticks *ticks)
{
    double width = 0;
    for (size_t i = 0; i < ticks->n; i++) width = fmax(width, text_width(ticks->text[i], SIZE_TICK, false));
    return width;
}

/* Each how many-th text can stand, so that they do not touch; their places are in the order of the axis or against
 * it. */
static size_t text_stride(const struct ticks *ticks, const struct range *range, double length, double need)
{
    double nearest = INFINITY;
    for (size_t i = 1; i < ticks->n; i++)
        nearest = fmin(nearest, fabs(range_place(range, ticks->at[i]) - range_place(range, ticks->at[i - 1])) * length);
    if (nearest >= need) return 1;
    return nearest > 0 ? (size_t)ceil(fmin(need / nearest, 1e6)) : 1;
}

void axes_measure(struct frame *f, struct store *store)
{
    const vae_panel *p = f->panel;
    f->area = (struct box){0, 0, p->width, p->height};
    find_ranges(f);
    f->ticks_x = given_or_round(&p->x, &f->across, f->area.width, ROOM_X, store);
    f->ticks_y = given_or_round(&p->y, &f->up, f->area.height, ROOM_Y, store);
    f->left = TICK + GAP + widest(&f->ticks_y) + (p->y.label ? LABEL_GAP + SIZE_LABEL : 0);
    f->bottom = TICK + GAP + SIZE_TICK + (p->x.label ? LABEL_GAP + SIZE_LABEL : 0);
    f->right = widest(&f->ticks_x) / 2;
    f->top = SIZE_TICK / 2.0;
    f->left = fmax(f->left, f->right);
    legend_measure(f);
    if (f->entries && f->legend.x >= f->area.width) { /* beside the area, and perhaps taller than it */
        f->right = f->legend.x - f->area.width + f->legend.width;
        f->bottom = fmax(f->bottom, f->legend.y + f->legend.height - f->area.height);
    }
}

/* ---- Drawing ---------------------------------------------------------------------------------------------------- */

static const double GRID = 0.12, SOFT = 0.8; /* opacity of grid lines, of the texts of ticks */

static void draw_ticks_x(const struct frame *f, struct drawing *d)
{
    const double bottom = f->area.y + f->area.height;
    const size_t stride = text_stride(&f->ticks_x, &f->across, f->area.width, widest(&f->ticks_x) + GAP);
    for (size_t i = 0; i < f->ticks_x.n; i++) {
        const double x = frame_x(f, f->ticks_x.at[i]);
        if (!f->panel->x.ticks) draw_segment(d, x, f->area.y, x, bottom, 1, 0, paint_faint(drawing_ink, GRID));
        if (i % stride) continue;
        draw_segment(d, x, bottom, x, bottom + TICK, 1, 0, drawing_ink);
        draw_text(d, x, bottom + TICK + GAP + SIZE_TICK * 0.8, f->ticks_x.text[i], SIZE_TICK, ANCHOR_MIDDLE,
                  paint_faint(drawing_ink, SOFT));
    }
}

static void draw_ticks_y(const struct frame *f, struct drawing *d)
{
    const double right = f->area.x + f->area.width;
    const size_t stride = text_stride(&f->ticks_y, &f->up, f->area.height, SIZE_TICK);
    for (size_t i = 0; i < f->ticks_y.n; i++) {
        const double y = frame_y(f, f->ticks_y.at[i]);
        if (!f->panel->y.ticks) draw_segment(d, f->area.x, y, right, y, 1, 0, paint_faint(drawing_ink, GRID));
        if (i % stride) continue;
        draw_segment(d, f->area.x - TICK, y, f->area.x, y, 1, 0, drawing_ink);
        draw_text(d, f->area.x - TICK - GAP, y + SIZE_TICK * 0.36, f->ticks_y.text[i], SIZE_TICK, ANCHOR_END,
                  paint_faint(drawing_ink, SOFT));
    }
}

static void draw_labels(const struct frame *f, struct drawing *d)
{
    const vae_panel *p = f->panel;
    const double bottom = f->area.y + f->area.height, below = TICK + GAP + SIZE_TICK + LABEL_GAP + SIZE_LABEL * 0.8;
    if (p->x.label)
        draw_text(d, f->area.x + f->area.width / 2, bottom + below, p->x.label, SIZE_LABEL, ANCHOR_MIDDLE, drawing_ink);
    const double beside = TICK + GAP + widest(&f->ticks_y) + LABEL_GAP + SIZE_LABEL * 0.2;
    struct primitive *text = p->y.label ? draw_text(d, f->area.x - beside, f->area.y + f->area.height / 2, p->y.label,
                                                    SIZE_LABEL, ANCHOR_MIDDLE, drawing_ink)
                                        : NULL;
    if (text) text->upwards = true;
}

void axes_draw(const struct frame *f, struct drawing *d)
{
    const double bottom = f->area.y + f->area.height, right = f->area.x + f->area.width;
    draw_ticks_x(f, d);
    draw_ticks_y(f, d);
    marks_draw(f, d);
    draw_line(d, 3, (const double[]){f->area.x, f->area.y, f->area.x, bottom, right, bottom}, 1, 0, drawing_ink);
    draw_labels(f, d);
    legend_draw(f, d);
}
