/* SPDX-License-Identifier: MIT
 *
 * Model files, and the configuration in them. */
#define _GNU_SOURCE /* memmem */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "fuzz/memory.h"
#include "fuzz/targets.h"
#include "model/config.h"

/* ---- Model files ------------------------------------------------------------------------------------------------ */

/* What is loaded is finite, and the same when it is saved and loaded again. */
static void check_model(vae_model *model)
{
    vae_model *again = NULL;
    vae_tensor tensor;
    vae_error err = {0};
    size_t size, size_again;
    HOLDS(!vae_model_save(model, MEMORY "/saved", &err));
    uint8_t *saved = memory_take(&size);
    HOLDS(!vae_model_load(&again, only_file(saved, size), &err));
    HOLDS(!vae_model_save(again, MEMORY "/saved", &err));
    uint8_t *saved_again = memory_take(&size_again);
    HOLDS(size == size_again && !memcmp(saved, saved_again, size));
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++) {
        float *values = malloc(tensor.count * sizeof *values);
        HOLDS(values);
        vae_model_read(model, i, values);
        for (size_t k = 0; k < tensor.count; k++) HOLDS(isfinite(values[k]));
        free(values);
    }
    vae_model_free(&again);
    memory_clear();
    free(saved);
    free(saved_again);
}

static bool load(const uint8_t *bytes, size_t size, vae_error *err)
{
    vae_model *model = NULL;
    const vae_status status = vae_model_load(&model, only_file(bytes, size), err);
    HOLDS(!status == (model != NULL));
    if (status)
        check_refusal(status, "5", err);
    else
        check_model(model);
    vae_model_free(&model);
    return !status;
}

/* The checksum that the loader says to have computed goes to where it looks for it; false where it says none. */
static bool repair(uint8_t *bytes, size_t size, const char *message)
{
    static const char field[] = "\"vaectl.crc32\":\"", is[] = "CRC-32 is ";
    enum { DIGITS = 8 };
    const char *right = strstr(message, is);
    uint8_t *at = memmem(bytes, size, field, sizeof field - 1);
    if (!right || !at || size - (size_t)(at - bytes) < sizeof field + DIGITS) return false;
    memcpy(at + sizeof field - 1, right + sizeof is - 1, DIGITS);
    return true;
}

/* As it is, and with a right checksum, without which nothing of a changed file would be read. */
void fuzz_model(const uint8_t *bytes, size_t size)
{
    vae_error err = {0};
    if (load(bytes, size, &err)) return;
    uint8_t *repaired = malloc(size + 1);
    HOLDS(repaired);
    if (size) memcpy(repaired, bytes, size);
    if (repair(repaired, size, err.message)) load(repaired, size, &err);
    memory_clear();
    free(repaired);
}

/* ---- Configurations --------------------------------------------------------------------------------------------- */

static bool same_text(const json_t *a, const json_t *b)
{
    char *text = json_dumps(a, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    char *other = json_dumps(b, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    const bool same = text && other && !strcmp(text, other);
    free(text);
    free(other);
    return same;
}

/* JSON, as a model file has it. What is taken is the same when it is written and read again. */
void fuzz_config(const uint8_t *bytes, size_t size)
{
    vae_config config, again;
    vae_error err = {0};
    json_t *object = json_loadb((const char *)bytes, size, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(object)) {
        const vae_status status = config_from_json(&config, object, &err);
        if (status) {
            check_refusal(status, "25", &err);
        } else {
            json_t *written = config_to_json(&config);
            HOLDS(written && !config_from_json(&again, written, &err));
            json_t *written_again = config_to_json(&again);
            HOLDS(same_text(written, written_again));
            json_decref(written);
            json_decref(written_again);
        }
    }
    json_decref(object);
}

/* ---- Model files to begin with ---------------------------------------------------------------------------------- */

/* Settings of small models that together have each kind of tensor. */
static const char *const seeds[][8] = {
    {"hidden", "1"},
    {"hidden", "2,1", "prior", "spikeslab:p=0.8,c2=0.05", "likelihood", "gaussian:sigma=learned"},
    {"hidden", "1", "prior", "cauchy", "posterior", "cauchy"},
    {"hidden", "1", "latent", "2", "posterior", "iaf", "conditional", "2"},
    {"hidden", "1", "prior", "vampprior:components=2", "likelihood", "gaussian:sigma=per-pixel"},
    {"hidden", "1", "latent", "2", "prior", "realnvp:blocks=2,width=1,layers=1"},
    {"hidden", "1", "prior", "lars:width=1,layers=1"},
};

uint8_t *model_seed(size_t i, size_t *size)
{
    vae_config config;
    vae_model *model = NULL;
    vae_error err = {0};
    if (i == sizeof seeds / sizeof *seeds) return NULL;
    vae_config_defaults(&config);
    HOLDS(!vae_config_set(&config, "latent", "1", &err));
    for (size_t k = 0; k < 8 && seeds[i][k]; k += 2) {
        if (vae_config_set(&config, seeds[i][k], seeds[i][k + 1], &err)) fprintf(stderr, "%s\n", err.message);
        HOLDS(!err.status);
    }
    if (vae_model_new(&model, &config, 1, 2, &err)) fprintf(stderr, "%s\n", err.message);
    HOLDS(model && !vae_model_save(model, MEMORY "/seed", &err));
    vae_model_free(&model);
    return memory_take(size);
}
