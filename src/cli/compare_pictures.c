/* SPDX-License-Identifier: MIT
 *
 * The same images under each configuration: a row of images, and below it a row of reconstructions for each row of the
 * table, of its run with the seed of the first one. */
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"

enum { ACROSS = 12 };

/* Reconstructions of the first n images by posterior means, as `reconstruct` has them. */
static vae_status decode(const vae_model *model, const vae_images *images, size_t n, float *tiles, vae_error *err)
{
    float *z = malloc(n * (size_t)vae_model_config(model)->latent * sizeof *z);
    vae_status status = z ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) status = vae_encode(model, images, 0, n, 1, 0, z, NULL, err);
    if (!status) status = vae_decode(model, n, z, images->labels, 0, tiles, err);
    free(z);
    return status;
}

static const struct run *run_of(const struct table *table, size_t row, uint64_t seed)
{
    for (size_t i = 0; i < table->runs->n; i++)
        if (table->runs->run[i].row == row && table->runs->run[i].config.seed == seed) return &table->runs->run[i];
    return table->row[row].first;
}

static vae_status draw_row(const struct table *table, size_t row, const vae_images *images, size_t n, float *tiles,
                           vae_error *err)
{
    char path[PATH_MAX_RUN];
    const struct run *first = table->row[0].first, *run = run_of(table, row, first->config.seed);
    vae_model *model = NULL;
    if (run->images != first->images)
        return vae_fail(err, VAE_E_DATA, "--pictures: %.200s has other images than %.200s", run->path, first->path);
    vae_status status = run_load_model(run->path, &model, path, err);
    if (!status) status = decode(model, images, n, tiles, err);
    vae_model_free(&model);
    return status;
}

static vae_status draw(const struct table *table, const vae_images *images, const struct picture *picture,
                       vae_error *err)
{
    const size_t D = images->rows * images->cols, n = images->n < ACROSS ? images->n : ACROSS;
    float *tiles = calloc((table->rows + 1) * n * D, sizeof *tiles);
    const char **labels = calloc(table->rows + 1, sizeof *labels);
    char note[128];
    vae_figure *figure = NULL;
    snprintf(note, sizeof note, "The first images of %s; each model decodes its posterior mean.",
             run_split_words(images->split));
    vae_status status = tiles && labels ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) status = vae_images_values(images, 0, n, tiles, err);
    for (size_t r = 0; r < table->rows && !status; r++) {
        status = draw_row(table, r, images, n, tiles + (r + 1) * n * D, err);
        labels[r + 1] = table->row[r].name;
    }
    if (!status) status = vae_figure_new(&figure, "Reconstructions of the same images", note, 1, err);
    if (!status) {
        labels[0] = "images";
        vae_panel_tiles(vae_figure_panel(figure, NULL), &(vae_grid){.down = table->rows + 1,
                                                                    .across = n,
                                                                    .rows = images->rows,
                                                                    .cols = images->cols,
                                                                    .tiles = tiles,
                                                                    .labels = labels});
        status = picture_write(picture, figure, err);
    }
    vae_figure_free(&figure);
    free(tiles);
    free(labels);
    return status;
}

vae_status table_write_pictures(const struct table *table, const struct arguments *arguments,
                                const struct picture *picture, vae_error *err)
{
    char path[PATH_MAX_RUN];
    const vae_images *images = NULL;
    vae_data *data = NULL;
    vae_model *model = NULL;
    vae_status status = run_load_model(table->row[0].first->path, &model, path, err);
    if (!status) status = run_check_pictures("compare --pictures", model, err);
    if (!status) status = run_open_data(arguments, table->row[0].first->path, model, &data, &images, err);
    if (!status) status = draw(table, images, picture, err);
    vae_data_free(&data);
    vae_model_free(&model);
    return status;
}
