/* SPDX-License-Identifier: MIT
 *
 * Parts of figures against literal tables: ticks and their texts, places on an axis, lines that a text is broken into,
 * what is left of hostile texts.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"
#include "picture/buffer.h"
#include "picture/text.h"
#include "picture/ticks.h"

/* "0 0.5 1": the texts of the ticks. */
static void ticks_are(bool log, double low, double high, size_t about, const char *want)
{
    struct store store = {0};
    const struct range range = {log, low, high};
    const struct ticks ticks = ticks_make(&store, &range, about);
    char got[1024] = "";
    for (size_t i = 0; i < ticks.n; i++) {
        const size_t used = strlen(got);
        snprintf(got + used, sizeof got - used, "%s%s", i ? " " : "", ticks.text[i]);
        assert_near(strtod(ticks.text[i], NULL), ticks.at[i], 1e-12, "%g to %g: tick %zu", low, high, i);
        assert_within(range_place(&range, ticks.at[i]), -1e-9, 1 + 1e-9, "%g to %g: place %zu", low, high, i);
    }
    if (strcmp(got, want)) fail_msg("%g to %g, about %zu: '%s', expected '%s'", low, high, about, got, want);
    assert_int_equal(store_status(&store, NULL), VAE_OK);
    store_free(&store);
}

static void linear_ticks(void **state)
{
    (void)state;
    ticks_are(false, 0, 1, 5, "0.0 0.2 0.4 0.6 0.8 1.0");
    ticks_are(false, 0, 1, 2, "0.0 0.5 1.0");
    ticks_are(false, -1, 1, 4, "-1.0 -0.5 0.0 0.5 1.0");
    ticks_are(false, 0.9, 31.1, 5, "5 10 15 20 25 30");
    ticks_are(false, 103.2, 151.7, 5, "110 120 130 140 150");
    ticks_are(false, -0.0004, 0.0011, 4, "0.0000 0.0005 0.0010");
    ticks_are(false, 0, 999999, 4, "0 200000 400000 600000 800000");
    ticks_are(false, 0, 4e6, 4, "0 1e6 2e6 3e6 4e6");
    ticks_are(false, -2.5e7, 2.5e7, 5, "-2e7 -1e7 0 1e7 2e7");
    ticks_are(false, 9e6, 1.1e7, 4, "9.0e6 9.5e6 1.00e7 1.05e7 1.10e7");
    ticks_are(false, 0, 3e-7, 3, "0 1e-7 2e-7 3e-7");
    ticks_are(false, 1e15, 1e15 + 4, 4,
              "1.000000000000000e15 1.000000000000001e15 1.000000000000002e15 "
              "1.000000000000003e15 1.000000000000004e15");
    ticks_are(false, -1e149, 1e149, 4, "-1.0e149 -5e148 0 5e148 1.0e149");
}

static void logarithmic_ticks(void **state)
{
    (void)state;
    ticks_are(true, 0.9, 1.1e3, 5, "1 10 100 1000");
    ticks_are(true, 1e-3, 1e3, 4, "0.01 1 100");
    ticks_are(true, 1e-6, 1, 4, "1e-6 0.0001 0.01 1");
    ticks_are(true, 1, 1e8, 5, "1 100 10000 1e6 1e8");
    ticks_are(true, 1, 50, 5, "1 2 5 10 20 50");
    ticks_are(true, 0.3, 4, 5, "0.5 1 2");
    ticks_are(true, 100, 130, 4, "100 110 120 130");
    ticks_are(true, 1e-140, 1e140, 4, "1e-140 1e-70 1 1e70 1e140");
}

static void places(void **state)
{
    const struct range linear = {false, -1, 3}, log = {true, 0.1, 1000};
    (void)state;
    assert_near(range_place(&linear, 0), 0.25, 1e-15, "linear");
    assert_near(range_place(&log, 1), 0.25, 1e-12, "logarithmic");
    assert_near(range_value(&linear, 0.25), 0, 1e-15, "back");
    assert_near(range_value(&log, 0.25), 1, 1e-12, "back");
    assert_near(range_place(&linear, 1e30), 20, 0, "far outside");
    assert_near(range_place(&linear, -1e30), -20, 0, "far outside");
    const double nowhere[] = {NAN, INFINITY, -INFINITY, 1e150, -1e150};
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++)
        assert_true(isnan(range_place(&linear, nowhere[i])) && isnan(range_place(&log, nowhere[i])));
    assert_true(isnan(range_place(&log, 0)) && isnan(range_place(&log, -1)));
}

static void clean_texts(void **state)
{
    static const char *const known[][2] = {
        {"plain", "plain"},
        {"", ""},
        {"a\tb\nc\033[1m\177", "a?b?c?[1m?"},
        {"\303\251\342\202\254\360\237\230\200", "\303\251\342\202\254\360\237\230\200"}, /* of 2, 3 and 4 bytes */
        {"\302\205x", "?x"},                /* a control character of two bytes */
        {"\200\377\300\257", "????"},       /* bytes that begin no character */
        {"\340\200\257", "?"},              /* a longer form than there need be */
        {"\355\240\200", "?"},              /* a surrogate */
        {"\357\277\276\357\277\277", "??"}, /* no characters */
        {"\364\220\200\200", "?"},          /* beyond the last */
        {"cut \342\202", "cut ??"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char got[64];
        memset(got, 'x', sizeof got);
        text_clean(got, known[i][0]);
        assert_string_equal(got, known[i][1]);
    }
}

static void widths(void **state)
{
    (void)state;
    assert_near(text_width("", 10, false), 0, 0, "empty");
    assert_near(text_width("MM", 10, false), 17.26, 1e-12, "wider than dots");
    assert_near(text_width("ii", 10, false), 11, 1e-12, "narrower than dots");
    assert_near(text_width("MM", 10, true), 1.13 * 17.26, 1e-12, "bold");
    assert_near(text_width("\303\251", 10, false), 7, 1e-12, "another letter");
    assert_near(text_width("\346\274\242", 10, false), 10, 1e-12, "a wide one");
}

/* Widths at size 10: m 9.74, space 3.18. */
static void lines(void **state)
{
    static const struct {
        const char *text;
        double width;
        size_t want;
    } known[] = {
        {"mm mm", 100, 5}, {"mm mm", 30, 3}, {"mm mm", 20, 3}, {"mmmm", 30, 3},
        {"mmmm", 1, 1},    {"", 10, 0},      {" m", 5, 1},     {"\346\274\242\346\274\242", 12, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (text_line(known[i].text, 10, false, known[i].width) != known[i].want)
            fail_msg("'%s' in %g: %zu bytes, expected %zu", known[i].text, known[i].width,
                     text_line(known[i].text, 10, false, known[i].width), known[i].want);
}

static void buffer_is(struct buffer *buffer, const char *want)
{
    buffer_add(buffer, "", 1);
    assert_string_equal(buffer->bytes, want);
    free(buffer->bytes);
}

static void numbers_and_base64(void **state)
{
    static const double numbers[] = {0, 1, -1, 0.5, 0.25, 0.05, -0.004, -0.006, 12345.678, 99.999};
    struct buffer text = {0}, coded = {0};
    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        buffer_number(&text, numbers[i]);
        buffer_text(&text, " ");
    }
    buffer_is(&text, "0 1 -1 0.5 0.25 0.05 0 -0.01 12345.68 100 ");
    static const char *const words[] = {"f", "fo", "foo", "foob", "fooba", "foobar"}; /* RFC 4648, section 10 */
    for (size_t i = 0; i < 6; i++) {
        buffer_base64(&coded, words[i], strlen(words[i]));
        buffer_text(&coded, " ");
    }
    buffer_is(&coded, "Zg== Zm8= Zm9v Zm9vYg== Zm9vYmE= Zm9vYmFy ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(linear_ticks),
        cmocka_unit_test(logarithmic_ticks),
        cmocka_unit_test(places),
        cmocka_unit_test(clean_texts),
        cmocka_unit_test(widths),
        cmocka_unit_test(lines),
        cmocka_unit_test(numbers_and_base64),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
