/* SPDX-License-Identifier: MIT
 *
 * Means with their intervals, against published quantiles of Student's t.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

/* n values with mean 7 whose standard deviation is sqrt(n): half of the interval is then the quantile itself. */
static double half_of_interval(size_t n, double confidence)
{
    double values[128];
    vae_mean mean;
    const double apart = sqrt((double)n * (double)(n - 1) / (double)(n - n % 2));
    for (size_t i = 0; i < n; i++) values[i] = 7 + (i + 1 == n && n % 2 ? 0 : i % 2 ? apart : -apart);
    vae_mean_of(&mean, n, values, confidence);
    assert_int_equal(mean.n, n);
    assert_near(mean.mean, 7, 1e-13, "mean of %zu", n);
    assert_near(mean.sd, sqrt((double)n), 1e-13, "deviation of %zu", n);
    assert_near((mean.low + mean.high) / 2, 7, 1e-12, "middle of %zu", n);
    return (mean.high - mean.low) / 2;
}

static void test_intervals_have_the_quantiles_of_student(void **state)
{
    (void)state;
    static const struct {
        size_t degrees;
        double confidence, quantile;
    } known[] = {
        /* by mpmath, to 30 digits */
        {1, 0.95, 12.7062047361747},   {2, 0.95, 4.302652729749464},  {3, 0.95, 3.18244630528371},
        {4, 0.95, 2.776445105197794},  {5, 0.95, 2.570581835636316},  {9, 0.95, 2.262157162798206},
        {10, 0.95, 2.228138851986275}, {30, 0.95, 2.042272456301238}, {100, 0.95, 1.983971518523552},
        {2, 0.99, 9.924843200918293},  {9, 0.99, 3.249835541592126},  {5, 0.9, 2.015048373333024},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_near(half_of_interval(known[i].degrees + 1, known[i].confidence), known[i].quantile, 1e-11,
                    "%zu degrees of freedom, %g", known[i].degrees, known[i].confidence);
}

static void test_one_value_has_no_interval(void **state)
{
    (void)state;
    const double value = 3;
    vae_mean mean;
    vae_mean_of(&mean, 1, &value, 0.95);
    assert_near(mean.mean, 3, 0, "mean");
    assert_true(isnan(mean.sd) && isnan(mean.low) && isnan(mean.high));
    vae_mean_of(&mean, 0, &value, 0.95);
    assert_true(isnan(mean.mean) && isnan(mean.sd) && isnan(mean.low) && isnan(mean.high));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_intervals_have_the_quantiles_of_student),
                                       cmocka_unit_test(test_one_value_has_no_interval)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
