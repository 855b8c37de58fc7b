/* SPDX-License-Identifier: MIT */
#include "cli/signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

static atomic_int caught_signal;
static atomic_bool catches;

static void die_of(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

/* A second signal, be it another one, quits at once; so does the first where none are caught. */
static void on_signal(int number)
{
    int none = 0;
    if (!atomic_load(&catches) || !atomic_compare_exchange_strong(&caught_signal, &none, number)) die_of(number);
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

void signals_catch(void)
{
    atomic_store(&catches, true);
    handle_with(on_signal);
}

vae_status signals_release(vae_status status)
{
    atomic_store(&catches, false);
    if (signals_caught()) signals_die();
    return status;
}

void signals_let_go(void) { handle_with(SIG_DFL); }

int signals_caught(void) { return atomic_load(&caught_signal); }

void signals_die(void) { die_of(signals_caught()); }
