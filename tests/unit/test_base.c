/* SPDX-License-Identifier: MIT
 *
 * What everything else stands on: messages of errors, and memory.
 *
 * Not under tsan: no thread is started here. */
#include "base/error.h"
#include "check.h"

/* ---- Messages --------------------------------------------------------------------------------------------------- */

/* Every byte of it is told by its place. */
static void fill(char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) text[i] = (char)('!' + i * 31 % 90);
    text[length] = '\0';
}

static void test_status_and_message(void **state)
{
    vae_error err = {VAE_OK, "before"};
    (void)state;
    assert_int_equal(vae_fail(&err, VAE_E_MODEL, "%s: %d of %zu", "file", -3, (size_t)7), VAE_E_MODEL);
    assert_int_equal(err.status, VAE_E_MODEL);
    assert_string_equal(err.message, "file: -3 of 7");
    assert_int_equal(vae_fail(NULL, VAE_E_EXISTS, "%s", "nobody listens"), VAE_E_EXISTS);
}

/* A message has room for 511 bytes. A longer text keeps its first 170 and its last 338. */
static void test_long_messages_are_cut_in_the_middle(void **state)
{
    static const size_t lengths[] = {510, 511, 512, 513, 600, 4000, 8191};
    char text[8192];
    (void)state;
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t length = lengths[i];
        vae_error err = {0};
        fill(text, length);
        vae_fail(&err, VAE_E_DATA, "%s", text);
        assert_int_equal(strlen(err.message), length < 511 ? length : 511);
        if (length < 512) {
            assert_string_equal(err.message, text);
            continue;
        }
        assert_memory_equal(err.message, text, 170);
        assert_memory_equal(err.message + 170, "...", 3);
        assert_string_equal(err.message + 173, text + length - 338);
    }
}

/* What is longer than any text that is put together here loses its end. */
static void test_endless_messages(void **state)
{
    static char text[20000];
    vae_error err = {0};
    (void)state;
    fill(text, sizeof text - 1);
    vae_fail(&err, VAE_E_DATA, "%s", text);
    assert_memory_equal(err.message, text, 170);
    assert_int_equal(strlen(err.message), 511);
    text[8191] = '\0';
    assert_string_equal(err.message + 173, text + 8191 - 338);
}

static void test_control_characters(void **state)
{
    static const struct {
        const char *text;
        bool control;
    } known[] = {{"", true},          {"\n", true},        {"\t", true},        {"\x1b[1m", true},  {"\x1f", true},
                 {" ", false},        {"~", false},        {"\x7f", true},      {"\x80", false},    {"\xc2", false},
                 {"\xc2\x7f", false}, {"\xc2\x80", true},  {"\xc2\x8d", true},  {"\xc2\x9f", true}, {"\xc2\xa0", false},
                 {"\xc3\x80", false}, {"\xc3\x9f", false}, {"\xc1\x80", false}, {"a\n", false}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (is_control(known[i].text) != known[i].control) fail_msg("text %zu of the table", i);
}

static void test_control_characters_are_masked(void **state)
{
    static const char *const known[][2] = {{"", ""},           {"plain \xc3\xa9", "plain \xc3\xa9"},
                                           {"\n", "?"},        {"a\x1b[31m\x7fz", "a?[31m?z"},
                                           {"\xc2\x9b", "??"}, {"\xc2\x9b\xc2\xa9\xc2\x80z", "??\xc2\xa9??z"},
                                           {"\xc2", "\xc2"},   {"\xc2\n", "\xc2?"}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[32];
        vae_error err = {0};
        strcpy(text, known[i][0]);
        mask_controls(text);
        assert_string_equal(text, known[i][1]);
        vae_fail(&err, VAE_E_USAGE, "%s", known[i][0]);
        assert_string_equal(err.message, known[i][1]);
    }
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

static void test_memory_is_zeroed_and_aligned(void **state)
{
    static const size_t sizes[][2] = {{1, 1}, {7, 9}, {64, 1}, {13, 5}, {3, 1000}, {0, 8}, {8, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i][0] * sizes[i][1];
        for (int again = 0; again < 3; again++) { /* memory that was used before is zeroed as well */
            unsigned char *memory = mem_new(sizes[i][0], sizes[i][1], NULL);
            assert_non_null(memory);
            assert_int_equal((uintptr_t)memory % 64, 0);
            for (size_t k = 0; k < n; k++) assert_int_equal(memory[k], 0);
            memset(memory, 0xa5, n);
            free(memory);
        }
    }
}

static void test_memory_that_there_is_not(void **state)
{
    static const struct {
        size_t count, size;
        const char *text;
    } known[] = {{SIZE_MAX, 1, "18.4 EB"},
                 {SIZE_MAX / 2 + 1, 1, "9.2 EB"},
                 {(size_t)1 << 32, (size_t)1 << 32, "18.4 EB"},
                 {SIZE_MAX / 8 + 2, 8, "18.4 EB"},
                 {(size_t)1 << 50, 4, "4.5 PB"},
                 {(size_t)1 << 50, 888, "1.0 EB"}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char wanted[128];
        vae_error err = {0};
        assert_null(mem_new(known[i].count, known[i].size, &err));
        snprintf(wanted, sizeof wanted, "out of memory (%s asked for)", known[i].text);
        assert_int_equal(err.status, VAE_E_MEMORY);
        assert_string_equal(err.message, wanted);
    }
}

/* Parts of a workspace begin at cache lines of 64 bytes, one behind the other; without a base they have a size alone.
 */
static void test_arena(void **state)
{
    static const struct {
        size_t count, size, begin, end;
    } known[] = {{1, 1, 0, 64},     {64, 1, 64, 128},  {65, 1, 128, 256}, {0, 4, 256, 256},
                 {16, 4, 256, 320}, {17, 4, 320, 448}, {3, 100, 448, 768}};
    char block[768];
    struct arena measured = {0}, given = {.base = block};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        assert_null(arena_take(&measured, known[i].count, known[i].size));
        assert_ptr_equal(arena_take(&given, known[i].count, known[i].size), block + known[i].begin);
        assert_int_equal(measured.used, known[i].end);
        assert_int_equal(given.used, known[i].end);
    }
}

/* What is too much once stays so. */
static void test_arena_overflow(void **state)
{
    static const size_t sizes[][2] = {{SIZE_MAX, 2}, {SIZE_MAX / 2 + 1, 1}, {SIZE_MAX / 2 - 63, 1}};
    char block[64];
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct arena arena = {.base = block};
        assert_ptr_equal(arena_take(&arena, 64, 1), block);
        assert_null(arena_take(&arena, sizes[i][0], sizes[i][1]));
        assert_true(arena.used == SIZE_MAX);
        assert_null(arena_take(&arena, 1, 1));
        assert_true(arena.used == SIZE_MAX);
    }
    struct arena half = {0};
    arena_take(&half, SIZE_MAX / 2 - 63, 1); /* by itself it is not */
    assert_true(half.used == SIZE_MAX / 2 - 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status_and_message),
        cmocka_unit_test(test_long_messages_are_cut_in_the_middle),
        cmocka_unit_test(test_endless_messages),
        cmocka_unit_test(test_control_characters),
        cmocka_unit_test(test_control_characters_are_masked),
        cmocka_unit_test(test_memory_is_zeroed_and_aligned),
        cmocka_unit_test(test_memory_that_there_is_not),
        cmocka_unit_test(test_arena),
        cmocka_unit_test(test_arena_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
