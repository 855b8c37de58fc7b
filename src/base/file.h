/* SPDX-License-Identifier: MIT */
#ifndef VAE_FILE_H
#define VAE_FILE_H

#include <errno.h>

#include "vae.h"

/* A call of the system, again where a signal interrupts it. */
#define RETRY(result, call)                                                                                            \
    do (result) = (call);                                                                                              \
    while ((result) < 0 && errno == EINTR)

#endif
