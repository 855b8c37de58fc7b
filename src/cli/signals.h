/* SPDX-License-Identifier: MIT
 *
 * Signals that ask to stop: SIGINT, SIGTERM and SIGHUP end the process at once, or, where it has begun something that
 * it should not leave as it is, when that has come to a good moment. */
#ifndef VAE_SIGNALS_H
#define VAE_SIGNALS_H

#include "vae.h"

/* From here on they are noted; a second one quits at once. */
void signals_catch(void);
/* From here on they end the process again, and one that was noted does. Returns `status`. */
vae_status signals_release(vae_status status);
/* Writes a file, such as WHOLE(vae_write_file(...)), and dies of a signal that comes meanwhile when it is done: nothing
 * half-written is left. */
#define WHOLE(write) (signals_catch(), signals_release(write))
/* In a new process, before it becomes another program: they take their usual course again. */
void signals_let_go(void);
/* The one that was noted, or 0. */
int signals_caught(void);
void signals_die(void);

#endif
