/* SPDX-License-Identifier: MIT
 *
 * Good image files are read byte for byte; every malformed one is refused with a message that names the file and what
 * is wrong. All files are made here: a corpus in the repository would be binary and not say why a file is bad.
 *
 * Not under tsan: no thread is started here. */
#include "data/idx.h"

#include "data/source.h"
#include "files.h"

#include <zlib.h>

struct bytes {
    size_t n;
    uint8_t at[4096];
};

/* ---- Makers ----------------------------------------------------------------------------------------------------- */

enum { UBYTE = 8 };

static uint8_t pixel(size_t i) { return (uint8_t)(37 * i + 11); }

static void put_header(struct bytes *b, uint8_t type, uint8_t rank, const uint32_t *dim, size_t dims)
{
    const uint8_t magic[4] = {0, 0, type, rank};
    memcpy(b->at, magic, 4);
    b->n = 4;
    for (size_t i = 0; i < dims; i++)
        for (int shift = 24; shift >= 0; shift -= 8) b->at[b->n++] = (uint8_t)(dim[i] >> shift);
}

static void put_body(struct bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++) b->at[b->n++] = pixel(i);
}

static void put_images(struct bytes *b, uint32_t n, uint32_t rows, uint32_t cols, size_t body)
{
    put_header(b, UBYTE, 3, (const uint32_t[]){n, rows, cols}, 3);
    put_body(b, body);
}

static void put_labels(struct bytes *b, uint32_t n)
{
    put_header(b, UBYTE, 1, &n, 1);
    put_body(b, n);
}

static void put_text(struct bytes *b, const char *text)
{
    b->n = strlen(text);
    memcpy(b->at, text, b->n);
}

/* Appends the gzip form of `from`; level 0: stored, 9: as small as can be. */
static void append_gzip_at(struct bytes *b, const void *from, size_t n, int level)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)from;
    z.avail_in = (uInt)n;
    z.next_out = b->at + b->n;
    z.avail_out = (uInt)(sizeof b->at - b->n);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->n += z.total_out;
    deflateEnd(&z);
}

static void append_gzip(struct bytes *b, const void *from, size_t n) { append_gzip_at(b, from, n, 9); }

static void gzip(struct bytes *b)
{
    const struct bytes plain = *b;
    b->n = 0;
    append_gzip(b, plain.at, plain.n);
}

/* The good one that the bad ones are made of: 4 images of 3 x 5. */
static void good(struct bytes *b) { put_images(b, 4, 3, 5, 60); }
static void good_gz(struct bytes *b) { good(b), gzip(b); }

static void one_image(struct bytes *b) { put_images(b, 1, 2, 2, 4); }
static void one_pixel(struct bytes *b) { put_images(b, 1, 1, 1, 1); }
static void flat(struct bytes *b) { put_images(b, 2, 1, 9, 18); }

static void two_members(struct bytes *b)
{
    struct bytes plain;
    good(&plain);
    b->n = 0;
    append_gzip(b, plain.at, 30);
    append_gzip(b, plain.at + 30, plain.n - 30);
}

static void empty(struct bytes *b) { b->n = 0; }
static void empty_gz(struct bytes *b) { empty(b), gzip(b); }
static void bytes_1(struct bytes *b) { good(b), b->n = 1; }
static void bytes_2(struct bytes *b) { good(b), b->n = 2; }
static void bytes_3(struct bytes *b) { good(b), b->n = 3; }
static void html(struct bytes *b) { put_text(b, "<!DOCTYPE html><title>403 Forbidden</title>"); }
static void html_gz(struct bytes *b) { html(b), gzip(b); }
static void png(struct bytes *b) { put_text(b, "\x89PNG\r\n\x1a\n and so on and so on"); }
static void bad_zero(struct bytes *b) { good(b), b->at[1] = 1; }
static void little_endian(struct bytes *b) { good(b), memcpy(b->at, "\3\10\0\0", 4); }
static void type_float(struct bytes *b) { good(b), b->at[2] = 0x0d; }
static void type_sbyte(struct bytes *b) { good(b), b->at[2] = 0x09; }
static void type_none(struct bytes *b) { good(b), b->at[2] = 0; }
static void labels(struct bytes *b) { put_labels(b, 4); }
static void labels_gz(struct bytes *b) { put_labels(b, 4), gzip(b); }
static void rank_0(struct bytes *b) { good(b), b->at[3] = 0; }
static void rank_2(struct bytes *b) { put_header(b, UBYTE, 2, (const uint32_t[]){4, 15}, 2), put_body(b, 60); }
static void rank_4(struct bytes *b) { put_header(b, UBYTE, 4, (const uint32_t[]){4, 3, 5, 1}, 4), put_body(b, 60); }
static void rank_255(struct bytes *b) { good(b), b->at[3] = 255; }
static void no_images(struct bytes *b) { put_images(b, 0, 3, 5, 0); }
static void no_rows(struct bytes *b) { put_images(b, 4, 0, 5, 0); }
static void no_cols(struct bytes *b) { put_images(b, 4, 3, 0, 0); }
static void three_labels(struct bytes *b) { put_labels(b, 3); }
static void no_labels(struct bytes *b) { put_labels(b, 0); }
static void header_only(struct bytes *b) { put_images(b, 4, 3, 5, 0); }
static void short_by_1(struct bytes *b) { put_images(b, 4, 3, 5, 59); }
static void long_by_1(struct bytes *b) { put_images(b, 4, 3, 5, 61); }
static void short_by_1_gz(struct bytes *b) { short_by_1(b), gzip(b); }
static void long_by_1_gz(struct bytes *b) { long_by_1(b), gzip(b); }

/* Products of the dimensions: 2^32 exactly, 0 modulo 2^32 and 2^64, and the largest there is. */
static void wraps_32(struct bytes *b) { put_images(b, 65536, 256, 256, 0); }
static void wraps_32_by_16(struct bytes *b) { put_images(b, 65537, 256, 256, 65536 % 4000); }
static void wraps_64(struct bytes *b) { put_images(b, 1u << 31, 1u << 31, 4, 0); }
static void wraps_64_sides(struct bytes *b) { put_images(b, 1, 1u << 31, 1u << 31, 0); }
static void largest(struct bytes *b) { put_images(b, UINT32_MAX, UINT32_MAX, UINT32_MAX, 60); }
static void largest_gz(struct bytes *b) { largest(b), gzip(b); }
static void many_labels(struct bytes *b) { put_header(b, UBYTE, 1, (const uint32_t[]){UINT32_MAX}, 1), put_body(b, 9); }
static void long_side(struct bytes *b) { put_images(b, 1, 70000, 1, 60); }

/* Announces 2^31 items, or as many as are allowed, in about 1 kB. */
static void bomb(struct bytes *b) { put_images(b, 1u << 31, 1, 1, 1000), gzip(b); }
static void bomb_allowed(struct bytes *b) { put_images(b, (1u << 31) - 2, 1, 1, 1000), gzip(b); }
static void bomb_labels(struct bytes *b)
{
    put_header(b, UBYTE, 1, (const uint32_t[]){(1u << 31) - 2}, 1);
    put_body(b, 1000);
    gzip(b);
}

static void gz_of_gz(struct bytes *b) { good(b), gzip(b), gzip(b); }
static void gz_garbage(struct bytes *b) { put_text(b, "\x1f\x8b\x08 and then no deflate data at all"); }
static void gz_method(struct bytes *b) { good_gz(b), b->at[2] = 7; }
static void cut_in_gz_header(struct bytes *b) { good_gz(b), b->n = 6; }
static void cut_in_body(struct bytes *b) { good_gz(b), b->n /= 2; }
static void cut_before_crc(struct bytes *b) { good_gz(b), b->n -= 8; }
static void cut_in_crc(struct bytes *b) { good_gz(b), b->n -= 6; }
static void cut_before_length(struct bytes *b) { good_gz(b), b->n -= 4; }
static void cut_in_length(struct bytes *b) { good_gz(b), b->n -= 1; }
static void flip_in_body(struct bytes *b) { good_gz(b), b->at[b->n / 2] ^= 4; }
static void flip_in_crc(struct bytes *b) { good_gz(b), b->at[b->n - 8] ^= 1; }
static void flip_in_length(struct bytes *b) { good_gz(b), b->at[b->n - 1] ^= 128; }
static void second_member_cut(struct bytes *b) { two_members(b), b->n -= 3; }
static void second_member_more(struct bytes *b)
{
    good_gz(b);
    append_gzip(b, "x", 1);
}

static void put_behind(struct bytes *b, size_t zeros, size_t others)
{
    good_gz(b);
    memset(b->at + b->n, 0, zeros);
    memset(b->at + b->n + zeros, 'x', others);
    b->n += zeros + others;
}
static void zeros_behind(struct bytes *b) { put_behind(b, 512, 0); }
static void byte_behind(struct bytes *b) { put_behind(b, 0, 1); }
static void byte_behind_zeros(struct bytes *b) { put_behind(b, 300, 1); }
static void text_behind_member(struct bytes *b)
{
    good_gz(b);
    memcpy(b->at + b->n, "\x1f is no member", 15);
    b->n += 15;
}

/* ---- One file --------------------------------------------------------------------------------------------------- */

static const struct bad {
    const char *name;
    void (*make)(struct bytes *);
    int rank;            /* what it is read as: 3 images, 1 labels */
    const char *message; /* part of it */
} bad_files[] = {
    {"empty", empty, 3, "too early"},
    {"empty, gzip", empty_gz, 3, "too early"},
    {"1 byte", bytes_1, 3, "too early"},
    {"2 bytes", bytes_2, 3, "too early"},
    {"3 bytes", bytes_3, 3, "too early"},
    {"empty labels", empty, 1, "too early"},
    {"HTML", html, 3, "HTML"},
    {"HTML, gzip", html_gz, 3, "HTML"},
    {"HTML labels", html, 1, "HTML"},
    {"PNG", png, 3, "starts with 89 50 4e 47"},
    {"second byte not zero", bad_zero, 3, "starts with 00 01 08 03"},
    {"little-endian", little_endian, 3, "starts with 03 08 00 00"},
    {"floats", type_float, 3, "type 0x0d"},
    {"signed bytes", type_sbyte, 3, "type 0x09"},
    {"no type", type_none, 3, "type 0x00"},
    {"labels as images", labels, 3, "rank 1, labels (expected images"},
    {"labels as images, gzip", labels_gz, 3, "rank 1, labels (expected images"},
    {"images as labels", good, 1, "rank 3, images (expected labels"},
    {"images as labels, gzip", good_gz, 1, "rank 3, images (expected labels"},
    {"rank 0", rank_0, 3, "rank 0"},
    {"rank 2", rank_2, 3, "rank 2"},
    {"rank 4", rank_4, 3, "rank 4"},
    {"rank 255", rank_255, 3, "rank 255"},
    {"0 images", no_images, 3, "dimension 0 is 0"},
    {"0 rows", no_rows, 3, "dimension 1 is 0"},
    {"0 columns", no_cols, 3, "dimension 2 is 0"},
    {"0 labels", no_labels, 1, "dimension 0 is 0"},
    {"header only", header_only, 3, "announces 76"},
    {"short by 1", short_by_1, 3, "75 bytes, but its header announces 76"},
    {"long by 1", long_by_1, 3, "77 bytes, but its header announces 76"},
    {"short by 1, gzip", short_by_1_gz, 3, "too early"},
    {"long by 1, gzip", long_by_1_gz, 3, "more data than its header announces"},
    {"product 2^32", wraps_32, 3, "announces 4294967312"},
    {"product just above 2^32", wraps_32_by_16, 3, "announces 4295032848"},
    {"product 2^64", wraps_64, 3, "2147483648 items"},
    {"sides' product 2^62", wraps_64_sides, 3, "2147483648 x 2147483648 pixels"},
    {"largest dimensions", largest, 3, "4294967295 items"},
    {"largest dimensions, gzip", largest_gz, 3, "4294967295 items"},
    {"largest number of labels", many_labels, 1, "4294967295 items"},
    {"side too long", long_side, 3, "70000 x 1 pixels"},
    {"bomb", bomb, 3, "2147483648 items"},
    {"bomb within the limits", bomb_allowed, 3, "compressed bytes can hold"},
    {"bomb of labels", bomb_labels, 1, "compressed bytes can hold"},
    {"gzip of gzip", gz_of_gz, 3, "compressed twice"},
    {"gzip of gzip as labels", gz_of_gz, 1, "compressed twice"},
    {"gzip magic, then garbage", gz_garbage, 3, "damaged gzip data"},
    {"unknown gzip method", gz_method, 3, "damaged gzip data"},
    {"cut in the gzip header", cut_in_gz_header, 3, "too early"},
    {"cut in the body", cut_in_body, 3, "too early"},
    {"cut before the checksum", cut_before_crc, 3, "too early"},
    {"cut in the checksum", cut_in_crc, 3, "too early"},
    {"cut before the length", cut_before_length, 3, "too early"},
    {"cut in the length", cut_in_length, 3, "too early"},
    {"bit flipped in the body", flip_in_body, 3, "damaged"},
    {"bit flipped in the checksum", flip_in_crc, 3, "damaged gzip data"},
    {"bit flipped in the length", flip_in_length, 3, "damaged gzip data"},
    {"second member cut", second_member_cut, 3, "too early"},
    {"a byte behind gzip", byte_behind, 3, "more behind its gzip data (expected its end, or zeros)"},
    {"a byte behind zeros behind gzip", byte_behind_zeros, 3, "more behind its gzip data"},
    {"what begins like a member behind gzip", text_behind_member, 3, "damaged gzip data"},
    {"second member beyond the end", second_member_more, 3, "more data than its header announces"},
};

/* Reads the file as images or labels; on failure the results must hold nothing. */
static vae_status read_as(int rank, const char *path, vae_images *images, vae_error *err)
{
    vae_status status = rank == 3 ? idx_read_images(path, SIZE_MAX, images, err)
                                  : idx_read_labels(path, 4, &images->labels, err);
    if (status) {
        assert_null(images->pixels);
        assert_null(images->labels);
    }
    return status;
}

/* One line that starts with the file's name. */
static void assert_message(const char *what, const vae_error *err, const char *path, const char *part)
{
    assert_int_equal(err->status, VAE_E_DATA);
    if (strncmp(err->message, path, strlen(path)) || !strstr(err->message, part) || strchr(err->message, '\n'))
        fail_msg("%s: message is '%s' (expected '%s...%s')", what, err->message, path, part);
}

static void test_bad_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_files / sizeof *bad_files; i++) {
        const struct bad *c = &bad_files[i];
        struct bytes b;
        vae_images images = {0};
        vae_error err = {0};
        char path[PATH_MOST];
        c->make(&b);
        put_file(in_scratch(path, "file"), b.at, b.n);
        if (read_as(c->rank, path, &images, &err) != VAE_E_DATA) fail_msg("%s: not refused", c->name);
        assert_message(c->name, &err, path, c->message);
    }
}

static const struct {
    const char *name, *file;
    void (*make)(struct bytes *);
    size_t n, rows, cols;
} good_files[] = {
    {"plain", "images", good, 4, 3, 5},
    {"gzip", "images.gz", good_gz, 4, 3, 5},
    {"gzip by content, not by name", "images", good_gz, 4, 3, 5},
    {"plain by content, not by name", "images.gz", good, 4, 3, 5},
    {"one image", "images", one_image, 1, 2, 2},
    {"one pixel", "images", one_pixel, 1, 1, 1},
    {"one row", "images", flat, 2, 1, 9},
    {"two gzip members", "images.gz", two_members, 4, 3, 5},
    {"gzip, padded with zeros", "images.gz", zeros_behind, 4, 3, 5},
};

static void test_good_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_files / sizeof *good_files; i++) {
        struct bytes b;
        vae_images images = {0};
        vae_error err = {0};
        char path[PATH_MOST];
        good_files[i].make(&b);
        put_file(in_scratch(path, good_files[i].file), b.at, b.n);
        if (idx_read_images(path, SIZE_MAX, &images, &err)) fail_msg("%s: %s", good_files[i].name, err.message);
        assert_int_equal(images.n, good_files[i].n);
        assert_int_equal(images.rows, good_files[i].rows);
        assert_int_equal(images.cols, good_files[i].cols);
        for (size_t k = 0; k < images.n * images.rows * images.cols; k++) assert_int_equal(images.pixels[k], pixel(k));
        images_free(&images);
    }
}

static void test_good_labels(void **state)
{
    (void)state;
    for (int compressed = 0; compressed < 2; compressed++) {
        struct bytes b;
        uint8_t *read = NULL;
        char path[PATH_MOST];
        (compressed ? labels_gz : labels)(&b);
        put_file(in_scratch(path, "labels"), b.at, b.n);
        assert_int_equal(idx_read_labels(path, 4, &read, NULL), VAE_OK);
        for (size_t i = 0; i < 4; i++) assert_int_equal(read[i], pixel(i));
        free(read);
    }
}

/* Nothing here may be opened as a stream of bytes, and none of it may block. */
static void test_not_regular_files(void **state)
{
    (void)state;
    vae_images images = {0};
    vae_error err = {0};
    char path[PATH_MOST];
    assert_int_equal(mkfifo(in_scratch(path, "fifo"), 0600), 0);
    assert_int_equal(idx_read_images(path, SIZE_MAX, &images, &err), VAE_E_DATA);
    assert_message("FIFO", &err, path, "not a regular file");
    assert_int_equal(idx_read_images(scratch, SIZE_MAX, &images, &err), VAE_E_DATA);
    assert_message("folder", &err, scratch, "not a regular file");
    assert_int_equal(idx_read_images("/dev/zero", SIZE_MAX, &images, &err), VAE_E_DATA);
    assert_message("device", &err, "/dev/zero", "not a regular file");
    assert_int_equal(idx_read_images(in_scratch(path, "missing"), SIZE_MAX, &images, &err), VAE_E_DATA);
    assert_message("missing", &err, path, "No such file");
}

static void test_message_has_no_control_characters(void **state)
{
    (void)state;
    vae_images images = {0};
    vae_error err = {0};
    assert_int_equal(idx_read_images("a\x1b[31m\nb", SIZE_MAX, &images, &err), VAE_E_DATA);
    assert_int_equal(strncmp(err.message, "a?[31m?b: ", 10), 0);
    assert_int_equal(idx_read_images("a\xc2\x9b"
                                     "31m\xc3\xa9\xc2\xa9",
                                     SIZE_MAX, &images, &err),
                     VAE_E_DATA);
    assert_int_equal(strncmp(err.message, "a??31m\xc3\xa9\xc2\xa9: ", 12), 0);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

static void every_cut_is_refused(const struct bytes *whole, const char *path, int rank)
{
    for (size_t n = 0; n < whole->n; n++) {
        vae_images images = {0};
        vae_error err = {0};
        put_file(path, whole->at, n);
        if (read_as(rank, path, &images, &err) != VAE_E_DATA)
            fail_msg("cut to %zu of %zu bytes: not refused", n, whole->n);
    }
}

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    void (*const makers[])(struct bytes *) = {good, good_gz, labels, labels_gz};
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++) {
        struct bytes whole;
        char path[PATH_MOST];
        makers[i](&whole);
        every_cut_is_refused(&whole, in_scratch(path, "cut"), i < 2 ? 3 : 1);
    }
}

static void assert_good_pixels(const vae_images *images)
{
    assert_int_equal(images->n * images->rows * images->cols, 60);
    for (size_t k = 0; k < 60; k++) assert_int_equal(images->pixels[k], pixel(k));
}

/* Every single bit of a gzip file. Its header has fields that mean nothing to us (time, effort, system), and the last
 * byte before the checksum is filled up with spare bits; any other flip must be noticed. No wrong pixel may come out in
 * any case. */
static void test_flipped_bits_never_give_wrong_pixels(void **state)
{
    (void)state;
    enum { HEADER = 10, TRAILER = 8 };
    struct bytes whole;
    char path[PATH_MOST];
    good_gz(&whole);
    in_scratch(path, "flipped");
    for (size_t bit = 0; bit < 8 * whole.n; bit++) {
        struct bytes b = whole;
        vae_images images = {0};
        b.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        put_file(path, b.at, b.n);
        if (idx_read_images(path, SIZE_MAX, &images, NULL)) continue;
        if (bit / 8 >= HEADER && bit / 8 != whole.n - TRAILER - 1)
            fail_msg("bit %zu of byte %zu flipped: not refused", bit % 8, bit / 8);
        assert_good_pixels(&images);
        images_free(&images);
    }
}

/* More than one flip at a time, header included, to reach states that single flips do not. */
static void test_many_flipped_bits_do_no_harm(void **state)
{
    (void)state;
    uint64_t random = 1;
    char path[PATH_MOST];
    size_t refused = 0;
    in_scratch(path, "flipped");
    for (int round = 0; round < 2000; round++) {
        struct bytes b;
        vae_images images = {0};
        (round % 2 ? good : good_gz)(&b);
        for (int flips = 2 + round % 7; flips > 0; flips--) {
            size_t bit = next_random(&random) % (8 * (round % 2 ? 16 : b.n));
            b.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        put_file(path, b.at, b.n);
        if (idx_read_images(path, SIZE_MAX, &images, NULL))
            refused++;
        else
            assert_int_equal(images.n * images.rows * images.cols, 60);
        images_free(&images);
    }
    assert_in_range(refused, 1900, 2000);
}

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

/* A file of that shape which is black and takes no room on the disk. Its pixels stay where they are: there may be
 * gigabytes of them. */
static vae_status read_black(const uint32_t dim[3], vae_images *images, vae_error *err)
{
    struct bytes b;
    char path[PATH_MOST];
    put_header(&b, UBYTE, 3, dim, 3);
    put_file(in_scratch(path, "black"), b.at, b.n);
    assert_int_equal(truncate(path, (off_t)(16 + (uint64_t)dim[0] * dim[1] * dim[2])), 0);
    return idx_read_images(path, 0, images, err);
}

/* Each byte of each dimension, and the largest there may be: 65536 a side, 2^24 pixels, 2^31 - 2 images. */
static void test_largest_sizes(void **state)
{
    static const uint32_t taken[][3] = {{0x00010203, 1, 1}, {0x01020304, 1, 1},   {1, 0x0102, 3},  {1, 3, 0x0102},
                                        {1, 65536, 1},      {1, 1, 65536},        {2, 256, 65536}, {2, 65536, 256},
                                        {1, 4096, 4096},    {INT32_MAX - 1, 1, 1}};
    static const struct {
        uint32_t dim[3];
        const char *message;
    } refused[] = {
        {{1, 65537, 1}, "images of 65537 x 1 pixels (at most 65536 x 65536 and 16777216 in all)"},
        {{1, 1, 65537}, "images of 1 x 65537 pixels (at most 65536 x 65536 and 16777216 in all)"},
        {{1, 257, 65536}, "images of 257 x 65536 pixels (at most 65536 x 65536 and 16777216 in all)"},
        {{1, 65536, 257}, "images of 65536 x 257 pixels (at most 65536 x 65536 and 16777216 in all)"},
        {{1, 4097, 4096}, "images of 4097 x 4096 pixels (at most 65536 x 65536 and 16777216 in all)"},
        {{1, 4096, 4097}, "images of 4096 x 4097 pixels (at most 65536 x 65536 and 16777216 in all)"},
        {{INT32_MAX, 1, 1}, "2147483647 items (at most 2147483646)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        vae_images images = {0};
        vae_error err = {0};
        if (read_black(taken[i], &images, &err)) fail_msg("%s", err.message);
        assert_true(images.n == taken[i][0] && images.rows == taken[i][1] && images.cols == taken[i][2]);
        images_free(&images);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        vae_images images = {0};
        vae_error err = {0};
        char path[PATH_MOST], wanted[2 * PATH_MOST];
        assert_int_equal(read_black(refused[i].dim, &images, &err), VAE_E_DATA);
        snprintf(wanted, sizeof wanted, "%s: %s", in_scratch(path, "black"), refused[i].message);
        assert_string_equal(err.message, wanted);
    }
}

/* Stores the header of n images of one pixel uncompressed, which makes a gzip file of 39 bytes. Such a file may hold
 * 1032 bytes a byte, and the rest of a thousand. */
static void test_limit_of_deflate(void **state)
{
    static const struct {
        uint32_t n;
        const char *message;
    } known[] = {{39 * 1032 + 1031 - 16, "file ends too early"},
                 {40 * 1032 - 16, "header announces 41280 bytes, more than 39 compressed bytes can hold"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct bytes b;
        char path[PATH_MOST];
        vae_images images = {0};
        vae_error err = {0};
        put_images(&b, known[i].n, 1, 1, 0);
        const struct bytes plain = b;
        b.n = 0;
        append_gzip_at(&b, plain.at, plain.n, 0);
        assert_int_equal(b.n, 39);
        put_file(in_scratch(path, "stored"), b.at, b.n);
        assert_int_equal(idx_read_images(path, SIZE_MAX, &images, &err), VAE_E_DATA);
        assert_message("stored", &err, path, known[i].message);
    }
}

/* Black images shrink to nearly a thousandth. A compressed file is read into memory, however large. */
static void test_black_images_compressed(void **state)
{
    enum { N = 250000 };
    static uint8_t plain[16 + N];
    struct bytes b = {0};
    char path[PATH_MOST];
    vae_images images = {0};
    (void)state;
    put_header(&b, UBYTE, 3, (const uint32_t[]){N, 1, 1}, 3);
    memcpy(plain, b.at, 16);
    b.n = 0;
    append_gzip(&b, plain, sizeof plain);
    assert_in_range(b.n, N / 1032, N / 800);
    put_file(in_scratch(path, "black.gz"), b.at, b.n);
    assert_int_equal(idx_read_images(path, 0, &images, NULL), VAE_OK);
    assert_non_null(images.pixels);
    assert_null(images.stream);
    assert_memory_equal(images.pixels, plain + 16, N);
    images_free(&images);
}

/* What is expected is said in full. */
static void test_whole_messages(void **state)
{
    static const struct {
        void (*make)(struct bytes *);
        int rank;
        const char *message;
    } known[] = {
        {html, 3, "an HTML or XML page (expected a file of data)"},
        {html, 1, "an HTML or XML page (expected a file of data)"},
        {gz_of_gz, 3, "compressed twice (expected once or not at all)"},
        {png, 1, "not an IDX file: starts with 89 50 4e 47 (expected labels, magic 00 00 08 01)"},
        {type_float, 3, "IDX elements of type 0x0d (expected 0x08, unsigned bytes)"},
        {labels, 3, "IDX file of rank 1, labels (expected images, magic 00 00 08 03)"},
        {good, 1, "IDX file of rank 3, images (expected labels, magic 00 00 08 01)"},
        {rank_2, 3, "IDX file of rank 2, neither images nor labels (expected images, magic 00 00 08 03)"},
        {rank_4, 1, "IDX file of rank 4, neither images nor labels (expected labels, magic 00 00 08 01)"},
        {no_cols, 3, "IDX dimension 2 is 0"},
        {short_by_1, 3, "75 bytes, but its header announces 76 (cut off, or not this format)"},
        {short_by_1_gz, 3, "file ends too early (the download or copy was cut off)"},
        {flip_in_crc, 3, "damaged gzip data (a checksum or code in it is wrong)"},
        {long_by_1_gz, 3, "more data than its header announces"},
        {three_labels, 1, "3 labels for 4 images"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes b;
        vae_images images = {0};
        vae_error err = {0};
        char path[PATH_MOST], wanted[2 * PATH_MOST];
        known[i].make(&b);
        put_file(in_scratch(path, "file"), b.at, b.n);
        assert_int_equal(read_as(known[i].rank, path, &images, &err), VAE_E_DATA);
        snprintf(wanted, sizeof wanted, "%s: %s", path, known[i].message);
        assert_string_equal(err.message, wanted);
    }
}

/* ---- Folders ---------------------------------------------------------------------------------------------------- */

static void put_in_scratch(const char *name, void (*make)(struct bytes *))
{
    struct bytes b;
    char path[PATH_MOST];
    make(&b);
    put_file(in_scratch(path, name), b.at, b.n);
}

static void assert_folder_refused(const char *part)
{
    vae_data *data = NULL;
    vae_error err = {0};
    assert_int_equal(vae_data_open(&data, scratch, 0.1, 0, 1, &err), VAE_E_DATA);
    assert_null(data);
    assert_message("folder", &err, scratch, part);
}

static void assert_folder_opens(size_t labelled)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, scratch, 0.5, 0, 1, &err)) fail_msg("%s", err.message);
    assert_int_equal(data->train.n, 4);
    assert_int_equal(data->test.n, 4);
    assert_int_equal(data->train.rows, 3);
    assert_int_equal(data->test.cols, 5);
    assert_int_equal((data->train.labels != NULL) + (data->test.labels != NULL), labelled);
    assert_non_null(strstr(data->name, scratch));
    vae_data_free(&data);
    assert_null(data);
}

static void test_folder_without_files(void **state)
{
    (void)state;
    vae_data *data = NULL;
    vae_error err = {0};
    char path[PATH_MOST];
    assert_folder_refused("no file train-images-idx3-ubyte");
    assert_int_equal(vae_data_open(&data, in_scratch(path, "missing"), 0.1, 0, 1, &err), VAE_E_DATA);
    assert_message("missing folder", &err, path, "No such file");
    put_in_scratch("train-images-idx3-ubyte", good);
    assert_folder_refused("no file t10k-images-idx3-ubyte");
}

static void test_folder_names(void **state)
{
    (void)state;
    char path[PATH_MOST];
    put_in_scratch("train-images-idx3-ubyte", good);
    put_in_scratch("t10k-images-idx3-ubyte.gz", good_gz);
    assert_folder_opens(0);
    put_in_scratch("train-labels-idx1-ubyte.gz", labels_gz);
    assert_folder_opens(1);
    put_in_scratch("t10k-labels.idx1-ubyte", labels);
    assert_folder_opens(2);
    assert_int_equal(unlink(in_scratch(path, "train-images-idx3-ubyte")), 0);
    assert_int_equal(unlink(in_scratch(path, "t10k-images-idx3-ubyte.gz")), 0);
    put_in_scratch("train-images.idx3-ubyte", good);
    put_in_scratch("t10k-images.idx3-ubyte.gz", good_gz);
    assert_folder_opens(2);
}

static void test_folder_with_bad_files(void **state)
{
    (void)state;
    put_in_scratch("train-images-idx3-ubyte", good);
    put_in_scratch("t10k-images-idx3-ubyte", one_image);
    assert_folder_refused("training images are 3 x 5, test images 2 x 2");
    put_in_scratch("t10k-images-idx3-ubyte", cut_in_body);
    assert_folder_refused("t10k-images-idx3-ubyte: file ends too early");
    put_in_scratch("t10k-images-idx3-ubyte", good);
    put_in_scratch("t10k-labels-idx1-ubyte", three_labels);
    assert_folder_refused("t10k-labels-idx1-ubyte: 3 labels for 4 images");
    put_in_scratch("train-labels-idx1-ubyte", html);
    assert_folder_refused("train-labels-idx1-ubyte: an HTML");
}

/* ---- Holding out ------------------------------------------------------------------------------------------------ */

/* A file of n images of one pixel, pixel i having value i. */
static const char *numbered(char path[PATH_MOST], uint32_t n)
{
    struct bytes b;
    put_images(&b, n, 1, 1, n);
    for (uint32_t i = 0; i < n; i++) b.at[16 + i] = (uint8_t)i;
    put_file(in_scratch(path, "numbered"), b.at, b.n);
    return path;
}

static void assert_split(uint32_t n, double holdout, size_t test)
{
    char path[PATH_MOST];
    int seen[256] = {0};
    vae_data *data = NULL;
    assert_int_equal(vae_data_open(&data, numbered(path, n), holdout, 0, 1, NULL), VAE_OK);
    assert_int_equal(data->train.n, n - test);
    assert_int_equal(data->test.n, test);
    for (size_t i = 0; i < data->train.n; i++) seen[data->train.pixels[i]]++;
    for (size_t i = 0; i < data->test.n; i++) seen[data->test.pixels[i]]++;
    for (uint32_t i = 0; i < n; i++) assert_int_equal(seen[i], 1); /* disjoint and complete */
    vae_data_free(&data);
}

static void test_holdout_sizes(void **state)
{
    (void)state;
    assert_split(100, 0.1, 10);
    assert_split(200, 0.25, 50);
    assert_split(7, 0.5, 4);
    assert_split(100, 0, 0);
    assert_split(100, 0.004, 0);
    assert_split(1, 0.1, 0);
    assert_split(2, 0.5, 1);
}

static void test_holdout_depends_on_the_seed_alone(void **state)
{
    (void)state;
    char path[PATH_MOST];
    vae_data *data[3] = {NULL};
    numbered(path, 200);
    for (uint64_t i = 0; i < 3; i++) assert_int_equal(vae_data_open(&data[i], path, 0.25, 0, i / 2, NULL), VAE_OK);
    assert_memory_equal(data[0]->test.pixels, data[1]->test.pixels, 50);
    assert_memory_not_equal(data[0]->test.pixels, data[2]->test.pixels, 50);
    for (size_t i = 0; i < 3; i++) vae_data_free(&data[i]);
}

static void test_holdout_leaves_something_to_train_on(void **state)
{
    (void)state;
    char path[PATH_MOST];
    vae_data *data = NULL;
    vae_error err = {0};
    assert_int_equal(vae_data_open(&data, numbered(path, 10), 1, 0, 1, &err), VAE_E_USAGE);
    assert_null(data);
    assert_string_equal(err.message, "holdout: 1 leaves none of 10 images to train on");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_good_files),
        TEST(test_good_labels),
        TEST(test_bad_files),
        TEST(test_not_regular_files),
        TEST(test_message_has_no_control_characters),
        TEST(test_every_cut_is_refused),
        TEST(test_flipped_bits_never_give_wrong_pixels),
        TEST(test_many_flipped_bits_do_no_harm),
        TEST(test_largest_sizes),
        TEST(test_limit_of_deflate),
        TEST(test_black_images_compressed),
        TEST(test_whole_messages),
        TEST(test_folder_without_files),
        TEST(test_folder_names),
        TEST(test_folder_with_bad_files),
        TEST(test_holdout_sizes),
        TEST(test_holdout_depends_on_the_seed_alone),
        TEST(test_holdout_leaves_something_to_train_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
