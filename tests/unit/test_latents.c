/* SPDX-License-Identifier: MIT
 *
 * What a program gets of the latents: means and scales of q(z|x), mean images of z, draws from the prior. Encoder and
 * decoder are linear with known weights, and there are more rows than fit into one block. */
#include <dirent.h>

#include "data/source.h"
#include "models.h"

enum { N = 1100, BEHIND = 4 }; /* images; values behind those asked for, which stay as they were */

/* Rows of two values: all of one block, one row more and fewer, several blocks, none. */
static const size_t spans[][2] = {{0, N}, {0, 512}, {3, 513}, {588, 512}, {N - 1, 1}, {7, 25}, {N, 0}};

static const float untouched = -77;

static float *new_values(size_t rows)
{
    float *values = calloc(2 * rows + BEHIND, sizeof *values);
    assert_non_null(values);
    for (size_t i = 0; i < 2 * rows + BEHIND; i++) values[i] = untouched;
    return values;
}

static void assert_end(const float *values, size_t rows)
{
    for (size_t i = 0; i < BEHIND; i++) assert_true(values[2 * rows + i] == untouched);
}

/* ---- Encoding --------------------------------------------------------------------------------------------------- */

/* N images of two pixels, no two images alike. */
static void make_pixels(vae_images *images)
{
    assert_int_equal(images_new(images, N, 1, 2, false, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) {
        images->pixels[2 * i] = (uint8_t)(7 * i % 251);
        images->pixels[2 * i + 1] = (uint8_t)(11 * i % 241);
    }
}

/* mean = (a - 1/2, a + 2b), log variance = (1 - 2b, 4a) for an image of pixels a and b. */
static vae_model *make_encoder(const char *binarize)
{
    const float unit[4] = {1, 0, 0, 1}, zero[2] = {0};
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "binarize", binarize);
    set_tensor(model, "encoder.0.weight", unit);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", (const float[4]){1, 0, 1, 2});
    set_tensor(model, "mu.bias", (const float[2]){-0.5f, 0});
    set_tensor(model, "logvar.weight", (const float[4]){0, -2, 4, 0});
    set_tensor(model, "logvar.bias", (const float[2]){1, 0});
    return model;
}

static void check_span(const vae_model *model, const vae_images *images, size_t first, size_t n, size_t threads)
{
    float *mean = new_values(n), *scale = new_values(n);
    assert_int_equal(vae_encode(model, images, first, n, 1, threads, mean, scale, NULL), VAE_OK);
    for (size_t i = 0; i < n; i++) {
        const double a = images->pixels[2 * (first + i)] / 255.0, b = images->pixels[2 * (first + i) + 1] / 255.0;
        const double m[2] = {a - 0.5, a + 2 * b}, s[2] = {exp(0.5 - b), exp(2 * a)};
        for (size_t j = 0; j < 2; j++) {
            assert_near((double)mean[2 * i + j], m[j], 1e-6, "mean %zu of image %zu", j, first + i);
            assert_near((double)scale[2 * i + j], s[j], 1e-5, "scale %zu of image %zu", j, first + i);
        }
    }
    assert_end(mean, n);
    assert_end(scale, n);
    assert_int_equal(vae_encode(model, images, first, n, 1, threads, scale, NULL, NULL), VAE_OK);
    assert_memory_equal(mean, scale, 2 * n * sizeof *mean);
    free(mean);
    free(scale);
}

static void encoding(void **state)
{
    vae_images images;
    vae_model *model = make_encoder("none");
    (void)state;
    make_pixels(&images);
    for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
        check_span(model, &images, spans[i][0], spans[i][1], i % 3);
    images_free(&images);
    vae_model_free(&model);
}

/* A flow that has not learned shrinks z by sigmoid(2) a block: so does the centre, and the scale is that of its start.
 */
static void encoding_with_a_flow(void **state)
{
    const float unit[4] = {1, 0, 0, 1}, zero[2] = {0};
    float *mean = new_values(N), *scale = new_values(N);
    const double shrink = pow(1 + exp(-2), -3);
    vae_images images;
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "posterior", "iaf:blocks=3,width=5,context=4");
    (void)state;
    set_tensor(model, "encoder.0.weight", unit);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", (const float[4]){1, 0, 1, 2});
    set_tensor(model, "mu.bias", zero);
    set_tensor(model, "logvar.weight", (const float[4]){0, -2, 4, 0});
    set_tensor(model, "logvar.bias", zero);
    make_pixels(&images);
    assert_int_equal(vae_encode(model, &images, 0, N, 1, 2, mean, scale, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) {
        const double a = images.pixels[2 * i] / 255.0, b = images.pixels[2 * i + 1] / 255.0;
        const double m[2] = {a, a + 2 * b}, s[2] = {exp(-b), exp(2 * a)};
        for (size_t j = 0; j < 2; j++) {
            assert_near((double)mean[2 * i + j], shrink * m[j], 1e-6, "centre %zu of image %zu", j, i);
            assert_near((double)scale[2 * i + j], s[j], 1e-5, "scale %zu of image %zu", j, i);
        }
    }
    assert_end(mean, N);
    assert_end(scale, N);
    free(mean);
    free(scale);
    images_free(&images);
    vae_model_free(&model);
}

/* Drawn pixels are 0 or 1, more often 1 where they are lighter, and other ones by another seed. */
static void encoding_binarised_pixels(void **state)
{
    float *mean[2] = {new_values(N), new_values(N)};
    vae_images images;
    vae_model *model = make_encoder("dynamic");
    size_t moved = 0, ink = 0;
    (void)state;
    make_pixels(&images);
    memset(images.pixels, 51, 2 * N);
    for (uint64_t seed = 0; seed < 2; seed++)
        assert_int_equal(vae_encode(model, &images, 0, N, seed, 1, mean[seed], NULL, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) {
        assert_true(mean[0][2 * i] == -0.5f || mean[0][2 * i] == 0.5f);
        ink += mean[0][2 * i] > 0;
        moved += mean[0][2 * i] != mean[1][2 * i];
    }
    assert_in_range(ink, 165, 275);   /* a fifth, four standard errors */
    assert_in_range(moved, 290, 414); /* 2 * 0.2 * 0.8 of them */
    free(mean[0]);
    free(mean[1]);
    images_free(&images);
    vae_model_free(&model);
}

static void images_that_are_not_there(void **state)
{
    static const size_t bad[][2] = {{0, N + 1}, {1, N}, {N, 1}, {N + 1, 0}, {SIZE_MAX, 1}, {1, SIZE_MAX}};
    vae_images images;
    vae_model *model = make_encoder("none");
    vae_error err;
    (void)state;
    make_pixels(&images);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vae_encode(model, &images, bad[i][0], bad[i][1], 1, 1, NULL, NULL, &err), VAE_E_USAGE);
    assert_int_equal(vae_encode(model, &images, 3, N, 1, 1, NULL, NULL, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "1100 images from 3 on, of 1100");
    images.rows = 2, images.cols = 1;
    assert_int_equal(vae_encode(model, &images, 0, 1, 1, 1, NULL, NULL, &err), VAE_E_DATA);
    assert_string_equal(err.message, "images are 2 x 1, the model takes 1 x 2");
    images_free(&images);
    vae_model_free(&model);
}

/* ---- Decoding --------------------------------------------------------------------------------------------------- */

/* Outputs (y - 1, x/2 + 2y) of a latent (x, y): two hidden units each, for its positive and its negative part. */
static vae_model *make_decoder(const char *likelihood)
{
    vae_model *model = MODEL_WITH(2, 1, "latent", "2", "hidden", "4", "likelihood", likelihood);
    set_tensor(model, "decoder.0.weight", (const float[8]){1, 0, -1, 0, 0, 1, 0, -1});
    set_tensor(model, "decoder.0.bias", (const float[4]){0});
    /* Behind them, log-deviations, which the mean does not see. */
    set_tensor(model, "decoder.1.weight", (const float[16]){0, 0, 1, -1, 0.5f, -0.5f, 2, -2, 1, 2, 3, 4, 5, 6, 7, 8});
    set_tensor(model, "decoder.1.bias", (const float[4]){-1, 0, 3, 4});
    return model;
}

static double itself(double x) { return x; }
static double sigmoid(double x) { return 1 / (1 + exp(-x)); }

static void check_decoding(const char *likelihood, double (*mean_of)(double output))
{
    float *z = new_values(N);
    vae_model *model = make_decoder(likelihood);
    for (size_t i = 0; i < 2 * N; i++) z[i] = (float)test_uniform(i, -2, 2);
    for (size_t k = 0; k < sizeof spans / sizeof *spans; k++) {
        const size_t first = spans[k][0], n = spans[k][1];
        float *mean = new_values(n);
        assert_int_equal(vae_decode(model, n, z + 2 * first, NULL, k % 3, mean, NULL), VAE_OK);
        for (size_t i = 0; i < n; i++) {
            const double x = (double)z[2 * (first + i)], y = (double)z[2 * (first + i) + 1];
            assert_near((double)mean[2 * i], mean_of(y - 1), 1e-6, "%s, pixel 0 of row %zu", likelihood, i);
            assert_near((double)mean[2 * i + 1], mean_of(x / 2 + 2 * y), 1e-6, "%s, pixel 1 of row %zu", likelihood, i);
        }
        assert_end(mean, n);
        free(mean);
    }
    free(z);
    vae_model_free(&model);
}

static void decoding(void **state)
{
    (void)state;
    check_decoding("gaussian:sigma=0.3", itself); /* not clipped: that is for pictures */
    check_decoding("gaussian:sigma=learned", itself);
    check_decoding("gaussian:sigma=per-pixel", itself);
    check_decoding("bernoulli", sigmoid);
}

/* ---- Draws of data ----------------------------------------------------------------------------------------------- */

enum { DATA = 20000 };

/* P(x <= at) of an output. */
static double cdf_fixed(double output, double at) { return normal_cdf((at - output) / 0.3); }
static double cdf_learned(double output, double at) { return normal_cdf((at - output) / 0.5); }
static double cdf_bernoulli(double output, double at) { return at < 0 ? 0 : at < 1 ? 1 - sigmoid(output) : 1; }
static double cdf_cbernoulli(double output, double at)
{
    return at < 0 ? 0 : at < 1 ? expm1(output * at) / expm1(output) : 1;
}

/* Of the first pixel, whose log-deviation is 4.9 above a floor of 0.01. */
static double cdf_per_pixel(double output, double at)
{
    const double d = 4.9 - log(0.01);
    return normal_cdf((at - output) / exp(log(0.01) + (d + sqrt(d * d + 4)) / 2));
}

/* DATA draws at z = (0.4, 0.5), where the outputs are -0.5 and 1.2: shares below some values, within four standard
 * errors of what they should be. */
static void check_data(const char *likelihood, double (*cdf)(double, double), size_t pixels, double width)
{
    const double output[] = {-0.5, 1.2}, error = 2 / sqrt(DATA);
    float *z = new_values(DATA), *x = new_values(DATA), *again = new_values(DATA);
    vae_model *model = make_decoder(likelihood);
    if (!strcmp(likelihood, "gaussian:sigma=learned"))
        set_tensor(model, "likelihood.logsigma", (const float[1]){-0.69314718f});
    for (size_t i = 0; i < 2 * DATA; i++) z[i] = i % 2 ? 0.5f : 0.4f;
    assert_int_equal(vae_sample_data(model, DATA, z, NULL, 7, 1, x, NULL), VAE_OK);
    for (size_t k = 0; k < pixels; k++)
        for (double at = -2 * width; at <= 2 * width; at += 0.31 * width) {
            double below = 0;
            for (size_t i = 0; i < DATA; i++) below += (double)x[2 * i + k] <= at;
            assert_within(below / DATA - cdf(output[k], at), -error, error, "%s, pixel %zu below %g", likelihood, k,
                          at);
        }
    assert_end(x, DATA);
    assert_int_equal(vae_sample_data(model, 700, z, NULL, 7, 2, again, NULL), VAE_OK);
    assert_memory_equal(again, x, 1400 * sizeof *x); /* whatever the number of draws and of threads */
    assert_int_equal(vae_sample_data(model, 700, z, NULL, 8, 1, again, NULL), VAE_OK);
    assert_memory_not_equal(again, x, 1400 * sizeof *x);
    free(z);
    free(x);
    free(again);
    vae_model_free(&model);
}

static void drawing_data(void **state)
{
    (void)state;
    check_data("gaussian:sigma=0.3", cdf_fixed, 2, 1);
    check_data("gaussian:sigma=learned", cdf_learned, 2, 1);
    check_data("gaussian:sigma=per-pixel", cdf_per_pixel, 1, 100);
    check_data("bernoulli", cdf_bernoulli, 2, 1);
    check_data("cbernoulli", cdf_cbernoulli, 2, 1);
}

/* Blocks of large images have fewer rows. */
static void large_images(void **state)
{
    enum { ROWS = 64, COLS = 256, D = ROWS * COLS, IMAGES = 300 };
    float *weight = calloc(2 * (size_t)D, sizeof *weight), *mean = calloc((size_t)IMAGES * D, sizeof *mean);
    float z[2 * IMAGES];
    vae_images images;
    vae_model *model = MODEL_WITH(ROWS, COLS, "latent", "2", "hidden", "2", "likelihood", "gaussian");
    (void)state;
    assert_true(weight && mean);
    assert_int_equal(images_new(&images, IMAGES, ROWS, COLS, false, NULL), VAE_OK);
    for (size_t i = 0; i < IMAGES; i++) images.pixels[i * D] = (uint8_t)(i % 251);
    weight[0] = 1; /* from the first pixel, through the first unit, to the first latent and back */
    for (size_t i = 0; i < 4; i++) {
        static const char *const layers[] = {"encoder.0", "mu", "decoder.0", "decoder.1"};
        char name[32];
        snprintf(name, sizeof name, "%s.weight", layers[i]);
        set_tensor(model, name, weight);
        snprintf(name, sizeof name, "%s.bias", layers[i]);
        set_tensor(model, name, weight + 2);
    }
    assert_int_equal(vae_encode(model, &images, 0, IMAGES, 1, 1, z, NULL, NULL), VAE_OK);
    assert_int_equal(vae_decode(model, IMAGES, z, NULL, 1, mean, NULL), VAE_OK);
    for (size_t i = 0; i < IMAGES; i++) {
        assert_near((double)z[2 * i], (double)(i % 251) / 255, 1e-6, "mean of image %zu", i);
        assert_near((double)mean[i * D], (double)(i % 251) / 255, 1e-6, "mean image %zu", i);
    }
    images_free(&images);
    vae_model_free(&model);
    free(weight);
    free(mean);
}

/* ---- Draws from the prior ---------------------------------------------------------------------------------------- */

enum { DRAWS = 6 };

/* From Philox in Python (tests/python/shared/philox.py), quantiles and tangents in double: value i comes from block i
 * of the stream, from its word 0; word 1 is the coin of spike and slab. */
static const struct {
    const char *prior;
    uint64_t seed;
    double z[DRAWS];
} known[] = {
    {"normal", 1, {1.561328, -1.513470, 0.167147, -1.916319, 0.446025, 1.824702}},
    {"normal", 0x10000000005, {-1.115347, 1.442302, -0.494872, 0.111382, 0.333726, -0.132306}},
    {"spikeslab:p=0.5,c2=0.05", 1, {1.561328, -0.338422, 0.167147, -1.916319, 0.446025, 1.824702}},
    {"spikeslab:p=0.5,c2=0.05", 0x10000000005, {-0.249399, 0.322508, -0.494872, 0.111382, 0.333726, -0.029585}},
    {"laplace:scale=2", 1, {4.266591, -4.077979, 0.284846, -5.789079, 0.844473, 5.375142}},
    {"laplace:scale=2", 0x10000000005, {-2.658302, 3.804703, -0.953845, 0.185737, 0.606035, -0.222440}},
    {"cauchy:scale=3", 1, {15.937776, -14.468117, 0.634776, -34.434092, 1.802431, 27.960209}},
    {"cauchy:scale=3", 0x10000000005, {-6.794465, 12.563927, -2.034044, 0.420652, 1.306133, -0.500587}},
};

static void draws_are_known(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "prior", known[k].prior);
        float *z = new_values(DRAWS / 2);
        assert_int_equal(vae_sample_prior(model, known[k].seed, DRAWS / 2, z, NULL), VAE_OK);
        for (size_t i = 0; i < DRAWS; i++)
            assert_near((double)z[i], known[k].z[i], 2e-5, "%s, value %zu", known[k].prior, i);
        assert_end(z, DRAWS / 2);
        free(z);
        vae_model_free(&model);
    }
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

/* Of this process; 0 where the system does not tell. */
static size_t threads_now(void)
{
    DIR *tasks = opendir("/proc/self/task");
    size_t threads = 0;
    for (struct dirent *entry; tasks && (entry = readdir(tasks));) threads += entry->d_name[0] != '.';
    if (tasks) closedir(tasks);
    return threads;
}

/* Calls take their threads along when they return. (The first may start one of a checker's own.) */
static void no_thread_is_left(void **state)
{
    const char *const settings[] = {"latent", "2", "hidden", "2", "epochs", "1", NULL};
    const vae_nll_options nll_options = {.samples = 2, .seed = 1, .threads = 3};
    vae_model *model = model_with(1, 2, settings);
    vae_data data = {0};
    vae_eval_options options;
    float values[2] = {0};
    size_t threads = 0;
    (void)state;
    assert_int_equal(images_new(&data.train, 40, 1, 2, true, NULL), VAE_OK);
    vae_eval_defaults(&options);
    options.threads = 3;
    for (int round = 0; round < 3; round++) {
        vae_evaluation *evaluation = NULL;
        vae_nll nll;
        double accuracy;
        assert_int_equal(vae_train(model, &data, 3, NULL, NULL, NULL), VAE_OK);
        assert_int_equal(vae_evaluate(&evaluation, model, &data.train, &options, NULL), VAE_OK);
        assert_int_equal(vae_estimate_nll(&nll, model, &data.train, &nll_options, NULL), VAE_OK);
        assert_int_equal(vae_probe(&accuracy, model, &data.train, &data.train, 1, 3, NULL), VAE_OK);
        assert_int_equal(vae_decode(model, 1, values, NULL, 3, values, NULL), VAE_OK);
        vae_evaluation_free(&evaluation);
        if (round == 0) threads = threads_now();
        assert_int_equal(threads_now(), threads);
    }
    images_free(&data.train);
    vae_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding),
        cmocka_unit_test(encoding_with_a_flow),
        cmocka_unit_test(encoding_binarised_pixels),
        cmocka_unit_test(images_that_are_not_there),
        cmocka_unit_test(decoding),
        cmocka_unit_test(drawing_data),
        cmocka_unit_test(large_images),
        cmocka_unit_test(draws_are_known),
        cmocka_unit_test(no_thread_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
