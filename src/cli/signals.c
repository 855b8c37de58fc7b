/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t caught_signal;

/* A second signal, be it another one, quits at once. */
static void on_signal(int number)
{
    if (caught_signal) {
        signal(number, SIG_DFL);
        raise(number);
    }
    caught_signal = number;
}

/* A signal that whoever started us has ignored, as nohup does, stays ignored. */
static void handle_with(void (*handler)(int))
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    const struct sigaction action = {.sa_handler = handler};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction before;
        if (!sigaction(numbers[i], NULL, &before) && before.sa_handler != SIG_IGN) sigaction(numbers[i], &action, NULL);
    }
}

void signals_catch(void) { handle_with(on_signal); }

void signals_let_go(void) { handle_with(SIG_DFL); }

int signals_caught(void) { return caught_signal; }

void signals_die(void)
{
    signal(caught_signal, SIG_DFL);
    raise(caught_signal);
}
