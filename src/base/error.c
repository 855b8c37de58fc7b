/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

bool is_control(const char *text)
{
    const unsigned char first = (unsigned char)text[0], second = first ? (unsigned char)text[1] : 0;
    return first < 0x20 || first == 0x7f || (first == 0xc2 && second >= 0x80 && second < 0xa0);
}

/* Bytes of the character that begins here; 0: not UTF-8 (RFC 3629: the shortest form, no surrogates). */
static size_t utf8_length(const unsigned char *c)
{
    if (c[0] < 0x80) return 1;
    const size_t n = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;
    const unsigned char lowest = c[0] == 0xe0 ? 0xa0 : c[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char highest = c[0] == 0xed ? 0x9f : c[0] == 0xf4 ? 0x8f : 0xbf;
    if (!n || c[1] < lowest || c[1] > highest) return 0;
    for (size_t i = 2; i < n; i++)
        if ((c[i] & 0xc0) != 0x80) return 0;
    return n;
}

bool is_clean(const char *text)
{
    while (*text) {
        const size_t n = utf8_length((const unsigned char *)text);
        if (!n || is_control(text)) return false;
        text += n;
    }
    return true;
}

void mask_controls(char *text)
{
    for (; *text; text++) {
        if (!is_control(text)) continue;
        if ((unsigned char)*text == 0xc2) *text++ = '?';
        *text = '?';
    }
}

/* A long name stands at the beginning, and the reason behind it: what does not fit is cut between them. */
static void cut_middle(char *to, size_t size, const char *text)
{
    static const char gap[] = "...";
    const size_t length = strlen(text), head = size / 3, tail = size - head - sizeof gap;
    if (length < size) {
        memcpy(to, text, length + 1);
        return;
    }
    memcpy(to, text, head);
    memcpy(to + head, gap, sizeof gap - 1);
    memcpy(to + head + sizeof gap - 1, text + length - tail, tail + 1);
}

vae_status vae_fail(vae_error *err, vae_status status, const char *format, ...)
{
    if (!err) return status;
    err->status = status;
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cut_middle(err->message, sizeof err->message, text);
    mask_controls(err->message);
    return status;
}
