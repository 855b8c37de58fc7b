/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "vae.h"

/* File names and arguments end up in messages: control characters in them must not reach a terminal. */
static void mask_control_characters(char *text)
{
    for (; *text; text++)
        if (iscntrl((unsigned char)*text)) *text = '?';
}

vae_status vae_fail(vae_error *err, vae_status status, const char *format, ...)
{
    if (!err) return status;
    err->status = status;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    mask_control_characters(err->message);
    return status;
}
