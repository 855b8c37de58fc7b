/* SPDX-License-Identifier: MIT
 *
 * Plug-ins: a right one is taken and passes all checks; of those of tests/plugins/broken.c each is refused when it is
 * loaded, or fails the checks that are about what is wrong with it, and no others. */
#include <pthread.h>

#include "check.h"
#include "plugins.h"

static size_t priors(void)
{
    size_t n = 0;
    while (vae_module_at(VAE_PRIOR, n)) n++;
    return n;
}

/* ---- Checks ----------------------------------------------------------------------------------------------------- */

static void collect_failures(void *context, const vae_check *check)
{
    char *failures = context;
    if (check->passed) return;
    assert_true(strlen(failures) + strlen(check->what) + 3 < 1024);
    assert_true(*check->where);
    strcat(failures, check->what);
    strcat(failures, "; ");
}

#define MASS    "density integrates to 1: error; "
#define SLOPE   "slope is that of log p: error; "
#define DRAWS   "draws follow density: Kolmogorov-Smirnov; "
#define KNOWN   "known answers: error; "
#define KL      "exact KL is the integral: error; "
#define SLOPES  "slopes of the exact KL: error; "
#define AGAIN   "numbers that differ at a second call; "
#define ALONE   "numbers that differ one by one; "
#define OUTSIDE "bytes changed outside of outputs; "

static void test_checks(void **state)
{
    static const char *const plugins[][2] = {
        {"good", ""},
        {"negated_slope", SLOPE SLOPES},
        {"unnormalised", MASS KNOWN KL},
        {"other_scale", DRAWS},
        {"nan_in_tail", SLOPE "log p, slope not finite up to |z| = 1e6; "},
        {"hidden_nan", "log p(NaN) that is a number; "},
        {"wrong_kl", KNOWN KL},
        {"negated_kl_slope", SLOPES},
        {"negative_kl", "exact KL negative or not finite; "},
        {"wrong_answer", KNOWN},
        {"unsteady", AGAIN},
        {"depends_on_n", ALONE},
        {"writes_past", OUTSIDE},
        {"writes_input", MASS SLOPE DRAWS AGAIN ALONE OUTSIDE},
        {"writes_state", OUTSIDE},
        {"infinite_draw", "draws that are not finite; "},
        {"unmoved", ""},
    };
    char path[PATH_MOST];
    (void)state;
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
        char failures[1024] = "";
        const char *name = NULL;
        vae_error err = {0};
        if (vae_prior_load(plugin_path(path, plugins[i][0]), &name, &err)) fail_msg("%s", err.message);
        assert_string_equal(name, plugins[i][0]);
        const vae_status status = vae_module_check(VAE_PRIOR, name, collect_failures, failures, &err);
        assert_string_equal(failures, plugins[i][1]);
        assert_int_equal(status, *failures ? VAE_E_INTERNAL : VAE_OK);
    }
}

/* A state may point into itself, and what a model made may outlive the model. */
static void test_states_stay_where_they_are(void **state)
{
    char path[PATH_MOST];
    vae_config config;
    vae_model *model;
    vae_marginals *marginals;
    (void)state;
    vae_config_defaults(&config);
    assert_int_equal(vae_prior_load(plugin_path(path, "unmoved"), NULL, NULL), VAE_OK);
    assert_int_equal(vae_config_set(&config, "prior", "unmoved", NULL), VAE_OK);
    assert_int_equal(vae_model_new(&model, &config, 2, 2, NULL), VAE_OK);
    assert_int_equal(vae_prior_marginals(&marginals, model, 1, NULL), VAE_OK);
    vae_model_free(&model);
    assert_true(fabs(vae_marginal_cdf(marginals, 0, 1) - 0.8413447461) < 1e-6);
    assert_true(fabs(vae_marginal_quantile(marginals, 0, 0.8413447461) - 1) < 1e-5);
    vae_marginals_free(&marginals);
}

/* ---- Refusals --------------------------------------------------------------------------------------------------- */

static void test_refused(void **state)
{
    static const char *const plugins[][2] = {
        {"wrong_abi", "made for ABI 2 with a struct of 96 bytes; here it is ABI 1 with 96 bytes"},
        {"short_struct", "made for ABI 1 with a struct of 88 bytes; here it is ABI 1 with 96 bytes"},
        {"no_symbol", "not a plug-in: it has no vae_prior_plugin"},
        {"many_parameters", "more than 8 parameters, or no end of their table"},
        {"twice_a_parameter", "it has two parameters 'sd'"},
        {"setting_parameter", "its parameter 'beta' has the name of a setting"},
        {"default_out_of_range", "parameter sd: default 3 and range 1 to 2 (expected finite numbers, the default in "
                                 "the range)"},
        {"endless_range", "parameter sd: default 1 and range 1 to inf (expected finite numbers, the default in the "
                          "range)"},
        {"fractional_count", "parameter k: default 1.5 is none of its values"},
        {"wordless", "parameter kind: default 5 is none of its values"},
        {"below_zero", "parameter s: range from -5 (expected none below 0, beside words)"},
        {"no_help", "parameter sd has no help"},
        {"unnamed_parameter", "parameter 1 has no proper name"},
        {"no_formula", "it has no summary or no formula"},
        {"no_sample", "one of init, log_prob and sample is missing"},
        {"huge_state", "a state of 18446744073709551615 bytes (at most 1048576)"},
        {"bad_name", "it has no proper name (expected letters, digits, - and _, at most 31)"},
        {"built_in_name", "its name, 'laplace', is that of a built-in prior"},
        {"none", "No such file or directory (expected a plug-in, a shared object)"},
    };
    const size_t before = priors();
    char path[PATH_MOST], message[1024];
    (void)state;
    for (size_t i = 0; i < sizeof plugins / sizeof *plugins; i++) {
        const char *name = "untouched";
        vae_error err = {0};
        plugin_path(path, plugins[i][0]);
        assert_int_equal(vae_prior_load(path, &name, &err), VAE_E_USAGE);
        snprintf(message, sizeof message, "%s: %s", path, plugins[i][1]);
        assert_string_equal(err.message, message);
        assert_string_equal(name, "untouched");
    }
    assert_int_equal(priors(), before);
}

static void assert_refused(const char *path, const char *what)
{
    vae_error err = {0};
    assert_int_equal(vae_prior_load(path, NULL, &err), VAE_E_USAGE);
    assert_non_null(strstr(err.message, path));
    if (!strstr(err.message, what)) fail_msg("'%s', expected '%s'", err.message, what);
}

static void test_files_that_are_no_plugins(void **state)
{
    char path[PATH_MOST], longest[VAE_MAX_SOURCE + 8];
    vae_error err;
    (void)state;
    assert_refused(scratch, "not a file (expected a plug-in, a shared object)");
    put_file(in_scratch(path, "text.so"), "text", 4);
    assert_refused(path, "cannot load the plug-in: file too short");
    char noise[4096] = "\177ELF";
    put_file(path, noise, sizeof noise);
    assert_refused(path, "cannot load the plug-in: ");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(vae_prior_load(longest, NULL, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "plug-in: longer than 1021 characters");
}

/* Wherever a file is cut, it is refused (the name of what is whole enough for the loader is taken). */
static void test_cut_files(void **state)
{
    char path[PATH_MOST], cut[PATH_MOST];
    size_t size;
    (void)state;
    assert_int_equal(vae_prior_load(plugin_path(path, "good"), NULL, NULL), VAE_OK);
    uint8_t *bytes = get_file(path, &size);
    for (size_t length = 0; length < size; length += 61) {
        remove(in_scratch(cut, "cut.so")); /* and not written over: it may be loaded */
        put_file(cut, bytes, length);
        assert_int_equal(vae_prior_load(cut, NULL, NULL), VAE_E_USAGE);
    }
    remove(cut);
    put_file(cut, bytes, 4096); /* the first page, with the headers */
    assert_refused(cut, "ends too early (expected a plug-in, a shared object)");
    free(bytes);
}

/* ---- The list --------------------------------------------------------------------------------------------------- */

/* A copy of the right plug-in, under another name of as many letters. */
static const char *renamed(char path[PATH_MOST], const char *name)
{
    static const char before[] = "good";
    size_t size;
    uint8_t *bytes = get_file(plugin_path(path, before), &size);
    for (size_t i = 0; i + sizeof before <= size; i++)
        if (!memcmp(bytes + i, before, sizeof before)) memcpy(bytes + i, name, sizeof before);
    put_file(in_scratch(path, name), bytes, size);
    free(bytes);
    return path;
}

static void test_loaded_once(void **state)
{
    char path[PATH_MOST];
    const char *name, *again;
    (void)state;
    assert_int_equal(vae_prior_load(plugin_path(path, "good"), &name, NULL), VAE_OK);
    const size_t before = priors();
    assert_int_equal(vae_prior_load(path, &again, NULL), VAE_OK);
    assert_ptr_equal(name, again);
    assert_int_equal(priors(), before);
    assert_refused(renamed(path, "good"), "another plug-in named 'good' is loaded");
    assert_int_equal(priors(), before);
}

static void *load_and_look(void *path)
{
    size_t *found = calloc(1, sizeof *found);
    const char *name = NULL;
    if (found && !vae_prior_load(path, &name, NULL))
        for (size_t i = 0; vae_module_at(VAE_PRIOR, i); i++) *found += vae_module_at(VAE_PRIOR, i)->name == name;
    return found;
}

static void test_threads(void **state)
{
    enum { THREADS = 6 };
    char path[2][PATH_MOST];
    pthread_t thread[THREADS];
    (void)state;
    for (size_t i = 0; i < 2; i++) renamed(path[i], i ? "abcd" : "abce");
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, load_and_look, path[i % 2]), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *found;
        assert_int_equal(pthread_join(thread[i], &found), 0);
        assert_non_null(found);
        assert_int_equal(*(size_t *)found, 1);
        free(found);
    }
}

/* Those that are there stay usable when there is no room for more. */
static void test_too_many(void **state)
{
    char path[PATH_MOST], name[5];
    vae_error err = {0};
    (void)state;
    size_t i = 0;
    do snprintf(name, sizeof name, "x%03zu", i++);
    while (i < 100 && !vae_prior_load(renamed(path, name), NULL, &err));
    assert_non_null(strstr(err.message, "more than 32 plug-ins"));
    vae_config config;
    vae_config_defaults(&config);
    assert_int_equal(vae_config_set(&config, "prior", "x000:sd=2", &err), VAE_OK);
    assert_int_equal(vae_config_check(&config, &err), VAE_OK);
    assert_int_equal(vae_config_set(&config, "sd", "3", &err), VAE_OK);
    assert_true(config.prior.value[0] == 3);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),    cmocka_unit_test(test_states_stay_where_they_are),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_files_that_are_no_plugins),
        cmocka_unit_test(test_cut_files), cmocka_unit_test(test_loaded_once),
        cmocka_unit_test(test_threads),   cmocka_unit_test(test_too_many),
    };
    (void)argc;
    find_program_folder(argv[0]);
    return cmocka_run_group_tests(tests, make_scratch, remove_scratch);
}
