/* SPDX-License-Identifier: MIT
 *
 * A drawing in dots. A dot has 4 x 4 samples; a primitive marks those that it covers, and what share of a dot's samples
 * is marked says how much of the primitive's colour it takes. So lines that cross themselves, and areas made of parts,
 * are one surface. Images and letters keep to whole dots. */
#include "picture/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "picture/text.h"

enum { SUB = 4, SAMPLES = SUB * SUB, MOST_SIDE = 32768, MOST_DOTS = 1 << 28 };

/* Dots from (left, top) up to but not including (right, bottom). */
struct area {
    long left, top, right, bottom;
};

struct page {
    struct canvas canvas;
    uint16_t *mask; /* a bit a sample; all zero between primitives */
    double scale;
    struct area clip;
};

static long between(double value, long low, long high)
{
    return value <= (double)low ? low : value >= (double)high ? high : (long)value;
}

/* The dots that lie in the box, in dots, and in what is shown. */
static struct area area_of(const struct page *page, double left, double top, double right, double bottom)
{
    const struct area *c = &page->clip;
    return (struct area){between(floor(left), c->left, c->right), between(floor(top), c->top, c->bottom),
                         between(ceil(right), c->left, c->right), between(ceil(bottom), c->top, c->bottom)};
}

static void blend(uint8_t *dot, struct paint paint, double share)
{
    const double part = paint.opacity * share;
    const uint8_t colour[] = {paint.red, paint.green, paint.blue};
    for (size_t k = 0; k < 3; k++) dot[k] = (uint8_t)(dot[k] + part * (colour[k] - dot[k]) + 0.5);
}

static uint8_t *dot_at(const struct page *page, long x, long y)
{
    return page->canvas.pixels + 3 * ((size_t)y * page->canvas.width + (size_t)x);
}

static uint16_t *mask_at(const struct page *page, long x, long y)
{
    return page->mask + (size_t)y * page->canvas.width + (size_t)x;
}

/* Paints what is marked in the area, and clears the marks. */
static void paint_marks(struct page *page, struct area area, struct paint paint)
{
    for (long y = area.top; y < area.bottom; y++)
        for (long x = area.left; x < area.right; x++) {
            uint16_t *mask = mask_at(page, x, y);
            if (*mask) blend(dot_at(page, x, y), paint, __builtin_popcount(*mask) / (double)SAMPLES);
            *mask = 0;
        }
}

/* ---- What covers a sample --------------------------------------------------------------------------------------- */

/* All that is within `half` of the way from (x0,y0) to (x1,y1), with round ends, or flat ones; a way of no length and
 * round ends is a disc. */
struct stroke {
    double x0, y0, x1, y1, half;
    bool flat0, flat1;
};

static bool stroke_covers(const struct stroke *s, double x, double y)
{
    const double dx = s->x1 - s->x0, dy = s->y1 - s->y0, length = dx * dx + dy * dy;
    const double along = length > 0 ? ((x - s->x0) * dx + (y - s->y0) * dy) / length : 0;
    if ((s->flat0 && along < 0) || (s->flat1 && along > 1)) return false;
    const double t = fmax(0, fmin(1, along)), ex = x - s->x0 - t * dx, ey = y - s->y0 - t * dy;
    return ex * ex + ey * ey <= s->half * s->half;
}

static struct area stroke_area(const struct page *page, const struct stroke *s)
{
    return area_of(page, fmin(s->x0, s->x1) - s->half, fmin(s->y0, s->y1) - s->half, fmax(s->x0, s->x1) + s->half,
                   fmax(s->y0, s->y1) + s->half);
}

static void mark_stroke(struct page *page, const struct stroke *s)
{
    const struct area area = stroke_area(page, s);
    for (long y = area.top; y < area.bottom; y++)
        for (long x = area.left; x < area.right; x++)
            for (int i = 0; i < SAMPLES; i++)
                if (stroke_covers(s, (double)x + (i % SUB + 0.5) / SUB, (double)y + ((i / SUB) + 0.5) / SUB))
                    *mask_at(page, x, y) |= (uint16_t)(1U << i);
}

/* Turns the marks of a row of samples over from x on: where an even number of edges has passed, there is none. */
static void flip_from(struct page *page, struct area area, long row, double x)
{
    for (long k = between(ceil(x * SUB - 0.5), area.left * SUB, area.right * SUB); k < area.right * SUB; k++)
        *mask_at(page, k / SUB, row / SUB) ^= (uint16_t)(1U << (row % SUB * SUB + k % SUB));
}

/* One edge of a polygon, in each row of samples that it crosses. */
static void mark_edge(struct page *page, struct area area, const double a[2], const double b[2])
{
    const double s = page->scale, low = fmin(a[1], b[1]) * s, high = fmax(a[1], b[1]) * s;
    for (long row = between(ceil(low * SUB - 0.5), area.top * SUB, area.bottom * SUB); row < area.bottom * SUB; row++) {
        const double y = ((double)row + 0.5) / SUB;
        if (y >= high) return;
        flip_from(page, area, row, a[0] * s + (y - a[1] * s) / (b[1] - a[1]) * (b[0] - a[0]));
    }
}

/* ---- Primitives ------------------------------------------------------------------------------------------------- */

/* What n corners span, grown by `more` dots. */
static struct area span_of(const struct page *page, size_t n, const double *at, double more)
{
    double left = INFINITY, top = INFINITY, right = -INFINITY, bottom = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        left = fmin(left, at[2 * i]);
        right = fmax(right, at[2 * i]);
        top = fmin(top, at[2 * i + 1]);
        bottom = fmax(bottom, at[2 * i + 1]);
    }
    const double s = page->scale;
    return area_of(page, left * s - more, top * s - more, right * s + more, bottom * s + more);
}

static void paint_polygon(struct page *page, size_t n, const double *at, struct paint paint)
{
    const struct area area = span_of(page, n, at, 0);
    for (size_t i = 0; i < n; i++) mark_edge(page, area, at + 2 * i, at + 2 * ((i + 1) % n));
    paint_marks(page, area, paint);
}

static void paint_area(struct page *page, const struct primitive *p) { paint_polygon(page, p->n, p->at, p->paint); }

static void paint_rectangle(struct page *page, const struct primitive *p)
{
    const double x1 = p->x + p->width, y1 = p->y + p->height;
    paint_polygon(page, 4, (const double[]){p->x, p->y, x1, p->y, x1, y1, p->x, y1}, p->paint);
}

/* Where on its pattern of dashes a line is. */
struct dashes {
    const double *pattern; /* in widths of the line */
    size_t at;
    double left, width; /* dots to the end of this dash or gap; width of the line in dots */
};

static void next_dash(struct dashes *d)
{
    if (!(d->pattern[++d->at] > 0)) d->at = 0;
    d->left = d->pattern[d->at] * d->width;
}

/* The way from a to b, in dots, cut into dashes; its ends are flat at those of the line. */
static void mark_way(struct page *page, struct dashes *d, struct stroke way)
{
    const double dx = way.x1 - way.x0, dy = way.y1 - way.y0, length = sqrt(dx * dx + dy * dy);
    const struct area seen = stroke_area(page, &way);
    if (!*d->pattern || seen.left >= seen.right || seen.top >= seen.bottom) {
        mark_stroke(page, &way);
        return;
    }
    for (double from = 0; from < length;) {
        const double to = fmin(length, from + d->left);
        const struct stroke part = {way.x0 + dx * from / length,
                                    way.y0 + dy * from / length,
                                    way.x0 + dx * to / length,
                                    way.y0 + dy * to / length,
                                    way.half,
                                    from > 0 || way.flat0,
                                    to < length || way.flat1};
        if (d->at % 2 == 0) mark_stroke(page, &part);
        d->left -= to - from;
        if (to < length || d->left <= 0) next_dash(d);
        from = to;
    }
}

static void mark_ways(struct page *page, size_t n, const double *at, double width, const double *pattern)
{
    const double s = page->scale;
    struct dashes dashes = {.pattern = pattern, .left = *pattern * width * s, .width = width * s};
    for (size_t i = 0; i + 1 < n; i++) {
        const double *a = at + 2 * i, *b = a + 2;
        mark_way(page, &dashes,
                 (struct stroke){a[0] * s, a[1] * s, b[0] * s, b[1] * s, width * s / 2, i == 0, i + 2 == n});
    }
}

static void paint_line(struct page *page, const struct primitive *p)
{
    mark_ways(page, p->n, p->at, p->size, dash_pattern[p->style]);
    paint_marks(page, span_of(page, p->n, p->at, p->size * page->scale), p->paint);
}

enum { RING = 24, MOST_CORNERS = RING + 1 };
static const double OUTLINE = 1.5;

/* Corners of a shape around (x,y); those of a circle without corners of its own are RING + 1. */
static size_t corners_of(const struct point_shape *shape, double radius, double x, double y,
                         double at[2 * MOST_CORNERS])
{
    const size_t n = shape->n ? shape->n * (shape->strokes ? shape->strokes : 1) : RING + 1;
    for (size_t i = 0; i < n; i++) {
        const double angle = 2 * 3.14159265358979323846 * (double)i / RING;
        at[2 * i] = x + radius * (shape->n ? shape->at[i][0] : cos(angle));
        at[2 * i + 1] = y + radius * (shape->n ? shape->at[i][1] : sin(angle));
    }
    return n;
}

static void paint_point(struct page *page, const struct primitive *p, double x, double y)
{
    double at[2 * MOST_CORNERS] = {0};
    const struct point_shape *shape = &point_shape[p->style];
    const size_t n = corners_of(shape, p->size, x, y, at), strokes = shape->strokes ? shape->strokes : 1;
    if (shape->filled) {
        paint_polygon(page, n, at, p->paint);
        return;
    }
    for (size_t i = 0; i < strokes; i++)
        mark_ways(page, n / strokes, at + 2 * i * (n / strokes), OUTLINE, dash_pattern[0]);
    paint_marks(page, span_of(page, n, at, OUTLINE * page->scale), p->paint);
}

static void paint_points(struct page *page, const struct primitive *p)
{
    for (size_t i = 0; i < p->n; i++) paint_point(page, p, p->at[2 * i], p->at[2 * i + 1]);
}

/* A letter's dot, of zoom x zoom dots of the page. */
static void paint_letter_dot(struct page *page, double x, double y, double zoom, struct paint paint)
{
    const struct area area = area_of(page, x, y, x + zoom, y + zoom);
    for (long i = area.top; i < area.bottom; i++)
        for (long j = area.left; j < area.right; j++) blend(dot_at(page, j, i), paint, 1);
}

/* Dots of the picture that a dot of a letter takes: one where the figure is made small. */
static double letter_zoom(const struct primitive *p, double scale)
{
    return fmax(1, floor(p->size * scale / 12 + 0.5));
}

static double text_length(const struct primitive *p, double scale)
{
    size_t letters = 0;
    for (const char *at = p->text; *at; letters++) text_next(&at);
    return (double)(letters * FONT_WIDTH) * letter_zoom(p, scale);
}

void dots_widen(struct drawing *d, double scale)
{
    for (const struct primitive *p = d->first; p; p = p->next)
        if (p->shape == SHAPE_TEXT && p->anchor == ANCHOR_START && !p->upwards)
            d->width = fmax(d->width, p->x + text_length(p, scale) / scale);
}

/* Letters are of whole dots. Their base is at y; upwards, their base is at x, and they go up from y. */
static void paint_text(struct page *page, const struct primitive *p)
{
    static const double starts[] = {[ANCHOR_START] = 0, [ANCHOR_MIDDLE] = 0.5, [ANCHOR_END] = 1};
    const double zoom = letter_zoom(p, page->scale);
    size_t letters = 0;
    for (const char *at = p->text; *at; letters++) text_next(&at);
    const double length = (double)(letters * FONT_WIDTH) * zoom - zoom, before = starts[p->anchor] * length;
    const double x = floor(p->x * page->scale + 0.5), y = floor(p->y * page->scale + 0.5);
    const char *at = p->text;
    for (size_t k = 0; k < letters; k++) {
        const uint8_t *columns = font_letter(text_next(&at));
        for (size_t i = 0; i < FONT_WIDTH - 1; i++)
            for (size_t row = 0; row < FONT_ROWS; row++) {
                if (!(columns[i] >> row & 1)) continue;
                const double along = floor((double)(k * FONT_WIDTH + i) * zoom - before);
                const double down = ((double)row - FONT_BASE) * zoom;
                if (p->upwards)
                    paint_letter_dot(page, x + down, y - along - zoom, zoom, p->paint);
                else
                    paint_letter_dot(page, x + along, y + down, zoom, p->paint);
            }
    }
}

/* Of a pixel's channels the grey or colour, and how opaque it is. */
static struct paint pixel_paint(const struct canvas *image, const uint8_t *pixel)
{
    const bool grey = image->channels < 3, alpha = image->channels % 2 == 0;
    return (struct paint){.red = pixel[0],
                          .green = pixel[grey ? 0 : 1],
                          .blue = pixel[grey ? 0 : 2],
                          .opacity = alpha ? pixel[image->channels - 1] / 255.0 : 1};
}

/* Each dot has the pixel that its middle is in. */
static void paint_image(struct page *page, const struct primitive *p)
{
    const struct canvas *image = &p->image;
    const double s = page->scale, left = floor(p->x * s + 0.5), top = floor(p->y * s + 0.5);
    const double width = floor((p->x + p->width) * s + 0.5) - left, height = floor((p->y + p->height) * s + 0.5) - top;
    const struct area area = area_of(page, left, top, left + width, top + height);
    for (long y = area.top; y < area.bottom; y++)
        for (long x = area.left; x < area.right; x++) {
            const size_t row = (size_t)(((double)y + 0.5 - top) / height * (double)image->height);
            const size_t column = (size_t)(((double)x + 0.5 - left) / width * (double)image->width);
            const uint8_t *pixel = image->pixels + (row * image->width + column) * image->channels;
            blend(dot_at(page, x, y), pixel_paint(image, pixel), 1);
        }
}

static void begin_clip(struct page *page, const struct primitive *p)
{
    const double s = page->scale;
    page->clip = area_of(page, p->x * s, p->y * s, (p->x + p->width) * s, (p->y + p->height) * s);
}

static void end_clip(struct page *page, const struct primitive *p)
{
    (void)p;
    page->clip = (struct area){0, 0, (long)page->canvas.width, (long)page->canvas.height};
}

/* ---- The page --------------------------------------------------------------------------------------------------- */

static vae_status check_size(double width, double height, const char *path, vae_error *err)
{
    if (width <= MOST_SIDE && height <= MOST_SIDE && width * height <= MOST_DOTS) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "%s: a picture of %.0f x %.0f dots is too large (at most %d a side, %d in all)",
                    path, width, height, MOST_SIDE, MOST_DOTS);
}

vae_status dots_paint(const struct drawing *d, double scale, const char *path, struct canvas *canvas, vae_error *err)
{
    static void (*const paint[])(struct page *, const struct primitive *) = {
        [SHAPE_RECTANGLE] = paint_rectangle, [SHAPE_LINE] = paint_line, [SHAPE_AREA] = paint_area,
        [SHAPE_POINTS] = paint_points,       [SHAPE_TEXT] = paint_text, [SHAPE_IMAGE] = paint_image,
        [SHAPE_CLIP] = begin_clip,           [SHAPE_UNCLIP] = end_clip};
    const double width = ceil(d->width * scale), height = ceil(d->height * scale);
    vae_status status = check_size(width, height, path, err);
    if (status) return status;
    struct page page = {.canvas = {(size_t)width, (size_t)height, 3, NULL}, .scale = scale};
    const size_t dots = page.canvas.width * page.canvas.height;
    page.canvas.pixels = mem_new(dots, 3, err);
    page.mask = page.canvas.pixels ? mem_new(dots, sizeof *page.mask, err) : NULL;
    if (!page.mask) {
        free(page.canvas.pixels);
        return VAE_E_MEMORY;
    }
    memset(page.canvas.pixels, 255, 3 * dots);
    end_clip(&page, NULL);
    for (const struct primitive *p = d->first; p; p = p->next) paint[p->shape](&page, p);
    free(page.mask);
    *canvas = page.canvas;
    return VAE_OK;
}

void dots_make_grey(struct canvas *canvas)
{
    const size_t dots = canvas->width * canvas->height;
    const uint8_t *rgb = canvas->pixels;
    for (size_t i = 0; i < dots; i++)
        if (rgb[3 * i] != rgb[3 * i + 1] || rgb[3 * i] != rgb[3 * i + 2]) return;
    for (size_t i = 0; i < dots; i++) canvas->pixels[i] = rgb[3 * i];
    canvas->channels = 1;
}
