/* SPDX-License-Identifier: MIT
 *
 * What a program that embeds the library may get wrong is an error with a message, not a crash. */
#include "check.h"

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
    const vae_grid none = {.across = 1, .down = 1};
    assert_int_equal(vae_picture_grid("/nowhere/x.png", &none, NULL), VAE_E_USAGE);
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
    assert_non_null(strstr(err.message, "--patience"));
    vae_model_free(&model);
    vae_data_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shares_out_of_range),
        cmocka_unit_test(sizes_out_of_range),
        cmocka_unit_test(settings_out_of_range),
        cmocka_unit_test(no_images),
        cmocka_unit_test(patience_without_validation_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
