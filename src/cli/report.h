/* SPDX-License-Identifier: MIT
 *
 * `vaectl report`: one HTML page over one or several runs. The page is src/cli/report/page.html, where a word in braces
 * stands for what a function of the report writes; style and script are in files beside it.
 *
 * All text that comes from a file or from the command line goes through page_text. */
#ifndef VAE_CLI_REPORT_H
#define VAE_CLI_REPORT_H

#include "cli/array.h"
#include "cli/eval.h"
#include "vae_figure.h"

/* One RUN of the report. */
struct subject {
    const char *name;        /* as it was given */
    char path[PATH_MAX_RUN]; /* of the model file */
    vae_model *model;
    vae_data *data;
    vae_images images; /* that it is measured on: a view of a split of the data */
    struct eval eval;
    vae_evaluation *result;
    vae_metrics *epoch; /* metrics.csv, a row an epoch; NULL: there is none */
    size_t epochs;
    float *mean, *z; /* (n,L) posterior means of the images, and a draw from the posterior of each */
    float *prior;    /* (n,L) as many draws from the prior */
    vae_marginals *prior_marginals, *aggregate_marginals; /* of each latent */
    uint32_t crc_model, crc_train, crc_images;            /* CRC-32 of the model file and of the pixels */
    bool is_picture;                                      /* and no row of numbers */
};

struct report {
    size_t n;
    struct subject *subject;
    char *command; /* the line that makes the page anew */
    size_t room;   /* bytes that explorers may still take */
};

/* ---- report_subject.c -------------------------------------------------------------------------------------------- */
vae_status subject_open(struct subject *subject, const struct arguments *arguments, const char *run, vae_error *err);
void subject_close(struct subject *subject);
static inline size_t subject_latents(const struct subject *subject)
{
    return (size_t)vae_model_config(subject->model)->latent;
}
/* Latents by their KL, the largest first; by the variance of their posterior mean where a KL is known for all together
 * alone. `order` has room for L. */
void subject_order(const struct subject *subject, size_t *order);
/* The value of a setting as vae_config_set takes it, or "" where there is no such setting. */
const char *subject_setting(const struct subject *subject, const char *name, char text[VAE_MAX_SOURCE]);

/* ---- report_page.c: writing HTML ----------------------------------------------------------------------------------
 */
/* Text between or within tags: escaped, control characters and what is not UTF-8 as question marks. */
void page_text(FILE *out, const char *text);
/* One value of JSON, so that it can stand within <script>; releases it. NULL: out of memory, false. */
bool page_json(FILE *out, json_t *value);
void page_base64(FILE *out, size_t size, const uint8_t *bytes);

/* ---- The parts: each writes one of them ---------------------------------------------------------------------------
 */
typedef vae_status write_part(FILE *out, struct report *report, vae_error *err);
write_part write_verdict, write_warnings, write_provenance;               /* report_words.c */
write_part write_published;                                               /* report_published.c */
write_part write_explorer;                                                /* report_explorer.c */
write_part write_numbers;                                                 /* report_numbers.c */
write_part write_training, write_pictures, write_latents, write_extremes; /* report_figures.c */

/* Begins and ends the column of each run: with its name where there are several. */
void begin_run(FILE *out, const struct report *report, size_t i);
void end_run(FILE *out, const struct report *report, size_t i);

/* The lines of src/cli/report/page.*; NULL ends them. `report_policy` is the hash of the script, for the page's
 * Content-Security-Policy. */
extern const char *const report_html[], *const report_css[], *const report_js[], *const report_policy[];

#endif
