/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/outputs.h"
#include "cli/picture.h"

/* As many columns as make a square of tiles, wide rather than high. */
static vae_status draw(const struct picture *picture, const vae_model *model, const struct array *images,
                       vae_error *err)
{
    size_t across = 1;
    while (across * across < images->n) across++;
    vae_grid grid = {
        .down = (images->n + across - 1) / across, .across = across, .rows = images->rows, .cols = images->cols};
    const size_t D = images->rows * images->cols, places = grid.down * across;
    float *tiles = calloc(places, D * sizeof *tiles);
    if (!tiles) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu tiles", images->n);
    memcpy(tiles, images->values, images->n * D * sizeof *tiles);
    for (size_t i = images->n; i < places; i++) tiles[i * D] = NAN; /* left out */
    grid.tiles = tiles;
    vae_status status = picture_write_tiles(picture, model, "Decoded latents", NULL, &grid, err);
    free(tiles);
    return status;
}

static vae_status write_array(const struct picture *picture, const struct array *images, vae_error *err)
{
    vae_status status = array_write(picture->path, images, err);
    if (!status) run_say_written(picture->path);
    return status;
}

static vae_status decode(const vae_model *model, const struct latents *latents, uint64_t threads,
                         const struct picture *picture, vae_error *err)
{
    struct array images = {.n = latents->n, .labels = latents->labels, .letter = 'x'};
    vae_model_shape(model, &images.rows, &images.cols);
    float *values = calloc(latents->n, images.rows * images.cols * sizeof *values);
    if (!values) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", latents->n);
    images.values = values;
    vae_status status = vae_decode(model, latents->n, latents->z, latents->labels, threads, values, err);
    if (!status)
        status = array_is_name(picture->path) ? write_array(picture, &images, err) : draw(picture, model, &images, err);
    free(values);
    return status;
}

/* Labels of a conditional model: one for all, those of a file, or those that stand beside the latents. */
static vae_status choose_labels(const struct arguments *arguments, const vae_model *model, struct latents *latents,
                                vae_error *err)
{
    const char *one = argument(arguments, "label"), *file = argument(arguments, "labels");
    uint8_t label = 0;
    vae_status status = run_label(arguments, model, 0, &label, err);
    if (status) return status;
    if (!vae_model_config(model)->classes && file)
        return vae_fail(err, VAE_E_USAGE, "--labels: the model is not conditional (train --conditional makes one)");
    if (one && file) return vae_fail(err, VAE_E_USAGE, "--label and --labels: give one of them");
    if (!one && !file) return VAE_OK;
    if (!latents->labels) latents->labels = calloc(latents->n, 1);
    if (!latents->labels) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu labels", latents->n);
    if (file) return vae_labels_read(file, latents->n, latents->labels, err);
    memset(latents->labels, label, latents->n);
    return VAE_OK;
}

static vae_status check_labels(const vae_model *model, const struct latents *latents, vae_error *err)
{
    if (!vae_model_config(model)->classes || latents->labels) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "the model is conditional (--label C, or --labels FILE, says what to decode)");
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct picture picture;
    struct latents latents = {0};
    uint64_t threads;
    vae_model *model = NULL;
    vae_status status = argument_count(arguments, "threads", 1, 256, 0, &threads, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = picture_or_array_options(arguments, model_path, "decode.npy", &picture, err);
    if (!status) status = outputs_spare(picture.path, arguments->file, err);
    if (!status && argument(arguments, "labels"))
        status = outputs_spare(picture.path, argument(arguments, "labels"), err);
    if (!status && !array_is_name(picture.path)) status = run_check_pictures("decode", model, err);
    if (!status) status = latents_read(&latents, arguments->file, (size_t)vae_model_config(model)->latent, err);
    if (!status) status = choose_labels(arguments, model, &latents, err);
    if (!status) status = check_labels(model, &latents, err);
    if (!status) status = decode(model, &latents, threads, &picture, err);
    latents_free(&latents);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    PICTURE_OR_ARRAY("decode.npy beside the model"),
    PICTURE_SCALE,
    {"label", 0, "C", "of a conditional model: label of all latents"},
    {"labels", 0, "FILE", "the same for each: IDX, or .npy [label column of a .csv]"},
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {0},
};

const struct command command_decode = {
    .name = "decode",
    .group = EXCHANGE,
    .summary = "mean images of latents from a .npy or .csv",
    .details =
        "Decodes latents, a row an image and a column a latent (as encode writes them), and writes the mean "
        "images: N x ROWS\n"
        "x COLS, or N x D of data that are rows, in single precision; as a picture a square of tiles. What encode "
        "writes of some\n"
        "images is decoded as reconstruct does it, bit for bit.",
    .takes_run = true,
    .takes_file = "LATENTS",
    .flags = flags,
    .run = run,
};
