/* SPDX-License-Identifier: MIT
 *
 * Points of the plane from two Gaussians of equal weight, the data of the notes on "Auto-Encoding Variational Bayes"
 * (Kingma & Welling 2014) that squeeze them through one latent:
 *
 *     x = (2 c - 1) (distance/2) (cos angle, sin angle) + deviation (e_1, e_2),    c = 0 or 1,  e_j ~ N(0, 1)
 *
 * The label is c. A model with one latent can be this density: its decoder jumps from one mean to the other, and its
 * sigma is `deviation`. -log p(x) has a lower bound that no model beats on average, the entropy of the mixture; where
 * the Gaussians are far apart it is log 2 + log(2 pi e deviation^2) = 3.5310 for a deviation of 1. */
#include <math.h>

#include "data/drawn.h"

enum { DISTANCE = DRAWN_PARAMS, DEVIATION, ANGLE };

static const vae_param params[] = {
    DRAWN_ROWS,
    [DISTANCE] = VAE_REAL("distance", 6, 0, 1000, "between the means"),
    [DEVIATION] = VAE_REAL("deviation", 1, 0, 1000, "standard deviation of both, in each direction"),
    [ANGLE] = VAE_REAL("angle", 30, -360, 360, "of the line through the means, in degrees"),
    {0},
};

static void draw(const double *param, struct drawn_noise *noise, float *x, uint8_t *label)
{
    const double angle = param[ANGLE] * 3.14159265358979323846 / 180;
    *label = drawn_uniform(noise) < 0.5;
    const double along = (*label - 0.5) * param[DISTANCE];
    x[0] = (float)(along * cos(angle) + param[DEVIATION] * drawn_normal(noise));
    x[1] = (float)(along * sin(angle) + param[DEVIATION] * drawn_normal(noise));
}

static vae_status open_gaussians(vae_data *data, const double *param, vae_error *err)
{
    return drawn_open(data, 1, 2, param, draw, err);
}

const struct source_ops source_gaussians = {
    .module = {.name = "gaussians",
               .summary = "points of the plane from two Gaussians, labelled; real numbers",
               .formula = "x = +-(distance/2) (cos angle, sin angle) + deviation N(0, I)",
               .params = params},
    .open = open_gaussians,
};
