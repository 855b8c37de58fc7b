/* SPDX-License-Identifier: MIT
 *
 * The model file, in the safetensors format (https://github.com/huggingface/safetensors): 8 bytes little-endian header
 * size, a JSON header {name: {dtype, shape, data_offsets}, "__metadata__": {text: text}}, then the tensors without
 * gaps. Ours holds for each tensor NAME of the model NAME, adam.m.NAME and adam.v.NAME, all F32. The format has no
 * checksum: a CRC-32 over the configuration, the state and all tensors is in the metadata.
 *
 * Reading believes nothing: the configuration is read first, a model is made from it, and the file must then have
 * exactly the names, shapes and offsets that this model would write, and no value that training could not reach. */
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
#include "base/memory.h"
#include "model/config.h"
#include "model/metrics.h"
#include "model/model.h"

/* A header holds a number of some 20 characters for each latent, of which there are 65536 at most. */
enum { HEADER_MOST = 4 << 20, FORMAT = 1, BLOCKS = 3 };

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

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

/* NaN, "no such number yet", is null in JSON. */
static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *kl_to_json(const struct vae_model *model)
{
    json_t *kl = json_array();
    for (size_t j = 0; kl && j < model->L; j++) {
        if (!json_array_append_new(kl, number(model->training.kl_per_dim[j]))) continue;
        json_decref(kl);
        kl = NULL;
    }
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
    const vae_metric *metric;
    for (size_t i = 0; state && (metric = vae_metric_at(i)); i++) {
        if (metric->where == VAE_M_COLUMN_ONLY) continue;
        if (!json_object_set_new(state, metric->name, metric_to_json(&t->metrics, metric))) continue;
        json_decref(state);
        state = NULL;
    }
    return state;
}

/* The text of a JSON value, which is released. The caller owns the text; NULL: out of memory. (json_dumps would do, but
 * for jansson 2.14 ignoring some failures to grow its buffer and leaving words out.) */
static char *dump(json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17);
    const size_t size = value ? json_dumpb(value, NULL, 0, flags) : 0;
    char *text = size ? malloc(size + 1) : NULL;
    if (text && json_dumpb(value, text, size, flags) != size) {
        free(text);
        text = NULL;
    }
    if (text) text[size] = '\0';
    json_decref(value);
    return text;
}

static uint32_t checksum(const char *config, const char *state, const void *data, size_t size)
{
    uLong crc = crc32_z(0, (const Bytef *)config, strlen(config));
    crc = crc32_z(crc, (const Bytef *)state, strlen(state));
    return (uint32_t)crc32_z(crc, data, size);
}

static void copy_tensors_out(const struct vae_model *model, float *to)
{
    for (struct cursor c = {0}; next_tensor(model, &c);) {
        const struct tensor *t = &model->block.tensor[c.tensor];
        const real *from = block_data(model, c.block);
        for (size_t k = 0; k < t->count; k++) *to++ = (float)from[tensor_at(t, k)];
    }
}

/* Adds the entries of all tensors to the header; false: out of memory. */
static bool add_tensors(json_t *header, const struct vae_model *model)
{
    for (struct cursor c = {0}; next_tensor(model, &c);) {
        char name[2 * TENSOR_NAME];
        tensor_name(model, &c, name);
        if (json_object_set_new(header, name, tensor_to_json(&model->block.tensor[c.tensor], &c))) return false;
    }
    return true;
}

static char *header_text(const struct vae_model *model, const void *data, size_t size)
{
    char *config = dump(config_to_json(&model->config)), *state = dump(state_to_json(model)), crc[16], format[16];
    json_t *header = NULL;
    if (config && state) {
        snprintf(crc, sizeof crc, "%08x", (unsigned)checksum(config, state, data, size));
        snprintf(format, sizeof format, "%d", FORMAT);
        header = json_pack("{s:{s:s, s:s, s:s, s:s, s:s, s:s}}", "__metadata__", "format", "pt", "vaectl.format",
                           format, "vaectl.build", model->build, "vaectl.config", config, "vaectl.state", state,
                           "vaectl.crc32", crc);
    }
    if (header && !add_tensors(header, model)) {
        json_decref(header);
        header = NULL;
    }
    free(config);
    free(state);
    return dump(header);
}

static bool all_finite(const float *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!isfinite(values[i])) return false;
    return true;
}

/* The file's bytes: size, header padded with spaces to a multiple of 8, tensors. */
static char *assemble(const char *header, const void *data, size_t size, size_t *total, vae_error *err)
{
    const size_t length = strlen(header), padded = (length + 7) / 8 * 8;
    *total = 8 + padded + size;
    char *file = mem_new(*total, 1, err);
    if (!file) return NULL;
    for (size_t i = 0; i < 8; i++) file[i] = (char)(padded >> (8 * i) & 0xff);
    memset(file + 8, ' ', padded);
    memcpy(file + 8, header, length);
    memcpy(file + 8 + padded, data, size);
    return file;
}

vae_status vae_model_save(const vae_model *model, const char *path, vae_error *err)
{
    const size_t size = model_file_size(model);
    size_t total = 0;
    float *data = mem_new(size, 1, err);
    if (!data) return VAE_E_MEMORY;
    copy_tensors_out(model, data);
    if (!all_finite(data, size / sizeof *data)) {
        free(data);
        return vae_fail(err, VAE_E_DIVERGED, "%s: not written: the model's values are not finite", path);
    }
    char *header = header_text(model, data, size);
    char *file = header ? assemble(header, data, size, &total, err) : NULL;
    free(header);
    free(data);
    if (!file) return vae_fail(err, VAE_E_MEMORY, "%s: out of memory while saving", path);
    vae_status status = vae_write_file(path, file, total, err);
    free(file);
    return status;
}

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

#define CORRUPT(...) vae_fail(err, VAE_E_MODEL, __VA_ARGS__)

struct file {
    const char *path;
    char *bytes;
    size_t size;
};

static vae_status read_all(int fd, struct file *file, vae_error *err)
{
    size_t done = 0;
    while (done < file->size) {
        ssize_t got = read(fd, file->bytes + done, file->size - done);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return CORRUPT("%s: cannot read: %s", file->path, got ? strerror(errno) : "file ends too early");
        done += (size_t)got;
    }
    return VAE_OK;
}

static vae_status read_file(struct file *file, vae_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return CORRUPT("%s: cannot open: %s (expected a model file)", file->path, strerror(errno));
    struct stat info;
    vae_status status = VAE_OK;
    if (fstat(fd, &info) || !S_ISREG(info.st_mode))
        status = CORRUPT("%s: not a regular file (expected a model file)", file->path);
    else if (info.st_size < 16)
        status = CORRUPT("%s: %lld bytes are too few for a model file", file->path, (long long)info.st_size);
    else {
        file->size = (size_t)info.st_size;
        file->bytes = malloc(file->size);
        status = file->bytes ? read_all(fd, file, err) : vae_fail(err, VAE_E_MEMORY, "%s: out of memory", file->path);
    }
    close(fd);
    return status;
}

static vae_status parse_header(const struct file *file, json_t **header, size_t *data, vae_error *err)
{
    uint64_t length = 0;
    for (int i = 7; i >= 0; i--) length = length << 8 | (uint8_t)file->bytes[i];
    if (file->bytes[8] != '{' || length > HEADER_MOST || length > file->size - 8)
        return CORRUPT("%s: not a safetensors file, or cut off", file->path);
    json_error_t why;
    *header = json_loadb(file->bytes + 8, (size_t)length, JSON_REJECT_DUPLICATES, &why);
    if (!json_is_object(*header)) return CORRUPT("%s: its header is not valid JSON (%s)", file->path, why.text);
    *data = 8 + (size_t)length;
    return VAE_OK;
}

/* Texts of the metadata, borrowed from the header. */
struct metadata {
    const char *format, *build, *config, *state, *crc;
};

static vae_status read_metadata(const struct file *file, const json_t *header, struct metadata *m, vae_error *err)
{
    const json_t *object = json_object_get(header, "__metadata__");
    m->format = json_string_value(json_object_get(object, "vaectl.format"));
    m->build = json_string_value(json_object_get(object, "vaectl.build"));
    m->config = json_string_value(json_object_get(object, "vaectl.config"));
    m->state = json_string_value(json_object_get(object, "vaectl.state"));
    m->crc = json_string_value(json_object_get(object, "vaectl.crc32"));
    if (!m->format || !m->build || !m->config || !m->state || !m->crc)
        return CORRUPT("%s: a safetensors file, but not one that vaectl wrote", file->path);
    if (strtol(m->format, NULL, 10) != FORMAT)
        return CORRUPT("%s: model format %s (this version reads format %d)", file->path, m->format, FORMAT);
    return VAE_OK;
}

static vae_status check_crc(const struct file *file, const struct metadata *m, size_t data, vae_error *err)
{
    char crc[16];
    snprintf(crc, sizeof crc, "%08x", (unsigned)checksum(m->config, m->state, file->bytes + data, file->size - data));
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
    const json_t *kl = json_object_get(state, "kl_per_dim");
    t->step = read_count(state, "step");
    t->images = read_count(state, "images");
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

static vae_status model_from_metadata(const struct file *file, const struct metadata *m, size_t available,
                                      struct vae_model **model, vae_error *err)
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
    else if (!is_image_size(rows, cols) || model_allocate(model, &config, rows, cols, available, &inner) == VAE_E_MODEL)
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
    json_decref(object);
    json_decref(state);
    return status;
}

static bool entry_matches(const json_t *entry, const struct tensor *tensor, const struct cursor *c)
{
    json_t *wanted = tensor_to_json(tensor, c);
    bool same = json_equal(entry, wanted);
    json_decref(wanted);
    return same;
}

static vae_status check_tensors(const struct file *file, const json_t *header, size_t available,
                                const struct vae_model *model, vae_error *err)
{
    size_t n = 0;
    for (struct cursor c = {0}; next_tensor(model, &c); n++) {
        char name[2 * TENSOR_NAME];
        tensor_name(model, &c, name);
        if (!entry_matches(json_object_get(header, name), &model->block.tensor[c.tensor], &c))
            return CORRUPT("%s: tensor %s is missing or not as its configuration implies", file->path, name);
    }
    if (json_object_size(header) != n + 1)
        return CORRUPT("%s: it has tensors that its configuration does not", file->path);
    if (available != model_file_size(model))
        return CORRUPT("%s: %zu bytes of tensors (expected %zu): cut off?", file->path, available,
                       model_file_size(model));
    return VAE_OK;
}

static vae_status copy_tensors_in(const struct file *file, size_t data, struct vae_model *model, vae_error *err)
{
    for (struct cursor c = {0}; next_tensor(model, &c);) {
        const struct tensor *t = &model->block.tensor[c.tensor];
        real *to = block_data(model, c.block);
        for (size_t k = 0; k < t->count; k++) {
            float value;
            memcpy(&value, file->bytes + data + c.begin + k * sizeof value, sizeof value);
            if (!isfinite(value)) return CORRUPT("%s: tensor %s has values that are not finite", file->path, t->name);
            if (c.block == 0 && !(value >= (float)t->lowest && value <= (float)t->highest))
                return CORRUPT("%s: tensor %s has the value %g (expected %g to %g)", file->path, t->name, (double)value,
                               t->lowest, t->highest);
            if (value != 0 && model_masks(model, tensor_at(t, k)))
                return CORRUPT("%s: tensor %s has values where its configuration allows none", file->path, t->name);
            to[tensor_at(t, k)] = R(value);
        }
    }
    return VAE_OK;
}

static vae_status load(struct file *file, json_t **header, struct vae_model **model, vae_error *err)
{
    struct metadata metadata;
    size_t data = 0;
    vae_status status = read_file(file, err);
    if (!status) status = parse_header(file, header, &data, err);
    if (!status) status = read_metadata(file, *header, &metadata, err);
    if (!status) status = check_crc(file, &metadata, data, err);
    if (!status) status = model_from_metadata(file, &metadata, file->size - data, model, err);
    if (!status) status = check_tensors(file, *header, file->size - data, *model, err);
    return status ? status : copy_tensors_in(file, data, *model, err);
}

vae_status vae_model_load(vae_model **out, const char *path, vae_error *err)
{
    struct file file = {.path = path};
    json_t *header = NULL;
    struct vae_model *model = NULL;
    vae_status status = load(&file, &header, &model, err);
    if (status)
        vae_model_free(&model);
    else
        *out = model;
    json_decref(header);
    free(file.bytes);
    return status;
}
