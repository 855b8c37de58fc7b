/* SPDX-License-Identifier: MIT */
#ifndef VAE_METRICS_H
#define VAE_METRICS_H

#include "vae.h"

/* Before the first epoch: counts are 0, losses NaN. */
vae_metrics metrics_none(void);

static inline double *metric_real(vae_metrics *metrics, const vae_metric *metric)
{
    return (double *)(void *)((char *)metrics + metric->offset);
}

static inline uint64_t *metric_count(vae_metrics *metrics, const vae_metric *metric)
{
    return (uint64_t *)(void *)((char *)metrics + metric->offset);
}

#endif
