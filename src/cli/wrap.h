/* SPDX-License-Identifier: MIT
 *
 * Text that is broken into lines of a given width. */
#ifndef VAE_CLI_WRAP_H
#define VAE_CLI_WRAP_H

#include <stdio.h>

enum { WRAP_COLUMNS = 80 }; /* of help texts and reports */

/* Writes `text` from column `column` on, with the end of the line; further lines begin in column `indent`. Breaks
 * between words and behind the | of a list; what is longer than a line stays whole. */
void wrap(FILE *out, size_t columns, size_t column, size_t indent, const char *text);

#endif
