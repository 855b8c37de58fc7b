/* SPDX-License-Identifier: MIT
 *
 * The command `report`: measures runs and fills the page. */
#include "cli/report.h"

#include <stdlib.h>
#include <string.h>

#include "cli/array.h"
#include "cli/outputs.h"
#include "cli/shell.h"

/* Runs side by side, and bytes of a page: what it takes without explorers leaves so many for them. */
enum { MOST_RUNS = 8, PAGE_BYTES = 2000000 };

/* ---- The page ---------------------------------------------------------------------------------------------------- */

static void put_lines(FILE *out, const char *const *line)
{
    for (; *line; line++) fputs(*line, out);
}

static vae_status write_style(FILE *out, struct report *report, vae_error *err)
{
    (void)report, (void)err;
    put_lines(out, report_css);
    return VAE_OK;
}

static vae_status write_script(FILE *out, struct report *report, vae_error *err)
{
    (void)report, (void)err;
    put_lines(out, report_js);
    return VAE_OK;
}

/* Nothing is fetched from anywhere; pictures are in the page, and the one script that runs is known by its hash. */
static vae_status write_policy(FILE *out, struct report *report, vae_error *err)
{
    (void)report, (void)err;
    fprintf(out, "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-%.*s'",
            (int)strcspn(*report_policy, "\n"), *report_policy);
    return VAE_OK;
}

static vae_status write_title(FILE *out, struct report *report, vae_error *err)
{
    (void)err;
    for (size_t i = 0; i < report->n; i++) {
        if (i) fputs(" and ", out);
        page_text(out, report->subject[i].name);
    }
    return VAE_OK;
}

void begin_run(FILE *out, const struct report *report, size_t i)
{
    fputs(i ? "<div class=\"run\">\n" : "<div class=\"runs\">\n<div class=\"run\">\n", out);
    if (report->n == 1) return;
    fputs("<h3 class=\"run-name\">", out);
    page_text(out, report->subject[i].name);
    fputs("</h3>\n", out);
}

void end_run(FILE *out, const struct report *report, size_t i)
{
    fputs(i + 1 < report->n ? "</div>\n" : "</div>\n</div>\n", out);
}

/* What stands in page.html in braces. */
static const struct {
    const char *name;
    write_part *write;
} parts[] = {
    {"policy", write_policy},     {"title", write_title},         {"style", write_style},
    {"verdict", write_verdict},   {"published", write_published}, {"warnings", write_warnings},
    {"explorer", write_explorer}, {"training", write_training},   {"pictures", write_pictures},
    {"latents", write_latents},   {"extremes", write_extremes},   {"provenance", write_provenance},
    {"numbers", write_numbers},   {"script", write_script},
};

/* The part whose name in braces begins at `at`, or NULL. */
static write_part *part_at(const char *at)
{
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        const size_t length = strlen(parts[i].name);
        if (!strncmp(at + 1, parts[i].name, length) && at[1 + length] == '}') return parts[i].write;
    }
    return NULL;
}

static vae_status fill_line(FILE *out, const char *line, struct report *report, vae_error *err)
{
    vae_status status = VAE_OK;
    while (*line && !status) {
        write_part *write = *line == '{' ? part_at(line) : NULL;
        if (write) {
            status = write(out, report, err);
            line = strchr(line, '}') + 1;
        } else {
            fputc(*line++, out);
        }
    }
    return status;
}

static vae_status fill_page(struct text *text, struct report *report, vae_error *err)
{
    vae_status status = text_begin(text, err);
    if (status) return status;
    for (const char *const *line = report_html; *line && !status; line++)
        status = fill_line(text->to, *line, report, err);
    if (!status && json_lacks_memory()) status = vae_fail(err, VAE_E_MEMORY, "out of memory");
    if (!status) status = text_flush(text, err);
    if (status) text_drop(text);
    return status;
}

/* First without explorers, to see how much room they have. */
static vae_status write_page(struct report *report, const char *path, vae_error *err)
{
    struct text text;
    report->room = 0;
    vae_status status = fill_page(&text, report, err);
    if (status) return status;
    report->room = text.size < PAGE_BYTES ? PAGE_BYTES - text.size : 0;
    text_drop(&text);
    status = fill_page(&text, report, err);
    return status ? status : text_end(&text, path, err);
}

/* ---- The command ------------------------------------------------------------------------------------------------- */

/* The line that makes the page anew; NULL: out of memory. */
static char *command_line(const struct arguments *arguments)
{
    struct text text;
    if (text_begin(&text, NULL)) return NULL;
    FILE *out = text.to;
    fputs("vaectl report", out);
    for (size_t i = 0; i < arguments->n_plugins; i++) {
        fputs(" --plugin ", out);
        shell_word(out, arguments->plugin[i]);
    }
    for (size_t i = 0; i < arguments->n; i++) {
        fprintf(out, " --%s ", arguments->given[i].name);
        shell_word(out, arguments->given[i].value);
    }
    for (size_t i = 0; i < arguments->n_runs; i++) {
        fputc(' ', out);
        shell_word(out, arguments->runs[i]);
    }
    return text_take(&text);
}

static vae_status open_all(const struct arguments *arguments, struct report *report, vae_error *err)
{
    vae_status status = VAE_OK;
    report->command = command_line(arguments);
    report->subject = calloc(report->n, sizeof *report->subject);
    if (!report->command || !report->subject) status = vae_fail(err, VAE_E_MEMORY, "out of memory");
    for (size_t i = 0; i < report->n && !status; i++)
        status = subject_open(&report->subject[i], arguments, arguments->n_runs ? arguments->runs[i] : NULL, err);
    return status;
}

static void close_all(struct report *report)
{
    for (size_t i = 0; report->subject && i < report->n; i++) subject_close(&report->subject[i]);
    free(report->subject);
    free(report->command);
}

/* -o, or of one run report.html beside the model, and of several in the working directory. */
static vae_status output_path(const struct arguments *arguments, const struct report *report, char path[PATH_MAX_RUN],
                              vae_error *err)
{
    return run_output(arguments, report->n == 1 ? report->subject->path : "report.html", "report.html", path, err);
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char path[PATH_MAX_RUN];
    struct report report = {.n = arguments->n_runs ? arguments->n_runs : 1};
    if (report.n > MOST_RUNS)
        return vae_fail(err, VAE_E_USAGE, "report: %zu runs (expected at most %d)", report.n, MOST_RUNS);
    const char *output = argument(arguments, "output");
    vae_status status = outputs_check(&output, 1, err);
    if (!status) status = open_all(arguments, &report, err);
    if (!status) status = output_path(arguments, &report, path, err);
    if (!status) status = write_page(&report, path, err);
    close_all(&report);
    if (!status) run_say_written(path);
    return status;
}

static const struct flag flags[] = {
    {"samples", 0, "S", "importance samples an image of the nll; 0: none. Papers use 5000 [100]"},
    {"limit", 0, "N", "measure only the first N images [all]"},
    {"seed", 0, "N", "of noise and draws [1]"},
    {"data", 0, "SOURCE", "images to use [those that the model was trained on]"},
    SPLIT_FLAG("them"),
    {"threads", 0, "N", "threads; they do not change the result [all cores]"},
    {"output", 'o', "FILE", "page to write [report.html beside the model; of several runs, here]"},
    {0},
};

const struct command command_report = {
    .name = "report",
    .group = DRAW,
    .summary = "one HTML page: numbers, figures, and the decoder to explore",
    .details = "Measures a model and writes all that is to be seen of it into one HTML file, which opens from disk and "
               "asks no\n"
               "network for anything: losses beside published ones, warnings with remedies, curves, reconstructions, "
               "samples,\n"
               "latents, and the decoder itself with a slider for each latent. Several runs stand side by side.",
    .takes_run = true,
    .takes_runs = true,
    .flags = flags,
    .run = run,
};
