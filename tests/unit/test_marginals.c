/* SPDX-License-Identifier: MIT
 *
 * Distributions of single latents: of factorised priors against their distribution functions in closed form, of joint
 * priors and aggregate posteriors against those of known weights, within the error of so many draws. */
#include "data/source.h"
#include "models.h"

/* ---- Factorised priors ------------------------------------------------------------------------------------------- */

static double cdf_normal(double z) { return normal_cdf(z); }
static double cdf_wide_normal(double z) { return normal_cdf(z / 2.5); }
static double cdf_laplace(double z) { return z < 0 ? 0.5 * exp(z / 2) : 1 - 0.5 * exp(-z / 2); }
static double cdf_cauchy(double z) { return 0.5 + atan(z / 3) / 3.14159265358979323846; }
static double cdf_logistic(double z) { return 1 / (1 + exp(-z)); }
static double cdf_spikeslab(double z) { return 0.8 * normal_cdf(z / sqrt(0.05)) + 0.2 * normal_cdf(z); }
static double cdf_narrow_spike(double z) { return 0.5 * normal_cdf(z / 1e-3) + 0.5 * normal_cdf(z); }

/* Of three degrees of freedom. */
static double cdf_studentt(double z)
{
    return 0.5 + (z / (sqrt(3) * (1 + z * z / 3)) + atan(z / sqrt(3))) / 3.14159265358979323846;
}

static const struct {
    const char *prior;
    double (*cdf)(double);
    double upper; /* where the distribution function is 0.975, from tables; 0: from cdf */
} factorised[] = {
    {"normal", cdf_normal, 1.959964},
    {"laplace:scale=2", cdf_laplace, 5.991465},
    {"cauchy:scale=3", cdf_cauchy, 38.1186},
    {"studentt", cdf_studentt, 3.182446},
    {"logistic", cdf_logistic, 3.663562},
    {"spikeslab:p=0.8,c2=0.05", cdf_spikeslab, 0},
    {"spikeslab:p=0.5,c2=1e-6", cdf_narrow_spike, 0},
};

static const double probabilities[] = {1e-4, 0.001, 0.01, 0.025, 0.1,   0.25,  0.4,
                                       0.5,  0.51,  0.6,  0.8,   0.975, 0.999, 0.9999};

static void check_prior(const char *prior, double (*cdf)(double), double upper)
{
    vae_marginals *marginals = NULL;
    vae_model *model = MODEL_WITH(1, 2, "latent", "3", "hidden", "2", "prior", prior);
    assert_int_equal(vae_prior_marginals(&marginals, model, 1, NULL), VAE_OK);
    vae_model_free(&model); /* the distributions stay */
    double before = -INFINITY;
    for (size_t i = 0; i < sizeof probabilities / sizeof *probabilities; i++) {
        const double p = probabilities[i], z = vae_marginal_quantile(marginals, i % 3, p);
        assert_within(fabs(cdf(z) - p), 0, 1e-5, "%s: quantile %g, z = %g", prior, p, z);
        assert_within(fabs(vae_marginal_cdf(marginals, i % 3, z) - p), 0, 1e-9, "%s: there and back, %g", prior, p);
        assert_true(z > before);
        before = z;
    }
    if (upper > 0) assert_near(vae_marginal_quantile(marginals, 0, 0.975), upper, 2e-4, "%s: 97.5 %%", prior);
    for (double z = -6; z <= 6; z += 0.37)
        assert_within(fabs(vae_marginal_cdf(marginals, 1, z) - cdf(z)), 0, 1e-5, "%s: below %g", prior, z);
    assert_within(fabs(vae_marginal_cdf(marginals, 1, 0) - 0.5), 0, 1e-6, "%s: below 0", prior);
    assert_near(vae_marginal_cdf(marginals, 0, -1e30), 0, 1e-6, "%s: far below", prior);
    assert_near(vae_marginal_cdf(marginals, 0, 1e30), 1, 1e-6, "%s: far above", prior);
    assert_true(isnan(vae_marginal_cdf(marginals, 0, NAN)) && isnan(vae_marginal_quantile(marginals, 0, NAN)));
    assert_true(isfinite(vae_marginal_quantile(marginals, 0, 0)) && isfinite(vae_marginal_quantile(marginals, 0, 1)));
    vae_marginals_free(&marginals);
    assert_null(marginals);
    vae_marginals_free(&marginals);
}

static void factorised_priors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof factorised / sizeof *factorised; i++)
        check_prior(factorised[i].prior, factorised[i].cdf, factorised[i].upper);
}

/* ---- By draws ---------------------------------------------------------------------------------------------------- */

/* Four standard errors of a share of VAE_MARGINAL_DRAWS draws, at its largest. */
static double share_error(void) { return 2 / sqrt(VAE_MARGINAL_DRAWS); }

static void check_draws(const vae_marginals *marginals, size_t latent, double (*cdf)(double), const char *what)
{
    for (double p = 0.02; p < 1; p += 0.06)
        assert_within(fabs(cdf(vae_marginal_quantile(marginals, latent, p)) - p), 0, share_error(),
                      "%s: quantile %g of latent %zu", what, p, latent);
    for (double z = -6; z <= 6; z += 0.37)
        assert_within(fabs(vae_marginal_cdf(marginals, latent, z) - cdf(z)), 0, share_error(),
                      "%s: below %g, latent %zu", what, z, latent);
    assert_true(vae_marginal_quantile(marginals, latent, 0) < vae_marginal_quantile(marginals, latent, 1e-3));
    assert_true(vae_marginal_quantile(marginals, latent, 1) > vae_marginal_quantile(marginals, latent, 0.999));
    assert_true(isnan(vae_marginal_cdf(marginals, latent, NAN)));
}

/* Each latent has its own scale. */
static void joint_prior(void **state)
{
    const float logscale[2] = {0, 0.91629073f}; /* log 2.5 */
    vae_marginals *marginals = NULL;
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "prior", "scaled");
    (void)state;
    set_tensor(model, "prior.logscale", logscale);
    assert_int_equal(vae_prior_marginals(&marginals, model, 5, NULL), VAE_OK);
    check_draws(marginals, 0, cdf_normal, "scaled");
    check_draws(marginals, 1, cdf_wide_normal, "scaled");
    vae_marginals_free(&marginals);
    vae_model_free(&model);
}

/* The mean is (x0 - 1/2, 2 x1), the deviation (e^(1/4), e^(-1/2)). */
static vae_model *make_encoder(const char *posterior)
{
    const float unit[4] = {1, 0, 0, 1}, zero[4] = {0};
    vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "posterior", posterior);
    set_tensor(model, "encoder.0.weight", unit);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", (const float[4]){1, 0, 0, 2});
    set_tensor(model, "mu.bias", (const float[2]){-0.5f, 0});
    set_tensor(model, "logvar.weight", zero);
    set_tensor(model, "logvar.bias", (const float[2]){0.5f, -1});
    return model;
}

static const double scale[2] = {1.2840254166877414, 0.60653065971263342};

/* `n` images, of which every fourth is white and the others are black. */
static void make_images(vae_images *images, size_t n)
{
    assert_int_equal(images_new(images, n, 1, 2, false, NULL), VAE_OK);
    for (size_t i = 0; i < 2 * n; i++) images->pixels[i] = i / 2 % 4 ? 0 : 255;
}

static double cdf_mixed_0(double z)
{
    return 0.75 * normal_cdf((z + 0.5) / scale[0]) + 0.25 * normal_cdf((z - 0.5) / scale[0]);
}

static double cdf_mixed_1(double z) { return 0.75 * normal_cdf(z / scale[1]) + 0.25 * normal_cdf((z - 2) / scale[1]); }

static void aggregate_posterior(void **state)
{
    static const size_t sizes[] = {4, 1000, 20000}; /* 4096 draws of each image, 17, 1 */
    vae_model *model = make_encoder("gaussian");
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vae_images images;
        vae_marginals *marginals = NULL;
        make_images(&images, sizes[i]);
        assert_int_equal(vae_aggregate_marginals(&marginals, model, &images, 3, 2, NULL), VAE_OK);
        check_draws(marginals, 0, cdf_mixed_0, "aggregate");
        check_draws(marginals, 1, cdf_mixed_1, "aggregate");
        vae_marginals_free(&marginals);
        images_free(&images);
    }
    vae_model_free(&model);
}

static double cdf_halves_1(double z) { return 0.5 * normal_cdf(z / scale[1]) + 0.5 * normal_cdf((z - 2) / scale[1]); }

/* Images that come late count as the first ones do. */
static void late_images(void **state)
{
    vae_images images;
    vae_marginals *marginals = NULL;
    vae_model *model = make_encoder("gaussian");
    (void)state;
    make_images(&images, 20000);
    for (size_t i = 0; i < 2 * images.n; i++) images.pixels[i] = i < images.n ? 0 : 255;
    assert_int_equal(vae_aggregate_marginals(&marginals, model, &images, 3, 2, NULL), VAE_OK);
    check_draws(marginals, 1, cdf_halves_1, "aggregate");
    vae_marginals_free(&marginals);
    images_free(&images);
    vae_model_free(&model);
}

static void no_images(void **state)
{
    vae_images none = {.rows = 1, .cols = 2};
    vae_marginals *marginals = NULL;
    vae_error err = {0};
    vae_model *model = make_encoder("gaussian");
    (void)state;
    assert_int_equal(vae_aggregate_marginals(&marginals, model, &none, 1, 1, &err), VAE_E_DATA);
    assert_string_equal(err.message, "no images: there is no aggregate posterior");
    assert_null(marginals);
    vae_model_free(&model);
}

/* ---- Draws of posteriors ----------------------------------------------------------------------------------------- */

enum { N = 1100 };

static void posterior_draws(void **state)
{
    static float all[2 * N], some[2 * N];
    vae_images images;
    vae_error err = {0};
    vae_model *model = make_encoder("gaussian");
    (void)state;
    make_images(&images, N);
    assert_int_equal(vae_sample_posterior(model, &images, 0, N, 7, 1, all, NULL), VAE_OK);
    for (size_t j = 0; j < 2; j++) {
        struct moments m = {0};
        for (size_t i = 0; i < N; i++) {
            const double white = i % 4 ? 0 : 1, mean = j ? 2 * white : white - 0.5;
            moments_add(&m, ((double)all[2 * i + j] - mean) / scale[j]);
        }
        assert_within(m.mean, -0.12, 0.12, "mean of the noise of latent %zu", j); /* four standard errors */
        assert_within(moments_variance(&m), 0.82, 1.18, "variance of the noise of latent %zu", j);
    }
    for (size_t n = 25; n <= N; n += 575) { /* the first draws, whatever their number and that of threads */
        assert_int_equal(vae_sample_posterior(model, &images, 0, n, 7, 2, some, NULL), VAE_OK);
        assert_memory_equal(some, all, 2 * n * sizeof *some);
    }
    assert_int_equal(vae_sample_posterior(model, &images, 0, N, 8, 1, some, NULL), VAE_OK);
    assert_memory_not_equal(some, all, sizeof all);
    assert_int_equal(vae_sample_posterior(model, &images, N, 1, 7, 1, some, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "1 images from 1100 on, of 1100");
    images_free(&images);
    vae_model_free(&model);
}

/* A flow that has not learned shrinks z by sigmoid(2) a block, whatever the prior. */
static void posterior_draws_of_a_flow(void **state)
{
    static const char *const priors[] = {"normal", "scaled"};
    static float z[2 * N];
    const float unit[4] = {1, 0, 0, 1}, zero[4] = {0};
    const double shrink = pow(1 + exp(-2), -3);
    vae_images images;
    (void)state;
    make_images(&images, N);
    for (size_t k = 0; k < 2; k++) {
        vae_model *model = MODEL_WITH(1, 2, "latent", "2", "hidden", "2", "prior", priors[k], "posterior",
                                      "iaf:blocks=3,width=5,context=4");
        struct moments m = {0};
        set_tensor(model, "encoder.0.weight", unit);
        set_tensor(model, "encoder.0.bias", zero);
        set_tensor(model, "mu.weight", zero);
        set_tensor(model, "mu.bias", (const float[2]){2, 2});
        set_tensor(model, "logvar.weight", zero);
        set_tensor(model, "logvar.bias", zero);
        assert_int_equal(vae_sample_posterior(model, &images, 0, N, 7, 2, z, NULL), VAE_OK);
        for (size_t i = 0; i < 2 * N; i++) moments_add(&m, (double)z[i] / shrink);
        assert_within(m.mean, 1.915, 2.085, "prior %s: mean", priors[k]); /* four standard errors */
        assert_within(moments_variance(&m), 0.88, 1.12, "prior %s: variance", priors[k]);
        vae_model_free(&model);
    }
    images_free(&images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factorised_priors),
        cmocka_unit_test(joint_prior),
        cmocka_unit_test(aggregate_posterior),
        cmocka_unit_test(late_images),
        cmocka_unit_test(no_images),
        cmocka_unit_test(posterior_draws),
        cmocka_unit_test(posterior_draws_of_a_flow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
