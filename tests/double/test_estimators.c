/* SPDX-License-Identifier: MIT
 *
 * Gradient estimators on a model whose answers are known: z ~ N(0,1), x|z ~ N(z, 1/4), q = N(m, 0.35^2), built out of
 * the real parts. The encoder's weights are zero, so that its biases are q's parameters; the decoder adds relu(z) and
 * -relu(-z). Each of many equal images is one draw of the estimator. The posterior is N(0.8 x, 0.2). Bias and spread
 * are held against an independent computation of the same model (400,000 draws, NumPy), and against the bound's slope
 * by numerical integration.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "models.h"
#include "train/step.h"

enum { IMAGES = 4000, ROUNDS = 25 };

static const double SIGMA = 0.5, Q_SIGMA = 0.35;

struct toy {
    vae_model *model;
    struct pool *pool;
    struct stepper step;
    vae_images images;
    double x, beta;
};

static void set_up(struct toy *t, const char *objective, const char *gradient, const char *samples)
{
    vae_error err = {0};
    assert_int_equal(images_new(&t->images, IMAGES, 1, 1, false, &err), VAE_OK);
    memset(t->images.pixels, 178, IMAGES);
    t->x = 178.0 / 255;
    t->beta = 1;
    t->model = MODEL_WITH(1, 1, "objective", objective, "gradient", gradient, "samples", samples, "latent", "1",
                          "hidden", "2", "likelihood", "gaussian:sigma=0.5", "batch", "4000", "kl-samples", "1", "kl",
                          "mc");
    make_conjugate(t->model, 0, Q_SIGMA);
    assert_int_equal(pool_new(&t->pool, 1, &err), VAE_OK);
    assert_int_equal(step_prepare(&t->step, t->model, &t->images, t->pool, &err), VAE_OK);
}

static void tear_down(struct toy *t)
{
    step_release(&t->step);
    pool_free(t->pool);
    vae_model_free(&t->model);
    images_free(&t->images);
}

struct slopes {
    struct moments mu, logvar;
};

/* d(bound)/d mu and d(bound)/d logvar of q = N(m, .), one image a draw. */
static struct slopes sample_slopes(struct toy *t, double m)
{
    struct slopes s = {{.n = 0}, {.n = 0}};
    struct pass *pass = &t->step.pass;
    struct loss_slope slope;
    const float mean = (float)m;
    set_tensor(t->model, "mu.bias", &mean);
    for (uint64_t round = 0; round < ROUNDS; round++) {
        pass_gather(pass, &t->images, NULL, 0, IMAGES, NULL);
        pass_encode(pass);
        pass_latent(pass, &(struct rng){.seed = 3, .step = round, .stream = RNG_POSTERIOR});
        pass_decode(pass, pass->plan.S * IMAGES);
        pass_likelihood(pass, true);
        step_objective(&t->step, t->beta, &slope);
        pass_backward(pass, &slope);
        for (size_t i = 0; i < IMAGES; i++) {
            moments_add(&s.mu, -(double)pass->da[i] * IMAGES);
            moments_add(&s.logvar, -(double)pass->db[i] * IMAGES);
        }
    }
    return s;
}

static struct slopes estimate(const char *objective, const char *gradient, const char *samples, double shift)
{
    struct toy t = {0};
    set_up(&t, objective, gradient, samples);
    const struct slopes s = sample_slopes(&t, 0.8 * t.x + shift);
    tear_down(&t);
    return s;
}

static void assert_same_mean(const struct moments *a, const struct moments *b, const char *what)
{
    const double error = sqrt(pow(moments_error(a), 2) + pow(moments_error(b), 2));
    assert_within(a->mean - b->mean, -4 * error, 4 * error, "%s: %g and %g", what, a->mean, b->mean);
}

/* d ELBO/dm = (x - m)/sigma^2 - m; d ELBO/dlogvar = (1 - s^2 - s^2/sigma^2)/2. */
static void test_elbo(void **state)
{
    static const char *const gradients[] = {"standard", "stl"};
    const double x = 178.0 / 255, m = 0.8 * x - 0.26, var = Q_SIGMA * Q_SIGMA;
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct slopes s = estimate("elbo", gradients[i], "2", -0.26);
        const double mu = (x - m) / (SIGMA * SIGMA) - m, logvar = 0.5 * (1 - var - var / (SIGMA * SIGMA));
        const double e = 4 * moments_error(&s.mu) + 1e-6, f = 4 * moments_error(&s.logvar) + 1e-6;
        assert_within(s.mu.mean, mu - e, mu + e, "dELBO/dmu by %s", gradients[i]);
        assert_within(s.logvar.mean, logvar - f, logvar + f, "dELBO/dlogvar by %s", gradients[i]);
    }
}

/* Where q is the posterior, log w is the same for every z: path estimators have no spread at all. */
static void test_no_spread_at_the_posterior(void **state)
{
    static const char *const cases[][2] = {{"elbo", "stl"}, {"iwae", "dreg"}, {"elbo", "standard"}};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct toy t = {0};
        const float logvar = (float)log(0.2);
        set_up(&t, cases[i][0], cases[i][1], "5");
        set_tensor(t.model, "logvar.bias", &logvar);
        const struct slopes s = sample_slopes(&t, 0.8 * t.x);
        if (i < 2)
            assert_within(moments_variance(&s.mu), 0, 1e-12, "variance of %s %s", cases[i][0], cases[i][1]);
        else
            assert_within(moments_variance(&s.mu), 0.01, 2, "variance of %s %s", cases[i][0], cases[i][1]);
        tear_down(&t);
    }
}

struct figures {
    const char *samples;
    double slope, stl, spread, dreg_spread; /* d bound / dmu; what STL gives instead; standard deviations */
};

static void test_iwae(void **state)
{
    static const struct figures known[] = {{"5", 0.6032, 1.739, 1.200, 0.520}, {"50", 0.1470, 2.030, 0.665, 0.221}};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        const struct figures *k = &known[i];
        const struct slopes standard = estimate("iwae", "standard", k->samples, -0.26),
                            dreg = estimate("iwae", "dreg", k->samples, -0.26),
                            stl = estimate("iwae", "stl", k->samples, -0.26);
        assert_same_mean(&dreg.mu, &standard.mu, "dmu, DReG and standard");
        assert_same_mean(&dreg.logvar, &standard.logvar, "dlogvar, DReG and standard");
        assert_within(dreg.mu.mean, k->slope - 0.007, k->slope + 0.007, "d/dmu by DReG, K=%s", k->samples);
        assert_within(stl.mu.mean, 0.98 * k->stl, 1.02 * k->stl, "d/dmu by STL, K=%s", k->samples);
        assert_within(sqrt(moments_variance(&standard.mu)), 0.97 * k->spread, 1.03 * k->spread, "spread, K=%s",
                      k->samples);
        assert_within(sqrt(moments_variance(&dreg.mu)), 0.97 * k->dreg_spread, 1.03 * k->dreg_spread,
                      "spread of DReG, K=%s", k->samples);
        print_message("# K=%-2s d/dmu standard %.4f (sd %.3f)  DReG %.4f (sd %.3f)  STL %.3f\n", k->samples,
                      standard.mu.mean, sqrt(moments_variance(&standard.mu)), dreg.mu.mean,
                      sqrt(moments_variance(&dreg.mu)), stl.mu.mean);
    }
}

/* With beta in the log weights, too, DReG has the mean of the standard estimator. */
static void test_beta(void **state)
{
    static const char *const gradients[] = {"standard", "dreg"};
    struct slopes s[2];
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct toy t = {0};
        set_up(&t, "iwae", gradients[i], "5");
        t.beta = 0.3;
        s[i] = sample_slopes(&t, 0.8 * t.x - 0.26);
        tear_down(&t);
    }
    assert_same_mean(&s[1].mu, &s[0].mu, "dmu with beta");
    assert_same_mean(&s[1].logvar, &s[0].logvar, "dlogvar with beta");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elbo),
        cmocka_unit_test(test_no_spread_at_the_posterior),
        cmocka_unit_test(test_iwae),
        cmocka_unit_test(test_beta),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
