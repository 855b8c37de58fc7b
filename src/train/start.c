/* SPDX-License-Identifier: MIT */
#include "train/start.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/stream.h"
#include "model/config.h"

/* As training sees them; where pixels are drawn at each use, the grey ones. */
static struct pixels lasting_pixels(const struct vae_model *model, const vae_images *images)
{
    if (model->binarize == BINARIZE_DYNAMIC) return (struct pixels){.rule = PIXELS_GREY};
    return model_pixels(model, images, 0, 0);
}

/* Mean and standard deviation (2,D) of each pixel over the training images. */
static vae_status pixel_moments(const struct vae_model *model, const vae_images *images, real *moments, vae_error *err)
{
    const size_t D = model->D;
    const struct pixels pixels = lasting_pixels(model, images);
    double *sum = mem_new(D, 2 * sizeof *sum, err);
    vae_status status = sum ? VAE_OK : VAE_E_MEMORY;
    for (size_t i = 0; i < images->n && !status; i++) {
        if (!images_gather(images, &pixels, NULL, i, 1, moments))
            status = vae_fail(err, VAE_E_DATA, "%s: cannot read image %zu", images->stream->path, i);
        for (size_t k = 0; k < D; k++) {
            const double x = (double)moments[k];
            sum[k] += x;
            sum[D + k] += x * x;
        }
    }
    for (size_t k = 0; k < D && !status; k++) {
        const double mean = sum[k] / (double)images->n, square = sum[D + k] / (double)images->n;
        moments[k] = R(mean);
        moments[D + k] = R(sqrt(fmax(0, square - mean * mean)));
    }
    free(sum);
    return status;
}

/* --output-bias data: an empty decoder gives the mean training image, and deviations from it where it gives those. */
static vae_status start_output_bias(struct vae_model *model, const vae_images *images, vae_error *err)
{
    const struct dense *last = &model->decoder.layer[model->decoder.layers - 1];
    real *moments = mem_new(model->D, 2 * sizeof *moments, err);
    vae_status status = moments ? pixel_moments(model, images, moments, err) : VAE_E_MEMORY;
    if (!status)
        model->likelihood->output_for(model->likelihood_state, model->D, moments, moments + model->D,
                                      model->params + last->bias);
    free(moments);
    return status;
}

vae_status start_encoded_data(struct vae_model *model, const vae_images *images, vae_error *err)
{
    const struct tensor *data = &model->block.tensor[model->declared.tensor[0]];
    const struct pixels pixels = lasting_pixels(model, images);
    const struct rng rng = {.seed = model->config.seed, .step = (uint64_t)-1, .stream = RNG_SHUFFLE};
    uint32_t *order = mem_new(images->n, sizeof *order, err);
    if (!order) return VAE_E_MEMORY;
    rng_permutation(&rng, images->n, order);
    vae_status status = VAE_OK;
    for (size_t k = 0; k < data->dim[0] && !status; k++)
        if (!images_gather(images, &pixels, order + k % images->n, 0, 1, model->params + data->offset + k * model->D))
            status = vae_fail(err, VAE_E_DATA, "%s: cannot read images", images->stream->path);
    free(order);
    return status;
}

/* ---- Weights of another model ----------------------------------------------------------------------------------- */

/* Settings that decide what a network's weights mean; `other` receives those that differ, with their values there. */
static bool same_networks(const vae_config *config, const vae_config *there, char other[VAE_MAX_SOURCE])
{
    static const char decisive[] = "posterior|likelihood|latent|hidden|activation|conditional";
    const vae_setting *setting;
    size_t used = 0;
    *other = '\0';
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        char here[VAE_MAX_SOURCE], text[VAE_MAX_SOURCE];
        if (!is_listed(decisive, setting->name)) continue;
        vae_config_text(config, setting, here, sizeof here);
        if (!strcmp(here, vae_config_text(there, setting, text, sizeof text))) continue;
        used += (size_t)snprintf(other + used, VAE_MAX_SOURCE - used, "%s%s %s", used ? ", " : "", setting->name, text);
        if (used >= VAE_MAX_SOURCE) break;
    }
    return !used;
}

/* The tensor of the same name and shape, or NULL. */
static const struct tensor *same_tensor(const struct vae_model *model, const struct tensor *tensor)
{
    const struct tensor *found = block_find(&model->block, tensor->name);
    return found && found->rank == tensor->rank && !memcmp(found->dim, tensor->dim, sizeof found->dim) ? found : NULL;
}

/* Words among a prior's parameters, such as the base of LARS, decide what its tensors are. */
static bool has_same_words(const vae_choice *a, const vae_choice *b)
{
    const vae_param *params = prior_find(a->name)->module.params;
    for (size_t i = 0; params && params[i].name; i++)
        if (params[i].words && a->value[i] != b->value[i]) return false;
    return true;
}

static bool is_base_of(const vae_choice *prior, const vae_choice *other)
{
    char text[VAE_MAX_SOURCE], base[VAE_MAX_NAME + 8];
    choice_text(other, &prior_find(other->name)->module, text, sizeof text);
    snprintf(base, sizeof base, ":base=%s,", prior->name);
    return strstr(text, base);
}

/* What LARS has beside its base. */
static bool is_acceptance(const struct tensor *t)
{
    return !strncmp(t->name, "prior.accept.", sizeof "prior.accept." - 1) || !strcmp(t->name, "prior.z");
}

/* Has `b` all tensors of the prior of `a`? */
static bool has_all(const struct vae_model *a, const struct vae_model *b, bool but_acceptance)
{
    for (size_t i = 0; i < a->block.tensors; i++) {
        const struct tensor *t = &a->block.tensor[i];
        if (tensor_is_of_prior(t) && !(but_acceptance && is_acceptance(t)) && !same_tensor(b, t)) return false;
    }
    return true;
}

/* A prior comes along as a whole or not at all. */
static bool prior_comes_along(const struct vae_model *to, const struct vae_model *from)
{
    const vae_choice *here = &to->config.prior, *there = &from->config.prior;
    const bool is_same = !strcmp(here->name, there->name) && has_same_words(here, there);
    if (!is_same && !is_base_of(there, here)) return false;
    return has_all(from, to, false) && has_all(to, from, !is_same);
}

/* `prior`: did its weights come along? */
static void copy_weights(struct vae_model *to, const struct vae_model *from, bool *prior)
{
    *prior = prior_comes_along(to, from);
    for (size_t i = 0; i < to->block.tensors; i++) {
        const struct tensor *t = &to->block.tensor[i], *f = same_tensor(from, t);
        if (!f || (tensor_is_of_prior(t) && !*prior)) continue;
        for (size_t k = 0; k < t->count; k++) to->params[tensor_at(t, k)] = from->params[tensor_at(f, k)];
    }
}

static vae_status start_from(struct vae_model *model, bool *prior, vae_error *err)
{
    const char *path = model->config.start;
    char other[VAE_MAX_SOURCE];
    struct vae_model *from = NULL;
    vae_status status = vae_model_load(&from, path, err);
    if (status) return status;
    if (from->rows != model->rows || from->cols != model->cols)
        status = vae_fail(err, VAE_E_DATA, "start: %.200s is for images of %zu x %zu, and the data has %zu x %zu", path,
                          from->rows, from->cols, model->rows, model->cols);
    else if (!same_networks(&model->config, &from->config, other))
        status = vae_fail(err, VAE_E_USAGE, "start: %.200s has other networks (it has %.200s)", path, other);
    else
        copy_weights(model, from, prior);
    vae_model_free(&from);
    return status;
}

vae_status vae_model_start(vae_model *model, const vae_images *train, vae_error *err)
{
    const bool is_new = !strcmp(model->config.start, "none"), is_from_data = !strcmp(model->config.output_bias, "data");
    bool has_prior = false;
    if (!is_new && is_from_data)
        return vae_fail(err, VAE_E_USAGE, "output-bias: data has no meaning with start, whose biases come along");
    vae_status status = vae_model_check_training(model, train, err);
    if (!status && !is_new) status = start_from(model, &has_prior, err);
    if (!status && is_from_data) status = start_output_bias(model, train, err);
    if (!status && !has_prior && model->declared.encodes) status = start_encoded_data(model, train, err);
    return status;
}
