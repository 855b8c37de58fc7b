/* SPDX-License-Identifier: MIT */
#include "check/small.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"

vae_status small_open(struct small *s, vae_config *config, vae_error *err)
{
    config->latent = s->L;
    config->hidden[0] = 8;
    vae_status status = vae_model_new(&s->model, config, 2, 3, err);
    if (!status) status = pool_new(&s->pool, 1, err);
    if (status) return status;
    real **const block[] = {&s->gradient, &s->before, &s->direction};
    for (size_t i = 0; i < 3; i++)
        if (!(*block[i] = mem_new(s->model->block.size, sizeof(real), err))) return VAE_E_MEMORY;
    return VAE_OK;
}

vae_status small_take(struct small *s, struct arena *arena, vae_error *err)
{
    if (arena->used > SIZE_MAX - GUARD) return vae_fail(err, VAE_E_MEMORY, "out of memory for a check");
    s->workspace = arena->used;
    s->memory = mem_new(1, arena->used + GUARD, err);
    if (!s->memory) return VAE_E_MEMORY;
    guard(s->memory + s->workspace, GUARD);
    *arena = (struct arena){.base = (char *)s->memory};
    return VAE_OK;
}

void small_close(struct small *s)
{
    pool_free(s->pool);
    vae_model_free(&s->model);
    free(s->memory);
    free(s->gradient);
    free(s->before);
    free(s->direction);
}

void small_label(struct small *s, const vae_module *module, const vae_choice *choice, const char *state)
{
    char text[sizeof s->f->label - 16];
    choice_text(choice, module, text, sizeof text);
    snprintf(s->f->label, sizeof s->f->label, "%s %s", text, state);
}

/* The more matrices stand one behind another, the less each is moved: else a flow of many blocks is steeper than the
 * grids resolve that its density is summed on. */
static double share_of_move(const struct block *block)
{
    enum { UNDIMINISHED = 8 };
    size_t matrices = 0;
    for (size_t i = 0; i < block->tensors; i++) matrices += block->tensor[i].rank == 2 && block->tensor[i].rate > 0;
    return matrices > UNDIMINISHED ? sqrt((double)UNDIMINISHED / (double)matrices) : 1;
}

void small_disturb(struct small *s)
{
    const double share = share_of_move(&s->model->block);
    for (size_t i = 0; i < s->model->block.tensors; i++) {
        const struct tensor *t = &s->model->block.tensor[i];
        const double spread = share * 0.4 / sqrt((double)(t->rank == 2 ? t->dim[1] : 4));
        for (size_t k = 0; k < t->count && t->rate > 0; k++) {
            real *const at = &s->model->params[tensor_at(t, k)];
            uint32_t word;
            rng_words(&(struct rng){.seed = 1, .step = i + 1, .stream = RNG_INIT}, k, 1, &word);
            if (!model_masks(s->model, tensor_at(t, k)))
                *at = R(fmin(t->highest, fmax(t->lowest, (double)*at + spread * (double)rng_normal(word))));
        }
    }
}

void small_differentiate(struct small *s, const struct run *run)
{
    for (size_t i = 0; i < run->net->layers; i++) {
        const struct dense *layer = &run->net->layer[i];
        run_gradient(run, i, dense_weight_span(layer, 1, 0), dense_bias_span(layer, 1, 0), false, s->gradient);
    }
}

/* ---- Tensors ---------------------------------------------------------------------------------------------------- */

struct move {
    struct small *s;
    double (*sum)(void *context);
    void *context;
};

static double sum_along_direction(void *context, double at)
{
    const struct move *m = context;
    const struct small *s = m->s;
    for (size_t i = 0; i < s->model->block.size; i++)
        s->model->params[i] = R((double)s->before[i] + at * (double)s->direction[i]);
    return m->sum(m->context);
}

/* Weights that are masked do not move. The step is such that F changes by a tenth at most. */
static void check_tensor(struct move *m, const struct tensor *t)
{
    const struct small *s = m->s;
    double slope = 0;
    memset(s->direction, 0, s->model->block.size * sizeof(real));
    for (size_t k = 0; k < t->count; k++) {
        const size_t i = tensor_at(t, k);
        if (model_masks(s->model, i)) continue;
        s->direction[i] = R((s->gradient[i] < 0 ? -1 : 1) * seeded(k, 0.5, 1.5));
        slope += (double)s->gradient[i] * (double)s->direction[i];
    }
    const double step = slope > 0 ? fmin(0.02, 0.05 / slope) : 0.02;
    note(s->f, SLOPE_OF_TENSORS, slope_error(sum_along_direction, m, 0, step, slope, 0.1), "L = %zu, %s", s->L,
         t->name);
    sum_along_direction(m, 0);
}

void small_check_tensors(struct small *s, double (*sum)(void *context), void *context)
{
    struct move move = {s, sum, context};
    memcpy(s->before, s->model->params, s->model->block.size * sizeof(real));
    for (size_t i = 0; i < s->model->block.tensors; i++)
        if (s->model->block.tensor[i].rate > 0) check_tensor(&move, &s->model->block.tensor[i]);
}

void small_check_again(struct small *s, void (*twice)(void *context), void *context)
{
    const size_t block = s->model->block.size;
    memset(s->gradient, 0, block * sizeof(real));
    twice(context);
    memcpy(s->direction, s->gradient, block * sizeof(real));
    memcpy(s->before, s->model->params, block * sizeof(real));
    twice(context);
    note(s->f, AGAIN, differing(s->direction, s->gradient, block, sizeof(real)), "gradients, L = %zu", s->L);
    note(s->f, OUTSIDE, differing(s->before, s->model->params, block, sizeof(real)), "parameters, L = %zu", s->L);
}
