/* SPDX-License-Identifier: MIT
 *
 * Is a flow what its table says? It is looked at in a small model of one, two and three latents, with seeded draws and
 * contexts, as it starts and at seeded values away from there. Its log-determinant is compared with that of a Jacobian
 * by differences; slopes are those of
 *
 *     F = sum over rows r of [sum_j c_rj z_rj + w_r log |det dz_r/dz0_r|]
 *
 * in each z0, in each number of the context, and along directions in what is learned (small.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "check/small.h"
#include "pass/flow.h"

enum { IMAGES = 3, EACH = 4, ROWS = IMAGES * EACH, MOST_LATENTS = 3 };

struct bench {
    struct small s;
    struct flow flow;

    struct guarded z, dz, log_det;                                         /* (ROWS, L), (ROWS, L), (ROWS) */
    real z0[ROWS * MOST_LATENTS], pull[ROWS * MOST_LATENTS], weight[ROWS]; /* z0, c and w */
};

/* ---- A flow at work --------------------------------------------------------------------------------------------- */

static vae_status make_model(struct bench *b, const struct posterior_ops *posterior, const vae_choice *choice,
                             vae_error *err)
{
    vae_config config;
    vae_config_defaults(&config);
    config.posterior = *choice;
    const vae_status status = small_open(&b->s, &config, err);
    if (!status) b->s.model->posterior = posterior;
    return status;
}

/* With guarded bytes behind its tape. */
static vae_status make_flow(struct bench *b, vae_error *err)
{
    const size_t tape = b->s.model->posterior->flow->size;
    struct arena arena = {0};
    struct flow *flow = &b->flow;
    vae_status status = flow_new(flow, b->s.model, IMAGES, EACH, true, err);
    if (status) return status;
    flow_free(flow);
    flow->tape = mem_new(1, tape + GUARD, err);
    if (!flow->tape) return VAE_E_MEMORY;
    guard((unsigned char *)flow->tape + tape, GUARD);
    flow_lay_out(flow, &arena);
    status = small_take(&b->s, &arena, err);
    if (!status) flow_lay_out(flow, &arena);
    return status;
}

static vae_status open_bench(struct bench *b, const struct posterior_ops *posterior, const vae_choice *choice,
                             vae_error *err)
{
    vae_status status = make_model(b, posterior, choice, err);
    if (!status) status = make_flow(b, err);
    if (status) return status;
    for (size_t i = 0; i < ROWS * b->s.L; i++) {
        b->z0[i] = R(seeded(i, -2, 2));
        b->pull[i] = R(seeded(1000 + i, -1, 1));
    }
    for (size_t r = 0; r < ROWS; r++) b->weight[r] = R((r % 2 ? -1 : 1) * seeded(r, 0.5, 1.5));
    for (size_t i = 0; i < IMAGES * b->flow.nets->C; i++) b->flow.context[i] = R(seeded(2000 + i, -1, 1));
    return VAE_OK;
}

static void close_bench(struct bench *b)
{
    flow_free(&b->flow);
    small_close(&b->s);
}

static void forward(struct bench *b)
{
    const struct span images = {0, IMAGES};
    double *const log_det = inside(&b->log_det);
    for (size_t r = 0; r < ROWS; r++) log_det[r] = 0;
    memcpy(inside(&b->z), b->z0, ROWS * b->s.L * sizeof(real));
    b->flow.ops->condition(&b->flow, images);
    flow_forward(&b->flow, b->s.pool, IMAGES, ROWS, inside(&b->z), log_det);
}

/* F. */
static double sum_of(void *context)
{
    struct bench *b = context;
    const real *z = inside(&b->z);
    const double *log_det = inside(&b->log_det);
    double sum = 0;
    forward(b);
    for (size_t i = 0; i < ROWS * b->s.L; i++) sum += (double)b->pull[i] * (double)z[i];
    for (size_t r = 0; r < ROWS; r++) sum += (double)b->weight[r] * log_det[r];
    return sum;
}

/* z and the gradients in z0, in the context and in what is learned. */
static void differentiate(void *context)
{
    struct bench *b = context;
    const struct span images = {0, IMAGES};
    forward(b);
    memcpy(inside(&b->dz), b->pull, ROWS * b->s.L * sizeof(real));
    flow_backward(&b->flow, b->s.pool, ROWS, b->weight, inside(&b->dz));
    b->flow.ops->condition_backward(&b->flow, images);
    for (size_t i = 0; i < b->flow.nets->nets; i++) small_differentiate(&b->s, &b->flow.run[i]);
}

/* ---- Log-determinant -------------------------------------------------------------------------------------------- */

/* By elimination with the largest pivot. */
static double log_determinant(size_t n, double matrix[MOST_LATENTS][MOST_LATENTS])
{
    double sum = 0;
    for (size_t k = 0; k < n; k++) {
        size_t pivot = k;
        for (size_t i = k; i < n; i++)
            if (fabs(matrix[i][k]) > fabs(matrix[pivot][k])) pivot = i;
        for (size_t j = 0; j < n; j++) {
            const double swapped = matrix[k][j];
            matrix[k][j] = matrix[pivot][j];
            matrix[pivot][j] = swapped;
        }
        sum += log(fabs(matrix[k][k]));
        for (size_t i = k + 1; i < n; i++)
            for (size_t j = n; j-- > k;) matrix[i][j] -= matrix[i][k] / matrix[k][k] * matrix[k][j];
    }
    return sum;
}

/* z of all rows with one latent of z0 moved. */
static void moved(struct bench *b, size_t j, double step, real *z)
{
    real kept[ROWS];
    for (size_t r = 0; r < ROWS; r++) {
        kept[r] = b->z0[r * b->s.L + j];
        b->z0[r * b->s.L + j] += R(step);
    }
    forward(b);
    memcpy(z, inside(&b->z), ROWS * b->s.L * sizeof *z);
    for (size_t r = 0; r < ROWS; r++) b->z0[r * b->s.L + j] = kept[r];
}

static void check_log_det(struct bench *b)
{
    const double h = 0.02;
    double jacobian[ROWS][MOST_LATENTS][MOST_LATENTS];
    real z[4][ROWS * MOST_LATENTS];
    const double *log_det = inside(&b->log_det);
    for (size_t j = 0; j < b->s.L; j++) {
        for (int k = 0; k < 4; k++) moved(b, j, (k < 2 ? k - 2 : k - 1) * h, z[k]);
        for (size_t i = 0; i < ROWS * b->s.L; i++) {
            const double near = (double)z[2][i] - (double)z[1][i], far = (double)z[3][i] - (double)z[0][i];
            jacobian[i / b->s.L][i % b->s.L][j] = (8 * near - far) / (12 * h);
        }
    }
    forward(b);
    for (size_t r = 0; r < ROWS; r++)
        note(b->s.f, LOG_DET, relative_error(log_det[r], log_determinant(b->s.L, jacobian[r])), "L = %zu, row %zu",
             b->s.L, r);
}

/* ---- Slopes ----------------------------------------------------------------------------------------------------- */

struct number {
    struct bench *b;
    real *at;
};

static double sum_along_number(void *context, double at)
{
    const struct number *n = context;
    *n->at = R(at);
    return sum_of(n->b);
}

static double number_error(struct bench *b, real *at, real slope)
{
    struct number number = {b, at};
    const real kept = *at;
    const double error = slope_error(sum_along_number, &number, (double)kept, 0.05, (double)slope, 1);
    *at = kept;
    return error;
}

static void check_slopes(struct bench *b)
{
    const real *dz = inside(&b->dz);
    for (size_t i = 0; i < ROWS * b->s.L; i++)
        note(b->s.f, SLOPE_IN_Z, number_error(b, &b->z0[i], dz[i]), "L = %zu, row %zu", b->s.L, i / b->s.L);
    for (size_t i = 0; i < IMAGES * b->flow.nets->C; i++)
        note(b->s.f, SLOPE_OF_CONTEXT, number_error(b, &b->flow.context[i], b->flow.d_context[i]), "L = %zu, %zu",
             b->s.L, i);
    small_check_tensors(&b->s, sum_of, b);
}

/* ---- Rules for callbacks ---------------------------------------------------------------------------------------- */

/* All of it a second time: the same bits. */
static void check_again(struct bench *b)
{
    struct guarded z, dz;
    differentiate(b);
    memcpy(&z, &b->z, sizeof z);
    memcpy(&dz, &b->dz, sizeof dz);
    small_check_again(&b->s, differentiate, b);
    note(b->s.f, AGAIN, differing(&z, &b->z, sizeof z, 1), "z, L = %zu", b->s.L);
    note(b->s.f, AGAIN, differing(&dz, &b->dz, sizeof dz, 1), "slopes, L = %zu", b->s.L);
}

/* Each row by itself. A product of other rows may be rounded in another way. */
static void check_cut(struct bench *b)
{
    struct guarded z, dz;
    memcpy(inside(&z), b->z0, sizeof b->z0);
    memcpy(inside(&dz), b->pull, sizeof b->pull);
    for (size_t r = 0; r < ROWS; r++) {
        const struct span row = {r, r + 1};
        b->flow.ops->forward(&b->flow, row, inside(&z), NULL);
        b->flow.ops->backward(&b->flow, row, b->weight, inside(&dz));
    }
    const real *alone[] = {inside(&z), inside(&dz)}, *together[] = {inside(&b->z), inside(&b->dz)};
    for (size_t i = 0; i < ROWS * b->s.L; i++)
        for (size_t k = 0; k < 2; k++)
            note(b->s.f, CUT, relative_error((double)alone[k][i], (double)together[k][i]), "%s, L = %zu",
                 k ? "slopes" : "z", b->s.L);
}

static void check_guards(struct bench *b)
{
    const size_t tape = b->s.model->posterior->flow->size;
    note(b->s.f, OUTSIDE, changed_around(&b->z, ROWS * b->s.L * sizeof(real)), "z, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, changed_around(&b->dz, ROWS * b->s.L * sizeof(real)), "slopes, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, changed_around(&b->log_det, ROWS * sizeof(double)), "log det, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, guard_changed(b->s.memory + b->s.workspace, GUARD), "workspace, L = %zu", b->s.L);
    note(b->s.f, OUTSIDE, guard_changed((unsigned char *)b->flow.tape + tape, GUARD), "tape, L = %zu", b->s.L);
}

/* Draws far out, and one that is not a number. */
static void check_far(struct bench *b)
{
    static const double at[] = {1e3, 1e4, 1e6, (double)NAN};
    for (size_t i = 0; i < 4; i++) {
        real kept[ROWS * MOST_LATENTS];
        const real *z = inside(&b->z);
        double sum = 0;
        memcpy(kept, b->z0, sizeof kept);
        for (size_t k = 0; k < ROWS * b->s.L; k++) b->z0[k] = R(k % 2 ? -at[i] : at[i]);
        forward(b);
        for (size_t k = 0; k < ROWS * b->s.L; k++) sum += (double)z[k];
        for (size_t r = 0; r < ROWS; r++) sum += ((const double *)inside(&b->log_det))[r];
        if (isnan(at[i]))
            note(b->s.f, NOT_A_NUMBER, !isnan(sum), "L = %zu", b->s.L);
        else
            note(b->s.f, ENDS, !isfinite(sum), "L = %zu, |z0| = %g", b->s.L, at[i]);
        memcpy(b->z0, kept, sizeof kept);
    }
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

static void check_here(struct bench *b)
{
    struct guarded *const outputs[] = {&b->z, &b->dz, &b->log_det};
    for (size_t i = 0; i < 3; i++) guard(outputs[i], sizeof *outputs[i]);
    check_again(b);
    check_cut(b);
    check_slopes(b);
    check_log_det(b);
    check_far(b);
    check_guards(b);
}

static vae_status check_latents(struct findings *f, const struct posterior_ops *posterior, const vae_choice *choice,
                                bool as_it_starts, size_t L, vae_error *err)
{
    struct bench *b = mem_new(1, sizeof *b, err);
    if (!b) return VAE_E_MEMORY;
    b->s.f = f;
    b->s.L = L;
    const vae_status status = open_bench(b, posterior, choice, err);
    small_label(&b->s, &posterior->module, choice, "as it starts");
    if (!status && as_it_starts) check_here(b);
    small_label(&b->s, &posterior->module, choice, "moved");
    if (!status) small_disturb(&b->s);
    if (!status) check_here(b);
    close_bench(b);
    free(b);
    return status;
}

vae_status check_flow(struct findings *f, const struct posterior_ops *posterior, const vae_choice *given,
                      vae_error *err)
{
    vae_choice choice;
    vae_status status = VAE_OK;
    for (size_t i = 0; !status && next_choice(&posterior->module, given, true, i, &choice); i++)
        for (size_t L = 1; L <= MOST_LATENTS && !status; L++)
            status = check_latents(f, posterior, &choice, i == 0, L, err);
    return status;
}
