/* SPDX-License-Identifier: MIT */
#include "pass/objective.h"

#include <math.h>

static double mean_recon(const struct pass *pass)
{
    const size_t rows = pass->plan.S * pass->B;
    double sum = 0;
    for (size_t r = 0; r < rows; r++) sum += pass->recon[r];
    return sum / (double)(pass->plan.S * pass->share.batch);
}

static double mean_kl(const struct pass *pass, size_t j)
{
    double sum = 0;
    for (size_t i = 0; i < pass->B; i++) sum += (double)pass->kl[i * pass->model->L + j];
    return sum / (double)pass->share.batch;
}

struct losses objective_elbo(const struct pass *pass, double beta, double free_bits, real *kl_weight)
{
    struct losses losses = {.recon = mean_recon(pass)};
    losses.loss = losses.recon;
    for (size_t j = 0; j < pass->model->L; j++) {
        const double kl = mean_kl(pass, j);
        const bool costs = free_bits <= 0 || kl > free_bits;
        losses.kl += kl;
        losses.loss += beta * (costs ? kl : free_bits);
        kl_weight[j] = costs ? R(beta) : R(0);
    }
    return losses;
}

/* Log weight of draw s of image i, in nats. */
static double log_weight(const struct pass *pass, double beta, size_t s, size_t i)
{
    const size_t r = s * pass->B + i;
    return beta * pass->log_ratio[r] - pass->recon[r];
}

/* log mean_s exp l_s of one image; row gets the softmax. */
static double importance(const struct pass *pass, double beta, size_t i, real *row)
{
    const size_t S = pass->plan.S;
    double most = -INFINITY, sum = 0;
    for (size_t s = 0; s < S; s++) most = fmax(most, log_weight(pass, beta, s, i));
    for (size_t s = 0; s < S; s++) sum += exp(log_weight(pass, beta, s, i) - most);
    for (size_t s = 0; s < S; s++) row[s * pass->B + i] = R(exp(log_weight(pass, beta, s, i) - most) / sum);
    return most + log(sum / (double)S);
}

struct losses objective_draws(const struct pass *pass, double beta, bool iwae, real *row, real *factor)
{
    const size_t S = pass->plan.S, rows = S * pass->B;
    struct losses losses = {.recon = mean_recon(pass)};
    for (size_t r = 0; r < rows; r++) losses.kl -= pass->log_ratio[r] / (double)(S * pass->share.batch);
    losses.loss = losses.recon + beta * losses.kl;
    for (size_t r = 0; r < rows && !iwae; r++) row[r] = R(1) / R(S);
    if (iwae) losses.loss = 0;
    for (size_t i = 0; i < pass->B && iwae; i++)
        losses.loss -= importance(pass, beta, i, row) / (double)pass->share.batch;
    for (size_t r = 0; r < rows; r++) factor[r] = R(S) * row[r];
    return losses;
}
