/* SPDX-License-Identifier: MIT
 *
 * Smaller images by area means: pixel (i,j) of N x N is the mean of the images's part from row i R/N to (i+1) R/N and
 * from column j C/N to (j+1) C/N, in which pixels at the edge count by the share of them that is in it. Counted in
 * N-ths of a pixel all shares are whole numbers, so the result, rounded to the nearest byte, is exact. */
#include "data/resize.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* How much of part i of `size`, which has been cut into N, is in pixel k; in N-ths of a pixel. */
static size_t share(size_t i, size_t k, size_t size, size_t N)
{
    const size_t from = i * size > k * N ? i * size : k * N;
    const size_t to = (i + 1) * size < (k + 1) * N ? (i + 1) * size : (k + 1) * N;
    return to - from;
}

static uint8_t mean_of_area(const uint8_t *image, size_t rows, size_t cols, size_t i, size_t j, size_t N)
{
    const size_t area = rows * cols; /* in squares of an N-th by an N-th */
    uint64_t sum = area / 2;
    for (size_t r = i * rows / N; r * N < (i + 1) * rows; r++)
        for (size_t c = j * cols / N; c * N < (j + 1) * cols; c++)
            sum += (uint64_t)share(i, r, rows, N) * share(j, c, cols, N) * image[r * cols + c];
    return (uint8_t)(sum / area);
}

static vae_status check(const vae_images *images, size_t N, const char *path, vae_error *err)
{
    if (!images->pixels) return vae_fail(err, VAE_E_USAGE, "%s: size is for pictures of bytes", path);
    if (N <= images->rows && N <= images->cols) return VAE_OK;
    return vae_fail(err, VAE_E_USAGE, "%s: size %zu, but the images are %zu x %zu (expected less)", path, N,
                    images->rows, images->cols);
}

vae_status images_resize(vae_images *images, size_t N, const char *path, vae_error *err)
{
    const size_t D = images->rows * images->cols;
    vae_status status = check(images, N, path, err);
    if (status) return status;
    uint8_t *pixels = mem_new(images->n, N * N, err);
    if (!pixels) return VAE_E_MEMORY;
    for (size_t k = 0; k < images->n * N * N; k++)
        pixels[k] = mean_of_area(images->pixels + k / (N * N) * D, images->rows, images->cols, k / N % N, k % N, N);
    free(images->pixels);
    images->pixels = pixels;
    images->rows = images->cols = N;
    return VAE_OK;
}
