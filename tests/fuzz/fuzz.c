/* SPDX-License-Identifier: MIT
 *
 * A fuzzer (libFuzzer) of the target that FUZZ names: `make fuzz` builds one for each and runs it. */
#include "targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (!strcmp(targets[i].name, FUZZ)) targets[i].run(bytes, size);
    return 0;
}
