/* SPDX-License-Identifier: MIT
 *
 * Letters of 5 x 7 dots for row labels: digits and the few other characters that labels use. A row is five bits, left
 * dot highest. */
#include <string.h>

#include "picture/picture.h"

static const char letters[] = "0123456789.-+=zK L";
static const uint8_t dots[][FONT_HEIGHT] = {
    {14, 17, 19, 21, 25, 17, 14}, {4, 12, 4, 4, 4, 4, 14},  {14, 17, 1, 2, 4, 8, 31},
    {31, 2, 4, 2, 1, 17, 14},     {2, 6, 10, 18, 31, 2, 2}, {31, 16, 30, 1, 1, 17, 14},
    {6, 8, 16, 30, 17, 17, 14},   {31, 1, 2, 4, 8, 8, 8},   {14, 17, 17, 14, 17, 17, 14},
    {14, 17, 17, 15, 1, 2, 12},   {0, 0, 0, 0, 0, 12, 12},  {0, 0, 0, 31, 0, 0, 0},
    {0, 4, 4, 31, 4, 4, 0},       {0, 0, 31, 0, 31, 0, 0},  {0, 0, 31, 2, 4, 8, 31},
    {17, 18, 20, 24, 20, 18, 17}, {0, 0, 0, 0, 0, 0, 0},    {16, 16, 16, 16, 16, 16, 31},
};

static void draw_dot(struct canvas *canvas, size_t x, size_t y, size_t scale, uint8_t ink)
{
    for (size_t i = y; i < y + scale && i < canvas->height; i++)
        for (size_t j = x; j < x + scale && j < canvas->width; j++) canvas->pixels[i * canvas->width + j] = ink;
}

void canvas_text(struct canvas *canvas, size_t x, size_t y, size_t scale, uint8_t ink, const char *text)
{
    for (; *text; text++, x += FONT_WIDTH * scale) {
        const char *letter = strchr(letters, *text);
        if (!letter) continue; /* a character without dots is a space */
        for (size_t i = 0; i < FONT_HEIGHT; i++)
            for (size_t j = 0; j < 5; j++)
                if (dots[letter - letters][i] >> (4 - j) & 1)
                    draw_dot(canvas, x + j * scale, y + i * scale, scale, ink);
    }
}
