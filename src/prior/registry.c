/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "prior/prior.h"

static const struct prior_ops *const priors[] = {&prior_normal, &prior_spikeslab, &prior_laplace, &prior_cauchy, NULL};

const struct prior_ops *prior_at(size_t i) { return i < sizeof priors / sizeof *priors ? priors[i] : NULL; }

const struct prior_ops *prior_find(const char *name)
{
    for (size_t i = 0; priors[i]; i++)
        if (!strcmp(priors[i]->module.name, name)) return priors[i];
    return NULL;
}
