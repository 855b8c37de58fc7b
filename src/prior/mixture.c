/* SPDX-License-Identifier: MIT
 *
 * A mixture of K Gaussians over whole latent vectors, all of whose parameters are learned: p(z) = sum_k pi_k N(z; m_k,
 * diag e^(2 l_k)), pi = softmax of logits. See components.h for log p and its derivatives; that in logit k is r_k -
 * pi_k.
 *
 * Means start as draws from N(0, 1) and deviations at one. The log-deviations are bounded from below, as a component
 * that settles on a single vector would gain likelihood without end. Adam moves a logit as fast for a small gradient as
 * for a large one, so that components which nothing has used yet would lose their weight within an epoch: logits have a
 * tenth of the learning rate. */
#include <math.h>

#include "base/simd.h"
#include "prior/components.h"
#include "prior/prior.h"

enum { LOGIT, MEAN, LOGSD };
enum { COMPONENTS };

struct file {
    struct components components;
    real *log_weight; /* (K) log pi */
    real *row_weight; /* (rows of the tape) */
};

static const vae_param params[] = {
    [COMPONENTS] = VAE_COUNT("components", 500, 1, 10000, "number of Gaussians"),
    {0},
};

static vae_status declare(struct declared *declared, struct block *block, vae_error *err)
{
    (void)err;
    const size_t K = declared->items = (size_t)declared->param[COMPONENTS];
    declare_tensor(declared, block, "prior.logit", K, 0)->rate = 0.1;
    struct tensor *mean = declare_tensor(declared, block, "prior.mean", K, declared->L);
    mean->start = START_NORMAL;
    mean->spread = 1;
    declare_tensor(declared, block, "prior.logsd", K, declared->L)->lowest = -3;
    return VAE_OK;
}

static void lay_out(struct density *d, struct arena *arena)
{
    const size_t K = d->declared->items;
    components_lay_out(&d->file->components, K, d, arena);
    d->file->log_weight = arena_take(arena, K, sizeof(real));
    d->file->row_weight = arena_take(arena, density_rows(d), sizeof(real));
}

static void derive(struct density *d)
{
    struct file *f = d->file;
    const size_t K = d->declared->items;
    const real *logit = density_values(d, LOGIT);
    double most = -INFINITY, sum = 0;
    for (size_t k = 0; k < K; k++) most = fmax(most, (double)logit[k]);
    for (size_t k = 0; k < K; k++) sum += exp((double)logit[k] - most);
    for (size_t k = 0; k < K; k++) f->log_weight[k] = R((double)logit[k] - most - log(sum));
    components_derive(&f->components, f->log_weight, density_values(d, MEAN), density_values(d, LOGSD), d->L, 1);
}

static void log_prob(struct density *d, struct span rows, const real *z, double *logp)
{
    components_log_prob(&d->file->components, rows, z, logp);
}

static void backward(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    components_backward(&d->file->components, rows, z, weight, dz);
    for (size_t r = rows.begin; r < rows.end; r++) d->file->row_weight[r] = *weight++;
}

static void learn(struct density *d, struct span items, const real *z, real *gradient)
{
    const struct file *f = d->file;
    real *logit = gradient + density_tensor(d, LOGIT)->offset, total = 0;
    real *mean = gradient + density_tensor(d, MEAN)->offset, *logsd = gradient + density_tensor(d, LOGSD)->offset;
    for (size_t r = 0; r < d->own + d->rows; r++) total += f->row_weight[r];
    for (size_t k = items.begin; k < items.end; k++) {
        const real sum = components_learn(&f->components, d, k, z, 1, mean + k * d->L, logsd + k * d->L);
        logit[k] = sum - total * vm_exp(f->log_weight[k]);
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

const struct prior_ops prior_mixture = {
    .module = {.name = "mixture",
               .summary = "learned mixture of Gaussians over whole vectors",
               .formula = "p(z) = sum_k pi_k N(z; m_k, diag sd_k^2)",
               .params = params},
    .joint = &joint,
};
