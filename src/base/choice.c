/* SPDX-License-Identifier: MIT */
#include "base/choice.h"

#include <ctype.h>
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

/* Numbers of settings and model files have a point, whatever the locale of the host program. */
static double to_real(const char *text, char **end)
{
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    const double value = strtod(text, end);
    uselocale(before);
    if (c) freelocale(c);
    return value;
}

vae_status vae_parse_real(const char *name, const char *text, double min, double max, double *value, vae_error *err)
{
    char *end;
    double v = to_real(text, &end);
    if (end == text || *end || isspace((unsigned char)*text) || strpbrk(text, "xX"))
        return vae_fail(err, VAE_E_USAGE, "%s: '%s' is not a number", name, text);
    if (!(v >= min && v <= max)) /* also refuses NaN */
        return vae_fail(err, VAE_E_USAGE, "%s: %s is out of range (expected %g to %g)", name, text, min, max);
    *value = v;
    return VAE_OK;
}

vae_status vae_parse_count(const char *name, const char *text, double min, double max, uint64_t *value, vae_error *err)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end)
        return vae_fail(err, VAE_E_USAGE, "%s: '%s' is not a whole number", name, text);
    if (errno || (double)v < min || (double)v > max)
        return vae_fail(err, VAE_E_USAGE, "%s: %s is out of range (expected %.0f to %.0f)", name, text, min, max);
    *value = v;
    return VAE_OK;
}

bool has_empty_item(const char *list)
{
    const size_t length = strlen(list);
    return length == 0 || list[0] == ',' || list[length - 1] == ',' || strstr(list, ",,");
}

void format_real(double value, char *text, size_t size)
{
    const locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0), before = uselocale(c);
    int digits = 15;
    do snprintf(text, size, "%.*g", digits, value);
    while (strtod(text, NULL) != value && ++digits <= 17);
    uselocale(before);
    if (c) freelocale(c);
}

/* ---- Suggestions ------------------------------------------------------------------------------------------------ */

static size_t min3(size_t a, size_t b, size_t c) { return a < b ? (a < c ? a : c) : (b < c ? b : c); }

/* Levenshtein distance; words longer than the table count as far apart. */
static size_t edit_distance(const char *a, const char *b)
{
    enum { MOST = 64 };
    size_t row[MOST + 1], n = strlen(b);
    if (n > MOST) return SIZE_MAX;
    for (size_t j = 0; j <= n; j++) row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[n];
}

const char *vae_nearest(const char *word, const char *const *names)
{
    const char *best = NULL;
    size_t closest = strlen(word) / 3 + 2; /* farther than this is another word */
    for (; *names; names++) {
        size_t distance = edit_distance(word, *names);
        if (distance < closest) {
            closest = distance;
            best = *names;
        }
    }
    return best;
}

/* ---- Words ------------------------------------------------------------------------------------------------------ */

int word_place(const char *values, const char *word)
{
    const size_t length = strlen(word);
    if (!length || strchr(word, '|')) return -1;
    for (int place = 0; values; place++) {
        if (!strncmp(values, word, length) && (values[length] == '|' || !values[length])) return place;
        values = strchr(values, '|');
        if (values) values++;
    }
    return -1;
}

/* The word at `place`, or NULL; `length` is its own. */
static const char *word_at(const char *words, double place, size_t *length)
{
    for (; words && place >= 1; place--) {
        words = strchr(words, '|');
        if (words) words++;
    }
    if (place != 0) words = NULL; /* a number that is no place */
    *length = words ? strcspn(words, "|") : 0;
    return words;
}

/* ---- Modules ---------------------------------------------------------------------------------------------------- */

/* printf to the end of `text`; what does not fit is cut. */
VAE_PRINTF(3, 4) static void append(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + used, size - used, format, arguments);
    va_end(arguments);
}

const vae_module *module_find(module_at *at, const char *name)
{
    for (size_t i = 0; at(i); i++)
        if (!strcmp(at(i)->name, name)) return at(i);
    return NULL;
}

size_t module_param(const vae_module *module, const char *name)
{
    for (size_t i = 0; module->params && module->params[i].name; i++)
        if (!strcmp(module->params[i].name, name)) return i;
    return VAE_MAX_PARAMS;
}

void module_defaults(const vae_module *module, double *value)
{
    for (size_t i = 0; module->params && module->params[i].name; i++) value[i] = module->params[i].value;
}

const char *module_names(module_at *at, char *text, size_t size)
{
    *text = '\0';
    for (size_t i = 0; at(i); i++) append(text, size, "%s%s", i ? ", " : "", at(i)->name);
    return text;
}

static vae_status unknown_module(const char *what, module_at *at, const char *name, vae_error *err)
{
    enum { MOST = 64 };
    const char *names[MOST + 1] = {NULL};
    char list[256], hint[VAE_MAX_NAME + 32] = "";
    for (size_t i = 0; i < MOST && at(i); i++) names[i] = at(i)->name;
    const char *near = vae_nearest(name, names);
    if (near) snprintf(hint, sizeof hint, "did you mean '%s'? ", near);
    return vae_fail(err, VAE_E_USAGE, "unknown %s '%s' (%sthere are: %s)", what, name, hint,
                    module_names(at, list, sizeof list));
}

static vae_status unknown_param(const vae_module *module, const char *name, vae_error *err)
{
    char list[256] = "";
    for (size_t i = 0; module->params && module->params[i].name; i++)
        append(list, sizeof list, "%s%s", i ? ", " : "", module->params[i].name);
    return vae_fail(err, VAE_E_USAGE, "%s has no parameter '%s' (it has: %s)", module->name, name,
                    *list ? list : "none");
}

static vae_status set_word(double *value, const vae_param *param, const char *label, const char *text, vae_error *err)
{
    const int place = word_place(param->words, text);
    if (place < 0) return vae_fail(err, VAE_E_USAGE, "%s: '%s' (expected one of %s)", label, text, param->words);
    *value = place;
    return VAE_OK;
}

static vae_status set_real_or_word(double *value, const vae_param *param, const char *label, const char *text,
                                   vae_error *err)
{
    const int place = word_place(param->or_words, text);
    if (place < 0 && vae_parse_real(label, text, param->min, param->max, value, NULL))
        return vae_fail(err, VAE_E_USAGE, "%s: '%s' (expected %g to %g or one of %s)", label, text, param->min,
                        param->max, param->or_words);
    if (place >= 0) *value = VAE_OR_WORD(place);
    return VAE_OK;
}

vae_status choice_set(vae_choice *choice, const vae_module *module, const char *name, const char *text, vae_error *err)
{
    size_t i = module_param(module, name);
    if (i == VAE_MAX_PARAMS) return unknown_param(module, name, err);
    const vae_param *param = &module->params[i];
    char label[2 * VAE_MAX_NAME];
    snprintf(label, sizeof label, "%s parameter %s", module->name, name);
    if (param->words) return set_word(&choice->value[i], param, label, text, err);
    if (param->or_words) return set_real_or_word(&choice->value[i], param, label, text, err);
    double value;
    vae_status status = vae_parse_real(label, text, param->min, param->max, &value, err);
    if (!status && param->whole && floor(value) < value)
        status = vae_fail(err, VAE_E_USAGE, "%s: %s is not a whole number", label, text);
    if (!status) choice->value[i] = value;
    return status;
}

static vae_status parse_params(vae_choice *choice, const vae_module *module, char *text, vae_error *err)
{
    char *rest = NULL;
    if (has_empty_item(text)) return vae_fail(err, VAE_E_USAGE, "%s:%s (expected name=value,...)", module->name, text);
    for (char *pair = strtok_r(text, ",", &rest); pair; pair = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(pair, '=');
        if (!equals) return vae_fail(err, VAE_E_USAGE, "%s: '%s' (expected name=value)", module->name, pair);
        *equals = '\0';
        vae_status status = choice_set(choice, module, pair, equals + 1, err);
        if (status) return status;
    }
    return VAE_OK;
}

vae_status choice_parse(vae_choice *choice, const char *what, module_at *at, const char *text, vae_error *err)
{
    char copy[512]; /* the longest name with as many parameters as there may be */
    if (strlen(text) >= sizeof copy) return vae_fail(err, VAE_E_USAGE, "%s: name too long", what);
    strcpy(copy, text);
    char *colon = strchr(copy, ':');
    if (colon) *colon = '\0';
    const vae_module *module = module_find(at, copy);
    if (!module) return unknown_module(what, at, copy, err);

    vae_choice chosen = {0};
    snprintf(chosen.name, sizeof chosen.name, "%s", module->name);
    module_defaults(module, chosen.value);
    vae_status status = colon ? parse_params(&chosen, module, colon + 1, err) : VAE_OK;
    if (!status) *choice = chosen;
    return status;
}

const char *param_text(const vae_param *param, double value, char *text, size_t size)
{
    const char *words = param->words ? param->words : value < 0 ? param->or_words : NULL;
    size_t length;
    if (!words) {
        format_real(value, text, size);
        return text;
    }
    const char *word = word_at(words, param->words ? value : -1 - value, &length);
    snprintf(text, size, "%.*s", (int)length, word ? word : "");
    return text;
}

void choice_text(const vae_choice *choice, const vae_module *module, char *text, size_t size)
{
    char separator = ':';
    snprintf(text, size, "%s", choice->name);
    for (size_t i = 0; module && module->params && module->params[i].name; i++) {
        const vae_param *param = &module->params[i];
        char value[VAE_MAX_NAME];
        if (param->young && choice->value[i] == param->value) continue;
        param_text(param, choice->value[i], value, sizeof value);
        append(text, size, "%c%s=%s", separator, param->name, value);
        separator = ',';
    }
}
