/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "likelihood/likelihood.h"

static const struct likelihood_ops *const likelihoods[] = {&likelihood_bernoulli, &likelihood_gaussian, NULL};

const struct likelihood_ops *likelihood_at(size_t i)
{
    return i < sizeof likelihoods / sizeof *likelihoods ? likelihoods[i] : NULL;
}

const struct likelihood_ops *likelihood_find(const char *name)
{
    for (size_t i = 0; likelihoods[i]; i++)
        if (!strcmp(likelihoods[i]->module.name, name)) return likelihoods[i];
    return NULL;
}
