/* SPDX-License-Identifier: MIT */
#include "net/activation.h"

#include <string.h>

#include "base/simd.h"
#include "base/vmath.h"

/* A pair of loops over one row from f(x) and f'(x) as a function of y = f(x). */
#define ACTIVATION(name, value, slope)                                                                                 \
    VAE_SIMD static void name##_forward(size_t width, const real *bias, real *row)                                     \
    {                                                                                                                  \
        for (size_t i = 0; i < width; i++) {                                                                           \
            const real x = row[i] + bias[i];                                                                           \
            row[i] = (value);                                                                                          \
        }                                                                                                              \
    }                                                                                                                  \
    VAE_SIMD static void name##_backward(size_t width, const real *row, real *dy)                                      \
    {                                                                                                                  \
        for (size_t i = 0; i < width; i++) {                                                                           \
            const real y = row[i];                                                                                     \
            dy[i] *= (slope);                                                                                          \
        }                                                                                                              \
    }

ACTIVATION(relu, x > 0 ? x : R(0), y > 0 ? R(1) : R(0))
ACTIVATION(tanh, vm_tanh(x), R(1) - y * y)
ACTIVATION(sigmoid, vm_sigmoid(x), y *(R(1) - y))
ACTIVATION(softplus, vm_softplus(x), R(1) - vm_exp(-y))
ACTIVATION(elu, x > 0 ? x : vm_exp(x < 0 ? x : R(0)) - R(1), y > 0 ? R(1) : y + R(1))

static void identity_forward(size_t width, const real *bias, real *row)
{
    for (size_t i = 0; i < width; i++) row[i] += bias[i];
}

static void identity_backward(size_t width, const real *row, real *dy) { (void)width, (void)row, (void)dy; }

#define ROW(f, text)                                                                                                   \
    {                                                                                                                  \
        {.name = #f, .summary = (text), .formula = (text)}, f##_forward, f##_backward                                  \
    }

static const struct activation activations[] = {
    ROW(relu, "max(x, 0)"),
    ROW(tanh, "tanh x"),
    ROW(sigmoid, "1 / (1 + exp(-x))"),
    ROW(softplus, "log(1 + exp x)"),
    ROW(elu, "x > 0 ? x : exp(x) - 1"),
};

const struct activation activation_identity = ROW(identity, "x");

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
