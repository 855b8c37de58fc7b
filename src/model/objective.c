/* SPDX-License-Identifier: MIT */
#include "model/objective.h"

static double mean_recon(const struct pass *pass)
{
    const size_t rows = pass->S * pass->B;
    double sum = 0;
    for (size_t r = 0; r < rows; r++) sum += pass->recon[r];
    return sum / (double)rows;
}

static double mean_kl(const struct pass *pass, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < pass->B; i++) sum += (double)pass->kl[i * pass->model->L + j];
    return sum / (double)pass->B;
}

struct losses objective_elbo(const struct pass *pass, double beta, double free_bits, real *weight)
{
    struct losses losses = {.recon = mean_recon(pass)};
    losses.loss = losses.recon;
    for (size_t j = 0; j < pass->model->L; j++) {
        const double kl = mean_kl(pass, j);
        const bool costs = free_bits <= 0 || kl > free_bits;
        losses.kl += kl;
        losses.loss += beta * (costs ? kl : free_bits);
        weight[j] = costs ? R(beta) : R(0);
    }
    return losses;
}
