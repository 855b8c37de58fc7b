/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "cli/command.h"

/* The smallest square that holds n tiles, wide rather than high. */
static size_t columns_for(size_t n)
{
    size_t across = 1;
    while (across * across < n) across++;
    return across;
}

static vae_status draw(const vae_model *model, const char *path, size_t n, uint64_t seed, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, across = columns_for(n), down = (n + across - 1) / across;
    vae_grid grid = {.down = down, .across = across, .title = "draws from the prior, decoded"};
    vae_model_shape(model, &grid.rows, &grid.cols);
    const size_t D = grid.rows * grid.cols;
    float *z = calloc(n * L, sizeof *z), *tiles = calloc(down * across * D, sizeof *tiles);
    vae_status status = z && tiles ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu samples", n);
    if (!status) status = vae_sample_prior(model, seed, n, z, err);
    if (!status) status = vae_decode(model, n, z, NULL, 0, tiles, err);
    grid.tiles = tiles;
    if (!status) status = vae_picture_grid(path, &grid, err);
    free(z);
    free(tiles);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN], path[PATH_MAX_RUN];
    uint64_t n, seed;
    vae_model *model = NULL;
    vae_status status = argument_count(arguments, "n", 1, 10000, 100, &n, err);
    if (!status) status = argument_count(arguments, "seed", 0, 9007199254740991.0, 1, &seed, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_output(arguments, model_path, "sample.png", path, err);
    if (!status) status = draw(model, path, n, seed, err);
    vae_model_free(&model);
    if (!status) run_say_written(path);
    return status;
}

static const struct flag flags[] = {
    {"n", 'n', "N", "how many [100]"},
    {"seed", 0, "N", "of the draws [1]"},
    {"output", 'o', "FILE", "PNG to write [sample.png beside the model]"},
    {0},
};

const struct command command_sample = {
    .name = "sample",
    .summary = "PNG: decoded draws from the prior",
    .details = "Draws latents from the prior, decodes them and writes their mean images as a square of tiles.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
