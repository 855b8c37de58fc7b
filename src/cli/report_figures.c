/* SPDX-License-Identifier: MIT
 *
 * The figures of a report. Each is an <svg> of one panel, so that a page of any width can set them side by side or one
 * below the other. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/metrics.h"
#include "cli/panels.h"
#include "cli/report.h"

enum { ACROSS = 10, SAMPLE_ROWS = 4, STEPS = 9, MOST_LATENTS = 10, EXTREMES = 8, CURVE_POINTS = 400, NAME = 32 };

/* ---- One figure -------------------------------------------------------------------------------------------------- */

/* Begins a figure with one panel. */
static vae_panel *begin_figure(vae_figure **figure, vae_error *err)
{
    *figure = NULL;
    return vae_figure_new(figure, NULL, NULL, 1, err) ? NULL : vae_figure_panel(*figure, NULL);
}

/* Ends it: `alt` says in a sentence what is to be seen, `caption` what it means. Both are plain text. `kind` is its
 * class in page.css, which decides how wide it is. */
static vae_status end_figure(FILE *out, vae_figure **figure, const char *kind, const char *alt, const char *caption,
                             vae_error *err)
{
    char *svg = NULL;
    vae_status status = *figure ? vae_figure_svg(*figure, 1, &svg, err) : VAE_E_MEMORY;
    vae_figure_free(figure);
    if (status) return status;
    fprintf(out, "<figure class=\"%s\"><div role=\"img\" aria-label=\"", kind);
    page_text(out, alt);
    fprintf(out, "\">%s</div><figcaption>", svg);
    page_text(out, caption);
    fputs("</figcaption></figure>\n", out);
    free(svg);
    return VAE_OK;
}

/* A part of the page that draws each run. */
static vae_status each_run(FILE *out, struct report *report,
                           vae_status (*draw)(FILE *out, const struct subject *s, vae_error *err), vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < report->n && !status; i++) {
        begin_run(out, report, i);
        fputs("<div class=\"figures\">\n", out);
        status = draw(out, &report->subject[i], err);
        fputs("</div>\n", out);
        end_run(out, report, i);
    }
    return status;
}

static size_t fewer(size_t a, size_t b) { return a < b ? a : b; }

/* ---- Training ---------------------------------------------------------------------------------------------------- */

static const char *const curve_captions[METRICS_CURVES] = {
    "\u2212ELBO, reconstruction + KL, of the training batches as they went and of the test split (of data without one: "
    "of "
    "the training images after each epoch).",
    "Reconstruction, \u2212E log p(x|z).",
    "KL of posterior and prior.",
};

/* At most CURVE_POINTS of the epochs, evenly, the last one among them. */
static size_t thin(const struct subject *s, size_t k)
{
    const size_t n = fewer(s->epochs, CURVE_POINTS);
    return n < 2 ? 0 : k * (s->epochs - 1) / (n - 1);
}

static vae_status put_curve(FILE *out, const struct subject *s, size_t curve, vae_error *err)
{
    double x[CURVE_POINTS], train[CURVE_POINTS], test[CURVE_POINTS];
    const size_t n = fewer(s->epochs, CURVE_POINTS);
    char alt[96], label[64];
    vae_figure *figure;
    vae_panel *panel = begin_figure(&figure, err);
    for (size_t k = 0; k < n; k++) {
        const vae_metrics *row = &s->epoch[thin(s, k)];
        x[k] = (double)row->epoch;
        metrics_losses(row, curve, &train[k], &test[k]);
    }
    snprintf(label, sizeof label, "%s, nats per image", metrics_curves[curve]);
    snprintf(alt, sizeof alt, "Curves over epochs: %s of training and test", metrics_curves[curve]);
    vae_panel_labels(panel, "epoch", label);
    vae_panel_whole_x(panel);
    vae_panel_line(panel, n, x, train, (vae_mark){.series = 1, .name = "training"});
    vae_panel_line(panel, n, x, test, (vae_mark){.series = 0, .name = "test"});
    return end_figure(out, &figure, "plot", alt, curve_captions[curve], err);
}

static vae_status draw_training(FILE *out, const struct subject *s, vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < METRICS_CURVES && s->epochs && !status; i++) status = put_curve(out, s, i, err);
    if (!s->epochs)
        fputs("<p class=\"note\">There is no metrics.csv beside the model, and so there are no curves.</p>\n", out);
    return status;
}

vae_status write_training(FILE *out, struct report *report, vae_error *err)
{
    return each_run(out, report, draw_training, err);
}

/* ---- Pictures ---------------------------------------------------------------------------------------------------- */

/* Tiles that are decoded from latents: (down * across, L) `z`, and labels where the model is conditional. */
struct tiles {
    vae_grid grid;
    float *z, *values;
    uint8_t *label;
};

static void tiles_free(struct tiles *t)
{
    free(t->z);
    free(t->values);
    free(t->label);
}

static vae_status tiles_new(struct tiles *t, const struct subject *s, size_t down, size_t across, vae_error *err)
{
    const size_t n = down * across;
    *t = (struct tiles){.grid = {.down = down, .across = across, .rows = s->images.rows, .cols = s->images.cols},
                        .z = calloc(n * subject_latents(s), sizeof(float)),
                        .values = calloc(n * s->images.rows * s->images.cols, sizeof(float)),
                        .label = calloc(n, 1)};
    t->grid.tiles = t->values;
    return t->z && t->values && t->label ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu tiles", n);
}

static vae_status tiles_decode(const struct tiles *t, const struct subject *s, vae_error *err)
{
    return vae_decode(s->model, t->grid.down * t->grid.across, t->z, t->label, s->eval.options.threads, t->values, err);
}

static vae_status tiles_put(FILE *out, const struct tiles *t, const char *alt, const char *caption, vae_error *err)
{
    vae_figure *figure;
    vae_panel_tiles(begin_figure(&figure, err), &t->grid);
    return end_figure(out, &figure, "tiles", alt, caption, err);
}

/* Pairs of rows: images `index`, and the reconstructions of their posterior means. */
static vae_status put_pairs(FILE *out, const struct subject *s, size_t n, const size_t *index,
                            const char *const *columns, const char *alt, const char *caption, vae_error *err)
{
    static const char *const rows[] = {"image", "mean"};
    const size_t D = s->images.rows * s->images.cols, L = subject_latents(s);
    struct tiles t;
    vae_status status = tiles_new(&t, s, 2, n, err);
    t.grid.labels = rows;
    t.grid.columns = columns;
    for (size_t i = 0; i < n && !status; i++) {
        memcpy(t.z + (n + i) * L, s->mean + index[i] * L, L * sizeof *t.z);
        if (s->images.labels) t.label[n + i] = s->images.labels[index[i]];
    }
    if (!status) status = tiles_decode(&t, s, err);
    for (size_t i = 0; i < n && !status; i++)
        status = vae_images_values(&s->images, index[i], 1, t.values + i * D, err);
    if (!status) status = tiles_put(out, &t, alt, caption, err);
    tiles_free(&t);
    return status;
}

/* Decoded rows of latents; of a conditional model a row of tiles for each label, all with the same latents. */
static vae_status put_samples(FILE *out, const struct subject *s, const float *z, const char *alt, const char *caption,
                              vae_error *err)
{
    const size_t L = subject_latents(s), classes = (size_t)vae_model_config(s->model)->classes;
    const size_t across = fewer(ACROSS, s->images.n), down = classes ? fewer(classes, ACROSS) : SAMPLE_ROWS;
    const char *names[ACROSS];
    char name[ACROSS][NAME];
    struct tiles t;
    vae_status status = tiles_new(&t, s, down, across, err);
    for (size_t i = 0; i < down * across && !status; i++) {
        memcpy(t.z + i * L, z + (classes ? i % across : i % s->images.n) * L, L * sizeof *z);
        t.label[i] = (uint8_t)(classes ? i / across : 0);
    }
    for (size_t c = 0; c < classes && c < down; c++) {
        snprintf(name[c], NAME, "%zu", c);
        names[c] = name[c];
    }
    if (classes) t.grid.labels = names;
    if (!status) status = tiles_decode(&t, s, err);
    if (!status) status = tiles_put(out, &t, alt, caption, err);
    tiles_free(&t);
    return status;
}

/* A row a latent, over the range in which 98 % of the aggregate posterior lie. */
static vae_status put_traversal(FILE *out, const struct subject *s, vae_error *err)
{
    const size_t L = subject_latents(s), rows = fewer(L, MOST_LATENTS);
    char name[MOST_LATENTS][NAME];
    const char *names[MOST_LATENTS];
    struct tiles t;
    size_t *order = calloc(L, sizeof *order);
    vae_status status = tiles_new(&t, s, rows, STEPS, err);
    if (!order) status = vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) subject_order(s, order);
    for (size_t i = 0; i < rows && !status; i++) {
        const double low = vae_marginal_quantile(s->aggregate_marginals, order[i], 0.01);
        const double high = vae_marginal_quantile(s->aggregate_marginals, order[i], 0.99);
        for (size_t k = 0; k < STEPS; k++)
            t.z[(i * STEPS + k) * L + order[i]] = (float)(low + (high - low) * (double)k / (STEPS - 1));
        snprintf(name[i], NAME, "z%zu", order[i]);
        names[i] = name[i];
    }
    t.grid.labels = names;
    if (!status) status = tiles_decode(&t, s, err);
    if (!status)
        status = tiles_put(
            out, &t, "Decoded pictures, one row a latent, the latent rising from left to right",
            "Traversal: one latent at a time runs from its quantile 1 % to 99 % under the aggregate posterior, "
            "the others stay at 0. The largest KL first.",
            err);
    tiles_free(&t);
    free(order);
    return status;
}

static vae_status draw_pictures(FILE *out, const struct subject *s, vae_error *err)
{
    size_t index[ACROSS];
    const size_t n = fewer(ACROSS, s->images.n);
    for (size_t i = 0; i < n; i++) index[i] = i;
    vae_status status = put_pairs(out, s, n, index, NULL, "Images above their reconstructions",
                                  "The first images, above the decoded means of their posteriors.", err);
    if (!status)
        status = put_samples(out, s, s->prior, "Decoded draws from the prior",
                             "Draws from the prior, decoded: what the model generates.", err);
    if (!status)
        status = put_samples(
            out, s, s->z, "Decoded draws from the aggregate posterior",
            "Draws from the aggregate posterior: what it would generate, were the prior where images are encoded.",
            err);
    return status ? status : put_traversal(out, s, err);
}

/* ---- Rows of numbers ----------------------------------------------------------------------------------------------
 */

/* The two columns of largest variance. */
static void widest(size_t n, size_t D, const float *x, size_t dim[2])
{
    double most[2] = {-1, -1};
    for (size_t k = 0; k < D; k++) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < n; i++) {
            const double apart = (double)x[i * D + k] - (double)x[k];
            sum += apart;
            squares += apart * apart;
        }
        const double variance = squares - sum * sum / (double)n;
        const size_t at = variance > most[0] ? 0 : variance > most[1] ? 1 : 2;
        if (at == 0) most[1] = most[0], dim[1] = dim[0];
        if (at < 2) most[at] = variance, dim[at] = k;
    }
    if (dim[0] > dim[1]) {
        const size_t first = dim[1];
        dim[1] = dim[0];
        dim[0] = first;
    }
}

static void column(size_t n, size_t D, const float *x, size_t dim, double *to)
{
    for (size_t i = 0; i < n; i++) to[i] = (double)x[i * D + dim];
}

struct cloud {
    size_t n, D, dim[2];
    float *data, *decoded;
    double *x, *y;
};

static vae_status put_cloud(FILE *out, const struct subject *s, struct cloud *c, const float *z, const char *name,
                            const char *caption, vae_error *err)
{
    char label[2][NAME];
    vae_figure *figure;
    vae_status status = vae_decode(s->model, c->n, z, s->images.labels, s->eval.options.threads, c->decoded, err);
    if (status) return status;
    vae_panel *panel = begin_figure(&figure, err);
    for (size_t k = 0; k < 2; k++) snprintf(label[k], NAME, "x%zu", c->dim[k]);
    vae_panel_labels(panel, label[0], label[1]);
    vae_panel_size(panel, 300, 300);
    column(c->n, c->D, c->data, c->dim[0], c->x);
    column(c->n, c->D, c->data, c->dim[1], c->y);
    vae_panel_points(panel, c->n, c->x, c->y, NULL,
                     (vae_mark){.series = VAE_GREY, .name = "data", .size = 2, .faint = true});
    column(c->n, c->D, c->decoded, c->dim[0], c->x);
    column(c->n, c->D, c->decoded, c->dim[1], c->y);
    vae_panel_points(panel, c->n, c->x, c->y, NULL, (vae_mark){.series = 0, .name = name, .size = 2});
    return end_figure(out, &figure, "plot", caption, caption, err);
}

static vae_status draw_clouds(FILE *out, const struct subject *s, vae_error *err)
{
    struct cloud c = {.n = fewer(s->images.n, 500), .D = s->images.rows * s->images.cols};
    c.data = calloc(c.n * c.D, sizeof *c.data);
    c.decoded = calloc(c.n * c.D, sizeof *c.decoded);
    c.x = calloc(c.n, sizeof *c.x);
    c.y = calloc(c.n, sizeof *c.y);
    vae_status status = c.data && c.decoded && c.x && c.y ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) status = vae_images_values(&s->images, 0, c.n, c.data, err);
    if (!status) widest(c.n, c.D, c.data, c.dim);
    if (!status)
        status = put_cloud(out, s, &c, s->mean, "reconstructed", "Data, and the decoded means of their posteriors.",
                           err);
    if (!status)
        status = put_cloud(out, s, &c, s->prior, "from the prior", "Data, and decoded means of draws from the prior.",
                           err);
    if (!status)
        status = put_cloud(out, s, &c, s->z, "from the aggregate",
                           "Data, and decoded means of draws from the aggregate posterior.", err);
    free(c.data);
    free(c.decoded);
    free(c.x);
    free(c.y);
    return status;
}

static vae_status draw_pictures_or_clouds(FILE *out, const struct subject *s, vae_error *err)
{
    return s->is_picture ? draw_pictures(out, s, err) : draw_clouds(out, s, err);
}

vae_status write_pictures(FILE *out, struct report *report, vae_error *err)
{
    return each_run(out, report, draw_pictures_or_clouds, err);
}

/* ---- Latents ------------------------------------------------------------------------------------------------------
 */

static vae_status put_kl(FILE *out, const struct subject *s, vae_error *err)
{
    vae_figure *figure = NULL;
    vae_status status = vae_figure_new(&figure, NULL, NULL, 1, err);
    if (!status) status = panel_kl(figure, s->result, NULL, 0, err);
    if (!status)
        return end_figure(out, &figure, "broad", "Bars of the KL of each latent, the largest first",
                          "KL of each latent, the largest first; that of an idle one carries nothing.", err);
    vae_figure_free(&figure);
    return status;
}

static vae_status put_marginal(FILE *out, const struct subject *s, size_t j, vae_error *err)
{
    char alt[96], caption[96];
    const double variance = s->result->mean_variance[j], kl = s->result->kl_per_dim[j];
    vae_figure *figure = NULL;
    vae_status status = vae_figure_new(&figure, NULL, NULL, 1, err);
    if (status) return status;
    panel_marginals(figure, NULL, s->prior_marginals, s->aggregate_marginals, j);
    snprintf(alt, sizeof alt, "Density of latent %zu under the aggregate posterior and under the prior", j);
    if (isfinite(kl))
        snprintf(caption, sizeof caption, "z%zu: KL %.2f, variance of the mean %.3g", j, kl, variance);
    else
        snprintf(caption, sizeof caption, "z%zu: variance of the mean %.3g", j, variance);
    return end_figure(out, &figure, "small", alt, caption, err);
}

static vae_status draw_latents(FILE *out, const struct subject *s, vae_error *err)
{
    const size_t L = subject_latents(s), n = fewer(L, MOST_LATENTS);
    size_t *order = calloc(L, sizeof *order);
    vae_status status = order ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) subject_order(s, order);
    if (!status && eval_has_kl_per_latent(s->result))
        status = put_kl(out, s, err);
    else
        fputs("<p class=\"note\">Under a joint prior or a flow the KL is one number for all latents together.</p>\n",
              out);
    fputs("</div>\n<h3>Aggregate posterior, filled, against the prior, line</h3>\n<div class=\"figures\">\n", out);
    for (size_t i = 0; i < n && !status; i++) status = put_marginal(out, s, order[i], err);
    if (n < L) fprintf(out, "<p class=\"note\">The first %zu of %zu; all numbers are in the CSV.</p>\n", n, L);
    free(order);
    return status;
}

vae_status write_latents(FILE *out, struct report *report, vae_error *err)
{
    return each_run(out, report, draw_latents, err);
}

/* ---- Best and worst ------------------------------------------------------------------------------------------------
 */

struct ranked {
    double loss;
    size_t index;
};

static int by_loss(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->loss != y->loss) return x->loss < y->loss ? -1 : 1;
    return x->index < y->index ? -1 : 1;
}

/* Above each image its loss; the caption has their rows in the file of data. */
static vae_status put_extreme(FILE *out, const struct subject *s, size_t n, const struct ranked *ranked,
                              const char *alt, const char *which, vae_error *err)
{
    size_t index[EXTREMES], used;
    char name[EXTREMES][NAME], caption[EXTREMES * NAME + 128];
    const char *names[EXTREMES];
    used = (size_t)snprintf(caption, sizeof caption,
                            "%s \u2212ELBO, in nats above each image. Rows in the data file:", which);
    for (size_t i = 0; i < n; i++) {
        index[i] = ranked[i].index;
        snprintf(name[i], NAME, "%.0f", ranked[i].loss);
        names[i] = name[i];
        used += (size_t)snprintf(caption + used, sizeof caption - used, "%s %zu", i ? "," : "",
                                 vae_images_row(&s->images, index[i]));
    }
    return put_pairs(out, s, n, index, names, alt, caption, err);
}

/* Of rows of numbers there is a table. */
static void put_table(FILE *out, const struct subject *s, size_t n, const struct ranked *ranked, const char *caption)
{
    fprintf(
        out,
        "<figure><table><thead><tr><th scope=\"col\">row</th>%s<th scope=\"col\" class=\"number\">\u2212ELBO</th></tr>"
        "</thead>\n<tbody>\n",
        s->images.labels ? "<th scope=\"col\">label</th>" : "");
    for (size_t i = 0; i < n; i++) {
        fprintf(out, "<tr><td>%zu</td>", vae_images_row(&s->images, ranked[i].index));
        if (s->images.labels) fprintf(out, "<td>%u</td>", s->images.labels[ranked[i].index]);
        fprintf(out, "<td class=\"number\">%.2f</td></tr>\n", ranked[i].loss);
    }
    fprintf(out, "</tbody></table><figcaption>%s</figcaption></figure>\n", caption);
}

static vae_status draw_extremes(FILE *out, const struct subject *s, vae_error *err)
{
    const size_t N = s->images.n, n = fewer(N, EXTREMES);
    struct ranked *ranked = calloc(N, sizeof *ranked);
    if (!ranked) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", N);
    for (size_t i = 0; i < N; i++) ranked[i] = (struct ranked){s->result->image_recon[i] + s->result->image_kl[i], i};
    qsort(ranked, N, sizeof *ranked, by_loss);
    vae_status status = VAE_OK;
    if (s->is_picture) {
        status = put_extreme(out, s, n, ranked, "The images of least loss and their reconstructions", "Least", err);
        if (!status)
            status = put_extreme(out, s, n, ranked + N - n, "The images of greatest loss and their reconstructions",
                                 "Greatest", err);
    } else {
        put_table(out, s, n, ranked, "Least \u2212ELBO, in nats.");
        put_table(out, s, n, ranked + N - n, "Greatest \u2212ELBO, in nats.");
    }
    free(ranked);
    return status;
}

vae_status write_extremes(FILE *out, struct report *report, vae_error *err)
{
    return each_run(out, report, draw_extremes, err);
}
