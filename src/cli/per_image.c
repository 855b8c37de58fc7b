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

enum column { INDEX, LABEL, NEG_ELBO, RECON, KL, NLL, KHAT, AIS, ROW, COLUMNS };

static const char *const names[COLUMNS] = {"index", "label", "neg_elbo", "recon", "kl", "nll", "khat", "ais", "row"};

static bool has(const struct per_image *p, enum column column)
{
    switch (column) {
    case NLL: return p->nll != NULL;
    case KHAT: return p->khat != NULL;
    case AIS: return p->ais != NULL;
    default: return true;
    }
}

/* What was measured has a column. Returns how many there are. */
static size_t choose(const struct per_image *p, enum column *column)
{
    size_t n = 0;
    for (enum column c = INDEX; c < COLUMNS; c++)
        if (has(p, c)) column[n++] = c;
    return n;
}

static double cell(const struct per_image *p, size_t i, enum column column)
{
    const double recon = p->evaluation->image_recon[i], kl = p->evaluation->image_kl[i];
    switch (column) {
    case INDEX: return (double)i;
    case LABEL: return p->images->labels ? p->images->labels[i] : (double)NAN;
    case NEG_ELBO: return recon + kl;
    case RECON: return recon;
    case KL: return kl;
    case NLL: return p->nll[i];
    case KHAT: return p->khat[i];
    case AIS: return i < p->ais_images ? p->ais[i] : (double)NAN;
    default: return (double)vae_images_row(p->images, i);
    }
}

/* What is not known is left empty. */
static vae_status write_csv(const char *path, const struct per_image *p, vae_error *err)
{
    enum column column[COLUMNS];
    const size_t columns = choose(p, column);
    struct text text;
    vae_status status = text_begin(&text, err);
    if (status) return status;
    for (size_t k = 0; k < columns; k++) fprintf(text.to, "%s%s", k ? "," : "", names[column[k]]);
    fputc('\n', text.to);
    for (size_t i = 0; i < p->evaluation->n; i++) {
        for (size_t k = 0; k < columns; k++) {
            const double value = cell(p, i, column[k]);
            fprintf(text.to, isnan(value) ? "%s" : "%s%.12g", k ? "," : "", value);
        }
        fputc('\n', text.to);
    }
    return text_end(&text, path, err);
}

static vae_status write_npy(const char *path, const struct per_image *p, vae_error *err)
{
    enum column column[COLUMNS];
    const size_t n = p->evaluation->n, columns = choose(p, column);
    double *table = calloc(n, columns * sizeof *table);
    if (!table) return vae_fail(err, VAE_E_MEMORY, "out of memory for the losses of %zu images", n);
    for (size_t i = 0; i < n * columns; i++) table[i] = cell(p, i / columns, column[i % columns]);
    const vae_array array = {.element = VAE_F8, .rank = 2, .dim = {n, columns}, .at = table};
    vae_status status = WHOLE(vae_write_npy(path, &array, err));
    free(table);
    return status;
}

vae_status per_image_write(const char *path, const struct per_image *p, vae_error *err)
{
    return strcmp(strrchr(path, '.'), ".csv") ? write_npy(path, p, err) : write_csv(path, p, err);
}
