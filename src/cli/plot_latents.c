/* SPDX-License-Identifier: MIT
 *
 * What each image is to the encoder: the image, and beside it a bar for each latent, the posterior mean, with the
 * posterior's scale as error bar. Latents whose mean is near zero (within two standard deviations of the spike, under a
 * spike-and-slab prior) are grey, so that a sparse code is seen at a glance. Of several runs, the same images stand in
 * one row with a panel for each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/latents.h"
#include "cli/plot.h"

enum { SHOWN = 6, PANELS_ALONE = 2 }; /* images by default; of one run, so many side by side */
static const double WIDTH = 0.8;

/* Posteriors of the images under one run. */
struct code {
    size_t L;
    float *mean, *scale;                     /* (n,L) */
    double *place, *away, *near, *deviation; /* (L) of one image: means of those away from zero and of those near it */
    char (*text)[LATENT_NAME];               /* (L) of each latent, what its tick says */
    const char **name;
};

static void free_code(struct code *c)
{
    free(c->mean);
    free(c->scale);
    free(c->place);
    free(c->away);
    free(c->near);
    free(c->deviation);
    free(c->text);
    free(c->name);
}

static vae_status make_code(struct code *c, const vae_model *model, size_t n, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent;
    *c = (struct code){.L = L,
                       .mean = calloc(n * L, sizeof *c->mean),
                       .scale = calloc(n * L, sizeof *c->scale),
                       .place = calloc(L, sizeof *c->place),
                       .away = calloc(L, sizeof *c->away),
                       .near = calloc(L, sizeof *c->near),
                       .deviation = calloc(L, sizeof *c->deviation),
                       .text = calloc(L, sizeof *c->text),
                       .name = calloc(L, sizeof *c->name)};
    if (!c->mean || !c->scale || !c->place || !c->away || !c->near || !c->deviation || !c->text || !c->name)
        return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    for (size_t j = 0; j < L; j++) c->place[j] = (double)j;
    return VAE_OK;
}

/* What all panels of a figure have in common. */
struct scene {
    double near_zero; /* means within it are grey: the least of what the priors say */
    double most;      /* the axis ends at minus and plus this */
};

/* The farthest that a mean with its scale is from zero: all panels of a figure have the same axis. */
static double farthest(const struct code *c, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n * c->L; i++) most = fmax(most, fabs((double)c->mean[i]) + (double)c->scale[i]);
    return most;
}

static void draw_image(vae_figure *figure, const vae_images *images, const float *pixels)
{
    const vae_grid grid = {.down = 1, .across = 1, .rows = images->rows, .cols = images->cols, .tiles = pixels};
    vae_panel_tiles(vae_figure_panel(figure, NULL), &grid);
}

/* Zero and a round number on both sides of it; latents by their index, in the last row. */
static void set_ticks(vae_panel *panel, struct code *c, double most, bool last)
{
    char y_text[3][LATENT_NAME];
    const char *y_name[3];
    const double step = picture_round(most), at[3] = {-step, 0, step};
    for (size_t k = 0; k < 3; k++) {
        snprintf(y_text[k], sizeof y_text[k], "%g", at[k]);
        y_name[k] = y_text[k];
    }
    vae_panel_ticks_y(panel, 3, at, y_name);
    for (size_t j = 0; j < c->L; j++) {
        if (last) snprintf(c->text[j], sizeof c->text[j], "%zu", j);
        c->name[j] = c->text[j];
    }
    vae_panel_ticks_x(panel, c->L, c->place, c->name);
}

static void draw_bars(vae_figure *figure, struct code *c, size_t i, const struct scene *scene, const char *title,
                      bool last)
{
    const float *mean = c->mean + i * c->L, *scale = c->scale + i * c->L;
    vae_panel *panel = vae_figure_panel(figure, title);
    vae_panel_size(panel, fmax(200, fmin(11.0 * (double)c->L, 420)), 80);
    vae_panel_labels(panel, last ? "latent" : NULL, NULL);
    vae_panel_limits_x(panel, -0.7, (double)c->L - 0.3);
    vae_panel_limits_y(panel, -scene->most, scene->most);
    set_ticks(panel, c, scene->most, last);
    for (size_t j = 0; j < c->L; j++) {
        const bool near = fabs((double)mean[j]) < scene->near_zero;
        c->away[j] = near ? (double)NAN : (double)mean[j];
        c->near[j] = near ? (double)mean[j] : (double)NAN;
        c->deviation[j] = (double)scale[j];
    }
    vae_panel_bars(panel, c->L, c->place, c->near, c->deviation, WIDTH, (vae_mark){.series = VAE_GREY, .faint = true});
    vae_panel_bars(panel, c->L, c->place, c->away, c->deviation, WIDTH, (vae_mark){.series = 0});
}

static struct scene scene_of(const struct plot_job *job, const struct code *code, size_t n)
{
    struct scene scene = {.near_zero = INFINITY};
    for (size_t r = 0; r < job->n; r++) {
        scene.near_zero = fmin(scene.near_zero, latents_near_zero(job->run[r].model));
        scene.most = fmax(scene.most, 1.04 * farthest(&code[r], n));
    }
    if (!(scene.most > 1e-30 && scene.most < 1e30)) scene.most = 1;
    return scene;
}

/* Images from the top; of one run in PANELS_ALONE columns. */
static void draw_all(const struct plot_job *job, const vae_images *images, const struct image_list *list,
                     const float *pixels, struct code *code, vae_figure *figure)
{
    const size_t D = images->rows * images->cols, beside = job->n > 1 ? 1 : PANELS_ALONE;
    const struct scene scene = scene_of(job, code, list->n);
    for (size_t i = 0; i < list->n; i++) {
        draw_image(figure, images, pixels + i * D);
        for (size_t r = 0; r < job->n; r++)
            draw_bars(figure, &code[r], i, &scene, job->n > 1 && i == 0 ? job->run[r].name : NULL,
                      i + beside >= list->n);
    }
}

static vae_status encode_all(const struct plot_job *job, const vae_images *images, const struct image_list *list,
                             float *pixels, struct code *code, vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t r = 0; r < job->n && !status; r++) {
        status = make_code(&code[r], job->run[r].model, list->n, err);
        if (!status) status = latents_encode(job->run[r].model, images, list, pixels, code[r].mean, code[r].scale, err);
        if (status && job->n > 1) {
            const vae_error why = *err;
            vae_fail(err, status, "%.200s: %.300s", job->run[r].path, why.message);
        }
    }
    return status;
}

static vae_status make_figure(const struct plot_job *job, double near_zero, vae_figure **figure, vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64], note[160];
    picture_model_name(job->run->model, name);
    if (job->n > 1)
        snprintf(title, sizeof title, "Latents of the same images under %zu models", job->n);
    else
        snprintf(title, sizeof title, "Latents of images: %s", name);
    snprintf(note, sizeof note,
             "Bars: posterior mean of each latent, with the posterior's scale. Grey: a mean within %.2g of zero.",
             near_zero);
    return vae_figure_new(figure, title, note, job->n > 1 ? 1 + job->n : 2 * PANELS_ALONE, err);
}

static vae_status draw(const struct plot_job *job, const vae_images *images, vae_figure **figure, vae_error *err)
{
    struct image_list list;
    vae_status status = latents_images(job->arguments, images, SHOWN, &list, err);
    if (status) return status;
    float *pixels = calloc(list.n * images->rows * images->cols, sizeof *pixels);
    struct code *code = calloc(job->n, sizeof *code);
    if (!pixels || !code) status = vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", list.n);
    if (!status) status = encode_all(job, images, &list, pixels, code, err);
    if (!status) status = make_figure(job, scene_of(job, code, list.n).near_zero, figure, err);
    if (!status) draw_all(job, images, &list, pixels, code, *figure);
    for (size_t r = 0; code && r < job->n; r++) free_code(&code[r]);
    free(code);
    free(pixels);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = run_check_pictures("plot latents", job->run->model, err);
    if (!status) status = run_open_data(job->arguments, job->run->path, job->run->model, &data, &images, err);
    if (!status) status = draw(job, images, figure, err);
    vae_data_free(&data);
    return status;
}

static const char *const flags[] = {"data", "split", "images", "n", NULL};

const struct plot plot_latents = {
    .name = "latents",
    .summary = "images, and beside each a bar for each of its latents",
    .output = "latents.svg",
    .most = 4,
    .flags = flags,
    .figure = figure,
};
