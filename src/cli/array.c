/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/array.h"

#include <stdlib.h>
#include <string.h>

#include "cli/signals.h"

static bool ends_in(const char *path, const char *ending)
{
    const size_t length = strlen(path), needed = strlen(ending);
    return length > needed && !strcmp(path + length - needed, ending);
}

bool array_is_name(const char *path) { return ends_in(path, ".npy") || ends_in(path, ".csv"); }

vae_status array_check_name(const char *flag, const char *path, vae_error *err)
{
    if (array_is_name(path)) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "--%s: '%s' (expected a name that ends in .npy or .csv)", flag, path);
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

/* What stdio flushes; 0 says that it failed. (open_memstream of glibc 2.36 leaves out what it has no memory for,
 * without an error.) */
static ssize_t add_text(void *cookie, const char *bytes, size_t size)
{
    struct text *text = cookie;
    if (text->room - text->size <= size) {
        const size_t room = 2 * text->room + size + 1;
        char *grown = realloc(text->bytes, room);
        if (!grown) return 0;
        text->bytes = grown;
        text->room = room;
    }
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
    text->bytes[text->size] = '\0';
    return (ssize_t)size;
}

vae_status text_begin(struct text *text, vae_error *err)
{
    *text = (struct text){0};
    text->to = fopencookie(text, "w", (cookie_io_functions_t){.write = add_text});
    return text->to ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
}

vae_status text_flush(struct text *text, vae_error *err)
{
    if (!fflush(text->to) && !ferror(text->to)) return VAE_OK;
    return vae_fail(err, VAE_E_MEMORY, "out of memory");
}

char *text_take(struct text *text)
{
    const bool is_whole = !text_flush(text, NULL);
    fclose(text->to);
    if (is_whole && text->bytes) return text->bytes;
    free(text->bytes);
    return NULL;
}

vae_status text_end(struct text *text, const char *path, vae_error *err)
{
    char *bytes = text_take(text);
    if (!bytes) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory while writing", path);
    vae_status status = WHOLE(vae_write_file(path, bytes, text->size, err));
    free(bytes);
    return status;
}

void text_drop(struct text *text)
{
    fclose(text->to);
    free(text->bytes);
}

/* ---- Out -------------------------------------------------------------------------------------------------------- */

/* Nine digits tell any two numbers of single precision apart. */
static vae_status write_csv(const char *path, const struct array *a, vae_error *err)
{
    const size_t D = a->rows * a->cols;
    struct text text;
    vae_status status = text_begin(&text, err);
    if (status) return status;
    if (a->labels) fprintf(text.to, "label,");
    for (size_t k = 0; k < D; k++) fprintf(text.to, "%c%zu%c", a->letter, k, k + 1 < D ? ',' : '\n');
    for (size_t i = 0; i < a->n; i++) {
        if (a->labels) fprintf(text.to, "%d,", a->labels[i]);
        for (size_t k = 0; k < D; k++) fprintf(text.to, "%.9g%c", (double)a->values[i * D + k], k + 1 < D ? ',' : '\n');
    }
    return text_end(&text, path, err);
}

vae_status array_write(const char *path, const struct array *a, vae_error *err)
{
    if (ends_in(path, ".csv")) return write_csv(path, a, err);
    vae_array array = {.element = VAE_F4, .rank = 3, .dim = {a->n, a->rows, a->cols}, .at = a->values};
    if (a->rows == 1) {
        array.rank = 2;
        array.dim[1] = a->cols;
    }
    return WHOLE(vae_write_npy(path, &array, err));
}

/* ---- In --------------------------------------------------------------------------------------------------------- */

static vae_status check_latents(const vae_images *rows, const char *path, size_t L, vae_error *err)
{
    if (!rows->values)
        return vae_fail(err, VAE_E_DATA, "%s: bytes (expected real numbers, as 'vaectl encode' writes them)", path);
    if (rows->rows == 1 && rows->cols == L) return VAE_OK;
    return vae_fail(err, VAE_E_DATA, "%s: rows of %zu numbers (expected %zu, one for each latent of the model)", path,
                    rows->rows * rows->cols, L);
}

static vae_status copy_latents(struct latents *latents, const vae_images *rows, size_t L, vae_error *err)
{
    *latents = (struct latents){.n = rows->n, .z = calloc(rows->n, L * sizeof *latents->z)};
    if (rows->labels) latents->labels = calloc(rows->n, 1);
    if (!latents->z || (rows->labels && !latents->labels))
        return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", rows->n);
    if (rows->labels) memcpy(latents->labels, rows->labels, rows->n);
    return vae_images_values(rows, 0, rows->n, latents->z, err);
}

vae_status latents_read(struct latents *latents, const char *path, size_t L, vae_error *err)
{
    vae_data *data = NULL;
    *latents = (struct latents){0};
    vae_status status = vae_data_read(&data, path, err);
    if (status) return status;
    status = check_latents(&data->train, path, L, err);
    if (!status) status = copy_latents(latents, &data->train, L, err);
    if (status) latents_free(latents);
    vae_data_free(&data);
    return status;
}

void latents_free(struct latents *latents)
{
    free(latents->z);
    free(latents->labels);
    *latents = (struct latents){0};
}
