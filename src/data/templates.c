/* SPDX-License-Identifier: MIT
 *
 * 10 x 10 images, each a weighted sum of two templates and noise, after R. Pyle, "Sparse variational autoencoder"
 * (slides, 2019), where a VAE with two latents finds the templates:
 *
 *     x = a T1 + b T2 + noise e,    e_k ~ N(0, 1)
 *
 * T1 is a cross, T2 a frame, both of zeros and ones that do not overlap. The weights a and b are independent: uniform
 * in (0,1), standard normal, or Laplace with scale 1. The label is 1 where b > a. With two latents and a learned sigma
 * a VAE describes all but the noise, so that sigma is `noise`. */
#include "base/vmath.h"
#include "data/drawn.h"

enum { SIDE = 10 };

static const char shapes[SIDE][SIDE + 1] = {
    "2222222222", "2........2", "2...11...2", "2...11...2", "2.111111.2",
    "2.111111.2", "2...11...2", "2...11...2", "2........2", "2222222222",
};

enum { NOISE = DRAWN_PARAMS, WEIGHTS };

enum { UNIFORM, NORMAL, LAPLACE };

static const vae_param params[] = {
    DRAWN_ROWS,
    [NOISE] = VAE_REAL("noise", 0.1, 0, 1000, "standard deviation of the noise of a pixel"),
    [WEIGHTS] = VAE_WORD("weights", "uniform|normal|laplace", "distribution of the two weights"),
    {0},
};

static double draw_weight(int kind, struct drawn_noise *noise)
{
    if (kind == NORMAL) return drawn_normal(noise);
    const double u = drawn_uniform(noise), tail = u < 0.5 ? u : 1 - u;
    if (kind == UNIFORM) return u;
    const double size = -(double)vm_log(R(2 * tail));
    return u < 0.5 ? -size : size;
}

static void draw(const double *param, struct drawn_noise *noise, float *x, uint8_t *label)
{
    const double a = draw_weight((int)param[WEIGHTS], noise), b = draw_weight((int)param[WEIGHTS], noise);
    for (size_t k = 0; k < SIDE * SIDE; k++) {
        const char shape = shapes[k / SIDE][k % SIDE];
        const double mean = shape == '1' ? a : shape == '2' ? b : 0;
        x[k] = (float)(mean + param[NOISE] * drawn_normal(noise));
    }
    *label = b > a;
}

static vae_status open_templates(vae_data *data, const double *param, vae_error *err)
{
    return drawn_open(data, SIDE, SIDE, param, draw, err);
}

const struct source_ops source_templates = {
    .module = {.name = "templates",
               .summary = "10x10 weighted sums of a cross and a frame, with noise; real numbers",
               .formula = "x = a cross + b frame + noise N(0, I)",
               .params = params},
    .open = open_templates,
};
