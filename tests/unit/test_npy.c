/* SPDX-License-Identifier: MIT
 *
 * NumPy's files are read number by number; every other one is refused with a message that names it, what was found and
 * what was expected. Files are made here byte by byte, as NumPy's own reader is not what is tested.
 *
 * Not under tsan: no thread is started here. */
#include "data/format.h"

#include "data/source.h"
#include "files.h"

#include <float.h>
#include <math.h>
#include <zlib.h>

/* ---- Makers ----------------------------------------------------------------------------------------------------- */

struct bytes {
    size_t n;
    uint8_t at[16384];
};

static void append(struct bytes *b, const void *from, size_t n)
{
    assert_true(b->n + n <= sizeof b->at);
    memcpy(b->at + b->n, from, n);
    b->n += n;
}

/* Everything before the elements. `length` is what the file says of its header. */
static void start_with(struct bytes *b, int major, int minor, const char *header, size_t length)
{
    const uint8_t version[] = {(uint8_t)major, (uint8_t)minor};
    b->n = 0;
    append(b, "\x93NUMPY", 6);
    append(b, version, 2);
    for (size_t i = 0; i < (major == 1 ? 2 : 4); i++) append(b, (const uint8_t[]){(uint8_t)(length >> 8 * i)}, 1);
    append(b, header, strlen(header));
}

static void start(struct bytes *b, const char *header) { start_with(b, 1, 0, header, strlen(header)); }

/* Element i: a byte, and a number that needs all of its type's digits. */
static uint8_t byte_of(size_t i) { return (uint8_t)(37 * i + 11); }
static double real_of(size_t i) { return (double)i / 3 - 2; }

static void append_bytes(struct bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++) append(b, (const uint8_t[]){byte_of(i)}, 1);
}

static void append_singles(struct bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++) append(b, (const float[]){(float)real_of(i)}, sizeof(float));
}

static void append_doubles(struct bytes *b, size_t n)
{
    for (size_t i = 0; i < n; i++) append(b, (const double[]){real_of(i)}, sizeof(double));
}

static void gzip(struct bytes *b)
{
    const struct bytes plain = *b;
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (Bytef *)(uintptr_t)plain.at;
    z.avail_in = (uInt)plain.n;
    z.next_out = b->at;
    z.avail_out = sizeof b->at;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->n = z.total_out;
    deflateEnd(&z);
}

/* 2 images of 2 x 3. */
#define SHAPE "'fortran_order': False, 'shape': (2, 2, 3), }   \n"
static void good_bytes(struct bytes *b) { start(b, "{'descr': '|u1', " SHAPE), append_bytes(b, 12); }
static void good_singles(struct bytes *b) { start(b, "{'descr': '<f4', " SHAPE), append_singles(b, 12); }
static void good_doubles(struct bytes *b) { start(b, "{'descr': '<f8', " SHAPE), append_doubles(b, 12); }

/* ---- Good files ------------------------------------------------------------------------------------------------- */

static vae_status read_file(const char *path, size_t most, vae_images *images, vae_error *err)
{
    return format_read(NULL, path, most, images, err);
}

static void open_bytes(const struct bytes *b, size_t most, vae_images *images)
{
    char path[PATH_MOST];
    vae_error err = {0};
    put_file(in_scratch(path, "file"), b->at, b->n);
    if (read_file(path, most, images, &err)) fail_msg("%s", err.message);
}

static void assert_shape(const vae_images *images, size_t n, size_t rows, size_t cols)
{
    assert_true(images->n == n && images->rows == rows && images->cols == cols);
}

static void assert_bytes(const vae_images *images, size_t count)
{
    assert_true(images->pixels && !images->values && !images->stream);
    for (size_t i = 0; i < count; i++) assert_int_equal(images->pixels[i], byte_of(i));
}

static void assert_reals(const vae_images *images, size_t count)
{
    assert_true(images->values && !images->pixels && !images->stream);
    for (size_t i = 0; i < count; i++) assert_true(images->values[i] == (float)real_of(i));
    assert_true(images->lowest == (float)real_of(0) && images->highest == (float)real_of(count - 1));
}

static void test_types(void **state)
{
    void (*const makers[])(struct bytes *) = {good_bytes, good_singles, good_doubles};
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        struct bytes b;
        vae_images images;
        makers[i / 2](&b);
        if (i % 2) gzip(&b);
        open_bytes(&b, SIZE_MAX, &images);
        assert_shape(&images, 2, 2, 3);
        (i / 2 ? assert_reals : assert_bytes)(&images, 12);
        images_free(&images);
        assert_null(images.values);
    }
}

/* What NumPy writes in its versions, and what else Python would read as the same dictionary. */
static void test_headers(void **state)
{
    static const struct {
        const char *header;
        size_t n, rows, cols;
    } known[] = {
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 3), }\n", 4, 1, 3},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (4, 3)}\n", 4, 1, 3},
        {"{'shape':(2,3,2),'fortran_order':False,'descr':'|u1'}\n", 2, 3, 2},
        {"  {  \"fortran_order\"  :  False , \"descr\" : \"|u1\" , 'shape' : ( 2 , 3 , 2 , 1 , ) , }  \n", 2, 3, 2},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (12, 1), }\n", 12, 1, 1},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (1, 12, 1, 1), }\n", 1, 12, 1},
    };
    (void)state;
    for (size_t i = 0; i < 3 * sizeof known / sizeof *known; i++) {
        const size_t k = i / 3;
        struct bytes b;
        vae_images images;
        start_with(&b, 1 + (int)(i % 3), 0, known[k].header, strlen(known[k].header));
        append_bytes(&b, 12);
        open_bytes(&b, SIZE_MAX, &images);
        assert_shape(&images, known[k].n, known[k].rows, known[k].cols);
        assert_bytes(&images, 12);
        images_free(&images);
    }
}

/* The longest header, in both widths of its length. */
static void test_long_headers(void **state)
{
    static char header[10002];
    (void)state;
    memset(header, ' ', 10000);
    memcpy(header, "{'descr': '|u1', " SHAPE, strlen("{'descr': '|u1', " SHAPE) - 1);
    for (int major = 1; major <= 3; major++) {
        struct bytes b;
        vae_images images;
        strcpy(header + 9999, "\n");
        start_with(&b, major, 0, header, 10000);
        append_bytes(&b, 12);
        open_bytes(&b, SIZE_MAX, &images);
        assert_bytes(&images, 12);
        images_free(&images);
    }
}

/* Numbers are read a few thousand at a time, which must not show at the seams. */
static void test_many_numbers(void **state)
{
    static const size_t sizes[] = {1, 4095, 4096, 4097, 8192, 9001};
    char path[PATH_MOST], header[128];
    (void)state;
    for (size_t i = 0; i < 4 * sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i / 4], width = i % 2 ? sizeof(double) : sizeof(float);
        struct bytes b;
        vae_images images;
        snprintf(header, sizeof header, "{'descr': '<f%zu', 'fortran_order': False, 'shape': (%zu, 1), }\n", width, n);
        start(&b, header);
        gzFile gz = gzopen(in_scratch(path, "many"), i % 4 < 2 ? "wT" : "w1");
        assert_int_equal(gzwrite(gz, b.at, (unsigned)b.n), b.n);
        for (size_t k = 0; k < n; k++) {
            const double value = real_of(k);
            const float single = (float)value;
            gzwrite(gz, width == sizeof value ? (const void *)&value : &single, (unsigned)width);
        }
        assert_int_equal(gzclose(gz), Z_OK);
        assert_int_equal(read_file(path, 0, &images, NULL), VAE_OK);
        assert_shape(&images, n, 1, 1);
        assert_reals(&images, n);
        images_free(&images);
    }
}

/* Their ends, and both zeros. */
static void test_extreme_numbers(void **state)
{
    static const double extreme[] = {-0.0, FLT_MAX, -FLT_MAX, 1e-300, 1.0 / 3, -1e-45};
    struct bytes b;
    vae_images images;
    (void)state;
    start(&b, "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }\n");
    append(&b, extreme, sizeof extreme);
    open_bytes(&b, SIZE_MAX, &images);
    for (size_t i = 0; i < 6; i++) assert_true(images.values[i] == (float)extreme[i]);
    assert_true(images.lowest == -FLT_MAX && images.highest == FLT_MAX);
    images_free(&images);
}

/* Bytes stay in a plain file that has too many of them, whatever the length of its header. */
static void test_bytes_that_stay(void **state)
{
    struct bytes b;
    uint8_t read[12];
    vae_images images;
    (void)state;
    good_bytes(&b);
    open_bytes(&b, 12, &images);
    assert_bytes(&images, 12);
    images_free(&images);
    open_bytes(&b, 11, &images);
    assert_true(images.stream && !images.pixels);
    assert_int_equal(vae_images_read(&images, 0, 2, read, NULL), VAE_OK);
    for (size_t i = 0; i < 12; i++) assert_int_equal(read[i], byte_of(i));
    images_free(&images);
    gzip(&b);
    open_bytes(&b, 11, &images);
    assert_bytes(&images, 12);
    images_free(&images);
}

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

static void assert_refused(const struct bytes *b, const char *message)
{
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    vae_images images;
    vae_error err = {0};
    put_file(in_scratch(path, "file"), b->at, b->n);
    snprintf(wanted, sizeof wanted, "%s: %s", path, message);
    const vae_status status = read_file(path, SIZE_MAX, &images, &err);
    assert_string_equal(err.message, wanted);
    assert_int_equal(status, VAE_E_DATA);
    assert_int_equal(err.status, VAE_E_DATA);
    assert_true(!images.pixels && !images.values && !images.stream && !images.n);
}

/* What is not the dictionary of exactly three keys that it should be, and the byte where that shows. */
static void test_headers_that_are_none(void **state)
{
    static const struct {
        const char *header;
        size_t at;
    } known[] = {
        {"", 0},
        {"\n", 0},
        {"{}\n", 1},
        {"{'descr': '|u1', }\n", 17},
        {"{'descr': '|u1', 'fortran_order': False, }\n", 41},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), 'more': 1, }\n", 58},
        {"{'descr': '|u1', 'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), }\n", 25},
        {"{'fortran_order': False, 'fortran_order': False, 'descr': '|u1', 'shape': (2, 6), }\n", 41},
        {"{'shape': (2, 6), 'shape': (2, 6), 'fortran_order': False, 'descr': '|u1', }\n", 26},
        {"{'Descr': '|u1', 'fortran_order': False, 'shape': (2, 6), }\n", 9},
        {"{'descr ': '|u1', 'fortran_order': False, 'shape': (2, 6), }\n", 7},
        {"{'descr': '', 'fortran_order': False, 'shape': (2, 6), }\n", 11},
        {"{'descr': '|u1\", 'fortran_order': False, 'shape': (2, 6), }\n", 16},
        {"{'descr': '|u\\x31', 'fortran_order': False, 'shape': (2, 6), }\n", 13},
        {"{'descr': '|u\x01', 'fortran_order': False, 'shape': (2, 6), }\n", 13},
        {"{'descr': '|u\xc2\x9b', 'fortran_order': False, 'shape': (2, 6), }\n", 13},
        {"{'descr': |u1, 'fortran_order': False, 'shape': (2, 6), }\n", 10},
        {"{'descr': [('a', '|u1')], 'fortran_order': False, 'shape': (2, 6), }\n", 10},
        {"{'descr' '|u1', 'fortran_order': False, 'shape': (2, 6), }\n", 9},
        {"{'descr': '|u1' 'fortran_order': False, 'shape': (2, 6), }\n", 16},
        {"{'descr': '|u1',, 'fortran_order': False, 'shape': (2, 6), }\n", 16},
        {"{'descr': '|u1', 'fortran_order': false, 'shape': (2, 6), }\n", 34},
        {"{'descr': '|u1', 'fortran_order': 0, 'shape': (2, 6), }\n", 34},
        {"{'descr': '|u1', 'fortran_order': Falsehood, 'shape': (2, 6), }\n", 39},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': [2, 6], }\n", 50},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2 6), }\n", 53},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (12), }\n", 54},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (, ), }\n", 51},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2,, 6), }\n", 53},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (-2, 6), }\n", 51},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (+2, 6), }\n", 51},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2.0, 6), }\n", 52},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (02, 6), }\n", 52},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (0x2, 6), }\n", 52},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2L, 6L), }\n", 52},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), \n", 58},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6", 55},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), }", 59},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), } #\n", 60},
        {"{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), }\n\n", 60},
        {"{'descr': '|u1', 'fortran_order': False,\n'shape': (2, 6), }\n", 40},
        {"({'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), })\n", 0},
        {"dict(descr='|u1', fortran_order=False, shape=(2, 6))\n", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes b;
        char message[256];
        start(&b, known[i].header);
        append_bytes(&b, 12);
        snprintf(message, sizeof message,
                 ".npy header not understood from its byte %zu on (expected {'descr': '<f4', 'fortran_order': False, "
                 "'shape': (N, ROWS, COLS), } and a newline)",
                 known[i].at);
        assert_refused(&b, message);
    }
}

/* A byte of zero ends a text, but not a file. */
static void test_zeros_in_headers(void **state)
{
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), }\n";
    (void)state;
    for (size_t i = 0; i <= sizeof header - 1; i++) {
        struct bytes b, with_zero;
        char path[PATH_MOST];
        vae_images images;
        start(&b, header);
        append_bytes(&b, 12);
        with_zero = b;
        memmove(with_zero.at + 10 + i + 1, b.at + 10 + i, b.n - 10 - i);
        with_zero.at[10 + i] = 0;
        with_zero.at[8]++;
        with_zero.n++;
        put_file(in_scratch(path, "file"), with_zero.at, with_zero.n);
        assert_int_equal(read_file(path, SIZE_MAX, &images, NULL), VAE_E_DATA);
    }
}

#define HEADER(type, order, shape) "{'descr': '" type "', 'fortran_order': " order ", 'shape': " shape ", }\n"
#define SHAPES                     "(expected (N, D), (N, ROWS, COLS), (N, ROWS, COLS, 1) or (N, 1, ROWS, COLS))"
#define SIZES                      "(expected 1 to 2147483646 images of 1 to 65536 pixels a side, at most 16777216 in all)"
#define TYPES                      "(expected |u1, <f4 or <f8, as x.astype('float32') makes them)"

/* Arrays that NumPy may well write, but that are no images of ours. The file has 12 bytes of elements. */
static void test_arrays_that_are_no_images(void **state)
{
    static const struct {
        const char *header, *message;
    } known[] = {
        {HEADER("|O", "False", "(2, 6)"), "elements of type |O " TYPES},
        {HEADER("|i1", "False", "(2, 6)"), "elements of type |i1 " TYPES},
        {HEADER("|b1", "False", "(2, 6)"), "elements of type |b1 " TYPES},
        {HEADER("<u1", "False", "(2, 6)"), "elements of type <u1 " TYPES},
        {HEADER(">f4", "False", "(2, 6)"), "elements of type >f4 " TYPES},
        {HEADER(">f8", "False", "(2, 6)"), "elements of type >f8 " TYPES},
        {HEADER("=f4", "False", "(2, 6)"), "elements of type =f4 " TYPES},
        {HEADER("<f2", "False", "(2, 6)"), "elements of type <f2 " TYPES},
        {HEADER("<f16", "False", "(2, 6)"), "elements of type <f16 " TYPES},
        {HEADER("<i4", "False", "(2, 6)"), "elements of type <i4 " TYPES},
        {HEADER("<c8", "False", "(2, 6)"), "elements of type <c8 " TYPES},
        {HEADER("<f40", "False", "(2, 6)"), "elements of type <f40 " TYPES},
        {HEADER("<M8[ns]", "False", "(2, 6)"), "elements of type <M8[ns] " TYPES},
        {HEADER("|S1234567890123456789012345678901", "False", "(2, 6)"),
         "elements of type |S12345678901234567890123456789 " TYPES},
        {HEADER("|u1", "True", "(2, 6)"), "Fortran order (expected C order, as numpy.ascontiguousarray makes it)"},
        {HEADER("|u1", "False", "()"), "shape () " SHAPES},
        {HEADER("|u1", "False", "(12,)"), "shape (12,) " SHAPES},
        {HEADER("|u1", "False", "(2, 2, 3, 2)"), "shape (2, 2, 3, 2) " SHAPES},
        {HEADER("|u1", "False", "(2, 2, 3, 0)"), "shape (2, 2, 3, 0) " SHAPES},
        {HEADER("|u1", "False", "(2, 2, 3, 1, 1)"), "shape (2, 2, 3, 1, 1) " SHAPES},
        {HEADER("|u1", "False", "(0, 6)"), "shape (0, 6) " SIZES},
        {HEADER("|u1", "False", "(2, 0)"), "shape (2, 0) " SIZES},
        {HEADER("|u1", "False", "(2, 0, 3)"), "shape (2, 0, 3) " SIZES},
        {HEADER("|u1", "False", "(2, 3, 0, 1)"), "shape (2, 3, 0, 1) " SIZES},
        {HEADER("|u1", "False", "(2147483647, 1)"), "shape (2147483647, 1) " SIZES},
        {HEADER("|u1", "False", "(1, 65537)"), "shape (1, 65537) " SIZES},
        {HEADER("|u1", "False", "(1, 65537, 1)"), "shape (1, 65537, 1) " SIZES},
        {HEADER("|u1", "False", "(1, 4096, 4097)"), "shape (1, 4096, 4097) " SIZES},
        {HEADER("|u1", "False", "(4294967297, 12)"), "shape (4294967297, 12) " SIZES},
        {HEADER("|u1", "False", "(1, 4294967298, 6)"), "shape (1, 4294967298, 6) " SIZES},
        {HEADER("|u1", "False", "(18446744073709551617, 12)"), "shape (18446744073709551617, 12) " SIZES},
        {HEADER("|u1", "False", "(1, 18446744073709551628)"), "shape (1, 18446744073709551628) " SIZES},
        {HEADER("|u1", "False", "(99999999999999999999999999, 6)"), "shape (99999999999999999999999999, 6) " SIZES},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes b;
        start(&b, known[i].header);
        append_bytes(&b, 12);
        assert_refused(&b, known[i].message);
    }
}

static void test_versions(void **state)
{
    static const int bad[][2] = {{0, 0}, {0, 1}, {1, 1}, {2, 1}, {3, 255}, {4, 0}, {255, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bytes b;
        char message[64];
        good_bytes(&b);
        b.at[6] = (uint8_t)bad[i][0];
        b.at[7] = (uint8_t)bad[i][1];
        snprintf(message, sizeof message, ".npy version %d.%d (expected 1.0, 2.0 or 3.0)", bad[i][0], bad[i][1]);
        assert_refused(&b, message);
    }
}

/* Lengths of the header that are not its own. */
static void test_lengths_that_lie(void **state)
{
    static const char header[] = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 6), }\n";
    static const struct {
        int major;
        size_t length;
        const char *message;
    } known[] = {
        {1, 0, "byte 0 on"},
        {1, 59, "byte 59 on"},
        {1, 61, "byte 60 on"},
        {1, 72, "byte 60 on"},
        {1, 73, "file ends too early"},
        {1, 10000, "file ends too early"},
        {1, 10001, ".npy header of 10001 bytes (at most 10000)"},
        {1, 65535, ".npy header of 65535 bytes (at most 10000)"},
        {2, 59, "byte 59 on"},
        {2, 73, "file ends too early"},
        {2, 65536 + 60, ".npy header of 65596 bytes (at most 10000)"},
        {3, (size_t)1 << 24 | 60, ".npy header of 16777276 bytes (at most 10000)"},
        {3, UINT32_MAX, ".npy header of 4294967295 bytes (at most 10000)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes b;
        char path[PATH_MOST];
        vae_images images;
        vae_error err = {0};
        start_with(&b, known[i].major, 0, header, known[i].length);
        append_bytes(&b, 12);
        put_file(in_scratch(path, "file"), b.at, b.n);
        assert_int_equal(read_file(path, SIZE_MAX, &images, &err), VAE_E_DATA);
        if (!strstr(err.message, known[i].message)) fail_msg("%s", err.message);
    }
}

/* Files that are too short or too long for their header. */
static void test_sizes_that_lie(void **state)
{
    struct bytes b;
    (void)state;
    good_singles(&b), b.n -= 1;
    assert_refused(&b, "123 bytes, but its header announces 124 (cut off, or not this format)");
    good_singles(&b), append(&b, "", 1);
    assert_refused(&b, "125 bytes, but its header announces 124 (cut off, or not this format)");
    good_doubles(&b), b.n -= 8;
    assert_refused(&b, "164 bytes, but its header announces 172 (cut off, or not this format)");
    good_singles(&b), b.n -= 1, gzip(&b);
    assert_refused(&b, "file ends too early (the download or copy was cut off)");
    good_singles(&b), append(&b, "", 1), gzip(&b);
    assert_refused(&b, "more data than its header announces");
    good_doubles(&b), gzip(&b), b.at[b.n - 8] ^= 1;
    assert_refused(&b, "damaged gzip data (a checksum or code in it is wrong)");
    start(&b, HEADER("<f8", "False", "(2147483646, 4096, 4096)"));
    assert_refused(&b, "88 bytes, but its header announces 288230375883276376 (cut off, or not this format)");
    start(&b, HEADER("<f8", "False", "(1000000, 784)")), gzip(&b);
    char message[128];
    snprintf(message, sizeof message, "header announces 6272000078 bytes, more than %zu compressed bytes can hold",
             b.n);
    assert_refused(&b, message);
}

/* In the first pixel of image 1; a float can hold the first three of them. */
static void test_numbers_that_are_none(void **state)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {
        {(double)NAN, "nan"}, {HUGE_VAL, "inf"}, {-HUGE_VAL, "-inf"}, {3.5e38, "3.5e+38"}, {-1e300, "-1e+300"}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const double value = known[i].value;
        struct bytes b;
        char message[128];
        snprintf(message, sizeof message, "image 1 has the value %s (expected finite numbers of at most 3.40282e+38)",
                 known[i].text);
        good_doubles(&b);
        memcpy(b.at + b.n - 6 * sizeof value, &value, sizeof value);
        assert_refused(&b, message);
        if (i >= 3) continue;
        const float single = (float)value;
        good_singles(&b);
        memcpy(b.at + b.n - 6 * sizeof single, &single, sizeof single);
        assert_refused(&b, message);
    }
}

/* What begins like no format of ours. */
static void test_other_files(void **state)
{
    static const struct {
        const char *start, *message;
    } known[] = {
        {"PK\3\4 as numpy.savez writes", "starts with 50 4b 03 04 (expected one of IDX, .npy, PNG, .csv)"},
        {"\x93NUN", "starts with 93 4e 55 4e (expected one of IDX, .npy, PNG, .csv)"},
        {"\x93NUMPI and so on and so on", "not a .npy file (expected bytes 93 'NUMPY' at its start)"},
        {"\x93NUMPY", "file ends too early (the download or copy was cut off)"},
        {"\x93NU", "file ends too early (the download or copy was cut off)"},
        {"<html>", "an HTML or XML page (expected a file of data)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes b = {.n = 0};
        append(&b, known[i].start, strlen(known[i].start));
        assert_refused(&b, known[i].message);
    }
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

static void test_every_cut_is_refused(void **state)
{
    char path[PATH_MOST];
    (void)state;
    in_scratch(path, "cut");
    for (size_t i = 0; i < 4; i++) {
        struct bytes whole;
        (i / 2 ? good_singles : good_bytes)(&whole);
        if (i % 2) gzip(&whole);
        for (size_t n = 0; n < whole.n; n++) {
            vae_images images;
            put_file(path, whole.at, n);
            if (read_file(path, SIZE_MAX, &images, NULL) != VAE_E_DATA)
                fail_msg("cut to %zu of %zu bytes: not refused", n, whole.n);
        }
    }
}

/* Random bytes in the header: whatever is read has the size of the file, and finite numbers. */
static void test_changed_headers_do_no_harm(void **state)
{
    static const char likely[] = "0123456789(),:'\"{} \n\\|<>uf148TrueFalse";
    uint64_t random = 1;
    size_t refused = 0;
    char path[PATH_MOST];
    (void)state;
    in_scratch(path, "changed");
    for (size_t round = 0; round < 1000; round++) {
        struct bytes b;
        vae_images images;
        (round % 2 ? good_singles : good_doubles)(&b);
        for (size_t changes = 1 + round % 3; changes > 0; changes--) {
            const uint64_t word = next_random(&random);
            const char one = likely[(word >> 32) % (sizeof likely - 1)];
            b.at[6 + word % (b.n - 30)] = word >> 20 & 1 ? (uint8_t)one : (uint8_t)(word >> 40);
        }
        put_file(path, b.at, b.n);
        if (read_file(path, SIZE_MAX, &images, NULL)) {
            refused++;
            continue;
        }
        for (size_t i = 0; i < images.n * images.rows * images.cols; i++) assert_true(isfinite(images.values[i]));
        images_free(&images);
    }
    assert_in_range(refused, 300, 950);
}

/* ---- Limits ----------------------------------------------------------------------------------------------------- */

/* Files of bytes that take no room on the disk, and stay there. */
static void test_largest_sizes(void **state)
{
    static const struct {
        const char *header;
        size_t n, rows, cols;
    } known[] = {
        {HEADER("|u1", "False", "(2147483646, 1)"), 2147483646, 1, 1},
        {HEADER("|u1", "False", "(1, 65536)"), 1, 1, 65536},
        {HEADER("|u1", "False", "(2, 65536, 256)"), 2, 65536, 256},
        {HEADER("|u1", "False", "(3, 4096, 4096, 1)"), 3, 4096, 4096},
    };
    char path[PATH_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct bytes b;
        vae_images images;
        vae_error err = {0};
        start(&b, known[i].header);
        put_file(in_scratch(path, "black"), b.at, b.n);
        assert_int_equal(truncate(path, (off_t)(b.n + known[i].n * known[i].rows * known[i].cols)), 0);
        if (read_file(path, 0, &images, &err)) fail_msg("%s", err.message);
        assert_shape(&images, known[i].n, known[i].rows, known[i].cols);
        images_free(&images);
    }
}

/* ---- As a source of data ---------------------------------------------------------------------------------------- */

/* Parts have their own numbers, and the range of the file. Of ten images seed 1 keeps 0 3 9 2 5 7 6 (see
 * test_source.c). */
static void test_parts(void **state)
{
    static const size_t kept[] = {0, 3, 9, 2, 5, 7, 6}, held_out[] = {4, 8, 1};
    struct bytes b;
    char path[PATH_MOST], name[2 * PATH_MOST];
    vae_data *data = NULL;
    vae_error err = {0};
    (void)state;
    start(&b, HEADER("<f8", "False", "(10, 2)"));
    append_doubles(&b, 20);
    put_file(in_scratch(path, "reals.npy"), b.at, b.n);
    if (vae_data_open(&data, path, 0.3, 0, 1, &err)) fail_msg("%s", err.message);
    for (size_t i = 0; i < 10; i++) {
        const vae_images *part = i < 7 ? &data->train : &data->test;
        const size_t at = i < 7 ? i : i - 7, number = i < 7 ? kept[at] : held_out[at];
        assert_int_equal(part->number[at], number);
        for (size_t k = 0; k < 2; k++) assert_true(part->values[2 * at + k] == (float)real_of(2 * number + k));
        assert_true(part->lowest == (float)real_of(0) && part->highest == (float)real_of(19));
        assert_string_equal(part->source, path);
    }
    snprintf(name, sizeof name, "%s: 7 + 3 rows of 2 numbers from -2 to 4.33333", path);
    assert_string_equal(data->name, name);
    vae_data_free(&data);
}

/* Under an MNIST name it is no IDX file. */
static void test_not_in_a_folder(void **state)
{
    struct bytes b;
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    vae_data *data = NULL;
    vae_error err = {0};
    (void)state;
    good_bytes(&b);
    put_file(in_scratch(path, "train-images-idx3-ubyte"), b.at, b.n);
    assert_int_equal(vae_data_open(&data, scratch, 0, 0, 1, &err), VAE_E_DATA);
    snprintf(wanted, sizeof wanted, "%s: not an IDX file: starts with 93 4e 55 4d (expected images, magic 00 00 08 03)",
             path);
    assert_string_equal(err.message, wanted);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_types),
        TEST(test_headers),
        TEST(test_long_headers),
        TEST(test_many_numbers),
        TEST(test_extreme_numbers),
        TEST(test_bytes_that_stay),
        TEST(test_headers_that_are_none),
        TEST(test_zeros_in_headers),
        TEST(test_arrays_that_are_no_images),
        TEST(test_versions),
        TEST(test_lengths_that_lie),
        TEST(test_sizes_that_lie),
        TEST(test_numbers_that_are_none),
        TEST(test_other_files),
        TEST(test_every_cut_is_refused),
        TEST(test_changed_headers_do_no_harm),
        TEST(test_largest_sizes),
        TEST(test_parts),
        TEST(test_not_in_a_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
