/* SPDX-License-Identifier: MIT
 *
 * Handwritten-looking digits, drawn by the program: an endless labelled sequence that needs no file. */
#ifndef VAE_DIGITS_H
#define VAE_DIGITS_H

#include <stddef.h>
#include <stdint.h>

enum { DIGITS_SIDE = 28, DIGITS_PIXELS = DIGITS_SIDE * DIGITS_SIDE };

/* Draws images first .. first+n-1 of the sequence that belongs to `seed`: (n, 28, 28) pixels, 0 paper to 255 ink, and n
 * labels 0..9. Image i depends on (seed, i) alone, down to the byte, on every machine with IEEE doubles. */
void digits_draw(uint64_t seed, size_t first, size_t n, uint8_t *pixels, uint8_t *labels);

#endif
