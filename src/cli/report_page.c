/* SPDX-License-Identifier: MIT
 *
 * Writing text, JSON and bytes into a page. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

/* Control characters: those of ASCII, and of Unicode's first block, which are two bytes from C2 80 to C2 9F. */
static bool is_control(const unsigned char *c)
{
    return *c < 32 || *c == 127 || (c[0] == 0xc2 && c[1] >= 0x80 && c[1] <= 0x9f);
}

void page_text(FILE *out, const char *text)
{
    json_t *clean = json_text(text);
    const char *from = clean ? json_string_value(clean) : "";
    for (const unsigned char *c = (const unsigned char *)from; *c; c++) {
        switch (*c) {
        case '&': fputs("&amp;", out); break;
        case '<': fputs("&lt;", out); break;
        case '>': fputs("&gt;", out); break;
        case '"': fputs("&quot;", out); break;
        case '\'': fputs("&#39;", out); break;
        default:
            if (is_control(c)) {
                fputc('?', out);
                c += *c == 0xc2;
            } else {
                fputc(*c, out);
            }
        }
    }
    json_decref(clean);
}

/* What could end a script, or begin a comment in it, begins with <. In JSON that is within a string, where it may be
 * given by its number. */
bool page_json(FILE *out, json_t *value)
{
    char *text = value ? json_dumps(value, JSON_REAL_PRECISION(9) | JSON_COMPACT) : NULL;
    for (const char *c = text; c && *c; c++) *c == '<' ? fputs("\\u003c", out) : fputc(*c, out);
    free(text);
    json_decref(value);
    return text && !json_lacks_memory();
}

/* RFC 4648. libvae has it for its figures, but not in its interface. */
void page_base64(FILE *out, size_t size, const uint8_t *bytes)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        const size_t left = size - i;
        const unsigned a = bytes[i], b = left > 1 ? bytes[i + 1] : 0, c = left > 2 ? bytes[i + 2] : 0;
        fputc(digit[a >> 2], out);
        fputc(digit[(a & 3) << 4 | b >> 4], out);
        fputc(left > 1 ? digit[(b & 15) << 2 | c >> 6] : '=', out);
        fputc(left > 2 ? digit[c & 63] : '=', out);
    }
}
