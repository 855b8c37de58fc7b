/* SPDX-License-Identifier: MIT
 *
 * The benchmark's arithmetic, by a clock that the test sets, and the products and images that it is made of, which
 * the test counts. The linker sends the library's calls through the functions below (-Wl,--wrap, see tests.mk). */
#include "check.h"
#include "data/source.h"

#include <cblas.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

/* ---- The clock -------------------------------------------------------------------------------------------------- */

/* Each round reads the clock before and after each of the four ways of the floor and the steps, and before that once
 * for the steps that warm up. What lies between two readings of a pair is taken from this table, in units of STEPS
 * milliseconds, as times are shares of so many steps; what lies between pairs is a long time. */
enum { WAYS = 4, MOST_ROUNDS = 5, STEPS = 20 };
static const double UNIT = 1e-3, LONG = 1000, TICK = 0.5e-3;

struct round {
    double floor[WAYS], step;
};

static struct {
    const struct round *rounds; /* NULL: each reading is a TICK after the one before */
    size_t n;                   /* after so many rounds likewise */
    atomic_size_t readings;
    double now;
    pthread_mutex_t lock;
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

static double gap_after(size_t reading)
{
    const size_t pair = reading / 2;
    const bool is_timed = reading % 2 == 0;
    if (pair == 0) return is_timed ? LONG / 2 : LONG; /* warming up */
    const size_t round = (pair - 1) / (WAYS + 1), at = (pair - 1) % (WAYS + 1);
    if (!fake.rounds || round >= fake.n) return TICK;
    if (!is_timed) return LONG;
    return STEPS * UNIT * (at < WAYS ? fake.rounds[round].floor[at] : fake.rounds[round].step);
}

static void set_clock(const struct round *rounds, size_t n)
{
    fake.rounds = rounds;
    fake.n = n;
    fake.now = 5;
    atomic_store(&fake.readings, 0);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    if (clock != CLOCK_MONOTONIC) return -1;
    pthread_mutex_lock(&fake.lock);
    time->tv_sec = (time_t)fake.now;
    time->tv_nsec = (long)((fake.now - floor(fake.now)) * 1e9 + 0.5);
    fake.now += gap_after(atomic_fetch_add(&fake.readings, 1));
    pthread_mutex_unlock(&fake.lock);
    return 0;
}

/* ---- Products and images ---------------------------------------------------------------------------------------- */

struct product {
    int transposed_a, transposed_b, m, n, k, lda, ldb, ldc;
    float alpha, beta;
};

enum { MOST_PRODUCTS = 4000, IMAGES = 40, ROWS = 6, COLS = 5 };

static struct {
    atomic_size_t products;
    struct product product[MOST_PRODUCTS];
    const float *a[MOST_PRODUCTS], *b[MOST_PRODUCTS], *c[MOST_PRODUCTS];
    size_t reading[MOST_PRODUCTS]; /* of the clock, which came before it */
    int most_threads;
    atomic_size_t uses[IMAGES];
} seen;

#define SGEMM_ARGUMENTS                                                                                                \
    enum CBLAS_ORDER order, enum CBLAS_TRANSPOSE transpose_a, enum CBLAS_TRANSPOSE transpose_b, blasint m, blasint n,  \
        blasint k, float alpha, const float *a, blasint lda, const float *b, blasint ldb, float beta, float *c,        \
        blasint ldc
void __real_cblas_sgemm(SGEMM_ARGUMENTS);
void __wrap_cblas_sgemm(SGEMM_ARGUMENTS);

void __wrap_cblas_sgemm(SGEMM_ARGUMENTS)
{
    const size_t i = atomic_fetch_add(&seen.products, 1);
    if (i < MOST_PRODUCTS) {
        seen.product[i] = (struct product){
            transpose_a == CblasTrans, transpose_b == CblasTrans, m, n, k, lda, ldb, ldc, alpha, beta};
        seen.a[i] = a, seen.b[i] = b, seen.c[i] = c;
        seen.reading[i] = atomic_load(&fake.readings);
    }
    __real_cblas_sgemm(order, transpose_a, transpose_b, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

void __real_openblas_set_num_threads(int n);
void __wrap_openblas_set_num_threads(int n);

void __wrap_openblas_set_num_threads(int n)
{
    if (atomic_load(&fake.readings) > 0 && n > seen.most_threads) seen.most_threads = n;
    __real_openblas_set_num_threads(n);
}

bool __real_images_gather(const vae_images *images, const struct pixels *pixels, const uint32_t *index, size_t first,
                          size_t count, real *x);
bool __wrap_images_gather(const vae_images *images, const struct pixels *pixels, const uint32_t *index, size_t first,
                          size_t count, real *x);

bool __wrap_images_gather(const vae_images *images, const struct pixels *pixels, const uint32_t *index, size_t first,
                          size_t count, real *x)
{
    for (size_t i = 0; i < count; i++) atomic_fetch_add(&seen.uses[index[i]], 1);
    return __real_images_gather(images, pixels, index, first, count, x);
}

/* ---- Benchmarks ------------------------------------------------------------------------------------------------- */

static vae_bench run_on(uint8_t grey, const char *const *settings, size_t threads, size_t n, const struct round *rounds)
{
    static uint8_t pixels[IMAGES * ROWS * COLS];
    const vae_images images = {.n = IMAGES, .rows = ROWS, .cols = COLS, .pixels = pixels};
    vae_config config;
    vae_bench bench;
    vae_error err = {0};
    memset(pixels, grey, sizeof pixels);
    vae_config_defaults(&config);
    for (; *settings; settings += 2)
        if (vae_config_set(&config, settings[0], settings[1], &err)) fail_msg("%s", err.message);
    memset(&seen, 0, sizeof seen);
    set_clock(rounds, n);
    if (vae_bench_run(&bench, &config, &images, threads, n, &err)) fail_msg("%s", err.message);
    return bench;
}

/* With images that are all ink, so that the first layer is dense. */
static vae_bench run(const char *const *settings, size_t threads, size_t n, const struct round *rounds)
{
    return run_on(200, settings, threads, n, rounds);
}

#define SETTINGS(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SMALL         SETTINGS("hidden", "8", "latent", "2", "batch", "16")

/* The best way is the one with the least median, here the third, though others have the least time, or the least mean
 * of all. */
static const struct round table[MOST_ROUNDS] = {
    {{4, 7, 2, 1}, 5}, {{5, 8, 4, 9}, 6}, {{1, 6, 3, 6}, 12}, {{6, 5, 50, 7}, 25}, {{7, 9, 1, 8}, 2}};

static const struct {
    size_t rounds;
    double floor, step, ratio, ratio_min, ratio_max;
} known[] = {{1, 1, 5, 5, 5, 5}, /* way 3 is best in the first round */
             {2, 3, 5.5, 2, 1.5, 2.5},
             {3, 3, 6, 2.5, 1.5, 4},
             {4, 3.5, 9, 2, 0.5, 4},
             {5, 3, 6, 2, 0.5, 4}};

static void test_medians_and_ratios(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const vae_bench bench = run(SMALL, 1, known[i].rounds, table);
        assert_int_equal(bench.rounds, known[i].rounds);
        assert_int_equal(bench.threads, 1);
        assert_int_equal(bench.batch, 16);
        assert_false(bench.sparse);
        assert_near(bench.floor, known[i].floor * UNIT, 1e-9, "floor of %zu rounds", known[i].rounds);
        assert_near(bench.step, known[i].step * UNIT, 1e-9, "step");
        assert_near(bench.ratio, known[i].ratio, 1e-6, "ratio of %zu rounds", known[i].rounds);
        assert_near(bench.ratio_min, known[i].ratio_min, 1e-6, "least ratio");
        assert_near(bench.ratio_max, known[i].ratio_max, 1e-6, "largest ratio");
        assert_near(bench.images_per_second, 16e3 / known[i].step, 1e-6, "images per second");
        assert_string_equal(bench.floor_way, i ? "two tiles of columns a thread" : "a tile of rows a thread");
    }
}

static void test_names_of_the_ways(void **state)
{
    static const char *const names[] = {"OpenBLAS's own threads", "a tile of columns a thread",
                                        "two tiles of columns a thread", "a tile of rows a thread"};
    (void)state;
    for (size_t way = 0; way < WAYS; way++) {
        struct round round = {{2, 2, 2, 2}, 3};
        round.floor[way] = 1;
        const vae_bench bench = run(SMALL, 1, 1, &round);
        assert_string_equal(bench.floor_way, names[way]);
        assert_near(bench.ratio, 3, 1e-6, "ratio");
    }
}

/* Each round of a phase reads the clock four times on one thread: the wall from the first reading to the last, the
 * tasks from the second to the third. Every reading is a tick after the one before. */
static void test_phases(void **state)
{
    static const struct {
        const char *name;
        double rounds; /* in a step */
    } phases[] = {{"data", 1},
                  {"encoder.0 forward", 1},
                  {"encoder.1 forward", 1},
                  {"heads forward", 1},
                  {"latent", 3},
                  {"decoder.0 forward", 1},
                  {"decoder.1 forward", 1},
                  {"decoder.2 forward", 1},
                  {"likelihood", 1},
                  {"decoder.2 backward", 1},
                  {"decoder.1 backward", 1},
                  {"decoder.0 backward", 1},
                  {"heads backward", 1},
                  {"encoder.1 backward", 1},
                  {"weights", 1}};
    (void)state;
    const vae_bench bench = run(SETTINGS("hidden", "8,7", "latent", "2", "batch", "16"), 1, 1, table);
    assert_int_equal(bench.phases, sizeof phases / sizeof *phases);
    for (size_t i = 0; i < bench.phases; i++) {
        assert_string_equal(bench.phase[i].name, phases[i].name);
        assert_near(bench.phase[i].wall, 3 * TICK * phases[i].rounds, 1e-8, "wall time of %s", phases[i].name);
        assert_near(bench.phase[i].waiting, 2 * TICK * phases[i].rounds, 1e-8, "waiting in %s", phases[i].name);
    }
}

/* Of two threads each reads the clock in a round that both take part in, in any order: five ticks of wall, of which
 * both together are in their tasks for two or four. A product so small is one tile and for one thread alone, which is
 * in it for one of three ticks. The other waits all the time. */
static void test_waiting_of_two_threads(void **state)
{
    const double both = (5 - 4 / 2.) / 5, alone = (3 - 1 / 2.) / 3, error = 1e-6;
    const vae_bench bench = run(SETTINGS("hidden", "8", "latent", "2", "batch", "40"), 2, 1, table);
    (void)state;
    if (bench.threads != 2) skip(); /* a serial OpenBLAS */
    for (size_t i = 0; i < bench.phases; i++) {
        const bool is_product = strstr(bench.phase[i].name, "ward");
        assert_within(bench.phase[i].waiting / bench.phase[i].wall, (is_product ? alone : both) - error, alone + error,
                      "share of waiting in %s", bench.phase[i].name);
    }
}

/* ---- What is timed ---------------------------------------------------------------------------------------------- */

static int compare_products(const void *a, const void *b) { return memcmp(a, b, sizeof(struct product)); }

/* Those between a reading of the clock and the next, sorted. */
static size_t products_after(size_t reading, struct product *to)
{
    size_t n = 0;
    assert_in_range(atomic_load(&seen.products), 1, MOST_PRODUCTS);
    for (size_t i = 0; i < atomic_load(&seen.products); i++)
        if (seen.reading[i] == reading + 1) to[n++] = seen.product[i];
    qsort(to, n, sizeof *to, compare_products);
    return n;
}

/* The floor is the products of the steps and nothing else: three a layer, but two of the first, whose inputs need no
 * gradient. One thread does them whole in all ways but that of two tiles a thread. */
static void test_the_floor_is_the_products_of_a_step(void **state)
{
    static struct product step[MOST_PRODUCTS], way[MOST_PRODUCTS];
    (void)state;
    run(SETTINGS("hidden", "8,7", "latent", "2", "batch", "16", "samples", "3"), 1, 1, table);
    const size_t n = products_after(2 + 2 * WAYS, step);
    assert_int_equal(n, STEPS * (3 * 6 - 1));
    for (size_t w = 0; w < WAYS; w++) {
        if (w == 2) continue;
        assert_int_equal(products_after(2 + 2 * w, way), n);
        assert_memory_equal(way, step, n * sizeof *way);
    }
    /* Each way runs once before: two results of 30 columns are in two tiles. */
    assert_int_equal(products_after(1, way), WAYS * (3 * 6 - 1) + 2);
}

/* Where a tile of a result begins follows which rows of A and columns of B it is made of. */
static void check_operands(size_t reading, bool by_rows, size_t tiles, size_t products, double operations)
{
    const float *a = NULL, *b = NULL, *c = NULL;
    size_t n = 0, first = 0;
    double sum = 0;
    for (size_t i = 0; i < atomic_load(&seen.products); i++) {
        const struct product *p = &seen.product[i];
        if (seen.reading[i] != reading + 1) continue;
        if (n++ == 0) a = seen.a[i], b = seen.b[i], c = seen.c[i]; /* the least are found below */
        a = seen.a[i] < a ? seen.a[i] : a;
        b = seen.b[i] < b ? seen.b[i] : b;
        c = seen.c[i] < c ? seen.c[i] : c;
        sum += (double)p->m * p->n * p->k;
    }
    for (size_t i = 0; i < atomic_load(&seen.products); i++) {
        const struct product *p = &seen.product[i];
        if (seen.reading[i] != reading + 1) continue;
        const long row = (seen.c[i] - c) / p->ldc, column = (seen.c[i] - c) % p->ldc;
        assert_int_equal(seen.a[i] - a, row * (p->transposed_a ? 1 : p->lda));
        assert_int_equal(seen.b[i] - b, column * (p->transposed_b ? p->ldb : 1));
        assert_int_equal(by_rows ? column : row, 0);
        first += seen.c[i] == c;
    }
    assert_int_equal(n, STEPS * tiles);
    assert_int_equal(first, STEPS * products); /* each has one tile that begins where it does */
    assert_near(sum, STEPS * operations, 0, "multiplications");
}

/* On two threads. Products are (rows x columns x depth): 40 x 100 x 30 and 30 x 100 x 40 of encoder.0; 40 x 32 x 100,
 * 100 x 32 x 40 and 40 x 100 x 32 of the heads; 40 x 100 x 16, 16 x 100 x 40 and 40 x 16 x 100 of decoder.0;
 * 40 x 30 x 100, 100 x 30 x 40 and 40 x 100 x 30 of decoder.1. Tiles are 16 wide or more. */
static void test_ways_of_the_floor(void **state)
{
    const double operations = 5 * 40. * 100 * 30 + 3 * 40. * 100 * 32 + 3 * 40. * 100 * 16;
    const vae_bench bench = run(SETTINGS("hidden", "100", "latent", "16", "batch", "40"), 2, 1, table);
    (void)state;
    if (bench.threads != 2) skip(); /* a serial OpenBLAS */
    check_operands(2, false, 11, 11, operations);
    check_operands(4, false, 10 * 2 + 1, 11, operations);
    check_operands(6, false, 4 + 4 + 2 + 2 + 4 + 4 + 4 + 1 + 2 + 2 + 4, 11, operations);
    check_operands(8, true, 10 * 2 + 1, 11, operations);
    assert_int_equal(seen.most_threads, 2);
    assert_int_equal(openblas_get_num_threads(), 1);
}

/* Steps go through the images in whole batches: two of 16 images, and eight that are left over. 60 steps were run. */
static void test_images_take_turns(void **state)
{
    size_t used = 0;
    (void)state;
    run(SMALL, 1, 1, table);
    for (size_t i = 0; i < IMAGES; i++) {
        const size_t uses = atomic_load(&seen.uses[i]);
        assert_true(uses == 0 || uses == 30);
        used += uses > 0;
    }
    assert_int_equal(used, 32);
}

static void test_sparse_is_told(void **state)
{
    (void)state;
    assert_true(run_on(0, SMALL, 1, 1, table).sparse);
    assert_false(run_on(1, SMALL, 1, 1, table).sparse);
}

/* One at least, 101 at most. */
static void test_rounds(void **state)
{
    (void)state;
    assert_int_equal(run(SMALL, 1, 0, NULL).rounds, 1);
    assert_int_equal(run(SETTINGS("hidden", "1", "latent", "1", "batch", "1"), 1, 102, NULL).rounds, 101);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_medians_and_ratios),
        cmocka_unit_test(test_names_of_the_ways),
        cmocka_unit_test(test_phases),
        cmocka_unit_test(test_waiting_of_two_threads),
        cmocka_unit_test(test_the_floor_is_the_products_of_a_step),
        cmocka_unit_test(test_ways_of_the_floor),
        cmocka_unit_test(test_images_take_turns),
        cmocka_unit_test(test_sparse_is_told),
        cmocka_unit_test(test_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
