/* SPDX-License-Identifier: MIT
 *
 * The files of tests/fuzz/corpus/TARGET go through the functions that are fuzzed: those that fuzzing begins with, and
 * those that once went wrong. Every beginning of theirs goes through them, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <dirent.h>

#include "files.h"
#include "fuzz/targets.h"

static size_t replay(const struct target *target)
{
    char folder[PATH_MOST / 2], path[PATH_MOST];
    size_t files = 0, size;
    snprintf(folder, sizeof folder, "tests/fuzz/corpus/%s", target->name);
    DIR *entries = opendir(folder);
    assert_non_null(entries);
    for (struct dirent *entry; (entry = readdir(entries));) {
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        uint8_t *bytes = get_file(path, &size);
        for (size_t length = size > 200 ? size - 200 : 0; length <= size; length++) target->run(bytes, length);
        free(bytes);
        files++;
    }
    closedir(entries);
    return files;
}

static void test_replay(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (replay(&targets[i]) < 2) fail_msg("%s: no files", targets[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_replay)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
