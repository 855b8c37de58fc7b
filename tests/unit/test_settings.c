/* SPDX-License-Identifier: MIT
 *
 * The settings, as the manual has them: names, defaults, ranges, words, and what goes together. Written down here once
 * more, by hand, so that no row of the library's own table can change unseen.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"
#include "model/config.h"

static const vae_setting *setting_named(const char *name)
{
    for (size_t i = 0; vae_setting_at(i); i++)
        if (!strcmp(vae_setting_at(i)->name, name)) return vae_setting_at(i);
    fail_msg("no setting %s", name);
    return NULL;
}

static void assert_text(const vae_config *config, const char *name, const char *want)
{
    char text[VAE_MAX_SOURCE];
    vae_config_text(config, setting_named(name), text, sizeof text);
    if (strcmp(text, want)) fail_msg("%s is '%s' (expected '%s')", name, text, want);
}

/* Sets it in a fresh configuration, in which nothing else may change. */
static vae_config set_alone(const char *name, const char *text, const char *want)
{
    vae_config config, defaults;
    vae_error err = {0};
    vae_config_defaults(&config);
    vae_config_defaults(&defaults);
    if (vae_config_set(&config, name, text, &err)) fail_msg("%s %s: %s", name, text, err.message);
    assert_text(&config, name, want);
    for (size_t i = 0; vae_setting_at(i); i++) {
        char before[VAE_MAX_SOURCE];
        if (!strcmp(vae_setting_at(i)->name, name)) continue;
        assert_text(&config, vae_setting_at(i)->name,
                    vae_config_text(&defaults, vae_setting_at(i), before, sizeof before));
    }
    return config;
}

static void assert_refused(const char *name, const char *text, const char *message)
{
    vae_config config, before;
    vae_error err = {0};
    vae_config_defaults(&config);
    before = config;
    if (vae_config_set(&config, name, text, &err) != VAE_E_USAGE) fail_msg("%s: '%s' was taken", name, text);
    assert_int_equal(err.status, VAE_E_USAGE);
    if (strcmp(err.message, message)) fail_msg("message is '%s' (expected '%s')", err.message, message);
    assert_memory_equal(&config, &before, sizeof config);
}

/* ---- The table -------------------------------------------------------------------------------------------------- */

static void test_all_settings_and_their_defaults(void **state)
{
    static const struct {
        const char *name, *metavar, *fallback;
        vae_type type;
    } known[] = {
        {"data", "SOURCE", "builtin:digits", VAE_T_TEXT},
        {"holdout", "F", "0.1", VAE_T_REAL},
        {"validation", "F", "0", VAE_T_REAL},
        {"binarize", "none|threshold|static|dynamic", "none", VAE_T_ENUM},
        {"prior", "NAME[:k=v,...]", "normal", VAE_T_CHOICE},
        {"kl", "auto|exact|mc", "auto", VAE_T_ENUM},
        {"kl-samples", "K", "10", VAE_T_COUNT},
        {"kl-noise", "iid|stratified", "iid", VAE_T_ENUM},
        {"posterior", "NAME", "gaussian", VAE_T_CHOICE},
        {"likelihood", "NAME[:k=v]", "bernoulli", VAE_T_CHOICE},
        {"latent", "L", "10", VAE_T_COUNT},
        {"hidden", "H[,H...]", "400", VAE_T_LIST},
        {"activation", "NAME", "relu", VAE_T_CHOICE},
        {"conditional", NULL, "0", VAE_T_COUNT},
        {"start", "RUN", "none", VAE_T_TEXT},
        {"init", "torch|glorot|he", "torch", VAE_T_ENUM},
        {"output-bias", "init|data", "init", VAE_T_ENUM},
        {"objective", "elbo|iwae", "elbo", VAE_T_ENUM},
        {"samples", "S", "1", VAE_T_COUNT},
        {"gradient", "standard|stl|dreg", "standard", VAE_T_ENUM},
        {"beta", "B", "1", VAE_T_REAL},
        {"beta-warmup", "E", "0", VAE_T_REAL},
        {"free-bits", "F", "0", VAE_T_REAL},
        {"epochs", "N", "10", VAE_T_COUNT},
        {"patience", "E", "0", VAE_T_COUNT},
        {"batch", "B", "128", VAE_T_COUNT},
        {"lr", "R", "0.001", VAE_T_REAL},
        {"clip", "C", "0", VAE_T_REAL},
        {"schedule", "constant|step|iwae|cosine", "constant", VAE_T_ENUM},
        {"lr-steps", "E[,E...]", "none", VAE_T_LIST},
        {"lr-factor", "F", "0.1", VAE_T_REAL},
        {"adam-beta1", "B", "0.9", VAE_T_REAL},
        {"adam-beta2", "B", "0.999", VAE_T_REAL},
        {"adam-eps", "E", "1e-08", VAE_T_REAL},
        {"seed", "N", "1", VAE_T_COUNT},
    };
    vae_config config;
    (void)state;
    vae_config_defaults(&config);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const vae_setting *s = vae_setting_at(i);
        assert_non_null(s);
        assert_string_equal(s->name, known[i].name);
        if (known[i].metavar)
            assert_string_equal(s->metavar, known[i].metavar);
        else
            assert_null(s->metavar);
        assert_string_equal(s->fallback, known[i].fallback);
        assert_int_equal(s->type, known[i].type);
        assert_text(&config, s->name, known[i].fallback);
    }
    assert_null(vae_setting_at(sizeof known / sizeof *known));
    assert_int_equal(vae_config_check(&config, NULL), VAE_OK);
}

/* ---- Numbers ---------------------------------------------------------------------------------------------------- */

#define REAL(member)  offsetof(vae_config, member), false
#define WHOLE(member) offsetof(vae_config, member), true

/* The least and the largest that is taken, and beside them what is not. */
static const struct number {
    const char *name, *below, *least, *most, *above, *range;
    size_t field;
    bool whole;
} numbers[] = {
    {"holdout", "-1e-9", "0", "1", "1.000001", "0 to 1", REAL(holdout)},
    {"validation", "-1e-9", "0", "0.9", "0.900001", "0 to 0.9", REAL(validation)},
    {"kl-samples", "0", "1", "1000000", "1000001", "1 to 1000000", WHOLE(kl_samples)},
    {"latent", "0", "1", "65536", "65537", "1 to 65536", WHOLE(latent)},
    {"conditional", NULL, "0", "256", "257", "0 to 256", WHOLE(classes)},
    {"samples", "0", "1", "100000", "100001", "1 to 100000", WHOLE(samples)},
    {"beta", "-1e-9", "0", "1000000", "1000001", "0 to 1e+06", REAL(beta)},
    {"beta-warmup", "-1e-9", "0", "1000000000", "1000000001", "0 to 1e+09", REAL(beta_warmup)},
    {"free-bits", "-1e-9", "0", "1000000", "1000001", "0 to 1e+06", REAL(free_bits)},
    {"epochs", "0", "1", "1000000000", "1000000001", "1 to 1000000000", WHOLE(epochs)},
    {"patience", NULL, "0", "1000000000", "1000000001", "0 to 1000000000", WHOLE(patience)},
    {"batch", "0", "1", "1000000", "1000001", "1 to 1000000", WHOLE(batch)},
    {"lr", "9e-13", "1e-12", "1000000", "1000001", "1e-12 to 1e+06", REAL(lr)},
    {"clip", "-1e-9", "0", "1e+30", "1.1e30", "0 to 1e+30", REAL(clip)},
    {"lr-factor", "9e-10", "1e-09", "1", "1.000001", "1e-09 to 1", REAL(lr_factor)},
    {"adam-beta1", "-1e-9", "0", "0.999999", "0.9999991", "0 to 0.999999", REAL(adam_beta1)},
    {"adam-beta2", "-1e-9", "0", "0.999999", "0.9999991", "0 to 0.999999", REAL(adam_beta2)},
    {"adam-eps", "9e-31", "1e-30", "1000000", "1000001", "1e-30 to 1e+06", REAL(adam_eps)},
    {"seed", NULL, "0", "9007199254740991", "9007199254740992", "0 to 9007199254740991", WHOLE(seed)},
};

static void check_taken(const struct number *n, const char *text)
{
    const vae_config config = set_alone(n->name, text, text);
    const void *field = (const char *)&config + n->field;
    const double value = n->whole ? (double)*(const uint64_t *)field : *(const double *)field;
    assert_near(value, strtod(text, NULL), 0, "%s %s", n->name, text);
}

static void test_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const struct number *n = &numbers[i];
        const char *const outside[] = {n->below, n->above};
        check_taken(n, n->least);
        check_taken(n, n->most);
        for (size_t k = 0; k < 2; k++) {
            char message[256];
            snprintf(message, sizeof message, "%s: %s is out of range (expected %s)", n->name,
                     outside[k] ? outside[k] : "", n->range);
            if (outside[k]) assert_refused(n->name, outside[k], message);
        }
    }
    assert_refused("patience", "-1", "patience: '-1' is not a whole number");
    assert_refused("seed", "-1", "seed: '-1' is not a whole number");
    assert_refused("epochs", "1.0", "epochs: '1.0' is not a whole number");
    assert_refused("beta", "one", "beta: 'one' is not a number");
}

/* ---- Lists ------------------------------------------------------------------------------------------------------ */

static void test_lists(void **state)
{
    static const char *const taken[][2] = {{"hidden", "1"},
                                           {"hidden", "65536"},
                                           {"hidden", "8,7,6,5,4,3,2,1"},
                                           {"lr-steps", "1"},
                                           {"lr-steps", "1000000000"},
                                           {"lr-steps", "none"},
                                           {"lr-steps", "1,2,3,4,5,6,7,8"}};
    static const char *const refused[][3] = {
        {"hidden", "0", "hidden: 0 is out of range (expected 1 to 65536)"},
        {"hidden", "7,65537", "hidden: 65537 is out of range (expected 1 to 65536)"},
        {"hidden", "1,2,3,4,5,6,7,8,9", "hidden: more than 8 numbers"},
        {"hidden", "none", "hidden: 'none' is not a whole number"},
        {"hidden", "", "hidden: '' (expected whole numbers such as 400 or 200,200)"},
        {"hidden", ",4", "hidden: ',4' (expected whole numbers such as 400 or 200,200)"},
        {"hidden", "4,", "hidden: '4,' (expected whole numbers such as 400 or 200,200)"},
        {"hidden", "4,,4", "hidden: '4,,4' (expected whole numbers such as 400 or 200,200)"},
        {"hidden", "4;4", "hidden: '4;4' is not a whole number"},
        {"lr-steps", "0", "lr-steps: 0 is out of range (expected 1 to 1000000000)"},
        {"lr-steps", "1000000001", "lr-steps: 1000000001 is out of range (expected 1 to 1000000000)"},
        {"lr-steps", "", "lr-steps: '' (expected whole numbers such as 400 or 200,200)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) set_alone(taken[i][0], taken[i][1], taken[i][1]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_refused(refused[i][0], refused[i][1], refused[i][2]);
    const vae_config config = set_alone("hidden", "30,20,10", "30,20,10");
    assert_true(config.hidden[0] == 30 && config.hidden[1] == 20 && config.hidden[2] == 10 && config.hidden[3] == 0);
    assert_int_equal(config_depth(&config), 3);
    const vae_config deepest = set_alone("hidden", "8,7,6,5,4,3,2,1", "8,7,6,5,4,3,2,1");
    assert_int_equal(config_depth(&deepest), 8);
    const vae_config steps = set_alone("lr-steps", "5,9", "5,9");
    assert_true(steps.lr_steps[0] == 5 && steps.lr_steps[1] == 9 && steps.lr_steps[2] == 0);
}

/* A list has 255 characters at most. */
static void test_long_lists(void **state)
{
    char text[257], message[256];
    (void)state;
    memset(text, '0', sizeof text);
    strcpy(text + 252, "400");
    set_alone("hidden", text, "400");
    strcpy(text + 253, "400");
    snprintf(message, sizeof message, "hidden: '%.32s' (expected whole numbers such as 400 or 200,200)", text);
    assert_refused("hidden", text, message);
}

/* ---- Words and modules ------------------------------------------------------------------------------------------ */

static void test_words(void **state)
{
    static const struct {
        const char *name, *words[5], *message; /* of the message all but the wrong word */
        size_t field;
    } known[] = {
        {"binarize",
         {"none", "threshold", "static", "dynamic"},
         "none|threshold|static|dynamic",
         offsetof(vae_config, binarize)},
        {"kl", {"auto", "exact", "mc"}, "auto|exact|mc", offsetof(vae_config, kl)},
        {"kl-noise", {"iid", "stratified"}, "iid|stratified", offsetof(vae_config, kl_noise)},
        {"init", {"torch", "glorot", "he"}, "torch|glorot|he", offsetof(vae_config, init)},
        {"output-bias", {"init", "data"}, "init|data", offsetof(vae_config, output_bias)},
        {"objective", {"elbo", "iwae"}, "elbo|iwae", offsetof(vae_config, objective)},
        {"gradient", {"standard", "stl", "dreg"}, "standard|stl|dreg", offsetof(vae_config, gradient)},
        {"schedule",
         {"constant", "step", "iwae", "cosine"},
         "constant|step|iwae|cosine",
         offsetof(vae_config, schedule)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char message[256];
        for (size_t k = 0; known[i].words[k]; k++) {
            const vae_config config = set_alone(known[i].name, known[i].words[k], known[i].words[k]);
            assert_string_equal((const char *)&config + known[i].field, known[i].words[k]);
        }
        snprintf(message, sizeof message, "%s: 'some' (expected one of %s)", known[i].name, known[i].message);
        assert_refused(known[i].name, "some", message);
    }
}

static void test_listed_words(void **state)
{
    static const char *const none[] = {"", "a", "ab|", "|", "b", "abc", "ab|c", "|c", "d"};
    (void)state;
    assert_true(is_listed("ab|c|de", "ab") && is_listed("ab|c|de", "c") && is_listed("ab|c|de", "de"));
    assert_true(is_listed("ab", "ab") && is_listed("abc|ab", "ab"));
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_false(is_listed("ab|c|de", none[i]));
    assert_false(is_listed("ab||c", ""));
}

/* Every module with its parameters, written out. */
static void test_modules(void **state)
{
    static const struct {
        const char *setting, *taken, *text;
    } known[] = {
        {"prior", "normal", "normal"},
        {"prior", "spikeslab", "spikeslab:p=0.8,c2=0.05"},
        {"prior", "spikeslab:p=0", "spikeslab:p=0,c2=0.05"},
        {"prior", "spikeslab:p=1,c2=1", "spikeslab:p=1,c2=1"},
        {"prior", "spikeslab:c2=1e-6", "spikeslab:p=0.8,c2=1e-06"},
        {"prior", "laplace", "laplace:scale=1"},
        {"prior", "studentt", "studentt:nu=3,scale=1"},
        {"prior", "studentt:nu=0.5,scale=0.001", "studentt:nu=0.5,scale=0.001"},
        {"prior", "studentt:scale=1000,nu=1000", "studentt:nu=1000,scale=1000"},
        {"prior", "logistic", "logistic:scale=1"},
        {"likelihood", "cbernoulli", "cbernoulli:limit=50"},
        {"likelihood", "cbernoulli:limit=1", "cbernoulli:limit=1"},
        {"likelihood", "cbernoulli:limit=10000", "cbernoulli:limit=10000"},
        {"prior", "logistic:scale=0.001", "logistic:scale=0.001"},
        {"prior", "logistic:scale=1000", "logistic:scale=1000"},
        {"prior", "laplace:scale=0.001", "laplace:scale=0.001"},
        {"prior", "laplace:scale=1000", "laplace:scale=1000"},
        {"prior", "cauchy", "cauchy:scale=1"},
        {"prior", "cauchy:scale=0.001", "cauchy:scale=0.001"},
        {"prior", "cauchy:scale=1000", "cauchy:scale=1000"},
        {"posterior", "gaussian", "gaussian"},
        {"posterior", "cauchy", "cauchy:cut=0.00390625"},
        {"posterior", "cauchy:cut=0", "cauchy:cut=0"},
        {"posterior", "cauchy:cut=0.25", "cauchy:cut=0.25"},
        {"posterior", "iaf:width=100", "iaf:blocks=2,width=100,context=64"},
        {"likelihood", "bernoulli", "bernoulli"},
        {"likelihood", "gaussian", "gaussian:sigma=1"},
        {"likelihood", "gaussian:sigma=0.001", "gaussian:sigma=0.001"},
        {"likelihood", "gaussian:sigma=1000", "gaussian:sigma=1000"},
        {"likelihood", "gaussian:sigma=learned", "gaussian:sigma=learned"},
        {"likelihood", "gaussian:sigma=per-pixel", "gaussian:sigma=per-pixel"},
        {"likelihood", "gaussian:floor=0.01", "gaussian:sigma=1"},
        {"likelihood", "gaussian:floor=1e-4", "gaussian:sigma=1,floor=0.0001"},
        {"likelihood", "gaussian:sigma=learned,floor=1", "gaussian:sigma=learned,floor=1"},
        {"activation", "relu", "relu"},
        {"activation", "tanh", "tanh"},
        {"activation", "sigmoid", "sigmoid"},
        {"activation", "softplus", "softplus"},
        {"activation", "elu", "elu"},
        {"activation", "gated", "gated"},
    };
    static const char *const refused[][3] = {
        {"prior", "spikeslab:p=-1e-9", "spikeslab parameter p: -1e-9 is out of range (expected 0 to 1)"},
        {"prior", "spikeslab:p=1.000001", "spikeslab parameter p: 1.000001 is out of range (expected 0 to 1)"},
        {"prior", "spikeslab:c2=9e-7", "spikeslab parameter c2: 9e-7 is out of range (expected 1e-06 to 1)"},
        {"prior", "spikeslab:c2=1.01", "spikeslab parameter c2: 1.01 is out of range (expected 1e-06 to 1)"},
        {"prior", "laplace:scale=9e-4", "laplace parameter scale: 9e-4 is out of range (expected 0.001 to 1000)"},
        {"prior", "laplace:scale=1001", "laplace parameter scale: 1001 is out of range (expected 0.001 to 1000)"},
        {"prior", "cauchy:scale=9e-4", "cauchy parameter scale: 9e-4 is out of range (expected 0.001 to 1000)"},
        {"prior", "studentt:nu=0.49", "studentt parameter nu: 0.49 is out of range (expected 0.5 to 1000)"},
        {"prior", "studentt:nu=1001", "studentt parameter nu: 1001 is out of range (expected 0.5 to 1000)"},
        {"prior", "studentt:scale=9e-4", "studentt parameter scale: 9e-4 is out of range (expected 0.001 to 1000)"},
        {"prior", "studentt:scale=1001", "studentt parameter scale: 1001 is out of range (expected 0.001 to 1000)"},
        {"prior", "logistic:scale=9e-4", "logistic parameter scale: 9e-4 is out of range (expected 0.001 to 1000)"},
        {"prior", "logistic:scale=1001", "logistic parameter scale: 1001 is out of range (expected 0.001 to 1000)"},
        {"prior", "cauchy:scale=1001", "cauchy parameter scale: 1001 is out of range (expected 0.001 to 1000)"},
        {"likelihood", "gaussian:sigma=9e-4",
         "gaussian parameter sigma: '9e-4' (expected 0.001 to 1000 or one of learned|per-pixel)"},
        {"likelihood", "gaussian:sigma=1001",
         "gaussian parameter sigma: '1001' (expected 0.001 to 1000 or one of learned|per-pixel)"},
        {"likelihood", "gaussian:sigma=-1",
         "gaussian parameter sigma: '-1' (expected 0.001 to 1000 or one of learned|per-pixel)"},
        {"likelihood", "gaussian:sigma=pixel",
         "gaussian parameter sigma: 'pixel' (expected 0.001 to 1000 or one of learned|per-pixel)"},
        {"likelihood", "gaussian:floor=9e-5", "gaussian parameter floor: 9e-5 is out of range (expected 0.0001 to 1)"},
        {"likelihood", "gaussian:floor=1.01", "gaussian parameter floor: 1.01 is out of range (expected 0.0001 to 1)"},
        {"posterior", "cauchy:cut=-1e-9", "cauchy parameter cut: -1e-9 is out of range (expected 0 to 0.25)"},
        {"posterior", "cauchy:cut=0.26", "cauchy parameter cut: 0.26 is out of range (expected 0 to 0.25)"},
        {"likelihood", "cbernoulli:limit=0.9", "cbernoulli parameter limit: 0.9 is out of range (expected 1 to 10000)"},
        {"likelihood", "cbernoulli:limit=10001",
         "cbernoulli parameter limit: 10001 is out of range (expected 1 to 10000)"},
        {"prior", "spikeslab:", "spikeslab: (expected name=value,...)"},
        {"prior", "spikeslab:p=1,,c2=1", "spikeslab:p=1,,c2=1 (expected name=value,...)"},
        {"prior", "spikeslab:p", "spikeslab: 'p' (expected name=value)"},
        {"prior", "spikeslab:q=1", "spikeslab has no parameter 'q' (it has: p, c2)"},
        {"prior", "normal:p=1", "normal has no parameter 'p' (it has: none)"},
        {"prior", "spikslab",
         "unknown prior 'spikslab' (did you mean 'spikeslab'? there are: normal, spikeslab, laplace, cauchy, studentt, "
         "logistic, scaled, mixture, vampprior, realnvp, lars)"},
        {"posterior", "normal", "unknown posterior 'normal' (there are: gaussian, cauchy, iaf)"},
        {"likelihood", "gausian",
         "unknown likelihood 'gausian' (did you mean 'gaussian'? there are: bernoulli, gaussian, cbernoulli)"},
        {"activation", "relo",
         "unknown activation 'relo' (did you mean 'relu'? there are: relu, tanh, sigmoid, softplus, elu, gated)"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        set_alone(known[i].setting, known[i].taken, known[i].text);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        assert_refused(refused[i][0], refused[i][1], refused[i][2]);
}

/* What a command line, and what a model file must do for a parameter that no setting has. */
static void test_parameters_of_modules(void **state)
{
    static const struct {
        const char *prior, *likelihood, *name, *message; /* NULL: taken */
    } known[] = {
        {"spikeslab", "bernoulli", "c2", NULL},
        {"laplace", "bernoulli", "scale", NULL},
        {"cauchy", "gaussian", "scale", NULL},
        {"normal", "gaussian", "sigma", NULL},
        {"normal", "bernoulli", "sigma",
         "sigma: prior normal and likelihood bernoulli have no such parameter (they have: none; likelihood gaussian "
         "has it)"},
        {"normal", "gaussian", "scale",
         "scale: prior normal and likelihood gaussian have no such parameter (they have: sigma, floor; prior laplace "
         "has it; prior cauchy has it; prior studentt has it; prior logistic has it)"},
        {"spikeslab", "gaussian", "scale",
         "scale: prior spikeslab and likelihood gaussian have no such parameter (they have: p, c2, sigma, floor; "
         "prior laplace has it; prior cauchy has it; prior studentt has it; prior logistic has it)"},
        {"normal", "bernoulli", "scal", "unknown setting 'scal'"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_config config;
        vae_error err = {0};
        vae_config_defaults(&config);
        assert_int_equal(vae_config_set(&config, "prior", known[i].prior, NULL), VAE_OK);
        assert_int_equal(vae_config_set(&config, "likelihood", known[i].likelihood, NULL), VAE_OK);
        const vae_status status = vae_config_set(&config, known[i].name, "0.5", &err);
        assert_int_equal(status, known[i].message ? VAE_E_USAGE : VAE_OK);
        assert_string_equal(err.message, known[i].message ? known[i].message : "");
    }
}

/* ---- Texts ------------------------------------------------------------------------------------------------------ */

static void test_texts(void **state)
{
    char text[VAE_MAX_SOURCE + 1];
    (void)state;
    set_alone("data", "a folder/\xc3\xa9", "a folder/\xc3\xa9");
    set_alone("data", "", "");
    assert_refused("data", "a\nb", "data: 'a?b' has control characters or is not UTF-8");
    assert_refused("data", "ab\x1b", "data: 'ab?' has control characters or is not UTF-8");
    assert_refused("data", "\xc2\x9b", "data: '?\?' has control characters or is not UTF-8");
    assert_refused("data", "\xff", "data: '\xff' has control characters or is not UTF-8");
    memset(text, 'x', sizeof text - 1);
    text[1024] = '\0';
    assert_refused("data", text, "data: longer than 1023 characters");
    text[1023] = '\0';
    set_alone("data", text, text);
}

/* ---- Combinations ----------------------------------------------------------------------------------------------- */

static const struct combination {
    const char *settings[9], *message; /* NULL: taken */
} combinations[] = {
    {{"kl", "exact"}, NULL},
    {{"kl", "exact", "prior", "cauchy"}, NULL},
    {{"schedule", "step", "lr-steps", "3"}, NULL},
    {{"schedule", "step", "lr-steps", "3,4,9"}, NULL},
    {{"schedule", "step", "lr-steps", "1,2,3,4,5,6,7,8"}, NULL},
    {{"schedule", "step", "lr-steps", "4,3"}, "lr-steps: expected ascending epochs"},
    {{"schedule", "step", "lr-steps", "3,3"}, "lr-steps: expected ascending epochs"},
    {{"schedule", "step", "lr-steps", "1,2,3,4,5,6,8,7"}, "lr-steps: expected ascending epochs"},
    {{"schedule", "step"}, "schedule step and lr-steps go together"},
    {{"lr-steps", "3"}, "schedule step and lr-steps go together"},
    {{"schedule", "cosine", "lr-steps", "1"}, "schedule step and lr-steps go together"},
    {{"schedule", "iwae"}, NULL},
    {{"gradient", "stl"}, NULL},
    {{"gradient", "dreg"}, "gradient dreg: expected objective iwae (elbo has stl)"},
    {{"objective", "iwae", "gradient", "dreg"}, NULL},
    {{"objective", "iwae", "gradient", "stl"}, NULL},
    {{"objective", "iwae"}, NULL},
    {{"free-bits", "0.5"}, NULL},
    {{"free-bits", "0.5", "kl-noise", "stratified"}, NULL},
    {{"free-bits", "1e-9", "gradient", "stl"},
     "free-bits: needs a KL of its own (expected objective elbo, gradient standard)"},
    {{"free-bits", "0.5", "objective", "iwae"},
     "free-bits: needs a KL of its own (expected objective elbo, gradient standard)"},
    {{"free-bits", "0.5", "objective", "iwae", "gradient", "dreg"},
     "free-bits: needs a KL of its own (expected objective elbo, gradient standard)"},
    {{"kl-noise", "stratified"}, NULL},
    {{"kl-noise", "stratified", "gradient", "stl"},
     "kl-noise stratified: needs a KL of its own, not draws that are weighed one by one"},
    {{"kl-noise", "stratified", "objective", "iwae"},
     "kl-noise stratified: needs a KL of its own, not draws that are weighed one by one"},
    {{"posterior", "iaf"}, NULL},
    {{"posterior", "iaf", "free-bits", "0.5"}, NULL},
    {{"posterior", "iaf", "prior", "cauchy", "kl", "mc"}, NULL},
    {{"posterior", "iaf", "objective", "iwae", "prior", "mixture"}, NULL},
    {{"posterior", "iaf", "kl", "exact"}, "kl exact: the KL of posterior iaf is known by draws alone (kl mc works)"},
    {{"posterior", "iaf", "kl-noise", "stratified"},
     "kl-noise stratified: needs a KL of its own, not draws that are weighed one by one"},
    {{"posterior", "iaf", "gradient", "stl"},
     "gradient stl: needs a factorised posterior, and iaf is a flow (gradient standard works)"},
    {{"posterior", "iaf", "objective", "iwae", "gradient", "dreg"},
     "gradient dreg: needs a factorised posterior, and iaf is a flow (gradient standard works)"},
    {{"patience", "1"}, "patience: needs a validation split (expected validation above 0)"},
    {{"patience", "1", "validation", "0.0001"}, NULL},
    {{"validation", "0.5"}, NULL},
    {{"batch", "256999", "samples", "2089"}, NULL}, /* 2^29 - 1 rows */
    {{"batch", "524288", "samples", "1024"}, "batch 524288 times samples 1024 is too large"},
    {{"batch", "1000000", "samples", "537"}, "batch 1000000 times samples 537 is too large"},
};

static void test_combinations(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof combinations / sizeof *combinations; i++) {
        const struct combination *c = &combinations[i];
        vae_config config;
        vae_error err = {0};
        vae_config_defaults(&config);
        for (const char *const *s = c->settings; *s; s += 2)
            if (vae_config_set(&config, s[0], s[1], &err)) fail_msg("%s", err.message);
        const vae_status status = vae_config_check(&config, &err);
        if (status != (c->message ? VAE_E_USAGE : VAE_OK) || strcmp(err.message, c->message ? c->message : ""))
            fail_msg("combination %zu, %s %s: status %d '%s'", i, c->settings[0], c->settings[1], status, err.message);
        assert_int_equal(vae_config_check(&config, NULL), status); /* nobody listens */
    }
}

static void test_no_exact_kl(void **state)
{
    vae_config config;
    vae_error err = {0};
    (void)state;
    vae_config_defaults(&config);
    assert_int_equal(vae_config_set(&config, "prior", "logistic", NULL), VAE_OK);
    assert_int_equal(vae_config_check(&config, NULL), VAE_OK);
    assert_int_equal(vae_config_set(&config, "kl", "exact", NULL), VAE_OK);
    assert_int_equal(vae_config_check(&config, &err), VAE_E_USAGE);
    assert_string_equal(err.message, "kl exact: prior logistic has no exact KL to a gaussian posterior (kl mc works)");
}

/* A Cauchy posterior has no moments: its KL is finite only to priors whose tails are as heavy, and exact without a cut.
 */
static void test_cauchy_posterior(void **state)
{
    static const struct {
        const char *prior, *posterior, *kl, *message; /* NULL: taken */
    } known[] = {
        {"cauchy", "cauchy", "auto", NULL},
        {"studentt", "cauchy", "mc", NULL},
        {"cauchy", "cauchy:cut=0", "exact", NULL},
        {"cauchy", "cauchy", "exact",
         "kl exact: prior cauchy has no exact KL to a cauchy posterior with these parameters (kl mc works)"},
        {"studentt", "cauchy:cut=0", "exact",
         "kl exact: prior studentt has no exact KL to a cauchy posterior (kl mc works)"},
        {"normal", "cauchy", "auto", "the KL of a cauchy posterior to prior normal is infinite"},
        {"spikeslab", "cauchy", "auto", "the KL of a cauchy posterior to prior spikeslab is infinite"},
        {"laplace", "cauchy", "mc", "the KL of a cauchy posterior to prior laplace is infinite"},
        {"logistic", "cauchy", "mc", "the KL of a cauchy posterior to prior logistic is infinite"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        vae_config config;
        vae_error err = {0};
        vae_config_defaults(&config);
        assert_int_equal(vae_config_set(&config, "prior", known[i].prior, NULL), VAE_OK);
        assert_int_equal(vae_config_set(&config, "posterior", known[i].posterior, NULL), VAE_OK);
        assert_int_equal(vae_config_set(&config, "kl", known[i].kl, NULL), VAE_OK);
        assert_int_equal(vae_config_check(&config, &err), known[i].message ? VAE_E_USAGE : VAE_OK);
        if (known[i].message && strncmp(err.message, known[i].message, strlen(known[i].message)))
            fail_msg("'%s' (expected '%s...')", err.message, known[i].message);
    }
}

/* A host may write into the struct what vae_config_set would not have taken. */
static void test_fields_of_a_host(void **state)
{
    vae_config bad[12];
    static const char *const messages[] = {
        "holdout: -0.5 is out of range (expected 0 to 1)",
        "validation: 1 is out of range (expected 0 to 0.9)",
        "kl: 'maybe' (expected one of auto|exact|mc)",
        "latent: 65537 is out of range (expected 1 to 65536)",
        "adam-beta2: 1 is out of range (expected 0 to 0.999999)",
        "seed: 9007199254740993 is out of range (expected 0 to 9007199254740991)",
        "hidden: 65537 is out of range (expected 1 to 65536)",
        "hidden: '' (expected whole numbers such as 400 or 200,200)",
        "spikeslab parameter p: 2 is out of range (expected 0 to 1)",
        "prior: 'laplace:scale=1' is not a value that it can have",
        "unknown posterior 'cauchi' (did you mean 'cauchy'? there are: gaussian, cauchy, iaf)",
        "data: 'a?' has control characters or is not UTF-8",
    };
    (void)state;
    for (size_t i = 0; i < 12; i++) vae_config_defaults(&bad[i]);
    bad[0].holdout = -0.5;
    bad[1].validation = 1;
    strcpy(bad[2].kl, "maybe");
    bad[3].latent = 65537;
    bad[4].adam_beta2 = 1;
    bad[5].seed = 9007199254740993;
    bad[6].hidden[1] = 65537;
    bad[7].hidden[0] = 0;
    vae_config_set(&bad[8], "prior", "spikeslab", NULL);
    bad[8].prior.value[0] = 2;
    strcpy(bad[9].prior.name, "laplace:scale=1");
    strcpy(bad[10].posterior.name, "cauchi");
    strcpy(bad[11].data, "a\n");
    for (size_t i = 0; i < 12; i++) {
        vae_error err = {0};
        assert_int_equal(vae_config_check(&bad[i], &err), VAE_E_USAGE);
        assert_string_equal(err.message, messages[i]);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------------------------- */

/* Counts are whole numbers, reals are reals, the rest is text. */
static void test_to_json(void **state)
{
    static const char *const wanted =
        "{\"data\": \"builtin:digits\", \"holdout\": 0.125, \"validation\": 0.0, \"binarize\": \"none\", "
        "\"prior\": \"spikeslab:p=0.75,c2=0.05\", \"kl\": \"auto\", \"kl-samples\": 10, \"kl-noise\": \"iid\", "
        "\"posterior\": \"gaussian\", \"likelihood\": \"bernoulli\", \"latent\": 10, \"hidden\": \"200,100\", "
        "\"activation\": \"relu\", \"init\": \"torch\", \"output-bias\": \"init\", \"objective\": \"elbo\", "
        "\"samples\": 1, \"gradient\": \"standard\", \"beta\": 2.0, \"beta-warmup\": 0.0, \"free-bits\": 0.0, "
        "\"epochs\": 10, \"patience\": 0, \"batch\": 128, \"lr\": 0.5, \"clip\": 0.0, \"schedule\": \"constant\", "
        "\"lr-steps\": \"none\", \"lr-factor\": 0.25, \"adam-beta1\": 0.5, \"adam-beta2\": 0.75, \"adam-eps\": 0.0625, "
        "\"seed\": 9007199254740991}";
    static const char *const settings[][2] = {
        {"holdout", "0.125"},   {"prior", "spikeslab:p=0.75"}, {"hidden", "200,100"}, {"beta", "2"},
        {"lr", "0.5"},          {"lr-factor", "0.25"},         {"adam-beta1", "0.5"}, {"adam-beta2", "0.75"},
        {"adam-eps", "0.0625"}, {"seed", "9007199254740991"}};
    vae_config config, read;
    (void)state;
    vae_config_defaults(&config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_int_equal(vae_config_set(&config, settings[i][0], settings[i][1], NULL), VAE_OK);
    json_t *object = config_to_json(&config);
    char *text = json_dumps(object, 0);
    assert_string_equal(text, wanted);
    assert_int_equal(config_from_json(&read, object, NULL), VAE_OK);
    assert_memory_equal(&read, &config, sizeof read);
    free(text);
    json_decref(object);
}

/* A setting that model files once did not have is in them only where it is not the default. */
static void test_young_settings(void **state)
{
    vae_config config, read;
    (void)state;
    vae_config_defaults(&config);
    json_t *old = config_to_json(&config);
    assert_null(json_object_get(old, "conditional"));
    assert_null(json_object_get(old, "start"));
    for (size_t i = 0; vae_setting_at(i); i++)
        if (!vae_setting_at(i)->young) assert_non_null(json_object_get(old, vae_setting_at(i)->name));
    config.classes = 10;
    json_t *young = config_to_json(&config);
    assert_int_equal(json_integer_value(json_object_get(young, "conditional")), 10);
    assert_int_equal(json_object_size(young), json_object_size(old) + 1);
    assert_int_equal(config_from_json(&read, young, NULL), VAE_OK);
    assert_memory_equal(&read, &config, sizeof read);
    assert_int_equal(config_from_json(&read, old, NULL), VAE_OK);
    assert_int_equal(read.classes, 0);
    json_decref(old);
    json_decref(young);
}

static void test_from_json(void **state)
{
    static const struct {
        const char *json, *name, *text; /* a setting and its value then */
    } taken[] = {{"{}", "lr", "0.001"},
                 {"{\"lr\": 0.5}", "lr", "0.5"},
                 {"{\"lr\": 1}", "lr", "1"},
                 {"{\"lr\": \"0.25\"}", "lr", "0.25"},
                 {"{\"lr\": 0.1, \"latent\": 3}", "lr", "0.1"},
                 {"{\"latent\": 65536, \"lr\": 1}", "latent", "65536"},
                 {"{\"hidden\": \"3,4\"}", "hidden", "3,4"}};
    static const struct {
        const char *json, *message;
        vae_status status;
    } refused[] = {
        {"{\"depth\": 1}", "settings that this version does not know (a newer vaectl wrote them)", VAE_E_MODEL},
        {"{\"lr\": 1, \"p\": 0.5}", "settings that this version does not know (a newer vaectl wrote them)",
         VAE_E_MODEL},
        {"{\"lr\": true}", "setting 'lr' is neither text nor number", VAE_E_MODEL},
        {"{\"kl\": null}", "setting 'kl' is neither text nor number", VAE_E_MODEL},
        {"{\"hidden\": [3]}", "setting 'hidden' is neither text nor number", VAE_E_MODEL},
        {"{\"latent\": 1.5}", "latent: '1.5' is not a whole number", VAE_E_USAGE},
        {"{\"latent\": 0}", "latent: 0 is out of range (expected 1 to 65536)", VAE_E_USAGE},
        {"{\"kl\": 3}", "kl: '3' (expected one of auto|exact|mc)", VAE_E_USAGE},
        {"{\"patience\": 3}", "patience: needs a validation split (expected validation above 0)", VAE_E_USAGE},
    };
    vae_config config;
    (void)state;
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        json_t *object = json_loads(taken[i].json, 0, NULL);
        assert_non_null(object);
        assert_int_equal(config_from_json(&config, object, NULL), VAE_OK);
        assert_text(&config, taken[i].name, taken[i].text);
        assert_text(&config, "batch", "128");
        json_decref(object);
    }
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        json_t *object = json_loads(refused[i].json, 0, NULL);
        vae_error err = {0};
        assert_non_null(object);
        assert_int_equal(config_from_json(&config, object, &err), refused[i].status);
        assert_string_equal(err.message, refused[i].message);
        json_decref(object);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_settings_and_their_defaults),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_long_lists),
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_listed_words),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_parameters_of_modules),
        cmocka_unit_test(test_texts),
        cmocka_unit_test(test_combinations),
        cmocka_unit_test(test_no_exact_kl),
        cmocka_unit_test(test_cauchy_posterior),
        cmocka_unit_test(test_fields_of_a_host),
        cmocka_unit_test(test_to_json),
        cmocka_unit_test(test_young_settings),
        cmocka_unit_test(test_from_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
