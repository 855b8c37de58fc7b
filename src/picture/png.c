/* SPDX-License-Identifier: MIT
 *
 * PNG through libpng's classic row interface, into memory.
 *
 * An animated PNG (APNG, now part of the third edition of the PNG specification) is a PNG with a chunk acTL, which says
 * how many frames there are, and for each frame fcTL, its size and time, and fdAT, its pixels as in IDAT. These count
 * their order. IDAT, what a viewer without animations shows, is here no frame of its own but once more the last one. */
#include <math.h>
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "picture/buffer.h"
#include "picture/picture.h"

static void append(png_structp png, png_bytep data, size_t size)
{
    struct buffer *buffer = png_get_io_ptr(png);
    buffer_add(buffer, data, size);
    if (buffer->failed) png_error(png, "out of memory");
}

static void nothing_to_flush(png_structp png) { (void)png; }

/* Libraries do not print: errors end in the caller's setjmp, warnings are of no use to anyone here. */
static void on_error(png_structp png, png_const_charp message)
{
    (void)message;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static void write_title(png_structp png, png_infop info, const char *title)
{
    if (!title) return;
    char key[] = "Title";
    char *text = strdup(title);
    if (!text) png_error(png, "out of memory");
    png_text entry = {.compression = PNG_ITXT_COMPRESSION_NONE, .key = key, .text = text};
    png_set_text(png, info, &entry, 1); /* copies */
    free(text);
}

/* False where libpng gave up; setjmp has this frame to itself, so no local is in doubt after a jump. */
static bool encode(png_structp png, png_infop info, struct buffer *buffer, const struct canvas *canvas,
                   const char *title)
{
    static const int colours[] = {0, PNG_COLOR_TYPE_GRAY, PNG_COLOR_TYPE_GRAY_ALPHA, PNG_COLOR_TYPE_RGB,
                                  PNG_COLOR_TYPE_RGB_ALPHA};
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_write_fn(png, buffer, append, nothing_to_flush);
    png_set_IHDR(png, info, (png_uint_32)canvas->width, (png_uint_32)canvas->height, 8, colours[canvas->channels],
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    write_title(png, info, title);
    png_write_info(png, info);
    for (size_t y = 0; y < canvas->height; y++)
        png_write_row(png, canvas->pixels + y * canvas->width * canvas->channels);
    png_write_end(png, info);
    return true;
}

void png_encode(const struct canvas *canvas, const char *title, struct buffer *buffer)
{
    png_infop info = NULL;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    if (!info || !encode(png, info, buffer, canvas, title)) buffer->failed = true;
    png_destroy_write_struct(&png, &info);
}

/* ---- Animations ------------------------------------------------------------------------------------------------- */

enum { SIGNATURE = 8, HEADER = 8, CRC = 4 }; /* bytes of a file's beginning, before and behind a chunk's content */

/* The next chunk of a file at *at, which moves behind it; NULL at the end. */
static const uint8_t *next_chunk(const struct buffer *file, size_t *at, uint32_t *size)
{
    const uint8_t *chunk = (const uint8_t *)file->bytes + *at;
    if (*at >= file->size) return NULL;
    *size = png_get_uint_32(chunk);
    *at += HEADER + *size + CRC;
    return chunk;
}

/* All chunks of one type into another file, as chunks of type `as`, behind `order`, which counts them, unless NULL. */
static void copy_chunks(png_structp png, const struct buffer *file, const char *type, const char *as, uint32_t *order)
{
    const uint8_t *chunk;
    uint32_t size = 0;
    for (size_t at = SIGNATURE; (chunk = next_chunk(file, &at, &size));) {
        uint8_t number[4];
        if (memcmp(chunk + 4, type, 4)) continue;
        png_write_chunk_start(png, (png_const_bytep)as, order ? size + 4 : size);
        if (order) {
            png_save_uint_32(number, (*order)++);
            png_write_chunk_data(png, number, sizeof number);
        }
        png_write_chunk_data(png, chunk + HEADER, size);
        png_write_chunk_end(png);
    }
}

/* Frames cover all of the picture, and replace it. */
static void write_frame_control(png_structp png, const struct buffer *file, double seconds, uint32_t *order)
{
    uint8_t content[26] = {0};
    const uint8_t *size = (const uint8_t *)file->bytes + SIGNATURE + HEADER; /* width and height of IHDR */
    png_save_uint_32(content, (*order)++);
    memcpy(content + 4, size, 8);
    png_save_uint_16(content + 20, (unsigned)fmax(1, fmin(65535, floor(seconds * 1000 + 0.5))));
    png_save_uint_16(content + 22, 1000);
    png_write_chunk(png, (png_const_bytep) "fcTL", content, sizeof content);
}

/* False where libpng gave up. */
static bool animate(png_structp png, size_t n, const struct buffer *frames, double seconds, struct buffer *buffer)
{
    uint8_t control[8] = {0}; /* how many frames; 0: again and again */
    uint32_t order = 0;
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_write_fn(png, buffer, append, nothing_to_flush);
    png_write_sig(png);
    copy_chunks(png, &frames[n - 1], "IHDR", "IHDR", NULL);
    png_save_uint_32(control, (png_uint_32)n);
    png_write_chunk(png, (png_const_bytep) "acTL", control, sizeof control);
    copy_chunks(png, &frames[n - 1], "IDAT", "IDAT", NULL);
    for (size_t i = 0; i < n; i++) {
        write_frame_control(png, &frames[i], seconds, &order);
        copy_chunks(png, &frames[i], "IDAT", "fdAT", &order);
    }
    png_write_chunk(png, (png_const_bytep) "IEND", NULL, 0);
    return true;
}

void png_animate(size_t n, const struct buffer *frames, double seconds, struct buffer *buffer)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (!png || !animate(png, n, frames, seconds, buffer)) buffer->failed = true;
    png_destroy_write_struct(&png, NULL);
}
