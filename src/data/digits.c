/* SPDX-License-Identifier: MIT
 *
 * A digit is a table of knots. It is written the way a hand writes: the knots are jittered, a spline is laid through
 * them, the paper is warped by a smooth random field, slanted and turned, and a pen of varying pressure follows the
 * path. As in MNIST, the result is scaled to a box of 20x20 and its centre of mass is moved to the middle of the image.
 *
 * The same bytes must come out everywhere, so reals are doubles and only + - * / sqrt touch them: IEEE 754 rounds
 * those correctly, whereas sin or exp of two C libraries differ. (Contraction to fused multiply-adds has to be off.) */
#include <math.h>
#include <stdbool.h>

#include "base/rng.h"
#include "data/source.h"

enum { DIGITS_SIDE = 28, DIGITS_PIXELS = DIGITS_SIDE * DIGITS_SIDE };

/* ---- Letters: what each digit looks like ------------------------------------------------------------------------ */

/* M: put the pen down here. C: pass through in a curve. K: pass through, turning sharply. */
enum kind { END, M, C, K };

struct knot {
    uint8_t kind, x, y; /* hundredths of a unit box, y downwards */
};

enum { CLASSES = 10, STYLES = 4, KNOTS = 16 }; /* at most, with the END that zeros make */

static const struct knot glyphs[CLASSES][STYLES][KNOTS] =
    {
        [0] =
            {
                {{M, 56, 6},
                 {C, 34, 13},
                 {C, 21, 42},
                 {C, 26, 76},
                 {C, 47, 95},
                 {C, 70, 82},
                 {C, 79, 50},
                 {C, 71, 20},
                 {C, 54, 6}},
                {{M, 68, 17},
                 {C, 50, 5},
                 {C, 28, 24},
                 {C, 20, 60},
                 {C, 36, 93},
                 {C, 62, 86},
                 {C, 78, 54},
                 {C, 73, 22},
                 {C, 55, 8},
                 {C, 42, 15}},
                {{M, 50, 10},
                 {C, 24, 22},
                 {C, 10, 50},
                 {C, 22, 80},
                 {C, 50, 91},
                 {C, 80, 78},
                 {C, 91, 48},
                 {C, 76, 20},
                 {C, 46, 10}},
                {{M, 36, 12},
                 {C, 27, 40},
                 {C, 28, 76},
                 {C, 46, 95},
                 {C, 66, 78},
                 {C, 72, 44},
                 {C, 62, 14},
                 {C, 44, 6},
                 {C, 32, 20}},
            },
        [1] =
            {
                {{M, 52, 4}, {C, 50, 34}, {C, 49, 66}, {C, 49, 96}},
                {{M, 54, 4}, {C, 51, 50}, {C, 46, 96}},
                {{M, 34, 24}, {C, 44, 16}, {K, 54, 4}, {C, 53, 50}, {C, 51, 96}},
                {{M, 32, 25}, {C, 42, 18}, {K, 53, 5}, {C, 52, 50}, {C, 51, 94}, {M, 28, 95}, {C, 50, 94}, {C, 74, 95}},
            },
        [2] =
            {
                {{M, 22, 24}, {C, 42, 7}, {C, 66, 13}, {C, 70, 34}, {C, 52, 61}, {K, 20, 92}, {C, 50, 90}, {C, 84, 91}},
                {{M, 22, 24},
                 {C, 42, 6},
                 {C, 66, 14},
                 {C, 68, 38},
                 {C, 50, 66},
                 {C, 26, 90},
                 {C, 14, 86},
                 {C, 24, 74},
                 {C, 46, 82},
                 {C, 66, 92},
                 {C, 90, 84}},
                {{M, 18, 32},
                 {C, 24, 14},
                 {C, 48, 5},
                 {C, 70, 18},
                 {C, 66, 46},
                 {C, 44, 72},
                 {K, 18, 94},
                 {C, 46, 86},
                 {C, 64, 93},
                 {C, 84, 86}},
                {{M, 26, 14},
                 {C, 50, 5},
                 {C, 74, 20},
                 {C, 68, 46},
                 {C, 42, 72},
                 {C, 18, 84},
                 {C, 20, 70},
                 {C, 42, 74},
                 {C, 78, 95}},
            },
        [3] =
            {
                {{M, 24, 16},
                 {C, 46, 5},
                 {C, 68, 16},
                 {C, 64, 36},
                 {K, 42, 47},
                 {C, 68, 54},
                 {C, 76, 75},
                 {C, 56, 93},
                 {C, 22, 90}},
                {{M, 24, 18},
                 {C, 48, 5},
                 {C, 70, 18},
                 {C, 60, 40},
                 {C, 42, 49},
                 {C, 42, 44},
                 {C, 62, 50},
                 {C, 76, 72},
                 {C, 56, 94},
                 {C, 22, 84}},
                {{M, 24, 9},
                 {C, 48, 9},
                 {K, 74, 9},
                 {C, 60, 25},
                 {K, 44, 42},
                 {C, 68, 50},
                 {C, 75, 74},
                 {C, 54, 94},
                 {C, 22, 87}},
                {{M, 28, 12},
                 {C, 52, 6},
                 {C, 70, 22},
                 {C, 58, 40},
                 {K, 40, 46},
                 {C, 62, 50},
                 {C, 68, 70},
                 {C, 52, 90},
                 {C, 32, 96},
                 {C, 20, 86}},
            },
        [4] =
            {
                {{M, 28, 10}, {C, 24, 30}, {K, 20, 53}, {C, 50, 52}, {C, 82, 49}, {M, 70, 6}, {C, 66, 50}, {C, 63, 96}},
                {{M, 60, 5}, {C, 40, 32}, {K, 14, 64}, {C, 46, 63}, {C, 86, 61}, {M, 62, 5}, {C, 61, 50}, {C, 60, 96}},
                {{M, 28, 8}, {C, 22, 36}, {C, 32, 52}, {C, 54, 48}, {K, 74, 30}, {M, 76, 8}, {C, 72, 50}, {C, 66, 96}},
                {{M, 28, 14}, {C, 20, 38}, {C, 28, 54}, {C, 56, 51}, {C, 78, 42}, {M, 74, 6}, {C, 64, 46}, {C, 50, 96}},
            },
        [5] =
            {
                {{M, 34, 9},
                 {C, 31, 26},
                 {K, 28, 43},
                 {C, 54, 38},
                 {C, 74, 56},
                 {C, 66, 84},
                 {C, 44, 95},
                 {C, 18, 86},
                 {M, 34, 10},
                 {C, 56, 9},
                 {C, 80, 7}},
                {{M, 78, 8},
                 {C, 56, 9},
                 {K, 34, 11},
                 {C, 31, 26},
                 {K, 28, 42},
                 {C, 52, 41},
                 {C, 73, 60},
                 {C, 62, 87},
                 {C, 40, 95},
                 {C, 16, 86}},
                {{M, 80, 9},
                 {C, 56, 10},
                 {C, 38, 18},
                 {C, 36, 36},
                 {C, 58, 48},
                 {C, 70, 66},
                 {C, 58, 88},
                 {C, 36, 95},
                 {C, 16, 88}},
                {{M, 84, 6},
                 {C, 64, 10},
                 {K, 46, 10},
                 {C, 38, 28},
                 {K, 30, 44},
                 {C, 52, 50},
                 {C, 62, 68},
                 {C, 48, 90},
                 {C, 18, 94}},
            },
        [6] =
            {
                {{M, 66, 6},
                 {C, 40, 26},
                 {C, 24, 60},
                 {C, 34, 92},
                 {C, 60, 92},
                 {C, 72, 72},
                 {C, 56, 56},
                 {C, 36, 64},
                 {C, 27, 80}},
                {{M, 44, 4}, {C, 32, 34}, {C, 26, 70}, {C, 42, 95}, {C, 66, 88}, {C, 70, 66}, {C, 52, 56}, {C, 30, 70}},
                {{M, 72, 12},
                 {C, 48, 12},
                 {C, 28, 36},
                 {C, 22, 68},
                 {C, 38, 94},
                 {C, 66, 90},
                 {C, 76, 68},
                 {C, 58, 52},
                 {C, 28, 64}},
                {{M, 58, 4}, {C, 34, 40}, {C, 22, 78}, {C, 38, 96}, {C, 58, 82}, {C, 58, 64}, {C, 44, 62}, {C, 30, 80}},
            },
        [7] =
            {
                {{M, 18, 13}, {C, 46, 11}, {K, 78, 10}, {C, 62, 42}, {C, 50, 70}, {C, 44, 96}},
                {{M, 20, 12}, {C, 48, 11}, {K, 76, 8}, {C, 60, 42}, {C, 46, 96}, {M, 32, 54}, {C, 54, 52}, {C, 76, 50}},
                {{M, 19, 28}, {K, 22, 12}, {C, 50, 12}, {K, 80, 9}, {C, 56, 46}, {C, 44, 96}},
                {{M, 16, 22}, {C, 32, 10}, {C, 52, 16}, {C, 74, 12}, {C, 66, 40}, {C, 56, 66}, {C, 50, 96}},
            },
        [8] =
            {
                {{M, 72, 16},
                 {C, 50, 5},
                 {C, 29, 20},
                 {C, 42, 41},
                 {C, 64, 58},
                 {C, 71, 80},
                 {C, 50, 95},
                 {C, 28, 80},
                 {C, 38, 58},
                 {C, 60, 42},
                 {C, 74, 22},
                 {C, 62, 8}},
                {{M, 48, 46},
                 {C, 29, 28},
                 {C, 46, 6},
                 {C, 68, 24},
                 {C, 50, 47},
                 {C, 28, 72},
                 {C, 48, 95},
                 {C, 72, 74},
                 {C, 48, 46}},
                {{M, 70, 10},
                 {C, 46, 8},
                 {C, 34, 24},
                 {C, 50, 44},
                 {C, 62, 66},
                 {C, 54, 92},
                 {C, 34, 88},
                 {C, 36, 66},
                 {C, 56, 44},
                 {C, 74, 22},
                 {C, 72, 9}},
                {{M, 58, 8},
                 {C, 36, 14},
                 {C, 36, 36},
                 {C, 58, 52},
                 {C, 74, 74},
                 {C, 54, 94},
                 {C, 26, 84},
                 {C, 36, 58},
                 {C, 62, 38},
                 {C, 68, 16},
                 {C, 52, 7}},
            },
        [9] =
            {
                {{M, 70, 18}, {C, 50, 5}, {C, 28, 22}, {C, 34, 46}, {C, 56, 44}, {K, 71, 16}, {C, 69, 50}, {C, 64, 96}},
                {{M, 72, 16},
                 {C, 50, 6},
                 {C, 28, 24},
                 {C, 36, 47},
                 {C, 60, 42},
                 {K, 72, 16},
                 {C, 74, 52},
                 {C, 64, 86},
                 {C, 42, 95},
                 {C, 24, 86}},
                {{M, 66, 12},
                 {C, 42, 14},
                 {C, 28, 36},
                 {C, 42, 48},
                 {C, 62, 34},
                 {K, 70, 12},
                 {C, 62, 52},
                 {C, 46, 96}},
                {{M, 66, 36}, {C, 44, 50}, {C, 30, 32}, {C, 42, 8}, {C, 64, 12}, {C, 70, 38}, {C, 66, 68}, {C, 62, 96}},
            },
};

/* ---- Chance ----------------------------------------------------------------------------------------------------- */

/* Image i uses step i of its stream, so no image needs those before it. */
struct dice {
    struct rng rng;
    uint64_t block;
    uint32_t words[4];
    unsigned left;
};

static uint32_t word(struct dice *dice)
{
    if (dice->left == 0) {
        rng_block(&dice->rng, dice->block++, dice->words);
        dice->left = 4;
    }
    return dice->words[--dice->left];
}

/* One of 0 .. n-1. */
static size_t choose(struct dice *dice, size_t n) { return (size_t)((uint64_t)word(dice) * n >> 32); }

static double uniform(struct dice *dice, double low, double high)
{
    return low + (high - low) * (word(dice) + 0.5) / 4294967296.0;
}

/* Near enough to a normal: the sum of three uniforms on (-1, 1) has variance 3 * 1/3, and never leaves (-3, 3). */
static double bell(struct dice *dice, double deviation)
{
    double sum = 0;
    for (int i = 0; i < 3; i++) sum += uniform(dice, -1, 1);
    return sum * deviation;
}

/* ---- Bounds ----------------------------------------------------------------------------------------------------- */

static double larger(double a, double b) { return a > b ? a : b; }

static double smaller(double a, double b) { return a < b ? a : b; }

static double clamp(double x, double high) { return larger(0, smaller(x, high)); }

/* ---- The warped paper ------------------------------------------------------------------------------------------- */

/* A random smooth function on the unit box: a uniform cubic B-spline over CELLS x CELLS cells. The weights of its 16
 * coefficients keep about half of their deviation. */
enum { CELLS = 2, COEFFICIENTS = CELLS + 3 };

struct field {
    double at[COEFFICIENTS][COEFFICIENTS];
};

static void roll_field(struct field *field, struct dice *dice, double deviation)
{
    for (size_t r = 0; r < COEFFICIENTS; r++)
        for (size_t c = 0; c < COEFFICIENTS; c++) field->at[r][c] = bell(dice, deviation);
}

/* The four weights at x, and the first coefficient that they belong to. */
static size_t field_weights(double x, double weight[4])
{
    const double scaled = CELLS * clamp(x, 1);
    const size_t cell = scaled < CELLS ? (size_t)scaled : CELLS - 1;
    const double t = scaled - (double)cell, s = 1 - t;
    weight[0] = s * s * s / 6;
    weight[1] = (4 - 6 * t * t + 3 * t * t * t) / 6;
    weight[2] = (4 - 6 * s * s + 3 * s * s * s) / 6;
    weight[3] = t * t * t / 6;
    return cell;
}

/* ---- The path of the pen ---------------------------------------------------------------------------------------- */

struct point {
    double x, y;
};

struct dot {
    struct point at;
    double pen; /* width, relative until the path is fitted, then in pixels */
    bool down;  /* joined to the dot before it */
};

enum { PIECES = 4, DOTS = KNOTS * PIECES }; /* straight pieces of a curve between two knots */

struct path {
    size_t n;
    struct dot dots[DOTS];
};

/* Velocity at knot `here` of the curve from or to `near`, where `far` is the knot on the other side. Catmull-Rom takes
 * (near - far) / 2; at a corner or an end the far one is replaced by the mirror image of the near one. */
static struct point velocity(struct point far, struct point here, struct point near, bool smooth)
{
    const double vx = smooth ? (near.x - far.x) / 2 : near.x - here.x;
    const double vy = smooth ? (near.y - far.y) / 2 : near.y - here.y;
    return (struct point){vx, vy};
}

/* The cubic from a to b that starts with velocity va and ends with -vb. */
static struct point hermite(struct point a, struct point va, struct point vb, struct point b, double t)
{
    const double s = 1 - t;
    const double wa = s * s * (1 + 2 * t), wb = t * t * (1 + 2 * s), ua = s * s * t, ub = t * t * s;
    return (struct point){wa * a.x + wb * b.x + ua * va.x + ub * vb.x, wa * a.y + wb * b.y + ua * va.y + ub * vb.y};
}

static void trace_piece(struct path *path, const struct knot *knot, const struct point *p, size_t i)
{
    const bool before = knot[i].kind == C, after = knot[i + 1].kind == C && knot[i + 2].kind >= C;
    const struct point va = velocity(p[before ? i - 1 : i], p[i], p[i + 1], before);
    const struct point vb = velocity(p[after ? i + 2 : i + 1], p[i + 1], p[i], after);
    for (int k = 1; k <= PIECES; k++) {
        const struct point at = hermite(p[i], va, vb, p[i + 1], (double)k / PIECES);
        path->dots[path->n++] = (struct dot){.at = at, .pen = 1, .down = true};
    }
}

/* Lays the curve through the jittered knots, in the unit box. A careless hand strays from all of them. */
static void trace(struct path *path, const struct knot *knot, struct dice *dice)
{
    const double jitter = uniform(dice, 0.006, 0.032);
    struct point p[KNOTS];
    size_t n = 0;
    for (; knot[n].kind != END; n++) {
        p[n].x = knot[n].x / 100.0 + bell(dice, jitter);
        p[n].y = knot[n].y / 100.0 + bell(dice, jitter);
    }
    path->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (knot[i].kind == M) path->dots[path->n++] = (struct dot){.at = p[i], .pen = 1, .down = false};
        if (knot[i + 1].kind >= C) trace_piece(path, knot, p, i);
    }
}

/* Shifts every dot, and changes the pressure of the pen, by smooth functions of the place. */
static void warp(struct path *path, struct dice *dice)
{
    struct field dx, dy, pressure;
    roll_field(&dx, dice, 0.13);
    roll_field(&dy, dice, 0.13);
    roll_field(&pressure, dice, 0.25);
    for (struct dot *dot = path->dots; dot < path->dots + path->n; dot++) {
        double wx[4], wy[4], x = 0, y = 0, pen = 0;
        const size_t c = field_weights(dot->at.x, wx), r = field_weights(dot->at.y, wy);
        for (size_t i = 0; i < 16; i++) {
            const double w = wy[i / 4] * wx[i % 4];
            x += w * dx.at[r + i / 4][c + i % 4];
            y += w * dy.at[r + i / 4][c + i % 4];
            pen += w * pressure.at[r + i / 4][c + i % 4];
        }
        dot->at.x += x;
        dot->at.y += y;
        dot->pen += pen;
    }
}

/* Stretch, slant and turn. With t = tan(angle/2), cos = (1 - t^2) / (1 + t^2) and sin = 2t / (1 + t^2). */
static void tilt(struct path *path, struct dice *dice)
{
    const double stretch = 1 + bell(dice, 0.14), slant = 0.12 + bell(dice, 0.19), t = bell(dice, 0.05);
    const double cosine = (1 - t * t) / (1 + t * t), sine = 2 * t / (1 + t * t);
    for (struct dot *dot = path->dots; dot < path->dots + path->n; dot++) {
        const double x = stretch * dot->at.x - slant * dot->at.y, y = dot->at.y;
        dot->at.x = cosine * x - sine * y;
        dot->at.y = sine * x + cosine * y;
    }
}

/* ---- From path to pixels ---------------------------------------------------------------------------------------- */

/* The longer side of the bounding box. */
static double extent(const struct path *path)
{
    struct point low = path->dots[0].at, high = low;
    for (size_t i = 1; i < path->n; i++) {
        const struct point at = path->dots[i].at;
        low = (struct point){smaller(low.x, at.x), smaller(low.y, at.y)};
        high = (struct point){larger(high.x, at.x), larger(high.y, at.y)};
    }
    return larger(high.x - low.x, high.y - low.y);
}

/* The centre of mass of the ink, which a piece of line holds in proportion to its length and width. */
static struct point balance(const struct path *path)
{
    double mass = 0, x = 0, y = 0;
    for (size_t i = 1; i < path->n; i++) {
        const struct dot a = path->dots[i - 1], b = path->dots[i];
        const double dx = b.at.x - a.at.x, dy = b.at.y - a.at.y;
        const double ink = b.down ? sqrt(dx * dx + dy * dy) * (a.pen + b.pen) / 2 : 0;
        mass += ink;
        x += ink * (a.at.x + b.at.x) / 2;
        y += ink * (a.at.y + b.at.y) / 2;
    }
    return (struct point){x / mass, y / mass};
}

/* Chooses a pen and brings the path to pixels: ink fits into 20x20, balanced about the middle of the image. */
static void fit(struct path *path, struct dice *dice)
{
    const double pen = uniform(dice, 1.6, 3.6), box = uniform(dice, 19, 20);
    const double scale = (box - pen) / extent(path);
    const struct point centre = balance(path);
    const double shift_x = bell(dice, 0.25), shift_y = bell(dice, 0.25);
    for (struct dot *dot = path->dots; dot < path->dots + path->n; dot++) {
        dot->at.x = (dot->at.x - centre.x) * scale + DIGITS_SIDE / 2.0 + shift_x;
        dot->at.y = (dot->at.y - centre.y) * scale + DIGITS_SIDE / 2.0 + shift_y;
        dot->pen *= pen;
    }
}

static int to_pixel(double x) { return (int)clamp(x, DIGITS_SIDE - 1); }

/* Inks the line from a to b. A pixel is covered by width/2 + 1/2 - distance, within [0, 1], as if its edge ran parallel
 * to the line's. With q the pixel minus a and d = b - a, the nearest point of the line is a + s d, s = q.d / d.d within
 * [0, 1]. */
static void draw_line(uint8_t *pixels, const struct dot a, const struct dot b)
{
    const double dx = b.at.x - a.at.x, dy = b.at.y - a.at.y, length2 = dx * dx + dy * dy;
    const double inverse = length2 > 0 ? 1 / length2 : 0, reach = larger(a.pen, b.pen) / 2 + 0.5;
    const int top = to_pixel(smaller(a.at.y, b.at.y) - reach), bottom = to_pixel(larger(a.at.y, b.at.y) + reach);
    const int left = to_pixel(smaller(a.at.x, b.at.x) - reach), right = to_pixel(larger(a.at.x, b.at.x) + reach);
    for (int row = top; row <= bottom; row++) {
        for (int column = left; column <= right; column++) {
            const double qx = column + 0.5 - a.at.x, qy = row + 0.5 - a.at.y;
            const double s = clamp((qx * dx + qy * dy) * inverse, 1);
            const double ex = qx - s * dx, ey = qy - s * dy;
            const double cover = (a.pen + s * (b.pen - a.pen)) / 2 + 0.5 - sqrt(ex * ex + ey * ey);
            const int ink = (int)(255 * clamp(cover, 1) + 0.5);
            uint8_t *pixel = &pixels[row * DIGITS_SIDE + column];
            *pixel = (uint8_t)(ink > *pixel ? ink : *pixel);
        }
    }
}

static uint8_t draw_digit(uint64_t seed, uint64_t image, uint8_t *pixels)
{
    struct dice dice = {.rng = {.seed = seed, .step = image, .stream = RNG_DIGITS}};
    struct path path;
    const size_t label = choose(&dice, CLASSES), style = choose(&dice, STYLES);
    trace(&path, glyphs[label][style], &dice);
    warp(&path, &dice);
    tilt(&path, &dice);
    fit(&path, &dice);
    for (size_t i = 0; i < DIGITS_PIXELS; i++) pixels[i] = 0;
    for (size_t i = 1; i < path.n; i++)
        if (path.dots[i].down) draw_line(pixels, path.dots[i - 1], path.dots[i]);
    return (uint8_t)label;
}

/* Draws images first .. first+n-1 of the sequence that belongs to `seed`: (n, 28, 28) pixels, 0 paper to 255 ink, and n
 * labels 0..9. Image i depends on (seed, i) alone, down to the byte, on every machine with IEEE doubles. */
static void draw_digits(uint64_t seed, size_t first, size_t n, uint8_t *pixels, uint8_t *labels)
{
    for (size_t i = 0; i < n; i++) labels[i] = draw_digit(seed, first + i, pixels + i * DIGITS_PIXELS);
}

/* ---- As a source of data ---------------------------------------------------------------------------------------- */

enum { TRAIN, TEST, SEED };

static const vae_param params[] = {
    [TRAIN] = VAE_COUNT("train", 10000, 1, 1e7, "training images"),
    [TEST] = VAE_COUNT("test", 1000, 1, 1e7, "test images"),
    [SEED] = VAE_COUNT("seed", 1, 0, 9007199254740992.0, "another seed, another set"),
    {0},
};

static vae_status open_digits(vae_data *data, const double *param, vae_error *err)
{
    const size_t train = (size_t)param[TRAIN], test = (size_t)param[TEST];
    const uint64_t seed = (uint64_t)param[SEED];
    vae_status status = images_new(&data->train, train, DIGITS_SIDE, DIGITS_SIDE, true, err);
    if (!status) status = images_new(&data->test, test, DIGITS_SIDE, DIGITS_SIDE, true, err);
    if (status) return status;
    draw_digits(seed, 0, train, data->train.pixels, data->train.labels);
    draw_digits(seed, train, test, data->test.pixels, data->test.labels);
    return VAE_OK;
}

const struct source_ops source_digits = {
    .module = {.name = "digits",
               .summary = "28x28 handwritten-looking digits with labels, drawn by the program",
               .formula = "strokes with random style, warp, slant and pen",
               .params = params},
    .open = open_digits,
};
