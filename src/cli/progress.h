/* SPDX-License-Identifier: MIT
 *
 * The line of progress: one line on a terminal that says how far the work is and how long it still takes. It is written
 * over itself and is never wider than the terminal, whose width is asked each time. */
#ifndef VAE_CLI_PROGRESS_H
#define VAE_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    bool shows;   /* stderr is a terminal, and may be written to */
    double shown; /* when the line was last written, in seconds of the work at hand */
};

/* What a line says. Where it is too long, the loss goes first, then the rate, then the time left. */
struct progress_line {
    const char *work;   /* at hand, such as "epoch 3/10" */
    const char *unit;   /* what is counted below; NULL: images */
    size_t done, total; /* of it */
    size_t earlier;     /* of those done: by somebody before us */
    double seconds;     /* that the others took */
    double loss;        /* nats per image; NaN: none to be shown */
    size_t later;       /* that come after this work, of the same kind */
};

/* Room for text on stderr: the columns of the terminal, or 80. */
int progress_columns(void);
/* "12 s", "6 min 40 s", "5 h 07 min" or "3 d 02 h". */
const char *progress_duration(double seconds, char text[32]);

/* Seconds of a clock that only goes forward. */
double progress_now(void);
void progress_begin(struct progress *progress, bool quiet);
/* Writes the line, not more than ten times a second of the same work. */
void progress_show(struct progress *progress, const struct progress_line *line);
/* Removes it, before anything else is written. */
void progress_clear(const struct progress *progress);

#endif
