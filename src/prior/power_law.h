/* SPDX-License-Identifier: MIT
 *
 * Densities with the tails of a power law have log p(z) = constant - factor f(z), f(z) = log(1 + (z/g)^2): the Cauchy
 * distribution and Student's t. Here are E f, E f' and E eps f' under z = m + s eps, eps ~ N(0, 1), with f'(z) = 2z /
 * (g^2 + z^2).
 *
 * The expectations are taken over nodes at eps = c + w sinh(u), u at equal distances: dense, at a distance of w = g/s,
 * around c, the point of the posterior that is nearest to the singularities of f at z = +-ig. */
#ifndef VAE_POWER_LAW_H
#define VAE_POWER_LAW_H

#include "prior/nodes.h"

struct power_law {
    double g;
    int nodes;
};

/* More nodes where the singularities may be close to the axis. */
static inline struct power_law power_law_of(double g)
{
    return (struct power_law){g, whole_vectors(g < 0.3 ? 96 : 48)};
}

VAE_INLINE real asinh_of(real x)
{
    const real size = x < 0 ? -x : x, y = vm_log(size + vm_sqrt(x * x + R(1)));
    return x < 0 ? -y : y;
}

/* Where the nodes of one posterior are: eps = c + w sinh(u), u from `from` on. */
struct line {
    real c, w, from, step;
};

VAE_INLINE struct line lay_nodes(const struct power_law *law, real m, real s)
{
    const real most = R(5.5), widest = R(8), zero = -m / s, g = R(law->g) / s;
    const real c = zero < -most ? -most : zero > most ? most : zero, far = zero - c;
    const real distance = vm_sqrt(g * g + far * far), w = distance < widest ? distance : widest;
    const real from = asinh_of((-most - c) / w), to = asinh_of((most - c) / w);
    return (struct line){c, w, from, (to - from) / R(law->nodes)};
}

VAE_INLINE void integrate_log(const struct power_law *law, real m, real s, real *f, real *slope, real *moment)
{
    const struct line l = lay_nodes(law, m, s);
    const real scale = R(1) / R(law->g);
    struct sums sum = {0};
    for (int node = 0; node < law->nodes; node += SUMS)
        for (int i = 0; i < SUMS; i++) {
            const real up = vm_exp(l.from + (R(node + i) + R(0.5)) * l.step), down = R(1) / up;
            const real eps = l.c + l.w * R(0.5) * (up - down), z = scale * (m + s * eps), d = R(1) + z * z;
            const real weight = (up + down) * vm_exp(R(-0.5) * eps * eps), fall = weight * z / d;
            sum.weight[i] += weight;
            sum.value[i] += weight * vm_log(d);
            sum.slope[i] += fall;
            sum.moment[i] += eps * fall;
        }
    const real share = R(1) / sum_up(sum.weight);
    *f = share * sum_up(sum.value);
    *slope = R(2) * scale * share * sum_up(sum.slope);
    *moment = R(2) * scale * share * sum_up(sum.moment);
}

#endif
