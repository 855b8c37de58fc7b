/* SPDX-License-Identifier: MIT
 *
 * Random numbers: the published vectors of the generator, the layout of its counter, the quantile of the normal,
 * permutations.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

/* kat_vectors of Random123, philox4x32 with 10 rounds: counter, key, output. */
static const struct {
    uint32_t counter[4], key[2], word[4];
} known[] = {
    {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
    {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
     {0xffffffff, 0xffffffff},
     {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
    {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
     {0xa4093822, 0x299f31d0},
     {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
};

static void test_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const uint32_t *c = known[i].counter, *k = known[i].key;
        const philox4x32_ctr_t counter = {{c[0], c[1], c[2], c[3]}};
        const philox4x32_key_t key = {{k[0], k[1]}};
        const philox4x32_ctr_t out = philox4x32(counter, key);
        for (size_t w = 0; w < 4; w++) assert_int_equal(out.v[w], known[i].word[w]);
    }
}

/* The same vectors through the library's layout: block in words 0 and 1, step in 2 and 3, seed in the key. Part of what
 * a seed means. */
static void test_layout(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const uint32_t *c = known[i].counter, *k = known[i].key;
        const struct rng rng = {
            .seed = (uint64_t)k[1] << 32 | k[0], .step = (uint64_t)c[3] << 32 | c[2], .stream = RNG_INIT};
        uint32_t word[4];
        rng_block(&rng, (uint64_t)c[1] << 32 | c[0], word);
        assert_memory_equal(word, known[i].word, sizeof word);
    }
}

/* Part of what a seed means, too: a stream that changes its number changes every run, and two with one number repeat
 * each other. */
static void test_streams(void **state)
{
    static const enum rng_stream streams[] = {RNG_INIT,    RNG_SHUFFLE, RNG_POSTERIOR, RNG_PRIOR,      RNG_EVAL,
                                              RNG_HOLDOUT, RNG_DIGITS,  RNG_BINARIZE,  RNG_VALIDATION, RNG_NLL};
    (void)state;
    for (unsigned i = 0; i < 10; i++) assert_int_equal(streams[i], i);
}

/* Seeds, streams, steps and blocks that differ in any one part, also in their upper halves, give other words. */
static void test_counters_are_distinct(void **state)
{
    static const uint64_t values[] = {0, 1, 2, 3, 0xffffffff, 0x100000000, 0x300000000};
    enum { V = 7, STREAMS = RNG_NLL + 1, ALL = 3 * V * V * STREAMS };
    static uint32_t seen[ALL][4];
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < ALL; i++) {
        const struct rng rng = {.seed = values[i / (V * V * STREAMS) * 3], /* 0, 3, 2^32 + ... */
                                .stream = (enum rng_stream)(i / (V * V) % STREAMS),
                                .step = values[i / V % V]};
        rng_block(&rng, values[i % V], seen[n++]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            if (!memcmp(seen[i], seen[k], sizeof *seen)) fail_msg("counters %zu and %zu are the same", i, k);
}

static void test_words_do_not_depend_on_chunks(void **state)
{
    enum { N = 1000 };
    const uint64_t starts[] = {0, 3, 0xfffffffd, 5ull << 36};
    const struct rng rng = {.seed = 42, .step = 17, .stream = RNG_EVAL};
    uint32_t whole[N], part[N], block[4];
    (void)state;
    for (size_t s = 0; s < 4; s++) {
        rng_words(&rng, starts[s], N, whole);
        for (size_t at = 0, chunk = 1; at < N; at += chunk, chunk = chunk % 13 + 1) {
            if (chunk > N - at) chunk = N - at;
            rng_words(&rng, starts[s] + at, chunk, part + at);
        }
        assert_memory_equal(part, whole, sizeof whole);
        for (size_t i = 0; i < N; i++) {
            rng_block(&rng, (starts[s] + i) / 4, block);
            assert_int_equal(whole[i], block[(starts[s] + i) % 4]);
        }
    }
}

static void test_uniform_is_inside(void **state)
{
    (void)state;
    assert_true(rng_uniform(0) > 0 && rng_uniform(0xffffffff) < 1);
    assert_true(rng_uniform(0) == 0x1p-33 && rng_uniform(0x80000000) == 0.5 + 0x1p-33);
    for (uint32_t w = 0; w < 0xffff0000u; w += 65521) assert_true(rng_uniform(w) + rng_uniform(~w) == 1);
}

/* ---- Normals ---------------------------------------------------------------------------------------------------- */

/* Error of the quantile as a share of the tail behind it: |Phi(z) - u| / min(u, 1 - u). */
static double tail_error(uint32_t word)
{
    const double u = rng_uniform(word), tail = fmin(u, 1 - u), z = (double)rng_normal(word);
    assert_true(word >> 31 ? z >= 0 : z <= 0); /* zero itself for the few words around the middle that round to it */
    return fabs(normal_cdf(-fabs(z)) - tail) / tail;
}

/* Words taken evenly, and all of them around zero. The fit is made for tails down to some 2^-26; the 128 words farthest
 * out at either end, 6e-8 of all, are tested below. */
static void test_normal_quantile(void **state)
{
    enum { FAR = 128 };
    double worst = 0;
    (void)state;
    for (uint64_t w = FAR; w < 0xffffffffu - FAR; w += 4093) worst = fmax(worst, tail_error((uint32_t)w));
    for (uint32_t w = FAR; w < 100000; w++) worst = fmax(worst, fmax(tail_error(w), tail_error(~w)));
    for (uint32_t w = 0x7fff0000u; w < 0x80010000u; w++) worst = fmax(worst, tail_error(w));
    print_message("rng_normal: tail off by %.3g of itself\n", worst);
    assert_within(worst, 1e-9, 1e-5, "relative error of the tail");
}

/* There the fit is extrapolated: z falls short by at most 0.0025 at the very last word, whose quantile is 6.337958. */
static void test_normal_ends(void **state)
{
    double worst = 0;
    (void)state;
    for (uint32_t w = 0; w < 128; w++) worst = fmax(worst, fmax(tail_error(w), tail_error(~w)));
    assert_within(worst, 1e-9, 0.017, "relative error of the tail");
    assert_near((double)rng_normal(0xffffffffu), 6.337958, 4e-4, "largest");
    assert_near((double)rng_normal(0), -6.337958, 4e-4, "smallest");
}

static void test_normal_is_odd_and_rises(void **state)
{
    real last = rng_normal(0);
    (void)state;
    for (uint64_t w = 0; w < 1ull << 32; w += 40009) {
        const real z = rng_normal((uint32_t)w);
        assert_true(z == -rng_normal(~(uint32_t)w));
        assert_true(z >= last);
        last = z;
    }
}

enum { NORMALS = 1 << 18 };

static const real *normals(uint64_t seed)
{
    static real z[NORMALS];
    static uint32_t words[NORMALS];
    rng_words(&(struct rng){.seed = seed, .stream = RNG_POSTERIOR}, 0, NORMALS, words);
    for (size_t i = 0; i < NORMALS; i++) z[i] = rng_normal(words[i]);
    return z;
}

/* Mean of z^k against the normal's, four standard errors: Var z^k = E z^2k - (E z^k)^2. */
static void test_normal_moments(void **state)
{
    static const double moment[] = {1, 0, 1, 0, 3, 0, 15, 0, 105};
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        const real *z = normals(seed);
        for (int k = 1; k <= 4; k++) {
            double sum = 0;
            for (size_t i = 0; i < NORMALS; i++) sum += pow((double)z[i], k);
            const double error = sqrt((moment[2 * k] - moment[k] * moment[k]) / NORMALS);
            assert_within(sum / NORMALS, moment[k] - 4 * error, moment[k] + 4 * error, "E z^%d, seed %d", k, (int)seed);
        }
        double lag = 0; /* neighbours are independent */
        for (size_t i = 1; i < NORMALS; i++) lag += (double)z[i] * (double)z[i - 1];
        assert_within(lag / sqrt(NORMALS - 1.0), -4, 4, "correlation of neighbours, seed %d", (int)seed);
    }
}

static int by_value(const void *a, const void *b)
{
    const real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* Kolmogorov-Smirnov: sqrt(n) D is above 2.2 or below 0.35 in one of ten thousand samples each. */
static void test_normal_distribution(void **state)
{
    static real z[NORMALS];
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        double distance = 0;
        memcpy(z, normals(seed), sizeof z);
        qsort(z, NORMALS, sizeof *z, by_value);
        for (size_t i = 0; i < NORMALS; i++) {
            const double u = normal_cdf((double)z[i]);
            distance = fmax(distance, fmax((double)(i + 1) / NORMALS - u, u - (double)i / NORMALS));
        }
        assert_within(distance * sqrt(NORMALS), 0.35, 2.2, "Kolmogorov-Smirnov, seed %d", (int)seed);
    }
}

/* ---- Permutations ----------------------------------------------------------------------------------------------- */

static void assert_permutation(size_t n, const uint32_t *order)
{
    unsigned char *seen = mem_new(n + 1, 1, NULL);
    assert_non_null(seen);
    for (size_t i = 0; i < n; i++) {
        assert_true(order[i] < n && !seen[order[i]]);
        seen[order[i]] = 1;
    }
    free(seen);
}

static void test_permutation(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 3, 10, 1000};
    static uint32_t first[1000], second[1000];
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        rng_permutation(&(struct rng){.seed = 1, .stream = RNG_SHUFFLE}, sizes[i], first);
        assert_permutation(sizes[i], first);
    }
    rng_permutation(&(struct rng){.seed = 1, .step = 1, .stream = RNG_SHUFFLE}, 1000, second);
    assert_permutation(1000, second);
    size_t fixed = 0; /* of a random pair about one element in its place */
    for (size_t i = 0; i < 1000; i++) fixed += first[i] == second[i];
    assert_in_range(fixed, 0, 8);
}

/* All 24 orders of four things, equally often. */
static void test_permutation_is_uniform(void **state)
{
    enum { ROUNDS = 48000 };
    double count[24] = {0}, expected[24];
    (void)state;
    for (uint64_t step = 0; step < ROUNDS; step++) {
        uint32_t order[4];
        size_t rank = 0;
        rng_permutation(&(struct rng){.seed = 3, .step = step, .stream = RNG_SHUFFLE}, 4, order);
        for (size_t i = 0; i < 4; i++) { /* number of the order: digits in the factorial base */
            size_t smaller = 0;
            for (size_t k = i + 1; k < 4; k++) smaller += order[k] < order[i];
            rank = rank * (4 - i) + smaller;
        }
        count[rank] += 1;
    }
    for (size_t i = 0; i < 24; i++) expected[i] = ROUNDS / 24.0;
    assert_chi_square(24, count, expected, "orders of four");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_layout),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_counters_are_distinct),
        cmocka_unit_test(test_words_do_not_depend_on_chunks),
        cmocka_unit_test(test_uniform_is_inside),
        cmocka_unit_test(test_normal_quantile),
        cmocka_unit_test(test_normal_ends),
        cmocka_unit_test(test_normal_is_odd_and_rises),
        cmocka_unit_test(test_normal_moments),
        cmocka_unit_test(test_normal_distribution),
        cmocka_unit_test(test_permutation),
        cmocka_unit_test(test_permutation_is_uniform),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
