/* SPDX-License-Identifier: MIT
 *
 * The table of settings, and everything made from it. */
#include "model/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/error.h"
#include "data/source.h"
#include "likelihood/likelihood.h"
#include "net/activation.h"
#include "posterior/posterior.h"
#include "prior/joint.h"
#include "prior/prior.h"

#define FIELD(member)           .offset = offsetof(vae_config, member)
#define ONE_OF(words, fallback) words, fallback, VAE_T_ENUM, .values = words

static const double MOST = 1e9;
enum { MAX_WIDTH = 1 << 16, MAX_CLASSES = 256 };

static const vae_setting settings[] = {
    {"data", "SOURCE", "builtin:digits", VAE_T_TEXT, FIELD(data),
     .help = "folder with the MNIST files or PNG files, IDX, .npy or .csv file, or builtin:NAME"},
    {"holdout", "F", "0.1", VAE_T_REAL, FIELD(holdout), .min = 0, .max = 1,
     .help = "share of data without a test split that becomes one"},
    {"validation", "F", "0", VAE_T_REAL, FIELD(validation), .min = 0, .max = 0.9,
     .help = "share of the training images that becomes a validation split"},
    {"binarize", ONE_OF("none|threshold|static|dynamic", "none"), FIELD(binarize),
     .help = "pixels to 0 or 1: threshold at 0.5; sample once; sample again at each use"},
    {"prior", "NAME[:k=v,...]", "normal", VAE_T_CHOICE, FIELD(prior), .kind = VAE_PRIOR,
     .help = "prior of the latents, or a plug-in with it, such as ./my.so"},
    {"kl", ONE_OF("auto|exact|mc", "auto"), FIELD(kl),
     .help = "KL exact (closed form or quadrature) or by Monte Carlo; auto: exact for a normal prior"},
    {"kl-samples", "K", "10", VAE_T_COUNT, FIELD(kl_samples), .min = 1, .max = 1e6,
     .help = "samples of the Monte Carlo KL"},
    {"kl-noise", ONE_OF("iid|stratified", "iid"), FIELD(kl_noise),
     .help = "noise of the Monte Carlo KL; stratified: one sample in each of K equally likely parts of q"},
    {"posterior", "NAME", "gaussian", VAE_T_CHOICE, FIELD(posterior), .kind = VAE_POSTERIOR,
     .help = "family of the posterior"},
    {"likelihood", "NAME[:k=v]", "bernoulli", VAE_T_CHOICE, FIELD(likelihood), .kind = VAE_LIKELIHOOD,
     .help = "likelihood of the pixels"},
    {"latent", "L", "10", VAE_T_COUNT, FIELD(latent), .min = 1, .max = MAX_WIDTH, .help = "latent dimensions"},
    {"hidden", "H[,H...]", "400", VAE_T_LIST, FIELD(hidden), .min = 1, .max = MAX_WIDTH,
     .help = "hidden widths of the encoder; the decoder mirrors them"},
    {"activation", "NAME", "relu", VAE_T_CHOICE, FIELD(activation), .kind = VAE_ACTIVATION,
     .help = "activation of the hidden layers"},
    {"conditional", NULL, "0", VAE_T_COUNT, FIELD(classes), .min = 0, .max = MAX_CLASSES, .young = true,
     .help = "labels enter encoder and decoder: they model p(x|label)"},
    {"start", "RUN", "none", VAE_T_TEXT, FIELD(start), .young = true,
     .help = "begin with the weights of a trained model with the same networks"},
    {"init", ONE_OF("torch|glorot|he", "torch"), FIELD(init),
     .help =
         "torch: weights and biases U(+-1/sqrt(in)); glorot: U(+-sqrt(6/(in+out))) and he: N(0, 2/in), with biases 0"},
    {"output-bias", ONE_OF("init|data", "init"), FIELD(output_bias),
     .help = "last bias: as the others, or such that an empty decoder gives the mean training image"},
    {"objective", ONE_OF("elbo|iwae", "elbo"), FIELD(objective),
     .help = "bound that training maximises; iwae: importance-weighted, of S samples"},
    {"samples", "S", "1", VAE_T_COUNT, FIELD(samples), .min = 1, .max = 1e5,
     .help = "samples of z per image in training"},
    {"gradient", ONE_OF("standard|stl|dreg", "standard"), FIELD(gradient),
     .help = "estimator; stl: path derivative of the elbo (biased for iwae); dreg: its unbiased form for iwae"},
    {"beta", "B", "1", VAE_T_REAL, FIELD(beta), .min = 0, .max = 1e6, .help = "weight of the KL in the loss"},
    {"beta-warmup", "E", "0", VAE_T_REAL, FIELD(beta_warmup), .min = 0, .max = 1e9,
     .help = "epochs over which beta rises linearly from 0"},
    {"free-bits", "F", "0", VAE_T_REAL, FIELD(free_bits), .min = 0, .max = 1e6,
     .help = "nats of KL per latent dimension (mean over the batch) that cost nothing"},
    {"epochs", "N", "10", VAE_T_COUNT, FIELD(epochs), .min = 1, .max = MOST, .help = "passes over the training images"},
    {"patience", "E", "0", VAE_T_COUNT, FIELD(patience), .min = 0, .max = MOST,
     .help = "stop after so many epochs (after beta's warm-up) without a better validation loss; 0: never"},
    {"batch", "B", "128", VAE_T_COUNT, FIELD(batch), .min = 1, .max = 1e6, .help = "images per step"},
    {"lr", "R", "0.001", VAE_T_REAL, FIELD(lr), .min = 1e-12, .max = 1e6, .help = "learning rate of Adam"},
    {"clip", "C", "0", VAE_T_REAL, FIELD(clip), .min = 0, .max = 1e30,
     .help = "clip the norm of the gradient at C; 0: off"},
    {"schedule", ONE_OF("constant|step|iwae|cosine", "constant"), FIELD(schedule),
     .help = "schedule of the learning rate; iwae: stages of 3^i epochs (Burda et al.)"},
    {"lr-steps", "E[,E...]", "none", VAE_T_LIST, FIELD(lr_steps), .values = "none", .min = 1, .max = 1e9,
     .help = "epochs after which a step schedule multiplies the learning rate by lr-factor"},
    {"lr-factor", "F", "0.1", VAE_T_REAL, FIELD(lr_factor), .min = 1e-9, .max = 1, .help = "factor of a step schedule"},
    {"adam-beta1", "B", "0.9", VAE_T_REAL, FIELD(adam_beta1), .min = 0, .max = 0.999999,
     .help = "decay of Adam's mean gradient"},
    {"adam-beta2", "B", "0.999", VAE_T_REAL, FIELD(adam_beta2), .min = 0, .max = 0.999999,
     .help = "decay of Adam's mean squared gradient"},
    {"adam-eps", "E", "1e-08", VAE_T_REAL, FIELD(adam_eps), .min = 1e-30, .max = 1e6,
     .help = "added to the root of Adam's mean squared gradient"},
    {"seed", "N", "1", VAE_T_COUNT, FIELD(seed), .min = 0, .max = 9007199254740991.0,
     .help = "seed of initialisation, order, noise and the choice of held-out images"},
};

const vae_setting *vae_setting_at(size_t i) { return i < sizeof settings / sizeof *settings ? &settings[i] : NULL; }

static const vae_setting *find_setting(const char *name)
{
    for (size_t i = 0; vae_setting_at(i); i++)
        if (!strcmp(settings[i].name, name)) return &settings[i];
    return NULL;
}

/* ---- Kinds of modules ------------------------------------------------------------------------------------------- */

#define LOOKUP(kind)                                                                                                   \
    static const vae_module *kind##_module(size_t i) { return kind##_at(i) ? &kind##_at(i)->module : NULL; }
LOOKUP(prior)
LOOKUP(posterior)
LOOKUP(likelihood)
LOOKUP(source)
LOOKUP(activation)

static const struct {
    const char *what;
    module_at *at;
} kinds[] = {
    [VAE_PRIOR] = {"prior", prior_module},
    [VAE_POSTERIOR] = {"posterior", posterior_module},
    [VAE_LIKELIHOOD] = {"likelihood", likelihood_module},
    [VAE_SOURCE] = {"built-in data set", source_module},
    [VAE_ACTIVATION] = {"activation", activation_module},
};

const vae_module *vae_module_at(vae_kind kind, size_t i) { return kinds[kind].at(i); }

/* A flag is a setting before it is a parameter, so a parameter may not have the name of one. */
static vae_status check_names(const char *path, const vae_module *module, vae_error *err)
{
    const struct prior_ops *same = prior_find(module->name);
    if (same && !same->plugin)
        return vae_fail(err, VAE_E_USAGE, "%s: its name, '%s', is that of a built-in prior", path, module->name);
    for (const vae_param *p = module->params; p && p->name; p++)
        if (find_setting(p->name))
            return vae_fail(err, VAE_E_USAGE, "%s: its parameter '%s' has the name of a setting", path, p->name);
    return VAE_OK;
}

vae_status vae_prior_load(const char *path, const char **name, vae_error *err)
{
    const struct vae_prior_v1 *plugin;
    vae_status status = plugin_open(path, &plugin, err);
    if (!status) status = check_names(path, &plugin->module, err);
    if (!status) status = plugin_add(path, plugin, err);
    if (!status && name) *name = plugin->module.name;
    return status;
}

/* ---- Setting ---------------------------------------------------------------------------------------------------- */

static vae_status set_text(char *field, size_t size, const char *name, const char *text, vae_error *err)
{
    if (strlen(text) >= size) return vae_fail(err, VAE_E_USAGE, "%s: longer than %zu characters", name, size - 1);
    if (!is_clean(text)) /* it goes into model files, and from there to terminals */
        return vae_fail(err, VAE_E_USAGE, "%s: '%s' has control characters or is not UTF-8", name, text);
    strcpy(field, text);
    return VAE_OK;
}

bool is_listed(const char *values, const char *word) { return word_place(values, word) >= 0; }

int config_word(const vae_config *config, const char *setting)
{
    const vae_setting *s = find_setting(setting);
    return word_place(s->values, (const char *)config + s->offset);
}

static vae_status set_list(uint64_t *field, const vae_setting *setting, const char *text, vae_error *err)
{
    const char *name = setting->name;
    char copy[256], *rest = NULL;
    uint64_t list[VAE_MAX_LIST + 1] = {0};
    size_t n = 0;
    const bool empty = setting->values && !strcmp(text, setting->values);
    if (!empty && (strlen(text) >= sizeof copy || has_empty_item(text)))
        return vae_fail(err, VAE_E_USAGE, "%s: '%.32s' (expected whole numbers such as 400 or 200,200)", name, text);
    snprintf(copy, sizeof copy, "%s", empty ? "" : text);
    for (char *item = strtok_r(copy, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        if (n == VAE_MAX_LIST) return vae_fail(err, VAE_E_USAGE, "%s: more than %d numbers", name, VAE_MAX_LIST);
        vae_status status = vae_parse_count(name, item, setting->min, setting->max, &list[n++], err);
        if (status) return status;
    }
    memcpy(field, list, VAE_MAX_LIST * sizeof *field);
    return VAE_OK;
}

static vae_status set_setting(vae_config *config, const vae_setting *setting, const char *text, vae_error *err)
{
    const char *name = setting->name;
    void *field = (char *)config + setting->offset;
    switch (setting->type) {
    case VAE_T_TEXT: return set_text(field, VAE_MAX_SOURCE, name, text, err);
    case VAE_T_COUNT: return vae_parse_count(name, text, setting->min, setting->max, field, err);
    case VAE_T_REAL: return vae_parse_real(name, text, setting->min, setting->max, field, err);
    case VAE_T_LIST: return set_list(field, setting, text, err);
    case VAE_T_CHOICE: return choice_parse(field, kinds[setting->kind].what, kinds[setting->kind].at, text, err);
    case VAE_T_ENUM:
        if (!is_listed(setting->values, text))
            return vae_fail(err, VAE_E_USAGE, "%s: '%s' (expected one of %s)", name, text, setting->values);
        strcpy(field, text); /* a word of the table, and not from outside */
        return VAE_OK;
    }
    return VAE_E_INTERNAL;
}

/* Says what the chosen prior and likelihood have instead, and which ones have it. */
static vae_status unknown_setting(const vae_config *config, const char *name, vae_error *err)
{
    char have[256] = "", owner[256] = "";
    for (size_t i = 0; vae_setting_at(i); i++) {
        if (settings[i].type != VAE_T_CHOICE) continue;
        const vae_choice *choice = (const void *)((const char *)config + settings[i].offset);
        module_at *at = kinds[settings[i].kind].at;
        const vae_module *chosen = module_find(at, choice->name);
        for (size_t k = 0; chosen && chosen->params && chosen->params[k].name; k++)
            snprintf(have + strlen(have), sizeof have - strlen(have), ", %s", chosen->params[k].name);
        for (size_t k = 0; at(k); k++)
            if (module_param(at(k), name) < VAE_MAX_PARAMS)
                snprintf(owner + strlen(owner), sizeof owner - strlen(owner), "; %s %s has it",
                         kinds[settings[i].kind].what, at(k)->name);
    }
    if (!*owner) return vae_fail(err, VAE_E_USAGE, "unknown setting '%s'", name);
    return vae_fail(err, VAE_E_USAGE, "%s: prior %s and likelihood %s have no such parameter (they have: %s%s)", name,
                    config->prior.name, config->likelihood.name, *have ? have + 2 : "none", owner);
}

vae_status vae_config_set(vae_config *config, const char *name, const char *text, vae_error *err)
{
    const vae_setting *setting = find_setting(name);
    if (setting) return set_setting(config, setting, text, err);
    for (size_t i = 0; vae_setting_at(i); i++) {
        if (settings[i].type != VAE_T_CHOICE) continue;
        vae_choice *choice = (void *)((char *)config + settings[i].offset);
        const vae_module *module = module_find(kinds[settings[i].kind].at, choice->name);
        if (module && module_param(module, name) < VAE_MAX_PARAMS) return choice_set(choice, module, name, text, err);
    }
    return unknown_setting(config, name, err);
}

void vae_config_defaults(vae_config *config)
{
    *config = (vae_config){0};
    for (size_t i = 0; vae_setting_at(i); i++) set_setting(config, &settings[i], settings[i].fallback, NULL);
}

const char *vae_config_text(const vae_config *config, const vae_setting *setting, char *text, size_t size)
{
    const char *field = (const char *)config + setting->offset;
    const uint64_t *count = (const void *)field;
    switch (setting->type) {
    case VAE_T_TEXT:
    case VAE_T_ENUM: snprintf(text, size, "%s", field); break;
    case VAE_T_COUNT: snprintf(text, size, "%llu", (unsigned long long)*count); break;
    case VAE_T_REAL: format_real(*(const double *)(const void *)field, text, size); break;
    case VAE_T_CHOICE: {
        const vae_choice *choice = (const void *)field;
        choice_text(choice, module_find(kinds[setting->kind].at, choice->name), text, size);
        break;
    }
    case VAE_T_LIST:
        snprintf(text, size, "%s", count[0] || !setting->values ? "" : setting->values);
        for (size_t i = 0; i < VAE_MAX_LIST && count[i]; i++)
            snprintf(text + strlen(text), size - strlen(text), "%s%llu", i ? "," : "", (unsigned long long)count[i]);
        break;
    }
    return text;
}

size_t config_depth(const vae_config *config)
{
    size_t depth = 0;
    while (depth < VAE_MAX_LIST && config->hidden[depth]) depth++;
    return depth;
}

/* Room for a text or the name of a module: up to the next setting in the struct. 0: it is neither. */
static size_t room_of(const vae_setting *setting)
{
    if (setting->type == VAE_T_CHOICE) return VAE_MAX_NAME;
    if (setting->type != VAE_T_TEXT && setting->type != VAE_T_ENUM) return 0;
    size_t next = sizeof(vae_config);
    for (size_t i = 0; vae_setting_at(i); i++)
        if (settings[i].offset > setting->offset && settings[i].offset < next) next = settings[i].offset;
    return next - setting->offset;
}

/* Do texts and names of modules agree? Read as text they may have lost an end, or a name gained parameters. */
static bool is_same_text(const vae_config *a, const vae_config *b, const vae_setting *setting)
{
    const bool has_text = setting->type == VAE_T_TEXT || setting->type == VAE_T_ENUM || setting->type == VAE_T_CHOICE;
    return !has_text || !strcmp((const char *)a + setting->offset, (const char *)b + setting->offset);
}

/* Is each setting as vae_config_set could have made it? A host may have written into the struct. */
static vae_status check_settings(const vae_config *config, vae_error *err)
{
    for (size_t i = 0; vae_setting_at(i); i++) {
        vae_config scratch = *config;
        char text[VAE_MAX_SOURCE];
        const size_t room = room_of(&settings[i]);
        if (room && !memchr((const char *)config + settings[i].offset, '\0', room))
            return vae_fail(err, VAE_E_USAGE, "%s: a text without an end", settings[i].name);
        vae_config_text(config, &settings[i], text, sizeof text);
        vae_status status = set_setting(&scratch, &settings[i], text, err);
        if (!status && !is_same_text(&scratch, config, &settings[i]))
            status = vae_fail(err, VAE_E_USAGE, "%s: '%.64s' is not a value that it can have", settings[i].name, text);
        if (status) return status;
    }
    return VAE_OK;
}

kl_function *config_exact_kl(const vae_config *config, bool *by_default)
{
    const struct posterior_ops *q = posterior_find(config->posterior.name);
    if (q->has_exact_kl && !q->has_exact_kl(config->posterior.value)) return NULL;
    return prior_exact_kl(prior_find(config->prior.name), config->posterior.name, by_default);
}

/* Is the KL of the chosen posterior and prior finite, and exact where it has to be? */
static vae_status check_kl(const vae_config *config, vae_error *err)
{
    if (posterior_find(config->posterior.name)->heavy_tailed && !prior_find(config->prior.name)->heavy_tailed)
        return vae_fail(
            err, VAE_E_USAGE,
            "the KL of a %s posterior to prior %s is infinite: it has no moments (a prior with heavy tails, "
            "such as cauchy or studentt, goes with it)",
            config->posterior.name, config->prior.name);
    if (strcmp(config->kl, "exact") || config_exact_kl(config, NULL)) return VAE_OK;
    if (posterior_find(config->posterior.name)->flow)
        return vae_fail(err, VAE_E_USAGE, "kl exact: the KL of posterior %s is known by draws alone (kl mc works)",
                        config->posterior.name);
    return vae_fail(
        err, VAE_E_USAGE, "kl exact: prior %s has no exact KL to a %s posterior%s (kl mc works)", config->prior.name,
        config->posterior.name,
        prior_exact_kl(prior_find(config->prior.name), config->posterior.name, NULL) ? " with these parameters" : "");
}

static vae_status check_likelihood(const vae_config *config, vae_error *err)
{
    const struct likelihood_ops *likelihood = likelihood_find(config->likelihood.name);
    const char *conflict = likelihood->conflict ? likelihood->conflict(config->likelihood.value) : NULL;
    return conflict ? vae_fail(err, VAE_E_USAGE, "likelihood %s: %s", config->likelihood.name, conflict) : VAE_OK;
}

/* A prior of encoded pseudo-inputs needs an encoder of Gaussians that takes no labels. */
static vae_status check_encoded(const vae_config *config, vae_error *err)
{
    const struct joint_ops *joint = prior_find(config->prior.name)->joint;
    const bool flow = posterior_find(config->posterior.name)->flow;
    if (!joint || (!flow && !config->classes)) return VAE_OK;
    struct block *block = mem_new(1, sizeof *block, err);
    struct declared *declared = mem_new(1, sizeof *declared, err);
    vae_status status = block && declared ? VAE_OK : VAE_E_MEMORY;
    if (!status) *declared = (struct declared){.param = config->prior.value, .L = config->latent, .D = 1};
    if (!status) status = joint->declare(declared, block, err);
    const bool encodes = !status && declared->encodes;
    free(block);
    free(declared);
    if (!encodes) return status;
    if (flow)
        return vae_fail(err, VAE_E_USAGE,
                        "prior %s takes the posteriors of pseudo-inputs for Gaussians, and posterior %s is none "
                        "(expected gaussian)",
                        config->prior.name, config->posterior.name);
    return vae_fail(err, VAE_E_USAGE, "conditional: the pseudo-inputs of prior %s have no labels", config->prior.name);
}

vae_status vae_config_check(const vae_config *config, vae_error *err)
{
    vae_status status = check_settings(config, err);
    if (!status) status = check_kl(config, err);
    if (!status) status = check_encoded(config, err);
    if (!status) status = check_likelihood(config, err);
    if (status) return status;
    for (size_t i = 1; i < VAE_MAX_LIST && config->lr_steps[i]; i++)
        if (config->lr_steps[i] <= config->lr_steps[i - 1])
            return vae_fail(err, VAE_E_USAGE, "lr-steps: expected ascending epochs");
    if (!strcmp(config->schedule, "step") != (config->lr_steps[0] > 0))
        return vae_fail(err, VAE_E_USAGE, "schedule step and lr-steps go together");
    const bool iwae = !strcmp(config->objective, "iwae"), standard = !strcmp(config->gradient, "standard");
    const bool flow = posterior_find(config->posterior.name)->flow,
               joint = prior_find(config->prior.name)->joint || flow;
    if (!strcmp(config->gradient, "dreg") && !iwae)
        return vae_fail(err, VAE_E_USAGE, "gradient dreg: expected objective iwae (elbo has stl)");
    if (flow && !standard)
        return vae_fail(err, VAE_E_USAGE,
                        "gradient %s: needs a factorised posterior, and %s is a flow (gradient standard works)",
                        config->gradient, config->posterior.name);
    if ((iwae || !standard) && config->free_bits > 0)
        return vae_fail(err, VAE_E_USAGE,
                        "free-bits: needs a KL of its own (expected objective elbo, gradient standard)");
    if ((iwae || !standard || joint) && !strcmp(config->kl_noise, "stratified"))
        return vae_fail(err, VAE_E_USAGE,
                        "kl-noise stratified: needs a KL of its own, not draws that are weighed one by one");
    if (config->patience > 0 && config->validation <= 0)
        return vae_fail(err, VAE_E_USAGE, "patience: needs a validation split (expected validation above 0)");
    if (config->batch * config->samples > INT32_MAX / 4)
        return vae_fail(err, VAE_E_USAGE, "batch %llu times samples %llu is too large",
                        (unsigned long long)config->batch, (unsigned long long)config->samples);
    return VAE_OK;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

json_t *config_to_json(const vae_config *config)
{
    json_t *object = json_object();
    for (size_t i = 0; vae_setting_at(i); i++) {
        const void *field = (const char *)config + settings[i].offset;
        char text[VAE_MAX_SOURCE];
        json_t *value = NULL;
        vae_config_text(config, &settings[i], text, sizeof text);
        if (settings[i].young && !strcmp(text, settings[i].fallback)) continue;
        if (settings[i].type == VAE_T_COUNT)
            value = json_integer((json_int_t) * (const uint64_t *)field);
        else if (settings[i].type == VAE_T_REAL)
            value = json_real(*(const double *)field);
        else
            value = json_string(text);
        json_object_set_new(object, settings[i].name, value);
    }
    return object;
}

/* A file has the name of its prior and nothing of where it came from. */
static vae_status check_prior_is_there(const char *text, vae_error *err)
{
    char name[VAE_MAX_NAME];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, ":"), text);
    if (prior_find(name)) return VAE_OK;
    return vae_fail(
        err, VAE_E_MODEL,
        "its prior '%s' is a plug-in that is not loaded (--plugin FILE.so loads it), or younger than this vaectl",
        name);
}

static vae_status set_from_json(vae_config *config, const vae_setting *setting, const json_t *value, vae_error *err)
{
    char number[40];
    const char *text = number;
    if (json_is_string(value))
        text = json_string_value(value);
    else if (json_is_integer(value))
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
    else if (json_is_real(value))
        format_real(json_real_value(value), number, sizeof number);
    else
        return vae_fail(err, VAE_E_MODEL, "setting '%s' is neither text nor number", setting->name);
    const bool is_prior = setting->type == VAE_T_CHOICE && setting->kind == VAE_PRIOR;
    vae_status status = is_prior ? check_prior_is_there(text, err) : VAE_OK;
    return status ? status : set_setting(config, setting, text, err);
}

vae_status config_from_json(vae_config *config, const json_t *object, vae_error *err)
{
    size_t known = 0;
    vae_config_defaults(config);
    for (size_t i = 0; vae_setting_at(i); i++) {
        const json_t *value = json_object_get(object, settings[i].name);
        vae_status status = value ? set_from_json(config, &settings[i], value, err) : VAE_OK;
        if (status) return status;
        known += value != NULL;
    }
    if (json_object_size(object) != known)
        return vae_fail(err, VAE_E_MODEL, "settings that this version does not know (a newer vaectl wrote them)");
    return vae_config_check(config, err);
}
