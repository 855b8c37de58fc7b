/* SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* jansson has one allocator for the process. */
static bool lacks_memory, is_reading;
static jmp_buf reading;

static void *allocate(size_t size)
{
    void *memory = malloc(size);
    if (memory) return memory;
    lacks_memory = true;
    if (is_reading) longjmp(reading, 1);
    return NULL;
}

void json_begin(void) { json_set_alloc_funcs(allocate, free); }

bool json_lacks_memory(void) { return lacks_memory; }

/* jansson 2.14 loses letters and digits where allocations fail while it reads, and may abort. So it is left at the
 * first one: what it had by then is lost, as the command has to end. */
json_t *json_read(FILE *file)
{
    json_t *value = NULL;
    is_reading = true;
    if (!setjmp(reading)) value = json_loadf(file, JSON_REJECT_DUPLICATES, NULL);
    is_reading = false;
    return lacks_memory ? NULL : value;
}

json_t *json_finite(double value) { return isfinite(value) ? json_real(value) : json_null(); }

void json_add_metrics(json_t *object, const vae_metrics *metrics)
{
    const vae_metric *metric;
    for (size_t i = 0; (metric = vae_metric_at(i)); i++) {
        const char *at = (const char *)metrics + metric->offset;
        if (metric->where == VAE_M_COLUMN_ONLY) continue;
        json_object_set_new(object, metric->name,
                            metric->count ? json_integer((json_int_t) * (const uint64_t *)(const void *)at)
                                          : json_finite(*(const double *)(const void *)at));
    }
}

/* Bytes beyond ASCII as \\xHH, and a backslash as two, so that the name can be had back. */
static json_t *escaped_text(const char *text)
{
    char *escaped = allocate(4 * strlen(text) + 1), *to = escaped;
    if (!escaped) return NULL;
    for (*to = '\0'; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        to += sprintf(to, c > 127 ? "\\x%02x" : c == '\\' ? "\\\\" : "%c", c);
    }
    json_t *value = json_string(escaped);
    free(escaped);
    return value;
}

json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    return value || lacks_memory ? value : escaped_text(text);
}

/* What stdout refuses, main reports. */
vae_status json_print(json_t *object, size_t jansson_flags, vae_error *err)
{
    char *text = object && !lacks_memory ? json_dumps(object, jansson_flags) : NULL;
    json_decref(object);
    if (lacks_memory || !text) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    puts(text);
    free(text);
    return VAE_OK;
}
