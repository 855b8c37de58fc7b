/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/picture.h"

enum { LABEL = 24, NOTE = 192, MOST_ROWS = 256, MOST_STEPS = 101 };

struct request {
    uint64_t steps, rows;
    double range;
    size_t dims[2]; /* of a 2-D grid */
    bool plane;
    const char *image; /* index of an image to start from, or NULL: the origin */
    uint8_t label;     /* of all tiles, where the model is conditional */
};

/* Latent indices in the order of their KL, largest first; equal or unknown ones by index. */
static void order_by_kl(const double *kl, size_t L, size_t *order)
{
    for (size_t i = 0; i < L; i++) {
        size_t at = i;
        for (; at > 0 && kl[i] > kl[order[at - 1]]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* The k-th of `steps` positions from -range to range. */
static float position(const struct request *r, size_t k)
{
    return r->steps < 2 ? 0.0F : (float)(-r->range + 2 * r->range * (double)k / (double)(r->steps - 1));
}

/* One row a latent, the others stay at the base point. */
static void fill_rows(const struct request *r, const float *base, size_t L, const size_t *order, float *z)
{
    for (size_t row = 0; row < r->rows; row++)
        for (size_t k = 0; k < r->steps; k++, z += L) {
            memcpy(z, base, L * sizeof *z);
            z[order[row]] = position(r, k);
        }
}

/* A grid over two latents: the first to the right, the second upwards. */
static void fill_plane(const struct request *r, const float *base, size_t L, float *z)
{
    for (size_t row = 0; row < r->steps; row++)
        for (size_t k = 0; k < r->steps; k++, z += L) {
            memcpy(z, base, L * sizeof *z);
            z[r->dims[0]] = position(r, k);
            z[r->dims[1]] = position(r, r->steps - 1 - row);
        }
}

static void write_labels(const struct request *r, const double *kl, const size_t *order, char (*text)[LABEL],
                         const char **labels)
{
    for (size_t row = 0; row < r->rows; row++) {
        if (isfinite(kl[order[row]]))
            snprintf(text[row], LABEL, "z%zu KL %.2f", order[row], kl[order[row]]);
        else
            snprintf(text[row], LABEL, "z%zu", order[row]);
        labels[row] = text[row];
    }
}

/* Values of z above the columns and, of a plane, beside the rows, in three digits. */
static void write_values(const struct request *r, bool downwards, char (*text)[LABEL], const char **labels)
{
    for (size_t k = 0; k < r->steps; k++) {
        snprintf(text[k], LABEL, "%.3g", (double)position(r, downwards ? r->steps - 1 - k : k));
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
        snprintf(note, NOTE, "z%zu to the right, z%zu upwards", r->dims[0], r->dims[1]);
    else
        snprintf(note, NOTE, "A row a latent%s, from left to right",
                 isfinite(kl[0]) ? " in the order of their KL (nats per image)" : "");
    const size_t used = strlen(note);
    snprintf(note + used, NOTE - used,
             r->image ? "; the others at the posterior mean of image %s." : "; the others at 0.", r->image);
}

static vae_status draw(const vae_model *model, const struct request *r, const float *base,
                       const struct picture *picture, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, down = r->plane ? r->steps : r->rows;
    const double *kl = vae_model_kl_per_dim(model);
    char text[MOST_ROWS][LABEL], above[MOST_STEPS][LABEL], note[NOTE];
    const char *labels[MOST_ROWS], *columns[MOST_STEPS];
    vae_grid grid = {.down = down, .across = r->steps, .labels = labels, .columns = columns};
    size_t *order = calloc(L, sizeof *order);
    float *z = calloc(down * r->steps * L, sizeof *z);
    vae_status status = order && z ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    write_note(r, kl, note);
    write_values(r, false, above, columns);
    if (!status && r->plane) {
        fill_plane(r, base, L, z);
        write_values(r, true, text, labels);
    } else if (!status) {
        order_by_kl(kl, L, order);
        fill_rows(r, base, L, order, z);
        write_labels(r, kl, order, text, labels);
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
    vae_status status = run_open_data(arguments, model, &data, &images, err);
    if (!status) status = vae_parse_count("--image", index, 0, (double)images->n - 1, &i, err);
    if (!status) status = vae_encode(model, images, i, 1, 1, 1, base, NULL, err);
    if (!status && images->labels) *label = images->labels[i];
    vae_data_free(&data);
    return status;
}

static vae_status read_dims(struct request *r, const char *text, size_t L, vae_error *err)
{
    char first[16] = "", second[16] = "";
    uint64_t a, b;
    if (sscanf(text, "%15[0-9],%15[0-9]", first, second) != 2 || strlen(first) + strlen(second) + 1 != strlen(text))
        return vae_fail(err, VAE_E_USAGE, "--dims: '%s' (expected two latent indices such as 0,1)", text);
    vae_status status = vae_parse_count("--dims", first, 0, (double)L - 1, &a, err);
    if (!status) status = vae_parse_count("--dims", second, 0, (double)L - 1, &b, err);
    if (status) return status;
    if (a == b) return vae_fail(err, VAE_E_USAGE, "--dims: twice the same latent %s", first);
    r->dims[0] = a;
    r->dims[1] = b;
    r->plane = true;
    return VAE_OK;
}

static vae_status traverse(const struct arguments *arguments, const vae_model *model, struct request *r,
                           const struct picture *picture, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent;
    const char *dims = argument(arguments, "dims");
    uint8_t label = 0;
    float *base = calloc(L, sizeof *base);
    vae_status status = base ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (r->rows > L) r->rows = L;
    if (!status && dims) status = read_dims(r, dims, L, err);
    if (!status && r->image) status = encode_base(arguments, model, r->image, base, &label, err);
    if (!status) status = run_label(arguments, model, label, &r->label, err);
    if (!status) status = draw(model, r, base, picture, err);
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
    if (!status) status = argument_real(arguments, "range", 0, 1e6, 3, &r.range, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_check_pictures("traverse", model, err);
    if (!status) status = picture_options(arguments, model_path, "traverse.png", &picture, err);
    if (!status) status = traverse(arguments, model, &r, &picture, err);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"range", 0, "R", "each latent runs from -R to R [3]"},
    {"steps", 0, "N", "in so many steps [11]"},
    {"rows", 0, "N", "show at most the N latents of largest KL [32]"},
    {"dims", 0, "I,J", "instead: a grid over latents I (to the right) and J (upwards)"},
    {"image", 0, "I", "the other latents stay at the posterior mean of image I [at 0]"},
    {"label", 0, "C", "of a conditional model: label of all tiles [that of --image, else 0]"},
    {"data", 0, "SOURCE", "where --image is from [what the model was trained on]"},
    {"split", 0, "train|validation|test", "which part of it [test]"},
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
        "which stands beside each row in nats. A joint prior has one KL for all latents, which then are in their "
        "order.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
