/* SPDX-License-Identifier: MIT
 *
 * A folder of modules has one list of their names, from which everything else is made:
 *
 *     #define PRIORS(X) X(normal) X(laplace)               in prior.h, where it also declares them
 *     #define ENTRY(name) &prior_##name,                   in registry.c
 *     REGISTRY(prior, PRIORS(ENTRY))                       prior_at(i), NULL past the last; prior_find(name), or NULL
 */
#ifndef VAE_REGISTRY_H
#define VAE_REGISTRY_H

#include <stddef.h>
#include <string.h>

#define REGISTRY(kind, ...)                                                                                            \
    static const struct kind##_ops *const kind##_list[] = {__VA_ARGS__ NULL};                                          \
    const struct kind##_ops *kind##_at(size_t i)                                                                       \
    {                                                                                                                  \
        return i < sizeof kind##_list / sizeof *kind##_list ? kind##_list[i] : NULL;                                   \
    }                                                                                                                  \
    const struct kind##_ops *kind##_find(const char *name)                                                             \
    {                                                                                                                  \
        for (size_t i = 0; kind##_list[i]; i++)                                                                        \
            if (!strcmp(kind##_list[i]->module.name, name)) return kind##_list[i];                                     \
        return NULL;                                                                                                   \
    }

#endif
