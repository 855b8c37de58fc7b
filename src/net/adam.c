/* SPDX-License-Identifier: MIT */
#include "net/adam.h"

#include <math.h>

#include "base/simd.h"
#include "base/vmath.h"

struct adam adam_at(uint64_t t, double lr, double beta1, double beta2, double epsilon)
{
    return (struct adam){
        .keep1 = R(beta1),
        .mix1 = R(1 - beta1),
        .keep2 = R(beta2),
        .mix2 = R(1 - beta2),
        .epsilon = R(epsilon),
        .share = 1,
        .rate = R(lr / (1 - pow(beta1, (double)t))),
        .scale = R(1 / sqrt(1 - pow(beta2, (double)t))),
    };
}

VAE_SIMD void adam_update(const struct adam *adam, size_t n, const real *restrict grad, real *restrict m,
                          real *restrict v, real *restrict param)
{
    const struct adam a = *adam;
    for (size_t i = 0; i < n; i++) {
        const real g = a.share * grad[i];
        m[i] = a.keep1 * m[i] + a.mix1 * g;
        v[i] = a.keep2 * v[i] + a.mix2 * g * g;
        param[i] -= a.rate * m[i] / (vm_sqrt(v[i]) * a.scale + a.epsilon);
    }
}
