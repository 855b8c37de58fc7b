/* SPDX-License-Identifier: MIT
 *
 * 5 x 5 patches, each a sum of a few bars and edges on grey, in the way that sparse coding sees natural images
 * (Olshausen & Field, "Emergence of simple-cell receptive field properties by learning a sparse code for natural
 * images", Nature 1996; R. Pyle, "Sparse variational autoencoder", slides, 2019, has synthetic images of this size):
 *
 *     x = 1/2 + sum_j c_j a_j P_j + noise e,    c_j = 1 with probability `share`, else 0,  a_j ~ N(0, 1/16),  e_k ~
 * N(0, 1)
 *
 * The eight patterns P_j are a bar (0 and 1) and an edge (-1, 0 and 1) in four directions each. With as many latents,
 * the weights c_j a_j are a draw from a spike-and-slab prior whose spike has the weight 1 - share and no width. The
 * label is the number of patterns in the patch. */
#include "data/drawn.h"

enum { SIDE = 5, PATTERNS = 8 };

static const char patterns[PATTERNS][SIDE][SIDE + 1] = {
    {".....", ".....", "+++++", ".....", "....."}, {"..+..", "..+..", "..+..", "..+..", "..+.."},
    {"+....", ".+...", "..+..", "...+.", "....+"}, {"....+", "...+.", "..+..", ".+...", "+...."},
    {"+++++", "+++++", ".....", "-----", "-----"}, {"++.--", "++.--", "++.--", "++.--", "++.--"},
    {".++++", "-.+++", "--.++", "---.+", "----."}, {"++++.", "+++.-", "++.--", "+.---", ".----"},
};

enum { SHARE = DRAWN_PARAMS, NOISE };

static const vae_param params[] = {
    DRAWN_ROWS,
    [SHARE] = VAE_REAL("share", 0.2, 0, 1, "probability of each of the eight patterns"),
    [NOISE] = VAE_REAL("noise", 0.05, 0, 1000, "standard deviation of the noise of a pixel"),
    {0},
};

static double sign_of(char c) { return c == '+' ? 1 : c == '-' ? -1 : 0; }

static void draw(const double *param, struct drawn_noise *noise, float *x, uint8_t *label)
{
    double weight[PATTERNS];
    *label = 0;
    for (size_t j = 0; j < PATTERNS; j++) {
        const bool there = drawn_uniform(noise) < param[SHARE];
        weight[j] = drawn_normal(noise) * (there ? 0.25 : 0);
        *label = (uint8_t)(*label + there);
    }
    for (size_t k = 0; k < SIDE * SIDE; k++) {
        double mean = 0.5;
        for (size_t j = 0; j < PATTERNS; j++) mean += weight[j] * sign_of(patterns[j][k / SIDE][k % SIDE]);
        x[k] = (float)(mean + param[NOISE] * drawn_normal(noise));
    }
}

static vae_status open_patches(vae_data *data, const double *param, vae_error *err)
{
    return drawn_open(data, SIDE, SIDE, param, draw, err);
}

const struct source_ops source_patches = {
    .module = {.name = "patches",
               .summary = "5x5 patches with a few bars and edges, with noise; real numbers",
               .formula = "x = 1/2 + sum_j c_j a_j P_j + noise N(0, I), c_j 0 or 1, a_j ~ N(0, 1/16)",
               .params = params},
    .open = open_patches,
};
