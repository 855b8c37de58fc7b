/* SPDX-License-Identifier: MIT
 *
 * Is a likelihood what its table says? One pixel given its outputs is a distribution over the pixels that are taken: 0
 * and 1, or an interval, or all real numbers, over which it is integrated in x - mean, on the mesh of scalar.h. Outputs
 * are those that stand for a mean (`output_for`), where the integral has to be one, and others, where it may be less
 * but not more. Slopes are those of -log p(x) of a whole image, in each output and in each number that is learned. */
#include "likelihood/likelihood.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/choice.h"
#include "base/memory.h"
#include "base/rng.h"
#include "check/scalar.h"

enum { PIXELS = 21, MOST_OUTPUTS = 4, MOST_NUMBERS = 4, DRAWS = 100000 };

struct bench {
    struct findings *f;
    const struct likelihood_ops *likelihood;
    struct likelihood_state *state;
    size_t outputs, numbers; /* of a pixel; that are learned */
    real number[MOST_NUMBERS];
    struct scalar line;
    real out[PIXELS * MOST_OUTPUTS], x[PIXELS];
    uint32_t bits[DRAWS];
    real draw[DRAWS];
};

static double nll(const struct bench *c, size_t D, const real *out, const real *x)
{
    return c->likelihood->nll(c->state, D, out, x, 1, NULL, &(struct learned){c->number, NULL});
}

/* ---- One pixel as a distribution -------------------------------------------------------------------------------- */

/* Sums of p(x) and of x p(x), from the lowest x to the highest, and how far draws, in order, are from the former. */
struct sums {
    double mass, mean;
    const real *draw; /* (DRAWS), or NULL */
    size_t below;
    double distance; /* of Kolmogorov and Smirnov */
};

static void add(struct sums *sums, const struct bench *c, const real *out, double x, double share)
{
    const real pixel = R(x);
    const double p = share * exp(-nll(c, 1, out, &pixel));
    sums->mass += p;
    sums->mean += p * (double)pixel;
}

/* All below x has been added. */
static void compare_draws(struct sums *sums, double x)
{
    if (!sums->draw) return;
    while (sums->below < DRAWS && (double)sums->draw[sums->below] <= x) sums->below++;
    sums->distance = fmax(sums->distance, fabs((double)sums->below / DRAWS - sums->mass));
}

static void sum_coin(const struct bench *c, const real *out, struct sums *sums)
{
    for (int x = 0; x <= 1; x++) {
        add(sums, c, out, x, 1);
        compare_draws(sums, x);
    }
}

/* By the midpoint rule in t, x = lowest + (highest - lowest) / (1 + e^-t): dense at both ends. */
static void sum_interval(const struct bench *c, const real *out, struct sums *sums)
{
    enum { LINE = 4000, REACH = 40 };
    const double low = c->likelihood->lowest, width = c->likelihood->highest - low, h = 2.0 * REACH / LINE;
    for (size_t i = 0; i < LINE; i++) {
        const double t = ((double)i + 0.5) * h - REACH, share = 1 / (1 + exp(-t));
        add(sums, c, out, low + width * share, h * width * share * (1 - share));
        compare_draws(sums, low + width / (1 + exp(-t - h / 2)));
    }
}

static void sum_line(const struct bench *c, const real *out, double middle, struct sums *sums)
{
    for (size_t cell = 0; cell < CELLS; cell++) {
        if (fabs((double)c->line.z[cell * NODES]) > FAR) continue;
        for (size_t i = cell * NODES, k = 0; k < NODES; i++, k++) {
            const double y = (double)c->line.z[i];
            add(sums, c, out, middle + y, weight[k] * fabs(y) / (2 * FINENESS));
        }
        compare_draws(sums, middle + place(cell, cell < PANELS ? -1 : 1));
    }
}

static void sum_pixel(const struct bench *c, const real *out, double middle, struct sums *sums)
{
    const struct likelihood_ops *p = c->likelihood;
    if (p->discrete)
        sum_coin(c, out, sums);
    else if (isfinite(p->lowest) && isfinite(p->highest))
        sum_interval(c, out, sums);
    else
        sum_line(c, out, middle, sums);
}

static bool is_taken(const struct likelihood_ops *p, double x) { return x >= p->lowest && x <= p->highest; }

static int by_size(const void *a, const void *b)
{
    const real x = *(const real *)a, y = *(const real *)b;
    return (x > y) - (x < y);
}

/* Draws of one pixel with these outputs, in order; those that are no pixels are counted. */
static void draw_pixel(struct bench *c, const real *output)
{
    double strange = 0;
    for (size_t i = 0; i < DRAWS; i += PIXELS) {
        const size_t n = DRAWS - i < PIXELS ? DRAWS - i : PIXELS;
        real out[PIXELS * MOST_OUTPUTS];
        for (size_t k = 0; k < n * c->outputs; k++) out[k] = output[k / n];
        c->likelihood->sample(c->state, n, out, c->bits + i, &(struct learned){c->number, NULL}, c->draw + i);
    }
    for (size_t i = 0; i < DRAWS; i++) strange += !is_taken(c->likelihood, (double)c->draw[i]);
    note(c->f, NO_PIXELS, strange, "draws at output %.4g", (double)*output);
    qsort(c->draw, DRAWS, sizeof *c->draw, by_size);
}

/* Outputs of a mean picture; with draws, or without, which take most of the time. */
static void check_mean(struct bench *c, double wanted, bool draws)
{
    const real at = R(wanted), deviation = R(0.3);
    struct sums sums = {0};
    real out[MOST_OUTPUTS], mean;
    c->likelihood->output_for(c->state, 1, &at, &deviation, out);
    c->likelihood->mean(c->state, 1, out, &mean);
    if (draws) draw_pixel(c, out);
    sums.draw = draws ? c->draw : NULL;
    sum_pixel(c, out, (double)mean, &sums);
    note(c->f, PIXEL_MASS, fabs(sums.mass - 1), "mean %g, sum %.6g", wanted, sums.mass);
    note(c->f, MEAN, relative_error((double)mean, sums.mean / sums.mass), "%.6g, integral %.6g", (double)mean,
         sums.mean / sums.mass);
    note(c->f, NO_PIXELS, !is_taken(c->likelihood, (double)mean), "mean %g", (double)mean);
    if (draws) note(c->f, SAMPLER, sums.distance, "mean %g", wanted);
}

/* Any outputs, also very large ones. */
static void check_any_outputs(struct bench *c)
{
    static const double at[] = {-1e4, -60, -8, -2, 0, 0.3, 3, 9, 70, 1e4};
    for (size_t i = 0; i < sizeof at / sizeof *at; i++) {
        const bool infinite = !isfinite(c->likelihood->lowest) || !isfinite(c->likelihood->highest);
        real out[MOST_OUTPUTS], mean;
        for (size_t k = 0; k < c->outputs; k++) out[k] = R(k ? fmin(5, fmax(-5, at[i])) : at[i]);
        c->likelihood->mean(c->state, 1, out, &mean);
        note(c->f, NO_PIXELS, !is_taken(c->likelihood, (double)mean), "output %g, mean %g", at[i], (double)mean);
        if (infinite && fabs(at[i]) > 10) continue; /* where rounding x - mean hides a narrow density */
        struct sums sums = {0};
        sum_pixel(c, out, (double)mean, &sums);
        note(c->f, MORE_THAN_ONE, fmax(0, sums.mass - 1) + 0 * sums.mass, "output %g, sum %.6g", at[i], sums.mass);
    }
}

/* Pixels at the ends of what is taken, or far out, and outputs likewise. */
static void check_ends(struct bench *c)
{
    static const double at[] = {-1e4, -100, 0, 100, 1e4};
    const double ends[] = {fmax(c->likelihood->lowest, -1e4), fmin(c->likelihood->highest, 1e4)};
    for (size_t i = 0; i < 10; i++) {
        const real x = R(ends[i % 2]);
        real out[MOST_OUTPUTS], grad[MOST_OUTPUTS], numbers[MOST_NUMBERS];
        for (size_t k = 0; k < c->outputs; k++) out[k] = R(at[(i / 2 + k) % 5]);
        double sum = c->likelihood->nll(c->state, 1, out, &x, 1, grad, &(struct learned){c->number, numbers});
        for (size_t k = 0; k < c->outputs; k++) sum += (double)grad[k];
        for (size_t k = 0; k < c->numbers; k++) sum += (double)numbers[k];
        note(c->f, ENDS, !isfinite(sum), "pixel %g, output %g", (double)x, at[i / 2]);
    }
    for (size_t k = 0; k < c->outputs; k++) {
        real out[MOST_OUTPUTS] = {0};
        const real x = R(ends[1] < 1 ? ends[1] : 1);
        out[k] = R(NAN);
        note(c->f, NOT_A_NUMBER, !isnan(nll(c, 1, out, &x)), "output %zu", k);
    }
}

/* ---- Slopes ----------------------------------------------------------------------------------------------------- */

struct number {
    struct bench *c;
    real *at;
    size_t first, n; /* pixels whose value depends on it: the others would only round it */
};

static double nll_along(void *context, double at)
{
    const struct number *number = context;
    const struct bench *c = number->c;
    real out[PIXELS * MOST_OUTPUTS];
    *number->at = R(at);
    for (size_t k = 0; k < c->outputs; k++)
        memcpy(out + k * number->n, c->out + k * PIXELS + number->first, number->n * sizeof *out);
    return nll(c, number->n, out, c->x + number->first);
}

/* A pixel that misses its mean by many deviations has slopes of that size. */
static double number_error(struct number number, double slope)
{
    const real kept = *number.at;
    const double error = slope_error(nll_along, &number, (double)kept, 0.02, slope, 1);
    *number.at = kept;
    return error;
}

static void make_image(struct bench *c)
{
    for (size_t i = 0; i < PIXELS; i++) {
        const double u = seeded(i, -0.4, 1.4);
        c->x[i] = R(u < 0 ? 0 : u > 1 ? 1 : u);
    }
    for (size_t i = 0; i < PIXELS * c->outputs; i++) c->out[i] = R(seeded(500 + i, -4, 4));
    for (size_t k = 0; k < c->numbers; k++) c->number[k] = R(seeded(k, -1, 1));
}

static void check_slopes(struct bench *c)
{
    const double factor = -0.37;
    real grad[PIXELS * MOST_OUTPUTS], numbers[MOST_NUMBERS];
    c->likelihood->nll(c->state, PIXELS, c->out, c->x, R(factor), grad, &(struct learned){c->number, numbers});
    for (size_t i = 0; i < PIXELS * c->outputs; i++) {
        const struct number number = {c, &c->out[i], i % PIXELS, 1};
        note(c->f, SLOPE_OF_OUTPUTS, number_error(number, (double)grad[i] / factor), "output %zu of pixel %zu",
             i / PIXELS, i % PIXELS);
    }
    for (size_t k = 0; k < c->numbers; k++)
        note(c->f, SLOPE_OF_TENSORS,
             number_error((struct number){c, &c->number[k], 0, PIXELS}, (double)numbers[k] / factor), "number %zu", k);
}

/* ---- Rules for callbacks ---------------------------------------------------------------------------------------- */

struct outputs {
    double value;
    struct guarded grad, mean, draw;
    real numbers[MOST_NUMBERS];
};

static void call(const struct bench *c, struct outputs *o)
{
    memset(o->numbers, 0, sizeof o->numbers);
    guard(&o->grad, sizeof o->grad);
    guard(&o->mean, sizeof o->mean);
    guard(&o->draw, sizeof o->draw);
    o->value = c->likelihood->nll(c->state, PIXELS, c->out, c->x, R(0.5), inside(&o->grad),
                                  &(struct learned){c->number, o->numbers});
    c->likelihood->mean(c->state, PIXELS, c->out, inside(&o->mean));
    c->likelihood->sample(c->state, PIXELS, c->out, c->bits, &(struct learned){c->number, NULL}, inside(&o->draw));
}

static double differences(const struct outputs *a, const struct outputs *b)
{
    return differing(&a->value, &b->value, 1, sizeof a->value) +
           differing(a->numbers, b->numbers, MOST_NUMBERS, sizeof(real)) +
           differing(&a->grad, &b->grad, sizeof a->grad, 1) + differing(&a->mean, &b->mean, sizeof a->mean, 1) +
           differing(&a->draw, &b->draw, sizeof a->draw, 1);
}

/* -log p is the sum of that of each pixel, and the slopes are each pixel's. */
static void check_alone(struct bench *c, struct outputs *all)
{
    const real *grad = inside(&all->grad), *mean = inside(&all->mean);
    double sum = 0;
    for (size_t i = 0; i < PIXELS; i++) {
        real out[MOST_OUTPUTS], alone[MOST_OUTPUTS], numbers[MOST_NUMBERS], here, draw;
        for (size_t k = 0; k < c->outputs; k++) out[k] = c->out[k * PIXELS + i];
        sum += c->likelihood->nll(c->state, 1, out, c->x + i, R(0.5), alone, &(struct learned){c->number, numbers});
        c->likelihood->mean(c->state, 1, out, &here);
        c->likelihood->sample(c->state, 1, out, c->bits + i, &(struct learned){c->number, NULL}, &draw);
        note(c->f, ALONE, differing(&draw, (real *)inside(&all->draw) + i, 1, sizeof draw), "draw of pixel %zu", i);
        for (size_t k = 0; k < c->outputs; k++)
            note(c->f, CUT, relative_error((double)alone[k], (double)grad[k * PIXELS + i]), "slope at pixel %zu", i);
        note(c->f, CUT, relative_error((double)here, (double)mean[i]), "mean of pixel %zu", i);
    }
    note(c->f, CUT, relative_error(sum, all->value), "-log p, pixel by pixel");
}

static void check_rules(struct bench *c)
{
    struct outputs first, second;
    real out[PIXELS * MOST_OUTPUTS], x[PIXELS];
    memcpy(out, c->out, sizeof out);
    memcpy(x, c->x, sizeof x);
    call(c, &first);
    call(c, &second);
    note(c->f, AGAIN, differences(&first, &second), "-log p, slopes, mean and draws");
    check_alone(c, &first);
    note(c->f, OUTSIDE, differing(out, c->out, sizeof out, 1) + differing(x, c->x, sizeof x, 1), "inputs");
    note(c->f, OUTSIDE, changed_around(&first.grad, PIXELS * c->outputs * sizeof(real)), "slopes");
    note(c->f, OUTSIDE, changed_around(&first.mean, PIXELS * sizeof(real)), "mean");
    note(c->f, OUTSIDE, changed_around(&first.draw, PIXELS * sizeof(real)), "draws");
    note(c->f, OUTSIDE, guard_changed((char *)c->state + c->likelihood->state_size, GUARD), "state");
    /* The slopes may take the place of the outputs. */
    const double value = c->likelihood->nll(c->state, PIXELS, out, c->x, R(0.5), out,
                                            &(struct learned){c->number, first.numbers});
    note(c->f, AGAIN, differing(&value, &second.value, 1, sizeof value), "-log p in place");
    note(c->f, AGAIN, differing(out, inside(&second.grad), PIXELS * c->outputs, sizeof *out), "slopes in place");
}

/* ---- All of it -------------------------------------------------------------------------------------------------- */

static vae_status count_numbers(struct bench *c, const vae_choice *choice, vae_error *err)
{
    struct block *block = mem_new(1, sizeof *block, err);
    if (!block) return VAE_E_MEMORY;
    const struct tensor *tensor = c->likelihood->declare ? c->likelihood->declare(choice->value, block) : NULL;
    c->numbers = tensor ? tensor->count : 0;
    c->outputs = likelihood_outputs(c->likelihood, choice->value);
    free(block);
    if (c->outputs <= MOST_OUTPUTS && c->numbers <= MOST_NUMBERS) return VAE_OK;
    return vae_fail(err, VAE_E_INTERNAL, "likelihood %s: %zu outputs, %zu learned numbers (checked are at most %d)",
                    choice->name, c->outputs, c->numbers, MOST_OUTPUTS);
}

static vae_status check_at(struct bench *c, const vae_choice *choice, vae_error *err)
{
    static const double means[] = {0.35, 0, 0.02, 0.1, 0.48, 0.8, 1};
    memset(c->state, 0, c->likelihood->state_size);
    guard((char *)c->state + c->likelihood->state_size, GUARD);
    c->likelihood->init(c->state, choice->value);
    choice_text(choice, &c->likelihood->module, c->f->label, sizeof c->f->label);
    const vae_status status = count_numbers(c, choice, err);
    if (status) return status;
    make_image(c);
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) check_mean(c, means[i], i == 0);
    check_any_outputs(c);
    check_ends(c);
    check_slopes(c);
    check_rules(c);
    return VAE_OK;
}

vae_status check_likelihood(struct findings *f, const struct likelihood_ops *likelihood, const vae_choice *given,
                            vae_error *err)
{
    vae_choice choice;
    struct bench *c = mem_new(1, sizeof *c, err);
    struct likelihood_state *state = c ? mem_new(1, likelihood->state_size + GUARD, err) : NULL;
    vae_status status = state ? VAE_OK : VAE_E_MEMORY;
    if (c) {
        c->f = f;
        c->likelihood = likelihood;
        c->state = state;
        scalar_lay(&c->line);
        rng_words(&(struct rng){.seed = 1, .stream = RNG_DATA}, 0, DRAWS, c->bits);
    }
    for (size_t i = 0; !status && next_choice(&likelihood->module, given, false, i, &choice); i++) {
        const char *conflict = likelihood->conflict ? likelihood->conflict(choice.value) : NULL;
        if (!conflict)
            status = check_at(c, &choice, err);
        else if (i == 0)
            status = vae_fail(err, VAE_E_USAGE, "likelihood %s: %s", given->name, conflict);
    }
    free(state);
    free(c);
    return status;
}
