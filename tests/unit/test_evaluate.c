/* SPDX-License-Identifier: MIT
 *
 * Evaluation against known answers: the importance-sampled likelihood of a model whose likelihood has a formula,
 * Hoyer's measure of vectors and of the priors themselves, the floor of each prior, and the linear probe on labels that
 * a line can and cannot tell apart. */
#include "data/source.h"
#include "evaluate/evaluate.h"
#include "evaluate/sparsity.h"
#include "models.h"
#include "pass/pass.h"

/* ---- Likelihood ------------------------------------------------------------------------------------------------- */

/* sigma = 1/2 in make_conjugate. */
static vae_model *toy_model(double m, double s)
{
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2", "likelihood", "gaussian:sigma=0.5");
    make_conjugate(model, m, s);
    return model;
}

static vae_nll toy_nll(const vae_model *model, size_t n, uint8_t byte, size_t samples, uint64_t seed, size_t threads)
{
    vae_images images;
    vae_nll nll;
    vae_error err = {0};
    assert_int_equal(images_new(&images, n, 1, 1, false, NULL), VAE_OK);
    memset(images.pixels, byte, n);
    const vae_nll_options options = {.samples = samples, .seed = seed, .threads = threads};
    if (vae_estimate_nll(&nll, model, &images, &options, &err)) fail_msg("%s", err.message);
    images_free(&images);
    return nll;
}

/* -log N(x; 0, 1 + 1/4) */
static double toy_answer(double x) { return 0.5 * (x * x / 1.25 + log(6.28318530717958647693 * 1.25)); }

/* With q the true posterior all weights are equal, and one sample is as good as any number. */
static void nll_is_exact_at_the_posterior(void **state)
{
    const double x = 200 / 255.0;
    vae_model *model = toy_model(0.8 * x, sqrt(0.2));
    (void)state;
    for (size_t samples = 1; samples < 300; samples = 3 * samples + 1) {
        const vae_nll nll = toy_nll(model, 3, 200, samples, 5, 1);
        assert_near(nll.nll, toy_answer(x), 1e-6, "nll with %zu samples", samples);
        if (samples > 1) assert_within(nll.mc_se, 0, 1e-3 / sqrt((double)samples), "its error");
        assert_int_equal(isnan(nll.mc_se), samples == 1);
        assert_near(nll.effective_samples, (double)samples, 1e-5, "effective samples");
    }
    vae_model_free(&model);
}

/* Elsewhere it falls to the answer as samples grow, within the error that it states; and a thread more or less
 * changes nothing. */
static void nll_approaches_the_answer(void **state)
{
    const double x = 100 / 255.0;
    vae_model *model = toy_model(0.8 * x - 0.3, 0.6);
    double before = INFINITY;
    (void)state;
    for (size_t samples = 1; samples <= 1000; samples *= 10) {
        const vae_nll nll = toy_nll(model, 2000, 100, samples, 5, 1), again = toy_nll(model, 2000, 100, samples, 5, 3);
        assert_memory_equal(&nll, &again, sizeof nll);
        assert_true(nll.nll < before);
        before = nll.nll;
    }
    const vae_nll best = toy_nll(model, 200, 100, 5000, 5, 1);
    assert_within(best.nll - toy_answer(x), -4 * best.mc_se, 4 * best.mc_se + 1e-4, "nll of 5000 samples");
    assert_within(best.mc_se, 1e-4, 5e-3, "its error");
    vae_model_free(&model);
}

/* One image has no spread; two have one, the half of their difference. */
static void nll_knows_its_images(void **state)
{
    vae_model *model = toy_model(0.3, 0.5);
    vae_images images;
    vae_nll one, other, both;
    const vae_nll_options options = {.samples = 50, .seed = 3, .threads = 1};
    (void)state;
    assert_int_equal(images_new(&images, 2, 1, 1, false, NULL), VAE_OK);
    images.pixels[0] = 10;
    images.pixels[1] = 250;
    assert_int_equal(vae_estimate_nll(&both, model, &images, &options, NULL), VAE_OK);
    images.n = 1;
    assert_int_equal(vae_estimate_nll(&one, model, &images, &options, NULL), VAE_OK);
    other.nll = 2 * both.nll - one.nll;
    assert_int_equal(both.n, 2);
    assert_true(isnan(one.se));
    assert_near(both.se, 0.5 * fabs(one.nll - other.nll), 1e-9, "standard error of two images");
    assert_true(both.se > 0.1);
    images_free(&images);
    vae_model_free(&model);
}

/* The stated error of sampling is the spread over seeds. */
static void nll_knows_its_error(void **state)
{
    vae_model *model = toy_model(0.1, 0.6);
    struct moments spread = {0}, stated = {0};
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        const vae_nll nll = toy_nll(model, 20, 100, 200, seed, 1);
        moments_add(&spread, nll.nll);
        moments_add(&stated, nll.mc_se);
    }
    assert_within(sqrt(moments_variance(&spread)) / stated.mean, 0.8, 1.2, "spread over stated error");
    vae_model_free(&model);
}

/* The stated bias is what its mean is above the answer. */
static void nll_knows_its_bias(void **state)
{
    static const struct {
        size_t samples;
        double m, s; /* of q: with two samples it must be near the posterior */
    } cases[] = {{2, 0.27, 0.46}, {20, 0.1, 0.6}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vae_model *model = toy_model(cases[i].m, cases[i].s);
        const double S = (double)cases[i].samples;
        struct moments excess = {0}, stated = {0};
        for (uint64_t seed = 0; seed < 20; seed++) {
            const vae_nll nll = toy_nll(model, 20000, 100, cases[i].samples, seed, 1);
            moments_add(&excess, nll.nll - toy_answer(100 / 255.0));
            moments_add(&stated, nll.bias);
            assert_near(nll.effective_samples, 1 / (2 * nll.bias * (S - 1) / S + 1 / S), 1e-9, "effective samples");
        }
        assert_within(excess.mean / stated.mean, 0.85, 1.15, "excess over stated bias with %.0f samples", S);
        vae_model_free(&model);
    }
}

/* ---- Flows ------------------------------------------------------------------------------------------------------ */

/* A flow that has not learned shrinks z by sigmoid(2) a block: q(z|x) = N(m, s^2) starts wider by as much. */
static vae_model *toy_flow(double m, double s)
{
    const double grow = pow(1 + exp(-2), 2);
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2", "likelihood", "gaussian:sigma=0.5", "posterior",
                                  "iaf:blocks=2,width=3,context=2");
    make_conjugate(model, grow * m, grow * s);
    return model;
}

static void nll_is_exact_at_the_posterior_of_a_flow(void **state)
{
    const double x = 200 / 255.0;
    vae_model *model = toy_flow(0.8 * x, sqrt(0.2));
    (void)state;
    for (size_t samples = 1; samples < 300; samples = 3 * samples + 1) /* 13 and 40: also a last part of 5 draws */
        assert_near(toy_nll(model, 3, 200, samples, 5, 1).nll, toy_answer(x), 1e-6, "nll with %zu samples", samples);
    vae_model_free(&model);
}

/* KL(N(m, s^2) || N(0, 1)) by draws; and what is not known of a flow. */
static void losses_of_a_flow(void **state)
{
    enum { N = 20000 };
    const double m = 0.7, s = 0.6, kl = 0.5 * (m * m + s * s - 1 - log(s * s));
    vae_model *model = toy_flow(m, s);
    vae_evaluation *e = NULL;
    vae_eval_options options;
    vae_images images;
    vae_error err = {0};
    (void)state;
    assert_int_equal(images_new(&images, N, 1, 1, false, NULL), VAE_OK);
    vae_eval_defaults(&options);
    assert_int_equal(vae_evaluate(&e, model, &images, &options, NULL), VAE_OK);
    assert_near(e->kl, kl, 0.015, "KL"); /* four standard errors: -log p varies by 0.5 */
    assert_near(e->neg_elbo, e->recon + e->kl, 1e-12, "-ELBO");
    const double near = options.near_zero;
    assert_near(e->near_zero_share, normal_cdf((near - m) / s) - normal_cdf((-near - m) / s), 0.015, "share near zero");
    assert_true(isnan(e->kl_per_dim[0]) && isnan(e->kl_floor));
    assert_int_equal(e->kl_samples, 1);
    vae_evaluation_free(&e);
    options.kl = VAE_KL_EXACT;
    assert_int_equal(vae_evaluate(&e, model, &images, &options, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "prior normal has no exact KL to a iaf posterior");
    images_free(&images);
    vae_model_free(&model);
}

/* Each image's centre is where the flow takes its mean. */
static void centres_of_a_flow(void **state)
{
    const float first[2] = {1, 0}, zero[2] = {0};
    const double shrink = pow(1 + exp(-2), -2);
    vae_model *model = toy_flow(0, 1);
    vae_evaluation *e = NULL;
    vae_eval_options options;
    vae_images images;
    (void)state;
    set_tensor(model, "encoder.0.weight", first);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", first);
    set_tensor(model, "mu.bias", zero);
    assert_int_equal(images_new(&images, 256, 1, 1, false, NULL), VAE_OK);
    for (size_t i = 0; i < 256; i++) images.pixels[i] = (uint8_t)i;
    vae_eval_defaults(&options);
    options.samples = 3;
    assert_int_equal(vae_evaluate(&e, model, &images, &options, NULL), VAE_OK);
    assert_near(e->mean_variance[0], shrink * shrink * (256.0 * 256 - 1) / 12 / (255.0 * 255), 1e-6, "variance");
    vae_evaluation_free(&e);
    images_free(&images);
    vae_model_free(&model);
}

/* ---- Blocks ----------------------------------------------------------------------------------------------------- */

/* No layer has more than 2^22 values at once, whatever is evaluated. */
static void blocks_shrink_with_images(void **state)
{
    static const size_t known[][3] = {{28, 28, 512}, {64, 128, 512}, {64, 256, 256}, {512, 512, 16}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_model *model = MODEL_WITH(known[i][0], known[i][1], "hidden", "2");
        assert_int_equal(pass_rows(model, 512), known[i][2]);
        vae_model_free(&model);
    }
}

/* ---- Latents that do not move ------------------------------------------------------------------------------------ */

/* A model whose posterior means are the two pixels, less a half. */
static vae_model *identity_model(void)
{
    const float unit[4] = {1, 0, 0, 1}, half[2] = {-0.5f, -0.5f}, zero[2] = {0};
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2");
    set_tensor(model, "encoder.0.weight", unit);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", unit);
    set_tensor(model, "mu.bias", half);
    return model;
}

/* Their variance is not a difference of roundings, and nothing is divided by it. */
static void still_latents_have_no_variance(void **state)
{
    enum { N = 3000 };
    const float zero[4] = {0}, mean[2] = {0.7f, -1.3e-3f};
    vae_model *model = identity_model();
    vae_evaluation *e = NULL;
    vae_eval_options options;
    vae_images images;
    (void)state;
    set_tensor(model, "mu.weight", zero);
    set_tensor(model, "mu.bias", mean);
    vae_eval_defaults(&options);
    assert_int_equal(images_new(&images, N, 1, 2, false, NULL), VAE_OK);
    for (size_t i = 0; i < 2 * N; i++) images.pixels[i] = (uint8_t)(i % 251);
    assert_int_equal(vae_evaluate(&e, model, &images, &options, NULL), VAE_OK);
    assert_true(e->mean_variance[0] == 0 && e->mean_variance[1] == 0);
    assert_true(isnan(e->hoyer_normalized) && isnan(e->hoyer_active));
    assert_int_equal(e->active_units, 0);
    vae_evaluation_free(&e);
    images_free(&images);
    vae_model_free(&model);
}

/* ---- Sparsity --------------------------------------------------------------------------------------------------- */

static void hoyer_of_vectors(void **state)
{
    const float one[4] = {0, -3, 0, 0}, equal[4] = {2, -2, 2, 2}, mixed[4] = {3, 4, 0, 0};
    const double scale[4] = {1, 2, 1, 1}, left_out[4] = {3, 4, 0, 0}, single[4] = {1, 0, 0, 0};
    (void)state;
    assert_near(hoyer(1, 4, one, NULL), 1, 1e-12, "one latent");
    assert_near(hoyer(1, 4, equal, NULL), 0, 1e-12, "equal latents");
    assert_near(hoyer(1, 4, mixed, NULL), 2 - 7.0 / 5, 1e-12, "3, 4, 0, 0");
    assert_near(hoyer(1, 4, mixed, scale), 2 - 5 / sqrt(13), 1e-12, "3, 4/2, 0, 0");
    assert_near(hoyer(1, 4, mixed, left_out), 0, 1e-12, "3/3, 4/4");
    assert_true(isnan(hoyer(1, 4, mixed, single)));
    assert_near(hoyer(1, 4, (const float[4]){0}, NULL), 0, 1e-12, "nothing");
}

/* Figures of draws from the priors themselves, from an independent computation; d = 10. */
static void hoyer_of_priors(void **state)
{
    enum { N = 20000, D = 10 };
    static const struct {
        const char *prior;
        double hoyer;
    } known[] = {{"normal", 0.266}, {"laplace", 0.358}, {"spikeslab:p=0.8,c2=0.05", 0.413}, {"cauchy", 0.57}};
    float *z = calloc(N * D, sizeof *z);
    (void)state;
    assert_non_null(z);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_model *model = MODEL_WITH(2, 2, "prior", known[i].prior, "hidden", "2");
        assert_int_equal(vae_sample_prior(model, 4, N, z, NULL), VAE_OK);
        assert_within(hoyer(N, D, z, NULL), known[i].hoyer - 0.006, known[i].hoyer + 0.006, "Hoyer of %s",
                      known[i].prior);
        vae_model_free(&model);
    }
    free(z);
}

/* Published floors, and two that have a second minimum. */
static void floors(void **state)
{
    static const struct {
        const char *prior;
        double floor;
    } known[] = {{"normal", 0},
                 {"laplace", 0.0484},
                 {"laplace:scale=0.2", 0.0484},
                 {"cauchy", 0.1828},
                 {"cauchy:scale=3", 0.1828},
                 {"studentt:nu=1", 0.1828},
                 {"studentt:nu=3,scale=2", 0.0407},
                 {"studentt:nu=10", 0.0056},
                 {"spikeslab:p=0.8,c2=0.05", 0.0893},
                 {"spikeslab:p=0.5,c2=0.05", 0.137},
                 {"spikeslab:p=0.8,c2=0.01", 0.157},
                 {"spikeslab:p=0.8,c2=0.0025", 0.188},
                 {"spikeslab:p=0.5,c2=0.0025", 0.4538},
                 {"spikeslab:p=0.8,c2=1e-6", 0.222},
                 {"spikeslab:p=0", 0},
                 {"spikeslab:p=1,c2=0.01", 0}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_model *model = MODEL_WITH(2, 2, "prior", known[i].prior, "hidden", "2");
        assert_within(kl_floor(model) - known[i].floor, -6e-4, 6e-4, "floor of %s", known[i].prior);
        vae_model_free(&model);
    }
}

/* ---- Linear probe ----------------------------------------------------------------------------------------------- */

static void make_labelled(vae_images *images, size_t n, uint64_t from, uint8_t (*label)(double a, double b))
{
    assert_int_equal(images_new(images, n, 1, 2, true, NULL), VAE_OK);
    for (size_t i = 0; i < n; i++) {
        const double a = test_uniform(from + 2 * i, 0, 1), b = test_uniform(from + 2 * i + 1, 0, 1);
        images->pixels[2 * i] = (uint8_t)(255 * a);
        images->pixels[2 * i + 1] = (uint8_t)(255 * b);
        images->labels[i] = label(a, b);
    }
}

static uint8_t by_line(double a, double b) { return a + 2 * b < 1 ? 0 : a + 2 * b < 2 ? 5 : 2; }
static uint8_t by_quarter(double a, double b) { return (a < 0.5) != (b < 0.5); }

static double probe(uint8_t (*label)(double a, double b))
{
    vae_images train, test;
    double accuracy;
    vae_model *model = identity_model();
    make_labelled(&train, 3000, 0, label);
    make_labelled(&test, 1000, 100000, label);
    assert_int_equal(vae_probe(&accuracy, model, &train, &test, 1, 1, NULL), VAE_OK);
    images_free(&train);
    images_free(&test);
    vae_model_free(&model);
    return accuracy;
}

static void probe_finds_lines_and_no_more(void **state)
{
    (void)state;
    assert_within(probe(by_line), 0.97, 1, "accuracy where lines tell classes apart");
    assert_within(probe(by_quarter), 0.4, 0.65, "accuracy where they cannot");
}

static void probe_needs_labels(void **state)
{
    vae_images images;
    double accuracy = 0;
    vae_model *model = identity_model();
    (void)state;
    assert_int_equal(images_new(&images, 5, 1, 2, false, NULL), VAE_OK);
    assert_int_equal(vae_probe(&accuracy, model, &images, &images, 1, 1, NULL), VAE_OK);
    assert_true(isnan(accuracy));
    images_free(&images);
    vae_model_free(&model);
}

/* ---- Collapse and clusters --------------------------------------------------------------------------------------- */

/* mu = 4 x in one latent, the prior itself in the other; x is 1 in the last `moving` of 200 images and else 0. */
static double collapsed_share(size_t moving)
{
    const float weight[2] = {1, -1}, mu[2][2] = {{4, 0}, {0, 0}}, zero[4] = {0};
    vae_model *model = MODEL_WITH(1, 1, "latent", "2", "hidden", "2");
    vae_evaluation *result = NULL;
    vae_eval_options options;
    vae_images images;
    set_tensor(model, "encoder.0.weight", weight);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", *mu);
    set_tensor(model, "mu.bias", zero);
    set_tensor(model, "logvar.weight", zero);
    set_tensor(model, "logvar.bias", zero);
    assert_int_equal(images_new(&images, 200, 1, 1, false, NULL), VAE_OK);
    memset(images.pixels, 0, 200);
    memset(images.pixels + 200 - moving, 255, moving);
    vae_eval_defaults(&options);
    assert_int_equal(vae_evaluate(&result, model, &images, &options, NULL), VAE_OK);
    const double share = result->collapsed_share;
    vae_evaluation_free(&result);
    options.kl = VAE_KL_MC;
    assert_int_equal(vae_evaluate(&result, model, &images, &options, NULL), VAE_OK);
    assert_true(isnan(result->collapsed_share));
    vae_evaluation_free(&result);
    images_free(&images);
    vae_model_free(&model);
    return share;
}

static void collapsed_latents(void **state)
{
    (void)state;
    assert_near(collapsed_share(0), 1, 1e-12, "no image moves a latent");
    assert_near(collapsed_share(2), 1, 1e-12, "one in a hundred does");
    assert_near(collapsed_share(3), 0.5, 1e-12, "more do");
}

/* H(a) = log 2; H(b) = log 4 - 3/4 log 3; I = H(a) + H(b) - 3/2 log 2. */
static void normalised_information_of_labels(void **state)
{
    static size_t both[VAE_PAIRS_OF_LABELS];
    const uint8_t a[4] = {0, 0, 1, 1}, b[4] = {7, 7, 7, 255}, swapped[4] = {9, 9, 3, 3}, other[4] = {0, 1, 0, 1};
    const double of_a = log(2), of_b = log(4) - 0.75 * log(3), information = of_a + of_b - 1.5 * log(2);
    (void)state;
    assert_near(normalised_information(4, a, b, both), 2 * information / (of_a + of_b), 1e-12, "by hand");
    assert_near(normalised_information(4, a, swapped, both), 1, 1e-12, "other names");
    assert_near(normalised_information(4, a, other, both), 0, 1e-12, "independent");
    assert_true(isnan(normalised_information(2, a, b, both)));
}

/* Three clouds of images, of which the model keeps the place: labels by cloud are found, labels by parity are not. */
static void clusters_are_found(void **state)
{
    enum { N = 300 };
    const float weight[2] = {1, -1}, mu[2] = {4, 0}, zero[2] = {0};
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2");
    vae_images images;
    double nmi;
    (void)state;
    set_tensor(model, "encoder.0.weight", weight);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", mu);
    set_tensor(model, "mu.bias", zero);
    assert_int_equal(images_new(&images, N, 1, 1, true, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) {
        images.labels[i] = (uint8_t)(i % 3);
        images.pixels[i] = (uint8_t)(100 * (i % 3) + i / 3 % 20);
    }
    assert_int_equal(vae_cluster(&nmi, model, &images, 1, 1, NULL), VAE_OK);
    assert_near(nmi, 1, 1e-12, "clouds");
    for (size_t i = 0; i < N; i++) images.labels[i] = (uint8_t)(i % 3 ? 100 * (i % 3) : 1);
    assert_int_equal(vae_cluster(&nmi, model, &images, 1, 1, NULL), VAE_OK);
    assert_near(nmi, 1, 1e-12, "clouds with other numbers");
    for (size_t i = 0; i < N; i++) images.labels[i] = (uint8_t)(i / 3 % 2);
    assert_int_equal(vae_cluster(&nmi, model, &images, 1, 1, NULL), VAE_OK);
    assert_within(nmi, 0, 0.05, "parities");
    free(images.labels);
    images.labels = NULL;
    assert_int_equal(vae_cluster(&nmi, model, &images, 1, 1, NULL), VAE_OK);
    assert_true(isnan(nmi));
    images_free(&images);
    vae_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nll_is_exact_at_the_posterior),
        cmocka_unit_test(nll_approaches_the_answer),
        cmocka_unit_test(nll_knows_its_images),
        cmocka_unit_test(nll_knows_its_error),
        cmocka_unit_test(nll_knows_its_bias),
        cmocka_unit_test(nll_is_exact_at_the_posterior_of_a_flow),
        cmocka_unit_test(losses_of_a_flow),
        cmocka_unit_test(centres_of_a_flow),
        cmocka_unit_test(blocks_shrink_with_images),
        cmocka_unit_test(still_latents_have_no_variance),
        cmocka_unit_test(hoyer_of_vectors),
        cmocka_unit_test(hoyer_of_priors),
        cmocka_unit_test(floors),
        cmocka_unit_test(probe_finds_lines_and_no_more),
        cmocka_unit_test(probe_needs_labels),
        cmocka_unit_test(collapsed_latents),
        cmocka_unit_test(normalised_information_of_labels),
        cmocka_unit_test(clusters_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
