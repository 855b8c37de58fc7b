/* SPDX-License-Identifier: MIT */
#include "cli/command.h"

static void print_module(const vae_module *module)
{
    printf("%s: %s\n    %s\n", module->name, module->summary, module->formula);
    for (const vae_param *p = module->params; p && p->name; p++) {
        printf("    --%s  %s, ", p->name, p->help);
        help_param_range(stdout, p);
    }
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    const vae_module *module;
    (void)arguments, (void)err;
    for (size_t i = 0; (module = vae_module_at(VAE_PRIOR, i)); i++) print_module(module);
    return VAE_OK;
}

static const struct flag flags[] = {{0}};

const struct command command_priors = {
    .name = "priors",
    .summary = "list the priors, their densities and parameters",
    .details = "Lists the registered priors p(z): density of one latent dimension, parameters with range and default.",
    .flags = flags,
    .run = run,
};
