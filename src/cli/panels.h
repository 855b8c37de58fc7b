/* SPDX-License-Identifier: MIT
 *
 * Panels that `plot` and `report` have in common. */
#ifndef VAE_CLI_PANELS_H
#define VAE_CLI_PANELS_H

#include "vae_figure.h"

/* Bars of the KL of each latent, the largest first, active and idle ones told apart, and the floor of an idle latent as
 * a rule. Each latent has a KL of its own. `most`: the largest KL of panels that have one axis; 0: this one's. */
vae_status panel_kl(vae_figure *figure, const vae_evaluation *evaluation, const char *title, double most,
                    vae_error *err);
/* One latent under the aggregate posterior, a histogram, and under the prior, a line. The axis covers all but half a
 * per cent of the draws at each end, and at least the prior's middle nine tenths. */
void panel_marginals(vae_figure *figure, const char *title, const vae_marginals *prior, const vae_marginals *aggregate,
                     size_t latent);

#endif
