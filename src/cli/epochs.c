/* SPDX-License-Identifier: MIT */
#include "cli/epochs.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/progress.h"

enum { ROWS_OF_A_HEADER = 20, MOST_CELL = 64 };

enum { EPOCH, LOSS, TRAIN_RECON, TRAIN_KL, NEG_ELBO, RECON, KL, VALIDATION, ACTIVE, TIME, COLUMNS };

/* Behind the row of a model that is the best so far by its validation loss. */
static const char best[] = "  best";

/* Level 0 is always there, the highest is the first to be left out. */
enum { LEVELS = 4 };
static const struct {
    const char *group, *heading;
    int width, level;
    size_t loss; /* its place in vae_metrics; 0: it is no loss */
} columns[COLUMNS] = {
    [EPOCH] = {"", "epoch", 5, 0, 0},
    [LOSS] = {"train", "loss", 7, 0, offsetof(vae_metrics, train_loss)},
    [TRAIN_RECON] = {"", "recon", 7, 4, offsetof(vae_metrics, train_recon)},
    [TRAIN_KL] = {"", "kl", 7, 4, offsetof(vae_metrics, train_kl)},
    [NEG_ELBO] = {"test", "neg_elbo", 8, 0, offsetof(vae_metrics, test_neg_elbo)},
    [RECON] = {"", "recon", 7, 1, offsetof(vae_metrics, test_recon)},
    [KL] = {"", "kl", 7, 1, offsetof(vae_metrics, test_kl)},
    [VALIDATION] = {"", "validation", 10, 0, offsetof(vae_metrics, validation_loss)},
    [ACTIVE] = {"", "active", 6, 2, 0},
    [TIME] = {"", "time", 6, 3, 0},
};

void epochs_begin(struct epochs *epochs, const vae_config *config, bool validates, bool repeats)
{
    *epochs = (struct epochs){.config = config, .validates = validates, .repeats = repeats, .level = -1};
}

static bool is_shown(const struct epochs *e, int column, int level)
{
    return columns[column].level <= level && (e->validates || column != VALIDATION);
}

static int width_of(const struct epochs *e, int column)
{
    if (column != EPOCH) return columns[column].width;
    const int widest = snprintf(NULL, 0, "%llu/%llu", (unsigned long long)e->config->epochs,
                                (unsigned long long)e->config->epochs);
    return widest > columns[column].width ? widest : columns[column].width;
}

/* The highest level whose columns, two spaces apart, fit the line. */
static int fitting_level(const struct epochs *e)
{
    for (int level = LEVELS; level > 0; level--) {
        int width = e->validates ? (int)sizeof best - 3 : -2;
        for (int c = 0; c < COLUMNS; c++)
            if (is_shown(e, c, level)) width += width_of(e, c) + 2;
        if (width < progress_columns()) return level;
    }
    return 0;
}

/* A loss has two decimals, or fewer where there is no room for them; from a million on it has three digits. */
static void write_loss(double loss, int width, char text[MOST_CELL])
{
    int decimals = 2;
    if (fabs(loss) >= 1e6)
        snprintf(text, MOST_CELL, "%.3g", loss);
    else
        while (snprintf(text, MOST_CELL, "%.*f", decimals, loss) > width && decimals) decimals--;
}

static void write_cell(const struct epochs *e, const vae_metrics *m, int column, char text[MOST_CELL])
{
    const double *loss = (const void *)((const char *)m + columns[column].loss);
    if (columns[column].loss)
        write_loss(*loss, columns[column].width, text);
    else if (column == EPOCH)
        snprintf(text, MOST_CELL, "%llu/%llu", (unsigned long long)m->epoch, (unsigned long long)e->config->epochs);
    else if (column == ACTIVE)
        snprintf(text, MOST_CELL, "%llu/%llu", (unsigned long long)m->active_units,
                 (unsigned long long)e->config->latent);
    else if (column == TIME)
        snprintf(text, MOST_CELL, "%.*f s", m->seconds < 100, m->seconds);
}

/* A cell, aligned to the right, behind at least one space. What is before it is in `*gap`, so that no line ends in
 * spaces. */
static void print_cell(const struct epochs *e, int column, const char *text, int *gap)
{
    *gap += (column ? 2 : 0) + width_of(e, column);
    if (!*text) return;
    fprintf(stderr, "%s%*s", column && *gap <= (int)strlen(text) ? " " : "", *gap, text);
    *gap = 0;
}

static void print_header(const struct epochs *e)
{
    for (int line = 0, gap = 0; line < 2; line++, gap = 0) {
        for (int c = 0; c < COLUMNS; c++)
            if (is_shown(e, c, e->level)) print_cell(e, c, line ? columns[c].heading : columns[c].group, &gap);
        fputc('\n', stderr);
    }
}

void epochs_row(struct epochs *e, const vae_metrics *metrics)
{
    const int level = fitting_level(e);
    if (level != e->level || (e->repeats && e->rows == ROWS_OF_A_HEADER)) {
        e->level = level;
        e->rows = 0;
        print_header(e);
    }
    e->rows++;
    for (int c = 0, gap = 0; c < COLUMNS; c++) {
        char text[MOST_CELL];
        if (!is_shown(e, c, level)) continue;
        write_cell(e, metrics, c, text);
        print_cell(e, c, text, &gap);
    }
    fprintf(stderr, "%s\n", e->validates && metrics->best_epoch == metrics->epoch ? best : "");
}
