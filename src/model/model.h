/* SPDX-License-Identifier: MIT */
#ifndef VAE_MODEL_H
#define VAE_MODEL_H

#include "base/pool.h"
#include "base/real.h"
#include "data/source.h"
#include "likelihood/likelihood.h"
#include "model/config.h"
#include "net/adam.h"
#include "net/block.h"
#include "net/net.h"
#include "posterior/flow.h"
#include "posterior/posterior.h"
#include "prior/joint.h"
#include "prior/prior.h"
#include "vae.h"

enum { MAX_LAYERS = (2 + PRIOR_NETS + FLOW_NETS) * NET_LAYERS };

/* How far a training has come. */
struct training_state {
    uint64_t images;                    /* that the model is trained on; 0: not known yet */
    bool has_crc;                       /* is it known of them, */
    uint32_t crc;                       /* the CRC-32 of their pixels and, of a conditional model, labels? */
    uint64_t step;                      /* training steps done */
    double sum_loss, sum_recon, sum_kl; /* over the images of the unfinished epoch */
    vae_metrics metrics;
    double *kl_per_dim; /* (L), of the last test pass */
    struct {
        uint64_t passes, batch, seed; /* passes 0: the prior was not fitted */
        double lr;
    } fit;
};

/* Weights, the state of the optimiser and that of the training, which a model file holds together. */
struct vae_model {
    vae_config config;
    size_t rows, cols;            /* of an image */
    size_t D, L, C;               /* data and latent dimension; classes, whose labels enter encoder and decoder */
    struct net encoder, decoder;  /* the encoder's last layer are the heads of q(z|x) */
    struct block block;           /* what is in params, and in Adam's moments */
    struct declared declared;     /* what of it is the prior's, where that is joint, */
    struct flow_nets flow_nets;   /* and the posterior's, where that is a flow */
    size_t outputs;               /* of the decoder, a pixel */
    const struct tensor *learned; /* what of it is the likelihood's, or NULL */

    const struct prior_ops *prior;
    const struct posterior_ops *posterior;
    const struct likelihood_ops *likelihood;
    struct prior_state *prior_state;
    struct posterior_state *posterior_state;
    struct likelihood_state *likelihood_state;
    kl_function *exact; /* of this prior to this posterior; NULL: there is none */
    bool exact_kl;      /* is it used in evaluations, and in training unless the objective weighs draws? */
    bool iwae;          /* the objective weighs draws by their importance */
    bool per_draw;      /* the KL enters by draws */
    bool stratified;    /* noise of the Monte Carlo KL */
    enum gradient gradient;
    enum binarize binarize;
    enum schedule schedule;

    real *params; /* the block of parameters */
    real *mask;   /* likewise: 0 where a weight is not there, else 1; NULL: all are */
    struct adam_moments adam;
    struct training_state training;
    char build[256];
};

/* A model with all memory and no values. VAE_E_MODEL, before anything large is allocated, where its tensors in a file
 * would take more than `limit` bytes. */
vae_status model_allocate(struct vae_model **out, const vae_config *config, size_t rows, size_t cols, size_t limit,
                          vae_error *err);
/* Is the KL one number for all latents, known by draws alone? */
static inline bool model_has_joint_kl(const struct vae_model *model)
{
    return model->prior->joint || model->posterior->flow;
}
/* Is this element of the block a weight that is masked, and thus zero for ever? */
static inline bool model_masks(const struct vae_model *model, size_t at)
{
    return model->mask && model->mask[at] == 0; /* exact: it is 0 or 1 */
}
/* Notes what the model is trained on from here on. */
vae_status model_note_training(struct vae_model *model, const vae_images *train, vae_error *err);
/* vae_model_check_images, where images first .. first+n-1 alone are used. */
vae_status model_check_span(const vae_model *model, const vae_images *images, size_t first, size_t n, vae_error *err);
/* Are all parameters and moments finite in single precision, as a file has them? */
bool model_is_finite(const struct vae_model *model);
/* Bytes of all tensors in a file: parameters and both moments, as float32. */
size_t model_file_size(const struct vae_model *model);

/* How the model's images are read: in training with the seed of the configuration and step + 1, elsewhere with step 0.
 * Step 0 asks for the fixed binarisation: its draws use step numbers counted down from the largest, which training
 * never reaches, one number for each file. Each image of a file has one static draw, whichever split a seed puts it
 * into, so that runs with other seeds have the same images. */
struct pixels model_pixels(const struct vae_model *model, const vae_images *images, uint64_t seed, uint64_t step);

#endif
