/* SPDX-License-Identifier: MIT */
#include "train/schedule.h"

#include <math.h>

enum { STAGES = 8 };

static double step_factor(const vae_config *config, uint64_t epoch)
{
    double factor = 1;
    for (size_t i = 0; i < VAE_MAX_LIST && config->lr_steps[i]; i++)
        if (epoch >= config->lr_steps[i]) factor *= config->lr_factor;
    return factor;
}

static double iwae_factor(uint64_t epoch)
{
    uint64_t stage = 0, end = 1, length = 1;
    for (; stage + 1 < STAGES && epoch >= end; stage++, end += length) length *= 3;
    return round(100 * pow(10, -(double)stage / (STAGES - 1))) / 100;
}

double schedule_lr(const vae_config *config, enum schedule schedule, uint64_t step, uint64_t steps)
{
    const uint64_t epoch = step / steps;
    switch (schedule) {
    case SCHEDULE_CONSTANT: break;
    case SCHEDULE_STEP: return config->lr * step_factor(config, epoch);
    case SCHEDULE_IWAE: return config->lr * iwae_factor(epoch);
    case SCHEDULE_COSINE:
        return config->lr * 0.5 * (1 + cos(3.14159265358979323846 * (double)step / (double)(steps * config->epochs)));
    }
    return config->lr;
}
