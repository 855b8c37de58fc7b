/* SPDX-License-Identifier: MIT
 *
 * What `eval` found out, as a JSON object. */
#include <math.h>

#include "cli/decomposition.h"
#include "cli/eval.h"

static json_t *array(const double *values, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_finite(values[i]));
    return list;
}

static const char *proposal_of(const struct eval *r)
{
    return r->nll_options.proposal == VAE_PROPOSE_DEFENSIVE ? "defensive" : "q";
}

static void add_losses(json_t *object, const struct eval *r)
{
    const vae_evaluation *e = r->result;
    const bool asked = r->nll.samples > 0;
    json_object_set_new(object, "n", json_integer((json_int_t)e->n));
    json_object_set_new(object, "neg_elbo", json_finite(e->neg_elbo));
    json_object_set_new(object, "neg_elbo_se", json_finite(e->neg_elbo_se));
    json_object_set_new(object, "recon", json_finite(e->recon));
    json_object_set_new(object, "kl", json_finite(e->kl));
    json_object_set_new(object, "elbo_samples", json_integer((json_int_t)e->samples));
    json_object_set_new(object, "kl_samples", json_integer((json_int_t)e->kl_samples));
    json_object_set_new(object, "nll", asked ? json_finite(r->nll.nll) : json_null());
    json_object_set_new(object, "nll_se", asked ? json_finite(r->nll.se) : json_null());
    json_object_set_new(object, "nll_mc_se", asked ? json_finite(r->nll.mc_se) : json_null());
    json_object_set_new(object, "nll_bias", asked ? json_finite(r->nll.bias) : json_null());
    json_object_set_new(object, "nll_samples", json_integer((json_int_t)r->nll.samples));
    json_object_set_new(object, "nll_effective_samples", asked ? json_finite(r->nll.effective_samples) : json_null());
    json_object_set_new(object, "nll_proposal", asked ? json_string(proposal_of(r)) : json_null());
    json_object_set_new(object, "nll_khat", asked ? json_finite(r->nll.khat) : json_null());
    json_object_set_new(object, "nll_khat_above", asked ? json_finite(r->nll.khat_above) : json_null());
}

/* What --ais adds. */
static void add_ais(json_t *object, const struct eval *r)
{
    const vae_ais *ais = &r->ais;
    const vae_ais_options *o = &r->ais_options;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"ais", ais->nll},
                   {"ais_se", ais->se},
                   {"ais_mc_se", ais->mc_se},
                   {"ais_bias", ais->bias},
                   {"ais_effective_chains", ais->effective_chains},
                   {"ais_acceptance", ais->acceptance},
                   {"ais_least_acceptance", ais->least_acceptance},
                   {"ais_nll", r->ais_beside}},
      bounds[] = {{"bdmc_high", r->bdmc.ais.nll},
                  {"bdmc_low", r->bdmc.nll_low},
                  {"bdmc_gap", r->bdmc.gap},
                  {"bdmc_gap_se", r->bdmc.gap_se}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(object, numbers[i].name, json_finite(numbers[i].value));
    json_object_set_new(object, "ais_images", json_integer((json_int_t)ais->n));
    json_object_set_new(object, "ais_temperatures", json_integer((json_int_t)o->temperatures));
    json_object_set_new(object, "ais_chains", json_integer((json_int_t)o->chains));
    json_object_set_new(object, "ais_leapfrog", json_integer((json_int_t)o->leapfrog));
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds && r->both_ways; i++)
        json_object_set_new(object, bounds[i].name, json_finite(bounds[i].value));
}

static void add_latents(json_t *object, const struct eval *r)
{
    const vae_evaluation *e = r->result;
    json_object_set_new(object, "kl_per_dim",
                        eval_has_kl_per_latent(e) ? array(e->kl_per_dim, e->latent) : json_null());
    json_object_set_new(object, "kl_floor", json_finite(e->kl_floor));
    json_object_set_new(object, "mean_variance", array(e->mean_variance, e->latent));
    json_object_set_new(object, "active_units", json_integer((json_int_t)e->active_units));
    json_object_set_new(object, "hoyer", json_finite(e->hoyer));
    json_object_set_new(object, "hoyer_normalized", json_finite(e->hoyer_normalized));
    json_object_set_new(object, "hoyer_active", json_finite(e->hoyer_active));
    json_object_set_new(object, "near_zero", json_finite(r->options.near_zero));
    json_object_set_new(object, "near_zero_share", json_finite(e->near_zero_share));
    json_object_set_new(object, "collapsed_share", json_finite(e->collapsed_share));
    json_object_set_new(object, "probe_accuracy", json_finite(r->accuracy));
    json_object_set_new(object, "cluster_nmi", json_finite(r->nmi));
}

json_t *eval_json(const struct eval *r)
{
    json_t *object = json_pack("{s:o, s:I, s:o, s:s, s:s, s:b}", "model", json_text(r->model_path), "epoch",
                               (json_int_t)vae_model_metrics(r->model)->epoch, "data", json_text(r->source), "split",
                               r->split, "binarize", vae_model_config(r->model)->binarize, "pseudo_likelihood",
                               r->pseudo);
    add_losses(object, r);
    if (r->ais_images) add_ais(object, r);
    json_object_set_new(object, "trusted", eval_trusted(r) ? json_string(eval_trusted(r)) : json_null());
    add_latents(object, r);
    json_object_set_new(object, "decomposition_draws", json_integer((json_int_t)r->draws));
    json_object_set_new(object, "decomposition", decomposition_json(r->parts));
    json_object_set_new(object, "sigma", json_finite(run_learned_sigma(r->model)));
    json_object_set_new(object, "seed", json_integer((json_int_t)r->options.seed));
    return object;
}
