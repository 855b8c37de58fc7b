/* SPDX-License-Identifier: MIT
 *
 * Text to values and back: numbers, modules with parameters, settings. What is refused is refused with a message that
 * helps.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

#include <locale.h>

static const vae_module *priors(size_t i) { return vae_module_at(VAE_PRIOR, i); }

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("'%s' does not contain '%s'", text, part);
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

static void test_reals(void **state)
{
    static const struct {
        const char *text;
        double value;
    } good[] = {{"0", 0},    {"1", 1},  {"-1", -1},   {"+2.5", 2.5}, {"1e-3", 1e-3},
                {".5", 0.5}, {"5.", 5}, {"-10", -10}, {"10", 10},    {"0.1", 0.1}};
    static const char *const bad[] = {"1e-3x", "",    " ",         " 1",   "1 ",    "\t1",   "\n1",
                                      "1\n",   "nan", "NaN",       "-nan", "inf",   "-inf",  "INFINITY",
                                      "0x",    "0xg", "1,5",       "1..2", "--1",   "e3",    ".",
                                      "+",     "one", "10.000001", "-11",  "1e400", "-1e400"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        double value = NAN;
        assert_int_equal(vae_parse_real("--x", good[i].text, -10, 10, &value, NULL), VAE_OK);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        double value = 77;
        vae_error err = {0};
        if (vae_parse_real("--some-name", bad[i], -10, 10, &value, &err) != VAE_E_USAGE)
            fail_msg("'%s' was taken", bad[i]);
        assert_int_equal(err.status, VAE_E_USAGE);
        assert_contains(err.message, "--some-name");
        assert_true(value == 77);
    }
}

static void test_range_in_message(void **state)
{
    double value;
    uint64_t count;
    vae_error err = {0};
    (void)state;
    assert_int_equal(vae_parse_real("--lr", "7.5", 0.25, 2, &value, &err), VAE_E_USAGE);
    assert_contains(err.message, "7.5");
    assert_contains(err.message, "0.25 to 2");
    assert_int_equal(vae_parse_count("--batch", "0", 1, 1e6, &count, &err), VAE_E_USAGE);
    assert_contains(err.message, "1 to 1000000");
}

static void test_counts(void **state)
{
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0}, {"1", 1}, {"007", 7}, {"9007199254740991", 9007199254740991u}};
    static const char *const bad[] = {"-1",
                                      "+1",
                                      "1.5",
                                      "1.0",
                                      "1e3",
                                      "",
                                      " 1",
                                      "1 ",
                                      "x",
                                      "0x10",
                                      "nan",
                                      "1_000",
                                      "1,2",
                                      "9007199254740993",
                                      "18446744073709551615",
                                      "18446744073709551616",
                                      "99999999999999999999999999"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t value = 77;
        assert_int_equal(vae_parse_count("--n", good[i].text, 0, 9007199254740991.0, &value, NULL), VAE_OK);
        assert_true(value == good[i].value);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint64_t value = 77;
        vae_error err = {0};
        if (vae_parse_count("--some-name", bad[i], 0, 9007199254740991.0, &value, &err) != VAE_E_USAGE)
            fail_msg("'%s' was taken", bad[i]);
        assert_contains(err.message, "--some-name");
        assert_true(value == 77);
    }
}

/* A range may end where the type does: what does not fit the type must not become its largest value. */
static void test_count_overflow(void **state)
{
    uint64_t value = 77;
    (void)state;
    assert_int_equal(vae_parse_count("--n", "18446744073709551615", 0, 0x1p64, &value, NULL), VAE_OK);
    assert_true(value == UINT64_MAX);
    value = 77;
    assert_int_equal(vae_parse_count("--n", "18446744073709551616", 0, 0x1p64, &value, NULL), VAE_E_USAGE);
    assert_true(value == 77);
}

/* The shortest text that reads back as the same number. */
static void test_format_real(void **state)
{
    static const struct {
        double value;
        const char *text;
    } known[] = {{0.1, "0.1"},     {0.001, "0.001"}, {1, "1"},
                 {0.8, "0.8"},     {-2.5, "-2.5"},   {0.1 + 0.2, "0.30000000000000004"},
                 {1e-12, "1e-12"}, {8.47, "8.47"}};
    char text[40];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        format_real(known[i].value, text, sizeof text);
        assert_string_equal(text, known[i].text);
    }
    for (uint64_t i = 0; i < 20000; i++) {
        const double value = test_uniform(2 * i, -1, 1) * pow(10, floor(test_uniform(2 * i + 1, -300, 300)));
        double back;
        format_real(value, text, sizeof text);
        assert_int_equal(vae_parse_real("x", text, -DBL_MAX, DBL_MAX, &back, NULL), VAE_OK);
        assert_true(back == value);
    }
}

/* Numbers are read and written by the rules of the C locale; the host's own is put back. */
static void test_locale_is_put_back(void **state)
{
    const locale_t before = LC_GLOBAL_LOCALE, own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    double value;
    char text[40];
    (void)state;
    assert_int_equal(vae_parse_real("x", "0.5", 0, 1, &value, NULL), VAE_OK);
    format_real(0.5, text, sizeof text);
    assert_true(uselocale(own) == before);
    assert_int_equal(vae_parse_real("x", "0.5", 0, 1, &value, NULL), VAE_OK);
    format_real(0.5, text, sizeof text);
    assert_true(uselocale(before) == own);
    freelocale(own);
}

static void test_empty_items(void **state)
{
    static const char *const whole[] = {"a", "a,b", "a,b,c", " "}, *const gaps[] = {"", ",", ",a", "a,", "a,,b", ",,"};
    (void)state;
    for (size_t i = 0; i < sizeof whole / sizeof *whole; i++) assert_false(has_empty_item(whole[i]));
    for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) assert_true(has_empty_item(gaps[i]));
}

/* ---- Modules ---------------------------------------------------------------------------------------------------- */

static void test_nearest(void **state)
{
    static const char *const names[] = {"normal", "spikeslab", "laplace", "cauchy", NULL}, *const none[] = {NULL};
    static const struct {
        const char *word, *near;
    } known[] = {{"norml", "normal"},  {"normal", "normal"},      {"laplce", "laplace"}, {"spike-slab", "spikeslab"},
                 {"cuachy", "cauchy"}, {"spikslap", "spikeslab"}, {"zebra", NULL},       {"", NULL},
                 {"x", NULL}};
    char longest[300];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *near = vae_nearest(known[i].word, names);
        if (!known[i].near != !near || (near && strcmp(near, known[i].near)))
            fail_msg("'%s' is near '%s', not '%s'", known[i].word, near ? near : "nothing",
                     known[i].near ? known[i].near : "nothing");
    }
    assert_null(vae_nearest("normal", none));
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    const char *const of_long[] = {longest, "normal", NULL};
    assert_string_equal(vae_nearest("norma", of_long), "normal");
    vae_nearest(longest, names); /* must not overrun anything */
}

/* A word may be off by one letter, and by one more for each three that it has: changed, missing or too many. */
static void test_how_near(void **state)
{
    static const struct {
        const char *word, *names[3], *near;
    } known[] = {
        {"abcxyz", {"abcdef"}, "abcdef"},
        {"abwxyz", {"abcdef"}, NULL},
        {"abc", {"abcde"}, "abcde"},
        {"abc", {"abcdef"}, NULL},
        {"ab", {"abc"}, "abc"},
        {"ab", {"abcd"}, NULL},
        {"", {"a"}, "a"},
        {"", {"ab"}, NULL},
        {"abbc", {"abc"}, "abc"},
        {"ac", {"abc"}, "abc"},
        {"ba", {"ab"}, NULL},
        {"bac", {"abc"}, "abc"},
        {"abz", {"abx", "aby"}, "abx"},
        {"abz", {"axx", "aby"}, "aby"},
        {"abcdefghi", {"abcdef"}, "abcdef"},
        {"abcdefghi", {"abcd"}, NULL},
        {"abcdefghi", {"cdefghi"}, "cdefghi"},
    };
    char word[66], name[66];
    const char *const names[] = {name, NULL};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const char *near = vae_nearest(known[i].word, known[i].names);
        if (!known[i].near != !near || (near && strcmp(near, known[i].near)))
            fail_msg("'%s' is near '%s'", known[i].word, near ? near : "nothing");
    }
    for (size_t length = 64; length <= 65; length++) { /* 64 letters are the most that are looked at */
        memset(word, 'n', sizeof word);
        memset(name, 'n', sizeof name);
        word[length] = name[length] = '\0';
        assert_ptr_equal(vae_nearest(word, names), length == 64 ? name : NULL);
    }
}

/* A text has 511 characters at most. */
static void test_parse_long(void **state)
{
    char text[513] = "spikeslab:p=0.";
    vae_choice choice;
    vae_error err = {0};
    (void)state;
    memset(text + strlen(text), '0', sizeof text - strlen(text));
    text[511] = '\0';
    assert_int_equal(choice_parse(&choice, "prior", priors, text, NULL), VAE_OK);
    assert_true(choice.value[0] == 0);
    text[511] = '0';
    text[512] = '\0';
    assert_int_equal(choice_parse(&choice, "prior", priors, text, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "prior: name too long");
}

static void test_find(void **state)
{
    char text[16];
    const vae_module *const m = module_find(priors, "spikeslab");
    (void)state;
    assert_string_equal(m->name, "spikeslab");
    assert_null(module_find(priors, "spike"));
    assert_int_equal(module_param(m, "p"), 0);
    assert_int_equal(module_param(m, "c2"), 1);
    assert_int_equal(module_param(m, "c"), VAE_MAX_PARAMS);
    assert_int_equal(module_param(module_find(priors, "normal"), "p"), VAE_MAX_PARAMS);
    assert_string_equal(module_names(priors, text, sizeof text), "normal, spikesl"); /* as much as there is room for */
}

static void test_parse_good(void **state)
{
    static const struct {
        const char *text, *name;
        double value[2];
    } good[] = {{"normal", "normal", {0, 0}},
                {"spikeslab", "spikeslab", {0.8, 0.05}},
                {"spikeslab:p=0.25", "spikeslab", {0.25, 0.05}},
                {"spikeslab:c2=0.5", "spikeslab", {0.8, 0.5}},
                {"spikeslab:c2=0.5,p=0", "spikeslab", {0, 0.5}},
                {"spikeslab:p=0.1,p=1", "spikeslab", {1, 0.05}},
                {"laplace:scale=3", "laplace", {3, 0}}};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        vae_choice choice;
        memset(&choice, 0x55, sizeof choice);
        assert_int_equal(choice_parse(&choice, "prior", priors, good[i].text, NULL), VAE_OK);
        assert_string_equal(choice.name, good[i].name);
        assert_true(choice.value[0] == good[i].value[0] && choice.value[1] == good[i].value[1]);
        assert_true(choice.value[2] == 0 && choice.value[3] == 0);
    }
}

static void test_parse_bad(void **state)
{
    static const struct {
        const char *text, *message[3];
    } bad[] = {
        {"norml",
         {"unknown prior 'norml'", "did you mean 'normal'?",
          "normal, spikeslab, laplace, cauchy, studentt, logistic, scaled, mixture, vampprior, realnvp, lars"}},
        {"zebra",
         {"unknown prior 'zebra' (there are: ",
          "normal, spikeslab, laplace, cauchy, studentt, logistic, scaled, mixture, vampprior, realnvp, lars", ""}},
        {"", {"unknown prior ''", "", ""}},
        {"Normal", {"did you mean 'normal'?", "", ""}},
        {"spikeslab:q=1", {"spikeslab has no parameter 'q'", "p, c2", ""}},
        {"normal:p=1", {"normal has no parameter 'p'", "none", ""}},
        {"spikeslab:", {"spikeslab:", "expected name=value", ""}},
        {"spikeslab:p=1,,c2=1", {"spikeslab:p=1,,c2=1", "expected name=value", ""}},
        {"spikeslab:p", {"'p'", "expected name=value", ""}},
        {"spikeslab:p=", {"spikeslab parameter p", "not a number", ""}},
        {"spikeslab:p=1.5", {"spikeslab parameter p", "1.5", "0 to 1"}},
        {"spikeslab:p=nan", {"spikeslab parameter p", "nan", ""}},
        {"spikeslab:c2=0", {"spikeslab parameter c2", "1e-06 to 1", ""}},
        {"spikeslab:p=.5 ", {"spikeslab parameter p", "not a number", ""}},
        {"spikeslab:p=0.5,c2=2", {"spikeslab parameter c2", "1e-06 to 1", ""}},
        {"laplace:scale=0", {"laplace parameter scale", "0.001 to 1000", ""}}};
    char longest[400];
    vae_choice choice, before;
    vae_error err;
    (void)state;
    memset(&choice, 0x55, sizeof choice);
    before = choice;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err = (vae_error){0};
        if (choice_parse(&choice, "prior", priors, bad[i].text, &err) != VAE_E_USAGE)
            fail_msg("'%s' was taken", bad[i].text);
        for (size_t k = 0; k < 3; k++) assert_contains(err.message, bad[i].message[k]);
        assert_memory_equal(&choice, &before, sizeof choice);
    }
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(choice_parse(&choice, "prior", priors, longest, &err), VAE_E_USAGE);
    assert_contains(err.message, "prior");
    assert_int_equal(choice_parse(&choice, "prior", priors, "zebra", NULL), VAE_E_USAGE); /* nobody listens */
}

/* Every module of every kind: text -> choice -> text is the identity. */
static void check_round_trip(vae_kind kind, const vae_module *module, const vae_choice *choice)
{
    char text[256], again[256], name[VAE_MAX_NAME + 8];
    vae_config config;
    choice_text(choice, module, text, sizeof text);
    if (kind == VAE_SOURCE) return; /* not a setting by itself */
    vae_config_defaults(&config);
    for (size_t i = 0; vae_setting_at(i); i++) {
        const vae_setting *setting = vae_setting_at(i);
        if (setting->type != VAE_T_CHOICE || setting->kind != kind) continue;
        snprintf(name, sizeof name, "%s", setting->name);
        assert_int_equal(vae_config_set(&config, name, text, NULL), VAE_OK);
        assert_string_equal(vae_config_text(&config, setting, again, sizeof again), text);
        assert_memory_equal((char *)&config + setting->offset, choice, sizeof *choice);
        return;
    }
    fail_msg("no setting chooses %s", module->name);
}

static void test_choice_text(void **state)
{
    char text[256];
    vae_choice choice;
    (void)state;
    for (int kind = VAE_PRIOR; kind <= VAE_ACTIVATION; kind++)
        for (size_t i = 0; vae_module_at((vae_kind)kind, i); i++)
            for (size_t k = 0; module_case(vae_module_at((vae_kind)kind, i), k, &choice); k++)
                check_round_trip((vae_kind)kind, vae_module_at((vae_kind)kind, i), &choice);
    assert_int_equal(choice_parse(&choice, "prior", priors, "spikeslab:c2=0.125", NULL), VAE_OK);
    choice_text(&choice, module_find(priors, "spikeslab"), text, sizeof text);
    assert_string_equal(text, "spikeslab:p=0.8,c2=0.125");
    assert_int_equal(choice_parse(&choice, "prior", priors, "normal", NULL), VAE_OK);
    choice_text(&choice, module_find(priors, "normal"), text, sizeof text);
    assert_string_equal(text, "normal");
}

static const vae_param mixed_params[] = {
    VAE_YOUNG_REAL("floor", 0.25, 0, 1, ""),
    VAE_REAL_OR("width", 2, 0.5, 8, "auto|per-row", ""),
    VAE_YOUNG_REAL("height", 3, 0, 9, ""),
    {0},
};
static const vae_module mixed_module = {.name = "mixed", .params = mixed_params};
static const vae_module *mixed(size_t i) { return i ? NULL : &mixed_module; }

/* Numbers or words; parameters younger than the file format are left out at their default. */
static void test_words_beside_numbers(void **state)
{
    static const struct {
        const char *text, *again;
        double width, height;
    } good[] = {{"mixed", "mixed:width=2", 2, 3},
                {"mixed:width=auto", "mixed:width=auto", -1, 3},
                {"mixed:width=per-row,height=3", "mixed:width=per-row", -2, 3},
                {"mixed:height=2,width=0.5", "mixed:width=0.5,height=2", 0.5, 2},
                {"mixed:floor=0,width=8", "mixed:floor=0,width=8", 8, 3}};
    static const char *const bad[] = {"", "aut", "autos", "auto|per-row", "|", "-1", "-2", "0.49", "8.1", "nan", "2x"};
    vae_choice choice;
    char text[256], want[128];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(choice_parse(&choice, "thing", mixed, good[i].text, NULL), VAE_OK);
        assert_true(choice.value[1] == good[i].width && choice.value[2] == good[i].height);
        choice_text(&choice, &mixed_module, text, sizeof text);
        assert_string_equal(text, good[i].again);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vae_error err = {0};
        choice.value[1] = 77;
        assert_int_equal(choice_set(&choice, &mixed_module, "width", bad[i], &err), VAE_E_USAGE);
        snprintf(want, sizeof want, "mixed parameter width: '%s' (expected 0.5 to 8 or one of auto|per-row)", bad[i]);
        assert_string_equal(err.message, want);
        assert_true(choice.value[1] == 77);
    }
}

/* What a host may have written into the struct and no text means has a text that is refused. */
static void test_values_that_are_no_words(void **state)
{
    static const vae_param word = VAE_WORD("kind", "a|b", "");
    static const double beside[] = {-0.5, -1.5, -3, (double)NAN}, alone[] = {-1, 0.5, 2, (double)NAN};
    vae_choice choice = {.name = "mixed"};
    char text[32];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        param_text(&mixed_params[1], beside[i], text, sizeof text);
        assert_int_equal(choice_set(&choice, &mixed_module, "width", text, NULL), VAE_E_USAGE);
        assert_string_equal(param_text(&word, alone[i], text, sizeof text), "");
    }
}

/* What every table must keep to: the parser and the fixed arrays rely on it. */
static void test_module_tables(void **state)
{
    (void)state;
    for (int kind = VAE_PRIOR; kind <= VAE_ACTIVATION; kind++) {
        assert_non_null(vae_module_at((vae_kind)kind, 0));
        for (size_t i = 0; vae_module_at((vae_kind)kind, i); i++) {
            const vae_module *m = vae_module_at((vae_kind)kind, i);
            assert_in_range(strlen(m->name), 1, VAE_MAX_NAME - 1);
            assert_null(strpbrk(m->name, ":,= "));
            assert_non_null(m->summary);
            assert_non_null(m->formula);
            for (size_t k = 0; m->params && m->params[k].name; k++) {
                assert_in_range(k, 0, VAE_MAX_PARAMS - 1);
                assert_within(m->params[k].value, m->params[k].min, m->params[k].max, "%s of %s", m->params[k].name,
                              m->name);
                assert_non_null(m->params[k].help);
                assert_true(!m->params[k].or_words || (m->params[k].min >= 0 && !m->params[k].words));
            }
        }
    }
}

/* ---- Settings --------------------------------------------------------------------------------------------------- */

static const vae_setting *setting_named(const char *name)
{
    for (size_t i = 0; vae_setting_at(i); i++)
        if (!strcmp(vae_setting_at(i)->name, name)) return vae_setting_at(i);
    fail_msg("no setting %s", name);
    return NULL;
}

/* Each default is a text that its own setting takes, and the text made from it is a fixed point. */
static void test_fallbacks(void **state)
{
    vae_config defaults, config;
    char text[VAE_MAX_SOURCE], again[VAE_MAX_SOURCE];
    size_t i = 0;
    (void)state;
    vae_config_defaults(&defaults);
    memset(&config, 0, sizeof config);
    for (; vae_setting_at(i); i++) {
        const vae_setting *s = vae_setting_at(i);
        vae_error err = {0};
        if (vae_config_set(&config, s->name, s->fallback, &err))
            fail_msg("%s %s: %s", s->name, s->fallback, err.message);
        vae_config_text(&config, s, text, sizeof text);
        if (s->type == VAE_T_CHOICE)
            assert_int_equal(strncmp(text, s->fallback, strlen(s->fallback)), 0); /* with parameters behind */
        else
            assert_string_equal(text, s->fallback);
        assert_int_equal(vae_config_set(&config, s->name, text, NULL), VAE_OK);
        assert_string_equal(vae_config_text(&config, s, again, sizeof again), text);
    }
    assert_true(i >= 10);
    assert_memory_equal(&config, &defaults, sizeof config);
    assert_int_equal(vae_config_check(&defaults, NULL), VAE_OK);
}

static void test_settings_good(void **state)
{
    static const char *const good[][2] = {{"hidden", "200,100,50"},
                                          {"hidden", "1,2,3,4,5,6,7,8"},
                                          {"kl", "exact"},
                                          {"kl", "mc"},
                                          {"beta", "0.25"},
                                          {"epochs", "1000000000"},
                                          {"seed", "9007199254740991"},
                                          {"data", "/some/where"},
                                          {"likelihood", "gaussian:sigma=0.25"},
                                          {"activation", "elu"}};
    vae_config config;
    char text[VAE_MAX_SOURCE];
    (void)state;
    vae_config_defaults(&config);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_int_equal(vae_config_set(&config, good[i][0], good[i][1], NULL), VAE_OK);
        assert_string_equal(vae_config_text(&config, setting_named(good[i][0]), text, sizeof text), good[i][1]);
    }
    assert_int_equal(vae_config_set(&config, "hidden", "7", NULL), VAE_OK); /* a shorter list leaves nothing behind */
    assert_string_equal(vae_config_text(&config, setting_named("hidden"), text, sizeof text), "7");
}

static void test_settings_bad(void **state)
{
    static const char *const bad[][2] = {{"hidden", ""},
                                         {"hidden", ","},
                                         {"hidden", "0"},
                                         {"hidden", "200,x"},
                                         {"hidden", "1,2,3,4,5,6,7,8,9"},
                                         {"hidden", "65537"},
                                         {"hidden", "-5"},
                                         {"kl", ""},
                                         {"kl", "aut"},
                                         {"kl", "autox"},
                                         {"latent", "0"},
                                         {"latent", "65537"},
                                         {"beta", "-0.1"},
                                         {"beta", "nan"},
                                         {"lr", "0"},
                                         {"epochs", "0"},
                                         {"holdout", "1.5"},
                                         {"prior", "gauss"},
                                         {"likelihood", "normal"},
                                         {"activation", "swish"},
                                         {"seed", "-1"},
                                         {"samples", "1e3"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vae_config config;
        vae_error err = {0};
        vae_config_defaults(&config);
        if (vae_config_set(&config, bad[i][0], bad[i][1], &err) != VAE_E_USAGE)
            fail_msg("%s: '%s' was taken", bad[i][0], bad[i][1]);
        assert_true(strlen(err.message) > 10);
    }
}

/* One word of "auto|exact|mc", not a stretch of that text. */
static void test_enum_is_one_word(void **state)
{
    static const char *const bad[] = {"|", "auto|", "auto|exact", "exact|mc", "auto|exact|mc", "|mc"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        vae_config config;
        vae_config_defaults(&config);
        if (vae_config_set(&config, "kl", bad[i], NULL) != VAE_E_USAGE) fail_msg("kl: '%s' was taken", bad[i]);
        assert_string_equal(config.kl, "auto");
    }
}

/* A setting may be a parameter of the chosen modules; of another module, the message says of which. */
static void test_parameters(void **state)
{
    vae_config config;
    vae_error err = {0};
    (void)state;
    vae_config_defaults(&config);
    assert_int_equal(vae_config_set(&config, "p", "0.5", &err), VAE_E_USAGE);
    assert_string_equal(err.message,
                        "p: prior normal and likelihood bernoulli have no such parameter (they have: none; "
                        "prior spikeslab has it)");
    assert_int_equal(vae_config_set(&config, "no-such", "1", &err), VAE_E_USAGE);
    assert_contains(err.message, "no-such");

    assert_int_equal(vae_config_set(&config, "prior", "spikeslab", &err), VAE_OK);
    assert_int_equal(vae_config_set(&config, "p", "0.5", &err), VAE_OK);
    assert_int_equal(vae_config_set(&config, "c2", "0.25", &err), VAE_OK);
    assert_true(config.prior.value[0] == 0.5 && config.prior.value[1] == 0.25);
    assert_int_equal(vae_config_set(&config, "p", "2", &err), VAE_E_USAGE);
    assert_contains(err.message, "spikeslab parameter p");
    assert_int_equal(vae_config_set(&config, "scale", "2", &err), VAE_E_USAGE);
    assert_contains(err.message, "they have: p, c2");
    assert_contains(err.message, "laplace has it");
    assert_contains(err.message, "cauchy has it");
    assert_int_equal(vae_config_set(&config, "likelihood", "gaussian", &err), VAE_OK);
    assert_int_equal(vae_config_set(&config, "sigma", "0.5", &err), VAE_OK);
    assert_true(config.likelihood.value[0] == 0.5);
}

static void test_combinations(void **state)
{
    vae_config config;
    vae_error err = {0};
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        vae_config_defaults(&config);
        vae_config_set(&config, "prior", prior_at(i)->module.name, NULL);
        vae_config_set(&config, "kl", "exact", NULL);
        assert_int_equal(vae_config_check(&config, &err), kl_to_gaussian(prior_at(i)) ? VAE_OK : VAE_E_USAGE);
        vae_config_set(&config, "kl", "mc", NULL);
        assert_int_equal(vae_config_check(&config, NULL), VAE_OK);
    }
    config.batch = 1000000, config.samples = 100000;
    assert_int_equal(vae_config_check(&config, &err), VAE_E_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reals),
        cmocka_unit_test(test_range_in_message),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_count_overflow),
        cmocka_unit_test(test_format_real),
        cmocka_unit_test(test_nearest),
        cmocka_unit_test(test_locale_is_put_back),
        cmocka_unit_test(test_empty_items),
        cmocka_unit_test(test_how_near),
        cmocka_unit_test(test_parse_long),
        cmocka_unit_test(test_find),
        cmocka_unit_test(test_parse_good),
        cmocka_unit_test(test_parse_bad),
        cmocka_unit_test(test_choice_text),
        cmocka_unit_test(test_words_beside_numbers),
        cmocka_unit_test(test_values_that_are_no_words),
        cmocka_unit_test(test_module_tables),
        cmocka_unit_test(test_fallbacks),
        cmocka_unit_test(test_settings_good),
        cmocka_unit_test(test_settings_bad),
        cmocka_unit_test(test_enum_is_one_word),
        cmocka_unit_test(test_parameters),
        cmocka_unit_test(test_combinations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
