/* SPDX-License-Identifier: MIT */
#include "net/activation.h"

#include <string.h>

#include "base/simd.h"
#include "base/vmath.h"

/* A pair of loops over one row from f(x) and f'(x) as a function of y = f(x). */
#define ELEMENTWISE(name, value, slope)                                                                                \
    VAE_SIMD static void name##_forward(size_t width, size_t apart, const real *bias, real *pre, real *y)              \
    {                                                                                                                  \
        (void)apart, (void)pre;                                                                                        \
        for (size_t i = 0; i < width; i++) {                                                                           \
            const real x = y[i] + bias[i];                                                                             \
            y[i] = (value);                                                                                            \
        }                                                                                                              \
    }                                                                                                                  \
    VAE_SIMD static void name##_backward(size_t width, size_t apart, const real *pre, const real *row, real *d)        \
    {                                                                                                                  \
        (void)apart, (void)pre;                                                                                        \
        for (size_t i = 0; i < width; i++) {                                                                           \
            const real y = row[i];                                                                                     \
            d[i] *= (slope);                                                                                           \
        }                                                                                                              \
    }

ELEMENTWISE(relu, x > 0 ? x : R(0), y > 0 ? R(1) : R(0))
ELEMENTWISE(tanh, vm_tanh(x), R(1) - y * y)
ELEMENTWISE(sigmoid, vm_sigmoid(x), y *(R(1) - y))
ELEMENTWISE(softplus, vm_softplus(x), R(1) - vm_exp(-y))
ELEMENTWISE(elu, x > 0 ? x : vm_exp(x < 0 ? x : R(0)) - R(1), y > 0 ? R(1) : y + R(1))

static void identity_forward(size_t width, size_t apart, const real *bias, real *pre, real *y)
{
    (void)apart, (void)pre;
    for (size_t i = 0; i < width; i++) y[i] += bias[i];
}

static void identity_backward(size_t width, size_t apart, const real *pre, const real *y, real *d)
{
    (void)width, (void)apart, (void)pre, (void)y, (void)d;
}

/* Gated linear units, h sigmoid(g) (Dauphin et al., "Language modeling with gated convolutional networks", ICML 2017);
 * `pre` keeps h and sigmoid(g). */
VAE_SIMD static void gated_forward(size_t width, size_t apart, const real *bias, real *pre, real *y)
{
    for (size_t i = 0; i < width; i++) {
        const real h = pre[i] + bias[i], gate = vm_sigmoid(pre[apart + i] + bias[apart + i]);
        pre[i] = h;
        pre[apart + i] = gate;
        y[i] = h * gate;
    }
}

VAE_SIMD static void gated_backward(size_t width, size_t apart, const real *pre, const real *y, real *d)
{
    for (size_t i = 0; i < width; i++) {
        const real gate = pre[apart + i];
        d[apart + i] = d[i] * y[i] * (R(1) - gate);
        d[i] *= gate;
    }
}

#define ROW(f, number, text)                                                                                           \
    {                                                                                                                  \
        {.name = #f, .summary = (text), .formula = (text)}, (number), f##_forward, f##_backward                        \
    }

static const struct activation activations[] = {
    ROW(relu, 1, "max(x, 0)"),
    ROW(tanh, 1, "tanh x"),
    ROW(sigmoid, 1, "1 / (1 + exp(-x))"),
    ROW(softplus, 1, "log(1 + exp x)"),
    ROW(elu, 1, "x > 0 ? x : exp(x) - 1"),
    ROW(gated, 2, "h / (1 + exp(-g)), h and g from weights of their own"),
};

const struct activation activation_identity = ROW(identity, 1, "x");

const struct activation *activation_at(size_t i)
{
    return i < sizeof activations / sizeof *activations ? &activations[i] : NULL;
}

const struct activation *activation_find(const char *name)
{
    for (size_t i = 0; activation_at(i); i++)
        if (!strcmp(activations[i].module.name, name)) return &activations[i];
    return NULL;
}
