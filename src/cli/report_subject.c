/* SPDX-License-Identifier: MIT
 *
 * One run of a report: its model, its data, and what is measured once for all parts of the page. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cli/metrics.h"
#include "cli/report.h"

/* ---- Checksums --------------------------------------------------------------------------------------------------- */

static vae_status crc_of_file(const char *path, uint32_t *crc, vae_error *err)
{
    unsigned char block[1 << 14];
    size_t n;
    FILE *file = fopen(path, "rb");
    *crc = 0;
    while (file && (n = fread(block, 1, sizeof block, file)) > 0) *crc = (uint32_t)crc32_z(*crc, block, n);
    vae_status status = VAE_OK;
    if (!file || ferror(file))
        status = vae_fail(err, run_errno(VAE_E_MODEL), "%s: cannot read: %s", path, strerror(errno));
    if (file) fclose(file);
    return status;
}

static vae_status take_checksums(struct subject *s, const vae_images *split, vae_error *err)
{
    vae_status status = crc_of_file(s->path, &s->crc_model, err);
    if (!status) status = vae_images_crc32(&s->data->train, &s->crc_train, err);
    if (!status) status = vae_images_crc32(split, &s->crc_images, err);
    return status;
}

/* ---- Latents ----------------------------------------------------------------------------------------------------- */

static vae_status draw_latents(struct subject *s, vae_error *err)
{
    const size_t n = s->images.n, L = subject_latents(s), threads = s->eval.options.threads;
    const uint64_t seed = s->eval.options.seed;
    s->mean = calloc(n * L, sizeof(float));
    s->z = calloc(n * L, sizeof(float));
    s->prior = calloc(n * L, sizeof(float));
    if (!s->mean || !s->z || !s->prior) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu images", n);
    vae_status status = vae_encode(s->model, &s->images, 0, n, seed, threads, s->mean, NULL, err);
    if (!status) status = vae_sample_posterior(s->model, &s->images, 0, n, seed, threads, s->z, err);
    if (!status) status = vae_sample_prior(s->model, seed, n, s->prior, err);
    return status;
}

void subject_order(const struct subject *s, size_t *order)
{
    const size_t L = subject_latents(s);
    const double *by = eval_has_kl_per_latent(s->result) ? s->result->kl_per_dim : s->result->mean_variance;
    for (size_t i = 0; i < L; i++) {
        size_t at = i;
        for (; at > 0 && by[i] > by[order[at - 1]]; at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* ---- The subject ------------------------------------------------------------------------------------------------- */

static vae_status read_curves(struct subject *s, vae_error *err)
{
    char path[PATH_MAX_RUN + 16];
    const char *slash = strrchr(s->path, '/');
    snprintf(path, sizeof path, "%.*smetrics.csv", slash ? (int)(slash - s->path) + 1 : 0, s->path);
    return metrics_read(path, &s->epoch, &s->epochs, err);
}

/* The parts of the KL, where they can be known: not of a posterior with a flow, nor of one image. */
static vae_status divide_kl(struct subject *s, vae_error *err)
{
    const vae_images *other = s->images.split == VAE_TRAIN ? &s->data->test : &s->data->train;
    s->eval.draws = 1000;
    vae_status status = vae_decompose(&s->eval.parts, s->model, &s->images, other->n ? other : NULL, s->eval.draws,
                                      s->eval.options.seed, s->eval.options.threads, err);
    if (!s->eval.parts) s->eval.draws = 0;
    return status == VAE_E_USAGE || status == VAE_E_DATA ? VAE_OK : status;
}

static vae_status measure(struct subject *s, const struct arguments *arguments, const char *run, vae_error *err)
{
    const vae_images *split = NULL;
    uint64_t limit;
    vae_status status = eval_options(arguments, s->model, &s->eval, &limit, err);
    if (!status) status = run_open_data(arguments, run, s->model, &s->data, &split, err);
    if (!status) status = vae_model_check_images(s->model, split, err);
    if (status) return status;
    s->images = *split;
    if (limit && limit < split->n) s->images.n = limit;
    s->is_picture = split->rows > 1 && split->cols > 1;
    s->eval.split = run_split_name(split->split);
    status = vae_model_is_pseudo(s->model, &s->images, &s->eval.pseudo, err);
    if (!status) status = eval_measure(&s->eval, s->data, &s->images, &s->result, err);
    s->eval.result = s->result;
    if (!status) status = divide_kl(s, err);
    if (!status) status = draw_latents(s, err);
    if (!status) status = vae_prior_marginals(&s->prior_marginals, s->model, s->eval.options.seed, err);
    if (!status)
        status = vae_aggregate_marginals(&s->aggregate_marginals, s->model, &s->images, s->eval.options.seed,
                                         s->eval.options.threads, err);
    return status ? status : take_checksums(s, split, err);
}

vae_status subject_open(struct subject *s, const struct arguments *arguments, const char *run, vae_error *err)
{
    s->name = run ? run : "runs/latest";
    vae_status status = run_load_model(run, &s->model, s->path, err);
    if (status) return status;
    const char *data = argument(arguments, "data");
    s->eval = (struct eval){
        .model_path = s->path, .model = s->model, .source = data ? data : vae_model_config(s->model)->data};
    status = read_curves(s, err);
    return status ? status : measure(s, arguments, run, err);
}

void subject_close(struct subject *s)
{
    vae_model_free(&s->model);
    vae_data_free(&s->data);
    vae_evaluation_free(&s->result);
    vae_decomposition_free(&s->eval.parts);
    vae_marginals_free(&s->prior_marginals);
    vae_marginals_free(&s->aggregate_marginals);
    free(s->epoch);
    free(s->mean);
    free(s->z);
    free(s->prior);
}

const char *subject_setting(const struct subject *s, const char *name, char text[VAE_MAX_SOURCE])
{
    const vae_setting *setting = NULL;
    size_t i = 0;
    while ((setting = vae_setting_at(i)) && strcmp(setting->name, name)) i++;
    *text = '\0';
    return setting ? vae_config_text(vae_model_config(s->model), setting, text, VAE_MAX_SOURCE) : text;
}
