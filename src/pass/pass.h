/* SPDX-License-Identifier: MIT
 *
 * One pass of a batch through a model: the workspace it needs and the phases it consists of. The work of
 * a phase is cut by shapes alone, so results do not depend on the number of threads.
 *
 * Rows of z and of everything behind it are sample-major: row s*B + b belongs to draw s of image b. */
#ifndef VAE_PASS_H
#define VAE_PASS_H

#include "data/source.h"
#include "model/model.h"
#include "net/adam.h"
#include "net/net.h"
#include "pass/density.h"
#include "pass/flow.h"

/* How the KL enters: a KL of its own for each image and latent, exact or by Monte Carlo; or, in objectives that weigh
 * draws, log p(z) - log q(z) of each draw; or not at all, where draws alone are wanted. */
enum kl_kind { KL_EXACT, KL_MONTE_CARLO, KL_PER_DRAW, KL_NONE };

/* Where the objective leaves the KL by itself, and in evaluations. */
static inline enum kl_kind model_kl(const struct vae_model *model)
{
    return model->exact_kl ? KL_EXACT : KL_MONTE_CARLO;
}

struct pass_plan {
    size_t capacity, S, K; /* most images, draws of z, draws of the Monte Carlo KL */
    enum kl_kind kl;
    bool entropy;       /* in KL_PER_DRAW: the entropy of q stands for -log q(z), which it is on average */
    bool stratified;    /* noise of the Monte Carlo KL */
    bool sparse;        /* images have many zeros (see images_are_sparse) */
    size_t calibration; /* in evaluations: draws for the normaliser of a prior that has to estimate it */
    bool training;      /* room for the backward pass */
    bool fit;           /* room for the gradient of the prior alone */
    bool slopes;        /* in evaluations with KL_PER_DRAW: room for pass_slopes */
};

/* The images at work are images first .. first+B-1 of a batch of so many, which several processes may divide among
 * them: noise is numbered by the place in the batch, and means are over the batch, so that losses and gradients of the
 * shares add up to those of the whole. (Free bits compare the KL of the batch: its sums have to be exchanged before the
 * backward pass.) */
struct share {
    size_t first, batch;
};

struct pass {
    const struct vae_model *model;
    struct pool *pool;
    struct pass_plan plan;
    struct pixels pixels; /* how images are read */
    size_t first_draw;    /* number of the first draw of z, where draws are made in several passes */
    size_t B;             /* images at work */
    struct share share;   /* of a batch: all of it, unless the caller says otherwise between pass_gather and the rest */

    /* Forward. */
    real *x;                     /* (B,D) */
    uint8_t *label;              /* (B) of a conditional model */
    struct sparse sparse;        /* its nonzeros; D = 0 where it is taken as dense */
    struct run encoder, decoder; /* B rows from x to the heads; S*B rows from z to the likelihood's parameters */
    real *a, *b, *scale;         /* (B,L) parameters of q(z|x) and its scale, */
    struct flow flow;            /* and of a flow, which moves its draws, the tape; */
    real *centre;                /* (B,L) where q(z|x) has its centre: pass_centre */
    real *eps;                   /* (S,B,L) noise that the backward pass needs again */
    real *z;                     /* (S,B,L) */
    real *kl, *kl_a, *kl_b;      /* (B,L) KL of each latent and its derivatives in a and b */
    double *recon;               /* (S*B) -log p(x|z) of each row */
    double *log_ratio;           /* (S*B) of KL_PER_DRAW: log p(z) - log q(z) */
    real *row_weight;            /* (S*B) how much that of each row counts in the loss */
    real *dlogp_dz;              /* (S,B,L) and, of a factorised prior or where slopes are, d log p(z) / dz; */
    struct density density;      /* a joint prior with its tape, */
    double *logp_joint;          /* (S*B) its log p(z) */
    /* Scratch of draws and their densities. */
    uint32_t *bits, *shift;             /* (B,L) */
    real *kl_eps, *kl_z, *logp, *dlogp; /* (B,L) */
    /* Backward; absent where only losses are wanted. */
    real *learned_gradient; /* (S*B, numbers) of those that the likelihood learns: of each row's part of mean recon */
    real *dz;               /* (S,B,L) */
    real *da, *db;          /* (B,L) */
    real *params_gradient;  /* a block like the parameters */

    void *memory;
};

/* Rows that a pass may have at once: `most`, or fewer where images are large or layers wide. */
size_t pass_rows(const struct vae_model *model, size_t most);
vae_status pass_new(struct pass *pass, const struct vae_model *model, struct pool *pool, const struct pass_plan *plan,
                    vae_error *err);
void pass_free(struct pass *pass);

/* What follows from the parameters alone, whenever they have changed. `noise`: of draws that the prior makes itself, in
 * training for one step and else for an evaluation; NULL: they stay as they are. */
void pass_derive(struct pass *pass, const struct rng *noise);
/* x and labels from B images, as images_gather. */
vae_status pass_gather(struct pass *pass, const vae_images *images, const uint32_t *index, size_t first, size_t B,
                       vae_error *err);
/* Encoder and heads: x -> a, b, scale, and what a flow makes of its context. */
void pass_encode(struct pass *pass);
/* Where q(z|x) has its centre (B,L): a, or that to which a flow moves it. Writes over the tape of the flow. */
const real *pass_centre(struct pass *pass);
/* q -> z, and kl or log_ratio. The noise of draw k, image i of the batch, latent j is word k*2^36 + i*L + j of `rng`;
 * NULL: it is in `eps` already, of all that the decoder sees. */
void pass_latent(struct pass *pass, const struct rng *rng);
/* z -> output of the last layer; n rows. */
void pass_decode(struct pass *pass, size_t n);
/* Output and x -> recon; in training also the gradient of mean recon (over rows), in place of the output, and
 * learned_gradient. */
void pass_likelihood(struct pass *pass, bool training);

/* The noise that would have given draw k: its z -> eps. Writes over its z, and over the tape of a flow. */
void pass_noise(struct pass *pass, size_t k);
/* Behind pass_likelihood in training: dlogp_dz (S,B,L) = d log p(z) / dz under every prior, and dz (S,B,L) = d [log
 * p(x|z) + log p(z)] / dz. Where a flow makes z of z0, both are of z0, with log |det dz/dz0| in addition. */
void pass_slopes(struct pass *pass);

/* d loss / d what the forward pass gave; see objective.h. */
struct loss_slope {
    const real *kl; /* (L) factor of each latent's KL in the loss of an image */
    const real
        *importance_weight; /* (S*B) of KL_PER_DRAW: weight of each draw, summing to one over the draws of an image */
    const real *factor;     /* (S*B) by which the likelihood's gradients have yet to be multiplied, or NULL */
    real beta;              /* weight of log p(z) - log q(z) in a draw */
    enum gradient gradient;
};

/* The gradient down to every layer. */
void pass_backward(struct pass *pass, const struct loss_slope *slope);
/* In a fit, of the mean of -log p(z): the gradient of the prior's tensors and networks alone, which are also all that
 * pass_update then moves. */
void pass_fit_backward(struct pass *pass);
/* A part of it: dz -> gradient of the heads. */
void pass_latent_backward(struct pass *pass, const struct loss_slope *slope);
/* Weight gradients of every layer and, unless `adam` is NULL, the update of the model with them. */
void pass_update(struct pass *pass, struct vae_model *model, const struct adam *adam);
/* For what needs the whole gradient before the update: its length, and the update by itself. */
double pass_gradient_norm(const struct pass *pass);
void pass_apply(struct pass *pass, struct vae_model *model, const struct adam *adam);
/* Behind the update: what the prior keeps from one step to the next. */
void pass_settle(const struct pass *pass, struct vae_model *model);

/* Elementwise phases are cut into tiles of so many rows. */
enum { TILE_ROWS = 16 };

static inline size_t row_tiles(size_t rows) { return (rows + TILE_ROWS - 1) / TILE_ROWS; }

static inline struct span row_span(size_t rows, size_t tile)
{
    const size_t end = (tile + 1) * TILE_ROWS;
    return (struct span){tile * TILE_ROWS, end < rows ? end : rows};
}

#endif
