/* SPDX-License-Identifier: MIT
 *
 * A folder of its own for each test that needs files, and reading and writing them whole. */
#ifndef FILES_H
#define FILES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_MOST = 512 };

static char scratch[PATH_MOST / 2]; /* the folder of the test that runs */

/* For cmocka_unit_test_setup_teardown: makes the folder. */
static inline int make_scratch(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    snprintf(scratch, sizeof scratch, "%s/vae-test-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(scratch) ? 0 : -1;
}

/* Removes the folder with all in it: files and empty folders. */
static inline int remove_scratch(void **state)
{
    (void)state;
    DIR *entries = opendir(scratch);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char path[PATH_MOST];
        snprintf(path, sizeof path, "%s/%s", scratch, entry->d_name);
        remove(path); /* of . and .. it fails */
    }
    if (entries) closedir(entries);
    return rmdir(scratch);
}

/* Names of files and folders in the scratch folder, leftovers included. */
static inline size_t scratch_entries(void)
{
    DIR *entries = opendir(scratch);
    size_t n = 0;
    assert_non_null(entries);
    while (readdir(entries)) n++;
    closedir(entries);
    return n - 2; /* without . and .. */
}

/* SCRATCH/NAME, in `path`, which is returned. */
static inline const char *in_scratch(char path[PATH_MOST], const char *name)
{
    snprintf(path, PATH_MOST, "%s/%s", scratch, name);
    return path;
}

static inline void put_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* The bytes of a file, which the caller frees. */
static inline uint8_t *get_file(const char *path, size_t *size)
{
    struct stat info;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    *size = (size_t)info.st_size;
    uint8_t *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size + 1, file), *size);
    fclose(file);
    return bytes;
}

/* A small generator (xorshift64*) so that random tests are the same everywhere. */
static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 2685821657736338717u;
}

#endif
