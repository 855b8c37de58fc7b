/* SPDX-License-Identifier: MIT
 *
 * The legend of a panel: in a corner where it hides nothing, else to the right of the plotting area. Marks of one name
 * share an entry. */
#include "picture/layout.h"

#include <math.h>
#include <string.h>

#include "picture/text.h"

enum { KEY = 24, KEY_GAP = 7, LINE_HEIGHT = 17, INSET = 8, OUTSIDE = 14 };

/* Is it the first mark of its name? */
static bool is_entry(const struct frame *f, const struct mark *mark)
{
    if (!mark->style.name) return false;
    const struct mark *m = f->panel->first;
    while (m != mark && !(m->style.name && !strcmp(m->style.name, mark->style.name))) m = m->next;
    return m == mark;
}

void legend_measure(struct frame *f)
{
    struct box *l = &f->legend;
    for (const struct mark *m = f->panel->first; m; m = m->next) {
        if (!is_entry(f, m)) continue;
        f->entries++;
        l->width = fmax(l->width, KEY + KEY_GAP + text_width(m->style.name, SIZE_TICK, false));
    }
    l->height = (double)f->entries * LINE_HEIGHT;
    const double right = f->area.width - l->width - INSET, low = f->area.height - l->height - INSET;
    const struct box corners[] = {
        {right, INSET, l->width, l->height},
        {INSET, INSET, l->width, l->height},
        {right, low, l->width, l->height},
        {INSET, low, l->width, l->height},
    };
    for (size_t i = 0; i < sizeof corners / sizeof *corners && f->entries; i++) {
        const struct box around = {corners[i].x - 4, corners[i].y - 4, l->width + 8, l->height + 8};
        if (l->width > 0.6 * f->area.width || l->height > 0.6 * f->area.height || marks_touch(f, around)) continue;
        *l = corners[i];
        return;
    }
    l->x = f->area.width + OUTSIDE;
}

static void draw_key(const struct mark *m, double x, double y, struct drawing *d)
{
    const struct paint paint = m->style.faint ? paint_faint(mark_paint(m->style), 0.5) : mark_paint(m->style);
    const bool rule = m->kind == MARK_RULE_X || m->kind == MARK_RULE_Y;
    const double middle[] = {x + KEY / 2.0, y};
    if (m->kind == MARK_LINE || rule)
        draw_segment(d, x, y, x + KEY, y, rule ? 1.25 : 1.75, rule && m->style.series < 0 ? 1 : mark_dash(m->style),
                     paint);
    if (m->kind == MARK_BAND) draw_rectangle(d, x, y - 5, KEY, 10, paint_faint(paint, 0.3));
    if (m->kind == MARK_BARS) draw_rectangle(d, x + KEY / 2.0 - 5, y - 5, 10, 10, paint);
    if (m->kind == MARK_POINTS) draw_points(d, 1, middle, 3.5, mark_shape(m->style), mark_paint(m->style));
}

void legend_draw(const struct frame *f, struct drawing *d)
{
    const double x = f->area.x + f->legend.x;
    double y = f->area.y + f->legend.y + LINE_HEIGHT / 2.0;
    for (const struct mark *m = f->panel->first; m; m = m->next) {
        if (!is_entry(f, m)) continue;
        for (const struct mark *same = m; same; same = same->next)
            if (same->style.name && !strcmp(same->style.name, m->style.name)) draw_key(same, x, y, d);
        draw_text(d, x + KEY + KEY_GAP, y + SIZE_TICK * 0.36, m->style.name, SIZE_TICK, ANCHOR_START, drawing_ink);
        y += LINE_HEIGHT;
    }
}
