/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/command.h"
#include "cli/signals.h"

/* ---- List ------------------------------------------------------------------------------------------------------- */

static void print_module(const vae_module *module)
{
    printf("%s: %s\n    %s\n", module->name, module->summary, module->formula);
    for (const vae_param *p = module->params; p && p->name; p++)
        help_param(stdout, (size_t)printf("    --%s  ", p->name), 8, p);
}

/* ---- Check ------------------------------------------------------------------------------------------------------ */

static void print_check(void *context, const vae_check *check)
{
    (void)context;
    printf("%-7s %-41s %9.3g (at most %g)%s%s\n", check->passed ? "ok" : "FAILED", check->what, check->figure,
           check->bound, check->passed ? "" : ": ", check->passed ? "" : check->where);
}

static const struct {
    const char *name;
    vae_kind kind;
} kinds[] = {{"prior", VAE_PRIOR}, {"posterior", VAE_POSTERIOR}, {"likelihood", VAE_LIKELIHOOD}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static bool is_called(const char *text, const char *name)
{
    const size_t length = strlen(name);
    return !strncmp(text, name, length) && (text[length] == ':' || !text[length]);
}

/* Is there a module of this kind that `text`, "NAME" or "NAME:k=v,...", begins with? */
static bool has_module(vae_kind kind, const char *text)
{
    const vae_module *module;
    for (size_t i = 0; (module = vae_module_at(kind, i)); i++)
        if (is_called(text, module->name)) return true;
    return false;
}

/* KIND: before a name says which kind of module it is; without it a prior of that name comes first. What nobody knows
 * is said to be no prior. */
static vae_status kind_of(const char **text, vae_kind *kind, vae_error *err)
{
    for (size_t i = 0; i < KINDS; i++)
        if (is_called(*text, kinds[i].name) && strchr(*text, ':')) {
            *kind = kinds[i].kind;
            *text = strchr(*text, ':') + 1;
            return VAE_OK;
        }
    const bool posterior = has_module(VAE_POSTERIOR, *text), likelihood = has_module(VAE_LIKELIHOOD, *text);
    *kind = VAE_PRIOR;
    if (has_module(VAE_PRIOR, *text) || !(posterior || likelihood)) return VAE_OK;
    *kind = posterior ? VAE_POSTERIOR : VAE_LIKELIHOOD;
    if (!(posterior && likelihood)) return VAE_OK;
    const int length = (int)strcspn(*text, ":");
    return vae_fail(err, VAE_E_USAGE,
                    "--check: '%.*s' is a posterior and a likelihood (expected posterior:%.*s or "
                    "likelihood:%.*s)",
                    length, *text, length, *text, length, *text);
}

static vae_status check(const char *given, vae_error *err)
{
    char choice[VAE_MAX_SOURCE];
    vae_kind kind;
    vae_status status = kind_of(&given, &kind, err);
    if (!status && kind != VAE_PRIOR) return vae_module_check(kind, given, print_check, NULL, err);
    if (!status) status = plugin_choice(given, choice, err);
    return status ? status : vae_module_check(VAE_PRIOR, choice, print_check, NULL, err);
}

/* ---- Template --------------------------------------------------------------------------------------------------- */

/* One line of the template to the end of `text`, where it is not NULL, with `name` in the place of each NAME. Returns
 * its length. */
static size_t put_line(char *text, const char *line, const char *name)
{
    size_t n = 0;
    const size_t length = strlen(name);
    while (*line) {
        const bool is_name = !strncmp(line, "NAME", 4);
        if (text) memcpy(text + n, is_name ? name : line, is_name ? length : 1);
        n += is_name ? length : 1;
        line += is_name ? 4 : 1;
    }
    return n;
}

static size_t put_template(char *text, const char *name)
{
    size_t n = 0;
    for (const char *const *line = plugin_template; *line; line++) n += put_line(text ? text + n : NULL, *line, name);
    return n;
}

static vae_status check_name(const char *name, vae_error *err)
{
    const vae_module *module;
    if (!vae_is_name(name))
        return vae_fail(err, VAE_E_USAGE, "--template: '%s' (expected letters, digits, - and _, at most %d)", name,
                        VAE_MAX_NAME - 1);
    for (size_t i = 0; (module = vae_module_at(VAE_PRIOR, i)); i++)
        if (!strcmp(module->name, name))
            return vae_fail(err, VAE_E_USAGE, "--template: there is a prior '%s' already", name);
    return VAE_OK;
}

static vae_status write_new(const char *path, const char *text, size_t size, vae_error *err)
{
    struct stat info;
    if (!lstat(path, &info)) return vae_fail(err, VAE_E_WRITE, "%s: is already there (another -o keeps it)", path);
    vae_status status = WHOLE(vae_write_file(path, text, size, err));
    if (!status) run_say_written(path);
    return status;
}

/* -o - is stdout. */
static vae_status write_template(const char *name, const char *output, vae_error *err)
{
    char path[VAE_MAX_NAME + 8];
    vae_status status = check_name(name, err);
    if (status) return status;
    const size_t size = put_template(NULL, name);
    char *text = malloc(size);
    if (!text) return vae_fail(err, VAE_E_MEMORY, "out of memory for the template");
    put_template(text, name);
    snprintf(path, sizeof path, "%s.c", name);
    if (output && !strcmp(output, "-"))
        fwrite(text, 1, size, stdout);
    else
        status = write_new(output ? output : path, text, size, err);
    free(text);
    return status;
}

/* ---- The command ------------------------------------------------------------------------------------------------ */

static vae_status run(const struct arguments *arguments, vae_error *err)
{
    const vae_module *module;
    const char *template = argument(arguments, "template"), *checked = argument(arguments, "check");
    const char *output = argument(arguments, "output");
    if (template && checked) return vae_fail(err, VAE_E_USAGE, "priors: --template or --check, not both");
    if (output && !template) return vae_fail(err, VAE_E_USAGE, "priors: --output is for --template");
    if (template) return write_template(template, output, err);
    if (checked) return check(checked, err);
    for (size_t i = 0; (module = vae_module_at(VAE_PRIOR, i)); i++) print_module(module);
    return VAE_OK;
}

static const struct flag flags[] = {
    {"template", 0, "NAME", "write the source of a plug-in prior to begin with"},
    {"output", 'o', "FILE", "where the template goes, - for stdout [NAME.c]"},
    {"check", 0, "NAME|FILE.so", "is a distribution what it says it is?"},
    {0},
};

const struct command command_priors = {
    .name = "priors",
    .summary = "list the priors, write one as a plug-in, check one",
    .details = "Lists the registered priors p(z): density, parameters with range and default.\n"
               "With --template it writes the source of another one, complete and commented.\n\n"
               "With --check it tests whether a prior, posterior or likelihood is what it says\n"
               "it is: a line for each check, with the largest figure over parameter values,\n"
               "and exit status 1 where one failed. NAME:k=v,... checks around other values.\n"
               "Where kinds share a name, the prior is meant; posterior:NAME, likelihood:NAME\n"
               "and prior:NAME say which: cauchy is the prior, posterior:cauchy the other one.",
    .flags = flags,
    .run = run,
};
