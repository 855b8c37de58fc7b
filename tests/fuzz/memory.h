/* SPDX-License-Identifier: MIT
 *
 * Files in memory. The system's calls that readers make are answered from here where they name such a file, so that a
 * fuzzer asks the system for nothing; all others go on to it. What the library writes stays in memory, too. */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY "/memory" /* the folder that they are in; a name in it may have further folders before it */

enum { MEMORY_NAME = 128 };

/* Adds a file; what does not fit is left out. The bytes stay the caller's, who keeps them until memory_clear. */
void memory_add(const char *name, const uint8_t *bytes, size_t size);
/* Removes all files, and what was written. Aborts where one is still open. */
void memory_clear(void);
/* What the library wrote last, which the caller frees, or NULL. */
uint8_t *memory_take(size_t *size);

#endif
