/* SPDX-License-Identifier: MIT
 *
 * What published recipes are made of: binarised pixels, learning-rate schedules, initial weights, an output bias from
 * the data, clipped gradients, a validation split and early stopping. */
#include "check.h"
#include "data/idx.h"
#include "train/schedule.h"
#include "train/step.h"

static vae_config configure(const char *const *settings)
{
    vae_config config;
    vae_error err = {0};
    vae_config_defaults(&config);
    for (; *settings; settings += 2)
        if (vae_config_set(&config, settings[0], settings[1], &err)) fail_msg("%s", err.message);
    if (vae_config_check(&config, &err)) fail_msg("%s", err.message);
    return config;
}

#define CONFIG(...) configure((const char *const[]){__VA_ARGS__, NULL})

static vae_data *open_data(const char *source, double validation, uint64_t seed)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, source, 0, validation, seed, &err)) fail_msg("%s", err.message);
    return data;
}

/* ---- Pixels ----------------------------------------------------------------------------------------------------- */

enum { PIXELS = 7 * 5, IMAGES = 4000 };

static const uint8_t greys[] = {0, 1, 64, 127, 128, 200, 254, 255};

static void make_images(vae_images *images)
{
    assert_int_equal(images_new(images, IMAGES, 7, 5, false, NULL), VAE_OK);
    for (size_t i = 0; i < (size_t)IMAGES * PIXELS; i++) images->pixels[i] = greys[i % PIXELS % 8];
}

static void gather(const vae_images *images, const vae_config *config, uint64_t seed, uint64_t step, real *x)
{
    vae_model *model = NULL;
    assert_int_equal(vae_model_new(&model, config, 7, 5, NULL), VAE_OK);
    const struct pixels pixels = model_pixels(model, images, seed, step);
    assert_true(images_gather(images, &pixels, NULL, 0, IMAGES, x));
    vae_model_free(&model);
}

static void pixels_are_drawn_with_their_grey(void **state)
{
    vae_images images;
    static real x[IMAGES * PIXELS];
    const vae_config config = CONFIG("binarize", "dynamic", "hidden", "2");
    (void)state;
    make_images(&images);
    gather(&images, &config, 1, 9, x);
    for (size_t p = 0; p < PIXELS; p++) {
        double ones = 0;
        for (size_t i = 0; i < IMAGES; i++) {
            assert_true(x[i * PIXELS + p] == 0 || x[i * PIXELS + p] == 1);
            ones += (double)x[i * PIXELS + p];
        }
        const double want = greys[p % 8] / 255.0, error = 4.5 * sqrt(want * (1 - want) / IMAGES);
        assert_within(ones / IMAGES, want - error, want + error, "share of ones of pixel %zu, grey %d", p,
                      greys[p % 8]);
    }
    images_free(&images);
}

static bool same(const real *a, const real *b) { return !memcmp(a, b, IMAGES * PIXELS * sizeof *a); }

/* dynamic: a fresh draw at each step; static: one for good, whatever the seeds, but another in each split. */
static void draws_last_as_long_as_they_should(void **state)
{
    vae_images images;
    static real a[IMAGES * PIXELS], b[IMAGES * PIXELS];
    const vae_config dynamic = CONFIG("binarize", "dynamic", "hidden", "2"),
                     lasting = CONFIG("binarize", "static", "hidden", "2"),
                     other = CONFIG("binarize", "static", "hidden", "2", "seed", "2");
    (void)state;
    make_images(&images);
    gather(&images, &dynamic, 1, 9, a);
    gather(&images, &dynamic, 1, 9, b);
    assert_true(same(a, b));
    gather(&images, &dynamic, 1, 10, b);
    assert_false(same(a, b));
    gather(&images, &dynamic, 1, 0, a);
    gather(&images, &dynamic, 2, 0, b);
    assert_false(same(a, b));

    gather(&images, &lasting, 1, 9, a);
    gather(&images, &lasting, 7, 0, b);
    assert_true(same(a, b));
    gather(&images, &other, 2, 9, b);
    assert_true(same(a, b));
    images.split = VAE_TEST;
    gather(&images, &lasting, 1, 9, b);
    assert_false(same(a, b));
    images_free(&images);
}

/* Whatever part a seed puts an image into, its static draw is that of the undivided file. */
static void static_draws_survive_a_split(void **state)
{
    enum { N = 200, D = 784 };
    static real whole[N * D], part[N * D];
    const vae_config config = CONFIG("binarize", "static", "hidden", "2");
    const char *const source = "builtin:digits:train=200,test=10";
    vae_data *all = open_data(source, 0, 1);
    vae_model *model = NULL;
    (void)state;
    assert_int_equal(vae_model_new(&model, &config, 28, 28, NULL), VAE_OK);
    const struct pixels pixels = model_pixels(model, &all->train, 1, 9);
    assert_true(images_gather(&all->train, &pixels, NULL, 0, N, whole));
    for (uint64_t seed = 1; seed <= 2; seed++) {
        vae_data *divided = open_data(source, 0.2, seed);
        const vae_images *const parts[] = {&divided->train, &divided->validation};
        for (size_t k = 0; k < 2; k++) {
            const vae_images *images = parts[k];
            const struct pixels same_pixels = model_pixels(model, images, seed, 0);
            assert_int_equal(images->n, k ? 40 : 160);
            assert_true(images_gather(images, &same_pixels, NULL, 0, images->n, part));
            for (size_t i = 0; i < images->n; i++) {
                const size_t number = images->number[i];
                assert_memory_equal(images->pixels + i * D, all->train.pixels + number * D, D);
                assert_memory_equal(part + i * D, whole + number * D, D * sizeof *part);
            }
        }
        vae_data_free(&divided);
    }
    vae_model_free(&model);
    vae_data_free(&all);
}

static void threshold_is_at_one_half(void **state)
{
    vae_images images;
    static real x[IMAGES * PIXELS];
    const vae_config config = CONFIG("binarize", "threshold", "hidden", "2");
    (void)state;
    make_images(&images);
    gather(&images, &config, 1, 9, x);
    for (size_t p = 0; p < PIXELS; p++) assert_true(x[p] == (greys[p % 8] >= 128 ? 1 : 0));
    images_free(&images);
}

/* ---- Schedules -------------------------------------------------------------------------------------------------- */

static void schedules(void **state)
{
    /* The first epoch of each stage of Burda et al. and its learning rate. */
    static const double stages[][2] = {{0, 10},    {1, 7.2},   {4, 5.2},    {13, 3.7},   {40, 2.7},
                                       {121, 1.9}, {364, 1.4}, {1093, 1.0}, {3279, 1.0}, {5000, 1.0}};
    const vae_config iwae = CONFIG("schedule", "iwae"), constant = CONFIG("lr", "0.3"),
                     step = CONFIG("schedule", "step", "lr-steps", "2,5", "lr-factor", "0.5", "lr", "8"),
                     cosine = CONFIG("schedule", "cosine", "lr", "2", "epochs", "10");
    (void)state;
    for (size_t i = 0; i < sizeof stages / sizeof *stages; i++) {
        const uint64_t first = (uint64_t)stages[i][0] * 600;
        assert_near(schedule_lr(&iwae, SCHEDULE_IWAE, first, 600), stages[i][1] * 1e-4, 1e-15, "stage %zu", i);
        if (i > 0 && i < 8)
            assert_near(schedule_lr(&iwae, SCHEDULE_IWAE, first - 1, 600), stages[i - 1][1] * 1e-4, 1e-15, "before");
    }
    assert_near(schedule_lr(&constant, SCHEDULE_CONSTANT, 123, 10), 0.3, 1e-15, "constant");
    const double steps[] = {8, 8, 4, 4, 4, 2, 2};
    for (uint64_t epoch = 0; epoch < 7; epoch++)
        assert_near(schedule_lr(&step, SCHEDULE_STEP, epoch * 10 + 9, 10), steps[epoch], 1e-15, "step, epoch %d",
                    (int)epoch);
    assert_near(schedule_lr(&cosine, SCHEDULE_COSINE, 0, 7), 2, 1e-15, "cosine at the beginning");
    assert_near(schedule_lr(&cosine, SCHEDULE_COSINE, 35, 7), 1, 1e-12, "cosine in the middle");
    assert_near(schedule_lr(&cosine, SCHEDULE_COSINE, 70, 7), 0, 1e-12, "cosine at the end");
}

/* ---- Beginnings ------------------------------------------------------------------------------------------------- */

static void initial_weights(void **state)
{
    static const struct {
        const char *name;
        double variance, limit; /* of encoder.0.weight, 60 x 35 */
        bool biases;
    } known[] = {
        {"torch", 1.0 / (3 * 35), 0.16904, true}, {"glorot", 2.0 / 95, 0.25132, false}, {"he", 2.0 / 35, 2, false}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vae_model *model = NULL;
        float weight[60 * PIXELS], bias[60];
        struct moments m = {0};
        double largest = 0, biases = 0;
        const vae_config config = CONFIG("init", known[i].name, "hidden", "60");
        assert_int_equal(vae_model_new(&model, &config, 7, 5, NULL), VAE_OK);
        vae_model_read(model, 0, weight);
        vae_model_read(model, 1, bias);
        for (size_t k = 0; k < 60 * PIXELS; k++) {
            moments_add(&m, (double)weight[k]);
            largest = fmax(largest, fabs((double)weight[k]));
        }
        for (size_t k = 0; k < 60; k++) biases += fabs((double)bias[k]);
        assert_within(moments_variance(&m), 0.92 * known[i].variance, 1.08 * known[i].variance, "variance of %s",
                      known[i].name);
        assert_within(largest, 0.5 * known[i].limit, known[i].limit, "largest of %s", known[i].name);
        assert_int_equal(biases > 0, known[i].biases);
        vae_model_free(&model);
    }
}

/* The last bias is the logit of the mean image before the first step moves it, by the learning rate at most. */
static void check_output_bias(const char *binarize, double (*value)(uint8_t grey))
{
    vae_data *data = open_data("builtin:digits:train=200,test=10", 0, 1);
    const vae_config config = CONFIG("output-bias", "data", "hidden", "4", "latent", "2", "batch", "200", "epochs", "1",
                                     "lr", "1e-6", "binarize", binarize);
    vae_model *model = NULL;
    vae_tensor tensor;
    float bias[784];
    assert_int_equal(vae_model_new(&model, &config, 28, 28, NULL), VAE_OK);
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, NULL), VAE_OK);
    size_t last = 0;
    while (vae_model_tensor(model, last + 1, &tensor)) last++;
    vae_model_tensor(model, last, &tensor);
    assert_string_equal(tensor.name, "decoder.1.bias");
    vae_model_read(model, last, bias);
    for (size_t k = 0; k < 784; k++) {
        double sum = 0;
        for (size_t i = 0; i < 200; i++) sum += value(data->train.pixels[i * 784 + k]);
        const double mean = fmin(0.999, fmax(0.001, sum / 200));
        assert_near((double)bias[k], log(mean / (1 - mean)), 1e-5, "bias of pixel %zu", k);
    }
    vae_model_free(&model);
    vae_data_free(&data);
}

static double as_grey(uint8_t grey) { return grey / 255.0; }
static double as_half(uint8_t grey) { return grey > 127; }

static void output_bias_is_the_mean_image(void **state)
{
    (void)state;
    check_output_bias("none", as_grey);
    check_output_bias("dynamic", as_grey);
    check_output_bias("threshold", as_half);
}

/* Behind the means log-deviations, by the inverse of log sigma = log floor + (d + sqrt(d^2 + 4))/2; a pixel that hardly
 * changes starts at e times the floor. */
static void output_bias_has_the_deviations(void **state)
{
    vae_data *data = open_data("builtin:digits:train=200,test=10", 0, 1);
    const vae_config config = CONFIG("output-bias", "data", "hidden", "4", "latent", "2", "batch", "200", "epochs", "1",
                                     "lr", "1e-6", "likelihood", "gaussian:sigma=per-pixel");
    vae_model *model = NULL;
    float bias[2 * 784];
    (void)state;
    assert_int_equal(vae_model_new(&model, &config, 28, 28, NULL), VAE_OK);
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, NULL), VAE_OK);
    vae_model_read(model, model->block.tensors - 1, bias);
    for (size_t k = 0; k < 784; k++) {
        double sum = 0, square = 0;
        for (size_t i = 0; i < 200; i++) sum += as_grey(data->train.pixels[i * 784 + k]) / 200;
        for (size_t i = 0; i < 200; i++) square += pow(as_grey(data->train.pixels[i * 784 + k]) - sum, 2) / 200;
        const double d = (double)bias[784 + k] - log(0.01), sigma = 0.01 * exp((d + sqrt(d * d + 4)) / 2);
        assert_near((double)bias[k], sum, 1e-5, "mean of pixel %zu", k);
        assert_near(sigma, fmax(0.01 * exp(1), sqrt(square)), 1e-5, "deviation of pixel %zu", k);
    }
    vae_model_free(&model);
    vae_data_free(&data);
}

/* ---- Clipping --------------------------------------------------------------------------------------------------- */

/* Length of the gradient that the first step used: Adam's m is (1 - beta1) of it. */
static double used_gradient(const char *likelihood, const char *clip)
{
    vae_data *data = open_data("builtin:digits:train=64,test=10", 0, 1);
    const vae_config config = CONFIG("clip", clip, "hidden", "8", "latent", "2", "batch", "64", "epochs", "1",
                                     "likelihood", likelihood);
    vae_model *model = NULL;
    double sum = 0;
    assert_int_equal(vae_model_new(&model, &config, 28, 28, NULL), VAE_OK);
    assert_int_equal(vae_train(model, data, 2, NULL, NULL, NULL), VAE_OK);
    for (size_t i = 0; i < model->block.size; i++) sum += pow((double)model->adam.m[i] / 0.1, 2);
    vae_model_free(&model);
    vae_data_free(&data);
    return sqrt(sum);
}

static void gradients_are_clipped(void **state)
{
    static const char *const likelihood[] = {"bernoulli", "gaussian:sigma=learned"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const double whole = used_gradient(likelihood[i], "0");
        assert_within(whole, 1, 1e4, "length of the gradient");
        assert_near(used_gradient(likelihood[i], "1e9"), whole, 1e-6, "clipped far above");
        assert_near(used_gradient(likelihood[i], "0.5"), 0.5, 1e-5, "clipped at one half");
    }
}

/* ---- Validation ------------------------------------------------------------------------------------------------- */

static void validation_is_a_share_of_training(void **state)
{
    vae_data *whole = open_data("builtin:digits:train=200,test=10", 0, 1),
             *parts = open_data("builtin:digits:train=200,test=10", 0.25, 1);
    (void)state;
    assert_int_equal(parts->train.n, 150);
    assert_int_equal(parts->validation.n, 50);
    assert_int_equal(parts->test.n, 10);
    assert_memory_equal(parts->test.pixels, whole->test.pixels, 10 * 784);
    /* Each image, with its label, is in one of the two. */
    for (size_t i = 0; i < 200; i++) {
        size_t found = 0;
        for (size_t k = 0; k < 200; k++) {
            const vae_images *from = k < 150 ? &parts->train : &parts->validation;
            const size_t at = k < 150 ? k : k - 150;
            found += !memcmp(from->pixels + at * 784, whole->train.pixels + i * 784, 784) &&
                     from->labels[at] == whole->train.labels[i];
        }
        assert_int_equal(found, 1);
    }
    vae_data_free(&whole);
    vae_data_free(&parts);
}

static vae_model *trained(const vae_config *config, const vae_data *data)
{
    vae_model *model = NULL;
    assert_int_equal(vae_model_new(&model, config, 28, 28, NULL), VAE_OK);
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, NULL), VAE_OK);
    return model;
}

/* At this learning rate losses soon wander: training stops `patience` epochs after the best one. */
static void patience_ends_training(void **state)
{
    vae_data *data = open_data("builtin:digits:train=100,test=10", 0.3, 1);
    const vae_config config = CONFIG("hidden", "16", "latent", "2", "batch", "10", "epochs", "400", "lr", "0.02",
                                     "validation", "0.3", "patience", "3");
    vae_model *model = trained(&config, data);
    (void)state;
    const vae_metrics *m = vae_model_metrics(model);
    assert_within((double)m->epoch, 4, 399, "epochs");
    assert_int_equal(m->epoch, m->best_epoch + 3);
    assert_true(m->best_loss < m->validation_loss);
    /* It stays stopped. */
    const uint64_t step = m->step;
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, NULL), VAE_OK);
    assert_int_equal(vae_model_metrics(model)->step, step);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* A validation loss may be lowest while beta still rises; patience begins where it has risen. */
static void patience_waits_for_the_warm_up(void **state)
{
    vae_data *data = open_data("builtin:digits:train=100,test=10", 0.3, 1);
    const vae_config config = CONFIG("hidden", "16", "latent", "2", "batch", "10", "epochs", "400", "lr", "0.02",
                                     "validation", "0.3", "patience", "3", "beta-warmup", "80");
    vae_model *model = trained(&config, data);
    (void)state;
    const vae_metrics *m = vae_model_metrics(model);
    assert_within((double)m->best_epoch, 1, 79, "best epoch");
    assert_int_equal(m->epoch, 83);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* The validation loss is that of the bound that is trained. */
static void validation_is_by_the_bound(void **state)
{
    vae_data *data = open_data("builtin:digits:train=100,test=10", 0.3, 1);
    const vae_config config = CONFIG("hidden", "16", "latent", "2", "batch", "10", "epochs", "2", "validation", "0.3",
                                     "objective", "iwae", "samples", "7");
    const vae_nll_options options = {.samples = 7, .seed = 1, .threads = 1};
    vae_model *model = trained(&config, data);
    vae_nll nll;
    (void)state;
    assert_int_equal(vae_estimate_nll(&nll, model, &data->validation, &options, NULL), VAE_OK);
    assert_near(vae_model_metrics(model)->validation_loss, nll.nll, 1e-12, "validation loss");
    assert_true(vae_model_metrics(model)->test_neg_elbo > nll.nll);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* A model that goes on with another number of images would be somewhere else in its epochs. */
static void other_data_is_refused(void **state)
{
    vae_data *data = open_data("builtin:digits:train=100,test=10", 0, 1),
             *more = open_data("builtin:digits:train=300,test=10", 0, 1);
    const vae_config config = CONFIG("hidden", "4", "latent", "2", "batch", "10", "epochs", "2");
    vae_model *model = NULL;
    vae_error err = {0};
    (void)state;
    assert_int_equal(vae_model_new(&model, &config, 28, 28, NULL), VAE_OK);
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, NULL), VAE_OK);
    assert_int_equal(vae_model_set(model, "epochs", "4", &err), VAE_OK);
    assert_int_equal(vae_train(model, more, 1, NULL, NULL, &err), VAE_E_DATA);
    assert_non_null(strstr(err.message, "300 training images"));
    assert_int_equal(vae_model_set(model, "lr", "1", &err), VAE_E_USAGE);
    vae_model_free(&model);
    vae_data_free(&data);
    vae_data_free(&more);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pixels_are_drawn_with_their_grey),
        cmocka_unit_test(draws_last_as_long_as_they_should),
        cmocka_unit_test(static_draws_survive_a_split),
        cmocka_unit_test(threshold_is_at_one_half),
        cmocka_unit_test(schedules),
        cmocka_unit_test(initial_weights),
        cmocka_unit_test(output_bias_is_the_mean_image),
        cmocka_unit_test(output_bias_has_the_deviations),
        cmocka_unit_test(gradients_are_clipped),
        cmocka_unit_test(validation_is_a_share_of_training),
        cmocka_unit_test(patience_ends_training),
        cmocka_unit_test(patience_waits_for_the_warm_up),
        cmocka_unit_test(validation_is_by_the_bound),
        cmocka_unit_test(other_data_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
