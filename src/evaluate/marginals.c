/* SPDX-License-Identifier: MIT
 *
 * Each latent by itself: the distribution function of z_j under the prior or under the aggregate posterior
 * q(z) = mean over images of q(z|x), and its inverse.
 *
 * A factorised prior is integrated, F(z) = integral of exp(log p) up to z, on the mesh of the checks of priors: a table
 * has the mass below each cell, and what is within a cell is integrated when it is asked for. Its quantiles are found
 * by bisection within a cell. The mass is divided by its sum, which leaves an error below 1e-5 of probability, that of
 * log p in single precision.
 *
 * Joint priors and the aggregate posterior are known by draws, sorted for each latent: F(z) is the share of them that
 * is not above z, with a standard error of at most 1/(2 sqrt(draws)), and a quantile lies between two neighbours. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "evaluate/evaluate.h"
#include "model/model.h"
#include "prior/mesh.h"

enum { MOST_IMAGES = 60000 };

struct vae_marginals {
    size_t L;
    /* Of a factorised prior. */
    const struct prior_ops *prior;
    struct prior_state *state;
    double *below; /* (CELLS + 1) probability of all cells before this one */
    /* Of all others. */
    size_t n;
    float *draw; /* (L,n), ascending for each latent */
};

/* ---- By integration --------------------------------------------------------------------------------------------- */

/* The mass between a cell's end at smaller |z| and the place x. */
static double mass_within(const struct vae_marginals *m, size_t cell, double x)
{
    real z[NODES], logp[NODES], slope[NODES];
    double mass = 0;
    for (size_t k = 0; k < NODES; k++) z[k] = R(place(cell, (1 + x) * (1 + node[k]) / 2 - 1));
    m->prior->log_prob(m->state, NODES, z, logp, slope);
    for (size_t k = 0; k < NODES; k++) mass += weight[k] * mass_at((double)z[k], (double)logp[k]);
    return mass * (1 + x) / (4 * FINENESS);
}

static vae_status integrate(struct vae_marginals *m, const struct vae_model *model, vae_error *err)
{
    m->prior = model->prior;
    m->state = mem_new(1, model->prior->state_size, err);
    m->below = mem_new(CELLS + 1, sizeof *m->below, err);
    if (!m->state || !m->below) return VAE_E_MEMORY;
    prior_init(m->prior, m->state, model->config.prior.value); /* a copy might point into the model's */
    for (size_t cell = 0; cell < CELLS; cell++) m->below[cell + 1] = m->below[cell] + mass_within(m, cell, 1);
    const double total = m->below[CELLS];
    for (size_t cell = 0; cell <= CELLS; cell++) m->below[cell] /= total;
    return VAE_OK;
}

/* The probability below the place x of a cell; `total` is that of the cell. */
static double below_place(const struct vae_marginals *m, size_t cell, double x)
{
    const double whole = mass_within(m, cell, 1), total = m->below[cell + 1] - m->below[cell];
    const double share = whole > 0 ? mass_within(m, cell, x) / whole : (1 + x) / 2;
    return cell < PANELS ? m->below[cell + 1] - total * share : m->below[cell] + total * share;
}

static double integrated_cdf(const struct vae_marginals *m, double z)
{
    const size_t cell = cell_of(z);
    const double x = 2 * (panels_to(z) - (double)panel_of(cell)) - 1;
    return below_place(m, cell, x);
}

static double integrated_quantile(const struct vae_marginals *m, double probability)
{
    size_t cell = 0, end = CELLS;
    while (end - cell > 1) {
        const size_t middle = (cell + end) / 2;
        if (m->below[middle] <= probability)
            cell = middle;
        else
            end = middle;
    }
    double low = cell < PANELS ? 1 : -1, high = -low; /* places that z rises between */
    for (int i = 0; i < 40; i++) {
        const double middle = (low + high) / 2;
        if (below_place(m, cell, middle) <= probability)
            low = middle;
        else
            high = middle;
    }
    return place(cell, (low + high) / 2);
}

/* ---- By draws --------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static vae_status make_room(struct vae_marginals *m, size_t n, float **z, vae_error *err)
{
    m->n = n;
    m->draw = mem_new(n, m->L * sizeof *m->draw, err);
    *z = mem_new(n, m->L * sizeof **z, err);
    return m->draw && *z ? VAE_OK : VAE_E_MEMORY;
}

/* From draws z (n,L). */
static void sort_draws(struct vae_marginals *m, const float *z)
{
    for (size_t j = 0; j < m->L; j++) {
        float *draw = m->draw + j * m->n;
        for (size_t i = 0; i < m->n; i++) draw[i] = z[i * m->L + j];
        qsort(draw, m->n, sizeof *draw, ascending);
    }
}

/* How many draws are not above z. */
static size_t count_to(const float *draw, size_t n, double z)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if ((double)draw[middle] <= z)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The i-th of n draws stands for the probability (i + 1/2)/n. */
static double drawn_quantile(const float *draw, size_t n, double probability)
{
    const double at = fmin(fmax(probability * (double)n - 0.5, 0), (double)n - 1);
    const size_t i = (size_t)at, next = i + 1 < n ? i + 1 : i;
    return (double)draw[i] + (at - (double)i) * ((double)draw[next] - (double)draw[i]);
}

/* ---- Interface -------------------------------------------------------------------------------------------------- */

void vae_marginals_free(vae_marginals **marginals)
{
    if (!marginals || !*marginals) return;
    free((*marginals)->state);
    free((*marginals)->below);
    free((*marginals)->draw);
    free(*marginals);
    *marginals = NULL;
}

/* Of a half-built object: it is the caller's, or it is gone. */
static vae_status finish(vae_marginals **out, struct vae_marginals *m, vae_status status)
{
    if (status)
        vae_marginals_free(&m);
    else
        *out = m;
    return status;
}

vae_status vae_prior_marginals(vae_marginals **out, const vae_model *model, uint64_t seed, vae_error *err)
{
    float *z = NULL;
    struct vae_marginals *m = mem_new(1, sizeof *m, err);
    if (!m) return VAE_E_MEMORY;
    m->L = model->L;
    if (!model->prior->joint) return finish(out, m, integrate(m, model, err));
    vae_status status = make_room(m, VAE_MARGINAL_DRAWS, &z, err);
    if (!status) status = vae_sample_prior(model, seed, m->n, z, err);
    if (!status) sort_draws(m, z);
    free(z);
    return finish(out, m, status);
}

vae_status vae_aggregate_marginals(vae_marginals **out, const vae_model *model, const vae_images *images, uint64_t seed,
                                   size_t threads, vae_error *err)
{
    const size_t n = images->n < MOST_IMAGES ? images->n : MOST_IMAGES;
    const size_t draws = n ? (VAE_MARGINAL_DRAWS + n - 1) / n * n : 1;
    float *z = NULL;
    struct vae_marginals *m = mem_new(1, sizeof *m, err);
    if (!m) return VAE_E_MEMORY;
    m->L = model->L;
    vae_status status = n ? VAE_OK : vae_fail(err, VAE_E_DATA, "no images: there is no aggregate posterior");
    uint32_t *index = status ? NULL : mem_new(draws, sizeof *index, err);
    if (!status && !index) status = VAE_E_MEMORY;
    for (size_t i = 0; i < draws && !status; i++) index[i] = (uint32_t)(i % n);
    if (!status) status = vae_model_check_images(model, images, err);
    if (!status) status = make_room(m, draws, &z, err);
    if (!status) status = model_sample_posteriors(model, images, index, 0, draws, seed, threads, z, err);
    if (!status) sort_draws(m, z);
    free(index);
    free(z);
    return finish(out, m, status);
}

size_t vae_marginal_draws(const vae_marginals *m) { return m->n; }

double vae_marginal_cdf(const vae_marginals *m, size_t latent, double z)
{
    if (isnan(z)) return NAN;
    if (m->prior) return integrated_cdf(m, z);
    return (double)count_to(m->draw + latent * m->n, m->n, z) / (double)m->n;
}

double vae_marginal_quantile(const vae_marginals *m, size_t latent, double probability)
{
    if (isnan(probability)) return NAN;
    return m->prior ? integrated_quantile(m, probability) : drawn_quantile(m->draw + latent * m->n, m->n, probability);
}
