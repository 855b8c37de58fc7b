/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "vae_figure.h"

struct request {
    size_t n, first, across;
};

/* Tiles come in bands of two rows: inputs, and below them their reconstructions. */
static void place(size_t D, const float *given, const struct request *r, const float *decoded, float *tiles)
{
    for (size_t i = 0; i < r->n; i++) {
        const size_t band = i / r->across, column = i % r->across;
        float *above = tiles + (2 * band * r->across + column) * D, *below = above + r->across * D;
        memcpy(above, given + i * D, D * sizeof *above);
        memcpy(below, decoded + i * D, D * sizeof *below);
    }
}

static vae_status draw(const vae_model *model, const vae_images *images, const struct request *r, const char *path,
                       vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, D = images->rows * images->cols;
    const uint8_t *labels = images->labels ? images->labels + r->first : NULL;
    vae_grid grid = {.down = 2 * ((r->n + r->across - 1) / r->across),
                     .across = r->across,
                     .rows = images->rows,
                     .cols = images->cols,
                     .band = 2,
                     .title = "images above their reconstructions"};
    float *z = calloc(r->n * L, sizeof *z), *decoded = calloc(r->n * D, sizeof *decoded);
    float *given = calloc(r->n * D, sizeof *given), *tiles = calloc(grid.down * grid.across * D, sizeof *tiles);
    vae_status status = z && decoded && given && tiles
                            ? VAE_OK
                            : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", r->n);
    if (!status) status = vae_images_values(images, r->first, r->n, given, err);
    if (!status) status = vae_encode(model, images, r->first, r->n, 1, 0, z, NULL, err);
    if (!status) status = vae_decode(model, r->n, z, labels, 0, decoded, err);
    if (!status) {
        place(D, given, r, decoded, tiles);
        grid.tiles = tiles;
        status = vae_picture_grid(path, &grid, err);
    }
    free(z);
    free(decoded);
    free(tiles);
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
                              const char *path, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = run_open_data(arguments, model, &data, &images, err);
    if (!status) status = fit_request(r, images, err);
    if (!status) status = draw(model, images, r, path, err);
    vae_data_free(&data);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN], path[PATH_MAX_RUN];
    struct request r;
    vae_model *model = NULL;
    vae_status status = argument_count(arguments, "n", 1, 1000, 20, &r.n, err);
    if (!status) status = argument_count(arguments, "first", 0, 1e9, 0, &r.first, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_check_pictures("reconstruct", model, err);
    if (!status) status = run_output(arguments, model_path, "reconstruct.png", path, err);
    if (!status) status = reconstruct(arguments, model, &r, path, err);
    vae_model_free(&model);
    if (!status) run_say_written(path);
    return status;
}

static const struct flag flags[] = {
    {"n", 'n', "N", "how many images [20]"},
    {"first", 0, "I", "index of the first one [0]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    {"split", 0, "train|validation|test", "which part of them [test]"},
    {"output", 'o', "FILE", "PNG to write [reconstruct.png beside the model]"},
    {0},
};

const struct command command_reconstruct = {
    .name = "reconstruct",
    .group = DRAW,
    .summary = "PNG: images above their reconstructions",
    .details =
        "Encodes images, decodes the posterior means, and writes pairs of rows: images above, reconstructions below.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
