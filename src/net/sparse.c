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
    bool factor_by_index; /* factor[index[k]] instead */
};

static inline real factor_of(const struct terms *t, size_t k)
{
    return t->factor[t->factor_by_index ? t->index[k] : k];
}

/* `vectors` * LANES columns of it; the compiler sees a constant and unrolls. */
__attribute__((always_inline)) static inline void add_vectors(int vectors, const struct terms *t, const real *source,
                                                              size_t stride, real *to)
{
    vector sum[VECTORS] = {{0}};
    for (size_t k = 0; k < t->n; k++) {
        const vector *from = (const vector *)(const void *)(source + t->index[k] * stride);
        const real f = factor_of(t, k);
#pragma GCC unroll 8
        for (int v = 0; v < vectors; v++) sum[v] += f * from[v];
    }
    vector *out = (vector *)(void *)to;
#pragma GCC unroll 8
    for (int v = 0; v < vectors; v++) out[v] = sum[v];
}

__attribute__((always_inline)) static inline void add_one(const struct terms *t, const real *source, size_t stride,
                                                          real *to)
{
    real sum = 0;
    for (size_t k = 0; k < t->n; k++) sum += factor_of(t, k) * source[t->index[k] * stride];
    *to = sum;
}

/* How many columns to take at once where so many are left. Blocks of columns are the outer loop, rows the inner one:
 * the block of the source that all rows read stays in cache. */
static inline size_t block_of(size_t left)
{
    return left >= 8 * LANES ? 8 * LANES : left >= 4 * LANES ? 4 * LANES : left >= LANES ? LANES : 1;
}

__attribute__((always_inline)) static inline void add_columns(size_t columns, const struct terms *t, const real *source,
                                                              size_t stride, real *to)
{
    switch (columns) {
    case 8 * LANES: add_vectors(8, t, source, stride, to); break;
    case 4 * LANES: add_vectors(4, t, source, stride, to); break;
    case LANES: add_vectors(1, t, source, stride, to); break;
    default: add_one(t, source, stride, to); break;
    }
}

void sparse_list_row(const struct sparse *sparse, size_t row, const real *x)
{
    uint32_t *column = sparse->column + row * sparse->D;
    uint32_t n = 0;
    for (size_t i = 0; i < sparse->D; i++) { /* without a branch: ink is hard to predict */
        column[n] = (uint32_t)i;
        n += x[i] != 0;
    }
    sparse->row_count[row] = n;
}

VAE_SIMD void sparse_forward(const struct sparse *sparse, size_t rows, const real *x, const real *weight, size_t out,
                             struct span columns, real *y)
{
    const size_t D = sparse->D;
    for (size_t at = columns.begin, step; at < columns.end; at += step) {
        step = block_of(columns.end - at);
        for (size_t r = 0; r < rows; r++) {
            const struct terms t = {sparse->row_count[r], sparse->column + r * D, x + r * D, true};
            add_columns(step, &t, weight + at, out, y + r * out + at);
        }
    }
}

/* Lists, for each column in `inputs`, the rows where it is not zero and its values there. */
static void list_columns(const struct sparse *sparse, size_t rows, const real *x, struct span inputs)
{
    for (size_t i = inputs.begin; i < inputs.end; i++) sparse->column_count[i] = 0;
    for (size_t r = 0; r < rows; r++)
        for (size_t i = inputs.begin; i < inputs.end; i++) {
            const real value = x[r * sparse->D + i];
            const size_t at = i * sparse->capacity + sparse->column_count[i];
            sparse->row[at] = (uint32_t)r;
            sparse->value[at] = value;
            sparse->column_count[i] += value != 0;
        }
}

VAE_SIMD void sparse_gradient(const struct sparse *sparse, size_t rows, const real *x, const real *dy, size_t out,
                              struct span inputs, real *dw)
{
    const size_t room = sparse->capacity;
    list_columns(sparse, rows, x, inputs);
    for (size_t at = 0, step; at < out; at += step) {
        step = block_of(out - at);
        for (size_t i = inputs.begin; i < inputs.end; i++) {
            const struct terms t = {sparse->column_count[i], sparse->row + i * room, sparse->value + i * room, false};
            add_columns(step, &t, dy + at, out, dw + (i - inputs.begin) * out + at);
        }
    }
}
