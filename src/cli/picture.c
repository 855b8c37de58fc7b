/* SPDX-License-Identifier: MIT */
#include "cli/picture.h"

#include <math.h>
#include <string.h>

#include "cli/array.h"
#include "cli/outputs.h"
#include "cli/signals.h"

static vae_status check_name(const char *flag, const char *path, bool arrays, vae_error *err)
{
    const char *dot = strrchr(path, '.');
    if (dot && (!strcmp(dot, ".png") || !strcmp(dot, ".svg"))) return VAE_OK;
    if (arrays && array_is_name(path)) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "--%s: '%s' (expected a name that ends in %s.png or .svg)", flag, path,
                    arrays ? ".npy, .csv, " : "");
}

vae_status picture_check_name(const char *flag, const char *path, vae_error *err)
{
    return check_name(flag, path, false, err);
}

static vae_status options(const struct arguments *arguments, const char *model_path, const char *name, bool arrays,
                          struct picture *picture, vae_error *err)
{
    picture->silent = false;
    vae_status status = run_output(arguments, model_path ? model_path : "", name, picture->path, err);
    if (!status) status = check_name("output", picture->path, arrays, err);
    if (!status && argument(arguments, "scale") && array_is_name(picture->path))
        status = vae_fail(err, VAE_E_USAGE, "--scale: is of pictures, and %s is none", picture->path);
    const char *path = picture->path;
    if (!status) status = outputs_check(&path, 1, err);
    return status ? status : argument_real(arguments, "scale", 0.1, 20, 1, &picture->scale, err);
}

vae_status picture_options(const struct arguments *arguments, const char *model_path, const char *name,
                           struct picture *picture, vae_error *err)
{
    return options(arguments, model_path, name, false, picture, err);
}

vae_status picture_or_array_options(const struct arguments *arguments, const char *model_path, const char *name,
                                    struct picture *picture, vae_error *err)
{
    return options(arguments, model_path, name, true, picture, err);
}

/* The last part of a path; names of built-in sets as they are. */
static const char *short_name(const char *data)
{
    const char *slash = strrchr(data, '/');
    return slash && slash[1] ? slash + 1 : data;
}

void picture_model_name(const vae_model *model, char name[PICTURE_NAME])
{
    const vae_config *config = vae_model_config(model);
    const vae_setting *setting;
    char prior[PICTURE_NAME] = "";
    for (size_t i = 0; (setting = vae_setting_at(i)); i++)
        if (!strcmp(setting->name, "prior")) vae_config_text(config, setting, prior, sizeof prior);
    snprintf(name, PICTURE_NAME, "%.120s on %.120s", prior, short_name(config->data));
}

double picture_round(double most)
{
    const double power = pow(10, floor(log10(most))), digit = most / power;
    return power * (digit < 2 ? 1 : digit < 5 ? 2 : 5);
}

vae_status picture_write(const struct picture *picture, const vae_figure *figure, vae_error *err)
{
    vae_status status = WHOLE(vae_figure_write(figure, picture->path, picture->scale, err));
    if (!status && !picture->silent) run_say_written(picture->path);
    return status;
}

vae_status picture_write_tiles(const struct picture *picture, const vae_model *model, const char *what,
                               const char *note, const vae_grid *grid, vae_error *err)
{
    char name[PICTURE_NAME], title[2 * PICTURE_NAME];
    vae_figure *figure = NULL;
    picture_model_name(model, name);
    snprintf(title, sizeof title, "%s: %s", what, name);
    vae_status status = vae_figure_new(&figure, title, note, 1, err);
    if (!status) vae_panel_tiles(vae_figure_panel(figure, NULL), grid);
    if (!status) status = picture_write(picture, figure, err);
    vae_figure_free(&figure);
    return status;
}
