/* SPDX-License-Identifier: MIT
 *
 * Every prior with every posterior, likelihood and objective: it trains to a finite loss, is evaluated and drawn from,
 * or it is refused before training with a line that names one of the four. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/source.h"
#include "model/model.h"
#include "models.h"

enum { IMAGES = 24, SIDE = 3 };

static vae_data data;
static size_t trained, refused;

struct combination {
    const char *prior, *posterior, *likelihood, *objective, *gradient;
};

/* Small ones of those whose networks are large by default. */
static const char *small(const char *name)
{
    static const char *const sizes[] = {"mixture:components=5", "vampprior:components=5", "realnvp:width=5",
                                        "lars:width=5,draws=64", "iaf:width=6,context=4"};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (!strncmp(sizes[i], name, strlen(name)) && sizes[i][strlen(name)] == ':') return sizes[i];
    return name;
}

static void use(const vae_model *model, const char *label)
{
    vae_eval_options options;
    vae_evaluation *evaluation = NULL;
    vae_nll nll;
    vae_error err = {0};
    float z[4];
    vae_eval_defaults(&options);
    options.threads = 1;
    options.calibration = 640;
    if (vae_evaluate(&evaluation, model, &data.test, &options, &err)) fail_msg("%s: %s", label, err.message);
    assert_true(isfinite(evaluation->neg_elbo));
    vae_evaluation_free(&evaluation);
    if (strncmp(vae_model_config(model)->prior.name, "lars", 4)) { /* which takes a million draws for it */
        const vae_nll_options few = {.samples = 3, .seed = 1, .threads = 1};
        if (vae_estimate_nll(&nll, model, &data.test, &few, &err)) fail_msg("%s: %s", label, err.message);
        assert_true(isfinite(nll.nll));
    }
    if (vae_sample_prior(model, 1, 2, z, &err)) fail_msg("%s: %s", label, err.message);
    for (size_t i = 0; i < 4; i++) assert_true(isfinite(z[i]));
}

/* An infinite KL; path estimators of a flow; pseudo-inputs behind a flow. */
static bool is_impossible(const struct combination *c)
{
    const bool flow = posterior_find(c->posterior)->flow;
    return (posterior_find(c->posterior)->heavy_tailed && !prior_find(c->prior)->heavy_tailed) ||
           (flow && strcmp(c->gradient, "standard")) || (flow && !strcmp(c->prior, "vampprior"));
}

static void check(const struct combination *c)
{
    const char *const settings[][2] = {{"prior", small(c->prior)},
                                       {"posterior", small(c->posterior)},
                                       {"likelihood", c->likelihood},
                                       {"objective", c->objective},
                                       {"gradient", c->gradient},
                                       {"latent", "2"},
                                       {"hidden", "5"},
                                       {"batch", "12"},
                                       {"samples", "2"},
                                       {"kl-samples", "2"},
                                       {"epochs", "1"}};
    char label[200];
    vae_config config;
    vae_model *model = NULL;
    vae_error err = {0};
    vae_config_defaults(&config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_int_equal(vae_config_set(&config, settings[i][0], settings[i][1], &err), VAE_OK);
    snprintf(label, sizeof label, "%s, %s, %s, %s, %s", c->prior, c->posterior, c->likelihood, c->objective,
             c->gradient);
    assert_int_equal(vae_model_new(&model, &config, SIDE, SIDE, &err), is_impossible(c) ? VAE_E_USAGE : VAE_OK);
    if (!model) {
        refused++;
        if (!strstr(err.message, c->prior) && !strstr(err.message, c->posterior))
            fail_msg("%s: refused with '%s'", label, err.message);
        return;
    }
    trained++;
    if (vae_train(model, &data, 1, NULL, NULL, &err)) fail_msg("%s: %s", label, err.message);
    assert_true(isfinite(vae_model_metrics(model)->train_loss) && isfinite(vae_model_metrics(model)->test_neg_elbo));
    use(model, label);
    vae_model_free(&model);
}

static void every_combination(void **state)
{
    static const char *const likelihoods[] = {"bernoulli", "cbernoulli", "gaussian:sigma=0.3", "gaussian:sigma=learned",
                                              "gaussian:sigma=per-pixel"};
    static const char *const objectives[][2] = {
        {"elbo", "standard"}, {"elbo", "stl"}, {"iwae", "standard"}, {"iwae", "dreg"}};
    (void)state;
    for (size_t p = 0; prior_at(p); p++)
        for (size_t q = 0; posterior_at(q); q++)
            for (size_t l = 0; l < 5; l++)
                for (size_t o = 0; o < 4; o++)
                    check(&(struct combination){prior_at(p)->module.name, posterior_at(q)->module.name, likelihoods[l],
                                                objectives[o][0], objectives[o][1]});
    print_message("%zu combinations trained, %zu were refused\n", trained, refused);
    assert_true(trained > refused && refused > 0);
}

static int set_up(void **state)
{
    (void)state;
    for (size_t split = 0; split < 2; split++) {
        vae_images *images = split ? &data.test : &data.train;
        if (images_new(images, split ? 5 : IMAGES, SIDE, SIDE, false, NULL)) return -1;
        for (size_t i = 0; i < images->n * SIDE * SIDE; i++) images->pixels[i] = (uint8_t)test_uniform(i, 0, 256);
    }
    data.test.split = VAE_TEST;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    images_free(&data.train);
    images_free(&data.test);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_combination)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
