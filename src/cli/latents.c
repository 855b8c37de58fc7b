/* SPDX-License-Identifier: MIT */
#include "cli/latents.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Which latents ---------------------------------------------------------------------------------------------- */

void latents_order(const double *kl, size_t L, size_t *order)
{
    for (size_t i = 0; i < L; i++) {
        size_t at = i;
        for (; at > 0 && kl[i] > kl[order[at - 1]]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

void latents_name(const vae_model *model, size_t latent, char name[LATENT_NAME])
{
    const double kl = vae_model_kl_per_dim(model)[latent];
    if (isfinite(kl))
        snprintf(name, LATENT_NAME, "z%zu KL %.2f", latent, kl);
    else
        snprintf(name, LATENT_NAME, "z%zu", latent);
}

double latents_near_zero(const vae_model *model)
{
    const vae_choice *prior = &vae_model_config(model)->prior;
    const vae_module *module = NULL;
    vae_eval_options options;
    vae_eval_defaults(&options);
    for (size_t i = 0; (module = vae_module_at(VAE_PRIOR, i)) && strcmp(module->name, prior->name);) i++;
    for (size_t k = 0; module && module->params && module->params[k].name; k++)
        if (!strcmp(module->params[k].name, "c2")) return 2 * sqrt(prior->value[k]);
    return options.near_zero;
}

static vae_status largest_two(const vae_model *model, size_t dims[2], vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent;
    size_t *order = calloc(L, sizeof *order);
    if (!order) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu latents", L);
    latents_order(vae_model_kl_per_dim(model), L, order);
    dims[0] = order[0] < order[1] ? order[0] : order[1];
    dims[1] = order[0] < order[1] ? order[1] : order[0];
    free(order);
    return VAE_OK;
}

vae_status latents_dims(const struct arguments *arguments, const vae_model *model, size_t dims[2], vae_error *err)
{
    const double last = (double)vae_model_config(model)->latent - 1;
    const char *text = argument(arguments, "dims");
    char first[16] = "", second[16] = "";
    uint64_t a, b;
    if (last < 1)
        return vae_fail(err, VAE_E_USAGE, "%sthe model has one latent (expected two or more)", text ? "--dims: " : "");
    if (!text) return largest_two(model, dims, err);
    if (sscanf(text, "%15[0-9],%15[0-9]", first, second) != 2 || strlen(first) + strlen(second) + 1 != strlen(text))
        return vae_fail(err, VAE_E_USAGE, "--dims: '%s' (expected two latent indices such as 0,1)", text);
    vae_status status = vae_parse_count("--dims", first, 0, last, &a, err);
    if (!status) status = vae_parse_count("--dims", second, 0, last, &b, err);
    if (!status && a == b) status = vae_fail(err, VAE_E_USAGE, "--dims: twice the same latent %s", first);
    if (status) return status;
    dims[0] = (size_t)a;
    dims[1] = (size_t)b;
    return VAE_OK;
}

/* ---- Which images ----------------------------------------------------------------------------------------------- */

static vae_status parse_images(const char *text, const vae_images *images, struct image_list *list, vae_error *err)
{
    for (list->n = 0; *text || !list->n; list->n++) {
        const size_t length = strcspn(text, ",");
        char item[24];
        uint64_t index;
        if (list->n == MOST_LISTED) return vae_fail(err, VAE_E_USAGE, "--images: more than %d indices", MOST_LISTED);
        snprintf(item, sizeof item, "%.*s", (int)length, text);
        vae_status status = vae_parse_count("--images", item, 0, (double)images->n - 1, &index, err);
        if (status) return status;
        list->index[list->n] = (size_t)index;
        text += length;
        if (*text && !*++text) return vae_fail(err, VAE_E_USAGE, "--images: ends in a comma (expected I,J,...)");
    }
    return VAE_OK;
}

vae_status latents_images(const struct arguments *arguments, const vae_images *images, size_t fallback,
                          struct image_list *list, vae_error *err)
{
    const char *text = argument(arguments, "images");
    const char *count = argument(arguments, "n") ? "-n" : argument(arguments, "pairs") ? "--pairs" : NULL;
    uint64_t n;
    if (text && count) return vae_fail(err, VAE_E_USAGE, "--images or %s, not both", count);
    vae_status status = argument_count(arguments, "n", 1, MOST_LISTED, fallback, &n, err);
    if (status || text) return status ? status : parse_images(text, images, list, err);
    list->n = n < images->n ? (size_t)n : images->n;
    for (size_t i = 0; i < list->n; i++) list->index[i] = i;
    return VAE_OK;
}

vae_status latents_encode(const vae_model *model, const vae_images *images, const struct image_list *list,
                          float *pixels, float *mean, float *scale, vae_error *err)
{
    const size_t L = (size_t)vae_model_config(model)->latent, D = images->rows * images->cols;
    vae_status status = VAE_OK;
    for (size_t i = 0; i < list->n && !status; i++) {
        status = vae_encode(model, images, list->index[i], 1, 1, 1, mean + i * L, scale ? scale + i * L : NULL, err);
        if (!status) status = vae_images_values(images, list->index[i], 1, pixels + i * D, err);
    }
    return status;
}

vae_status latents_decode(const struct arguments *arguments, const vae_model *model, size_t n, const float *z,
                          float **tiles, vae_error *err)
{
    size_t rows, cols;
    uint8_t label;
    vae_model_shape(model, &rows, &cols);
    vae_status status = run_label(arguments, model, 0, &label, err);
    if (status) return status;
    *tiles = calloc(n * rows * cols, sizeof **tiles);
    uint8_t *labels = calloc(n, sizeof *labels);
    if (!*tiles || !labels) status = vae_fail(err, VAE_E_MEMORY, "out of memory for %zu mean images", n);
    if (!status) memset(labels, label, n);
    if (!status) status = vae_decode(model, n, z, labels, 0, *tiles, err);
    free(labels);
    return status;
}

/* ---- Where they are moved to ------------------------------------------------------------------------------------ */

static const double MOST_NORMAL = 1.9599639845400542; /* the 97.5 % quantile of a standard normal */

static vae_status aggregate(const struct arguments *arguments, const vae_model *model, vae_marginals **marginals,
                            vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *images = NULL;
    vae_status status = run_open_data(arguments, arguments->run, model, &data, &images, err);
    if (!status) status = vae_aggregate_marginals(marginals, model, images, 1, 0, err);
    vae_data_free(&data);
    return status;
}

const char *latents_largest(size_t shown, size_t L, char text[64])
{
    if (shown == L)
        snprintf(text, 64, "the largest KL first");
    else
        snprintf(text, 64, "the %zu of %zu latents with the largest KL", shown, L);
    return text;
}

vae_status latents_check_images(const struct arguments *arguments, vae_error *err)
{
    static const char *const of_images[] = {"data", "split"};
    const char *range = argument(arguments, "range");
    if (argument(arguments, "image") || (range && !strcmp(range, "aggregate"))) return VAE_OK;
    for (size_t i = 0; i < sizeof of_images / sizeof *of_images; i++)
        if (argument(arguments, of_images[i]))
            return vae_fail(err, VAE_E_USAGE,
                            "--%s: names images, and nothing here is of images (expected it with --range aggregate)",
                            of_images[i]);
    return VAE_OK;
}

vae_status latents_range(const struct arguments *arguments, const vae_model *model, struct latent_range *range,
                         vae_error *err)
{
    const char *text = argument(arguments, "range");
    const bool prior = !text || !strcmp(text, "prior"), known = prior || !strcmp(text, "aggregate");
    *range = (struct latent_range){.same = true};
    snprintf(range->name, sizeof range->name, "over the middle 95 %% of the %s",
             prior ? "prior" : "aggregate posterior");
    if (prior) {
        vae_status status = vae_prior_marginals(&range->marginals, model, 1, err);
        range->same = !status && !vae_marginal_draws(range->marginals);
        return status;
    }
    range->same = !known;
    if (known) return aggregate(arguments, model, &range->marginals, err);
    if (!strpbrk(text, "0123456789"))
        return vae_fail(err, VAE_E_USAGE, "--range: '%s' (expected prior, aggregate or a number)", text);
    vae_status status = argument_real(arguments, "range", 0, 1e6, 0, &range->most, err);
    snprintf(range->name, sizeof range->name, "from %g to %g", -range->most, range->most);
    return status;
}

void latents_range_free(struct latent_range *range) { vae_marginals_free(&range->marginals); }

/* From -1 to 1; one step alone is in the middle. */
static double share_of(size_t k, size_t steps) { return steps < 2 ? 0 : 2 * (double)k / (double)(steps - 1) - 1; }

double latents_probability(size_t k, size_t steps)
{
    return 0.5 * erfc(-MOST_NORMAL * share_of(k, steps) / 1.41421356237309504880);
}

double latents_place(const struct latent_range *range, size_t latent, size_t k, size_t steps)
{
    if (!range->marginals) return range->most * share_of(k, steps);
    return vae_marginal_quantile(range->marginals, latent, latents_probability(k, steps));
}

void latents_middle(const struct latent_range *range, size_t L, float *z)
{
    for (size_t j = 0; j < L; j++) z[j] = j && range->same ? z[0] : (float)latents_place(range, j, 0, 1);
}

void latents_place_name(double z, char name[LATENT_NAME])
{
    snprintf(name, LATENT_NAME, "%.3g", fabs(z) < 1e-6 ? 0 : z);
}
