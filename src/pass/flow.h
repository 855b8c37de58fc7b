/* SPDX-License-Identifier: MIT
 *
 * A flow at work in a pass, behind the draws of the posterior that it begins with. */
#ifndef VAE_MODEL_FLOW_H
#define VAE_MODEL_FLOW_H

#include "model/model.h"

/* Of so many images and draws of each at most; `learns`: with a way back. Only models whose posterior is a flow have
 * one. */
vae_status flow_new(struct flow *flow, const struct vae_model *model, size_t images, size_t draws, bool learns,
                    vae_error *err);
/* The buffers of it: laid out twice, as all workspaces are. */
void flow_lay_out(struct flow *flow, struct arena *arena);
void flow_free(struct flow *flow);

/* z0 -> z of `rows` rows, draws of `images` images, in its place; adds log |det dz/dz0| to log_det, unless that is
 * NULL. */
void flow_forward(struct flow *flow, struct pool *pool, size_t images, size_t rows, real *z, double *log_det);
/* z -> z0 of the same kind of rows, in its place; writes over the tape. */
void flow_inverse(struct flow *flow, struct pool *pool, size_t images, size_t rows, real *z);
/* dz -> dz0 of the same rows, in its place, of a loss that has weight * log_det. */
void flow_backward(struct flow *flow, struct pool *pool, size_t rows, const real *weight, real *dz);

#endif
