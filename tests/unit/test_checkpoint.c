/* SPDX-License-Identifier: MIT
 *
 * The model file: what is saved is what is loaded, the layout is safetensors', and no damaged, crafted or half-written
 * file passes. Crafted files get a right checksum, computed here by other code: something else must refuse them.
 *
 * Not under tsan: no thread is started here. */
#include "model/model.h"

#include "files.h"

#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <signal.h>
#include <sys/resource.h>

enum { ROWS = 1, COLS = 3, IMAGES = 5 };

/* ---- Models to save --------------------------------------------------------------------------------------------- */

static void set(vae_config *config, const char *name, const char *text)
{
    vae_error err;
    if (vae_config_set(config, name, text, &err)) fail_msg("%s %s: %s", name, text, err.message);
}

static vae_model *new_model(const char *prior, const char *likelihood)
{
    vae_config config;
    vae_model *model = NULL;
    vae_config_defaults(&config);
    set(&config, "latent", "2");
    set(&config, "hidden", "4");
    set(&config, "batch", "2");
    set(&config, "epochs", "3");
    set(&config, "prior", prior);
    set(&config, "likelihood", likelihood);
    set(&config, "seed", "9007199254740991");
    assert_int_equal(vae_model_new(&model, &config, ROWS, COLS, NULL), VAE_OK);
    return model;
}

static uint8_t pixels[IMAGES * ROWS * COLS] = {0, 10, 255, 250, 30, 7, 99, 0, 200, 1, 2, 3, 255, 254, 253};
static uint8_t labels[IMAGES] = {2, 0, 1, 1, 0};
static const vae_data data = {
    .name = "five images",
    .train = {.n = IMAGES, .rows = ROWS, .cols = COLS, .pixels = pixels, .labels = labels},
    .test = {.n = 2, .rows = ROWS, .cols = COLS, .pixels = pixels, .labels = labels, .split = VAE_TEST}};

static void train(vae_model *model, const vae_train_hooks *hooks)
{
    vae_error err;
    if (vae_train(model, &data, 1, hooks, NULL, &err)) fail_msg("%s", err.message);
}

/* Moments, metrics and everything else as a run leaves them. */
static vae_model *trained_model(void)
{
    vae_model *model = new_model("spikeslab:p=0.8,c2=0.05", "bernoulli");
    train(model, NULL);
    return model;
}

static vae_model *trained_conditional_model(void)
{
    vae_config config;
    vae_model *model = new_model("normal", "bernoulli");
    config = *vae_model_config(model);
    vae_model_free(&model);
    set(&config, "conditional", "3");
    assert_int_equal(vae_model_new(&model, &config, ROWS, COLS, NULL), VAE_OK);
    train(model, NULL);
    return model;
}

static void save(const vae_model *model, const char *path)
{
    vae_error err;
    if (vae_model_save(model, path, &err)) fail_msg("%s", err.message);
}

static vae_model *load(const char *path)
{
    vae_model *model = NULL;
    vae_error err;
    if (vae_model_load(&model, path, &err)) fail_msg("%s", err.message);
    return model;
}

/* ---- Comparing -------------------------------------------------------------------------------------------------- */

static void assert_same_config(const vae_config *a, const vae_config *b)
{
    const vae_setting *setting;
    char text_a[VAE_MAX_SOURCE], text_b[VAE_MAX_SOURCE];
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        assert_string_equal(vae_config_text(a, setting, text_a, sizeof text_a),
                            vae_config_text(b, setting, text_b, sizeof text_b));
}

static void assert_same_tensors(const vae_model *a, const vae_model *b)
{
    vae_tensor ta, tb;
    for (size_t i = 0; vae_model_tensor(a, i, &ta); i++) {
        assert_true(vae_model_tensor(b, i, &tb));
        assert_string_equal(ta.name, tb.name);
        assert_int_equal(ta.count, tb.count);
        float *values_a = calloc(ta.count, sizeof *values_a), *values_b = calloc(ta.count, sizeof *values_b);
        assert_true(ta.count && values_a && values_b);
        vae_model_read(a, i, values_a);
        vae_model_read(b, i, values_b);
        assert_memory_equal(values_a, values_b, ta.count * sizeof *values_a);
        free(values_a);
        free(values_b);
    }
}

static void assert_same_number(double a, double b) { assert_true(a == b || (isnan(a) && isnan(b))); }

static void assert_same_metrics(const vae_model *model_a, const vae_model *model_b)
{
    const vae_metrics *a = vae_model_metrics(model_a), *b = vae_model_metrics(model_b);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->step, b->step);
    assert_int_equal(a->active_units, b->active_units);
    assert_same_number(a->train_loss, b->train_loss);
    assert_same_number(a->train_recon, b->train_recon);
    assert_same_number(a->train_kl, b->train_kl);
    assert_same_number(a->test_recon, b->test_recon);
    assert_same_number(a->test_kl, b->test_kl);
    assert_same_number(a->test_neg_elbo, b->test_neg_elbo);
    assert_same_number(a->validation_loss, b->validation_loss);
    assert_same_number(a->best_loss, b->best_loss);
    assert_int_equal(a->best_epoch, b->best_epoch);
    for (size_t j = 0; j < vae_model_config(model_a)->latent; j++)
        assert_same_number(vae_model_kl_per_dim(model_a)[j], vae_model_kl_per_dim(model_b)[j]);
}

static void assert_same_model(const vae_model *a, const vae_model *b)
{
    size_t rows_a, cols_a, rows_b, cols_b;
    vae_model_shape(a, &rows_a, &cols_a);
    vae_model_shape(b, &rows_b, &cols_b);
    assert_int_equal(rows_a, rows_b);
    assert_int_equal(cols_a, cols_b);
    assert_same_config(vae_model_config(a), vae_model_config(b));
    assert_same_tensors(a, b);
    assert_same_metrics(a, b);
}

static void assert_same_file(const char *path_a, const char *path_b)
{
    size_t size_a, size_b;
    uint8_t *a = get_file(path_a, &size_a), *b = get_file(path_b, &size_b);
    assert_int_equal(size_a, size_b);
    assert_memory_equal(a, b, size_a);
    free(a);
    free(b);
}

/* One line that starts with the file's name. */
static void assert_refused(const char *what, const char *path, const char *part)
{
    vae_model *model = NULL;
    vae_error err = {0};
    vae_status status = vae_model_load(&model, path, &err);
    if (status != VAE_E_MODEL || model) fail_msg("%s: not refused (status %d '%s')", what, status, err.message);
    if (strncmp(err.message, path, strlen(path)) || !strstr(err.message, part) || strchr(err.message, '\n'))
        fail_msg("%s: message is '%s' (expected '%s...%s')", what, err.message, path, part);
}

/* ---- Round trips ------------------------------------------------------------------------------------------------ */

static void round_trip(vae_model *model)
{
    char first[PATH_MOST], second[PATH_MOST];
    save(model, in_scratch(first, "first"));
    save(model, in_scratch(second, "second"));
    assert_same_file(first, second);
    vae_model *loaded = load(first);
    assert_same_model(model, loaded);
    assert_string_equal(vae_model_build(model), vae_model_build(loaded));
    save(loaded, second); /* so the moments and sums, which have no accessor, came back as well */
    assert_same_file(first, second);
    vae_model_free(&loaded);
    vae_model_free(&model);
}

static void test_round_trip_of_every_prior_and_likelihood(void **state)
{
    (void)state;
    for (size_t i = 0; vae_module_at(VAE_PRIOR, i); i++)
        for (size_t k = 0; vae_module_at(VAE_LIKELIHOOD, k); k++) {
            vae_model *model = new_model(vae_module_at(VAE_PRIOR, i)->name, vae_module_at(VAE_LIKELIHOOD, k)->name);
            train(model, NULL);
            assert_true(isfinite(vae_model_metrics(model)->test_neg_elbo));
            round_trip(model);
        }
}

static void test_round_trip_of_every_sigma(void **state)
{
    static const char *const likelihood[] = {"gaussian:sigma=learned", "gaussian:sigma=per-pixel",
                                             "gaussian:sigma=learned,floor=0.3"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        vae_model *model = new_model("normal", likelihood[i]);
        train(model, NULL);
        round_trip(model);
    }
}

static vae_model *flow_model(void)
{
    vae_config config;
    vae_model *model = NULL;
    vae_config_defaults(&config);
    set(&config, "latent", "3");
    set(&config, "hidden", "4");
    set(&config, "batch", "2");
    set(&config, "posterior", "iaf:blocks=2,width=6,context=2");
    assert_int_equal(vae_model_new(&model, &config, ROWS, COLS, NULL), VAE_OK);
    return model;
}

static void test_round_trip_of_a_flow(void **state)
{
    (void)state;
    vae_model *model = flow_model();
    train(model, NULL);
    assert_true(isfinite(vae_model_metrics(model)->test_neg_elbo));
    round_trip(model);
}

static void test_round_trip_before_training(void **state)
{
    (void)state;
    vae_model *model = new_model("normal", "bernoulli");
    assert_true(isnan(vae_model_metrics(model)->train_loss));
    assert_true(isnan(vae_model_kl_per_dim(model)[0]));
    round_trip(model);
}

static void test_round_trip_of_unusual_settings(void **state)
{
    (void)state;
    vae_config config;
    vae_model *model = NULL;
    vae_config_defaults(&config);
    set(&config, "hidden", "3,1,2");
    set(&config, "latent", "1");
    set(&config, "prior", "spikeslab:p=0.1,c2=0.3333333333333333");
    set(&config, "data", "a \"quoted\" \\ name with \xc3\xa4");
    set(&config, "lr", "1e-12");
    set(&config, "beta", "0.1");
    set(&config, "activation", "tanh");
    assert_int_equal(vae_model_new(&model, &config, 2, 1, NULL), VAE_OK);
    round_trip(model);
}

static void test_round_trip_of_a_conditional_model(void **state)
{
    (void)state;
    vae_tensor tensor;
    vae_model *model = trained_conditional_model();
    assert_true(vae_model_tensor(model, 0, &tensor));
    assert_string_equal(tensor.name, "encoder.0.weight");
    assert_int_equal(tensor.dim[0], 4);
    assert_int_equal(tensor.dim[1], COLS + 3);
    round_trip(model);
}

static bool stop_after_some_steps(void *left, const vae_progress *progress)
{
    (void)progress;
    return --*(int *)left == 0;
}

/* Stopped at any step, saved, loaded and continued: the same bytes as a run that never stopped. */
static void test_training_continues_from_a_file(void **state)
{
    (void)state;
    char whole[PATH_MOST], resumed[PATH_MOST];
    vae_model *model = trained_model();
    save(model, in_scratch(whole, "whole"));
    vae_model_free(&model);
    in_scratch(resumed, "resumed");
    for (int steps = 1; steps <= 9; steps++) { /* 3 epochs of 3 steps */
        int left = steps;
        const vae_train_hooks hooks = {.context = &left, .on_step = stop_after_some_steps};
        model = new_model("spikeslab:p=0.8,c2=0.05", "bernoulli");
        train(model, &hooks);
        save(model, resumed);
        vae_model_free(&model);
        model = load(resumed);
        train(model, NULL);
        save(model, resumed);
        vae_model_free(&model);
        assert_same_file(whole, resumed);
    }
}

/* ---- The file in parts ------------------------------------------------------------------------------------------ */

/* A model file taken apart. The texts of the metadata are JSON themselves. */
struct parts {
    json_t *header, *config, *state;
    uint8_t *data;
    size_t size;
    bool keep_crc, keep_texts; /* do not make the checksum or the texts anew */
};

static json_t *metadata(const struct parts *p) { return json_object_get(p->header, "__metadata__"); }

static const char *metadata_text(const struct parts *p, const char *key)
{
    return json_string_value(json_object_get(metadata(p), key));
}

static uint64_t header_size(const uint8_t *file)
{
    uint64_t size = 0;
    for (int i = 7; i >= 0; i--) size = size << 8 | file[i];
    return size;
}

static struct parts take_apart(const char *path)
{
    struct parts p = {0};
    size_t size;
    uint8_t *file = get_file(path, &size);
    const size_t header = (size_t)header_size(file);
    assert_in_range(header, 2, size - 8);
    p.header = json_loadb((const char *)file + 8, header, JSON_REJECT_DUPLICATES, NULL);
    p.config = json_loads(metadata_text(&p, "vaectl.config"), 0, NULL);
    p.state = json_loads(metadata_text(&p, "vaectl.state"), 0, NULL);
    assert_true(json_is_object(p.config) && json_is_object(p.state));
    p.size = size - 8 - header;
    p.data = calloc(1, p.size + 64);
    assert_non_null(p.data);
    memcpy(p.data, file + 8 + header, p.size);
    free(file);
    return p;
}

/* CRC-32 as in gzip, bit by bit. */
static uint32_t crc32_bits(uint32_t crc, const void *bytes, size_t n)
{
    const uint8_t *at = bytes;
    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return ~crc;
}

/* Of a file of format 1: over texts and tensors. */
static uint32_t crc_of_contents(const struct parts *p)
{
    const char *config = metadata_text(p, "vaectl.config"), *state = metadata_text(p, "vaectl.state");
    uint32_t crc = config ? crc32_bits(0, config, strlen(config)) : 0;
    if (state) crc = crc32_bits(crc, state, strlen(state));
    return crc32_bits(crc, p->data, p->size);
}

static void put_text(struct parts *p, const char *key, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    assert_non_null(text);
    json_object_set_new(metadata(p), key, json_string(text));
    free(text);
}

static bool is_format_1(const struct parts *p)
{
    const char *format = metadata_text(p, "vaectl.format");
    return format && !strcmp(format, "1");
}

/* The checksum of format 2 comes when the file is there, in the place of zeros. */
static void write_texts(struct parts *p)
{
    char crc[16] = "00000000";
    if (!metadata(p)) return;
    if (!p->keep_texts) {
        put_text(p, "vaectl.config", p->config);
        put_text(p, "vaectl.state", p->state);
    }
    if (is_format_1(p)) snprintf(crc, sizeof crc, "%08x", (unsigned)crc_of_contents(p));
    if (!p->keep_crc) json_object_set_new(metadata(p), "vaectl.crc32", json_string(crc));
}

/* The text of a header, its size before it, and these data behind it. The caller owns them. */
static uint8_t *join(const char *text, size_t length, const uint8_t *bytes, size_t size)
{
    uint8_t *file = calloc(1, 8 + length + size);
    assert_non_null(file);
    for (size_t i = 0; i < 8; i++) file[i] = (uint8_t)((uint64_t)length >> 8 * i);
    memcpy(file + 8, text, length);
    if (size) memcpy(file + 8 + length, bytes, size);
    return file;
}

static void put_parts(const char *path, const char *text, size_t length, const uint8_t *bytes, size_t size)
{
    uint8_t *file = join(text, length, bytes, size);
    put_file(path, file, 8 + length + size);
    free(file);
}

/* The place of the digits in a text that is a header. */
static char *crc_digits(char *text)
{
    static const char key[] = "\"vaectl.crc32\":\"";
    char *at = strstr(text, key);
    return at ? at + strlen(key) : NULL;
}

static void put_together(struct parts *p, const char *path)
{
    write_texts(p);
    char *text = json_dumps(p->header, JSON_COMPACT | JSON_SORT_KEYS), *digits = text ? crc_digits(text) : NULL;
    assert_non_null(text);
    if (digits && !p->keep_crc && !is_format_1(p)) {
        char crc[16];
        uint8_t *file = join(text, strlen(text), p->data, p->size);
        snprintf(crc, sizeof crc, "%08x", (unsigned)crc32_bits(0, file, 8 + strlen(text) + p->size));
        memcpy(digits, crc, 8);
        free(file);
    }
    put_parts(path, text, strlen(text), p->data, p->size);
    free(text);
    json_decref(p->header);
    json_decref(p->config);
    json_decref(p->state);
    free(p->data);
}

static const char *trained_file(char path[PATH_MOST])
{
    vae_model *model = trained_model();
    save(model, in_scratch(path, "model"));
    vae_model_free(&model);
    return path;
}

/* ---- The layout ------------------------------------------------------------------------------------------------- */

static void test_layout_is_that_of_safetensors(void **state)
{
    (void)state;
    char path[PATH_MOST];
    size_t size;
    uint8_t *file = get_file(trained_file(path), &size);
    const uint64_t header = header_size(file);
    assert_int_equal(header % 8, 0);
    assert_int_equal(file[8], '{');
    assert_int_equal(file[8 + header - 1] == ' ' || file[8 + header - 1] == '}', 1);
    free(file);

    struct parts p = take_apart(path);
    const char *key;
    json_t *value;
    assert_string_equal(metadata_text(&p, "format"), "pt");
    assert_string_equal(metadata_text(&p, "vaectl.format"), "2");
    assert_non_null(strstr(metadata_text(&p, "vaectl.build"), "vaectl " VAE_VERSION));
    json_object_foreach(metadata(&p), key, value) assert_true(json_is_string(value));
    put_together(&p, path);
}

/* Over the whole file, where zeros stand for its digits. */
static void test_checksum_is_a_crc_32_of_the_file(void **state)
{
    (void)state;
    char path[PATH_MOST], crc[16];
    size_t size;
    uint8_t *file = get_file(trained_file(path), &size);
    char *digits = crc_digits((char *)file + 8), stored[9] = "";
    assert_int_equal(crc32_bits(0, "123456789", 9), 0xcbf43926u); /* the check value of the algorithm */
    assert_non_null(digits);
    memcpy(stored, digits, 8);
    memset(digits, '0', 8);
    snprintf(crc, sizeof crc, "%08x", (unsigned)crc32_bits(0, file, size));
    assert_string_equal(stored, crc);
    free(file);
}

/* The tensor's values, as the header says where they are. */
static const uint8_t *find_values(const struct parts *p, const char *name, size_t count)
{
    json_int_t begin = -1, end = -1;
    const char *type = NULL;
    json_t *entry = json_object_get(p->header, name);
    assert_int_equal(json_unpack(entry, "{s:s, s:[I,I]}", "dtype", &type, "data_offsets", &begin, &end), 0);
    assert_string_equal(type, "F32");
    assert_in_range(end, begin, p->size);
    assert_int_equal(end - begin, count * 4);
    return p->data + begin;
}

/* Little-endian, whatever this machine is. */
static float get_float(const uint8_t *at)
{
    const uint32_t bits = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void test_file_has_every_tensor_and_its_moments(void **state)
{
    (void)state;
    static const char *const prefixes[] = {"adam.m.", "adam.v."};
    char path[PATH_MOST], name[64];
    vae_model *model = trained_model();
    const real *const moments[] = {model->adam.m, model->adam.v};
    vae_tensor t;
    size_t n = 0, total = 0;
    save(model, in_scratch(path, "model"));
    struct parts p = take_apart(path);
    for (; vae_model_tensor(model, n, &t); n++) {
        float values[64];
        vae_model_read(model, n, values);
        const uint8_t *stored = find_values(&p, t.name, t.count);
        for (size_t k = 0; k < t.count; k++) assert_true(get_float(stored + 4 * k) == values[k]);
        for (size_t i = 0; i < 2; i++) {
            snprintf(name, sizeof name, "%s%s", prefixes[i], t.name);
            stored = find_values(&p, name, t.count);
            for (size_t k = 0; k < t.count; k++)
                assert_true(get_float(stored + 4 * k) == moments[i][tensor_at(&model->block.tensor[n], k)]);
        }
        total += 3 * 4 * t.count;
    }
    assert_int_equal(json_object_size(p.header), 3 * n + 1);
    assert_int_equal(p.size, total);
    put_together(&p, path);
    vae_model_free(&model);
}

/* ---- Damage ----------------------------------------------------------------------------------------------------- */

static void test_every_cut_is_refused(void **state)
{
    (void)state;
    char path[PATH_MOST];
    size_t size;
    uint8_t *file = get_file(trained_file(path), &size);
    for (size_t n = 0; n < size; n++) {
        vae_model *model = NULL;
        put_file(path, file, n);
        if (vae_model_load(&model, path, NULL) != VAE_E_MODEL || model)
            fail_msg("cut to %zu of %zu bytes: not refused", n, size);
    }
    free(file);
}

/* Wherever they are: tests/faults/flips.py takes all of them. */
static void test_flipped_bits_are_refused(void **state)
{
    (void)state;
    enum { ROUNDS = 3000 };
    char path[PATH_MOST];
    size_t size;
    uint64_t random = 42;
    uint8_t *file = get_file(trained_file(path), &size);
    for (int round = 0; round < ROUNDS; round++) {
        const size_t bit = next_random(&random) % (8 * size);
        vae_model *model = NULL;
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        put_file(path, file, size);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        vae_status status = vae_model_load(&model, path, NULL);
        if (status != VAE_E_MODEL || model) fail_msg("bit %zu of byte %zu: status %d", bit % 8, bit / 8, status);
    }
    free(file);
}

static void test_every_flip_in_tensors_is_refused(void **state)
{
    (void)state;
    char path[PATH_MOST];
    size_t size;
    uint8_t *file = get_file(trained_file(path), &size);
    for (size_t at = 8 + (size_t)header_size(file); at < size; at++) {
        vae_model *model = NULL;
        file[at] ^= (uint8_t)(1u << at % 8);
        put_file(path, file, size);
        file[at] ^= (uint8_t)(1u << at % 8);
        assert_int_equal(vae_model_load(&model, path, NULL), VAE_E_MODEL);
    }
    free(file);
}

/* ---- Crafted headers -------------------------------------------------------------------------------------------- */

static json_t *tensor(struct parts *p, const char *name)
{
    json_t *entry = json_object_get(p->header, name);
    assert_non_null(entry);
    return entry;
}

static void set_offsets(struct parts *p, const char *name, int begin, int end)
{
    json_object_set_new(tensor(p, name), "data_offsets", json_pack("[i,i]", begin, end));
}

static void set_setting(struct parts *p, const char *name, json_t *value)
{
    json_object_set_new(p->config, name, value);
}

static size_t offset_of(struct parts *p, const char *name)
{
    return (size_t)json_integer_value(json_array_get(json_object_get(tensor(p, name), "data_offsets"), 0));
}

static void set_value(struct parts *p, size_t at, float value) { memcpy(p->data + at, &value, sizeof value); }

/* The tensors begin with encoder.0.weight, [4,3] at 0..48, and encoder.0.bias, [4] at 48..64. */
static void nothing(struct parts *p) { (void)p; }
static void no_metadata(struct parts *p) { json_object_del(p->header, "__metadata__"); }
static void metadata_list(struct parts *p) { json_object_set_new(p->header, "__metadata__", json_array()); }
static void metadata_number(struct parts *p) { json_object_set_new(metadata(p), "vaectl.format", json_integer(1)); }
static void no_config(struct parts *p) { p->keep_texts = true, json_object_del(metadata(p), "vaectl.config"); }
static void no_state(struct parts *p) { p->keep_texts = true, json_object_del(metadata(p), "vaectl.state"); }
static void no_crc(struct parts *p) { p->keep_crc = true, json_object_del(metadata(p), "vaectl.crc32"); }
static void wrong_crc(struct parts *p)
{
    p->keep_crc = true;
    json_object_set_new(metadata(p), "vaectl.crc32", json_string("00000000"));
}
static void older_format(struct parts *p) { json_object_set_new(metadata(p), "vaectl.format", json_string("1")); }
static void older_format_damaged(struct parts *p)
{
    older_format(p);
    wrong_crc(p);
}
static void newer_format(struct parts *p) { json_object_set_new(metadata(p), "vaectl.format", json_string("3")); }
static void format_0(struct parts *p) { json_object_set_new(metadata(p), "vaectl.format", json_string("0")); }
static void format_text(struct parts *p) { json_object_set_new(metadata(p), "vaectl.format", json_string("one")); }
static void config_text(struct parts *p)
{
    p->keep_texts = true;
    json_object_set_new(metadata(p), "vaectl.config", json_string("{\"latent\": 2"));
}
static void config_list(struct parts *p)
{
    p->keep_texts = true;
    json_object_set_new(metadata(p), "vaectl.config", json_string("[]"));
}
static void state_text(struct parts *p)
{
    p->keep_texts = true;
    json_object_set_new(metadata(p), "vaectl.state", json_string("null"));
}
static void config_twice(struct parts *p)
{
    p->keep_texts = true;
    json_object_set_new(metadata(p), "vaectl.config", json_string("{\"latent\":2,\"latent\":2}"));
}
static void latent_0(struct parts *p) { set_setting(p, "latent", json_integer(0)); }
static void latent_negative(struct parts *p) { set_setting(p, "latent", json_integer(-2)); }
static void latent_3(struct parts *p) { set_setting(p, "latent", json_integer(3)); }
static void latent_1(struct parts *p) { set_setting(p, "latent", json_integer(1)); }
static void latent_65536(struct parts *p) { set_setting(p, "latent", json_integer(65536)); }
static void latent_true(struct parts *p) { set_setting(p, "latent", json_true()); }
static void latent_fraction(struct parts *p) { set_setting(p, "latent", json_real(2.5)); }
static void hidden_2_31(struct parts *p) { set_setting(p, "hidden", json_string("2147483648")); }
static void hidden_2_64(struct parts *p) { set_setting(p, "hidden", json_string("18446744073709551620")); }
static void hidden_none(struct parts *p) { set_setting(p, "hidden", json_string("")); }
static void hidden_9_layers(struct parts *p) { set_setting(p, "hidden", json_string("4,4,4,4,4,4,4,4,4")); }
static void hidden_largest(struct parts *p)
{
    set_setting(p, "hidden", json_string("65536,65536,65536,65536,65536,65536,65536,65536"));
    set_setting(p, "latent", json_integer(65536));
    json_object_set_new(p->state, "rows", json_integer(65536));
    json_object_set_new(p->state, "cols", json_integer(65536));
}
static void unknown_setting(struct parts *p) { set_setting(p, "gamma", json_integer(1)); }
static void unknown_prior(struct parts *p) { set_setting(p, "prior", json_string("horseshoe")); }
static void prior_out_of_range(struct parts *p) { set_setting(p, "prior", json_string("spikeslab:p=1.5")); }
static void lr_text(struct parts *p) { set_setting(p, "lr", json_string("nan")); }
static void huge_batch(struct parts *p)
{
    set_setting(p, "batch", json_integer(1000000));
    set_setting(p, "samples", json_integer(100000));
}
static void no_rows(struct parts *p) { json_object_del(p->state, "rows"); }
static void rows_0(struct parts *p) { json_object_set_new(p->state, "rows", json_integer(0)); }
static void cols_2_62(struct parts *p) { json_object_set_new(p->state, "cols", json_integer(1ll << 62)); }
static void cols_4(struct parts *p) { json_object_set_new(p->state, "cols", json_integer(4)); }
static void cols_2(struct parts *p) { json_object_set_new(p->state, "cols", json_integer(2)); }
static void epoch_4(struct parts *p) { json_object_set_new(p->state, "epoch", json_integer(4)); }
static void best_epoch_4(struct parts *p) { json_object_set_new(p->state, "best_epoch", json_integer(4)); }
static void sum_null(struct parts *p) { json_object_set_new(p->state, "sum_kl", json_null()); }
static void shape_turned(struct parts *p)
{
    json_object_set_new(tensor(p, "encoder.0.weight"), "shape", json_pack("[i,i]", 3, 4));
}
static void shape_flat(struct parts *p)
{
    json_object_set_new(tensor(p, "encoder.0.weight"), "shape", json_pack("[i]", 12));
}
static void shape_reals(struct parts *p)
{
    json_object_set_new(tensor(p, "encoder.0.weight"), "shape", json_pack("[f,f]", 4.0, 3.0));
}
static void doubles(struct parts *p) { json_object_set_new(tensor(p, "encoder.0.bias"), "dtype", json_string("F64")); }
static void hole(struct parts *p) { p->size += 4, set_offsets(p, "encoder.0.bias", 52, 68); }
static void overlap(struct parts *p) { set_offsets(p, "encoder.0.bias", 44, 60); }
static void backwards(struct parts *p) { set_offsets(p, "encoder.0.bias", 64, 48); }
static void negative(struct parts *p) { set_offsets(p, "encoder.0.weight", -48, 0); }
static void beyond_the_end(struct parts *p) { set_offsets(p, "encoder.0.bias", 1 << 30, (1 << 30) + 16); }
static void not_an_object(struct parts *p) { json_object_set_new(p->header, "encoder.0.bias", json_integer(1)); }
static void more_in_entry(struct parts *p)
{
    json_object_set_new(tensor(p, "encoder.0.bias"), "more", json_integer(1));
}
static void extra_tensor(struct parts *p)
{
    json_object_set_new(p->header, "extra",
                        json_pack("{s:s, s:[i], s:[i,i]}", "dtype", "F32", "shape", 0, "data_offsets", 0, 0));
}
static void missing_tensor(struct parts *p) { json_object_del(p->header, "encoder.0.bias"); }
static void missing_moment(struct parts *p) { json_object_del(p->header, "adam.v.mu.weight"); }
static void renamed_tensor(struct parts *p)
{
    json_object_set(p->header, "encoder.1.bias", tensor(p, "encoder.0.bias"));
    json_object_del(p->header, "encoder.0.bias");
}
static void nan_weight(struct parts *p) { set_value(p, 0, (float)NAN); }
static void infinite_bias(struct parts *p) { set_value(p, 48, -(float)INFINITY); }
static void nan_moment(struct parts *p) { set_value(p, p->size - 4, (float)NAN); }
static void trailing_byte(struct parts *p) { p->size += 1; }
static void trailing_bytes(struct parts *p) { p->size += 48; }
static void short_by_a_value(struct parts *p) { p->size -= 4; }

static const struct {
    const char *name;
    void (*edit)(struct parts *);
    const char *message; /* NULL: must load */
} crafted[] = {
    {"nothing changed", nothing, NULL},
    {"no metadata", no_metadata, "not one that vaectl wrote"},
    {"metadata is a list", metadata_list, "not one that vaectl wrote"},
    {"metadata with a number", metadata_number, "not one that vaectl wrote"},
    {"no configuration", no_config, "not one that vaectl wrote"},
    {"no state", no_state, "not one that vaectl wrote"},
    {"no checksum", no_crc, "not one that vaectl wrote"},
    {"wrong checksum", wrong_crc, "damaged (CRC-32 is"},
    {"format 1", older_format, NULL},
    {"format 1 with a wrong checksum", older_format_damaged, "damaged (CRC-32 is"},
    {"format 3", newer_format, "format 3 (this version reads formats 1 to 2)"},
    {"format 0", format_0, "format 0"},
    {"format 'one'", format_text, "format one"},
    {"configuration cut", config_text, "not valid JSON"},
    {"configuration is a list", config_list, "not valid JSON"},
    {"configuration with a duplicate", config_twice, "not valid JSON"},
    {"state is null", state_text, "not valid JSON"},
    {"latent 0", latent_0, "latent: 0 is out of range"},
    {"latent -2", latent_negative, "latent: '-2' is not a whole number"},
    {"latent 3", latent_3, "too short for the network"},
    {"latent 1", latent_1, "tensor mu.weight is missing or not as"},
    {"latent 65536", latent_65536, "too short for the network"},
    {"latent true", latent_true, "neither text nor number"},
    {"latent 2.5", latent_fraction, "not a whole number"},
    {"hidden 2^31", hidden_2_31, "hidden: 2147483648 is out of range"},
    {"hidden 2^64 + 4", hidden_2_64, "is out of range"},
    {"hidden none", hidden_none, "expected whole numbers"},
    {"hidden of 9 layers", hidden_9_layers, "more than 8 numbers"},
    {"largest of everything", hidden_largest, "too short for the network"},
    {"unknown setting", unknown_setting, "does not know"},
    {"unknown prior", unknown_prior, "horseshoe"},
    {"prior out of range", prior_out_of_range, "out of range"},
    {"learning rate nan", lr_text, "out of range"},
    {"batch times samples", huge_batch, "too large"},
    {"no rows", no_rows, "too short for the network"},
    {"0 rows", rows_0, "too short for the network"},
    {"2^62 columns", cols_2_62, "too short for the network"},
    {"a column more", cols_4, "too short for the network"},
    {"a column less", cols_2, "tensor encoder.0.weight is missing or not as"},
    {"an epoch more than there are", epoch_4, "no training ends in the state"},
    {"best epoch not yet there", best_epoch_4, "no training ends in the state"},
    {"a sum that is no number", sum_null, "no training ends in the state"},
    {"shape turned", shape_turned, "tensor encoder.0.weight is missing or not as"},
    {"shape flat", shape_flat, "tensor encoder.0.weight is missing or not as"},
    {"shape of reals", shape_reals, "tensor encoder.0.weight is missing or not as"},
    {"doubles", doubles, "tensor encoder.0.bias is missing or not as"},
    {"hole", hole, "tensor encoder.0.bias is missing or not as"},
    {"overlap", overlap, "tensor encoder.0.bias is missing or not as"},
    {"end before begin", backwards, "tensor encoder.0.bias is missing or not as"},
    {"negative offset", negative, "tensor encoder.0.weight is missing or not as"},
    {"offsets beyond the end", beyond_the_end, "tensor encoder.0.bias is missing or not as"},
    {"tensor is a number", not_an_object, "tensor encoder.0.bias is missing or not as"},
    {"tensor with more members", more_in_entry, "tensor encoder.0.bias is missing or not as"},
    {"extra tensor", extra_tensor, "tensors that its configuration does not"},
    {"missing tensor", missing_tensor, "tensor encoder.0.bias is missing or not as"},
    {"missing moment", missing_moment, "tensor adam.v.mu.weight is missing or not as"},
    {"renamed tensor", renamed_tensor, "tensor encoder.0.bias is missing or not as"},
    {"NaN in a weight", nan_weight, "not finite"},
    {"infinity in a bias", infinite_bias, "not finite"},
    {"NaN in a moment", nan_moment, "not finite"},
    {"a byte more", trailing_byte, "bytes of tensors (expected"},
    {"48 bytes more", trailing_bytes, "bytes of tensors (expected"},
    {"a value less", short_by_a_value, "too short for the network"},
};

static void test_crafted_contents_are_refused(void **state)
{
    (void)state;
    char model[PATH_MOST], path[PATH_MOST];
    trained_file(model);
    in_scratch(path, "crafted");
    for (size_t i = 0; i < sizeof crafted / sizeof *crafted; i++) {
        struct parts p = take_apart(model);
        crafted[i].edit(&p);
        put_together(&p, path);
        if (crafted[i].message) {
            assert_refused(crafted[i].name, path, crafted[i].message);
        } else {
            vae_model *loaded = load(path);
            vae_model_free(&loaded);
        }
    }
}

/* A prior that is refused for the shape of the network makes a bad file, not wrong use. */
static void test_prior_that_does_not_go_with_its_network_is_refused(void **state)
{
    char path[PATH_MOST];
    (void)state;
    vae_model *model = new_model("realnvp", "bernoulli");
    save(model, in_scratch(path, "crafted"));
    vae_model_free(&model);
    struct parts p = take_apart(path);
    latent_1(&p);
    put_together(&p, path);
    assert_refused("realnvp of one latent", path, "expected latent at least 2");
}

/* Tensors that have bounds: their moments have none. */
static void test_values_out_of_bounds_are_refused(void **state)
{
    static const struct {
        const char *prior, *tensor;
        float value;
        const char *message; /* NULL: must load */
    } cases[] = {
        {"vampprior:components=2", "prior.pseudo", 1.5F, "tensor prior.pseudo has the value 1.5 (expected 0 to 1)"},
        {"vampprior:components=2", "prior.pseudo", -1e-6F,
         "tensor prior.pseudo has the value -1e-06 (expected 0 to 1)"},
        {"vampprior:components=2", "prior.pseudo", 1, NULL},
        {"vampprior:components=2", "adam.m.prior.pseudo", -2, NULL},
        {"mixture:components=2", "prior.logsd", -3.5F, "tensor prior.logsd has the value -3.5 (expected -3 to inf)"},
        {"mixture:components=2", "prior.logsd", -3, NULL},
        {"mixture:components=2", "prior.logsd", 50, NULL},
        {"lars:draws=64", "prior.z", -0.5F, "tensor prior.z has the value -0.5 (expected 0 to 1)"},
        {"lars:draws=64", "prior.z", 2, "tensor prior.z has the value 2 (expected 0 to 1)"},
        {"lars:draws=64", "prior.z", 0, NULL},
    };
    char path[PATH_MOST];
    (void)state;
    in_scratch(path, "crafted");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        vae_model *model = new_model(cases[i].prior, "bernoulli");
        save(model, path);
        vae_model_free(&model);
        struct parts p = take_apart(path);
        set_value(&p, offset_of(&p, cases[i].tensor), cases[i].value);
        put_together(&p, path);
        if (cases[i].message) {
            assert_refused(cases[i].tensor, path, cases[i].message);
        } else {
            model = load(path);
            vae_model_free(&model);
        }
    }
}

/* Weights of a flow with 3 latents and 6 units, [out, in]: an x where one is, a point where it is masked. Unit k sees
 * the k/2 first latents, in the second block the last ones, and is seen by the others. */
static const struct {
    const char *tensor, *weights;
} masks[] = {
    {"posterior.0.latents.weight", "......x..x..xx.xx."}, {"posterior.0.m.weight", "xx....xxxx..xxxxxx"},
    {"posterior.0.s.weight", "xx....xxxx..xxxxxx"},       {"posterior.1.latents.weight", "........x..x.xx.xx"},
    {"posterior.1.m.weight", "xxxxxxxxxx..xx...."},       {"posterior.1.s.weight", "xxxxxxxxxx..xx...."},
};

static void check_masked_value(const char *file, const char *name, size_t k, bool is_there)
{
    char path[PATH_MOST];
    struct parts p = take_apart(file);
    const size_t at = (size_t)(find_values(&p, name, 18) - p.data) + 4 * k;
    if ((get_float(p.data + at) != 0) != is_there)
        fail_msg("%s: value %zu is %g", name, k, (double)get_float(p.data + at));
    set_value(&p, at, 1e-20F);
    put_together(&p, in_scratch(path, "crafted"));
    if (is_there) {
        vae_model *loaded = load(path);
        vae_model_free(&loaded);
    } else {
        assert_refused(name, path, "has values where its configuration allows none");
    }
}

/* After training masked weights and their moments are zero, others are not; a file that says otherwise is refused. */
static void test_masked_weights_are_zero(void **state)
{
    static const char *const prefix[] = {"", "adam.m.", "adam.v."};
    (void)state;
    char file[PATH_MOST], name[80];
    vae_model *model = flow_model();
    train(model, NULL);
    save(model, in_scratch(file, "flow"));
    vae_model_free(&model);
    for (size_t i = 0; i < sizeof masks / sizeof *masks; i++)
        for (size_t block = 0; block < 3; block++)
            for (size_t k = block; k < 18; k += 3) {
                snprintf(name, sizeof name, "%s%s", prefix[block], masks[i].tensor);
                check_masked_value(file, name, k, masks[i].weights[k] == 'x');
            }
}

/* A host cannot give them values either. */
static void test_masked_weights_cannot_be_written(void **state)
{
    (void)state;
    vae_model *model = flow_model();
    float values[18], back[18];
    vae_tensor tensor;
    size_t checked = 0;
    for (size_t k = 0; k < 18; k++) values[k] = 7;
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++)
        for (size_t mask = 0; mask < sizeof masks / sizeof *masks; mask++) {
            if (strcmp(tensor.name, masks[mask].tensor)) continue;
            vae_model_write(model, i, values);
            vae_model_read(model, i, back);
            for (size_t k = 0; k < 18; k++) assert_true(back[k] == (masks[mask].weights[k] == 'x' ? 7 : 0));
            checked++;
        }
    assert_int_equal(checked, sizeof masks / sizeof *masks);
    vae_model_free(&model);
}

/* Settings each of which is one, but of which together no model can be made. */
static void test_contradicting_settings_are_refused(void **state)
{
    (void)state;
    char file[PATH_MOST], path[PATH_MOST];
    vae_model *model = flow_model();
    save(model, in_scratch(file, "flow"));
    vae_model_free(&model);
    struct parts p = take_apart(file);
    set_setting(&p, "prior", json_string("vampprior:components=3"));
    put_together(&p, in_scratch(path, "crafted"));
    assert_refused("pseudo-inputs with a flow", path, "pseudo-inputs");
    model = trained_conditional_model();
    save(model, file);
    vae_model_free(&model);
    p = take_apart(file);
    set_setting(&p, "prior", json_string("vampprior:components=3"));
    put_together(&p, path);
    assert_refused("pseudo-inputs with labels", path, "pseudo-inputs of prior vampprior have no labels");
}

/* The configuration alone says how many classes there are. */
static void test_other_numbers_of_classes_are_refused(void **state)
{
    static const struct {
        const char *json, *message; /* json NULL: the setting is missing */
    } known[] = {
        {NULL, "tensor encoder.0.weight is missing or not as"},
        {"0", "tensor encoder.0.weight is missing or not as"},
        {"2", "tensor encoder.0.weight is missing or not as"},
        {"4", "too short for the network"},
        {"256", "too short for the network"},
        {"257", "conditional: 257 is out of range (expected 0 to 256)"},
        {"-1", "conditional: '-1' is not a whole number"},
        {"true", "neither text nor number"},
    };
    (void)state;
    char model_path[PATH_MOST], path[PATH_MOST];
    vae_model *model = trained_conditional_model();
    save(model, in_scratch(model_path, "conditional"));
    vae_model_free(&model);
    in_scratch(path, "crafted");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct parts p = take_apart(model_path);
        assert_int_equal(json_integer_value(json_object_get(p.config, "conditional")), 3);
        if (known[i].json)
            set_setting(&p, "conditional", json_loads(known[i].json, JSON_DECODE_ANY, NULL));
        else
            json_object_del(p.config, "conditional");
        put_together(&p, path);
        assert_refused(known[i].json ? known[i].json : "missing", path, known[i].message);
    }
}

/* Whatever was announced as the header's size. */
static void test_crafted_header_sizes_are_refused(void **state)
{
    (void)state;
    char path[PATH_MOST], what[64];
    size_t size;
    uint8_t *file = get_file(trained_file(path), &size);
    const uint64_t right = header_size(file);
    const uint64_t sizes[] = {0,
                              1,
                              right - 1,
                              right + 1,
                              size - 8,
                              size - 7,
                              size,
                              1u << 20,
                              1u << 31,
                              1u << 30,
                              UINT64_C(1) << 32,
                              UINT64_C(1) << 63,
                              UINT64_MAX,
                              UINT64_MAX - 7,
                              UINT64_MAX - 8,
                              right | UINT64_C(1) << 32};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t k = 0; k < 8; k++) file[k] = (uint8_t)(sizes[i] >> 8 * k);
        put_file(path, file, size);
        snprintf(what, sizeof what, "header of %llu bytes", (unsigned long long)sizes[i]);
        assert_refused(what, path, sizes[i] > size - 8 ? "not a safetensors file" : "");
    }
    free(file);
}

static void test_other_files_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message;
    } headers[] = {
        {"not JSON", "{this is not JSON at all}", "not valid JSON"},
        {"empty object", "{}      ", "not one that vaectl wrote"},
        {"list", "[]      ", "not a safetensors file"},
        {"space before", " {}     ", "not a safetensors file"},
        {"more after", "{}     x", "not valid JSON"},
        {"bad UTF-8", "{\"\xff\":1}    ", "not valid JSON"},
        {"NUL in a key", "{\"a\\u0000b\":1}", "not valid JSON"},
        {"control character", "{\"a\tb\":1}  ", "not valid JSON"},
        {"duplicate key", "{\"a\":1,\"a\":1}", "not valid JSON"},
        {"huge number", "{\"a\":1e999}", "not valid JSON"},
        {"huge integer", "{\"a\":99999999999999999999}", "not valid JSON"},
    };
    char path[PATH_MOST];
    in_scratch(path, "other");
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        const uint8_t body[16] = {0};
        put_parts(path, headers[i].text, strlen(headers[i].text), body, sizeof body);
        assert_refused(headers[i].name, path, headers[i].message);
    }
    static const char *const others[] = {"PK\3\4 a PyTorch archive, say, of some size", "GGUF\3 and so on and so on",
                                         "\x80\2}q\1. a pickle of some kind", "<!DOCTYPE html><title>404</title>"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        put_file(path, others[i], strlen(others[i]));
        assert_refused(others[i], path, "not a safetensors file");
    }
}

static void test_deep_and_wide_headers_are_refused(void **state)
{
    (void)state;
    enum { DEEP = 100000, WIDE = 8 << 20 };
    char path[PATH_MOST];
    char *text = malloc(WIDE);
    assert_non_null(text);
    memset(text, '[', DEEP);
    memcpy(text, "{\"a\":", 5);
    put_parts(in_scratch(path, "deep"), text, DEEP, NULL, 0);
    assert_refused("deep", path, "not valid JSON");
    memset(text, ' ', WIDE);
    memcpy(text, "{}", 2);
    put_parts(in_scratch(path, "wide"), text, WIDE, NULL, 0);
    assert_refused("wide", path, "not a safetensors file");
    free(text);
}

static void test_not_regular_files_are_refused(void **state)
{
    (void)state;
    char path[PATH_MOST], below[PATH_MOST];
    assert_int_equal(mkfifo(in_scratch(path, "fifo"), 0600), 0);
    assert_refused("FIFO", path, "not a regular file");
    assert_refused("folder", scratch, "not a regular file");
    assert_refused("device", "/dev/zero", "not a regular file");
    assert_refused("missing", in_scratch(path, "missing"), "No such file");
    trained_file(path);
    assert_refused("below a file", in_scratch(below, "model/model"), "Not a directory");
}

/* Of a terabyte, nearly all of which is a hole: the header tells that before anything of that size is asked for. */
static void test_a_long_tail_takes_no_memory(void **state)
{
    (void)state;
    char path[PATH_MOST];
    trained_file(path);
    if (truncate(path, (off_t)1 << 40)) skip();
    assert_refused("a terabyte", path, "bytes of tensors (expected");
}

/* ---- Writing that fails ----------------------------------------------------------------------------------------- */

static void test_values_that_are_not_finite_are_not_saved(void **state)
{
    (void)state;
    const float bad[] = {(float)NAN, (float)INFINITY, -(float)INFINITY};
    char path[PATH_MOST], copy[PATH_MOST];
    vae_model *model = trained_model();
    vae_tensor t;
    float values[64];
    save(model, in_scratch(path, "model"));
    save(model, in_scratch(copy, "copy"));
    for (size_t i = 0; vae_model_tensor(model, i, &t); i++) {
        vae_error err = {0};
        vae_model_read(model, i, values);
        const float good = values[t.count - 1];
        values[t.count - 1] = bad[i % 3];
        vae_model_write(model, i, values);
        assert_int_equal(vae_model_save(model, path, &err), VAE_E_DIVERGED);
        assert_non_null(strstr(err.message, path));
        values[t.count - 1] = good;
        vae_model_write(model, i, values);
    }
    assert_same_file(path, copy);
    assert_int_equal(scratch_entries(), 2);
    vae_model_free(&model);
}

static void test_moments_that_are_not_finite_are_not_saved(void **state)
{
    (void)state;
    char path[PATH_MOST];
    vae_model *model = trained_model();
    real *const moments[] = {model->adam.m, model->adam.v};
    for (size_t i = 0; i < 2; i++) {
        const real good = moments[i][0];
        moments[i][0] = R(NAN);
        assert_int_equal(vae_model_save(model, in_scratch(path, "model"), NULL), VAE_E_DIVERGED);
        assert_int_equal(scratch_entries(), 0);
        moments[i][0] = good;
    }
    save(model, path);
    vae_model_free(&model);
}

static void assert_not_written(const vae_model *model, const char *path, const char *part)
{
    vae_error err = {0};
    const size_t entries = scratch_entries();
    assert_int_equal(vae_model_save(model, path, &err), VAE_E_WRITE);
    if (strncmp(err.message, path, strlen(path)) || !strstr(err.message, part))
        fail_msg("message is '%s' (expected '%s...%s')", err.message, path, part);
    assert_int_equal(scratch_entries(), entries);
}

static void test_places_that_cannot_be_written(void **state)
{
    (void)state;
    char path[PATH_MOST];
    vae_model *model = trained_model();
    assert_not_written(model, in_scratch(path, "missing/model"), "No such file");
    put_file(in_scratch(path, "file"), "", 0);
    assert_not_written(model, in_scratch(path, "file/model"), "Not a directory");
    assert_int_equal(mkdir(in_scratch(path, "folder"), 0700), 0);
    assert_not_written(model, path, "Is a directory");
    vae_model_free(&model);
}

/* Files may have no more than `limit` bytes until it is lifted: what a full disk looks like to write(). */
static void test_full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    char path[PATH_MOST], copy[PATH_MOST];
    struct rlimit old;
    vae_model *model = trained_model();
    save(model, in_scratch(path, "model"));
    save(model, in_scratch(copy, "copy"));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    void (*handler)(int) = signal(SIGXFSZ, SIG_IGN);
    for (rlim_t limit = 0; limit < 4000; limit += 500) {
        vae_error err = {0};
        struct rlimit low = {.rlim_cur = limit, .rlim_max = old.rlim_max};
        setrlimit(RLIMIT_FSIZE, &low);
        vae_status status = vae_model_save(model, path, &err);
        setrlimit(RLIMIT_FSIZE, &old); /* before anything is printed */
        assert_int_equal(status, VAE_E_WRITE);
        assert_non_null(strstr(err.message, "File too large"));
        assert_same_file(path, copy);
        assert_int_equal(scratch_entries(), 2);
    }
    signal(SIGXFSZ, handler);
    vae_model_free(&model);
}

/* The name is replaced, not the bytes behind it: a link elsewhere stays as it was. */
static void test_saving_replaces_the_name(void **state)
{
    (void)state;
    char target[PATH_MOST], link_path[PATH_MOST];
    struct stat info;
    vae_model *model = trained_model();
    put_file(in_scratch(target, "target"), "precious", 8);
    assert_int_equal(symlink(target, in_scratch(link_path, "link")), 0);
    save(model, link_path);
    assert_int_equal(lstat(link_path, &info), 0);
    assert_true(S_ISREG(info.st_mode));
    assert_int_equal(stat(target, &info), 0);
    assert_int_equal(info.st_size, 8);
    vae_model_free(&model);
}

/* The longest header there is. */
static void test_most_latents(void **state)
{
    char path[PATH_MOST];
    vae_config config;
    vae_model *model = NULL;
    (void)state;
    vae_config_defaults(&config);
    set(&config, "latent", "65536");
    set(&config, "hidden", "1");
    assert_int_equal(vae_model_new(&model, &config, 1, 1, NULL), VAE_OK);
    for (size_t j = 0; j < model->L; j++) model->training.kl_per_dim[j] = -1.2345678901234567e-100;
    save(model, in_scratch(path, "wide"));
    vae_model *again = load(path);
    assert_memory_equal(again->training.kl_per_dim, model->training.kl_per_dim,
                        model->L * sizeof *model->training.kl_per_dim);
    vae_model_free(&again);
    vae_model_free(&model);
}

/* Makes a locale that writes 0,5 for 0.5, and changes to it; false where the system has not what that needs. */
static bool speak_german(void)
{
    char command[2 * PATH_MOST];
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 '%s/de_DE.UTF-8' 2>/dev/null", scratch);
    return !system(command) && !setenv("LOCPATH", scratch, 1) && setlocale(LC_ALL, "de_DE.UTF-8");
}

static void test_numbers_have_a_point_in_every_locale(void **state)
{
    char path[PATH_MOST], command[2 * PATH_MOST], text[VAE_MAX_SOURCE];
    (void)state;
    vae_model *model = trained_model();
    save(model, in_scratch(path, "model"));
    const bool german = speak_german();
    if (german) {
        snprintf(text, sizeof text, "%.1f", 0.5);
        assert_string_equal(text, "0,5");
        vae_model *again = load(path), *fresh = trained_model();
        assert_same_config(vae_model_config(again), vae_model_config(model));
        assert_same_metrics(fresh, model);
        save(fresh, path);
        setlocale(LC_ALL, "C");
        vae_model *back = load(path);
        assert_same_config(vae_model_config(back), vae_model_config(model));
        assert_same_metrics(back, model);
        vae_model_free(&again);
        vae_model_free(&fresh);
        vae_model_free(&back);
    }
    vae_model_free(&model);
    snprintf(command, sizeof command, "rm -rf '%s/de_DE.UTF-8'", scratch);
    assert_int_equal(system(command), 0);
    if (!german) skip();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_scratch, remove_scratch)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_round_trip_of_every_prior_and_likelihood),
        TEST(test_round_trip_of_every_sigma),
        TEST(test_round_trip_of_a_flow),
        TEST(test_round_trip_before_training),
        TEST(test_round_trip_of_unusual_settings),
        TEST(test_round_trip_of_a_conditional_model),
        TEST(test_training_continues_from_a_file),
        TEST(test_layout_is_that_of_safetensors),
        TEST(test_checksum_is_a_crc_32_of_the_file),
        TEST(test_file_has_every_tensor_and_its_moments),
        TEST(test_every_cut_is_refused),
        TEST(test_flipped_bits_are_refused),
        TEST(test_every_flip_in_tensors_is_refused),
        TEST(test_crafted_contents_are_refused),
        TEST(test_prior_that_does_not_go_with_its_network_is_refused),
        TEST(test_values_out_of_bounds_are_refused),
        TEST(test_masked_weights_are_zero),
        TEST(test_masked_weights_cannot_be_written),
        TEST(test_contradicting_settings_are_refused),
        TEST(test_other_numbers_of_classes_are_refused),
        TEST(test_crafted_header_sizes_are_refused),
        TEST(test_other_files_are_refused),
        TEST(test_deep_and_wide_headers_are_refused),
        TEST(test_not_regular_files_are_refused),
        TEST(test_a_long_tail_takes_no_memory),
        TEST(test_values_that_are_not_finite_are_not_saved),
        TEST(test_moments_that_are_not_finite_are_not_saved),
        TEST(test_places_that_cannot_be_written),
        TEST(test_full_disk_leaves_the_old_file),
        TEST(test_saving_replaces_the_name),
        TEST(test_most_latents),
        TEST(test_numbers_have_a_point_in_every_locale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
