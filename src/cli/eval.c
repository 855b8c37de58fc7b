/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/decomposition.h"
#include "cli/eval.h"
#include "cli/latents.h"
#include "cli/per_image.h"
#include "cli/wrap.h"

/* Share of images with a k-hat above its limit from which on nll is not to be trusted. */
static const double MOST_ABOVE = 0.05;

static json_t *array(const double *values, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) json_array_append_new(list, json_finite(values[i]));
    return list;
}

bool eval_has_kl_per_latent(const vae_evaluation *e) { return !isnan(e->kl_per_dim[0]) || isnan(e->kl); }

static const char *proposal_of(const struct eval *r)
{
    return r->nll_options.proposal == VAE_PROPOSE_DEFENSIVE ? "defensive" : "q";
}

/* Of two upper bounds the lower one, where they are apart by more than twice their errors of sampling. Without --ais
 * what k-hat says; NULL: it says nothing. */
static const char *trusted(const struct eval *r)
{
    const double noise = 2 * hypot(r->nll.mc_se * sqrt((double)r->nll.n / (double)r->ais.n), r->ais.mc_se);
    if (r->ais_images && isnan(r->ais_beside)) return "ais";
    if (r->ais_images)
        return fabs(r->ais_beside - r->ais.nll) <= noise ? "both" : r->ais.nll < r->ais_beside ? "ais" : "nll";
    if (!r->nll.samples || isnan(r->nll.khat)) return NULL;
    return r->nll.khat_above > MOST_ABOVE ? "neither" : "nll";
}

static void add_losses(json_t *object, const struct eval *r)
{
    const vae_evaluation *e = r->result;
    const bool asked = r->nll.samples > 0;
    json_object_set_new(object, "n", json_integer((json_int_t)e->n));
    json_object_set_new(object, "neg_elbo", json_finite(e->neg_elbo));
    json_object_set_new(object, "neg_elbo_se", json_finite(e->neg_elbo_se));
    json_object_set_new(object, "recon", json_finite(e->recon));
    json_object_set_new(object, "kl", json_finite(e->kl));
    json_object_set_new(object, "elbo_samples", json_integer((json_int_t)e->samples));
    json_object_set_new(object, "kl_samples", json_integer((json_int_t)e->kl_samples));
    json_object_set_new(object, "nll", asked ? json_finite(r->nll.nll) : json_null());
    json_object_set_new(object, "nll_se", asked ? json_finite(r->nll.se) : json_null());
    json_object_set_new(object, "nll_mc_se", asked ? json_finite(r->nll.mc_se) : json_null());
    json_object_set_new(object, "nll_bias", asked ? json_finite(r->nll.bias) : json_null());
    json_object_set_new(object, "nll_samples", json_integer((json_int_t)r->nll.samples));
    json_object_set_new(object, "nll_effective_samples", asked ? json_finite(r->nll.effective_samples) : json_null());
    json_object_set_new(object, "nll_proposal", asked ? json_string(proposal_of(r)) : json_null());
    json_object_set_new(object, "nll_khat", asked ? json_finite(r->nll.khat) : json_null());
    json_object_set_new(object, "nll_khat_above", asked ? json_finite(r->nll.khat_above) : json_null());
}

/* What --ais adds. */
static void add_ais(json_t *object, const struct eval *r)
{
    const vae_ais *ais = &r->ais;
    const vae_ais_options *o = &r->ais_options;
    const struct {
        const char *name;
        double value;
    } numbers[] = {{"ais", ais->nll},
                   {"ais_se", ais->se},
                   {"ais_mc_se", ais->mc_se},
                   {"ais_bias", ais->bias},
                   {"ais_effective_chains", ais->effective_chains},
                   {"ais_acceptance", ais->acceptance},
                   {"ais_least_acceptance", ais->least_acceptance},
                   {"ais_nll", r->ais_beside}},
      bounds[] = {{"bdmc_high", r->bdmc.ais.nll},
                  {"bdmc_low", r->bdmc.nll_low},
                  {"bdmc_gap", r->bdmc.gap},
                  {"bdmc_gap_se", r->bdmc.gap_se}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        json_object_set_new(object, numbers[i].name, json_finite(numbers[i].value));
    json_object_set_new(object, "ais_images", json_integer((json_int_t)ais->n));
    json_object_set_new(object, "ais_temperatures", json_integer((json_int_t)o->temperatures));
    json_object_set_new(object, "ais_chains", json_integer((json_int_t)o->chains));
    json_object_set_new(object, "ais_leapfrog", json_integer((json_int_t)o->leapfrog));
    for (size_t i = 0; i < sizeof bounds / sizeof *bounds && r->both_ways; i++)
        json_object_set_new(object, bounds[i].name, json_finite(bounds[i].value));
}

static void add_latents(json_t *object, const struct eval *r)
{
    const vae_evaluation *e = r->result;
    json_object_set_new(object, "kl_per_dim",
                        eval_has_kl_per_latent(e) ? array(e->kl_per_dim, e->latent) : json_null());
    json_object_set_new(object, "kl_floor", json_finite(e->kl_floor));
    json_object_set_new(object, "mean_variance", array(e->mean_variance, e->latent));
    json_object_set_new(object, "active_units", json_integer((json_int_t)e->active_units));
    json_object_set_new(object, "hoyer", json_finite(e->hoyer));
    json_object_set_new(object, "hoyer_normalized", json_finite(e->hoyer_normalized));
    json_object_set_new(object, "hoyer_active", json_finite(e->hoyer_active));
    json_object_set_new(object, "near_zero", json_finite(r->options.near_zero));
    json_object_set_new(object, "near_zero_share", json_finite(e->near_zero_share));
    json_object_set_new(object, "collapsed_share", json_finite(e->collapsed_share));
    json_object_set_new(object, "probe_accuracy", json_finite(r->accuracy));
    json_object_set_new(object, "cluster_nmi", json_finite(r->nmi));
}

json_t *eval_json(const struct eval *r)
{
    json_t *object = json_pack("{s:o, s:I, s:o, s:s, s:s, s:b}", "model", json_text(r->model_path), "epoch",
                               (json_int_t)vae_model_metrics(r->model)->epoch, "data", json_text(r->source), "split",
                               r->split, "binarize", vae_model_config(r->model)->binarize, "pseudo_likelihood",
                               r->pseudo);
    add_losses(object, r);
    if (r->ais_images) add_ais(object, r);
    json_object_set_new(object, "trusted", trusted(r) ? json_string(trusted(r)) : json_null());
    add_latents(object, r);
    json_object_set_new(object, "decomposition_draws", json_integer((json_int_t)r->draws));
    json_object_set_new(object, "decomposition", decomposition_json(r->parts));
    json_object_set_new(object, "sigma", json_finite(run_learned_sigma(r->model)));
    json_object_set_new(object, "seed", json_integer((json_int_t)r->options.seed));
    return object;
}

static vae_status print_json(const struct eval *r, vae_error *err)
{
    json_t *object = eval_json(r);
    json_object_set_new(object, "seconds", json_finite(r->seconds));
    json_object_set_new(object, "per_image", r->per_image ? json_text(r->per_image) : json_null());
    return json_print(object, JSON_REAL_PRECISION(9), err);
}

/* ---- Text ------------------------------------------------------------------------------------------------------- */

enum { COLUMN = 14, MOST_LINE = VAE_MAX_SOURCE + 512 };

/* A line that goes on, where it is long, below what it begins with. */
VAE_PRINTF(1, 2) static void say(const char *format, ...)
{
    char text[MOST_LINE];
    va_list values;
    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    wrap(stdout, WRAP_COLUMNS, 0, COLUMN, text);
}

/* Of one image there is no error over images, of one sample none of sampling. */
static void print_nll(const struct eval *r)
{
    const vae_nll *nll = &r->nll;
    char over_images[64] = "", of_sampling[96] = "";
    if (nll->n > 1) snprintf(over_images, sizeof over_images, "; standard error %.4f over images", nll->se);
    if (nll->samples > 1)
        snprintf(of_sampling, sizeof of_sampling, "%s %.4f of sampling; too high by at least %.3f",
                 nll->n > 1 ? "," : "; standard error", nll->mc_se, nll->bias);
    say("nll           %.4f (%zu importance sample%s%s, %.1f effective%s%s)", nll->nll, nll->samples,
        nll->samples == 1 ? "" : "s",
        r->nll_options.proposal == VAE_PROPOSE_DEFENSIVE ? " of the defensive proposal" : "", nll->effective_samples,
        over_images, of_sampling);
    if (!isnan(nll->khat))
        printf("k-hat         %.2f on average, above %.1f for %.1f %% of images\n", nll->khat, VAE_KHAT_LIMIT,
               100 * nll->khat_above);
    if (nll->effective_samples < FEW_EFFECTIVE)
        say("              (few effective samples: -log p(x) is lower than nll by more than that; give more "
            "--samples)");
}

/* A bound of either kind holds in expectation, and says nothing of how far it is from the truth. */
static void print_trust(const struct eval *r)
{
    const char *name = trusted(r);
    if (!name) return;
    if (!strcmp(name, "neither"))
        say("trust         neither nll nor its errors: log p(x) is at least -nll, and more than they say; measure with "
            "--ais 100%s",
            r->nll_options.proposal == VAE_PROPOSE_DEFENSIVE ? "" : ", with few latents also --proposal defensive");
    else if (!strcmp(name, "ais"))
        say("trust         ais: log p(x) is at least %.4f in expectation", -r->ais.nll);
    else if (!strcmp(name, "both"))
        say("trust         both: ais and nll agree within twice their errors of sampling");
    else if (r->ais_images)
        say("trust         nll, on the same images lower than ais, whose chains need more temperatures: log p(x) is at "
            "least -nll");
}

static const char *s_of(size_t n) { return n == 1 ? "" : "s"; }

static void print_ais(const struct eval *r)
{
    const vae_ais *ais = &r->ais;
    const vae_ais_options *o = &r->ais_options;
    char over_images[64] = "", of_sampling[64] = "", error[64] = "";
    if (ais->n > 1) snprintf(over_images, sizeof over_images, "; standard error %.4f over images", ais->se);
    if (o->chains > 1)
        snprintf(of_sampling, sizeof of_sampling, "%s %.4f of sampling", ais->n > 1 ? "," : "; standard error",
                 ais->mc_se);
    say("ais           %.4f (%zu image%s, %zu temperature%s, %zu chain%s, %.1f effective%s%s)", ais->nll, ais->n,
        s_of(ais->n), o->temperatures, s_of(o->temperatures), o->chains, s_of(o->chains), ais->effective_chains,
        over_images, of_sampling);
    if (!isnan(ais->acceptance))
        say("              (%.1f %% of moves of %zu leapfrog step%s accepted, %.1f %% of the image where it is least)",
            100 * ais->acceptance, o->leapfrog, s_of(o->leapfrog), 100 * ais->least_acceptance);
    if (!isnan(r->ais_beside)) say("              (on the same images nll is %.4f)", r->ais_beside);
    if (!r->both_ways) return;
    if (r->bdmc.ais.n > 1) snprintf(error, sizeof error, " (standard error %.4f)", r->bdmc.gap_se);
    say("bdmc          -log p(x) of %zu image%s that the model made: %.4f to %.4f, %.4f apart%s", r->bdmc.ais.n,
        s_of(r->bdmc.ais.n), r->bdmc.nll_low, r->bdmc.ais.nll, r->bdmc.gap, error);
}

static void print_losses(const struct eval *r)
{
    const vae_evaluation *e = r->result;
    char kl[96] = "exact KL", error[64] = "";
    if (!eval_has_kl_per_latent(e))
        snprintf(kl, sizeof kl, "KL by the draws that are decoded");
    else if (e->kl_samples)
        snprintf(kl, sizeof kl, "Monte Carlo KL of %zu sample%s", e->kl_samples, e->kl_samples == 1 ? "" : "s");
    if (e->n > 1) snprintf(error, sizeof error, " (standard error %.4f over images)", e->neg_elbo_se);
    printf("%s after epoch %llu\n", SHOWN(r->model_path), (unsigned long long)vae_model_metrics(r->model)->epoch);
    say("%s, %s split: %zu images, noise seed %llu, %zu draw%s of z an image, %s", SHOWN(r->source), r->split, e->n,
        (unsigned long long)r->options.seed, e->samples, e->samples == 1 ? "" : "s", kl);
    say("neg_elbo      %.4f = recon %.4f + kl %.4f nats/image%s", e->neg_elbo, e->recon, e->kl, error);
    if (r->nll.samples) print_nll(r);
    if (r->ais_images) print_ais(r);
    print_trust(r);
    if (!isnan(run_learned_sigma(r->model)))
        say("sigma         %.4g (learned, of all pixels)", run_learned_sigma(r->model));
    if (r->pseudo) say("              (grey pixels under a Bernoulli likelihood: a pseudo-likelihood)");
}

/* A row a latent. What is not known has no column: the floor without an exact KL, the KL under a joint prior. */
static void print_latents(const struct eval *r)
{
    const vae_evaluation *e = r->result;
    const vae_decomposition *parts = r->parts;
    const bool has_kl = eval_has_kl_per_latent(e), has_floor = isfinite(e->kl_floor);
    const bool has_marginal = parts && !isnan(parts->latent_marginal[0].value);
    const bool has_label = parts && !isnan(parts->latent_label[0].value);
    if (has_floor) printf("an idle latent costs %.4f nats under this prior\n", e->kl_floor);
    printf("latent  %s%s%s%svariance of posterior mean\n", has_kl ? "      KL (nats)  " : "",
           has_floor ? "KL - floor  " : "", has_marginal ? "of q(z)  " : "", has_label ? "I(z;label)  " : "");
    for (size_t j = 0; j < e->latent; j++) {
        printf("%6zu", j);
        if (has_kl) printf(" %16.4f", e->kl_per_dim[j]);
        if (has_floor) printf("  %10.4f", e->kl_per_dim[j] - e->kl_floor);
        if (has_marginal) printf("  %7.4f", parts->latent_marginal[j].value);
        if (has_label) printf("  %10.4f", parts->latent_label[j].value);
        printf("  %.4f\n", e->mean_variance[j]);
    }
}

/* Where fewer than two latents are left, there is no such measure. */
static void print_hoyer(const vae_evaluation *e)
{
    if (e->latent < 2) return;
    printf("Hoyer         %.3f raw", e->hoyer);
    if (isfinite(e->hoyer_normalized)) printf(", %.3f normalized", e->hoyer_normalized);
    if (isfinite(e->hoyer_active)) printf(", %.3f normalized over active units", e->hoyer_active);
    printf(isfinite(e->hoyer_active) ? "\n" : " (fewer than two units are active)\n");
}

static void print_text(const struct eval *r)
{
    const vae_evaluation *e = r->result;
    print_losses(r);
    printf("active units  %zu of %zu (the posterior mean has a variance above %g)\n", e->active_units, e->latent,
           VAE_ACTIVE_VARIANCE);
    if (isfinite(e->collapsed_share))
        printf("collapsed     %.1f %% of latents (their KL is that of an idle latent)\n", 100 * e->collapsed_share);
    print_hoyer(e);
    printf("|z| < %.4g   %.1f %% of drawn latents\n", r->options.near_zero, 100 * e->near_zero_share);
    if (isfinite(r->accuracy))
        printf("linear probe  %.2f %% of labels read off the posterior means\n", 100 * r->accuracy);
    if (isfinite(r->nmi)) printf("k-means       NMI %.3f of labels and as many clusters of posterior means\n", r->nmi);
    if (r->parts) decomposition_print(r->parts);
    print_latents(r);
    if (r->per_image) run_say_written(r->per_image);
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

vae_status eval_measure(struct eval *r, const vae_data *data, const vae_images *images, vae_evaluation **result,
                        vae_error *err)
{
    const vae_model *model = r->model;
    progress_begin(&r->progress, false);
    r->options.context = r->nll_options.context = r;
    r->options.on_block = on_elbo_block;
    r->nll_options.on_draws = on_nll_draws;
    if ((r->per_image || r->ais_images) && r->nll_options.samples &&
        !(r->nll_options.image_nll = calloc(images->n, sizeof(double))))
        return vae_fail(err, VAE_E_MEMORY, "out of memory for the nll of %zu images", images->n);
    vae_status status = vae_evaluate(result, model, images, &r->options, err);
    if (!status && r->nll_options.samples) status = vae_estimate_nll(&r->nll, model, images, &r->nll_options, err);
    if (!status && r->ais_images) status = measure_ais(r, images, err);
    r->accuracy = r->nmi = NAN;
    if (!status) status = vae_cluster(&r->nmi, model, images, r->options.seed, r->options.threads, err);
    const bool is_held_out = images->split == VAE_TEST || images->split == VAE_VALIDATION;
    if (!status && is_held_out)
        status = vae_probe(&r->accuracy, model, &data->train, images, r->options.seed, r->options.threads, err);
    if (!status && r->draws) {
        const vae_images *other = is_held_out ? &data->train : &data->test;
        status = vae_decompose(&r->parts, model, images, other->n ? other : NULL, r->draws, r->options.seed,
                               r->options.threads, err);
    }
    progress_clear(&r->progress);
    return run_blame_model(r->model_path, status, err);
}

static vae_status write_per_image(const struct eval *r, const vae_images *images, vae_error *err)
{
    const struct per_image rows = {r->result, images, r->nll_options.image_nll};
    return per_image_write(r->per_image, &rows, err);
}

static vae_status evaluate(const struct arguments *arguments, struct eval *r, uint64_t limit, vae_error *err)
{
    vae_data *data = NULL;
    const vae_images *split = NULL;
    vae_evaluation *result = NULL;
    vae_status status = run_open_data(arguments, r->model, &data, &split, err);
    const double began = progress_now();
    if (!status) {
        vae_images images = *split; /* a view; `data` keeps the pixels */
        if (limit && limit < images.n) images.n = limit;
        r->split = run_split_name(split->split);
        status = vae_model_is_pseudo(r->model, &images, &r->pseudo, err);
        if (!status) status = eval_measure(r, data, &images, &result, err);
        r->result = result;
        if (!status && r->per_image) status = write_per_image(r, &images, err);
    }
    r->seconds = progress_now() - began;
    if (!status && argument(arguments, "json"))
        status = print_json(r, err);
    else if (!status)
        print_text(r);
    free(r->nll_options.image_nll);
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
    r->nll_options.samples = importance;
    r->nll_options.seed = o->seed;
    r->nll_options.threads = threads;
    r->nll_options.proposal = proposal;
    r->ais_options.proposal = proposal;
    r->ais_options.seed = o->seed;
    r->ais_options.threads = threads;
    return r->per_image ? array_check_name("per-image", r->per_image, err) : VAE_OK;
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
    {"per-image", 0, "FILE", ".csv or .npy to write: index, label, neg_elbo, recon, kl, nll, row of each image"},
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
