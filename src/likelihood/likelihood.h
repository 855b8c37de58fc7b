/* SPDX-License-Identifier: MIT
 *
 * The interface of a likelihood p(x|z), factorised over pixels given the decoder's output. */
#ifndef VAE_LIKELIHOOD_H
#define VAE_LIKELIHOOD_H

#include "base/real.h"
#include "net/block.h"
#include "vae.h"

struct likelihood_state; /* completed privately by each likelihood's file */

/* Numbers of a likelihood that are learned with the model, and where their gradient goes: weight * d(-log p) / d value
 * of one image; NULL: not wanted. */
struct learned {
    const real *value;
    real *grad;
};

struct likelihood_ops {
    vae_module module;
    size_t state_size;
    double lowest, highest; /* pixels that it takes, ends included */
    bool discrete;          /* a probability of the pixels 0 and 1, not a density */

    /* Optional: what does not go together in these parameters, or NULL. */
    const char *(*conflict)(const double *param);
    /* Optional: decoder outputs per pixel; without it there is one. */
    size_t (*outputs)(const double *param);
    /* Optional: brings learned numbers into the block, as one vector. NULL where these parameters ask for none. */
    const struct tensor *(*declare)(const double *param, struct block *block);
    void (*init)(struct likelihood_state *state, const double *param);
    /* For one image of D pixels: returns -log p(x | out) in nats and writes grad = weight * d(-log p)/d out.
     * grad may be `out` itself (in place), or NULL where only the value is wanted. `learned` is for likelihoods that
     * have declared some. */
    double (*nll)(const struct likelihood_state *state, size_t D, const real *out, const real *x, real weight,
                  real *grad, const struct learned *learned);
    /* An output whose mean image is (close to) `mean`: where the output's bias may start. `deviation`:
     * of each pixel, over images. */
    void (*output_for)(const struct likelihood_state *state, size_t D, const real *mean, const real *deviation,
                       real *out);
    /* E[x | out]. */
    void (*mean)(const struct likelihood_state *state, size_t D, const real *out, real *mean);
    /* Draws x ~ p(x | out); bits[i] is a random word for pixel i alone. `learned` as in nll. */
    void (*sample)(const struct likelihood_state *state, size_t D, const real *out, const uint32_t *bits,
                   const struct learned *learned, real *x);
};

static inline size_t likelihood_outputs(const struct likelihood_ops *ops, const double *param)
{
    return ops->outputs ? ops->outputs(param) : 1;
}

const struct likelihood_ops *likelihood_at(size_t i);
const struct likelihood_ops *likelihood_find(const char *name);

/* All likelihoods: src/likelihood/NAME.c defines likelihood_NAME. */
#define LIKELIHOODS(X) X(bernoulli) X(gaussian) X(cbernoulli)

#define DECLARE_LIKELIHOOD(name) extern const struct likelihood_ops likelihood_##name;
LIKELIHOODS(DECLARE_LIKELIHOOD)
#undef DECLARE_LIKELIHOOD

#endif
