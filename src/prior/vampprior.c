/* SPDX-License-Identifier: MIT
 *
 * VampPrior: the mixture of the posteriors of K learned pseudo-inputs u_k, p(z) = 1/K sum_k q(z|u_k) (Tomczak &
 * Welling, "VAE with a VampPrior", 2018, equation 10). Means and log-variances of the components are what the encoder
 * says of the pseudo-inputs, so the gradient of log p goes on through the encoder, to its weights and to the
 * pseudo-inputs. They start as training images and stay where the likelihood takes data. See components.h for log p. */
#include <math.h>

#include "prior/components.h"
#include "prior/prior.h"

enum { COMPONENTS };

struct file {
    struct components components;
    real *log_weight; /* (K) -log K */
};

static const vae_param params[] = {
    [COMPONENTS] = VAE_COUNT("components", 500, 1, 10000, "number of pseudo-inputs"),
    {0},
};

static vae_status declare(struct declared *declared, struct block *block, vae_error *err)
{
    (void)err;
    declared->items = (size_t)declared->param[COMPONENTS];
    declared->encodes = true;
    struct tensor *pseudo = declare_tensor(declared, block, "prior.pseudo", declared->items, declared->D);
    pseudo->lowest = declared->lowest;
    pseudo->highest = declared->highest;
    return VAE_OK;
}

static void lay_out(struct density *d, struct arena *arena)
{
    components_lay_out(&d->file->components, d->declared->items, d, arena);
    d->file->log_weight = arena_take(arena, d->declared->items, sizeof(real));
}

static void derive(struct density *d)
{
    struct file *f = d->file;
    for (size_t k = 0; k < d->declared->items; k++) f->log_weight[k] = R(-log((double)d->declared->items));
    components_derive(&f->components, f->log_weight, d->heads, d->heads + d->L, 2 * d->L, R(0.5));
}

static void log_prob(struct density *d, struct span rows, const real *z, double *logp)
{
    components_log_prob(&d->file->components, rows, z, logp);
}

static void backward(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    components_backward(&d->file->components, rows, z, weight, dz);
}

static void learn(struct density *d, struct span items, const real *z, real *gradient)
{
    (void)gradient;
    for (size_t k = items.begin; k < items.end; k++) {
        real *dm = d->heads_gradient + k * 2 * d->L;
        components_learn(&d->file->components, d, k, z, R(0.5), dm, dm + d->L);
    }
}

static vae_status draw(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                       vae_error *err)
{
    (void)err;
    components_draw(&d->file->components, d->file->log_weight, d->temperature, rng, rows.end - rows.begin, place, z);
    return VAE_OK;
}

static const struct joint_ops joint = {
    .size = sizeof(struct file),
    .tempered = true,
    .declare = declare,
    .lay_out = lay_out,
    .derive = derive,
    .log_prob = log_prob,
    .backward = backward,
    .learn = learn,
    .draw = draw,
};

const struct prior_ops prior_vampprior = {
    .module = {.name = "vampprior",
               .summary = "VampPrior: mixture of the posteriors of learned pseudo-inputs",
               .formula = "p(z) = 1/K sum_k q(z|u_k)",
               .params = params},
    .joint = &joint,
};
