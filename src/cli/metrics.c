/* SPDX-License-Identifier: MIT */
#include "cli/metrics.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"

enum { MOST_BYTES = 64 << 20 };

/* Is there a column for it? */
static bool is_column(const struct metrics *metrics, const vae_metric *metric)
{
    return metric->where == VAE_M_IF_VALIDATED ? metrics->validates : metric->where != VAE_M_STATE;
}

vae_status metrics_open(struct metrics *metrics, const char *path, bool validates, vae_error *err)
{
    *metrics = (struct metrics){.path = path, .validates = validates};
    vae_status status = text_begin(&metrics->rows, err);
    if (status) return status;
    const vae_metric *metric;
    for (size_t i = 0; (metric = vae_metric_at(i)); i++)
        if (is_column(metrics, metric)) fprintf(metrics->rows.to, "%s%s", metrics->columns++ ? "," : "", metric->name);
    fputc('\n', metrics->rows.to);
    return VAE_OK;
}

void metrics_close(struct metrics *metrics)
{
    if (metrics->rows.to) text_drop(&metrics->rows);
}

/* Is it as metrics_add writes them: so many numbers, commas between them, and the end of a line? */
static bool is_row(const char *line, size_t fields)
{
    for (; fields > 0; fields--) {
        char *end;
        strtod(line, &end);
        if (end == line || isspace((unsigned char)*line) || *end != (fields > 1 ? ',' : '\n')) return false;
        line = end + 1;
    }
    return *line == '\0';
}

/* Rows of `fit` have no loss of a training; earlier epochs are those of another run. */
static bool is_of_fit(const char *line)
{
    for (size_t commas = 0; commas < 3; commas++) line = strchr(line, ',') + 1; /* epoch, step and seconds */
    return isnan(strtod(line, NULL));
}

/* NULL where there is none; no pipe, on which opening would wait. */
static vae_status open_rows(const char *path, FILE **file, vae_error *err)
{
    struct stat info;
    *file = NULL;
    errno = 0;
    int fd;
    RETRY(fd, open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd < 0 && errno == ENOENT) return VAE_OK;
    const bool is_file = fd >= 0 && !fstat(fd, &info) && S_ISREG(info.st_mode);
    if (is_file && info.st_size > MOST_BYTES) {
        close(fd);
        return vae_fail(err, VAE_E_MODEL, "%s: larger than %d MB (expected the metrics of a run)", path,
                        MOST_BYTES >> 20);
    }
    if (is_file && (*file = fdopen(fd, "r"))) return VAE_OK;
    const vae_status why = run_errno(VAE_E_MODEL);
    vae_fail(err, why, "%s: cannot read: %s (without that file the run goes on, but its earlier rows are lost)", path,
             fd < 0 || why == VAE_E_MEMORY ? strerror(errno) : "not a regular file");
    if (fd >= 0) close(fd);
    return why;
}

vae_status metrics_keep(struct metrics *metrics, uint64_t epochs, vae_error *err)
{
    FILE *file;
    char *line = NULL;
    size_t room = 0;
    uint64_t last = 0, kept = 0, before = 0; /* epochs before a fit, which have no rows */
    vae_status status = open_rows(metrics->path, &file, err);
    while (file && getline(&line, &room, file) > 0) {
        const uint64_t epoch = strtoull(line, NULL, 10); /* 0: the header */
        if (epoch <= last || epoch > epochs || !is_row(line, metrics->columns)) continue;
        if (!kept && is_of_fit(line)) before = epoch - 1;
        fputs(line, metrics->rows.to);
        last = epoch;
        kept++;
    }
    if (file && !feof(file)) /* also where there is no memory for a line */
        status = vae_fail(err, run_errno(VAE_E_MODEL), "%s: cannot read: %s", metrics->path, strerror(errno));
    free(line);
    if (file) fclose(file);
    if (!status && kept + before < epochs)
        run_say("%s: %llu of %llu earlier epochs are missing or damaged; the rest is kept", metrics->path,
                (unsigned long long)(epochs - before - kept), (unsigned long long)(epochs - before));
    return status;
}

void metrics_add(struct metrics *metrics, const vae_metrics *row)
{
    const vae_metric *metric;
    for (size_t i = 0; (metric = vae_metric_at(i)); i++) {
        const char *at = (const char *)row + metric->offset;
        if (!is_column(metrics, metric)) continue;
        if (i) fputc(',', metrics->rows.to);
        if (metric->count)
            fprintf(metrics->rows.to, "%llu", (unsigned long long)*(const uint64_t *)(const void *)at);
        else /* seconds to the millisecond, losses to a millionth of a nat */
            fprintf(metrics->rows.to, "%.*f", metric->where == VAE_M_COLUMN_ONLY ? 3 : 6,
                    *(const double *)(const void *)at);
    }
    fputc('\n', metrics->rows.to);
}

vae_status metrics_write(struct metrics *metrics, const char *path, vae_error *err)
{
    vae_status status = text_flush(&metrics->rows, err);
    return status ? status : vae_write_file(path, metrics->rows.bytes, metrics->rows.size, err);
}

/* ---- Reading ----------------------------------------------------------------------------------------------------- */

enum { MOST_COLUMNS = 32 };

/* The metrics that the header's columns are, NULL for those that are none; how many columns there are. */
static size_t read_header(char *line, const vae_metric *column[MOST_COLUMNS])
{
    size_t n = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *name = strtok(line, ","); name && n < MOST_COLUMNS; name = strtok(NULL, ","), n++)
        for (size_t i = 0; (column[n] = vae_metric_at(i)) && strcmp(column[n]->name, name);) i++;
    return n;
}

static vae_metrics row_of(const char *line, const vae_metric *const *column, size_t columns)
{
    vae_metrics row;
    const vae_metric *metric;
    memset(&row, 0, sizeof row);
    for (size_t i = 0; (metric = vae_metric_at(i)); i++)
        if (!metric->count) *(double *)(void *)((char *)&row + metric->offset) = NAN;
    for (size_t i = 0; i < columns; i++) {
        char *end;
        const double value = strtod(line, &end);
        void *at = column[i] ? (char *)&row + column[i]->offset : NULL;
        if (at && column[i]->count)
            *(uint64_t *)at = value >= 0 && value < 1e15 ? (uint64_t)value : 0;
        else if (at)
            *(double *)at = value;
        line = end + 1;
    }
    return row;
}

static vae_status add_row(vae_metrics **rows, size_t *n, vae_metrics row, vae_error *err)
{
    if (row.epoch == 0 || (*n && row.epoch <= (*rows)[*n - 1].epoch)) return VAE_OK;
    if ((*n & (*n - 1)) == 0) { /* doubles its room at 1, 2, 4, 8 */
        vae_metrics *more = realloc(*rows, (*n ? 2 * *n : 1) * sizeof **rows);
        if (!more) return vae_fail(err, VAE_E_MEMORY, "out of memory for %zu epochs", *n);
        *rows = more;
    }
    (*rows)[(*n)++] = row;
    return VAE_OK;
}

vae_status metrics_read(const char *path, vae_metrics **rows, size_t *n, vae_error *err)
{
    const vae_metric *column[MOST_COLUMNS];
    size_t columns = 0, room = 0;
    char *line = NULL;
    FILE *file;
    *rows = NULL;
    *n = 0;
    vae_status status = open_rows(path, &file, err);
    if (file && getline(&line, &room, file) > 0) columns = read_header(line, column);
    while (!status && file && columns && getline(&line, &room, file) > 0)
        if (is_row(line, columns)) status = add_row(rows, n, row_of(line, column, columns), err);
    if (!status && file && !feof(file) && (columns || !line))
        status = vae_fail(err, run_errno(VAE_E_MODEL), "%s: cannot read: %s", path, strerror(errno));
    free(line);
    if (file) fclose(file);
    return status;
}

const char *const metrics_curves[METRICS_CURVES] = {"-ELBO", "reconstruction", "KL"};

void metrics_losses(const vae_metrics *row, size_t curve, double *train, double *test)
{
    const double of_train[METRICS_CURVES] = {row->train_recon + row->train_kl, row->train_recon, row->train_kl};
    const double of_test[METRICS_CURVES] = {row->test_neg_elbo, row->test_recon, row->test_kl};
    *train = of_train[curve];
    *test = of_test[curve];
}
