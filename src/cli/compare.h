/* SPDX-License-Identifier: MIT
 *
 * The parts of `vaectl compare`: a plan of runs (compare_plan.c), which are trained (compare_jobs.c) and evaluated
 * (compare_runs.c, compare_evaluate.c); a table over them with a row a configuration (compare_table.c), and what is
 * written of it (compare_write.c, compare_figure.c, compare_pictures.c). */
#ifndef VAE_COMPARE_H
#define VAE_COMPARE_H

#include "cli/picture.h"

enum { MOST_RUNS = 1000 };

/* What is measured of a run; nats per image but for what counts units or is a share. */
enum measure {
    NEG_ELBO,
    RECON,
    KL,
    ACTIVE_UNITS,
    COLLAPSED_SHARE,
    CLUSTER_NMI,
    INFORMATION, /* the parts of the KL, q(z) without the image of a draw: see vae_decompose */
    MARGINAL_KL,
    TOTAL_CORRELATION,
    LATENTS_KL,
    NLL,
    NLL_BIAS, /* what the nll's sampling does to it, as vae_nll has it */
    NLL_MC_SE,
    NLL_EFFECTIVE,
    NLL_KHAT,
    NLL_KHAT_ABOVE,
    MEASURES
};

struct measure_name {
    const char *name;
    int digits;  /* behind the point, in text for people */
    bool beside; /* in JSON and CSV alone */
};
extern const struct measure_name measures[MEASURES];

struct run {
    char path[PATH_MAX_RUN]; /* as it was given, or planned */
    vae_config config;
    uint32_t images; /* CRC-32 of those that it was evaluated on */
    size_t images_n;
    bool divided; /* are they a share of a file, which the seed chose? */
    size_t row;   /* of the table */
    double value[MEASURES];
    float *image_loss; /* of each image: the nll where there is one, else neg_elbo */
};

struct runs {
    struct run *run;
    size_t n;
};

vae_status runs_add(struct runs *runs, const char *path, struct run **run, vae_error *err);
void runs_free(struct runs *runs);

/* ---- compare_plan.c --------------------------------------------------------------------------------------------- */
/* The runs that lists of settings ask for, each a folder in `folder`; the last list varies fastest. */
vae_status plan_make(struct runs *runs, const struct arguments *arguments, const struct command *command,
                     const char *folder, vae_error *err);
/* A command line, NULL behind its words. */
struct words {
    char *word[2 * MAX_GIVEN + 1];
    size_t n;
    char text[1 << 16]; /* where they stand */
    size_t used;
    bool complete; /* there was room for all */
};
/* `vaectl train` for a run: it begins, or goes on where it was stopped. `threads` 0: as many as it takes. */
vae_status plan_words(struct words *words, const struct run *run, const struct arguments *arguments, bool resume,
                      size_t threads, vae_error *err);
/* Prints for each run a line that a shell begins it with, or goes on with it. */
vae_status plan_print(const struct runs *runs, const struct arguments *arguments, size_t threads, vae_error *err);

/* ---- compare_jobs.c --------------------------------------------------------------------------------------------- */
struct jobs_options {
    size_t jobs, threads;
    bool quiet;
};
/* Trains the runs that are not complete, `jobs` at a time. Runs that fail are told on stderr and leave the list;
 * `failure` tells of the first of them, and is left alone where there is none. A signal ends the process when all that
 * it was training is saved. */
vae_status jobs_run(struct runs *runs, const struct arguments *arguments, const struct jobs_options *options,
                    vae_error *failure, vae_error *err);

/* ---- compare_runs.c --------------------------------------------------------------------------------------------- */
/* Is training over: has it had all its epochs, or no patience left? */
bool run_is_complete(const vae_config *config, const vae_metrics *metrics);
/* The runs RUN..., and those in RUN... where it is a folder of them, which are sorted by their settings. */
vae_status runs_find(struct runs *runs, const struct arguments *arguments, vae_error *err);
/* Reads the settings of all from `first` on; those that are not complete are told on stderr and leave the list. */
vae_status runs_read(struct runs *runs, size_t first, vae_error *err);

/* ---- compare_evaluate.c ----------------------------------------------------------------------------------------- */
struct evaluated {
    uint64_t samples;      /* of the nll; 0: none */
    uint64_t elbo_samples; /* draws of z an image */
    uint64_t limit;        /* only so many images; 0: all */
    uint64_t threads;
    bool quiet;
    /* What was found. */
    char data[VAE_MAX_SOURCE];
    bool given; /* by --data, and not by the models */
    const char *split;
    size_t images;
    bool pseudo; /* grey pixels under a Bernoulli likelihood, in one of the runs */
};
/* Measures the runs, all on the same images with the same noise. What was measured before is read from the run's
 * evaluations.json, if model, images and options are the same. */
vae_status runs_evaluate(struct runs *runs, const struct arguments *arguments, struct evaluated *evaluated,
                         vae_error *err);

/* ---- compare_table.c -------------------------------------------------------------------------------------------- */
enum { ROW_NAME = 256 };
extern const double CONFIDENCE; /* of intervals */

struct row {
    const struct run *first; /* of its runs */
    char name[ROW_NAME];     /* its labels, with commas between */
    vae_mean mean[MEASURES];
    vae_mean difference; /* from the baseline, over the seeds that both have; */
    double image_se;     /* of that mean, the standard error over images */
};

struct table {
    const struct runs *runs; /* each knows its row */
    const struct evaluated *evaluated;
    const vae_setting *column[MAX_GIVEN]; /* settings that differ between rows; NULL: the run's own name */
    size_t columns;
    struct row *row;
    size_t rows, baseline;
    enum measure loss; /* whose differences are taken: the nll where there is one */
};

/* `baseline`: the name of a row, or NULL for the first one. A run that is there twice leaves the list. */
vae_status table_make(struct table *table, struct runs *runs, const struct evaluated *evaluated, const char *baseline,
                      vae_error *err);
void table_free(struct table *table);
const char *table_heading(const struct table *table, size_t column);
/* The value of a column in a row. */
const char *table_cell(const struct table *table, const struct row *row, size_t column, char text[ROW_NAME]);
/* The same with the name of the setting where it is a number, such as "beta 4". */
const char *table_label(const struct table *table, const struct row *row, size_t column, char label[2 * ROW_NAME]);
/* The run of the baseline that has the seed of this one, or NULL. */
const struct run *table_partner(const struct table *table, const struct run *run);
/* Were runs evaluated on different images, as the seed of each divides a file? */
bool table_has_splits(const struct table *table);
/* Has a run of the row the images of one of the baseline? */
bool table_shares_images(const struct table *table, const struct row *row);
/* Is it asked for? */
bool table_has(const struct table *table, enum measure measure);
/* Has it a column in tables for people? */
bool table_shows(const struct table *table, enum measure measure);

/* ---- compare_write.c -------------------------------------------------------------------------------------------- */
void table_print(const struct table *table);
vae_status table_print_json(const struct table *table, vae_error *err);
vae_status table_write_csv(const struct table *table, const char *path, vae_error *err);
vae_status table_write_latex(const struct table *table, const char *path, vae_error *err);

/* ---- compare_figure.c ------------------------------------------------------------------------------------------- */
vae_status table_write_figure(const struct table *table, const struct picture *picture, vae_error *err);

/* ---- compare_pictures.c ----------------------------------------------------------------------------------------- */
vae_status table_write_pictures(const struct table *table, const struct arguments *arguments,
                                const struct picture *picture, vae_error *err);

#endif
