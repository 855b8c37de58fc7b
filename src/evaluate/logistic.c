/* SPDX-License-Identifier: MIT
 *
 * Newton's method, its linear systems solved by conjugate gradients as far as is useful (J. Nocedal & S. Wright,
 * "Numerical optimization", 2006, algorithm 7.1). They need products of the Hessian H with a direction V alone. With
 * P the softmax of the scores and Y the labels as ones and zeros,
 *
 *     dJ = X^T (P - Y) / n + r W,    H V = X^T R / n + r V,    R_ic = P_ic (T_ic - sum_k P_ik T_ik),    T = X V
 *
 * H is positive definite, so each solution points downhill. Rows are taken by chunks, whose sums are added up in double
 * precision and in their order: the slope can be followed down to where it ends, and all is the same every time. */
#include "evaluate/logistic.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/simd.h"
#include "base/vmath.h"

enum { CHUNK = 512, MOST_STEPS = 50, MOST_PRODUCTS = 500, MOST_HALVINGS = 20 };

/* Where |dJ| is as small, J is within |dJ|^2 / (2 r) = 5e-9 of its minimum. */
static const double SMALL_SLOPE = 1e-6;

/* All but p, score, part and factor in double, (F,C). */
struct work {
    const struct logistic *f;
    size_t size;
    double *weight, *slope, *step;          /* W, dJ and where Newton's method goes */
    double *trial, *trial_slope;            /* further on */
    double *residual, *direction, *product; /* of conjugate gradients */
    real *p;                                /* (n,C) softmax at what was evaluated last */
    real *score;                            /* (CHUNK,C) */
    real *factor, *part;                    /* (F,C) what X is multiplied by; what a chunk adds to a sum */
};

static void lay_out(struct work *w, struct arena *arena)
{
    double **const vectors[] = {&w->weight,      &w->slope,    &w->step,      &w->trial,
                                &w->trial_slope, &w->residual, &w->direction, &w->product};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = arena_take(arena, w->size, sizeof(double));
    w->factor = arena_take(arena, w->size, sizeof(real));
    w->part = arena_take(arena, w->size, sizeof(real));
    w->score = arena_take(arena, CHUNK * w->f->C, sizeof(real));
    w->p = arena_take(arena, w->f->n, w->f->C * sizeof(real));
}

static double dot(size_t n, const double *a, const double *b)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* ---- Sums over rows ---------------------------------------------------------------------------------------------- */

void logistic_scores(const struct logistic *f, const real *weight, size_t first, size_t rows, real *score)
{
    BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)rows, (int)f->C, (int)f->F, 1, f->x + first * f->F, (int)f->F,
     weight, (int)f->C, 0, score, (int)f->C);
}

/* sum += X^T score, of a chunk. */
static void add_rows(struct work *w, size_t first, size_t rows, double *sum)
{
    const struct logistic *f = w->f;
    BLAS(gemm)
    (CblasRowMajor, CblasTrans, CblasNoTrans, (int)f->F, (int)f->C, (int)rows, 1, f->x + first * f->F, (int)f->F,
     w->score, (int)f->C, 0, w->part, (int)f->C);
    for (size_t i = 0; i < w->size; i++) sum[i] += (double)w->part[i];
}

/* Scores to their softmax p, and in their place p less the indicator of the label; returns the sum of -log p. Of the
 * label that is minus the sum of the others: 1 - p would lose its digits where p is nearly 1. */
VAE_SIMD static double softmax(size_t rows, size_t C, const uint8_t *label, real *score, real *p)
{
    double loss = 0;
    for (size_t i = 0; i < rows; i++, score += C, p += C) {
        const real right = score[label[i]];
        real most = score[0], others = 0;
        for (size_t c = 1; c < C; c++) most = score[c] > most ? score[c] : most;
        for (size_t c = 0; c < C; c++) p[c] = vm_exp(score[c] - most);
        for (size_t c = 0; c < C; c++) others += c == label[i] ? R(0) : p[c];
        const real sum = others + p[label[i]];
        for (size_t c = 0; c < C; c++) score[c] = p[c] = p[c] / sum;
        score[label[i]] = -others / sum;
        loss += right == most ? log1p((double)others) : log((double)sum) + (double)(most - right);
    }
    return loss;
}

/* T to R, see above. */
VAE_SIMD static void curve(size_t rows, size_t C, const real *p, real *t)
{
    for (size_t i = 0; i < rows; i++, t += C, p += C) {
        real mean = 0;
        for (size_t c = 0; c < C; c++) mean += p[c] * t[c];
        for (size_t c = 0; c < C; c++) t[c] = p[c] * (t[c] - mean);
    }
}

static size_t rows_from(const struct logistic *f, size_t first) { return f->n - first < CHUNK ? f->n - first : CHUNK; }

static void set_factor(struct work *w, const double *from)
{
    for (size_t i = 0; i < w->size; i++) w->factor[i] = R(from[i]);
}

/* sum / n + r * from, in place of the sum. */
static void finish(const struct work *w, const double *from, double *sum)
{
    for (size_t i = 0; i < w->size; i++) sum[i] = sum[i] / (double)w->f->n + LOGISTIC_RIDGE * from[i];
}

/* J and dJ. */
static double evaluate(struct work *w, const double *weight, double *slope)
{
    const struct logistic *f = w->f;
    double loss = 0;
    memset(slope, 0, w->size * sizeof *slope);
    set_factor(w, weight);
    for (size_t first = 0, rows; first < f->n; first += rows) {
        rows = rows_from(f, first);
        logistic_scores(f, w->factor, first, rows, w->score);
        loss += softmax(rows, f->C, f->label + first, w->score, w->p + first * f->C);
        add_rows(w, first, rows, slope);
    }
    finish(w, weight, slope);
    return loss / (double)f->n + 0.5 * LOGISTIC_RIDGE * dot(w->size, weight, weight);
}

/* H V, where J was evaluated last. */
static void multiply_hessian(struct work *w, const double *v, double *product)
{
    const struct logistic *f = w->f;
    memset(product, 0, w->size * sizeof *product);
    set_factor(w, v);
    for (size_t first = 0, rows; first < f->n; first += rows) {
        rows = rows_from(f, first);
        logistic_scores(f, w->factor, first, rows, w->score);
        curve(rows, f->C, w->p + first * f->C, w->score);
        add_rows(w, first, rows, product);
    }
    finish(w, v, product);
}

/* ---- The minimum ------------------------------------------------------------------------------------------------- */

/* step = -H^-1 dJ, up to a residual that shrinks with dJ itself, so that the last steps are Newton's. */
static size_t solve(struct work *w)
{
    const double norm = sqrt(dot(w->size, w->slope, w->slope)), enough = fmin(0.1, sqrt(norm)) * norm;
    size_t products = 0;
    memset(w->step, 0, w->size * sizeof *w->step);
    for (size_t i = 0; i < w->size; i++) w->direction[i] = w->residual[i] = -w->slope[i];
    double squares = norm * norm;
    while (sqrt(squares) > enough && products < MOST_PRODUCTS) {
        multiply_hessian(w, w->direction, w->product);
        products++;
        const double along = squares / dot(w->size, w->direction, w->product);
        for (size_t i = 0; i < w->size; i++) w->step[i] += along * w->direction[i];
        for (size_t i = 0; i < w->size; i++) w->residual[i] -= along * w->product[i];
        const double before = squares;
        squares = dot(w->size, w->residual, w->residual);
        for (size_t i = 0; i < w->size; i++) w->direction[i] = w->residual[i] + squares / before * w->direction[i];
    }
    return products;
}

/* Goes along the step, or half of it and so on, until J falls enough; false where it does not, to within rounding. */
static bool advance(struct work *w, double *value)
{
    const double fall = dot(w->size, w->slope, w->step);
    double length = 1;
    for (int halvings = 0; halvings < MOST_HALVINGS; halvings++, length *= 0.5) {
        for (size_t i = 0; i < w->size; i++) w->trial[i] = w->weight[i] + length * w->step[i];
        const double there = evaluate(w, w->trial, w->trial_slope);
        if (there > *value + 1e-4 * length * fall + 1e-9) continue;
        memcpy(w->weight, w->trial, w->size * sizeof *w->weight);
        memcpy(w->slope, w->trial_slope, w->size * sizeof *w->slope);
        *value = there;
        return true;
    }
    return false;
}

static double minimise(struct work *w)
{
    double value = evaluate(w, w->weight, w->slope), norm = sqrt(dot(w->size, w->slope, w->slope));
    size_t products = 0;
    for (int steps = 0; steps < MOST_STEPS && products < MOST_PRODUCTS && norm > SMALL_SLOPE; steps++) {
        products += solve(w);
        if (!advance(w, &value)) break; /* single precision ends here */
        norm = sqrt(dot(w->size, w->slope, w->slope));
    }
    return norm;
}

vae_status logistic_fit(const struct logistic *problem, real *weight, double *slope, vae_error *err)
{
    struct work w = {.f = problem, .size = problem->F * problem->C};
    struct arena arena = {0};
    lay_out(&w, &arena);
    void *memory = mem_new(arena.used, 1, err);
    if (!memory) return VAE_E_MEMORY;
    arena = (struct arena){.base = memory};
    lay_out(&w, &arena);
    const double norm = minimise(&w);
    if (slope) *slope = norm;
    for (size_t i = 0; i < w.size; i++) weight[i] = R(w.weight[i]);
    free(memory);
    return VAE_OK;
}
