/* SPDX-License-Identifier: MIT
 *
 * Marks of a panel on its axes. Colours are those of Okabe & Ito (2008), "Color Universal Design", then four darker
 * ones (three of them of Tol's muted scheme), and at the end Okabe & Ito's yellow, which is hard to see on white. Their
 * number has no factor in common with that of dashes and shapes, so that the pairs repeat late. */
#include "picture/layout.h"

#include <math.h>

#include "picture/text.h"

static const uint8_t colours[][3] = {{0, 114, 178},  {213, 94, 0},   {0, 158, 115}, {204, 121, 167},
                                     {230, 159, 0},  {86, 180, 233}, {51, 34, 136}, {136, 34, 85},
                                     {153, 153, 51}, {121, 67, 30},  {240, 228, 66}};
enum { COLOURS = sizeof colours / sizeof *colours };

static const double LINE = 1.75, RULE = 1.25, ERROR_BAR = 1.25, POINT = 3.5, CAP = 3, BAND = 0.3, FAINT = 0.5,
                    TEXT_RISE = 0.36; /* from the middle of letters to their base, in sizes of the font */

struct paint mark_paint(vae_mark style)
{
    if (style.series == VAE_INK) return drawing_ink;
    if (style.series < 0) return (struct paint){.red = 136, .green = 136, .blue = 136, .opacity = 1};
    const uint8_t *c = colours[style.series % COLOURS];
    return (struct paint){.red = c[0], .green = c[1], .blue = c[2], .opacity = 1};
}

int mark_dash(vae_mark style) { return style.series < 0 ? 0 : style.series % DASHES; }
int mark_shape(vae_mark style) { return style.series < 0 ? 0 : style.series % POINT_SHAPES; }

static struct paint paint_of(const struct mark *m)
{
    return m->style.faint ? paint_faint(mark_paint(m->style), FAINT) : mark_paint(m->style);
}

static double size_of(const struct mark *m, double usual)
{
    return m->style.size > 0 ? fmin(m->style.size, 100) : usual;
}

/* Dots of point i; false where it has no place. */
static bool place(const struct frame *f, const struct mark *m, size_t i, const double *values, double at[2])
{
    at[0] = frame_x(f, m->x[i]);
    at[1] = frame_y(f, values[i]);
    return isfinite(at[0]) && isfinite(at[1]);
}

static bool inside(const struct frame *f, const double at[2])
{
    const double slack = 0.01;
    return at[0] >= f->area.x - slack && at[0] <= f->area.x + f->area.width + slack && at[1] >= f->area.y - slack &&
           at[1] <= f->area.y + f->area.height + slack;
}

/* ---- Each kind -------------------------------------------------------------------------------------------------- */

/* A point between gaps is a dot. */
static void draw_run(struct drawing *d, const struct mark *m, size_t n, const double *at)
{
    const double thickness = size_of(m, LINE);
    if (n == 1) draw_points(d, 1, at, 1.25 * thickness, 0, paint_of(m));
    if (n > 1) draw_line(d, n, at, thickness, mark_dash(m->style), paint_of(m));
}

static void draw_line_mark(const struct frame *f, const struct mark *m, struct drawing *d)
{
    double *at = store_take(&d->store, m->n, 2 * sizeof *at);
    size_t n = 0;
    for (size_t i = 0; at && i < m->n; i++) {
        if (place(f, m, i, m->y, at + 2 * n)) {
            n++;
        } else {
            draw_run(d, m, n, at);
            n = 0;
        }
    }
    if (at) draw_run(d, m, n, at);
}

/* Corners along the lower line, and back along the upper one. */
static void draw_band_run(const struct frame *f, const struct mark *m, size_t first, size_t n, double *at,
                          struct drawing *d)
{
    for (size_t i = 0; i < n; i++) {
        place(f, m, first + i, m->y, at + 2 * i);
        place(f, m, first + i, m->other, at + 2 * (2 * n - 1 - i));
    }
    if (n > 1) draw_area(d, 2 * n, at, paint_faint(paint_of(m), BAND));
}

static void draw_band(const struct frame *f, const struct mark *m, struct drawing *d)
{
    double low[2], high[2], *at = store_take(&d->store, m->n, 4 * sizeof *at);
    size_t first = 0;
    for (size_t i = 0; at && i < m->n; i++) {
        if (place(f, m, i, m->y, low) && place(f, m, i, m->other, high)) continue;
        draw_band_run(f, m, first, i - first, at, d);
        first = i + 1;
    }
    if (at) draw_band_run(f, m, first, m->n - first, at, d);
}

static void draw_error_bar(const struct frame *f, const struct mark *m, size_t i, struct paint paint, struct drawing *d)
{
    if (!m->other || !is_drawable(m->other[i]) || m->other[i] <= 0) return;
    const double x = frame_x(f, m->x[i]), high = frame_y(f, m->y[i] + m->other[i]);
    double low = frame_y(f, m->y[i] - m->other[i]);
    if (isnan(low)) low = f->area.y + 2 * f->area.height; /* it goes to zero on a logarithmic axis */
    draw_segment(d, x, low, x, high, ERROR_BAR, 0, paint);
    draw_segment(d, x - CAP, low, x + CAP, low, ERROR_BAR, 0, paint);
    draw_segment(d, x - CAP, high, x + CAP, high, ERROR_BAR, 0, paint);
}

static void draw_errors(const struct frame *f, const struct mark *m, struct paint paint, struct drawing *d)
{
    double at[2];
    for (size_t i = 0; m->other && i < m->n; i++)
        if (place(f, m, i, m->y, at)) draw_error_bar(f, m, i, paint, d);
}

/* Those at the edge are whole. */
static void draw_points_mark(const struct frame *f, const struct mark *m, struct drawing *d)
{
    double *at = store_take(&d->store, m->n, 2 * sizeof *at);
    size_t n = 0;
    for (size_t i = 0; at && i < m->n; i++)
        if (place(f, m, i, m->y, at + 2 * n) && inside(f, at + 2 * n)) n++;
    if (n) draw_points(d, n, at, size_of(m, POINT), mark_shape(m->style), paint_of(m));
}

/* Box of bar i, relative to the drawing; false where it has no place. */
static bool bar_box(const struct frame *f, const struct mark *m, size_t i, struct box *box)
{
    double at[2];
    if (!place(f, m, i, m->y, at)) return false;
    const double zero = f->up.log ? f->area.y + f->area.height : frame_y(f, 0);
    const double left = frame_x(f, m->x[i] - m->width / 2), right = frame_x(f, m->x[i] + m->width / 2);
    *box = (struct box){left, fmin(zero, at[1]), right - left, fabs(zero - at[1])};
    return isfinite(left) && isfinite(right);
}

static void draw_bars(const struct frame *f, const struct mark *m, struct drawing *d)
{
    struct box box;
    for (size_t i = 0; i < m->n; i++)
        if (bar_box(f, m, i, &box)) draw_rectangle(d, box.x, box.y, box.width, box.height, paint_of(m));
    draw_errors(f, m, drawing_ink, d);
}

static void draw_rule(const struct frame *f, const struct mark *m, struct drawing *d)
{
    const struct box *a = &f->area;
    const double thickness = size_of(m, RULE);
    const int dash = m->style.series < 0 ? 1 : mark_dash(m->style); /* not to be taken for an axis */
    if (m->kind == MARK_RULE_X) {
        const double x = frame_x(f, *m->x);
        if (isfinite(x)) draw_segment(d, x, a->y, x, a->y + a->height, thickness, dash, paint_of(m));
    } else {
        const double y = frame_y(f, *m->y);
        if (isfinite(y)) draw_segment(d, a->x, y, a->x + a->width, y, thickness, dash, paint_of(m));
    }
}

static bool overlap(const struct box *a, const struct box *b)
{
    return a->x < b->x + b->width && b->x < a->x + a->width && a->y < b->y + b->height && b->y < a->y + a->height;
}

/* The letters of a text of ticks' size whose left end is in the middle of their height. */
static struct box text_box(const char *text, double x, double y)
{
    const double height = 0.8 * SIZE_TICK;
    return (struct box){x, y - height / 2, text_width(text, SIZE_TICK, false), height};
}

/* Does an earlier text mark's text lie within the box? */
static bool hides_text(const struct drawing *d, const struct box *box)
{
    for (const struct primitive *p = d->first; p; p = p->next) {
        if (p->shape != SHAPE_TEXT || p->upwards || p->anchor != ANCHOR_START) continue;
        const struct box other = text_box(p->text, p->x, p->y - SIZE_TICK * TEXT_RISE);
        if (overlap(box, &other)) return true;
    }
    return false;
}

/* Where it would lie on another text, it is moved up or down by at most two lines. */
static void draw_text_mark(const struct frame *f, const struct mark *m, struct drawing *d)
{
    static const double lines[] = {0, -1, 1, -2, 2};
    double at[2];
    if (!m->text || !place(f, m, 0, m->y, at) || !inside(f, at)) return;
    double y = at[1];
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const struct box box = text_box(m->text, at[0], at[1] + lines[i] * SIZE_TICK);
        if (hides_text(d, &box)) continue;
        y = at[1] + lines[i] * SIZE_TICK;
        break;
    }
    draw_text(d, at[0], y + SIZE_TICK * TEXT_RISE, m->text, SIZE_TICK, ANCHOR_START, drawing_ink);
}

static bool is_whole(const struct mark *m)
{
    return m->kind == MARK_RULE_X || m->kind == MARK_RULE_Y ? m->x || m->y : m->x && m->y;
}

void marks_draw(const struct frame *f, struct drawing *d)
{
    static void (*const draw[])(const struct frame *, const struct mark *, struct drawing *) = {
        [MARK_LINE] = draw_line_mark, [MARK_BAND] = draw_band,   [MARK_POINTS] = draw_points_mark,
        [MARK_BARS] = draw_bars,      [MARK_RULE_X] = draw_rule, [MARK_RULE_Y] = draw_rule,
        [MARK_TEXT] = draw_text_mark};
    const struct box *a = &f->area;
    const double edge = 1; /* half the width of a line along the limit */
    for (const struct mark *m = f->panel->first; m; m = m->next) {
        if (!is_whole(m)) continue;
        const bool clipped = m->kind != MARK_POINTS && m->kind != MARK_TEXT;
        if (clipped || m->other) draw_clip(d, a->x - edge, a->y - edge, a->width + 2 * edge, a->height + 2 * edge);
        if (!clipped) draw_errors(f, m, paint_of(m), d);
        if (!clipped && m->other) draw_unclip(d);
        draw[m->kind](f, m, d);
        if (clipped) draw_unclip(d);
    }
}

/* ---- What is where ---------------------------------------------------------------------------------------------- */

/* Does the part of a straight line from `a` to `b` lie in the box? Liang & Barsky (1984). */
static bool segment_touches(const struct box *box, const double a[2], const double b[2])
{
    const double low[] = {box->x, box->y}, high[] = {box->x + box->width, box->y + box->height};
    double from = 0, to = 1;
    for (size_t k = 0; k < 2; k++) {
        const double step = b[k] - a[k];
        if (step == 0 && (a[k] < low[k] || a[k] > high[k])) return false;
        if (step == 0) continue;
        const double p = (low[k] - a[k]) / step, q = (high[k] - a[k]) / step;
        from = fmax(from, fmin(p, q));
        to = fmin(to, fmax(p, q));
    }
    return from <= to;
}

/* The part of the mark that begins at point i. */
static bool part_touches(const struct frame *f, const struct mark *m, size_t i, const struct box *box)
{
    double at[2], next[2], high[2];
    struct box bar;
    if (!place(f, m, i, m->y, at)) return false;
    const double reach = m->other && m->kind != MARK_BAND && is_drawable(m->other[i]) ? m->other[i] : 0;
    const double low_end[] = {at[0], frame_y(f, m->y[i] - reach)}, high_end[] = {at[0], frame_y(f, m->y[i] + reach)};
    if (reach > 0 && segment_touches(box, low_end, high_end)) return true;
    if (m->kind == MARK_BARS) return bar_box(f, m, i, &bar) && overlap(box, &bar);
    if (m->kind == MARK_TEXT) {
        bar = (struct box){at[0], at[1] - SIZE_TICK, text_width(m->text ? m->text : "", SIZE_TICK, false),
                           2 * SIZE_TICK};
        return overlap(box, &bar);
    }
    if (m->kind == MARK_BAND && place(f, m, i, m->other, high) && segment_touches(box, at, high)) return true;
    const bool joined = m->kind != MARK_POINTS && i + 1 < m->n && place(f, m, i + 1, m->y, next);
    return segment_touches(box, at, joined ? next : at);
}

bool marks_touch(const struct frame *f, struct box box)
{
    const struct box *a = &f->area;
    for (const struct mark *m = f->panel->first; m; m = m->next) {
        if (!is_whole(m)) continue;
        if (m->kind == MARK_RULE_X || m->kind == MARK_RULE_Y) {
            const double x = m->kind == MARK_RULE_X ? frame_x(f, *m->x) : 0;
            const double y = m->kind == MARK_RULE_Y ? frame_y(f, *m->y) : 0;
            const double from[] = {m->kind == MARK_RULE_X ? x : a->x, m->kind == MARK_RULE_X ? a->y : y};
            const double to[] = {m->kind == MARK_RULE_X ? x : a->x + a->width,
                                 m->kind == MARK_RULE_X ? a->y + a->height : y};
            if (segment_touches(&box, from, to)) return true;
            continue;
        }
        for (size_t i = 0; i < m->n; i++)
            if (part_touches(f, m, i, &box)) return true;
    }
    return false;
}
