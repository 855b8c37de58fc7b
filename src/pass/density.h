/* SPDX-License-Identifier: MIT
 *
 * A joint prior at work, as hosts use it: in a pass behind the draws of the posterior, and by itself, without encoder
 * and decoder, for draws from the prior. */
#ifndef VAE_DENSITY_H
#define VAE_DENSITY_H

#include "model/model.h"

/* Of `capacity` rows at most; `learns`: with a way back. Only models with a joint prior have one. */
vae_status density_new(struct density *d, const struct vae_model *model, size_t capacity, bool learns, vae_error *err);
/* The buffers of it: laid out twice, as all workspaces are. */
void density_lay_out(struct density *d, struct arena *arena);
void density_free(struct density *d);

/* What follows from the parameters alone: call it whenever they have changed. */
void density_derive(struct density *d, struct pool *pool);
/* A step of training: the prior's own rows are drawn. */
void density_propose(struct density *d, struct pool *pool, const struct rng *rng);
/* Before an evaluation: constants of the density, from so many of the prior's own draws. */
void density_calibrate(struct density *d, struct pool *pool, const struct rng *rng, size_t draws);

/* log p(z) of `rows` rows. */
void density_log_prob(struct density *d, struct pool *pool, size_t rows, const real *z, double *logp);
/* dz = d log p / dz of the rows that log_prob saw; `weight`: a 1 for each of them. For evaluations: nothing is left for
 * the gradient of parameters. */
void density_slopes(struct density *d, struct pool *pool, const real *z, const real *weight, real *dz);
/* Adds weight * d log p / dz to dz. */
void density_backward(struct density *d, struct pool *pool, const real *z, const real *weight, real *dz,
                      real *gradient);

#endif
