/* SPDX-License-Identifier: MIT */
#include "prior/components.h"

#include <string.h>

#include "base/simd.h"
#include "base/vmath.h"

void components_lay_out(struct components *c, size_t K, const struct density *d, struct arena *arena)
{
    c->K = K;
    c->L = d->L;
    c->constant = arena_take(arena, K, sizeof(real));
    real **const per_component[] = {&c->mean, &c->precision, &c->mean_t, &c->half_t};
    for (size_t i = 0; i < 4; i++) *per_component[i] = arena_take(arena, K * d->L, sizeof(real));
    c->responsibility = arena_take(arena, density_rows(d) * K, sizeof(real));
}

VAE_SIMD static void derive_component(struct components *c, size_t k, const real *m, const real *l, real factor)
{
    const size_t K = c->K, L = c->L;
    real sum = 0;
    for (size_t j = 0; j < L; j++) {
        const real log_deviation = factor * l[j], precision = vm_exp(R(-2) * log_deviation);
        sum += log_deviation + R(0.91893853320467274178);
        c->mean[k * L + j] = c->mean_t[j * K + k] = m[j];
        c->precision[k * L + j] = precision;
        c->half_t[j * K + k] = R(0.5) * precision;
    }
    c->constant[k] -= sum;
}

void components_derive(struct components *c, const real *log_weight, const real *m, const real *l, size_t apart,
                       real factor)
{
    for (size_t k = 0; k < c->K; k++) {
        c->constant[k] = log_weight[k];
        derive_component(c, k, m + k * apart, l + k * apart, factor);
    }
}

/* g of one row, and its largest. */
VAE_SIMD static real exponents(const struct components *c, const real *z, real *g)
{
    const size_t K = c->K;
    real most = -INFINITY;
    for (size_t k = 0; k < K; k++) g[k] = c->constant[k];
    for (size_t j = 0; j < c->L; j++) {
        const real at = z[j], *mean = c->mean_t + j * K, *half = c->half_t + j * K;
        for (size_t k = 0; k < K; k++) {
            const real apart = at - mean[k];
            g[k] -= apart * apart * half[k];
        }
    }
    for (size_t k = 0; k < K; k++) most = g[k] > most ? g[k] : most;
    return most;
}

VAE_SIMD static double softmax(size_t K, real most, real *g)
{
    real sum = 0;
    for (size_t k = 0; k < K; k++) g[k] = vm_exp(g[k] - most);
    for (size_t k = 0; k < K; k++) sum += g[k];
    const real share = R(1) / sum;
    for (size_t k = 0; k < K; k++) g[k] *= share;
    return (double)most + (double)vm_log(sum);
}

void components_log_prob(struct components *c, struct span rows, const real *z, double *logp)
{
    for (size_t r = rows.begin; r < rows.end; r++, z += c->L) {
        real *g = c->responsibility + r * c->K;
        const real most = exponents(c, z, g);
        *logp++ = softmax(c->K, most, g);
    }
}

VAE_SIMD static void pull(size_t L, real r, const real *z, const real *mean, const real *precision, real *dz)
{
    for (size_t j = 0; j < L; j++) dz[j] -= r * (z[j] - mean[j]) * precision[j];
}

void components_backward(struct components *c, struct span rows, const real *z, const real *weight, real *dz)
{
    const size_t K = c->K, L = c->L;
    for (size_t r = rows.begin; r < rows.end; r++, z += L, dz += L, weight++)
        for (size_t k = 0; k < K; k++) {
            const real share = c->responsibility[r * K + k] *= *weight;
            if (share < 0 || share > 0) pull(L, share, z, c->mean + k * L, c->precision + k * L, dz);
        }
}

VAE_SIMD static void add_row(size_t L, real r, const real *z, const real *mean, const real *precision, real factor,
                             real *dm, real *dl)
{
    for (size_t j = 0; j < L; j++) {
        const real apart = z[j] - mean[j], u = r * apart * precision[j];
        dm[j] += u;
        dl[j] += factor * (apart * u - r);
    }
}

/* Of rows of the tape, whose first has this z. */
static real add_rows(const struct components *c, size_t k, struct span rows, const real *z, real factor, real *dm,
                     real *dl)
{
    const size_t L = c->L;
    real sum = 0;
    for (size_t r = rows.begin; r < rows.end; r++, z += L) {
        const real share = c->responsibility[r * c->K + k];
        sum += share;
        if (share < 0 || share > 0) add_row(L, share, z, c->mean + k * L, c->precision + k * L, factor, dm, dl);
    }
    return sum;
}

real components_learn(const struct components *c, const struct density *d, size_t k, const real *z, real factor,
                      real *dm, real *dl)
{
    memset(dm, 0, c->L * sizeof *dm);
    memset(dl, 0, c->L * sizeof *dl);
    const real own = add_rows(c, k, (struct span){0, d->own}, d->own_z, factor, dm, dl);
    return own + add_rows(c, k, (struct span){d->own, d->own + d->rows}, z, factor, dm, dl);
}

static size_t choose(const struct components *c, const real *log_weight, double u)
{
    size_t k = 0;
    for (double sum = exp((double)log_weight[0]); k + 1 < c->K && u >= sum; sum += exp((double)log_weight[k])) k++;
    return k;
}

void components_draw(const struct components *c, const real *log_weight, const struct rng *rng, size_t place, real *z)
{
    size_t k = 0;
    for (size_t j = 0; j < c->L; j++) {
        uint32_t word[4];
        rng_block(rng, place * c->L + j, word);
        if (j == 0) k = choose(c, log_weight, rng_uniform(word[1]));
        z[j] = c->mean[k * c->L + j] + rng_normal(word[0]) / vm_sqrt(c->precision[k * c->L + j]);
    }
}
