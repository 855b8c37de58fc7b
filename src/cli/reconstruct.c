/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/picture.h"

struct request {
    size_t n, first, across;
};

/* Tiles come in bands of two rows: inputs, and below them their reconstructions. Those that no image fills stay as they
 * are. */
static void place(size_t D, const float *given, const struct request *r, const float *decoded, float *tiles)
{
    for (size_t i = 0; i < r->n; i++) {
        const size_t band = i / r->across, column = i % r->across;
        float *above = tiles + (2 * band * r->across + column) * D, *below = above + r->across * D;
        memcpy(above, given + i * D, D * sizeof *above);
        memcpy(below, decoded + i * D, D * sizeof *below);
    }
}

static vae_status write_tiles(const vae_model *model, const vae_images *images, const struct request *r,
                              const float *given, const float *decoded, const struct picture *picture, vae_error *err)
{
    const size_t D = images->rows * images->cols, down = 2 * ((r->n + r->across - 1) / r->across);
    char note[160];
    float *tiles = calloc(down * r->across * D, sizeof *tiles);
    const char **labels = calloc(down, sizeof *labels);
    vae_status status = tiles && labels ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", r->n);
    for (size_t i = 0; i < down && !status; i++) labels[i] = i % 2 ? "mean" : "input";
    for (size_t i = 0; i < down * r->across && !status; i++) tiles[i * D] = NAN;
    if (!status) place(D, given, r, decoded, tiles);
    snprintf(note, sizeof note, "Images %zu to %zu of %s. Mean: of p(x|z) at the mean of q(z|x).", r->first,
             r->first + r->n - 1, run_split_words(images->split));
    const vae_grid grid = {.down = down,
                           .across = r->across,
                           .rows = images->rows,
                           .cols = images->cols,
                           .tiles = tiles,
                           .band = 2,
                           .labels = labels};
    if (!status) status = picture_write_tiles(picture, model, "Reconstructions", note, &grid, err);
    free(tiles);
    free(labels);
    return status;
}

static vae_status draw(const vae_model *model, const vae_images *images, const struct request *r,
                       const struct picture *picture, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, D = images->rows * images->cols;
    const uint8_t *labels = images->labels ? images->labels + r->first : NULL;
    float *z = calloc(r->n * L, sizeof *z), *given = calloc(r->n * D, sizeof *given);
    float *decoded = calloc(r->n * D, sizeof *decoded);
    vae_status status = z && decoded && given ? VAE_OK
                                              : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", r->n);
    if (!status) status = vae_images_values(images, r->first, r->n, given, err);
    if (!status) status = vae_encode(model, images, r->first, r->n, 1, 0, z, NULL, err);
    if (!status) status = vae_decode(model, r->n, z, labels, 0, decoded, err);
    if (!status) status = write_tiles(model, images, r, given, decoded, picture, err);
    free(z);
    free(decoded);
    free(given);
    return status;
}

/* At most as many images as there are. */
static vae_status fit_request(struct request *r, const vae_images *images, vae_error *err)
{
    if (r->first >= images->n)
        return vae_fail(err, VAE_E_USAGE, "--first: %zu is past the last of %zu images", r->first, images->n);
    if (r->n > images->n - r->first) r->n = images->n - r->first;
    r->across = r->n < 10 ? r->n : 10;
    return VAE_OK;
}

static vae_status reconstruct(const struct arguments *arguments, const vae_model *model, struct request *r,
                              const struct picture *picture, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = run_open_data(arguments, arguments->run, model, &data, &images, err);
    if (!status) status = fit_request(r, images, err);
    if (!status) status = draw(model, images, r, picture, err);
    vae_data_free(&data);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct picture picture;
    struct request r;
    vae_model *model = NULL;
    vae_status status = argument_count(arguments, "n", 1, 1000, 20, &r.n, err);
    if (!status) status = argument_count(arguments, "first", 0, 1e9, 0, &r.first, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_check_pictures("reconstruct", model, err);
    if (!status) status = picture_options(arguments, model_path, "reconstruct.png", &picture, err);
    if (!status) status = reconstruct(arguments, model, &r, &picture, err);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"n", 'n', "N", "how many images [20]"},
    {"first", 0, "I", "index of the first one [0]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    SPLIT_FLAG("them"),
    PICTURE_OUTPUT("reconstruct.png beside the model"),
    PICTURE_SCALE,
    {0},
};

const struct command command_reconstruct = {
    .name = "reconstruct",
    .group = DRAW,
    .summary = "picture: images above their reconstructions",
    .details =
        "Encodes images, decodes the posterior means, and writes pairs of rows: images above, reconstructions below.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
