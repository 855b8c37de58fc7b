/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "prior/prior.h"

static const struct prior_ops *const built_in[] = {PRIORS(PRIOR_ENTRY)};
enum { BUILT_IN = sizeof built_in / sizeof *built_in };

const struct prior_ops *prior_at(size_t i) { return i < BUILT_IN ? built_in[i] : plugin_at(i - BUILT_IN); }

const struct prior_ops *prior_find(const char *name)
{
    const struct prior_ops *prior;
    for (size_t i = 0; (prior = prior_at(i)); i++)
        if (!strcmp(prior->module.name, name)) return prior;
    return NULL;
}

void prior_init(const struct prior_ops *prior, struct prior_state *state, const double *param)
{
    if (prior->plugin)
        plugin_init(prior->plugin, state, param);
    else if (prior->init)
        prior->init(state, param);
}

kl_function *prior_exact_kl(const struct prior_ops *prior, const char *posterior, bool *by_default)
{
    for (const struct exact_kl *e = prior->exact; e->posterior; e++)
        if (!strcmp(e->posterior, posterior)) {
            if (by_default) *by_default = e->by_default;
            return e->kl;
        }
    return NULL;
}
