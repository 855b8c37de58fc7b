/* SPDX-License-Identifier: MIT */
#include "net/sparse.h"

#include <string.h>

#include "base/simd.h"

/* Up to 64 floats of a result are summed in registers: eight of AVX2's sixteen. Products and sums are rounded one by
 * one, as everywhere in this library but in vmath.h, so the bits do not depend on the instruction set. */
enum { VECTORS = 8, LANES = 32 / sizeof(real) };
typedef real vector __attribute__((vector_size(32), aligned(sizeof(real)), may_alias));

/* One row of a result: sum_k factor[k] source[index[k], :] over n terms. */
struct terms {
    size_t n;
    const uint32_t *index;
    const real *factor;
};

/* `vectors` * LANES columns of it; the compiler sees a constant and unrolls. */
VAE_INLINE void add_vectors(int vectors, const struct terms *t, const real *source, size_t stride, real *to)
{
    vector sum[VECTORS] = {{0}};
    for (size_t k = 0; k < t->n; k++) {
        const vector *from = (const vector *)(const void *)(source + t->index[k] * stride);
        const real f = t->factor[k];
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) sum[v] += f * from[v];
    }
    vector *out = (vector *)(void *)to;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) out[v] = sum[v];
}

VAE_INLINE void add_one(const struct terms *t, const real *source, size_t stride, real *to)
{
    real sum = 0;
    for (size_t k = 0; k < t->n; k++) sum += t->factor[k] * source[t->index[k] * stride];
    *to = sum;
}

/* A block of columns; blocks are the outer loop, rows the inner one, so that the part of the source that all rows read
 * stays in cache. */
struct block {
    size_t begin, width;
};

/* The next block of columns at .. end-1. A rest that fills no vector is taken together with columns before it (but not
 * before `first`): they get the same sums again. */
VAE_INLINE struct block next_block(size_t first, size_t at, size_t end)
{
    const size_t left = end - at;
    for (size_t vectors = VECTORS; vectors > 0; vectors /= 2)
        if (left >= vectors * LANES) return (struct block){at, vectors * LANES};
    return end - first >= LANES ? (struct block){end - LANES, LANES} : (struct block){at, 1};
}

VAE_INLINE void add_columns(size_t width, const struct terms *t, const real *source, size_t stride, real *to)
{
    switch (width) {
    case 8 * LANES: add_vectors(8, t, source, stride, to); break;
    case 4 * LANES: add_vectors(4, t, source, stride, to); break;
    case 2 * LANES: add_vectors(2, t, source, stride, to); break;
    case LANES: add_vectors(1, t, source, stride, to); break;
    default: add_one(t, source, stride, to); break;
    }
}

/* Are eight values all zero? Strokes leave long runs of them. */
VAE_INLINE bool all_zero(const real *x)
{
    uint64_t word[sizeof(real)], any = 0;
    memcpy(word, x, sizeof word);
    for (size_t i = 0; i < sizeof word / sizeof *word; i++) any |= word[i];
    return any == 0;
}

VAE_SIMD void sparse_list_row(const struct sparse *sparse, size_t row, const real *x)
{
    uint32_t *column = sparse->column + row * sparse->D;
    real *value = sparse->row_value + row * sparse->D;
    uint32_t n = 0;
    for (size_t begin = 0; begin < sparse->D; begin += 8) {
        const size_t end = begin + 8 < sparse->D ? begin + 8 : sparse->D;
        if (end == begin + 8 && all_zero(x + begin)) continue;
        for (size_t i = begin; i < end; i++) { /* without a branch: ink is hard to predict */
            column[n] = (uint32_t)i;
            value[n] = x[i];
            n += x[i] != 0;
        }
    }
    sparse->row_count[row] = n;
}

VAE_SIMD void sparse_forward(const struct sparse *sparse, struct span rows, const real *weight, size_t out,
                             struct span columns, real *y)
{
    const size_t D = sparse->D;
    struct block b;
    for (size_t at = columns.begin; at < columns.end; at = b.begin + b.width) {
        b = next_block(columns.begin, at, columns.end);
        for (size_t r = rows.begin; r < rows.end; r++) {
            const struct terms t = {sparse->row_count[r], sparse->column + r * D, sparse->row_value + r * D};
            add_columns(b.width, &t, weight + b.begin, out, y + r * out + b.begin);
        }
    }
}

/* The first of n ascending columns that is not below `least`. */
static size_t first_from(const uint32_t *column, size_t n, size_t least)
{
    size_t low = 0, high = n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (column[middle] < least)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* From the lists of the rows those of the columns in `inputs`: the rows where a column is not zero, and its values
 * there. */
static void list_columns(const struct sparse *sparse, size_t rows, struct span inputs)
{
    for (size_t i = inputs.begin; i < inputs.end; i++) sparse->column_count[i] = 0;
    for (size_t r = 0; r < rows; r++) {
        const uint32_t *column = sparse->column + r * sparse->D;
        const real *value = sparse->row_value + r * sparse->D;
        const size_t n = sparse->row_count[r];
        for (size_t k = first_from(column, n, inputs.begin); k < n && column[k] < inputs.end; k++) {
            const size_t at = column[k] * sparse->capacity + sparse->column_count[column[k]]++;
            sparse->row[at] = (uint32_t)r;
            sparse->column_value[at] = value[k];
        }
    }
}

VAE_SIMD void sparse_gradient(const struct sparse *sparse, size_t rows, const real *dy, size_t out, struct span inputs,
                              real *dw)
{
    const size_t room = sparse->capacity;
    list_columns(sparse, rows, inputs);
    struct block b;
    for (size_t at = 0; at < out; at = b.begin + b.width) {
        b = next_block(0, at, out);
        for (size_t i = inputs.begin; i < inputs.end; i++) {
            const struct terms t = {sparse->column_count[i], sparse->row + i * room, sparse->column_value + i * room};
            add_columns(b.width, &t, dy + b.begin, out, dw + (i - inputs.begin) * out + b.begin);
        }
    }
}
