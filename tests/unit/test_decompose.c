/* SPDX-License-Identifier: MIT
 *
 * The parts of the KL against closed forms: of a linear model of Gaussian data, of posteriors that do not overlap, and
 * of labels that move one latent; then what holds for every model. */
#include "data/source.h"
#include "models.h"

/* Two real numbers an image, evenly spread over N(0,1) each: place i of the sequence with the steps 1/g and 1/g^2, g
 * the root of g^3 = g + 1. The label is the sign of the first. */
static void make_images(vae_images *images, size_t n, bool labelled)
{
    *images = (vae_images){.n = n, .rows = 1, .cols = 2, .split = VAE_TEST, .lowest = -7, .highest = 7};
    images->values = calloc(2 * n, sizeof *images->values);
    images->labels = labelled ? calloc(n, 1) : NULL;
    assert_non_null(images->values);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < 2; j++) {
            const double step = j ? 0.56984029099805327 : 0.75487766624669276, place = fmod((double)(i + 1) * step, 1);
            images->values[2 * i + j] = (float)rng_normal((uint32_t)(place * 0x1p32));
        }
        if (labelled) images->labels[i] = images->values[2 * i] > 0;
    }
}

static const double A[2][2] = {{1.2, 0}, {0.9, 0.5}};

/* q(z|x) = N(A x, s^2): four hidden units that are relu(x_j) and relu(-x_j). */
static vae_model *linear_model(const char *prior, double s)
{
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "4", "likelihood", "gaussian:sigma=1", "prior", prior);
    const float in[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}}, zero[8] = {0};
    const float logvar[2] = {(float)(2 * log(s)), (float)(2 * log(s))};
    float mean[2][4];
    for (size_t j = 0; j < 2; j++)
        for (size_t k = 0; k < 4; k++) mean[j][k] = (float)(k % 2 ? -A[j][k / 2] : A[j][k / 2]);
    set_tensor(model, "encoder.0.weight", *in);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", *mean);
    set_tensor(model, "mu.bias", zero);
    set_tensor(model, "logvar.weight", zero);
    set_tensor(model, "logvar.bias", logvar);
    return model;
}

static vae_decomposition *decompose(const vae_model *model, const vae_images *images, const vae_images *other,
                                    size_t draws, size_t threads)
{
    vae_decomposition *d = NULL;
    vae_error err = {0};
    if (vae_decompose(&d, model, images, other, draws, 7, threads, &err)) fail_msg("%s", err.message);
    return d;
}

/* Within four standard errors, and the error of a sum over images instead of an integral. */
static void assert_estimate(vae_estimate got, double want, const char *what)
{
    assert_within(got.se, 1e-12, 0.05, "standard error of %s", what);
    assert_within(got.value, want - 4 * got.se - 0.01, want + 4 * got.se + 0.01, "%s", what);
}

/* q(z) = N(0, C), C = A A^T + s^2. */
static void linear_gaussian(void **state)
{
    const double s = 0.6, c00 = 1.44 + s * s, c11 = 0.81 + 0.25 + s * s, c01 = 1.08, det = c00 * c11 - c01 * c01;
    const double information = 0.5 * log(det / pow(s, 4)), correlation = 0.5 * log(c00 * c11 / det);
    const double latent[2] = {0.5 * (c00 - 1 - log(c00)), 0.5 * (c11 - 1 - log(c11))};
    vae_images images, other;
    vae_model *model = linear_model("normal", s);
    (void)state;
    make_images(&images, 4000, false);
    make_images(&other, 3000, false);
    vae_decomposition *d = decompose(model, &images, &other, 3000, 2);
    assert_estimate(d->kl, information + correlation + latent[0] + latent[1], "KL");
    for (size_t way = 0; way < VAE_DECOMPOSITION_WAYS; way++) {
        assert_int_equal(d->part[way].components, way == VAE_HELD_OUT ? 3000 : 4000);
        assert_estimate(d->part[way].information, information, "I(x;z)");
        assert_estimate(d->part[way].marginal, correlation + latent[0] + latent[1], "KL(q(z)||p(z))");
        assert_estimate(d->part[way].correlation, correlation, "total correlation");
        assert_estimate(d->part[way].latents, latent[0] + latent[1], "KL of the latents");
    }
    for (size_t j = 0; j < 2; j++) {
        assert_estimate(d->latent_marginal[j], latent[j], "KL of a latent");
        assert_true(isnan(d->latent_label[j].value));
    }
    vae_decomposition_free(&d);
    vae_model_free(&model);
    images_free(&images);
    images_free(&other);
}

/* Posteriors far narrower than their distances: each draw tells its image, I(x;z) = log N if that is in q(z). */
static void narrow_posteriors(void **state)
{
    vae_images images;
    vae_model *model = linear_model("normal", 1e-5);
    (void)state;
    make_images(&images, 50, false);
    vae_decomposition *d = decompose(model, &images, NULL, 200, 1);
    assert_near(d->part[VAE_IN_SAMPLE].information.value, log(50), 1e-6, "I(x;z) with the own image");
    assert_within(d->part[VAE_LEFT_OUT].information.value, 1000, INFINITY, "I(x;z) without it");
    assert_int_equal(d->part[VAE_HELD_OUT].components, 0);
    vae_decomposition_free(&d);
    vae_model_free(&model);
    images_free(&images);
}

/* Two Cauchy posteriors cut at 1 on each side, with the centres 0 and 1.5: their supports have [0.5, 1] in common. */
static double cut_cauchy(double eps) { return fabs(eps) <= 1 ? 2 / (3.14159265358979323846 * (1 + eps * eps)) : 0; }

static double information_at(const void *unused, double z)
{
    const double q = cut_cauchy(z), other = cut_cauchy(z - 1.5);
    (void)unused;
    return q * log(q / ((q + other) / 2));
}

static void posteriors_that_end(void **state)
{
    vae_images images;
    vae_model *model = MODEL_WITH(1, 2, "latent", "1", "hidden", "4", "likelihood", "gaussian:sigma=1", "posterior",
                                  "cauchy:cut=0.25", "prior", "cauchy");
    const float in[4][2] = {{1, 0}, {-1, 0}, {0, 1}, {0, -1}}, mean[4] = {1, -1, 0, 0}, zero[4] = {0};
    const double information = integrate(information_at, NULL, -1, 0.5, 50) +
                               integrate(information_at, NULL, 0.5, 1, 50);
    (void)state;
    set_tensor(model, "encoder.0.weight", *in);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", mean);
    set_tensor(model, "mu.bias", zero);
    set_tensor(model, "logscale.weight", zero);
    set_tensor(model, "logscale.bias", zero);
    make_images(&images, 2, true);
    memcpy(images.values, (const float[]){0, 0, 1.5F, 0}, 4 * sizeof(float));
    vae_decomposition *d = decompose(model, &images, NULL, 4000, 2);
    const vae_decomposition_parts *own = &d->part[VAE_IN_SAMPLE], *left = &d->part[VAE_LEFT_OUT];
    assert_estimate(own->information, information, "I(x;z)");
    assert_near(own->information.value + own->marginal.value, d->kl.value, 1e-9, "KL");
    assert_true(left->information.value > 0 && isinf(left->information.value) && isnan(left->information.se));
    assert_true(left->marginal.value < 0 && isinf(left->marginal.value) && isnan(left->correlation.value));
    vae_decomposition_free(&d);
    vae_model_free(&model);
    images_free(&images);
}

/* z_0 = 1.2 x_0 + s eps and the label is the sign of x_0: p(label|z_0) = Phi(a z_0), a = 1.2 / (s sqrt(1.44 + s^2)). */
static double label_entropy(const void *s, double u)
{
    const double sd = *(const double *)s, a = 1.2 / sd, p = normal_cdf(a * u), q = 1 - p;
    const double h = (p > 0 ? -p * log(p) : 0) + (q > 0 ? -q * log(q) : 0);
    return exp(-u * u / 2) / sqrt(2 * 3.14159265358979323846) * h;
}

static void labels(void **state)
{
    const double s = 0.6;
    vae_images images;
    vae_model *model = linear_model("laplace", s);
    (void)state;
    make_images(&images, 4000, true);
    vae_decomposition *d = decompose(model, &images, NULL, 3000, 3);
    assert_estimate(d->latent_label[0], log(2) - integrate(label_entropy, &s, -9, 9, 200), "I(z_0;label)");
    vae_decomposition_free(&d);
    vae_model_free(&model);
    images_free(&images);
}

/* Where all images are the same one, a label says nothing, be it of two images alone. */
static void labels_of_equal_images(void **state)
{
    vae_images images;
    vae_model *model = linear_model("normal", 0.6);
    (void)state;
    make_images(&images, 4, true);
    for (size_t i = 0; i < 4; i++) {
        images.values[2 * i] = images.values[2 * i + 1] = 0;
        images.labels[i] = (uint8_t)(i % 2);
    }
    vae_decomposition *d = decompose(model, &images, NULL, 50, 1);
    assert_within(fabs(d->latent_label[0].value), 0, 1e-5, "I(z_0;label)");
    assert_within(fabs(d->part[VAE_LEFT_OUT].information.value), 0, 1e-5, "I(x;z)");
    vae_decomposition_free(&d);
    vae_model_free(&model);
    images_free(&images);
}

/* The parts sum to the whole whatever q(z) is, under every prior; and the number of threads changes nothing. */
static void sums_and_threads(void **state)
{
    vae_images images;
    (void)state;
    make_images(&images, 70, true);
    for (size_t i = 0; prior_at(i); i++) {
        const char *name = prior_at(i)->module.name;
        vae_model *model = linear_model(name, 0.6);
        vae_decomposition *d = decompose(model, &images, &images, 130, 1);
        vae_decomposition *again = decompose(model, &images, &images, 130, 3);
        assert_within(d->kl.value, -1, 50, "%s: KL", name);
        for (size_t way = 0; way < VAE_DECOMPOSITION_WAYS; way++) {
            const vae_decomposition_parts *p = &d->part[way];
            assert_near(p->information.value + p->marginal.value, d->kl.value, 1e-9, "%s: KL", name);
            assert_memory_equal(p, &again->part[way], sizeof *p);
            if (prior_at(i)->joint)
                assert_true(isnan(p->latents.value));
            else
                assert_near(p->correlation.value + p->latents.value, p->marginal.value, 1e-4, "%s: marginal", name);
        }
        assert_memory_equal(d->latent_label, again->latent_label, 2 * sizeof(vae_estimate));
        assert_true(isnan(d->latent_marginal[0].value) == (prior_at(i)->joint != NULL));
        /* The same images as `other` images are q(z) with the own one in it. */
        assert_near(d->part[VAE_HELD_OUT].information.value, d->part[VAE_IN_SAMPLE].information.value, 1e-6, "%s",
                    name);
        vae_decomposition_free(&d);
        vae_decomposition_free(&again);
        vae_model_free(&model);
    }
    images_free(&images);
}

static void refuse(const vae_model *model, const vae_images *images, size_t draws, vae_status want)
{
    vae_decomposition *d = NULL;
    vae_error err = {0};
    assert_int_equal(vae_decompose(&d, model, images, NULL, draws, 1, 1, &err), want);
    assert_null(d);
    assert_non_null(strstr(err.message, "decompose"));
}

static void refused(void **state)
{
    vae_images images;
    vae_model *linear = linear_model("normal", 1);
    vae_model *flow = MODEL_WITH(1, 2, "latent", "2", "hidden", "4", "likelihood", "gaussian:sigma=1", "posterior",
                                 "iaf");
    (void)state;
    make_images(&images, 3, false);
    refuse(linear, &images, 1, VAE_E_USAGE);
    refuse(linear, &images, (size_t)VAE_MOST_DRAWS + 1, VAE_E_USAGE);
    refuse(flow, &images, 10, VAE_E_USAGE);
    images.n = 1;
    refuse(linear, &images, 10, VAE_E_DATA);
    images_free(&images);
    vae_model_free(&linear);
    vae_model_free(&flow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(linear_gaussian),
                                       cmocka_unit_test(narrow_posteriors),
                                       cmocka_unit_test(posteriors_that_end),
                                       cmocka_unit_test(labels),
                                       cmocka_unit_test(labels_of_equal_images),
                                       cmocka_unit_test(sums_and_threads),
                                       cmocka_unit_test(refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
