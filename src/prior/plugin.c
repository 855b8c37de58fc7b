/* SPDX-License-Identifier: MIT
 *
 * Plug-in priors: a shared object's table (vae_prior.h) is looked at, translated into a prior_ops and put behind the
 * built-in priors. This is the only file that knows both. */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/choice.h"
#include "prior/prior.h"

_Static_assert(sizeof(struct vae_prior_v1) == 96 && sizeof(vae_param) == 72 && sizeof(vae_known) == 96,
               "another layout is another VAE_PRIOR_ABI");

/* ---- Callbacks -------------------------------------------------------------------------------------------------- */

struct prior_state {
    const struct vae_prior_v1 *plugin;
    _Alignas(64) unsigned char own[]; /* the plug-in's vae_prior_state */
};

static const struct vae_prior_state *own(const struct prior_state *state) { return (const void *)state->own; }

void plugin_init(const struct vae_prior_v1 *plugin, struct prior_state *state, const double *param)
{
    state->plugin = plugin;
    plugin->init((void *)state->own, param);
}

#ifndef VAE_DOUBLE

static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *slope)
{
    state->plugin->log_prob(own(state), n, z, logp, slope);
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    state->plugin->sample(own(state), n, bits, z);
}

static void kl_gaussian(const struct prior_state *state, size_t n, const real *mean, const real *logvar, real *kl,
                        real *dmean, real *dlogvar)
{
    state->plugin->kl_gaussian(own(state), n, mean, logvar, kl, dmean, dlogvar);
}

#else /* a plug-in has floats: it is called for a block of numbers after the other */

enum { BLOCK = 256 };

static size_t block(size_t left) { return left < BLOCK ? left : BLOCK; }

static void narrow(size_t n, const real *from, float *to)
{
    for (size_t i = 0; i < n; i++) to[i] = (float)from[i];
}

static void widen(size_t n, const float *from, real *to)
{
    for (size_t i = 0; i < n; i++) to[i] = R(from[i]);
}

static void log_prob(const struct prior_state *state, size_t n, const real *z, real *logp, real *slope)
{
    float at[BLOCK], value[BLOCK], down[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t m = block(n - i);
        narrow(m, z + i, at);
        state->plugin->log_prob(own(state), m, at, value, down);
        widen(m, value, logp + i);
        widen(m, down, slope + i);
    }
}

static void sample(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z)
{
    float draw[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        state->plugin->sample(own(state), block(n - i), bits + i, draw);
        widen(block(n - i), draw, z + i);
    }
}

static void kl_gaussian(const struct prior_state *state, size_t n, const real *mean, const real *logvar, real *kl,
                        real *dmean, real *dlogvar)
{
    float a[BLOCK], b[BLOCK], value[BLOCK], da[BLOCK], db[BLOCK];
    for (size_t i = 0; i < n; i += BLOCK) {
        const size_t m = block(n - i);
        narrow(m, mean + i, a);
        narrow(m, logvar + i, b);
        state->plugin->kl_gaussian(own(state), m, a, b, value, da, db);
        widen(m, value, kl + i);
        widen(m, da, dmean + i);
        widen(m, db, dlogvar + i);
    }
}

#endif

/* ---- Is the table what it should be? ---------------------------------------------------------------------------- */

bool vae_is_name(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"; /* 52 letters */
    const size_t length = strlen(name);
    return length && length < VAE_MAX_NAME && strspn(name, allowed) == length && memchr(allowed, name[0], 52);
}

static vae_status check_param(const char *path, const vae_param *params, size_t i, vae_error *err)
{
    const vae_param *p = &params[i];
    if (!vae_is_name(p->name)) return vae_fail(err, VAE_E_USAGE, "%s: parameter %zu has no proper name", path, i + 1);
    for (size_t k = 0; k < i; k++)
        if (!strcmp(params[k].name, p->name))
            return vae_fail(err, VAE_E_USAGE, "%s: it has two parameters '%s'", path, p->name);
    if (!p->help) return vae_fail(err, VAE_E_USAGE, "%s: parameter %s has no help", path, p->name);
    if (p->or_words && p->min < 0)
        return vae_fail(err, VAE_E_USAGE, "%s: parameter %s: range from %g (expected none below 0, beside words)", path,
                        p->name, p->min);
    const bool is_word = p->or_words && p->value < 0;
    if (!(((p->min <= p->value && p->value <= p->max) || is_word) && p->max - p->min < (double)INFINITY))
        return vae_fail(err, VAE_E_USAGE,
                        "%s: parameter %s: default %g and range %g to %g (expected finite numbers, "
                        "the default in the range)",
                        path, p->name, p->value, p->min, p->max);
    return VAE_OK;
}

static vae_status check_params(const char *path, const vae_param *params, vae_error *err)
{
    vae_status status = VAE_OK;
    for (size_t i = 0; params && params[i].name && !status; i++) {
        if (i == VAE_MAX_PARAMS)
            return vae_fail(err, VAE_E_USAGE, "%s: more than %d parameters, or no end of their table", path,
                            VAE_MAX_PARAMS);
        status = check_param(path, params, i, err);
    }
    return status;
}

/* A default has a text, which means it: else no model file could have it. */
static vae_status check_defaults(const char *path, const vae_module *module, vae_error *err)
{
    vae_choice choice = {0};
    module_defaults(module, choice.value);
    for (size_t i = 0; module->params && module->params[i].name; i++) {
        const vae_param *p = &module->params[i];
        char text[VAE_MAX_NAME];
        param_text(p, p->value, text, sizeof text);
        if (choice_set(&choice, module, p->name, text, NULL) || choice.value[i] != p->value)
            return vae_fail(err, VAE_E_USAGE, "%s: parameter %s: default %g is none of its values", path, p->name,
                            p->value);
    }
    return VAE_OK;
}

static vae_status check_table(const char *path, const struct vae_prior_v1 *p, vae_error *err)
{
    enum { LARGEST_STATE = 1 << 20 };
    if (p->abi != VAE_PRIOR_ABI || p->size != sizeof *p)
        return vae_fail(err, VAE_E_USAGE,
                        "%s: made for ABI %u with a struct of %u bytes; here it is ABI %d with %zu bytes", path,
                        (unsigned)p->abi, (unsigned)p->size, VAE_PRIOR_ABI, sizeof *p);
    if (!p->module.name || !vae_is_name(p->module.name))
        return vae_fail(err, VAE_E_USAGE, "%s: it has no proper name (expected letters, digits, - and _, at most %d)",
                        path, VAE_MAX_NAME - 1);
    if (!p->module.summary || !p->module.formula)
        return vae_fail(err, VAE_E_USAGE, "%s: it has no summary or no formula", path);
    if (!p->init || !p->log_prob || !p->sample)
        return vae_fail(err, VAE_E_USAGE, "%s: one of init, log_prob and sample is missing", path);
    if (p->state_size > LARGEST_STATE)
        return vae_fail(err, VAE_E_USAGE, "%s: a state of %zu bytes (at most %d)", path, p->state_size, LARGEST_STATE);
    vae_status status = check_params(path, p->module.params, err);
    return status ? status : check_defaults(path, &p->module, err);
}

/* ---- Loading ---------------------------------------------------------------------------------------------------- */

/* Why the last dlopen failed, without the path that it begins with. */
static const char *loader_says(const char *path)
{
    const char *text = dlerror();
    const size_t length = strlen(path);
    if (!text) return "unknown error";
    return !strncmp(text, path, length) && !strncmp(text + length, ": ", 2) ? text + length + 2 : text;
}

/* Ends the file before what its program headers say is in it? The loader maps that without a look at the size, and dies
 * of SIGBUS where it reads behind the end. */
static bool is_cut(const char *path, uint64_t size)
{
    ElfW(Ehdr) head;
    ElfW(Phdr) part;
    bool cut = false;
    FILE *file = fopen(path, "rb");
    if (file && fread(&head, sizeof head, 1, file) == 1 && !memcmp(head.e_ident, ELFMAG, SELFMAG) &&
        head.e_phentsize == sizeof part)
        for (size_t i = 0; i < head.e_phnum && !cut; i++)
            cut = fseeko(file, (off_t)(head.e_phoff + i * sizeof part), SEEK_SET) ||
                  fread(&part, sizeof part, 1, file) != 1 ||
                  (part.p_type == PT_LOAD && (part.p_offset > size || part.p_filesz > size - part.p_offset));
    if (file) fclose(file);
    return cut;
}

/* A name without a slash would be looked for in the folders of system libraries. */
vae_status plugin_open(const char *path, const struct vae_prior_v1 **plugin, vae_error *err)
{
    char local[VAE_MAX_SOURCE];
    struct stat info;
    *plugin = NULL;
    if ((size_t)snprintf(local, sizeof local, "%s%s", strchr(path, '/') ? "" : "./", path) >= sizeof local)
        return vae_fail(err, VAE_E_USAGE, "plug-in: longer than %zu characters", sizeof local - 3);
    const int failed = stat(local, &info);
    if (failed || !S_ISREG(info.st_mode))
        return vae_fail(err, VAE_E_USAGE, "%s: %s (expected a plug-in, a shared object)", path,
                        failed ? strerror(errno) : "not a file");
    if (is_cut(local, (uint64_t)info.st_size))
        return vae_fail(err, VAE_E_USAGE, "%s: ends too early (expected a plug-in, a shared object)", path);
    void *object = dlopen(local, RTLD_NOW | RTLD_LOCAL);
    if (!object) return vae_fail(err, VAE_E_USAGE, "%s: cannot load the plug-in: %s", path, loader_says(local));
    const struct vae_prior_v1 *table = dlsym(object, "vae_prior_plugin");
    vae_status status = table ? check_table(path, table, err)
                              : vae_fail(err, VAE_E_USAGE, "%s: not a plug-in: it has no vae_prior_plugin", path);
    if (status)
        dlclose(object);
    else
        *plugin = table;
    return status;
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

enum { MOST_PLUGINS = 32 };

/* Entries do not change once they are there. */
static struct {
    pthread_mutex_t lock;
    struct prior_ops prior[MOST_PLUGINS];
    size_t n;
} list = {.lock = PTHREAD_MUTEX_INITIALIZER};

const struct prior_ops *plugin_at(size_t i)
{
    pthread_mutex_lock(&list.lock);
    const bool is_there = i < list.n;
    pthread_mutex_unlock(&list.lock);
    return is_there ? &list.prior[i] : NULL;
}

static struct prior_ops translated(const struct vae_prior_v1 *p)
{
    struct prior_ops ops = {
        .module = p->module,
        .state_size = sizeof(struct prior_state) + p->state_size,
        .log_prob = log_prob,
        .sample = sample,
        .heavy_tailed = p->heavy_tailed,
        .known = p->known,
        .plugin = p,
    };
    if (p->kl_gaussian) ops.exact[0] = (struct exact_kl){"gaussian", false, kl_gaussian};
    return ops;
}

static vae_status add_locked(const char *path, const struct vae_prior_v1 *p, vae_error *err)
{
    for (size_t i = 0; i < list.n; i++) {
        if (list.prior[i].plugin == p) return VAE_OK;
        if (!strcmp(list.prior[i].module.name, p->module.name))
            return vae_fail(err, VAE_E_USAGE, "%s: another plug-in named '%s' is loaded", path, p->module.name);
    }
    if (list.n == MOST_PLUGINS) return vae_fail(err, VAE_E_USAGE, "%s: more than %d plug-ins", path, MOST_PLUGINS);
    list.prior[list.n++] = translated(p);
    return VAE_OK;
}

vae_status plugin_add(const char *path, const struct vae_prior_v1 *p, vae_error *err)
{
    pthread_mutex_lock(&list.lock);
    const vae_status status = add_locked(path, p, err);
    pthread_mutex_unlock(&list.lock);
    return status;
}
