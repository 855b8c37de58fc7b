/* SPDX-License-Identifier: MIT
 *
 * The digits that the program draws: the same bytes everywhere and for ever, each image by itself, and images that a
 * model can learn from.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

#include <zlib.h>

enum { SIDE = 28, D = SIDE * SIDE };

static vae_data *open_digits(const char *source)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, source, 0, 0, 1, &err)) fail_msg("%s", err.message);
    return data;
}

/* ---- Bytes ------------------------------------------------------------------------------------------------------ */

static uint32_t pixel_sum(const vae_images *images)
{
    return (uint32_t)crc32(0, images->pixels, (uInt)(images->n * D));
}
static uint32_t label_sum(const vae_images *images) { return (uint32_t)crc32(0, images->labels, (uInt)images->n); }

/* Checksums (CRC-32). Those of labels come from a Philox4x32-10 of another hand (in Python). Those of pixels are this
 * program's own: what it drew once it must draw on every machine and in every version. All glyphs are among them. */
static void test_known_bytes(void **state)
{
    static const struct {
        const char *source;
        uint32_t pixels, labels, test_pixels, test_labels;
    } known[] = {
        {"builtin:digits:train=1000,test=20", 0xac4f2abe, 0xedbcccf5, 0x21f1f798, 0x170c6fa6},
        {"builtin:digits:train=300,test=20,seed=2", 0x1bfd002e, 0xddf234f8, 0xb4791018, 0x1531ae24},
        {"builtin:digits:train=3,test=2,seed=9007199254740991", 0x65522d4a, 0x23dc3e07, 0x37f8c57a, 0x7d34f84f},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_data *data = open_digits(known[i].source);
        assert_int_equal(label_sum(&data->train), known[i].labels);
        assert_int_equal(label_sum(&data->test), known[i].test_labels);
        assert_int_equal(pixel_sum(&data->train), known[i].pixels);
        assert_int_equal(pixel_sum(&data->test), known[i].test_pixels);
        vae_data_free(&data);
    }
}

/* Image i of a seed, wherever the sequence is cut into training and test images. No image comes twice. */
static void test_images_stand_by_themselves(void **state)
{
    enum { N = 60 };
    static const size_t cuts[] = {N - 1, 40, 21, 7, 1};
    static uint8_t whole[N * D], labels[N];
    (void)state;
    for (size_t cut = 0; cut < sizeof cuts / sizeof *cuts; cut++) {
        const size_t train = cuts[cut];
        char source[64];
        snprintf(source, sizeof source, "builtin:digits:train=%zu,test=%zu", train, N - train);
        vae_data *data = open_digits(source);
        assert_int_equal(data->train.n, train);
        assert_int_equal(data->test.n, N - train);
        if (cut == 0) {
            memcpy(whole, data->train.pixels, train * D);
            memcpy(labels, data->train.labels, train);
            memcpy(whole + train * D, data->test.pixels, D);
            labels[train] = data->test.labels[0];
        }
        assert_memory_equal(data->train.pixels, whole, train * D);
        assert_memory_equal(data->train.labels, labels, train);
        assert_memory_equal(data->test.pixels, whole + train * D, (N - train) * D);
        assert_memory_equal(data->test.labels, labels + train, N - train);
        vae_data_free(&data);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k < i; k++) assert_memory_not_equal(whole + i * D, whole + k * D, D);
}

/* ---- Likeness --------------------------------------------------------------------------------------------------- */

struct shape {
    double ink, x, y;                /* sum of the pixels and its centre, from the left and the top */
    size_t left, right, top, bottom; /* first and last columns and rows with ink */
    uint8_t darkest;
};

static struct shape measure(const uint8_t *image)
{
    struct shape s = {.left = SIDE, .top = SIDE};
    for (size_t i = 0; i < D; i++) {
        const size_t row = i / SIDE, column = i % SIDE;
        const double ink = image[i];
        s.ink += ink;
        s.x += ink * ((double)column + 0.5);
        s.y += ink * ((double)row + 0.5);
        if (image[i] > s.darkest) s.darkest = image[i];
        if (image[i] == 0) continue;
        if (column < s.left) s.left = column;
        if (column > s.right) s.right = column;
        if (row < s.top) s.top = row;
        if (row > s.bottom) s.bottom = row;
    }
    s.x /= s.ink;
    s.y /= s.ink;
    return s;
}

/* As in MNIST: strokes on black paper in a box of about 20 x 20 whose centre of mass is in the middle of the image. */
static void test_ink(void **state)
{
    vae_data *data = open_digits("builtin:digits:train=1000,test=1");
    struct moments x = {0}, y = {0};
    size_t at_border = 0;
    (void)state;
    for (size_t i = 0; i < 1000; i++) {
        const struct shape s = measure(data->train.pixels + i * D);
        const size_t width = s.right - s.left + 1, height = s.bottom - s.top + 1;
        moments_add(&x, s.x);
        moments_add(&y, s.y);
        assert_within(s.x, 12.5, 15.5, "centre of image %zu from the left", i);
        assert_within(s.y, 12.5, 15.5, "centre of image %zu from the top", i);
        assert_within(s.ink / (255.0 * D), 0.03, 0.3, "share of ink in image %zu", i);
        assert_in_range(width > height ? width : height, 19, 22);
        assert_int_equal(s.darkest, 255);
        at_border += s.left == 0 || s.top == 0 || s.right == SIDE - 1 || s.bottom == SIDE - 1;
    }
    assert_near(x.mean, 14, 0.01, "mean of the centres from the left");
    assert_near(y.mean, 14, 0.01, "mean of the centres from the top");
    assert_in_range(at_border, 0, 50);
    vae_data_free(&data);
}

static double distance(const uint8_t *image, const double *mean)
{
    double sum = 0;
    for (size_t k = 0; k < D; k++) sum += (image[k] - mean[k]) * (image[k] - mean[k]);
    return sum;
}

/* Digits as often as each other, and labels that are the digits': the mean image that is nearest to a test image is
 * nearly always that of its digit. */
static void test_labels(void **state)
{
    enum { TRAIN = 1500, TEST = 300 };
    vae_data *data = open_digits("builtin:digits:train=1500,test=300");
    static double mean[10][D];
    double count[10] = {0}, expected[10], right = 0;
    (void)state;
    for (size_t i = 0; i < TRAIN; i++) count[data->train.labels[i]]++;
    for (size_t c = 0; c < 10; c++) expected[c] = TRAIN / 10.0;
    assert_chi_square(10, count, expected, "labels");
    for (size_t i = 0; i < TRAIN; i++)
        for (size_t k = 0; k < D; k++)
            mean[data->train.labels[i]][k] += data->train.pixels[i * D + k] / count[data->train.labels[i]];
    for (size_t i = 0; i < TEST; i++) {
        size_t nearest = 0;
        const uint8_t *image = data->test.pixels + i * D;
        for (size_t c = 1; c < 10; c++)
            if (distance(image, mean[c]) < distance(image, mean[nearest])) nearest = c;
        right += nearest == data->test.labels[i];
    }
    assert_within(right / TEST, 0.75, 1, "share of labels that the nearest mean image has");
    vae_data_free(&data);
}

/* ---- Parameters ------------------------------------------------------------------------------------------------- */

static void test_parameters(void **state)
{
    static const char *const known[][2] = {
        {"train=10.5", "digits parameter train: 10.5 is not a whole number"},
        {"test=1.25", "digits parameter test: 1.25 is not a whole number"},
        {"seed=0.1", "digits parameter seed: 0.1 is not a whole number"},
        {"train=0", "digits parameter train: 0 is out of range (expected 1 to 1e+07)"},
        {"train=10000001", "digits parameter train: 10000001 is out of range (expected 1 to 1e+07)"},
        {"test=0", "digits parameter test: 0 is out of range (expected 1 to 1e+07)"},
        {"seed=-1", "digits parameter seed: -1 is out of range (expected 0 to 9.0072e+15)"},
        {"seed=9007199254740994", "digits parameter seed: 9007199254740994 is out of range (expected 0 to 9.0072e+15)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_data *data = NULL;
        vae_error err = {0};
        char source[64];
        snprintf(source, sizeof source, "builtin:digits:%s", known[i][0]);
        assert_int_equal(vae_data_open(&data, source, 0, 0, 1, &err), VAE_E_USAGE);
        assert_string_equal(err.message, known[i][1]);
        assert_null(data);
    }
}

/* A share is held out of single files alone: this set has its own test images. */
static void test_what_it_is(void **state)
{
    vae_data *data = NULL;
    (void)state;
    assert_int_equal(vae_data_open(&data, "builtin:digits:train=1,test=2,seed=0", 0.5, 0, 1, NULL), VAE_OK);
    assert_string_equal(data->name, "builtin:digits:train=1,test=2,seed=0: 1 + 2 images of 28 x 28");
    assert_true(data->train.n == 1 && data->test.n == 2 && data->validation.n == 0);
    assert_null(data->train.number);
    vae_data_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_bytes), cmocka_unit_test(test_images_stand_by_themselves),
        cmocka_unit_test(test_ink),         cmocka_unit_test(test_labels),
        cmocka_unit_test(test_parameters),  cmocka_unit_test(test_what_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
