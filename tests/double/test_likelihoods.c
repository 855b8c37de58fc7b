/* SPDX-License-Identifier: MIT
 *
 * Every likelihood at every parameter set: values against the formula written out, gradients against central
 * differences.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "check.h"

enum { MOST_PIXELS = 784, MOST_OUTPUTS = 4, MOST_NUMBERS = 4 };

static const size_t sizes[] = {1, 15, 16, 17, MOST_PIXELS}; /* around the lanes of the sum, and an image */
static const double half_log_2pi = 0.91893853320467274178;

struct likelihood_case {
    const struct likelihood_ops *ops;
    struct likelihood_state *state;
    const double *param;
    size_t outputs;            /* per pixel */
    size_t numbers;            /* that are learned */
    real number[MOST_NUMBERS]; /* and their values */
    char label[128];
};

/* How many numbers a likelihood learns. */
static size_t learned_numbers(const struct likelihood_ops *ops, const double *param)
{
    struct block *block = mem_new(1, sizeof *block, NULL);
    assert_non_null(block);
    const struct tensor *tensor = ops->declare ? ops->declare(param, block) : NULL;
    const size_t count = tensor ? tensor->count : 0;
    free(block);
    return count;
}

static void for_each_likelihood(void (*check)(const struct likelihood_case *c))
{
    size_t i = 0;
    for (; likelihood_at(i); i++) {
        const struct likelihood_ops *ops = likelihood_at(i);
        vae_choice choice;
        for (size_t k = 0; module_case(&ops->module, k, &choice); k++) {
            struct likelihood_case c = {.ops = ops, .state = mem_new(1, ops->state_size, NULL), .param = choice.value};
            assert_non_null(c.state);
            c.outputs = likelihood_outputs(ops, choice.value);
            c.numbers = learned_numbers(ops, choice.value);
            assert_in_range(c.outputs, 1, MOST_OUTPUTS);
            assert_in_range(c.numbers, 0, MOST_NUMBERS);
            for (size_t n = 0; n < c.numbers; n++) c.number[n] = R(test_uniform(n, -1, 1));
            ops->init(c.state, choice.value);
            choice_text(&choice, &ops->module, c.label, sizeof c.label);
            check(&c);
            free(c.state);
        }
    }
    assert_true(i >= 2);
}

/* Pixels black, white and grey; outputs of both signs. */
static void make_image(size_t outputs, size_t D, real *x, real *out)
{
    for (size_t i = 0; i < D; i++) {
        const double u = test_uniform(i, -0.4, 1.4);
        x[i] = R(u < 0 ? 0 : u > 1 ? 1 : u);
    }
    for (size_t i = 0; i < D * outputs; i++) out[i] = R(test_uniform(5000 + i, -6, 6));
}

static double value(const struct likelihood_case *c, size_t D, const real *out, const real *x)
{
    return c->ops->nll(c->state, D, out, x, 1, NULL, &(struct learned){c->number, NULL});
}

static double bernoulli_pixel(double l, double x)
{
    const double theta = 1 / (1 + exp(-l));
    return -x * log(theta) - (1 - x) * log1p(-theta);
}

static double gaussian_pixel(double m, double x, double sigma)
{
    return (x - m) * (x - m) / (2 * sigma * sigma) + log(sigma) + half_log_2pi;
}

/* exp(x l), divided by its integral over [0, 1]. */
static double cbernoulli_pixel(double l, double x) { return log(expm1(l) / l) - x * l; }

/* Of a number, learned or, with the second output l, per pixel. */
static double sigma_of(const struct likelihood_case *c, double l)
{
    const double lowest = log(c->param[1]), d = l - lowest;
    if (c->param[0] > 0) return c->param[0];
    return exp(c->numbers ? (double)c->number[0] : lowest + (d + sqrt(d * d + 4)) / 2);
}

/* Output k of a pixel is out[k * apart]. */
static double formula_of(const struct likelihood_case *c, const real *out, size_t apart, double x)
{
    const double first = (double)*out;
    if (c->ops == &likelihood_bernoulli) return bernoulli_pixel(first, x);
    if (c->ops == &likelihood_cbernoulli) return cbernoulli_pixel(first, x);
    return gaussian_pixel(first, x, sigma_of(c, c->outputs == 2 ? (double)out[apart] : 0));
}

static void value_is_the_formula(const struct likelihood_case *c)
{
    real x[MOST_PIXELS], out[MOST_PIXELS * MOST_OUTPUTS];
    const bool has_formula = c->ops == &likelihood_bernoulli || c->ops == &likelihood_gaussian ||
                             c->ops == &likelihood_cbernoulli;
    if (!has_formula) return; /* the tests below are for any likelihood */
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        double want = 0;
        make_image(c->outputs, sizes[s], x, out);
        for (size_t i = 0; i < sizes[s]; i++) want += formula_of(c, out + i, sizes[s], (double)x[i]);
        assert_near(value(c, sizes[s], out, x), want, c->ops == &likelihood_cbernoulli ? 1e-10 : 1e-12, "%s, D = %zu",
                    c->label, sizes[s]);
    }
}

/* The outputs of pixel i: the first of all pixels come first, behind them the second ones. */
static void gather_pixel(const struct likelihood_case *c, size_t D, const real *out, size_t i, real *pixel)
{
    for (size_t k = 0; k < c->outputs; k++) pixel[k] = out[k * D + i];
}

/* Pixels are independent given the outputs, and every one of them counts once: no mean over pixels, none left out. */
static void value_is_a_sum_over_pixels(const struct likelihood_case *c)
{
    real x[MOST_PIXELS], out[MOST_PIXELS * MOST_OUTPUTS];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t D = sizes[s];
        double want = 0;
        make_image(c->outputs, D, x, out);
        for (size_t i = 0; i < D; i++) {
            real pixel[MOST_OUTPUTS];
            gather_pixel(c, D, out, i, pixel);
            want += value(c, 1, pixel, x + i);
        }
        assert_near(value(c, sizes[s], out, x), want, 1e-12, "%s, D = %zu", c->label, sizes[s]);
    }
}

/* Central difference of the value in *at. */
static double slope_at(const struct likelihood_case *c, size_t D, const real *out, const real *x, real *at)
{
    const real value_there = *at, h = R(1e-5);
    *at = value_there + h;
    const double up = value(c, D, out, x);
    *at = value_there - h;
    const double down = value(c, D, out, x);
    *at = value_there;
    return (up - down) / (2 * (double)h);
}

static void gradient_is_right(const struct likelihood_case *constant)
{
    real x[MOST_PIXELS], out[MOST_PIXELS * MOST_OUTPUTS], grad[MOST_PIXELS * MOST_OUTPUTS], numbers[MOST_NUMBERS];
    struct likelihood_case c = *constant;
    const double weight = -0.37;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t D = sizes[s];
        make_image(c.outputs, D, x, out);
        c.ops->nll(c.state, D, out, x, R(weight), grad, &(struct learned){c.number, numbers});
        for (size_t i = 0; i < D; i++) {
            real pixel[MOST_OUTPUTS];
            gather_pixel(&c, D, out, i, pixel);
            for (size_t k = 0; k < c.outputs; k++)
                assert_near((double)grad[k * D + i], weight * slope_at(&c, 1, pixel, x + i, &pixel[k]), 1e-6,
                            "gradient of %s, D = %zu, output %zu of pixel %zu", c.label, D, k, i);
        }
        for (size_t i = 0; i < c.numbers; i++)
            assert_near((double)numbers[i], weight * slope_at(&c, D, out, x, &c.number[i]), 1e-6,
                        "gradient of %s, D = %zu, learned number %zu", c.label, D, i);
    }
}

static void in_place_is_the_same(const struct likelihood_case *c)
{
    real x[MOST_PIXELS], out[MOST_PIXELS * MOST_OUTPUTS], grad[MOST_PIXELS * MOST_OUTPUTS], numbers[2][MOST_NUMBERS];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const size_t D = sizes[s];
        make_image(c->outputs, D, x, out);
        const double alone = value(c, D, out, x);
        const double apart = c->ops->nll(c->state, D, out, x, R(0.125), grad, &(struct learned){c->number, numbers[0]});
        const double in_place = c->ops->nll(c->state, D, out, x, R(0.125), out,
                                            &(struct learned){c->number, numbers[1]});
        assert_true(alone == apart && alone == in_place); /* to the bit */
        assert_memory_equal(out, grad, D * c->outputs * sizeof *out);
        assert_memory_equal(numbers[0], numbers[1], c->numbers * sizeof(real));
    }
}

static void test_formula(void **state)
{
    (void)state;
    for_each_likelihood(value_is_the_formula);
}

static void test_sum(void **state)
{
    (void)state;
    for_each_likelihood(value_is_a_sum_over_pixels);
}

static void test_gradient(void **state)
{
    (void)state;
    for_each_likelihood(gradient_is_right);
}

static void test_in_place(void **state)
{
    (void)state;
    for_each_likelihood(in_place_is_the_same);
}

/* Where 1 - theta is zero in floating point. -log p = softplus(l) - x l, and softplus(100) = 100 + e^-100. */
static void test_bernoulli_at_large_logits(void **state)
{
    const struct likelihood_ops *ops = &likelihood_bernoulli;
    const double logits[] = {100, -100, 800, -800}, pixels[] = {0, 0.25, 1};
    (void)state;
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 3; k++) {
            const double sign = logits[i] > 0, want = fmax(logits[i], 0) - pixels[k] * logits[i];
            const real out = R(logits[i]), x = R(pixels[k]);
            real grad;
            const double nll = ops->nll(NULL, 1, &out, &x, 1, &grad, NULL);
            assert_near(nll, want, 1e-14, "nll of %g at logit %g", pixels[k], logits[i]);
            assert_near((double)grad, sign - pixels[k], 1e-14, "gradient of %g at logit %g", pixels[k], logits[i]);
        }
    const real out = R(-100), x = 0;
    assert_near(ops->nll(NULL, 1, &out, &x, 1, NULL, NULL) / exp(-100), 1, 1e-12, "a small value keeps its digits");
}

/* A grey pixel costs at least its entropy, and costs just that where theta is the pixel. */
static void test_bernoulli_floor_of_grey(void **state)
{
    (void)state;
    for (double x = 0.05; x < 1; x += 0.1) {
        const double floor_nats = -x * log(x) - (1 - x) * log(1 - x);
        const real at = R(log(x / (1 - x))), pixel = R(x);
        real grad;
        assert_near(likelihood_bernoulli.nll(NULL, 1, &at, &pixel, 1, &grad, NULL), floor_nats, 1e-13, "floor of %g",
                    x);
        assert_near((double)grad, 0, 1e-13, "slope at the floor of %g", x);
    }
}

/* Inside, at and beyond the limit of the normaliser; near zero, where the series is; both signs. */
static void test_cbernoulli(void **state)
{
    static const double logits[] = {1e-9, -1e-3, 0.1, 0.29999, 0.30001, -0.31, 3, -20, 29.99, 30.01, -40, 200};
    const double limit = 30, h = 1e-6;
    struct likelihood_state *memory = mem_new(1, likelihood_cbernoulli.state_size, NULL);
    const struct likelihood_case c = {.ops = &likelihood_cbernoulli, .state = memory, .param = &limit};
    (void)state;
    assert_non_null(memory);
    likelihood_cbernoulli.init(memory, &limit);
    for (size_t i = 0; i < sizeof logits / sizeof *logits; i++)
        for (double x = 0; x <= 1; x += 0.25) {
            const double l = logits[i], held = fmin(limit, fabs(l));
            const real out = R(l), pixel = R(x), up = R(l + h), down = R(l - h);
            real grad, mean;
            const double got = likelihood_cbernoulli.nll(memory, 1, &out, &pixel, 1, &grad, NULL);
            assert_near(got, fmax(l, 0) + log1p(exp(-fabs(l))) - x * l - log(held / tanh(held / 2)), 1e-10,
                        "-log p(%g|%g)", x, l);
            assert_near((double)grad, (value(&c, 1, &up, &pixel) - value(&c, 1, &down, &pixel)) / (2 * h), 1e-8,
                        "slope at %g, pixel %g", l, x);
            likelihood_cbernoulli.mean(memory, 1, &out, &mean);
            assert_near((double)mean, fabs(l) < 1e-2 ? 0.5 + l / 12 : 1 / -expm1(-l) - 1 / l, 2e-9, "mean at %g", l);
        }
    free(memory);
}

static void test_cbernoulli_output_for(void **state)
{
    static const double means[] = {0, 0.01, 0.3, 0.5, 0.6565176427496657, 0.9, 1};
    const double limit = 50;
    struct likelihood_state *memory = mem_new(1, likelihood_cbernoulli.state_size, NULL);
    (void)state;
    assert_non_null(memory);
    likelihood_cbernoulli.init(memory, &limit);
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        const real wanted = R(means[i]);
        real out, mean;
        likelihood_cbernoulli.output_for(memory, 1, &wanted, NULL, &out);
        likelihood_cbernoulli.mean(memory, 1, &out, &mean);
        assert_near((double)mean, fmin(1 - 1 / limit, fmax(1 / limit, means[i])), 1e-6, "mean %g", means[i]);
        if (i == 4) assert_near((double)out, 2, 1e-6, "the logit of a known mean");
    }
    free(memory);
}

static double density_of_a_pixel(const void *context, double x)
{
    const struct likelihood_case *c = context;
    const real out[] = {R(0.3), R(-1.7)}, pixel = R(x);
    return exp(-value(c, 1, out, &pixel));
}

static void init_gaussian(struct likelihood_case *c, const double *param)
{
    *c = (struct likelihood_case){.ops = &likelihood_gaussian,
                                  .state = mem_new(1, likelihood_gaussian.state_size, NULL),
                                  .param = param,
                                  .outputs = likelihood_outputs(&likelihood_gaussian, param)};
    assert_non_null(c->state);
    likelihood_gaussian.init(c->state, param);
}

/* Around the floor, far above it and far below: no sigma is lower; the loss of a pixel that meets its mean stays above
 * that of the floor; and a pixel below the floor that misses its mean still pulls its sigma up. */
static void test_gaussian_per_pixel(void **state)
{
    static const double floors[] = {1e-4, 0.01, 1}, outputs[] = {-1e4, -60, -7, -4.7, -4.6, -3, 0, 2, 60};
    (void)state;
    for (size_t f = 0; f < 3; f++) {
        struct likelihood_case c;
        init_gaussian(&c, (const double[]){VAE_OR_WORD(1), floors[f]});
        assert_int_equal(c.outputs, 2);
        assert_int_equal(learned_numbers(c.ops, c.param), 0);
        for (size_t i = 0; i < sizeof outputs / sizeof *outputs; i++)
            for (double error = 0; error < 2; error += 0.5) {
                real out[2] = {R(0.5), R(outputs[i])}, grad[2];
                const real x = R(0.5 + error);
                const double got = c.ops->nll(c.state, 1, out, &x, 1, grad, NULL), sigma = sigma_of(&c, outputs[i]);
                assert_near(got, gaussian_pixel(0.5, 0.5 + error, sigma), 1e-8, "error %g at output %g", error,
                            outputs[i]);
                const double d = outputs[i] - log(floors[f]), u = error / sigma;
                assert_near((double)grad[1], (1 - u * u) * (1 + d / sqrt(d * d + 4)) / 2, 1e-6,
                            "slope at error %g, output %g", error, outputs[i]);
                if (error == 0) assert_true(got > log(floors[f]) + half_log_2pi - 1e-12);
                if (error > 1.2 * sigma) assert_true(grad[1] < 0);
            }
        free(c.state);
    }
}

/* The learned number's bound and rate, and where pixels start: at their deviations, away from the floor. */
static void test_gaussian_tensors_and_starts(void **state)
{
    const real mean[] = {0, R(0.25), R(0.5)}, deviation[] = {0, R(0.1), R(0.011)};
    struct block *block = mem_new(1, sizeof *block, NULL);
    struct likelihood_case c;
    real out[6], x[3];
    (void)state;
    assert_non_null(block);
    const struct tensor *t = likelihood_gaussian.declare((const double[]){VAE_OR_WORD(0), 0.03}, block);
    assert_string_equal(t->name, "likelihood.logsigma");
    assert_int_equal(t->count, 1);
    assert_true(t->rate == 10 && t->lowest == log(0.03) && t->start == START_VALUE && t->spread == 0);
    assert_null(likelihood_gaussian.declare((const double[]){0.001, 0.03}, block));
    assert_int_equal(block->tensors, 1);
    free(block);
    init_gaussian(&c, (const double[]){VAE_OR_WORD(1), 0.01});
    c.ops->output_for(c.state, 3, mean, deviation, out);
    assert_memory_equal(out, mean, sizeof mean);
    assert_near(sigma_of(&c, (double)out[4]), 0.1, 1e-12, "the deviation");
    for (size_t i = 3; i < 6; i += 2) assert_near(sigma_of(&c, (double)out[i]), 0.01 * exp(1), 1e-12, "the floor's");
    c.ops->mean(c.state, 3, out, x);
    assert_memory_equal(x, mean, sizeof mean);
    free(c.state);
}

/* exp(-nll) of one pixel is a probability over the pixels that the likelihood takes: {0, 1}, or an interval, of which
 * an infinite one is cut where a Gaussian ends. */
static void sums_to_one(const struct likelihood_case *c)
{
    const bool finite = isfinite(c->ops->lowest) && isfinite(c->ops->highest);
    if (c->ops->discrete) {
        const real out = R(-1.3), black = 0, white = 1;
        assert_true(c->ops->lowest == 0 && c->ops->highest == 1);
        assert_near(exp(-value(c, 1, &out, &black)) + exp(-value(c, 1, &out, &white)), 1, 1e-14, "%s", c->label);
    } else if (finite) {
        assert_near(integrate(density_of_a_pixel, c, c->ops->lowest, c->ops->highest, 10), 1, 1e-10, /* the series' */
                    "%s", c->label);
    } else {
        const double reach = 12 * sigma_of(c, -1.7);
        assert_near(integrate(density_of_a_pixel, c, 0.3 - reach, 0.3 + reach, 100), 1, 1e-12, "%s", c->label);
    }
}

static void test_sums_to_one(void **state)
{
    (void)state;
    for_each_likelihood(sums_to_one);
}

static void test_mean(void **state)
{
    real out[17], mean[17];
    (void)state;
    for (size_t i = 0; i < 17; i++) out[i] = R(test_uniform(i, -8, 8));
    likelihood_bernoulli.mean(NULL, 17, out, mean);
    for (size_t i = 0; i < 17; i++) assert_near((double)mean[i], 1 / (1 + exp(-(double)out[i])), 1e-14, "theta %zu", i);
    likelihood_gaussian.mean(NULL, 17, out, mean);
    assert_memory_equal(mean, out, sizeof out);
}

/* The output of a mean image: logits that stay finite where a pixel is always black or always white. */
static void test_output_for(void **state)
{
    const real mean[] = {0, R(0.0009), R(0.0011), R(0.5), R(0.75), R(0.9989), R(0.9991), 1};
    const double logit[] = {-6.9067547786485, -6.9067547786485, -6.8113444937338, 0,
                            1.0986122886681,  6.8113444937338,  6.9067547786485,  6.9067547786485};
    real out[8];
    (void)state;
    likelihood_bernoulli.output_for(NULL, 8, mean, NULL, out);
    for (size_t i = 0; i < 8; i++) assert_near((double)out[i], logit[i], 1e-8, "logit of %g", (double)mean[i]);
    struct likelihood_case gaussian;
    init_gaussian(&gaussian, (const double[]){0.5, 0.01});
    likelihood_gaussian.output_for(gaussian.state, 8, mean, NULL, out);
    assert_memory_equal(out, mean, sizeof out);
    free(gaussian.state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formula),
        cmocka_unit_test(test_sum),
        cmocka_unit_test(test_gradient),
        cmocka_unit_test(test_in_place),
        cmocka_unit_test(test_bernoulli_at_large_logits),
        cmocka_unit_test(test_bernoulli_floor_of_grey),
        cmocka_unit_test(test_cbernoulli),
        cmocka_unit_test(test_cbernoulli_output_for),
        cmocka_unit_test(test_gaussian_per_pixel),
        cmocka_unit_test(test_gaussian_tensors_and_starts),
        cmocka_unit_test(test_sums_to_one),
        cmocka_unit_test(test_mean),
        cmocka_unit_test(test_output_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
