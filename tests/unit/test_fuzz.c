/* SPDX-License-Identifier: MIT
 *
 * The files of tests/fuzz/corpus/TARGET go through the functions that are fuzzed: those that fuzzing begins with, and
 * those that once went wrong. Every beginning of theirs goes through them, too.
 *
 * Not under tsan: no thread is started here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>

#include "files.h"
#include "fuzz/targets.h"

typedef void target(const uint8_t *bytes, size_t size);

/* In blocks of their own, so that a checker sees what is read behind their ends. */
static void replay_beginnings(target *run, const uint8_t *bytes, size_t size)
{
    for (size_t length = size > 200 ? size - 200 : 0; length <= size; length++) {
        uint8_t *copy = malloc(length ? length : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, length);
        run(copy, length);
        free(copy);
    }
}

static size_t replay_files(const char *name, target *run)
{
    char folder[PATH_MOST / 2], path[PATH_MOST];
    size_t files = 0, size;
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", name);
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        uint8_t *bytes = get_file(path, &size);
        replay_beginnings(run, bytes, size);
        free(bytes);
        files++;
    }
    if (entries) closedir(entries);
    return files;
}

static void test_replay(void **state)
{
    (void)state;
#define REPLAY(name)                                                                                                   \
    if (replay_files(#name, fuzz_##name) < 2 && fuzz_##name != fuzz_model) fail_msg("%s: no files", #name);
    TARGETS(REPLAY)
}

/* Model files are made here. Besides being cut off they lose, a byte at a time, what their header says. */
static void test_models(void **state)
{
    (void)state;
    size_t size;
    uint8_t *bytes;
    for (size_t i = 0; (bytes = model_seed(i, &size)); i++) {
        replay_beginnings(fuzz_model, bytes, size);
        const size_t header = 8 + (size_t)bytes[0] + 256 * (size_t)bytes[1];
        assert_true(header < size);
        for (size_t at = 0; at < header; at += 4 + i) {
            const uint8_t was = bytes[at];
            bytes[at] = was == '1' ? '2' : '1';
            fuzz_model(bytes, size);
            bytes[at] = was;
        }
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay), cmocka_unit_test(test_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
