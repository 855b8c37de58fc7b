/* SPDX-License-Identifier: MIT */
#ifndef VAE_PICTURE_H
#define VAE_PICTURE_H

#include "vae.h"

/* An 8-bit grey canvas. */
struct canvas {
    size_t width, height;
    uint8_t *pixels;
};

enum { FONT_WIDTH = 6, FONT_HEIGHT = 7 }; /* of a character cell at scale 1; 5 x 7 dots and a column of space */

/* Writes `text` with its upper left corner at (x, y), clipped to the canvas. */
void canvas_text(struct canvas *canvas, size_t x, size_t y, size_t scale, uint8_t ink, const char *text);

/* Encodes a canvas and writes it to a file, whole or not at all. */
vae_status png_write(const char *path, const struct canvas *canvas, const char *title, vae_error *err);

#endif
