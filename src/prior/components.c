/* SPDX-License-Identifier: MIT */
#include "prior/components.h"

#include <math.h>
#include <string.h>

#include "base/simd.h"
#include "base/vmath.h"

void components_lay_out(struct components *c, size_t K, const struct density *d, struct arena *arena)
{
    c->K = K;
    c->L = d->L;
    c->padded = (K + GROUP - 1) / GROUP * GROUP;
    c->constant = arena_take(arena, c->padded, sizeof(real));
    c->mean = arena_take(arena, K * d->L, sizeof(real));
    c->precision = arena_take(arena, K * d->L, sizeof(real));
    c->packed = arena_take(arena, 2 * c->padded * d->L, sizeof(real));
    c->responsibility = arena_take(arena, density_rows(d) * c->padded, sizeof(real));
}

VAE_SIMD static real derive_component(size_t L, const real *m, const real *l, real factor, real *mean, real *precision)
{
    real sum = 0;
    for (size_t j = 0; j < L; j++) {
        mean[j] = m[j];
        precision[j] = vm_exp(R(-2) * factor * l[j]);
    }
    for (size_t j = 0; j < L; j++) sum += factor * l[j] + R(0.91893853320467274178);
    return sum;
}

static void pack(struct components *c, size_t k)
{
    real *group = c->packed + k / GROUP * c->L * 2 * GROUP + k % GROUP;
    for (size_t j = 0; j < c->L; j++, group += 2 * GROUP) {
        group[0] = c->mean[k * c->L + j];
        group[GROUP] = R(0.5) * c->precision[k * c->L + j];
    }
}

void components_derive(struct components *c, const real *log_weight, const real *m, const real *l, size_t apart,
                       real factor)
{
    for (size_t k = 0; k < c->K; k++) {
        c->constant[k] = log_weight[k] - derive_component(c->L, m + k * apart, l + k * apart, factor,
                                                          c->mean + k * c->L, c->precision + k * c->L);
        pack(c, k);
    }
    for (size_t k = c->K; k < c->padded; k++) c->constant[k] = R(-INFINITY);
}

/* g of one row. */
VAE_SIMD static void exponents(const struct components *c, const real *z, real *g)
{
    const real *packed = c->packed;
    for (size_t k = 0; k < c->padded; k += GROUP) {
        real sum[GROUP] = {0};
        for (size_t j = 0; j < c->L; j++, packed += 2 * GROUP)
            for (size_t i = 0; i < GROUP; i++) {
                const real apart = z[j] - packed[i];
                sum[i] += apart * apart * packed[GROUP + i];
            }
        for (size_t i = 0; i < GROUP; i++) g[k + i] = c->constant[k + i] - sum[i];
    }
}

/* Responsibilities below this are nothing beside a sum of single precision, and are made zero, which spares most of the
 * work of the way back: far from a component in many dimensions, its share is tiny. */
static const real NEGLIGIBLE = R(1e-10);

VAE_SIMD static double softmax(size_t n, real *g)
{
    real most = g[0], part[GROUP] = {0}, sum = 0;
    for (size_t k = 1; k < n; k++) most = g[k] > most ? g[k] : most;
    for (size_t k = 0; k < n; k++) g[k] = vm_exp(g[k] - most);
    for (size_t k = 0; k < n; k += GROUP)
        for (size_t i = 0; i < GROUP; i++) part[i] += g[k + i];
    for (size_t i = 0; i < GROUP; i++) sum += part[i];
    const real share = R(1) / sum;
    for (size_t k = 0; k < n; k++) {
        const real r = share * g[k];
        g[k] = r > NEGLIGIBLE ? r : R(0);
    }
    return (double)most + (double)vm_log(sum);
}

void components_log_prob(struct components *c, struct span rows, const real *z, double *logp)
{
    for (size_t r = rows.begin; r < rows.end; r++, z += c->L) {
        real *g = c->responsibility + r * c->padded;
        exponents(c, z, g);
        *logp++ = softmax(c->padded, g);
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
            const real share = c->responsibility[r * c->padded + k] *= *weight;
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
        const real share = c->responsibility[r * c->padded + k];
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
