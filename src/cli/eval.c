/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/eval.h"
#include "cli/latents.h"
#include "cli/outputs.h"
#include "cli/per_image.h"

bool eval_has_kl_per_latent(const vae_evaluation *e) { return !isnan(e->kl_per_dim[0]) || isnan(e->kl); }

/* Share of images with a k-hat above its limit from which on nll is not to be trusted. */
/* Weights of which nine tenths count are so even that the shape of their tail says nothing. */
static const double MOST_ABOVE = 0.05, EVEN = 0.9;

const char *eval_trusted(const struct eval *r)
{
    const double noise = 2 * hypot(r->nll.mc_se * sqrt((double)r->nll.n / (double)r->ais.n), r->ais.mc_se);
    if (r->ais_images && isnan(r->ais_beside)) return "ais";
    if (r->ais_images && isnan(noise)) return NULL; /* of one chain, or of one sample */
    if (r->ais_images)
        return fabs(r->ais_beside - r->ais.nll) <= noise ? "both" : r->ais.nll < r->ais_beside ? "ais" : "nll";
    if (!r->nll.samples || isnan(r->nll.khat)) return NULL;
    const bool is_even = r->nll.effective_samples > EVEN * (double)r->nll.samples;
    return r->nll.khat_above > MOST_ABOVE && !is_even ? "neither" : "nll";
}

static vae_status print_json(const struct eval *r, vae_error *err)
{
    json_t *object = eval_json(r);
    json_object_set_new(object, "seconds", json_finite(r->seconds));
    json_object_set_new(object, "per_image", r->per_image ? json_text(r->per_image) : json_null());
    return json_print(object, JSON_REAL_PRECISION(9), err);
}

static void show_progress(struct eval *r, const char *work, size_t done, size_t total, double seconds)
{
    progress_show(&r->progress,
                  &(struct progress_line){.work = work, .done = done, .total = total, .seconds = seconds, .loss = NAN});
}

static void on_elbo_block(void *context, size_t done, size_t total, double seconds)
{
    show_progress(context, "neg_elbo", done, total, seconds);
}

static void on_nll_draws(void *context, size_t done, size_t total, double seconds)
{
    show_progress(context, "nll", done, total, seconds);
}

static void on_ais_moves(void *context, size_t done, size_t total, double seconds)
{
    show_progress(context, "ais", done, total, seconds);
}

static void on_bdmc_moves(void *context, size_t done, size_t total, double seconds)
{
    show_progress(context, "bdmc", done, total, seconds);
}

/* On the first images, and on as many that the model makes. */
static vae_status measure_ais(struct eval *r, const vae_images *images, vae_error *err)
{
    vae_images first = *images;
    if (r->ais_images < first.n) first.n = r->ais_images;
    r->ais_options.context = r;
    r->ais_options.on_moves = on_ais_moves;
    vae_status status = vae_estimate_ais(&r->ais, r->model, &first, &r->ais_options, err);
    r->ais_options.on_moves = on_bdmc_moves;
    if (!status && r->both_ways) status = vae_estimate_bdmc(&r->bdmc, r->model, &first, &r->ais_options, err);
    r->ais_beside = r->nll.samples ? 0 : (double)NAN;
    for (size_t i = 0; i < first.n && r->nll.samples; i++)
        r->ais_beside += r->nll_options.image_nll[i] / (double)first.n;
    return status;
}

/* Room for what is measured of each image, where that is asked for or one estimate is set beside the other. */
static vae_status keep_images(struct eval *r, size_t n, vae_error *err)
{
    const bool nll = r->nll_options.samples && (r->per_image || r->ais_images), khat = nll && r->per_image;
    const bool ais = r->ais_images && r->per_image;
    if (nll) r->nll_options.image_nll = calloc(n, sizeof(double));
    if (khat) r->nll_options.image_khat = calloc(n, sizeof(double));
    if (ais) r->ais_options.image_nll = calloc(n, sizeof(double));
    if ((!nll || r->nll_options.image_nll) && (!khat || r->nll_options.image_khat) &&
        (!ais || r->ais_options.image_nll))
        return VAE_OK;
    return vae_fail(err, VAE_E_MEMORY, "out of memory for the likelihoods of %zu images", n);
}

vae_status eval_measure(struct eval *r, const vae_data *data, const vae_images *images, vae_evaluation **result,
                        vae_error *err)
{
    const vae_model *model = r->model;
    progress_begin(&r->progress, false);
    r->options.context = r->nll_options.context = r;
    r->options.on_block = on_elbo_block;
    r->nll_options.on_draws = on_nll_draws;
    const bool is_held_out = images->split == VAE_TEST || images->split == VAE_VALIDATION;
    const vae_images *other = is_held_out ? &data->train : &data->test;
    if (!other->n) other = NULL;
    vae_status status = keep_images(r, images->n, err);
    if (!status && r->draws) status = vae_decompose_check(model, images, other, r->draws, err);
    if (!status && r->both_ways) status = vae_bdmc_check(model, &r->ais_options, err);
    if (!status) status = vae_evaluate(result, model, images, &r->options, err);
    if (!status && r->nll_options.samples) status = vae_estimate_nll(&r->nll, model, images, &r->nll_options, err);
    if (!status && r->ais_images) status = measure_ais(r, images, err);
    r->accuracy = r->nmi = NAN;
    if (!status) status = vae_cluster(&r->nmi, model, images, r->options.seed, r->options.threads, err);
    if (!status && is_held_out)
        status = vae_probe(&r->accuracy, model, &data->train, images, r->options.seed, r->options.threads, err);
    if (!status && r->draws)
        status = vae_decompose(&r->parts, model, images, other, r->draws, r->options.seed, r->options.threads, err);
    progress_clear(&r->progress);
    return run_blame_model(r->model_path, status, err);
}

static vae_status write_per_image(const struct eval *r, const vae_images *images, vae_error *err)
{
    const struct per_image rows = {.evaluation = r->result,
                                   .images = images,
                                   .nll = r->nll_options.image_nll,
                                   .khat = r->nll_options.image_khat,
                                   .ais = r->ais_options.image_nll,
                                   .ais_images = r->ais.n};
    return per_image_write(r->per_image, &rows, err);
}

static vae_status evaluate(const struct arguments *arguments, struct eval *r, uint64_t limit, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *split = NULL;
    vae_evaluation *result = NULL;
    vae_status status = run_open_data(arguments, arguments->run, r->model, &data, &split, err);
    const double began = progress_now();
    if (!status) {
        vae_images images = *split; /* a view; `data` keeps the pixels */
        if (limit && limit < images.n) images.n = limit;
        r->split = run_split_name(split->split);
        status = vae_model_is_pseudo(r->model, &images, &r->pseudo, err);
        if (!status) status = eval_measure(r, data, &images, &result, err);
        r->result = result;
        r->seconds = progress_now() - began;
        if (!status && argument(arguments, "json"))
            status = print_json(r, err);
        else if (!status)
            eval_print(r);
        if (!status && r->per_image) status = write_per_image(r, &images, err);
    }
    free(r->nll_options.image_nll);
    free(r->nll_options.image_khat);
    free(r->ais_options.image_nll);
    vae_decomposition_free(&r->parts);
    vae_evaluation_free(&result);
    vae_data_free(&data);
    return status;
}

static vae_status read_kl(const struct arguments *a, vae_kl *kl, vae_error *err)
{
    const char *text = argument(a, "kl");
    *kl = text && !strcmp(text, "exact") ? VAE_KL_EXACT : text ? VAE_KL_MC : VAE_KL_AS_TRAINED;
    if (!text || *kl == VAE_KL_EXACT || !strcmp(text, "mc")) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "--kl: '%s' (expected exact or mc)", text);
}

static vae_status read_proposal(const struct arguments *a, vae_proposal *proposal, vae_error *err)
{
    const char *text = argument(a, "proposal");
    *proposal = text && !strcmp(text, "defensive") ? VAE_PROPOSE_DEFENSIVE : VAE_PROPOSE_Q;
    if (!text || *proposal == VAE_PROPOSE_DEFENSIVE || !strcmp(text, "q")) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "--proposal: '%s' (expected q or defensive)", text);
}

/* Flags that have no meaning without --ais are refused without it. */
static vae_status read_ais(const struct arguments *a, struct eval *r, vae_error *err)
{
    static const char *const needing[] = {"chains", "leapfrog", "images", "bdmc"};
    vae_ais_options *o = &r->ais_options;
    uint64_t temperatures, chains, leapfrog;
    vae_ais_defaults(o);
    vae_status status = argument_count(a, "ais", 1, VAE_MOST_TEMPERATURES, o->temperatures, &temperatures, err);
    if (!status) status = argument_count(a, "chains", 1, VAE_MOST_CHAINS, o->chains, &chains, err);
    if (!status) status = argument_count(a, "leapfrog", 1, VAE_MOST_LEAPFROG, o->leapfrog, &leapfrog, err);
    if (!status) status = argument_count(a, "images", 1, 1e9, 1000, &r->ais_images, err);
    if (status) return status;
    o->temperatures = temperatures;
    o->chains = chains;
    o->leapfrog = leapfrog;
    r->both_ways = argument(a, "bdmc") != NULL;
    if (argument(a, "ais")) return VAE_OK;
    r->ais_images = 0;
    if (argument(a, "proposal") && !r->nll_options.samples)
        return vae_fail(err, VAE_E_USAGE, "--proposal is of the nll and of --ais, and neither is asked for");
    for (size_t i = 0; i < sizeof needing / sizeof *needing; i++)
        if (argument(a, needing[i]))
            return vae_fail(err, VAE_E_USAGE, "--%s is of --ais, which is not given", needing[i]);
    return VAE_OK;
}

vae_status eval_options(const struct arguments *a, const vae_model *model, struct eval *r, uint64_t *limit,
                        vae_error *err)
{
    vae_eval_options *o = &r->options;
    uint64_t samples, kl_samples, threads, importance;
    vae_proposal proposal = VAE_PROPOSE_Q;
    vae_eval_defaults(o);
    vae_nll_defaults(&r->nll_options);
    vae_status status = argument_count(a, "elbo-samples", 1, 1e5, o->samples, &samples, err);
    if (!status) status = argument_count(a, "samples", 0, VAE_MOST_DRAWS, r->nll_options.samples, &importance, err);
    if (!status) r->nll_options.samples = importance;
    if (!status) status = read_kl(a, &o->kl, err);
    if (!status) status = argument_count(a, "decompose", 0, 1e5, 0, &r->draws, err);
    if (!status) status = argument_count(a, "kl-samples", 1, 1e6, 0, &kl_samples, err);
    if (!status) status = argument_count(a, "seed", 0, 9007199254740991.0, o->seed, &o->seed, err);
    if (!status) status = argument_count(a, "threads", 1, 256, 0, &threads, err);
    if (!status) status = argument_count(a, "limit", 1, 1e9, 0, limit, err);
    if (!status) status = read_proposal(a, &proposal, err);
    if (!status) status = read_ais(a, r, err);
    if (!status) status = argument_real(a, "near-zero", 0, 1e9, latents_near_zero(model), &o->near_zero, err);
    if (status) return status;
    o->samples = samples;
    o->kl_samples = kl_samples;
    o->threads = threads;
    r->per_image = argument(a, "per-image");
    r->nll_options.seed = o->seed;
    r->nll_options.threads = threads;
    r->nll_options.proposal = proposal;
    r->ais_options.proposal = proposal;
    r->ais_options.seed = o->seed;
    r->ais_options.threads = threads;
    if (r->per_image) status = array_check_name("per-image", r->per_image, err);
    return status ? status : outputs_check(&r->per_image, 1, err);
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char model_path[PATH_MAX_RUN];
    struct eval report = {.model_path = model_path};
    uint64_t limit;
    vae_model *model = NULL;
    vae_status status = run_load_model(arguments->run, &model, model_path, err);
    if (!status) status = eval_options(arguments, model, &report, &limit, err);
    if (!status) {
        report.source = argument(arguments, "data");
        if (!report.source) report.source = vae_model_config(model)->data;
        report.model = model;
        status = evaluate(arguments, &report, limit, err);
    }
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {
    {"samples", 0, "S", "importance samples an image of the nll; 0: none. Papers use 5000 [100]"},
    {"proposal", 0, "q|defensive", "where the samples of nll and the chains of --ais begin [q]"},
    {"ais", 0, "T", "also -log p(x) by annealed importance sampling with T temperatures, such as 100"},
    {"chains", 0, "C", "of --ais: chains an image [16]"},
    {"leapfrog", 0, "N", "of --ais: steps of a move [5]"},
    {"images", 0, "N", "of --ais: only the first N images [1000]"},
    {"bdmc", 0, NULL, "of --ais: bounds from both sides, on as many images made by the model"},
    {"elbo-samples", 0, "S", "draws of z an image in neg_elbo [1]"},
    {"kl", 0, "exact|mc", "how the KL is computed [as trained]"},
    {"kl-samples", 0, "K", "samples of a Monte Carlo KL [as trained]"},
    {"decompose", 0, "S", "the parts of the KL by S draws of z, such as 2000; 0: none [0]"},
    {"near-zero", 0, "T", "report the share of drawn latents with |z| < T [two sd of the spike, else 0.4472]"},
    {"limit", 0, "N", "only the first N images [all]"},
    {"seed", 0, "N", "of the noise [1]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    SPLIT_FLAG("them"),
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {"per-image", 0, "FILE",
     ".csv or .npy to write: a row an image of index, label, neg_elbo, recon, kl, nll, khat, ais and row"},
    {"json", 0, NULL, "one JSON object on stdout"},
    {0},
};

const struct command command_eval = {
    .name = "eval",
    .group = MEASURE,
    .summary = "ELBO, likelihood, KL per dimension, sparsity",
    .details =
        "Evaluates a model on a set of images with z drawn from the posterior. Losses are in nats per image: "
        "summed over\n"
        "pixels and latents, averaged over images. neg_elbo, minus the evidence lower bound (ELBO), is the "
        "reconstruction plus\n"
        "kl, the Kullback-Leibler divergence of posterior and prior. nll is the importance-sampled -log p(x), "
        "an upper\n"
        "bound that falls with the number of samples; so is ais, which --ais finds by chains from the posterior to "
        "p(z|x).\n"
        "(docs/reading.md says what is usual.)",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
