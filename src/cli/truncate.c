/* SPDX-License-Identifier: MIT
 *
 * Draws of the prior under the condition that each latent lies in the central part of its distribution. Independent
 * latents are chosen one by one: each takes its first values that lie there. Of a joint prior whole draws are. */
#include "cli/truncate.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TRIES = 1 << 20 }; /* draws in all */

struct region {
    size_t latents;
    double *low, *high; /* (latents) */
    bool independent;
};

static void region_free(struct region *region)
{
    free(region->low);
    free(region->high);
}

static vae_status find_region(struct region *region, const vae_model *model, uint64_t seed, double share,
                              vae_error *err)
{
    vae_marginals *marginals = NULL;
    const size_t L = (size_t)vae_model_config(model)->latent;
    *region = (struct region){L, calloc(L, sizeof(double)), calloc(L, sizeof(double)), false};
    if (!region->low || !region->high) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    vae_status status = vae_prior_marginals(&marginals, model, seed, err);
    if (status) return status;
    region->independent = vae_marginal_draws(marginals) == 0;
    for (size_t j = 0; j < L; j++) {
        region->low[j] = vae_marginal_quantile(marginals, j, (1 - share) / 2);
        region->high[j] = vae_marginal_quantile(marginals, j, (1 + share) / 2);
    }
    vae_marginals_free(&marginals);
    return VAE_OK;
}

static bool is_within(const struct region *r, size_t j, float value)
{
    return r->low[j] <= (double)value && (double)value <= r->high[j];
}

/* Of `tries` draws the first n values of each latent that are within; false where there are not so many. */
static bool choose_values(const struct region *r, size_t tries, const float *from, size_t n, float *z)
{
    for (size_t j = 0; j < r->latents; j++) {
        size_t found = 0;
        for (size_t i = 0; i < tries && found < n; i++)
            if (is_within(r, j, from[i * r->latents + j])) z[found++ * r->latents + j] = from[i * r->latents + j];
        if (found < n) return false;
    }
    return true;
}

/* The first n draws that are within. */
static bool choose_draws(const struct region *r, size_t tries, const float *from, size_t n, float *z)
{
    size_t found = 0;
    for (size_t i = 0; i < tries && found < n; i++) {
        size_t j = 0;
        while (j < r->latents && is_within(r, j, from[i * r->latents + j])) j++;
        if (j == r->latents) memcpy(z + found++ * j, from + i * j, j * sizeof *z);
    }
    return found == n;
}

/* The draws of a seed begin with those that it gives when there are fewer, so that trying more changes no choice. */
static vae_status choose(const struct region *r, const vae_model *model, uint64_t seed, size_t n, float *z,
                         vae_error *err)
{
    bool done = false;
    vae_status status = VAE_OK;
    for (size_t tries = 2 * n + 64, before = 0; !done && !status; before = tries, tries *= 2) {
        if (before == MOST_TRIES)
            return vae_fail(err, VAE_E_USAGE, "--truncate: fewer than %zu of %d draws lie within (expected more)", n,
                            MOST_TRIES);
        if (tries > MOST_TRIES) tries = MOST_TRIES;
        float *from = calloc(tries * r->latents, sizeof *from);
        status = from ? vae_sample_prior(model, seed, tries, from, err)
                      : vae_fail(err, VAE_E_MEMORY, "out of memory for %zu draws", tries);
        if (!status) done = (r->independent ? choose_values : choose_draws)(r, tries, from, n, z);
        free(from);
    }
    return status;
}

vae_status truncate_draws(const vae_model *model, uint64_t seed, double share, size_t n, float *z, vae_error *err)
{
    struct region region;
    vae_status status = find_region(&region, model, seed, share, err);
    if (!status) status = choose(&region, model, seed, n, z, err);
    region_free(&region);
    return status;
}
