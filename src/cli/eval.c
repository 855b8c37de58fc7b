/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 199309L
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"

struct report {
    const char *model_path, *source, *split;
    vae_eval_options options;
    const vae_evaluation *result;
    double seconds;
    bool pseudo; /* grey pixels under a Bernoulli likelihood */
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Is there a pixel that is neither black nor white? Looks at the first images. */
static bool has_grey(const vae_images *images)
{
    const size_t D = images->rows * images->cols, n = images->n < 100 ? images->n : 100;
    uint8_t *pixels = malloc(n * D);
    bool grey = false;
    if (pixels && !vae_images_read(images, 0, n, pixels, NULL))
        for (size_t i = 0; i < n * D; i++) grey = grey || (pixels[i] != 0 && pixels[i] != 255);
    free(pixels);
    return grey;
}

static json_t *array(const double *values, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_real(values[i]));
    return list;
}

static vae_status print_json(const struct report *r, vae_error *err)
{
    const vae_evaluation *e = r->result;
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:f, s:f, s:f, s:o, s:o, s:I, s:f, s:f, s:I, s:I, s:I, s:f}", "model", r->model_path,
        "data", r->source, "split", r->split, "n", (json_int_t)e->n, "neg_elbo", e->neg_elbo, "recon", e->recon, "kl",
        e->kl, "kl_per_dim", array(e->kl_per_dim, e->latent), "mean_variance", array(e->mean_variance, e->latent),
        "active_units", (json_int_t)e->active_units, "near_zero", r->options.near_zero, "near_zero_share",
        e->near_zero_share, "elbo_samples", (json_int_t)e->samples, "kl_samples", (json_int_t)e->kl_samples, "seed",
        (json_int_t)r->options.seed, "seconds", r->seconds);
    char *text = object ? json_dumps(object, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!text) return vae_fail(err, VAE_E_MEMORY, "out of memory, or a result is not finite");
    puts(text);
    free(text);
    return VAE_OK;
}

static void print_text(const struct report *r)
{
    const vae_evaluation *e = r->result;
    printf("%s, %s split: %zu images, noise seed %llu, %zu draw%s of z an image, ", r->source, r->split, e->n,
           (unsigned long long)r->options.seed, e->samples, e->samples == 1 ? "" : "s");
    if (e->kl_samples)
        printf("Monte Carlo KL of %zu samples\n", e->kl_samples);
    else
        printf("closed-form KL\n");
    printf("neg_elbo      %.4f = recon %.4f + kl %.4f nats/image\n", e->neg_elbo, e->recon, e->kl);
    if (r->pseudo) printf("              (grey pixels under a Bernoulli likelihood: a pseudo-likelihood)\n");
    printf("active units  %zu of %zu (posterior mean varies by more than 0.01)\n", e->active_units, e->latent);
    printf("|z| < %.4g   %.1f %% of drawn latents\n", r->options.near_zero, 100 * e->near_zero_share);
    printf("latent        KL (nats)  variance of posterior mean\n");
    for (size_t j = 0; j < e->latent; j++) printf("%6zu %16.4f  %.4f\n", j, e->kl_per_dim[j], e->mean_variance[j]);
}

static vae_status evaluate(const struct arguments *arguments, const vae_model *model, struct report *r, uint64_t limit,
                           vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *split = NULL;
    vae_evaluation *result = NULL;
    vae_status status = run_open_data(arguments, model, &data, &split, err);
    const double began = now();
    if (!status) {
        vae_images images = *split; /* a view; `data` keeps the pixels */
        if (limit && limit < images.n) images.n = limit;
        r->split = split == &data->test ? "test" : "train";
        r->pseudo = !strcmp(vae_model_config(model)->likelihood.name, "bernoulli") && has_grey(&images);
        status = vae_evaluate(&result, model, &images, &r->options, err);
    }
    r->result = result;
    r->seconds = now() - began;
    if (!status && argument(arguments, "json"))
        status = print_json(r, err);
    else if (!status)
        print_text(r);
    vae_evaluation_free(&result);
    vae_data_free(&data);
    return status;
}

static vae_status read_options(const struct arguments *a, vae_eval_options *o, uint64_t *limit, vae_error *err)
{
    uint64_t samples, kl_samples, threads;
    vae_eval_defaults(o);
    vae_status status = argument_count(a, "elbo-samples", 1, 1e5, o->samples, &samples, err);
    if (!status) status = argument_count(a, "kl-samples", 1, 1e6, 0, &kl_samples, err);
    if (!status) status = argument_count(a, "seed", 0, 9007199254740991.0, o->seed, &o->seed, err);
    if (!status) status = argument_count(a, "threads", 1, 256, 0, &threads, err);
    if (!status) status = argument_count(a, "limit", 1, 1e9, 0, limit, err);
    if (!status) status = argument_real(a, "near-zero", 0, 1e9, o->near_zero, &o->near_zero, err);
    if (status) return status;
    o->samples = samples;
    o->kl_samples = kl_samples;
    o->threads = threads;
    return VAE_OK;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct report report = {.model_path = model_path};
    uint64_t limit;
    vae_model *model = NULL;
    vae_status status = read_options(arguments, &report.options, &limit, err);
    if (!status) status = run_load_model(arguments->run, &model, model_path, err);
    if (status) return status;
    report.source = argument(arguments, "data");
    if (!report.source) report.source = vae_model_config(model)->data;
    status = evaluate(arguments, model, &report, limit, err);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"elbo-samples", 0, "S", "draws of z an image [1]"},
    {"kl-samples", 0, "K", "samples of a Monte Carlo KL [as trained]"},
    {"near-zero", 0, "T",
     "report the share of drawn latents with |z| < T [0.4472, two sd of a spike of variance 0.05]"},
    {"limit", 0, "N", "only the first N images [all]"},
    {"seed", 0, "N", "of the noise [1]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    {"split", 0, "train|test", "which part of them [test]"},
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {"json", 0, NULL, "one JSON object on stdout"},
    {0},
};

const struct command command_eval = {
    .name = "eval",
    .summary = "ELBO, KL per dimension, active units, sparsity",
    .details = "Evaluates a model on a set of images with z drawn from the posterior. Losses are in nats per image: "
               "summed over\n"
               "pixels and latents, averaged over images.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
