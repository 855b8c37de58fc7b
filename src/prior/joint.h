/* SPDX-License-Identifier: MIT
 *
 * The interface of a joint prior: a density of whole vectors z (L), with tensors and networks of its own that are
 * learned with the model.
 *
 * Its callbacks are serial code over a span of rows, and never see a thread: the host cuts the rows and calls. What a
 * span computes depends on its rows alone. The gradient of the prior's own tensors is cut the other way: each element
 * sums over all rows in their order, in one task, so that results do not depend on the number of threads. */
#ifndef VAE_JOINT_H
#define VAE_JOINT_H

#include "base/memory.h"
#include "base/pool.h"
#include "base/rng.h"
#include "net/block.h"
#include "net/net.h"
#include "vae.h"

struct prior_ops;
struct prior_state;

enum { PRIOR_NETS = 17, PRIOR_TENSORS = 8 };

/* What a prior has brought into the block of parameters. */
struct declared {
    const double *param;    /* values of its parameters */
    size_t L, D;            /* latent and data dimension */
    double lowest, highest; /* values that the likelihood takes */

    size_t nets, tensors;
    struct net net[PRIOR_NETS];
    size_t tensor[PRIOR_TENSORS]; /* indices in the block */
    /* Components of a mixture, pseudo-inputs: the gradient of the tensors is cut along them. 0: networks alone. */
    size_t items;
    size_t own;   /* rows that the prior draws itself in each training step */
    bool encodes; /* tensor 0 holds data (items, D) that the host sends through the encoder */
};

/* A prior at work on so many rows: memory of the forward pass for the backward pass (a tape). Rows of the tape are the
 * prior's own, and behind them those of the batch. Everything here is the host's but `file`. */
struct density {
    const struct prior_ops *prior;
    const struct declared *declared;
    const struct tensor *tensor; /* all of the block; a prior's are tensor[declared->tensor[i]] */
    const real *params;
    size_t L, own, capacity; /* rows of its own; most rows of the batch, */
    size_t rows;             /* and those at work */
    bool learns;             /* is there memory for the way back? */
    bool fresh;              /* own rows were drawn since log_prob saw them */
    bool calibrated;         /* log_prob uses constants of an evaluation */
    real temperature;        /* of draws: their noise is multiplied by it, where the prior is `tempered` */

    struct run *run; /* of each network; the prior's lay_out sets `x` */
    struct run runs[PRIOR_NETS];
    real *own_z; /* (own, L) */

    const struct net *encoder;
    real *data;         /* (items, D) encoded data as it was at the start of a step, */
    struct run encoded; /* its way through the encoder, */
    const real *heads;  /* (items, 2L) and the posterior parameters at its end */
    real *heads_gradient;

    struct file *file; /* completed privately by each prior's file */
};

/* Rows of the tape. */
static inline size_t density_rows(const struct density *d) { return d->own + d->capacity; }
static inline const struct tensor *density_tensor(const struct density *d, size_t i)
{
    return &d->tensor[d->declared->tensor[i]];
}
/* The values of tensor i, which lie row by row. */
static inline const real *density_values(const struct density *d, size_t i)
{
    return d->params + density_tensor(d, i)->offset;
}

/* How own rows are drawn: anew in a training step; not since the last call; in one of many rounds of an evaluation,
 * whose first one and others are told apart. */
enum weighing { OWN_FRESH, OWN_AGAIN, OWN_FIRST_ROUND, OWN_NEXT_ROUND };

struct joint_ops {
    size_t size;   /* bytes of struct file */
    bool tempered; /* may draws have a temperature? */

    /* Brings networks and tensors into the block. Fails with VAE_E_USAGE where parameters and shape do not go
     * together. */
    vae_status (*declare)(struct declared *declared, struct block *block, vae_error *err);
    /* Memory for density_rows(d) rows, and the inputs of the networks. */
    void (*lay_out)(struct density *d, struct arena *arena);
    /* What follows from parameters alone. */
    void (*derive)(struct density *d);
    /* log p(z) of rows of the tape; z and logp begin at the first of them. */
    void (*log_prob)(struct density *d, struct span rows, const real *z, double *logp);
    /* Adds weight * d log p / dz to dz (all begin at the first row), and leaves on the tape what the gradients of
     * networks and `learn` need for the weighted sum over rows of d log p / d theta. */
    void (*backward)(struct density *d, struct span rows, const real *z, const real *weight, real *dz);
    /* The gradient of tensors for some items, summed over all rows of the tape: into a block like the parameters or, of
     * encoded data, into heads_gradient. z: of the batch. */
    void (*learn)(struct density *d, struct span items, const real *z, real *gradient);
    /* Draws z; `rows` of the tape may be written over. The first of them uses the random numbers of place `place`, the
     * next those of the next. Fails where draws are rejected without end. */
    vae_status (*draw)(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                       vae_error *err);

    /* Priors with own rows. `propose` draws some of them into own_z; weigh_own is called when log_prob has seen all of
     * them, before those of the batch; own_backward when `backward` has seen all of the batch. */
    void (*propose)(struct density *d, const struct rng *rng, struct span rows);
    void (*weigh_own)(struct density *d, enum weighing how);
    void (*own_backward)(struct density *d, struct span rows);
    /* Of evaluations: standard error of log p(z) that all rows have in common. */
    double (*common_error)(const struct density *d);
    /* What must outlive a step, written behind its update. */
    void (*settle)(const struct density *d, real *params);
};

/* A network of the prior, SIDE.0, SIDE.1, ...: hidden layers, then a linear one. Returns the latter. */
struct dense *declare_net(struct declared *declared, struct block *block, const char *side, size_t in, size_t layers,
                          size_t width, const struct activation *activation, size_t out);
struct tensor *declare_tensor(struct declared *declared, struct block *block, const char *name, size_t rows,
                              size_t columns);

#endif
