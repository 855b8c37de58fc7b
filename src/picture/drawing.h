/* SPDX-License-Identifier: MIT
 *
 * A drawing: a list of primitives, which the layout of a figure makes and which svg.c and dots.c draw. Coordinates are
 * dots at scale 1, x to the right and y downwards. */
#ifndef VAE_DRAWING_H
#define VAE_DRAWING_H

#include "picture/store.h"

/* `ink` is the colour of texts and axes: dark on white paper, and what a page says on the page. */
struct paint {
    uint8_t red, green, blue;
    bool ink;
    double opacity;
};

/* Pixels row by row: grey (1 channel), grey with alpha (2), red, green, blue (3), or those with alpha (4). */
struct canvas {
    size_t width, height, channels;
    uint8_t *pixels;
};

enum shape { SHAPE_RECTANGLE, SHAPE_LINE, SHAPE_AREA, SHAPE_POINTS, SHAPE_TEXT, SHAPE_IMAGE, SHAPE_CLIP, SHAPE_UNCLIP };
enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END };
enum { POINT_SHAPES = 10, DASHES = 6, MOST_DASH = 6 };

struct primitive {
    enum shape shape;
    struct paint paint;
    double x, y, width,
        height;       /* of a rectangle, an image, the area to which what follows is clipped; of a text: x, y */
    size_t n;         /* corners of a line or area; points */
    const double *at; /* (n,2) */
    double size;      /* width of a line, radius of a point, size of a text's font */
    int style;        /* dash of a line, shape of points */
    const char *text;
    enum anchor anchor;
    bool bold, upwards; /* of a text; upwards: it is turned to the left */
    struct canvas image;
    struct primitive *next;
};

struct drawing {
    struct store store; /* holds all of it */
    double width, height;
    const char *title; /* for readers who cannot see it */
    struct primitive *first, *last;
};

extern const struct paint drawing_ink;
struct paint paint_faint(struct paint paint, double opacity);

void draw_rectangle(struct drawing *d, double x, double y, double width, double height, struct paint paint);
/* (n,2) corners, which belong to the drawing's store, or are copied where they do not. */
void draw_line(struct drawing *d, size_t n, const double *at, double thickness, int dash, struct paint paint);
void draw_segment(struct drawing *d, double x0, double y0, double x1, double y1, double thickness, int dash,
                  struct paint paint);
void draw_area(struct drawing *d, size_t n, const double *at, struct paint paint);
void draw_points(struct drawing *d, size_t n, const double *at, double radius, int shape, struct paint paint);
/* y is the base of the letters. Returns the primitive, NULL without memory, for what is rarely set. */
struct primitive *draw_text(struct drawing *d, double x, double y, const char *text, double size, enum anchor anchor,
                            struct paint paint);
/* The canvas with its pixels in the drawing's store. */
void draw_image(struct drawing *d, double x, double y, double width, double height, struct canvas image);
void draw_clip(struct drawing *d, double x, double y, double width, double height);
void draw_unclip(struct drawing *d);

/* Lengths of dash and gap in turns, in widths of the line; 0 ends them, none: solid. */
extern const double dash_pattern[DASHES][MOST_DASH + 1];

/* Corners of a point of radius 1 at the origin: areas to fill, or lines to draw. No corners: a circle. */
struct point_shape {
    bool filled;
    size_t n, strokes; /* corners of the area or of each stroke; how many strokes */
    const double (*at)[2];
};
extern const struct point_shape point_shape[POINT_SHAPES];

/* ---- svg.c ------------------------------------------------------------------------------------------------------ */

struct buffer;
/* An <svg> element; `paper`: white below it, and dark ink. */
vae_status svg_encode(const struct drawing *drawing, double scale, bool paper, struct buffer *buffer, vae_error *err);

#endif
