/* SPDX-License-Identifier: MIT */
#include "cli/wrap.h"

#include <stdbool.h>
#include <string.h>

/* Length of what may not be broken: a word, or a plain word of a list with its |. */
static size_t piece_length(const char *text)
{
    const size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return plain && text[plain] == '|' ? plain + 1 : strcspn(text, " \n");
}

void wrap(FILE *out, size_t columns, size_t column, size_t indent, const char *text)
{
    while (*text) {
        const size_t gap = strspn(text, " \n"), spaces = strspn(text, " ") == gap ? gap : 1;
        const size_t length = piece_length(text + gap);
        const bool fits = column + spaces + length <= columns || column <= indent;
        if (fits)
            fprintf(out, "%*s%.*s", (int)spaces, "", (int)length, text + gap);
        else
            fprintf(out, "\n%*s%.*s", (int)indent, "", (int)length, text + gap);
        column = (fits ? column + spaces : indent) + length;
        text += gap + length;
    }
    fputc('\n', out);
}
