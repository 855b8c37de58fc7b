/* SPDX-License-Identifier: MIT
 *
 * A factorised family with a learned scale s_j for each latent:
 *
 *     log p(z) = sum_j [log p0(z_j / s_j) - log s_j]     d/dz_j = p0'(u)/p0(u) / s_j,   u = z_j / s_j
 *     d/dlog s_j = -1 - u p0'(u)/p0(u)
 *
 * The scales start at one. A latent that the decoder does not use keeps any scale, as its posterior follows the prior.
 */
#include "base/choice.h"
#include "base/vmath.h"
#include "prior/joint.h"
#include "prior/prior.h"

enum { FAMILY };

static const vae_param params[] = {
    [FAMILY] = VAE_WORD("family", PRIOR_WORDS(SCALE_PRIORS),
                        "family that has a scale; its parameters are as by default"),
    {0},
};

struct file {
    const struct prior_ops *family;
    struct prior_state *state;
    real *scale, *logscale; /* (L) s and log s */
    real *u, *logp, *slope; /* (rows, L) z/s, log p0(u) and its slope */
    real *pull;             /* (rows, L) weight * d log p/dlog s */
};

static const struct prior_ops *family_of(const struct declared *declared)
{
    static const struct prior_ops *const families[] = {SCALE_PRIORS(PRIOR_ENTRY)};
    return families[(size_t)declared->param[FAMILY]];
}

static vae_status declare(struct declared *declared, struct block *block, vae_error *err)
{
    (void)err;
    declared->items = declared->L;
    struct tensor *logscale = declare_tensor(declared, block, "prior.logscale", declared->L, 0);
    logscale->lowest = -7;
    logscale->highest = 7;
    return VAE_OK;
}

static void lay_out(struct density *d, struct arena *arena)
{
    struct file *f = d->file;
    const size_t values = density_rows(d) * d->L;
    f->family = family_of(d->declared);
    f->state = arena_take(arena, 1, f->family->state_size);
    f->scale = arena_take(arena, d->L, sizeof(real));
    f->logscale = arena_take(arena, d->L, sizeof(real));
    real **const per_latent[] = {&f->u, &f->logp, &f->slope, &f->pull};
    for (size_t i = 0; i < 4; i++) *per_latent[i] = arena_take(arena, values, sizeof(real));
}

static void derive(struct density *d)
{
    struct file *f = d->file;
    double param[VAE_MAX_PARAMS] = {0};
    module_defaults(&f->family->module, param);
    f->family->init(f->state, param);
    for (size_t j = 0; j < d->L; j++) {
        f->logscale[j] = density_values(d, 0)[j];
        f->scale[j] = vm_exp(f->logscale[j]);
    }
}

static void log_prob(struct density *d, struct span rows, const real *z, double *logp)
{
    const struct file *f = d->file;
    const size_t L = d->L;
    for (size_t r = rows.begin; r < rows.end; r++, z += L, logp++) {
        real *u = f->u + r * L, *each = f->logp + r * L;
        for (size_t j = 0; j < L; j++) u[j] = z[j] / f->scale[j];
        f->family->log_prob(f->state, L, u, each, f->slope + r * L);
        *logp = 0;
        for (size_t j = 0; j < L; j++) *logp += (double)each[j] - (double)f->logscale[j];
    }
}

static void backward(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    const struct file *f = d->file;
    const size_t L = d->L;
    (void)z;
    for (size_t r = rows.begin; r < rows.end; r++, weight++, dz += L)
        for (size_t j = 0; j < L; j++) {
            const real slope = f->slope[r * L + j];
            dz[j] += *weight * slope / f->scale[j];
            f->pull[r * L + j] = *weight * (R(-1) - f->u[r * L + j] * slope);
        }
}

static void learn(struct density *d, struct span items, const real *z, real *gradient)
{
    real *logscale = gradient + density_tensor(d, 0)->offset;
    (void)z;
    for (size_t j = items.begin; j < items.end; j++) logscale[j] = 0;
    for (size_t r = 0; r < d->own + d->rows; r++)
        for (size_t j = items.begin; j < items.end; j++) logscale[j] += d->file->pull[r * d->L + j];
}

static vae_status draw(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                       vae_error *err)
{
    const struct file *f = d->file;
    (void)err;
    for (size_t r = rows.begin; r < rows.end; r++, place++)
        for (size_t j = 0; j < d->L; j++, z++) {
            uint32_t bits[1][4];
            rng_block(rng, place * d->L + j, bits[0]);
            f->family->sample(f->state, 1, (const uint32_t(*)[4])bits, z);
            *z *= d->temperature * f->scale[j];
        }
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

const struct prior_ops prior_scaled = {
    .module = {.name = "scaled",
               .summary = "a family with a learned scale for each latent",
               .formula = "p(z) = prod_j p0(z_j / s_j) / s_j",
               .params = params},
    .joint = &joint,
};
