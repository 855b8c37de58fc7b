/* SPDX-License-Identifier: MIT
 *
 * A model away from its start, where some gradients are zero and components of a mixture are alike. */
#ifndef DISTURB_H
#define DISTURB_H

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "model/model.h"

/* Adds noise of about `spread` / sqrt(inputs of a layer) to the tensors that are learned and whose names begin with
 * `prefix`. */
static inline void disturb(vae_model *model, const char *prefix, double spread)
{
    for (size_t i = 0; i < model->block.tensors; i++) {
        const struct tensor *t = &model->block.tensor[i];
        const struct rng rng = {.seed = 6, .step = i, .stream = RNG_INIT};
        const real width = R(sqrt((double)(t->rank == 2 ? t->dim[1] : 4)));
        for (size_t k = 0; k < t->count && !strncmp(t->name, prefix, strlen(prefix)) && t->rate > 0; k++) {
            uint32_t word;
            rng_words(&rng, k, 1, &word);
            if (!model_masks(model, tensor_at(t, k)))
                model->params[tensor_at(t, k)] += R(spread) * (rng_normal(word) / width);
        }
    }
}

#endif
