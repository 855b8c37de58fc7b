/* SPDX-License-Identifier: MIT */
#include "cli/shell.h"

#include <string.h>

bool shell_is_plain(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:=,+@%";
    return *word && !word[strspn(word, plain)];
}

void shell_word(FILE *out, const char *word)
{
    if (shell_is_plain(word)) {
        fputs(word, out);
        return;
    }
    fputc('\'', out);
    for (; *word; word++) *word == '\'' ? fputs("'\\''", out) : fputc(*word, out);
    fputc('\'', out);
}
