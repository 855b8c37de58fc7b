/* SPDX-License-Identifier: MIT
 *
 * A drawing as SVG 1.1. Text stays text, in whatever sans-serif font there is; images are PNGs in base 64. What has the
 * colour of ink is drawn in currentColor and has the class "ink", so that a page needs one rule of CSS to recolour it.
 * No element has an id: several figures may stand in one page. */
#include "picture/buffer.h"
#include "picture/drawing.h"
#include "picture/picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static void put_attribute(struct buffer *b, const char *name, double value)
{
    buffer_text(b, " ");
    buffer_text(b, name);
    buffer_text(b, "=\"");
    buffer_number(b, value);
    buffer_text(b, "\"");
}

static void put_escaped(struct buffer *b, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '<': buffer_text(b, "&lt;"); break;
        case '>': buffer_text(b, "&gt;"); break;
        case '&': buffer_text(b, "&amp;"); break;
        case '"': buffer_text(b, "&quot;"); break;
        case '\'': buffer_text(b, "&#39;"); break;
        default: buffer_add(b, text, 1);
        }
    }
}

/* `how` is "fill" or "stroke". */
static void put_paint(struct buffer *b, const char *how, struct paint paint)
{
    char text[96];
    if (paint.ink)
        snprintf(text, sizeof text, " class=\"ink\" %s=\"currentColor\"", how);
    else
        snprintf(text, sizeof text, " %s=\"#%02x%02x%02x\"", how, paint.red, paint.green, paint.blue);
    buffer_text(b, text);
    snprintf(text, sizeof text, "%s-opacity", how);
    if (paint.opacity < 1) put_attribute(b, text, paint.opacity);
}

static void put_box(struct buffer *b, const struct primitive *p)
{
    put_attribute(b, "x", p->x);
    put_attribute(b, "y", p->y);
    put_attribute(b, "width", p->width);
    put_attribute(b, "height", p->height);
}

static void put_rectangle(struct buffer *b, const struct primitive *p)
{
    buffer_text(b, "<rect");
    put_box(b, p);
    put_paint(b, "fill", p->paint);
    buffer_text(b, "/>\n");
}

static void put_pair(struct buffer *b, double x, double y)
{
    buffer_number(b, x);
    buffer_text(b, ",");
    buffer_number(b, y);
}

static void put_corners(struct buffer *b, const struct primitive *p)
{
    buffer_text(b, " points=\"");
    for (size_t i = 0; i < p->n; i++) {
        if (i) buffer_text(b, " ");
        put_pair(b, p->at[2 * i], p->at[2 * i + 1]);
    }
    buffer_text(b, "\"");
}

static void put_dash(struct buffer *b, const struct primitive *p)
{
    const double *dash = dash_pattern[p->style];
    if (!*dash) return;
    buffer_text(b, " stroke-dasharray=\"");
    for (size_t i = 0; dash[i] > 0; i++) {
        if (i) buffer_text(b, " ");
        buffer_number(b, dash[i] * p->size);
    }
    buffer_text(b, "\"");
}

static void put_line(struct buffer *b, const struct primitive *p)
{
    buffer_text(b, "<polyline fill=\"none\"");
    put_paint(b, "stroke", p->paint);
    put_attribute(b, "stroke-width", p->size);
    put_dash(b, p);
    if (p->n > 2) buffer_text(b, " stroke-linejoin=\"round\"");
    put_corners(b, p);
    buffer_text(b, "/>\n");
}

static void put_area(struct buffer *b, const struct primitive *p)
{
    buffer_text(b, "<polygon");
    put_paint(b, "fill", p->paint);
    put_corners(b, p);
    buffer_text(b, "/>\n");
}

/* One point at (x, y). */
static void put_point(struct buffer *b, const struct point_shape *shape, double radius, double x, double y)
{
    if (!shape->n) {
        buffer_text(b, "<circle");
        put_attribute(b, "cx", x);
        put_attribute(b, "cy", y);
        put_attribute(b, "r", radius);
    } else {
        const size_t corners = shape->n * (shape->strokes ? shape->strokes : 1);
        buffer_text(b, "<path d=\"");
        for (size_t i = 0; i < corners; i++) {
            buffer_text(b, i % shape->n ? "L" : "M");
            put_pair(b, x + radius * shape->at[i][0], y + radius * shape->at[i][1]);
        }
        buffer_text(b, shape->filled ? "Z\"" : "\"");
    }
    buffer_text(b, "/>\n");
}

static void put_points(struct buffer *b, const struct primitive *p)
{
    const struct point_shape *shape = &point_shape[p->style];
    buffer_text(b, "<g");
    if (!shape->filled) buffer_text(b, " fill=\"none\" stroke-width=\"1.5\"");
    put_paint(b, shape->filled ? "fill" : "stroke", p->paint);
    buffer_text(b, ">\n");
    for (size_t i = 0; i < p->n; i++) put_point(b, shape, p->size, p->at[2 * i], p->at[2 * i + 1]);
    buffer_text(b, "</g>\n");
}

static void put_text(struct buffer *b, const struct primitive *p)
{
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    buffer_text(b, "<text");
    if (p->upwards) {
        buffer_text(b, " transform=\"translate(");
        put_pair(b, p->x, p->y);
        buffer_text(b, ") rotate(-90)\"");
    } else {
        put_attribute(b, "x", p->x);
        put_attribute(b, "y", p->y);
    }
    put_attribute(b, "font-size", p->size);
    buffer_text(b, anchors[p->anchor]);
    if (p->bold) buffer_text(b, " font-weight=\"bold\"");
    put_paint(b, "fill", p->paint);
    buffer_text(b, ">");
    put_escaped(b, p->text);
    buffer_text(b, "</text>\n");
}

/* The image with each pixel repeated as often as it has whole dots: viewers smooth what they enlarge themselves,
 * librsvg in spite of image-rendering. Pixels NULL without memory. */
static struct canvas enlarged(const struct primitive *p)
{
    const struct canvas *image = &p->image;
    const size_t wide = (size_t)fmax(1, p->width / (double)image->width), bytes = image->channels;
    const size_t high = (size_t)fmax(1, p->height / (double)image->height);
    struct canvas large = {wide * image->width, high * image->height, bytes, NULL};
    large.pixels = mem_new(large.width * large.height, bytes, NULL);
    for (size_t y = 0; large.pixels && y < large.height; y++)
        for (size_t x = 0; x < large.width; x++)
            memcpy(large.pixels + (y * large.width + x) * bytes,
                   image->pixels + (y / high * image->width + x / wide) * bytes, bytes);
    return large;
}

static void put_image(struct buffer *b, const struct primitive *p)
{
    struct buffer png = {0};
    struct canvas large = enlarged(p);
    if (large.pixels) png_encode(&large, NULL, &png);
    if (png.failed || !large.pixels) b->failed = true;
    buffer_text(b, "<image");
    put_box(b, p);
    buffer_text(b, " href=\"data:image/png;base64,");
    buffer_base64(b, png.bytes, png.size);
    buffer_text(b, "\"/>\n");
    free(png.bytes);
    free(large.pixels);
}

/* An <svg> within another one clips what it holds. */
static void put_clip(struct buffer *b, const struct primitive *p)
{
    buffer_text(b, "<svg");
    put_box(b, p);
    buffer_text(b, " viewBox=\"");
    put_pair(b, p->x, p->y);
    buffer_text(b, " ");
    put_pair(b, p->width, p->height);
    buffer_text(b, "\">\n");
}

static void put_unclip(struct buffer *b, const struct primitive *p)
{
    (void)p;
    buffer_text(b, "</svg>\n");
}

static void put_head(struct buffer *b, const struct drawing *d, double scale, bool paper)
{
    buffer_text(b, "<svg xmlns=\"http://www.w3.org/2000/svg\"");
    put_attribute(b, "width", d->width * scale);
    put_attribute(b, "height", d->height * scale);
    buffer_text(b, " viewBox=\"0 0 ");
    put_pair(b, d->width, d->height);
    buffer_text(b, "\" role=\"img\" aria-label=\"");
    put_escaped(b, d->title);
    buffer_text(b, "\" font-family=\"Helvetica, Arial, sans-serif\" style=\"image-rendering:pixelated\"");
    buffer_text(b, paper ? " color=\"#222\">\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n" : ">\n");
}

vae_status svg_encode(const struct drawing *d, double scale, bool paper, struct buffer *b, vae_error *err)
{
    static void (*const put[])(struct buffer *, const struct primitive *) = {
        [SHAPE_RECTANGLE] = put_rectangle, [SHAPE_LINE] = put_line,    [SHAPE_AREA] = put_area,
        [SHAPE_POINTS] = put_points,       [SHAPE_TEXT] = put_text,    [SHAPE_IMAGE] = put_image,
        [SHAPE_CLIP] = put_clip,           [SHAPE_UNCLIP] = put_unclip};
    put_head(b, d, scale, paper);
    for (const struct primitive *p = d->first; p; p = p->next) put[p->shape](b, p);
    buffer_text(b, "</svg>\n");
    return b->failed ? vae_fail(err, VAE_E_MEMORY, "out of memory for a picture") : VAE_OK;
}
