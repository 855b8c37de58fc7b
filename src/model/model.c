/* SPDX-License-Identifier: MIT
 *
 * What a model consists of: layers and their tensors in one block, prior, posterior and likelihood with their state. */
#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "model/metrics.h"
#include "model/config.h"

/* ---- Layout ----------------------------------------------------------------------------------------------------- */

/* Those of a and b, and what a flow is told of the image. */
static void lay_out_heads(struct vae_model *model, size_t in)
{
    const struct flow_ops *flow = model->posterior->flow;
    const size_t context = flow ? flow->context(model->config.posterior.value) : 0;
    const size_t width[POSTERIOR_HEADS] = {model->L, model->L, context};
    block_add_heads(&model->block, &model->encoder, in, flow ? 3 : 2, model->posterior->head, width);
    model->flow_nets = (struct flow_nets){.param = model->config.posterior.value, .L = model->L, .C = context};
}

static void lay_out(struct vae_model *model)
{
    const struct activation *activation = activation_find(model->config.activation.name);
    const uint64_t *hidden = model->config.hidden;
    const size_t depth = config_depth(&model->config);
    size_t in = model->D;
    model->encoder.classes = model->decoder.classes = model->C;
    for (size_t i = 0; i < depth; i++) {
        block_add_layer(&model->block, &model->encoder, "encoder", in, hidden[i], activation);
        in = hidden[i];
    }
    lay_out_heads(model, in);
    in = model->L;
    for (size_t i = depth; i > 0; i--) {
        block_add_layer(&model->block, &model->decoder, "decoder", in, hidden[i - 1], activation);
        in = hidden[i - 1];
    }
    block_add_layer(&model->block, &model->decoder, "decoder", in, model->D * model->outputs, &activation_identity);
}

/* A prior, likelihood or flow that learns brings networks and tensors of its own, behind those of encoder and decoder.
 */
static vae_status lay_out_distributions(struct vae_model *model, vae_error *err)
{
    const struct joint_ops *joint = model->prior->joint;
    const struct likelihood_ops *likelihood = model->likelihood;
    model->declared = (struct declared){.param = model->config.prior.value,
                                        .L = model->L,
                                        .D = model->D,
                                        .lowest = likelihood->lowest,
                                        .highest = likelihood->highest};
    if (model->posterior->flow) model->posterior->flow->declare(&model->flow_nets, &model->block);
    vae_status status = joint ? joint->declare(&model->declared, &model->block, err) : VAE_OK;
    if (!status && likelihood->declare)
        model->learned = likelihood->declare(model->config.likelihood.value, &model->block);
    return status;
}

bool model_is_finite(const struct vae_model *model)
{
    const real *const block[] = {model->params, model->adam.m, model->adam.v};
    for (size_t b = 0; b < sizeof block / sizeof *block; b++)
        for (size_t i = 0; i < model->block.size; i++)
            if (!isfinite((float)block[b][i])) return false;
    return true;
}

static size_t model_parameters(const struct vae_model *model)
{
    size_t count = 0;
    for (size_t i = 0; i < model->block.tensors; i++) count += model->block.tensor[i].count;
    return count;
}

size_t model_file_size(const struct vae_model *model) { return 3 * model_parameters(model) * sizeof(float); }

/* ---- Life ------------------------------------------------------------------------------------------------------- */

static void choose_kl(struct vae_model *model)
{
    bool by_default = false;
    model->exact = config_exact_kl(&model->config, &by_default);
    model->exact_kl = by_default;
    if (strcmp(model->config.kl, "auto")) model->exact_kl = !strcmp(model->config.kl, "exact");
}

/* NULL: out of memory. */
static real *make_mask(const struct block *block, vae_error *err)
{
    real *mask = mem_new(block->size, sizeof *mask, err);
    for (size_t i = 0; mask && i < block->tensors; i++) {
        const struct tensor *t = &block->tensor[i];
        for (size_t k = 0; k < t->count; k++)
            mask[tensor_at(t, k)] = !t->keeps || t->keeps(t, k / t->dim[1], k % t->dim[1]);
    }
    return mask;
}

static vae_status allocate_blocks(struct vae_model *model, vae_error *err)
{
    model->prior_state = mem_new(1, model->prior->state_size, err);
    model->posterior_state = mem_new(1, model->posterior->state_size, err);
    model->likelihood_state = mem_new(1, model->likelihood->state_size, err);
    model->params = mem_new(model->block.size, sizeof(real), err);
    model->adam.m = mem_new(model->block.size, sizeof(real), err);
    model->adam.v = mem_new(model->block.size, sizeof(real), err);
    model->training.kl_per_dim = mem_new(model->L, sizeof(double), err);
    if (model->posterior->flow && !(model->mask = make_mask(&model->block, err))) return VAE_E_MEMORY;
    return model->prior_state && model->posterior_state && model->likelihood_state && model->params && model->adam.m &&
                   model->adam.v && model->training.kl_per_dim
               ? VAE_OK
               : VAE_E_MEMORY;
}

static void configure(struct vae_model *model, const vae_config *config, size_t rows, size_t cols)
{
    model->config = *config;
    model->rows = rows;
    model->cols = cols;
    model->D = rows * cols;
    model->L = config->latent;
    model->C = config->classes;
    model->prior = prior_find(config->prior.name);
    model->posterior = posterior_find(config->posterior.name);
    model->likelihood = likelihood_find(config->likelihood.name);
    model->outputs = likelihood_outputs(model->likelihood, config->likelihood.value);
    choose_kl(model);
    model->stratified = !strcmp(config->kl_noise, "stratified");
    model->iwae = !strcmp(config->objective, "iwae");
    model->gradient = (enum gradient)config_word(config, "gradient");
    model->binarize = (enum binarize)config_word(config, "binarize");
    model->schedule = (enum schedule)config_word(config, "schedule");
    model->per_draw = model->iwae || model->gradient != GRADIENT_STANDARD || model_has_joint_kl(model);
    lay_out(model);
}

/* The layout of a model, checked, and none of its memory. */
static vae_status model_plan(struct vae_model **out, const vae_config *config, size_t rows, size_t cols, vae_error *err)
{
    vae_status status = vae_config_check(config, err);
    if (status) return status;
    struct vae_model *model = mem_new(1, sizeof *model, err);
    if (!model) return VAE_E_MEMORY;
    configure(model, config, rows, cols);
    status = lay_out_distributions(model, err);
    if (status) vae_model_free(&model);
    *out = model;
    return status;
}

vae_status model_allocate(struct vae_model **out, const vae_config *config, size_t rows, size_t cols, size_t limit,
                          vae_error *err)
{
    struct vae_model *model = NULL;
    vae_status status = model_plan(&model, config, rows, cols, err);
    if (status) return status;
    if (model_file_size(model) > limit)
        status = vae_fail(err, VAE_E_MODEL, "tensors of %zu bytes (at most %zu)", model_file_size(model), limit);
    else
        status = allocate_blocks(model, err);
    if (status) {
        vae_model_free(&model);
        return status;
    }
    prior_init(model->prior, model->prior_state, config->prior.value);
    if (model->posterior->init) model->posterior->init(model->posterior_state, config->posterior.value);
    model->likelihood->init(model->likelihood_state, config->likelihood.value);
    model->training.metrics = metrics_none();
    for (size_t j = 0; j < model->L; j++) model->training.kl_per_dim[j] = (double)NAN;
    vae_build(model->build, sizeof model->build);
    *out = model;
    return VAE_OK;
}

/* Half the width of a uniform distribution, or the standard deviation of a normal one. */
static double init_spread(const char *init, size_t in, size_t out)
{
    if (!strcmp(init, "glorot")) return sqrt(6 / (double)(in + out)); /* Glorot & Bengio 2010, equation 16 */
    if (!strcmp(init, "he")) return sqrt(2 / (double)in);             /* He et al. 2015, equation 10 */
    return 1 / sqrt((double)in);                                      /* PyTorch's nn.Linear, biases too */
}

/* Draw k of a tensor; `spread` is half the width of a uniform, or the deviation of a normal distribution. */
static double start_value(const struct rng *rng, size_t k, bool normal, double spread)
{
    uint32_t word;
    rng_words(rng, k, 1, &word);
    const double draw = normal ? (double)rng_normal(word) : 2 * rng_uniform(word) - 1;
    return draw * spread;
}

/* Tensor i draws from step i of its stream. Biases are zero but for PyTorch's. */
static void initialise(struct vae_model *model)
{
    const char *init = model->config.init;
    size_t in = 0, out = 0;
    for (size_t i = 0; i < model->block.tensors; i++) {
        const struct tensor *tensor = &model->block.tensor[i];
        const struct rng rng = {.seed = model->config.seed, .step = i, .stream = RNG_INIT};
        if (tensor->start == START_WEIGHT) in = tensor->dim[1], out = tensor->dim[0]; /* a bias follows its weight */
        if (tensor->start == START_BIAS && strcmp(init, "torch")) continue;
        const bool own = tensor->start == START_NORMAL || tensor->start == START_VALUE;
        const bool normal = own || !strcmp(init, "he");
        const double spread = own ? tensor->spread : init_spread(init, in, out);
        for (size_t k = 0; k < tensor->count; k++) {
            const size_t at = tensor_at(tensor, k);
            if (model_masks(model, at)) continue;
            model->params[at] = R(tensor->start == START_VALUE ? spread : start_value(&rng, k, normal, spread));
        }
    }
}

static vae_status check_image_size(size_t rows, size_t cols, vae_error *err)
{
    if (is_image_size(rows, cols)) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "images of %zu x %zu pixels (expected 1 to %d a side, at most %d in all)", rows,
                    cols, MAX_SIDE, MAX_PIXELS);
}

vae_status vae_model_size(const vae_config *config, size_t rows, size_t cols, size_t *parameters, vae_error *err)
{
    struct vae_model *model = NULL;
    vae_status status = check_image_size(rows, cols, err);
    if (!status) status = model_plan(&model, config, rows, cols, err);
    if (!status) *parameters = model_parameters(model);
    vae_model_free(&model);
    return status;
}

vae_status vae_model_new(vae_model **out, const vae_config *config, size_t rows, size_t cols, vae_error *err)
{
    vae_status status = check_image_size(rows, cols, err);
    if (!status) status = model_allocate(out, config, rows, cols, SIZE_MAX, err);
    if (!status) initialise(*out);
    return status;
}

void vae_model_free(vae_model **out)
{
    struct vae_model *model = out ? *out : NULL;
    if (!model) return;
    free(model->prior_state);
    free(model->posterior_state);
    free(model->likelihood_state);
    free(model->params);
    free(model->adam.m);
    free(model->adam.v);
    free(model->mask);
    free(model->training.kl_per_dim);
    free(model);
    *out = NULL;
}

/* ---- Looking inside --------------------------------------------------------------------------------------------- */

const vae_config *vae_model_config(const vae_model *model) { return &model->config; }

static uint64_t epochs_begun(const struct vae_model *model)
{
    const uint64_t n = model->training.images, batch = model->config.batch < n ? model->config.batch : n;
    if (n == 0) return model->training.metrics.epoch;
    const uint64_t steps = (n + batch - 1) / batch;
    return (model->training.step + steps - 1) / steps;
}

vae_status vae_model_set(vae_model *model, const char *name, const char *text, vae_error *err)
{
    vae_config changed = model->config;
    const uint64_t begun = epochs_begun(model);
    if (!is_listed(VAE_CHANGEABLE, name))
        return vae_fail(err, VAE_E_USAGE, "%s: a trained model keeps its settings (all but %s)", name, VAE_CHANGEABLE);
    vae_status status = vae_config_set(&changed, name, text, err);
    if (!status && changed.epochs != model->config.epochs && changed.epochs < begun)
        status = vae_fail(err, VAE_E_USAGE, "epochs: %llu is less than the %llu that are done or begun",
                          (unsigned long long)changed.epochs, (unsigned long long)begun);
    if (!status && changed.epochs != model->config.epochs && !strcmp(changed.schedule, "cosine"))
        status = vae_fail(err, VAE_E_USAGE, "epochs: the cosine schedule of this run depends on it");
    if (!status) status = vae_config_check(&changed, err);
    if (!status) model->config = changed;
    return status;
}

void vae_model_shape(const vae_model *model, size_t *rows, size_t *cols)
{
    *rows = model->rows;
    *cols = model->cols;
}

const vae_metrics *vae_model_metrics(const vae_model *model) { return &model->training.metrics; }
const double *vae_model_kl_per_dim(const vae_model *model) { return model->training.kl_per_dim; }
const char *vae_model_build(const vae_model *model) { return model->build; }

bool vae_model_fitted(const vae_model *model, vae_fit_options *fit)
{
    const struct training_state *t = &model->training;
    fit->passes = t->fit.passes;
    fit->batch = t->fit.batch;
    fit->seed = t->fit.seed;
    fit->lr = t->fit.lr;
    return t->fit.passes > 0;
}

bool vae_model_tensor(const vae_model *model, size_t i, vae_tensor *out)
{
    if (i >= model->block.tensors) return false;
    const struct tensor *t = &model->block.tensor[i];
    *out = (vae_tensor){.name = t->name, .rank = t->rank, .dim = {t->dim[0], t->dim[1]}, .count = t->count};
    return true;
}

void vae_model_read(const vae_model *model, size_t i, float *values)
{
    const struct tensor *t = &model->block.tensor[i];
    for (size_t k = 0; k < t->count; k++) values[k] = (float)model->params[tensor_at(t, k)];
}

void vae_model_write(vae_model *model, size_t i, const float *values)
{
    const struct tensor *t = &model->block.tensor[i];
    const real lowest = R(t->lowest), highest = R(t->highest);
    for (size_t k = 0; k < t->count; k++) {
        const real value = R(values[k]), low = value < lowest ? lowest : value; /* NaN stays */
        if (!model_masks(model, tensor_at(t, k))) model->params[tensor_at(t, k)] = low > highest ? highest : low;
    }
}
