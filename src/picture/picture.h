/* SPDX-License-Identifier: MIT */
#ifndef VAE_PICTURE_H
#define VAE_PICTURE_H

#include "picture/drawing.h"

struct buffer;

enum {
    FONT_WIDTH = 6,
    FONT_ROWS = 8,
    FONT_BASE = 7
}; /* of a letter's cell, with a column of space; rows above its base */

/* Columns of a letter, FONT_WIDTH - 1 bytes whose lowest bit is the uppermost dot; of '?' where it is none of ASCII. */
const uint8_t *font_letter(uint32_t character);

/* Makes room at the right for texts such as those of a legend: in a small picture letters are larger than the layout
 * has them. */
void dots_widen(struct drawing *drawing, double scale);
/* Paints a drawing on white into a new canvas of three channels, whose pixels the caller frees. VAE_E_USAGE where it is
 * too large; `path` is for that message. */
vae_status dots_paint(const struct drawing *drawing, double scale, const char *path, struct canvas *canvas,
                      vae_error *err);
/* One channel instead of three where there is no colour. */
void dots_make_grey(struct canvas *canvas);

/* Adds the canvas as a PNG file to the buffer. */
void png_encode(const struct canvas *canvas, const char *title, struct buffer *buffer);
/* Adds an animated PNG to the buffer, from n PNG files of png_encode that are alike but for their pixels. */
void png_animate(size_t n, const struct buffer *frames, double seconds_per_frame, struct buffer *buffer);

#endif
