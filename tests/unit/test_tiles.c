/* SPDX-License-Identifier: MIT
 *
 * How products are cut into tiles, which decides their last bits; and products with sparse inputs in single precision,
 * with numbers so small and whole that every sum is exact. The linker sends dense.c's calls of pool_run and SGEMM
 * through the functions below (-Wl,--wrap, see tests.mk), so that nothing large is computed.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"
#include "net/dense.h"

#include <cblas.h>

/* ---- Tiles ------------------------------------------------------------------------------------------------------ */

static struct {
    size_t tiles;
    bool run;                 /* are tiles to be run at all? */
    size_t products, by_rows; /* tiles of all columns, not of all rows */
    int m, n;                 /* of the first product */
    int rows, columns;        /* of the whole result */
    double cells;             /* of all of them */
} seen;

void __wrap_pool_run(struct pool *pool, const char *phase, size_t n, pool_task *run, void *context);

void __wrap_pool_run(struct pool *pool, const char *phase, size_t n, pool_task *run, void *context)
{
    (void)pool, (void)phase;
    seen.tiles = n;
    for (size_t i = 0; i < n && seen.run; i++) run(context, i);
}

#define SGEMM_ARGUMENTS                                                                                                \
    enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE transpose_a, enum CBLAS_TRANSPOSE transpose_b, blasint m, blasint n,  \
        blasint k, float alpha, const float *a, blasint lda, const float *b, blasint ldb, float beta, float *c,        \
        blasint ldc
void __wrap_cblas_sgemm(SGEMM_ARGUMENTS);

void __wrap_cblas_sgemm(SGEMM_ARGUMENTS)
{
    (void)order, (void)transpose_a, (void)transpose_b, (void)k, (void)alpha, (void)a, (void)lda, (void)b, (void)ldb;
    (void)beta, (void)c, (void)ldc;
    if (seen.products++ == 0) seen.m = m, seen.n = n;
    seen.by_rows += m < seen.rows && n == seen.columns;
    seen.cells += (double)m * n;
}

static struct dense layer_of(size_t in, size_t out)
{
    return (struct dense){.in = in, .out = out, .activation = &activation_identity, .bias = in * out};
}

/* rows x out, of depth in. Bounds are in operations, which are 2 rows in out: 5e5 for two tiles, 4e7 for four, and
 * from 2e8 on one for each 5e7, at most 64, and never less than 16 columns or rows each. */
static void test_number_of_tiles(void **state)
{
    static const struct {
        size_t rows, in, out, tiles;
    } known[] = {
        {1, 1, 1, 1},           {63, 64, 62, 1}, /* 499,968 */
        {50, 100, 50, 2},                        /* 5e5 */
        {5000, 10, 50, 2},      {40000, 1, 16, 1},  {40000, 1, 17, 2},
        {199, 500, 200, 2},     {200, 500, 200, 4},                         /* 4e7 */
        {40, 12500, 48, 3},                                                 /* no more than there are vectors */
        {400, 475, 500, 4},                                                 /* 1.9e8 */
        {400, 500, 500, 4},     {500, 500, 500, 5},                         /* 2.5e8 */
        {500, 500, 599, 5},     {500, 500, 600, 6}, {1000, 1600, 1000, 63}, /* 3.2e9, but 63 vectors */
        {1100, 1500, 1100, 64},                                             /* 3.63e9: 72 of them */
        {1009, 1600, 1009, 64},
    };
    (void)state;
    seen.run = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct dense layer = layer_of(known[i].in, known[i].out);
        dense_forward(NULL, &layer, NULL, known[i].rows, (struct input){0}, (struct output){0});
        if (seen.tiles != known[i].tiles)
            fail_msg("%zu x %zu x %zu: %zu tiles (expected %zu)", known[i].rows, known[i].in, known[i].out, seen.tiles,
                     known[i].tiles);
        /* The same product as a gradient of inputs. */
        const struct dense turned = layer_of(known[i].out, known[i].in);
        dense_backward(NULL, &turned, NULL, known[i].rows, NULL, &activation_identity, (struct output){0}, NULL);
        assert_int_equal(seen.tiles, known[i].tiles);
    }
}

/* Gradients of weights, in x out of depth rows: two tiles from 5e5, four from 4e7, and from 4e8 on one for each 1e8. */
static void test_tiles_of_gradients(void **state)
{
    static const struct {
        size_t rows, in, out, tiles;
    } known[] = {{64, 63, 62, 1},     {100, 50, 50, 2},    {500, 200, 199, 2},  {500, 200, 200, 4},
                 {500, 599, 600, 4},  {500, 784, 600, 4},  {500, 1000, 500, 5}, {500, 1000, 600, 6},
                 {500, 1000, 599, 5}, {1000, 10, 2000, 1}, {1000, 17, 2000, 2}, {3000, 1100, 1100, 64}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct dense layer = layer_of(known[i].in, known[i].out);
        const size_t tiles = dense_gradient_tiles(&layer, known[i].rows);
        if (tiles != known[i].tiles)
            fail_msg("%zu x %zu x %zu: %zu tiles (expected %zu)", known[i].rows, known[i].in, known[i].out, tiles,
                     known[i].tiles);
    }
}

/* Large results with more rows than columns are cut by rows, all others by columns. */
static void test_direction_of_cuts(void **state)
{
    static const struct {
        size_t rows, in, out, tiles;
        bool by_rows;
        int m, n; /* of the first tile */
    } known[] = {{300, 500, 200, 4, true, 64, 200},  {200, 500, 300, 4, false, 200, 64},
                 {300, 250, 300, 4, false, 300, 64}, {301, 250, 300, 4, true, 64, 300},
                 {250, 500, 160, 4, false, 250, 32}, /* 4e7 and no more */
                 {251, 500, 160, 4, true, 64, 160},  {1000, 10, 32, 2, false, 1000, 16}};
    static real block[600 * 600], zero[600 * 600];
    (void)state;
    seen.run = true;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        for (int backward = 0; backward < 2; backward++) {
            struct dense layer = layer_of(known[i].in, known[i].out), turned = layer_of(known[i].out, known[i].in);
            layer.bias = turned.bias = 0;
            seen.products = seen.by_rows = 0;
            seen.cells = 0;
            seen.rows = (int)known[i].rows, seen.columns = (int)known[i].out;
            if (backward)
                dense_backward(NULL, &turned, zero, known[i].rows, zero, &activation_identity,
                               (struct output){block, block}, block);
            else
                dense_forward(NULL, &layer, zero, known[i].rows, (struct input){.x = zero},
                              (struct output){block, block});
            assert_int_equal(seen.products, known[i].tiles);
            assert_int_equal(seen.by_rows, known[i].by_rows ? known[i].tiles : 0);
            assert_int_equal(seen.m, known[i].m);
            assert_int_equal(seen.n, known[i].n);
            assert_near(seen.cells, (double)known[i].rows * (double)known[i].out, 0, "cells of case %zu", i);
        }
}

/* Where a hundred columns, seven vectors, are cut. */
static void test_spans_of_tiles(void **state)
{
    static const size_t known[][8] = {{0, 100},
                                      {0, 48, 100},
                                      {0, 32, 64, 100},
                                      {0, 16, 48, 80, 100},
                                      {0, 16, 32, 64, 80, 100},
                                      {0, 16, 32, 48, 64, 80, 100},
                                      {0, 16, 32, 48, 64, 80, 96, 100}};
    const struct dense layer = layer_of(100, 33);
    (void)state;
    for (size_t tiles = 1; tiles <= 7; tiles++)
        for (size_t t = 0; t < tiles; t++) {
            const struct span s = tile_span(100, tiles, t), w = dense_weight_span(&layer, tiles, t);
            assert_true(s.begin == known[tiles - 1][t] && s.end == known[tiles - 1][t + 1]);
            assert_true(w.begin == s.begin && w.end == s.end);
        }
    static const size_t whole[] = {0, 16, 48, 64, 96}; /* six vectors and no rest */
    for (size_t t = 0; t < 4; t++)
        assert_true(tile_span(96, 4, t).begin == whole[t] && tile_span(96, 4, t).end == whole[t + 1]);
    const struct span last = tile_span(5, 4, 3), none = tile_span(5, 4, 0); /* more tiles than vectors */
    assert_true(last.begin == 0 && last.end == 5 && none.begin == 0 && none.end == 0);
    const struct span bias = dense_bias_span(&layer, 2, 1);
    assert_true(bias.begin == 16 && bias.end == 33);
}

/* ---- Lists of nonzeros ------------------------------------------------------------------------------------------ */

enum { ROWS = 5, MOST_D = 40, MOST_OUT = 150 };

struct lists {
    uint32_t row_count[ROWS], column[ROWS * MOST_D], column_count[MOST_D], row[MOST_D * ROWS];
    real row_value[ROWS * MOST_D], column_value[MOST_D * ROWS];
};

static struct sparse sparse_over(struct lists *l, size_t D)
{
    return (struct sparse){.D = D,
                           .capacity = ROWS,
                           .row_count = l->row_count,
                           .column = l->column,
                           .row_value = l->row_value,
                           .column_count = l->column_count,
                           .row = l->row,
                           .column_value = l->column_value};
}

/* What is not zero, in runs of eight that are all zero, in part, or not full, as at the end of 21 columns. Minus zero
 * is zero; what is not a number is not. */
static void test_lists_of_rows(void **state)
{
    static struct lists lists;
    static const struct {
        size_t at[9]; /* 99 ends it */
    } known[] = {{{99}}, {{0, 99}}, {{7, 8, 99}}, {{15, 16, 20, 99}}, {{0, 1, 2, 3, 17, 18, 99}}};
    const struct sparse sparse = sparse_over(&lists, 21);
    (void)state;
    for (size_t r = 0; r < ROWS; r++) {
        real x[21] = {0};
        size_t n = 0;
        x[5] = R(-0.0);
        for (; known[r].at[n] != 99; n++) x[known[r].at[n]] = R(-1.5) + R(known[r].at[n]);
        sparse_list_row(&sparse, r, x);
        assert_int_equal(lists.row_count[r], n);
        for (size_t k = 0; k < n; k++) {
            assert_int_equal(lists.column[r * 21 + k], known[r].at[k]);
            assert_true(lists.row_value[r * 21 + k] == x[known[r].at[k]]);
        }
    }
    real x[21] = {0};
    x[3] = R(1e-45), x[12] = R(NAN);
    sparse_list_row(&sparse, 2, x);
    assert_int_equal(lists.row_count[2], 2);
    assert_int_equal(lists.column[2 * 21], 3);
    assert_int_equal(lists.column[2 * 21 + 1], 12);
}

/* Whole numbers from -8 to 8, most of them zero where `thin`. */
static void small_numbers(real *x, size_t n, uint64_t from, bool thin)
{
    for (size_t i = 0; i < n; i++) {
        const double u = floor(test_uniform(from + i, -8, 9));
        x[i] = thin && test_uniform(from + 100000 + i, 0, 1) < 0.7 ? 0 : R(u);
    }
}

/* Lists have room for more than is in them; what lies there must not count. */
static void put_rubbish(struct lists *l)
{
    for (size_t i = 0; i < MOST_D; i++) l->column_count[i] = 1;
    for (size_t i = 0; i < ROWS * MOST_D; i++) {
        l->row[i] = l->column[i] = 0;
        l->row_value[i] = l->column_value[i] = 99;
    }
}

/* Products of columns begin .. end-1 alone; the others keep what was there, and so do the lists of other inputs. */
static void check_products(size_t D, size_t out, struct span columns, struct span inputs)
{
    static struct lists lists;
    static real x[ROWS * MOST_D], w[MOST_D * MOST_OUT], dy[ROWS * MOST_OUT], y[ROWS * MOST_OUT], dw[MOST_D * MOST_OUT];
    const struct sparse sparse = sparse_over(&lists, D);
    put_rubbish(&lists);
    small_numbers(x, ROWS * D, D, true);
    small_numbers(w, D * out, 1000, false);
    small_numbers(dy, ROWS * out, 9000, false);
    for (size_t r = 0; r < ROWS; r++) sparse_list_row(&sparse, r, x + r * D);
    for (size_t i = 0; i < ROWS * out; i++) y[i] = R(0.5);
    for (size_t i = 0; i < MOST_D * MOST_OUT; i++) dw[i] = R(0.5);
    sparse_forward(&sparse, (struct span){1, 4}, w, out, columns, y);
    sparse_gradient(&sparse, ROWS, dy, out, inputs, dw);
    for (size_t r = 0; r < ROWS; r++)
        for (size_t o = 0; o < out; o++) {
            double sum = 0;
            for (size_t i = 0; i < D; i++) sum += (double)(x[r * D + i] * w[i * out + o]);
            const bool written = r >= 1 && r < 4 && o >= columns.begin && o < columns.end;
            if ((double)y[r * out + o] != (written ? sum : 0.5)) fail_msg("y[%zu][%zu] of %zu x %zu", r, o, D, out);
        }
    for (size_t i = 0; i < MOST_D; i++)
        if (i < inputs.begin || i >= inputs.end)
            assert_true(lists.column_count[i] == 1 && lists.column_value[i * ROWS] == 99);
    for (size_t i = 0; i < MOST_D * MOST_OUT; i++) {
        double sum = 0;
        const size_t input = inputs.begin + i / out;
        for (size_t r = 0; r < ROWS && input < D; r++) sum += (double)(x[r * D + input] * dy[r * out + i % out]);
        if ((double)dw[i] != (input < inputs.end ? sum : 0.5)) fail_msg("dw[%zu] of %zu x %zu", i, D, out);
    }
}

/* Widths that are 64 columns, less and more of them, and rests of all sizes. */
static void test_sparse_products(void **state)
{
    (void)state;
    for (size_t out = 1; out <= MOST_OUT; out = out < 20 ? out + 1 : out + 13)
        check_products(MOST_D, out, (struct span){0, out}, (struct span){0, MOST_D});
    check_products(21, 150, (struct span){16, 150}, (struct span){16, 21});
    check_products(21, 150, (struct span){80, 96}, (struct span){0, 16});
    check_products(21, 150, (struct span){144, 150}, (struct span){5, 6});
    check_products(40, 137, (struct span){0, 0}, (struct span){7, 7});
    check_products(1, 3, (struct span){1, 2}, (struct span){0, 1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number_of_tiles),   cmocka_unit_test(test_tiles_of_gradients),
        cmocka_unit_test(test_direction_of_cuts), cmocka_unit_test(test_spans_of_tiles),
        cmocka_unit_test(test_lists_of_rows),     cmocka_unit_test(test_sparse_products),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
