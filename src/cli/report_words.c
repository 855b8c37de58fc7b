/* SPDX-License-Identifier: MIT
 *
 * What a report says in words: the verdict, warnings with what helps against them, and where everything is from. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/report.h"
#include "cli/shell.h"

/* ---- Verdict ----------------------------------------------------------------------------------------------------- */

/* One measure: its name, its value and, unless NULL, a text that says of what. */
static void put_measure(FILE *out, const char *name, const char *value, const char *of)
{
    fprintf(out, "<div><dt>%s</dt><dd>%s", name, value);
    if (of) fprintf(out, " <small>%s</small>", of);
    fputs("</dd></div>\n", out);
}

static void put_nll(FILE *out, const vae_nll *nll)
{
    char value[64], of[256];
    if (!nll->samples) {
        put_measure(out, "NLL", "not estimated", "--samples 5000 estimates it");
        return;
    }
    snprintf(value, sizeof value, "%.2f", nll->nll);
    snprintf(
        of, sizeof of,
        "\u00b1 %.2f, standard error over %zu images; %zu importance samples, in expectation too high by %.2f or more",
        nll->se, nll->n, nll->samples, nll->bias);
    put_measure(out, "NLL, \u2212log p(x)", value, of);
}

static void put_elbo(FILE *out, const vae_evaluation *e)
{
    char value[64], of[256];
    snprintf(value, sizeof value, "%.2f", e->neg_elbo);
    snprintf(of, sizeof of, "\u00b1 %.2f, standard error over %zu images; reconstruction %.2f + KL %.2f",
             e->neg_elbo_se, e->n, e->recon, e->kl);
    put_measure(out, "\u2212ELBO", value, of);
}

static void put_latent_measures(FILE *out, const struct eval *eval)
{
    const vae_evaluation *e = eval->result;
    char value[64], of[256];
    snprintf(value, sizeof value, "%zu of %zu", e->active_units, e->latent);
    put_measure(out, "Active latents", value, "their posterior mean has a variance above 0.01");
    snprintf(value, sizeof value, "%.0f %%", 100 * e->near_zero_share);
    snprintf(of, sizeof of, "of drawn latents have |z| &lt; %.3g", eval->options.near_zero);
    if (isfinite(e->hoyer_normalized))
        snprintf(of + strlen(of), sizeof of - strlen(of), "; Hoyer\u2019s measure %.2f, normalized",
                 e->hoyer_normalized);
    put_measure(out, "Near zero", value, of);
    snprintf(value, sizeof value, "%.1f %%", 100 * eval->accuracy);
    if (isfinite(eval->accuracy)) put_measure(out, "Linear probe", value, "of labels are read off the posterior means");
}

/* KL = I(x;z) + KL(q(z) || p(z)): the information with the own image in q(z), which is at most log N, and without it,
 * which is too much where the space between images is empty. */
static void put_parts(FILE *out, const vae_decomposition *d)
{
    char value[64], of[256];
    if (!d) return;
    const size_t n = d->part[VAE_IN_SAMPLE].components;
    const vae_decomposition_parts *low = &d->part[VAE_IN_SAMPLE],
                                  *high = &d->part[d->part[VAE_HELD_OUT].components ? VAE_HELD_OUT : VAE_LEFT_OUT];
    snprintf(value, sizeof value, "%.1f to %.1f", low->information.value, high->information.value);
    snprintf(of, sizeof of,
             "nats of I(x;z), of a KL of %.1f: q(z) of these images, which give log %zu = %.1f at most, and of %s",
             d->kl.value, n, log((double)n), d->part[VAE_HELD_OUT].components ? "others" : "all but the own one");
    put_measure(out, "Information", value, of);
}

/* "784 - 400 - 10 - 400 - 784". */
static void put_widths(FILE *out, const vae_config *config, size_t D)
{
    size_t n = 0;
    while (n < VAE_MAX_LIST && config->hidden[n]) n++;
    fprintf(out, "%zu", D);
    for (size_t i = 0; i < n; i++) fprintf(out, "\u2013%llu", (unsigned long long)config->hidden[i]);
    fprintf(out, "\u2013%llu", (unsigned long long)config->latent);
    for (size_t i = n; i > 0; i--) fprintf(out, "\u2013%llu", (unsigned long long)config->hidden[i - 1]);
    fprintf(out, "\u2013%zu", D);
}

static void put_summary(FILE *out, const struct subject *s)
{
    const vae_config *config = vae_model_config(s->model);
    char text[VAE_MAX_SOURCE];
    fputs("<p>Prior <b>", out);
    page_text(out, subject_setting(s, "prior", text));
    fputs("</b>, likelihood ", out);
    page_text(out, subject_setting(s, "likelihood", text));
    if (isfinite(run_learned_sigma(s->model))) fprintf(out, " (sigma %.4g)", run_learned_sigma(s->model));
    fputs(", ", out);
    put_widths(out, config, s->images.rows * s->images.cols);
    fprintf(out, " %s%s, after epoch %llu, on %s of ", config->activation.name, config->classes ? ", conditional" : "",
            (unsigned long long)vae_model_metrics(s->model)->epoch, run_split_words(s->images.split));
    page_text(out, s->eval.source);
    fputs(".</p>\n", out);
}

vae_status write_verdict(FILE *out, struct report *report, vae_error *err)
{
    (void)err;
    for (size_t i = 0; i < report->n; i++) {
        const struct subject *s = &report->subject[i];
        begin_run(out, report, i);
        put_summary(out, s);
        fputs("<dl class=\"measures\">\n", out);
        put_nll(out, &s->eval.nll);
        put_elbo(out, s->result);
        put_parts(out, s->eval.parts);
        put_latent_measures(out, &s->eval);
        fputs("</dl>\n", out);
        end_run(out, report, i);
    }
    return VAE_OK;
}

/* ---- Warnings ---------------------------------------------------------------------------------------------------- */

/* What is wrong, and what helps, where ` begins and ends words for the command line. */
static void warn(FILE *out, size_t *n, const char *what, const char *remedy)
{
    bool code = false;
    fprintf(out, "<li><b>%s</b> ", what);
    for (const char *c = remedy; *c; c++) {
        if (*c != '`') {
            fputc(*c, out);
            continue;
        }
        code = !code;
        fputs(code ? "<code>" : "</code>", out);
    }
    fputs("</li>\n", out);
    ++*n;
}

/* The largest distance between the distributions of latent j under prior and aggregate posterior, at the draws of the
 * latter (Kolmogorov's). */
static double distance(const struct subject *s, size_t j)
{
    const size_t steps = 200;
    double most = 0;
    for (size_t k = 1; k < steps; k++) {
        const double p = (double)k / (double)steps, z = vae_marginal_quantile(s->aggregate_marginals, j, p);
        most = fmax(most, fabs(vae_marginal_cdf(s->prior_marginals, j, z) - p));
    }
    return most;
}

static void warn_of_latents(FILE *out, size_t *n, const struct subject *s)
{
    const vae_evaluation *e = s->result;
    char what[256];
    double apart = 0;
    for (size_t j = 0; j < e->latent; j++) apart = fmax(apart, distance(s, j));
    if (e->active_units == 0) {
        snprintf(what, sizeof what, "The posterior has collapsed: the KL is %.2f nats.", e->kl);
        warn(out, n, what,
             "The decoder does not use z. Give it less to do by itself or let the KL in slowly: "
             "`--beta-warmup 10`, `--free-bits 0.1`, a smaller `--beta`, a narrower `--hidden`, a smaller `--lr`.");
    } else if (e->active_units < e->latent) {
        snprintf(what, sizeof what, "%zu of %zu latents are idle.", e->latent - e->active_units, e->latent);
        warn(out, n, what,
             isfinite(e->kl_floor) && e->kl_floor > 0.001 ? "Each still costs the floor in the figure of KL below. A "
                                                            "smaller `--latent` saves it; `--beta-warmup` or "
                                                            "`--free-bits` may wake some of them."
                                                          : "That costs nothing under this prior. A smaller `--latent` "
                                                            "would do; `--beta-warmup` or `--free-bits` may "
                                                            "wake some of them.");
    }
    if (apart > 0.2) {
        snprintf(what, sizeof what,
                 "The aggregate posterior is far from the prior: up to %.0f %% of the probability of a latent.",
                 100 * apart);
        warn(out, n, what,
             "Draws from the prior then fall where no image is encoded, and look worse than reconstructions. A learned "
             "prior closes the gap: `vaectl fit RUN --prior realnvp`.");
    }
}

/* The last epoch against the best one. */
static void warn_of_training(FILE *out, size_t *n, const struct subject *s)
{
    const vae_config *config = vae_model_config(s->model);
    const uint64_t epoch = vae_model_metrics(s->model)->epoch;
    const vae_metrics *last = s->epochs ? &s->epoch[s->epochs - 1] : NULL, *best = last;
    char what[256];
    for (size_t i = 0; i < s->epochs; i++)
        if (s->epoch[i].test_neg_elbo < best->test_neg_elbo) best = &s->epoch[i];
    if (epoch < config->epochs && !config->validation && !config->patience) {
        snprintf(what, sizeof what, "Training ended after epoch %llu of %llu.", (unsigned long long)epoch,
                 (unsigned long long)config->epochs);
        warn(out, n, what, "`vaectl train --resume RUN` goes on where it stopped.");
    }
    if (last && last->test_neg_elbo > best->test_neg_elbo + 0.5) {
        snprintf(what, sizeof what, "The test loss rises: %.2f in epoch %llu, %.2f at the end.", best->test_neg_elbo,
                 (unsigned long long)best->epoch, last->test_neg_elbo);
        warn(out, n, what,
             "The model fits its training images too well. `--validation 0.1 --patience 20` keeps the best model; "
             "`--binarize dynamic` and a narrower `--hidden` help as well.");
    } else if (s->epochs >= 6 && s->epoch[s->epochs - 4].test_neg_elbo - last->test_neg_elbo > 1.5) {
        snprintf(what, sizeof what, "The loss still falls: by %.2f nats in the last three epochs.",
                 s->epoch[s->epochs - 4].test_neg_elbo - last->test_neg_elbo);
        warn(out, n, what, "Train longer: `vaectl train --resume RUN --epochs N`.");
    }
    if (!s->epochs) warn(out, n, "There is no metrics.csv beside the model.", "So there are no curves.");
}

static void warn_of_numbers(FILE *out, size_t *n, const struct subject *s)
{
    const vae_nll *nll = &s->eval.nll;
    if (s->eval.pseudo)
        warn(out, n, "Grey pixels under a Bernoulli likelihood.",
             "Its losses are a pseudo-likelihood: they compare with others of grey pixels alone. `--binarize dynamic` "
             "makes "
             "pixels 0 or 1, `--likelihood cbernoulli` is a density of grey ones.");
    const char *trusted = eval_trusted(&s->eval);
    char what[256];
    if (nll->samples && nll->effective_samples < FEW_EFFECTIVE) {
        warn(out, n, "The NLL rests on few effective samples.",
             "It is too high by more than its bias says. Give more `--samples`.");
    } else if (trusted && !strcmp(trusted, "neither")) {
        snprintf(what, sizeof what,
                 "The importance weights of the NLL have heavy tails: k-hat is above %.1f for %.0f %% of images.",
                 VAE_KHAT_LIMIT, 100 * nll->khat_above);
        warn(out, n, what,
             "It is too high by more than its bias and its errors say. `vaectl eval RUN --ais 100` measures it with "
             "chains from "
             "the posterior.");
    }
    if (vae_model_config(s->model)->beta < 1 || vae_model_config(s->model)->beta > 1)
        warn(out, n, "Trained with a beta other than 1.", "What is shown is not weighted: neg_elbo = recon + KL.");
}

vae_status write_warnings(FILE *out, struct report *report, vae_error *err)
{
    (void)err;
    for (size_t i = 0; i < report->n; i++) {
        size_t n = 0;
        begin_run(out, report, i);
        fputs(report->n == 1 ? "<h3>Warnings</h3>\n<ul class=\"warnings\">\n" : "<ul class=\"warnings\">\n", out);
        warn_of_training(out, &n, &report->subject[i]);
        warn_of_latents(out, &n, &report->subject[i]);
        warn_of_numbers(out, &n, &report->subject[i]);
        if (!n) fputs("<li class=\"fine\">None.</li>\n", out);
        fputs("</ul>\n", out);
        end_run(out, report, i);
    }
    return VAE_OK;
}

/* ---- Provenance -------------------------------------------------------------------------------------------------- */

static void put_fact(FILE *out, const char *name, const char *value)
{
    fputs("<tr><th scope=\"row\">", out);
    page_text(out, name);
    fputs("</th><td>", out);
    page_text(out, value);
    fputs("</td></tr>\n", out);
}

static void put_checksum(FILE *out, const char *name, uint32_t crc)
{
    char text[16];
    snprintf(text, sizeof text, "%08x", (unsigned)crc);
    put_fact(out, name, text);
}

/* `vaectl train` with all settings that are not as by default; NULL: out of memory. The caller frees it. */
static char *train_command(const vae_config *config)
{
    vae_config fallback;
    const vae_setting *setting;
    char value[VAE_MAX_SOURCE], other[VAE_MAX_SOURCE];
    struct text text;
    if (text_begin(&text, NULL)) return NULL;
    FILE *out = text.to;
    vae_config_defaults(&fallback);
    fputs("vaectl train", out);
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        vae_config_text(config, setting, value, sizeof value);
        vae_config_text(&fallback, setting, other, sizeof other);
        if (strcmp(setting->name, "data") && !strcmp(value, other)) continue;
        fprintf(out, " --%s%s", setting->name, setting->metavar ? " " : "");
        if (setting->metavar) shell_word(out, value);
    }
    return text_take(&text);
}

/* `vaectl fit` as it fitted the prior; NULL: out of memory. The caller frees it. */
static char *fit_command(const struct subject *s, const vae_fit_options *fit)
{
    char prior[VAE_MAX_SOURCE];
    struct text text;
    if (text_begin(&text, NULL)) return NULL;
    fputs("vaectl fit RUN --prior ", text.to);
    shell_word(text.to, subject_setting(s, "prior", prior));
    fprintf(text.to, " --passes %llu --batch %llu --lr %.9g --seed %llu", (unsigned long long)fit->passes,
            (unsigned long long)fit->batch, fit->lr, (unsigned long long)fit->seed);
    return text_take(&text);
}

static void put_command(FILE *out, const char *what, const char *command)
{
    fprintf(out, "<h3>%s</h3>\n<code class=\"command\">", what);
    page_text(out, command);
    fputs("</code>\n", out);
}

static void put_facts(FILE *out, const struct subject *s)
{
    char text[VAE_MAX_SOURCE];
    const vae_setting *setting;
    fputs("<div class=\"scroll\" tabindex=\"0\"><table class=\"facts\">\n", out);
    put_fact(out, "model", s->path);
    put_checksum(out, "its CRC-32", s->crc_model);
    put_fact(out, "written by", vae_model_build(s->model));
    put_fact(out, "data", s->data->name);
    put_checksum(out, "CRC-32, training pixels", s->crc_train);
    snprintf(text, sizeof text, "CRC-32, %s pixels", s->eval.split);
    put_checksum(out, text, s->crc_images);
    put_fact(out, "report made by", vae_build((char[256]){0}, 256));
    fputs("</table></div>\n<details><summary>All settings</summary>\n<div class=\"scroll\" tabindex=\"0\"><table "
          "class=\"facts\">\n",
          out);
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        put_fact(out, setting->name, vae_config_text(vae_model_config(s->model), setting, text, sizeof text));
    fputs("</table></div></details>\n", out);
}

vae_status write_provenance(FILE *out, struct report *report, vae_error *err)
{
    for (size_t i = 0; i < report->n; i++) {
        const struct subject *s = &report->subject[i];
        vae_fit_options fit;
        char *command = train_command(vae_model_config(s->model));
        if (!command) return vae_fail(err, VAE_E_MEMORY, "out of memory");
        begin_run(out, report, i);
        put_command(out, "A model of this configuration is trained by", command);
        free(command);
        if (vae_model_fitted(s->model, &fit)) {
            command = fit_command(s, &fit);
            if (!command) return vae_fail(err, VAE_E_MEMORY, "out of memory");
            put_command(out, "Its prior was fitted to a trained model, RUN, by", command);
            free(command);
        }
        put_facts(out, s);
        end_run(out, report, i);
    }
    put_command(out, "This page is made by", report->command);
    return VAE_OK;
}
