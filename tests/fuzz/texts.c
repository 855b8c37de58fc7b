/* SPDX-License-Identifier: MIT
 *
 * What commands find beside a model: metrics.csv and evaluations.json. Anyone may have written into them. */
#include <string.h>

#include "cli/compare_evaluate.c" /* its readers are nobody else's */
#include "cli/metrics.h"
#include "fuzz/memory.h"
#include "fuzz/targets.h"

/* A metrics.csv as commands read it, and as a training that goes on keeps it. */
void fuzz_metrics(const uint8_t *bytes, size_t size)
{
    struct metrics metrics;
    vae_metrics *rows = NULL;
    size_t n = 0;
    uint64_t last = 0;
    vae_error err = {0};
    HOLDS(!metrics_read(only_file(bytes, size), &rows, &n, &err));
    for (size_t i = 0; i < n; last = rows[i++].epoch) HOLDS(rows[i].epoch > last);
    free(rows);
    HOLDS(!metrics_open(&metrics, MEMORY "/file", size % 2, &err));
    HOLDS(!metrics_keep(&metrics, size, &err));
    HOLDS(!text_flush(&metrics.rows, NULL) && metrics.rows.size && metrics.rows.bytes[metrics.rows.size - 1] == '\n');
    metrics_close(&metrics);
    memory_clear();
}

/* What is asked for is what the first entry says that it is of. */
void fuzz_evaluations(const uint8_t *bytes, size_t size)
{
    enum { IMAGES = 2 };
    vae_images images = {.n = IMAGES};
    struct run run = {.images = 1};
    struct subject subject = {.run = &run, .images = &images, .crc = 1};
    vae_error err = {0};
    snprintf(subject.cache, sizeof subject.cache, "%s", only_file(bytes, size));
    json_t *known = NULL;
    HOLDS(!read_known(&subject, &known, &err));
    for (int nll = 0; nll <= 1; nll++) {
        const json_t *of = json_object_get(json_array_get(known, 0), "of");
        const json_t *values = of ? find_known(known, of, IMAGES, nll) : NULL;
        if (!values) continue;
        HOLDS(json_array_size(json_object_get(values, LOSSES)) == IMAGES);
        HOLDS(!take_values(&subject, values, &err));
    }
    if (json_array_size(known)) HOLDS(!write_known(&subject, known, &err));
    json_decref(known);
    free(run.image_loss);
    memory_clear();
}
