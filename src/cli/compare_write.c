/* SPDX-License-Identifier: MIT
 *
 * A comparison as text, JSON, CSV and LaTeX. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/compare.h"
#include "cli/eval.h"
#include "cli/json.h"

/* ---- Text for people -------------------------------------------------------------------------------------------- */

static void print_cells(const struct table *table, const struct row *row)
{
    for (size_t c = 0; c < table->columns; c++) {
        char cell[ROW_NAME];
        size_t width = strlen(table_heading(table, c));
        for (size_t r = 0; r < table->rows; r++) {
            const size_t length = strlen(table_cell(table, &table->row[r], c, cell));
            if (length > width) width = length;
        }
        printf("%-*s ", (int)width + 1, SHOWN(row ? table_cell(table, row, c, cell) : table_heading(table, c)));
    }
}

static void print_number(int width, int digits, double value)
{
    if (isnan(value))
        printf("%*s", width, "-");
    else
        printf("%*.*f", width, digits, value);
}

static void print_means(const struct table *table)
{
    static const char *const heading[MEASURES] = {
        [NEG_ELBO] = "neg_elbo", [RECON] = "recon", [KL] = "kl", [ACTIVE_UNITS] = "active", [NLL] = "nll"};
    print_cells(table, NULL);
    printf("seeds");
    for (size_t m = 0; m < MEASURES; m++)
        if (table_shows(table, m)) printf("%9s%6s", heading[m], "sd");
    printf(table_has(table, NLL_BIAS) ? "   bias\n" : "\n");
    for (const struct row *row = table->row; row < table->row + table->rows; row++) {
        print_cells(table, row);
        printf("%5zu", row->mean[NEG_ELBO].n);
        for (size_t m = 0; m < MEASURES; m++) {
            if (!table_shows(table, m)) continue;
            print_number(9, measures[m].digits, row->mean[m].mean);
            print_number(6, measures[m].digits, row->mean[m].sd);
        }
        if (table_has(table, NLL_BIAS)) print_number(7, measures[NLL_BIAS].digits, row->mean[NLL_BIAS].mean);
        printf("\n");
    }
}

/* The run in which a measure is least, times `sign`; NULL where none has it. */
static const struct run *extreme(const struct table *table, enum measure m, double sign)
{
    const struct run *found = NULL;
    for (const struct run *run = table->runs->run; run < table->runs->run + table->runs->n; run++)
        if (!isnan(run->value[m]) && (!found || sign * run->value[m] < sign * found->value[m])) found = run;
    return found;
}

/* What eval says of one run, of the worst of them. */
static void print_sampling(const struct table *table)
{
    const struct run *few = extreme(table, NLL_EFFECTIVE, 1), *heavy = extreme(table, NLL_KHAT_ABOVE, -1);
    if (!table_has(table, NLL)) return;
    printf("\nbias: nll is in expectation too high by so much or more, which more samples (--nll) make smaller\n");
    if (few && few->value[NLL_EFFECTIVE] < FEW_EFFECTIVE)
        printf("few effective samples (%.1f in %s): nll is too high by more than its bias; give more --nll\n",
               few->value[NLL_EFFECTIVE], SHOWN(few->path));
    if (heavy && heavy->value[NLL_KHAT_ABOVE] > 0)
        printf("k-hat is above %.1f for %.1f %% of images in %s: their error is larger than it looks\n", VAE_KHAT_LIMIT,
               100 * heavy->value[NLL_KHAT_ABOVE], SHOWN(heavy->path));
}

static void print_difference(const struct row *row)
{
    const vae_mean *d = &row->difference;
    char interval[64];
    if (d->n > 1)
        snprintf(interval, sizeof interval, "%.2f to %.2f", d->low, d->high);
    else
        snprintf(interval, sizeof interval, d->n ? "none from one pair" : "no seed in common");
    printf("%5zu  ", d->n);
    print_number(10, 2, d->mean);
    printf("  %-24s", interval);
    print_number(16, 2, row->image_se);
    printf("\n");
}

static void print_differences(const struct table *table)
{
    printf("\n%s less that of %s, seed by seed on the same images\n", measures[table->loss].name,
           SHOWN(table->row[table->baseline].name));
    print_cells(table, NULL);
    printf("pairs  difference  %.0f %% interval over seeds  se over images\n", 100 * CONFIDENCE);
    for (size_t r = 0; r < table->rows; r++) {
        if (r == table->baseline) continue;
        print_cells(table, &table->row[r]);
        print_difference(&table->row[r]);
    }
}

static const char SPLITS[] =
    "each seed has a test split of its own, which it chose: deviations over seeds contain that\n";

/* Do rows differ in what p(x|z) is a density of? */
static const char *incomparable(const struct table *table)
{
    const vae_config *first = &table->row[0].first->config;
    for (size_t r = 1; r < table->rows; r++) {
        const vae_config *config = &table->row[r].first->config;
        if (strcmp(config->likelihood.name, first->likelihood.name)) return "likelihoods";
        if (strcmp(config->binarize, first->binarize)) return "rules for binary pixels";
    }
    return NULL;
}

static void print_splits(const struct table *table)
{
    const struct row *baseline = &table->row[table->baseline];
    if (!table_has_splits(table)) return;
    printf("%s", SPLITS);
    for (const struct row *row = table->row; row < table->row + table->rows; row++)
        if (!table_shares_images(table, row))
            printf("%s has no image in common with %s: their losses are of different images\n", SHOWN(row->name),
                   SHOWN(baseline->name));
}

void table_print(const struct table *table)
{
    const struct evaluated *e = table->evaluated;
    const char *mixed = incomparable(table);
    printf("%s, %s split: %zu images, noise seed 1", SHOWN(e->data), e->split, e->images);
    if (e->elbo_samples > 1) printf(", %llu draws of z an image", (unsigned long long)e->elbo_samples);
    if (e->samples)
        printf(",%c%llu samples of the nll", e->elbo_samples > 1 ? '\n' : ' ', (unsigned long long)e->samples);
    printf("\nnats per image; mean over seeds, and standard deviation (sd) between them\n");
    if (e->pseudo) printf("grey pixels under a Bernoulli likelihood: a pseudo-likelihood\n");
    print_splits(table);
    if (mixed) printf("the rows have different %s: their losses are not of one kind, nor are differences\n", mixed);
    printf("\n");
    print_means(table);
    print_sampling(table);
    if (table->rows > 1) print_differences(table);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *mean_to_json(const vae_mean *mean)
{
    return json_pack("{s:I, s:o, s:o, s:o, s:o}", "n", (json_int_t)mean->n, "mean", json_finite(mean->mean), "sd",
                     json_finite(mean->sd), "low", json_finite(mean->low), "high", json_finite(mean->high));
}

static json_t *runs_to_json(const struct table *table, size_t row)
{
    json_t *list = json_array();
    for (size_t i = 0; i < table->runs->n; i++) {
        const struct run *run = &table->runs->run[i];
        if (run->row != row) continue;
        json_t *object = json_pack("{s:o, s:I}", "run", json_text(run->path), "seed", (json_int_t)run->config.seed);
        for (size_t m = 0; m < MEASURES; m++)
            if (table_has(table, m)) json_object_set_new(object, measures[m].name, json_finite(run->value[m]));
        json_array_append_new(list, object);
    }
    return list;
}

static json_t *row_to_json(const struct table *table, const struct row *row)
{
    json_t *settings = json_object();
    for (size_t c = 0; c < table->columns; c++) {
        char cell[ROW_NAME];
        json_object_set_new(settings, table_heading(table, c), json_text(table_cell(table, row, c, cell)));
    }
    json_t *object = json_pack("{s:o, s:o}", "name", json_text(row->name), "settings", settings);
    for (size_t m = 0; m < MEASURES; m++)
        if (table_has(table, m)) json_object_set_new(object, measures[m].name, mean_to_json(&row->mean[m]));
    json_object_set_new(object, "difference", mean_to_json(&row->difference));
    json_object_set_new(object, "difference_image_se", json_finite(row->image_se));
    json_object_set_new(object, "runs", runs_to_json(table, (size_t)(row - table->row)));
    return object;
}

vae_status table_print_json(const struct table *table, vae_error *err)
{
    const struct evaluated *e = table->evaluated;
    json_t *rows = json_array();
    for (size_t r = 0; r < table->rows; r++) json_array_append_new(rows, row_to_json(table, &table->row[r]));
    json_t *object = json_pack("{s:o, s:s, s:b, s:I, s:i, s:I, s:I, s:b, s:s, s:o, s:f, s:o}", "data",
                               json_text(e->data), "split", e->split, "split_by_seed", table_has_splits(table), "n",
                               (json_int_t)e->images, "seed", 1, "elbo_samples", (json_int_t)e->elbo_samples,
                               "nll_samples", (json_int_t)e->samples, "pseudo_likelihood", e->pseudo, "difference_of",
                               measures[table->loss].name, "baseline", json_text(table->row[table->baseline].name),
                               "confidence", CONFIDENCE, "rows", rows);
    return json_print(object, JSON_REAL_PRECISION(15), err);
}

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* A field of CSV, in quotes where it needs them (RFC 4180). */
static void put_field(FILE *file, const char *field)
{
    if (!strpbrk(field, ",\"\r\n")) {
        fputs(field, file);
        return;
    }
    putc('"', file);
    for (; *field; field++) fprintf(file, *field == '"' ? "\"\"" : "%c", *field);
    putc('"', file);
}

/* Empty where it is not known. */
static void put_number(FILE *file, double value)
{
    putc(',', file);
    if (isfinite(value)) fprintf(file, "%.6f", value);
}

/* What all rows have in common says each of them, as one may be taken out of the file. */
static void put_csv_subject(FILE *file, const struct table *table)
{
    const struct evaluated *e = table->evaluated;
    putc(',', file);
    put_field(file, table->row[table->baseline].name);
    putc(',', file);
    put_field(file, e->data);
    fprintf(file, ",%s,%zu,%llu,%llu\n", e->split, e->images, (unsigned long long)e->elbo_samples,
            (unsigned long long)e->samples);
}

static void put_csv_row(FILE *file, const struct table *table, const struct row *row)
{
    for (size_t c = 0; c < table->columns; c++) {
        char cell[ROW_NAME];
        put_field(file, table_cell(table, row, c, cell));
        putc(',', file);
    }
    fprintf(file, "%zu", row->mean[NEG_ELBO].n);
    for (size_t m = 0; m < MEASURES; m++) {
        if (!table_has(table, m)) continue;
        put_number(file, row->mean[m].mean);
        put_number(file, row->mean[m].sd);
    }
    fprintf(file, ",%zu", row->difference.n);
    put_number(file, row->difference.mean);
    put_number(file, row->difference.low);
    put_number(file, row->difference.high);
    put_number(file, row->image_se);
    put_csv_subject(file, table);
}

vae_status table_write_csv(const struct table *table, const char *path, vae_error *err)
{
    static const char *const ends[] = {"", "_low", "_high", "_image_se"};
    struct text text;
    vae_status status = text_begin(&text, err);
    if (status) return status;
    for (size_t c = 0; c < table->columns; c++) fprintf(text.to, "%s,", table_heading(table, c));
    fprintf(text.to, "seeds");
    for (size_t m = 0; m < MEASURES; m++)
        if (table_has(table, m)) fprintf(text.to, ",%s,%s_sd", measures[m].name, measures[m].name);
    fprintf(text.to, ",pairs");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        fprintf(text.to, ",%s_difference%s", measures[table->loss].name, ends[i]);
    fprintf(text.to, ",baseline,data,split,images,elbo_samples,nll_samples\n");
    for (size_t r = 0; r < table->rows; r++) put_csv_row(text.to, table, &table->row[r]);
    return text_end(&text, path, err);
}

/* What LaTeX would take for its own. */
static void put_latex(FILE *file, const char *word)
{
    for (; *word; word++) {
        if (*word == '\\')
            fputs("\\textbackslash{}", file);
        else if (*word == '~' || *word == '^')
            fprintf(file, "\\%c{}", *word);
        else
            fprintf(file, strchr("#$%&_{}", *word) ? "\\%c" : "%c", *word);
    }
}

static void put_latex_mean(FILE *file, double mean, double sd, int digits)
{
    fprintf(file, " & $%.*f", digits, mean);
    if (isfinite(sd)) fprintf(file, " \\pm %.*f", digits, sd);
    fputc('$', file);
}

static void put_latex_row(FILE *file, const struct table *table, const struct row *row)
{
    const vae_mean *d = &row->difference;
    for (size_t c = 0; c < table->columns; c++) {
        char cell[ROW_NAME];
        put_latex(file, table_cell(table, row, c, cell));
        fputs(" & ", file);
    }
    fprintf(file, "%zu", row->mean[NEG_ELBO].n);
    for (size_t m = 0; m < MEASURES; m++)
        if (table_shows(table, m)) put_latex_mean(file, row->mean[m].mean, row->mean[m].sd, measures[m].digits);
    fputs(" & ", file);
    if (row != &table->row[table->baseline] && d->n) fprintf(file, "$%.2f$", d->mean);
    if (row != &table->row[table->baseline] && d->n > 1) fprintf(file, " $[%.2f, %.2f]$", d->low, d->high);
    fputs(" \\\\\n", file);
}

/* What the table is of, in comments above it, each in one line whatever is in names. */
static void put_latex_subject(FILE *file, const struct table *table)
{
    const struct evaluated *e = table->evaluated;
    const struct row *baseline = &table->row[table->baseline];
    vae_error clean;
    vae_fail(&clean, VAE_OK, "%s", e->data);
    fprintf(file,
            "%% Needs \\usepackage{booktabs}. Nats per image: mean and standard deviation over seeds.\n"
            "%% Data: %s, %s split, %zu images, noise seed 1",
            clean.message, e->split, e->images);
    if (e->elbo_samples > 1) fprintf(file, ", %llu draws of z an image", (unsigned long long)e->elbo_samples);
    if (e->samples) fprintf(file, ", %llu importance samples of the NLL", (unsigned long long)e->samples);
    fprintf(file, ".\n%% Last column: %s less that of %s, mean over pairs of seeds with its %.0f %% interval.\n",
            measures[table->loss].name, baseline->name, 100 * CONFIDENCE);
    if (table_has_splits(table)) fprintf(file, "%% %s", SPLITS);
    if (!table_has(table, NLL) || !isfinite(baseline->mean[NLL_BIAS].mean)) return; /* one sample has no variance */
    fputs("% The NLL is in expectation too high by", file);
    for (size_t r = 0; r < table->rows; r++)
        fprintf(file, "%s %.3f (%s)", r ? "," : "", table->row[r].mean[NLL_BIAS].mean, table->row[r].name);
    fputs(", its bias, or more.\n", file);
}

vae_status table_write_latex(const struct table *table, const char *path, vae_error *err)
{
    static const char *const heading[MEASURES] = {
        [NEG_ELBO] = "$-$ELBO", [RECON] = "recon.", [KL] = "KL", [ACTIVE_UNITS] = "active units", [NLL] = "NLL"};
    struct text text;
    vae_status status = text_begin(&text, err);
    if (status) return status;
    put_latex_subject(text.to, table);
    fputs("\\begin{tabular}{", text.to);
    for (size_t c = 0; c < table->columns; c++) fputc('l', text.to);
    fputc('r', text.to);
    for (size_t m = 0; m < MEASURES; m++)
        if (table_shows(table, m)) fputc('r', text.to);
    fputs("r}\n\\toprule\n", text.to);
    for (size_t c = 0; c < table->columns; c++) {
        put_latex(text.to, table_heading(table, c));
        fputs(" & ", text.to);
    }
    fputs("seeds", text.to);
    for (size_t m = 0; m < MEASURES; m++)
        if (table_shows(table, m)) fprintf(text.to, " & %s", heading[m]);
    fputs(table->loss == NLL ? " & $\\Delta$NLL to " : " & $\\Delta(-\\mathrm{ELBO})$ to ", text.to);
    put_latex(text.to, table->row[table->baseline].name);
    fputs(" \\\\\n\\midrule\n", text.to);
    for (size_t r = 0; r < table->rows; r++) put_latex_row(text.to, table, &table->row[r]);
    fputs("\\bottomrule\n\\end{tabular}\n", text.to);
    return text_end(&text, path, err);
}
