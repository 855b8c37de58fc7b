/* SPDX-License-Identifier: MIT */
#include "train/start.h"

#include <math.h>
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

vae_status start_output_bias(struct vae_model *model, const vae_images *images, vae_error *err)
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
