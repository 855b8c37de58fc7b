/* SPDX-License-Identifier: MIT
 *
 * RealNVP prior: an invertible map of z to w ~ N(0, I), made of N affine coupling blocks (Dinh, Sohl-Dickstein &
 * Bengio, "Density estimation using Real NVP", 2017; as a prior: Huang et al. 2017, Bauer & Mnih 2019, appendix C).
 *
 * z is cut into two parts, which take turns. With p_0 the first part and p_(-1) the second one, block t maps
 *
 *     p_(t+1) = (p_(t-1) - b_t(p_t)) e^(-s_t(p_t)),   s = c tanh(raw / c), c = 2,   (raw, b) = network t of p_t
 *     log p(z) = log N(p_N; 0, I) + log N(p_(N-1); 0, I) - sum_t sum_j s_t,j
 *
 * so every p is written once and read as the input of a network. Backwards, with g_t = d log p / d p_t:
 *
 *     g_N = -p_N,  g_(N-1) = -p_(N-1)
 *     g_(t-1) += g_(t+1) e^(-s),   d/db = -g_(t+1) e^(-s),   d/ds = -g_(t+1) p_(t+1) - 1,   g_t += J^T (d/draw, d/db)
 *
 * The last layer of each network starts at zero, and the prior as exactly N(0, I). */
#include <stdio.h>
#include <string.h>

#include "base/simd.h"
#include "prior/joint.h"
#include "prior/prior.h"

enum { BLOCKS, WIDTH, LAYERS };
enum { MOST_BLOCKS = 16 };

struct file {
    real *p[MOST_BLOCKS + 2]; /* (rows, width of the part) p_(t-1) at index t */
    real *g[MOST_BLOCKS + 2]; /* weight * d log p / dp, likewise */
    real *decay[MOST_BLOCKS]; /* (rows, width) e^(-s_t) */
    real *dx[2];              /* (rows, width of either part) what a network gives back to its input */
};

static const real C = 2;

static const vae_param params[] = {
    [BLOCKS] = VAE_COUNT("blocks", 4, 1, MOST_BLOCKS, "coupling blocks"),
    [WIDTH] = VAE_COUNT("width", 100, 1, 4096, "hidden units of a layer of their networks"),
    [LAYERS] = VAE_COUNT("layers", 2, 1, 4, "hidden layers of their networks"),
    {0},
};

/* Of p_t; t = -1 is the second part. */
static size_t part_width(size_t L, size_t t) { return t % 2 ? L / 2 : L - L / 2; }

static vae_status declare(struct declared *declared, struct block *block, vae_error *err)
{
    const struct activation *relu = activation_find("relu");
    if (declared->L < 2)
        return vae_fail(err, VAE_E_USAGE,
                        "prior realnvp couples two parts of the latents (expected latent at least 2)");
    for (size_t t = 0; t < (size_t)declared->param[BLOCKS]; t++) {
        char side[TENSOR_NAME];
        snprintf(side, sizeof side, "prior.%u", (unsigned)t);
        const size_t in = part_width(declared->L, t), out = 2 * part_width(declared->L, t + 1);
        declare_net(declared, block, side, in, (size_t)declared->param[LAYERS], (size_t)declared->param[WIDTH], relu,
                    out);
        for (size_t i = 1; i <= 2; i++) block->tensor[block->tensors - i].start = START_VALUE; /* zero */
    }
    return VAE_OK;
}

static void lay_out(struct density *d, struct arena *arena)
{
    struct file *f = d->file;
    const size_t rows = density_rows(d), blocks = d->declared->nets;
    for (size_t t = 0; t < blocks + 2; t++) {
        f->p[t] = arena_take(arena, rows * part_width(d->L, t + 1), sizeof(real));
        if (d->learns) f->g[t] = arena_take(arena, rows * part_width(d->L, t + 1), sizeof(real));
    }
    for (size_t i = 0; i < 2 && d->learns; i++) f->dx[i] = arena_take(arena, rows * part_width(d->L, i), sizeof(real));
    for (size_t t = 0; t < blocks; t++) {
        f->decay[t] = arena_take(arena, rows * part_width(d->L, t + 1), sizeof(real));
        d->run[t].x = f->p[t + 1];
    }
}

static void derive(struct density *d) { (void)d; }

/* From raw (n) and b behind it: e^(-s) and p_(t+1); returns sum s. */
VAE_SIMD static real couple(size_t n, const real *raw, const real *before, real *decay, real *after)
{
    const real *b = raw + n;
    real sum = 0;
    for (size_t j = 0; j < n; j++) {
        const real s = C * vm_tanh(raw[j] / C);
        decay[j] = vm_exp(-s);
        after[j] = (before[j] - b[j]) * decay[j];
        sum += s;
    }
    return sum;
}

static void cut(struct density *d, struct span rows, const real *z)
{
    const size_t first = part_width(d->L, 0), second = d->L - first;
    for (size_t r = rows.begin; r < rows.end; r++, z += d->L) {
        memcpy(d->file->p[1] + r * first, z, first * sizeof *z);
        memcpy(d->file->p[0] + r * second, z + first, second * sizeof *z);
    }
}

static double standard_log_density(size_t n, const real *w)
{
    double squares = 0;
    for (size_t j = 0; j < n; j++) squares += (double)w[j] * (double)w[j];
    return -0.5 * squares - 0.91893853320467274178 * (double)n;
}

static void log_prob(struct density *d, struct span rows, const real *z, double *logp)
{
    struct file *f = d->file;
    const size_t blocks = d->declared->nets;
    cut(d, rows, z);
    for (size_t i = 0; i < rows.end - rows.begin; i++) logp[i] = 0;
    for (size_t t = 0; t < blocks; t++) {
        const size_t n = part_width(d->L, t + 1);
        net_forward_rows(d->params, &d->run[t], rows);
        for (size_t r = rows.begin; r < rows.end; r++)
            logp[r - rows.begin] -= (double)couple(n, run_result(&d->run[t]) + r * 2 * n, f->p[t] + r * n,
                                                   f->decay[t] + r * n, f->p[t + 2] + r * n);
    }
    for (size_t t = blocks; t < blocks + 2; t++)
        for (size_t r = rows.begin; r < rows.end; r++) {
            const size_t n = part_width(d->L, t + 1);
            logp[r - rows.begin] += standard_log_density(n, f->p[t] + r * n);
        }
}

/* From g_(t+1) and the weight of the row: d/draw, d/db and, added, g_(t-1). */
VAE_SIMD static void uncouple(size_t n, real weight, const real *raw, const real *decay, const real *after,
                              const real *g_after, real *d_raw, real *g_before)
{
    real *d_b = d_raw + n;
    for (size_t j = 0; j < n; j++) {
        const real through = g_after[j] * decay[j], tanh = vm_tanh(raw[j] / C);
        d_raw[j] = (-g_after[j] * after[j] - weight) * (R(1) - tanh * tanh);
        d_b[j] = -through;
        g_before[j] += through;
    }
}

/* The last two parts are standard normal; the others get their gradient from later blocks. */
static void start_gradients(struct density *d, struct span rows, const real *weight)
{
    struct file *f = d->file;
    const size_t blocks = d->declared->nets;
    for (size_t t = 0; t < blocks + 2; t++) {
        const size_t n = part_width(d->L, t + 1);
        for (size_t r = rows.begin; r < rows.end; r++)
            for (size_t j = r * n; j < (r + 1) * n; j++)
                f->g[t][j] = t < blocks ? R(0) : -weight[r - rows.begin] * f->p[t][j];
    }
}

static void add(struct span rows, size_t n, const real *from, real *to)
{
    for (size_t i = rows.begin * n; i < rows.end * n; i++) to[i] += from[i];
}

static void backward(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    struct file *f = d->file;
    const size_t first = part_width(d->L, 0), second = d->L - first;
    (void)z;
    start_gradients(d, rows, weight);
    for (size_t t = d->declared->nets; t-- > 0;) {
        struct run *run = &d->run[t];
        const size_t n = part_width(d->L, t + 1);
        real *d_out = run->gradient[run->net->layers - 1];
        for (size_t r = rows.begin; r < rows.end; r++)
            uncouple(n, weight[r - rows.begin], run_result(run) + r * 2 * n, f->decay[t] + r * n, f->p[t + 2] + r * n,
                     f->g[t + 2] + r * n, d_out + r * 2 * n, f->g[t] + r * n);
        net_backward_rows(d->params, run, rows, f->dx[t % 2]);
        add(rows, part_width(d->L, t), f->dx[t % 2], f->g[t + 1]);
    }
    for (size_t r = rows.begin; r < rows.end; r++, dz += d->L) {
        for (size_t j = 0; j < first; j++) dz[j] += f->g[1][r * first + j];
        for (size_t j = 0; j < second; j++) dz[first + j] += f->g[0][r * second + j];
    }
}

/* p_(t-1) = p_(t+1) e^s + b. */
VAE_SIMD static void invert(size_t n, const real *raw, const real *after, real *before)
{
    for (size_t j = 0; j < n; j++) before[j] = after[j] * vm_exp(C * vm_tanh(raw[j] / C)) + raw[n + j];
}

static void draw_noise(struct density *d, const struct rng *rng, struct span rows, size_t place)
{
    struct file *f = d->file;
    const size_t blocks = d->declared->nets, n = part_width(d->L, blocks);
    for (size_t r = rows.begin; r < rows.end; r++, place++)
        for (size_t j = 0; j < d->L; j++) {
            uint32_t word[4];
            rng_block(rng, place * d->L + j, word);
            real *to = j < n ? f->p[blocks + 1] + r * n + j : f->p[blocks] + r * (d->L - n) + j - n;
            *to = d->temperature * rng_normal(word[0]);
        }
}

static vae_status draw(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                       vae_error *err)
{
    struct file *f = d->file;
    const size_t first = part_width(d->L, 0), second = d->L - first;
    (void)err;
    draw_noise(d, rng, rows, place);
    for (size_t t = d->declared->nets; t-- > 0;) {
        const size_t n = part_width(d->L, t + 1);
        net_forward_rows(d->params, &d->run[t], rows);
        for (size_t r = rows.begin; r < rows.end; r++)
            invert(n, run_result(&d->run[t]) + r * 2 * n, f->p[t + 2] + r * n, f->p[t] + r * n);
    }
    for (size_t r = rows.begin; r < rows.end; r++, z += d->L) {
        memcpy(z, f->p[1] + r * first, first * sizeof *z);
        memcpy(z + first, f->p[0] + r * second, second * sizeof *z);
    }
    return VAE_OK;
}

static const struct joint_ops joint = {
    .size = sizeof(struct file),
    .tempered = true,
    .declare = declare,
    .lay_out = lay_out,
    .derive = derive,
    .log_prob = log_prob,
    .backward = backward,
    .draw = draw,
};

const struct prior_ops prior_realnvp = {
    .module = {.name = "realnvp",
               .summary = "RealNVP: a learned invertible map to N(0, I)",
               .formula = "p(z) = N(f(z); 0, I) |det df/dz|, f of N affine coupling blocks",
               .params = params},
    .joint = &joint,
};
