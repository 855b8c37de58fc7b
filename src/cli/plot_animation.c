/* SPDX-License-Identifier: MIT
 *
 * How a latent space comes about: the same latents decoded by each checkpoint that `train --keep-every` left in the
 * run, and at the end by its model. With one latent or two they are the row or the plane of plot manifold, with more
 * they are draws from the model's prior. */
#include <stdlib.h>
#include <string.h>

#include "cli/folder.h"
#include "cli/latents.h"
#include "cli/plot.h"
#include "cli/signals.h"

enum { SIDE = 10, MOST_FRAMES = 1000, TEXT = 32 };
static const double SECONDS = 0.4;

struct film {
    const struct plot_job *job;
    size_t down, across, rows, cols, L;
    float *z; /* (down * across, L) */
    size_t n, most;
    vae_grid *frame; /* (n) whose tiles are ours */
    float **tiles;
    char (*text)[TEXT];
    const char **texts;
};

/* A row or a plane over quantiles of the prior. */
static vae_status choose_places(struct film *f, vae_error *err)
{
    struct latent_range range = {0};
    vae_status status = latents_range(f->job->arguments, f->job->run->model, &range, err);
    for (size_t i = 0; i < f->down * f->across && !status; i++) {
        float *z = f->z + i * f->L;
        z[0] = (float)latents_place(&range, 0, i % f->across, f->across);
        if (f->L > 1) z[1] = (float)latents_place(&range, 1, f->down - 1 - i / f->across, f->down);
    }
    latents_range_free(&range);
    return status;
}

static vae_status begin(struct film *f, size_t epochs, vae_error *err)
{
    const vae_model *model = f->job->run->model;
    f->L = (size_t)vae_model_config(model)->latent;
    f->across = SIDE;
    f->down = f->L > 1 ? SIDE : 1;
    f->most = epochs + 1;
    vae_model_shape(model, &f->rows, &f->cols);
    f->z = calloc(f->down * f->across * f->L, sizeof *f->z);
    f->frame = calloc(f->most, sizeof *f->frame);
    f->tiles = calloc(f->most, sizeof *f->tiles);
    f->text = calloc(f->most, sizeof *f->text);
    f->texts = calloc(f->most, sizeof *f->texts);
    if (!f->z || !f->frame || !f->tiles || !f->text || !f->texts)
        return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu frames", f->most);
    return f->L > 2 ? vae_sample_prior(model, 1, f->down * f->across, f->z, err) : choose_places(f, err);
}

static void end(struct film *f)
{
    for (size_t i = 0; i < f->n; i++) free(f->tiles[i]);
    free(f->z);
    free(f->frame);
    free(f->tiles);
    free(f->text);
    free(f->texts);
}

static vae_status add_frame(struct film *f, const char *path, const vae_model *model, vae_error *err)
{
    size_t rows, cols;
    vae_model_shape(model, &rows, &cols);
    if (rows != f->rows || cols != f->cols || vae_model_config(model)->latent != f->L ||
        vae_model_config(model)->classes != vae_model_config(f->job->run->model)->classes)
        return vae_fail(err, VAE_E_MODEL, "%s: not of this run (expected the latents, images and classes of its model)",
                        path);
    vae_status status = latents_decode(f->job->arguments, model, f->down * f->across, f->z, &f->tiles[f->n], err);
    if (status) return status;
    f->frame[f->n] = (vae_grid){
        .down = f->down, .across = f->across, .rows = rows, .cols = cols, .tiles = f->tiles[f->n]};
    snprintf(f->text[f->n], TEXT, "epoch %llu", (unsigned long long)vae_model_metrics(model)->epoch);
    f->texts[f->n] = f->text[f->n];
    f->n++;
    return VAE_OK;
}

/* Checkpoints up to the model's own epoch, which comes last; a resumed run may have later ones of its first try. */
static vae_status add_frames(struct film *f, const struct folder *folder, const uint64_t *epochs, size_t n,
                             vae_error *err)
{
    const struct plot_run *run = f->job->run;
    vae_status status = VAE_OK;
    for (size_t i = 0; i < n && !status && epochs[i] < vae_model_metrics(run->model)->epoch; i++) {
        char path[PATH_MAX_RUN];
        vae_model *model = NULL;
        folder_epoch(folder, epochs[i], path);
        status = vae_model_load(&model, path, err);
        if (!status) status = add_frame(f, path, model, err);
        vae_model_free(&model);
    }
    return status ? status : add_frame(f, run->path, run->model, err);
}

static vae_status find_checkpoints(const struct plot_run *run, struct folder *folder, uint64_t **epochs, size_t *n,
                                   vae_error *err)
{
    const char *slash = strrchr(run->path, '/');
    snprintf(folder->path, sizeof folder->path, "%.*s", slash ? (int)(slash - run->path) : 1, slash ? run->path : ".");
    vae_status status = folder_epochs(folder->path, epochs, n, err);
    const uint64_t last = vae_model_metrics(run->model)->epoch;
    if (!status && (!*n || (*epochs)[0] >= last)) /* the model's own is none of earlier epochs */
        status = vae_fail(err, VAE_E_USAGE, "%s: no checkpoints of earlier epochs (train --keep-every leaves them)",
                          folder->path);
    if (!status && *n > MOST_FRAMES)
        status = vae_fail(err, VAE_E_USAGE, "%s: %zu checkpoints (expected at most %d)", folder->path, *n, MOST_FRAMES);
    return status;
}

static vae_status write(const struct plot_job *job, vae_error *err)
{
    const struct picture *picture = &job->picture;
    const char *dot = strrchr(picture->path, '.');
    struct film film = {.job = job};
    struct folder folder;
    uint64_t *epochs = NULL;
    size_t n = 0;
    if (!dot || strcmp(dot, ".png"))
        return vae_fail(err, VAE_E_USAGE, "--output: '%s' (expected a name that ends in .png)", picture->path);
    vae_status status = run_check_pictures("plot animation", job->run->model, err);
    if (!status) status = find_checkpoints(job->run, &folder, &epochs, &n, err);
    if (!status) status = begin(&film, n, err);
    if (!status) status = add_frames(&film, &folder, epochs, n, err);
    if (!status)
        status = WHOLE(
            vae_animation_write(picture->path, film.n, film.frame, film.texts, SECONDS, picture->scale, err));
    if (!status) run_say_written(picture->path);
    end(&film);
    free(epochs);
    return status;
}

static const char *const flags[] = {"label", NULL};

const struct plot plot_animation = {
    .name = "animation",
    .summary = "decoded latents over the epochs of train --keep-every, an APNG",
    .output = "animation.png",
    .most = 1,
    .flags = flags,
    .write = write,
};
