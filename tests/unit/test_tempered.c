/* SPDX-License-Identifier: MIT
 *
 * Draws at a temperature, under each prior: at 1 they are those of the prior, at 0 there is no noise. And draws from
 * the aggregate posterior: whose they are. */
#include "models.h"

enum { N = 20, L = 3 };
static const double HALF = 0.5;

static vae_model *with_prior(const char *prior)
{
    return MODEL_WITH(2, 2, "latent", "3", "hidden", "4", "prior", prior);
}

static void draw(const vae_model *model, double temperature, float z[N * L])
{
    vae_error err = {0};
    if (vae_sample_tempered(model, 5, temperature, N, z, &err)) fail_msg("%s", err.message);
}

static void one_is_the_prior(void **state)
{
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        float z[N * L], tempered[N * L];
        vae_model *model = with_prior(prior_at(i)->module.name);
        assert_int_equal(vae_sample_prior(model, 5, N, z, NULL), VAE_OK);
        draw(model, 1, tempered);
        assert_memory_equal(z, tempered, sizeof z);
        vae_model_free(&model);
    }
}

/* Priors whose draws are T times those at 1. */
static void independent_latents(void **state)
{
    static const char *const priors[] = {"normal",   "spikeslab", "laplace", "cauchy",
                                         "studentt", "logistic",  "scaled",  "scaled:family=laplace"};
    (void)state;
    for (size_t i = 0; i < sizeof priors / sizeof *priors; i++) {
        float one[N * L], half[N * L];
        vae_model *model = with_prior(priors[i]);
        draw(model, 1, one);
        draw(model, HALF, half);
        for (size_t k = 0; k < N * L; k++)
            if (half[k] != one[k] / 2) fail_msg("%s: %g at 0.5, %g at 1", priors[i], (double)half[k], (double)one[k]);
        vae_model_free(&model);
    }
}

static size_t distinct(const float z[N * L])
{
    size_t n = 0;
    for (size_t r = 0; r < N; r++) {
        size_t same = 0;
        while (same < r && memcmp(z + same * L, z + r * L, L * sizeof *z)) same++;
        n += same == r;
    }
    return n;
}

/* z = mean + T sd eps: what is between two draws of one place is between their temperatures. At 0 it is the mean of the
 * component, of which there are two. */
static void mixtures(void **state)
{
    static const char *const priors[] = {"mixture:components=2", "vampprior:components=2"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        float zero[N * L], half[N * L], one[N * L];
        vae_model *model = with_prior(priors[i]);
        draw(model, 0, zero);
        draw(model, HALF, half);
        draw(model, 1, one);
        for (size_t k = 0; k < N * L; k++)
            assert_near((double)(half[k] - zero[k]), (double)(one[k] - zero[k]) / 2, 1e-6, "%s: draw %zu", priors[i],
                        k);
        assert_int_equal(distinct(zero), i ? 1 : 2); /* pseudo-inputs are alike until they have learned */
        vae_model_free(&model);
    }
}

/* The map of a RealNVP that has not learned is the identity, up to the order of latents. */
static void maps(void **state)
{
    float zero[N * L], one[N * L];
    vae_model *model = with_prior("realnvp");
    (void)state;
    draw(model, 0, zero);
    draw(model, 1, one);
    for (size_t r = 1; r < N; r++) {
        assert_memory_equal(zero, zero + r * L, L * sizeof *zero);
        assert_memory_not_equal(one, one + r * L, L * sizeof *one);
    }
    vae_model_free(&model);
}

static void refusals(void **state)
{
    static const double bad[] = {-0.1, 1001, NAN, INFINITY};
    float z[N * L];
    vae_error err = {0};
    vae_model *lars = with_prior("lars"), *normal = with_prior("normal");
    (void)state;
    assert_int_equal(vae_sample_tempered(lars, 1, HALF, N, z, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "temperature: prior lars rejects draws, and has no noise to multiply");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(vae_sample_tempered(normal, 1, bad[i], N, z, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "temperature: inf is out of range (expected 0 to 1000)");
    vae_model_free(&lars);
    vae_model_free(&normal);
}

/* A posterior that is a point tells which image a draw is of. */
static void aggregates(void **state)
{
    enum { IMAGES = 4, DRAWS = 4000 };
    static float z[DRAWS], again[DRAWS];
    const float unit[2] = {1, 0}, zero[2] = {0}, logvar = -60;
    const uint8_t pixels[IMAGES] = {0, 51, 102, 255};
    vae_images images = {.n = IMAGES, .rows = 1, .cols = 1};
    uint8_t copy[IMAGES];
    size_t seen[6] = {0};
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2");
    (void)state;
    images.pixels = memcpy(copy, pixels, sizeof copy);
    set_tensor(model, "encoder.0.weight", unit);
    set_tensor(model, "encoder.0.bias", zero);
    set_tensor(model, "mu.weight", (const float[2]){5, 0});
    set_tensor(model, "mu.bias", zero);
    set_tensor(model, "logvar.weight", zero);
    set_tensor(model, "logvar.bias", &logvar);
    assert_int_equal(vae_sample_aggregate(model, &images, 3, DRAWS, 1, z, NULL), VAE_OK);
    for (size_t i = 0; i < DRAWS; i++) seen[(size_t)lround((double)z[i])]++;
    assert_int_equal(seen[0] + seen[1] + seen[2] + seen[5], DRAWS);
    for (size_t k = 0; k < 6; k++)
        if (k < 3 || k == 5) assert_within((double)seen[k], 890, 1110, "draws of one image"); /* four standard errors */
    assert_int_equal(vae_sample_aggregate(model, &images, 3, DRAWS, 3, again, NULL), VAE_OK);
    assert_memory_equal(z, again, sizeof z);
    assert_int_equal(vae_sample_aggregate(model, &images, 4, DRAWS, 1, again, NULL), VAE_OK);
    assert_memory_not_equal(z, again, sizeof z);
    images.n = 0;
    assert_int_equal(vae_sample_aggregate(model, &images, 3, 1, 1, z, NULL), VAE_E_DATA);
    vae_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_is_the_prior), cmocka_unit_test(independent_latents),
        cmocka_unit_test(mixtures),         cmocka_unit_test(maps),
        cmocka_unit_test(refusals),         cmocka_unit_test(aggregates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
