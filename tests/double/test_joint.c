/* SPDX-License-Identifier: MIT
 *
 * Joint priors in double: log p against formulas that are written here once more, in plain loops; its gradient in z
 * against central differences; the integral of p; draws against p. (Gradients of tensors are in test_model.c.)
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "models.h"

#include "disturb.h"
#include "pass/density.h"

enum { ROWS = 2, COLS = 3, D = ROWS * COLS, MOST = 128 }; /* no layer and no vector is wider than MOST */

static const char *const cases[] = {
    "scaled",
    "scaled:family=laplace",
    "mixture:components=7",
    "vampprior:components=5",
    "realnvp:width=5",
    "realnvp:blocks=1,layers=1,width=4",
    "lars:width=6,draws=64,tries=0",
    "lars:width=6,draws=64,base=laplace,tries=7",
    "lars:width=6,draws=64,base=laplace,tries=1",
    "lars:width=6,draws=64,base=mixture,tries=3",
    "lars:width=6,draws=64,base=realnvp",
    "lars:width=6,draws=64,base=vampprior",
};
enum { CASES = sizeof cases / sizeof *cases, SMALL_CASES = 9 }; /* the last have a large base */

/* ---- A prior at work -------------------------------------------------------------------------------------------- */

struct use {
    const char *label;
    vae_model *model;
    struct pool *pool;
    struct density density;
    void *memory;
    real *gradient; /* a block like the parameters */
    size_t L;
};

static void open_fresh(struct use *u, const char *prior, size_t L, size_t capacity)
{
    char latent[8];
    vae_error err = {0};
    struct arena arena = {0};
    *u = (struct use){.label = prior, .L = L};
    snprintf(latent, sizeof latent, "%zu", L);
    u->model = MODEL_WITH(ROWS, COLS, "latent", latent, "hidden", "4", "activation", "tanh", "prior", prior);
    assert_int_equal(pool_new(&u->pool, 1, &err), VAE_OK);
    assert_int_equal(density_new(&u->density, u->model, capacity, true, &err), VAE_OK);
    density_lay_out(&u->density, &arena);
    u->memory = mem_new(arena.used, 1, &err);
    assert_non_null(u->memory);
    arena = (struct arena){.base = u->memory};
    density_lay_out(&u->density, &arena);
    u->gradient = mem_new(u->model->block.size, sizeof(real), &err);
    assert_non_null(u->gradient);
}

/* What log p needs to know; draws of the prior's own as many as it makes in a step, or more. */
static void prepare(struct use *u, size_t draws)
{
    density_derive(&u->density, u->pool);
    density_calibrate(&u->density, u->pool, &(struct rng){.seed = 3, .stream = RNG_OWN}, draws);
}

static void open_use(struct use *u, const char *prior, size_t L, size_t capacity)
{
    open_fresh(u, prior, L, capacity);
    disturb(u->model, "", 0.8);
    prepare(u, 1);
}

static void close_use(struct use *u)
{
    density_free(&u->density);
    pool_free(u->pool);
    vae_model_free(&u->model);
    free(u->memory);
    free(u->gradient);
}

static double log_p(struct use *u, const double *z)
{
    double logp;
    density_log_prob(&u->density, u->pool, 1, z, &logp);
    return logp;
}

/* ---- Formulas --------------------------------------------------------------------------------------------------- */

static const struct tensor *find(const struct use *u, const char *name)
{
    for (size_t i = 0; i < u->model->block.tensors; i++)
        if (!strcmp(u->model->block.tensor[i].name, name)) return &u->model->block.tensor[i];
    return NULL;
}

static double value(const struct use *u, const struct tensor *t, size_t k)
{
    assert_non_null(t);
    return u->model->params[tensor_at(t, k)];
}

/* y (MOST) = W x + b, zero behind it; false where there is no such layer. */
static bool linear(const struct use *u, const char *name, const double *x, double *y)
{
    char weight[48], bias[48];
    snprintf(weight, sizeof weight, "%s.weight", name);
    snprintf(bias, sizeof bias, "%s.bias", name);
    const struct tensor *W = find(u, weight), *b = find(u, bias);
    if (!W) return false;
    memset(y, 0, MOST * sizeof *y);
    assert_true(W->dim[0] <= MOST && W->dim[1] <= MOST);
    for (size_t o = 0; o < W->dim[0]; o++) {
        y[o] = value(u, b, o);
        for (size_t i = 0; i < W->dim[1]; i++) y[o] += value(u, W, o * W->dim[1] + i) * x[i];
    }
    return true;
}

static double relu(double x) { return x > 0 ? x : 0; }

/* Layers SIDE.0, SIDE.1, ... of x, with an activation behind all of them, or all but the last. */
static void network(const struct use *u, const char *side, double (*activation)(double), bool last_too, double *x)
{
    char name[48], next[56];
    double y[MOST];
    for (size_t i = 0;; i++) {
        snprintf(name, sizeof name, "%s.%zu", side, i);
        snprintf(next, sizeof next, "%s.%zu.bias", side, i + 1);
        if (!linear(u, name, x, y)) return;
        for (size_t o = 0; o < MOST; o++) x[o] = last_too || find(u, next) ? activation(y[o]) : y[o];
    }
}

static double log_normal(double z, double mean, double deviation)
{
    const double apart = (z - mean) / deviation;
    return -0.5 * apart * apart - log(deviation) - 0.5 * log(6.28318530717958647693);
}

static double log_normal_prior(const struct use *u, const double *z)
{
    double sum = 0;
    for (size_t j = 0; j < u->L; j++) sum += log_normal(z[j], 0, 1);
    return sum;
}

static double log_laplace(const struct use *u, const double *z)
{
    double sum = 0;
    for (size_t j = 0; j < u->L; j++) sum += -fabs(z[j]) - log(2);
    return sum;
}

static double log_mixture(const struct use *u, const double *z)
{
    const struct tensor *logit = find(u, "prior.logit"), *mean = find(u, "prior.mean"), *sd = find(u, "prior.logsd");
    double p = 0, weights = 0;
    for (size_t k = 0; k < logit->count; k++) {
        double log_component = value(u, logit, k);
        for (size_t j = 0; j < u->L; j++)
            log_component += log_normal(z[j], value(u, mean, k * u->L + j), exp(value(u, sd, k * u->L + j)));
        p += exp(log_component);
        weights += exp(value(u, logit, k));
    }
    return log(p / weights);
}

static double log_vampprior(const struct use *u, const double *z)
{
    const struct tensor *pseudo = find(u, "prior.pseudo");
    double p = 0;
    for (size_t k = 0; k < pseudo->dim[0]; k++) {
        double h[MOST] = {0}, mu[MOST], logvar[MOST], log_component = 0;
        for (size_t i = 0; i < D; i++) h[i] = value(u, pseudo, k * D + i);
        network(u, "encoder", tanh, true, h);
        assert_true(linear(u, "mu", h, mu) && linear(u, "logvar", h, logvar));
        for (size_t j = 0; j < u->L; j++) log_component += log_normal(z[j], mu[j], exp(logvar[j] / 2));
        p += exp(log_component);
    }
    return log(p / (double)pseudo->dim[0]);
}

/* w = f(z): block t moves one part, by what its network says of the other. At even t that is the second part, and the
 * first one has (L+1)/2 latents. */
static void realnvp_map(const struct use *u, const double *z, double *w)
{
    const size_t L = u->L, half = (L + 1) / 2;
    memcpy(w, z, L * sizeof *w);
    for (size_t t = 0;; t++) {
        char side[16], first[32];
        const bool even = t % 2 == 0;
        double *fixed = even ? w : w + half, *moved = even ? w + half : w, x[MOST] = {0};
        const size_t n = even ? L - half : half;
        snprintf(side, sizeof side, "prior.%zu", t);
        snprintf(first, sizeof first, "%s.0.weight", side);
        if (!find(u, first)) return;
        memcpy(x, fixed, (L - n) * sizeof *x);
        network(u, side, relu, false, x);
        for (size_t j = 0; j < n; j++) moved[j] = (moved[j] - x[n + j]) * exp(-2 * tanh(x[j] / 2));
    }
}

/* log |det A| by elimination with the largest pivot. */
static double log_determinant(size_t n, double A[MOST][MOST])
{
    double sum = 0;
    for (size_t c = 0; c < n; c++) {
        size_t best = c;
        for (size_t r = c; r < n; r++)
            if (fabs(A[r][c]) > fabs(A[best][c])) best = r;
        for (size_t k = 0; k < n; k++) {
            const double swapped = A[c][k];
            A[c][k] = A[best][k];
            A[best][k] = swapped;
        }
        sum += log(fabs(A[c][c]));
        for (size_t r = c + 1; r < n; r++)
            for (size_t k = n; k-- > c;) A[r][k] -= A[r][c] / A[c][c] * A[c][k];
    }
    return sum;
}

/* The change of variables, with the Jacobian by central differences. */
static double log_realnvp(const struct use *u, const double *z)
{
    static double J[MOST][MOST];
    const double h = 1e-6;
    double w[MOST], moved[MOST], up[MOST], down[MOST];
    for (size_t j = 0; j < u->L; j++) {
        memcpy(moved, z, u->L * sizeof *moved);
        moved[j] = z[j] + h;
        realnvp_map(u, moved, up);
        moved[j] = z[j] - h;
        realnvp_map(u, moved, down);
        for (size_t i = 0; i < u->L; i++) J[i][j] = (up[i] - down[i]) / (2 * h);
    }
    realnvp_map(u, z, w);
    return log_normal_prior(u, w) + log_determinant(u->L, J);
}

static double acceptance(const struct use *u, const double *z)
{
    double x[MOST] = {0};
    memcpy(x, z, u->L * sizeof *x);
    network(u, "prior.accept", tanh, false, x);
    return 1 / (1 + exp(-x[0]));
}

/* Mean acceptance of the own draws that the prior made, and the standard error of its logarithm. */
static double mean_acceptance(const struct use *u, double *error)
{
    struct moments m = {0};
    for (size_t s = 0; s < u->density.own; s++) moments_add(&m, acceptance(u, u->density.own_z + s * u->L));
    if (error) *error = sqrt(m.squares / m.n / m.n) / m.mean;
    return m.mean;
}

static double formula(const char *name, const struct use *u, const double *z);

/* The first of T draws that is accepted, or else the last: draw k is reached with probability (1-Z)^k. */
static double log_lars(const struct use *u, const double *z)
{
    const double *param = u->model->config.prior.value, a = acceptance(u, z), Z = mean_acceptance(u, NULL);
    double accepted = 0, reached = 1;
    for (size_t k = 0; k + 1 < (size_t)param[1]; k++, reached *= 1 - Z) accepted += reached;
    const double bracket = param[1] > 0 ? accepted * a + reached : a / Z;
    return formula(prior_at((size_t)param[0])->module.name, u, z) + log(bracket);
}

/* Each latent has a scale of its own. */
static double log_scaled(const struct use *u, const double *z)
{
    static const struct prior_ops *const families[] = {SCALE_PRIORS(PRIOR_ENTRY)};
    const char *family = families[(size_t)u->model->config.prior.value[0]]->module.name;
    const struct tensor *logscale = find(u, "prior.logscale");
    double scaled[MOST], sum = 0;
    for (size_t j = 0; j < u->model->L; j++) {
        scaled[j] = z[j] / exp(value(u, logscale, j));
        sum += value(u, logscale, j);
    }
    return formula(family, u, scaled) - sum;
}

static double formula(const char *name, const struct use *u, const double *z)
{
    static const struct {
        const char *name;
        double (*log_p)(const struct use *, const double *);
    } known[] = {
        {"normal", log_normal_prior}, {"laplace", log_laplace}, {"scaled", log_scaled}, {"mixture", log_mixture},
        {"vampprior", log_vampprior}, {"realnvp", log_realnvp}, {"lars", log_lars}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, name)) return known[i].log_p(u, z);
    fail_msg("no formula for %s", name);
    return (double)NAN;
}

static void put_point(size_t i, size_t L, double *z)
{
    for (size_t j = 0; j < L; j++) z[j] = test_uniform(i * L + j, -2.5, 2.5);
}

/* ---- Density ---------------------------------------------------------------------------------------------------- */

static void test_every_joint_prior_is_here(void **state)
{
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        const char *name = prior_at(i)->module.name;
        bool here = !prior_at(i)->joint;
        for (size_t k = 0; k < CASES; k++) here = here || !strncmp(cases[k], name, strlen(name));
        if (!here) fail_msg("nothing is tested of %s", name);
    }
}

/* All rows at once, so that rows that are mixed up would show. */
static void test_log_p_is_that_of_its_formula(void **state)
{
    enum { POINTS = 40 };
    (void)state;
    for (size_t i = 0; i < CASES; i++)
        for (size_t L = 2; L <= 5; L += L < 3 ? 1 : 2) {
            struct use u;
            double z[POINTS * 5], logp[POINTS];
            open_use(&u, cases[i], L, POINTS);
            for (size_t r = 0; r < POINTS; r++) put_point(r, L, z + r * L);
            density_log_prob(&u.density, u.pool, POINTS, z, logp);
            for (size_t r = 0; r < POINTS; r += 9)
                assert_near(logp[r], formula(u.model->prior->module.name, &u, z + r * L), 2e-8,
                            "log p of %s, %zu latents, row %zu", cases[i], L, r);
            close_use(&u);
        }
}

/* A kink of a piecewise linear unit may lie within a step: a smaller one then decides. */
static double slope_error(struct use *u, double *z, size_t j, double slope)
{
    double least = INFINITY;
    for (double h = 1e-5; h > 1e-8 && least > 1e-8; h /= 100) {
        const double at = z[j];
        z[j] = at + h;
        const double up = log_p(u, z);
        z[j] = at - h;
        const double down = log_p(u, z);
        z[j] = at;
        least = fmin(least, fabs((up - down) / (2 * h) - slope));
    }
    return least;
}

static void test_slope_in_z(void **state)
{
    enum { POINTS = 5, L = 3 };
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        struct use u;
        double z[POINTS * L], dz[POINTS * L], logp[POINTS], weight[POINTS];
        open_use(&u, cases[i], L, POINTS);
        for (size_t r = 0; r < POINTS; r++) {
            put_point(r, L, z + r * L);
            weight[r] = 1.5 - 0.5 * (double)r; /* also zero, and less */
        }
        for (size_t k = 0; k < POINTS * L; k++) dz[k] = 10;
        density_log_prob(&u.density, u.pool, POINTS, z, logp);
        density_backward(&u.density, u.pool, z, weight, dz, u.gradient);
        for (size_t k = 0; k < POINTS * L; k++) {
            const double w = weight[k / L], slope = dz[k] - 10; /* it is added */
            if (w == 0) assert_near(slope, 0, 0, "slope of a row that does not count");
            if (w == 0) continue;
            assert_near(slope_error(&u, z + k / L * L, k % L, slope / w), 0, 1e-6 * (1 + fabs(slope)),
                        "d log p of %s, row %zu, latent %zu", cases[i], k / L, k % L);
        }
        close_use(&u);
    }
}

/* ---- Integrals and draws ---------------------------------------------------------------------------------------- */

enum { SIDE = 320, BLOCK = 16, CELLS = SIDE / BLOCK, DRAWS = 20000 };

static const double REACH = 5; /* in u, z = sinh u: 74 */

/* Probabilities of square cells in u by the midpoint rule; returns their sum. */
static double integrate_cells(struct use *u, double *cell)
{
    const double h = 2 * REACH / SIDE;
    double z[SIDE * 2], logp[SIDE], sum = 0;
    for (size_t i = 0; i < SIDE; i++) {
        const double first = -REACH + ((double)i + 0.5) * h;
        for (size_t k = 0; k < SIDE; k++) {
            z[2 * k] = sinh(first);
            z[2 * k + 1] = sinh(-REACH + ((double)k + 0.5) * h);
        }
        density_log_prob(&u->density, u->pool, SIDE, z, logp);
        for (size_t k = 0; k < SIDE; k++) {
            const double mass = exp(logp[k]) * h * h * cosh(first) * sqrt(1 + z[2 * k + 1] * z[2 * k + 1]);
            cell[i / BLOCK * CELLS + k / BLOCK] += mass;
            sum += mass;
        }
    }
    return sum;
}

static double cell_at(float z) { return floor((asinh((double)z) / REACH + 1) / 2 * CELLS); }

/* How many draws fall into each cell; the last one is everything outside. */
static void count_draws(const struct use *u, double *count)
{
    static float z[DRAWS * 2];
    vae_error err;
    if (vae_sample_prior(u->model, 9, DRAWS, z, &err)) fail_msg("%s: %s", u->label, err.message);
    for (size_t i = 0; i < DRAWS; i++) {
        const double row = cell_at(z[2 * i]), column = cell_at(z[2 * i + 1]);
        const bool inside = row >= 0 && row < CELLS && column >= 0 && column < CELLS;
        count[inside ? (size_t)row * CELLS + (size_t)column : CELLS * CELLS] += 1;
    }
}

/* Cells of few expected draws are thrown together. */
static void compare_counts(const struct use *u, const double *cell, double total, const double *count)
{
    double expected[CELLS * CELLS + 1] = {0}, counted[CELLS * CELLS + 1] = {0};
    size_t cells = 1; /* 0: the rest */
    for (size_t i = 0; i <= CELLS * CELLS; i++) {
        const double wanted = DRAWS * (i < CELLS * CELLS ? cell[i] / total : 0);
        const size_t to = wanted > 20 ? cells++ : 0;
        expected[to] += wanted;
        counted[to] += count[i];
    }
    assert_true(cells > 8);
    assert_chi_square(cells, counted, expected, u->label);
}

static void test_p_integrates_to_one_and_is_what_is_drawn(void **state)
{
    (void)state;
    for (size_t i = 0; i < SMALL_CASES; i++) {
        struct use u;
        double cell[CELLS * CELLS] = {0}, count[CELLS * CELLS + 1] = {0};
        open_use(&u, cases[i], 2, SIDE);
        prepare(&u, 1 << 16);
        const double total = integrate_cells(&u, cell);
        const struct joint_ops *joint = u.model->prior->joint;
        const double error = joint->common_error ? joint->common_error(&u.density) : 0;
        assert_near(total, 1, 1e-4 + 4 * error, "mass of %s", cases[i]);
        count_draws(&u, count);
        compare_counts(&u, cell, total, count);
        close_use(&u);
    }
}

/* The mean of densities N(centre, 0.5^2) at z. */
static double kernels(const float *centre, size_t n, size_t L, const double *z)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double squares = 0;
        for (size_t j = 0; j < L; j++)
            squares += (z[j] - (double)centre[i * L + j]) * (z[j] - (double)centre[i * L + j]);
        sum += exp(-2 * squares);
    }
    return sum / (double)n * pow(0.5 * sqrt(6.28318530717958647693), -(double)L);
}

/* With draws of p and any density q, E q/p = 1: in more latents than a grid can have. q are narrow densities around
 * other draws, so that it is large only where p is. (RealNVP, which may be narrower, is left to tests of its map.) */
static void test_draws_of_three_latents(void **state)
{
    enum { N = 4000, CENTRES = 100, L = 3 };
    static float drawn[(N + CENTRES) * L];
    (void)state;
    for (size_t i = 0; i < SMALL_CASES; i++) {
        struct use u;
        struct moments m = {0};
        double z[L];
        if (!strncmp(cases[i], "realnvp", 7)) continue;
        open_use(&u, cases[i], L, 1);
        prepare(&u, 1 << 16);
        assert_int_equal(vae_sample_prior(u.model, 2, N + CENTRES, drawn, NULL), VAE_OK);
        for (size_t r = 0; r < N; r++) {
            for (size_t j = 0; j < L; j++) z[j] = (double)drawn[r * L + j];
            moments_add(&m, kernels(drawn + N * L, CENTRES, L, z) / exp(log_p(&u, z)));
        }
        assert_within(moments_error(&m), 1e-3, 0.1, "error of E q/p of %s", cases[i]);
        assert_within((m.mean - 1) / moments_error(&m), -4, 4, "E q/p of %s (%g)", cases[i], m.mean);
        close_use(&u);
    }
}

/* ---- What single priors promise --------------------------------------------------------------------------------- */

static void test_realnvp_starts_as_the_standard_normal(void **state)
{
    (void)state;
    for (size_t L = 2; L <= 5; L++) {
        struct use u;
        double z[5];
        open_fresh(&u, "realnvp", L, 1);
        prepare(&u, 1);
        for (size_t i = 0; i < 10; i++) {
            put_point(i, L, z);
            assert_near(log_p(&u, z), log_normal_prior(&u, z), 1e-13, "log p of a new realnvp, %zu latents", L);
        }
        close_use(&u);
    }
}

/* f of a draw is the noise that it was made from: the last part that f moves got the first of it. */
static void test_realnvp_draws_are_the_inverse_of_its_map(void **state)
{
    static const char *const blocks[] = {"realnvp:blocks=1,width=5", "realnvp:blocks=2,width=5",
                                         "realnvp:blocks=5,width=5"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t L = 2; L <= 5; L++) {
            struct use u;
            float drawn[600 * 5];
            open_use(&u, blocks[i], L, 1);
            assert_int_equal(vae_sample_prior(u.model, 4, 600, drawn, NULL), VAE_OK);
            const size_t moved_last = u.model->declared.nets % 2 ? (L + 1) / 2 : 0;
            for (size_t r = 0; r < 600; r += 111) {
                double z[5], w[5];
                for (size_t j = 0; j < L; j++) z[j] = (double)drawn[r * L + j];
                realnvp_map(&u, z, w);
                for (size_t j = 0; j < L; j++) {
                    uint32_t word[4];
                    rng_block(&(struct rng){.seed = 4, .stream = RNG_PRIOR}, r * L + j, word);
                    assert_near(w[(moved_last + j) % L], (double)rng_normal(word[0]), 2e-5,
                                "f(draw) of %s, %zu latents", blocks[i], L);
                }
            }
            close_use(&u);
        }
}

/* Of one try the last is accepted. */
static void test_lars_of_one_try_is_its_base(void **state)
{
    static const char *const lars[] = {"lars:tries=1,draws=64,width=6", "lars:tries=1,draws=64,width=6,base=laplace",
                                       "lars:tries=1,draws=64,width=6,base=mixture"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct use u;
        double z[3];
        open_use(&u, lars[i], 3, 1);
        for (size_t r = 0; r < 5; r++) {
            put_point(r, 3, z);
            assert_near(log_p(&u, z), formula(prior_at((size_t)u.model->config.prior.value[0])->module.name, &u, z),
                        1e-12, "log p of %s", lars[i]);
        }
        close_use(&u);
    }
}

/* In a training step <Z> is smoothed over steps, and follows the parameters by the derivative of this step's Z. */
static void test_lars_smooths_its_normaliser(void **state)
{
    struct use u;
    const double z[2] = {0.3, -0.4};
    (void)state;
    open_fresh(&u, "lars:width=6,draws=64,tries=0", 2, 1);
    disturb(u.model, "", 0.8);
    real *before = &u.model->params[find(&u, "prior.z")->offset];
    density_derive(&u.density, u.pool);
    for (int step = 0; step < 2; step++) {
        *before = step ? 0.9 : 0; /* 0: there was none yet */
        density_propose(&u.density, u.pool, &(struct rng){.seed = 3, .stream = RNG_OWN});
        const double now = mean_acceptance(&u, NULL), Z = step ? 0.99 * *before + 0.01 * now : now;
        const double logp = log_normal_prior(&u, z) + log(acceptance(&u, z) / Z);
        assert_near(log_p(&u, z), logp, 1e-12, "log p with a smoothed Z, step %d", step);
        u.model->prior->joint->settle(&u.density, u.model->params);
        assert_near(*before, Z, 1e-12, "<Z> behind step %d", step);
    }
    close_use(&u);
}

/* The error of log Z by the draws of an evaluation. */
static void test_lars_knows_the_error_of_its_normaliser(void **state)
{
    struct use u;
    double error;
    (void)state;
    open_use(&u, "lars:width=6,draws=1000", 3, 1);
    mean_acceptance(&u, &error);
    assert_within(error, 1e-3, 0.1, "error of log Z");
    assert_near(u.model->prior->joint->common_error(&u.density) / error, 1, 1e-9, "error of log Z");
    prepare(&u, 50 * 1000); /* 50 rounds of other draws */
    assert_within(u.model->prior->joint->common_error(&u.density) / error * sqrt(50), 0.9, 1.1, "error of 50 rounds");
    close_use(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_joint_prior_is_here),
        cmocka_unit_test(test_log_p_is_that_of_its_formula),
        cmocka_unit_test(test_slope_in_z),
        cmocka_unit_test(test_p_integrates_to_one_and_is_what_is_drawn),
        cmocka_unit_test(test_draws_of_three_latents),
        cmocka_unit_test(test_realnvp_starts_as_the_standard_normal),
        cmocka_unit_test(test_realnvp_draws_are_the_inverse_of_its_map),
        cmocka_unit_test(test_lars_of_one_try_is_its_base),
        cmocka_unit_test(test_lars_smooths_its_normaliser),
        cmocka_unit_test(test_lars_knows_the_error_of_its_normaliser),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
