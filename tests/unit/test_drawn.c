/* SPDX-License-Identifier: MIT
 *
 * The small built-in sets are draws from the distributions that their files state: moments, labels, patterns; and each
 * image depends on seed and number alone.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

#include "data/source.h"

static vae_data *open_set(const char *source)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, source, 0, 0, 1, &err)) fail_msg("%s", err.message);
    return data;
}

/* ---- What they are in common ------------------------------------------------------------------------------------- */

static const char *const names[] = {"gaussians", "templates", "patches"};

enum { SETS = sizeof names / sizeof *names };

static vae_data *open_cut(size_t set, size_t train, size_t test, int seed)
{
    char source[96];
    snprintf(source, sizeof source, "builtin:%s:train=%zu,test=%zu,seed=%d", names[set], train, test, seed);
    return open_set(source);
}

static void images_stand_by_themselves(void **state)
{
    enum { N = 40 };
    (void)state;
    for (size_t set = 0; set < SETS; set++) {
        vae_data *whole = open_cut(set, N, 1, 7), *cut = open_cut(set, 15, N - 15, 7), *other = open_cut(set, N, 1, 8);
        const size_t D = whole->train.rows * whole->train.cols, size = D * sizeof(float);
        assert_true(whole->train.n == N && cut->train.n == 15 && cut->test.n == N - 15);
        assert_memory_equal(cut->train.values, whole->train.values, 15 * size);
        assert_memory_equal(cut->test.values, whole->train.values + 15 * D, (N - 15) * size);
        assert_memory_equal(cut->test.labels, whole->train.labels + 15, N - 15);
        assert_memory_not_equal(other->train.values, whole->train.values, size);
        for (size_t i = 1; i < N; i++)
            assert_memory_not_equal(whole->train.values + i * D, whole->train.values + (i - 1) * D, size);
        vae_data_free(&whole);
        vae_data_free(&cut);
        vae_data_free(&other);
    }
}

/* Both splits have the range of all images, which decides what likelihoods take them. */
static void ranges(void **state)
{
    (void)state;
    for (size_t set = 0; set < SETS; set++) {
        vae_data *data = open_cut(set, 30, 200, 1);
        const vae_images *splits[] = {&data->train, &data->test};
        float lowest = INFINITY, highest = -INFINITY;
        for (size_t s = 0; s < 2; s++)
            for (size_t k = 0; k < splits[s]->n * splits[s]->rows * splits[s]->cols; k++) {
                lowest = fminf(lowest, splits[s]->values[k]);
                highest = fmaxf(highest, splits[s]->values[k]);
            }
        for (size_t s = 0; s < 2; s++) assert_true(splits[s]->lowest == lowest && splits[s]->highest == highest);
        vae_data_free(&data);
    }
}

/* ---- Gaussians --------------------------------------------------------------------------------------------------- */

/* Of each component: its mean, and the deviation along the line of the means and across it. */
static void gaussians(void **state)
{
    enum { N = 40000 };
    vae_data *data = open_set("builtin:gaussians:train=40000,test=1,distance=4,deviation=0.5,angle=60");
    const double u[2] = {0.5, sqrt(3) / 2};
    struct moments along[2] = {{0}}, across[2] = {{0}};
    (void)state;
    assert_true(data->train.rows == 1 && data->train.cols == 2);
    for (size_t i = 0; i < N; i++) {
        const double x = (double)data->train.values[2 * i], y = (double)data->train.values[2 * i + 1];
        assert_true(data->train.labels[i] < 2);
        moments_add(&along[data->train.labels[i]], x * u[0] + y * u[1]);
        moments_add(&across[data->train.labels[i]], y * u[0] - x * u[1]);
    }
    assert_within(along[1].n, 0.49 * N, 0.51 * N, "points of the second component");
    for (int c = 0; c < 2; c++) {
        assert_near(along[c].mean, c ? 2 : -2, 0.008, "mean along the line"); /* four standard errors are 0.014 */
        assert_within(across[c].mean, -0.014, 0.014, "mean across it");
        assert_near(sqrt(moments_variance(&along[c])), 0.5, 0.01, "deviation along the line");
        assert_near(sqrt(moments_variance(&across[c])), 0.5, 0.01, "deviation across it");
    }
    vae_data_free(&data);
}

/* ---- Templates --------------------------------------------------------------------------------------------------- */

/* Without noise an image has three values: of the cross, the frame and what is neither. Moments of the weights: mean,
 * variance and kurtosis less 3. */
static void templates(void **state)
{
    enum { N = 20000, D = 100, CROSS = 44, FRAME = 9 };
    static const struct {
        const char *weights;
        double mean, variance, excess;
    } known[] = {{"uniform", 0.5, 1.0 / 12, -1.2}, {"normal", 0, 1, 0}, {"laplace", 0, 2, 3}};
    (void)state;
    for (size_t kind = 0; kind < 3; kind++) {
        char source[96];
        snprintf(source, sizeof source, "builtin:templates:train=%d,test=1,noise=0,weights=%s", N, known[kind].weights);
        vae_data *data = open_set(source);
        struct moments weight = {0}, fourth = {0}, product = {0};
        for (size_t i = 0; i < N; i++) {
            const float *x = data->train.values + i * D, a = x[CROSS], b = x[FRAME];
            size_t cross = 0, frame = 0;
            for (size_t k = 0; k < D; k++) {
                assert_true(x[k] == a || x[k] == b || x[k] == 0);
                cross += x[k] == a;
                frame += x[k] == b;
            }
            assert_true(cross == 20 && frame == 36);
            assert_int_equal(data->train.labels[i], b > a);
            for (int which = 0; which < 2; which++) {
                const double w = (double)(which ? a : b) - known[kind].mean;
                moments_add(&weight, w);
                moments_add(&fourth, pow(w, 4));
            }
            moments_add(&product, ((double)a - known[kind].mean) * ((double)b - known[kind].mean));
        }
        const double variance = moments_variance(&weight);
        assert_within(weight.mean, -4 * moments_error(&weight), 4 * moments_error(&weight), "mean of weights");
        assert_near(variance, known[kind].variance, 0.05, "their variance");
        assert_within(fourth.mean / (variance * variance) - 3 - known[kind].excess, -0.5, 0.5, "their kurtosis");
        assert_within(product.mean, -4 * moments_error(&product), 4 * moments_error(&product), "their covariance");
        vae_data_free(&data);
    }
}

static void noise_of_templates(void **state)
{
    vae_data *data = open_set("builtin:templates:train=500,test=1,noise=0.3");
    struct moments empty = {0};
    (void)state;
    for (size_t i = 0; i < 500; i++) moments_add(&empty, (double)data->train.values[100 * i + 22]);
    assert_within(empty.mean, -0.06, 0.06, "mean of a pixel outside of both");
    assert_near(sqrt(moments_variance(&empty)), 0.3, 0.04, "its deviation");
    vae_data_free(&data);
}

/* ---- Patches ----------------------------------------------------------------------------------------------------- */

/* Each pixel is in four of the patterns, so that its variance is 4 share/16 + noise^2. Opposite corners are in one
 * diagonal bar with one sign and in three edges with different ones, the middle and the middle of a side in one bar. */
static void patches(void **state)
{
    enum { N = 40000, D = 25, PATTERNS = 8 };
    static const struct {
        size_t a, b;
        double common; /* patterns with one sign less those with two */
    } known[] = {{0, 24, -2}, {4, 20, -2}, {2, 12, 1}, {10, 12, 1}, {0, 12, 1}, {0, 4, 0}};
    const double share = 0.3, noise = 0.1;
    vae_data *data = open_set("builtin:patches:train=40000,test=1,share=0.3,noise=0.1");
    const float *x = data->train.values;
    double count[PATTERNS + 1] = {0}, expected[PATTERNS + 1], ways = 1;
    (void)state;
    for (size_t k = 0; k < D; k++) {
        struct moments pixel = {0};
        for (size_t i = 0; i < N; i++) moments_add(&pixel, (double)x[i * D + k]);
        assert_within(pixel.mean, 0.5 - 4 * moments_error(&pixel), 0.5 + 4 * moments_error(&pixel), "mean of %zu", k);
        assert_near(moments_variance(&pixel), share / 4 + noise * noise, 0.004, "variance of %zu", k);
    }
    for (size_t pair = 0; pair < sizeof known / sizeof *known; pair++) {
        struct moments product = {0};
        for (size_t i = 0; i < N; i++)
            moments_add(&product, ((double)x[i * D + known[pair].a] - 0.5) * ((double)x[i * D + known[pair].b] - 0.5));
        const double error = 4 * moments_error(&product);
        assert_within(product.mean - known[pair].common * share / 16, -error, error, "covariance of pair %zu", pair);
    }
    for (size_t i = 0; i < N; i++) count[data->train.labels[i]]++;
    for (size_t k = 0; k <= PATTERNS; k++) {
        expected[k] = N * ways * pow(share, (double)k) * pow(1 - share, (double)(PATTERNS - k));
        ways *= (double)(PATTERNS - k) / (double)(k + 1);
    }
    count[7] += count[8];
    expected[7] += expected[8]; /* fewer than five */
    assert_chi_square(PATTERNS, count, expected, "numbers of patterns");
    vae_data_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_stand_by_themselves),
        cmocka_unit_test(ranges),
        cmocka_unit_test(gaussians),
        cmocka_unit_test(templates),
        cmocka_unit_test(noise_of_templates),
        cmocka_unit_test(patches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
