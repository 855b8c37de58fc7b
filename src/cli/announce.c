/* SPDX-License-Identifier: MIT */
#include "cli/announce.h"

#include <string.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "cli/wrap.h"

enum { INDENT = 12, MOST_TEXT = 4096 };

/* In the columns of the terminal, but no wider than a text that is easily read. */
static void say(const char *what, const char *text)
{
    const int columns = progress_columns();
    fprintf(stderr, "%-*s", INDENT, what);
    wrap(stderr, columns < WRAP_COLUMNS ? (size_t)columns : WRAP_COLUMNS, INDENT, INDENT, text);
}

static const char *text_of(const vae_config *config, const char *name, char text[VAE_MAX_SOURCE])
{
    const vae_setting *setting = NULL;
    for (size_t i = 0; (setting = vae_setting_at(i)) && strcmp(setting->name, name);) i++;
    return vae_config_text(config, setting, text, VAE_MAX_SOURCE);
}

/* Widths from image to image: 784-400-10-400-784. */
static void network_text(const vae_config *config, size_t pixels, char text[MOST_TEXT])
{
    char activation[VAE_MAX_SOURCE];
    size_t depth = 0, used = (size_t)snprintf(text, MOST_TEXT, "%zu", pixels);
    while (depth < VAE_MAX_LIST && config->hidden[depth]) depth++;
    for (size_t i = 0; i < 2 * depth + 1; i++) {
        const uint64_t width = i < depth    ? config->hidden[i]
                               : i == depth ? config->latent
                                            : config->hidden[2 * depth - i];
        used += (size_t)snprintf(text + used, MOST_TEXT - used, "-%llu", (unsigned long long)width);
    }
    snprintf(text + used, MOST_TEXT - used, "-%zu, %s", pixels, text_of(config, "activation", activation));
}

static void say_likelihood(const vae_model *model, bool pseudo)
{
    char text[MOST_TEXT], likelihood[VAE_MAX_SOURCE];
    snprintf(text, sizeof text, "%s%s", text_of(vae_model_config(model), "likelihood", likelihood),
             pseudo ? " (of grey pixels: a pseudo-likelihood)" : "");
    say("likelihood", text);
}

static void say_training(const vae_model *model, size_t images)
{
    char text[MOST_TEXT], lr[VAE_MAX_SOURCE];
    const vae_config *config = vae_model_config(model);
    const uint64_t done = vae_model_metrics(model)->step, steps = (images + config->batch - 1) / config->batch;
    int used = snprintf(text, sizeof text, "%llu epoch%s of %llu step%s", (unsigned long long)config->epochs,
                        config->epochs == 1 ? "" : "s", (unsigned long long)steps, steps == 1 ? "" : "s");
    if (done) used += snprintf(text + used, sizeof text - (size_t)used, ", after step %llu", (unsigned long long)done);
    snprintf(text + used, sizeof text - (size_t)used, ", batch %llu, lr %s, seed %llu",
             (unsigned long long)config->batch, text_of(config, "lr", lr), (unsigned long long)config->seed);
    say("training", text);
}

/* Other settings that are not as by default. */
static void say_others(const vae_config *config)
{
    static const char *const said[] = {"data",       "prior",  "likelihood", "latent", "hidden",
                                       "activation", "epochs", "batch",      "lr",     "seed"};
    char text[MOST_TEXT] = "", value[VAE_MAX_SOURCE];
    const vae_setting *setting;
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        size_t k = 0;
        while (k < sizeof said / sizeof *said && strcmp(said[k], setting->name)) k++;
        if (k < sizeof said / sizeof *said ||
            !strcmp(vae_config_text(config, setting, value, sizeof value), setting->fallback))
            continue;
        const size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s%s %s", used ? ", " : "", setting->name, value);
    }
    if (*text) say("settings", text);
}

vae_status announce_large(const vae_config *config, const vae_data *data, vae_error *err)
{
    const size_t large = 100000000; /* parameters: networks of images of 28 x 28 pixels have a million */
    const double bytes = sizeof(float) * 1e-9;
    char network[MOST_TEXT];
    size_t parameters = 0;
    vae_status status = vae_model_size(config, data->train.rows, data->train.cols, &parameters, err);
    if (status || parameters < large) return status;
    network_text(config, data->train.rows * data->train.cols, network);
    run_say("network %s: %.0f million parameters, at least %.1f GB of memory to train, a model file of %.1f GB",
            network, (double)parameters * 1e-6, 4 * bytes * (double)parameters, 3 * bytes * (double)parameters);
    return VAE_OK;
}

vae_status announce(const char *run, const vae_model *model, const vae_data *data, vae_error *err)
{
    char prior[VAE_MAX_SOURCE], network[MOST_TEXT];
    vae_error name;
    bool pseudo;
    vae_status status = vae_model_is_pseudo(model, &data->train, &pseudo, err);
    if (status) return status;
    const vae_config *config = vae_model_config(model);
    vae_fail(&name, VAE_OK, "%s", run); /* which masks control characters */
    say("run", name.message);
    say("data", data->name);
    network_text(config, data->train.rows * data->train.cols, network);
    say("network", network);
    say("prior", text_of(config, "prior", prior));
    say_likelihood(model, pseudo);
    say_training(model, data->train.n);
    say_others(config);
    fputc('\n', stderr);
    return VAE_OK;
}
