/* SPDX-License-Identifier: MIT
 *
 * Joint priors in training and use, in the float that users get: bits that depend neither on threads nor on
 * interruptions, bounds, start values, free bits, and what evaluations say. (Densities and gradients are in
 * tests/double.) */
#include "models.h"

#include <unistd.h>

#include "model/model.h"

/* One epoch of 8 steps, which is never finished: a LARS would then draw a million of its own for the test pass. */
enum { STEPS = 7, STOP = 3 };
static const char *const source = "builtin:digits:train=300,test=40";

static const char *const priors[] = {
    "mixture:components=40",
    "vampprior:components=40",
    "realnvp:width=16",
    "lars:width=8,draws=128",
    "lars:width=8,draws=128,tries=9,base=laplace",
    "lars:draws=64,base=realnvp",
};
enum { PRIORS_HERE = sizeof priors / sizeof *priors };

static vae_data *open_digits(const char *text)
{
    vae_data *data = NULL;
    vae_error err = {0};
    if (vae_data_open(&data, text, 0, 0, 1, &err)) fail_msg("%s", err.message);
    return data;
}

static bool stop_at(void *context, const vae_progress *progress)
{
    size_t *steps_left = context;
    (void)progress;
    return --*steps_left == 0;
}

static void train_steps(vae_model *model, const vae_data *data, size_t threads, size_t steps)
{
    const vae_train_hooks hooks = {.context = &steps, .on_step = stop_at};
    vae_error err = {0};
    bool stopped;
    if (vae_train(model, data, threads, &hooks, &stopped, &err)) fail_msg("%s", err.message);
    assert_true(stopped);
}

static vae_model *new_model(const char *prior, bool clipped)
{
    return MODEL_WITH(28, 28, "prior", prior, "latent", "3", "hidden", "24", "batch", "40", "epochs", "1", "samples",
                      "2", "clip", clipped ? "0.5" : "0", "objective", clipped ? "iwae" : "elbo");
}

static void assert_same_bits(const vae_model *a, const vae_model *b, const char *what)
{
    const size_t size = a->block.size * sizeof *a->params;
    const bool same = !memcmp(a->params, b->params, size) && !memcmp(a->adam.m, b->adam.m, size) &&
                      !memcmp(a->adam.v, b->adam.v, size) &&
                      !memcmp(&a->training.sum_loss, &b->training.sum_loss, sizeof a->training.sum_loss);
    if (!same) fail_msg("%s: other bits", what);
}

/* Values of a tensor, and how many there are; the caller frees them. */
static float *read_tensor(const vae_model *model, const char *name, vae_tensor *tensor)
{
    for (size_t i = 0; vae_model_tensor(model, i, tensor); i++)
        if (!strcmp(tensor->name, name)) {
            float *values = malloc(tensor->count * sizeof *values);
            assert_non_null(values);
            vae_model_read(model, i, values);
            return values;
        }
    fail_msg("no tensor %s", name);
    return NULL;
}

/* ---- Bits ------------------------------------------------------------------------------------------------------- */

static void threads_do_not_change_a_bit(void **state)
{
    (void)state;
    vae_data *data = open_digits(source);
    for (size_t i = 0; i < 2 * PRIORS_HERE; i++) {
        vae_model *one = new_model(priors[i / 2], i % 2);
        train_steps(one, data, 1, STEPS);
        for (size_t threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
            vae_model *many = new_model(priors[i / 2], i % 2);
            train_steps(many, data, threads, STEPS);
            assert_same_bits(one, many, priors[i / 2]);
            vae_model_free(&many);
        }
        vae_model_free(&one);
    }
    vae_data_free(&data);
}

static void save_and_load(vae_model **model)
{
    char path[] = "/tmp/vae-test-XXXXXX";
    vae_error err = {0};
    close(mkstemp(path));
    assert_int_equal(vae_model_save(*model, path, &err), VAE_OK);
    vae_model_free(model);
    if (vae_model_load(model, path, &err)) fail_msg("%s", err.message);
    unlink(path);
}

/* LARS continues from its running Z, VampPrior does not start from images again. */
static void an_interrupted_run_ends_with_the_same_bits(void **state)
{
    (void)state;
    vae_data *data = open_digits(source);
    for (size_t i = 0; i < 2 * PRIORS_HERE; i++) {
        vae_model *straight = new_model(priors[i / 2], i % 2), *model = new_model(priors[i / 2], i % 2);
        train_steps(straight, data, 2, STEPS);
        train_steps(model, data, 2, STOP);
        save_and_load(&model);
        train_steps(model, data, 1, STEPS - STOP);
        assert_same_bits(straight, model, priors[i / 2]);
        vae_model_free(&straight);
        vae_model_free(&model);
    }
    vae_data_free(&data);
}

static void evaluations_are_the_same_on_any_threads(void **state)
{
    static const char *const small[] = {"mixture:components=40", "vampprior:components=40", "realnvp:width=16",
                                        "lars:width=1,layers=1,draws=4096"};
    const vae_nll_options once = {.samples = 10, .threads = 1, .seed = 2},
                          twice = {.samples = 10, .threads = 3, .seed = 2};
    (void)state;
    vae_data *data = open_digits(source);
    for (size_t i = 0; i < 4; i++) {
        vae_model *model = new_model(small[i], false);
        vae_eval_options options;
        vae_evaluation *a = NULL, *b = NULL;
        vae_nll first, second;
        vae_eval_defaults(&options);
        options.samples = 3;
        options.threads = 1;
        assert_int_equal(vae_evaluate(&a, model, &data->train, &options, NULL), VAE_OK);
        options.threads = 3;
        assert_int_equal(vae_evaluate(&b, model, &data->train, &options, NULL), VAE_OK);
        assert_true(isfinite(a->kl) && a->recon == b->recon && a->kl == b->kl);
        assert_int_equal(vae_estimate_nll(&first, model, &data->test, &once, NULL), VAE_OK);
        assert_int_equal(vae_estimate_nll(&second, model, &data->test, &twice, NULL), VAE_OK);
        assert_true(isfinite(first.nll) && first.nll == second.nll && first.mc_se == second.mc_se);
        vae_evaluation_free(&a);
        vae_evaluation_free(&b);
        vae_model_free(&model);
    }
    vae_data_free(&data);
}

/* Draw i is the same, however many are asked for, and another one than those before. */
static void draws_do_not_depend_on_their_number(void **state)
{
    enum { MANY = 1100, FEW = 600, L = 3, BLOCK = 512 }; /* so many are drawn at once */
    static float many[MANY * L], few[FEW * L];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        vae_model *model = new_model(priors[i], false);
        assert_int_equal(vae_sample_prior(model, 5, MANY, many, NULL), VAE_OK);
        assert_int_equal(vae_sample_prior(model, 5, FEW, few, NULL), VAE_OK);
        if (memcmp(many, few, sizeof few)) fail_msg("%s: other draws", priors[i]);
        assert_int_equal(vae_sample_prior(model, 6, FEW, few, NULL), VAE_OK);
        for (size_t k = 0; k < FEW * L; k++)
            if (many[k] == few[k]) fail_msg("%s: value %zu is the same with another seed", priors[i], k);
        for (size_t k = 0; k + BLOCK * L < MANY * L; k++)
            if (many[k] == many[k + BLOCK * L]) fail_msg("%s: value %zu comes twice", priors[i], k);
        vae_model_free(&model);
    }
}

/* Layers so wide that fewer rows than usual go through the networks at once. */
static void draws_of_a_wide_model_are_as_many(void **state)
{
    enum { MANY = 600, FEW = 100, L = 3 };
    static float many[MANY * L], few[FEW * L];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        vae_model *model = MODEL_WITH(1, 2, "prior", priors[i], "latent", "3", "hidden", "16384");
        assert_int_equal(vae_sample_prior(model, 5, MANY, many, NULL), VAE_OK);
        assert_int_equal(vae_sample_prior(model, 5, FEW, few, NULL), VAE_OK);
        if (memcmp(many, few, sizeof few)) fail_msg("%s: other draws", priors[i]);
        vae_model_free(&model);
    }
}

/* ---- Bounds and starts ------------------------------------------------------------------------------------------ */

/* One step that moves everything far: values stop at the bounds, also where the gradient is clipped. Pseudo-inputs are
 * bounded where the likelihood's data are. */
static void bounds_hold_in_training(void **state)
{
    static const struct {
        const char *prior, *likelihood, *tensor;
        float lowest, highest;
    } cases[] = {{"vampprior:components=5", "bernoulli", "prior.pseudo", 0, 1},
                 {"vampprior:components=5", "gaussian", "prior.pseudo", -INFINITY, INFINITY},
                 {"mixture:components=5", "bernoulli", "prior.logsd", -3, INFINITY}};
    (void)state;
    vae_data *data = open_digits(source);
    for (size_t i = 0; i < 6; i++) {
        vae_model *model = MODEL_WITH(28, 28, "prior", cases[i / 2].prior, "likelihood", cases[i / 2].likelihood,
                                      "latent", "3", "hidden", "24", "lr", "10", "clip", i % 2 ? "1" : "0");
        vae_tensor tensor;
        size_t at_lowest = 0, at_highest = 0, far = 0;
        train_steps(model, data, 1, 1);
        float *values = read_tensor(model, cases[i / 2].tensor, &tensor);
        for (size_t k = 0; k < tensor.count; k++) {
            assert_true(values[k] >= cases[i / 2].lowest && values[k] <= cases[i / 2].highest);
            at_lowest += values[k] == cases[i / 2].lowest;
            at_highest += values[k] == cases[i / 2].highest;
            far += fabsf(values[k]) > 5;
        }
        assert_true(at_lowest > 0 || isinf(cases[i / 2].lowest));
        assert_true(at_highest > 0 || isinf(cases[i / 2].highest));
        assert_true(far > 0 || !isinf(cases[i / 2].highest));
        free(values);
        vae_model_free(&model);
    }
    vae_data_free(&data);
}

static double pixel(const vae_images *images, size_t i, size_t k, bool threshold)
{
    const uint8_t grey = images->pixels[i * 784 + k];
    return threshold ? grey >= 128 : grey / 255.0;
}

/* Which training image a pseudo-input is; a single step with hardly any learning rate was made. */
static size_t image_of(const vae_images *images, const float *pseudo, bool threshold)
{
    for (size_t i = 0; i < images->n; i++) {
        double apart = 0;
        for (size_t k = 0; k < 784; k++) apart = fmax(apart, fabs((double)pseudo[k] - pixel(images, i, k, threshold)));
        if (apart < 1e-5) return i;
    }
    fail_msg("a pseudo-input is no training image");
    return 0;
}

/* Each another one, as long as there are enough. Where pixels are drawn at each use, they are the grey ones. */
static void vampprior_starts_from_training_images(void **state)
{
    static const char *const binarize[] = {"none", "threshold", "dynamic"};
    static const char *const components[] = {"vampprior:components=9", "vampprior:components=20"};
    (void)state;
    vae_data *data = open_digits("builtin:digits:train=9,test=1");
    for (size_t i = 0; i < 6; i++) {
        vae_model *model = MODEL_WITH(28, 28, "prior", components[i / 3], "latent", "3", "hidden", "4", "lr", "1e-9",
                                      "binarize", binarize[i % 3]);
        vae_tensor tensor;
        size_t count[9] = {0}, in_order = 0;
        train_steps(model, data, 1, 1);
        float *pseudo = read_tensor(model, "prior.pseudo", &tensor);
        for (size_t k = 0; k < tensor.dim[0]; k++) {
            const size_t image = image_of(&data->train, pseudo + k * 784, i % 3 == 1);
            count[image]++;
            in_order += image == k;
        }
        for (size_t k = 0; k < 9; k++) assert_in_range(count[k], tensor.dim[0] / 9, (tensor.dim[0] + 8) / 9);
        assert_true(in_order < 9); /* they are drawn */
        free(pseudo);
        vae_model_free(&model);
    }
    vae_data_free(&data);
}

/* Of a new model there is no Z; after steps it is the acceptance, and is in the file. */
static void lars_keeps_its_normaliser(void **state)
{
    (void)state;
    vae_data *data = open_digits(source);
    vae_model *model = new_model("lars:width=8,draws=128", false);
    vae_tensor tensor;
    float *before = read_tensor(model, "prior.z", &tensor);
    assert_true(tensor.count == 1 && *before == 0);
    free(before);
    train_steps(model, data, 1, STEPS);
    before = read_tensor(model, "prior.z", &tensor);
    assert_within((double)*before, 0.2, 0.8, "Z of a new network");
    save_and_load(&model);
    float *after = read_tensor(model, "prior.z", &tensor);
    assert_true(*before == *after);
    free(before);
    free(after);
    vae_model_free(&model);
    vae_data_free(&data);
}

/* ---- Free bits -------------------------------------------------------------------------------------------------- */

static vae_model *trained_with_free_bits(const vae_data *data, const char *prior, const char *free_bits)
{
    vae_model *model = MODEL_WITH(28, 28, "prior", prior, "latent", "3", "hidden", "24", "batch", "300", "epochs", "1",
                                  "beta", "0.5", "free-bits", free_bits);
    vae_error err = {0};
    if (vae_train(model, data, 1, NULL, NULL, &err)) fail_msg("%s", err.message);
    return model;
}

static bool same_tensor(const vae_model *a, const vae_model *b, const char *name)
{
    vae_tensor tensor;
    float *x = read_tensor(a, name, &tensor), *y = read_tensor(b, name, &tensor);
    const bool same = !memcmp(x, y, tensor.count * sizeof *x);
    free(x);
    free(y);
    return same;
}

/* What is free for each latent is free for all together: a KL below it costs as much and has no gradient, one above it
 * is as if nothing were free. */
static void free_bits_are_those_of_all_latents(void **state)
{
    static const struct {
        const char *prior, *tensor;
    } cases[] = {{"mixture:components=5", "prior.mean"},
                 {"realnvp:width=16", "prior.0.2.bias"},
                 {"lars:width=1,layers=1,draws=4096,base=laplace", "prior.accept.0.weight"}};
    (void)state;
    vae_data *data = open_digits(source);
    for (size_t i = 0; i < 3; i++) {
        vae_model *none = trained_with_free_bits(data, cases[i].prior, "0");
        vae_model *little = trained_with_free_bits(data, cases[i].prior, "1e-4");
        vae_model *much = trained_with_free_bits(data, cases[i].prior, "7");
        vae_model *fresh = MODEL_WITH(28, 28, "prior", cases[i].prior, "latent", "3", "hidden", "24");
        const vae_metrics *m = &much->training.metrics;
        assert_within(none->training.metrics.train_kl, 3 * 1e-4, 3 * 7, "KL of a first step under %s", cases[i].prior);
        assert_near(none->training.metrics.train_loss,
                    none->training.metrics.train_recon + 0.5 * none->training.metrics.train_kl, 1e-12, "loss");
        assert_same_bits(none, little, cases[i].prior);
        assert_near(m->train_loss, m->train_recon + 0.5 * 3 * 7, 1e-12, "loss of a free KL");
        assert_near(m->train_kl, none->training.metrics.train_kl, 0, "a free KL");
        if (!same_tensor(much, fresh, cases[i].tensor)) fail_msg("%s: a free KL moved the prior", cases[i].prior);
        if (same_tensor(none, fresh, cases[i].tensor)) fail_msg("%s: the KL does not move the prior", cases[i].prior);
        vae_model_free(&none);
        vae_model_free(&little);
        vae_model_free(&much);
        vae_model_free(&fresh);
    }
    vae_data_free(&data);
}

/* ---- Evaluations of LARS ---------------------------------------------------------------------------------------- */

static const double SIGMA = 0.05;

/* x|z ~ N(z, sigma^2), and the posterior of x = 1 under z ~ N(0, 1), which is far from zero, where a(z) jumps from
 * 1/(1+e^2) to 1/(1+e^-2). So a is one number in all draws of the posterior, and q is the posterior under LARS, too. */
static vae_model *step_model(const char *prior)
{
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2", "likelihood", "gaussian:sigma=0.05", "prior",
                                  prior);
    const double precision = 1 + 1 / (SIGMA * SIGMA);
    make_conjugate(model, 1 / (SIGMA * SIGMA * precision), 1 / sqrt(precision));
    set_tensor(model, "prior.accept.0.weight", &(float){1000});
    set_tensor(model, "prior.accept.0.bias", &(float){0});
    set_tensor(model, "prior.accept.1.weight", &(float){2});
    set_tensor(model, "prior.accept.1.bias", &(float){0});
    return model;
}

/* The likelihood is known, all importance weights are alike, and what is uncertain is Z alone, by a million draws. It
 * counts as far as the density depends on Z. */
static void error_of_the_normaliser_is_in_the_likelihood(void **state)
{
    static const struct {
        const char *prior;
        double tries;
    } cases[] = {{"lars:width=1,layers=1", INFINITY},
                 {"lars:width=1,layers=1,tries=3", 3},
                 {"lars:width=1,layers=1,tries=1", 1}};
    const double a = 1 / (1 + exp(-2)), b = 1 - a, Z = 0.5, error = sqrt((a * a + b * b) / 2 - Z * Z) / Z / 1024;
    const double variance = 1 + SIGMA * SIGMA, log_normal = -0.5 * (1 / variance + log(6.28318530717958648 * variance));
    const vae_nll_options options = {.samples = 50, .threads = 1};
    uint8_t white[2] = {255, 255};
    const vae_images images = {.n = 2, .rows = 1, .cols = 1, .pixels = white, .split = VAE_TEST};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vae_model *model = step_model(cases[i].prior);
        const double alpha = pow(1 - Z, cases[i].tries - 1), e = (1 - alpha) * error;
        vae_nll nll;
        assert_int_equal(vae_estimate_nll(&nll, model, &images, &options, NULL), VAE_OK);
        assert_near(nll.effective_samples, 50, 1e-3, "effective samples");
        assert_near(nll.nll, -log_normal - log((1 - alpha) * a / Z + alpha), 1e-5 + 4 * error, "nll");
        assert_near(nll.mc_se, e, 0.01 * e + 1e-6, "standard error under %s", cases[i].prior);
        assert_near(nll.bias, -e * e / 2, 0.02 * e * e + 1e-9, "bias under %s", cases[i].prior);
        vae_model_free(&model);
    }
}

/* KL(q || p) = KL(q || N(0, 1)) - log(a / Z), of all latents together alone. */
static void kl_of_a_joint_prior(void **state)
{
    const double s2 = 1 / (1 + 1 / (SIGMA * SIGMA)), m = 1 - s2, a = 1 / (1 + exp(-2));
    uint8_t white[1] = {255};
    const vae_images images = {.n = 1, .rows = 1, .cols = 1, .pixels = white, .split = VAE_TEST};
    vae_model *model = step_model("lars:width=1,layers=1");
    vae_evaluation *e = NULL;
    vae_eval_options options;
    (void)state;
    vae_eval_defaults(&options);
    options.samples = 4000;
    options.threads = 1;
    assert_int_equal(vae_evaluate(&e, model, &images, &options, NULL), VAE_OK);
    assert_near(e->kl, 0.5 * (m * m + s2 - 1 - log(s2)) - log(2 * a), 0.005, "KL");
    assert_near(e->neg_elbo, e->recon + e->kl, 1e-12, "-ELBO");
    assert_true(isnan(e->kl_per_dim[0]) && isnan(e->kl_floor));
    assert_int_equal(e->kl_samples, 4000);
    vae_evaluation_free(&e);
    vae_model_free(&model);
}

/* ---- Misuse ----------------------------------------------------------------------------------------------------- */

static void shapes_that_do_not_go_are_refused(void **state)
{
    static const struct {
        const char *prior, *latent, *message;
    } cases[] = {
        {"realnvp", "1", "prior realnvp couples two parts of the latents (expected latent at least 2)"},
        {"lars:base=realnvp", "1", "prior realnvp couples two parts of the latents (expected latent at least 2)"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        vae_config config;
        vae_model *model = NULL;
        vae_error err = {0};
        vae_config_defaults(&config);
        assert_int_equal(vae_config_set(&config, "prior", cases[i].prior, &err), VAE_OK);
        assert_int_equal(vae_config_set(&config, "latent", cases[i].latent, &err), VAE_OK);
        assert_int_equal(vae_model_new(&model, &config, 2, 2, &err), VAE_E_USAGE);
        assert_string_equal(err.message, cases[i].message);
        assert_null(model);
    }
}

static void priors_that_cannot_be_inside_another_are_no_words_of_it(void **state)
{
    static const char *const cases[][2] = {
        {"lars:base=lars",
         "lars parameter base: 'lars' (expected one of normal|spikeslab|laplace|cauchy|studentt|logistic|"
         "scaled|mixture|vampprior|realnvp)"},
        {"scaled:family=spikeslab",
         "scaled parameter family: 'spikeslab' (expected one of normal|laplace|cauchy|studentt|logistic)"}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        vae_config config;
        vae_error err = {0};
        vae_config_defaults(&config);
        assert_int_equal(vae_config_set(&config, "prior", cases[i][0], &err), VAE_E_USAGE);
        assert_string_equal(err.message, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_do_not_change_a_bit),
        cmocka_unit_test(an_interrupted_run_ends_with_the_same_bits),
        cmocka_unit_test(evaluations_are_the_same_on_any_threads),
        cmocka_unit_test(draws_do_not_depend_on_their_number),
        cmocka_unit_test(draws_of_a_wide_model_are_as_many),
        cmocka_unit_test(bounds_hold_in_training),
        cmocka_unit_test(vampprior_starts_from_training_images),
        cmocka_unit_test(lars_keeps_its_normaliser),
        cmocka_unit_test(free_bits_are_those_of_all_latents),
        cmocka_unit_test(error_of_the_normaliser_is_in_the_likelihood),
        cmocka_unit_test(kl_of_a_joint_prior),
        cmocka_unit_test(shapes_that_do_not_go_are_refused),
        cmocka_unit_test(priors_that_cannot_be_inside_another_are_no_words_of_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
