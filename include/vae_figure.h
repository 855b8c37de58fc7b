/* SPDX-License-Identifier: MIT
 *
 * Figures: panels with axes, lines, points, bars and tiles, for what a model and its latents look like.
 *
 * The ending of a file's name says what is written: `.svg` a labelled figure (white, with title, axes with units,
 * ticks, legend; tiles are PNGs inside it), `.png` the same picture in dots, and for a single panel of tiles nothing
 * but the tiles and their labels. Eleven colours, the first six of Okabe & Ito (2008), which colour-blind readers tell
 * apart; marks differ in shape or dash as well, so that a grey print can be read.
 *
 * Everything that is given is copied. A failure to allocate is remembered and reported by vae_figure_write, so that the
 * calls before it need no check; all of them accept NULL objects. */
#ifndef VAE_FIGURE_H
#define VAE_FIGURE_H

#include "vae.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct vae_figure vae_figure;
typedef struct vae_panel vae_panel;

/* A grid of tiles. Tile (r,c) starts at tiles + (r*across + c) * rows*cols; its values are greys from 0, black, to 1,
 * white, and are clipped. A tile whose first value is NaN is left out. */
typedef struct vae_grid {
    size_t down, across, rows, cols;
    const float *tiles;
    size_t band;                /* extra space after every `band` rows of tiles; 0: none */
    const char *const *labels;  /* (down) texts left of the rows, or NULL */
    const char *const *columns; /* (across) texts above the columns, or NULL; only those that have room */
    const char *right, *up; /* names of what goes to the right, below the tiles, and upwards, beside them, or NULL */
    /* Values are from -1 to 1, zero in the middle, and have colours, from dark to light. */
    bool diverging;
    double unit; /* the number that 1 stands for in a bar of colours below the tiles; 0: no bar */
} vae_grid;

/* A figure whose panels stand `columns` a row. `title` names model and data; `note` (may be NULL) is a line below it.
 */
VAE_API vae_status vae_figure_new(vae_figure **out, const char *title, const char *note, size_t columns,
                                  vae_error *err);
VAE_API void vae_figure_free(vae_figure **figure);
/* The next panel, which belongs to the figure. `title` may be NULL. */
VAE_API vae_panel *vae_figure_panel(vae_figure *figure, const char *title);
/* Writes the figure, whole or not at all. `scale` enlarges it, from 0.1 to 20; 1 is 96 dots an inch. The title is also
 * the Title text of a PNG. VAE_E_USAGE for a name that ends otherwise, and for what has no pixels or too many. */
VAE_API vae_status vae_figure_write(const vae_figure *figure, const char *path, double scale, vae_error *err);
/* The figure as the text of an <svg> element, for a page; the caller frees it. It has no paper, and texts and axes are
 * drawn in currentColor and have the class "ink": on a dark page they are light, or as its CSS says. */
VAE_API vae_status vae_figure_svg(const vae_figure *figure, double scale, char **svg, vae_error *err);

/* ---- Axes ------------------------------------------------------------------------------------------------------- */

/* Width and height of the plotting area, in dots at scale 1 [320 x 220]. */
VAE_API void vae_panel_size(vae_panel *panel, double width, double height);
/* Labels with units, such as "KL, nats per image"; NULL: no label. */
VAE_API void vae_panel_labels(vae_panel *panel, const char *x, const char *y);
VAE_API void vae_panel_log(vae_panel *panel, bool x, bool y);
/* x counts something, such as epochs: its ticks are whole numbers. */
VAE_API void vae_panel_whole_x(vae_panel *panel);
/* Limits of an axis; where not given, those of the marks with a little room. */
VAE_API void vae_panel_limits_x(vae_panel *panel, double low, double high);
VAE_API void vae_panel_limits_y(vae_panel *panel, double low, double high);
/* Ticks with these texts instead of numbers. */
VAE_API void vae_panel_ticks_x(vae_panel *panel, size_t n, const double *at, const char *const *text);
VAE_API void vae_panel_ticks_y(vae_panel *panel, size_t n, const double *at, const char *const *text);
/* One unit is as long on both axes. */
VAE_API void vae_panel_equal(vae_panel *panel);

/* ---- Marks: points whose coordinates are not finite are left out (a line has a gap there) -------------------------
 */

enum { VAE_INK = -1, VAE_GREY = -2 }; /* colours beside those of series 0, 1, 2, ... */

typedef struct vae_mark {
    int series;       /* decides colour, and shape or dash: 0, 1, 2, ..., VAE_INK or VAE_GREY */
    const char *name; /* in the legend; NULL: not there */
    double size;      /* width of a line, radius of a point; 0: as usual */
    bool faint;       /* half transparent, for what stands behind or for many points */
} vae_mark;

VAE_API void vae_panel_line(vae_panel *panel, size_t n, const double *x, const double *y, vae_mark mark);
/* The area between two lines. */
VAE_API void vae_panel_band(vae_panel *panel, size_t n, const double *x, const double *low, const double *high,
                            vae_mark mark);
/* Points; `error` (may be NULL) is half the length of an error bar. */
VAE_API void vae_panel_points(vae_panel *panel, size_t n, const double *x, const double *y, const double *error,
                              vae_mark mark);
/* Bars from 0 to y, `width` wide in units of x; `error` as above. */
VAE_API void vae_panel_bars(vae_panel *panel, size_t n, const double *x, const double *y, const double *error,
                            double width, vae_mark mark);
/* A straight line across the panel, at this x or y. */
VAE_API void vae_panel_rule_x(vae_panel *panel, double at, vae_mark mark);
VAE_API void vae_panel_rule_y(vae_panel *panel, double at, vae_mark mark);
/* Text with its left end at a point, or a line or two above or below, where it would lie on an earlier one. */
VAE_API void vae_panel_text(vae_panel *panel, double x, double y, const char *text);
/* Makes the panel one of tiles, without axes; `grid` as below. */
VAE_API void vae_panel_tiles(vae_panel *panel, const vae_grid *grid);

/* ---- Tiles alone, and moving pictures -----------------------------------------------------------------------------
 */

/* An animated PNG (APNG), whose frames have one size and shape; a viewer that knows no APNG shows the last one.
 * `texts` (n) stand above the frames, or NULL. */
VAE_API vae_status vae_animation_write(const char *path, size_t n, const vae_grid *frames, const char *const *texts,
                                       double seconds_per_frame, double scale, vae_error *err);

#ifdef __cplusplus
}
#endif
#endif
