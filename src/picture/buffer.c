/* SPDX-License-Identifier: MIT */
#include "picture/buffer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
    if (buffer->failed || !size) return;
    if (size > buffer->capacity - buffer->size) {
        const size_t capacity = 2 * buffer->capacity + size + 4096;
        char *grown = realloc(buffer->bytes, capacity);
        buffer->failed = !grown;
        if (!grown) return;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->size, bytes, size);
    buffer->size += size;
}

void buffer_text(struct buffer *buffer, const char *text) { buffer_add(buffer, text, strlen(text)); }

void buffer_number(struct buffer *buffer, double number)
{
    char text[32];
    const long long hundredths = llround(number * 100), whole = llabs(hundredths) / 100, part = llabs(hundredths) % 100;
    int length = snprintf(text, sizeof text, "%s%lld", hundredths < 0 ? "-" : "", whole);
    if (part) length += snprintf(text + length, sizeof text - (size_t)length, ".%02lld", part);
    buffer_add(buffer, text, (size_t)length - (part && part % 10 == 0));
}

void buffer_base64(struct buffer *buffer, const void *bytes, size_t size)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = bytes;
    for (size_t i = 0; i < size; i += 3) {
        uint32_t word = (uint32_t)at[i] << 16;
        if (i + 1 < size) word |= (uint32_t)at[i + 1] << 8;
        if (i + 2 < size) word |= at[i + 2];
        char four[4];
        for (size_t k = 0; k < 4; k++) four[k] = i + k > size ? '=' : digits[word >> (18 - 6 * k) & 63];
        buffer_add(buffer, four, sizeof four);
    }
}
