/* SPDX-License-Identifier: MIT
 *
 * For tests of pictures: a vae_grid from the command line. Usage: draw_grid FILE DOWN ACROSS ROWS COLS BAND TITLE
 * [LABEL]..., TITLE empty for none, with the tiles' values on stdin as float32 in machine order. Exits with the status,
 * the message on stderr. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vae_figure.h"

static size_t count(const char *word) { return (size_t)strtoull(word, NULL, 10); }

/* All values of stdin; not more are asked for than a refused grid may name. */
static float *read_values(size_t n)
{
    float *values = calloc(n + 1, sizeof *values);
    if (values && fread(values, sizeof *values, n, stdin) == n) return values;
    free(values);
    return NULL;
}

int main(int argc, char **argv)
{
    vae_error err = {0};
    if (argc < 8) return VAE_E_USAGE;
    vae_grid grid = {.down = count(argv[2]),
                     .across = count(argv[3]),
                     .rows = count(argv[4]),
                     .cols = count(argv[5]),
                     .band = count(argv[6]),
                     .title = *argv[7] ? argv[7] : NULL,
                     .labels = argc > 8 ? (const char *const *)argv + 8 : NULL};
    float *tiles = read_values(grid.down * grid.across * grid.rows * grid.cols);
    grid.tiles = tiles;
    const vae_status status = tiles ? vae_picture_grid(argv[1], &grid, &err) : VAE_E_DATA;
    if (status) fprintf(stderr, "%s\n", err.message);
    free(tiles);
    return (int)status;
}
