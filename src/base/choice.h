/* SPDX-License-Identifier: MIT
 *
 * Text to values: numbers, and modules chosen by name with parameters, "spikeslab:p=0.8,c2=0.05". */
#ifndef VAE_CHOICE_H
#define VAE_CHOICE_H

#include "vae.h"

typedef const vae_module *module_at(size_t i); /* NULL past the last */

/* Is there nothing before, between or behind the commas of a list? */
bool has_empty_item(const char *list);
/* The shortest of %.15g .. %.17g that reads back as the same double. */
void format_real(double value, char *text, size_t size);

/* Place of a word in "a|b|c", or -1. */
int word_place(const char *words, const char *word);
/* A parameter's value as text. */
const char *param_text(const vae_param *param, double value, char *text, size_t size);

const vae_module *module_find(module_at *at, const char *name);
size_t module_param(const vae_module *module, const char *name); /* index, or VAE_MAX_PARAMS */
/* The defaults of its parameters. */
void module_defaults(const vae_module *module, double *value);
/* Names of a kind of modules, "a, b, c". */
const char *module_names(module_at *at, char *text, size_t size);

/* "NAME" or "NAME:k=v,..."; parameters not named get their defaults. `what` is the kind, for messages. */
vae_status choice_parse(vae_choice *choice, const char *what, module_at *at, const char *text, vae_error *err);
vae_status choice_set(vae_choice *choice, const vae_module *module, const char *name, const char *text, vae_error *err);
/* The text that choice_parse would take, without young parameters at their default; where there is no such module,
 * which `module` NULL says, its name alone. */
void choice_text(const vae_choice *choice, const vae_module *module, char *text, size_t size);

#endif
