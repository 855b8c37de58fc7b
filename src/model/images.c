/* SPDX-License-Identifier: MIT
 *
 * Which images a model takes, and how it reads them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/source.h"
#include "data/stream.h"
#include "model/model.h"

struct pixels model_pixels(const struct vae_model *model, const vae_images *images, uint64_t seed, uint64_t step)
{
    const bool as_one_file = images->number || images->split == VAE_ALL;
    const uint64_t lasting = UINT64_MAX - (as_one_file ? VAE_TRAIN : images->split);
    struct rng rng = {.seed = seed, .step = step ? step : lasting, .stream = RNG_BINARIZE};
    switch (model->binarize) {
    case BINARIZE_NONE: return (struct pixels){.rule = PIXELS_GREY};
    case BINARIZE_THRESHOLD: return (struct pixels){.rule = PIXELS_THRESHOLD};
    case BINARIZE_STATIC: rng.seed = 0, rng.step = lasting; break;
    case BINARIZE_DYNAMIC: break;
    }
    return (struct pixels){PIXELS_DRAWN, rng};
}

static bool takes(const struct likelihood_ops *likelihood, float lowest, float highest)
{
    return likelihood->lowest <= (double)lowest && (double)highest <= likelihood->highest;
}

/* Bytes become 0 to 1. */
static void range_of(const vae_images *images, float *lowest, float *highest)
{
    *lowest = images->values ? images->lowest : 0;
    *highest = images->values ? images->highest : 1;
}

bool vae_likelihood_takes(const char *name, const vae_images *images)
{
    const struct likelihood_ops *likelihood = likelihood_find(name);
    float lowest, highest;
    range_of(images, &lowest, &highest);
    return likelihood && takes(likelihood, lowest, highest);
}

/* "NAME takes 0 to 1". */
static const char *range_text(const struct likelihood_ops *likelihood, char *text, size_t size)
{
    snprintf(text, size, "%s takes any", likelihood->module.name);
    if (isfinite(likelihood->lowest) || isfinite(likelihood->highest))
        snprintf(text, size, "%s takes %g to %g", likelihood->module.name, likelihood->lowest, likelihood->highest);
    return text;
}

/* Says what the chosen likelihood takes, and which ones take these values. */
static vae_status out_of_range(const struct likelihood_ops *likelihood, const char *found, float lowest, float highest,
                               vae_error *err)
{
    const bool like_bytes = lowest >= 0 && highest >= 2 && highest <= 255;
    char range[64], others[256] = "";
    const struct likelihood_ops *other;
    for (size_t i = 0; (other = likelihood_at(i)); i++)
        if (takes(other, lowest, highest))
            snprintf(others + strlen(others), sizeof others - strlen(others), "%s%s", *others ? ", " : "",
                     range_text(other, range, sizeof range));
    return vae_fail(err, VAE_E_DATA, "%s, likelihood %s (%s%s)", found, range_text(likelihood, range, sizeof range),
                    like_bytes ? "divide them by 255 if they are bytes; " : "", others);
}

/* In as few digits as tell it from its neighbours: 1.0000001 must not look like 1. */
static const char *float_text(float value, char *text, size_t size)
{
    int digits = 6;
    do snprintf(text, size, "%.*g", digits, (double)value);
    while (strtof(text, NULL) != value && ++digits <= 9);
    return text;
}

static vae_status check_range(const struct vae_model *model, const vae_images *images, vae_error *err)
{
    float lowest, highest;
    range_of(images, &lowest, &highest);
    char from[32], to[32], found[VAE_MAX_SOURCE + 96];
    snprintf(found, sizeof found, "%s: values from %s to %s", images->source ? images->source : "images",
             float_text(lowest, from, sizeof from), float_text(highest, to, sizeof to));
    if (model->binarize != BINARIZE_NONE && (lowest < 0 || highest > 1))
        return vae_fail(err, VAE_E_DATA, "%s, binarize %s takes 0 to 1", found, model->config.binarize);
    if (takes(model->likelihood, lowest, highest)) return VAE_OK;
    return out_of_range(model->likelihood, found, lowest, highest, err);
}

size_t vae_images_classes(const vae_images *images)
{
    size_t classes = 0;
    for (size_t i = 0; i < images->n && images->labels; i++)
        if (images->labels[i] >= classes) classes = images->labels[i] + 1u;
    return classes;
}

static vae_status check_labels(const struct vae_model *model, const vae_images *images, vae_error *err)
{
    const char *source = images->source ? images->source : "images";
    const size_t classes = vae_images_classes(images);
    if (!model->C) return VAE_OK;
    if (!classes) return vae_fail(err, VAE_E_DATA, "%s: no labels, and conditional needs them", source);
    if (classes <= model->C) return VAE_OK;
    return vae_fail(err, VAE_E_DATA, "%s: label %zu, the conditional model takes 0 to %zu", source, classes - 1,
                    model->C - 1);
}

/* Are the values of images first .. first+n-1 within what a host says of them? NaN is not. */
static vae_status check_values(const vae_images *images, size_t first, size_t n, vae_error *err)
{
    const size_t D = images->rows * images->cols;
    char found[32], from[32], to[32];
    for (size_t i = first; images->values && i < first + n; i++)
        for (size_t k = i * D; k < (i + 1) * D; k++) {
            const float value = images->values[k];
            if (images->lowest <= value && value <= images->highest) continue;
            return vae_fail(err, VAE_E_DATA,
                            "%s: image %zu has the value %s (lowest and highest are said to be %s and %s)",
                            images->source ? images->source : "images", i, float_text(value, found, sizeof found),
                            float_text(images->lowest, from, sizeof from), float_text(images->highest, to, sizeof to));
        }
    return VAE_OK;
}

static vae_status check_kind(const vae_model *model, const vae_images *images, vae_error *err)
{
    if (images->n == 0) return vae_fail(err, VAE_E_DATA, "no images");
    if (!images->pixels && !images->values && !images->stream)
        return vae_fail(err, VAE_E_USAGE, "images: neither pixels nor values");
    if (images->rows != model->rows || images->cols != model->cols)
        return vae_fail(err, VAE_E_DATA, "images are %zu x %zu, the model takes %zu x %zu", images->rows, images->cols,
                        model->rows, model->cols);
    vae_status status = check_labels(model, images, err);
    return status ? status : check_range(model, images, err);
}

vae_status model_check_span(const vae_model *model, const vae_images *images, size_t first, size_t n, vae_error *err)
{
    vae_status status = check_kind(model, images, err);
    if (!status && (first > images->n || n > images->n - first))
        status = vae_fail(err, VAE_E_USAGE, "%zu images from %zu on, of %zu", n, first, images->n);
    return status ? status : check_values(images, first, n, err);
}

vae_status vae_model_check_images(const vae_model *model, const vae_images *images, vae_error *err)
{
    return model_check_span(model, images, 0, images->n, err);
}

/* Noise of binarised pixels depends on the split: a model file's losses are those that vaectl eval gives. */
static vae_status check_split(const vae_images *images, vae_split split, const char *name, vae_error *err)
{
    if (!images->n || images->split == split) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "the images given as %s split say that they are of another one", name);
}

vae_status vae_model_check_data(const vae_model *model, const vae_data *data, vae_error *err)
{
    vae_status status = vae_model_check_images(model, &data->train, err);
    if (!status && data->validation.n) status = vae_model_check_images(model, &data->validation, err);
    if (!status && data->test.n) status = vae_model_check_images(model, &data->test, err);
    if (!status) status = check_split(&data->validation, VAE_VALIDATION, "validation", err);
    return status ? status : check_split(&data->test, VAE_TEST, "test", err);
}

vae_status vae_images_crc32(const vae_images *images, uint32_t *crc, vae_error *err)
{
    enum { ROWS = 256 };
    const size_t D = images->rows * images->cols;
    uint8_t *block = images->stream ? mem_new(ROWS, D, err) : NULL;
    vae_status status = images->stream && !block ? VAE_E_MEMORY : VAE_OK;
    uLong sum = 0;
    if (images->pixels) sum = crc32_z(0, images->pixels, images->n * D);
    if (images->values) sum = crc32_z(0, (const Bytef *)images->values, images->n * D * sizeof *images->values);
    for (size_t first = 0; block && first < images->n && !status; first += ROWS) {
        const size_t n = images->n - first < ROWS ? images->n - first : ROWS;
        status = vae_images_read(images, first, n, block, err);
        sum = crc32_z(sum, block, n * D);
    }
    free(block);
    *crc = (uint32_t)sum;
    return status;
}

static vae_status crc_of_training(const struct vae_model *model, const vae_images *train, uint32_t *crc, vae_error *err)
{
    vae_status status = vae_images_crc32(train, crc, err);
    if (!status && model->C) *crc = (uint32_t)crc32_z(*crc, train->labels, train->n);
    return status;
}

vae_status model_note_training(struct vae_model *model, const vae_images *train, vae_error *err)
{
    struct training_state *t = &model->training;
    vae_status status = crc_of_training(model, train, &t->crc, err);
    if (status) return status;
    t->images = train->n;
    t->has_crc = true;
    return VAE_OK;
}

vae_status vae_model_check_training(const vae_model *model, const vae_images *train, vae_error *err)
{
    const struct training_state *t = &model->training;
    const char *source = train->source ? train->source : "images";
    uint32_t crc;
    vae_status status = vae_model_check_images(model, train, err);
    if (status || !t->images || !t->step) return status; /* before its first step it has learned nothing from them */
    if (t->images != train->n)
        return vae_fail(err, VAE_E_DATA, "%s: %zu training images, and the model was trained on %llu so far", source,
                        train->n, (unsigned long long)t->images);
    if (!t->has_crc) return VAE_OK;
    status = crc_of_training(model, train, &crc, err);
    if (status || crc == t->crc) return status;
    return vae_fail(err, VAE_E_DATA,
                    "%s: not the images%s that the model was trained on so far (CRC-32 %08x, expected %08x)", source,
                    model->C ? " and labels" : "", (unsigned)crc, (unsigned)t->crc);
}

/* Whether a pixel among those of the first hundred images is neither 0 nor 1. */
static vae_status find_grey(const vae_images *images, const struct pixels *pixels, bool *grey, vae_error *err)
{
    const size_t n = images->n < 100 ? images->n : 100, D = images->rows * images->cols;
    vae_status status = VAE_OK;
    real *x = mem_new(D, sizeof *x, err);
    if (!x) return VAE_E_MEMORY;
    for (size_t i = 0; i < n && !status && !*grey; i++) {
        if (!images_gather(images, pixels, NULL, i, 1, x))
            status = vae_fail(err, VAE_E_DATA, "%s: cannot read image %zu", images->stream->path, i);
        for (size_t k = 0; k < D && !status; k++) *grey = *grey || (x[k] != 0 && x[k] != 1);
    }
    free(x);
    return status;
}

vae_status vae_likelihood_is_pseudo(const char *name, const vae_images *images, bool *pseudo, vae_error *err)
{
    const struct likelihood_ops *likelihood = likelihood_find(name);
    *pseudo = false;
    if (!likelihood || !likelihood->discrete || !vae_likelihood_takes(name, images)) return VAE_OK;
    return find_grey(images, &(struct pixels){.rule = PIXELS_GREY}, pseudo, err);
}

vae_status vae_model_is_pseudo(const vae_model *model, const vae_images *images, bool *pseudo, vae_error *err)
{
    const struct pixels pixels = model_pixels(model, images, 0, 0);
    *pseudo = false;
    if (!model->likelihood->discrete || vae_model_check_images(model, images, NULL)) return VAE_OK;
    return find_grey(images, &pixels, pseudo, err);
}
