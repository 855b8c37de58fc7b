/* SPDX-License-Identifier: MIT
 *
 * Widths are those of DejaVu Sans, which "sans-serif" means on most Linux machines and which is wider than Helvetica
 * and Arial: a text then needs the room that is kept for it or less, whichever of them there is. */
#include "picture/text.h"

#include <string.h>

/* Thousandths of the font's size, of ' ' to '~'. */
static const uint16_t widths[] = {318,  401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337,
                                  636,  636, 636, 636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531,
                                  1000, 684, 686, 698, 770, 632, 575, 775, 752, 295, 295, 656, 557, 863, 748, 787,
                                  603,  787, 695, 635, 611, 732, 684, 989, 685, 611, 685, 390, 337, 390, 838, 500,
                                  500,  613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579, 278, 974, 634, 612,
                                  635,  635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838};
enum { WIDTH_OTHER = 700, WIDTH_WIDE = 1000, FIRST_WIDE = 0x1100 };

/* Bytes of the character whose first byte this is, and the bits of it that count; 0: none begins so. */
static size_t sequence(unsigned char first, uint32_t *bits)
{
    const size_t length = first < 0x80   ? 1
                          : first < 0xc2 ? 0
                          : first < 0xe0 ? 2
                          : first < 0xf0 ? 3
                          : first < 0xf5 ? 4
                                         : 0;
    *bits = length < 2 ? first : first & (0x7fU >> length);
    return length;
}

/* May XML have it, and a terminal show it? */
static bool is_shown(uint32_t c, size_t length)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return c >= 0x20 && !(c >= 0x7f && c < 0xa0) && c >= least[length] && !(c >= 0xd800 && c < 0xe000) &&
           (c & 0xfffe) != 0xfffe && c <= 0x10ffff;
}

uint32_t text_next(const char **text)
{
    uint32_t c;
    const unsigned char *at = (const unsigned char *)*text;
    if (!*at) return 0;
    const size_t length = sequence(*at, &c);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xc0) != 0x80) { /* also where the text ends */
            ++*text;
            return 0;
        }
        c = c << 6 | (at[i] & 0x3fU);
    }
    *text += length ? length : 1;
    return length && is_shown(c, length) ? c : 0;
}

void text_clean(char *to, const char *text)
{
    while (*text) {
        const char *first = text;
        if (text_next(&text))
            while (first < text) *to++ = *first++;
        else
            *to++ = '?';
    }
    *to = '\0';
}

static double character_width(uint32_t c)
{
    if (c < FIRST_WIDE) return c >= ' ' && c <= '~' ? widths[c - ' '] : WIDTH_OTHER;
    return c < 0x2000 || c > 0x2fff ? WIDTH_WIDE : WIDTH_OTHER; /* punctuation, arrows, operators */
}

/* Dots have letters of one width, about half of the size; none of the two kinds of picture is to run out of room. */
static double wider(double sum, size_t characters, double size, bool bold)
{
    const double outlined = sum * (bold ? 1.13 : 1), dotted = 550 * (double)characters;
    return (outlined > dotted ? outlined : dotted) * size / 1000;
}

double text_width(const char *text, double size, bool bold)
{
    double sum = 0;
    size_t characters = 0;
    for (; *text; characters++) sum += character_width(text_next(&text));
    return wider(sum, characters, size, bold);
}

size_t text_line(const char *text, double size, bool bold, double width)
{
    const char *at = text, *end = text; /* where the line may end */
    bool spaced = false;
    double sum = 0;
    for (size_t characters = 1; *at; characters++) {
        const char *before = at;
        const uint32_t c = text_next(&at);
        sum += character_width(c);
        if (wider(sum, characters, size, bold) > width && before > text && c != ' ') return (size_t)(end - text);
        if (c == ' ') spaced = true;
        if (c == ' ' || !spaced) end = at;
    }
    return (size_t)(at - text);
}
