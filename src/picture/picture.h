/* SPDX-License-Identifier: MIT */
#ifndef VAE_PICTURE_H
#define VAE_PICTURE_H

#include "picture/drawing.h"

struct buffer;

enum { FONT_WIDTH = 6, FONT_HEIGHT = 7 }; /* of a character cell at scale 1; 5 x 7 dots and a column of space */

/* Writes `text` with its upper left corner at (x, y), clipped to the canvas. */
void canvas_text(struct canvas *canvas, size_t x, size_t y, size_t scale, uint8_t ink, const char *text);

/* Adds the canvas as a PNG file to the buffer. */
void png_encode(const struct canvas *canvas, const char *title, struct buffer *buffer);

#endif
