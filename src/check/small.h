/* SPDX-License-Identifier: MIT
 *
 * A small model, for checks of what has networks and tensors of its own: at its start and at seeded values away from
 * there, where no gradient is zero and no two components are alike. In a tensor with the claimed gradient g of some sum
 * F, slopes are compared along one direction, which moves every element by 1/2 to 3/2 of a step the way that g says. So
 * F should rise by the sum of all |g_k v_k|, and elements of the wrong sign, too large, too small or forgotten all show
 * by their share of it. Tensors in which no slope is claimed have to have none. */
#ifndef VAE_SMALL_H
#define VAE_SMALL_H

#include "check/findings.h"
#include "model/model.h"

struct small {
    struct findings *f;
    size_t L;
    vae_model *model;
    struct pool *pool;
    real *gradient, *before, *direction; /* blocks like the parameters: before they are moved, and where to */

    unsigned char *memory; /* a workspace of so many bytes, and guarded ones behind it */
    size_t workspace;
};

/* A model of L latents; `config` has its prior or posterior. */
vae_status small_open(struct small *s, vae_config *config, vae_error *err);
/* Memory for what an arena was laid out for. */
vae_status small_take(struct small *s, struct arena *arena, vae_error *err);
void small_close(struct small *s);

/* What is being looked at: this choice, as it starts or moved away from there. */
void small_label(struct small *s, const vae_module *module, const vae_choice *choice, const char *state);

/* Noise of about 0.4 / sqrt(inputs of a layer) on all that is learned. */
void small_disturb(struct small *s);
/* The gradient of a network that has been on its way back. */
void small_differentiate(struct small *s, const struct run *run);
/* Of all that is learned; `sum` is F of its context at the parameters as they are. */
void small_check_tensors(struct small *s, double (*sum)(void *context), void *context);
/* `twice` computes the gradient and more: a second time it has to be the same, and no parameter another. */
void small_check_again(struct small *s, void (*twice)(void *context), void *context);

#endif
