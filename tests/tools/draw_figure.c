/* SPDX-License-Identifier: MIT
 *
 * For tests of figures: draw_figure FILE SCALE COLUMNS TITLE [NOTE] makes the calls of vae_figure.h that its stdin has,
 * one a line, words between tabs, and writes FILE, or, where that is "-", the text of vae_figure_svg. The words are
 * those of the call, arrays at the end: "line SERIES NAME SIZE FAINT x y x y ...", "band ... x low high",
 * "points ... x y error", "bars ... WIDTH x y error", "tiles DOWN ACROSS ROWS COLS BAND DIVERGING UNIT value ...",
 * before which "rows text ..." and "columns text ..." name labels. Tiles before the first panel are frames of an
 * animation instead, each with the text of a line "frame" before it, for SCALE seconds. Exits with the status, the
 * message on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vae_figure.h"

enum { MOST_WORDS = 1 << 16 };

static char *word[MOST_WORDS];
static size_t words;
static double column[3][MOST_WORDS];
static const char *rows[MOST_WORDS], *columns[MOST_WORDS];
static size_t row_labels, column_labels;

enum { MOST_FRAMES = 64 };
static vae_grid frame[MOST_FRAMES];
static const char *frame_text[MOST_FRAMES];
static size_t frames;

static double number(size_t i) { return i < words ? strtod(word[i], NULL) : 0; }
static const char *text(size_t i) { return i < words && *word[i] ? word[i] : NULL; }

/* Splits the words from `first` on into columns of numbers; returns how long these are. */
static size_t split(size_t first, size_t wide)
{
    for (size_t i = first; i < words; i++) column[(i - first) % wide][(i - first) / wide] = number(i);
    return words > first ? (words - first) / wide : 0;
}

static const double *errors(size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (column[2][i] != 0) return column[2];
    return NULL;
}

static void draw_mark(vae_panel *panel)
{
    const vae_mark mark = {(int)number(1), text(2), number(3), number(4) != 0};
    if (!strcmp(word[0], "line")) {
        const size_t n = split(5, 2);
        vae_panel_line(panel, n, column[0], column[1], mark);
    } else if (!strcmp(word[0], "band")) {
        const size_t n = split(5, 3);
        vae_panel_band(panel, n, column[0], column[1], column[2], mark);
    } else if (!strcmp(word[0], "points")) {
        const size_t n = split(5, 3);
        vae_panel_points(panel, n, column[0], column[1], errors(n), mark);
    } else if (!strcmp(word[0], "bars")) {
        const size_t n = split(6, 3);
        vae_panel_bars(panel, n, column[0], column[1], errors(n), number(5), mark);
    } else if (!strcmp(word[0], "rule_x")) {
        vae_panel_rule_x(panel, number(5), mark);
    } else if (!strcmp(word[0], "rule_y")) {
        vae_panel_rule_y(panel, number(5), mark);
    }
}

/* Values that are not given are zero. */
static void draw_tiles(vae_panel *panel)
{
    vae_grid grid = {.down = (size_t)number(1),
                     .across = (size_t)number(2),
                     .rows = (size_t)number(3),
                     .cols = (size_t)number(4),
                     .band = (size_t)number(5),
                     .diverging = number(6) != 0,
                     .unit = number(7),
                     .labels = row_labels ? rows : NULL,
                     .columns = column_labels ? columns : NULL};
    float *values = calloc(grid.down * grid.across * grid.rows * grid.cols + words, sizeof *values);
    if (!values) abort();
    for (size_t i = 8; i < words; i++) values[i - 8] = (float)number(i);
    grid.tiles = values;
    if (panel || frames == MOST_FRAMES) {
        vae_panel_tiles(panel, &grid);
        free(values);
    } else {
        frame[frames++] = grid;
    }
}

/* Words that are kept until the tiles come. */
static size_t keep_labels(const char **labels)
{
    for (size_t i = 1; i < words; i++) labels[i - 1] = strdup(word[i]);
    return words - 1;
}

static void set_ticks(vae_panel *panel, bool x)
{
    const size_t n = (words - 1) / 2;
    const char *texts[MOST_WORDS];
    for (size_t i = 0; i < n; i++) {
        column[0][i] = number(1 + 2 * i);
        texts[i] = word[2 + 2 * i];
    }
    (x ? vae_panel_ticks_x : vae_panel_ticks_y)(panel, n, column[0], texts);
}

static void call(vae_figure *figure, vae_panel **panel)
{
    const char *name = word[0];
    if (!strcmp(name, "panel"))
        *panel = vae_figure_panel(figure, text(1));
    else if (!strcmp(name, "size"))
        vae_panel_size(*panel, number(1), number(2));
    else if (!strcmp(name, "labels"))
        vae_panel_labels(*panel, text(1), text(2));
    else if (!strcmp(name, "log"))
        vae_panel_log(*panel, number(1) != 0, number(2) != 0);
    else if (!strcmp(name, "limits_x"))
        vae_panel_limits_x(*panel, number(1), number(2));
    else if (!strcmp(name, "limits_y"))
        vae_panel_limits_y(*panel, number(1), number(2));
    else if (!strcmp(name, "equal"))
        vae_panel_equal(*panel);
    else if (!strncmp(name, "ticks_", 6))
        set_ticks(*panel, name[6] == 'x');
    else if (!strcmp(name, "text"))
        vae_panel_text(*panel, number(1), number(2), word[3]);
    else if (!strcmp(name, "frame"))
        frame_text[frames] = words > 1 ? strdup(word[1]) : NULL;
    else if (!strcmp(name, "rows"))
        row_labels = keep_labels(rows);
    else if (!strcmp(name, "columns"))
        column_labels = keep_labels(columns);
    else if (!strcmp(name, "tiles"))
        draw_tiles(*panel);
    else
        draw_mark(*panel);
}

static void read_calls(vae_figure *figure)
{
    char *line = NULL;
    size_t room = 0;
    vae_panel *panel = NULL;
    while (getline(&line, &room, stdin) > 0) {
        char *rest = line;
        line[strcspn(line, "\n")] = '\0';
        for (words = 0; rest && words < MOST_WORDS; words++) word[words] = strsep(&rest, "\t");
        call(figure, &panel);
    }
    free(line);
}

int main(int argc, char **argv)
{
    vae_error err = {0};
    vae_figure *figure = NULL;
    char *svg = NULL;
    if (argc < 5) return VAE_E_USAGE;
    const double scale = strtod(argv[2], NULL);
    vae_status status = vae_figure_new(&figure, *argv[4] ? argv[4] : NULL, argc > 5 ? argv[5] : NULL,
                                       strtoull(argv[3], NULL, 10), &err);
    if (!status) read_calls(figure);
    if (!status && frames)
        status = vae_animation_write(argv[1], frames, frame, *frame_text ? frame_text : NULL, scale, 1, &err);
    else if (!status && strcmp(argv[1], "-"))
        status = vae_figure_write(figure, argv[1], scale, &err);
    else if (!status)
        status = vae_figure_svg(figure, scale, &svg, &err);
    if (svg) fputs(svg, stdout);
    if (status) fprintf(stderr, "%s\n", err.message);
    free(svg);
    vae_figure_free(&figure);
    return (int)status;
}
