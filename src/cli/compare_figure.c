/* SPDX-License-Identifier: MIT
 *
 * A comparison as a figure: the losses of all seeds with their mean and its interval, the paired differences from the
 * baseline, and, where a number was varied, reconstruction against KL (the rate-distortion plane of Alemi et al.,
 * "Fixing a broken ELBO", 2018), joined in the order of that number. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"

static const vae_mark SEEDS = {.series = 0, .faint = true}, MEAN = {.series = VAE_INK};

/* ---- Dots ------------------------------------------------------------------------------------------------------- */

/* A line of dots at height y: values, their mean and its interval. */
static void draw_dots(vae_panel *panel, double y, const vae_mean *mean, const double *values, double *heights)
{
    const double ends[] = {mean->low, mean->high}, at[] = {y, y};
    for (size_t i = 0; i < mean->n; i++) heights[i] = y;
    vae_panel_points(panel, mean->n, values, heights, NULL, SEEDS);
    vae_panel_line(panel, 2, ends, at, MEAN);
    vae_panel_points(panel, 1, &mean->mean, &y, NULL, MEAN);
}

/* Losses of a row, or their differences from the baseline. */
static void take_values(const struct table *table, size_t row, bool differences, double *values)
{
    for (size_t i = 0, n = 0; i < table->runs->n; i++) {
        const struct run *run = &table->runs->run[i], *other = table_partner(table, run);
        if (run->row != row || (differences && !other)) continue;
        values[n++] = run->value[table->loss] - (differences ? other->value[table->loss] : 0);
    }
}

/* The first row stands at the top. */
static void draw_rows(const struct table *table, vae_panel *panel, bool differences, double *scratch)
{
    double *values = scratch, *heights = scratch + table->runs->n;
    for (size_t r = 0; r < table->rows; r++) {
        const struct row *row = &table->row[r];
        if (differences && r == table->baseline) continue;
        take_values(table, r, differences, values);
        draw_dots(panel, -(double)r, differences ? &row->difference : &row->mean[table->loss], values, heights);
    }
}

static void name_rows(const struct table *table, vae_panel *panel, double *at, const char **names)
{
    for (size_t r = 0; r < table->rows; r++) {
        at[r] = -(double)r;
        names[r] = table->row[r].name;
    }
    vae_panel_ticks_y(panel, table->rows, at, names);
    vae_panel_limits_y(panel, 0.6 - (double)table->rows, 0.6);
    vae_panel_size(panel, 300, 40 + 24 * (double)table->rows);
}

static void draw_losses(const struct table *table, vae_figure *figure, double *scratch, const char **names)
{
    char label[64], title[ROW_NAME + 64];
    vae_panel *panel = vae_figure_panel(figure, table->rows > 1 ? "each configuration" : NULL);
    snprintf(label, sizeof label, "%s, nats per image", measures[table->loss].name);
    vae_panel_labels(panel, label, NULL);
    name_rows(table, panel, scratch, names);
    draw_rows(table, panel, false, scratch);
    if (table->rows == 1) return;
    snprintf(title, sizeof title, "difference from %s, seed by seed", table->row[table->baseline].name);
    panel = vae_figure_panel(figure, title);
    snprintf(label, sizeof label, "difference of %s, nats per image", measures[table->loss].name);
    vae_panel_labels(panel, label, NULL);
    name_rows(table, panel, scratch, names);
    vae_panel_rule_x(panel, 0, (vae_mark){.series = VAE_GREY});
    draw_rows(table, panel, true, scratch);
}

/* ---- Reconstruction against KL ---------------------------------------------------------------------------------- */

/* The column of the number that was varied: beta or latent before others; none: table->columns. */
static size_t varied_column(const struct table *table)
{
    size_t found = table->columns;
    for (size_t c = table->columns; c-- > 0;) {
        const vae_setting *s = table->column[c];
        if (!s || !s->metavar || (s->type != VAE_T_COUNT && s->type != VAE_T_REAL)) continue;
        if (!strcmp(s->name, "beta")) return c;
        if (found == table->columns || strcmp(table->column[found]->name, "latent")) found = c;
    }
    return found;
}

/* Are two rows the same but for one column? Then they are points of one line. */
static bool same_but_for(const struct table *table, size_t column, size_t a, size_t b)
{
    for (size_t c = 0; c < table->columns; c++) {
        char of_a[ROW_NAME], of_b[ROW_NAME];
        if (c != column &&
            strcmp(table_cell(table, &table->row[a], c, of_a), table_cell(table, &table->row[b], c, of_b)))
            return false;
    }
    return true;
}

static double number_of(const struct table *table, size_t row, size_t column)
{
    char cell[ROW_NAME];
    return strtod(table_cell(table, &table->row[row], column, cell), NULL);
}

/* The rows of the line that `first` is on, in the order of the number. */
static size_t take_line(const struct table *table, size_t column, size_t first, size_t *line)
{
    size_t n = 0;
    for (size_t r = first; r < table->rows; r++) {
        size_t at = n;
        if (!same_but_for(table, column, first, r)) continue;
        for (; at > 0 && number_of(table, r, column) < number_of(table, line[at - 1], column); at--)
            line[at] = line[at - 1];
        line[at] = r;
        n++;
    }
    return n;
}

static bool begins_line(const struct table *table, size_t column, size_t row)
{
    for (size_t r = 0; r < row; r++)
        if (same_but_for(table, column, r, row)) return false;
    return true;
}

/* What all of the line have in common, or NULL. */
static const char *name_line(const struct table *table, size_t column, size_t row, char name[ROW_NAME])
{
    *name = '\0';
    for (size_t c = 0; c < table->columns; c++) {
        char label[2 * ROW_NAME];
        const size_t used = strlen(name);
        if (c != column)
            snprintf(name + used, ROW_NAME - used, "%s%.200s", used ? ", " : "",
                     table_label(table, &table->row[row], c, label));
    }
    return *name ? name : NULL;
}

static double range_of_kl(const struct table *table)
{
    double least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < table->runs->n; i++) {
        least = fmin(least, table->runs->run[i].value[KL]);
        most = fmax(most, table->runs->run[i].value[KL]);
    }
    return most - least;
}

static void draw_line(const struct table *table, vae_panel *panel, size_t column, const size_t *line, size_t n,
                      int series, double *x)
{
    double *y = x + table->runs->n;
    const double gap = 0.025 * range_of_kl(table); /* between a point and its label */
    char name[ROW_NAME];
    for (size_t k = 0; k < n; k++) {
        size_t seeds = 0;
        for (size_t i = 0; i < table->runs->n; i++) {
            if (table->runs->run[i].row != line[k]) continue;
            x[seeds] = table->runs->run[i].value[KL];
            y[seeds++] = table->runs->run[i].value[RECON];
        }
        if (seeds > 1)
            vae_panel_points(panel, seeds, x, y, NULL, (vae_mark){.series = series, .size = 2, .faint = true});
    }
    for (size_t k = 0; k < n; k++) {
        const struct row *row = &table->row[line[k]];
        char cell[ROW_NAME];
        x[k] = row->mean[KL].mean;
        y[k] = row->mean[RECON].mean;
        vae_panel_text(panel, x[k] + gap, y[k], table_cell(table, row, column, cell));
    }
    vae_panel_line(panel, n, x, y, (vae_mark){.series = series});
    vae_panel_points(panel, n, x, y, NULL,
                     (vae_mark){.series = series, .name = name_line(table, column, line[0], name)});
}

static void draw_plane(const struct table *table, vae_figure *figure, double *scratch, size_t *line)
{
    const size_t column = varied_column(table);
    char title[ROW_NAME];
    int series = 0;
    if (column == table->columns) return;
    snprintf(title, sizeof title, "reconstruction and KL by %s", table_heading(table, column));
    vae_panel *panel = vae_figure_panel(figure, title);
    vae_panel_size(panel, 300, 240);
    vae_panel_labels(panel, "kl (rate), nats per image", "recon (distortion), nats per image");
    for (size_t r = 0; r < table->rows; r++)
        if (begins_line(table, column, r))
            draw_line(table, panel, column, line, take_line(table, column, r, line), series++, scratch);
}

/* ---- The figure ------------------------------------------------------------------------------------------------- */

vae_status table_write_figure(const struct table *table, const struct picture *picture, vae_error *err)
{
    const struct evaluated *e = table->evaluated;
    const char *slash = strrchr(e->data, '/');
    char title[VAE_MAX_SOURCE + 64], note[128];
    vae_figure *figure = NULL;
    double *scratch = calloc(2 * table->runs->n, sizeof *scratch);
    const char **names = calloc(table->rows, sizeof *names);
    size_t *line = calloc(table->rows, sizeof *line);
    snprintf(title, sizeof title, "%s on %s, %s split of %zu images", measures[table->loss].name,
             slash && slash[1] ? slash + 1 : e->data, e->split, e->images);
    snprintf(note, sizeof note, "Faint: seeds. Black: their mean, with its %.0f %% interval over seeds.",
             100 * CONFIDENCE);
    vae_status status = scratch && names && line ? vae_figure_new(&figure, title, note, 3, err)
                                                 : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) {
        draw_losses(table, figure, scratch, names);
        draw_plane(table, figure, scratch, line);
        status = picture_write(picture, figure, err);
    }
    vae_figure_free(&figure);
    free(scratch);
    free(names);
    free(line);
    return status;
}
