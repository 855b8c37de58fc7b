/* SPDX-License-Identifier: MIT
 *
 * Ticks are 1, 2 or 5 times a power of ten apart (Heckbert 1990, "Nice numbers for graph labels"). On a logarithmic
 * axis they are powers of ten, with 2 and 5 times them where there are few, or round numbers where there is no power.
 */
#include "picture/ticks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TICKS = 64, TEXT = 32, PLAIN_DIGITS = 6, PLAIN_DECIMALS = 5 };

bool is_drawable(double value) { return fabs(value) < 1e150; }

double range_place(const struct range *r, double value)
{
    if (!is_drawable(value) || (r->log && value <= 0)) return (double)NAN;
    const double place = r->log ? log(value / r->low) / log(r->high / r->low) : (value - r->low) / (r->high - r->low);
    return fmax(-20, fmin(20, place));
}

double range_value(const struct range *r, double place)
{
    return r->log ? r->low * pow(r->high / r->low, place) : r->low + place * (r->high - r->low);
}

/* factor * 10^exponent; a quotient where the exponent is negative, as powers of 0.1 are not exact. */
static double scaled(double factor, int exponent)
{
    return exponent < 0 ? factor / pow(10, -exponent) : factor * pow(10, exponent);
}

/* The number's text with so many decimals and, unless `plain`, a power of ten: "-0.5", "2.5e6". */
static void write_number(char text[TEXT], double value, int decimals, bool plain)
{
    if (plain || value == 0) {
        snprintf(text, TEXT, "%.*f", plain ? decimals : 0, value + 0.0); /* no -0 */
    } else {
        snprintf(text, TEXT, "%.*e", decimals, value);
        char *e = strchr(text, 'e');
        if (e) snprintf(e, TEXT - (size_t)(e - text), "e%d", atoi(e + 1));
    }
    char *comma = strchr(text, ','); /* of a locale */
    if (comma) *comma = '.';
}

static void add_tick(struct store *store, struct ticks *ticks, double value, int decimals, bool plain)
{
    char text[TEXT];
    if (ticks->n == MOST_TICKS) return;
    write_number(text, value, decimals, plain);
    ticks->at[ticks->n] = value;
    ticks->text[ticks->n] = store_text(store, text);
    if (ticks->text[ticks->n]) ticks->n++;
}

static void add_even(struct store *store, const struct range *r, size_t about, struct ticks *ticks)
{
    const double wanted = (r->high - r->low) / (double)about, slack = 1e-9;
    int exponent = (int)floor(log10(wanted));
    const double rest = wanted / scaled(1, exponent); /* the nearest of 1, 2, 5 and 10 as a ratio */
    const int step = rest > sqrt(50) ? 1 : rest > sqrt(10) ? 5 : rest > sqrt(2) ? 2 : 1;
    if (rest > sqrt(50)) exponent++;
    const double width = scaled(step, exponent), most = fmax(fabs(r->low), fabs(r->high));
    const int size = most > 0 ? (int)floor(log10(most)) : 0;
    const bool plain = size < PLAIN_DIGITS && exponent >= -PLAIN_DECIMALS;
    for (double k = ceil(r->low / width - slack); k <= floor(r->high / width + slack) && ticks->n < MOST_TICKS; k++) {
        const double value = scaled(k * step, exponent);
        const int own = value != 0 ? (int)floor(log10(fabs(value)) + slack) : 0; /* a power of ten takes the rest */
        const int decimals = plain ? (exponent < 0 ? -exponent : 0) : own - exponent;
        add_tick(store, ticks, value, decimals > 0 ? (decimals < 15 ? decimals : 15) : 0, plain);
    }
}

/* Powers of ten, each `stride`-th, and where the stride is 0 with 2 and 5 times them. */
static void add_powers(struct store *store, const struct range *r, int stride, struct ticks *ticks)
{
    static const int factors[] = {1, 2, 5};
    const int first = (int)floor(log10(r->low)), last = (int)floor(log10(r->high) + 1e-9);
    for (int exponent = first; exponent <= last; exponent++) {
        const bool plain = exponent < PLAIN_DIGITS && exponent >= -PLAIN_DECIMALS;
        for (size_t i = 0; i < (stride ? 1 : 3); i++) {
            const double value = scaled(factors[i], exponent);
            if (value < r->low * (1 - 1e-9) || value > r->high * (1 + 1e-9) || (stride && exponent % stride)) continue;
            add_tick(store, ticks, value, plain && exponent < 0 ? -exponent : 0, plain);
        }
    }
}

struct ticks ticks_make(struct store *store, const struct range *r, size_t about)
{
    struct ticks ticks = {.at = store_take(store, MOST_TICKS, sizeof *ticks.at),
                          .text = store_take(store, MOST_TICKS, sizeof *ticks.text)};
    if (!ticks.at || !ticks.text) return ticks;
    const double decades = r->log ? log10(r->high) - log10(r->low) : 0;
    if (decades >= 2)
        add_powers(store, r, (int)ceil(decades / (double)about), &ticks);
    else if (r->log)
        add_powers(store, r, 0, &ticks);
    if (ticks.n < 3 && decades < 2) {
        ticks.n = 0;
        add_even(store, r, about, &ticks);
    }
    return ticks;
}
