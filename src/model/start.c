/* SPDX-License-Identifier: MIT */
#include "model/start.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/stream.h"

/* As training sees them; where pixels are drawn at each use, the grey ones. */
static struct pixels lasting_pixels(const struct vae_model *model, const vae_images *images)
{
    if (model->binarize == BINARIZE_DYNAMIC) return (struct pixels){.rule = PIXELS_GREY};
    return model_pixels(model, images, 0, 0);
}

vae_status start_output_bias(struct vae_model *model, const vae_images *images, vae_error *err)
{
    const struct dense *last = &model->decoder.layer[model->decoder.layers - 1];
    const struct pixels pixels = lasting_pixels(model, images);
    double *sum = mem_new(model->D, sizeof *sum, err);
    real *x = mem_new(model->D, sizeof *x, err);
    vae_status status = sum && x ? VAE_OK : VAE_E_MEMORY;
    for (size_t i = 0; i < images->n && !status; i++) {
        if (!images_gather(images, &pixels, NULL, i, 1, x))
            status = vae_fail(err, VAE_E_DATA, "%s: cannot read image %zu", images->stream->path, i);
        for (size_t k = 0; k < model->D; k++) sum[k] += (double)x[k];
    }
    if (!status) {
        for (size_t k = 0; k < model->D; k++) x[k] = R(sum[k] / (double)images->n);
        model->likelihood->output_for(model->likelihood_state, model->D, x, model->params + last->bias);
    }
    free(sum);
    free(x);
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
