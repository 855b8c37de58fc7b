/* SPDX-License-Identifier: MIT
 *
 * Where tests find the plug-ins of tests/plugins: BUILD/tests/plugins, beside the folder that the test is in. */
#ifndef VAE_TEST_PLUGINS_H
#define VAE_TEST_PLUGINS_H

#include "files.h"

static char program_folder[PATH_MOST / 2]; /* set by main */

static inline void find_program_folder(const char *program)
{
    const char *slash = strrchr(program, '/');
    snprintf(program_folder, sizeof program_folder, "%.*s", slash ? (int)(slash - program) : 1, slash ? program : ".");
}

static inline const char *plugin_path(char path[PATH_MOST], const char *name)
{
    snprintf(path, PATH_MOST, "%s/../plugins/%s.so", program_folder, name);
    return path;
}

#endif
