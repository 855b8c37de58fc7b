/* SPDX-License-Identifier: MIT
 *
 * What `eval` finds out about a model, for other commands as well. */
#ifndef VAE_CLI_EVAL_H
#define VAE_CLI_EVAL_H

#include "cli/command.h"
#include "cli/json.h"
#include "cli/progress.h"

enum { FEW_EFFECTIVE = 5 }; /* samples of the nll, below which people are warned */

struct eval {
    const char *model_path, *source, *split;
    const vae_model *model;
    vae_eval_options options;
    vae_nll_options nll_options;
    const vae_evaluation *result;
    vae_nll nll; /* samples 0: not asked for */
    vae_ais_options ais_options;
    uint64_t ais_images; /* the first so many; 0: not asked for */
    vae_ais ais;
    double ais_beside; /* nll of these images; NaN: not asked for */
    bool both_ways;    /* bidirectional Monte Carlo */
    vae_bdmc bdmc;
    uint64_t draws; /* by which the KL is decomposed, 0: it is not */
    vae_decomposition *parts;
    double accuracy; /* of the linear probe; NaN: no labels, or only those that it learns from */
    double nmi;      /* of labels and clusters; NaN: no labels */
    double seconds;
    struct progress progress;
    bool pseudo;           /* grey pixels under a Bernoulli likelihood */
    const char *per_image; /* file for the losses of each image, or NULL */
};

/* The flags of `eval` that say how; `limit`: the most images, 0: all. */
vae_status eval_options(const struct arguments *arguments, const vae_model *model, struct eval *eval, uint64_t *limit,
                        vae_error *err);
/* Losses, likelihood and probe on `images`, which are of `data`. */
vae_status eval_measure(struct eval *eval, const vae_data *data, const vae_images *images, vae_evaluation **result,
                        vae_error *err);
/* Under a joint prior there is a KL, but of all latents together. */
bool eval_has_kl_per_latent(const vae_evaluation *result);
/* Of two upper bounds the lower one, where they are apart by more than twice their errors of sampling: "nll", "ais" or
 * "both". Without --ais what k-hat says, "nll" or "neither"; NULL: it says nothing. */
const char *eval_trusted(const struct eval *eval);
/* What --json prints, but for the seconds; NULL: out of memory. */
json_t *eval_json(const struct eval *eval);
/* The same as lines on stdout. */
void eval_print(const struct eval *eval);

#endif
