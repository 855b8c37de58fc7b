/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/outputs.h"
#include "cli/picture.h"
#include "cli/truncate.h"

enum { LABEL = 24, NOTE = 160, MOST_CLASSES = 256 };

/* The smallest square that holds n tiles, wide rather than high. */
static size_t columns_for(size_t n)
{
    size_t across = 1;
    while (across * across < n) across++;
    return across;
}

struct request {
    uint64_t n, seed;
    const vae_images *images;    /* of whose aggregate posterior draws are; NULL: of the prior, at this temperature */
    double temperature, central; /* share of each latent's prior in which draws lie; 1: all of it */
    const char *latents;         /* file for the draws, or NULL */
    uint8_t label;
    size_t classes; /* a row of tiles for each; 0: a square of one label, or of none */
};

static void write_labels(size_t rows, char (*text)[LABEL], const char **labels)
{
    for (size_t row = 0; row < rows; row++) {
        snprintf(text[row], LABEL, "%zu", row);
        labels[row] = text[row];
    }
}

/* Draws z of the n tiles, and says with which label each is decoded. Rows of classes have the same draws: a column
 * shows what z keeps while the label changes. */
static vae_status fill(const vae_model *model, const struct request *r, size_t n, size_t across, float *z,
                       uint8_t *label, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, draws = r->classes ? across : n;
    vae_status status = r->images        ? vae_sample_aggregate(model, r->images, r->seed, draws, 0, z, err)
                        : r->central < 1 ? truncate_draws(model, r->seed, r->central, draws, z, err)
                                         : vae_sample_tempered(model, r->seed, r->temperature, draws, z, err);
    for (size_t i = 0; i < n && !status; i++) {
        if (i >= draws) memcpy(z + i * L, z + (i - draws) * L, L * sizeof *z);
        label[i] = (uint8_t)(r->classes ? i / across : r->label);
    }
    return status;
}

/* The n images as they are, or as a picture; and the draws, where they are asked for. */
static vae_status write_all(const vae_model *model, const struct request *r, const vae_grid *grid, size_t n,
                            const float *z, const uint8_t *labels, const char *note, const struct picture *picture,
                            vae_error *err)
{
    const struct array images = {n, grid->rows, grid->cols, grid->tiles, labels, 'x'};
    const struct array latents = {n, 1, (size_t)vae_model_config(model)->latent, z, labels, 'z'};
    const bool is_array = array_is_name(picture->path);
    vae_status status = is_array ? array_write(picture->path, &images, err)
                                 : picture_write_tiles(picture, model, "Samples", note, grid, err);
    if (!status && is_array) run_say_written(picture->path);
    if (!status && r->latents) status = array_write(r->latents, &latents, err);
    if (!status && r->latents) run_say_written(r->latents);
    return status;
}

static vae_status draw_tiles(const vae_model *model, const struct request *r, size_t n, vae_grid *grid,
                             const char *note, const struct picture *picture, vae_error *err)
{
    vae_model_shape(model, &grid->rows, &grid->cols);
    const size_t D = grid->rows * grid->cols, places = grid->down * grid->across;
    float *z = calloc(n * vae_model_config(model)->latent, sizeof *z), *tiles = calloc(places * D, sizeof *tiles);
    uint8_t *label = calloc(n, sizeof *label);
    vae_status status = z && tiles && label ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu samples", n);
    if (!status) status = fill(model, r, n, grid->across, z, label, err);
    if (!status) status = vae_decode(model, n, z, label, 0, tiles, err);
    for (size_t i = n; i < places && !status; i++) tiles[i * D] = NAN; /* left out */
    grid->tiles = tiles;
    const bool labelled = vae_model_config(model)->classes;
    if (!status) status = write_all(model, r, grid, n, z, labelled ? label : NULL, note, picture, err);
    free(z);
    free(tiles);
    free(label);
    return status;
}

/* Where the draws are from, and how they are decoded. */
static void write_note(const vae_model *model, const struct request *r, char note[NOTE])
{
    char from[64] = "the prior", with[LABEL] = "";
    if (r->images)
        snprintf(from, sizeof from, "the aggregate posterior of %s", run_split_words(r->images->split));
    else if (r->temperature != 1)
        snprintf(from, sizeof from, "the prior at temperature %g", r->temperature);
    else if (r->central < 1)
        snprintf(from, sizeof from, "the central %g %% of the prior of each latent", 100 * r->central);
    if (!r->classes && vae_model_config(model)->classes) snprintf(with, LABEL, " with label %u", r->label);
    snprintf(note, NOTE,
             r->classes ? "Draws from %s, a column each, decoded to their means with each label."
                        : "Draws from %s, decoded to their means%s.",
             from, with);
}

static vae_status draw(const vae_model *model, const struct request *r, const struct picture *picture, vae_error *err)
{
    char text[MOST_CLASSES][LABEL], note[NOTE];
    const char *labels[MOST_CLASSES];
    char label[LABEL];
    vae_grid grid = {0};
    write_note(model, r, note);
    if (!r->classes) {
        snprintf(label, sizeof label, "label %u", r->label);
        if (vae_model_config(model)->classes) grid.right = label;
        grid.across = columns_for(r->n);
        grid.down = (r->n + grid.across - 1) / grid.across;
        return draw_tiles(model, r, r->n, &grid, note, picture, err);
    }
    write_labels(r->classes, text, labels);
    grid.labels = labels;
    grid.down = r->classes;
    grid.across = (r->n + r->classes - 1) / r->classes;
    return draw_tiles(model, r, grid.down * grid.across, &grid, note, picture, err);
}

/* --from, and flags that go with one of its words alone. */
static vae_status read_from(const struct arguments *arguments, bool *aggregate, vae_error *err)
{
    static const char *const of_prior[] = {"temperature", "truncate", NULL}, *const of_aggregate[] = {"data", "split",
                                                                                                      NULL};
    const char *from = argument(arguments, "from");
    *aggregate = from && !strcmp(from, "aggregate");
    if (from && !*aggregate && strcmp(from, "prior"))
        return vae_fail(err, VAE_E_USAGE, "--from: '%s' (expected prior or aggregate)", from);
    for (const char *const *flag = *aggregate ? of_prior : of_aggregate; *flag; flag++)
        if (argument(arguments, *flag))
            return vae_fail(err, VAE_E_USAGE, "--%s: goes with --from %s alone", *flag,
                            *aggregate ? "prior" : "aggregate");
    return VAE_OK;
}

static vae_status read_request(const struct arguments *arguments, struct request *r, bool *aggregate, vae_error *err)
{
    vae_status status = argument_count(arguments, "n", 1, 10000, 100, &r->n, err);
    if (!status) status = argument_count(arguments, "seed", 0, 9007199254740991.0, 1, &r->seed, err);
    if (!status) status = read_from(arguments, aggregate, err);
    if (!status) status = argument_real(arguments, "temperature", 0, VAE_MOST_TEMPERATURE, 1, &r->temperature, err);
    if (!status) status = argument_real(arguments, "truncate", 0.01, 1, 1, &r->central, err);
    if (!status && r->temperature != 1 && r->central < 1)
        status = vae_fail(err, VAE_E_USAGE, "sample: --temperature or --truncate, not both");
    r->latents = argument(arguments, "latents");
    if (!status && r->latents) status = array_check_name("latents", r->latents, err);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct picture picture;
    struct request r = {0};
    bool aggregate = false;
    vae_data *data = NULL;
    vae_model *model = NULL;
    vae_status status = read_request(arguments, &r, &aggregate, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_label(arguments, model, 0, &r.label, err);
    if (!status) status = picture_or_array_options(arguments, model_path, "sample.png", &picture, err);
    const char *const outputs[] = {picture.path, r.latents};
    if (!status) status = outputs_check(outputs, 2, err);
    if (!status && !array_is_name(picture.path)) status = run_check_pictures("sample", model, err);
    if (!status && !argument(arguments, "label")) r.classes = (size_t)vae_model_config(model)->classes;
    if (!status && aggregate) status = run_open_data(arguments, arguments->run, model, &data, &r.images, err);
    if (!status) status = draw(model, &r, &picture, err);
    vae_data_free(&data);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"n", 'n', "N", "how many [100]"},
    {"seed", 0, "N", "of the draws [1]"},
    {"from", 0, "prior|aggregate", "draws of the prior, or of the posteriors of images [prior]"},
    {"temperature", 0, "T", "multiplies the noise that draws of the prior are made of [1]"},
    {"truncate", 0, "R", "each latent of a draw lies in the central share R of the prior [1]"},
    {"data", 0, "SOURCE", "images of --from aggregate [what the model was trained on]"},
    SPLIT_FLAG("them"),
    {"label", 0, "C", "of a conditional model: label of all draws [a row of tiles for each]"},
    PICTURE_OR_ARRAY("sample.png beside the model"),
    PICTURE_SCALE,
    {"latents", 0, "FILE", ".npy or .csv to write the draws to"},
    {0},
};

const struct command command_sample = {
    .name = "sample",
    .group = DRAW,
    .summary = "picture: decoded draws from the prior",
    .details =
        "Draws latents from the prior, decodes them and writes their mean images as a square of tiles. Of a "
        "conditional model each row has another label and the same draws, as many as make up -n tiles.\n\n"
        "--from aggregate draws from the posterior of an image that is itself drawn: what the decoder was "
        "trained on. Where such images are better than those from the prior, the two differ.\n\n"
        "--temperature T multiplies the noise: z = T eps under a normal prior, T times a draw under any prior of "
        "independent latents, mean + T sd eps in a component of a mixture, what RealNVP makes of T eps. lars, "
        "which rejects draws, has none.\n\n"
        "--truncate R draws from the prior under the condition that each latent lies between the quantiles "
        "(1 - R)/2 and (1 + R)/2 of its distribution.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
