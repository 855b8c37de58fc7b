/* SPDX-License-Identifier: MIT */
#include "net/sparse.h"

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

/* How many columns to take at once where so many are left. Blocks of columns are the outer loop, rows the inner one:
 * the block of the source that all rows read stays in cache. */
static inline size_t block_of(size_t left)
{
    return left >= 8 * LANES ? 8 * LANES : left >= 4 * LANES ? 4 * LANES : left >= LANES ? LANES : 1;
}

VAE_INLINE void add_columns(size_t columns, const struct terms *t, const real *source, size_t stride, real *to)
{
    switch (columns) {
    case 8 * LANES: add_vectors(8, t, source, stride, to); break;
    case 4 * LANES: add_vectors(4, t, source, stride, to); break;
    case LANES: add_vectors(1, t, source, stride, to); break;
    default: add_one(t, source, stride, to); break;
    }
}

/* Are n values all zero? Strokes leave long runs of them. */
VAE_INLINE bool all_zero(const real *x, size_t n)
{
    bool none = true;
    for (size_t i = 0; i < n; i++) none &= x[i] == 0;
    return none;
}

VAE_SIMD void sparse_list_row(const struct sparse *sparse, size_t row, const real *x)
{
    uint32_t *column = sparse->column + row * sparse->D;
    real *value = sparse->row_value + row * sparse->D;
    uint32_t n = 0;
    for (size_t begin = 0; begin < sparse->D; begin += 16) {
        const size_t end = begin + 16 < sparse->D ? begin + 16 : sparse->D;
        if (end == begin + 16 && all_zero(x + begin, 16)) continue;
        for (size_t i = begin; i < end; i++) { /* without a branch: ink is hard to predict */
            column[n] = (uint32_t)i;
            value[n] = x[i];
            n += x[i] != 0;
        }
    }
    sparse->row_count[row] = n;
}

VAE_SIMD void sparse_forward(const struct sparse *sparse, size_t rows, const real *weight, size_t out,
                             struct span columns, real *y)
{
    const size_t D = sparse->D;
    for (size_t at = columns.begin, step; at < columns.end; at += step) {
        step = block_of(columns.end - at);
        for (size_t r = 0; r < rows; r++) {
            const struct terms t = {sparse->row_count[r], sparse->column + r * D, sparse->row_value + r * D};
            add_columns(step, &t, weight + at, out, y + r * out + at);
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
    for (size_t at = 0, step; at < out; at += step) {
        step = block_of(out - at);
        for (size_t i = inputs.begin; i < inputs.end; i++) {
            const struct terms t = {sparse->column_count[i], sparse->row + i * room, sparse->column_value + i * room};
            add_columns(step, &t, dy + at, out, dw + (i - inputs.begin) * out + at);
        }
    }
}
