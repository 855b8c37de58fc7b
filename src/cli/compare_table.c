/* SPDX-License-Identifier: MIT
 *
 * The table of a comparison: runs that differ in nothing but their seed are one row, which is named by the settings
 * that differ between rows. Differences are paired: for each seed s that a row a and the baseline b both have,
 *
 *     d_s = loss_a(s) - loss_b(s),
 *
 * on the same images and the same noise; mean and interval of d_s over the seeds are what the row says. Images are not
 * what was replicated: how much others would move that mean is said by a standard error of its own, that of the mean
 * over images of what d_s is the mean of, first averaged over the seeds. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/compare.h"

const double CONFIDENCE = 0.95;

/* Does it tell configurations apart? Data do not where all runs were evaluated on the same images of their own. */
static bool is_compared(const struct table *table, const vae_setting *setting)
{
    return strcmp(setting->name, "seed") && (table->evaluated->given || strcmp(setting->name, "data"));
}

static bool same_row(const struct table *table, const vae_config *a, const vae_config *b)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if (is_compared(table, setting) && !same_setting(a, b, setting)) return false;
    return true;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

/* The run of a row with this seed, or NULL. */
static const struct run *find_seed(const struct runs *runs, size_t row, uint64_t seed)
{
    for (size_t i = 0; i < runs->n; i++)
        if (runs->run[i].row == row && runs->run[i].config.seed == seed) return &runs->run[i];
    return NULL;
}

static bool same_values(const struct run *a, const struct run *b)
{
    for (size_t m = 0; m < MEASURES; m++)
        if (a->value[m] != b->value[m] && !(isnan(a->value[m]) && isnan(b->value[m]))) return false;
    return true;
}

/* The row that a run belongs to, or a new one. Runs of the same settings and seed may still differ, as a fitted model
 * does from one that was trained with its prior: these get rows of their own. NULL: the run is there already. */
static struct row *find_row(struct table *table, const struct runs *before, const struct run *run)
{
    size_t r = 0;
    for (; r < table->rows; r++) {
        if (!same_row(table, &table->row[r].first->config, &run->config)) continue;
        const struct run *other = find_seed(before, r, run->config.seed);
        if (!other) return &table->row[r];
        if (same_values(other, run)) return NULL;
    }
    table->row[table->rows++] = (struct row){0};
    return &table->row[r];
}

static void make_rows(struct table *table, struct runs *runs)
{
    struct runs kept = {.run = runs->run};
    for (size_t i = 0; i < runs->n; i++) {
        struct run run = runs->run[i];
        struct row *row = find_row(table, &kept, &run);
        if (!row) {
            free(run.image_loss);
            fprintf(stderr, "%s: left out: a run with these settings, seed and losses is there already\n",
                    SHOWN(run.path));
            continue;
        }
        run.row = (size_t)(row - table->row);
        runs->run[kept.n] = run;
        if (!row->first) row->first = &runs->run[kept.n];
        kept.n++;
    }
    runs->n = kept.n;
}

/* ---- Columns ---------------------------------------------------------------------------------------------------- */

static bool differs(const struct table *table, const vae_setting *setting)
{
    for (size_t r = 1; r < table->rows; r++)
        if (!same_setting(&table->row[0].first->config, &table->row[r].first->config, setting)) return true;
    return false;
}

static bool has_equal_rows(const struct table *table)
{
    for (size_t r = 1; r < table->rows; r++)
        for (size_t k = 0; k < r; k++)
            if (same_row(table, &table->row[r].first->config, &table->row[k].first->config)) return true;
    return false;
}

static void make_columns(struct table *table)
{
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if (is_compared(table, setting) && differs(table, setting)) table->column[table->columns++] = setting;
    if (has_equal_rows(table)) table->column[table->columns++] = NULL;
    for (size_t i = 0; !table->columns && (setting = vae_setting_at(i)); i++) /* a single row */
        if (!strcmp(setting->name, "prior")) table->column[table->columns++] = setting;
}

const char *table_heading(const struct table *table, size_t column)
{
    return table->column[column] ? table->column[column]->name : "run";
}

/* Has a module as text, "NAME:k=v,...", this parameter with this value? */
static bool has_pair(const char *text, const char *pair, size_t length)
{
    for (const char *at = strchr(text, ':'); at; at = strchr(at + 1, ','))
        if (!strncmp(at + 1, pair, length) && (at[1 + length] == ',' || !at[1 + length])) return true;
    return false;
}

/* Is there a row with the same module, which has not this value of the parameter? */
static bool pair_differs(const struct table *table, const vae_setting *setting, const char *text, const char *pair,
                         size_t length)
{
    for (size_t r = 0; r < table->rows; r++) {
        char other[VAE_MAX_SOURCE];
        vae_config_text(&table->row[r].first->config, setting, other, sizeof other);
        const size_t name = strcspn(other, ":");
        if (strcspn(text, ":") == name && !strncmp(text, other, name) && !has_pair(other, pair, length)) return true;
    }
    return false;
}

/* A module with those of its parameters alone in which it differs from other rows. */
static void module_cell(const struct table *table, const vae_setting *setting, const char *text, char cell[ROW_NAME])
{
    char separator = ':';
    snprintf(cell, ROW_NAME, "%.*s", (int)strcspn(text, ":"), text);
    for (const char *at = strchr(text, ':'); at; at = strchr(at + 1, ',')) {
        const size_t length = strcspn(at + 1, ","), used = strlen(cell);
        if (!pair_differs(table, setting, text, at + 1, length)) continue;
        snprintf(cell + used, ROW_NAME - used, "%c%.*s", separator, (int)length, at + 1);
        separator = ',';
    }
}

const char *table_cell(const struct table *table, const struct row *row, size_t column, char cell[ROW_NAME])
{
    const vae_setting *setting = table->column[column];
    const char *slash = strrchr(row->first->path, '/');
    char text[VAE_MAX_SOURCE];
    if (!setting) {
        snprintf(cell, ROW_NAME, "%.200s", slash && slash[1] ? slash + 1 : row->first->path);
        for (char *c = cell; *c; c++)
            if ((unsigned char)*c < 32 || *c == 127) *c = '?';
        return cell;
    }
    vae_config_text(&row->first->config, setting, text, sizeof text);
    if (setting->type == VAE_T_CHOICE)
        module_cell(table, setting, text, cell);
    else
        snprintf(cell, ROW_NAME, "%.200s", text);
    return cell;
}

const char *table_label(const struct table *table, const struct row *row, size_t column, char label[2 * ROW_NAME])
{
    const vae_setting *setting = table->column[column];
    const bool is_word = !setting || setting->type == VAE_T_CHOICE || setting->type == VAE_T_ENUM ||
                         setting->type == VAE_T_TEXT;
    char cell[ROW_NAME];
    snprintf(label, 2 * ROW_NAME, "%s%s%s", is_word ? "" : setting->name, is_word ? "" : " ",
             table_cell(table, row, column, cell));
    return label;
}

static void name_row(const struct table *table, struct row *row)
{
    for (size_t c = 0; c < table->columns; c++) {
        char label[2 * ROW_NAME];
        const size_t used = strlen(row->name);
        snprintf(row->name + used, sizeof row->name - used, "%s%.200s", c ? ", " : "",
                 table_label(table, row, c, label));
    }
}

/* ---- Figures ---------------------------------------------------------------------------------------------------- */

bool table_has(const struct table *table, enum measure measure) { return measure < NLL || table->evaluated->samples; }

bool table_shows(const struct table *table, enum measure measure)
{
    return table_has(table, measure) && !measures[measure].beside;
}

const struct run *table_partner(const struct table *table, const struct run *run)
{
    return find_seed(table->runs, table->baseline, run->config.seed);
}

bool table_has_splits(const struct table *table)
{
    const struct runs *runs = table->runs;
    for (size_t i = 1; i < runs->n; i++)
        if (runs->run[i].images != runs->run[0].images) return true;
    return false;
}

bool table_shares_images(const struct table *table, const struct row *row)
{
    const struct runs *runs = table->runs;
    const size_t place = (size_t)(row - table->row);
    for (size_t i = 0; i < runs->n; i++)
        for (size_t k = 0; k < runs->n; k++)
            if (runs->run[i].row == place && runs->run[k].row == table->baseline &&
                runs->run[i].images == runs->run[k].images)
                return true;
    return false;
}

/* Difference of one image's losses, averaged over the pairs of a row. */
static double image_difference(const struct table *table, size_t row, size_t image)
{
    const struct runs *runs = table->runs;
    double sum = 0;
    for (size_t i = 0; i < runs->n; i++) {
        const struct run *run = &runs->run[i], *other = run->row == row ? table_partner(table, run) : NULL;
        if (other) sum += (double)run->image_loss[image] - (double)other->image_loss[image];
    }
    return sum / (double)table->row[row].difference.n;
}

/* NaN without a pair, and where each pair has images of its own, as the seed chose them. */
static double image_se(const struct table *table, size_t row)
{
    const struct runs *runs = table->runs;
    size_t n = 0, pairs = 0;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < runs->n; i++) {
        if (runs->run[i].row != row || !table_partner(table, &runs->run[i])) continue;
        if (pairs++ && runs->run[i].divided) return NAN;
        n = runs->run[i].images_n;
    }
    for (size_t k = 0; k < n; k++) {
        const double d = image_difference(table, row, k);
        sum += d;
        squares += d * d;
    }
    const double mean = sum / (double)n;
    const double variance = squares / (double)n - mean * mean;
    return n > 1 ? sqrt((variance < 0 ? 0 : variance) / (double)(n - 1)) : (double)NAN;
}

static void summarise(struct table *table, struct row *row, double *values)
{
    const struct runs *runs = table->runs;
    const size_t place = (size_t)(row - table->row);
    size_t n = 0;
    for (size_t m = 0; m < MEASURES; m++) {
        n = 0;
        for (size_t i = 0; i < runs->n; i++)
            if (runs->run[i].row == place) values[n++] = runs->run[i].value[m];
        vae_mean_of(&row->mean[m], n, values, CONFIDENCE);
    }
    n = 0;
    for (size_t i = 0; i < runs->n; i++) {
        const struct run *run = &runs->run[i], *other = run->row == place ? table_partner(table, run) : NULL;
        if (other) values[n++] = run->value[table->loss] - other->value[table->loss];
    }
    vae_mean_of(&row->difference, n, values, CONFIDENCE);
    row->image_se = image_se(table, place);
}

/* Is it a row of plain variational autoencoders, whose loss is -ELBO? */
static bool is_plain(const struct row *row) { return row->first->config.beta == 1; }

/* Without a name the first row that has a beta of 1, else the first. */
static vae_status find_baseline(struct table *table, const char *name, vae_error *err)
{
    char names[256] = "";
    while (!name && table->baseline < table->rows && !is_plain(&table->row[table->baseline])) table->baseline++;
    if (table->baseline == table->rows) table->baseline = 0;
    for (size_t r = 0; r < table->rows && name; r++) {
        const size_t used = strlen(names);
        if (!strcmp(table->row[r].name, name)) {
            table->baseline = r;
            return VAE_OK;
        }
        snprintf(names + used, sizeof names - used, "%s%.100s", r ? "; " : "", table->row[r].name);
    }
    return name ? vae_fail(err, VAE_E_USAGE, "--baseline: no row is named '%.64s' (there are: %s)", name, names)
                : VAE_OK;
}

vae_status table_make(struct table *table, struct runs *runs, const struct evaluated *evaluated, const char *baseline,
                      vae_error *err)
{
    *table = (struct table){.runs = runs, .evaluated = evaluated, .loss = evaluated->samples ? NLL : NEG_ELBO};
    double *values = malloc(runs->n * sizeof *values);
    table->row = calloc(runs->n, sizeof *table->row);
    vae_status status = values && table->row ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) {
        make_rows(table, runs);
        make_columns(table);
        for (size_t r = 0; r < table->rows; r++) name_row(table, &table->row[r]);
        status = find_baseline(table, baseline, err);
    }
    for (size_t r = 0; r < table->rows && !status; r++) summarise(table, &table->row[r], values);
    free(values);
    return status;
}

void table_free(struct table *table)
{
    free(table->row);
    table->row = NULL;
}
