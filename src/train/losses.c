/* SPDX-License-Identifier: MIT */
#include "train/losses.h"

#include <math.h>

#include "evaluate/evaluate.h"

static vae_status evaluate(vae_evaluation **out, const struct vae_model *model, const vae_images *images,
                           size_t calibration, struct pool *pool, vae_error *err)
{
    vae_eval_options options;
    vae_eval_defaults(&options);
    options.sparsity = false;
    options.calibration = calibration;
    return model_evaluate(out, model, images, &options, pool, err);
}

vae_status losses_test(vae_evaluation **out, const struct vae_model *model, const vae_data *data, size_t calibration,
                       struct pool *pool, vae_error *err)
{
    return evaluate(out, model, data->test.n ? &data->test : &data->train, calibration, pool, err);
}

vae_status losses_validation(double *loss, const struct vae_model *model, const vae_data *data, size_t calibration,
                             struct pool *pool, vae_error *err)
{
    const vae_nll_options options = {.samples = (size_t)model->config.samples, .seed = 1};
    const vae_images *images = &data->validation;
    vae_evaluation *e = NULL;
    vae_nll nll = {.nll = NAN};
    vae_status status = VAE_OK;
    if (images->n && model->iwae)
        status = model_estimate_nll(&nll, model, images, &options, calibration, pool, err);
    else if (images->n)
        status = evaluate(&e, model, images, calibration, pool, err);
    *loss = e ? e->neg_elbo : nll.nll;
    vae_evaluation_free(&e);
    return status;
}
