/* SPDX-License-Identifier: MIT
 *
 * Models that are told the label of each image: what a label does to encoder and decoder, whose weights are known here
 * and linear; which labels are taken; and that draws with a label are digits of that class. */
#include "data/source.h"
#include "models.h"

enum { N = 1100, C = 3 }; /* more rows than fit into one block */

/* Labels in no order, some twice in a row. */
static uint8_t label_of(size_t i) { return (uint8_t)((7 * i + i / 5) % C); }

/* ---- What a label does ------------------------------------------------------------------------------------------ */

/* Behind the columns of the pixels each label has one: mean = (a + label's 0, 1 or 4, b + label's 0, 2 or 3) for an
 * image of pixels a and b. */
static vae_model *make_encoder(void)
{
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "conditional", "3");
    set_tensor(model, "encoder.0.weight", (const float[10]){1, 0, 0, 1, 4, 0, 1, 0, 2, 3});
    set_tensor(model, "encoder.0.bias", (const float[2]){0});
    set_tensor(model, "mu.weight", (const float[4]){1, 0, 0, 1});
    set_tensor(model, "mu.bias", (const float[2]){0});
    return model;
}

static void encoding(void **state)
{
    static const double shift[C][2] = {{0, 0}, {1, 2}, {4, 3}};
    static const size_t spans[][2] = {{0, N}, {3, 513}, {N - 1, 1}};
    static float mean[2 * N];
    vae_images images;
    vae_model *model = make_encoder();
    (void)state;
    assert_int_equal(images_new(&images, N, 1, 2, true, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) {
        images.pixels[2 * i] = (uint8_t)(7 * i % 251);
        images.pixels[2 * i + 1] = (uint8_t)(11 * i % 241);
        images.labels[i] = label_of(i);
    }
    for (size_t k = 0; k < sizeof spans / sizeof *spans; k++) {
        const size_t first = spans[k][0];
        assert_int_equal(vae_encode(model, &images, first, spans[k][1], 1, k + 1, mean, NULL, NULL), VAE_OK);
        for (size_t i = 0; i < 2 * spans[k][1]; i++) {
            const double pixel = images.pixels[2 * first + i] / 255.0;
            assert_near((double)mean[i], pixel + shift[label_of(first + i / 2)][i % 2], 1e-6, "mean %zu", i);
        }
    }
    images_free(&images);
    vae_model_free(&model);
}

/* Outputs z + label's 0, 0.5 or -2, by one unit for the positive and one for the negative part. */
static vae_model *make_decoder(void)
{
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2", "likelihood", "gaussian", "conditional", "3");
    set_tensor(model, "decoder.0.weight", (const float[8]){1, 0, 0.5f, -2, -1, 0, -0.5f, 2});
    set_tensor(model, "decoder.0.bias", (const float[2]){0});
    set_tensor(model, "decoder.1.weight", (const float[2]){1, -1});
    set_tensor(model, "decoder.1.bias", (const float[1]){0});
    return model;
}

static void decoding(void **state)
{
    static const double shift[C] = {0, 0.5, -2};
    static float z[N], mean[N];
    static uint8_t label[N];
    vae_model *model = make_decoder();
    (void)state;
    for (size_t i = 0; i < N; i++) z[i] = (float)test_uniform(i, -3, 3), label[i] = label_of(i);
    for (size_t threads = 1; threads <= 3; threads++) {
        assert_int_equal(vae_decode(model, N, z, label, threads, mean, NULL), VAE_OK);
        for (size_t i = 0; i < N; i++)
            assert_near((double)mean[i], (double)z[i] + shift[label[i]], 1e-6, "mean image %zu", i);
    }
    vae_model_free(&model);
}

/* ---- Labels that are not taken ---------------------------------------------------------------------------------- */

static void assert_refused(const vae_model *model, const vae_images *images, const char *message)
{
    const vae_data data = {.train = *images};
    float mean[4];
    vae_error err = {0};
    vae_eval_options options;
    vae_evaluation *e = NULL;
    vae_nll nll;
    vae_model *fitted = NULL;
    vae_fit_options fit;
    vae_eval_defaults(&options);
    vae_fit_defaults(&fit);
    fit.prior = "scaled";
    assert_int_equal(vae_model_check_images(model, images, &err), VAE_E_DATA);
    assert_string_equal(err.message, message);
    assert_int_equal(vae_encode(model, images, 0, 1, 1, 1, mean, NULL, NULL), VAE_E_DATA);
    assert_int_equal(vae_evaluate(&e, model, images, &options, NULL), VAE_E_DATA);
    assert_int_equal(vae_estimate_nll(&nll, model, images, &(vae_nll_options){.samples = 2}, NULL), VAE_E_DATA);
    assert_int_equal(vae_fit(&fitted, model, &data, &fit, NULL, NULL), VAE_E_DATA);
}

static void labels_that_are_not_taken(void **state)
{
    static uint8_t pixels[4];
    vae_images images = {.n = 2, .rows = 1, .cols = 2, .pixels = pixels, .labels = (uint8_t[]){2, 0}};
    vae_model *model = make_encoder();
    (void)state;
    assert_int_equal(vae_images_classes(&images), 3);
    assert_int_equal(vae_model_check_images(model, &images, NULL), VAE_OK);
    images.labels[1] = 3;
    assert_refused(model, &images, "images: label 3, the conditional model takes 0 to 2");
    images.n = 1; /* that one is not among them */
    assert_int_equal(vae_model_check_images(model, &images, NULL), VAE_OK);
    images.labels[0] = 255;
    images.source = "some.idx";
    assert_int_equal(vae_images_classes(&images), 256);
    assert_refused(model, &images, "some.idx: label 255, the conditional model takes 0 to 2");
    images.labels = NULL;
    assert_int_equal(vae_images_classes(&images), 0);
    assert_refused(model, &images, "some.idx: no labels, and conditional needs them");
    vae_model_free(&model);
}

static void labels_of_latents_that_are_not_taken(void **state)
{
    const float z[2] = {0};
    float mean[2];
    vae_error err;
    vae_model *model = make_decoder(), *plain = MODEL_WITH(1, 1, "latent", "1", "hidden", "2");
    (void)state;
    assert_int_equal(vae_decode(model, 2, z, NULL, 1, mean, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "a conditional model decodes latents with labels, and there are none");
    assert_int_equal(vae_decode(model, 2, z, (const uint8_t[]){2, 3}, 1, mean, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "label 3, the conditional model takes 0 to 2");
    assert_int_equal(vae_decode(model, 1, z, (const uint8_t[]){2, 3}, 1, mean, NULL), VAE_OK);
    assert_int_equal(vae_decode(plain, 2, z, (const uint8_t[]){2, 3}, 1, mean, NULL), VAE_OK);
    vae_model_free(&model);
    vae_model_free(&plain);
}

/* VampPrior's pseudo-inputs, also as the base of another prior, have no labels. */
static void pseudo_inputs_have_no_labels(void **state)
{
    static const char *const priors[] = {"vampprior", "lars:base=vampprior"};
    (void)state;
    for (size_t i = 0; i < sizeof priors / sizeof *priors; i++) {
        vae_config config;
        vae_model *model = NULL;
        vae_error err;
        vae_config_defaults(&config);
        assert_int_equal(vae_config_set(&config, "prior", priors[i], NULL), VAE_OK);
        assert_int_equal(vae_config_set(&config, "conditional", "10", NULL), VAE_OK);
        assert_int_equal(vae_model_new(&model, &config, 2, 2, &err), VAE_E_USAGE);
        assert_string_equal(err.message, i ? "conditional: the pseudo-inputs of prior lars have no labels"
                                           : "conditional: the pseudo-inputs of prior vampprior have no labels");
        assert_int_equal(vae_config_set(&config, "conditional", "0", NULL), VAE_OK);
        assert_int_equal(vae_model_new(&model, &config, 2, 2, NULL), VAE_OK);
        vae_model_free(&model);
    }
}

/* ---- Digits ----------------------------------------------------------------------------------------------------- */

enum { D = 28 * 28, CLASSES = 10, DRAWS = 30 };

static void class_means(const vae_images *images, double means[CLASSES][D])
{
    double count[CLASSES] = {0};
    memset(means, 0, CLASSES * sizeof *means);
    for (size_t i = 0; i < images->n; i++) {
        const size_t c = images->labels[i];
        count[c]++;
        for (size_t k = 0; k < D; k++) means[c][k] += images->pixels[i * D + k] / 255.0;
    }
    for (size_t c = 0; c < CLASSES; c++)
        for (size_t k = 0; k < D; k++) means[c][k] /= count[c];
}

static size_t nearest(const double means[CLASSES][D], const float *image)
{
    size_t best = 0;
    double least = INFINITY;
    for (size_t c = 0; c < CLASSES; c++) {
        double distance = 0;
        for (size_t k = 0; k < D; k++) distance += pow(means[c][k] - (double)image[k], 2);
        if (distance < least) least = distance, best = c;
    }
    return best;
}

/* Of draws from the prior with each label, the share whose nearest class mean is that of the label. By chance it would
 * be a tenth. */
static double share_of_right_digits(const vae_model *model, const vae_images *images)
{
    static double means[CLASSES][D];
    static float z[DRAWS * 2], mean[DRAWS * D];
    uint8_t label[DRAWS];
    size_t right = 0;
    class_means(images, means);
    assert_int_equal(vae_sample_prior(model, 1, DRAWS, z, NULL), VAE_OK);
    for (size_t c = 0; c < CLASSES; c++) {
        memset(label, (int)c, sizeof label);
        assert_int_equal(vae_decode(model, DRAWS, z, label, 2, mean, NULL), VAE_OK);
        for (size_t i = 0; i < DRAWS; i++) right += nearest((const double(*)[D])means, mean + i * D) == c;
    }
    return (double)right / (DRAWS * CLASSES);
}

static void draws_are_digits_of_their_label(void **state)
{
    const char *const settings[] = {"latent", "2",  "hidden", "64",          "epochs", "12", "batch",
                                    "50",     "lr", "0.003",  "conditional", "10",     NULL};
    vae_data *data = NULL;
    vae_error err = {0};
    (void)state;
    assert_int_equal(vae_data_open(&data, "builtin:digits:train=2000,test=10", 0, 0, 1, NULL), VAE_OK);
    vae_model *model = model_with(28, 28, settings);
    if (vae_train(model, data, 2, NULL, NULL, &err)) fail_msg("%s", err.message);
    assert_within(share_of_right_digits(model, &data->train), 0.7, 1, "share of digits of the label");
    vae_model_free(&model);
    vae_data_free(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encoding),
        cmocka_unit_test(decoding),
        cmocka_unit_test(labels_that_are_not_taken),
        cmocka_unit_test(labels_of_latents_that_are_not_taken),
        cmocka_unit_test(pseudo_inputs_have_no_labels),
        cmocka_unit_test(draws_are_digits_of_their_label),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
