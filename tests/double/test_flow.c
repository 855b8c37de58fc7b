/* SPDX-License-Identifier: MIT
 *
 * Flow posteriors in double: their log-determinant against that of a numeric Jacobian, log p - log q of a pass against
 * the density that follows from it, what each latent sees, and which draws share a context. (Their gradients are
 * checked in test_model.c.)
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "data/source.h"
#include "models.h"
#include "pass/pass.h"

enum { LATENTS = 5, IMAGES = 2, DRAWS = 2, DRAWN = IMAGES * DRAWS };

struct bench {
    vae_model *model;
    struct pool *pool;
    struct pass pass;
};

static void open_bench(struct bench *b, const char *posterior, const char *latent)
{
    vae_images images;
    const struct pass_plan plan = {.capacity = IMAGES, .S = DRAWS, .K = 1, .kl = KL_PER_DRAW};
    const struct rng noise = {.seed = 3, .stream = RNG_POSTERIOR};
    b->model = MODEL_WITH(2, 3, "latent", latent, "hidden", "6", "posterior", posterior);
    for (size_t i = 0; i < b->model->block.tensors; i++) {
        const struct tensor *t = &b->model->block.tensor[i];
        for (size_t k = 0; k < t->count; k++)
            if (!strncmp(t->name, "posterior.", 10) && !model_masks(b->model, tensor_at(t, k)))
                b->model->params[tensor_at(t, k)] += R(test_uniform(1000 * i + k, -0.6, 0.6));
    }
    assert_int_equal(images_new(&images, IMAGES, 2, 3, false, NULL), VAE_OK);
    for (size_t i = 0; i < IMAGES * 6; i++) images.pixels[i] = (uint8_t)(37 * i);
    assert_int_equal(pool_new(&b->pool, 1, NULL), VAE_OK);
    assert_int_equal(pass_new(&b->pass, b->model, b->pool, &plan, NULL), VAE_OK);
    assert_int_equal(pass_gather(&b->pass, &images, NULL, 0, IMAGES, NULL), VAE_OK);
    pass_encode(&b->pass);
    pass_latent(&b->pass, &noise);
    images_free(&images);
}

static void close_bench(struct bench *b)
{
    pass_free(&b->pass);
    pool_free(b->pool);
    vae_model_free(&b->model);
}

/* z0 of all draws of the pass. */
static void start(const struct bench *b, real *z)
{
    const size_t n = IMAGES * b->model->L;
    for (size_t i = 0; i < DRAWS * n; i++) z[i] = b->pass.a[i % n] + b->pass.scale[i % n] * b->pass.eps[i];
}

/* Where the flow moves them, with latent j of each set off by `step`. */
static void moved(struct bench *b, size_t j, double step, real *z, double *log_det)
{
    start(b, z);
    for (size_t r = 0; r < DRAWN; r++) {
        z[r * b->model->L + j] += R(step);
        log_det[r] = 0;
    }
    flow_forward(&b->pass.flow, b->pool, IMAGES, DRAWN, z, log_det);
}

/* log |det| by elimination with pivots. */
static double log_determinant(size_t n, double matrix[LATENTS][LATENTS])
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k; i < n; i++)
            if (fabs(matrix[i][k]) > fabs(matrix[pivot][k])) pivot = i;
        for (size_t j = 0; j < n; j++) {
            const double swap = matrix[k][j];
            matrix[k][j] = matrix[pivot][j];
            matrix[pivot][j] = swap;
        }
        sum += log(fabs(matrix[k][k]));
        for (size_t i = k + 1; i < n; i++)
            for (size_t j = n; j-- > k;) matrix[i][j] -= matrix[i][k] / matrix[k][k] * matrix[k][j];
    }
    return sum;
}

static double numeric_log_det(struct bench *b, size_t row)
{
    const double h = 1e-6;
    const size_t L = b->model->L;
    double jacobian[LATENTS][LATENTS], unused[DRAWN];
    real up[DRAWN * LATENTS], down[DRAWN * LATENTS];
    for (size_t j = 0; j < L; j++) {
        moved(b, j, h, up, unused);
        moved(b, j, -h, down, unused);
        for (size_t i = 0; i < L; i++) jacobian[i][j] = (double)(up[row * L + i] - down[row * L + i]) / (2 * h);
    }
    return log_determinant(L, jacobian);
}

static double normal_log_density(double x) { return -0.5 * x * x - 0.91893853320467274178; }

/* log p(z) - log q(z) under a normal prior, with q(z) = q0(z0) / |det dz/dz0|. */
static void check_density(const char *posterior, const char *latent)
{
    struct bench b;
    real z[DRAWN * LATENTS];
    double log_det[DRAWN];
    open_bench(&b, posterior, latent);
    const size_t L = b.model->L;
    moved(&b, 0, 0, z, log_det);
    assert_memory_equal(z, b.pass.z, DRAWN * L * sizeof *z);
    for (size_t r = 0; r < DRAWN; r++) {
        double ratio = numeric_log_det(&b, r);
        assert_near(log_det[r], ratio, 1e-7, "log det of %s, draw %zu", posterior, r);
        for (size_t j = r * L; j < (r + 1) * L; j++) {
            const double log_scale = 0.5 * (double)b.pass.b[j % (IMAGES * L)];
            ratio += normal_log_density((double)z[j]) - normal_log_density((double)b.pass.eps[j]) + log_scale;
        }
        assert_near(b.pass.log_ratio[r], ratio, 1e-7, "log p - log q of %s, draw %zu", posterior, r);
    }
    close_bench(&b);
}

static void density_follows_from_the_jacobian(void **state)
{
    (void)state;
    check_density("iaf:blocks=1,width=12,context=3", "5");
    check_density("iaf:blocks=2,width=12,context=3", "5");
    check_density("iaf:blocks=8,width=7,context=1", "4");
    check_density("iaf:blocks=3,width=2,context=2", "1");
}

/* In one block a latent sees those of lower number and the context, and nothing else. */
static void latents_see_those_before(void **state)
{
    struct bench b;
    real z[DRAWN * LATENTS];
    double unused[DRAWN];
    (void)state;
    open_bench(&b, "iaf:blocks=1,width=12,context=3", "5");
    for (size_t j = 0; j < LATENTS; j++) {
        moved(&b, j, 0.5, z, unused);
        for (size_t i = 0; i < DRAWN * LATENTS; i++)
            if ((z[i] != b.pass.z[i]) != (i % LATENTS >= j))
                fail_msg("latent %zu %s latent %zu", i % LATENTS, i % LATENTS >= j ? "does not see" : "sees", j);
    }
    close_bench(&b);
}

/* Row r is a draw of image r % IMAGES: from one z0, draws of an image go to the same z, of another image elsewhere. */
static void draws_share_the_context(void **state)
{
    struct bench b;
    real z[DRAWN * LATENTS];
    (void)state;
    open_bench(&b, "iaf:width=12,context=3", "5");
    for (size_t i = 0; i < DRAWN * LATENTS; i++) z[i] = R(0.3);
    flow_forward(&b.pass.flow, b.pool, IMAGES, DRAWN, z, NULL);
    assert_memory_equal(z, z + IMAGES * LATENTS, IMAGES * LATENTS * sizeof *z);
    for (size_t j = 0; j < LATENTS; j++) assert_true(z[j] != z[LATENTS + j]);
    close_bench(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(density_follows_from_the_jacobian),
        cmocka_unit_test(latents_see_those_before),
        cmocka_unit_test(draws_share_the_context),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
