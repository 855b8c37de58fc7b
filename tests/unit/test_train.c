/* SPDX-License-Identifier: MIT
 *
 * Training as a whole: the same bits for any number of threads and any interruption, odd sizes, divergence, and that it
 * learns. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/idx.h"
#include "data/source.h"
#include "model/model.h"
#include "models.h"

static vae_data *open_digits(const char *source)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, source, 0, 0, 1, &err)) fail_msg("%s", err.message);
    return data;
}

static vae_model *new_model(const vae_data *data, const char *const *settings)
{
    return model_with(data->train.rows, data->train.cols, settings);
}

static vae_model *trained(const vae_data *data, size_t threads, const char *const *settings)
{
    vae_model *model = new_model(data, settings);
    vae_error err = {0};
    if (vae_train(model, data, threads, NULL, NULL, &err)) fail_msg("%s", err.message);
    return model;
}

static void assert_same_bits(const vae_model *a, const vae_model *b)
{
    assert_int_equal(a->block.size, b->block.size);
    assert_memory_equal(a->params, b->params, a->block.size * sizeof *a->params);
    assert_memory_equal(a->adam.m, b->adam.m, a->block.size * sizeof *a->adam.m);
    assert_memory_equal(a->adam.v, b->adam.v, a->block.size * sizeof *a->adam.v);
    assert_memory_equal(&a->training.metrics.train_loss, &b->training.metrics.train_loss, sizeof(double));
    assert_memory_equal(&a->training.metrics.test_neg_elbo, &b->training.metrics.test_neg_elbo, sizeof(double));
    assert_memory_equal(a->training.kl_per_dim, b->training.kl_per_dim, a->L * sizeof *a->training.kl_per_dim);
}

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    static const char *const settings[][17] = {
        {"prior", "spikeslab", "hidden", "128", "epochs", "2", NULL},
        {"prior", "normal", "batch", "20", "hidden", "96,64", "samples", "2", "epochs", "1", "free-bits", "0.1", NULL},
        {"likelihood", "gaussian:sigma=learned", "objective", "iwae", "samples", "3", "hidden", "64", "epochs", "1",
         NULL},
        {"likelihood", "gaussian:sigma=per-pixel", "output-bias", "data", "hidden", "64", "epochs", "1", NULL},
        {"posterior", "iaf:width=70,context=20", "prior", "realnvp:blocks=2,width=20", "batch", "50", "hidden", "64",
         "samples", "3", "epochs", "1", "clip", "1", "objective", "iwae", NULL},
        {"conditional", "10", "hidden", "96", "samples", "2", "epochs", "1", "binarize", "dynamic", NULL},
    };
    vae_data *data = open_digits("builtin:digits:train=300,test=50");
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        vae_model *one = trained(data, 1, settings[i]);
        for (size_t threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
            vae_model *many = trained(data, threads, settings[i]);
            assert_same_bits(one, many);
            vae_model_free(&many);
        }
        vae_model_free(&one);
    }
    vae_data_free(&data);
}

static bool stop_when_told(void *context, const vae_progress *progress)
{
    size_t *steps_left = context;
    (void)progress;
    return --*steps_left == 0;
}

/* Stop after some steps, through the model file, go on: as if nothing had happened. */
static void check_interruptions(const char *const *settings)
{
    vae_data *data = open_digits("builtin:digits:train=300,test=50");
    vae_model *straight = trained(data, 2, settings);
    for (size_t at = 1; at <= 10; at += 3) {
        vae_model *model = new_model(data, settings);
        vae_error err = {0};
        size_t steps_left = at;
        bool stopped = false;
        const vae_train_hooks hooks = {.context = &steps_left, .on_step = stop_when_told};
        char path[] = "/tmp/vae-test-XXXXXX";
        close(mkstemp(path));
        assert_int_equal(vae_train(model, data, 2, &hooks, &stopped, &err), VAE_OK);
        assert_true(stopped);
        assert_int_equal(vae_model_metrics(model)->step, at);
        assert_int_equal(vae_model_set(model, "epochs", "1", &err), at <= 5 ? VAE_OK : VAE_E_USAGE);
        assert_int_equal(vae_model_set(model, "epochs", "2", &err), VAE_OK);
        assert_int_equal(vae_model_save(model, path, &err), VAE_OK);
        vae_model_free(&model);
        assert_int_equal(vae_model_load(&model, path, &err), VAE_OK);
        assert_int_equal(vae_train(model, data, 1, NULL, &stopped, &err), VAE_OK);
        assert_same_bits(straight, model);
        vae_model_free(&model);
        unlink(path);
    }
    vae_model_free(&straight);
    vae_data_free(&data);
}

static void an_interrupted_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    check_interruptions((const char *const[]){"prior", "laplace", "batch", "64", "hidden", "64", "epochs", "2",
                                              "beta-warmup", "1", NULL});
    check_interruptions((const char *const[]){"likelihood", "gaussian:sigma=learned", "batch", "64", "hidden", "32",
                                              "epochs", "2", "clip", "100", NULL});
    check_interruptions((const char *const[]){"posterior", "iaf:width=30,context=5", "batch", "64", "hidden", "20",
                                              "epochs", "2", "free-bits", "0.5", NULL});
    check_interruptions((const char *const[]){"conditional", "10", "batch", "64", "hidden", "32", "epochs", "2", NULL});
}

/* Says yes when it is asked for the `left`-th time, and from then on. */
struct asked {
    size_t times, left;
};

static bool stop_when_asked(void *context)
{
    struct asked *asked = context;
    return ++asked->times >= asked->left;
}

static size_t times_asked(const vae_data *data, const char *const *settings)
{
    struct asked asked = {.left = SIZE_MAX};
    const vae_train_hooks hooks = {.context = &asked, .asks_to_stop = stop_when_asked};
    vae_model *model = new_model(data, settings);
    assert_int_equal(vae_train(model, data, 1, &hooks, NULL, NULL), VAE_OK);
    vae_model_free(&model);
    return asked.times;
}

/* Stopped within steps and test passes, at places all over the training. */
static void check_stops_anywhere(const char *const *settings)
{
    enum { PLACES = 25 };
    char path[] = "/tmp/vae-test-XXXXXX";
    vae_data *data = open_digits("builtin:digits:train=300,test=50");
    vae_model *straight = trained(data, 2, settings);
    const size_t times = times_asked(data, settings);
    assert_in_range(times, PLACES, SIZE_MAX);
    close(mkstemp(path));
    for (size_t place = 0; place < PLACES; place++) {
        struct asked asked = {.left = 1 + place * (times - 1) / (PLACES - 1)};
        const vae_train_hooks hooks = {.context = &asked, .asks_to_stop = stop_when_asked};
        vae_model *model = new_model(data, settings);
        bool stopped = false;
        assert_int_equal(vae_train(model, data, 1, &hooks, &stopped, NULL), VAE_OK);
        assert_true(stopped);
        assert_int_equal(asked.times, asked.left); /* it was not asked again */
        assert_int_equal(vae_model_save(model, path, NULL), VAE_OK);
        vae_model_free(&model);
        assert_int_equal(vae_model_load(&model, path, NULL), VAE_OK);
        assert_int_equal(vae_train(model, data, 2, NULL, &stopped, NULL), VAE_OK);
        assert_false(stopped);
        assert_same_bits(straight, model);
        vae_model_free(&model);
    }
    unlink(path);
    vae_model_free(&straight);
    vae_data_free(&data);
}

static void a_step_or_test_pass_that_is_given_up_leaves_no_trace(void **state)
{
    (void)state;
    check_stops_anywhere((const char *const[]){"batch", "64", "hidden", "64", "epochs", "2", NULL});
    check_stops_anywhere((const char *const[]){"objective", "iwae", "samples", "3", "batch", "64", "hidden", "32",
                                               "epochs", "2", "clip", "100", NULL});
    check_stops_anywhere(
        (const char *const[]){"prior", "lars:draws=64", "batch", "64", "hidden", "16", "epochs", "2", NULL});
}

/* A gradient that is computed before anything changes, as long updates have it, moves the same bits. */
static void an_update_in_two_parts_is_the_same(void **state)
{
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=300,test=50");
    vae_model *one = trained(data, 2, (const char *const[]){"hidden", "64", "epochs", "2", "clip", "0", NULL});
    vae_model *two = trained(data, 2, (const char *const[]){"hidden", "64", "epochs", "2", "clip", "1e30", NULL});
    const size_t bytes = one->block.size * sizeof(real);
    assert_memory_equal(one->params, two->params, bytes);
    assert_memory_equal(one->adam.m, two->adam.m, bytes);
    assert_memory_equal(one->adam.v, two->adam.v, bytes);
    vae_model_free(&one);
    vae_model_free(&two);
    vae_data_free(&data);
}

/* A set of n images of rows x cols, training images only: the test pass then uses those. */
static vae_data *odd_data(size_t n, size_t rows, size_t cols)
{
    vae_data *data = calloc(1, sizeof *data);
    assert_int_equal(images_new(&data->train, n, rows, cols, false, NULL), VAE_OK);
    for (size_t i = 0; i < n * rows * cols; i++) data->train.pixels[i] = (uint8_t)(i * 37 % 251);
    return data;
}

static void odd_sizes_work(void **state)
{
    (void)state;
    static const struct {
        size_t n, rows, cols, steps; /* steps of an epoch */
        const char *settings[9];
    } cases[] = {
        {1, 1, 1, 1, {"epochs", "2", NULL}},                                 /* one image of one pixel */
        {1, 28, 28, 1, {"epochs", "2", "latent", "1", "hidden", "1", NULL}}, /* everything one wide */
        {7, 5, 17, 1, {"epochs", "2", "batch", "1000", NULL}}, /* a batch larger than the set, not square */
        {130, 9, 4, 3, {"epochs", "2", "batch", "64", "latent", "1", NULL}},           /* a last batch of two */
        {50, 5, 5, 1, {"epochs", "2", "latent", "40", "hidden", "3,2,1", NULL}},       /* latent wider than the data */
        {33, 3, 3, 33, {"epochs", "2", "batch", "1", "likelihood", "gaussian", NULL}}, /* a batch of one */
        {33, 3, 3, 1, {"epochs", "2", "prior", "spikeslab:p=0", NULL}},
        {33, 3, 3, 1, {"epochs", "2", "prior", "spikeslab:p=1", NULL}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vae_data *data = odd_data(cases[i].n, cases[i].rows, cases[i].cols);
        vae_model *model = trained(data, 2, cases[i].settings);
        assert_int_equal(model->training.metrics.epoch, 2);
        assert_int_equal(model->training.metrics.step, 2 * cases[i].steps);
        /* No test split: the losses are those of the training images. */
        vae_evaluation *e = NULL;
        vae_eval_options options;
        vae_eval_defaults(&options);
        assert_int_equal(vae_evaluate(&e, model, &data->train, &options, NULL), VAE_OK);
        assert_true(model->training.metrics.test_recon == e->recon && model->training.metrics.test_kl == e->kl);
        vae_evaluation_free(&e);
        vae_model_free(&model);
        vae_data_free(&data);
    }
}

/* With p = 0 the spike-and-slab prior is the normal prior: the same noise must lead to the same run, up to rounding. */
static void spike_weight_zero_is_the_normal_prior(void **state)
{
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=512,test=100");
    vae_model *slab = trained(data, 1,
                              (const char *const[]){"prior", "spikeslab:p=0", "hidden", "64", "epochs", "2", NULL});
    vae_model *normal = trained(
        data, 1, (const char *const[]){"prior", "normal", "kl", "mc", "hidden", "64", "epochs", "2", NULL});
    const double difference = slab->training.metrics.test_neg_elbo - normal->training.metrics.test_neg_elbo;
    assert_true(difference < 0.01 && difference > -0.01);
    vae_model_free(&slab);
    vae_model_free(&normal);
    vae_data_free(&data);
}

static void training_learns(void **state)
{
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=2000,test=200");
    vae_model *model = trained(data, 0, (const char *const[]){"epochs", "1", "batch", "50", "hidden", "64", NULL});
    const double first = model->training.metrics.test_neg_elbo;
    model->config.epochs = 4;
    vae_error err = {0};
    assert_int_equal(vae_train(model, data, 0, NULL, NULL, &err), VAE_OK);
    assert_true(first < 300); /* an untrained model has 784 log 2 = 543 */
    assert_true(model->training.metrics.test_neg_elbo < first - 15);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* The number that the likelihood learns. */
static double learned_number(const vae_model *model) { return (double)model->params[model->learned->offset]; }

/* Points beside a line in the plane, as images of two pixels: across it there is nothing but noise. */
static void learned_sigma_is_that_of_the_noise(void **state)
{
    enum { POINTS = 2000 };
    const double noise = 0.05, along[] = {0.3, -0.2};
    const struct rng rng = {.seed = 3, .stream = RNG_DIGITS};
    (void)state;
    vae_data *data = odd_data(POINTS, 1, 2);
    for (size_t i = 0; i < POINTS; i++) {
        uint32_t word[3];
        rng_words(&rng, 3 * i, 3, word);
        for (size_t k = 0; k < 2; k++) {
            const double x = 0.5 + along[k] * (2 * rng_uniform(word[2]) - 1) + noise * (double)rng_normal(word[k]);
            data->train.pixels[2 * i + k] = (uint8_t)lround(255 * fmin(1, fmax(0, x)));
        }
    }
    vae_model *model = trained(data, 1,
                               (const char *const[]){"likelihood", "gaussian:sigma=learned", "latent", "1", "hidden",
                                                     "16", "activation", "softplus", "batch", "50", "epochs", "40",
                                                     "lr", "0.01", "schedule", "cosine", NULL});
    assert_within(exp(learned_number(model)), 0.9 * noise, 1.1 * noise, "sigma");
    vae_model_free(&model);
    vae_data_free(&data);
}

/* Pixels that are always the same would send sigma to zero and the loss to minus infinity. */
static void constant_pixels_stop_at_the_floor(void **state)
{
    static const char *const likelihood[] = {"gaussian:sigma=learned,floor=0.05",
                                             "gaussian:sigma=per-pixel,floor=0.05"};
    const double lowest = log(0.05) + 0.91893853320467274178; /* the loss of a pixel that its mean meets */
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        vae_data *data = odd_data(50, 3, 3);
        memset(data->train.pixels, 100, 50 * 9);
        vae_model *model = trained(data, 1,
                                   (const char *const[]){"likelihood", likelihood[i], "hidden", "8", "latent", "1",
                                                         "batch", "10", "epochs", "80", "lr", "0.02", NULL});
        assert_within(model->training.metrics.test_recon, 9 * lowest, 9 * (lowest + 0.2), "%s", likelihood[i]);
        if (model->learned) assert_true(learned_number(model) == (double)R(log(0.05)));
        vae_model_free(&model);
        vae_data_free(&data);
    }
}

/* At the step where the loss means nothing any more: the one behind the first update. */
static void divergence_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *lr, *likelihood, *message;
    } cases[] = {
        {"1e6", "bernoulli", "training diverged: the training loss of "},
        {"100", "bernoulli", "training diverged: the training loss of "},
        {"1e6", "gaussian", "training diverged: the training loss is not finite"},
    };
    vae_data *data = open_digits("builtin:digits:train=500,test=100");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vae_model *model = new_model(
            data, (const char *const[]){"lr", cases[i].lr, "likelihood", cases[i].likelihood, "epochs", "3", NULL});
        vae_error err = {0};
        assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_E_DIVERGED);
        if (strncmp(err.message, cases[i].message, strlen(cases[i].message)) ||
            !strstr(err.message, " at step 2 (epoch 1); try a smaller lr"))
            fail_msg("lr %s: '%s'", cases[i].lr, err.message);
        vae_model_free(&model);
    }
    vae_data_free(&data);
}

/* Weights of nonsense that are finite, and so is all that is computed with them. */
static void finite_nonsense_is_divergence(void **state)
{
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=128,test=100");
    vae_model *model = new_model(data, (const char *const[]){"lr", "1e-12", "epochs", "1", NULL});
    vae_error err = {0};
    for (size_t i = 0; i < model->block.tensors; i++) {
        const struct tensor *t = &model->block.tensor[i];
        for (size_t k = 0; k < t->count && !strncmp(t->name, "decoder.", 8); k++) model->params[tensor_at(t, k)] *= 100;
    }
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_E_DIVERGED);
    if (!strstr(err.message, "is more than 100 times that of the untrained model at step 1 (epoch 1)"))
        fail_msg("%s", err.message);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* Moments overflow before weights and losses do. */
static void values_that_no_file_takes_are_divergence(void **state)
{
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=128,test=100");
    vae_model *model = new_model(data, (const char *const[]){"epochs", "1", NULL});
    vae_error err = {0};
    model->adam.v[0] = (real)INFINITY;
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_E_DIVERGED);
    assert_string_equal(err.message,
                        "training diverged: the weights are not finite at step 1 (epoch 1); try a smaller lr");
    vae_model_free(&model);
    vae_data_free(&data);
}

/* Losses are large from the beginning where the likelihood is narrow, and larger for an outlier. */
static void a_narrow_likelihood_is_no_divergence(void **state)
{
    (void)state;
    vae_data *data = calloc(1, sizeof *data);
    vae_error err = {0};
    data->train = (vae_images){.n = 100, .rows = 1, .cols = 3, .values = calloc(300, sizeof(float)), .highest = 3};
    for (size_t i = 0; i < 300; i++) data->train.values[i] = (float)(i * 7 % 13) / 13;
    data->train.values[150] = 3;
    vae_model *model = model_with(
        1, 3, (const char *const[]){"likelihood", "gaussian:sigma=0.001", "batch", "1", "epochs", "1", NULL});
    if (vae_train(model, data, 1, NULL, NULL, &err)) fail_msg("%s", err.message);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* Other images than it was trained on so far, as many and of the same size, are not taken. */
static void a_training_goes_on_with_its_own_images(void **state)
{
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=50,test=20");
    vae_model *model = new_model(data, (const char *const[]){"epochs", "1", "batch", "50", NULL});
    vae_error err = {0};
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_OK);
    assert_int_equal(vae_model_set(model, "epochs", "2", &err), VAE_OK);
    data->train.pixels[50 * 784 - 1] ^= 1;
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_E_DATA);
    assert_non_null(strstr(err.message, "not the images that the model was trained on so far"));
    assert_int_equal(vae_model_check_training(model, &data->train, &err), VAE_E_DATA);
    data->train.labels[0] ^= 1; /* which the model does not see */
    data->train.pixels[50 * 784 - 1] ^= 1;
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_OK);
    vae_model_free(&model);
    vae_data_free(&data);
}

static void shapes_must_agree(void **state)
{
    (void)state;
    vae_data *digits = open_digits("builtin:digits:train=20,test=10"), *other = odd_data(5, 4, 4);
    vae_model *model = new_model(digits, (const char *const[]){"epochs", "1", NULL});
    vae_evaluation *evaluation = NULL;
    vae_eval_options options;
    vae_error err = {0};
    float mean[16];
    vae_eval_defaults(&options);
    assert_int_equal(vae_train(model, other, 1, NULL, NULL, &err), VAE_E_DATA);
    assert_int_equal(vae_evaluate(&evaluation, model, &other->train, &options, &err), VAE_E_DATA);
    assert_int_equal(vae_encode(model, &other->train, 0, 1, 1, 1, mean, NULL, &err), VAE_E_DATA);
    assert_int_equal(vae_encode(model, &digits->train, 19, 2, 1, 1, mean, NULL, &err), VAE_E_USAGE);
    vae_model_free(&model);
    vae_data_free(&digits);
    vae_data_free(&other);
}

/* ---- Images that stay in their file ----------------------------------------------------------------------------- */

/* Writes images as an IDX file. */
static void put_images(const char *path, const vae_images *images)
{
    FILE *file = fopen(path, "wb");
    const size_t dims[] = {images->n, images->rows, images->cols};
    assert_non_null(file);
    fwrite("\0\0\10\3", 1, 4, file);
    for (size_t i = 0; i < 3; i++)
        for (int shift = 24; shift >= 0; shift -= 8) fputc((int)(dims[i] >> shift & 255), file);
    fwrite(images->pixels, images->rows * images->cols, images->n, file);
    assert_int_equal(fclose(file), 0);
}

/* Two sets with the same training images: in memory, and in a file that is read as needed. */
static void open_both(vae_data **memory, vae_data *streamed, char *path)
{
    vae_error err = {0};
    *memory = open_digits("builtin:digits:train=300,test=40");
    close(mkstemp(path));
    put_images(path, &(*memory)->train);
    *streamed = (vae_data){0};
    if (idx_read_images(path, 1000, &streamed->train, &err)) fail_msg("%s", err.message);
    assert_null(streamed->train.pixels);
    assert_non_null(streamed->train.stream);
}

static void streamed_images_train_to_the_same_bits(void **state)
{
    (void)state;
    char path[] = "/tmp/vae-test-XXXXXX";
    const char *const settings[] = {"epochs", "2", "batch", "64", "hidden", "32", NULL};
    vae_data *memory, streamed;
    uint8_t pixels[3 * 784];
    open_both(&memory, &streamed, path);
    assert_int_equal(vae_images_read(&streamed.train, 7, 3, pixels, NULL), VAE_OK);
    assert_memory_equal(pixels, memory->train.pixels + 7 * 784, sizeof pixels);
    assert_int_equal(vae_images_read(&streamed.train, 298, 3, pixels, NULL), VAE_E_USAGE);
    memory->test.n = 0; /* both are then tested on the training images */
    vae_model *a = trained(memory, 2, settings), *b = trained(&streamed, 2, settings);
    assert_same_bits(a, b);
    vae_model_free(&a);
    vae_model_free(&b);
    images_free(&streamed.train);
    vae_data_free(&memory);
    unlink(path);
}

static void a_file_cut_while_training_is_an_error(void **state)
{
    (void)state;
    char path[] = "/tmp/vae-test-XXXXXX";
    vae_data *memory, streamed;
    vae_evaluation *evaluation = NULL;
    vae_eval_options options;
    vae_error err = {0};
    float mean[10 * 10];
    open_both(&memory, &streamed, path);
    vae_model *model = new_model(memory, (const char *const[]){"epochs", "1", NULL});
    assert_int_equal(truncate(path, 100 * 784), 0);
    vae_eval_defaults(&options);
    assert_int_equal(vae_train(model, &streamed, 2, NULL, NULL, &err), VAE_E_DATA);
    assert_non_null(strstr(err.message, path));
    assert_int_equal(vae_evaluate(&evaluation, model, &streamed.train, &options, &err), VAE_E_DATA);
    assert_null(evaluation);
    assert_int_equal(vae_encode(model, &streamed.train, 290, 10, 1, 1, mean, NULL, &err), VAE_E_DATA);
    vae_model_free(&model);
    images_free(&streamed.train);
    vae_data_free(&memory);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(an_interrupted_run_ends_with_the_same_bits),
        cmocka_unit_test(a_step_or_test_pass_that_is_given_up_leaves_no_trace),
        cmocka_unit_test(an_update_in_two_parts_is_the_same),
        cmocka_unit_test(odd_sizes_work),
        cmocka_unit_test(spike_weight_zero_is_the_normal_prior),
        cmocka_unit_test(training_learns),
        cmocka_unit_test(learned_sigma_is_that_of_the_noise),
        cmocka_unit_test(constant_pixels_stop_at_the_floor),
        cmocka_unit_test(divergence_is_named),
        cmocka_unit_test(finite_nonsense_is_divergence),
        cmocka_unit_test(values_that_no_file_takes_are_divergence),
        cmocka_unit_test(a_narrow_likelihood_is_no_divergence),
        cmocka_unit_test(a_training_goes_on_with_its_own_images),
        cmocka_unit_test(shapes_must_agree),
        cmocka_unit_test(streamed_images_train_to_the_same_bits),
        cmocka_unit_test(a_file_cut_while_training_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
