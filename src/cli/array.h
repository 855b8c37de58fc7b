/* SPDX-License-Identifier: MIT
 *
 * Arrays in files: rows of numbers go out as .npy or .csv, latents and labels come in. */
#ifndef VAE_ARRAY_H
#define VAE_ARRAY_H

#include <stdio.h>

#include "cli/command.h"

/* Does the name of the file end in .npy or .csv? */
bool array_is_name(const char *path);
/* Fails where it does not; `flag` gave it. */
vae_status array_check_name(const char *flag, const char *path, vae_error *err);

/* n rows of rows * cols numbers. In a .npy each row is a matrix, or, where it has one row, a vector; in a .csv it is
 * its label, where there are labels, and its numbers, which have the name `letter` and their place. */
struct array {
    size_t n, rows, cols;
    const float *values;
    const uint8_t *labels; /* (n), or NULL */
    char letter;
};

vae_status array_write(const char *path, const struct array *array, vae_error *err);

/* Rows of L latents from a .npy or .csv, in memory that the caller frees, with the labels in the file, or NULL. */
struct latents {
    size_t n;
    float *z;
    uint8_t *labels;
};

vae_status latents_read(struct latents *latents, const char *path, size_t L, vae_error *err);
void latents_free(struct latents *latents);

/* Text that is put together in memory and becomes a file. It stays where it is: `to` points at it. */
struct text {
    FILE *to;
    char *bytes; /* of what was flushed, with a 0 behind them */
    size_t size, room;
};

vae_status text_begin(struct text *text, vae_error *err);
/* Is everything that went to it in `bytes`? VAE_E_MEMORY where not. */
vae_status text_flush(struct text *text, vae_error *err);
/* Ends it; its bytes are the caller's. NULL: out of memory. */
char *text_take(struct text *text);
/* Writes it, and gives the memory back. */
vae_status text_end(struct text *text, const char *path, vae_error *err);
/* Gives the memory back, and writes nothing. */
void text_drop(struct text *text);

#endif
