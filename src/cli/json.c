/* SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    char *ascii = value ? NULL : strdup(text);
    for (char *c = ascii; c && *c; c++)
        if ((unsigned char)*c > 127) *c = '?';
    if (ascii) value = json_string(ascii);
    free(ascii);
    return value;
}

/* Without a buffer: json_dumps of jansson 2.14 leaves words out where its buffer cannot grow. What stdout refuses, main
 * reports. */
vae_status json_print(json_t *object, size_t jansson_flags, vae_error *err)
{
    const bool done = object && !json_dumpf(object, stdout, jansson_flags);
    json_decref(object);
    if (!done && !ferror(stdout)) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    putchar('\n');
    return VAE_OK;
}
