/* SPDX-License-Identifier: MIT
 *
 * Text on a canvas that is too small for it: what fits is drawn as on a large one, and nothing beside it. */
#include "check.h"
#include "picture/picture.h"

enum { WIDE = 40, HIGH = 24, PAPER = 3, INK = 200 };

/* "8z" on a canvas of the given size, in the middle of bytes that are all PAPER before. */
static void draw(uint8_t bytes[3 * WIDE * HIGH], size_t width, size_t height, size_t x, size_t y, size_t scale)
{
    struct canvas canvas = {.width = width, .height = height, .pixels = bytes + WIDE * HIGH};
    memset(bytes, PAPER, 3 * (size_t)WIDE * HIGH);
    canvas_text(&canvas, x, y, scale, INK, "8z");
}

static void check(size_t width, size_t height, size_t x, size_t y, size_t scale)
{
    static uint8_t large[3 * WIDE * HIGH], small[3 * WIDE * HIGH];
    draw(large, WIDE, HIGH, x, y, scale);
    draw(small, width, height, x, y, scale);
    for (size_t i = 0; i < sizeof small; i++) {
        const size_t at = i - (size_t)WIDE * HIGH; /* before the canvas: very large */
        const uint8_t want = at < width * height ? large[WIDE * HIGH + at / width * WIDE + at % width] : PAPER;
        if (small[i] != want)
            fail_msg("%zu x %zu, text at (%zu,%zu), scale %zu: byte %zu is %d, expected %d", width, height, x, y, scale,
                     at, small[i], want);
    }
}

static void text_is_clipped(void **state)
{
    (void)state;
    for (size_t scale = 1; scale <= 2; scale++)
        for (size_t width = 1; width <= 12 * scale + 3; width++)
            for (size_t height = 1; height <= 7 * scale + 3; height++) {
                check(width, height, 0, 0, scale);
                check(width, height, 2, 3, scale);
            }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(text_is_clipped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
