/* SPDX-License-Identifier: MIT
 *
 * For the comparison with PyTorch: one forward and backward pass of a freshly initialised model on a batch of built-in
 * digits, with everything that went in and everything that came out. Usage: dump_gradient FILE BATCH [SETTING VALUE]...
 * FILE gets records: a line "NAME COUNT\n", then COUNT float32 in machine order. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../disturb.h"
#include "base/memory.h"
#include "train/step.h"

static void dump(FILE *file, const char *name, const float *values, size_t count)
{
    fprintf(file, "%s %zu\n", name, count);
    if (count) fwrite(values, sizeof *values, count, file); /* of none there need be no memory */
}

/* The noise of draw k for the whole batch, by the rule that pass.h states. */
static void dump_noise(FILE *file, const struct pass *pass, const struct rng *rng, size_t draws)
{
    const size_t n = pass->B * pass->model->L;
    uint32_t *bits = mem_new(n, sizeof *bits, NULL);
    real *eps = mem_new(n, sizeof *eps, NULL);
    for (size_t k = 0; k < draws; k++) {
        char name[32];
        snprintf(name, sizeof name, "eps.%zu", k);
        rng_words(rng, (uint64_t)k << 36, n, bits);
        pass->model->posterior->noise(pass->model->posterior_state, n, bits, eps);
        dump(file, name, eps, n);
    }
    free(bits);
    free(eps);
}

static void dump_labels(FILE *file, const vae_images *images)
{
    fprintf(file, "label %zu\n", images->n);
    for (size_t i = 0; i < images->n; i++) fwrite(&(float){images->labels[i]}, sizeof(float), 1, file);
}

static void dump_tensors(FILE *file, const struct vae_model *model, const char *prefix, const real *block)
{
    for (size_t i = 0; i < model->block.tensors; i++) {
        const struct tensor *t = &model->block.tensor[i];
        char name[64];
        snprintf(name, sizeof name, "%s%s", prefix, t->name);
        fprintf(file, "%s %zu\n", name, t->count);
        for (size_t k = 0; k < t->count; k++) fwrite(&block[tensor_at(t, k)], sizeof(float), 1, file);
    }
}

static void run(FILE *file, struct stepper *step, const vae_images *images)
{
    struct vae_model *model = step->model;
    struct pass *pass = &step->pass;
    struct loss_slope slope;
    const struct rng noise = {.seed = model->config.seed, .step = 0, .stream = RNG_POSTERIOR};
    const struct rng own = {.seed = model->config.seed, .step = 0, .stream = RNG_OWN};
    pass_gather(pass, images, NULL, 0, images->n, NULL);
    pass_derive(pass, &own);
    pass_encode(pass);
    pass_latent(pass, &noise);
    pass_decode(pass, pass->plan.S * pass->B);
    pass_likelihood(pass, true);
    const struct losses losses = step_objective(step, model->config.beta, &slope);
    pass_backward(pass, &slope);
    pass_update(pass, model, NULL);
    const float values[3] = {(float)losses.loss, (float)losses.recon, (float)losses.kl};
    dump(file, "losses", values, 3);
    dump(file, "x", pass->x, images->n * model->D);
    dump_labels(file, images);
    dump_noise(file, pass, &noise, pass->plan.S > pass->plan.K ? pass->plan.S : pass->plan.K);
    dump(file, "own", pass->density.own_z, pass->density.own * model->L);
    dump_tensors(file, model, "param.", model->params);
    dump_tensors(file, model, "grad.", pass->params_gradient);
}

static int dump_all(FILE *file, const char *source, const char *batch, int argc, char **argv, vae_error *err)
{
    vae_config config;
    vae_data *data = NULL;
    vae_model *model = NULL;
    struct pool *pool = NULL;
    struct stepper step = {0};
    vae_config_defaults(&config);
    vae_status status = vae_config_set(&config, "batch", batch, err);
    for (int i = 0; i + 1 < argc && !status; i += 2) status = vae_config_set(&config, argv[i], argv[i + 1], err);
    if (!status) status = vae_data_open(&data, source, 0, 0, 1, err);
    if (!status) status = vae_model_new(&model, &config, data->train.rows, data->train.cols, err);
    if (!status) status = pool_new(&pool, 2, err);
    if (!status) status = step_prepare(&step, model, &data->train, pool, err);
    if (!status && model->prior->joint) disturb(model, "prior.", 1);
    if (!status && model->posterior->flow) disturb(model, "posterior.", 1);
    if (!status) run(file, &step, &data->train);
    step_release(&step);
    pool_free(pool);
    vae_model_free(&model);
    vae_data_free(&data);
    return (int)status;
}

int main(int argc, char **argv)
{
    vae_error err = {0};
    char source[64];
    FILE *file = argc > 2 ? fopen(argv[1], "wb") : NULL;
    if (!file) return 1;
    snprintf(source, sizeof source, "builtin:digits:train=%.8s,test=1", argv[2]);
    int status = dump_all(file, source, argv[2], argc - 3, argv + 3, &err);
    if (status) fprintf(stderr, "%s\n", err.message);
    return fclose(file) ? 1 : status;
}
