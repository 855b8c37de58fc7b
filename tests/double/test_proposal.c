/* SPDX-License-Identifier: MIT
 *
 * Proposals and targets in double: slopes against central differences, densities against their integral and their
 * draws, under every kind of prior, posterior and likelihood; and the inverse of flows. */
#include "data/source.h"
#include "disturb.h"
#include "evaluate/hmc.h"
#include "models.h"

enum { ROWS = 2, COLS = 3, IMAGES = 2 };

struct bench {
    vae_model *model;
    struct pool *pool;
    struct pass pass;
    struct proposal proposal;
    struct chains chains;
};

static void open_bench(struct bench *b, const char *const *settings, vae_proposal kind, size_t draws)
{
    vae_images images;
    const struct pass_plan plan = {
        .capacity = IMAGES, .S = draws, .K = 1, .kl = KL_PER_DRAW, .calibration = 4096, .slopes = true};
    b->model = model_with(ROWS, COLS, settings);
    disturb(b->model, "prior.", 1);
    disturb(b->model, "likelihood.", 1);
    disturb(b->model, "posterior.", 1);
    assert_int_equal(images_new(&images, IMAGES, ROWS, COLS, true, NULL), VAE_OK);
    for (size_t i = 0; i < IMAGES * ROWS * COLS; i++) images.pixels[i] = (uint8_t)(37 * i);
    for (size_t i = 0; i < IMAGES; i++) images.labels[i] = (uint8_t)i;
    assert_int_equal(pool_new(&b->pool, 1, NULL), VAE_OK);
    assert_int_equal(pass_new(&b->pass, b->model, b->pool, &plan, NULL), VAE_OK);
    assert_int_equal(proposal_new(&b->proposal, &b->pass, kind, draws, NULL), VAE_OK);
    assert_int_equal(chains_new(&b->chains, &b->pass, &b->proposal, 1, NULL), VAE_OK);
    pass_derive(&b->pass, &(struct rng){.seed = 7, .stream = RNG_OWN});
    assert_int_equal(pass_gather(&b->pass, &images, NULL, 0, IMAGES, NULL), VAE_OK);
    pass_encode(&b->pass);
    images_free(&images);
}

static void close_bench(struct bench *b)
{
    chains_free(&b->chains);
    proposal_free(&b->proposal);
    pass_free(&b->pass);
    pool_free(b->pool);
    vae_model_free(&b->model);
}

#define SETTINGS(...)                                                                                                  \
    {                                                                                                                  \
        "hidden", "5", "activation", "tanh", __VA_ARGS__, NULL                                                         \
    }
static const char *const cases[][16] = {
    SETTINGS("prior", "normal", "activation", "gated"),
    SETTINGS("prior", "laplace", "likelihood", "gaussian:sigma=0.4"),
    SETTINGS("prior", "spikeslab", "likelihood", "gaussian:sigma=learned"),
    SETTINGS("prior", "cauchy", "posterior", "cauchy", "likelihood", "gaussian:sigma=per-pixel"),
    SETTINGS("prior", "studentt", "posterior", "cauchy:cut=0", "likelihood", "cbernoulli"),
    SETTINGS("prior", "logistic", "posterior", "iaf:width=6"),
    SETTINGS("prior", "scaled:family=laplace"),
    SETTINGS("prior", "mixture:components=4", "posterior", "iaf:width=6,blocks=3"),
    SETTINGS("prior", "vampprior:components=4"),
    SETTINGS("prior", "realnvp:width=5"),
    SETTINGS("prior", "lars:width=6,draws=64", "conditional", "3"),
    SETTINGS("prior", "lars:width=6,draws=64,base=realnvp,tries=5", "posterior", "iaf:width=6"),
};
enum { CASES = sizeof cases / sizeof *cases };

/* Case k with so many latents. */
static void open_case(struct bench *b, size_t k, const char *latent, vae_proposal kind, size_t draws)
{
    const char *settings[20] = {"latent", latent};
    for (size_t i = 0; cases[k][i]; i++) settings[i + 2] = cases[k][i];
    open_bench(b, settings, kind, draws);
}

static void slopes_are_derivatives(void **state)
{
    enum { DRAWS = 4, L = 3, N = DRAWS * IMAGES };
    (void)state;
    for (size_t k = 0; k < 2 * CASES; k++) {
        struct bench b;
        real eps[N * L], slope[N * L], r_slope[N * L];
        const double h = 1e-5;
        open_case(&b, k / 2, "3", k % 2 ? VAE_PROPOSE_DEFENSIVE : VAE_PROPOSE_Q, DRAWS);
        for (size_t i = 0; i < N * L; i++) eps[i] = R(test_uniform(i, -2.5, 2.5));
        memcpy(b.pass.eps, eps, sizeof eps);
        chains_place(&b.chains);
        memcpy(slope, b.chains.slope, sizeof slope);
        memcpy(r_slope, b.proposal.log_r_slope, sizeof r_slope);
        for (size_t j = 0; j < L; j++) {
            double target[2][N], log_r[2][N];
            for (size_t side = 0; side < 2; side++) {
                memcpy(b.pass.eps, eps, sizeof eps);
                for (size_t r = 0; r < N; r++) b.pass.eps[r * L + j] += side ? h : -h;
                chains_place(&b.chains);
                memcpy(target[side], b.proposal.target, sizeof target[side]);
                memcpy(log_r[side], b.proposal.log_r, sizeof log_r[side]);
            }
            for (size_t r = 0; r < N; r++) {
                assert_near((double)slope[r * L + j], (target[1][r] - target[0][r]) / (2 * h), 1e-6,
                            "%s: slope of the target, row %zu, latent %zu", cases[k / 2][5], r, j);
                assert_near((double)r_slope[r * L + j], (log_r[1][r] - log_r[0][r]) / (2 * h), 1e-6,
                            "%s: slope of log r, row %zu, latent %zu", cases[k / 2][5], r, j);
            }
        }
        close_bench(&b);
    }
}

/* One latent: r integrates to one, and its draws lie where it says. */
static void draws_have_their_density(void **state)
{
    enum { POINTS = 20000, CELLS = 12 };
    const double reach = 12; /* eps = sinh u, u up to this */
    (void)state;
    for (size_t k = 0; k < 2 * CASES; k++) {
        struct bench b;
        double count[CELLS] = {0}, expected[CELLS] = {0}, edge[CELLS - 1], total = 0;
        if (strstr(cases[k / 2][5], "realnvp")) continue; /* which takes two latents */
        open_case(&b, k / 2, "1", k % 2 ? VAE_PROPOSE_DEFENSIVE : VAE_PROPOSE_Q, POINTS);
        for (size_t i = 0; i < CELLS - 1; i++) edge[i] = sinh(2.0 * ((double)i - 5) / 5);
        for (size_t s = 0; s < POINTS; s++) {
            const double u = reach * (2 * ((double)s + 0.5) / POINTS - 1);
            b.pass.eps[s * IMAGES] = b.pass.eps[s * IMAGES + 1] = R(sinh(u));
        }
        proposal_weigh(&b.proposal);
        for (size_t s = 0; s < POINTS; s++) {
            const double eps = (double)b.pass.eps[s * IMAGES + 1];
            const double mass = exp(b.proposal.log_r[s * IMAGES + 1]) * hypot(1, eps) * 2 * reach / POINTS;
            size_t cell = 0;
            while (cell < CELLS - 1 && eps > edge[cell]) cell++;
            expected[cell] += mass * POINTS;
            total += mass;
        }
        assert_near(total, 1, strstr(cases[k / 2][5], "lars") ? 0.05 : 2e-3, "%s: integral of r", cases[k / 2][5]);
        assert_int_equal(proposal_draw(&b.proposal, &(struct rng){.seed = 4, .stream = RNG_AIS}, 0, 0, NULL), VAE_OK);
        for (size_t s = 0; s < POINTS; s++) {
            size_t cell = 0;
            while (cell < CELLS - 1 && (double)b.pass.eps[s * IMAGES + 1] > edge[cell]) cell++;
            count[cell]++;
        }
        for (size_t i = 0; i < CELLS; i++)
            assert_within((count[i] - expected[i] / total) / sqrt(fmax(25, expected[i])), -4.5, 4.5,
                          "%s: draws in cell %zu, deviations off", cases[k / 2][5], i);
        close_bench(&b);
    }
}

static void flows_have_an_inverse(void **state)
{
    enum { DRAWS = 3, L = 4, N = DRAWS * IMAGES * L };
    (void)state;
    for (size_t k = 0; k < CASES; k++) {
        struct bench b;
        real eps[N];
        open_case(&b, k, "4", VAE_PROPOSE_Q, DRAWS);
        for (size_t i = 0; i < N; i++) eps[i] = b.pass.eps[i] = R(test_uniform(i, -3, 3));
        pass_latent(&b.pass, NULL);
        memset(b.pass.eps, 0, sizeof eps);
        for (size_t s = 0; s < DRAWS; s++) pass_noise(&b.pass, s);
        for (size_t i = 0; i < N; i++) assert_near((double)b.pass.eps[i], (double)eps[i], 1e-9, "noise of z");
        close_bench(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(slopes_are_derivatives),
                                       cmocka_unit_test(draws_have_their_density),
                                       cmocka_unit_test(flows_have_an_inverse)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
