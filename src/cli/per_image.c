/* SPDX-License-Identifier: MIT
 *
 * eval --per-image: a row an image with its label, its losses and its row in the file of data, whose means are those
 * that eval reports. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/per_image.h"
#include "cli/signals.h"

enum column { INDEX, LABEL, NEG_ELBO, RECON, KL, NLL, ROW, COLUMNS };

static const char *const names[COLUMNS] = {"index", "label", "neg_elbo", "recon", "kl", "nll", "row"};

/* The k-th column: there is no nll where it was not asked for. */
static enum column column_at(const struct per_image *p, size_t k) { return k >= NLL && !p->nll ? k + 1 : k; }

static double cell(const struct per_image *p, size_t i, size_t k)
{
    const double recon = p->evaluation->image_recon[i], kl = p->evaluation->image_kl[i];
    switch (column_at(p, k)) {
    case INDEX: return (double)i;
    case LABEL: return p->images->labels ? p->images->labels[i] : (double)NAN;
    case NEG_ELBO: return recon + kl;
    case RECON: return recon;
    case KL: return kl;
    case NLL: return p->nll[i];
    default: return (double)vae_images_row(p->images, i);
    }
}

static size_t columns_of(const struct per_image *p) { return p->nll ? COLUMNS : COLUMNS - 1; }

/* What is not known is left empty. */
static vae_status write_csv(const char *path, const struct per_image *p, vae_error *err)
{
    const size_t columns = columns_of(p);
    struct text text;
    vae_status status = text_begin(&text, err);
    if (status) return status;
    for (size_t k = 0; k < columns; k++) fprintf(text.to, "%s%s", k ? "," : "", names[column_at(p, k)]);
    fputc('\n', text.to);
    for (size_t i = 0; i < p->evaluation->n; i++) {
        for (size_t k = 0; k < columns; k++) {
            const double value = cell(p, i, k);
            fprintf(text.to, isnan(value) ? "%s" : "%s%.12g", k ? "," : "", value);
        }
        fputc('\n', text.to);
    }
    return text_end(&text, path, err);
}

static vae_status write_npy(const char *path, const struct per_image *p, vae_error *err)
{
    const size_t n = p->evaluation->n, columns = columns_of(p);
    double *table = calloc(n, columns * sizeof *table);
    if (!table) return vae_fail(err, VAE_E_MEMORY, "out of memory for the losses of %zu images", n);
    for (size_t i = 0; i < n * columns; i++) table[i] = cell(p, i / columns, i % columns);
    const vae_array array = {.element = VAE_F8, .rank = 2, .dim = {n, columns}, .at = table};
    vae_status status = WHOLE(vae_write_npy(path, &array, err));
    free(table);
    return status;
}

vae_status per_image_write(const char *path, const struct per_image *p, vae_error *err)
{
    return strcmp(strrchr(path, '.'), ".csv") ? write_npy(path, p, err) : write_csv(path, p, err);
}
