/* SPDX-License-Identifier: MIT */
#include "data/drawn.h"

#include "base/memory.h"

static uint32_t next_word(struct drawn_noise *noise)
{
    uint32_t word;
    rng_words(&noise->rng, noise->used++, 1, &word);
    return word;
}

double drawn_uniform(struct drawn_noise *noise) { return rng_uniform(next_word(noise)); }
double drawn_normal(struct drawn_noise *noise) { return (double)rng_normal(next_word(noise)); }

static vae_status fill(vae_images *images, uint64_t first, const double *param, drawn_image *draw, vae_error *err)
{
    const size_t D = images->rows * images->cols;
    images->values = mem_new(images->n, D * sizeof *images->values, err);
    images->labels = mem_new(images->n, 1, err);
    if (!images->values || !images->labels) return VAE_E_MEMORY;
    for (size_t i = 0; i < images->n; i++) {
        struct drawn_noise noise = {
            .rng = {.seed = (uint64_t)param[DRAWN_SEED], .step = first + i, .stream = RNG_DRAWN}};
        draw(param, &noise, images->values + i * D, &images->labels[i]);
    }
    return VAE_OK;
}

/* Both splits have the range of all. */
static void find_range(vae_images *train, vae_images *test)
{
    const size_t D = train->rows * train->cols;
    float lowest = train->values[0], highest = lowest;
    for (const vae_images *images = train; images; images = images == train ? test : NULL)
        for (size_t k = 0; k < images->n * D; k++) {
            if (images->values[k] < lowest) lowest = images->values[k];
            if (images->values[k] > highest) highest = images->values[k];
        }
    train->lowest = test->lowest = lowest;
    train->highest = test->highest = highest;
}

vae_status drawn_open(vae_data *data, size_t rows, size_t cols, const double *param, drawn_image *draw, vae_error *err)
{
    data->train = (vae_images){.n = (size_t)param[DRAWN_TRAIN], .rows = rows, .cols = cols};
    data->test = (vae_images){.n = (size_t)param[DRAWN_TEST], .rows = rows, .cols = cols};
    vae_status status = fill(&data->train, 0, param, draw, err);
    if (!status) status = fill(&data->test, data->train.n, param, draw, err);
    if (!status) find_range(&data->train, &data->test);
    return status;
}
