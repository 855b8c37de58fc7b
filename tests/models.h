/* SPDX-License-Identifier: MIT
 *
 * Models for tests: with given settings, and with given weights. */
#ifndef VAE_TEST_MODELS_H
#define VAE_TEST_MODELS_H

#include "check.h"

/* Settings as "name", "value", ..., NULL. */
static inline vae_model *model_with(size_t rows, size_t cols, const char *const *settings)
{
    vae_model *model = NULL;
    vae_config config;
    vae_error err = {0};
    vae_config_defaults(&config);
    for (; *settings; settings += 2)
        if (vae_config_set(&config, settings[0], settings[1], &err)) fail_msg("%s", err.message);
    if (vae_model_new(&model, &config, rows, cols, &err)) fail_msg("%s", err.message);
    return model;
}

#define MODEL_WITH(rows, cols, ...) model_with(rows, cols, (const char *const[]){__VA_ARGS__, NULL})

static inline void set_tensor(vae_model *model, const char *name, const float *values)
{
    vae_tensor tensor;
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++)
        if (!strcmp(tensor.name, name)) {
            vae_model_write(model, i, values);
            return;
        }
    fail_msg("no tensor %s", name);
}

/* Turns a model with one pixel, one latent and two hidden ReLU units into z ~ N(0,1), x|z ~ N(z, sigma^2), q(z|x) =
 * N(m, s^2) for every x: the encoder's weights are zero, the decoder adds relu(z) and -relu(-z). */
static inline void make_conjugate(vae_model *model, double m, double s)
{
    const float zero[2] = {0}, split[2] = {1, -1}, mean = (float)m, logvar = (float)(2 * log(s));
    set_tensor(model, "mu.weight", zero);
    set_tensor(model, "mu.bias", &mean);
    set_tensor(model, "logvar.weight", zero);
    set_tensor(model, "logvar.bias", &logvar);
    set_tensor(model, "decoder.0.weight", split);
    set_tensor(model, "decoder.0.bias", zero);
    set_tensor(model, "decoder.1.weight", split);
    set_tensor(model, "decoder.1.bias", zero);
}

#endif
