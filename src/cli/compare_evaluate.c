/* SPDX-License-Identifier: MIT
 *
 * Measuring runs, all on the same images with the same noise. What was measured stays beside the model, in
 * evaluations.json, with what it is of: a CRC-32 of the model file and one of the images, their split (which
 * chooses the noise of binarised pixels), options, and the build of this program. It is believed only where all of that
 * is the same; what is of another model file is dropped. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "cli/compare.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "cli/signals.h"

enum { NOISE_SEED = 1, MOST_CACHE = 1 << 26 };
static const char LOSSES[] = "image_losses";

const struct measure_name measures[MEASURES] = {[NEG_ELBO] = {"neg_elbo", 2, false},
                                                [RECON] = {"recon", 2, false},
                                                [KL] = {"kl", 2, false},
                                                [ACTIVE_UNITS] = {"active_units", 1, false},
                                                [COLLAPSED_SHARE] = {"collapsed_share", 3, true},
                                                [CLUSTER_NMI] = {"cluster_nmi", 3, true},
                                                [INFORMATION] = {"information", 2, true},
                                                [MARGINAL_KL] = {"marginal_kl", 2, true},
                                                [TOTAL_CORRELATION] = {"total_correlation", 2, true},
                                                [LATENTS_KL] = {"latents_kl", 2, true},
                                                [NLL] = {"nll", 2, false},
                                                [NLL_BIAS] = {"nll_bias", 2, true},
                                                [NLL_MC_SE] = {"nll_mc_se", 2, true},
                                                [NLL_EFFECTIVE] = {"nll_effective_samples", 1, true},
                                                [NLL_KHAT] = {"nll_khat", 2, true},
                                                [NLL_KHAT_ABOVE] = {"nll_khat_above", 2, true}};

/* A run at work. */
struct subject {
    struct run *run;
    const vae_model *model;
    const vae_images *images;
    char cache[PATH_MAX_RUN]; /* "" where RUN is a model file, which may stand beside others */
    uint32_t crc;             /* of the model file */
};

/* ---- Images ----------------------------------------------------------------------------------------------------- */

/* Data that stay open from run to run, as most have the same. */
struct source {
    vae_data *data;
    const vae_images *split;
    vae_config config;          /* of the run that it was opened for, */
    char found[VAE_MAX_SOURCE]; /* and where that run's data is */
    vae_images images;          /* a view of the split, as many as are asked for */
    uint32_t crc;
};

static bool is_divided(const vae_data *data)
{
    return data->train.number || data->validation.number || data->test.number;
}

/* Would the run open the same data? */
static bool is_open_for(const struct source *source, const struct arguments *arguments, const vae_config *config,
                        const char *found)
{
    const vae_config *c = &source->config;
    if (!source->data) return false;
    const bool as_for_any = argument(arguments, "data") && !is_divided(source->data) && source->split->split != VAE_ALL;
    return (as_for_any || !strcmp(source->found, found)) && c->holdout == config->holdout &&
           c->validation == config->validation && (c->seed == config->seed || !is_divided(source->data));
}

/* CRC-32 of shape, pixels and, as conditional models see them, labels. */
static vae_status crc_of_images(const vae_images *images, uint32_t *crc, vae_error *err)
{
    const size_t D = images->rows * images->cols, size = D * (images->values ? sizeof(float) : 1);
    const uint64_t shape[] = {images->n, images->rows, images->cols, images->values != NULL};
    uLong sum = crc32_z(0, (const Bytef *)shape, sizeof shape);
    void *image = malloc(size);
    vae_status status = image ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < images->n && !status; i++) {
        status = images->values ? vae_images_values(images, i, 1, image, err)
                                : vae_images_read(images, i, 1, image, err);
        if (!status) sum = crc32_z(sum, image, size);
    }
    if (images->labels) sum = crc32_z(sum, images->labels, images->n);
    free(image);
    *crc = (uint32_t)sum;
    return status;
}

static vae_status open_images(struct source *source, const struct arguments *arguments, const char *run,
                              const vae_model *model, uint64_t limit, vae_error *err)
{
    char found[VAE_MAX_SOURCE];
    run_look_for_data(vae_model_config(model)->data, run, found);
    if (is_open_for(source, arguments, vae_model_config(model), found))
        return run_check_own_data(arguments, model, source->data, err);
    vae_data_free(&source->data);
    vae_status status = run_open_data(arguments, run, model, &source->data, &source->split, err);
    if (status) return status;
    source->config = *vae_model_config(model);
    strcpy(source->found, found);
    source->images = *source->split;
    if (limit && limit < source->images.n) source->images.n = limit;
    return crc_of_images(&source->images, &source->crc, err);
}

/* ---- What is known already -------------------------------------------------------------------------------------- */

/* NULL where there is none, or nothing that can be read; errno tells a lack of memory. No pipe, on which opening would
 * wait. */
static FILE *open_file(const char *path, off_t most)
{
    struct stat info;
    errno = 0;
    FILE *file = NULL;
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd >= 0 && !fstat(fd, &info) && S_ISREG(info.st_mode) && (!most || info.st_size <= most))
        file = fdopen(fd, "r");
    if (fd >= 0 && !file) close(fd);
    return file;
}

static vae_status crc_of_file(const char *path, uint32_t *crc, vae_error *err)
{
    unsigned char part[1 << 16];
    uLong sum = 0;
    FILE *file = open_file(path, 0);
    for (size_t n; file && (n = fread(part, 1, sizeof part, file)) > 0;) sum = crc32_z(sum, part, n);
    const vae_status status = !file || ferror(file) ? run_errno(VAE_E_MODEL) : VAE_OK;
    if (file) fclose(file);
    *crc = (uint32_t)sum;
    return status ? vae_fail(err, status, "%s: cannot read", path) : VAE_OK;
}

/* The list of evaluations, those of this model file alone. */
static vae_status read_known(const struct subject *s, json_t **known, vae_error *err)
{
    FILE *file = *s->cache ? open_file(s->cache, MOST_CACHE) : NULL;
    const bool is_out = !file && *s->cache && run_errno(VAE_OK);
    json_t *all = file ? json_read(file) : NULL, *one;
    size_t i;
    *known = json_array();
    if (file) fclose(file);
    json_array_foreach(all, i, one)
    {
        const json_t *crc = json_object_get(json_object_get(one, "of"), "model");
        if (json_is_integer(crc) && json_integer_value(crc) == s->crc) json_array_append(*known, one);
    }
    json_decref(all);
    return is_out || json_lacks_memory() ? vae_fail(err, VAE_E_MEMORY, "%s: out of memory", s->cache) : VAE_OK;
}

/* Is all of it there, for n images? A file may have been written by anyone. */
static bool is_whole(const json_t *values, size_t n, bool nll)
{
    for (size_t m = nll ? NLL : 0; m < (nll ? MEASURES : NLL); m++)
        if (!json_object_get(values, measures[m].name)) return false;
    return json_array_size(json_object_get(values, LOSSES)) == n;
}

static json_t *find_known(const json_t *known, const json_t *of, size_t n, bool nll)
{
    json_t *one;
    size_t i;
    json_array_foreach(known, i, one)
    {
        json_t *values = json_object_get(one, "values");
        if (json_equal(json_object_get(one, "of"), of) && is_whole(values, n, nll)) return values;
    }
    return NULL;
}

static vae_status write_known(const struct subject *s, const json_t *known, vae_error *err)
{
    char *text = json_dumps(known, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    vae_error why = {0};
    vae_status status = VAE_OK;
    if (!text || json_lacks_memory())
        status = vae_fail(err, VAE_E_MEMORY, "%s: out of memory", s->cache);
    else if (WHOLE(vae_write_file(s->cache, text, strlen(text), &why)) == VAE_E_MEMORY)
        *err = why, status = VAE_E_MEMORY;
    else if (why.status)
        fprintf(stderr, "vaectl: %s (it will be evaluated again)\n", why.message);
    free(text);
    return status;
}

/* ---- Measuring -------------------------------------------------------------------------------------------------- */

/* Losses of images in millionths of a nat: whole numbers are short, and the same when they are read again. */
static json_t *losses_to_json(size_t n, const double *loss)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, isfinite(loss[i]) ? json_integer((json_int_t)round(1e6 * loss[i])) : json_null());
    return list;
}

/* The parts of the KL and what clusters say of labels; false: err has why not. What cannot be known of a model, as its
 * posterior is a flow or there is one image alone, is null. */
static bool measure_latents(const struct subject *s, const struct evaluated *e, json_t *values, vae_error *err)
{
    const size_t draws = 1000;
    vae_decomposition *parts = NULL;
    double nmi = NAN;
    vae_status status = vae_cluster(&nmi, s->model, s->images, NOISE_SEED, e->threads, err);
    if (!status) status = vae_decompose(&parts, s->model, s->images, NULL, draws, NOISE_SEED, e->threads, err);
    if (status && status != VAE_E_USAGE && status != VAE_E_DATA) return false;
    const vae_decomposition_parts none = {
        .information = {NAN, NAN}, .marginal = {NAN, NAN}, .correlation = {NAN, NAN}, .latents = {NAN, NAN}};
    const vae_decomposition_parts *p = parts ? &parts->part[VAE_LEFT_OUT] : &none;
    const double value[] = {nmi, p->information.value, p->marginal.value, p->correlation.value, p->latents.value};
    for (size_t i = 0; i < sizeof value / sizeof *value; i++)
        json_object_set_new(values, measures[CLUSTER_NMI + i].name, json_finite(value[i]));
    vae_decomposition_free(&parts);
    return true;
}

static json_t *measure_elbo(const struct subject *s, const struct evaluated *e, vae_error *err)
{
    vae_eval_options options;
    vae_evaluation *result = NULL;
    vae_eval_defaults(&options);
    options.seed = NOISE_SEED;
    options.samples = e->elbo_samples;
    options.sparsity = false;
    options.threads = e->threads;
    if (run_blame_model(s->run->path, vae_evaluate(&result, s->model, s->images, &options, err), err)) return NULL;
    for (size_t i = 0; i < result->n; i++) result->image_recon[i] += result->image_kl[i];
    json_t *values = json_pack("{s:o, s:o, s:o, s:I, s:o, s:o}", "neg_elbo", json_finite(result->neg_elbo), "recon",
                               json_finite(result->recon), "kl", json_finite(result->kl), "active_units",
                               (json_int_t)result->active_units, "collapsed_share",
                               json_finite(result->collapsed_share), LOSSES,
                               losses_to_json(result->n, result->image_recon));
    vae_evaluation_free(&result);
    if (!values) {
        vae_fail(err, VAE_E_MEMORY, "out of memory");
    } else if (!measure_latents(s, e, values, err)) {
        json_decref(values);
        values = NULL;
    }
    return values;
}

static json_t *measure_nll(const struct subject *s, const struct evaluated *e, vae_error *err)
{
    vae_nll_options options;
    vae_nll result;
    json_t *values = NULL;
    vae_nll_defaults(&options);
    options.samples = e->samples;
    options.seed = NOISE_SEED;
    options.threads = e->threads;
    options.image_nll = malloc(s->images->n * sizeof *options.image_nll);
    vae_status status = options.image_nll ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status)
        status = run_blame_model(s->run->path, vae_estimate_nll(&result, s->model, s->images, &options, err), err);
    if (!status)
        values = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "nll", json_finite(result.nll), "nll_bias",
                           json_finite(result.bias), "nll_mc_se", json_finite(result.mc_se), "nll_effective_samples",
                           json_finite(result.effective_samples), "nll_khat", json_finite(result.khat),
                           "nll_khat_above", json_finite(result.khat_above), LOSSES,
                           losses_to_json(result.n, options.image_nll));
    if (!status && !values) vae_fail(err, VAE_E_MEMORY, "out of memory");
    free(options.image_nll);
    return values;
}

/* The nll, which comes after the ELBO, takes the place of its losses. */
static vae_status take_values(const struct subject *s, const json_t *values, vae_error *err)
{
    const json_t *losses = json_object_get(values, LOSSES);
    struct run *run = s->run;
    for (size_t m = 0; m < MEASURES; m++) {
        const json_t *value = json_object_get(values, measures[m].name);
        if (value) run->value[m] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
    if (!run->image_loss) run->image_loss = malloc(s->images->n * sizeof *run->image_loss);
    if (!run->image_loss) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < s->images->n; i++) {
        const json_t *loss = json_array_get(losses, i);
        run->image_loss[i] = json_is_integer(loss) ? (float)(1e-6 * (double)json_integer_value(loss)) : NAN;
    }
    return VAE_OK;
}

/* What is known, or else measured. `samples` 0: the ELBO and what comes with it; else the nll. */
static vae_status know(const struct subject *s, const struct evaluated *e, json_t *known, uint64_t samples,
                       bool *is_new, vae_error *err)
{
    char build[256];
    json_t *of = json_pack("{s:I, s:I, s:s, s:I, s:I, s:s}", "model", (json_int_t)s->crc, "images",
                           (json_int_t)s->run->images, "split", run_split_name(s->images->split), "noise_seed",
                           (json_int_t)NOISE_SEED, "nll_samples", (json_int_t)samples, "build",
                           vae_build(build, sizeof build));
    if (!samples) json_object_set_new(of, "elbo_samples", json_integer((json_int_t)e->elbo_samples));
    json_t *values = json_incref(find_known(known, of, s->images->n, samples));
    if (of && !values) {
        *is_new = true;
        values = samples ? measure_nll(s, e, err) : measure_elbo(s, e, err);
        if (values) json_array_append_new(known, json_pack("{s:O, s:O}", "of", of, "values", values));
    }
    const bool whole = of && !json_lacks_memory();
    vae_status status = !whole ? vae_fail(err, VAE_E_MEMORY, "out of memory") : values ? VAE_OK : err->status;
    if (!status) status = take_values(s, values, err);
    json_decref(values);
    json_decref(of);
    return status;
}

static vae_status measure_run(struct subject *s, struct evaluated *e, vae_error *err)
{
    bool is_new = false;
    bool pseudo = false;
    json_t *known;
    for (size_t m = 0; m < MEASURES; m++) s->run->value[m] = NAN;
    vae_status status = read_known(s, &known, err);
    if (!status) status = vae_model_check_images(s->model, s->images, err);
    if (!status) status = vae_model_is_pseudo(s->model, s->images, &pseudo, err);
    if (!status) status = know(s, e, known, 0, &is_new, err);
    if (!status && e->samples) status = know(s, e, known, e->samples, &is_new, err);
    if (!status && is_new && *s->cache) status = write_known(s, known, err);
    json_decref(known);
    e->pseudo = e->pseudo || pseudo;
    return status;
}

/* Is it still the run that stands in the table? */
static vae_status check_same(const struct run *run, const vae_model *model, vae_error *err)
{
    if (!differing_setting(&run->config, vae_model_config(model), false)) return VAE_OK;
    return vae_fail(err, VAE_E_MODEL, "%.200s: another run took its place while it was compared", run->path);
}

/* A training that replaces the file between the two readings leaves values that nobody asks for, if the CRC is that of
 * the earlier one: it is taken first. */
static vae_status evaluate_run(struct run *run, struct source *source, const struct arguments *arguments,
                               struct evaluated *e, vae_error *err)
{
    char path[PATH_MAX_RUN];
    vae_model *model = NULL;
    struct subject s = {.run = run};
    vae_status status = run_model_path(run->path, path, err);
    if (!status) status = crc_of_file(path, &s.crc, err);
    if (!status) status = vae_model_load(&model, path, err);
    if (!status) status = check_same(run, model, err);
    if (!status) status = open_images(source, arguments, run->path, model, e->limit, err);
    if (!status) {
        s.model = model;
        s.images = &source->images;
        run->images = source->crc;
        run->images_n = source->images.n;
        run->divided = source->split->number;
        e->images = source->images.n;
        e->split = run_split_name(source->split->split);
        if (strcmp(path, run->path))
            snprintf(s.cache, sizeof s.cache, "%.*s/evaluations.json", PATH_MAX_RUN - 32, run->path);
        status = measure_run(&s, e, err);
    }
    vae_model_free(&model);
    return status;
}

/* ---- All of them ------------------------------------------------------------------------------------------------ */

/* The same images for all, or, where the seed divides a file, for all of a seed. */
static vae_status check_images(const struct runs *runs, vae_error *err)
{
    for (size_t i = 1; i < runs->n; i++)
        for (size_t k = 0; k < i; k++) {
            const struct run *a = &runs->run[k], *b = &runs->run[i];
            const bool alike = a->config.seed == b->config.seed || !(a->divided && b->divided);
            if (alike && a->images != b->images)
                return vae_fail(err, VAE_E_DATA,
                                "%.200s: its images are not those of %.200s (--data names some for all)", b->path,
                                a->path);
        }
    return VAE_OK;
}

vae_status runs_evaluate(struct runs *runs, const struct arguments *arguments, struct evaluated *e, vae_error *err)
{
    const char *given = argument(arguments, "data");
    const double began = progress_now();
    struct source source = {0};
    struct progress progress;
    vae_status status = VAE_OK;
    progress_begin(&progress, e->quiet);
    for (size_t i = 0; i < runs->n && !status; i++) {
        progress_show(&progress, &(struct progress_line){.work = "evaluating",
                                                         .unit = "runs",
                                                         .done = i,
                                                         .loss = NAN,
                                                         .total = runs->n,
                                                         .seconds = progress_now() - began});
        status = evaluate_run(&runs->run[i], &source, arguments, e, err);
    }
    progress_clear(&progress);
    vae_data_free(&source.data);
    e->given = given;
    snprintf(e->data, sizeof e->data, "%s", given ? given : runs->run[0].config.data);
    return status ? status : check_images(runs, err);
}
