/* SPDX-License-Identifier: MIT
 *
 * libvae: variational autoencoders with pluggable latent priors.
 *
 * Letters used throughout: B batch, D data dimension (pixels of an image), L latent dimension, S samples of z per
 * image, K samples of the Monte Carlo KL. Matrices are row-major. Every loss is in nats per image: summed over pixels
 * and latent dimensions, averaged over images.
 *
 * Ownership: a `vae_X **out` argument receives a new object only on success; release it with `vae_X_free`, which
 * accepts NULL objects and clears the caller's pointer. Pointers returned from accessors belong to the object and live
 * as long as it.
 *
 * Errors: functions return a vae_status; on failure `err` (may be NULL) holds one line for people, which calls settings
 * and parameters by the names that vae_config_set takes. The library never prints, exits or aborts. Objects may be used
 * by one thread at a time; different objects by different threads. Three effects outside its own objects: the first
 * call that computes sets OpenBLAS to one thread for the rest of the process (libvae's own threads share the work,
 * which is what makes results independent of their number; vae_bench_run gives it more for a while); the first one that
 * reads or writes a model puts an allocator before jansson's, which hands on all that is not libvae's (see
 * docs/reliability.md); and vae_prior_load adds a prior for the rest of the process. */
#ifndef VAE_H
#define VAE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define VAE_API               __attribute__((visibility("default")))
#define VAE_PRINTF(at, first) __attribute__((format(printf, at, first)))
#else
#define VAE_API
#define VAE_PRINTF(at, first)
#endif

#define VAE_VERSION "0.1.0"

/* ---- Errors ----------------------------------------------------------------------------------------------------- */

/* Status, its number (also the exit status of vaectl), its meaning. */
#define VAE_STATUS_LIST(X)                                                                                             \
    X(VAE_OK, 0, "done")                                                                                               \
    X(VAE_E_INTERNAL, 1, "internal error")                                                                             \
    X(VAE_E_USAGE, 2, "wrong use: unknown command, flag or name, bad value, inconsistent choice")                      \
    X(VAE_E_DATA, 3, "input data missing or malformed")                                                                \
    X(VAE_E_WRITE, 4, "could not write; what was there before is intact")                                              \
    X(VAE_E_MODEL, 5, "model missing, corrupt or incompatible")                                                        \
    X(VAE_E_DIVERGED, 6, "training diverged, or a loss is not finite; the last good model is kept")                    \
    X(VAE_E_EXISTS, 7, "run folder in use or already there")                                                           \
    X(VAE_E_MEMORY, 8, "out of memory")

#define VAE_STATUS_ENUM(name, number, meaning) name = (number),
typedef enum vae_status { VAE_STATUS_LIST(VAE_STATUS_ENUM) } vae_status;
#undef VAE_STATUS_ENUM

typedef struct vae_error {
    vae_status status;
    char message[512]; /* one line, no trailing newline: "FILE: what is wrong (what was expected)" */
} vae_error;

/* Fills `err` and returns `status`, so that callers can write `return vae_fail(...)`. */
VAE_API vae_status vae_fail(vae_error *err, vae_status status, const char *format, ...) VAE_PRINTF(3, 4);

/* ---- Modules: priors, posteriors, likelihoods, data sources ----------------------------------------------------- */

enum { VAE_MAX_PARAMS = 8, VAE_MAX_NAME = 32, VAE_MAX_LIST = 8, VAE_MAX_SOURCE = 1024, VAE_MAX_LABEL = 256 };

typedef struct vae_param {
    const char *name; /* vae_config_set takes it as a setting of the chosen module; NULL ends a table */
    double value;     /* default */
    double min, max;  /* allowed, ends included */
    const char *help;
    bool whole;           /* a count: whole numbers alone */
    const char *words;    /* "a|b|c": its values are these words, stored as their places 0, 1, 2 */
    const char *or_words; /* "a|b": words beside the numbers, stored as -1, -2, also as default; min >= 0 */
    bool young; /* younger than model files without it, which mean the default: not written where it is that */
} vae_param;

/* Where or_words[place] is stored. */
#define VAE_OR_WORD(place) (-1 - (place))

/* Rows of a table of parameters. */
#define VAE_REAL(name, value, min, max, help)                                                                          \
    {                                                                                                                  \
        name, value, min, max, help, false, NULL, NULL, false                                                          \
    }
#define VAE_YOUNG_REAL(name, value, min, max, help)                                                                    \
    {                                                                                                                  \
        name, value, min, max, help, false, NULL, NULL, true                                                           \
    }
#define VAE_REAL_OR(name, value, min, max, or_words, help)                                                             \
    {                                                                                                                  \
        name, value, min, max, help, false, NULL, or_words, false                                                      \
    }
#define VAE_COUNT(name, value, min, max, help)                                                                         \
    {                                                                                                                  \
        name, value, min, max, help, true, NULL, NULL, false                                                           \
    }
#define VAE_WORD(name, words, help) /* the first is the default */                                                     \
    {                                                                                                                  \
        name, 0, 0, 63, help, true, words, NULL, false                                                                 \
    }

typedef struct vae_module {
    const char *name, *summary, *formula;
    const vae_param *params; /* ends with a NULL name; NULL: no parameters */
} vae_module;

/* A module chosen by name, with the values of its parameters in the order of its table. */
typedef struct vae_choice {
    char name[VAE_MAX_NAME];
    double value[VAE_MAX_PARAMS];
} vae_choice;

typedef enum vae_kind { VAE_PRIOR, VAE_POSTERIOR, VAE_LIKELIHOOD, VAE_SOURCE, VAE_ACTIVATION } vae_kind;

/* The i-th registered module of a kind, or NULL past the last one. */
VAE_API const vae_module *vae_module_at(vae_kind kind, size_t i);
/* Text to a number: the whole text, finite, in [min, max]; VAE_E_USAGE otherwise. `name` is how messages call it. */
VAE_API vae_status vae_parse_real(const char *name, const char *text, double min, double max, double *value,
                                  vae_error *err);
VAE_API vae_status vae_parse_count(const char *name, const char *text, double min, double max, uint64_t *value,
                                   vae_error *err);
/* May a module or a parameter of a plug-in have this name? Letters, digits, - and _, a letter first. */
VAE_API bool vae_is_name(const char *name);
/* Of a NULL-terminated list of names the one that `word` was probably meant to be, or NULL. */
VAE_API const char *vae_nearest(const char *word, const char *const *names);

/* ---- Priors from elsewhere, and whether a module is right -------------------------------------------------------- */

/* Loads a plug-in prior (see vae_prior.h), runs its code, and adds it to the priors of this process for as long as that
 * lasts; loading it again changes nothing. `name` (may be NULL) receives its name, which lasts as long. A path without
 * a slash is a file of the working directory. Models that were trained with it can be loaded from then on; no model
 * file loads a plug-in by itself. May be called by several threads. VAE_E_USAGE where it is not what it should be. */
VAE_API vae_status vae_prior_load(const char *path, const char **name, vae_error *err);

/* What one check of a prior, posterior or likelihood found, over all parameter values that it was checked at. */
typedef struct vae_check {
    const char *what;
    double figure, bound; /* passed where figure <= bound */
    bool passed;
    const char *where; /* parameters and point where the figure is largest */
} vae_check;

/* Checks whether a prior, a posterior or a likelihood, "NAME" or "NAME:k=v,...", is what its table says: density,
 * slopes, draws, exact KL, known answers, tails, and the rules for callbacks, at the values given, at each parameter's
 * ends and two values between (of counts of what learns the least alone), and at each of its words. `report` is called
 * for each check and its strings last for the call. VAE_E_INTERNAL where one failed. */
VAE_API vae_status vae_module_check(vae_kind kind, const char *name,
                                    void (*report)(void *context, const vae_check *check), void *context,
                                    vae_error *err);

/* ---- Configuration ---------------------------------------------------------------------------------------------- */

/* Everything that decides what a training run computes. Threads, paths and verbosity are not part of it. */
typedef struct vae_config {
    char data[VAE_MAX_SOURCE];   /* source, as given */
    double holdout;              /* share of data without a test split that becomes one */
    double validation;           /* share of the training images that becomes the validation split */
    char binarize[VAE_MAX_NAME]; /* none, threshold, static, dynamic */
    vae_choice prior, posterior, likelihood, activation;
    char objective[VAE_MAX_NAME]; /* elbo, iwae */
    char gradient[VAE_MAX_NAME];  /* standard, stl, dreg */
    char kl[VAE_MAX_NAME];        /* auto, exact, mc */
    char kl_noise[VAE_MAX_NAME];  /* iid, stratified */
    uint64_t kl_samples, samples;
    uint64_t latent;
    uint64_t classes; /* whose labels 0 .. classes-1 enter encoder and decoder (setting "conditional"); 0: none do */
    uint64_t hidden[VAE_MAX_LIST];  /* widths of the encoder; the decoder mirrors them; 0 ends the list */
    char start[VAE_MAX_SOURCE];     /* model file whose weights training begins with; "none": it begins with new ones */
    char init[VAE_MAX_NAME];        /* torch, glorot, he */
    char output_bias[VAE_MAX_NAME]; /* init, data */
    double beta, beta_warmup, free_bits;
    uint64_t epochs, patience, batch, seed;
    double lr, clip;
    char schedule[VAE_MAX_NAME];     /* constant, step, iwae, cosine */
    uint64_t lr_steps[VAE_MAX_LIST]; /* epochs after which a step schedule lowers the learning rate; 0 ends the list */
    double lr_factor;
    double adam_beta1, adam_beta2, adam_eps;
} vae_config;

typedef enum vae_type { VAE_T_TEXT, VAE_T_CHOICE, VAE_T_ENUM, VAE_T_COUNT, VAE_T_REAL, VAE_T_LIST } vae_type;

/* One row of the table of settings. Flags, help, model files and `info` are all made from it. */
typedef struct vae_setting {
    const char *name;
    const char *metavar;  /* NULL: a flag of this name takes no value, and says 1 */
    const char *fallback; /* the default, as text */
    vae_type type;
    vae_kind kind;      /* of a VAE_T_CHOICE */
    const char *values; /* of a VAE_T_ENUM: "auto|exact|mc"; of a VAE_T_LIST: the word for an empty one, or NULL */
    double min, max;    /* of a count or real, or of the numbers in a list */
    size_t offset;      /* in vae_config */
    const char *help;
    bool young; /* younger than model files without it, which mean the default: not written where it is that */
} vae_setting;

VAE_API const vae_setting *vae_setting_at(size_t i); /* NULL past the last one */
VAE_API void vae_config_defaults(vae_config *config);
/* Sets one setting from text, or, where no setting has that name, a parameter of the chosen prior, posterior or
 * likelihood. */
VAE_API vae_status vae_config_set(vae_config *config, const char *name, const char *text, vae_error *err);
/* The setting's value as text that vae_config_set would take. Returns `text`. */
VAE_API const char *vae_config_text(const vae_config *config, const vae_setting *setting, char *text, size_t size);
/* Checks each setting by itself, as vae_config_set does, and their combinations. */
VAE_API vae_status vae_config_check(const vae_config *config, vae_error *err);

/* ---- Data ------------------------------------------------------------------------------------------------------- */

/* VAE_ALL: what vae_data_open_whole did not divide. */
typedef enum vae_split { VAE_TRAIN, VAE_VALIDATION, VAE_TEST, VAE_ALL, VAE_SPLITS } vae_split;

struct vae_stream;
/* Pixels are bytes, which are scaled from 0 .. 255 to [0,1], or real numbers, which are taken as they are. Of `pixels`,
 * `values` and `stream` one is there, the others are NULL. */
typedef struct vae_images {
    size_t n, rows, cols;
    uint8_t *pixels;           /* n * rows * cols */
    float *values;             /* n * rows * cols, */
    float lowest, highest;     /* and bounds of them, by which is judged what a likelihood takes */
    struct vae_stream *stream; /* bytes that stay in a file too large for memory (see vae_images_read) */
    uint8_t *labels;           /* n, or NULL */
    uint32_t *number; /* n: where each was in the training file that was divided; NULL: 0 .. n-1 of its own file */
    vae_split split;
    const char *source; /* what vae_data_open was given, for messages; NULL: not known */
} vae_images;

typedef struct vae_data {
    char source[VAE_MAX_SOURCE];        /* what was opened */
    char name[VAE_MAX_SOURCE + 64];     /* the same with sizes, for people */
    vae_images train, validation, test; /* the last two may be empty */
    char (
        *label_name)[VAE_MAX_LABEL]; /* what the labels 0 .. label_names-1 stand for, as folders are called; or NULL */
    size_t label_names;
} vae_data;

/* Opens a data source: a folder with the names of MNIST's, EMNIST's or CIFAR-10's files, of PNG files or of arrays
 * (train.npy or train.csv); one file, IDX, .npy, .csv, PNG or a .bin of CIFAR-10; or builtin:NAME[:k=v,...]. Behind a
 * path may stand ":set=NAME", one of several sets of IDX files, and ":size=N", which makes pictures N x N. A share
 * `holdout` of what has no test split becomes it. A share `validation` of the training images becomes the validation
 * split. Shares are drawn with `seed` and rounded, perhaps to no image. Fails with VAE_E_DATA, naming file and
 * expectation. */
VAE_API vae_status vae_data_open(vae_data **out, const char *source, double holdout, double validation, uint64_t seed,
                                 vae_error *err);
/* The same source undivided: of one without a test split all images, in the order of the file (of PNG files, of their
 * names), are `train`, whose split is VAE_ALL; one with a test split keeps it. */
VAE_API vae_status vae_data_open_whole(vae_data **out, const char *source, vae_error *err);
VAE_API void vae_data_free(vae_data **data);
/* Has a folder the images of training and testing under the MNIST file names? */
VAE_API bool vae_data_is_mnist(const char *folder);

/* One file as it is: all of it, in its order, is the training split. */
VAE_API vae_status vae_data_read(vae_data **out, const char *path, vae_error *err);
/* The n labels of a file, IDX or a .npy of whole numbers from 0 to 255. */
VAE_API vae_status vae_labels_read(const char *path, size_t n, uint8_t *labels, vae_error *err);

/* Where image i of them is in the file that they are from, from 0 on: of a divided file not i itself. */
VAE_API size_t vae_images_row(const vae_images *images, size_t i);
/* How many classes their labels tell: 1 + the largest; 0 where there are no labels. */
VAE_API size_t vae_images_classes(const vae_images *images);
/* Copies the pixels of images first .. first+n-1, wherever they are; `pixels` has n * rows * cols bytes. VAE_E_USAGE
 * where there are not so many, or where they are no bytes. */
VAE_API vae_status vae_images_read(const vae_images *images, size_t first, size_t n, uint8_t *pixels, vae_error *err);
/* The same as real numbers: those that there are, or bytes / 255. */
VAE_API vae_status vae_images_values(const vae_images *images, size_t first, size_t n, float *values, vae_error *err);
/* CRC-32 of all pixels in their order: of bytes as they are, of real numbers in single precision. */
VAE_API vae_status vae_images_crc32(const vae_images *images, uint32_t *crc, vae_error *err);

/* ---- Model ------------------------------------------------------------------------------------------------------ */

typedef struct vae_model vae_model;

typedef struct vae_tensor {
    const char *name;           /* as in the model file and in PyTorch: "encoder.0.weight" */
    size_t rank, dim[2], count; /* weights are [out, in] */
} vae_tensor;

/* Losses of the last finished epoch. Non-finite before the first one. */
typedef struct vae_metrics {
    uint64_t epoch;
    uint64_t step;  /* done in all, also those of the unfinished epoch */
    double seconds; /* of that epoch's training steps alone; not stored in the model file */
    double train_loss, train_recon, train_kl, test_recon, test_kl, test_neg_elbo;
    uint64_t active_units;
    /* On the validation split, with beta 1 and no free bits: neg_elbo, or the negative of the bound of S importance
     * weighted samples where that is trained. NaN without such a split. */
    double validation_loss;
    double best_loss;    /* the lowest of them so far, */
    uint64_t best_epoch; /* and its epoch; 0: none yet */
} vae_metrics;

/* One row of the table of these numbers. metrics.csv, the model file and JSON are made from it. */
typedef enum vae_metric_where {
    VAE_M_COLUMN,       /* a column of metrics.csv */
    VAE_M_COLUMN_ONLY,  /* which no model file stores */
    VAE_M_IF_VALIDATED, /* a column where there is a validation split */
    VAE_M_STATE,        /* no column */
} vae_metric_where;

typedef struct vae_metric {
    const char *name;
    size_t offset; /* in vae_metrics */
    bool count;    /* a uint64_t, else a double */
    vae_metric_where where;
} vae_metric;

VAE_API const vae_metric *vae_metric_at(size_t i); /* NULL past the last one */

/* How many parameters a model of these settings for images of rows x cols pixels has; VAE_E_USAGE where there is none
 * such. Training takes four numbers of four bytes for each (the parameter, its gradient, Adam's two moments), a model
 * file three. */
VAE_API vae_status vae_model_size(const vae_config *config, size_t rows, size_t cols, size_t *parameters,
                                  vae_error *err);
/* A freshly initialised model. */
VAE_API vae_status vae_model_new(vae_model **out, const vae_config *config, size_t rows, size_t cols, vae_error *err);
/* Gives a new model what it begins its training on these images with, as vae_train does before its first step: the
 * weights of the file that config.start names, the last bias where output_bias is "data", and images as pseudo-inputs.
 * The networks of the file must be the same (VAE_E_USAGE), its images as large (VAE_E_DATA). Its prior's weights come
 * along where it is the same prior of the same size, or the base of this one. The state of Adam does not. */
VAE_API vae_status vae_model_start(vae_model *model, const vae_images *train, vae_error *err);
VAE_API vae_status vae_model_load(vae_model **out, const char *path, vae_error *err);
VAE_API vae_status vae_model_save(const vae_model *model, const char *path, vae_error *err);
VAE_API void vae_model_free(vae_model **model);

VAE_API const vae_config *vae_model_config(const vae_model *model);
/* The settings that a model can train on with when they have changed, and changes one of them. */
#define VAE_CHANGEABLE "data|epochs|patience"
VAE_API vae_status vae_model_set(vae_model *model, const char *name, const char *text, vae_error *err);
VAE_API void vae_model_shape(const vae_model *model, size_t *rows, size_t *cols);
/* Does the model take these images: are they of its size, all values within `lowest` and `highest`, and these in the
 * range of its likelihood and of its rule for binary pixels, and, of a conditional model, have they labels of its
 * classes? VAE_E_DATA where not. All functions that use a model on images ask; who writes files before may ask first.
 */
VAE_API vae_status vae_model_check_images(const vae_model *model, const vae_images *images, vae_error *err);
/* Are these the training images that the model is trained on so far, as their number, their CRC-32 and, of a
 * conditional model, their labels say? VAE_E_DATA where not. A model that has seen none, or is older than that CRC-32,
 * takes all. */
VAE_API vae_status vae_model_check_training(const vae_model *model, const vae_images *train, vae_error *err);
/* vae_model_check_images of all splits that there are, as vae_train and vae_fit ask before their work. Images of
 * `validation` and `test` have to say that they are that split (VAE_E_USAGE): noise of their pixels depends on it. */
VAE_API vae_status vae_model_check_data(const vae_model *model, const vae_data *data, vae_error *err);
/* Does a likelihood of that name take the values of these images? */
VAE_API bool vae_likelihood_takes(const char *name, const vae_images *images);
/* Are there grey pixels (among those of the first hundred images) under a likelihood of 0/1 values, as the images are,
 * or as the model binarises them? Images that it does not take are not looked at. VAE_E_MEMORY, or VAE_E_DATA where
 * they cannot be read. */
VAE_API vae_status vae_likelihood_is_pseudo(const char *name, const vae_images *images, bool *pseudo, vae_error *err);
VAE_API vae_status vae_model_is_pseudo(const vae_model *model, const vae_images *images, bool *pseudo, vae_error *err);
VAE_API const vae_metrics *vae_model_metrics(const vae_model *model);
VAE_API const double *vae_model_kl_per_dim(const vae_model *model); /* (L), of the last test pass; NaN before it */
VAE_API const char *vae_model_build(const vae_model *model);        /* what built the file, or this library */
VAE_API bool vae_model_tensor(const vae_model *model, size_t i, vae_tensor *out); /* false past the last */
/* Copies the values of tensor i out of or into the model; `values` has tensor.count elements. Masked weights of a flow
 * stay zero; a value beyond the bounds of a tensor, as log deviations and pseudo-inputs have, becomes the bound. */
VAE_API void vae_model_read(const vae_model *model, size_t i, float *values);
VAE_API void vae_model_write(vae_model *model, size_t i, const float *values);

/* ---- Training --------------------------------------------------------------------------------------------------- */

typedef struct vae_progress {
    uint64_t epoch, epochs; /* 1-based number of the epoch (of a fit: the pass) at work */
    uint64_t done, total;   /* images of that epoch */
    uint64_t earlier;       /* of those done: by a training that stopped within the epoch */
    double seconds;         /* for the others */
    double loss;            /* mean so far in this epoch */
} vae_progress;

typedef struct vae_train_hooks {
    void *context;
    /* After each step; return true to stop. May be NULL. */
    bool (*on_step)(void *context, const vae_progress *progress);
    /* Many times within each step and test pass, by the thread that called; return true to stop there: the step or the
     * pass is given up, and the model is as it was before it. May be NULL. */
    bool (*asks_to_stop)(void *context);
    /* After each epoch and its test pass, both finite: the moment to save. A failure ends the training with it. May be
     * NULL. */
    vae_status (*on_epoch)(void *context, const vae_model *model, vae_error *err);
} vae_train_hooks;

/* Trains from the model's position to config.epochs, or, with config.patience, until the validation loss has not
 * improved for so many epochs (not counting those of the warm-up of beta). `threads` 0: all cores.
 * VAE_E_DIVERGED names the step; the parameters are then not usable. `*stopped` (may be NULL) tells whether a hook
 * asked to stop. */
VAE_API vae_status vae_train(vae_model *model, const vae_data *data, size_t threads, const vae_train_hooks *hooks,
                             bool *stopped, vae_error *err);

/* A prior fitted to a trained model ("two-stage training"): encoder, decoder and likelihood stay as they are, and the
 * new prior is learned from draws of q(z|x) for the training images, so that the KL falls and nothing else changes. The
 * data have to be those of the training (VAE_E_DATA). */
typedef struct vae_fit_options {
    const char *prior; /* "NAME" or "NAME:k=v,...": a prior that learns */
    uint64_t passes;   /* over the training images */
    uint64_t batch, seed;
    double lr;      /* learning rate of Adam at the start; falls to zero as a cosine */
    size_t threads; /* 0: all cores */
    void *context;
    /* After each step; return true to stop. The loss is the KL. May be NULL. */
    bool (*on_step)(void *context, const vae_progress *progress);
    /* Many times within each step, by the thread that called; return true to stop there. May be NULL. */
    bool (*asks_to_stop)(void *context);
    /* After each pass, with the mean KL of its images; return true to stop. May be NULL. */
    bool (*on_pass)(void *context, uint64_t pass, double kl);
} vae_fit_options;

VAE_API void vae_fit_defaults(vae_fit_options *options);
/* The model with its new prior; its losses are those of a pass over the test split. `*stopped` (may be NULL): a hook
 * asked to stop, and there is no model. */
VAE_API vae_status vae_fit(vae_model **out, const vae_model *model, const vae_data *data,
                           const vae_fit_options *options, bool *stopped, vae_error *err);
/* Passes, batch, lr and seed by which the prior of a model was fitted, also if it was trained on since; false: it was
 * not. The rest of `fit` stays as it is. */
VAE_API bool vae_model_fitted(const vae_model *model, vae_fit_options *fit);

/* ---- Using a model ---------------------------------------------------------------------------------------------- */

/* Draws by which a prior's normaliser is estimated, where it has to be: its error is then small beside others. */
enum { VAE_CALIBRATION_DRAWS = 1 << 20 };

typedef enum vae_kl { VAE_KL_AS_TRAINED, VAE_KL_EXACT, VAE_KL_MC } vae_kl;

typedef struct vae_eval_options {
    size_t samples;     /* S: draws of z per image, averaged */
    vae_kl kl;          /* how the KL is computed */
    size_t kl_samples;  /* K of a Monte Carlo KL; 0: as trained */
    uint64_t seed;      /* of the noise, and of binarised pixels */
    double near_zero;   /* threshold t for `near_zero_share` */
    size_t calibration; /* draws of its base from which lars takes its normaliser */
    bool sparsity;      /* Hoyer's measures, which need room for all posterior means */
    size_t threads;     /* 0: all cores */
    void *context;
    /* After each block of images. May be NULL. */
    void (*on_block)(void *context, size_t done, size_t total, double seconds);
} vae_eval_options;

/* A latent is active where the variance of its posterior mean over the images is larger (Burda, Grosse & Salakhutdinov
 * 2016, section 5.2). */
#define VAE_ACTIVE_VARIANCE 0.01
#define VAE_COLLAPSED_KL    0.01
#define VAE_COLLAPSED_SHARE 0.99

typedef struct vae_evaluation {
    size_t n, latent, samples, kl_samples; /* kl_samples 0: the KL was exact */
    double recon, kl, neg_elbo;
    double
        neg_elbo_se; /* standard error of the mean over images, as a sample of all images there could be; NaN of one */
    double *image_recon, *image_kl; /* (n), what recon and kl are the means of */
    size_t active_units;            /* latents that are active, see above */
    /* Share of latents whose KL is within VAE_COLLAPSED_KL of its floor for VAE_COLLAPSED_SHARE of the images (Lucas et
     * al., "Don't blame the ELBO!", 2019, section 5.2); NaN without an exact KL. */
    double collapsed_share;
    double near_zero_share; /* share of drawn latents with |z| < t */
    /* Hoyer's sparsity of the posterior means, averaged over images: as they are; each latent divided by its standard
     * deviation over the images (Mathieu et al. 2019); the same over active latents alone. From 0 to 1; NaN where not
     * asked for or not defined. Raw values rise with idle latents, which are all near zero. */
    double hoyer, hoyer_normalized, hoyer_active;
    double kl_floor;       /* KL of an idle latent: its least over all Gaussians; NaN where it is not known */
    double *kl_per_dim;    /* (L), nats; NaN under a joint prior, which has a KL for all latents together */
    double *mean_variance; /* (L), variance of the posterior mean over the images */
} vae_evaluation;

VAE_API void vae_eval_defaults(vae_eval_options *options);
/* ELBO with z drawn from the posterior. VAE_E_DIVERGED where it is not finite. */
VAE_API vae_status vae_evaluate(vae_evaluation **out, const vae_model *model, const vae_images *images,
                                const vae_eval_options *options, vae_error *err);
VAE_API void vae_evaluation_free(vae_evaluation **evaluation);

/* A mean over draws, and its standard error; NaN where it is not defined. A mean that is infinite has no error. */
typedef struct vae_estimate {
    double value, se;
} vae_estimate;

/* What the aggregate posterior q(z), the mean of q(z|x) over images, is taken over. In a sample of N images,
 * I(x;z) cannot exceed log N, and reaches it where posteriors do not overlap. */
typedef enum vae_decomposition_way {
    VAE_IN_SAMPLE, /* the images that the draws are of: q(z) as it is */
    VAE_LEFT_OUT,  /* those, without the image that a draw is of */
    VAE_HELD_OUT,  /* other images */
    VAE_DECOMPOSITION_WAYS
} vae_decomposition_way;

typedef struct vae_decomposition_parts {
    size_t components;        /* N images in q(z); 0: not asked for */
    vae_estimate information; /* I(x;z) = E [log q(z|x) - log q(z)] */
    vae_estimate marginal;    /* KL(q(z) || p(z)); the two sum to the KL */
    /* The parts of the marginal KL: total correlation E [log q(z) - sum_j log q(z_j)], and, where the prior is
     * factorised, sum_j KL(q(z_j) || p(z_j)), which is NaN under a joint prior. */
    vae_estimate correlation, latents;
} vae_decomposition_parts;

/* The parts of the mean KL, nats per image (Hoffman & Johnson 2016; Chen et al. 2018, section 3). Standard errors are
 * over draws, given the images of q(z). */
typedef struct vae_decomposition {
    size_t draws, latent;
    vae_estimate kl; /* E [log q(z|x) - log p(z)], of the same draws */
    vae_decomposition_parts part[VAE_DECOMPOSITION_WAYS];
    vae_estimate *latent_marginal; /* (L) KL(q(z_j) || p(z_j)), own image left out; NaN under a joint prior */
    vae_estimate *latent_label;    /* (L) I(z_j; label), own image left out; NaN without labels */
} vae_decomposition;

/* By so many draws, evenly spread over `images`. `other`: images for VAE_HELD_OUT, or NULL. Takes time in proportion to
 * draws x images x latents. VAE_E_USAGE for a posterior with a flow, whose density is known at its own draws alone. */
VAE_API vae_status vae_decompose(vae_decomposition **out, const vae_model *model, const vae_images *images,
                                 const vae_images *other, size_t draws, uint64_t seed, size_t threads, vae_error *err);
/* What vae_decompose refuses, without its work. */
VAE_API vae_status vae_decompose_check(const vae_model *model, const vae_images *images, const vae_images *other,
                                       size_t draws, vae_error *err);
VAE_API void vae_decomposition_free(vae_decomposition **decomposition);

enum { VAE_MOST_DRAWS = 1000000 };

/* Of k-hat, the shape of the tail of importance weights: above it nll is not to be trusted (Vehtari et al. 2024). */
#define VAE_KHAT_LIMIT 0.7

/* Where draws of z come from that are weighted: q(z|x); or half of them, and the others a wider q and the prior, so
 * that no weight is large where q misses a part of p(z|x). */
typedef enum vae_proposal { VAE_PROPOSE_Q, VAE_PROPOSE_DEFENSIVE } vae_proposal;

typedef struct vae_nll_options {
    size_t samples; /* S: importance samples an image */
    vae_proposal proposal;
    uint64_t seed;      /* of the noise, and of binarised pixels */
    size_t threads;     /* 0: all cores */
    double *image_nll;  /* (n), receives that of each image; may be NULL */
    double *image_khat; /* (n), likewise its k-hat; NaN where samples are below 25, or weights all equal */
    void *context;
    /* After some draws; an image of which half are drawn counts as a half. May be NULL. */
    void (*on_draws)(void *context, size_t done, size_t total, double seconds);
} vae_nll_options;

typedef struct vae_nll {
    size_t n, samples;
    double nll; /* -log p(x), nats per image */
    double se;  /* standard error of the mean over images, as a sample of all images there could be */
    /* For these images, from the relative variance v of mean w (delta method). Where the prior's normaliser Z is itself
     * estimated (lars), all images have the error e of log Z in common, which no number of images makes smaller. */
    double mc_se; /* standard error, sqrt(sum v / n^2 + e^2); NaN of a single sample */
    double bias;  /* of nll, upwards: (mean v - e^2) / 2; NaN likewise, too low where few samples are effective */
    double effective_samples; /* (sum w)^2 / sum w^2, harmonic mean over images, which the worst ones decide */
    double khat;              /* mean over the images that have one; NaN where none has */
    double khat_above;        /* share of the images where it is above VAE_KHAT_LIMIT; likewise */
} vae_nll;

VAE_API void vae_nll_defaults(vae_nll_options *options);
/* Importance-sampled -log p(x), an upper bound in expectation that falls as S grows (Burda et al. 2016). */
VAE_API vae_status vae_estimate_nll(vae_nll *out, const vae_model *model, const vae_images *images,
                                    const vae_nll_options *options, vae_error *err);

/* Normalised mutual information, 2 I / (H + H), of the labels and as many clusters of posterior means, found by k-means
 * on the first 10,000 images: from 0 to 1. NaN where there are no labels. `seed`: of its starts and of binarised
 * pixels.
 */
VAE_API vae_status vae_cluster(double *nmi, const vae_model *model, const vae_images *images, uint64_t seed,
                               size_t threads, vae_error *err);

enum { VAE_MOST_CHAINS = 4096, VAE_MOST_TEMPERATURES = 1000000, VAE_MOST_LEAPFROG = 1000 };

/* Annealed importance sampling (Neal 2001; Wu, Burda, Salakhutdinov & Grosse 2017): chains go from the proposal r(z) to
 * p(x,z) through r^(1-b) p(x,z)^b, b = 0 .. 1, with Hamiltonian moves. */
typedef struct vae_ais_options {
    size_t temperatures; /* T: steps of b */
    size_t chains;       /* C: of an image */
    size_t leapfrog;     /* steps of a move */
    vae_proposal proposal;
    uint64_t seed;     /* of the noise, and of binarised pixels */
    size_t threads;    /* 0: all cores */
    double *image_nll; /* (n), receives that of each image; may be NULL */
    void *context;
    /* After some moves, those of the pilot included; an image of which half are done counts as a half. May be NULL. */
    void (*on_moves)(void *context, size_t done, size_t total, double seconds);
} vae_ais_options;

typedef struct vae_ais {
    size_t n;
    /* Mean over images of -log mean w. Its expectation is above -log p(x), and falls to it as temperatures or chains
     * grow: log p(x) is at least -nll, but for errors of sampling. */
    double nll;
    double se, mc_se, bias;       /* as in vae_nll */
    double effective_chains;      /* (sum w)^2 / sum w^2, harmonic mean over images */
    double acceptance;            /* of moves, mean, */
    double least_acceptance;      /* and of the image where it is least */
    double first_step, last_step; /* of the leapfrog at b = 1/T and 1, in standard deviations of q: tuned by a pilot */
} vae_ais;

/* 100 temperatures, 16 chains, moves of 5 steps, from q. */
VAE_API void vae_ais_defaults(vae_ais_options *options);
VAE_API vae_status vae_estimate_ais(vae_ais *out, const vae_model *model, const vae_images *images,
                                    const vae_ais_options *options, vae_error *err);

/* Bidirectional Monte Carlo (Grosse, Ancha & Roy 2016): of images x that the model makes itself of draws z of its
 * prior, log p(x) is bounded from both sides, as z is an exact draw from p(z|x) from which chains can go the way back.
 */
typedef struct vae_bdmc {
    vae_ais ais;    /* ais.nll: above -log p(x) in expectation */
    double nll_low; /* below it likewise */
    double gap;     /* ais.nll - nll_low, mean over images: the sum of what both are wrong by */
    double gap_se;  /* standard error over images; NaN of one */
} vae_bdmc;

/* As many images as there are in `images`, whose labels a conditional model takes. The estimate on real images is that
 * good where these are like them. options->image_nll is not used. VAE_E_USAGE where the posterior has no density at
 * some draws of p(z|x), as a Cauchy with its cut, unless some of the chains of each image begin at the prior: the
 * proposal is VAE_PROPOSE_DEFENSIVE, and there are four chains or more. */
VAE_API vae_status vae_estimate_bdmc(vae_bdmc *out, const vae_model *model, const vae_images *images,
                                     const vae_ais_options *options, vae_error *err);
/* What vae_estimate_bdmc refuses of a model, without its work. */
VAE_API vae_status vae_bdmc_check(const vae_model *model, const vae_ais_options *options, vae_error *err);

/* Share of the images of `test` whose label a linear classifier on posterior means, trained on those of `train` (its
 * first 60,000 at most), gets right. NaN where there are no labels. `seed`: of binarised pixels. */
VAE_API vae_status vae_probe(double *accuracy, const vae_model *model, const vae_images *train, const vae_images *test,
                             uint64_t seed, size_t threads, vae_error *err);

/* Posterior means (n,L) and, unless NULL, scales (n,L) of images first .. first+n-1; VAE_E_USAGE
 * where there are not so many. Of a posterior without a mean: its centre; of a flow: where it takes the mean of the
 * draws that it begins with, and their scale. `seed`: of binarised pixels. */
VAE_API vae_status vae_encode(const vae_model *model, const vae_images *images, size_t first, size_t n, uint64_t seed,
                              size_t threads, float *mean, float *scale, vae_error *err);
/* Mean images (n,D) of latents z (n,L) and, of a conditional model, `labels` (n), at which others do not look;
 * VAE_E_USAGE where it has no such class. */
VAE_API vae_status vae_decode(const vae_model *model, size_t n, const float *z, const uint8_t *labels, size_t threads,
                              float *mean, vae_error *err);
/* Draws x (n,D) of p(x|z) at latents z (n,L), one of each; `labels` as above. `seed`: of the noise. */
VAE_API vae_status vae_sample_data(const vae_model *model, size_t n, const float *z, const uint8_t *labels,
                                   uint64_t seed, size_t threads, float *x, vae_error *err);
/* n draws (n,L) from the prior. Fails where memory is short, or a prior that rejects draws finds none. */
VAE_API vae_status vae_sample_prior(const vae_model *model, uint64_t seed, size_t n, float *z, vae_error *err);
enum { VAE_MOST_TEMPERATURE = 1000 };
/* The same at a temperature T, by which the noise is multiplied that the draws are made of: z = T eps under a normal
 * prior, and T times a draw under every prior of independent latents; of a mixture's component z = mean + T sd eps; of
 * a RealNVP what it makes of T eps. 1 is the prior. VAE_E_USAGE for lars, which rejects draws, unless T is 1. */
VAE_API vae_status vae_sample_tempered(const vae_model *model, uint64_t seed, double temperature, size_t n, float *z,
                                       vae_error *err);

/* n draws (n,L) from the posteriors q(z|x) of images first .. first+n-1, one of each; VAE_E_USAGE where there are not
 * so many. `seed`: of the noise, and of binarised pixels. */
VAE_API vae_status vae_sample_posterior(const vae_model *model, const vae_images *images, size_t first, size_t n,
                                        uint64_t seed, size_t threads, float *z, vae_error *err);
/* n draws (n,L) from the aggregate posterior, the mean of q(z|x) over these images: of images drawn with replacement.
 */
VAE_API vae_status vae_sample_aggregate(const vae_model *model, const vae_images *images, uint64_t seed, size_t n,
                                        size_t threads, float *z, vae_error *err);

/* The distribution of each latent by itself, whatever the others are. */
typedef struct vae_marginals vae_marginals;

enum { VAE_MARGINAL_DRAWS = 1 << 14 }; /* at least, where a distribution is known by draws */

/* Under the prior. Of a factorised prior exact, to 1e-5 of probability; of a joint one from VAE_MARGINAL_DRAWS draws.
 */
VAE_API vae_status vae_prior_marginals(vae_marginals **out, const vae_model *model, uint64_t seed, vae_error *err);
/* Under the aggregate posterior, the mean of q(z|x) over these images (the first 60,000 at most): from as many draws
 * for each image as make up VAE_MARGINAL_DRAWS. VAE_E_DATA where there is no image. */
VAE_API vae_status vae_aggregate_marginals(vae_marginals **out, const vae_model *model, const vae_images *images,
                                           uint64_t seed, size_t threads, vae_error *err);
VAE_API void vae_marginals_free(vae_marginals **marginals);
/* From how many draws they are; 0: they are exact, and the same for all latents, as a factorised prior has it. */
VAE_API size_t vae_marginal_draws(const vae_marginals *marginals);
/* P(z_latent <= z), and the z below which a latent is with this probability, between 0 and 1. The mean density between
 * a and b is (cdf(b) - cdf(a)) / (b - a). */
VAE_API double vae_marginal_cdf(const vae_marginals *marginals, size_t latent, double z);
VAE_API double vae_marginal_quantile(const vae_marginals *marginals, size_t latent, double probability);

/* ---- Means over seeds ------------------------------------------------------------------------------------------- */

/* The mean of n values as a sample of all that there could be, such as losses of trainings that differ in their seed,
 * or differences of such losses. */
typedef struct vae_mean {
    size_t n;
    double mean;      /* NaN of none */
    double sd;        /* standard deviation of the values, with n - 1; NaN of a single one */
    double low, high; /* confidence interval of the mean, by Student's t; NaN of a single value */
} vae_mean;

/* `confidence`: the share of such intervals that have the true mean in them, such as 0.95. */
VAE_API void vae_mean_of(vae_mean *out, size_t n, const double *values, double confidence);

/* ---- Speed ------------------------------------------------------------------------------------------------------ */

enum { VAE_BENCH_PHASES = 64 }; /* more than the deepest network has */

/* Seconds a step, medians over rounds. The floor is the SGEMMs of a step (forward, gradients of weights and of inputs,
 * all dense) and nothing else, by the fastest of several ways to use the threads; each round measures floor and step
 * side by side. */
typedef struct vae_bench {
    size_t threads, rounds, batch;
    double floor, step;
    double ratio, ratio_min, ratio_max; /* step / floor, of the rounds */
    double images_per_second;
    const char *floor_way;
    bool sparse; /* the first layer ran over nonzeros */
    size_t phases;
    struct {
        char name[24];
        double wall, waiting; /* waiting: mean over threads */
    } phase[VAE_BENCH_PHASES];
} vae_bench;

/* Times training steps of a fresh model with this configuration on these images. */
VAE_API vae_status vae_bench_run(vae_bench *out, const vae_config *config, const vae_images *images, size_t threads,
                                 size_t rounds, vae_error *err);

/* ---- Files ------------------------------------------------------------------------------------------------------ */

/* Writes a file whole or not at all: temporary name (PATH and this end), fsync, rename, fsync of the folder.
 * VAE_E_WRITE where it cannot; only where the last of these fails there is the new file then. Several may write the
 * same file at once. A temporary file that a killed process left goes with the next writing of that file. */
#define VAE_TEMPORARY ".vaectl-tmp"
VAE_API vae_status vae_write_file(const char *path, const void *bytes, size_t size, vae_error *err);
/* Lets the names in a folder reach the disk, as far as its file system can; VAE_E_WRITE where that fails. */
VAE_API vae_status vae_sync_folder(const char *path, vae_error *err);

enum { VAE_MAX_RANK = 4 };

/* Bytes, real numbers of single or double precision, whole ones (int32_t). */
typedef enum vae_element { VAE_U1, VAE_F4, VAE_F8, VAE_I4 } vae_element;

/* An array in C order. */
typedef struct vae_array {
    vae_element element;
    size_t rank, dim[VAE_MAX_RANK];
    const void *at;
} vae_array;

/* Writes an array as numpy.save does, whole or not at all. */
VAE_API vae_status vae_write_npy(const char *path, const vae_array *array, vae_error *err);

/* Version and libraries in one line, such as "vaectl 0.1.0 (OpenBLAS 0.3.21 ... core Zen, zlib 1.2.13, ...)". */
VAE_API const char *vae_build(char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
