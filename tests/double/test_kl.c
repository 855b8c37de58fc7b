/* SPDX-License-Identifier: MIT
 *
 * The Monte Carlo KL as training runs it: pass_latent on a batch of equal images, whose mean must be the KL by
 * quadrature and whose mean gradient must be that KL's gradient. Samples that do not move with mu and sigma would have
 * an expected gradient of zero, which only a test of signed means can see. Also the parts that it is made of: every
 * posterior.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "check.h"
#include "pass/pass.h"

enum { GRID = 16, IMAGES = 3000, DRAWS = 8 };

static const double grid_mu[] = {-2, 0, 0.5, 3}, grid_sigma[] = {0.1, 0.5, 1, 2};

static double mu_at(size_t j) { return grid_mu[j / 4]; }
static double logvar_at(size_t j) { return 2 * log(grid_sigma[j % 4]); }

/* A model whose latent j is grid point j, and a pass over IMAGES copies of one image. */
struct fixture {
    vae_model *model;
    struct pool *pool;
    struct pass pass;
};

static void set_up(struct fixture *f, const struct prior_case *prior, const char *kl, const char *noise, size_t S,
                   size_t K)
{
    vae_config config;
    vae_error err = {0};
    vae_config_defaults(&config);
    config.prior = prior->choice;
    assert_int_equal(vae_config_set(&config, "kl", kl, &err), VAE_OK);
    assert_int_equal(vae_config_set(&config, "kl-noise", noise, &err), VAE_OK);
    assert_int_equal(vae_config_set(&config, "hidden", "2", &err), VAE_OK);
    config.latent = GRID;
    assert_int_equal(vae_model_new(&f->model, &config, 1, 4, &err), VAE_OK);
    assert_int_equal(pool_new(&f->pool, 2, &err), VAE_OK);
    assert_int_equal(
        pass_new(&f->pass, f->model, f->pool,
                 &(struct pass_plan){
                     .capacity = IMAGES, .S = S, .K = K, .kl = model_kl(f->model), .stratified = f->model->stratified},
                 &err),
        VAE_OK);
    f->pass.B = f->pass.share.batch = IMAGES;
    for (size_t i = 0; i < (size_t)IMAGES * GRID; i++) {
        f->pass.a[i] = R(mu_at(i % GRID));
        f->pass.b[i] = R(logvar_at(i % GRID));
    }
    f->model->posterior->scale((size_t)IMAGES * GRID, f->pass.b, f->pass.scale);
}

static void tear_down(struct fixture *f)
{
    pass_free(&f->pass);
    pool_free(f->pool);
    vae_model_free(&f->model);
}

static struct moments over_images(const real *values, size_t j)
{
    struct moments m = {0};
    for (size_t i = 0; i < IMAGES; i++) moments_add(&m, (double)values[i * GRID + j]);
    return m;
}

static void assert_mean(const real *values, size_t j, double want, const char *what, const char *label)
{
    const struct moments m = over_images(values, j);
    /* A quantity without spread must be right to the accuracy of the reference, a central difference. */
    const double allowed = 4 * moments_error(&m) + 1e-6 * fmax(1, fabs(want));
    assert_within(m.mean, want - allowed, want + allowed, "%s for %s at mu %g, sigma %g", what, label, mu_at(j),
                  grid_sigma[j % 4]);
}

static void assert_kl(const struct fixture *f, const struct prior_case *prior)
{
    for (size_t j = 0; j < GRID; j++) {
        const double mu = mu_at(j), b = logvar_at(j);
        assert_mean(f->pass.kl, j, gaussian_kl(prior, mu, b), "KL", prior->label);
        assert_mean(f->pass.kl_a, j, gaussian_kl_dmu(prior, mu, b), "dKL/dmu", prior->label);
        assert_mean(f->pass.kl_b, j, gaussian_kl_dlogvar(prior, mu, b), "dKL/dlogvar", prior->label);
    }
}

static void mc_kl_is_unbiased(const struct prior_case *prior)
{
    static const char *const noises[] = {"iid", "stratified"};
    for (size_t i = 0; i < 2; i++) {
        struct fixture f;
        set_up(&f, prior, "mc", noises[i], 1, DRAWS);
        assert_int_equal(f.pass.plan.kl, KL_MONTE_CARLO);
        pass_latent(&f.pass, &(struct rng){.seed = 11, .step = 3, .stream = RNG_POSTERIOR});
        assert_kl(&f, prior);
        tear_down(&f);
    }
}

/* The draws of a latent fall into K parts of equal probability, one in each; and each draw by itself, the first of
 * which the decoder sees, is spread over all of them. */
static void test_strata(void **state)
{
    enum { CELLS = 16 };
    struct prior_case prior;
    struct fixture f;
    double first[CELLS] = {0}, expected[CELLS];
    (void)state;
    prior_case_set(&prior, &prior_laplace, &(vae_choice){"laplace", {1}});
    set_up(&f, &prior, "mc", "stratified", DRAWS, DRAWS);
    pass_latent(&f.pass, &(struct rng){.seed = 8, .step = 1, .stream = RNG_POSTERIOR});
    for (size_t i = 0; i < (size_t)IMAGES * GRID; i++) {
        unsigned seen = 0;
        for (size_t k = 0; k < DRAWS; k++)
            seen |= 1u << (unsigned)(DRAWS * normal_cdf((double)f.pass.eps[k * IMAGES * GRID + i]));
        assert_int_equal(seen, (1u << DRAWS) - 1);
        first[(size_t)(CELLS * normal_cdf((double)f.pass.eps[i]))]++;
    }
    for (size_t c = 0; c < CELLS; c++) expected[c] = (double)IMAGES * GRID / CELLS;
    assert_chi_square(CELLS, first, expected, "first draws");
    tear_down(&f);
    free(prior.state);
}

/* Standard deviations over images of KL, dKL/dmu and dKL/dsigma of a pass at N(mu, sigma^2) in latent 0. */
static void spreads(const struct prior_case *prior, const char *noise, size_t K, double mu, double sigma, double sd[3])
{
    struct fixture f;
    set_up(&f, prior, "mc", noise, 1, K);
    for (size_t i = 0; i < IMAGES; i++) {
        f.pass.a[i * GRID] = R(mu);
        f.pass.b[i * GRID] = R(2 * log(sigma));
    }
    f.model->posterior->scale((size_t)IMAGES * GRID, f.pass.b, f.pass.scale);
    pass_latent(&f.pass, &(struct rng){.seed = 2, .step = 5, .stream = RNG_POSTERIOR});
    const real *const values[] = {f.pass.kl, f.pass.kl_a, f.pass.kl_b};
    for (size_t k = 0; k < 3; k++) {
        const struct moments m = over_images(values[k], 0);
        sd[k] = sqrt(moments_variance(&m)) * (k == 2 ? 2 / sigma : 1);
    }
    tear_down(&f);
}

/* Spike-and-slab, K = 10, against figures of an independent computation. */
static void test_spread_of_noise(void **state)
{
    struct prior_case prior;
    double iid[3], stratified[3];
    (void)state;
    prior_case_set(&prior, &prior_spikeslab, &(vae_choice){"spikeslab", {0.8, 0.05}});
    spreads(&prior, "iid", 10, 0, 0.9, iid);
    spreads(&prior, "stratified", 10, 0, 0.9, stratified);
    print_message("# N(0, 0.9^2), sd of KL, d/dmu, d/dsigma: iid %.3f %.3f %.3f, stratified %.3f %.3f %.3f\n", iid[0],
                  iid[1], iid[2], stratified[0], stratified[1], stratified[2]);
    assert_within(iid[1], 1.10, 1.20, "iid d/dmu");
    assert_within(iid[2], 0.39, 0.43, "iid d/dsigma");
    assert_within(stratified[1], 0.29, 0.33, "stratified d/dmu");
    assert_within(stratified[2], 0.24, 0.28, "stratified d/dsigma");
    for (double mu = 0; mu <= 2; mu += 1)
        for (double sigma = 0.1; sigma < 1; sigma *= 2) {
            spreads(&prior, "iid", 10, mu, sigma, iid);
            spreads(&prior, "stratified", 10, mu, sigma, stratified);
            print_message("# N(%g, %g^2): iid %.3f %.3f %.3f, stratified %.3f %.3f %.3f\n", mu, sigma, iid[0], iid[1],
                          iid[2], stratified[0], stratified[1], stratified[2]);
            for (size_t k = 0; k < 3; k++) assert_true(stratified[k] < 1.02 * iid[k] + 1e-12);
        }
    free(prior.state);
}

static void exact_kl_is_used(const struct prior_case *prior)
{
    if (!kl_to_gaussian(prior->ops)) return;
    struct fixture f;
    set_up(&f, prior, "exact", "iid", 1, DRAWS);
    assert_int_equal(f.pass.plan.kl, KL_EXACT);
    pass_latent(&f.pass, &(struct rng){.seed = 11, .stream = RNG_POSTERIOR});
    assert_kl(&f, prior);
    const struct moments spread = over_images(f.pass.kl, 2);
    assert_within(moments_variance(&spread), 0, 1e-20, "variance of the exact KL over equal images");
    tear_down(&f);
}

static void test_mc_kl(void **state)
{
    (void)state;
    for_each_prior(mc_kl_is_unbiased);
}

static void test_exact_kl(void **state)
{
    (void)state;
    for_each_prior(exact_kl_is_used);
}

/* The first samples of the KL are the draws that the decoder sees, and fewer of either change nothing in the other. */
static void test_samples_are_shared(void **state)
{
    struct prior_case prior;
    const struct rng rng = {.seed = 5, .step = 9, .stream = RNG_POSTERIOR};
    (void)state;
    prior_case_set(&prior, &prior_laplace, &(vae_choice){"laplace", {1}});
    struct fixture one, many;
    set_up(&one, &prior, "mc", "iid", 1, 1);
    set_up(&many, &prior, "mc", "iid", 3, 1);
    pass_latent(&one.pass, &rng);
    pass_latent(&many.pass, &rng);
    const size_t n = (size_t)IMAGES * GRID;
    assert_memory_equal(one.pass.z, many.pass.z, n * sizeof(real));
    assert_memory_equal(one.pass.kl, many.pass.kl, n * sizeof(real));
    assert_memory_not_equal(many.pass.z, many.pass.z + n, n * sizeof(real));
    for (size_t i = 0; i < n; i += 997) {
        const double logvar = logvar_at(i % GRID), z = (double)one.pass.z[i];
        assert_near(z, mu_at(i % GRID) + exp(0.5 * logvar) * (double)one.pass.eps[i], 1e-14, "draw %zu", i);
        const double kl = -0.5 * logvar - 0.5 * log(2 * 3.14159265358979323846 * exp(1)) - prior_logp(&prior, z, NULL);
        assert_near((double)one.pass.kl[i], kl, 1e-13, "one-sample KL %zu", i);
    }
    tear_down(&one);
    tear_down(&many);
    free(prior.state);
}

/* ---- Posteriors ------------------------------------------------------------------------------------------------- */

static double draw_at(const struct posterior_case *c, double a, double b, real eps)
{
    const real a_in = R(a), b_in = R(b);
    real scale, z;
    c->ops->scale(1, &b_in, &scale);
    c->ops->draw(1, &a_in, &scale, &eps, &z);
    return (double)z;
}

static double entropy_at(const struct posterior_case *c, double b)
{
    const real b_in = R(b);
    real h, db;
    c->ops->entropy(c->state, 1, &b_in, &h, &db);
    return (double)h;
}

static double noise_at(const struct posterior_case *c, uint32_t word)
{
    real eps;
    c->ops->noise(c->state, 1, &word, &eps);
    return (double)eps;
}

/* log q at the draw with this noise, and d log q / dz there. */
static double logq_at(const struct posterior_case *c, double b, double eps, double *slope)
{
    const real b_in = R(b), eps_in = R(eps);
    real scale, logq, dz;
    c->ops->scale(1, &b_in, &scale);
    c->ops->log_prob(c->state, 1, &b_in, &scale, &eps_in, &logq, &dz);
    if (slope) *slope = (double)dz;
    return (double)logq;
}

/* backward adds weight * dz * (dz/da, dz/db) to what is there. */
static void check_backward(const struct posterior_case *c, double a, double b, uint32_t word)
{
    const double step = 1e-5, start = 0.25, weight = -1.7, upstream = 0.6;
    const real b_in = R(b), dz = R(upstream), eps = R(noise_at(c, word));
    real scale, da = R(start), db = R(start);
    c->ops->scale(1, &b_in, &scale);
    c->ops->backward(1, &scale, &eps, &dz, R(weight), &da, &db);
    const double by_a = (draw_at(c, a + step, b, eps) - draw_at(c, a - step, b, eps)) / (2 * step);
    const double by_b = (draw_at(c, a, b + step, eps) - draw_at(c, a, b - step, eps)) / (2 * step);
    assert_near((double)da, start + weight * upstream * by_a, 1e-8, "dz/da of %s at %g, %g", c->label, a, b);
    assert_near((double)db, start + weight * upstream * by_b, 1e-8, "dz/db of %s at %g, %g", c->label, a, b);
}

static void backward_is_right(const struct posterior_case *c)
{
    for (size_t j = 0; j < GRID; j++)
        for (uint32_t word = 0x01234567; word >= 0x01234567; word += 0x1fffffff)
            check_backward(c, mu_at(j), logvar_at(j), word);
}

static void test_backward(void **state)
{
    (void)state;
    for_each_posterior(backward_is_right);
}

static int by_value(const void *a, const void *b)
{
    const real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* Entropy without a density: with draws at evenly spaced quantiles, neighbours are 1/(n q(z)) apart, so H = mean log(n
 * gap). */
static double entropy_by_spacing(const struct posterior_case *c, double a, double b)
{
    enum { N = 1 << 14 };
    static real z[N];
    double sum = 0;
    for (uint32_t i = 0; i < N; i++) z[i] = R(draw_at(c, a, b, R(noise_at(c, (i << 18) + (1u << 17)))));
    qsort(z, N, sizeof *z, by_value);
    for (size_t i = 1; i < N; i++) sum += log(N * (double)(z[i] - z[i - 1]));
    return sum / (N - 1);
}

static void entropy_is_right(const struct posterior_case *c)
{
    const double h = 1e-5;
    for (size_t j = 0; j < GRID; j++) {
        const double b = logvar_at(j);
        const real b_in = R(b);
        real value, db;
        c->ops->entropy(c->state, 1, &b_in, &value, &db);
        assert_near((double)db, (entropy_at(c, b + h) - entropy_at(c, b - h)) / (2 * h), 1e-8, "dH/db of %s at %g",
                    c->label, b);
        assert_near((double)value, entropy_by_spacing(c, mu_at(j), b), 2e-3, "entropy of %s at %g", c->label, b);
    }
}

static void test_entropy(void **state)
{
    (void)state;
    for_each_posterior(entropy_is_right);
}

struct density_case {
    const struct posterior_case *posterior;
    double b;
};

/* q(z) dz/du with eps = sinh u, so that a power-law tail becomes an exponential one. */
static double posterior_density(const void *context, double u)
{
    const struct density_case *d = context;
    const double stretch = draw_at(d->posterior, 0, d->b, 1);
    return exp(logq_at(d->posterior, d->b, sinh(u), NULL)) * stretch * cosh(u);
}

/* log q integrates to one over the range of the draws, its slope is the central difference, its mean the entropy. */
static void log_prob_is_right(const struct posterior_case *c)
{
    enum { N = 1 << 14 };
    const double end = asinh(noise_at(c, 0xffffffff)), h = 1e-6;
    for (size_t j = 0; j < GRID; j += 5) {
        const double b = logvar_at(j), stretch = draw_at(c, 0, b, 1);
        const struct density_case d = {c, b};
        double mean = 0, slope;
        assert_near(integrate(posterior_density, &d, -end, end, 100), 1, 1e-6, "mass of %s at %g", c->label, b);
        for (double eps = -3; eps < 3.1; eps += 0.75) {
            logq_at(c, b, eps, &slope);
            const double difference = logq_at(c, b, eps + h, NULL) - logq_at(c, b, eps - h, NULL);
            assert_near(slope * stretch, difference / (2 * h), 1e-7, "slope of log q of %s at eps %g", c->label, eps);
        }
        for (uint32_t i = 0; i < N; i++) mean += logq_at(c, b, noise_at(c, (i << 18) + (1u << 17)), NULL) / N;
        assert_near(-mean, entropy_at(c, b), 2e-3, "mean of -log q of %s at %g", c->label, b);
    }
}

static void test_log_prob(void **state)
{
    (void)state;
    for_each_posterior(log_prob_is_right);
}

/* Without a cut: the density and entropy of the Cauchy distribution, and its KL to a Cauchy prior. */
static void test_cauchy(void **state)
{
    enum { N = 1 << 15 };
    static const double cases[][3] = {{0, 0, 1}, {1.5, -1, 1}, {-4, 0.7, 0.3}, {0.2, -3, 2}}; /* m, log s, g */
    const double none = 0, pi = 3.14159265358979323846, h = 1e-5;
    struct posterior_case c = {.ops = posterior_find("cauchy"), .label = "cauchy:cut=0"};
    (void)state;
    c.state = mem_new(1, c.ops->state_size, NULL);
    assert_non_null(c.state);
    c.ops->init(c.state, &none);
    assert_near(logq_at(&c, 0, 0, NULL), -1.1447299, 5e-8, "log q(0)");
    assert_near(entropy_at(&c, 0), 2.5310242, 5e-8, "entropy");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const double m = cases[i][0], logs = cases[i][1], g = cases[i][2];
        struct prior_case prior;
        double sum = 0;
        real kl[5], dm[5], dlogs[5];
        const real at[] = {R(m), R(m + h), R(m - h), R(m), R(m)},
                   logs_at[] = {R(logs), R(logs), R(logs), R(logs + h), R(logs - h)};
        prior_case_set(&prior, prior_find("cauchy"), &(vae_choice){"cauchy", {g}});
        prior_exact_kl(prior.ops, "cauchy", NULL)(prior.state, 5, at, logs_at, kl, dm, dlogs);
        for (size_t k = 0; k < N; k++) { /* the midpoint rule in the angle: the integrand is periodic */
            const double eps = tan(pi * (((double)k + 0.5) / N - 0.5));
            sum += (logq_at(&c, logs, eps, NULL) - prior_logp(&prior, m + exp(logs) * eps, NULL)) / N;
        }
        assert_near((double)kl[0], sum, 1e-8, "KL to %s", prior.label);
        assert_near((double)dm[0], (double)(kl[1] - kl[2]) / (2 * h), 1e-8, "dKL/dm");
        assert_near((double)dlogs[0], (double)(kl[3] - kl[4]) / (2 * h), 1e-8, "dKL/dlog s");
        free(prior.state);
    }
    free(c.state);
}

/* d log q / dz = -eps / s, where a posterior that has vanished counts as s = 1e-18. */
static void test_log_prob_of_a_vanished_posterior(void **state)
{
    static const double logvars[] = {0, -82, -83, -200};
    const real eps = R(0.7);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        const real b = R(logvars[i]);
        real s, logq, dz;
        posterior_gaussian.scale(1, &b, &s);
        posterior_gaussian.log_prob(NULL, 1, &b, &s, &eps, &logq, &dz);
        assert_near((double)dz, -0.7 / fmax(1e-18, exp(0.5 * logvars[i])), 1e-12, "slope at logvar %g", logvars[i]);
        assert_near((double)logq, -0.5 * (0.49 + logvars[i] + log(6.28318530717958647693)), 1e-12, "log q at logvar %g",
                    logvars[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mc_kl),
        cmocka_unit_test(test_exact_kl),
        cmocka_unit_test(test_samples_are_shared),
        cmocka_unit_test(test_strata),
        cmocka_unit_test(test_spread_of_noise),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_entropy),
        cmocka_unit_test(test_log_prob_of_a_vanished_posterior),
        cmocka_unit_test(test_log_prob),
        cmocka_unit_test(test_cauchy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
