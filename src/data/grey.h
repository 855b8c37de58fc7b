/* SPDX-License-Identifier: MIT
 *
 * Colour to grey: the luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, of the numbers as they are stored. The weights
 * are those of Pillow's convert("L"), in 65536ths, so that both give the same bytes. */
#ifndef VAE_GREY_H
#define VAE_GREY_H

#include <stdint.h>

static inline uint8_t grey_of(uint8_t red, uint8_t green, uint8_t blue)
{
    return (uint8_t)((19595u * red + 38470u * green + 7471u * blue + 0x8000u) >> 16);
}

#endif
