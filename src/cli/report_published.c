/* SPDX-License-Identifier: MIT
 *
 * Published figures of the same images, binarised in the same way, for dense networks, beside those of the runs. -log
 * p(x) of pixels drawn afresh, of a fixed draw, and of grey pixels under a Bernoulli likelihood do not compare, so each
 * has a list of its own. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"

/* CRC-32 of the 10,000 test images of MNIST. */
static const uint32_t MNIST_TEST = 0xe4ca5f57;

struct published {
    const char *binarize, *model;
    double neg_elbo, nll; /* NaN: not given */
    const char *source;
};

static const struct published list[] = {
    {"dynamic", "VAE, 2x200 tanh, 50 latents", NAN, 86.76, "Burda, Grosse & Salakhutdinov 2016, table 1; 5000 samples"},
    {"dynamic", "IWAE, k = 5, 2x200 tanh, 50 latents", NAN, 85.54,
     "Burda, Grosse & Salakhutdinov 2016, table 1; 5000 samples"},
    {"dynamic", "IWAE, k = 50, 2x200 tanh, 50 latents", NAN, 84.78,
     "Burda, Grosse & Salakhutdinov 2016, table 1; 5000 samples"},
    {"dynamic", "VAE, 2x300 gated, 40 latents", NAN, 84.45,
     "Norouzi, Fleet & Norouzi 2020 (Exemplar VAE); 5000 samples"},
    {"dynamic", "VampPrior of 500, 2x300 gated, 40 latents", NAN, 82.43,
     "Norouzi, Fleet & Norouzi 2020 (Exemplar VAE); 5000 samples"},
    {"dynamic", "VAE, 2x300 tanh, 50 latents", 89.0, 84.97, "Bauer & Mnih 2019, tables 2 and 5; 1000 samples"},
    {"dynamic", "LARS prior, 2x300 tanh, 50 latents", 86.6, 83.05, "Bauer & Mnih 2019, tables 2 and 6; 1000 samples"},
    {"dynamic", "RealNVP prior, 2x300 tanh, 50 latents", NAN, 81.86, "Bauer & Mnih 2019, table 7; 1000 samples"},
    {"dynamic", "LARS over a RealNVP prior, 2x300 tanh, 50 latents", NAN, 81.15,
     "Bauer & Mnih 2019, table 7; 1000 samples"},
    {"dynamic", "VAE, 2x300 gated, 40 latents", 87.41, 84.07, "this program, docs/results.md; 5000 samples"},
    {"dynamic", "VampPrior of 500, 2x300 gated, 40 latents", 85.30, 82.27,
     "this program, docs/results.md; 5000 samples"},
    {"dynamic", "RealNVP prior, 2x300 gated, 40 latents", 84.30, 81.39,
     "this program, docs/results.md; 5000 samples, three seeds"},
    {"dynamic", "LARS over a RealNVP prior, with IWAE-5, 2x300 gated", 84.45, 80.85,
     "this program, docs/results.md; 5000 samples"},
    {"static", "VAE, 400, 40 latents", NAN, 89.9, "Rezende & Mohamed 2015; 200 samples"},
    {"static", "VampPrior of 500, 2x300 gated, 40 latents", NAN, 85.57, "Tomczak & Welling 2018; 5000 samples"},
    {"none", "VAE, 400 ReLU, 20 latents, 10 epochs", 105.6, NAN, "PyTorch's basic VAE example, its public logs"},
    {"none", "normal prior, 400 ReLU, 10 latents, 30 epochs", 106.53, 102.21,
     "this program, docs/results.md; three seeds"},
    {"none", "Laplace prior, 400 ReLU, 10 latents, 30 epochs", 106.46, 102.22,
     "this program, docs/results.md; three seeds"},
    {"none", "Cauchy prior, 400 ReLU, 10 latents, 30 epochs", 107.22, 102.95,
     "this program, docs/results.md; three seeds"},
    {"none", "spike-and-slab prior, 400 ReLU, 10 latents, 30 epochs", 108.48, 104.44,
     "this program, docs/results.md; three seeds"},
    {"none", "normal prior, 400 ReLU, 50 latents, 30 epochs", 103.09, 97.12,
     "this program, docs/results.md; three seeds"},
    {"none", "spike-and-slab prior, 400 ReLU, 50 latents, 30 epochs", 107.63, 100.67,
     "this program, docs/results.md; three seeds"},
};

enum { LISTED = sizeof list / sizeof *list };

/* A row of the table: a published figure, or a run of this report. */
struct row {
    const char *model, *source;
    double neg_elbo, nll;
    bool own, grey;
};

static bool is_comparable(const struct subject *s)
{
    return s->crc_images == MNIST_TEST && !strcmp(vae_model_config(s->model)->likelihood.name, "bernoulli") &&
           !vae_model_config(s->model)->classes;
}

/* By neg_elbo where all have it, which is so for grey pixels; else by nll, or neg_elbo where there is none. */
static double key_of(const struct row *row) { return isnan(row->nll) || row->grey ? row->neg_elbo : row->nll; }

static int by_loss(const void *a, const void *b)
{
    const double x = key_of(a), y = key_of(b);
    return (x > y) - (x < y);
}

static void put_number(FILE *out, double value)
{
    if (isnan(value))
        fputs("<td></td>", out);
    else
        fprintf(out, "<td class=\"number\">%.2f</td>", value);
}

static void put_row(FILE *out, const struct row *row)
{
    fputs(row->own ? "<tr class=\"own\"><td>" : "<tr><td>", out);
    page_text(out, row->model);
    fputs("</td>", out);
    put_number(out, row->nll);
    put_number(out, row->neg_elbo);
    fputs("<td>", out);
    page_text(out, row->source);
    fputs("</td></tr>\n", out);
}

static const char *how_binarised(const char *binarize)
{
    return !strcmp(binarize, "dynamic") ? "pixels drawn afresh at each use"
           : !strcmp(binarize, "static")
               ? "pixels drawn once (published rows: another draw, that of Larochelle & Murray)"
               : "grey pixels under a Bernoulli likelihood, a pseudo-likelihood";
}

/* The rows of one kind of pixels; how many. */
static size_t collect(const struct report *report, const char *binarize, struct row *row)
{
    const bool grey = !strcmp(binarize, "none");
    size_t n = 0, own = 0;
    for (size_t i = 0; i < report->n; i++) {
        const struct subject *s = &report->subject[i];
        if (!is_comparable(s) || strcmp(vae_model_config(s->model)->binarize, binarize)) continue;
        row[n++] = (struct row){s->name,
                                s->images.n == 10000 ? "this report" : "this report, of fewer images",
                                s->result->neg_elbo,
                                s->eval.nll.samples ? s->eval.nll.nll : (double)NAN,
                                true,
                                grey};
        own++;
    }
    for (size_t i = 0; i < LISTED && own; i++)
        if (!strcmp(list[i].binarize, binarize))
            row[n++] = (struct row){list[i].model, list[i].source, list[i].neg_elbo, list[i].nll, false, grey};
    return n;
}

vae_status write_published(FILE *out, struct report *report, vae_error *err)
{
    static const char *const kinds[] = {"dynamic", "static", "none"};
    struct row *row = calloc(LISTED + report->n, sizeof *row);
    if (!row) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        const size_t n = collect(report, kinds[k], row);
        if (!n) continue;
        qsort(row, n, sizeof *row, by_loss);
        fprintf(
            out,
            "<h3>Beside published figures: MNIST, %s</h3>\n<div class=\"scroll\" tabindex=\"0\"><table>\n"
            "<thead><tr><th scope=\"col\">dense networks</th><th scope=\"col\" class=\"number\">NLL</th>"
            "<th scope=\"col\" class=\"number\">\u2212ELBO</th><th scope=\"col\">source</th></tr></thead>\n<tbody>\n",
            how_binarised(kinds[k]));
        for (size_t i = 0; i < n; i++) put_row(out, &row[i]);
        fputs("</tbody></table></div>\n", out);
    }
    free(row);
    return VAE_OK;
}
