/* SPDX-License-Identifier: MIT
 *
 * Checks by name. */
#include <stdio.h>
#include <stdlib.h>

#include "base/choice.h"
#include "base/memory.h"
#include "check/findings.h"
#include "likelihood/likelihood.h"
#include "posterior/posterior.h"
#include "prior/prior.h"

static const vae_module *prior_module(size_t i)
{
    const struct prior_ops *prior = prior_at(i);
    return prior ? &prior->module : NULL;
}

static const vae_module *posterior_module(size_t i)
{
    const struct posterior_ops *posterior = posterior_at(i);
    return posterior ? &posterior->module : NULL;
}

static const vae_module *likelihood_module(size_t i)
{
    const struct likelihood_ops *likelihood = likelihood_at(i);
    return likelihood ? &likelihood->module : NULL;
}

static vae_status check_prior_of(struct findings *f, const vae_choice *given, vae_error *err)
{
    const struct prior_ops *prior = prior_find(given->name);
    return prior->joint ? check_joint(f, prior, given, err) : check_prior(f, prior, given, err);
}

static vae_status check_posterior_of(struct findings *f, const vae_choice *given, vae_error *err)
{
    return check_posterior(f, posterior_find(given->name), given, err);
}

static vae_status check_likelihood_of(struct findings *f, const vae_choice *given, vae_error *err)
{
    return check_likelihood(f, likelihood_find(given->name), given, err);
}

static const struct {
    const char *what;
    module_at *at;
    vae_status (*check)(struct findings *f, const vae_choice *given, vae_error *err);
} kinds[] = {
    [VAE_PRIOR] = {"prior", prior_module, check_prior_of},
    [VAE_POSTERIOR] = {"posterior", posterior_module, check_posterior_of},
    [VAE_LIKELIHOOD] = {"likelihood", likelihood_module, check_likelihood_of},
};

vae_status vae_module_check(vae_kind kind, const char *name, void (*report)(void *context, const vae_check *check),
                            void *context, vae_error *err)
{
    vae_choice given;
    char what[64];
    if ((size_t)kind >= sizeof kinds / sizeof *kinds)
        return vae_fail(err, VAE_E_USAGE, "checked are priors, posteriors and likelihoods");
    vae_status status = choice_parse(&given, kinds[kind].what, kinds[kind].at, name, err);
    if (status) return status;
    struct findings *f = mem_new(1, sizeof *f, err);
    if (!f) return VAE_E_MEMORY;
    status = kinds[kind].check(f, &given, err);
    snprintf(what, sizeof what, "%s %s", kinds[kind].what, given.name);
    if (!status) status = findings_report(f, what, report, context, err);
    free(f);
    return status;
}
