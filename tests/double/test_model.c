/* SPDX-License-Identifier: MIT
 *
 * The whole model in double: every gradient of every tensor against signed central differences of the loss, on fixed
 * noise, over all priors, likelihoods, activations and objectives.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/source.h"
#include "disturb.h"
#include "train/step.h"

enum { ROWS = 3, COLS = 4, IMAGES = 19 }; /* 19 images: a whole tile of rows and a part of one */

struct bench {
    vae_model *model;
    struct pool *pool;
    struct stepper step;
    vae_images images;
    struct loss_slope slope;
    bool sparse; /* images that are mostly black */
};

/* Settings as "name", "value", ..., NULL. */
static void open_bench(struct bench *b, const char *const *settings)
{
    vae_error err = {0};
    vae_config config;
    vae_config_defaults(&config);
    vae_config_set(&config, "latent", "3", &err);
    vae_config_set(&config, "hidden", "6,5", &err);
    for (; *settings; settings += 2)
        if (vae_config_set(&config, settings[0], settings[1], &err)) fail_msg("%s", err.message);
    assert_int_equal(images_new(&b->images, IMAGES, ROWS, COLS, true, &err), VAE_OK);
    for (size_t i = 0; i < IMAGES; i++) b->images.labels[i] = (uint8_t)(i * i % 5); /* 0, 1 or 4 */
    const struct rng rng = {.seed = 5, .stream = RNG_DIGITS};
    for (size_t i = 0; i < IMAGES * ROWS * COLS; i++) {
        uint32_t word;
        rng_words(&rng, i, 1, &word);
        b->images.pixels[i] = !(word & 3) == b->sparse ? (uint8_t)(word >> 24) : 0; /* some are empty */
    }
    assert_int_equal(vae_model_new(&b->model, &config, ROWS, COLS, &err), VAE_OK);
    assert_int_equal(pool_new(&b->pool, 1, &err), VAE_OK);
    assert_int_equal(step_prepare(&b->step, b->model, &b->images, b->pool, &err), VAE_OK);
    assert_int_equal(b->step.pass.sparse.D > 0, b->sparse);
    disturb(b->model, "prior.", 1);
    disturb(b->model, "likelihood.", 1);
    disturb(b->model, "posterior.", 1);
    pass_derive(&b->step.pass, &(struct rng){.seed = 7, .stream = RNG_OWN});
}

static void close_bench(struct bench *b)
{
    step_release(&b->step);
    pool_free(b->pool);
    vae_model_free(&b->model);
    images_free(&b->images);
}

/* Images first .. first+B-1 of the batch, as one of several processes would run them. */
static struct losses forward_share(struct bench *b, size_t first, size_t B, bool training)
{
    struct pass *pass = &b->step.pass;
    const struct rng noise = {.seed = 11, .step = 3, .stream = RNG_POSTERIOR};
    pass_gather(pass, &b->images, NULL, first, B, NULL);
    pass->share = (struct share){first, IMAGES};
    pass_derive(pass, NULL);
    pass_encode(pass);
    pass_latent(pass, &noise);
    pass_decode(pass, pass->plan.S * B);
    pass_likelihood(pass, training);
    return step_objective(&b->step, b->model->config.beta, &b->slope);
}

static struct losses forward(struct bench *b, bool training) { return forward_share(b, 0, IMAGES, training); }

static double numeric_gradient(struct bench *b, size_t at, double h)
{
    const double value = b->model->params[at];
    b->model->params[at] = value + h;
    const double up = forward(b, false).loss;
    b->model->params[at] = value - h;
    const double down = forward(b, false).loss;
    b->model->params[at] = value;
    return (up - down) / (2 * h);
}

/* A unit of a piecewise linear activation may have its kink within a step: a smaller one then decides. Of a small
 * gradient of a large loss the rounding of the latter hides a part: a larger one then decides. */
static double gradient_error(struct bench *b, size_t at, double exact)
{
    static const double step[] = {1e-5, 1e-7, 1e-4};
    double error = INFINITY;
    for (size_t i = 0; i < 3 && !(error < 1e-7 * fabs(exact)); i++)
        error = fmin(error, fabs(exact - numeric_gradient(b, at, step[i])));
    return error;
}

static void check_tensor(struct bench *b, const struct tensor *t, const real *analytic)
{
    double largest = 0, worst = 0;
    bool learns = false;
    const size_t apart = 1 + t->count / 100; /* of a large tensor, some elements */
    for (size_t k = 0; k < t->count; k += apart) {
        const size_t at = tensor_at(t, k);
        learns |= !model_masks(b->model, at);
        const double exact = analytic[at],
                     error = model_masks(b->model, at) ? fabs(exact) : gradient_error(b, at, exact);
        largest = fmax(largest, fabs(exact));
        worst = fmax(worst, error);
    }
    if (learns && !(largest > 1e-6)) fail_msg("%s: its gradient is zero, so nothing was checked", t->name);
    if (!(worst < 1e-6 * largest + 1e-9)) fail_msg("%s: gradient off by %g of %g", t->name, worst, largest);
}

/* Losses and gradients of the shares of a batch add up to those of the whole. */
static void check_shares(struct bench *b, double loss, const real *whole)
{
    enum { CUT = 7 };
    const struct block *block = &b->model->block;
    real *sum = calloc(block->size, sizeof *sum);
    assert_non_null(sum);
    for (size_t share = 0; share < 2; share++) {
        loss -= forward_share(b, share * CUT, share ? IMAGES - CUT : CUT, true).loss;
        pass_backward(&b->step.pass, &b->slope);
        pass_update(&b->step.pass, b->model, NULL);
        for (size_t i = 0; i < block->size; i++) sum[i] += b->step.pass.params_gradient[i];
    }
    if (!(fabs(loss) < 1e-9)) fail_msg("losses of two shares differ from that of the whole by %g", loss);
    for (size_t i = 0; i < block->tensors; i++)
        for (size_t k = 0; k < block->tensor[i].count && block->tensor[i].rate > 0; k++) {
            const size_t at = tensor_at(&block->tensor[i], k);
            if (!(fabs(sum[at] - whole[at]) < 1e-9 * (1 + fabs(whole[at]))))
                fail_msg("%s: %g of two shares, %g of the whole", block->tensor[i].name, sum[at], whole[at]);
        }
    free(sum);
}

static void check_gradients(const char *const *settings, bool sparse)
{
    struct bench b = {.sparse = sparse};
    open_bench(&b, settings);
    const double loss = forward(&b, true).loss;
    pass_backward(&b.step.pass, &b.slope);
    pass_update(&b.step.pass, b.model, NULL);
    real *analytic = calloc(b.model->block.size, sizeof *analytic);
    assert_non_null(analytic);
    for (size_t i = 0; i < b.model->block.size; i++) analytic[i] = b.step.pass.params_gradient[i];
    for (size_t i = 0; i < b.model->block.tensors; i++)
        if (b.model->block.tensor[i].rate > 0) check_tensor(&b, &b.model->block.tensor[i], analytic);
    if (b.model->config.free_bits <= 0) check_shares(&b, loss, analytic);
    free(analytic);
    close_bench(&b);
}

#define CHECK(...) check_gradients((const char *const[]){__VA_ARGS__, NULL}, false)

static void every_prior(void **state)
{
    (void)state;
    for (size_t i = 0; prior_at(i); i++) {
        const char *name = prior_at(i)->module.name;
        if (prior_at(i)->joint) continue;
        CHECK("prior", name, "activation", "tanh");
        CHECK("prior", name, "kl", "mc", "kl-samples", "4", "activation", "tanh");
    }
    CHECK("prior", "spikeslab:p=0.3,c2=0.01", "activation", "tanh");
    CHECK("prior", "spikeslab:p=0", "activation", "tanh");
    CHECK("prior", "spikeslab:p=1", "activation", "tanh");
}

static void every_likelihood(void **state)
{
    (void)state;
    for (size_t i = 0; likelihood_at(i); i++)
        CHECK("likelihood", likelihood_at(i)->module.name, "activation", "tanh", "beta", "0.5");
    CHECK("likelihood", "gaussian:sigma=0.3", "activation", "tanh");
}

/* Numbers of the likelihood itself, in objectives that weigh draws and in those that do not. */
static void learned_likelihoods(void **state)
{
    static const char *const likelihoods[] = {"gaussian:sigma=learned", "gaussian:sigma=per-pixel",
                                              "gaussian:sigma=per-pixel,floor=0.5"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const char *name = likelihoods[i];
        CHECK("likelihood", name, "activation", "tanh");
        CHECK("likelihood", name, "activation", "tanh", "samples", "3", "beta", "0.5", "prior", "laplace");
        CHECK("likelihood", name, "activation", "tanh", "samples", "3", "objective", "iwae");
        CHECK("likelihood", name, "activation", "tanh", "samples", "2", "objective", "iwae", "beta", "0.3");
        CHECK("likelihood", name, "activation", "tanh", "samples", "2", "prior", "mixture:components=4");
    }
}

static void every_activation(void **state)
{
    (void)state;
    for (size_t i = 0; activation_at(i); i++) CHECK("activation", activation_at(i)->module.name);
}

static void every_objective(void **state)
{
    (void)state;
    CHECK("beta", "4", "activation", "tanh");
    CHECK("samples", "3", "activation", "tanh");
    CHECK("samples", "3", "kl-samples", "2", "prior", "cauchy", "activation", "tanh");
    CHECK("samples", "2", "kl-samples", "5", "prior", "laplace", "activation", "softplus", "beta", "0.3");
    CHECK("kl", "mc", "kl-noise", "stratified", "kl-samples", "5", "samples", "2", "activation", "tanh");
    for (size_t i = 0; prior_at(i); i++) {
        const char *name = prior_at(i)->module.name;
        if (prior_at(i)->joint) continue;
        CHECK("objective", "iwae", "samples", "4", "prior", name, "activation", "tanh");
        CHECK("objective", "iwae", "samples", "1", "prior", name, "activation", "tanh");
        CHECK("objective", "iwae", "samples", "3", "prior", name, "activation", "tanh", "beta", "0.4");
    }
}

static void cauchy_posterior(void **state)
{
    (void)state;
    CHECK("posterior", "cauchy", "prior", "cauchy", "activation", "tanh");
    CHECK("posterior", "cauchy:cut=0", "prior", "cauchy", "activation", "tanh", "kl", "exact", "samples", "2");
    CHECK("posterior", "cauchy", "prior", "studentt", "activation", "tanh", "kl-samples", "3");
    CHECK("posterior", "cauchy", "prior", "cauchy:scale=2", "activation", "tanh", "objective", "iwae", "samples", "3");
}

static void sparse_input(void **state)
{
    (void)state;
    check_gradients((const char *const[]){"activation", "tanh", "prior", "laplace", NULL}, true);
}

static void labels(void **state)
{
    (void)state;
    for (size_t sparse = 0; sparse < 2; sparse++) {
        check_gradients((const char *const[]){"conditional", "5", "activation", "tanh", NULL}, sparse);
        check_gradients((const char *const[]){"conditional", "6", "activation", "gated", "samples", "3", NULL}, sparse);
        check_gradients((const char *const[]){"conditional", "5", "activation", "tanh", "samples", "3", "objective",
                                              "iwae", "prior", "laplace", NULL},
                        sparse);
    }
    CHECK("conditional", "5", "activation", "tanh", "prior", "mixture:components=7", "samples", "2");
    CHECK("conditional", "5", "activation", "tanh", "posterior", "cauchy", "prior", "cauchy");
    CHECK("conditional", "5", "activation", "tanh", "posterior", "iaf:width=5,context=4", "samples", "2");
}

static void joint_prior(const char *prior)
{
    CHECK("prior", prior, "activation", "tanh");
    CHECK("prior", prior, "activation", "tanh", "samples", "3", "beta", "0.4");
    CHECK("prior", prior, "activation", "tanh", "samples", "2", "likelihood", "gaussian:sigma=0.3");
    CHECK("prior", prior, "activation", "tanh", "samples", "3", "objective", "iwae");
    CHECK("prior", prior, "activation", "tanh", "samples", "2", "objective", "iwae", "beta", "0.3");
}

static void joint_priors(void **state)
{
    (void)state;
    joint_prior("scaled");
    joint_prior("scaled:family=studentt");
    joint_prior("mixture:components=7");
    joint_prior("realnvp:width=5");
    joint_prior("realnvp:blocks=1,layers=1,width=4");
    joint_prior("vampprior:components=5");
    joint_prior("lars:width=6,draws=64,tries=0");
    joint_prior("lars:width=6,draws=64,base=laplace,tries=7");
    joint_prior("lars:width=6,draws=64,base=mixture,tries=3");
    joint_prior("lars:width=6,draws=64,base=realnvp,tries=0");
    joint_prior("lars:width=6,draws=64,base=scaled");
    joint_prior("lars:width=6,draws=64,base=vampprior");
}

static void flow(const char *prior, const char *posterior)
{
    CHECK("prior", prior, "posterior", posterior, "activation", "tanh", "beta", "0.4");
    CHECK("prior", prior, "posterior", posterior, "activation", "tanh", "samples", "3");
    CHECK("prior", prior, "posterior", posterior, "activation", "tanh", "objective", "iwae");
    CHECK("prior", prior, "posterior", posterior, "activation", "tanh", "objective", "iwae", "samples", "3");
}

static void flows(void **state)
{
    (void)state;
    flow("normal", "iaf:blocks=3,width=7,context=2");
    flow("normal", "iaf:blocks=1,width=2,context=1"); /* fewer units than latents */
    flow("cauchy", "iaf:width=6,context=3");
    flow("mixture:components=4", "iaf:width=6,context=3");
    flow("realnvp:blocks=2,width=4,layers=1", "iaf:width=6,context=3");
    flow("lars:width=4,draws=64", "iaf:width=6,context=3");
    CHECK("posterior", "iaf:width=6,context=3", "activation", "tanh", "free-bits", "0.01");
    CHECK("latent", "1", "posterior", "iaf:width=3,context=2", "activation", "tanh");
}

/* The threshold lies between the KLs of the latents: some are free, some cost. */
static void free_bits(void **state)
{
    (void)state;
    struct bench b = {0};
    char threshold[32];
    open_bench(&b, (const char *const[]){"activation", "tanh", NULL});
    const double per_latent = forward(&b, false).kl / 3;
    close_bench(&b);
    snprintf(threshold, sizeof threshold, "%.17g", per_latent);
    const char *const settings[] = {"activation", "tanh", "free-bits", threshold, NULL};
    open_bench(&b, settings);
    const struct losses losses = forward(&b, false);
    size_t free_latents = 0;
    for (size_t j = 0; j < 3; j++) free_latents += b.slope.kl[j] == 0;
    assert_in_range(free_latents, 1, 2);
    assert_true(losses.loss > losses.recon + losses.kl);
    close_bench(&b);
    check_gradients(settings, false);
}

/* loss = recon + beta kl, in nats per image: sums over pixels and latents, means over images and draws. Against plain
 * loops. */
static void loss_is_a_sum_over_pixels_and_a_mean_over_images(void **state)
{
    (void)state;
    struct bench b = {0};
    open_bench(&b, (const char *const[]){"beta", "2", "samples", "2", NULL});
    const struct losses losses = forward(&b, false);
    const struct pass *p = &b.step.pass;
    const real *logits = run_result(&p->decoder);
    double recon = 0, kl = 0;
    for (size_t r = 0; r < 2 * IMAGES; r++)
        for (size_t k = 0; k < ROWS * COLS; k++) {
            const double x = b.images.pixels[r % IMAGES * ROWS * COLS + k] / 255.0, l = logits[r * ROWS * COLS + k];
            recon += log(1 + exp(l)) - x * l;
        }
    for (size_t i = 0; i < IMAGES * 3; i++) kl += 0.5 * (p->a[i] * p->a[i] + exp(p->b[i]) - 1 - p->b[i]);
    assert_true(fabs(losses.recon - recon / (2 * IMAGES)) < 1e-10);
    assert_true(fabs(losses.kl - kl / IMAGES) < 1e-10);
    assert_true(fabs(losses.loss - losses.recon - 2 * losses.kl) < 1e-10);
    close_bench(&b);
}

/* The importance-weighted loss from the formula, and with one draw the ELBO. */
static void iwae_loss(void **state)
{
    static const char *const samples[] = {"1", "4"};
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct bench b = {0};
        open_bench(&b, (const char *const[]){"objective", "iwae", "samples", samples[k], "prior", "laplace", NULL});
        const struct losses losses = forward(&b, false);
        const struct pass *p = &b.step.pass;
        double loss = 0, plain = 0;
        for (size_t i = 0; i < IMAGES; i++) {
            double sum = 0;
            for (size_t s = 0; s < p->plan.S; s++) {
                double ratio = 0;
                for (size_t j = 0; j < 3; j++) {
                    const double eps = p->eps[(s * IMAGES + i) * 3 + j], logvar = p->b[i * 3 + j];
                    const double z = p->a[i * 3 + j] + exp(logvar / 2) * eps;
                    ratio += -fabs(z) - log(2) + 0.5 * (eps * eps + logvar + log(6.28318530717958647693));
                }
                sum += exp(ratio - p->recon[s * IMAGES + i]);
                plain -= (ratio - p->recon[s * IMAGES + i]) / (double)(IMAGES * p->plan.S);
            }
            loss -= log(sum / (double)p->plan.S) / IMAGES;
        }
        assert_true(fabs(losses.loss - loss) < 1e-9);
        assert_true(fabs(losses.recon + losses.kl - plain) < 1e-9);
        assert_true(k == 0 ? fabs(losses.loss - plain) < 1e-9 : losses.loss < plain - 1e-3);
        close_bench(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prior),
        cmocka_unit_test(every_likelihood),
        cmocka_unit_test(every_activation),
        cmocka_unit_test(every_objective),
        cmocka_unit_test(learned_likelihoods),
        cmocka_unit_test(cauchy_posterior),
        cmocka_unit_test(joint_priors),
        cmocka_unit_test(flows),
        cmocka_unit_test(labels),
        cmocka_unit_test(sparse_input),
        cmocka_unit_test(free_bits),
        cmocka_unit_test(iwae_loss),
        cmocka_unit_test(loss_is_a_sum_over_pixels_and_a_mean_over_images),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
