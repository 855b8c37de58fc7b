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
    c->stride = c->padded + 16;
    c->responsibility = arena_take(arena, density_rows(d) * c->stride, sizeof(real));
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

/* n is a multiple of GROUP: sums and maxima are taken in GROUP lanes. */
VAE_SIMD static double softmax(size_t n, real *g)
{
    real high[GROUP], part[GROUP] = {0}, most = R(-INFINITY), sum = 0;
    for (size_t i = 0; i < GROUP; i++) high[i] = g[i];
    for (size_t k = GROUP; k < n; k += GROUP)
        for (size_t i = 0; i < GROUP; i++) high[i] = g[k + i] > high[i] ? g[k + i] : high[i];
    for (size_t i = 0; i < GROUP; i++) most = high[i] > most ? high[i] : most;
    for (size_t k = 0; k < n; k += GROUP)
        for (size_t i = 0; i < GROUP; i++) {
            g[k + i] = vm_exp(g[k + i] - most);
            part[i] += g[k + i];
        }
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
        real *g = c->responsibility + r * c->stride;
        exponents(c, z, g);
        *logp++ = softmax(c->padded, g);
    }
}

/* Shares that are not zero, of a row over components or of a component over rows. They are worked off a list at a time,
 * latents in chunks whose sums stay in registers. */
enum { LIST = 64, CHUNK = 16 };

struct list {
    size_t n, at[LIST + 1]; /* component or row */
    real share[LIST + 1];
};

/* dz -= sum over the list of r (z - m) e^(-2l), for `width` latents from the pointers on. */
VAE_INLINE void pull_chunk(size_t width, const struct list *list, size_t L, const real *z, const real *mean,
                           const real *precision, real *dz)
{
    real sum[CHUNK];
    for (size_t j = 0; j < width; j++) sum[j] = dz[j];
    for (size_t i = 0; i < list->n; i++) {
        const real *m = mean + list->at[i] * L, *p = precision + list->at[i] * L, r = list->share[i];
        for (size_t j = 0; j < width; j++) sum[j] -= r * (z[j] - m[j]) * p[j];
    }
    for (size_t j = 0; j < width; j++) dz[j] = sum[j];
}

VAE_SIMD static void pull_list(const struct list *list, const struct components *c, const real *z, real *dz)
{
    size_t j = 0;
    for (; j + CHUNK <= c->L; j += CHUNK) pull_chunk(CHUNK, list, c->L, z + j, c->mean + j, c->precision + j, dz + j);
    if (j + CHUNK / 2 <= c->L) {
        pull_chunk(CHUNK / 2, list, c->L, z + j, c->mean + j, c->precision + j, dz + j);
        j += CHUNK / 2;
    }
    if (j < c->L) pull_chunk(c->L - j, list, c->L, z + j, c->mean + j, c->precision + j, dz + j);
}

/* Puts a share onto the list, unless it is zero. There is no branch, as nobody could predict it. */
VAE_INLINE void append(struct list *list, size_t at, real share)
{
    list->at[list->n] = at;
    list->share[list->n] = share;
    list->n += share < 0 || share > 0;
}

void components_backward(struct components *c, struct span rows, const real *z, const real *weight, real *dz)
{
    for (size_t r = rows.begin; r < rows.end; r++, z += c->L, dz += c->L, weight++) {
        real *share = c->responsibility + r * c->stride;
        for (size_t from = 0; from < c->K; from += LIST) {
            const size_t to = from + LIST < c->K ? from + LIST : c->K;
            struct list list;
            list.n = 0;
            for (size_t k = from; k < to; k++) append(&list, k, share[k] *= *weight);
            pull_list(&list, c, z, dz);
        }
    }
}

/* dm += sum over the list of r u, dl += factor sum of r [(z - m) u - 1], u = (z - m) e^(-2l). */
VAE_INLINE void learn_chunk(size_t width, const struct list *list, size_t L, const real *z, const real *mean,
                            const real *precision, real factor, real *dm, real *dl)
{
    real sum_m[CHUNK], sum_l[CHUNK];
    for (size_t j = 0; j < width; j++) sum_m[j] = dm[j], sum_l[j] = dl[j];
    for (size_t i = 0; i < list->n; i++) {
        const real *row = z + list->at[i] * L, r = list->share[i];
        for (size_t j = 0; j < width; j++) {
            const real apart = row[j] - mean[j], u = r * apart * precision[j];
            sum_m[j] += u;
            sum_l[j] += factor * (apart * u - r);
        }
    }
    for (size_t j = 0; j < width; j++) dm[j] = sum_m[j], dl[j] = sum_l[j];
}

VAE_SIMD static void learn_list(const struct list *list, size_t L, const real *z, const real *mean,
                                const real *precision, real factor, real *dm, real *dl)
{
    size_t j = 0;
    for (; j + CHUNK <= L; j += CHUNK)
        learn_chunk(CHUNK, list, L, z + j, mean + j, precision + j, factor, dm + j, dl + j);
    if (j + CHUNK / 2 <= L) {
        learn_chunk(CHUNK / 2, list, L, z + j, mean + j, precision + j, factor, dm + j, dl + j);
        j += CHUNK / 2;
    }
    if (j < L) learn_chunk(L - j, list, L, z + j, mean + j, precision + j, factor, dm + j, dl + j);
}

/* Of rows of the tape, whose first has this z. */
static real add_rows(const struct components *c, size_t k, struct span rows, const real *z, real factor, real *dm,
                     real *dl)
{
    real sum = 0;
    for (size_t from = rows.begin; from < rows.end; from += LIST) {
        const size_t to = from + LIST < rows.end ? from + LIST : rows.end;
        struct list list;
        list.n = 0;
        for (size_t r = from; r < to; r++) {
            const real share = c->responsibility[r * c->stride + k];
            append(&list, r - rows.begin, share);
            sum += share;
        }
        learn_list(&list, c->L, z, c->mean + k * c->L, c->precision + k * c->L, factor, dm, dl);
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

static void draw_row(const struct components *c, const real *log_weight, real temperature, const struct rng *rng,
                     size_t place, real *z)
{
    size_t k = 0;
    for (size_t j = 0; j < c->L; j++) {
        uint32_t word[4];
        rng_block(rng, place * c->L + j, word);
        if (j == 0) k = choose(c, log_weight, rng_uniform(word[1]));
        z[j] = c->mean[k * c->L + j] + temperature * rng_normal(word[0]) / vm_sqrt(c->precision[k * c->L + j]);
    }
}

void components_draw(const struct components *c, const real *log_weight, real temperature, const struct rng *rng,
                     size_t n, size_t place, real *z)
{
    for (size_t i = 0; i < n; i++) draw_row(c, log_weight, temperature, rng, place + i, z + i * c->L);
}
