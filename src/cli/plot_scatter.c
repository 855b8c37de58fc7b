/* SPDX-License-Identifier: MIT
 *
 * Posterior means of the images in the plane of two latents, a colour for each label, with the prior behind them: of a
 * factorised one the smallest regions that hold half and 95 % of it, of a joint one draws.
 *
 * Data of two dimensions have a panel of their own: the data, and the means that the decoder gives for the range of
 * the prior, a curve for one latent and points for more; with one latent it is the only panel. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/latents.h"
#include "cli/plot.h"

enum { MOST_POINTS = 3000, ANGLES = 181, CELLS = 160, DRAWS = 1000 };

/* Points (n) with a label each, or NULL. */
struct cloud {
    size_t n, classes;
    double *x, *y;
    const uint8_t *label;
    double *part_x, *part_y; /* of one class */
};

static vae_status take_cloud(struct cloud *c, const vae_images *images, size_t most, vae_error *err)
{
    c->n = images->n < most ? images->n : most;
    c->classes = vae_images_classes(images);
    c->label = images->labels;
    double **const values[] = {&c->x, &c->y, &c->part_x, &c->part_y};
    for (size_t i = 0; i < 4; i++)
        if (!(*values[i] = calloc(c->n ? c->n : 1, sizeof(double))))
            return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu points", c->n);
    return VAE_OK;
}

static void free_cloud(struct cloud *c)
{
    free(c->x);
    free(c->y);
    free(c->part_x);
    free(c->part_y);
}

/* Two columns of rows of `stride` numbers. */
static void set_points(struct cloud *c, const float *rows, size_t stride, size_t a, size_t b)
{
    for (size_t i = 0; i < c->n; i++) {
        c->x[i] = (double)rows[i * stride + a];
        c->y[i] = (double)rows[i * stride + b];
    }
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n)
{
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

static void draw_class(struct cloud *c, size_t class, const char *unlabelled, vae_panel *panel)
{
    char name[LATENT_NAME];
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->label && c->label[i] != class) continue;
        c->part_x[n] = c->x[i];
        c->part_y[n++] = c->y[i];
    }
    snprintf(name, sizeof name, "%zu", class);
    const vae_mark mark = {.series = (int)class, .name = c->label ? name : unlabelled, .size = 1.8, .faint = true};
    if (n) vae_panel_points(panel, n, c->part_x, c->part_y, NULL, mark);
}

/* Its label at the middle of a class, in front of all points. */
static void name_class(struct cloud *c, size_t class, vae_panel *panel)
{
    char name[LATENT_NAME];
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->label[i] == class) {
            c->part_x[n] = c->x[i];
            c->part_y[n++] = c->y[i];
        }
    snprintf(name, sizeof name, "%zu", class);
    if (n) vae_panel_text(panel, median(c->part_x, n), median(c->part_y, n), name);
}

/* `unlabelled`: name of points without labels. */
static void draw_cloud(struct cloud *c, const char *unlabelled, vae_panel *panel)
{
    const size_t classes = c->label ? c->classes : 1;
    for (size_t k = 0; k < classes; k++) draw_class(c, k, unlabelled, panel);
    for (size_t k = 0; c->label && k < classes; k++) name_class(c, k, panel);
}

/* ---- The prior -------------------------------------------------------------------------------------------------- */

/* p(z_latent) near a point: over a hundredth of the way between its quartiles. */
static double density(const vae_marginals *m, size_t latent, double z)
{
    const double quartiles = vae_marginal_quantile(m, latent, 0.75) - vae_marginal_quantile(m, latent, 0.25);
    const double half = 0.005 * quartiles;
    return (vae_marginal_cdf(m, latent, z + half) - vae_marginal_cdf(m, latent, z - half)) / (2 * half);
}

static double density_of_two(const vae_marginals *m, const size_t dims[2], double x, double y)
{
    return density(m, dims[0], x) * density(m, dims[1], y);
}

/* The density above which `share` of the mass is: CELLS^2 points between quantiles stand for equal parts of it. */
static double level_of(const vae_marginals *m, const size_t dims[2], double share)
{
    static double side[2][CELLS], value[CELLS * CELLS];
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < CELLS; i++)
            side[k][i] = density(m, dims[k], vae_marginal_quantile(m, dims[k], ((double)i + 0.5) / CELLS));
    for (size_t i = 0; i < CELLS * CELLS; i++) value[i] = side[0][i / CELLS] * side[1][i % CELLS];
    qsort(value, CELLS * CELLS, sizeof *value, by_value);
    return value[(size_t)((1 - share) * CELLS * CELLS)];
}

/* Along each ray from the medians the density falls: where it crosses the level is found by bisection. */
static void draw_region(const vae_marginals *m, const size_t dims[2], double share, const char *name, vae_panel *panel)
{
    const double level = level_of(m, dims, share);
    const double x0 = vae_marginal_quantile(m, dims[0], 0.5), y0 = vae_marginal_quantile(m, dims[1], 0.5);
    const double most = 2 * (vae_marginal_quantile(m, dims[0], 0.9999) - x0);
    double x[ANGLES], y[ANGLES];
    for (size_t i = 0; i < ANGLES; i++) {
        const double angle = 6.28318530717958647693 * (double)i / (ANGLES - 1);
        double low = 0, high = most;
        for (int k = 0; k < 40; k++) {
            const double r = (low + high) / 2;
            if (density_of_two(m, dims, x0 + r * cos(angle), y0 + r * sin(angle)) > level)
                low = r;
            else
                high = r;
        }
        x[i] = x0 + low * cos(angle);
        y[i] = y0 + low * sin(angle);
    }
    vae_panel_line(panel, ANGLES, x, y, (vae_mark){.series = VAE_GREY, .name = name, .size = 1.25});
}

static vae_status draw_prior_draws(const vae_model *model, const size_t dims[2], vae_panel *panel, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent;
    double x[DRAWS], y[DRAWS];
    float *z = calloc(DRAWS * L, sizeof *z);
    vae_status status = z ? vae_sample_prior(model, 1, DRAWS, z, err) : vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < DRAWS && !status; i++) {
        x[i] = (double)z[i * L + dims[0]];
        y[i] = (double)z[i * L + dims[1]];
    }
    if (!status)
        vae_panel_points(panel, DRAWS, x, y, NULL,
                         (vae_mark){.series = VAE_GREY, .name = "draws from the prior", .size = 1.5, .faint = true});
    free(z);
    return status;
}

static vae_status draw_prior(const vae_model *model, const vae_marginals *prior, const size_t dims[2], vae_panel *panel,
                             vae_error *err)
{
    static const char regions[] = "50 % and 95 % of the prior";
    if (vae_marginal_draws(prior)) return draw_prior_draws(model, dims, panel, err);
    draw_region(prior, dims, 0.5, regions, panel);
    draw_region(prior, dims, 0.95, regions, panel);
    return VAE_OK;
}

/* ---- Panels ----------------------------------------------------------------------------------------------------- */

/* Limits of one axis that hold all but two in a thousand of the values, so that one far out does not squeeze the rest;
 * `sorted` has room for them. */
static void find_limits(const double *values, size_t n, double *sorted, double limit[2])
{
    memcpy(sorted, values, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, by_value);
    const double low = sorted[n / 500], high = sorted[n - 1 - n / 500], room = fmax(0.05 * (high - low), 1e-6);
    limit[0] = low - room;
    limit[1] = high + room;
}

/* The middle eight tenths of the prior are always there. */
static void include_prior(const vae_marginals *prior, size_t latent, double limit[2])
{
    limit[0] = fmin(limit[0], vae_marginal_quantile(prior, latent, 0.1));
    limit[1] = fmax(limit[1], vae_marginal_quantile(prior, latent, 0.9));
}

static void set_limits(struct cloud *c, const vae_marginals *prior, const size_t *dims, vae_panel *panel)
{
    double x[2], y[2];
    find_limits(c->x, c->n, c->part_x, x);
    find_limits(c->y, c->n, c->part_y, y);
    if (prior) include_prior(prior, dims[0], x);
    if (prior) include_prior(prior, dims[1], y);
    vae_panel_limits_x(panel, x[0], x[1]);
    vae_panel_limits_y(panel, y[0], y[1]);
    vae_panel_size(panel, 460, 460);
    vae_panel_equal(panel);
}

static vae_status add_latents(const struct plot_job *job, const vae_images *images, struct cloud *c, vae_figure *figure,
                              vae_error *err)
{
    const vae_model *model = job->run->model;
    const size_t L = (size_t)vae_model_config(model)->latent;
    size_t dims[2];
    char x[LATENT_NAME], y[LATENT_NAME];
    vae_marginals *prior = NULL;
    vae_status status = latents_dims(job->arguments, model, dims, err);
    if (status) return status;
    float *mean = calloc(c->n * L, sizeof *mean);
    status = mean ? vae_encode(model, images, 0, c->n, 1, 0, mean, NULL, err)
                  : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu points", c->n);
    if (!status) status = vae_prior_marginals(&prior, model, 1, err);
    vae_panel *panel = status ? NULL : vae_figure_panel(figure, NULL);
    if (!status) status = draw_prior(model, prior, dims, panel, err);
    if (!status) {
        set_points(c, mean, L, dims[0], dims[1]);
        draw_cloud(c, "posterior means", panel);
        set_limits(c, prior, dims, panel);
        latents_name(model, dims[0], x);
        latents_name(model, dims[1], y);
        vae_panel_labels(panel, x, y);
    }
    vae_marginals_free(&prior);
    free(mean);
    return status;
}

/* Latents whose means are shown: along the range of the prior where there is one, else draws. */
static vae_status choose_latents(const struct plot_job *job, size_t n, float *z, vae_error *err)
{
    const vae_model *model = job->run->model;
    struct latent_range range = {0};
    if (vae_model_config(model)->latent > 1) return vae_sample_prior(model, 2, n, z, err);
    vae_status status = latents_range(job->arguments, model, &range, err);
    for (size_t i = 0; i < n && !status; i++) z[i] = (float)latents_place(&range, 0, i, n);
    latents_range_free(&range);
    return status;
}

/* Rows of two numbers as points, or as a line where `joined`. */
static void draw_rows(vae_panel *panel, const float *rows, bool joined, vae_mark mark)
{
    double x[DRAWS], y[DRAWS];
    for (size_t i = 0; i < DRAWS; i++) {
        x[i] = (double)rows[2 * i];
        y[i] = (double)rows[2 * i + 1];
    }
    if (joined)
        vae_panel_line(panel, DRAWS, x, y, mark);
    else
        vae_panel_points(panel, DRAWS, x, y, NULL, mark);
}

/* Draws of p(x|z), z from the prior. */
static vae_status draw_draws(const struct plot_job *job, float *z, vae_panel *panel, vae_error *err)
{
    const vae_model *model = job->run->model;
    float x[2 * DRAWS];
    uint8_t label, labels[DRAWS];
    vae_status status = run_label(job->arguments, model, 0, &label, err);
    if (!status) memset(labels, label, DRAWS);
    if (!status) status = vae_sample_prior(model, 1, DRAWS, z, err);
    if (!status) status = vae_sample_data(model, DRAWS, z, labels, 1, 0, x, err);
    if (!status)
        draw_rows(panel, x, false,
                  (vae_mark){.series = VAE_GREY, .name = "draws of p(x|z)", .size = 1.8, .faint = true});
    return status;
}

static vae_status draw_means(const struct plot_job *job, float *z, vae_panel *panel, vae_error *err)
{
    const vae_model *model = job->run->model;
    const bool joined = vae_model_config(model)->latent == 1;
    float *mean = NULL;
    vae_status status = choose_latents(job, DRAWS, z, err);
    if (!status) status = latents_decode(job->arguments, model, DRAWS, z, &mean, err);
    if (!status)
        draw_rows(panel, mean, joined,
                  (vae_mark){.series = VAE_INK,
                             .name = joined ? "means of p(x|z) along z" : "means of p(x|z)",
                             .size = joined ? 2.5 : 1.5});
    free(mean);
    return status;
}

/* Of data of two dimensions. */
static vae_status add_data(const struct plot_job *job, const vae_images *images, struct cloud *c, vae_figure *figure,
                           vae_error *err)
{
    float *values = calloc(2 * c->n, sizeof *values);
    float *z = calloc(DRAWS * vae_model_config(job->run->model)->latent, sizeof *z);
    vae_status status = values && z ? vae_images_values(images, 0, c->n, values, err)
                                    : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu points", c->n);
    vae_panel *panel = status ? NULL : vae_figure_panel(figure, NULL);
    if (!status) status = draw_draws(job, z, panel, err);
    if (!status) {
        set_points(c, values, 2, 0, 1);
        draw_cloud(c, "data", panel);
        set_limits(c, NULL, NULL, panel);
        vae_panel_labels(panel, "x0", "x1");
        status = draw_means(job, z, panel, err);
    }
    free(values);
    free(z);
    return status;
}

static vae_status draw(const struct plot_job *job, const vae_images *images, uint64_t most, vae_figure **figure,
                       vae_error *err)
{
    char name[PICTURE_NAME], title[PICTURE_NAME + 64];
    const vae_model *model = job->run->model;
    const bool plane = vae_model_config(model)->latent > 1, two = images->rows * images->cols == 2;
    struct cloud cloud = {0};
    picture_model_name(model, name);
    snprintf(title, sizeof title, "%s: %s", plane ? "Posterior means" : "Data and decoder", name);
    if (!plane && !two)
        return vae_fail(err, VAE_E_USAGE, "the model has one latent (expected two or more, or data of two dimensions)");
    if (!plane && argument(job->arguments, "dims")) return latents_dims(job->arguments, model, NULL, err);
    if (!two && argument(job->arguments, "label"))
        return vae_fail(err, VAE_E_USAGE, "--label: only data of two dimensions are decoded here");
    vae_status status = vae_model_check_images(model, images, err);
    if (!status) status = take_cloud(&cloud, images, (size_t)most, err);
    if (!status) status = vae_figure_new(figure, title, NULL, 2, err);
    if (!status && plane) status = add_latents(job, images, &cloud, *figure, err);
    if (!status && two) status = add_data(job, images, &cloud, *figure, err);
    free_cloud(&cloud);
    return status;
}

static vae_status figure(const struct plot_job *job, vae_figure **figure, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    uint64_t most;
    vae_status status = argument_count(job->arguments, "points", 1, 100000, MOST_POINTS, &most, err);
    if (!status) status = run_open_data(job->arguments, job->run->path, job->run->model, &data, &images, err);
    if (!status) status = draw(job, images, most, figure, err);
    vae_data_free(&data);
    return status;
}

static const char *const flags[] = {"data", "split", "dims", "points", "label", NULL};

const struct plot plot_scatter = {
    .name = "scatter",
    .summary = "posterior means in the plane of two latents, by label",
    .output = "scatter.svg",
    .most = 1,
    .flags = flags,
    .figure = figure,
};
