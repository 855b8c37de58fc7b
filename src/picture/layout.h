/* SPDX-License-Identifier: MIT
 *
 * From a figure to a drawing. A panel is measured, which decides how much room stands around its plotting area, put
 * into the cell of a grid, and drawn. */
#ifndef VAE_LAYOUT_H
#define VAE_LAYOUT_H

#include "picture/drawing.h"
#include "picture/figure.h"
#include "picture/ticks.h"

enum { SIZE_TITLE = 16, SIZE_PANEL = 13, SIZE_LABEL = 12, SIZE_TICK = 11 }; /* of fonts, in dots at scale 1 */

struct box {
    double x, y, width, height;
};

struct frame {
    const vae_panel *panel;
    struct box area;                 /* for the marks or the tiles */
    double left, right, top, bottom; /* room around it */
    struct range across, up;
    struct ticks ticks_x, ticks_y;
    size_t entries; /* of the legend; 0: there is none */
    struct box legend;
    double letters; /* size of the texts beside tiles */
};

/* Dots of a value on the axes of a frame; NaN where it has no place. */
double frame_x(const struct frame *frame, double value);
double frame_y(const struct frame *frame, double value);
/* Colour of a mark, not yet faint. */
struct paint mark_paint(vae_mark style);
/* Dash and shape of a mark. */
int mark_dash(vae_mark style);
int mark_shape(vae_mark style);

/* ---- axes.c, marks.c, legend.c, tiles.c: measuring takes memory from the store ----------------------------------- */
void axes_measure(struct frame *frame, struct store *store);
void axes_draw(const struct frame *frame, struct drawing *drawing);
void marks_draw(const struct frame *frame, struct drawing *drawing);
/* Is anything of the panel's marks within the box, whose place is relative to the plotting area? */
bool marks_touch(const struct frame *frame, struct box box);
void legend_measure(struct frame *frame);
void legend_draw(const struct frame *frame, struct drawing *drawing);
/* `letters`: size of the font beside the tiles. */
void tiles_measure(struct frame *frame, double letters);
void tiles_draw(const struct frame *frame, struct drawing *drawing);

/* ---- layout.c --------------------------------------------------------------------------------------------------- */

/* The whole figure, into an empty drawing; its store is to be given back in any case. */
vae_status layout_figure(const vae_figure *figure, struct drawing *drawing, vae_error *err);
/* Of a panel of tiles nothing but these and their labels, and `text` above them (may be NULL). At least so wide. */
double layout_text_width(const char *text); /* that such a text needs; NULL: none */
vae_status layout_tiles(const vae_panel *panel, const char *text, double width, struct drawing *drawing,
                        vae_error *err);

#endif
