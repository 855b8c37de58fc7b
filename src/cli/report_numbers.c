/* SPDX-License-Identifier: MIT
 *
 * The numbers of a report as JSON in the page: what its tables and figures are made of, for programs, and for the
 * downloads as CSV that src/cli/report/page.js makes of the tables in it. A table is {"columns": [...], "rows": [...]}.
 */
#include <math.h>
#include <stdlib.h>

#include "cli/report.h"

static json_t *table(void) { return json_pack("{s:[], s:[]}", "columns", "rows"); }

static void add_column(json_t *table, const char *name)
{
    json_array_append_new(json_object_get(table, "columns"), json_string(name));
}

static json_t *add_row(json_t *table)
{
    json_t *row = json_array();
    json_array_append_new(json_object_get(table, "rows"), row);
    return row;
}

/* The numbers of eval --json that are no lists, and the settings, in one row. */
static json_t *run_table(const json_t *evaluation, const struct subject *s)
{
    json_t *of = table(), *row = add_row(of), *value;
    const char *name;
    char text[VAE_MAX_SOURCE];
    const vae_setting *setting;
    json_object_foreach((json_t *)(uintptr_t)evaluation, name, value)
    {
        if (json_is_array(value)) continue;
        add_column(of, name);
        json_array_append(row, value);
    }
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        char column[64];
        snprintf(column, sizeof column, "setting_%s", setting->name);
        add_column(of, column);
        json_array_append_new(row, json_text(vae_config_text(vae_model_config(s->model), setting, text, sizeof text)));
    }
    return of;
}

static json_t *latent_table(const vae_evaluation *e)
{
    json_t *of = table();
    add_column(of, "latent");
    add_column(of, "kl");
    add_column(of, "kl_floor");
    add_column(of, "mean_variance");
    for (size_t j = 0; j < e->latent; j++) {
        json_t *row = add_row(of);
        json_array_append_new(row, json_integer((json_int_t)j));
        json_array_append_new(row, json_finite(e->kl_per_dim[j]));
        json_array_append_new(row, json_finite(e->kl_floor));
        json_array_append_new(row, json_finite(e->mean_variance[j]));
    }
    return of;
}

/* metrics.csv. */
static json_t *epoch_table(const struct subject *s)
{
    json_t *of = table();
    const vae_metric *metric;
    for (size_t i = 0; (metric = vae_metric_at(i)); i++)
        if (metric->where != VAE_M_STATE) add_column(of, metric->name);
    for (size_t e = 0; e < s->epochs; e++) {
        json_t *row = add_row(of);
        for (size_t i = 0; (metric = vae_metric_at(i)); i++) {
            const void *at = (const char *)&s->epoch[e] + metric->offset;
            if (metric->where == VAE_M_STATE) continue;
            json_array_append_new(row, metric->count ? json_integer((json_int_t) * (const uint64_t *)at)
                                                     : json_finite(*(const double *)at));
        }
    }
    return of;
}

static json_t *checksums(const struct subject *s)
{
    char model[16], train[16], images[16];
    snprintf(model, sizeof model, "%08x", (unsigned)s->crc_model);
    snprintf(train, sizeof train, "%08x", (unsigned)s->crc_train);
    snprintf(images, sizeof images, "%08x", (unsigned)s->crc_images);
    return json_pack("{s:s, s:s, s:s}", "model", model, "train", train, "images", images);
}

static json_t *run_json(const struct subject *s)
{
    json_t *evaluation = eval_json(&s->eval);
    json_t *runs = run_table(evaluation, s);
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "run", json_text(s->name), "evaluation", evaluation, "crc32",
                     checksums(s), "runs", runs, "latents", latent_table(s->result), "epochs", epoch_table(s));
}

vae_status write_numbers(FILE *out, struct report *report, vae_error *err)
{
    json_t *all = json_pack("{s:s, s:[]}", "vaectl", VAE_VERSION, "runs");
    for (size_t i = 0; i < report->n; i++)
        json_array_append_new(json_object_get(all, "runs"), run_json(&report->subject[i]));
    return page_json(out, all) ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
}
