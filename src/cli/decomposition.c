/* SPDX-License-Identifier: MIT */
#include "cli/decomposition.h"

#include <math.h>

static const char *const way_names[VAE_DECOMPOSITION_WAYS] = {
    [VAE_IN_SAMPLE] = "in_sample", [VAE_LEFT_OUT] = "left_out", [VAE_HELD_OUT] = "held_out"};

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

static json_t *estimate_json(vae_estimate e)
{
    return json_pack("{s:o, s:o}", "value", json_finite(e.value), "se", json_finite(e.se));
}

static json_t *parts_json(const vae_decomposition_parts *p)
{
    if (!p->components) return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o}", "images", (json_int_t)p->components, "log_images",
                     json_finite(log((double)p->components)), "information", estimate_json(p->information),
                     "marginal_kl", estimate_json(p->marginal), "total_correlation", estimate_json(p->correlation),
                     "latents_kl", estimate_json(p->latents));
}

static json_t *values_json(const vae_estimate *estimates, size_t n)
{
    json_t *list = json_array();
    for (size_t j = 0; list && j < n; j++)
        if (json_array_append_new(list, estimate_json(estimates[j]))) {
            json_decref(list);
            return NULL;
        }
    return list;
}

json_t *decomposition_json(const vae_decomposition *d)
{
    if (!d) return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "draws", (json_int_t)d->draws, "kl", estimate_json(d->kl),
                     way_names[VAE_IN_SAMPLE], parts_json(&d->part[VAE_IN_SAMPLE]), way_names[VAE_LEFT_OUT],
                     parts_json(&d->part[VAE_LEFT_OUT]), way_names[VAE_HELD_OUT], parts_json(&d->part[VAE_HELD_OUT]),
                     "latent_marginal_kl", values_json(d->latent_marginal, d->latent), "latent_label_information",
                     values_json(d->latent_label, d->latent));
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

static void print_estimate(vae_estimate e)
{
    if (isnan(e.value))
        printf("  %14s", "-");
    else if (isnan(e.se))
        printf("  %8.3f        ", e.value);
    else
        printf("  %8.3f (%.3f)", e.value, e.se);
}

/* A row of the table: the estimate at this place of each of the parts. */
static void print_row(const vae_decomposition *d, const char *name, size_t offset)
{
    printf("  %-20s", name);
    for (size_t way = 0; way < VAE_DECOMPOSITION_WAYS; way++)
        if (d->part[way].components)
            print_estimate(*(const vae_estimate *)(const void *)((const char *)&d->part[way] + offset));
    putchar('\n');
}

static void print_heads(const vae_decomposition *d)
{
    static const char *const title[VAE_DECOMPOSITION_WAYS] = {"own image in it", "own left out", "other images"};
    printf("  %-20s", "q(z) over");
    for (size_t way = 0; way < VAE_DECOMPOSITION_WAYS; way++)
        if (d->part[way].components) printf("  %16s", title[way]);
    printf("\n  %-20s", "log of their number");
    for (size_t way = 0; way < VAE_DECOMPOSITION_WAYS; way++)
        if (d->part[way].components)
            printf("  %8.3f        ", log((double)(d->part[way].components - (way == VAE_LEFT_OUT))));
    putchar('\n');
}

void decomposition_print(const vae_decomposition *d)
{
    printf("parts of the kl %.3f (%.3f), nats/image by %zu draws (standard errors)\n", d->kl.value, d->kl.se, d->draws);
    print_heads(d);
    print_row(d, "I(x;z)", offsetof(vae_decomposition_parts, information));
    print_row(d, "KL(q(z) || p(z))", offsetof(vae_decomposition_parts, marginal));
    print_row(d, "  total correlation", offsetof(vae_decomposition_parts, correlation));
    if (!isnan(d->part[VAE_LEFT_OUT].latents.value))
        print_row(d, "  sum over latents", offsetof(vae_decomposition_parts, latents));
}
