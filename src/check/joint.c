/* SPDX-License-Identifier: MIT
 *
 * Is a joint prior what its table says? It is looked at in a small model of one, two and three latents, as it starts,
 * and at seeded values away from there, where no gradient is zero and no two components are alike.
 *
 * Density: of one and of two latents on a grid in u, z_j = sinh u_j, by the midpoint rule,
 *
 *     sum over the grid of p(z) prod_j h cosh u_j = 1
 *
 * Sampler, of two latents: from the same sums come the distribution of z_1 and that of z_2 given z_1. What they make of
 * draws, v_1 = F(z_1) and v_2 = F(z_2 | z_1) (Rosenblatt, "Remarks on a multivariate transformation", 1952), is uniform
 * on a square: chi-square of the counts in 100 cells, as a normal score (Wilson & Hilferty 1931).
 *
 * Slopes: of F = sum_r w_r log p(z_r) over rows r, in each z and along directions in what is learned (small.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "check/small.h"
#include "pass/density.h"

/* The grid of two latents is SIDE x SIDE, that of one 1 x LINE. At REACH is |z| = 81377. */
enum { SIDE = 320, LINE = 4800, REACH = 12, MOST_LATENTS = 3 };
enum { DRAWS = 20000, BINS = 100, CALIBRATION = 1 << 16 };

struct bench {
    struct small s;
    struct density density;

    struct guarded z, logp, dz; /* of SOME rows: (SOME, L), (SOME), (SOME, L) */
    real weight[SOME];
    real grid_z[SIDE * 2];
    double grid_logp[SIDE], mass[SIDE * SIDE]; /* of the cells of a row of the grid that come before, and it */
    double row_mass[SIDE];
};

/* ---- A prior at work -------------------------------------------------------------------------------------------- */

/* Its own rows, where it asks for more, are few: that is how noisy they are in training, and nothing that is true of
 * them. */
static vae_status make_model(struct bench *b, const struct prior_ops *prior, const vae_choice *choice, vae_error *err)
{
    enum { OWN = 4 };
    vae_config config;
    vae_config_defaults(&config);
    config.prior = *choice;
    vae_status status = small_open(&b->s, &config, err);
    if (status) return status;
    b->s.model->prior = prior;
    if (b->s.model->declared.own > OWN) b->s.model->declared.own = OWN;
    return VAE_OK;
}

/* With guarded bytes behind its file. */
static vae_status make_density(struct bench *b, vae_error *err)
{
    const size_t file = b->s.model->prior->joint->size;
    struct arena arena = {0};
    struct density *d = &b->density;
    vae_status status = density_new(d, b->s.model, SIDE, true, err);
    if (status) return status;
    density_free(d);
    d->file = mem_new(1, file + GUARD, err);
    if (!d->file) return VAE_E_MEMORY;
    guard((unsigned char *)d->file + file, GUARD);
    density_lay_out(d, &arena);
    status = small_take(&b->s, &arena, err);
    if (!status) density_lay_out(d, &arena);
    return status;
}

static vae_status open_bench(struct bench *b, const struct prior_ops *prior, const vae_choice *choice, vae_error *err)
{
    const vae_status status = make_model(b, prior, choice, err);
    for (size_t r = 0; r < SOME; r++) b->weight[r] = R((r % 2 ? -1 : 1) * seeded(r, 0.5, 1.5));
    return status ? status : make_density(b, err);
}

static void close_bench(struct bench *b)
{
    density_free(&b->density);
    small_close(&b->s);
}

/* Where a tensor begins whose start are data, which there are none of, and which stay where the likelihood takes them.
 */
static void put_data(struct bench *b)
{
    const struct tensor *t = &b->s.model->block.tensor[b->s.model->declared.tensor[0]];
    for (size_t k = 0; k < t->count; k++) b->s.model->params[tensor_at(t, k)] = R(seeded(k, 0, 1));
}

static vae_status draw(struct bench *b, size_t place, size_t n, real *z, vae_error *err)
{
    const struct rng rng = {.seed = 1, .stream = RNG_PRIOR};
    const size_t own = b->density.own;
    return b->s.model->prior->joint->draw(&b->density, &rng, (struct span){own, own + n}, place, z, err);
}

/* ---- Slopes ----------------------------------------------------------------------------------------------------- */

/* F. */
static double weighted_sum(void *context)
{
    struct bench *b = context;
    double *const logp = inside(&b->logp);
    double sum = 0;
    density_derive(&b->density, b->s.pool);
    density_log_prob(&b->density, b->s.pool, SOME, inside(&b->z), logp);
    for (size_t r = 0; r < SOME; r++) sum += (double)b->weight[r] * logp[r];
    return sum;
}

/* log p of all rows, their slopes and the gradient of what is learned. Slopes are added to what is there: to one. */
static void differentiate(void *context)
{
    struct bench *b = context;
    struct density *d = &b->density;
    real *const dz = inside(&b->dz);
    weighted_sum(b);
    for (size_t i = 0; i < SOME * b->s.L; i++) dz[i] = 1;
    density_backward(d, b->s.pool, inside(&b->z), b->weight, dz, b->s.gradient);
    for (size_t i = 0; i < d->declared->nets; i++) small_differentiate(&b->s, &d->run[i]);
    if (d->declared->encodes) small_differentiate(&b->s, &d->encoded);
}

struct latent {
    struct bench *b;
    real z[MOST_LATENTS];
    size_t j;
};

static double log_p_along_latent(void *context, double at)
{
    struct latent *l = context;
    double logp;
    l->z[l->j] = R(at);
    density_log_prob(&l->b->density, l->b->s.pool, 1, l->z, &logp);
    return logp;
}

/* Into the n largest so far, the largest first. */
static void insert(double error, size_t n, double *largest)
{
    for (size_t i = 0; i < n; i++)
        if (error > largest[i]) {
            const double next = largest[i];
            largest[i] = error;
            error = next;
        }
}

/* In each latent two points may be spoilt by a kink that is nearer than their smallest step: the third largest error
 * counts. */
static void check_slope_in_z(struct bench *b)
{
    enum { SPOILT = 2 };
    const real *z = inside(&b->z), *dz = inside(&b->dz);
    for (size_t j = 0; j < b->s.L; j++) {
        double most[SPOILT + 1] = {0};
        for (size_t r = 0; r < SOME; r++) {
            struct latent l = {.b = b, .j = j};
            const double slope = ((double)dz[r * b->s.L + j] - 1) / (double)b->weight[r];
            memcpy(l.z, z + r * b->s.L, b->s.L * sizeof *z);
            const double error = slope_error(log_p_along_latent, &l, (double)l.z[j], 0.05, slope, 1);
            if (isnan(error)) note(b->s.f, SLOPE_IN_Z, error, "L = %zu, latent %zu at %.4g", b->s.L, j, (double)l.z[j]);
            insert(error, SPOILT + 1, most);
        }
        note(b->s.f, SLOPE_IN_Z, most[SPOILT], "L = %zu, latent %zu", b->s.L, j);
    }
}

/* ---- Density and sampler ---------------------------------------------------------------------------------------- */

static size_t columns_of(const struct bench *b) { return b->s.L == 1 ? LINE : SIDE; }
static size_t rows_of(const struct bench *b) { return b->s.L == 1 ? 1 : SIDE; }
static double middle(size_t i, size_t n) { return REACH * ((2 * (double)i + 1) / (double)n - 1); }

/* Masses of SIDE cells of a row of the grid, from `first` on. */
static void integrate_cells(struct bench *b, size_t row, size_t first, double *mass)
{
    const size_t columns = columns_of(b);
    const double h = 2.0 * REACH / (double)columns, u = middle(row, SIDE);
    for (size_t k = 0; k < SIDE; k++) {
        if (b->s.L == 2) b->grid_z[k * b->s.L] = R(sinh(u));
        b->grid_z[(k + 1) * b->s.L - 1] = R(sinh(middle(first + k, columns)));
    }
    density_log_prob(&b->density, b->s.pool, SIDE, b->grid_z, b->grid_logp);
    for (size_t k = 0; k < SIDE; k++) {
        const double area = h * cosh(middle(first + k, columns)) * (b->s.L == 2 ? h * cosh(u) : 1);
        mass[first + k] = exp(b->grid_logp[k]) * area;
    }
}

/* Leaves masses summed up along each row, and over the rows. A prior that estimates its normaliser may be wrong by
 * three of its standard errors, and by one per cent at most. */
static void check_mass(struct bench *b)
{
    const struct joint_ops *joint = b->s.model->prior->joint;
    const size_t rows = rows_of(b), columns = columns_of(b);
    double total = 0;
    for (size_t i = 0; i < rows; i++) {
        double *const mass = b->mass + i * columns;
        for (size_t first = 0; first < columns; first += SIDE) integrate_cells(b, i, first, mass);
        for (size_t k = 1; k < columns; k++) mass[k] += mass[k - 1];
        b->row_mass[i] = total += mass[columns - 1];
    }
    const double error = joint->common_error ? joint->common_error(&b->density) : 0;
    const double beyond = fmax(0, fabs(total - 1) - fmin(0.01, 3 * error)) + 0 * (total + error); /* NaN stays */
    note(b->s.f, JOINT_MASS, beyond, "L = %zu, mass %.6g", b->s.L, total);
}

/* The share of the sums of SIDE cells up to z, and the cell that it is in. */
static double share_at(const double *sum, double z, size_t *cell)
{
    const double at = fmin(SIDE - 1e-9, fmax(0, (asinh(z) / REACH + 1) / 2 * SIDE));
    const size_t k = *cell = (size_t)at;
    const double before = k ? sum[k - 1] : 0;
    return (before + (at - (double)k) * (sum[k] - before)) / sum[SIDE - 1];
}

static size_t bin_of(const struct bench *b, const real *z)
{
    size_t row, column;
    const double first = share_at(b->row_mass, (double)z[0], &row);
    const double second = share_at(b->mass + row * SIDE, (double)z[1], &column);
    return (size_t)(10 * first) * 10 + (size_t)(10 * second);
}

/* Of two latents. */
static vae_status check_draws(struct bench *b, vae_error *err)
{
    double count[BINS] = {0}, bad = 0, chi = 0;
    const double expected = (double)DRAWS / BINS, v = 2 / (9 * (BINS - 1.0));
    for (size_t done = 0; done < DRAWS; done += SIDE) {
        const size_t n = DRAWS - done < SIDE ? DRAWS - done : SIDE;
        vae_status status = draw(b, done, n, b->grid_z, err);
        if (status) return status;
        for (size_t i = 0; i < n; i++) {
            const real *z = b->grid_z + 2 * i;
            const bool finite = isfinite((double)z[0]) && isfinite((double)z[1]);
            bad += !finite;
            if (finite) count[bin_of(b, z)] += 1;
        }
    }
    for (size_t i = 0; i < BINS; i++) chi += (count[i] - expected) * (count[i] - expected) / expected;
    note(b->s.f, JOINT_SAMPLER, (cbrt(chi / (BINS - 1)) - (1 - v)) / sqrt(v), "%d draws", DRAWS);
    note(b->s.f, DRAWS_FINITE, bad, "%d draws", DRAWS);
    return VAE_OK;
}

static void check_tails(struct bench *b)
{
    static const double at[] = {0, 1e-6, 50, 1e3, 1e4, 1e6};
    const struct joint_ops *joint = b->s.model->prior->joint;
    const struct span row = {b->density.own, b->density.own + 1};
    const real one = 1;
    for (size_t i = 0; i < 12; i++) {
        real z[MOST_LATENTS], dz[MOST_LATENTS] = {0};
        double logp;
        for (size_t j = 0; j < b->s.L; j++) z[j] = R((i + j) % 2 ? -at[i / 2] : at[i / 2]);
        density_log_prob(&b->density, b->s.pool, 1, z, &logp);
        joint->backward(&b->density, row, z, &one, dz);
        bool finite = isfinite(logp);
        for (size_t j = 0; j < b->s.L; j++) finite = finite && isfinite((double)dz[j]);
        note(b->s.f, TAILS, !finite, "L = %zu, |z| = %g", b->s.L, at[i / 2]);
    }
    for (size_t j = 0; j < b->s.L; j++) {
        real z[MOST_LATENTS] = {0};
        double logp;
        z[j] = R(NAN);
        density_log_prob(&b->density, b->s.pool, 1, z, &logp);
        note(b->s.f, NOT_A_NUMBER, !isnan(logp), "latent %zu, log p = %g", j, logp);
    }
}

/* ---- Rules for callbacks ---------------------------------------------------------------------------------------- */

/* All of it a second time, onto what the first one left: the same bits. */
static void check_again(struct bench *b)
{
    struct guarded logp, dz;
    differentiate(b);
    memcpy(&logp, &b->logp, sizeof logp);
    memcpy(&dz, &b->dz, sizeof dz);
    small_check_again(&b->s, differentiate, b);
    note(b->s.f, AGAIN, differing(&logp, &b->logp, sizeof logp, 1), "log p, L = %zu", b->s.L);
    note(b->s.f, AGAIN, differing(&dz, &b->dz, sizeof dz, 1), "slopes, L = %zu", b->s.L);
}

/* Each row by itself. A product of other rows may be rounded in another way. */
static void check_cut(struct bench *b)
{
    const struct joint_ops *joint = b->s.model->prior->joint;
    const real *z = inside(&b->z), *dz = inside(&b->dz);
    const double *logp = inside(&b->logp);
    for (size_t r = 0; r < SOME; r++) {
        const struct span row = {b->density.own + r, b->density.own + r + 1};
        real alone[MOST_LATENTS];
        double log_p_alone;
        for (size_t j = 0; j < b->s.L; j++) alone[j] = 1;
        joint->log_prob(&b->density, row, z + r * b->s.L, &log_p_alone);
        joint->backward(&b->density, row, z + r * b->s.L, &b->weight[r], alone);
        note(b->s.f, CUT, relative_error(log_p_alone, logp[r]), "log p, L = %zu, row %zu", b->s.L, r);
        for (size_t j = 0; j < b->s.L; j++)
            note(b->s.f, CUT, relative_error((double)alone[j], (double)dz[r * b->s.L + j]), "slopes, L = %zu, row %zu",
                 b->s.L, r);
    }
}

/* Draws at a place are the same, whoever is drawn with them; and again. */
static vae_status check_places(struct bench *b, vae_error *err)
{
    struct guarded all, again, one;
    guard(&all, sizeof all);
    guard(&again, sizeof again);
    vae_status status = draw(b, 5, SOME, inside(&all), err);
    if (!status) status = draw(b, 5, SOME, inside(&again), err);
    note(b->s.f, AGAIN, differing(&all, &again, sizeof all, 1), "draws, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, changed_around(&all, SOME * b->s.L * sizeof(real)), "draws, L = %zu", b->s.L);
    for (size_t r = 0; r < SOME && !status; r++) {
        const real *together = (const real *)inside(&all) + r * b->s.L;
        status = draw(b, 5 + r, 1, inside(&one), err);
        for (size_t j = 0; j < b->s.L; j++)
            note(b->s.f, CUT, relative_error((double)((const real *)inside(&one))[j], (double)together[j]),
                 "draws, L = %zu, row %zu", b->s.L, r);
    }
    return status;
}

static void check_guards(struct bench *b, const struct guarded *z_before)
{
    const size_t file = b->s.model->prior->joint->size;
    note(b->s.f, OUTSIDE, differing(z_before, &b->z, sizeof b->z, 1), "z, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, changed_around(&b->logp, SOME * sizeof(double)), "log p, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, changed_around(&b->dz, SOME * b->s.L * sizeof(real)), "slopes, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, guard_changed(b->s.memory + b->s.workspace, GUARD), "workspace, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, guard_changed((unsigned char *)b->density.file + file, GUARD), "file, L = %zu", b->s.L);
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

/* At the parameters as they are: slopes as in a step of training, the density as in an evaluation. */
static vae_status check_here(struct bench *b, vae_error *err)
{
    const struct rng own = {.seed = 1, .stream = RNG_OWN};
    struct guarded z;
    struct guarded *const outputs[] = {&b->z, &b->logp, &b->dz};
    for (size_t i = 0; i < 3; i++) guard(outputs[i], sizeof *outputs[i]);
    b->density.calibrated = false;
    density_derive(&b->density, b->s.pool);
    vae_status status = draw(b, 1, SOME, inside(&b->z), err);
    if (status) return status;
    memcpy(&z, &b->z, sizeof z);
    density_propose(&b->density, b->s.pool, &own);
    check_again(b);
    check_cut(b);
    check_slope_in_z(b);
    small_check_tensors(&b->s, weighted_sum, b);
    check_tails(b);
    check_guards(b, &z);
    status = check_places(b, err);
    if (status || b->s.L > 2) return status;
    density_calibrate(&b->density, b->s.pool, &own, CALIBRATION);
    check_mass(b);
    return b->s.L == 2 ? check_draws(b, err) : VAE_OK;
}

static vae_status check_latents(struct findings *f, const struct prior_ops *prior, const vae_choice *choice,
                                bool as_it_starts, size_t L, vae_error *err)
{
    struct bench *b = mem_new(1, sizeof *b, err);
    if (!b) return VAE_E_MEMORY;
    b->s.f = f;
    b->s.L = L;
    vae_status status = open_bench(b, prior, choice, err);
    small_label(&b->s, &prior->module, choice, "as it starts");
    if (!status && b->s.model->declared.encodes) put_data(b);
    if (!status && as_it_starts) status = check_here(b, err);
    small_label(&b->s, &prior->module, choice, "moved");
    if (!status) small_disturb(&b->s);
    if (!status) status = check_here(b, err);
    close_bench(b);
    free(b);
    return status;
}

/* Not every prior is one of a single latent. */
vae_status check_joint(struct findings *f, const struct prior_ops *prior, const vae_choice *given, vae_error *err)
{
    vae_choice choice;
    vae_status status = VAE_OK;
    for (size_t i = 0; !status && next_choice(&prior->module, given, true, i, &choice); i++)
        for (size_t L = MOST_LATENTS; L > 0 && !status; L--) {
            status = check_latents(f, prior, &choice, i == 0, L, err);
            if (status != VAE_E_USAGE || L == MOST_LATENTS) continue;
            status = VAE_OK;
            break;
        }
    return status;
}
