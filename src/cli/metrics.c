/* SPDX-License-Identifier: MIT */
#include "cli/metrics.h"

#include <stdlib.h>
#include <string.h>

vae_status metrics_open(struct metrics *metrics, const char *path, bool validates, vae_error *err)
{
    *metrics = (struct metrics){.path = path, .validates = validates};
    metrics->rows = open_memstream(&metrics->text, &metrics->size);
    if (!metrics->rows) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    fprintf(metrics->rows,
            "epoch,step,seconds,train_loss,train_recon,train_kl,test_recon,test_kl,test_neg_elbo,active_units%s\n",
            validates ? ",validation_loss" : "");
    return VAE_OK;
}

void metrics_close(struct metrics *metrics)
{
    if (metrics->rows) fclose(metrics->rows);
    free(metrics->text);
}

void metrics_keep(struct metrics *metrics, uint64_t epochs)
{
    FILE *file = fopen(metrics->path, "r");
    char *line = NULL;
    size_t room = 0;
    uint64_t last = 0, kept = 0;
    while (file && getline(&line, &room, file) > 0) {
        const uint64_t epoch = strtoull(line, NULL, 10); /* 0: the header */
        if (!strchr(line, '\n') || epoch <= last || epoch > epochs) continue;
        fputs(line, metrics->rows);
        last = epoch;
        kept++;
    }
    free(line);
    if (file) fclose(file);
    if (kept < epochs)
        fprintf(stderr, "vaectl: %s: %llu of %llu earlier epochs are missing or damaged; the rest is kept\n",
                metrics->path, (unsigned long long)(epochs - kept), (unsigned long long)epochs);
}

void metrics_add(struct metrics *metrics, const vae_metrics *row)
{
    fprintf(metrics->rows, "%llu,%llu,%.3f,%.6f,%.6f,%.6f,%.6f,%.6f,%.6f,%llu", (unsigned long long)row->epoch,
            (unsigned long long)row->step, row->seconds, row->train_loss, row->train_recon, row->train_kl,
            row->test_recon, row->test_kl, row->test_neg_elbo, (unsigned long long)row->active_units);
    if (metrics->validates) fprintf(metrics->rows, ",%.6f", row->validation_loss);
    fputc('\n', metrics->rows);
}

vae_status metrics_write(struct metrics *metrics, vae_error *err)
{
    if (fflush(metrics->rows) || ferror(metrics->rows)) return vae_fail(err, VAE_E_MEMORY, "out of memory");
    return vae_write_file(metrics->path, metrics->text, metrics->size, err);
}
