/* SPDX-License-Identifier: MIT
 *
 * What a program that embeds the library may get wrong is an error with a message, not a crash. */
#include "models.h"

static const char *const digits = "builtin:digits:train=40,test=10";
static uint8_t pixels[6 * 4];

static vae_config defaults(void)
{
    vae_config config;
    vae_config_defaults(&config);
    vae_config_set(&config, "hidden", "4", NULL);
    vae_config_set(&config, "epochs", "6", NULL);
    return config;
}

static vae_model *new_model(const vae_config *config, size_t rows, size_t cols)
{
    vae_model *model = NULL;
    vae_error err = {0};
    if (vae_model_new(&model, config, rows, cols, &err)) fail_msg("%s", err.message);
    return model;
}

static void shares_out_of_range(void **state)
{
    static const double bad[] = {-0.5, 1.5, NAN, INFINITY, -INFINITY};
    vae_data *data = NULL;
    vae_error err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(vae_data_open(&data, digits, bad[i], 0, 1, &err), VAE_E_USAGE);
        assert_int_equal(vae_data_open(&data, digits, 0, bad[i], 1, &err), VAE_E_USAGE);
        assert_non_null(strstr(err.message, "expected 0 to 1"));
    }
    assert_null(data);
}

static void sizes_out_of_range(void **state)
{
    static const size_t bad[][2] = {{0, 0},        {0, 5},     {5, 0},      {(size_t)1 << 32, (size_t)1 << 32},
                                    {SIZE_MAX, 1}, {1, 65537}, {65536, 257}};
    const vae_config config = defaults();
    vae_model *model = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vae_model_new(&model, &config, bad[i][0], bad[i][1], NULL), VAE_E_USAGE);
    assert_null(model);
}

/* Fields written without vae_config_set. */
static void settings_out_of_range(void **state)
{
    vae_config bad[9];
    vae_error err;
    (void)state;
    for (size_t i = 0; i < 9; i++) bad[i] = defaults();
    bad[0].batch = 0;
    bad[1].latent = 0;
    bad[2].lr = NAN;
    bad[3].hidden[0] = 0;
    strcpy(bad[4].prior.name, "uniform");
    strcpy(bad[5].activation.name, "");
    strcpy(bad[6].prior.name, "spikeslab:p=0.8"); /* parameters are not part of the name */
    memset(bad[7].data, 'a', sizeof bad[7].data); /* no end */
    memset(bad[8].kl, 'a', sizeof bad[8].kl);
    assert_int_equal(vae_config_set(&bad[4], "p", "0.5", &err), VAE_E_USAGE);
    for (size_t i = 0; i < 9; i++) {
        vae_model *model = NULL;
        err.message[0] = 0;
        if (vae_model_new(&model, &bad[i], 2, 2, &err) != VAE_E_USAGE) fail_msg("configuration %zu was taken", i);
        assert_true(err.message[0]);
        if (i >= 7) assert_non_null(strstr(err.message, "a text without an end"));
    }
}

static void no_images(void **state)
{
    const vae_images none = {.rows = 2, .cols = 2, .pixels = pixels};
    const vae_data empty = {.train = none};
    const vae_config config = defaults();
    vae_model *model = new_model(&config, 2, 2);
    vae_evaluation *evaluation = NULL;
    vae_eval_options options;
    vae_nll nll;
    vae_bench bench;
    double accuracy;
    (void)state;
    vae_eval_defaults(&options);
    assert_int_equal(vae_train(model, &empty, 1, NULL, NULL, NULL), VAE_E_DATA);
    assert_int_equal(vae_evaluate(&evaluation, model, &none, &options, NULL), VAE_E_DATA);
    assert_int_equal(vae_estimate_nll(&nll, model, &none, &(vae_nll_options){.samples = 2}, NULL), VAE_E_DATA);
    assert_int_equal(vae_bench_run(&bench, &config, &none, 1, 1, NULL), VAE_E_DATA);
    const vae_images some = {.n = 6, .rows = 2, .cols = 2, .pixels = pixels, .labels = pixels};
    const vae_images labelled = {.rows = 2, .cols = 2, .pixels = pixels, .labels = pixels};
    assert_int_equal(vae_probe(&accuracy, model, &some, &labelled, 1, 1, NULL), VAE_OK);
    assert_true(isnan(accuracy));
    vae_model_free(&model);
}

static vae_images reals_between(float *values, float lowest, float highest)
{
    values[0] = lowest;
    values[1] = values[2] = 0.5F * (lowest + highest);
    values[3] = highest;
    return (vae_images){.n = 1, .rows = 2, .cols = 2, .values = values, .lowest = lowest, .highest = highest};
}

/* Each likelihood, and pixels that are made 0 or 1, with real numbers at and past the ends of what it takes. */
static void real_numbers_out_of_range(void **state)
{
    static const struct {
        const char *likelihood, *binarize;
        float lowest, highest;
        const char *message; /* NULL: taken */
    } known[] = {
        {"bernoulli", "none", 0, 1, NULL},
        {"bernoulli", "none", 0.25F, 0.5F, NULL},
        {"bernoulli", "none", -3.1F, 2.7F,
         "values from -3.1 to 2.7, likelihood bernoulli takes 0 to 1 (gaussian takes any)"},
        {"bernoulli", "none", 0, 1.0000001F,
         "values from 0 to 1.0000001, likelihood bernoulli takes 0 to 1 (gaussian takes any)"},
        {"cbernoulli", "none", 0, 1, NULL},
        {"cbernoulli", "none", -1e-30F, 1,
         "values from -1e-30 to 1, likelihood cbernoulli takes 0 to 1 (gaussian takes any)"},
        {"gaussian", "none", -3e38F, 3e38F, NULL},
        {"gaussian", "static", -0.5F, 1, "values from -0.5 to 1, binarize static takes 0 to 1"},
        {"gaussian", "threshold", 0, 255, "values from 0 to 255, binarize threshold takes 0 to 1"},
        {"bernoulli", "dynamic", 0, 1.5F, "values from 0 to 1.5, binarize dynamic takes 0 to 1"},
        {"bernoulli", "dynamic", 0, 1, NULL},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        float values[4];
        char wanted[256];
        vae_images images = reals_between(values, known[i].lowest, known[i].highest);
        vae_model *model = MODEL_WITH(2, 2, "likelihood", known[i].likelihood, "binarize", known[i].binarize);
        for (size_t turn = 0; turn < 2; turn++, images.source = "points.npy") {
            vae_error err = {0};
            const vae_status status = vae_model_check_images(model, &images, &err);
            snprintf(wanted, sizeof wanted, "%s: %s", turn ? "points.npy" : "images", known[i].message);
            assert_int_equal(status, known[i].message ? VAE_E_DATA : VAE_OK);
            assert_string_equal(err.message, known[i].message ? wanted : "");
        }
        vae_model_free(&model);
    }
}

/* Whatever uses a model on images asks first. */
static void images_that_no_function_takes(void **state)
{
    float values[4], mean[10], scale[10];
    const vae_images images = reals_between(values, -1, 1);
    const vae_data data = {.train = images};
    const vae_config config = defaults();
    vae_model *model = new_model(&config, 2, 2);
    vae_evaluation *evaluation = NULL;
    vae_eval_options options;
    vae_nll nll;
    vae_bench bench;
    (void)state;
    vae_eval_defaults(&options);
    assert_int_equal(vae_train(model, &data, 1, NULL, NULL, NULL), VAE_E_DATA);
    assert_int_equal(vae_evaluate(&evaluation, model, &images, &options, NULL), VAE_E_DATA);
    assert_int_equal(vae_estimate_nll(&nll, model, &images, &(vae_nll_options){.samples = 2}, NULL), VAE_E_DATA);
    assert_int_equal(vae_encode(model, &images, 0, 1, 1, 1, mean, scale, NULL), VAE_E_DATA);
    assert_int_equal(vae_bench_run(&bench, &config, &images, 1, 1, NULL), VAE_E_DATA);
    vae_model_free(&model);
}

/* A likelihood of 0/1 values, and no density, is a pseudo-likelihood of what lies between them. Images that do not fit
 * are not looked at. */
static void pseudo_likelihoods(void **state)
{
    static const struct {
        const char *likelihood, *binarize;
        float last;
        size_t cols;
        bool pseudo;
    } known[] = {
        {"bernoulli", "none", 1, 2, false},         {"bernoulli", "none", 0.999F, 2, true},
        {"bernoulli", "threshold", 0.5F, 2, false}, {"bernoulli", "none", 0.5F, 1, false},
        {"bernoulli", "none", 2, 2, false},         {"cbernoulli", "none", 0.5F, 2, false},
        {"gaussian", "none", 0.5F, 2, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        float values[4] = {0, 1, 0, known[i].last};
        const vae_images images = {.n = 4 / 2 / known[i].cols,
                                   .rows = 2,
                                   .cols = known[i].cols,
                                   .values = values,
                                   .highest = fmaxf(1, known[i].last)};
        vae_model *model = MODEL_WITH(2, 2, "likelihood", known[i].likelihood, "binarize", known[i].binarize);
        bool pseudo = !known[i].pseudo;
        assert_int_equal(vae_model_is_pseudo(model, &images, &pseudo, NULL), VAE_OK);
        assert_int_equal(pseudo, known[i].pseudo);
        vae_model_free(&model);
    }
}

/* A share that rounds to no image. */
static void patience_without_validation_images(void **state)
{
    vae_config config = defaults();
    vae_data *data = NULL;
    vae_error err;
    (void)state;
    config.validation = 0.001;
    config.patience = 2;
    assert_int_equal(vae_data_open(&data, digits, 0, config.validation, 1, NULL), VAE_OK);
    vae_model *model = new_model(&config, 28, 28);
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "patience: needs a validation split, and the data has none");
    vae_model_free(&model);
    vae_data_free(&data);
}

/* Filled by hand, and something is forgotten. */
static void images_of_nothing(void **state)
{
    const vae_config config = defaults();
    const vae_images images = {.n = 4, .rows = 2, .cols = 3};
    vae_model *model = new_model(&config, 2, 3);
    (void)state;
    assert_int_equal(vae_model_check_images(model, &images, NULL), VAE_E_USAGE);
    vae_model_free(&model);
}

/* What is written into a tensor can be saved and loaded: it stays within the tensor's bounds. */
static void values_beyond_the_bounds_of_a_tensor(void **state)
{
    vae_config config = defaults();
    vae_tensor tensor;
    size_t i = 0;
    (void)state;
    assert_int_equal(vae_config_set(&config, "prior", "mixture:components=1", NULL), VAE_OK);
    assert_int_equal(vae_config_set(&config, "latent", "2", NULL), VAE_OK);
    vae_model *model = new_model(&config, 2, 3);
    while (vae_model_tensor(model, i, &tensor) && strcmp(tensor.name, "prior.logsd")) i++;
    assert_int_equal(tensor.count, 2);
    float values[2] = {-5, 7};
    vae_model_write(model, i, values);
    vae_model_read(model, i, values);
    assert_true(values[0] == -3 && values[1] == 7);
    vae_model_free(&model);
}

static void fits_without_a_prior(void **state)
{
    const vae_config config = defaults();
    vae_data *data = NULL;
    vae_fit_options options;
    (void)state;
    assert_int_equal(vae_data_open(&data, digits, 0, 0, 1, NULL), VAE_OK);
    vae_model *model = new_model(&config, 28, 28), *fitted = NULL;
    vae_fit_defaults(&options);
    assert_int_equal(vae_fit(&fitted, model, data, &options, NULL, NULL), VAE_E_USAGE);
    options.prior = "mixture:components=2";
    options.seed = UINT64_MAX;
    assert_int_equal(vae_fit(&fitted, model, data, &options, NULL, NULL), VAE_E_USAGE);
    assert_null(fitted);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* Other data is refused to a model that has learned from some, and not to one that was only shown it. */
static bool stops(void *context)
{
    (void)context;
    return true;
}

static void other_data_after_no_step(void **state)
{
    const vae_config config = defaults();
    const vae_train_hooks hooks = {.asks_to_stop = stops};
    vae_data *data = NULL, *other = NULL;
    bool stopped = false;
    (void)state;
    assert_int_equal(vae_data_open(&data, digits, 0, 0, 1, NULL), VAE_OK);
    assert_int_equal(vae_data_open(&other, "builtin:digits:train=50,test=10", 0, 0, 1, NULL), VAE_OK);
    vae_model *model = new_model(&config, 28, 28);
    assert_int_equal(vae_train(model, data, 1, &hooks, &stopped, NULL), VAE_OK);
    assert_true(stopped && vae_model_metrics(model)->step == 0);
    assert_int_equal(vae_train(model, other, 1, NULL, NULL, NULL), VAE_OK);
    assert_int_equal(vae_train(model, data, 1, NULL, NULL, NULL), VAE_E_DATA);
    vae_model_free(&model);
    vae_data_free(&data);
    vae_data_free(&other);
}

/* Values that are not what `lowest` and `highest` say, among them one that is no number; and latents. */
static void values_unlike_their_bounds(void **state)
{
    static const float wrong[] = {NAN, INFINITY, -0.25F, 1.5F};
    float values[3 * 4] = {0, 0.5F, 1}, mean[2] = {7, 7}, z[2] = {0, NAN};
    const vae_images images = {.n = 3, .rows = 2, .cols = 2, .values = values, .highest = 1};
    const vae_data data = {.train = images};
    vae_config config = defaults();
    vae_config_set(&config, "latent", "2", NULL);
    vae_model *model = new_model(&config, 2, 2);
    vae_error err = {0};
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        values[9] = wrong[i];
        assert_int_equal(vae_model_check_images(model, &images, NULL), VAE_E_DATA);
        assert_int_equal(vae_train(model, &data, 1, NULL, NULL, NULL), VAE_E_DATA);
        assert_int_equal(vae_encode(model, &images, 2, 1, 1, 1, mean, NULL, &err), VAE_E_DATA);
        assert_int_equal(vae_encode(model, &images, 0, 1, 1, 1, mean, NULL, NULL), VAE_OK); /* that one is right */
    }
    assert_string_equal(err.message, "images: image 2 has the value 1.5 (lowest and highest are said to be 0 and 1)");
    assert_int_equal(vae_decode(model, 1, z, NULL, 1, values, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "latent 1 of vector 0 is nan (expected a finite number)");
    vae_model_free(&model);
}

static void splits_of_another_name(void **state)
{
    const vae_images images = {.n = 6, .rows = 2, .cols = 2, .pixels = pixels};
    vae_data data = {.train = images, .validation = images, .test = images};
    const vae_config config = defaults();
    vae_model *model = new_model(&config, 2, 2);
    vae_error err;
    (void)state;
    assert_int_equal(vae_train(model, &data, 1, NULL, NULL, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "the images given as validation split say that they are of another one");
    data.validation.split = VAE_VALIDATION;
    assert_int_equal(vae_train(model, &data, 1, NULL, NULL, &err), VAE_E_USAGE);
    data.test.split = VAE_TEST;
    assert_int_equal(vae_train(model, &data, 1, NULL, NULL, &err), VAE_OK);
    vae_model_free(&model);
}

static vae_status fail_with(void *context, const vae_model *model, vae_error *err)
{
    const char *message = context;
    (void)model;
    return message ? vae_fail(err, VAE_E_WRITE, "%s", message) : VAE_E_WRITE;
}

static void hooks_that_fail(void **state)
{
    static const char *const said[] = {"no room", "on_epoch failed, and did not say why"};
    const vae_data data = {.train = {.n = 6, .rows = 2, .cols = 2, .pixels = pixels}};
    const vae_config config = defaults();
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char message[] = "no room";
        const vae_train_hooks hooks = {.context = i ? NULL : message, .on_epoch = fail_with};
        vae_model *model = new_model(&config, 2, 2);
        vae_error err = {.message = "of something else"};
        assert_int_equal(vae_train(model, &data, 1, &hooks, NULL, &err), VAE_E_WRITE);
        assert_string_equal(err.message, said[i]);
        vae_model_free(&model);
    }
}

static void nothing_to_free(void **state)
{
    vae_model *model = NULL;
    (void)state;
    vae_model_free(&model);
    vae_model_free(NULL);
    vae_data_free(NULL);
    vae_evaluation_free(NULL);
    vae_decomposition_free(NULL);
    vae_marginals_free(NULL);
}

static void checks_without_a_report(void **state)
{
    (void)state;
    assert_int_equal(vae_module_check(VAE_PRIOR, "normal", NULL, NULL, NULL), VAE_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(images_of_nothing),
        cmocka_unit_test(values_beyond_the_bounds_of_a_tensor),
        cmocka_unit_test(fits_without_a_prior),
        cmocka_unit_test(other_data_after_no_step),
        cmocka_unit_test(values_unlike_their_bounds),
        cmocka_unit_test(splits_of_another_name),
        cmocka_unit_test(hooks_that_fail),
        cmocka_unit_test(nothing_to_free),
        cmocka_unit_test(checks_without_a_report),
        cmocka_unit_test(shares_out_of_range),
        cmocka_unit_test(sizes_out_of_range),
        cmocka_unit_test(settings_out_of_range),
        cmocka_unit_test(no_images),
        cmocka_unit_test(real_numbers_out_of_range),
        cmocka_unit_test(images_that_no_function_takes),
        cmocka_unit_test(pseudo_likelihoods),
        cmocka_unit_test(patience_without_validation_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
