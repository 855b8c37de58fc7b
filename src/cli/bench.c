/* SPDX-License-Identifier: MIT */
#include <sys/resource.h>

#include "cli/command.h"
#include "cli/json.h"

enum { MOST_SETTINGS = 6 };

/* The published comparisons; given settings replace them by one of the user's own. */
static const char *const standard[][MOST_SETTINGS * 2 + 1] = {
    {"hidden", "400", "latent", "20", "batch", "128", NULL},
    {"hidden", "200,200", "latent", "50", "batch", "100", NULL},
    {"hidden", "100,100", "latent", "10", "batch", "64", NULL},
    {"hidden", "400", "latent", "10", "batch", "128", "prior", "spikeslab", NULL},
    {"hidden", "200,200", "latent", "50", "batch", "20", NULL},
};

static double peak_memory_mb(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void describe(const vae_config *config, char *text, size_t size)
{
    size_t used = (size_t)snprintf(text, size, "%s, hidden ", config->prior.name);
    for (size_t i = 0; i < VAE_MAX_LIST && config->hidden[i]; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%llu", i ? "-" : "",
                                 (unsigned long long)config->hidden[i]);
    snprintf(text + used, size - used, ", latent %llu, batch %llu", (unsigned long long)config->latent,
             (unsigned long long)config->batch);
}

static void print_text(const vae_bench *b, const char *what)
{
    printf("%s: %zu thread%s, %s first layer\n", what, b->threads, b->threads == 1 ? "" : "s",
           b->sparse ? "sparse" : "dense");
    printf("  floor   %8.3f ms a step (%s)\n", 1e3 * b->floor, b->floor_way);
    printf("  step    %8.3f ms, %.0f images/s\n", 1e3 * b->step, b->images_per_second);
    printf("  ratio   %8.3f (%.3f to %.3f in %zu rounds)\n", b->ratio, b->ratio_min, b->ratio_max, b->rounds);
    for (size_t i = 0; i < b->phases; i++)
        printf("    %-18s %8.3f ms, of which waiting %.3f\n", b->phase[i].name, 1e3 * b->phase[i].wall,
               1e3 * b->phase[i].waiting);
}

static json_t *to_json(const vae_bench *b, const char *what)
{
    json_t *phases = json_array();
    for (size_t i = 0; i < b->phases; i++)
        json_array_append_new(phases, json_pack("{s:s, s:f, s:f}", "name", b->phase[i].name, "seconds",
                                                b->phase[i].wall, "waiting", b->phase[i].waiting));
    return json_pack("{s:s, s:I, s:I, s:I, s:b, s:s, s:f, s:f, s:f, s:f, s:f, s:f, s:o}", "setting", what, "threads",
                     (json_int_t)b->threads, "batch", (json_int_t)b->batch, "rounds", (json_int_t)b->rounds, "sparse",
                     b->sparse, "floor_way", b->floor_way, "floor", b->floor, "step", b->step, "ratio", b->ratio,
                     "ratio_min", b->ratio_min, "ratio_max", b->ratio_max, "images_per_second", b->images_per_second,
                     "phases", phases);
}

struct request {
    const struct arguments *arguments;
    const vae_data *data;
    uint64_t threads, rounds;
    json_t *list; /* NULL: text */
    bool said;
};

/* What is measured is said with the first figures, when nothing can be wrong with it any more. */
static void say_data(struct request *r, const vae_config *config)
{
    if (r->said) return;
    settings_say_data(r->arguments, config);
    if (!r->list) printf("%s\n", r->data->name);
    r->said = true;
}

static vae_status run_one(const vae_config *config, struct request *r, vae_error *err)
{
    vae_bench bench;
    char what[128];
    describe(config, what, sizeof what);
    vae_status status = vae_bench_run(&bench, config, &r->data->train, r->threads, r->rounds, err);
    if (!status) say_data(r, config);
    if (!status && r->list)
        json_array_append_new(r->list, to_json(&bench, what));
    else if (!status)
        print_text(&bench, what);
    return status;
}

static vae_status run_standard(const vae_config *given, struct request *r, vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; i < sizeof standard / sizeof *standard && !status; i++) {
        vae_config config = *given;
        for (const char *const *s = standard[i]; *s && !status; s += 2)
            status = vae_config_set(&config, s[0], s[1], err);
        if (!status) status = run_one(&config, r, err);
    }
    return status;
}

static vae_status run_all(const vae_config *config, bool own, struct request *r, vae_error *err)
{
    vae_status status = own ? run_one(config, r, err) : run_standard(config, r, err);
    if (status) return status;
    if (r->list)
        return json_print(json_pack("{s:f, s:O}", "peak_memory_mb", peak_memory_mb(), "results", r->list),
                          JSON_REAL_PRECISION(6), err);
    printf("peak memory %.0f MB\n", peak_memory_mb());
    return VAE_OK;
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    vae_config config;
    struct request r = {.arguments = arguments};
    vae_data *data = NULL;
    vae_status status = settings_from_flags(arguments, &command_bench, &config, err);
    if (!status && argument(arguments, "start"))
        status = vae_fail(err, VAE_E_USAGE,
                          "--start: is of training, and the time of a step does not depend on weights");
    if (!status) status = argument_count(arguments, "threads", 1, 256, 0, &r.threads, err);
    if (!status) status = argument_count(arguments, "rounds", 1, 101, 5, &r.rounds, err);
    if (!status) status = settings_default_data(arguments, &config, err);
    if (!status) status = vae_data_open(&data, config.data, config.holdout, config.validation, config.seed, err);
    if (!status) settings_count_classes(&config, data);
    r.data = data;
    if (argument(arguments, "json")) r.list = json_array();
    if (!status) status = run_all(&config, settings_given(arguments, &command_bench), &r, err);
    json_decref(r.list);
    vae_data_free(&data);
    return status;
}

static const struct flag flags[] = {
    {"threads", 0, "N", "threads [all cores]"},
    {"rounds", 0, "N", "rounds of floor and step in turn; medians are shown [5]"},
    {"json", 0, NULL, "one JSON object on stdout"},
    {0},
};

const struct command command_bench = {
    .name = "bench",
    .summary = "speed of training against the machine's matrix products",
    .details = "Times the training step beside its own matrix products (the same SGEMMs, all dense, nothing else, by "
               "the fastest\n"
               "of several ways to use the threads). Without settings: five standard ones; with any: that one.",
    .takes_settings = true,
    .flags = flags,
    .run = run,
};
