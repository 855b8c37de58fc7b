/* SPDX-License-Identifier: MIT */
#include "cli/wrap.h"

#include <stdbool.h>
#include <string.h>

/* Length of what may not be broken: a word, or a part of a list with its |. */
static size_t piece_length(const char *text)
{
    const size_t length = strcspn(text, " |");
    return length + (text[length] == '|');
}

void wrap(FILE *out, size_t columns, size_t column, size_t indent, const char *text)
{
    while (*text) {
        const size_t spaces = strspn(text, " "), length = piece_length(text + spaces);
        const bool fits = column + spaces + length <= columns || column <= indent;
        if (fits)
            fprintf(out, "%.*s", (int)(spaces + length), text);
        else
            fprintf(out, "\n%*s%.*s", (int)indent, "", (int)length, text + spaces);
        column = (fits ? column + spaces : indent) + length;
        text += spaces + length;
    }
    fputc('\n', out);
}
