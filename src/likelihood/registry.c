/* SPDX-License-Identifier: MIT */
#include "base/registry.h"
#include "likelihood/likelihood.h"

#define ENTRY(name) &likelihood_##name,
REGISTRY(likelihood, LIKELIHOODS(ENTRY))
