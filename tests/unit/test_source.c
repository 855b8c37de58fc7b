/* SPDX-License-Identifier: MIT
 *
 * Images in memory and images that stay in their file are the same images, whole or divided; how bytes and real numbers
 * become pixels; and which images go where.
 *
 * Not under tsan: no thread is started here. */
#include "data/source.h"

#include "check.h"
#include "data/idx.h"
#include "data/stream.h"
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <zlib.h>

/* ---- The system's calls ----------------------------------------------------------------------------------------- */

static struct {
    size_t most;         /* bytes that pread takes at once, 0: all */
    bool is_interrupted; /* every second pread */
    int error;           /* of every pread, unless 0 */
    size_t preads;       /* so far */
    int opens;           /* until one fails, -1: none does */
} calls = {.opens = -1};

ssize_t __real_pread(int fd, void *bytes, size_t size, off_t at);
ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t at);
int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);

ssize_t __wrap_pread(int fd, void *bytes, size_t size, off_t at)
{
    assert_true(calls.preads++ < 1000000); /* a loop that never ends */
    errno = calls.error ? calls.error : EINTR;
    if (calls.error || (calls.is_interrupted && calls.preads % 2)) return -1;
    errno = EINTR; /* a call that succeeds may leave anything there */
    return __real_pread(fd, bytes, calls.most && size > calls.most ? calls.most : size, at);
}

int __wrap_open(const char *path, int flags, ...)
{
    errno = EMFILE;
    return calls.opens >= 0 && calls.opens-- == 0 ? -1 : __real_open(path, flags);
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

enum { HEADER = 16 };
enum { MANY = 32000, ROWS = 69, COLS = 61, AREA = ROWS * COLS }; /* 134,688,000 bytes: more than 128 MB */

static void put_number(uint8_t *to, size_t value)
{
    for (size_t i = 0; i < 4; i++) to[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* An IDX file of images all black, which takes no room on the disk. */
static const char *put_black(char path[PATH_MOST], const char *name, size_t n, size_t rows, size_t cols)
{
    uint8_t header[HEADER] = {0, 0, 8, 3};
    put_number(header + 4, n);
    put_number(header + 8, rows);
    put_number(header + 12, cols);
    put_file(in_scratch(path, name), header, sizeof header);
    assert_int_equal(truncate(path, (off_t)(HEADER + n * rows * cols)), 0);
    return path;
}

static void put_labels(const char *name, const uint8_t *labels, size_t n)
{
    char path[PATH_MOST];
    uint8_t header[8] = {0, 0, 8, 1};
    put_number(header + 4, n);
    put_file(in_scratch(path, name), header, sizeof header);
    FILE *file = fopen(path, "ab");
    assert_non_null(file);
    assert_int_equal(fwrite(labels, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

/* Writes bytes into image `number` of a file, from byte `at` of it on. */
static void ink(const char *path, size_t number, size_t D, size_t at, const uint8_t *bytes, size_t n)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, (off_t)(HEADER + number * D + at)), n);
    close(fd);
}

/* A file of n images of two pixels, which are the image's number. */
static const char *put_numbered(char path[PATH_MOST], size_t n)
{
    uint8_t *body = malloc(2 * n);
    for (size_t i = 0; i < n; i++) {
        body[2 * i] = (uint8_t)(i >> 8);
        body[2 * i + 1] = (uint8_t)i;
    }
    ink(put_black(path, "numbered", n, 1, 2), 0, 0, 0, body, 2 * n);
    free(body);
    return path;
}

static void noise(uint8_t *bytes, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(next_random(&seed) >> 56);
}

static void open_images(const char *path, size_t most, vae_images *images)
{
    vae_error err = {0};
    if (idx_read_images(path, most, images, &err)) fail_msg("%s", err.message);
}

static vae_data *open_data(const char *source, double holdout, double validation, uint64_t seed)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, source, holdout, validation, seed, &err)) fail_msg("%s", err.message);
    return data;
}

/* ---- Memory and stream ------------------------------------------------------------------------------------------ */

static const struct pixels rules[] = {
    {.rule = PIXELS_GREY},
    {.rule = PIXELS_THRESHOLD},
    {.rule = PIXELS_DRAWN, .rng = {.seed = 9, .step = 5, .stream = RNG_BINARIZE}},
};

enum { IMAGES = 3, MOST_PIXELS = 9001 };

/* Runs of images, and images in an order of their own. */
static void assert_same_pixels(const vae_images *a, const vae_images *b, const struct pixels *rule)
{
    static real x[IMAGES * MOST_PIXELS], y[IMAGES * MOST_PIXELS];
    const uint32_t order[] = {1, 0, 1};
    const size_t D = a->rows * a->cols;
    for (size_t first = 0; first < a->n; first++) {
        assert_true(images_gather(a, rule, NULL, first, a->n - first, x));
        assert_true(images_gather(b, rule, NULL, first, a->n - first, y));
        assert_memory_equal(x, y, (a->n - first) * D * sizeof *x);
    }
    assert_true(images_gather(a, rule, order, 77, 3, x));
    assert_true(images_gather(b, rule, order, 77, 3, y));
    assert_memory_equal(x, y, 3 * D * sizeof *x);
    assert_memory_equal(x, x + 2 * D, D * sizeof *x);
}

/* Images 2 and 0 of three, as a part of a file that was divided. */
static void check_parts(const vae_images *memory, const vae_images *stream)
{
    const size_t D = memory->rows * memory->cols;
    uint32_t number[] = {2, 0};
    uint8_t *pixels = malloc(2 * D), *read = malloc(2 * D);
    vae_images part = *memory, streamed = *stream;
    memcpy(pixels, memory->pixels + 2 * D, D);
    memcpy(pixels + D, memory->pixels, D);
    part.n = streamed.n = 2;
    part.number = streamed.number = number;
    part.pixels = pixels;
    for (size_t i = 0; i < 3; i++) assert_same_pixels(&part, &streamed, &rules[i]);
    assert_int_equal(vae_images_read(&streamed, 0, 2, read, NULL), VAE_OK);
    assert_memory_equal(read, pixels, 2 * D);
    assert_int_equal(vae_images_read(&streamed, 1, 1, read, NULL), VAE_OK);
    assert_memory_equal(read, pixels + D, D);
    free(pixels);
    free(read);
}

/* Sizes around those of the pieces that a stream is read in, and of the fours that pixels are drawn in. */
static void test_streams_equal_memory(void **state)
{
    static const size_t sizes[][2] = {{1, 1},    {3, 5},    {63, 65},  {64, 64}, {17, 241},
                                      {2, 2049}, {64, 128}, {2731, 3}, {9001, 1}};
    static uint8_t body[IMAGES * MOST_PIXELS];
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t rows = sizes[i][0], cols = sizes[i][1], n = IMAGES * rows * cols;
        char path[PATH_MOST];
        vae_images memory, stream;
        noise(body, n, i + 1);
        ink(put_black(path, "images", IMAGES, rows, cols), 0, n, 0, body, n);
        open_images(path, n, &memory);
        open_images(path, n - 1, &stream);
        assert_memory_equal(memory.pixels, body, n);
        assert_true(!stream.pixels && stream.stream && !memory.stream);
        assert_true(stream.n == IMAGES && stream.rows == rows && stream.cols == cols);
        for (size_t k = 0; k < 3; k++) assert_same_pixels(&memory, &stream, &rules[k]);
        check_parts(&memory, &stream);
        images_free(&memory);
        images_free(&stream);
    }
}

/* A file may change while it is read from. */
static void test_a_stream_that_ends(void **state)
{
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    uint8_t bytes[100];
    real x[100];
    vae_images images;
    vae_error err = {0};
    (void)state;
    open_images(put_black(path, "images", 20, 5, 5), 0, &images);
    assert_true(images_are_sparse(&images));
    assert_int_equal(truncate(path, HEADER + 10 * 25 - 1), 0);
    assert_int_equal(vae_images_read(&images, 5, 4, bytes, &err), VAE_OK);
    assert_int_equal(vae_images_read(&images, 7, 4, bytes, &err), VAE_E_DATA);
    snprintf(wanted, sizeof wanted, "%s: cannot read image 9 (was the file changed?)", path);
    assert_string_equal(err.message, wanted);
    assert_true(images_gather(&images, &rules[0], NULL, 5, 4, x));
    assert_false(images_gather(&images, &rules[0], NULL, 6, 4, x));
    assert_false(images_are_sparse(&images));
    images_free(&images);
}

/* Reads that are short or interrupted go on; others that fail are told. */
static void test_short_reads(void **state)
{
    enum { ALL = IMAGES * 97 * 89 };
    static uint8_t body[ALL], read[ALL];
    char path[PATH_MOST];
    vae_images memory, stream;
    (void)state;
    noise(body, ALL, 5);
    ink(put_black(path, "images", IMAGES, 97, 89), 0, ALL, 0, body, ALL);
    open_images(path, ALL, &memory);
    open_images(path, 0, &stream);
    calls.most = 1000;
    calls.is_interrupted = true;
    const vae_status status = vae_images_read(&stream, 0, IMAGES, read, NULL);
    for (size_t k = 0; k < 3; k++) assert_same_pixels(&memory, &stream, &rules[k]);
    calls.most = 0;
    calls.is_interrupted = false;
    calls.error = EIO;
    const vae_status failed = vae_images_read(&stream, 0, IMAGES, read, NULL);
    calls.error = 0;
    assert_int_equal(status, VAE_OK);
    assert_int_equal(failed, VAE_E_DATA);
    assert_memory_equal(read, body, ALL);
    images_free(&memory);
    images_free(&stream);
}

/* The least descriptor that is free. */
static int free_descriptor(void)
{
    const int fd = open("/", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    close(fd);
    return fd;
}

/* Streams are closed with their images, and not inherited by other programs. */
static void test_descriptors(void **state)
{
    const int before = free_descriptor();
    char path[PATH_MOST];
    vae_images images;
    (void)state;
    open_images(put_black(path, "images", 4, 5, 5), 0, &images);
    assert_true(fcntl(images.stream->file, F_GETFD) & FD_CLOEXEC);
    images_free(&images);
    assert_true(!images.stream && !images.pixels && images.n == 0);
    assert_int_equal(free_descriptor(), before);
    vae_data *data = open_data(put_black(path, "large", MANY, ROWS, COLS), 0.5, 0.5, 1);
    assert_non_null(data->train.stream);
    assert_int_equal(fcntl(data->train.stream->file, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    vae_data_free(&data);
    assert_int_equal(free_descriptor(), before);
}

/* Without a standard input a stream may be number 0. */
static void test_descriptor_zero(void **state)
{
    char path[PATH_MOST];
    uint8_t byte = 1;
    struct vae_stream *stream = NULL;
    (void)state;
    put_black(path, "images", 4, 5, 5);
    const int before = dup(0);
    close(0);
    const vae_status status = stream_open(&stream, path, HEADER, NULL);
    const int file = status ? -1 : stream->file;
    const bool is_read = !status && stream_read(stream, 3, 25, 24, 1, &byte);
    stream_close(stream);
    const int after = free_descriptor();
    if (before >= 0) assert_true(dup2(before, 0) == 0 && close(before) == 0);
    assert_int_equal(status, VAE_OK);
    assert_true(file == 0 && is_read && byte == 0 && after == 0);
}

/* Found out at every sixteenth image: what was written since is not what was opened. */
static void test_a_stream_that_is_written(void **state)
{
    char path[PATH_MOST];
    uint8_t byte;
    struct vae_stream *stream = NULL;
    const struct timespec later[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
    (void)state;
    put_black(path, "images", 20, 5, 5);
    assert_int_equal(stream_open(&stream, path, HEADER, NULL), VAE_OK);
    assert_true(stream_read(stream, 16, 25, 24, 1, &byte));
    assert_int_equal(futimens(stream->file, later), 0);
    assert_false(stream_read(stream, 16, 25, 24, 1, &byte));
    assert_false(stream_read(stream, 0, 25, 24, 1, &byte));
    stream_close(stream);
    assert_int_equal(stream_open(&stream, path, HEADER, NULL), VAE_OK);
    assert_int_equal(truncate(path, HEADER + 19 * 25), 0);
    assert_false(stream_read(stream, 0, 25, 24, 1, &byte));
    stream_close(stream);
}

/* The file is opened once to look at it and once more to stay in it. */
static void test_a_stream_that_cannot_be_opened(void **state)
{
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    (void)state;
    put_black(path, "images", 4, 5, 5);
    snprintf(wanted, sizeof wanted, "%s: cannot open: %s", path, strerror(EMFILE));
    for (int opens = 0; opens < 2; opens++) {
        vae_images images;
        vae_error err = {0};
        calls.opens = opens;
        const vae_status status = idx_read_images(path, 0, &images, &err);
        calls.opens = -1;
        assert_int_equal(status, VAE_E_DATA);
        assert_int_equal(err.status, VAE_E_DATA);
        assert_string_equal(err.message, wanted);
        assert_null(images.stream);
    }
}

static void test_reading_past_the_end(void **state)
{
    static const struct {
        size_t first, n;
        vae_status status;
    } known[] = {{0, 4, VAE_OK},
                 {3, 1, VAE_OK},
                 {4, 0, VAE_OK},
                 {0, 5, VAE_E_USAGE},
                 {3, 2, VAE_E_USAGE},
                 {5, 0, VAE_E_USAGE},
                 {4, 1, VAE_E_USAGE},
                 {1, SIZE_MAX, VAE_E_USAGE},
                 {SIZE_MAX, 2, VAE_E_USAGE}};
    char path[PATH_MOST];
    (void)state;
    put_black(path, "images", 4, 2, 3);
    for (size_t most = 0; most <= 24; most += 24) {
        vae_images images;
        open_images(path, most, &images);
        for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
            uint8_t bytes[24];
            memset(bytes, 0xa5, sizeof bytes);
            if (vae_images_read(&images, known[i].first, known[i].n, bytes, NULL) != known[i].status)
                fail_msg("%zu images from %zu", known[i].n, known[i].first);
            for (size_t k = 0; k < 24; k++)
                assert_int_equal(bytes[k], known[i].status == VAE_OK && k < 6 * known[i].n ? 0 : 0xa5);
        }
        vae_error err = {0};
        assert_int_equal(vae_images_read(&images, 3, 2, NULL, &err), VAE_E_USAGE);
        assert_string_equal(err.message, "2 images from 3 on, of 4");
        images_free(&images);
    }
}

/* ---- Bytes to pixels -------------------------------------------------------------------------------------------- */

static void test_every_grey(void **state)
{
    uint8_t bytes[256];
    real x[256];
    const vae_images images = {.n = 1, .rows = 16, .cols = 16, .pixels = bytes};
    (void)state;
    for (size_t i = 0; i < 256; i++) bytes[i] = (uint8_t)i;
    assert_true(images_gather(&images, &rules[0], NULL, 0, 1, x));
    assert_true(x[0] == 0 && x[51] == R(0.2) && x[255] == 1);
    for (size_t i = 0; i < 256; i++) assert_near((double)x[i], (double)i / 255, 1e-7, "grey %zu", i);
    assert_true(images_gather(&images, &rules[1], NULL, 0, 1, x));
    for (size_t i = 0; i < 256; i++) assert_true(x[i] == (i < 128 ? 0 : 1));
}

/* Known answers: pixels drawn by a Philox4x32-10 of another hand (in Python), for images of five pixels, which are two
 * blocks of random words, the last of them with three to spare. */
static void test_drawn_pixels(void **state)
{
    static const char *const known[] = {"00100", "01111", "11101"};
    static const uint8_t grey[] = {100, 128, 200, 30, 77};
    uint8_t bytes[15];
    real x[15];
    vae_images images = {.n = 3, .rows = 1, .cols = 5, .pixels = bytes};
    uint32_t number[] = {2, 0, 1};
    (void)state;
    for (size_t i = 0; i < 15; i++) bytes[i] = grey[i % 5];
    for (size_t turn = 0; turn < 2; turn++, images.number = number) {
        assert_true(images_gather(&images, &rules[2], NULL, 0, 3, x));
        for (size_t i = 0; i < 15; i++) assert_true((double)x[i] == known[turn ? number[i / 5] : i / 5][i % 5] - '0');
    }
}

/* The same for all greys: counts of ones and checksums (CRC-32) of the drawn bits. */
static void test_drawn_greys(void **state)
{
    static const uint32_t known[] = {3676205750, 641407216, 3840948771};
    uint8_t bytes[3 * 256];
    real x[3 * 256];
    const vae_images images = {.n = 3, .rows = 16, .cols = 16, .pixels = bytes};
    (void)state;
    for (size_t i = 0; i < 3 * 256; i++) bytes[i] = (uint8_t)i;
    assert_true(images_gather(&images, &rules[2], NULL, 0, 3, x));
    for (size_t i = 0; i < 3; i++) {
        uint8_t drawn[256];
        for (size_t k = 0; k < 256; k++) drawn[k] = x[i * 256 + k] == 1;
        assert_int_equal(crc32(0, drawn, 256), known[i]);
    }
}

/* And for fours of the same grey, which may be all black, all white, or look as if they were. */
static void test_drawn_fours(void **state)
{
    uint8_t bytes[1024], drawn[1024];
    real x[1024];
    const vae_images images = {.n = 1, .rows = 32, .cols = 32, .pixels = bytes};
    (void)state;
    for (size_t i = 0; i < 1024; i++) bytes[i] = (uint8_t)(i / 4);
    assert_true(images_gather(&images, &rules[2], NULL, 0, 1, x));
    for (size_t i = 0; i < 1024; i++) drawn[i] = x[i] == 1;
    assert_int_equal(crc32(0, drawn, sizeof drawn), 0x06125397);
}

/* Nothing behind the pixels is written. */
static void test_room_for_pixels(void **state)
{
    static const uint8_t bytes[10] = {0, 255, 10, 20, 30, 255, 0, 7, 77, 255};
    const vae_images images = {.n = 2, .rows = 1, .cols = 5, .pixels = (uint8_t *)(uintptr_t)bytes};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        real x[12];
        for (size_t k = 0; k < 12; k++) x[k] = 77;
        assert_true(images_gather(&images, &rules[i], NULL, 0, 2, x));
        for (size_t k = 0; k < 12; k++) assert_int_equal(x[k] == 77, k >= 10);
        assert_true(images_gather(&images, &rules[i], NULL, 1, 0, x));
    }
}

/* ---- Real numbers ----------------------------------------------------------------------------------------------- */

/* Where they are bytes / 255, they are the same images, whole or as a part of a file, whatever the rule. (Drawn pixels
 * might differ, where a random number falls into what byte / 255 loses by rounding. Here none does.) */
static void test_reals_equal_bytes(void **state)
{
    static const size_t sizes[] = {1, 3, 5, 784, 2049};
    static uint8_t body[IMAGES * MOST_PIXELS];
    static float values[IMAGES * MOST_PIXELS], read[IMAGES * MOST_PIXELS];
    uint32_t number[] = {7, 0, 2};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t D = sizes[i], n = IMAGES * D;
        vae_images bytes = {.n = IMAGES, .rows = D, .cols = 1, .pixels = body};
        vae_images reals = {.n = IMAGES, .rows = D, .cols = 1, .values = values};
        noise(body, n, i + 77);
        for (size_t k = 0; k < n; k++) body[k] = k % 5 ? body[k] : (uint8_t)(255 * (k % 2));
        for (size_t k = 0; k < n; k++) values[k] = (float)body[k] / 255;
        for (size_t turn = 0; turn < 2; turn++, bytes.number = reals.number = number) {
            for (size_t k = 0; k < 3; k++) assert_same_pixels(&bytes, &reals, &rules[k]);
            assert_int_equal(vae_images_values(&bytes, 0, IMAGES, read, NULL), VAE_OK);
            assert_memory_equal(read, values, n * sizeof *values);
        }
    }
}

/* They are not scaled, and half a unit is white. */
static void test_reals_as_they_are(void **state)
{
    static float values[6] = {-3.5F, 2e30F, 0.49999997F, 0.5F, 0, 1};
    static const float white[6] = {0, 1, 0, 1, 0, 1};
    const vae_images images = {.n = 2, .rows = 1, .cols = 3, .values = values};
    real x[6];
    (void)state;
    assert_true(images_gather(&images, &rules[0], NULL, 0, 2, x));
    for (size_t i = 0; i < 6; i++) assert_true(x[i] == R(values[i]));
    assert_true(images_gather(&images, &rules[1], NULL, 0, 2, x));
    for (size_t i = 0; i < 6; i++) assert_true(x[i] == R(white[i]));
}

static void test_reading_reals(void **state)
{
    enum { D = 6, N = 3 };
    static float values[N * D], read[N * D];
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    uint8_t bytes[N * D];
    vae_images images = {.n = N, .rows = 2, .cols = 3, .values = values};
    vae_error err = {0};
    (void)state;
    for (size_t i = 0; i < N * D; i++) values[i] = (float)i - 7.25F;
    assert_int_equal(vae_images_values(&images, 1, 2, read, NULL), VAE_OK);
    assert_memory_equal(read, values + D, 2 * D * sizeof *read);
    assert_int_equal(vae_images_values(&images, 1, 3, NULL, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "3 images from 1 on, of 3");
    assert_int_equal(vae_images_read(&images, 0, 1, bytes, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "images of real numbers have no bytes (vae_images_values reads them)");
    open_images(put_black(path, "images", N, 2, 3), 0, &images);
    assert_int_equal(truncate(path, HEADER + N * D - 1), 0);
    assert_int_equal(vae_images_values(&images, 1, 1, read, NULL), VAE_OK);
    for (size_t i = 0; i < D; i++) assert_true(read[i] == 0);
    assert_int_equal(vae_images_values(&images, 1, 2, read, &err), VAE_E_DATA);
    snprintf(wanted, sizeof wanted, "%s: cannot read image 2 (was the file changed?)", path);
    assert_string_equal(err.message, wanted);
    images_free(&images);
}

/* ---- Sparse or not ---------------------------------------------------------------------------------------------- */

/* n images of D pixels of which those at `inked` positions are not zero, in memory and in a file. */
static void check_sparse(size_t n, size_t D, size_t from, size_t inked, bool sparse)
{
    char path[PATH_MOST];
    uint8_t *body = calloc(n, D);
    memset(body + from, 1, inked);
    ink(put_black(path, "images", n, 1, D), 0, 0, 0, body, n * D);
    for (size_t most = 0; most <= n * D; most += n * D) {
        vae_images images;
        open_images(path, most, &images);
        if (images_are_sparse(&images) != sparse)
            fail_msg("%zu of %zu x %zu pixels from %zu on, %s", inked, n, D, from, most ? "in memory" : "in a file");
        images_free(&images);
    }
    float *values = malloc(n * D * sizeof *values);
    const vae_images reals = {.n = n, .rows = 1, .cols = D, .values = values};
    for (size_t i = 0; i < n * D; i++) values[i] = body[i] ? -1e-30F : -0.0F;
    if (images_are_sparse(&reals) != sparse) fail_msg("%zu of %zu x %zu reals from %zu on", inked, n, D, from);
    free(values);
    free(body);
}

/* Less than 35 % of the pixels of the first thousand images. */
static void test_sparse_images(void **state)
{
    (void)state;
    check_sparse(20, 1, 0, 6, true);
    check_sparse(20, 1, 13, 7, false);
    check_sparse(1, 20, 14, 6, true);
    check_sparse(1, 20, 0, 7, false);
    check_sparse(999, 1, 650, 349, true);
    check_sparse(1000, 1, 651, 349, true);
    check_sparse(1000, 1, 650, 350, false);
    check_sparse(1001, 1, 650, 351, false);
    check_sparse(2000, 1, 651, 1349, true); /* the second thousand does not count */
    check_sparse(2000, 1, 0, 350, false);
}

/* Of a file every so many pixels are looked at, 10,000 or a few less. Here they are every fourth. */
static void test_sparse_samples(void **state)
{
    enum { N = 300, D = 100 };
    static uint8_t body[N * D];
    char path[PATH_MOST];
    vae_images memory, stream;
    (void)state;
    for (size_t i = 0; i < N * D; i++) body[i] = i % 4 != 0;
    ink(put_black(path, "images", N, 10, 10), 0, 0, 0, body, sizeof body);
    open_images(path, SIZE_MAX, &memory);
    open_images(path, 0, &stream);
    assert_false(images_are_sparse(&memory));
    assert_true(images_are_sparse(&stream));
    for (size_t i = 0; i < N * D; i++) body[i] = i % 40 < 14 * (i % 4 == 0) || i % 40 == 16;
    ink(path, 0, 0, 0, body, sizeof body);
    assert_false(images_are_sparse(&stream)); /* 35 % or more of those that are looked at, 10 % of all */
    images_free(&memory);
    images_free(&stream);
}

/* Of a part of a file its own images are looked at. */
static void test_sparse_parts(void **state)
{
    uint8_t white[10];
    char path[PATH_MOST];
    uint32_t inked[] = {5, 7}, black[] = {0, 6};
    vae_images images;
    (void)state;
    memset(white, 255, sizeof white);
    put_black(path, "images", 9, 2, 5);
    ink(path, 5, 10, 0, white, 10);
    ink(path, 7, 10, 0, white, 10);
    open_images(path, 0, &images);
    images.n = 2;
    assert_true(images_are_sparse(&images));
    for (size_t i = 0; i < 2; i++) {
        vae_images part = images;
        part.number = i ? black : inked;
        assert_int_equal(images_are_sparse(&part), i);
    }
    images_free(&images);
}

/* ---- Divisions -------------------------------------------------------------------------------------------------- */

static void assert_numbers(const vae_images *images, const char *want)
{
    char text[64] = "";
    for (size_t i = 0; i < images->n; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%u", i ? " " : "", images->number[i]);
        assert_int_equal(images->pixels[2 * i] << 8 | images->pixels[2 * i + 1], images->number[i]);
    }
    assert_string_equal(text, want);
}

/* Known answers: shuffles by a generator of another hand (in Python). What a seed holds out must stay the same in
 * later versions, or models would be tested on what they were trained on. Of the ten images seed 1 keeps those whose
 * numbers are 0, 3, 9, 2, 5, 7, 6, in this order, and of these the second shuffle keeps those at 3, 0, 1, 6, 5. */
static void test_who_is_held_out(void **state)
{
    char path[PATH_MOST];
    (void)state;
    vae_data *data = open_data(put_numbered(path, 10), 0.3, 0, 1);
    assert_numbers(&data->train, "0 3 9 2 5 7 6");
    assert_numbers(&data->test, "4 8 1");
    vae_data_free(&data);
    data = open_data(path, 0.3, 0, 2);
    assert_numbers(&data->train, "5 7 0 8 6 1 4");
    assert_numbers(&data->test, "3 9 2");
    vae_data_free(&data);
    data = open_data(path, 0, 0.3, 1);
    assert_numbers(&data->train, "1 0 3 6 4 5 9");
    assert_numbers(&data->validation, "7 8 2");
    vae_data_free(&data);
    data = open_data(path, 0.3, 0.3, 1);
    assert_numbers(&data->train, "2 0 3 6 7");
    assert_numbers(&data->validation, "5 9");
    assert_numbers(&data->test, "4 8 1");
    vae_data_free(&data);
}

static void test_sizes_of_parts(void **state)
{
    static const struct {
        size_t n;
        double holdout, validation;
        size_t train, validated, test;
        const char *text; /* behind the name of the file */
    } known[] = {
        {10, 0.25, 0, 7, 0, 3, ": 7 + 3 images of 1 x 2"},
        {10, 0.24, 0, 8, 0, 2, ": 8 + 2 images of 1 x 2"},
        {10, 0.2, 0.5, 4, 4, 2, ": 4 + 4 + 2 images of 1 x 2"},
        {10, 0.1, 0.05, 9, 0, 1, ": 9 + 1 images of 1 x 2"},
        {10, 0, 0.06, 9, 1, 0, ": 9 + 1 + 0 images of 1 x 2 (no test split: tested on the training images)"},
        {3, 0, 0, 3, 0, 0, ": 3 + 0 images of 1 x 2 (no test split: tested on the training images)"},
    };
    char path[PATH_MOST], name[2 * PATH_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_data *data = open_data(put_numbered(path, known[i].n), known[i].holdout, known[i].validation, 1);
        assert_int_equal(data->train.n, known[i].train);
        assert_int_equal(data->validation.n, known[i].validated);
        assert_int_equal(data->test.n, known[i].test);
        assert_int_equal(data->train.split, VAE_TRAIN);
        assert_int_equal(data->validation.split, VAE_VALIDATION);
        assert_int_equal(data->test.split, VAE_TEST);
        snprintf(name, sizeof name, "%s%s", path, known[i].text);
        assert_string_equal(data->name, name);
        vae_data_free(&data);
    }
}

static void test_nothing_left_to_train_on(void **state)
{
    static const struct {
        double holdout, validation;
        const char *message;
    } known[] = {{1, 0, "holdout: 1 leaves none of 4 images to train on"},
                 {0.9, 0, "holdout: 0.9 leaves none of 4 images to train on"},
                 {0, 1, "validation: 1 leaves none of 4 images to train on"},
                 {0.5, 0.75, "validation: 0.75 leaves none of 2 images to train on"}};
    char path[PATH_MOST];
    (void)state;
    put_numbered(path, 4);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_data *data = NULL;
        vae_error err = {0};
        assert_int_equal(vae_data_open(&data, path, known[i].holdout, known[i].validation, 1, &err), VAE_E_USAGE);
        assert_int_equal(err.status, VAE_E_USAGE);
        assert_string_equal(err.message, known[i].message);
        assert_null(data);
    }
}

static void test_shares_out_of_range(void **state)
{
    static const double bad[][2] = {{-0.25, 0.5}, {1.5, 0.5}, {0.5, -0.25}, {0.5, 1.5}};
    char path[PATH_MOST], wanted[128];
    (void)state;
    put_numbered(path, 4);
    for (size_t i = 0; i < 4; i++) {
        vae_data *data = NULL;
        vae_error err = {0};
        assert_int_equal(vae_data_open(&data, path, bad[i][0], bad[i][1], 1, &err), VAE_E_USAGE);
        snprintf(wanted, sizeof wanted, "shares of images: holdout %g, validation %g (expected 0 to 1)", bad[i][0],
                 bad[i][1]);
        assert_string_equal(err.message, wanted);
        assert_null(data);
    }
}

/* ---- Files too large for memory --------------------------------------------------------------------------------- */

/* The images that have these numbers: written to the file now, as if they had been there, and read as a part's. */
static void assert_reads_its_own(const char *path, const vae_images *part, size_t i)
{
    uint8_t bytes[AREA], read[AREA];
    static real x[AREA];
    assert_true(part->stream && !part->pixels);
    const struct timespec as_before[2] = {part->stream->written, part->stream->written};
    noise(bytes, AREA, part->number[i] + 1);
    ink(path, part->number[i], AREA, 0, bytes, AREA);
    assert_int_equal(utimensat(AT_FDCWD, path, as_before, 0), 0);
    assert_int_equal(vae_images_read(part, i, 1, read, NULL), VAE_OK);
    assert_memory_equal(read, bytes, AREA);
    assert_true(images_gather(part, &rules[0], NULL, i, 1, x));
    for (size_t k = 0; k < AREA; k++) assert_true(x[k] == R(bytes[k]) / 255);
}

/* The division is that of a small file with as many images. */
static void test_division_of_a_large_file(void **state)
{
    static bool seen[MANY];
    char large[PATH_MOST], small[PATH_MOST];
    (void)state;
    vae_data *stream = open_data(put_black(large, "large", MANY, ROWS, COLS), 0.001, 0.002, 3);
    vae_data *memory = open_data(put_numbered(small, MANY), 0.001, 0.002, 3);
    const vae_images *const parts[][2] = {
        {&stream->train, &memory->train}, {&stream->validation, &memory->validation}, {&stream->test, &memory->test}};
    static const size_t sizes[] = {31904, 64, 32};
    for (size_t k = 0; k < 3; k++) {
        const vae_images *a = parts[k][0], *b = parts[k][1];
        assert_true(a->n == sizes[k] && b->n == sizes[k]);
        assert_memory_equal(a->number, b->number, a->n * sizeof *a->number);
        for (size_t i = 0; i < a->n; i++) {
            assert_int_equal(b->pixels[2 * i] << 8 | b->pixels[2 * i + 1], b->number[i]);
            assert_false(seen[a->number[i]]);
            seen[a->number[i]] = true;
        }
        for (size_t i = 0; i < a->n; i += a->n / 3) assert_reads_its_own(large, a, i);
    }
    vae_data_free(&stream);
    vae_data_free(&memory);
}

/* Labels go with their images, whether those are in memory or not. */
static void check_labels(size_t n, size_t rows, size_t cols, bool streamed)
{
    static uint8_t labels[MANY];
    char path[PATH_MOST];
    for (size_t i = 0; i < n; i++) labels[i] = (uint8_t)(i * 7 % 251);
    put_black(path, "train-images-idx3-ubyte", n, rows, cols);
    put_black(path, "t10k-images-idx3-ubyte", 3, rows, cols);
    put_labels("train-labels-idx1-ubyte", labels, n);
    put_labels("t10k-labels-idx1-ubyte", (const uint8_t[]){200, 100, 50}, 3);
    vae_data *data = open_data(scratch, 0.5, 0.01, 1);
    assert_int_equal(data->train.n, n - n / 100);
    assert_int_equal(data->validation.n, n / 100);
    assert_int_equal(data->test.n, 3);
    assert_int_equal(data->train.stream != NULL, streamed);
    assert_memory_equal(data->test.labels, ((const uint8_t[]){200, 100, 50}), 3);
    for (size_t i = 0; i < data->train.n; i++) assert_int_equal(data->train.labels[i], data->train.number[i] * 7 % 251);
    for (size_t i = 0; i < data->validation.n; i++)
        assert_int_equal(data->validation.labels[i], data->validation.number[i] * 7 % 251);
    vae_data_free(&data);
}

static void test_labels_of_parts(void **state)
{
    (void)state;
    check_labels(1000, 2, 2, false);
    check_labels(MANY, ROWS, COLS, true);
}

/* 2^27 bytes of pixels are read into memory, one more is not. */
static void test_limit_of_memory(void **state)
{
    char path[PATH_MOST];
    (void)state;
    put_black(path, "train-images-idx3-ubyte", 1 << 21, 8, 8);
    put_black(path, "t10k-images-idx3-ubyte", 1, 8, 8);
    vae_data *data = open_data(scratch, 0, 0, 1);
    assert_non_null(data->train.pixels);
    vae_data_free(&data);
    data = open_data(put_black(path, "one-more", 87211, 27, 57), 0, 0, 1);
    assert_null(data->train.pixels);
    assert_non_null(data->train.stream);
    vae_data_free(&data);
}

/* ---- Names ------------------------------------------------------------------------------------------------------ */

/* Of several files with names that would do, the first of these is taken. */
static void test_order_of_names(void **state)
{
    static const char *const names[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz",
                                        "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz"};
    char path[PATH_MOST];
    (void)state;
    put_black(path, "t10k-images-idx3-ubyte", 1, 2, 2);
    for (size_t i = 4; i-- > 0;) {
        put_black(path, names[i], 10 + i, 2, 2);
        vae_data *data = open_data(scratch, 0, 0, 1);
        assert_int_equal(data->train.n, 10 + i);
        vae_data_free(&data);
    }
}

static void test_long_names(void **state)
{
    char name[1025];
    vae_data *data = NULL;
    vae_error err = {0};
    (void)state;
    memset(name, 'x', sizeof name - 1);
    name[1024] = '\0';
    assert_int_equal(vae_data_open(&data, name, 0, 0, 1, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "data: longer than 1023 characters");
    name[1023] = '\0';
    assert_int_equal(vae_data_open(&data, name, 0, 0, 1, &err), VAE_E_DATA);
    assert_null(data);
}

/* What does not fit behind a long name is cut. */
static void test_description_of_a_long_name(void **state)
{
    char path[PATH_MOST], name[1025] = "";
    (void)state;
    put_numbered(path, 5);
    const size_t dots = (1023 - strlen(path)) / 2;
    strcpy(name, scratch);
    for (size_t i = 0; i < dots; i++) strcat(name, "/.");
    strcat(name, "/numbered");
    vae_data *data = open_data(name, 0, 0.4, 1);
    assert_int_equal(strlen(data->name), sizeof data->name - 1);
    assert_int_equal(strncmp(data->name, name, strlen(name)), 0);
    assert_int_equal(strncmp(data->name + strlen(name), ": 3 + 2 + 0 images of 1 x 2 (no test split", 40), 0);
    assert_int_equal(data->train.n, 3);
    vae_data_free(&data);
}

static void test_no_such_source(void **state)
{
    char path[PATH_MOST], wanted[2 * PATH_MOST];
    vae_data *data = NULL;
    vae_error err = {0};
    (void)state;
    assert_int_equal(vae_data_open(&data, in_scratch(path, "missing"), 0, 0, 1, &err), VAE_E_DATA);
    snprintf(wanted, sizeof wanted,
             "%s: No such file or directory (expected a folder with the MNIST files or PNG files, an IDX, .npy or .csv "
             "file, or "
             "builtin:NAME of digits, gaussians, templates, patches)",
             path);
    assert_string_equal(err.message, wanted);
    assert_int_equal(vae_data_open(&data, "builtin:letters", 0, 0, 1, &err), VAE_E_USAGE);
    assert_string_equal(err.message,
                        "unknown built-in data set 'letters' (there are: digits, gaussians, templates, patches)");
    assert_int_equal(vae_data_open(&data, "builtin", 0, 0, 1, &err), VAE_E_DATA);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_streams_equal_memory),
        TEST(test_a_stream_that_ends),
        TEST(test_short_reads),
        TEST(test_descriptors),
        TEST(test_descriptor_zero),
        TEST(test_a_stream_that_is_written),
        TEST(test_a_stream_that_cannot_be_opened),
        TEST(test_reading_past_the_end),
        TEST(test_every_grey),
        TEST(test_drawn_pixels),
        TEST(test_drawn_greys),
        TEST(test_drawn_fours),
        TEST(test_room_for_pixels),
        TEST(test_reals_equal_bytes),
        TEST(test_reals_as_they_are),
        TEST(test_reading_reals),
        TEST(test_sparse_images),
        TEST(test_sparse_samples),
        TEST(test_sparse_parts),
        TEST(test_who_is_held_out),
        TEST(test_sizes_of_parts),
        TEST(test_nothing_left_to_train_on),
        TEST(test_shares_out_of_range),
        TEST(test_division_of_a_large_file),
        TEST(test_labels_of_parts),
        TEST(test_limit_of_memory),
        TEST(test_order_of_names),
        TEST(test_long_names),
        TEST(test_description_of_a_long_name),
        TEST(test_no_such_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
