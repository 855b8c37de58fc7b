/* SPDX-License-Identifier: MIT
 *
 * A PNG file (ISO/IEC 15948) as one grey image of bytes: of any depth, palette, interlace and colour. Sixteen bits are
 * scaled to eight, colour becomes its luma, and what is transparent is seen over white, as viewers show it. Gamma and
 * colour profiles are not applied: the numbers in the file are the data.
 *
 * libpng reads hostile files here, so it gets as little to do as possible: the classic interface and not the simplified
 * one; no chunks but those that make up the pixels, the others being skipped unread; limits on sizes before anything is
 * allocated, and on what it allocates itself; every wrong checksum and every doubt an error. A header that announces
 * more than deflate could make of the file is refused before that. */
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include "data/format.h"
#include "data/grey.h"
#include "data/source.h"

enum { MOST_CHUNK = 1 << 20, DEFLATE_LIMIT = 1032 };

/* All that is alive across a jump out of libpng. */
struct reader {
    const struct input *input;
    vae_images *image;
    uint8_t *bytes; /* rows of `channels` bytes a pixel */
    size_t channels;
    uint8_t palette[256]; /* in grey */
    size_t entries;       /* of it; 0: none */
    vae_status status;    /* of what failed first */
    vae_error *err;
};

/* ---- What libpng calls ------------------------------------------------------------------------------------------ */

/* Where libpng itself finds something wrong, or where a function below has failed and said so. */
static void on_error(png_structp png, png_const_charp message)
{
    struct reader *r = png_get_error_ptr(png);
    if (!r->status) r->status = vae_fail(r->err, VAE_E_DATA, "%s: damaged PNG (%s)", r->input->path, message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message) { (void)png, (void)message; }

static png_voidp allocate(png_structp png, png_alloc_size_t size)
{
    struct reader *r = png_get_mem_ptr(png);
    void *memory = malloc(size);
    if (!memory && !r->status) r->status = vae_fail(r->err, VAE_E_MEMORY, "%s: out of memory", r->input->path);
    return memory;
}

static void release(png_structp png, png_voidp memory)
{
    (void)png;
    free(memory);
}

static void read_bytes(png_structp png, png_bytep bytes, size_t size)
{
    struct reader *r = png_get_io_ptr(png);
    r->status = input_read(r->input, bytes, size, r->err);
    if (r->status) png_error(png, "cannot read");
}

/* ---- To grey ---------------------------------------------------------------------------------------------------- */

static uint8_t over_white(uint8_t value, uint8_t alpha)
{
    return (uint8_t)((value * alpha + 255 * (255 - alpha) + 127) / 255);
}

static uint8_t grey_pixel(const uint8_t *p, size_t channels)
{
    const bool is_grey = channels < 3;
    const uint8_t alpha = channels % 2 ? 255 : p[channels - 1];
    return is_grey ? over_white(p[0], alpha)
                   : grey_of(over_white(p[0], alpha), over_white(p[1], alpha), over_white(p[2], alpha));
}

/* ---- Decoding --------------------------------------------------------------------------------------------------- */

static void set_limits(png_structp png)
{
    png_set_user_limits(png, MAX_SIDE, MAX_SIDE);
    png_set_chunk_malloc_max(png, MOST_CHUNK);
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1); /* and all known ones but for tRNS */
    png_set_crc_action(png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
    png_set_benign_errors(png, 0);
}

/* Size, and whether the file can hold it. */
static vae_status check_header(png_structp png, png_infop info, const struct reader *r)
{
    const size_t width = png_get_image_width(png, info), height = png_get_image_height(png, info);
    if (!is_image_size(height, width))
        return vae_fail(r->err, VAE_E_DATA, "%s: image of %zu x %zu pixels (at most %d x %d and %d in all)",
                        r->input->path, height, width, MAX_SIDE, MAX_SIDE, MAX_PIXELS);
    if (height * png_get_rowbytes(png, info) / DEFLATE_LIMIT > r->input->size)
        return vae_fail(r->err, VAE_E_DATA, "%s: PNG header announces %zu x %zu pixels, more than %zu bytes can hold",
                        r->input->path, height, width, r->input->size);
    r->image->n = 1;
    r->image->rows = height;
    r->image->cols = width;
    return VAE_OK;
}

/* Palettes are looked up here: libpng 1.6 takes numbers beyond their end for black. */
static void read_palette(png_structp png, png_infop info, struct reader *r)
{
    png_colorp colour = NULL;
    png_bytep alpha = NULL;
    int colours = 0, alphas = 0;
    png_get_PLTE(png, info, &colour, &colours);
    png_get_tRNS(png, info, &alpha, &alphas, NULL);
    for (int i = 0; i < colours; i++) {
        const uint8_t rgba[] = {colour[i].red, colour[i].green, colour[i].blue, i < alphas ? alpha[i] : 255};
        r->palette[i] = grey_pixel(rgba, sizeof rgba);
    }
    r->entries = (size_t)colours;
}

/* Numbers in a palette, or eight bits each of grey or of red, green and blue, and of alpha where there is any. */
static void set_transforms(png_structp png, png_infop info, struct reader *r)
{
    const int colour = png_get_color_type(png, info);
    png_set_scale_16(png);
    if (colour == PNG_COLOR_TYPE_PALETTE) {
        png_set_packing(png);
        read_palette(png, info, r);
        return;
    }
    if (colour == PNG_COLOR_TYPE_GRAY) png_set_expand_gray_1_2_4_to_8(png);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) png_set_tRNS_to_alpha(png);
}

/* An interlaced image comes in seven passes, each of which fills some pixels of all rows. */
static void read_rows(png_structp png, png_infop info, struct reader *r)
{
    const size_t rows = r->image->rows;
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    const size_t size = png_get_rowbytes(png, info);
    r->channels = png_get_channels(png, info);
    r->bytes = png_calloc(png, rows * size); /* jumps where there is no memory */
    while (passes-- > 0)
        for (size_t y = 0; y < rows; y++) png_read_row(png, r->bytes + y * size, NULL);
    png_read_end(png, NULL);
}

/* The jump ends here, in a frame that has no variables of its own. */
static vae_status decode(png_structp png, png_infop info, struct reader *r)
{
    if (setjmp(png_jmpbuf(png))) return r->status;
    set_limits(png);
    png_set_read_fn(png, r, read_bytes);
    png_read_info(png, info);
    r->status = check_header(png, info, r);
    if (r->status) return r->status;
    set_transforms(png, info, r);
    read_rows(png, info, r);
    return VAE_OK;
}

static vae_status to_grey(const struct reader *r)
{
    const uint8_t *bytes = r->bytes;
    const size_t n = r->image->rows * r->image->cols;
    uint8_t *pixels = malloc(n);
    if (!pixels) return vae_fail(r->err, VAE_E_MEMORY, "%s: out of memory (%zu bytes)", r->input->path, n);
    r->image->pixels = pixels;
    for (size_t i = 0; i < n && !r->entries; i++) pixels[i] = grey_pixel(bytes + i * r->channels, r->channels);
    for (size_t i = 0; i < n && r->entries; i++) {
        if (bytes[i] >= r->entries)
            return vae_fail(r->err, VAE_E_DATA, "%s: damaged PNG (colour %d of a palette of %zu)", r->input->path,
                            bytes[i], r->entries);
        pixels[i] = r->palette[bytes[i]];
    }
    return VAE_OK;
}

static vae_status read_image(const struct input *input, size_t most, vae_images *images, vae_error *err)
{
    (void)most;
    struct reader r = {.input = input, .image = images, .err = err};
    png_infop info = NULL;
    png_structp png = png_create_read_struct_2(PNG_LIBPNG_VER_STRING, &r, on_error, on_warning, &r, allocate, release);
    if (png) info = png_create_info_struct(png);
    vae_status status = info ? decode(png, info, &r) : vae_fail(err, VAE_E_MEMORY, "%s: out of memory", input->path);
    png_destroy_read_struct(&png, &info, NULL);
    if (!status) status = to_grey(&r);
    free(r.bytes);
    return status;
}

static bool is_png(const uint8_t start[4]) { return !memcmp(start, "\x89PNG", 4); }

const struct format_ops format_png = {.name = "PNG", .is = is_png, .read = read_image};
