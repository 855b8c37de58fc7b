/* SPDX-License-Identifier: MIT */
#ifndef VAE_SCHEDULE_H
#define VAE_SCHEDULE_H

#include "vae.h"

/* The learning rate of training step `step`, counted from 0, where an epoch has `steps`:
 *
 *     constant  lr
 *     step      lr * lr_factor^(number of lr_steps that lie behind)
 *     iwae      stage i lasts 3^i epochs at lr * 10^(-i/7), the factor rounded to two digits: 1, 0.72, 0.52, 0.37,
 * 0.27, 0.19, 0.14, 0.10 (Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", 2016, section 5, with lr =
 * 0.001); eight stages are 3280 epochs, and the last one goes on from there cosine    lr * (1 + cos(pi t)) / 2, t the
 * share of all steps that lie behind (Loshchilov & Hutter, "SGDR", 2017) */
double schedule_lr(const vae_config *config, uint64_t step, uint64_t steps);

#endif
