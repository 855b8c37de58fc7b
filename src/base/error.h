/* SPDX-License-Identifier: MIT
 *
 * File names, arguments and texts of files end up in messages. What moves a terminal's cursor in them must not get
 * there: control characters, also those of two bytes in UTF-8 (U+0080 to U+009F). */
#ifndef VAE_ERROR_H
#define VAE_ERROR_H

#include "vae.h"

/* Does a control character begin here? */
bool is_control(const char *text);
/* Is it valid UTF-8, which is all that JSON can hold, without control characters? (jansson would tell, but it
 * allocates, and then does not tell why it could not.) */
bool is_clean(const char *text);
/* Puts question marks in the place of their bytes. */
void mask_controls(char *text);

#endif
