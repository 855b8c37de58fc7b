/* SPDX-License-Identifier: MIT */
#include "base/registry.h"
#include "posterior/posterior.h"

#define ENTRY(name) &posterior_##name,
REGISTRY(posterior, POSTERIORS(ENTRY))
