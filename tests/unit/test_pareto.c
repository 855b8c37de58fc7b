/* SPDX-License-Identifier: MIT
 *
 * k-hat: the shape of known distributions, the largest of many values, and weights that have no tail. */
#include "check.h"

#include "evaluate/pareto.h"
#include "evaluate/weights.h"

/* Quantiles of the generalised Pareto distribution with scale 1: the shape comes out, but for the pull towards 1/2. */
static void shapes_are_found(void **state)
{
    enum { N = 2000 };
    static double x[N];
    (void)state;
    for (double k = -0.75; k < 1.6; k += 0.25) {
        for (size_t i = 0; i < N; i++) {
            const double upper = 1 - ((double)i + 0.5) / N;
            x[i] = k == 0 ? -log(upper) : (pow(upper, -k) - 1) / k;
        }
        assert_near(pareto_shape(N, x), (N * k + 5) / (N + 10), 0.015, "shape %g", k);
        for (size_t i = 0; i < N; i++) x[i] *= 1e-200;
        assert_near(pareto_shape(N, x), (N * k + 5) / (N + 10), 0.015, "shape %g at another scale", k);
    }
}

static struct tail *tail_of(size_t samples, double spread)
{
    static double at[1 << 12];
    static struct tail tail;
    tail = (struct tail){.most = tail_size(samples), .at = at};
    for (size_t i = 0; i < samples; i++) tail_add(&tail, spread * test_uniform(i, 0, 1));
    return &tail;
}

static void the_tail_has_the_largest(void **state)
{
    (void)state;
    assert_int_equal(tail_size(20), 0);
    assert_int_equal(tail_size(21), 6);
    assert_int_equal(tail_size(100), 21);
    assert_int_equal(tail_size(10000), 301);
    struct tail *tail = tail_of(10000, 1);
    size_t larger = 0;
    for (size_t i = 0; i < 10000; i++) larger += test_uniform(i, 0, 1) > tail->at[0];
    assert_int_equal(tail->n, 301);
    assert_int_equal(larger, 300);
    for (size_t i = 1; i < tail->n; i++) assert_true(tail->at[i] > tail->at[0]);
}

/* exp of uniform numbers on (0, spread): bounded, and log-uniform. */
static void bounded_weights_have_a_low_khat(void **state)
{
    (void)state;
    assert_within(tail_khat(tail_of(10000, 1)), -2, 0, "k-hat of weights within a factor of three");
    assert_within(tail_khat(tail_of(10000, 500)), 0.7, 30, "k-hat of weights over hundreds of decades");
    assert_within(tail_khat(tail_of(10000, 1e6)), 0.7, 1e3, "k-hat of weights of which one is all");
}

/* A draw that cannot have made the image counts as one of weight zero, wherever it comes. */
static void weights_may_be_zero(void **state)
{
    static const double log_weight[] = {-INFINITY, 1.0986122886681098, -INFINITY, 0};
    struct weights w = {.most = -INFINITY};
    struct weight_totals totals = {0};
    (void)state;
    for (size_t i = 0; i < 4; i++) weights_add(&w, log_weight[i]);
    assert_near(weight_totals_add(&totals, &w, 4), 0, 1e-12, "-log of the mean of 0, 3, 0 and 1");
}

static void there_may_be_no_khat(void **state)
{
    (void)state;
    assert_true(isnan(tail_khat(tail_of(20, 1))));
    assert_true(isnan(tail_khat(tail_of(1000, 0))));
    struct tail *unfilled = tail_of(1000, 1);
    unfilled->n--;
    assert_true(isnan(tail_khat(unfilled)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(shapes_are_found), cmocka_unit_test(the_tail_has_the_largest),
                                       cmocka_unit_test(bounded_weights_have_a_low_khat),
                                       cmocka_unit_test(weights_may_be_zero), cmocka_unit_test(there_may_be_no_khat)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
