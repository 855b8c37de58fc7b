/* SPDX-License-Identifier: MIT
 *
 * From one image to another: the latents between their posterior means a and b, decoded. The way is straight,
 * z = (1-t) a + t b, or, under a normal prior, whose draws are all about sqrt(L) away from zero, along the arc between
 * them (White, "Sampling generative networks", 2016),
 *
 *     z = (sin((1-t) w) a + sin(t w) b) / sin w,   w the angle between a and b
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/latents.h"
#include "cli/picture.h"

enum { MOST_PAIRS = MOST_LISTED / 2, MOST_STEPS = 51 };

struct request {
    uint64_t pairs, steps;
    bool spherical;
    struct image_list list; /* two for each row */
};

/* Where the way is after the share t. */
static void between(const struct request *r, size_t L, const float *a, const float *b, double t, float *z)
{
    double ab = 0, aa = 0, bb = 0, from = 1 - t, to = t;
    for (size_t j = 0; j < L; j++) {
        ab += (double)a[j] * (double)b[j];
        aa += (double)a[j] * (double)a[j];
        bb += (double)b[j] * (double)b[j];
    }
    const double cosine = aa > 0 && bb > 0 ? ab / sqrt(aa * bb) : 1, angle = acos(fmax(-1, fmin(1, cosine)));
    if (r->spherical && sin(angle) > 1e-6) {
        from = sin((1 - t) * angle) / sin(angle);
        to = sin(t * angle) / sin(angle);
    }
    for (size_t j = 0; j < L; j++) z[j] = (float)(from * (double)a[j] + to * (double)b[j]);
}

/* Latents of all steps (pairs * steps, L), and, where the images have labels, with which each is decoded: that of the
 * nearer end. */
static void fill(const struct request *r, const vae_images *images, size_t L, const float *mean, float *z,
                 uint8_t *label)
{
    for (size_t i = 0; i < r->pairs * r->steps; i++) {
        const size_t first = 2 * (i / r->steps), step = i % r->steps;
        const double t = r->steps < 2 ? 0.5 : (double)step / (double)(r->steps - 1);
        between(r, L, mean + first * L, mean + (first + 1) * L, t, z + i * L);
        if (images->labels) label[i] = images->labels[r->list.index[first + (t > 0.5)]];
    }
}

/* Each row: an image, the decoded steps, the other image. */
static void place(const struct request *r, size_t D, const float *given, const float *decoded, float *tiles)
{
    const size_t across = (size_t)r->steps + 2;
    for (size_t row = 0; row < r->pairs; row++) {
        float *tile = tiles + row * across * D;
        memcpy(tile, given + 2 * row * D, D * sizeof *tile);
        memcpy(tile + D, decoded + row * r->steps * D, r->steps * D * sizeof *tile);
        memcpy(tile + (across - 1) * D, given + (2 * row + 1) * D, D * sizeof *tile);
    }
}

static vae_status write_grid(const struct request *r, const vae_model *model, const vae_images *images,
                             const float *tiles, const struct picture *picture, vae_error *err)
{
    char text[MOST_PAIRS][LATENT_NAME], above[MOST_STEPS][LATENT_NAME];
    const char *labels[MOST_PAIRS], *columns[MOST_STEPS + 2] = {"image"};
    for (size_t row = 0; row < r->pairs; row++) {
        snprintf(text[row], LATENT_NAME, "%zu, %zu", r->list.index[2 * row], r->list.index[2 * row + 1]);
        labels[row] = text[row];
    }
    for (size_t k = 0; k < r->steps; k++) {
        snprintf(above[k], LATENT_NAME, "%.3g", r->steps < 2 ? 0.5 : (double)k / (double)(r->steps - 1));
        columns[1 + k] = above[k];
    }
    columns[r->steps + 1] = "image";
    const vae_grid grid = {.down = (size_t)r->pairs,
                           .across = (size_t)r->steps + 2,
                           .rows = images->rows,
                           .cols = images->cols,
                           .tiles = tiles,
                           .labels = labels,
                           .columns = columns};
    return picture_write_tiles(picture, model, "Interpolation",
                               r->spherical ? "Decoded latents on the arc between the posterior means of two images."
                                            : "Decoded latents between the posterior means of two images.",
                               &grid, err);
}

static vae_status draw(const struct request *r, const vae_model *model, const vae_images *images,
                       const struct picture *picture, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, D = images->rows * images->cols;
    const size_t steps = (size_t)(r->pairs * r->steps), n = r->list.n;
    float *given = calloc(n * D, sizeof *given), *mean = calloc(n * L, sizeof *mean);
    float *z = calloc(steps * L, sizeof *z), *decoded = calloc(steps * D, sizeof *decoded);
    float *tiles = calloc((steps + n) * D, sizeof *tiles);
    uint8_t *label = calloc(steps, sizeof *label);
    vae_status status = given && mean && z && decoded && tiles && label
                            ? VAE_OK
                            : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu tiles", steps);
    if (!status) status = latents_encode(model, images, &r->list, given, mean, NULL, err);
    if (!status) {
        fill(r, images, L, mean, z, label);
        status = vae_decode(model, steps, z, label, 0, decoded, err);
    }
    if (!status) {
        place(r, D, given, decoded, tiles);
        status = write_grid(r, model, images, tiles, picture, err);
    }
    free(given);
    free(mean);
    free(z);
    free(decoded);
    free(tiles);
    free(label);
    return status;
}

/* --path and --images, or the first --pairs of them. */
static vae_status read_request(const struct arguments *arguments, const vae_model *model, const vae_images *images,
                               struct request *r, vae_error *err)
{
    const char *path = argument(arguments, "path"), *prior = vae_model_config(model)->prior.name;
    r->spherical = path && !strcmp(path, "spherical");
    if (path && !r->spherical && strcmp(path, "linear"))
        return vae_fail(err, VAE_E_USAGE, "--path: '%s' (expected linear or spherical)", path);
    if (r->spherical && strcmp(prior, "normal"))
        return vae_fail(err, VAE_E_USAGE, "--path spherical: the prior is %s (expected normal)", prior);
    vae_status status = latents_images(arguments, images, 2 * (size_t)r->pairs, &r->list, err);
    if (!status && (r->list.n < 2 || (argument(arguments, "images") && r->list.n % 2)))
        status = vae_fail(err, VAE_E_USAGE, "%zu image%s (expected pairs of images)", r->list.n,
                          r->list.n == 1 ? "" : "s");
    r->pairs = r->list.n / 2;
    r->list.n = 2 * (size_t)r->pairs;
    return status;
}

static vae_status interpolate(const struct arguments *arguments, const vae_model *model, struct request *r,
                              const struct picture *picture, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = run_open_data(arguments, arguments->run, model, &data, &images, err);
    if (!status) status = read_request(arguments, model, images, r, err);
    if (!status) status = draw(r, model, images, picture, err);
    vae_data_free(&data);
    return status;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct picture picture;
    struct request r;
    vae_model *model = NULL;
    vae_status status = argument_count(arguments, "pairs", 1, MOST_PAIRS, 5, &r.pairs, err);
    if (!status) status = argument_count(arguments, "steps", 1, MOST_STEPS, 9, &r.steps, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_check_pictures("interpolate", model, err);
    if (!status) status = picture_options(arguments, model_path, "interpolate.png", &picture, err);
    if (!status) status = interpolate(arguments, model, &r, &picture, err);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"pairs", 0, "N", "so many pairs of images, from the first on [5]"},
    {"images", 0, "I,J,...", "instead: from I to J, from the third to the fourth, ..."},
    {"steps", 0, "N", "decoded steps from one to the other, ends included [9]"},
    {"path", 0, "linear|spherical", "straight, or along an arc (normal prior) [linear]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    SPLIT_FLAG("them"),
    PICTURE_OUTPUT("interpolate.png beside the model"),
    PICTURE_SCALE,
    {0},
};

const struct command command_interpolate = {
    .name = "interpolate",
    .group = DRAW,
    .summary = "picture: rows of steps from one image to another",
    .details =
        "Encodes pairs of images, decodes latents between their posterior means, and draws a row for each pair,\n"
        "with the images at its ends. A conditional model decodes with the label of the nearer image.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
