/* SPDX-License-Identifier: MIT
 *
 * PNG through libpng's classic row interface, into memory. */
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
    png_text entry = {.compression = PNG_TEXT_COMPRESSION_NONE, .key = key, .text = text};
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
