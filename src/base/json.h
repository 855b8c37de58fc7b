/* SPDX-License-Identifier: MIT
 *
 * jansson under a full memory. jansson 2.14 ignores some of its own failed allocations: a word then loses a letter, a
 * number a digit, or an assertion ends the process. So none may fail: here the first one that does ends the work. */
#ifndef VAE_BASE_JSON_H
#define VAE_BASE_JSON_H

#include "vae.h"

/* Runs work(context) and returns its status. Where an allocation of jansson's fails in it, it is left there, and the
 * status is VAE_E_MEMORY ("NAME: out of memory"): what it holds apart from JSON must be within the reach of the caller,
 * who releases it. Within it no call of jansson runs out of memory. All JSON that it makes, texts too, is released at
 * its end: none may outlive it, json_decref is not needed, and it may release none of before. */
vae_status json_run(vae_status (*work)(void *context), void *context, const char *name, vae_error *err);

#endif
