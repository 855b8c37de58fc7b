/* SPDX-License-Identifier: MIT */
#ifndef VAE_EVALUATE_H
#define VAE_EVALUATE_H

#include "base/pool.h"
#include "model/model.h"

/* As vae_evaluate, vae_estimate_nll, with a pool that is already there. */
vae_status model_evaluate(vae_evaluation **out, const struct vae_model *model, const vae_images *images,
                          const vae_eval_options *options, struct pool *pool, vae_error *err);
vae_status model_estimate_nll(vae_nll *out, const struct vae_model *model, const vae_images *images,
                              const vae_nll_options *options, struct pool *pool, vae_error *err);
/* n draws (n,L): of the posteriors of the n images of `index`, or, where that is NULL, of images first, first + 1, ...
 */
vae_status model_sample_posteriors(const struct vae_model *model, const vae_images *images, const uint32_t *index,
                                   size_t first, size_t n, uint64_t seed, size_t threads, float *z, vae_error *err);

#endif
