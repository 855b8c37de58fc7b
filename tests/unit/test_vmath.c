/* SPDX-License-Identifier: MIT
 *
 * The float kernels against libm in double, over every 1021st float (all of them with VAE_ALL_FLOATS=1, some minutes).
 * Errors are in ulps of the float nearest to the truth: 0.5 is perfect. Bounds are what was measured over all floats,
 * rounded up.
 *
 * Not under tsan: no thread is started here. */
#include "base/simd.h"
#include "check.h"

enum { CHUNK = 4096, STRIDE = 1021 }; /* prime: every exponent and low bit pattern occurs; 2^32 / 1021 > 2^22 */

typedef void kernel_row(const float *x, float *y);
typedef float kernel(float x);
typedef double reference(double x);

/* Each kernel over a row, which the compiler may vectorise, and for one number. */
#define KERNEL(name)                                                                                                   \
    VAE_SIMD static void name##_row(const float *x, float *y)                                                          \
    {                                                                                                                  \
        for (size_t i = 0; i < CHUNK; i++) y[i] = vm_##name(x[i]);                                                     \
    }                                                                                                                  \
    static float name##_one(float x) { return vm_##name(x); }

KERNEL(exp)
KERNEL(log)
KERNEL(log1p_unit)
KERNEL(tanh)
KERNEL(sigmoid)
KERNEL(softplus)

static double sigmoid_reference(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static double softplus_reference(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }

static bool any(float x) { return !isnan(x); }
static bool normal_positive(float x) { return x >= FLT_MIN && x <= FLT_MAX; }
static bool unit(float x) { return x >= 0 && x <= 1; }

static const struct subject {
    const char *name;
    kernel_row *row;
    kernel *one;
    reference *exact;
    bool (*domain)(float x);
    double ulps;
    float inside; /* some number of the domain */
} subjects[] = {
    {"exp", exp_row, exp_one, exp, any, 1.05, 0},
    {"log", log_row, log_one, log, normal_positive, 0.9, 1},
    {"log1p_unit", log1p_unit_row, log1p_unit_one, log1p, unit, 1.25, 0},
    {"tanh", tanh_row, tanh_one, tanh, any, 1.35, 0},
    {"sigmoid", sigmoid_row, sigmoid_one, sigmoid_reference, any, 2.45, 0},
    {"softplus", softplus_row, softplus_one, softplus_reference, any, 2, 0},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

/* Distance in units of the last place of the float nearest to `want`; overflow counts as 2^128. */
static double ulps_off(float got, double want)
{
    int exponent;
    if (isinf(want) || isinf(got)) {
        const double top = 0x1p128, have = isinf(got) ? copysign(top, (double)got) : (double)got;
        const double goal = fabs(want) > top ? copysign(top, want) : want;
        return fabs(have - goal) * 0x1p-104;
    }
    frexp(want, &exponent);
    if (exponent < -125) exponent = -125; /* subnormal */
    return fabs((double)got - fmin(fmax(want, -0x1p128), 0x1p128)) / ldexp(1, exponent - 24);
}

/* Values where kernels change their formula or their result stops being normal. */
static const float special[] = {
    0.0f,        -0.0f,       1.0f,       -1.0f,       0.625f,      -0.625f,  0.62499994f, 88.7228394f,
    88.72284f,   89.0f,       -87.33655f, -103.97208f, -103.97209f, -104.0f,  -150.0f,     0.70710677f,
    0.70710683f, 0.99999994f, 1.0000001f, 1.41421354f, FLT_MIN,     -FLT_MIN, FLT_MAX,     -FLT_MAX,
    FLT_EPSILON, 1e-45f,      -1e-45f,    16.635532f,  9.0109f,     INFINITY, -INFINITY,   2.0f};

/* The next numbers of the sweep that lie in the subject's domain; the rest of the chunk is filled up. */
static size_t fill_chunk(const struct subject *s, uint64_t *bits, uint64_t stride, float *x)
{
    size_t n = 0;
    for (; n < CHUNK && *bits < 1ull << 32; *bits += stride)
        if (s->domain(vm_float((uint32_t)*bits))) x[n++] = vm_float((uint32_t)*bits);
    for (size_t i = n; i < CHUNK; i++) x[i] = s->inside;
    return n;
}

struct worst {
    double ulps;
    float x, got;
};

static void look(const struct subject *s, float x, float got, struct worst *worst)
{
    const double ulps = ulps_off(got, s->exact((double)x));
    if (ulps <= worst->ulps) return; /* and NaN goes on */
    *worst = (struct worst){isnan(ulps) ? (double)INFINITY : ulps, x, got};
}

static uint64_t stride(void)
{
    const char *all = getenv("VAE_ALL_FLOATS");
    return all && !strcmp(all, "1") ? 1 : STRIDE;
}

static void sweep(const struct subject *s)
{
    static float x[CHUNK], y[CHUNK];
    struct worst worst = {0, 0, 0};
    uint64_t bits = 0, seen = 0;
    for (size_t n; (n = fill_chunk(s, &bits, stride(), x)) > 0; seen += n) {
        s->row(x, y);
        for (size_t i = 0; i < n; i++) look(s, x[i], y[i], &worst);
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (s->domain(special[i])) look(s, special[i], s->one(special[i]), &worst);
    print_message("%s: %.3f ulp at %.9g (%llu values)\n", s->name, worst.ulps, (double)worst.x,
                  (unsigned long long)seen);
    assert_within(worst.ulps, 0.4, s->ulps, "ulps of %s at %.9g, result %.9g", s->name, (double)worst.x,
                  (double)worst.got);
}

static void test_accuracy(void **state)
{
    (void)state;
    for (size_t i = 0; i < SUBJECTS; i++) sweep(&subjects[i]);
}

/* One by one and in rows, on whatever instruction set: the same bits. */
static void test_rows_have_the_same_bits(void **state)
{
    static float x[CHUNK], y[CHUNK];
    (void)state;
    for (size_t k = 0; k < SUBJECTS; k++) {
        uint64_t bits = 0;
        for (size_t n; (n = fill_chunk(&subjects[k], &bits, 65521, x)) > 0;) {
            subjects[k].row(x, y);
            for (size_t i = 0; i < n; i++)
                if (vm_bits(y[i]) != vm_bits(subjects[k].one(x[i])))
                    fail_msg("%s(%.9g) is %.9g in a row", subjects[k].name, (double)x[i], (double)y[i]);
        }
    }
}

/* exp never falls, from one sample to the next. */
static void test_exp_is_monotone(void **state)
{
    static float x[CHUNK], y[CHUNK];
    (void)state;
    for (int negative = 0; negative < 2; negative++) {
        uint64_t bits = negative ? 0x80000000u : 0, end = bits + 0x7f800001u;
        for (float last = 1; bits < end;) {
            for (size_t i = 0; i < CHUNK; i++, bits += stride())
                x[i] = vm_float((uint32_t)(bits < end ? bits : end - 1));
            exp_row(x, y);
            for (size_t i = 0; i < CHUNK; last = y[i++])
                if (negative ? y[i] > last : y[i] < last) fail_msg("exp(%.9g) = %.9g", (double)x[i], (double)y[i]);
        }
    }
}

/* The error function is only used where an absolute error counts. */
static void test_erf(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += 9973) {
        const float x = vm_float(bits);
        assert_near((double)vm_erf(x), erf((double)x), 5e-7, "erf(%g)", (double)x);
        assert_true(vm_bits(vm_erf(-x)) == vm_bits(-vm_erf(x)));
    }
    assert_true(vm_erf(INFINITY) == 1 && isnan(vm_erf(NAN)));
}

/* Either tail is the other's complement, and oddness is exact. */
static void test_symmetry(void **state)
{
    (void)state;
    for (uint32_t bits = 0; bits < 0x7f800000u; bits += 99991) {
        const float x = vm_float(bits);
        assert_true(vm_bits(vm_tanh(-x)) == vm_bits(-vm_tanh(x)));
        assert_near((double)vm_sigmoid(-x) + (double)vm_sigmoid(x), 1, 1.3e-7, "sigmoid at %g", (double)x);
    }
}

static void test_limits(void **state)
{
    const float inf = INFINITY;
    (void)state;
    assert_true(vm_exp(-inf) == 0 && vm_exp(inf) == inf && vm_exp(0) == 1 && vm_exp(-0.0f) == 1);
    assert_true(vm_exp(FLT_MAX) == inf && vm_exp(-FLT_MAX) == 0);
    assert_true(vm_log(1) == 0 && vm_log1p_unit(0) == 0 && vm_log1p_unit(1e-45f) == 1e-45f);
    assert_true(vm_tanh(inf) == 1 && vm_tanh(-inf) == -1 && vm_tanh(100) == 1 && vm_tanh(0) == 0);
    assert_true(vm_sigmoid(inf) == 1 && vm_sigmoid(-inf) == 0 && vm_sigmoid(0) == 0.5f);
    assert_true(vm_softplus(inf) == inf && vm_softplus(-inf) == 0 && vm_softplus(100) == 100);
    assert_true(vm_logaddexp(-inf, 3) == 3 && vm_logaddexp(3, -inf) == 3 && vm_logaddexp(-inf, -200) == -200);
}

/* NaN of either sign and any payload. (vm_log by itself is for positive numbers.) */
static void test_nan_stays(void **state)
{
    static const uint32_t nans[] = {0x7fc00000u, 0xffc00000u, 0x7fc12345u, 0xffffffffu, 0x7fffffffu};
    (void)state;
    for (size_t i = 0; i < 5; i++) {
        const float x = vm_float(nans[i]);
        assert_true(isnan(vm_exp(x)) && isnan(vm_tanh(x)) && isnan(vm_sigmoid(x)) && isnan(vm_softplus(x)));
        assert_true(isnan(vm_log1p_unit(x)) && isnan(vm_logaddexp(x, 1)) && isnan(vm_logaddexp(1, x)));
        assert_true(isnan(vm_logaddexp(x, -INFINITY)) && isnan(vm_logaddexp(-INFINITY, x)) &&
                    isnan(vm_logaddexp(x, x)));
    }
}

/* log(e^a + e^b) crosses zero, where no relative error can be promised: the rounding of its larger argument remains. So
 * the error is taken in ulps of the largest of |a|, |b|, 1. */
static void test_logaddexp(void **state)
{
    static const float scales[] = {1, 10, 100, 1e4f};
    double worst = 0;
    (void)state;
    for (uint32_t i = 0; i < 400000; i++) {
        const float limit = scales[i % 4];
        const float a = (float)test_uniform(i, -(double)limit, (double)limit);
        const float b = i % 3 ? a + (float)test_uniform(400000 + i, -5, 5) : (float)test_uniform(800000 + i, -20, 20);
        const double hi = fmax((double)a, (double)b), lo = fmin((double)a, (double)b), want = hi + log1p(exp(lo - hi));
        const float size = (float)fmax(fabs(hi), 1), ulp = nextafterf(size, INFINITY) - size;
        worst = fmax(worst, fabs((double)vm_logaddexp(a, b) - want) / (double)ulp);
        assert_true(vm_logaddexp(a, b) == vm_logaddexp(b, a));
    }
    print_message("logaddexp: %.3f ulp of max(|larger|, 1)\n", worst);
    assert_within(worst, 0.4, 1.5, "ulps of logaddexp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accuracy),        cmocka_unit_test(test_rows_have_the_same_bits),
        cmocka_unit_test(test_exp_is_monotone), cmocka_unit_test(test_erf),
        cmocka_unit_test(test_symmetry),        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_nan_stays),       cmocka_unit_test(test_logaddexp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
