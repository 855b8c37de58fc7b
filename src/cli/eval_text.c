/* SPDX-License-Identifier: MIT
 *
 * What `eval` found out, as lines to read. */
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "cli/decomposition.h"
#include "cli/eval.h"
#include "cli/wrap.h"

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
        snprintf(of_sampling, sizeof of_sampling, "%s %.4f of sampling; in expectation too high by %.3f or more",
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
    const char *name = eval_trusted(r);
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

/* A Monte Carlo KL may come out below zero. */
static void print_doubt(const vae_evaluation *e)
{
    if (e->kl < 0)
        say("              (a KL is never negative: this is the error of its Monte Carlo estimate; give more "
            "--kl-samples or --elbo-samples)");
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
    print_doubt(e);
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

void eval_print(const struct eval *r)
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
