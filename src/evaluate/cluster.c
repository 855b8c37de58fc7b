/* SPDX-License-Identifier: MIT
 *
 * Do the posterior means fall into clusters that are the labels? K-means, with as many clusters as there are classes,
 * and the normalised mutual information of clusters and labels,
 *
 *     NMI = 2 I(cluster; label) / (H(cluster) + H(label))
 *
 * from 0 (independent) to 1 (the same). Lloyd's iterations from the seeds of k-means++ (Arthur & Vassilvitskii,
 * "k-means++: the advantages of careful seeding", SODA 2007); of several starts, that with the smallest sum of squared
 * distances counts. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "evaluate/evaluate.h"

enum { MOST_IMAGES = 10000, STARTS = 5, ROUNDS = 100, CLASSES = 256 };

/* K clusters of points (n,L). */
struct clusters {
    size_t n, L, K;
    const float *point;
    double *centre;   /* (K,L) */
    double *sum;      /* (K,L) of the points of each cluster, */
    size_t *count;    /* (K) and how many there are */
    double *distance; /* (n) squared, to the nearest centre */
    uint8_t *cluster; /* (n) which that is */
};

static vae_status clusters_new(struct clusters *c, vae_error *err)
{
    c->centre = mem_new(c->K, c->L * sizeof *c->centre, err);
    c->sum = mem_new(c->K, c->L * sizeof *c->sum, err);
    c->count = mem_new(c->K, sizeof *c->count, err);
    c->distance = mem_new(c->n, sizeof *c->distance, err);
    c->cluster = mem_new(c->n, sizeof *c->cluster, err);
    return c->centre && c->sum && c->count && c->distance && c->cluster ? VAE_OK : VAE_E_MEMORY;
}

static void clusters_free(struct clusters *c)
{
    free(c->centre);
    free(c->sum);
    free(c->count);
    free(c->distance);
    free(c->cluster);
}

static double squared_distance(size_t L, const float *point, const double *centre)
{
    double sum = 0;
    for (size_t j = 0; j < L; j++) sum += ((double)point[j] - centre[j]) * ((double)point[j] - centre[j]);
    return sum;
}

/* Each point to the nearest of centres first .. end-1, if that is nearer than what it has. */
static void assign(struct clusters *c, size_t first, size_t end)
{
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = first; k < end; k++) {
            const double d = squared_distance(c->L, c->point + i * c->L, c->centre + k * c->L);
            if (d >= c->distance[i]) continue;
            c->distance[i] = d;
            c->cluster[i] = (uint8_t)k;
        }
}

static void forget(struct clusters *c)
{
    for (size_t i = 0; i < c->n; i++) c->distance[i] = INFINITY;
}

/* The point at which the sum of squared distances so far exceeds `share` of all. */
static size_t drawn_point(const struct clusters *c, double share)
{
    double total = 0, sum = 0;
    size_t last = 0;
    for (size_t i = 0; i < c->n; i++) total += c->distance[i];
    for (size_t i = 0; i < c->n && !(sum > share * total); i++) {
        sum += c->distance[i];
        if (c->distance[i] > 0) last = i;
    }
    return last;
}

static void seed(struct clusters *c, const struct rng *rng)
{
    uint32_t word[CLASSES];
    rng_words(rng, 0, c->K, word);
    forget(c);
    for (size_t k = 0; k < c->K; k++) {
        const double u = rng_uniform(word[k]);
        const size_t i = k ? drawn_point(c, u) : (size_t)(u * (double)c->n);
        for (size_t j = 0; j < c->L; j++) c->centre[k * c->L + j] = (double)c->point[i * c->L + j];
        assign(c, k, k + 1);
    }
}

/* Centres of the points that they have; one without any stays where it is. */
static void move(struct clusters *c)
{
    memset(c->sum, 0, c->K * c->L * sizeof *c->sum);
    memset(c->count, 0, c->K * sizeof *c->count);
    for (size_t i = 0; i < c->n; i++) {
        c->count[c->cluster[i]]++;
        for (size_t j = 0; j < c->L; j++) c->sum[c->cluster[i] * c->L + j] += (double)c->point[i * c->L + j];
    }
    for (size_t k = 0; k < c->K; k++)
        for (size_t j = 0; j < c->L && c->count[k]; j++)
            c->centre[k * c->L + j] = c->sum[k * c->L + j] / (double)c->count[k];
}

static double total_distance(const struct clusters *c)
{
    double sum = 0;
    for (size_t i = 0; i < c->n; i++) sum += c->distance[i];
    return sum;
}

/* Until no point gets nearer. */
static double run(struct clusters *c, const struct rng *rng)
{
    double before = INFINITY, now;
    seed(c, rng);
    now = total_distance(c);
    for (size_t round = 0; round < ROUNDS && now < before; round++) {
        before = now;
        move(c);
        forget(c);
        assign(c, 0, c->K);
        now = total_distance(c);
    }
    return now;
}

static double entropy(const size_t *count, size_t n, size_t cells)
{
    double h = 0;
    for (size_t i = 0; i < cells; i++)
        if (count[i]) h -= (double)count[i] / (double)n * log((double)count[i] / (double)n);
    return h;
}

double normalised_information(size_t n, const uint8_t *a, const uint8_t *b, size_t both[VAE_PAIRS_OF_LABELS])
{
    size_t of_a[CLASSES] = {0}, of_b[CLASSES] = {0};
    memset(both, 0, VAE_PAIRS_OF_LABELS * sizeof *both);
    for (size_t i = 0; i < n; i++) {
        of_a[a[i]]++;
        of_b[b[i]]++;
        both[a[i] * (size_t)CLASSES + b[i]]++;
    }
    const double h_a = entropy(of_a, n, CLASSES), h_b = entropy(of_b, n, CLASSES);
    const double information = h_a + h_b - entropy(both, n, VAE_PAIRS_OF_LABELS);
    return h_a + h_b > 0 ? fmax(0, 2 * information / (h_a + h_b)) : (double)NAN;
}

/* Classes that occur, however they are numbered. */
static size_t distinct(const uint8_t *label, size_t n)
{
    bool is_there[CLASSES] = {false};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        count += !is_there[label[i]];
        is_there[label[i]] = true;
    }
    return count;
}

vae_status vae_cluster(double *nmi, const vae_model *model, const vae_images *images, uint64_t noise_seed,
                       size_t threads, vae_error *err)
{
    const size_t n = images->n < MOST_IMAGES ? images->n : MOST_IMAGES, L = model->L;
    *nmi = NAN;
    if (!images->labels || !n) return VAE_OK;
    struct clusters c = {.n = n, .L = L, .K = distinct(images->labels, n)};
    float *mean = mem_new(n, L * sizeof *mean, err);
    size_t *both = mem_new(VAE_PAIRS_OF_LABELS, sizeof *both, err);
    vae_status status = mean && both ? vae_encode(model, images, 0, n, noise_seed, threads, mean, NULL, err)
                                     : VAE_E_MEMORY;
    c.point = mean;
    if (!status) status = clusters_new(&c, err);
    double least = INFINITY;
    for (size_t start = 0; start < STARTS && !status; start++) {
        const struct rng rng = {.seed = noise_seed, .step = start, .stream = RNG_CLUSTER};
        const double total = run(&c, &rng);
        if (total < least) *nmi = normalised_information(n, c.cluster, images->labels, both);
        least = fmin(least, total);
    }
    clusters_free(&c);
    free(both);
    free(mean);
    return status;
}
