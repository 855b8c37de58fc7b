/* SPDX-License-Identifier: MIT
 *
 * What commands that write pictures share. */
#ifndef VAE_CLI_PICTURE_H
#define VAE_CLI_PICTURE_H

#include "cli/command.h"
#include "vae_figure.h"

/* Rows of their tables of flags; `fallback` is the default, such as "sample.png beside the model". */
#define PICTURE_OUTPUT(fallback)                                                                                       \
    {                                                                                                                  \
        "output", 'o', "FILE", ".png, or .svg with title and labels [" fallback "]"                                    \
    }
#define PICTURE_OR_ARRAY(fallback)                                                                                     \
    {                                                                                                                  \
        "output", 'o', "FILE", ".png or .svg, or .npy or .csv of the images [" fallback "]"                            \
    }
#define PICTURE_SCALE                                                                                                  \
    {                                                                                                                  \
        "scale", 0, "S", "size of the picture, 0.1 to 20 [1]"                                                          \
    }

struct picture {
    char path[PATH_MAX_RUN];
    double scale;
    bool silent; /* its name is not printed: stdout has JSON */
};
/* Where the picture goes and how large it is: -o, or NAME beside the model file (in the working directory where that is
 * NULL), and --scale. VAE_E_USAGE where the name does not end in .png or .svg. */
vae_status picture_options(const struct arguments *arguments, const char *model_path, const char *name,
                           struct picture *picture, vae_error *err);
/* The same for a command that also writes arrays: the name may end in .npy or .csv. */
vae_status picture_or_array_options(const struct arguments *arguments, const char *model_path, const char *name,
                                    struct picture *picture, vae_error *err);

/* Is it the name of a picture? `flag` is how messages call it. */
vae_status picture_check_name(const char *flag, const char *path, vae_error *err);

/* "PRIOR on DATA". */
enum { PICTURE_NAME = 256 };
void picture_model_name(const vae_model *model, char name[PICTURE_NAME]);

/* The largest of 1, 2, 5, 10, 20, ... and their tenths that is not above `most`, for ticks. */
double picture_round(double most);

/* A figure of one panel of tiles, with the title "WHAT: PRIOR on DATA". */
vae_status picture_write_tiles(const struct picture *picture, const vae_model *model, const char *what,
                               const char *note, const vae_grid *grid, vae_error *err);
/* Writes the figure and says so. */
vae_status picture_write(const struct picture *picture, const vae_figure *figure, vae_error *err);

#endif
