/* SPDX-License-Identifier: MIT
 *
 * Logistic regression ends at the minimum of its objective: the slope there, computed anew in double precision, is
 * zero, and two classes and one feature have the answer of a search by halves.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

#include "evaluate/logistic.h"

enum { MOST_N = 3000, MOST_F = 12, MOST_C = 7 };

static real x[MOST_N * MOST_F], weight[MOST_F * MOST_C];
static uint8_t label[MOST_N];

/* Draws features and labels; the larger `noise`, the less do features tell. */
static struct logistic make_problem(size_t n, size_t F, size_t C, double noise)
{
    for (size_t i = 0; i < n; i++) {
        size_t best = 0;
        double most = -INFINITY;
        for (size_t j = 0; j < F; j++) x[i * F + j] = R(j + 1 < F ? test_uniform(i * F + j, -2, 2) : 1);
        for (size_t c = 0; c < C; c++) {
            const double score = (double)x[i * F + c % F] * (c < F ? 1 : -1) +
                                 noise * test_uniform(1000000 + i * C + c, -1, 1);
            if (score > most) most = score, best = c;
        }
        label[i] = (uint8_t)best;
    }
    return (struct logistic){n, F, C, x, label};
}

/* |dJ|, from the formula. */
static double slope_at(const struct logistic *f, const real *w)
{
    double slope[MOST_F * MOST_C] = {0}, squares = 0;
    for (size_t i = 0; i < f->n; i++) {
        double score[MOST_C] = {0}, sum = 0;
        for (size_t c = 0; c < f->C; c++) {
            for (size_t j = 0; j < f->F; j++) score[c] += (double)f->x[i * f->F + j] * (double)w[j * f->C + c];
            sum += exp(score[c]);
        }
        for (size_t c = 0; c < f->C; c++)
            for (size_t j = 0; j < f->F; j++)
                slope[j * f->C + c] += (double)f->x[i * f->F + j] * (exp(score[c]) / sum - (f->label[i] == c)) /
                                       (double)f->n;
    }
    for (size_t k = 0; k < f->F * f->C; k++) squares += pow(slope[k] + LOGISTIC_RIDGE * (double)w[k], 2);
    return sqrt(squares);
}

/* From labels that are all but random to those that lines tell apart, where the weights are large. */
static void ends_at_the_minimum(void **state)
{
    static const struct {
        size_t n, F, C;
        double noise;
    } cases[] = {{3000, 6, 4, 3}, {3000, 12, 7, 1}, {700, 5, 3, 100}, {500, 4, 3, 0}, {513, 2, 2, 1}, {3, 12, 7, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct logistic f = make_problem(cases[i].n, cases[i].F, cases[i].C, cases[i].noise);
        double slope;
        assert_int_equal(logistic_fit(&f, weight, &slope, NULL), VAE_OK);
        assert_within(slope, 0, 1e-6, "slope of case %zu, as the function says", i);
        assert_within(slope_at(&f, weight), 0, 3e-6, "slope of case %zu", i);
    }
}

/* A feature that is always zero and one that comes twice, as idle latents may be. */
static void takes_features_that_tell_nothing(void **state)
{
    struct logistic f = make_problem(1000, 5, 3, 1);
    (void)state;
    for (size_t i = 0; i < f.n; i++) {
        x[i * f.F] = 0;
        x[i * f.F + 1] = x[i * f.F + 2];
    }
    assert_int_equal(logistic_fit(&f, weight, NULL, NULL), VAE_OK);
    assert_within(slope_at(&f, weight), 0, 3e-6, "slope");
    for (size_t c = 0; c < f.C; c++) {
        assert_true(weight[c] == 0);
        assert_near((double)weight[f.C + c], (double)weight[2 * f.C + c], 1e-4, "the same weight for both");
    }
}

/* Two classes and one feature, -1 or 1, which tells the class in a share q of the images. Then W = (-w, w), and half
 * the slope of J in w is sigmoid(2w) - q + r w. */
static void known_answer(void **state)
{
    enum { N = 1000, RIGHT = 800 };
    const struct logistic f = {N, 1, 2, x, label};
    double low = 0, high = 10;
    (void)state;
    for (size_t i = 0; i < N; i++) {
        x[i] = i % 2 ? R(1) : R(-1);
        label[i] = (uint8_t)(i < RIGHT ? i % 2 : 1 - i % 2);
    }
    for (int i = 0; i < 60; i++) {
        const double w = 0.5 * (low + high);
        if (1 / (1 + exp(-2 * w)) - (double)RIGHT / N + LOGISTIC_RIDGE * w < 0)
            low = w;
        else
            high = w;
    }
    assert_int_equal(logistic_fit(&f, weight, NULL, NULL), VAE_OK);
    assert_near((double)weight[1], low, 1e-5, "weight of the second class");
    assert_near((double)weight[0], -low, 1e-5, "weight of the first class");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_at_the_minimum),
        cmocka_unit_test(takes_features_that_tell_nothing),
        cmocka_unit_test(known_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
