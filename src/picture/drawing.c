/* SPDX-License-Identifier: MIT */
#include "picture/drawing.h"

#include <string.h>

const struct paint drawing_ink = {.red = 34, .green = 34, .blue = 34, .ink = true, .opacity = 1};

const double dash_pattern[DASHES][MOST_DASH + 1] = {
    {0}, {4, 2}, {1.2, 1.4}, {5, 1.6, 1.2, 1.6}, {8, 2.5}, {5, 1.5, 1.2, 1.5, 1.2, 1.5}};

/* All about as large as the circle, to the eye. */
#define CORNERS(...)                                                                                                   \
    (const double[][2]) { __VA_ARGS__ }
const struct point_shape point_shape[POINT_SHAPES] = {
    {true, 0, 0, NULL},
    {true, 4, 0, CORNERS({-0.89, -0.89}, {0.89, -0.89}, {0.89, 0.89}, {-0.89, 0.89})},
    {true, 3, 0, CORNERS({0, -1.3}, {1.2, 0.85}, {-1.2, 0.85})},
    {true, 4, 0, CORNERS({0, -1.3}, {1.3, 0}, {0, 1.3}, {-1.3, 0})},
    {false, 2, 2, CORNERS({-1, -1}, {1, 1}, {-1, 1}, {1, -1})},
    {true, 3, 0, CORNERS({0, 1.3}, {1.2, -0.85}, {-1.2, -0.85})},
    {false, 2, 2, CORNERS({-1.2, 0}, {1.2, 0}, {0, -1.2}, {0, 1.2})},
    {false, 0, 0, NULL},
    {false, 5, 1, CORNERS({-0.89, -0.89}, {0.89, -0.89}, {0.89, 0.89}, {-0.89, 0.89}, {-0.89, -0.89})},
    {false, 4, 1, CORNERS({0, -1.3}, {1.2, 0.85}, {-1.2, 0.85}, {0, -1.3})},
};

struct paint paint_faint(struct paint paint, double opacity)
{
    paint.opacity *= opacity;
    return paint;
}

static struct primitive *add(struct drawing *d, enum shape shape, struct paint paint)
{
    struct primitive *p = store_take(&d->store, 1, sizeof *p);
    if (!p) return NULL;
    p->shape = shape;
    p->paint = paint;
    if (d->last)
        d->last->next = p;
    else
        d->first = p;
    return d->last = p;
}

static struct primitive *add_box(struct drawing *d, enum shape shape, double x, double y, double width, double height,
                                 struct paint paint)
{
    struct primitive *p = add(d, shape, paint);
    if (!p) return NULL;
    p->x = x;
    p->y = y;
    p->width = width;
    p->height = height;
    return p;
}

static struct primitive *add_corners(struct drawing *d, enum shape shape, size_t n, const double *at,
                                     struct paint paint)
{
    const double *copy = store_numbers(&d->store, 2 * n, at);
    struct primitive *p = copy ? add(d, shape, paint) : NULL;
    if (!p) return NULL;
    p->n = n;
    p->at = copy;
    return p;
}

void draw_rectangle(struct drawing *d, double x, double y, double width, double height, struct paint paint)
{
    add_box(d, SHAPE_RECTANGLE, x, y, width, height, paint);
}

void draw_line(struct drawing *d, size_t n, const double *at, double thickness, int dash, struct paint paint)
{
    struct primitive *p = add_corners(d, SHAPE_LINE, n, at, paint);
    if (!p) return;
    p->size = thickness;
    p->style = dash;
}

void draw_segment(struct drawing *d, double x0, double y0, double x1, double y1, double thickness, int dash,
                  struct paint paint)
{
    draw_line(d, 2, (const double[]){x0, y0, x1, y1}, thickness, dash, paint);
}

void draw_area(struct drawing *d, size_t n, const double *at, struct paint paint)
{
    add_corners(d, SHAPE_AREA, n, at, paint);
}

void draw_points(struct drawing *d, size_t n, const double *at, double radius, int shape, struct paint paint)
{
    struct primitive *p = add_corners(d, SHAPE_POINTS, n, at, paint);
    if (!p) return;
    p->size = radius;
    p->style = shape;
}

struct primitive *draw_text(struct drawing *d, double x, double y, const char *text, double size, enum anchor anchor,
                            struct paint paint)
{
    const char *copy = store_text(&d->store, text);
    struct primitive *p = copy ? add_box(d, SHAPE_TEXT, x, y, 0, 0, paint) : NULL;
    if (!p) return NULL;
    p->text = copy;
    p->size = size;
    p->anchor = anchor;
    return p;
}

void draw_image(struct drawing *d, double x, double y, double width, double height, struct canvas image)
{
    struct primitive *p = add_box(d, SHAPE_IMAGE, x, y, width, height, drawing_ink);
    if (p) p->image = image;
}

void draw_clip(struct drawing *d, double x, double y, double width, double height)
{
    add_box(d, SHAPE_CLIP, x, y, width, height, drawing_ink);
}

void draw_unclip(struct drawing *d) { add(d, SHAPE_UNCLIP, drawing_ink); }
