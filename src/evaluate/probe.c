/* SPDX-License-Identifier: MIT
 *
 * What a linear classifier reads off the latents: multinomial logistic regression from posterior means, standardised by
 * the training split, to labels. The loss, mean cross-entropy + (RIDGE/2) |W|^2, is convex and smooth, so Nesterov's
 * method with the step 1 / (largest curvature) needs no tuning and no random numbers (Y. Nesterov, "Introductory
 * lectures on convex optimization", 2004, section 2.2). */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/simd.h"
#include "base/vmath.h"
#include "model/model.h"

enum { MOST_IMAGES = 60000, STEPS = 200, POWER_STEPS = 50 };

static const double RIDGE = 1e-4;

/* Features (n,F), the last of them 1, and labels. */
struct features {
    size_t n, F;
    real *x;
    const uint8_t *label;
};

struct probe {
    size_t classes;
    real *weight, *ahead, *slope, *score; /* (F,classes), the last (n,classes) */
};

/* Of the first n images. */
static vae_status encode_features(struct features *f, const vae_model *model, const vae_images *images, size_t n,
                                  uint64_t seed, size_t threads, vae_error *err)
{
    const size_t L = model->L;
    *f = (struct features){.n = n, .F = L + 1, .label = images->labels};
    f->x = mem_new(n, (L + 1) * sizeof(real), err);
    float *mean = mem_new(n, L * sizeof(float), err);
    vae_status status = f->x && mean ? vae_encode(model, images, 0, n, seed, threads, mean, NULL, err) : VAE_E_MEMORY;
    for (size_t i = 0; i < n && !status; i++) {
        for (size_t j = 0; j < L; j++) f->x[i * f->F + j] = R(mean[i * L + j]);
        f->x[i * f->F + L] = 1;
    }
    free(mean);
    return status;
}

/* Both sets to zero mean and unit variance in the first. */
static void standardise(struct features *train, struct features *test)
{
    for (size_t j = 0; j + 1 < train->F; j++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < train->n; i++) sum += (double)train->x[i * train->F + j];
        const double mean = sum / (double)train->n;
        for (size_t i = 0; i < train->n; i++) squares += pow((double)train->x[i * train->F + j] - mean, 2);
        const double deviation = sqrt(squares / (double)train->n), scale = deviation > 1e-6 ? 1 / deviation : 0;
        for (struct features *f = train; f; f = f == train ? test : NULL)
            for (size_t i = 0; i < f->n; i++) f->x[i * f->F + j] = R(((double)f->x[i * f->F + j] - mean) * scale);
    }
}

/* Largest eigenvalue of X^T X / n, by the power method; a little more, to be on the safe side. */
static double largest_curvature(const struct features *f, real *vector, real *image)
{
    double length = 1;
    for (size_t j = 0; j < f->F; j++) vector[j] = 1;
    for (int step = 0; step < POWER_STEPS; step++) {
        length = (double)BLAS(nrm2)((int)f->F, vector, 1);
        BLAS(scal)((int)f->F, R(1 / length), vector, 1);
        BLAS(gemv)(CblasRowMajor, CblasNoTrans, (int)f->n, (int)f->F, 1, f->x, (int)f->F, vector, 1, 0, image, 1);
        BLAS(gemv)
        (CblasRowMajor, CblasTrans, (int)f->n, (int)f->F, 1 / R(f->n), f->x, (int)f->F, image, 1, 0, vector, 1);
    }
    return 1.1 * (double)BLAS(nrm2)((int)f->F, vector, 1);
}

static void scores(const struct features *f, const struct probe *p, const real *weight)
{
    BLAS(gemm)
    (CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)f->n, (int)p->classes, (int)f->F, 1, f->x, (int)f->F, weight,
     (int)p->classes, 0, p->score, (int)p->classes);
}

/* Scores to softmax minus the indicator of the label, the slope of the cross-entropy. */
VAE_SIMD static void scores_to_slopes(size_t n, size_t classes, const uint8_t *label, real *score)
{
    for (size_t i = 0; i < n; i++) {
        real *s = score + i * classes, most = s[0], sum = 0;
        for (size_t c = 1; c < classes; c++) most = s[c] > most ? s[c] : most;
        for (size_t c = 0; c < classes; c++) s[c] = vm_exp(s[c] - most);
        for (size_t c = 0; c < classes; c++) sum += s[c];
        for (size_t c = 0; c < classes; c++) s[c] = s[c] / sum;
        s[label[i]] -= R(1);
    }
}

static void fit(const struct features *f, const struct probe *p)
{
    const size_t size = f->F * p->classes;
    const real rate = R(1 / (0.5 * largest_curvature(f, p->slope, p->score) + RIDGE)), ridge = R(RIDGE);
    memset(p->weight, 0, size * sizeof *p->weight);
    memset(p->ahead, 0, size * sizeof *p->ahead);
    for (int step = 0; step < STEPS; step++) {
        const real momentum = R(step) / R(step + 3);
        scores(f, p, p->ahead);
        scores_to_slopes(f->n, p->classes, f->label, p->score);
        BLAS(gemm)
        (CblasRowMajor, CblasTrans, CblasNoTrans, (int)f->F, (int)p->classes, (int)f->n, 1 / R(f->n), f->x, (int)f->F,
         p->score, (int)p->classes, 0, p->slope, (int)p->classes);
        for (size_t i = 0; i < size; i++) {
            const real next = p->ahead[i] - rate * (p->slope[i] + ridge * p->ahead[i]);
            p->ahead[i] = next + momentum * (next - p->weight[i]);
            p->weight[i] = next;
        }
    }
}

static double share_right(const struct features *f, const struct probe *p)
{
    size_t right = 0;
    scores(f, p, p->weight);
    for (size_t i = 0; i < f->n; i++) {
        const real *s = p->score + i * p->classes;
        size_t best = 0;
        for (size_t c = 1; c < p->classes; c++)
            if (s[c] > s[best]) best = c;
        right += best == f->label[i];
    }
    return (double)right / (double)f->n;
}

vae_status vae_probe(double *accuracy, const vae_model *model, const vae_images *train, const vae_images *test,
                     uint64_t seed, size_t threads, vae_error *err)
{
    struct features fitted = {0}, held_out = {0};
    struct probe p = {0};
    *accuracy = NAN;
    if (!train->labels || !test->labels || !train->n || !test->n) return VAE_OK;
    p.classes = vae_images_classes(train);
    vae_status status = encode_features(&fitted, model, train, train->n < MOST_IMAGES ? train->n : MOST_IMAGES, seed,
                                        threads, err);
    if (!status) status = encode_features(&held_out, model, test, test->n, seed, threads, err);
    const size_t size = (model->L + 1) * p.classes, rows = fitted.n > held_out.n ? fitted.n : held_out.n;
    if (!status) p.weight = mem_new(size, 3 * sizeof *p.weight, err);
    if (!status) p.score = mem_new(rows, p.classes * sizeof *p.score, err);
    if (!status && (!p.weight || !p.score)) status = VAE_E_MEMORY;
    if (!status) {
        p.ahead = p.weight + size;
        p.slope = p.ahead + size;
        standardise(&fitted, &held_out);
        fit(&fitted, &p);
        *accuracy = share_right(&held_out, &p);
    }
    free(p.weight);
    free(p.score);
    free(fitted.x);
    free(held_out.x);
    return status;
}
