/* SPDX-License-Identifier: MIT
 *
 * The explorer: what src/cli/report/page.js needs to run the decoder, as JSON. Weights and latents are numbers of half
 * precision (IEEE 754 binary16), which halves the page and moves decoded pixels a little; by how much is measured, and
 * said under the explorer. Where explorers would not fit, the last bits of the weights are zero, so that they deflate
 * to less: as few bits as will do, and not so many that a pixel moves by two levels of grey. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cli/array.h"
#include "cli/report.h"

enum { MOST_POINTS = 600, POINT_NUMBERS = 30000, DRAWS = 256, DATA_NUMBERS = 20000, MOST_DROPPED = 6 };
static const double MOST_LOSS = 2.0 / 255;

/* ---- Half precision ---------------------------------------------------------------------------------------------- */

/* The nearest whose last `dropped` bits are zero, ties to even; beyond the largest, that one. */
static uint16_t half_of(float value, unsigned dropped)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000, size = bits & 0x7fffffff;
    const unsigned shift = 13 + dropped;
    if (size < 0x38800000) /* below 2^-14: a multiple of 2^-24 */
        return (uint16_t)(sign | (uint32_t)lrintf(ldexpf(fabsf(value), 24 - (int)dropped)) << dropped);
    const uint32_t rounded = (size + (1U << (shift - 1)) - 1 + (size >> shift & 1)) >> shift << dropped;
    const uint32_t half = rounded - (0x38000000 >> 13);
    return (uint16_t)(sign | (half < 0x7c00 ? half : 0x7bffU >> dropped << dropped));
}

static float float_of(uint16_t half)
{
    const int exponent = half >> 10 & 31, mantissa = half & 1023;
    const float size = exponent ? ldexpf((float)(1024 + mantissa), exponent - 25) : ldexpf((float)mantissa, -24);
    return half & 0x8000 ? -size : size;
}

/* The numbers as text: the low bytes of all, then their high bytes, which repeat more, deflated, in base64 and quotes.
 * A decoder becomes a seventh smaller by it. */
static vae_status put_halves(FILE *out, size_t n, const float *values, unsigned dropped, vae_error *err)
{
    uLongf size = compressBound(2 * n);
    uint8_t *bytes = malloc(2 * n + 1), *small = malloc(size);
    for (size_t i = 0; i < n && bytes; i++) {
        const uint16_t half = half_of(values[i], dropped);
        bytes[i] = (uint8_t)half;
        bytes[n + i] = (uint8_t)(half >> 8);
    }
    const bool done = bytes && small && compress2(small, &size, bytes, 2 * n, Z_BEST_COMPRESSION) == Z_OK;
    if (done) {
        fputc('"', out);
        page_base64(out, size, small);
        fputc('"', out);
    }
    free(bytes);
    free(small);
    return done ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
}

/* ---- The decoder ------------------------------------------------------------------------------------------------- */

static bool is_decoder(const vae_tensor *tensor) { return !strncmp(tensor->name, "decoder.", strlen("decoder.")); }

static bool is_last(const vae_model *model, size_t i)
{
    vae_tensor next;
    return !vae_model_tensor(model, i, &next) || !is_decoder(&next);
}

static size_t decoder_count(const vae_model *model)
{
    vae_tensor tensor;
    size_t count = 0;
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++) count += is_decoder(&tensor) ? tensor.count : 0;
    return count;
}

/* "layers": weight and bias of each, [out, in] as in PyTorch; the gates of a gated layer are one of their own. Of the
 * last one's outputs the page needs the first D: a Gaussian's others are deviations. */
static vae_status put_layers(FILE *out, const vae_model *model, size_t D, unsigned dropped, vae_error *err)
{
    vae_tensor t;
    size_t layers = 0;
    vae_status status = VAE_OK;
    fputs("\"layers\":[", out);
    for (size_t i = 0; vae_model_tensor(model, i, &t) && !status; i++) {
        if (!is_decoder(&t)) continue;
        const bool is_weight = t.rank > 1, last = is_last(model, i + (is_weight ? 2 : 1));
        float *values = calloc(t.count, sizeof *values);
        if (!values) return vae_fail(err, VAE_E_MEMORY, "out of memory");
        vae_model_read(model, i, values);
        fputs(is_weight ? layers++ ? ",{\"weight\":" : "{\"weight\":" : ",\"bias\":", out);
        status = put_halves(out, last ? D * (is_weight ? t.dim[1] : 1) : t.count, values, dropped, err);
        if (!is_weight) fputc('}', out);
        free(values);
    }
    fputs("],\n", out);
    return status;
}

/* Rounds the decoder of the model as the page has it, and keeps its weights in `kept`; or gives them back. */
static void round_decoder(vae_model *model, float *kept, unsigned dropped, bool back)
{
    vae_tensor t;
    for (size_t i = 0; vae_model_tensor(model, i, &t); i++) {
        if (!is_decoder(&t)) continue;
        if (!back) vae_model_read(model, i, kept);
        float *values = kept + (back ? 0 : decoder_count(model));
        for (size_t k = 0; k < t.count && !back; k++) values[k] = float_of(half_of(kept[k], dropped));
        vae_model_write(model, i, values);
        kept += t.count;
    }
}

/* ---- The rest ---------------------------------------------------------------------------------------------------- */

static size_t fewer(size_t a, size_t b) { return a < b ? a : b; }

/* Images whose latents are in the page. */
static size_t points_of(const struct subject *s)
{
    return fewer(s->images.n, fewer(MOST_POINTS, 1 + POINT_NUMBERS / subject_latents(s)));
}

/* From which value to which a latent's slider goes: between the quantiles 0.5 % and 99.5 % of the aggregate posterior,
 * and to 0 in any case. */
static json_t *range_of(const struct subject *s, size_t j)
{
    const double low = fmin(0, vae_marginal_quantile(s->aggregate_marginals, j, 0.005));
    const double high = fmax(0, vae_marginal_quantile(s->aggregate_marginals, j, 0.995));
    return high > low ? json_pack("[f, f]", low, high) : json_pack("[f, f]", -1.0, 1.0);
}

static json_t *prior_json(const vae_config *config)
{
    const vae_choice *prior = &config->prior;
    const vae_module *module = NULL;
    json_t *object = json_pack("{s:s}", "name", prior->name);
    for (size_t i = 0; (module = vae_module_at(VAE_PRIOR, i)) && strcmp(module->name, prior->name);) i++;
    for (size_t k = 0; module && module->params && module->params[k].name; k++)
        json_object_set_new(object, module->params[k].name, json_finite(prior->value[k]));
    return object;
}

/* Names, sizes, and for each latent its place in the order and its range. */
static vae_status put_facts(FILE *out, const struct subject *s, vae_error *err)
{
    const vae_config *config = vae_model_config(s->model);
    const size_t L = subject_latents(s);
    size_t *order = calloc(L, sizeof *order);
    json_t *facts = json_pack(
        "{s:I, s:I, s:b, s:I, s:I, s:s, s:s, s:o, s:[], s:[], s:[f, f]}", "rows", (json_int_t)s->images.rows, "cols",
        (json_int_t)s->images.cols, "picture", s->is_picture, "latent", (json_int_t)L, "classes",
        (json_int_t)config->classes, "activation", config->activation.name, "likelihood", config->likelihood.name,
        "prior", prior_json(config), "order", "range", "limits", s->images.values ? (double)s->images.lowest : 0,
        s->images.values ? (double)s->images.highest : 1);
    bool done = order && facts;
    if (done) subject_order(s, order);
    for (size_t i = 0; i < L && done; i++) {
        json_array_append_new(json_object_get(facts, "order"), json_integer((json_int_t)order[i]));
        json_array_append_new(json_object_get(facts, "range"), range_of(s, i));
    }
    free(order);
    fputs("{\"facts\":", out);
    if (done)
        done = page_json(out, facts);
    else
        json_decref(facts);
    fputs(",\n", out);
    return done ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
}

/* Draws of priors that the page has no sampler for, and null for the others. */
static vae_status put_draws(FILE *out, const struct subject *s, vae_error *err)
{
    static const char *const known[] = {"normal", "spikeslab", "laplace", "cauchy", "studentt", "logistic"};
    bool is_known = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        is_known = is_known || !strcmp(known[i], vae_model_config(s->model)->prior.name);
    fputs("\"draws\":", out);
    if (!is_known) return put_halves(out, fewer(DRAWS, s->images.n) * subject_latents(s), s->prior, 0, err);
    fputs("null", out);
    return VAE_OK;
}

/* Rows of numbers, of which the page shows where they are. */
static vae_status put_data(FILE *out, const struct subject *s, vae_error *err)
{
    const size_t D = s->images.rows * s->images.cols, n = fewer(s->images.n, 1 + DATA_NUMBERS / D);
    if (s->is_picture) return VAE_OK;
    float *values = calloc(n * D, sizeof *values);
    vae_status status = values ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) status = vae_images_values(&s->images, 0, n, values, err);
    fputs(",\n\"data\":", out);
    if (!status) status = put_halves(out, n * D, values, 0, err);
    free(values);
    return status;
}

static vae_status put_points(FILE *out, const struct subject *s, vae_error *err)
{
    const size_t n = points_of(s);
    fputs("\"encoded\":", out);
    vae_status status = put_halves(out, n * subject_latents(s), s->mean, 0, err);
    fputs(s->images.labels ? ",\n\"labels\":\"" : ",\n\"labels\":null,\n", out);
    if (s->images.labels) page_base64(out, n, s->images.labels);
    if (s->images.labels) fputs("\",\n", out);
    if (!status) status = put_draws(out, s, err);
    return status ? status : put_data(out, s, err);
}

/* ---- What is lost ------------------------------------------------------------------------------------------------ */

static vae_status decode_points(const struct subject *s, float *x, vae_error *err)
{
    return vae_decode(s->model, points_of(s), s->mean, s->images.labels, s->eval.options.threads, x, err);
}

/* By how much pixels of the encoded images are decoded differently with rounded weights, at most. */
static vae_status measure_loss(const struct subject *s, unsigned dropped, double *most, vae_error *err)
{
    const size_t count = points_of(s) * s->images.rows * s->images.cols;
    float *before = calloc(count, sizeof *before), *after = calloc(count, sizeof *after);
    float *kept = calloc(2 * decoder_count(s->model), sizeof *kept);
    vae_status status = before && after && kept ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) status = decode_points(s, before, err);
    if (!status) {
        round_decoder(s->model, kept, dropped, false);
        status = decode_points(s, after, err);
        round_decoder(s->model, kept, dropped, true);
    }
    *most = 0;
    for (size_t i = 0; i < count && !status; i++) *most = fmax(*most, fabs((double)before[i] - (double)after[i]));
    free(before);
    free(after);
    free(kept);
    return status;
}

/* ---- All explorers ------------------------------------------------------------------------------------------------
 */

struct explorer {
    struct text text;
    double loss;
};

static vae_status explore(FILE *out, const struct subject *s, unsigned dropped, double loss, vae_error *err)
{
    fputs("<div class=\"explorer\"><script type=\"application/json\">", out);
    vae_status status = put_facts(out, s, err);
    if (!status) status = put_layers(out, s->model, s->images.rows * s->images.cols, dropped, err);
    if (!status) status = put_points(out, s, err);
    fputs("}</script></div>\n", out);
    if (status) return status;
    fprintf(out,
            "<p class=\"note\">The plane has the first %zu images of %s. The page keeps weights as %u-bit "
            "floats: of these images no decoded %s is off by more than %.2g%s.</p>\n",
            points_of(s), run_split_words(s->images.split), 16 - dropped, s->is_picture ? "pixel" : "value",
            s->is_picture ? 255 * loss : loss, s->is_picture ? " of 255 levels of grey" : "");
    return VAE_OK;
}

static vae_status make(struct explorer *e, const struct subject *s, unsigned dropped, vae_error *err)
{
    vae_status status = measure_loss(s, dropped, &e->loss, err);
    if (!status) status = text_begin(&e->text, err);
    if (!status) status = explore(e->text.to, s, dropped, e->loss, err);
    if (!status) status = text_flush(&e->text, err);
    return status;
}

static void drop_all(struct explorer *e, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (e[i].text.to) text_drop(&e[i].text);
    memset(e, 0, n * sizeof *e);
}

/* Those of all runs, and how many of them find room. `far`: a pixel is off by more than it should be. */
static vae_status make_all(struct explorer *e, const struct report *report, unsigned dropped, size_t *fitting,
                           bool *far, vae_error *err)
{
    vae_status status = VAE_OK;
    size_t room = report->room;
    drop_all(e, report->n);
    *fitting = 0;
    *far = false;
    for (size_t i = 0; i < report->n && !status; i++) {
        status = make(&e[i], &report->subject[i], dropped, err);
        const bool fits = e[i].text.size <= room;
        *fitting += fits;
        room -= fits ? e[i].text.size : 0;
        *far = *far || (report->subject[i].is_picture ? e[i].loss > MOST_LOSS : dropped > 0);
    }
    return status;
}

/* With all bits, or with as few dropped as let all find room, or as many as let more of them do so. */
static vae_status make_fitting(struct explorer *e, const struct report *report, vae_error *err)
{
    size_t fitting, most;
    unsigned dropped = 0, best = 0;
    bool far;
    vae_status status = make_all(e, report, 0, &most, &far, err);
    while (!status && most < report->n && dropped < MOST_DROPPED && !far) {
        status = make_all(e, report, ++dropped, &fitting, &far, err);
        if (fitting > most && !far) {
            most = fitting;
            best = dropped;
        }
    }
    return status || dropped == best ? status : make_all(e, report, best, &fitting, &far, err);
}

/* The explorer of a run, where it finds room. */
static void put_explorer(FILE *out, struct report *report, const struct explorer *e)
{
    if (e->text.size && e->text.size <= report->room) {
        report->room -= e->text.size;
        fputs(e->text.bytes, out);
    } else {
        fprintf(out,
                "<p class=\"note\">There is no explorer for this run: it takes %.2f MB, and %.2f MB are left in a page "
                "below 2 MB.</p>\n",
                (double)e->text.size / 1e6, (double)report->room / 1e6);
    }
}

vae_status write_explorer(FILE *out, struct report *report, vae_error *err)
{
    struct explorer *e = calloc(report->n, sizeof *e);
    vae_status status = e ? VAE_OK : vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status && report->room) status = make_fitting(e, report, err); /* at first there is none: see write_page */
    for (size_t i = 0; i < report->n && !status; i++) {
        begin_run(out, report, i);
        put_explorer(out, report, &e[i]);
        end_run(out, report, i);
    }
    if (e) drop_all(e, report->n);
    free(e);
    return status;
}
