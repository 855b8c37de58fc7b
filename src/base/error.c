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
