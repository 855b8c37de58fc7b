/* SPDX-License-Identifier: MIT
 *
 * Words of commands that a shell reads back as they are. */
#ifndef VAE_CLI_SHELL_H
#define VAE_CLI_SHELL_H

#include <stdbool.h>
#include <stdio.h>

/* Does it need no quotes? */
bool shell_is_plain(const char *word);
/* The word, in single quotes where it needs them. */
void shell_word(FILE *out, const char *word);

#endif
