/* SPDX-License-Identifier: MIT
 *
 * Estimates of log p(x) where it is known: a linear decoder with Gaussian noise, whose log p(x) has a formula, and
 * models of one and two latents, whose log p(x) is an integral that can be taken. And the moves of the chains: they
 * leave the density that they are of as it is. */
#include "data/source.h"
#include "evaluate/hmc.h"
#include "models.h"

static const double half_log_2pi = 0.91893853320467274178;

/* ---- A linear model --------------------------------------------------------------------------------------------- */

enum { PIXELS = 6, MOST_LATENTS = 12 };

static const double sigma = 0.5;

static double loading(size_t pixel, size_t latent) { return test_uniform(100 * pixel + latent, -1, 1); }

/* z ~ N(0, I), x|z ~ N(W z, sigma^2 I), and a q that knows x a little: a ReLU unit takes each sign of a latent. */
static vae_model *linear_model(size_t L)
{
    char latent[8], hidden[8];
    static float split[2 * MOST_LATENTS * MOST_LATENTS], weight[PIXELS * 2 * MOST_LATENTS], small[MOST_LATENTS * 24],
        zero[2 * MOST_LATENTS];
    snprintf(latent, sizeof latent, "%zu", L);
    snprintf(hidden, sizeof hidden, "%zu", 2 * L);
    vae_model *model = MODEL_WITH(2, 3, "latent", latent, "hidden", hidden, "likelihood", "gaussian:sigma=0.5");
    memset(split, 0, sizeof split);
    for (size_t j = 0; j < L; j++) {
        split[2 * j * L + j] = 1;
        split[(2 * j + 1) * L + j] = -1;
        for (size_t d = 0; d < PIXELS; d++) {
            weight[d * 2 * L + 2 * j] = (float)loading(d, j);
            weight[d * 2 * L + 2 * j + 1] = -(float)loading(d, j);
        }
    }
    for (size_t i = 0; i < 2 * L * L; i++) small[i] = (float)test_uniform(5000 + i, -0.1, 0.1);
    set_tensor(model, "mu.weight", small);
    set_tensor(model, "logvar.weight", small);
    set_tensor(model, "decoder.0.weight", split);
    set_tensor(model, "decoder.0.bias", zero);
    set_tensor(model, "decoder.1.weight", weight);
    set_tensor(model, "decoder.1.bias", zero);
    return model;
}

/* -log N(x; 0, W W' + sigma^2 I), by Cholesky's decomposition. */
static double linear_nll(size_t L, const float *x)
{
    double c[PIXELS][PIXELS] = {{0}}, solved[PIXELS], nll = 0;
    for (size_t i = 0; i < PIXELS; i++)
        for (size_t k = 0; k <= i; k++) {
            c[i][k] = i == k ? sigma * sigma : 0;
            for (size_t j = 0; j < L; j++) c[i][k] += (double)(float)loading(i, j) * (double)(float)loading(k, j);
            for (size_t m = 0; m < k; m++) c[i][k] -= c[i][m] * c[k][m];
            c[i][k] = i == k ? sqrt(c[i][k]) : c[i][k] / c[k][k];
        }
    for (size_t i = 0; i < PIXELS; i++) {
        solved[i] = (double)x[i];
        for (size_t k = 0; k < i; k++) solved[i] -= c[i][k] * solved[k];
        solved[i] /= c[i][i];
        nll += solved[i] * solved[i] / 2 + log(c[i][i]) + half_log_2pi;
    }
    return nll;
}

static vae_images grey_images(size_t n, size_t rows, size_t cols)
{
    vae_images images;
    assert_int_equal(images_new(&images, n, rows, cols, false, NULL), VAE_OK);
    for (size_t i = 0; i < n * rows * cols; i++) images.pixels[i] = (uint8_t)(255 * test_uniform(9000 + i, 0, 1));
    return images;
}

static double mean_linear_nll(size_t L, const vae_images *images)
{
    double sum = 0;
    for (size_t i = 0; i < images->n; i++) {
        float x[PIXELS];
        assert_int_equal(vae_images_values(images, i, 1, x, NULL), VAE_OK);
        sum += linear_nll(L, x) / (double)images->n;
    }
    return sum;
}

static vae_ais ais_of(const vae_model *model, const vae_images *images, vae_ais_options options)
{
    vae_ais ais;
    vae_error err = {0};
    if (vae_estimate_ais(&ais, model, images, &options, &err)) fail_msg("%s", err.message);
    return ais;
}

static const vae_proposal proposals[] = {VAE_PROPOSE_Q, VAE_PROPOSE_DEFENSIVE};

static void the_formula_of_a_linear_model(void **state)
{
    static const size_t latents[] = {1, 2, 5, 12};
    const vae_images images = grey_images(40, 2, 3);
    (void)state;
    for (size_t k = 0; k < 2 * sizeof latents / sizeof *latents; k++) {
        const size_t L = latents[k / 2];
        const vae_proposal proposal = proposals[k % 2];
        vae_model *model = linear_model(L);
        const double truth = mean_linear_nll(L, &images);
        const vae_ais ais = ais_of(
            model, &images,
            (vae_ais_options){
                .temperatures = 100, .chains = 20, .leapfrog = 5, .threads = 1, .proposal = proposal, .seed = 3});
        assert_within((ais.nll - truth) / ais.mc_se, -4, 4, "ais, %zu latents, proposal %d: errors off", L, proposal);
        assert_within(ais.mc_se, 1e-4, 0.1, "its error, %zu latents", L);
        assert_within(ais.acceptance, 0.5, 0.8, "acceptance with %zu latents", L);
        assert_within(ais.effective_chains, 3, 20, "effective chains with %zu latents", L);
        vae_model_free(&model);
    }
    vae_images copy = images;
    images_free(&copy);
}

/* The images that bdmc makes are draws with known seeds, so that their log p(x) is known, too. */
static void both_bounds_of_a_linear_model(void **state)
{
    enum { N = 50 };
    static const size_t latents[] = {1, 5, 12};
    vae_images images = grey_images(N, 2, 3);
    (void)state;
    for (size_t k = 0; k < 2 * sizeof latents / sizeof *latents; k++) {
        const size_t L = latents[k / 2];
        vae_model *model = linear_model(L);
        const vae_ais_options options = {
            .temperatures = 300, .chains = 10, .leapfrog = 5, .threads = 1, .seed = 9, .proposal = proposals[k % 2]};
        static float z[N * MOST_LATENTS], x[N * PIXELS];
        vae_bdmc bdmc;
        double truth = 0;
        assert_int_equal(vae_estimate_bdmc(&bdmc, model, &images, &options, NULL), VAE_OK);
        assert_int_equal(vae_sample_prior(model, 9, N, z, NULL), VAE_OK);
        assert_int_equal(vae_sample_data(model, N, z, NULL, 9, 1, x, NULL), VAE_OK);
        for (size_t i = 0; i < N; i++) truth += linear_nll(L, x + i * PIXELS) / N;
        assert_within(truth, bdmc.nll_low - 4 * bdmc.gap_se, bdmc.ais.nll + 4 * bdmc.gap_se, "%zu latents: nll", L);
        assert_within(bdmc.gap, -4 * bdmc.gap_se, 1, "%zu latents: what the bounds are apart", L);
        assert_near(bdmc.gap, bdmc.ais.nll - bdmc.nll_low, 1e-9, "gap");
        assert_within(bdmc.gap_se, 1e-4, 0.3, "its error");
        vae_model_free(&model);
    }
    images_free(&images);
}

/* Few temperatures from a q that is far off: the bounds are apart, and the truth is between them. */
static void bounds_are_on_their_sides(void **state)
{
    enum { N = 1600, L = 5 };
    vae_images images = grey_images(N, 2, 3);
    vae_model *model = linear_model(L);
    const vae_ais_options options = {.temperatures = 10, .chains = 1, .leapfrog = 2, .threads = 1, .seed = 2};
    static float z[N * L], x[N * PIXELS];
    vae_bdmc bdmc;
    double truth = 0;
    (void)state;
    assert_int_equal(vae_estimate_bdmc(&bdmc, model, &images, &options, NULL), VAE_OK);
    assert_int_equal(vae_sample_prior(model, 2, N, z, NULL), VAE_OK);
    assert_int_equal(vae_sample_data(model, N, z, NULL, 2, 1, x, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) truth += linear_nll(L, x + i * PIXELS) / N;
    assert_within(bdmc.ais.nll - truth, 4 * bdmc.gap_se, 30, "the upper bound above the truth");
    assert_within(truth - bdmc.nll_low, 4 * bdmc.gap_se, 30, "the truth above the lower bound");
    images_free(&images);
    vae_model_free(&model);
}

/* An exact draw of p(z|x) may lie beyond the cut of a posterior: chains that begin there need a proposal that reaches
 * it. */
static void a_posterior_that_ends(void **state)
{
    vae_images images = grey_images(40, 2, 3);
    vae_model *model = MODEL_WITH(2, 3, "latent", "1", "hidden", "4", "likelihood", "gaussian:sigma=1", "prior",
                                  "cauchy", "posterior", "cauchy:cut=0.25");
    vae_ais_options options = {.temperatures = 100, .chains = 8, .leapfrog = 5, .threads = 1, .seed = 3};
    vae_bdmc bdmc;
    (void)state;
    assert_int_equal(vae_estimate_bdmc(&bdmc, model, &images, &options, NULL), VAE_E_USAGE);
    options.proposal = VAE_PROPOSE_DEFENSIVE;
    assert_int_equal(vae_estimate_bdmc(&bdmc, model, &images, &options, NULL), VAE_OK);
    assert_within(bdmc.gap, -4 * bdmc.gap_se, 0.5, "what the bounds are apart");
    options.chains = 3;
    assert_int_equal(vae_estimate_bdmc(&bdmc, model, &images, &options, NULL), VAE_E_USAGE);
    images_free(&images);
    vae_model_free(&model);
}

/* Of a model that diverged there is no bound. */
static void losses_that_are_not_finite(void **state)
{
    vae_images images = grey_images(4, 2, 3);
    vae_model *model = linear_model(1);
    const vae_ais_options options = {.temperatures = 2, .chains = 2, .leapfrog = 1, .threads = 1};
    vae_ais ais;
    (void)state;
    set_tensor(model, "logvar.bias", (const float[]){3e38F});
    assert_int_equal(vae_estimate_ais(&ais, model, &images, &options, NULL), VAE_E_DIVERGED);
    images_free(&images);
    vae_model_free(&model);
}

/* ---- Integrals -------------------------------------------------------------------------------------------------- */

enum { GRID = 601 };

/* z = sinh u: narrow where posteriors are, and far enough for heavy tails. */
static double node(size_t i, double *weight)
{
    const double reach = 4.5, step = 2 * reach / (GRID - 1), u = step * (double)i - reach;
    *weight = step * cosh(u);
    return sinh(u);
}

static double log_of_prior(const struct vae_model *m, double z)
{
    const real at = R(z);
    real logp, slope;
    m->prior->log_prob(m->prior_state, 1, &at, &logp, &slope);
    return (double)logp;
}

/* Mean over images of -log of the integral of p(x|z) p(z), with pixels that are 0 or 1 under a Bernoulli likelihood. */
static double integral(const struct vae_model *m, const vae_images *images)
{
    const size_t L = m->L, D = m->D, points = L == 1 ? GRID : (size_t)GRID * GRID;
    float *z = mem_new(points, L * sizeof *z, NULL), *mean = mem_new(points, D * sizeof *mean, NULL);
    double *density = mem_new(points, sizeof *density, NULL), nll = 0;
    assert_true(z && mean && density);
    for (size_t k = 0; k < points; k++)
        for (size_t j = 0, at = k; j < L; j++, at /= GRID) {
            double weight;
            const double place = node(at % GRID, &weight);
            z[k * L + j] = (float)place;
            density[k] += log_of_prior(m, place) + log(weight);
        }
    assert_int_equal(vae_decode(m, points, z, NULL, 1, mean, NULL), VAE_OK);
    for (size_t i = 0; i < images->n; i++) {
        double sum = 0;
        for (size_t k = 0; k < points; k++) {
            double p = 1;
            for (size_t d = 0; d < D; d++)
                p *= images->pixels[i * D + d] ? (double)mean[k * D + d] : 1 - (double)mean[k * D + d];
            sum += p * exp(density[k]);
        }
        nll -= log(sum) / (double)images->n;
    }
    free(z);
    free(mean);
    free(density);
    return nll;
}

/* A decoder with several modes, and an encoder that knows nothing of them. */
static vae_model *folded_model(const char *prior, const char *posterior, const char *latent)
{
    vae_model *model = MODEL_WITH(4, 4, "latent", latent, "hidden", "12", "activation", "tanh", "prior", prior,
                                  "posterior", posterior);
    for (size_t i = 0; i < model->block.tensors; i++) {
        const struct tensor *t = &model->block.tensor[i];
        const bool deep = !strncmp(t->name, "decoder", 7);
        for (size_t k = 0; k < t->count; k++)
            if (deep || !strncmp(t->name, "posterior", 9))
                if (!model_masks(model, tensor_at(t, k)))
                    model->params[tensor_at(t, k)] = R(test_uniform(3000 * i + k, -1, 1) * (deep ? 2 : 0.4));
    }
    return model;
}

static const struct {
    const char *prior, *posterior;
} integrated[] = {{"normal", "gaussian"},   {"laplace", "gaussian"}, {"spikeslab", "gaussian"},
                  {"cauchy", "gaussian"},   {"cauchy", "cauchy"},    {"studentt", "cauchy:cut=0.01"},
                  {"normal", "iaf:width=8"}};

/* Where draws of q alone miss more than they say, k-hat tells. */
static void integrals_over_one_and_two_latents(void **state)
{
    enum { N = 12 };
    size_t missed = 0;
    vae_images images = grey_images(N, 4, 4);
    (void)state;
    for (size_t i = 0; i < N * 16; i++) images.pixels[i] = images.pixels[i] > 127 ? 255 : 0;
    for (size_t k = 0; k < 2 * sizeof integrated / sizeof *integrated; k++) {
        const char *prior = integrated[k / 2].prior, *posterior = integrated[k / 2].posterior;
        vae_model *model = folded_model(prior, posterior, k % 2 ? "2" : "1");
        vae_nll nll;
        const vae_nll_options options = {.samples = 50000, .threads = 1, .seed = 1, .proposal = VAE_PROPOSE_DEFENSIVE};
        const double truth = integral(model, &images);
        const vae_ais ais = ais_of(model, &images,
                                   (vae_ais_options){.temperatures = 100,
                                                     .chains = 100,
                                                     .leapfrog = 5,
                                                     .threads = 1,
                                                     .proposal = VAE_PROPOSE_DEFENSIVE,
                                                     .seed = 5});
        assert_int_equal(vae_estimate_nll(&nll, model, &images, &options, NULL), VAE_OK);
        vae_nll plain;
        const vae_nll_options plain_options = {.samples = 1000, .threads = 1, .seed = 1};
        assert_int_equal(vae_estimate_nll(&plain, model, &images, &plain_options, NULL), VAE_OK);
        if (plain.nll - truth > 2 * (plain.bias + plain.mc_se)) {
            missed++;
            assert_within(plain.khat_above, 0.05, 1, "share of images with a large k-hat, %s, %s", prior, posterior);
        }
        assert_near(nll.nll, truth, 0.05 / fabs(truth), "importance sampling, %s, %s, %zu latents", prior, posterior,
                    1 + k % 2);
        assert_within((ais.nll - truth) / ais.mc_se, -4, 4, "ais, %s, %s, %zu latents: errors off", prior, posterior,
                      1 + k % 2);
        assert_within(ais.mc_se, 0.005, 0.1, "its error");
        vae_model_free(&model);
    }
    assert_true(missed >= 2);
    images_free(&images);
}

/* ---- Moves ------------------------------------------------------------------------------------------------------ */

enum { CHAINS = 4000, CELLS = 20 };

struct moving {
    vae_model *model;
    struct pool *pool;
    struct pass pass;
    struct proposal proposal;
    struct chains chains;
};

static void open_moving(struct moving *m, vae_model *model, size_t chains, size_t threads)
{
    vae_images images = grey_images(1, model->rows, model->cols);
    const struct pass_plan plan = {.capacity = 1, .S = chains, .K = 1, .kl = KL_PER_DRAW, .slopes = true};
    m->model = model;
    assert_int_equal(pool_new(&m->pool, threads, NULL), VAE_OK);
    assert_int_equal(pass_new(&m->pass, model, m->pool, &plan, NULL), VAE_OK);
    assert_int_equal(proposal_new(&m->proposal, &m->pass, VAE_PROPOSE_Q, chains, NULL), VAE_OK);
    assert_int_equal(chains_new(&m->chains, &m->pass, &m->proposal, 3, NULL), VAE_OK);
    assert_int_equal(pass_gather(&m->pass, &images, NULL, 0, 1, NULL), VAE_OK);
    pass_encode(&m->pass);
    images_free(&images);
}

static void close_moving(struct moving *m)
{
    chains_free(&m->chains);
    proposal_free(&m->proposal);
    pass_free(&m->pass);
    pool_free(m->pool);
    vae_model_free(&m->model);
}

/* x|z ~ N(z, 1/4), q = N(0.1, 0.7^2): f_b is the normal whose precision and precision times mean are those of q and of
 * N(0.8 x, 0.2), mixed. Chains that begin there are still there after many moves with a step that is too large. */
static void moves_leave_their_density(void **state)
{
    (void)state;
    for (double b = 0; b <= 1; b += 0.5) {
        struct moving m;
        vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2", "likelihood", "gaussian:sigma=0.5");
        make_conjugate(model, 0.1, 0.7);
        open_moving(&m, model, CHAINS, 1);
        const double x = (double)*m.pass.x, precision = (1 - b) / 0.49 + b * 5, sd = 1 / sqrt(precision),
                     mean = ((1 - b) * 0.1 / 0.49 + b * 4 * x) / precision;
        double count[CELLS] = {0}, expected[CELLS], accepted = 0, moved = 0;
        for (size_t i = 0; i < CHAINS; i++) {
            uint32_t word;
            rng_words(&(struct rng){.seed = 77, .stream = RNG_DIGITS}, i, 1, &word);
            m.pass.eps[i] = R((mean + sd * (double)rng_normal(word) - 0.1) / 0.7);
        }
        const double first = (double)m.pass.eps[0];
        chains_place(&m.chains);
        for (uint64_t k = 1; k <= 30; k++) {
            chains_move(&m.chains, &(struct rng){.seed = 5, .step = k, .stream = RNG_AIS}, 0, b, 1.6 * sd / 0.7);
            for (size_t i = 0; i < CHAINS; i++) accepted += m.chains.accepted[i] / CHAINS / 30;
        }
        for (size_t i = 0; i < CELLS; i++) expected[i] = (double)CHAINS / CELLS;
        for (size_t i = 0; i < CHAINS; i++) {
            const double z = 0.1 + 0.7 * (double)m.pass.eps[i];
            count[(size_t)fmin(CELLS - 1, CELLS * normal_cdf((z - mean) / sd))]++;
        }
        moved = fabs((double)m.pass.eps[0] - first);
        assert_true(moved > 1e-3);
        assert_within(accepted, 0.3, 0.9, "acceptance at b = %g", b);
        assert_chi_square(CELLS, count, expected, "places of chains");
        close_moving(&m);
    }
}

/* From one place: chains forget where they began. */
static void moves_find_their_density(void **state)
{
    struct moving m;
    vae_model *model = MODEL_WITH(1, 1, "latent", "1", "hidden", "2", "likelihood", "gaussian:sigma=0.5");
    double count[CELLS] = {0}, expected[CELLS];
    (void)state;
    make_conjugate(model, 0.1, 0.7);
    open_moving(&m, model, CHAINS, 1);
    const double mean = 0.8 * (double)*m.pass.x, sd = sqrt(0.2);
    for (size_t i = 0; i < CHAINS; i++) m.pass.eps[i] = 2;
    chains_place(&m.chains);
    for (uint64_t k = 1; k <= 40; k++)
        chains_move(&m.chains, &(struct rng){.seed = 6, .step = k, .stream = RNG_AIS}, 0, 1, 0.5);
    for (size_t i = 0; i < CELLS; i++) expected[i] = (double)CHAINS / CELLS;
    for (size_t i = 0; i < CHAINS; i++)
        count[(size_t)fmin(CELLS - 1, CELLS * normal_cdf((0.1 + 0.7 * (double)m.pass.eps[i] - mean) / sd))]++;
    assert_chi_square(CELLS, count, expected, "places of chains");
    close_moving(&m);
}

/* ---- Threads ---------------------------------------------------------------------------------------------------- */

static void threads_change_nothing(void **state)
{
    enum { N = 90 };
    static const char *const priors[] = {"spikeslab", "realnvp:width=6", "lars:width=6,draws=64"};
    vae_images images = grey_images(N, 4, 4);
    (void)state;
    for (size_t k = 0; k < sizeof priors / sizeof *priors; k++) {
        vae_model *model = MODEL_WITH(4, 4, "latent", "3", "hidden", "12", "prior", priors[k]);
        double one[N], three[N];
        vae_ais_options options = {.temperatures = 3, .chains = 16, .leapfrog = 2, .proposal = proposals[1]};
        options.threads = 1;
        options.image_nll = one;
        ais_of(model, &images, options);
        options.threads = 3;
        options.image_nll = three;
        ais_of(model, &images, options);
        assert_memory_equal(one, three, sizeof one);
        vae_nll_options nll = {.samples = 30, .proposal = proposals[1], .threads = 1, .image_nll = one};
        assert_int_equal(vae_estimate_nll(&(vae_nll){0}, model, &images, &nll, NULL), VAE_OK);
        nll.threads = 3;
        nll.image_nll = three;
        assert_int_equal(vae_estimate_nll(&(vae_nll){0}, model, &images, &nll, NULL), VAE_OK);
        assert_memory_equal(one, three, sizeof one);
        vae_model_free(&model);
    }
    images_free(&images);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_formula_of_a_linear_model), cmocka_unit_test(both_bounds_of_a_linear_model),
        cmocka_unit_test(a_posterior_that_ends),         cmocka_unit_test(losses_that_are_not_finite),
        cmocka_unit_test(bounds_are_on_their_sides),     cmocka_unit_test(integrals_over_one_and_two_latents),
        cmocka_unit_test(moves_leave_their_density),     cmocka_unit_test(moves_find_their_density),
        cmocka_unit_test(threads_change_nothing)};
    /* Under a checker the last one alone: the others are a matter of numbers, and take minutes there. */
    const char *checker = getenv("VAE_CHECKER");
    const size_t n = sizeof tests / sizeof *tests, first = checker && *checker ? n - 1 : 0;
    return _cmocka_run_group_tests("tests", tests + first, n - first, NULL, NULL);
}
