/* SPDX-License-Identifier: MIT
 *
 * Texts of pictures: their characters, and how wide they will be. */
#ifndef VAE_TEXT_H
#define VAE_TEXT_H

#include "vae.h"

/* The character (of UTF-8) that begins at *text, which moves behind it; 0 for a byte that begins none, or for one that
 * is no character of XML, or a control character. At the end of the text it returns 0 and stays. */
uint32_t text_next(const char **text);
/* Copies a text with a question mark for each 0 above. `to` has strlen(text) + 1 bytes. */
void text_clean(char *to, const char *text);
/* Width in the unit of `size`, the size of the font. */
double text_width(const char *text, double size, bool bold);
/* How many bytes of the text make a line of at most `width`: to the last space that fits, else to the last character,
 * at least one. */
size_t text_line(const char *text, double size, bool bold, double width);

#endif
