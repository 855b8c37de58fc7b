/* SPDX-License-Identifier: MIT */
#ifndef VAE_SCHEDULE_H
#define VAE_SCHEDULE_H

#include "model/config.h"

/* The learning rate of training step `step`, counted from 0, where an epoch has `steps`:
 *
 *     constant  lr
 *     step      lr * lr_factor^(number of lr_steps that lie behind)
 *     iwae      stage i of 0 .. 7 lasts 3^i epochs at lr times 1, 0.72, 0.52, 0.37, 0.27, 0.19, 0.14, 0.10
 *     cosine    lr * (1 + cos(pi t)) / 2, with t the share of all steps that lies behind
 *
 * iwae is from Burda, Grosse & Salakhutdinov, "Importance weighted autoencoders", 2016, section 5, with lr = 0.001; the
 * factors are 10^(-i/7) in two digits, the stages 3280 epochs, and the last one goes on from there. cosine is from
 * Loshchilov & Hutter, "SGDR", 2017. */
double schedule_lr(const vae_config *config, enum schedule schedule, uint64_t step, uint64_t steps);

#endif
