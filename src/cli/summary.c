/* SPDX-License-Identifier: MIT */
#include "cli/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Values that were seen, as their bits, by open addressing. No finite number has the bits of a free place. */
enum { PLACES = 1 << 15, BLOCK = 1 << 16 };
static const uint32_t FREE_PLACE = UINT32_MAX;

struct reading {
    struct summary *summary;
    uint32_t *seen; /* (PLACES) */
    double sum;
    uint64_t zeros;
};

static void see(struct reading *r, uint32_t bits)
{
    size_t place = bits * 2654435769u >> 17; /* multiplicative hashing (Knuth) to 15 bits */
    while (r->seen[place] != FREE_PLACE && r->seen[place] != bits) place = (place + 1) % PLACES;
    if (r->seen[place] == bits || r->summary->distinct > MOST_DISTINCT) return;
    r->seen[place] = bits;
    r->summary->distinct++;
}

/* FNV-1a by words of four bytes, with a last mix (Murmur3's), as its high bits alone are good ones. */
static uint64_t fingerprint(const float *values, size_t D)
{
    uint64_t print = 14695981039346656037u;
    for (size_t k = 0; k < D; k++) {
        uint32_t bits;
        memcpy(&bits, &values[k], sizeof bits);
        print = (print ^ bits) * 1099511628211u;
    }
    print = (print ^ print >> 33) * 0xff51afd7ed558ccdu;
    return print ^ print >> 33;
}

static void add_image(struct reading *r, float *values, size_t D)
{
    struct summary *s = r->summary;
    for (size_t k = 0; k < D; k++) {
        uint32_t bits;
        values[k] += 0.0F; /* -0 is 0 */
        memcpy(&bits, &values[k], sizeof bits);
        see(r, bits);
        r->sum += (double)values[k];
        r->zeros += values[k] == 0;
        s->lowest = fmin(s->lowest, (double)values[k]);
        s->highest = fmax(s->highest, (double)values[k]);
    }
    s->print[s->n++] = fingerprint(values, D);
}

static int by_size(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static vae_status read_all(struct reading *r, const vae_images *images, float *block, size_t each, vae_error *err)
{
    const size_t D = images->rows * images->cols;
    vae_status status = VAE_OK;
    for (size_t first = 0; first < images->n && !status; first += each) {
        const size_t n = images->n - first < each ? images->n - first : each;
        status = vae_images_values(images, first, n, block, err);
        for (size_t i = 0; i < n && !status; i++) add_image(r, block + i * D, D);
    }
    return status;
}

vae_status summary_of(struct summary *s, const vae_images *images, vae_error *err)
{
    const size_t D = images->rows * images->cols, each = D < BLOCK ? BLOCK / D : 1;
    float *block = malloc(each * D * sizeof *block);
    struct reading r = {.summary = s, .seen = malloc(PLACES * sizeof *r.seen)};
    *s = (struct summary){.lowest = INFINITY, .highest = -INFINITY, .classes = vae_images_classes(images)};
    s->print = malloc(images->n * sizeof *s->print);
    vae_status status = block && r.seen && s->print ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < PLACES && !status; i++) r.seen[i] = FREE_PLACE;
    if (!status) status = read_all(&r, images, block, each, err);
    for (size_t i = 0; i < images->n && images->labels; i++) s->label[images->labels[i]]++;
    if (!status) qsort(s->print, s->n, sizeof *s->print, by_size);
    s->mean = r.sum / (double)(s->n * D);
    s->zeros = (double)r.zeros / (double)(s->n * D);
    free(block);
    free(r.seen);
    return status;
}

void summary_free(struct summary *summary)
{
    free(summary->print);
    summary->print = NULL;
}

size_t summary_common(const struct summary *a, const struct summary *b)
{
    size_t common = 0;
    for (size_t i = 0; i < b->n; i++)
        common += bsearch(&b->print[i], a->print, a->n, sizeof *a->print, by_size) != NULL;
    return common;
}
