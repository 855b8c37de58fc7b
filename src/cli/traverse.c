/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/latents.h"
#include "cli/picture.h"

enum { NOTE = 256, MOST_ROWS = 256, MOST_STEPS = 101 };

struct request {
    uint64_t steps, rows;
    struct latent_range range;
    size_t dims[2]; /* of a 2-D grid */
    bool plane;
    const char *image; /* index of an image to start from, or NULL: the origin */
    uint8_t label;     /* of all tiles, where the model is conditional */
};

/* One row a latent, the others stay at the base point. */
static void fill_rows(const struct request *r, const float *base, size_t L, const size_t *order, float *z)
{
    for (size_t row = 0; row < r->rows; row++)
        for (size_t k = 0; k < r->steps; k++, z += L) {
            memcpy(z, base, L * sizeof *z);
            z[order[row]] = (float)latents_place(&r->range, order[row], k, r->steps);
        }
}

/* A grid over two latents: the first to the right, the second upwards. */
static void fill_plane(const struct request *r, const float *base, size_t L, float *z)
{
    for (size_t row = 0; row < r->steps; row++)
        for (size_t k = 0; k < r->steps; k++, z += L) {
            memcpy(z, base, L * sizeof *z);
            z[r->dims[0]] = (float)latents_place(&r->range, r->dims[0], k, r->steps);
            z[r->dims[1]] = (float)latents_place(&r->range, r->dims[1], r->steps - 1 - row, r->steps);
        }
}

static void write_labels(const vae_model *model, const struct request *r, const size_t *order,
                         char (*text)[LATENT_NAME], const char **labels)
{
    for (size_t row = 0; row < r->rows; row++) {
        latents_name(model, order[row], text[row]);
        labels[row] = text[row];
    }
}

/* Places of a latent above the columns, or beside the rows; probabilities where each latent has places of its own. */
static void write_places(const struct request *r, size_t latent, bool downwards, char (*text)[LATENT_NAME],
                         const char **labels)
{
    for (size_t k = 0; k < r->steps; k++) {
        const size_t at = downwards ? r->steps - 1 - k : k;
        if (r->plane || r->range.same)
            latents_place_name(latents_place(&r->range, latent, at, r->steps), text[k]);
        else
            snprintf(text[k], LATENT_NAME, "%.2g %%", 100 * latents_probability(at, r->steps));
        labels[k] = text[k];
    }
}

static vae_status decode_and_draw(const vae_model *model, const struct request *r, vae_grid *grid, const float *z,
                                  const char *note, const struct picture *picture, vae_error *err)
{
    const size_t n = grid->down * grid->across;
    vae_model_shape(model, &grid->rows, &grid->cols);
    float *tiles = calloc(n * grid->rows * grid->cols, sizeof *tiles);
    uint8_t *labels = calloc(n, sizeof *labels);
    vae_status status = tiles && labels ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu tiles", n);
    if (!status) memset(labels, r->label, n);
    if (!status) status = vae_decode(model, n, z, labels, 0, tiles, err);
    grid->tiles = tiles;
    if (!status) status = picture_write_tiles(picture, model, "Traversal", note, grid, err);
    free(tiles);
    free(labels);
    return status;
}

/* "The other latents are those of image 4 of the test split." */
static void write_note(const struct request *r, const double *kl, char note[NOTE])
{
    if (r->plane)
        snprintf(note, NOTE, "z%zu to the right, z%zu upwards, %s", r->dims[0], r->dims[1], r->range.name);
    else
        snprintf(note, NOTE, "A row a latent%s, %s",
                 isfinite(kl[0]) ? " in the order of their KL (nats per image)" : "", r->range.name);
    const size_t used = strlen(note);
    snprintf(note + used, NOTE - used,
             r->image ? "; the others at the posterior mean of image %s." : "; the others at 0.", r->image);
}

static vae_status draw(const vae_model *model, const struct request *r, const float *base,
                       const struct picture *picture, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, down = r->plane ? r->steps : r->rows;
    const double *kl = vae_model_kl_per_dim(model);
    char text[MOST_ROWS][LATENT_NAME], above[MOST_STEPS][LATENT_NAME], note[NOTE];
    char right[LATENT_NAME], up[LATENT_NAME];
    const char *labels[MOST_ROWS], *columns[MOST_STEPS];
    vae_grid grid = {.down = down, .across = r->steps, .labels = labels, .columns = columns};
    size_t *order = calloc(L, sizeof *order);
    float *z = calloc(down * r->steps * L, sizeof *z);
    vae_status status = order && z ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    write_note(r, kl, note);
    write_places(r, r->plane ? r->dims[0] : 0, false, above, columns);
    if (!status && r->plane) {
        fill_plane(r, base, L, z);
        write_places(r, r->dims[1], true, text, labels);
        latents_name(model, r->dims[0], right);
        latents_name(model, r->dims[1], up);
        grid.right = right;
        grid.up = up;
    } else if (!status) {
        latents_order(kl, L, order);
        fill_rows(r, base, L, order, z);
        write_labels(model, r, order, text, labels);
    }
    if (!status) status = decode_and_draw(model, r, &grid, z, note, picture, err);
    free(order);
    free(z);
    return status;
}

/* The posterior mean of an image, and its label where it has one. */
static vae_status encode_base(const struct arguments *arguments, const vae_model *model, const char *index, float *base,
                              uint8_t *label, vae_error *err)
{
    uint64_t i = 0;
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = run_open_data(arguments, arguments->run, model, &data, &images, err);
    if (!status) status = vae_parse_count("--image", index, 0, (double)images->n - 1, &i, err);
    if (!status) status = vae_encode(model, images, i, 1, 1, 1, base, NULL, err);
    if (!status && images->labels) *label = images->labels[i];
    vae_data_free(&data);
    return status;
}

static vae_status traverse(const struct arguments *arguments, const vae_model *model, struct request *r,
                           const struct picture *picture, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent;
    uint8_t label = 0;
    float *base = calloc(L, sizeof *base);
    vae_status status = base ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (r->rows > L) r->rows = L;
    r->plane = argument(arguments, "dims");
    if (!status) status = latents_check_images(arguments, err);
    if (!status && r->plane && argument(arguments, "rows"))
        status = vae_fail(err, VAE_E_USAGE, "--rows: is of the rows of latents, and --dims shows a plane");
    if (!status && r->plane) status = latents_dims(arguments, model, r->dims, err);
    if (!status) status = latents_range(arguments, model, &r->range, err);
    if (!status && r->image) status = encode_base(arguments, model, r->image, base, &label, err);
    if (!status) status = run_label(arguments, model, label, &r->label, err);
    if (!status) status = draw(model, r, base, picture, err);
    latents_range_free(&r->range);
    free(base);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct picture picture;
    struct request r = {.image = argument(arguments, "image")};
    vae_model *model = NULL;
    vae_status status = argument_count(arguments, "steps", 1, MOST_STEPS, 11, &r.steps, err);
    if (!status) status = argument_count(arguments, "rows", 1, MOST_ROWS, 32, &r.rows, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_check_pictures("traverse", model, err);
    if (!status) status = picture_options(arguments, model_path, "traverse.png", &picture, err);
    if (!status) status = traverse(arguments, model, &r, &picture, err);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"range", 0, "prior|aggregate|R", "over quantiles, or from -R to R [prior]"},
    {"steps", 0, "N", "in so many steps [11]"},
    {"rows", 0, "N", "show at most the N latents of largest KL [32]"},
    {"dims", 0, "I,J", "instead: a grid over latents I (to the right) and J (upwards)"},
    {"image", 0, "I", "the other latents stay at the posterior mean of image I [at 0]"},
    {"label", 0, "C", "of a conditional model: label of all tiles [that of --image, else 0]"},
    {"data", 0, "SOURCE", "of --image and the aggregate [what the model was trained on]"},
    SPLIT_FLAG("it"),
    PICTURE_OUTPUT("traverse.png beside the model"),
    PICTURE_SCALE,
    {0},
};

const struct command command_traverse = {
    .name = "traverse",
    .group = DRAW,
    .summary = "picture: one row per latent dimension, or a grid over two",
    .details =
        "Moves one latent at a time and decodes: one row a latent, in the order of their KL (of the last test pass),\n"
        "which stands beside each row in nats. A joint prior has one KL for all latents, which then are in their\n"
        "order. Unless --range is a number, a latent runs over the middle 95 % of the prior, or of the aggregate\n"
        "posterior of the images, in steps that are even under a normal prior and closer where there is more mass.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
