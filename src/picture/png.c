/* SPDX-License-Identifier: MIT
 *
 * PNG through libpng's classic row interface, into memory and from there to the file. No PNG is ever read. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "picture/picture.h"

struct buffer {
    char *bytes;
    size_t size, capacity;
};

static void grow_and_append(png_structp png, png_bytep data, size_t size)
{
    struct buffer *buffer = png_get_io_ptr(png);
    if (size > buffer->capacity - buffer->size) {
        size_t capacity = 2 * buffer->capacity + size + 4096;
        char *bytes = realloc(buffer->bytes, capacity);
        if (!bytes) png_error(png, "out of memory");
        buffer->bytes = bytes;
        buffer->capacity = capacity;
    }
    memcpy(buffer->bytes + buffer->size, data, size);
    buffer->size += size;
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
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_write_fn(png, buffer, grow_and_append, nothing_to_flush);
    png_set_IHDR(png, info, (png_uint_32)canvas->width, (png_uint_32)canvas->height, 8, PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    write_title(png, info, title);
    png_write_info(png, info);
    for (size_t y = 0; y < canvas->height; y++) png_write_row(png, canvas->pixels + y * canvas->width);
    png_write_end(png, info);
    return true;
}

vae_status png_write(const char *path, const struct canvas *canvas, const char *title, vae_error *err)
{
    struct buffer buffer = {0};
    png_infop info = NULL;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    if (png) info = png_create_info_struct(png);
    bool encoded = info && encode(png, info, &buffer, canvas, title);
    png_destroy_write_struct(&png, &info);
    vae_status status = encoded ? vae_write_file(path, buffer.bytes, buffer.size, err)
                                : vae_fail(err, VAE_E_MEMORY, "%s: cannot encode a PNG of %zu x %zu", path,
                                           canvas->width, canvas->height);
    free(buffer.bytes);
    return status;
}
