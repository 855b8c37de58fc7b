/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { USUAL_COLUMNS = 80, LEAST_BAR = 8, LONGEST_BAR = 24 };

int progress_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) || !size.ws_col ? USUAL_COLUMNS : size.ws_col;
}

const char *progress_duration(double seconds, char text[32])
{
    const double s = fmin(seconds, 1e9);
    const long minutes = (long)(s / 60), hours = minutes / 60;
    if (minutes < 1)
        snprintf(text, 32, "%d s", (int)s);
    else if (hours < 1)
        snprintf(text, 32, "%ld min %02d s", minutes, (int)fmod(s, 60));
    else if (hours < 24)
        snprintf(text, 32, "%ld h %02ld min", hours, minutes % 60);
    else
        snprintf(text, 32, "%ld d %02ld h", hours / 24, hours % 24);
    return text;
}

double progress_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_begin(struct progress *progress, bool quiet)
{
    const char *terminal = getenv("TERM");
    const bool is_dumb = terminal && !strcmp(terminal, "dumb"); /* it cannot go back to the start of a line */
    *progress = (struct progress){.shows = !quiet && !is_dumb && isatty(STDERR_FILENO)};
}

/* The parts of a line in their order. Each but the first begins with the two spaces that keep it apart. */
enum part { WORK, BAR, SHARE, LOSS, RATE, LEFT, PARTS };

static void write_parts(const struct progress_line *l, char text[PARTS][48])
{
    char duration[32];
    text[BAR][0] = text[LOSS][0] = text[RATE][0] = text[LEFT][0] = '\0';
    snprintf(text[WORK], sizeof *text, "%s", l->work);
    snprintf(text[SHARE], sizeof *text, "  %3.0f %%", 100 * (double)l->done / (double)l->total);
    if (!isnan(l->loss)) snprintf(text[LOSS], sizeof *text, "  loss %.2f", l->loss);
    if (l->done == l->earlier) return; /* there is no rate yet */
    const double rate = (double)(l->done - l->earlier) / l->seconds;
    const double left = (double)(l->total - l->done + l->later) / rate;
    snprintf(text[RATE], sizeof *text, "  %.*f %s/s", rate < 10, rate, l->unit ? l->unit : "images");
    snprintf(text[LEFT], sizeof *text, "  %s left", progress_duration(left, duration));
}

/* Leaves out what has no room, and fills the rest of it with a bar. */
static void fit_parts(const struct progress_line *l, int room, char text[PARTS][48])
{
    static const enum part by_importance[] = {WORK, SHARE, LEFT, RATE, LOSS};
    for (size_t i = 0; i < sizeof by_importance / sizeof *by_importance; i++) {
        char *part = text[by_importance[i]];
        const int length = (int)strlen(part);
        if (length > room) part[0] = '\0';
        room -= (int)strlen(part);
    }
    const int bar = room - 3 < LONGEST_BAR ? room - 3 : LONGEST_BAR;
    if (bar < LEAST_BAR) return;
    snprintf(text[BAR], sizeof *text, " [%*s]", bar, "");
    for (int i = 0; i < bar; i++) text[BAR][2 + i] = (size_t)i < l->done * (size_t)bar / l->total ? '#' : '.';
}

/* The cursor goes back to the start of the line each time: when the terminal becomes narrower and breaks the line in
 * two, it is still where the first part begins, and what is below it is cleared with the next line. A line that was
 * on its way while that happened is cut at the margin, for which the terminal's wrapping is off meanwhile. */
void progress_show(struct progress *progress, const struct progress_line *l)
{
    char text[PARTS][48];
    if (l->seconds < progress->shown) progress->shown = 0; /* other work */
    if (!progress->shows || l->seconds - progress->shown < 0.1) return;
    progress->shown = l->seconds;
    write_parts(l, text);
    fit_parts(l, progress_columns() - 1, text);
    fprintf(stderr, "\r\033[?7l%s%s%s%s%s%s\033[J\033[?7h\r", text[WORK], text[BAR], text[SHARE], text[LOSS],
            text[RATE], text[LEFT]);
}

void progress_clear(const struct progress *progress)
{
    if (progress->shows) fputs("\r\033[J", stderr);
}
