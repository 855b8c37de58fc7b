/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/outputs.h"
#include "cli/command.h"
#include "cli/signals.h"

struct request {
    const char *means, *scales, *labels, *rows; /* files to write; all but the first may be NULL */
    uint64_t limit, seed, threads;              /* limit 0: all */
};

static vae_status write_labels(const char *path, const vae_images *images, size_t n, vae_error *err)
{
    const vae_array array = {.element = VAE_U1, .rank = 1, .dim = {n}, .at = images->labels};
    return WHOLE(vae_write_npy(path, &array, err));
}

static vae_status write_rows(const char *path, const vae_images *images, size_t n, vae_error *err)
{
    int32_t *row = calloc(n, sizeof *row);
    if (!row) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu rows", n);
    for (size_t i = 0; i < n; i++) row[i] = (int32_t)vae_images_row(images, i);
    const vae_array array = {.element = VAE_I4, .rank = 1, .dim = {n}, .at = row};
    vae_status status = WHOLE(vae_write_npy(path, &array, err));
    free(row);
    return status;
}

static vae_status write_all(const struct request *r, const vae_images *images, size_t n, size_t L, const float *mean,
                            const float *scale, vae_error *err)
{
    const struct array means = {n, 1, L, mean, images->labels, 'z'}, scales = {n, 1, L, scale, images->labels, 's'};
    vae_status status = array_write(r->means, &means, err);
    if (!status) run_say_written(r->means);
    if (!status && r->scales) status = array_write(r->scales, &scales, err);
    if (!status && r->scales) run_say_written(r->scales);
    if (!status && r->labels) status = write_labels(r->labels, images, n, err);
    if (!status && r->labels) run_say_written(r->labels);
    if (!status && r->rows) status = write_rows(r->rows, images, n, err);
    if (!status && r->rows) run_say_written(r->rows);
    return status;
}

static vae_status encode(const vae_model *model, const struct request *r, const vae_images *images, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent,
                 n = r->limit && r->limit < images->n ? r->limit : images->n;
    if (r->labels && !images->labels)
        return vae_fail(err, VAE_E_DATA, "%s: no labels (--labels writes those of the images)", images->source);
    float *mean = calloc(n, L * sizeof *mean), *scale = calloc(n, L * sizeof *scale);
    vae_status status = mean && scale ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", n);
    if (!status) status = vae_encode(model, images, 0, n, r->seed, r->threads, mean, scale, err);
    if (!status) status = write_all(r, images, n, L, mean, scale, err);
    free(mean);
    free(scale);
    return status;
}

static vae_status check_npy(const char *flag, const char *path, vae_error *err)
{
    if (!path || (array_is_name(path) && !strcmp(strrchr(path, '.'), ".npy"))) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "--%s: '%s' (expected a name that ends in .npy)", flag, path);
}

static vae_status check_names(const struct request *r, vae_error *err)
{
    vae_status status = array_check_name("output", r->means, err);
    if (!status && r->scales) status = array_check_name("scales", r->scales, err);
    if (!status) status = check_npy("labels", r->labels, err);
    if (!status) status = check_npy("rows", r->rows, err);
    const char *const names[] = {r->means, r->scales, r->labels, r->rows};
    return status ? status : outputs_check(names, sizeof names / sizeof *names, err);
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN], path[PATH_MAX_RUN];
    struct request r = {.means = path,
                        .scales = argument(arguments, "scales"),
                        .labels = argument(arguments, "labels"),
                        .rows = argument(arguments, "rows")};
    vae_model *model = NULL;
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = argument_count(arguments, "limit", 1, 1e9, 0, &r.limit, err);
    if (!status) status = argument_count(arguments, "seed", 0, 9007199254740991.0, 1, &r.seed, err);
    if (!status) status = argument_count(arguments, "threads", 1, 256, 0, &r.threads, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = run_output(arguments, model_path, "encode.npy", path, err);
    if (!status) status = check_names(&r, err);
    if (!status) status = run_open_data(arguments, arguments->run, model, &data, &images, err);
    if (!status) status = encode(model, &r, images, err);
    vae_data_free(&data);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"output", 'o', "FILE", ".npy or .csv to write the means to [encode.npy beside the model]"},
    {"scales", 0, "FILE", ".npy or .csv to write the scales to"},
    {"labels", 0, "FILE", ".npy to write the labels of the images to"},
    {"rows", 0, "FILE", ".npy to write the rows to that the images have in the file of data"},
    {"limit", 0, "N", "only the first N images [all]"},
    {"seed", 0, "N", "of binarised pixels [1]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    SPLIT_FLAG("them"),
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {0},
};

const struct command command_encode = {
    .name = "encode",
    .group = EXCHANGE,
    .summary = "posterior means and scales of images, as .npy or .csv",
    .details =
        "Encodes images and writes the means of their posteriors, a row an image and a column a latent: N x L in "
        "single\n"
        "precision. A .csv has a header, and the labels in its first column where there are any. Of a Cauchy "
        "posterior\n"
        "mean and scale are its centre and scale, of a flow where it takes the mean of its base, and the base's "
        "scale.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
