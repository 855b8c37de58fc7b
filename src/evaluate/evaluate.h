/* SPDX-License-Identifier: MIT */
#ifndef VAE_EVALUATE_H
#define VAE_EVALUATE_H

#include "base/pool.h"
#include "model/model.h"

/* As vae_evaluate, vae_estimate_nll, with a pool that is already there. `calibration`: as that of vae_eval_options. */
vae_status model_evaluate(vae_evaluation **out, const struct vae_model *model, const vae_images *images,
                          const vae_eval_options *options, struct pool *pool, vae_error *err);
vae_status model_estimate_nll(vae_nll *out, const struct vae_model *model, const vae_images *images,
                              const vae_nll_options *options, size_t calibration, struct pool *pool, vae_error *err);
/* VAE_E_DIVERGED, with a line on a loss that is no number. */
vae_status not_finite(const char *what, vae_error *err);
/* n draws (n,L): of the posteriors of the n images of `index`, or, where that is NULL, of images first, first + 1, ...
 */
vae_status model_sample_posteriors(const struct vae_model *model, const vae_images *images, const uint32_t *index,
                                   size_t first, size_t n, uint64_t seed, size_t threads, float *z, vae_error *err);

enum { VAE_PAIRS_OF_LABELS = 256 * 256 };
/* 2 I(a;b) / (H(a) + H(b)) of two labels of n things, as in cluster.c; NaN where both are constant. `both`: room to
 * count pairs in. */
double normalised_information(size_t n, const uint8_t *a, const uint8_t *b, size_t both[VAE_PAIRS_OF_LABELS]);

#endif
