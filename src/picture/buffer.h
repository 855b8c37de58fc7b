/* SPDX-License-Identifier: MIT
 *
 * Bytes that grow. A failure to allocate is remembered. */
#ifndef VAE_BUFFER_H
#define VAE_BUFFER_H

#include "vae.h"

struct buffer {
    char *bytes; /* free() gives them back */
    size_t size, capacity;
    bool failed;
};

void buffer_add(struct buffer *buffer, const void *bytes, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
/* To two decimals, as short as that can be, with a point in every locale. */
void buffer_number(struct buffer *buffer, double number);
/* In base 64 (RFC 4648). */
void buffer_base64(struct buffer *buffer, const void *bytes, size_t size);

#endif
