/* SPDX-License-Identifier: MIT
 *
 * The model file, in the safetensors format (https://github.com/huggingface/safetensors): 8 bytes little-endian header
 * size, a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, then the tensors without
 * gaps. Ours holds for each tensor NAME of the model NAME, adam.m.NAME and adam.v.NAME, all F32. The format has no
 * checksum: a CRC-32 over the whole file, in which zeros stand for its own digits, is in the metadata. (In files of
 * format 1 it is one over the configuration, the state and the tensors alone.)
 *
 * Reading believes nothing: the configuration is read first, a model is made from it, and the file must then have
 * exactly the names, shapes and offsets that this model would write, the right checksum, and no value that training
 * could not reach. The tensors are read last, and no more of them than this model has. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "model/config.h"
#include "model/metrics.h"
#include "model/model.h"

/* A header holds a number of some 20 characters for each latent, of which there are 65536 at most. */
enum { HEADER_MOST = 4 << 20, OLDEST_FORMAT = 1, FORMAT = 2, BLOCKS = 3, CRC_DIGITS = 8, PIECE = 1 << 16 };

static const char *const block_prefix[BLOCKS] = {"", "adam.m.", "adam.v."};

static real *block_data(const struct vae_model *model, size_t block)
{
    real *const data[BLOCKS] = {model->params, model->adam.m, model->adam.v};
    return data[block];
}

/* A loop over the tensors of all blocks in the order of the file: for (struct cursor c = {0}; next_tensor(model, &c);)
 */
struct cursor {
    size_t block, tensor, begin, end;
};

static bool next_tensor(const struct vae_model *model, struct cursor *c)
{
    if (c->end) c->tensor++;
    if (c->tensor == model->block.tensors) {
        c->tensor = 0;
        c->block++;
    }
    if (c->block == BLOCKS) return false;
    c->begin = c->end;
    c->end += model->block.tensor[c->tensor].count * sizeof(float);
    return true;
}

static void tensor_name(const struct vae_model *model, const struct cursor *c, char name[2 * TENSOR_NAME])
{
    snprintf(name, 2 * TENSOR_NAME, "%s%s", block_prefix[c->block], model->block.tensor[c->tensor].name);
}

/* A tensor's entry in the header. */
static json_t *tensor_to_json(const struct tensor *tensor, const struct cursor *c)
{
    json_t *shape = tensor->rank == 2 ? json_pack("[I,I]", (json_int_t)tensor->dim[0], (json_int_t)tensor->dim[1])
                                      : json_pack("[I]", (json_int_t)tensor->dim[0]);
    return json_pack("{s:s, s:o, s:[I,I]}", "dtype", "F32", "shape", shape, "data_offsets", (json_int_t)c->begin,
                     (json_int_t)c->end);
}

/* Where in the text of a header the digits of the checksum stand, or NULL: a quote within a text would have a backslash
 * before it. */
static char *find_crc(char *header)
{
    static const char key[] = "\"vaectl.crc32\":\"";
    char *at = strstr(header, key);
    return at && strlen(at) >= sizeof key - 1 + CRC_DIGITS ? at + sizeof key - 1 : NULL;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* Everything here and below that makes or reads JSON is called through json_run: no call of jansson fails for want of
 * memory, and its values are released there. */

/* NaN, "no such number yet", is null in JSON. */
static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *kl_to_json(const struct vae_model *model)
{
    json_t *kl = json_array();
    for (size_t j = 0; j < model->L; j++) json_array_append_new(kl, number(model->training.kl_per_dim[j]));
    return kl;
}

static json_t *metric_to_json(const vae_metrics *metrics, const vae_metric *metric)
{
    const char *at = (const char *)metrics + metric->offset;
    if (metric->count) return json_integer((json_int_t) * (const uint64_t *)(const void *)at);
    return number(*(const double *)(const void *)at);
}

static json_t *state_to_json(const struct vae_model *model)
{
    const struct training_state *t = &model->training;
    json_t *state = json_pack("{s:I, s:I, s:o, s:o, s:o, s:I, s:o}", "rows", (json_int_t)model->rows, "cols",
                              (json_int_t)model->cols, "sum_loss", number(t->sum_loss), "sum_recon",
                              number(t->sum_recon), "sum_kl", number(t->sum_kl), "images", (json_int_t)t->images,
                              "kl_per_dim", kl_to_json(model));
    if (t->has_crc) json_object_set_new(state, "data_crc32", json_integer((json_int_t)t->crc));
    if (t->fit.passes)
        json_object_set_new(state, "fit",
                            json_pack("{s:I, s:I, s:o, s:I}", "passes", (json_int_t)t->fit.passes, "batch",
                                      (json_int_t)t->fit.batch, "lr", number(t->fit.lr), "seed",
                                      (json_int_t)t->fit.seed));
    const vae_metric *metric;
    for (size_t i = 0; (metric = vae_metric_at(i)); i++)
        if (metric->where != VAE_M_COLUMN_ONLY)
            json_object_set_new(state, metric->name, metric_to_json(&t->metrics, metric));
    return state;
}

static char *dump(const json_t *value)
{
    return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
}

static void copy_tensors_out(const struct vae_model *model, float *to)
{
    for (struct cursor c = {0}; next_tensor(model, &c);) {
        const struct tensor *t = &model->block.tensor[c.tensor];
        const real *from = block_data(model, c.block);
        for (size_t k = 0; k < t->count; k++) *to++ = (float)from[tensor_at(t, k)];
    }
}

static void add_tensors(json_t *header, const struct vae_model *model)
{
    for (struct cursor c = {0}; next_tensor(model, &c);) {
        char name[2 * TENSOR_NAME];
        tensor_name(model, &c, name);
        json_object_set_new(header, name, tensor_to_json(&model->block.tensor[c.tensor], &c));
    }
}

/* With a checksum of zeros. */
static char *header_text(const struct vae_model *model)
{
    const char *config = dump(config_to_json(&model->config)), *state = dump(state_to_json(model));
    char format[16];
    snprintf(format, sizeof format, "%d", FORMAT);
    json_t *header = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "__metadata__", "format", "pt", "vaectl.format",
                               format, "vaectl.build", model->build, "vaectl.config", config, "vaectl.state", state,
                               "vaectl.crc32", "00000000");
    add_tensors(header, model);
    return dump(header);
}

/* Puts the checksum of the file's bytes in the place of its zeros. */
static void seal(const char *file, size_t size, char *digits)
{
    char crc[CRC_DIGITS + 1];
    snprintf(crc, sizeof crc, "%08x", (unsigned)crc32_z(0, (const Bytef *)file, size));
    memcpy(digits, crc, CRC_DIGITS);
}

struct saving {
    const struct vae_model *model;
    const char *path;
    char *file; /* its bytes */
    size_t total;
    vae_error *err;
};

/* The file's bytes: size, header padded with spaces to a multiple of 8, tensors. */
static vae_status assemble(void *context)
{
    struct saving *s = context;
    char *header = header_text(s->model);
    const size_t length = strlen(header), padded = (length + 7) / 8 * 8, size = model_file_size(s->model);
    s->total = 8 + padded + size;
    s->file = mem_new(s->total, 1, s->err);
    if (!s->file) return VAE_E_MEMORY;
    for (size_t i = 0; i < 8; i++) s->file[i] = (char)(padded >> (8 * i) & 0xff);
    memset(s->file + 8, ' ', padded);
    memcpy(s->file + 8, header, length);
    copy_tensors_out(s->model, (float *)(void *)(s->file + 8 + padded));
    seal(s->file, s->total, s->file + 8 + (find_crc(header) - header));
    return VAE_OK;
}

vae_status vae_model_save(const vae_model *model, const char *path, vae_error *err)
{
    struct saving s = {.model = model, .path = path, .err = err};
    if (!model_is_finite(model))
        return vae_fail(err, VAE_E_DIVERGED, "%s: not written: the model's values are not finite", path);
    vae_status status = json_run(assemble, &s, path, err);
    if (!status) status = vae_write_file(path, s.file, s.total, err);
    free(s.file);
    return status;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

#define CORRUPT(...) vae_fail(err, VAE_E_MODEL, __VA_ARGS__)

struct file {
    const char *path;
    int fd;
    size_t size;
    char *header; /* its text, and the JSON in it */
    size_t length;
    json_t *json;
    size_t data; /* bytes behind the header */
    uLong crc;   /* of what is read and believed so far */
};

static vae_status read_bytes(const struct file *file, void *to, size_t size, vae_error *err)
{
    size_t done = 0;
    while (done < size) {
        ssize_t got;
        RETRY(got, read(file->fd, (char *)to + done, size - done));
        if (got <= 0) return CORRUPT("%s: cannot read: %s", file->path, got ? strerror(errno) : "file ends too early");
        done += (size_t)got;
    }
    return VAE_OK;
}

static vae_status open_file(struct file *file, vae_error *err)
{
    struct stat info;
    RETRY(file->fd, open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file->fd < 0) return CORRUPT("%s: cannot open: %s (expected a model file)", file->path, strerror(errno));
    if (fstat(file->fd, &info) || !S_ISREG(info.st_mode))
        return CORRUPT("%s: not a regular file (expected a model file)", file->path);
    if (info.st_size < 16)
        return CORRUPT("%s: %lld bytes are too few for a model file", file->path, (long long)info.st_size);
    file->size = (size_t)info.st_size;
    return VAE_OK;
}

static vae_status read_header(struct file *file, vae_error *err)
{
    uint8_t size[8];
    uint64_t length = 0;
    vae_status status = read_bytes(file, size, sizeof size, err);
    if (status) return status;
    for (int i = 7; i >= 0; i--) length = length << 8 | size[i];
    if (length > HEADER_MOST || length > file->size - sizeof size)
        return CORRUPT("%s: not a safetensors file, or cut off", file->path);
    file->length = (size_t)length;
    file->data = file->size - sizeof size - file->length;
    file->crc = crc32_z(0, size, sizeof size);
    file->header = calloc(1, file->length + 1);
    if (!file->header) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory", file->path);
    status = read_bytes(file, file->header, file->length, err);
    if (!status && file->header[0] != '{') status = CORRUPT("%s: not a safetensors file, or cut off", file->path);
    return status;
}

static vae_status parse_header(struct file *file, vae_error *err)
{
    json_error_t why;
    file->json = json_loadb(file->header, file->length, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(file->json)) return CORRUPT("%s: its header is not valid JSON (%s)", file->path, why.text);
    return VAE_OK;
}

/* Texts of the metadata, borrowed from the header. */
struct metadata {
    const char *format, *build, *config, *state, *crc;
};

static vae_status read_metadata(const struct file *file, struct metadata *m, vae_error *err)
{
    const json_t *object = json_object_get(file->json, "__metadata__");
    m->format = json_string_value(json_object_get(object, "vaectl.format"));
    m->build = json_string_value(json_object_get(object, "vaectl.build"));
    m->config = json_string_value(json_object_get(object, "vaectl.config"));
    m->state = json_string_value(json_object_get(object, "vaectl.state"));
    m->crc = json_string_value(json_object_get(object, "vaectl.crc32"));
    if (!m->format || !m->build || !m->config || !m->state || !m->crc)
        return CORRUPT("%s: a safetensors file, but not one that vaectl wrote", file->path);
    const long format = strtol(m->format, NULL, 10);
    if (format < OLDEST_FORMAT || format > FORMAT)
        return CORRUPT("%s: model format %s (this version reads formats %d to %d)", file->path, m->format,
                       OLDEST_FORMAT, FORMAT);
    return VAE_OK;
}

/* The checksum over what stands before the tensors. */
static vae_status begin_crc(struct file *file, const struct metadata *m, vae_error *err)
{
    if (!strcmp(m->format, "1")) {
        file->crc = crc32_z(0, (const Bytef *)m->config, strlen(m->config));
        file->crc = crc32_z(file->crc, (const Bytef *)m->state, strlen(m->state));
        return VAE_OK;
    }
    char *digits = find_crc(file->header);
    if (!digits || strncmp(digits, m->crc, CRC_DIGITS))
        return CORRUPT("%s: damaged (its CRC-32 is not where it is written)", file->path);
    memset(digits, '0', CRC_DIGITS);
    file->crc = crc32_z(file->crc, (const Bytef *)file->header, file->length);
    return VAE_OK;
}

static vae_status check_crc(const struct file *file, const struct metadata *m, vae_error *err)
{
    char crc[16];
    snprintf(crc, sizeof crc, "%08x", (unsigned)file->crc);
    return strcmp(crc, m->crc) ? CORRUPT("%s: damaged (CRC-32 is %s, expected %.8s)", file->path, crc, m->crc) : VAE_OK;
}

static double read_number(const json_t *state, const char *key)
{
    const json_t *value = json_object_get(state, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static uint64_t read_count(const json_t *state, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(state, key));
    return value > 0 ? (uint64_t)value : 0;
}

static void state_from_json(struct vae_model *model, const json_t *state)
{
    struct training_state *t = &model->training;
    const json_t *kl = json_object_get(state, "kl_per_dim"), *fit = json_object_get(state, "fit");
    t->step = read_count(state, "step");
    t->images = read_count(state, "images");
    t->has_crc = json_is_integer(json_object_get(state, "data_crc32"));
    t->crc = (uint32_t)read_count(state, "data_crc32");
    t->fit.passes = read_count(fit, "passes");
    t->fit.batch = read_count(fit, "batch");
    t->fit.seed = read_count(fit, "seed");
    t->fit.lr = read_number(fit, "lr");
    t->sum_loss = read_number(state, "sum_loss");
    t->sum_recon = read_number(state, "sum_recon");
    t->sum_kl = read_number(state, "sum_kl");
    const vae_metric *metric;
    for (size_t i = 0; (metric = vae_metric_at(i)); i++)
        if (metric->where == VAE_M_COLUMN_ONLY)
            continue;
        else if (metric->count)
            *metric_count(&t->metrics, metric) = read_count(state, metric->name);
        else
            *metric_real(&t->metrics, metric) = read_number(state, metric->name);
    for (size_t j = 0; j < model->L; j++) {
        const json_t *value = json_array_get(kl, j);
        t->kl_per_dim[j] = json_is_number(value) ? json_number_value(value) : (double)NAN;
    }
}

/* What a training can have reached; the rest of the state is for show. */
static bool state_is_possible(const struct vae_model *model)
{
    const struct training_state *t = &model->training;
    const vae_metrics *m = &t->metrics;
    return m->epoch <= model->config.epochs && m->best_epoch <= m->epoch && isfinite(t->sum_loss) &&
           isfinite(t->sum_recon) && isfinite(t->sum_kl);
}

static vae_status model_from_metadata(const struct file *file, const struct metadata *m, struct vae_model **model,
                                      vae_error *err)
{
    vae_config config;
    vae_error inner = {0};
    json_t *object = json_loads(m->config, JSON_REJECT_DUPLICATES, NULL);
    json_t *state = json_loads(m->state, JSON_REJECT_DUPLICATES, NULL);
    vae_status status = VAE_OK;
    const uint64_t rows = read_count(state, "rows"), cols = read_count(state, "cols");
    if (!json_is_object(object) || !json_is_object(state))
        status = CORRUPT("%s: its configuration is not valid JSON", file->path);
    else if (config_from_json(&config, object, &inner))
        status = CORRUPT("%s: %s", file->path, inner.message);
    else if (!is_image_size(rows, cols) ||
             model_allocate(model, &config, rows, cols, file->data, &inner) == VAE_E_MODEL)
        status = CORRUPT("%s: too short for the network that its configuration describes", file->path);
    else if (!*model)
        status = vae_fail(err, inner.status == VAE_E_USAGE ? VAE_E_MODEL : inner.status, "%s: %s", file->path,
                          inner.message);
    if (!status) {
        state_from_json(*model, state);
        snprintf((*model)->build, sizeof(*model)->build, "%s", m->build);
        mask_controls((*model)->build);
        if (!state_is_possible(*model)) status = CORRUPT("%s: no training ends in the state that it tells", file->path);
    }
    return status;
}

static bool entry_matches(const json_t *entry, const struct tensor *tensor, const struct cursor *c)
{
    return json_equal(entry, tensor_to_json(tensor, c));
}

static vae_status check_tensors(const struct file *file, const struct vae_model *model, vae_error *err)
{
    size_t n = 0;
    for (struct cursor c = {0}; next_tensor(model, &c); n++) {
        char name[2 * TENSOR_NAME];
        tensor_name(model, &c, name);
        if (!entry_matches(json_object_get(file->json, name), &model->block.tensor[c.tensor], &c))
            return CORRUPT("%s: tensor %s is missing or not as its configuration implies", file->path, name);
    }
    if (json_object_size(file->json) != n + 1)
        return CORRUPT("%s: it has tensors that its configuration does not", file->path);
    if (file->data != model_file_size(model))
        return CORRUPT("%s: %zu bytes of tensors (expected %zu): cut off?", file->path, file->data,
                       model_file_size(model));
    return VAE_OK;
}

/* Of one tensor; the checksum goes over the bytes as they come. */
static vae_status read_tensor(struct file *file, const struct tensor *t, real *to, vae_error *err)
{
    float piece[PIECE / sizeof(float)];
    vae_status status = VAE_OK;
    for (size_t first = 0, n; first < t->count && !status; first += n) {
        n = t->count - first < sizeof piece / sizeof *piece ? t->count - first : sizeof piece / sizeof *piece;
        status = read_bytes(file, piece, n * sizeof *piece, err);
        if (status) break;
        file->crc = crc32_z(file->crc, (const Bytef *)piece, n * sizeof *piece);
        for (size_t k = 0; k < n; k++) to[tensor_at(t, first + k)] = R(piece[k]);
    }
    return status;
}

static vae_status read_tensors(struct file *file, struct vae_model *model, vae_error *err)
{
    vae_status status = VAE_OK;
    for (struct cursor c = {0}; !status && next_tensor(model, &c);)
        status = read_tensor(file, &model->block.tensor[c.tensor], block_data(model, c.block), err);
    return status;
}

static vae_status check_values(const struct file *file, const struct vae_model *model, vae_error *err)
{
    for (struct cursor c = {0}; next_tensor(model, &c);) {
        const struct tensor *t = &model->block.tensor[c.tensor];
        const real *values = block_data(model, c.block);
        for (size_t k = 0; k < t->count; k++) {
            const float value = (float)values[tensor_at(t, k)];
            if (!isfinite(value)) return CORRUPT("%s: tensor %s has values that are not finite", file->path, t->name);
            if (c.block == 0 && !(value >= (float)t->lowest && value <= (float)t->highest))
                return CORRUPT("%s: tensor %s has the value %g (expected %g to %g)", file->path, t->name, (double)value,
                               t->lowest, t->highest);
            if (value != 0 && model_masks(model, tensor_at(t, k)))
                return CORRUPT("%s: tensor %s has values where its configuration allows none", file->path, t->name);
        }
    }
    return VAE_OK;
}

struct loading {
    struct file file;
    struct vae_model *model;
    vae_error *err;
};

static vae_status load(void *context)
{
    struct loading *l = context;
    struct file *file = &l->file;
    struct vae_model **model = &l->model;
    vae_error *err = l->err;
    struct metadata metadata;
    vae_status status = open_file(file, err);
    if (!status) status = read_header(file, err);
    if (!status) status = parse_header(file, err);
    if (!status) status = read_metadata(file, &metadata, err);
    if (!status) status = begin_crc(file, &metadata, err);
    if (!status) status = model_from_metadata(file, &metadata, model, err);
    if (!status) status = check_tensors(file, *model, err);
    if (!status) status = read_tensors(file, *model, err);
    if (!status) status = check_crc(file, &metadata, err);
    return status ? status : check_values(file, *model, err);
}

vae_status vae_model_load(vae_model **out, const char *path, vae_error *err)
{
    struct loading l = {.file = {.path = path, .fd = -1}, .err = err};
    vae_status status = json_run(load, &l, path, err);
    if (status)
        vae_model_free(&l.model);
    else
        *out = l.model;
    free(l.file.header);
    if (l.file.fd >= 0) close(l.file.fd);
    return status;
}
