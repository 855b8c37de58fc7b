/* SPDX-License-Identifier: MIT
 *
 * Signals that ask to stop: the work ends at its next good moment, then the process dies of the signal. */
#ifndef VAE_SIGNALS_H
#define VAE_SIGNALS_H

/* From here on SIGINT, SIGTERM and SIGHUP are noted; a second one quits at once. */
void signals_catch(void);
/* In a new process, before it becomes another program: they take their usual course again. */
void signals_let_go(void);
/* The one that was noted, or 0. */
int signals_caught(void);
void signals_die(void);

#endif
