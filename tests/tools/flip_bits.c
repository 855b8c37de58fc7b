/* SPDX-License-Identifier: MIT
 *
 * flip_bits MODEL COUNT SEED: copies of a model file in memory, of which each has another bit flipped, or is cut at
 * another length (COUNT of each, drawn with SEED; all there are where COUNT is 0), or has a byte more. Each must be
 * refused as a damaged model. Prints how many were and how many were not, and ends with 1 where one was not. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vae.h"

struct file {
    int fd;
    char path[64];
    unsigned char *bytes;
    size_t size;
    unsigned long refused, accepted;
};

static void fail(const char *what)
{
    perror(what);
    exit(2);
}

static void write_at(const struct file *file, size_t at, const void *bytes, size_t n)
{
    if (pwrite(file->fd, bytes, n, (off_t)at) != (ssize_t)n) fail("pwrite");
}

static void read_into_memory(struct file *file, const char *path)
{
    FILE *from = fopen(path, "rb");
    if (!from || fseek(from, 0, SEEK_END)) fail(path);
    file->size = (size_t)ftell(from);
    file->bytes = malloc(file->size + 1);
    rewind(from);
    if (!file->bytes || fread(file->bytes, 1, file->size, from) != file->size) fail(path);
    fclose(from);
    file->fd = memfd_create("model", 0);
    if (file->fd < 0) fail("memfd_create");
    snprintf(file->path, sizeof file->path, "/proc/self/fd/%d", file->fd);
    write_at(file, 0, file->bytes, file->size);
}

static void expect_refusal(struct file *file, const char *what, size_t at, int bit)
{
    vae_model *model = NULL;
    vae_error err = {.message = ""};
    const vae_status status = vae_model_load(&model, file->path, &err);
    if (status == VAE_E_MODEL && !model && *err.message && !strchr(err.message, '\n')) {
        file->refused++;
        return;
    }
    vae_model_free(&model);
    if (file->accepted++ < 10) printf("# %s %zu.%d: status %d '%s'\n", what, at, bit, (int)status, err.message);
}

static void flip(struct file *file, size_t bit)
{
    const unsigned char flipped = (unsigned char)(file->bytes[bit / 8] ^ 1u << bit % 8);
    write_at(file, bit / 8, &flipped, 1);
    expect_refusal(file, "flipped bit", bit / 8, (int)(bit % 8));
    write_at(file, bit / 8, file->bytes + bit / 8, 1);
}

static void cut(struct file *file, size_t length)
{
    if (ftruncate(file->fd, (off_t)length)) fail("ftruncate");
    expect_refusal(file, "cut to", length, 0);
    write_at(file, 0, file->bytes, file->size);
}

static void damage(struct file *file, size_t count)
{
    write_at(file, file->size, "", 1);
    expect_refusal(file, "longer", file->size + 1, 0);
    if (ftruncate(file->fd, (off_t)file->size)) fail("ftruncate");
    for (size_t i = 0; i < (count ? count : 8 * file->size); i++)
        flip(file, count ? (size_t)random() % (8 * file->size) : i);
    for (size_t i = 0; i < (count ? count : file->size); i++) cut(file, count ? (size_t)random() % file->size : i);
}

/* Without damage the file is a model, or nothing above means anything. */
static void expect_model(const struct file *file)
{
    vae_model *model = NULL;
    vae_error err;
    if (vae_model_load(&model, file->path, &err)) {
        fprintf(stderr, "%s\n", err.message);
        exit(2);
    }
    vae_model_free(&model);
}

int main(int argc, char **argv)
{
    struct file file = {0};
    if (argc != 4) return 2;
    read_into_memory(&file, argv[1]);
    expect_model(&file);
    srandom((unsigned)strtoul(argv[3], NULL, 10));
    damage(&file, strtoul(argv[2], NULL, 10));
    expect_model(&file);
    printf("%lu %lu\n", file.refused, file.accepted);
    free(file.bytes);
    return file.accepted > 0;
}
