/* SPDX-License-Identifier: MIT */
#include <cblas.h>
#include <jansson.h>
#include <png.h>
#include <stdio.h>
#include <zlib.h>

#include "vae.h"

const char *vae_build(char *text, size_t size)
{
    snprintf(text, size, "vaectl %s (%s, core %s, zlib %s, libpng %s, jansson %s)", VAE_VERSION, openblas_get_config(),
             openblas_get_corename(), zlibVersion(), png_get_libpng_ver(NULL), JANSSON_VERSION);
    return text;
}
