/* SPDX-License-Identifier: MIT
 *
 * The numbers of an epoch, listed once. */
#include "model/metrics.h"

#include <math.h>

#define COUNT(member, where)                                                                                           \
    {                                                                                                                  \
#member, offsetof(vae_metrics, member), true, where                                                            \
    }
#define REAL(member, where)                                                                                            \
    {                                                                                                                  \
#member, offsetof(vae_metrics, member), false, where                                                           \
    }

static const vae_metric metrics[] = {
    COUNT(epoch, VAE_M_COLUMN),
    COUNT(step, VAE_M_COLUMN),
    REAL(seconds, VAE_M_COLUMN_ONLY),
    REAL(train_loss, VAE_M_COLUMN),
    REAL(train_recon, VAE_M_COLUMN),
    REAL(train_kl, VAE_M_COLUMN),
    REAL(test_recon, VAE_M_COLUMN),
    REAL(test_kl, VAE_M_COLUMN),
    REAL(test_neg_elbo, VAE_M_COLUMN),
    COUNT(active_units, VAE_M_COLUMN),
    REAL(validation_loss, VAE_M_IF_VALIDATED),
    REAL(best_loss, VAE_M_STATE),
    COUNT(best_epoch, VAE_M_STATE),
};

const vae_metric *vae_metric_at(size_t i) { return i < sizeof metrics / sizeof *metrics ? &metrics[i] : NULL; }

vae_metrics metrics_none(void)
{
    vae_metrics none = {0};
    for (size_t i = 0; vae_metric_at(i); i++)
        if (!metrics[i].count && metrics[i].where != VAE_M_COLUMN_ONLY) *metric_real(&none, &metrics[i]) = (double)NAN;
    return none;
}
