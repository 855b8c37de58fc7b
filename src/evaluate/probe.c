/* SPDX-License-Identifier: MIT
 *
 * What a linear classifier reads off the latents: multinomial logistic regression (src/evaluate/logistic.h) from
 * posterior means, standardised by the training split, and a constant to labels. */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "evaluate/logistic.h"
#include "model/model.h"

enum { MOST_IMAGES = 60000 };

/* Features (n,F), the last of them 1, and labels. */
struct features {
    size_t n, F;
    real *x;
    const uint8_t *label;
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

static double share_right(const struct features *f, const struct logistic *problem, const real *weight, real *score)
{
    const struct logistic held_out = {f->n, f->F, problem->C, f->x, f->label};
    size_t right = 0;
    for (size_t i = 0; i < f->n; i++) {
        size_t best = 0;
        logistic_scores(&held_out, weight, i, 1, score);
        for (size_t c = 1; c < problem->C; c++)
            if (score[c] > score[best]) best = c;
        right += best == f->label[i];
    }
    return (double)right / (double)f->n;
}

static vae_status fit_and_judge(double *accuracy, const struct features *fitted, const struct features *held_out,
                                size_t classes, vae_error *err)
{
    const struct logistic problem = {fitted->n, fitted->F, classes, fitted->x, fitted->label};
    real *weight = mem_new(fitted->F, classes * sizeof *weight, err), *score = mem_new(classes, sizeof *score, err);
    vae_status status = weight && score ? logistic_fit(&problem, weight, NULL, err) : VAE_E_MEMORY;
    if (!status) *accuracy = share_right(held_out, &problem, weight, score);
    free(weight);
    free(score);
    return status;
}

vae_status vae_probe(double *accuracy, const vae_model *model, const vae_images *train, const vae_images *test,
                     uint64_t seed, size_t threads, vae_error *err)
{
    struct features fitted = {0}, held_out = {0};
    *accuracy = NAN;
    if (!train->labels || !test->labels || !train->n || !test->n) return VAE_OK;
    vae_status status = encode_features(&fitted, model, train, train->n < MOST_IMAGES ? train->n : MOST_IMAGES, seed,
                                        threads, err);
    if (!status) status = encode_features(&held_out, model, test, test->n, seed, threads, err);
    if (!status) {
        standardise(&fitted, &held_out);
        status = fit_and_judge(accuracy, &fitted, &held_out, vae_images_classes(train), err);
    }
    free(fitted.x);
    free(held_out.x);
    return status;
}
