/* SPDX-License-Identifier: MIT
 *
 * Every prior's sampler against its own density, at every parameter set, in the float that users get.
 *
 * Not under tsan: no thread is started here. */
#include "check.h"

enum { DRAWS = 200000, BINS = 50, CELLS = 8000, TABLE = 8 };

static const double reach = 20; /* in u, z = sinh u: 2e8, beyond which Cauchy has 1e-9 */

/* The distribution function of a prior at the ends of CELLS equal cells in u. */
struct distribution {
    double cdf[CELLS + 1];
};

static void tabulate(const struct prior_case *c, struct distribution *d)
{
    const double width = 2 * reach / CELLS;
    d->cdf[0] = 0;
    for (size_t i = 0; i < CELLS; i++) {
        const double from = -reach + (double)i * width;
        d->cdf[i + 1] = d->cdf[i] + integrate(density_sinh, c, from, from + width, 1);
    }
    assert_near(d->cdf[CELLS], 1, 1e-5, "mass of %s", c->label);
}

static double probability(const struct distribution *d, double z)
{
    const double at = fmin(fmax((asinh(z) + reach) / (2 * reach) * CELLS, 0), CELLS - 1e-6);
    const size_t cell = (size_t)at;
    return (d->cdf[cell] + (at - (double)cell) * (d->cdf[cell + 1] - d->cdf[cell])) / d->cdf[CELLS];
}

static const real *draws_of(const struct prior_case *c)
{
    static uint32_t bits[DRAWS][4];
    static real z[DRAWS];
    rng_words(&(struct rng){.seed = 2024, .stream = RNG_PRIOR}, 0, (size_t)DRAWS * 4, *bits);
    c->ops->sample(c->state, DRAWS, (const uint32_t(*)[4])bits, z);
    return z;
}

static size_t bin_of(const struct distribution *d, double z, size_t bins)
{
    const size_t bin = (size_t)(probability(d, z) * (double)bins);
    return bin < bins ? bin : bins - 1;
}

/* Bins of equal probability: under the right sampler the counts are equal. Then neighbours in pairs, which stand for
 * the dimensions of one latent vector: nothing, such as a common coin, may tie them. */
static void sampler_follows_density(const struct prior_case *c)
{
    static struct distribution d;
    double count[BINS] = {0}, expected[BINS], pairs[TABLE * TABLE] = {0}, pairs_expected[TABLE * TABLE];
    const real *z = draws_of(c);
    tabulate(c, &d);
    for (size_t i = 0; i < DRAWS; i++) count[bin_of(&d, (double)z[i], BINS)] += 1;
    for (size_t i = 0; i < DRAWS; i += 2)
        pairs[bin_of(&d, (double)z[i], TABLE) * TABLE + bin_of(&d, (double)z[i + 1], TABLE)] += 1;
    for (size_t i = 0; i < BINS; i++) expected[i] = (double)DRAWS / BINS;
    for (size_t i = 0; i < TABLE * TABLE; i++) pairs_expected[i] = DRAWS / 2.0 / (TABLE * TABLE);
    assert_chi_square(BINS, count, expected, c->label);
    assert_chi_square(TABLE * TABLE, pairs, pairs_expected, c->label);
}

static void test_samplers(void **state)
{
    (void)state;
    for_each_prior(sampler_follows_density);
}

static double choose(int n, int k) { return exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)); }

/* With a spike of variance 1e-6 it is plain which dimension is a spike. Their number in a vector is binomial: p is the
 * weight of the spike, and each dimension has a coin of its own. Through the public function, so its use of words is in
 * the test. */
static void test_coin_of_each_dimension(void **state)
{
    enum { L = 6, N = 20000 };
    static float z[N * L];
    const double p = 0.7;
    double count[L + 1] = {0}, expected[L + 1];
    vae_config config;
    vae_model *model;
    (void)state;
    vae_config_defaults(&config);
    assert_int_equal(vae_config_set(&config, "prior", "spikeslab:p=0.7,c2=1e-6", NULL), VAE_OK);
    assert_int_equal(vae_config_set(&config, "hidden", "2", NULL), VAE_OK);
    config.latent = L;
    assert_int_equal(vae_model_new(&model, &config, 1, 4, NULL), VAE_OK);
    assert_int_equal(vae_sample_prior(model, 9, N, z, NULL), VAE_OK);
    for (size_t i = 0; i < N; i++) {
        size_t spikes = 0;
        for (size_t j = 0; j < L; j++) spikes += fabsf(z[i * L + j]) < 0.006f; /* six deviations of the spike */
        count[spikes] += 1;
    }
    const double small = p + (1 - p) * (2 * normal_cdf(0.006) - 1); /* some of the slab is there too */
    for (int k = 0; k <= L; k++) expected[k] = N * choose(L, k) * pow(small, k) * pow(1 - small, L - k);
    assert_chi_square(L + 1, count, expected, "spikes in a vector");
    vae_model_free(&model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_samplers),
        cmocka_unit_test(test_coin_of_each_dimension),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
