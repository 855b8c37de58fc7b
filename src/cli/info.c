/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/json.h"

static size_t parameter_count(const vae_model *model)
{
    vae_tensor tensor;
    size_t count = 0;
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++) count += tensor.count;
    return count;
}

static json_t *config_object(const vae_config *config)
{
    const vae_setting *setting;
    char text[VAE_MAX_SOURCE];
    json_t *object = json_object();
    for (size_t i = 0; (setting = vae_setting_at(i)); i++) {
        vae_config_text(config, setting, text, sizeof text);
        json_object_set_new(object, setting->name,
                            setting->type == VAE_T_COUNT  ? json_integer(strtoll(text, NULL, 10))
                            : setting->type == VAE_T_REAL ? json_real(strtod(text, NULL))
                                                          : json_string(text));
    }
    return object;
}

static json_t *fit_object(const vae_model *model)
{
    vae_fit_options fit;
    if (!vae_model_fitted(model, &fit)) return json_null();
    return json_pack("{s:I, s:I, s:o, s:I}", "passes", (json_int_t)fit.passes, "batch", (json_int_t)fit.batch, "lr",
                     json_finite(fit.lr), "seed", (json_int_t)fit.seed);
}

static vae_status print_json(const vae_model *model, const char *path, vae_error *err)
{
    size_t rows, cols;
    vae_model_shape(model, &rows, &cols);
    json_t *object = json_pack("{s:o, s:o, s:I, s:I, s:I, s:o}", "model", json_text(path), "build",
                               json_text(vae_model_build(model)), "rows", (json_int_t)rows, "cols", (json_int_t)cols,
                               "parameters", (json_int_t)parameter_count(model), "config",
                               config_object(vae_model_config(model)));
    json_object_set_new(object, "sigma", json_finite(run_learned_sigma(model)));
    json_object_set_new(object, "fit", fit_object(model));
    json_add_metrics(object, vae_model_metrics(model));
    return json_print(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15), err);
}

/* ---- Text: short lines in two columns, so that a model fits on a screen ------------------------------------------ */

enum { CELL = 40, NAME = 20 };

struct cells {
    char left[CELL]; /* stands in the left column, with its line not yet ended; "": nothing does */
};

static void end_line(struct cells *cells)
{
    if (*cells->left) printf("%s\n", cells->left);
    *cells->left = '\0';
}

static void put_cell(struct cells *cells, const char *name, const char *value)
{
    char text[NAME + 2 * VAE_MAX_SOURCE];
    const int width = snprintf(text, sizeof text, "  %-*s %s", NAME, name, value);
    if (width >= CELL) end_line(cells);
    if (width >= CELL) {
        printf("%s\n", text);
    } else if (*cells->left) {
        printf("%-*s%s\n", CELL, cells->left, text);
        *cells->left = '\0';
    } else {
        memcpy(cells->left, text, (size_t)width + 1);
    }
}

static void print_settings(const vae_model *model)
{
    const vae_setting *setting;
    struct cells cells = {0};
    char text[VAE_MAX_SOURCE];
    printf("settings\n");
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        put_cell(&cells, setting->name, vae_config_text(vae_model_config(model), setting, text, sizeof text));
    end_line(&cells);
}

static void print_layers(const vae_model *model)
{
    vae_tensor tensor;
    struct cells cells = {0};
    char text[64];
    printf("tensors\n");
    for (size_t i = 0; vae_model_tensor(model, i, &tensor); i++) {
        snprintf(text, sizeof text, tensor.rank == 2 ? "%zu x %zu" : "%zu", tensor.dim[0], tensor.dim[1]);
        put_cell(&cells, tensor.name, text);
    }
    end_line(&cells);
}

static void print_text(const vae_model *model, const char *path)
{
    const vae_metrics *m = vae_model_metrics(model);
    vae_fit_options fit;
    size_t rows, cols;
    vae_model_shape(model, &rows, &cols);
    printf("model        %s\nbuilt by     %s\nimages       %zu x %zu\nparameters   %zu\n", SHOWN(path),
           vae_model_build(model), rows, cols, parameter_count(model));
    printf("trained      %llu epochs, %llu steps\n", (unsigned long long)m->epoch, (unsigned long long)m->step);
    if (isfinite(m->test_neg_elbo))
        printf("test         neg_elbo %.2f = recon %.2f + kl %.2f nats/image, %llu active units\n", m->test_neg_elbo,
               m->test_recon, m->test_kl, (unsigned long long)m->active_units);
    if (vae_model_fitted(model, &fit))
        printf("prior        fitted in %llu passes (batch %llu, lr %g, seed %llu)\n", (unsigned long long)fit.passes,
               (unsigned long long)fit.batch, fit.lr, (unsigned long long)fit.seed);
    if (m->best_epoch)
        printf("validation   loss %.2f, best %.2f after epoch %llu (best.safetensors)\n", m->validation_loss,
               m->best_loss, (unsigned long long)m->best_epoch);
    if (!isnan(run_learned_sigma(model))) printf("sigma        %.4g (learned)\n", run_learned_sigma(model));
    print_settings(model);
    print_layers(model);
}

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    char path[PATH_MAX_RUN];
    vae_model *model = NULL;
    vae_status status = run_load_model(arguments->run, &model, path, err);
    if (status) return status;
    if (argument(arguments, "json"))
        status = print_json(model, path, err);
    else
        print_text(model, path);
    vae_model_free(&model);
    return status;
}

static const struct flag flags[] = {{"json", 0, NULL, "one JSON object on stdout"}, {0}};

const struct command command_info = {
    .name = "info",
    .summary = "what a model is: settings, tensors, losses, build",
    .details =
        "Prints what a model is: settings, shapes, training so far, losses of the last test pass, and what built it.",
    .takes_run = true,
    .flags = flags,
    .run = run,
};
