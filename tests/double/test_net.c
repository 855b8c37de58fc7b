/* SPDX-License-Identifier: MIT
 *
 * Activations, dense layers and Adam against the formulas written out, and all gradients against central differences.
 *
 * Not under asan, tsan: the float build has the same code, and tests that use all of it. */
#include "check.h"
#include "net/adam.h"
#include "net/dense.h"

/* ---- Activations ------------------------------------------------------------------------------------------------ */

static double formula(const char *name, double x)
{
    if (!strcmp(name, "relu")) return fmax(x, 0);
    if (!strcmp(name, "tanh")) return (exp(2 * x) - 1) / (exp(2 * x) + 1);
    if (!strcmp(name, "sigmoid")) return 1 / (1 + exp(-x));
    if (!strcmp(name, "softplus")) return log(1 + exp(x));
    if (!strcmp(name, "elu")) return x > 0 ? x : exp(x) - 1;
    return strcmp(name, "identity") ? (double)NAN : x;
}

static double forward_one(const struct activation *f, double x, double bias)
{
    const real b = R(bias);
    real y = R(x);
    f->forward(1, 1, &b, &y, &y);
    return (double)y;
}

static void check_activation(const struct activation *f)
{
    const double h = 1e-5, upstream = -1.3;
    for (double x = -4.05; x < 5; x += 0.1) { /* never at the kink */
        const double y = forward_one(f, x - 0.7, 0.7);
        const real out = R(y);
        real dy = R(upstream);
        f->backward(1, 1, &out, &out, &dy);
        if (!isnan(formula(f->module.name, x))) /* one that this file does not know has its gradient checked */
            assert_near(y, formula(f->module.name, x), 1e-14, "%s(%g)", f->module.name, x);
        const double slope = (forward_one(f, x + h, 0) - forward_one(f, x - h, 0)) / (2 * h);
        assert_near((double)dy, upstream * slope, 1e-8, "%s'(%g)", f->module.name, x);
    }
    assert_true(isfinite(forward_one(f, -800, 0)) && isfinite(forward_one(f, 800, 0)));
}

static void test_activations(void **state)
{
    size_t i = 0;
    (void)state;
    for (; activation_at(i); i++)
        if (activation_at(i)->parts == 1) check_activation(activation_at(i));
    assert_true(i >= 2);
    check_activation(&activation_identity);
}

/* Rows wider than any vector, with a bias of its own for each column. */
static void test_activation_rows(void **state)
{
    enum { WIDTH = 37 };
    real bias[WIDTH], row[WIDTH], dy[WIDTH];
    (void)state;
    for (size_t k = 0; activation_at(k); k++) {
        const struct activation *f = activation_at(k);
        if (f->parts > 1) continue;
        for (size_t i = 0; i < WIDTH; i++) bias[i] = R(test_uniform(i, -2, 2)), row[i] = R(test_uniform(99 + i, -2, 2));
        for (size_t i = 0; i < WIDTH; i++) dy[i] = R(test_uniform(200 + i, -2, 2));
        f->forward(WIDTH, WIDTH, bias, row, row);
        f->backward(WIDTH, WIDTH, row, row, dy);
        for (size_t i = 0; i < WIDTH; i++) {
            const double y = forward_one(f, test_uniform(99 + i, -2, 2), test_uniform(i, -2, 2));
            real slope = R(test_uniform(200 + i, -2, 2));
            f->backward(1, 1, &row[i], &row[i], &slope);
            assert_near((double)row[i], y, 1e-15, "%s, column %zu", f->module.name, i);
            assert_near((double)dy[i], (double)slope, 1e-15, "slope of %s, column %zu", f->module.name, i);
        }
    }
}

/* h sigmoid(g), its parts four columns apart; what lies between them stays. */
static void test_gated(void **state)
{
    enum { WIDTH = 3, APART = 4 };
    const struct activation *f = activation_find("gated");
    const double h = 1e-6;
    (void)state;
    assert_int_equal(f->parts, 2);
    for (size_t at = 0; at < WIDTH; at++)
        for (size_t part = 0; part < 2; part++) {
            real bias[2 * APART] = {0}, y[WIDTH], value[3];
            real d[2 * APART] = {R(0.5), R(-2), R(3), R(77), 0, 0, 0, R(77)};
            for (int side = -1; side <= 1; side++) {
                real pre[2 * APART] = {R(0.3), R(-1.2), R(2), R(7), R(0.4), R(-2.5), R(1.5), R(7)};
                pre[part * APART + at] += R(side * h);
                for (size_t i = 0; i < 2 * APART; i++) bias[i] = R(0.1 * (double)i);
                const double want = (double)((pre[at] + bias[at]) /
                                             (1 + exp(-(double)(pre[APART + at] + bias[APART + at]))));
                f->forward(WIDTH, APART, bias, pre, y);
                value[side + 1] = y[at];
                assert_near((double)y[at], want, 1e-14, "gated %zu", at);
                if (side == 0) f->backward(WIDTH, APART, pre, y, d);
                assert_true(pre[3] == 7 && pre[7] == 7 && d[3] == 77 && d[7] == 77);
            }
            const double upstream[] = {0.5, -2, 3}, slope = (double)(value[2] - value[0]) / (2 * h);
            assert_near((double)d[part * APART + at], upstream[at] * slope, 1e-8, "gated' part %zu of %zu", part, at);
        }
}

/* ---- Dense layers ----------------------------------------------------------------------------------------------- */

struct shape {
    size_t rows, in, out;
};

static const struct shape shapes[] = {{1, 1, 1},   {4, 3, 5},     {1, 5, 3},      {1, 17, 33},     {9, 33, 17},
                                      {6, 16, 32}, {2, 257, 100}, {96, 100, 257}, {1001, 137, 150}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* y = f(x W^T + b) on `pre`, x = below(pre); and the loss sum(c y), whose gradients the layer is asked for. */
struct layer_case {
    struct dense layer;
    const struct activation *below;
    struct shape shape;
    size_t size; /* of the parameter block */
    real *params, *pre, *x, *y, *dy, *c, *dx, *grad;
};

static real *random_block(size_t n, uint64_t from, double limit)
{
    real *block = mem_new(n, sizeof *block, NULL);
    assert_non_null(block);
    for (size_t i = 0; i < n; i++) block[i] = R(test_uniform(from + i, -limit, limit));
    return block;
}

static void layer_new(struct layer_case *l, struct shape s, const struct activation *f, const struct activation *below)
{
    *l = (struct layer_case){.below = below, .shape = s, .size = 3 + s.out * s.in + 2 + s.out};
    l->layer = (struct dense){.in = s.in, .out = s.out, .activation = f, .weight = 3, .bias = 3 + s.out * s.in + 2};
    l->params = random_block(l->size, 1000, 1 / sqrt((double)s.in));
    l->pre = random_block(s.rows * s.in, 200000, 2);
    l->c = random_block(s.rows * s.out, 400000, 1);
    l->x = random_block(s.rows * s.in, 0, 1);
    l->dx = random_block(s.rows * s.in, 0, 1);
    l->y = random_block(s.rows * s.out, 0, 1);
    l->dy = random_block(s.rows * s.out, 0, 1);
    l->grad = random_block(l->size, 0, 1);
}

static void layer_free(struct layer_case *l)
{
    real *const blocks[] = {l->params, l->pre, l->x, l->y, l->dy, l->c, l->dx, l->grad};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) free(blocks[i]);
}

/* The layer by three loops, one row of it into y. */
static void naive_row(const struct layer_case *l, size_t r, real *y)
{
    const size_t in = l->shape.in, out = l->shape.out;
    real zero = 0;
    for (size_t o = 0; o < out; o++) {
        y[o] = l->params[l->layer.bias + o];
        for (size_t i = 0; i < in; i++) {
            real x = l->pre[r * in + i];
            l->below->forward(1, 1, &zero, &x, &x);
            y[o] += x * l->params[l->layer.weight + i * l->layer.out + o];
        }
        l->layer.activation->forward(1, 1, &zero, &y[o], &y[o]);
    }
}

/* The part of the loss that comes from rows first .. last-1 and output `only` (or all: SIZE_MAX). */
static double naive_loss(const struct layer_case *l, size_t first, size_t last, size_t only)
{
    real y[300];
    double loss = 0;
    const size_t out = l->shape.out;
    for (size_t r = first; r < last; r++) {
        struct layer_case part = *l;
        if (only != SIZE_MAX) { /* a layer with that output alone */
            part.shape.out = 1;
            part.layer.weight += only;
            part.layer.bias += only;
        }
        naive_row(&part, r, y);
        if (only != SIZE_MAX) loss += (double)(l->c[r * out + only] * y[0]);
        for (size_t o = 0; only == SIZE_MAX && o < out; o++) loss += (double)(l->c[r * out + o] * y[o]);
    }
    return loss;
}

static double loss_slope(const struct layer_case *l, real *at, size_t first, size_t last, size_t only)
{
    const double h = 1e-5;
    const real value = *at;
    *at = value + R(h);
    const double up = naive_loss(l, first, last, only);
    *at = value - R(h);
    const double down = naive_loss(l, first, last, only);
    *at = value;
    return (up - down) / (2 * h);
}

static void run_layer(struct layer_case *l, struct pool *pool)
{
    const struct shape s = l->shape;
    real zero[300] = {0};
    memcpy(l->x, l->pre, s.rows * s.in * sizeof *l->x);
    for (size_t r = 0; r < s.rows; r++) l->below->forward(s.in, s.in, zero, l->x + r * s.in, l->x + r * s.in);
    dense_forward(pool, &l->layer, l->params, s.rows, (struct input){.x = l->x}, (struct output){l->y, l->y});
    memcpy(l->dy, l->c, s.rows * s.out * sizeof *l->dy);
    for (size_t r = 0; r < s.rows; r++)
        l->layer.activation->backward(s.out, s.out, l->y + r * s.out, l->y + r * s.out, l->dy + r * s.out);
    dense_backward(pool, &l->layer, l->params, s.rows, l->dy, l->below, (struct output){l->x, l->x}, l->dx);
    const size_t tiles = dense_gradient_tiles(&l->layer, s.rows);
    for (size_t t = 0; t < tiles; t++)
        dense_gradient(&l->layer, s.rows, (struct input){.x = l->x}, l->dy, dense_weight_span(&l->layer, tiles, t),
                       dense_bias_span(&l->layer, tiles, t), false, l->grad);
}

static void check_forward(const struct layer_case *l)
{
    real y[300];
    for (size_t r = 0; r < l->shape.rows; r++) {
        naive_row(l, r, y);
        for (size_t o = 0; o < l->shape.out; o++)
            assert_near((double)l->y[r * l->shape.out + o], (double)y[o], 1e-13, "y[%zu][%zu] of %zu x %zu", r, o,
                        l->shape.in, l->shape.out);
    }
}

/* All of a small layer, about fifty elements of a large one. */
static size_t stride_for(size_t n) { return n < 100 ? 1 : n / 50 | 1; }

static void check_gradients(const struct layer_case *l)
{
    const size_t in = l->shape.in, out = l->shape.out, rows = l->shape.rows;
    for (size_t i = 0; i < rows * in; i += stride_for(rows * in)) {
        if (fabs((double)l->pre[i]) < 1e-4) continue; /* a kink may be there */
        const double slope = loss_slope(l, &l->pre[i], i / in, i / in + 1, SIZE_MAX);
        assert_near((double)l->dx[i], slope, 1e-7, "dx[%zu] of %zu x %zu, %s on %s", i, in, out,
                    l->layer.activation->module.name, l->below->module.name);
    }
    for (size_t i = 0; i < out * in; i += stride_for(out * in))
        assert_near((double)l->grad[l->layer.weight + i],
                    loss_slope(l, &l->params[l->layer.weight + i], 0, rows, i % out), 1e-7, "dW[%zu] of %zu x %zu, %s",
                    i, in, out, l->layer.activation->module.name);
    for (size_t i = 0; i < out; i += stride_for(out))
        assert_near((double)l->grad[l->layer.bias + i], loss_slope(l, &l->params[l->layer.bias + i], 0, rows, i), 1e-7,
                    "db[%zu] of %zu x %zu, %s", i, in, out, l->layer.activation->module.name);
}

static void check_layer(struct pool *pool, struct shape s, const struct activation *f, const struct activation *below)
{
    struct layer_case l;
    layer_new(&l, s, f, below);
    run_layer(&l, pool);
    check_forward(&l);
    check_gradients(&l);
    layer_free(&l);
}

static void test_dense(void **state)
{
    struct pool *pool;
    (void)state;
    assert_int_equal(pool_new(&pool, 2, NULL), VAE_OK);
    const struct activation *tanh_layer = activation_find("tanh");
    assert_non_null(tanh_layer);
    for (size_t i = 0; i < SHAPES; i++) {
        check_layer(pool, shapes[i], &activation_identity, tanh_layer);
        check_layer(pool, shapes[i], tanh_layer, &activation_identity);
    }
    for (size_t k = 0; activation_at(k); k++)
        for (size_t i = 0; i < 5 && activation_at(k)->parts == 1; i++)
            check_layer(pool, shapes[i], activation_at(k), activation_at(k));
    pool_free(pool);
}

/* The spans of all tiles are the whole, in order, cut at vectors. */
static void test_spans(void **state)
{
    (void)state;
    for (size_t n = 1; n < 400; n += 7)
        for (size_t tiles = 1; tiles <= (n + 15) / 16; tiles++) {
            size_t at = 0;
            for (size_t t = 0; t < tiles; t++) {
                const struct span s = tile_span(n, tiles, t);
                assert_int_equal(s.begin, at);
                assert_true(s.end > s.begin && (s.end % 16 == 0 || s.end == n));
                at = s.end;
            }
            assert_int_equal(at, n);
        }
}

/* Into how many tiles a weight gradient is cut: other cuts give other bits, so this is part of what a seed means. */
static void test_cuts(void **state)
{
    static const struct {
        size_t in, out, rows, tiles;
    } known[] = {
        {62, 62, 65, 1},        /* below 5e5 operations */
        {64, 62, 64, 2},        /* from there on */
        {200, 400, 249, 2},     /* below 4e7 */
        {200, 400, 250, 4},     /* from there on */
        {784, 400, 128, 4},     /* the first layer of the standard setting */
        {784, 400, 637, 4},     /* below 4e8 */
        {784, 400, 956, 5},     /* one for every 1e8 */
        {4096, 4096, 4096, 64}, /* at most */
        {32, 4096, 4096, 2},    /* no more than there are vectors of 16 */
        {33, 4096, 4096, 3},
    };
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct dense layer = {.in = known[i].in, .out = known[i].out, .activation = &activation_identity};
        assert_int_equal(dense_gradient_tiles(&layer, known[i].rows), known[i].tiles);
    }
}

/* Shapes of one, four and more tiles: the same bits on any number of threads. */
static void test_threads_do_not_change_bits(void **state)
{
    static const struct shape large[] = {{5, 33, 17}, {64, 200, 130}, {420, 290, 299}, {2048, 256, 299}};
    (void)state;
    assert_true(dense_gradient_tiles(&(struct dense){.in = 290, .out = 299, .activation = &activation_identity}, 420) >
                1);
    for (size_t i = 0; i < sizeof large / sizeof *large; i++) {
        struct layer_case one, more;
        layer_new(&one, large[i], activation_find("tanh"), activation_find("relu"));
        layer_new(&more, large[i], activation_find("tanh"), activation_find("relu"));
        for (size_t threads = 1; threads <= 3; threads++) {
            struct pool *pool;
            assert_int_equal(pool_new(&pool, threads, NULL), VAE_OK);
            run_layer(threads == 1 ? &one : &more, pool);
            pool_free(pool);
            if (threads == 1) continue;
            assert_memory_equal(one.y, more.y, large[i].rows * large[i].out * sizeof(real));
            assert_memory_equal(one.dx, more.dx, large[i].rows * large[i].in * sizeof(real));
            assert_memory_equal(one.grad, more.grad, one.size * sizeof(real));
            memset(more.y, 0, large[i].rows * large[i].out * sizeof(real)); /* so that the next round must write it */
        }
        layer_free(&one);
        layer_free(&more);
    }
}

/* ---- Sparse inputs ---------------------------------------------------------------------------------------------- */

/* Room for the lists of `rows` rows of D. */
static struct sparse sparse_new(size_t rows, size_t D)
{
    return (struct sparse){.D = D,
                           .capacity = rows,
                           .row_count = calloc(rows, sizeof(uint32_t)),
                           .column = calloc(rows * D, sizeof(uint32_t)),
                           .column_count = calloc(D, sizeof(uint32_t)),
                           .row = calloc(rows * D, sizeof(uint32_t)),
                           .row_value = calloc(rows * D, sizeof(real)),
                           .column_value = calloc(rows * D, sizeof(real))};
}

static void sparse_free(struct sparse *s)
{
    free(s->row_count);
    free(s->column);
    free(s->column_count);
    free(s->row);
    free(s->row_value);
    free(s->column_value);
}

/* x with a share of nonzeros; the first row is all zeros, the last column all ones. */
static void thin_out(struct layer_case *l, double share)
{
    for (size_t i = 0; i < l->shape.rows * l->shape.in; i++) {
        const bool kept = i / l->shape.in > 0 && test_uniform(i, 0, 1) < share;
        l->x[i] = i % l->shape.in == l->shape.in - 1 ? 1 : kept ? R(test_uniform(i, -1, 1)) : 0;
    }
}

/* Forward and gradient through the lists agree with the dense products. */
static void check_sparse(struct pool *pool, struct shape shape, double share)
{
    struct layer_case dense, thin;
    struct sparse sparse = sparse_new(shape.rows, shape.in);
    layer_new(&dense, shape, activation_find("tanh"), &activation_identity);
    layer_new(&thin, shape, activation_find("tanh"), &activation_identity);
    thin_out(&dense, share);
    thin_out(&thin, share);
    for (size_t r = 0; r < shape.rows; r++) sparse_list_row(&sparse, r, thin.x + r * shape.in);
    dense_forward(pool, &dense.layer, dense.params, shape.rows, (struct input){.x = dense.x},
                  (struct output){dense.y, dense.y});
    dense_forward(pool, &thin.layer, thin.params, shape.rows, (struct input){thin.x, &sparse, {0}},
                  (struct output){thin.y, thin.y});
    const size_t tiles = dense_gradient_tiles(&thin.layer, shape.rows);
    for (size_t t = 0; t < tiles; t++) {
        const struct span weight = dense_weight_span(&thin.layer, tiles, t),
                          bias = dense_bias_span(&thin.layer, tiles, t);
        dense_gradient(&dense.layer, shape.rows, (struct input){.x = dense.x}, dense.c, weight, bias, false,
                       dense.grad);
        dense_gradient(&thin.layer, shape.rows, (struct input){thin.x, &sparse, {0}}, thin.c, weight, bias, false,
                       thin.grad);
    }
    for (size_t i = 0; i < shape.rows * shape.out; i++)
        assert_near((double)thin.y[i], (double)dense.y[i], 1e-13, "sparse y[%zu]", i);
    for (size_t i = 0; i < thin.size; i++)
        assert_near((double)thin.grad[i], (double)dense.grad[i], 1e-12, "sparse gradient [%zu]", i);
    layer_free(&dense);
    layer_free(&thin);
    sparse_free(&sparse);
}

static void test_sparse(void **state)
{
    struct pool *pool;
    (void)state;
    assert_int_equal(pool_new(&pool, 2, NULL), VAE_OK);
    for (size_t i = 0; i < SHAPES; i++)
        for (double share = 0; share <= 1; share += 0.25) check_sparse(pool, shapes[i], share);
    pool_free(pool);
}

/* ---- Labels ----------------------------------------------------------------------------------------------------- */

enum { LABELS = 40, IMAGES = 9 };

/* A layer of labels is that of x and the one-hot label, side by side, with the same weights. Labels are those of nine
 * images over and over; most classes have none of them. The largest shape is cut among the labels. */
static void check_labels(struct pool *pool, struct shape shape, const struct activation *f, bool is_sparse)
{
    static const uint8_t label[IMAGES] = {39, 0, 2, 2, 39, 11, 6, 7, 30};
    const size_t in = shape.in, columns = f->parts * shape.out, rows = shape.rows, wide = in + LABELS;
    struct layer_case one, two; /* f's second sums make twice the outputs */
    layer_new(&one, (struct shape){rows, wide, columns}, f, &activation_identity);
    layer_new(&two, (struct shape){rows, wide, columns}, f, &activation_identity);
    struct sparse sparse = sparse_new(rows, in);
    one.layer.out = two.layer.out = shape.out;
    two.layer.in = in;
    two.layer.classes = LABELS;
    if (is_sparse) thin_out(&one, 0.2);
    for (size_t r = 0; r < rows; r++) {
        for (size_t c = 0; c < LABELS; c++) one.x[r * wide + in + c] = label[r % IMAGES] == c;
        memcpy(two.x + r * in, one.x + r * wide, in * sizeof *two.x);
        sparse_list_row(&sparse, r, two.x + r * in);
    }
    const struct input x = {.x = one.x}, labelled = {two.x, is_sparse ? &sparse : NULL, {label, IMAGES}};
    dense_forward(pool, &one.layer, one.params, rows, x, (struct output){one.dy, one.y});
    dense_forward(pool, &two.layer, two.params, rows, labelled, (struct output){two.dy, two.y});
    dense_backward(pool, &one.layer, one.params, rows, one.c, &activation_identity, (struct output){one.x, one.x},
                   one.dx);
    dense_backward(pool, &two.layer, two.params, rows, two.c, &activation_identity, (struct output){two.x, two.x},
                   two.dx);
    const size_t tiles = dense_gradient_tiles(&two.layer, rows);
    dense_gradient(&one.layer, rows, x, one.c, (struct span){0, wide}, (struct span){0, columns}, false, one.grad);
    for (size_t t = 0; t < tiles; t++)
        dense_gradient(&two.layer, rows, labelled, two.c, dense_weight_span(&two.layer, tiles, t),
                       dense_bias_span(&two.layer, tiles, t), false, two.grad);
    for (size_t i = 0; i < rows * columns; i++)
        assert_near((double)two.dy[i], (double)one.dy[i], 1e-13, "sum %zu of %zu x %zu", i, in, shape.out);
    for (size_t i = 0; i < rows * shape.out; i++)
        assert_near((double)two.y[i], (double)one.y[i], 1e-13, "y[%zu] of %zu x %zu", i, in, shape.out);
    for (size_t i = 0; i < rows * in; i++)
        assert_near((double)two.dx[i], (double)one.dx[i / in * wide + i % in], 1e-13, "dx[%zu]", i);
    for (size_t i = 0; i < two.size; i++)
        assert_near((double)two.grad[i], (double)one.grad[i], 1e-12, "gradient [%zu] of %zu x %zu", i, in, shape.out);
    layer_free(&one);
    layer_free(&two);
    sparse_free(&sparse);
}

static void test_labels(void **state)
{
    struct pool *pool;
    (void)state;
    assert_int_equal(pool_new(&pool, 2, NULL), VAE_OK);
    for (size_t i = 0; i < SHAPES; i++)
        for (size_t sparse = 0; sparse < 2; sparse++) {
            check_labels(pool, shapes[i], activation_find("tanh"), sparse);
            check_labels(pool, shapes[i], activation_find("gated"), sparse);
        }
    pool_free(pool);
}

/* ---- Adam ------------------------------------------------------------------------------------------------------- */

/* Algorithm 1 of Kingma & Ba 2015, line by line, for a few steps of gradients that change sign and size. */
static void test_adam(void **state)
{
    enum { N = 19 };
    const double lr = 0.003, beta1 = 0.8, beta2 = 0.99, epsilon = 1e-5;
    real grad[N], m[N] = {0}, v[N] = {0}, param[N];
    double m_ref[N] = {0}, v_ref[N] = {0}, param_ref[N];
    (void)state;
    for (size_t i = 0; i < N; i++) param_ref[i] = test_uniform(i, -1, 1), param[i] = R(param_ref[i]);
    for (uint64_t t = 1; t <= 3; t++) {
        const struct adam adam = adam_at(t, lr, beta1, beta2, epsilon);
        for (size_t i = 0; i < N; i++) grad[i] = R(test_uniform(100 * t + i, -1, 1) * pow(10, -(double)(i % 10)));
        adam_update(&adam, N, grad, m, v, param);
        for (size_t i = 0; i < N; i++) {
            const double g = (double)grad[i];
            m_ref[i] = beta1 * m_ref[i] + (1 - beta1) * g;
            v_ref[i] = beta2 * v_ref[i] + (1 - beta2) * g * g;
            const double m_hat = m_ref[i] / (1 - pow(beta1, (double)t)), v_hat = v_ref[i] / (1 - pow(beta2, (double)t));
            param_ref[i] -= lr * m_hat / (sqrt(v_hat) + epsilon);
            assert_near((double)param[i], param_ref[i], 1e-14, "parameter %zu after step %d", i, (int)t);
            assert_near((double)m[i], m_ref[i], 1e-15, "m %zu after step %d", i, (int)t);
            assert_near((double)v[i], v_ref[i], 1e-15, "v %zu after step %d", i, (int)t);
        }
    }
}

/* The first step moves every parameter by lr against its gradient's sign, however small that gradient. */
static void test_adam_first_step(void **state)
{
    const real grad[] = {R(1), R(-1e-4), R(1e3)};
    real m[3] = {0}, v[3] = {0}, param[3] = {0};
    const struct adam adam = adam_at(1, 0.01, 0.9, 0.999, 1e-8);
    (void)state;
    adam_update(&adam, 3, grad, m, v, param);
    for (size_t i = 0; i < 3; i++) assert_near((double)param[i], grad[i] > 0 ? -0.01 : 0.01, 2e-6, "parameter %zu", i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_activation_rows),
        cmocka_unit_test(test_gated),
        cmocka_unit_test(test_dense),
        cmocka_unit_test(test_spans),
        cmocka_unit_test(test_cuts),
        cmocka_unit_test(test_threads_do_not_change_bits),
        cmocka_unit_test(test_sparse),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_adam),
        cmocka_unit_test(test_adam_first_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
