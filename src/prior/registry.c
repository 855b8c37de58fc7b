/* SPDX-License-Identifier: MIT */
#include "base/registry.h"
#include "prior/prior.h"

#define ENTRY(name) &prior_##name,
REGISTRY(prior, PRIORS(ENTRY))

kl_function *prior_exact_kl(const struct prior_ops *prior, const char *posterior, bool *by_default)
{
    for (const struct exact_kl *e = prior->exact; e->posterior; e++)
        if (!strcmp(e->posterior, posterior)) {
            if (by_default) *by_default = e->by_default;
            return e->kl;
        }
    return NULL;
}
