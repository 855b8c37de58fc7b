/* SPDX-License-Identifier: MIT
 *
 * A fuzzer (libFuzzer) of the target that FUZZ names: `make fuzz` builds one for each and runs it. */
#include "fuzz/targets.h"

/* Only the fuzzer of model files has it: this reference takes no member of an archive. */
#pragma weak model_seed

#define JOIN(a, b)   a##b
#define TARGET(name) JOIN(fuzz_, name)

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
const char *__asan_default_options(void);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    TARGET(FUZZ)(bytes, size);
    return 0;
}

/* Puts the model files to begin with into the folder that FUZZ_SEEDS names, before the folders of the command line are
 * read. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    const char *folder = getenv("FUZZ_SEEDS");
    size_t size;
    (void)argc, (void)argv;
    for (size_t i = 0; folder && model_seed; i++) {
        char path[4096];
        uint8_t *bytes = model_seed(i, &size);
        if (!bytes) break;
        snprintf(path, sizeof path, "%s/seed-%zu", folder, i);
        FILE *file = fopen(path, "wb");
        HOLDS(file && fwrite(bytes, 1, size, file) == size && !fclose(file));
        free(bytes);
    }
    return 0;
}

/* Readers allocate a few blocks that live shortly: freed ones need not wait long, nor tell who made them in detail. */
const char *__asan_default_options(void)
{
    return "quarantine_size_mb=4:thread_local_quarantine_size_kb=256:malloc_context_size=4:max_malloc_fill_size=64";
}
