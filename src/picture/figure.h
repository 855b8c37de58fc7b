/* SPDX-License-Identifier: MIT
 *
 * What a figure consists of, as the calls of vae_figure.h left it. */
#ifndef VAE_PICTURE_FIGURE_H
#define VAE_PICTURE_FIGURE_H

#include "picture/store.h"
#include "vae_figure.h"

enum mark_kind { MARK_LINE, MARK_BAND, MARK_POINTS, MARK_BARS, MARK_RULE_X, MARK_RULE_Y, MARK_TEXT };

struct mark {
    enum mark_kind kind;
    vae_mark style;
    const char *text; /* of a MARK_TEXT */
    size_t n;
    const double *x, *y; /* (n) */
    const double *other; /* (n) upper line of a band; half lengths of error bars, or NULL */
    double width;        /* of a bar */
    struct mark *next;
};

struct axis {
    const char *label;
    bool log, limited, whole;
    double low, high; /* where limited */
    size_t ticks;     /* given ones; 0: as they come */
    const double *at;
    const char **text;
};

struct vae_panel {
    struct vae_figure *figure;
    const char *title;
    double width, height;
    struct axis x, y;
    bool equal;
    const vae_grid *tiles; /* NULL: a panel with axes */
    struct mark *first, *last;
    struct vae_panel *next;
};

struct vae_figure {
    struct store store;
    const char *title, *note;
    size_t columns, panels;
    struct vae_panel *first, *last;
};

#endif
