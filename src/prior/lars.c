/* SPDX-License-Identifier: MIT
 *
 * LARS, learned accept/reject sampling (Bauer & Mnih, "Resampled priors for variational autoencoders", 2019): draws z
 * of a base prior pi are accepted with probability a(z), a network; of T tries the last one is always accepted.
 *
 *     log p(z) = log pi(z) + log [(1 - alpha) a(z)/Z + alpha],   Z = E_pi a,   alpha = (1 - Z)^(T-1)  (0: no limit T)
 *
 * With f the bracket, a = sigmoid(l), alpha' = -(T-1) (1-Z)^(T-2):
 *
 *     d log p/dl = (1-alpha)/Z a (1-a) / f       d log p/dZ = [alpha' (1 - a/Z) - (1-alpha) a/Z^2] / f
 *     dZ/dl_s = a_s (1 - a_s) / S                dZ/d theta = mean_s (a_s - Z) d log pi(z_s)/d theta
 *
 * In training Z comes from S draws of the base in each step, z_s, and is smoothed over steps: its value is <Z>, which
 * becomes (1-e) <Z> + e Z with e = 0.01, its gradient that of Z (their algorithm 1, without the term of the image's own
 * z). In evaluations it is the mean over many draws, whose error the likelihood reports.
 *
 * Without a limit a(z) shrinks until hardly any of the S draws counts, and Z is mostly noise: after 100 epochs on MNIST
 * it was 4e-5 (with e = 0.1). A limit keeps it away from zero, and gave the better likelihood there. */
#include <math.h>
#include <string.h>

#include "base/choice.h"
#include "base/simd.h"
#include "prior/joint.h"
#include "prior/prior.h"

enum { BASE, TRIES, WIDTH, LAYERS, DRAWS };

static const double SMOOTHING = 0.01;
static const double MOST_TRIES = 1e8; /* of one draw of an untruncated prior */

struct file {
    struct density
        base; /* shares our networks and tensors, of which it declared the first; `file` of a joint base alone */
    struct declared base_declared;
    double base_param[VAE_MAX_PARAMS];
    struct prior_state *state; /* of a factorised base, */
    real *slope, *logp;        /* (rows, L) d log pi/dz, and log pi of each latent */

    real *x, *dx;         /* (rows, L) input of the network, and its gradient */
    real *accept;         /* (rows) a */
    double *slope_in_z;   /* (capacity) weight * d log p/dZ of the batch */
    double *own_logp;     /* (own) log pi of our draws, */
    double *own_at_birth; /* and when they were drawn */
    real *own_weight, *own_dz;

    double Z, now, shift;        /* Z = now + shift */
    double sum, squares, rounds; /* of a in an evaluation */
};

/* The private memory of a joint base lies behind ours. */
enum { BASE_FILE = (sizeof(struct file) + 63) / 64 * 64, MOST_BASE_FILE = 4096 };

static const vae_param params[] = {
    [BASE] = VAE_WORD("base", PRIOR_WORDS(BASE_PRIORS), "prior whose draws are accepted or rejected"),
    [TRIES] = VAE_COUNT("tries", 100, 0, 1e6, "the last of so many tries is accepted; 0: no limit"),
    [WIDTH] = VAE_COUNT("width", 100, 1, 4096, "hidden units of a layer of the network"),
    [LAYERS] = VAE_COUNT("layers", 2, 1, 4, "hidden layers of the network"),
    [DRAWS] = VAE_COUNT("draws", 1024, 64, 1e6, "draws of the base in a training step"),
    {0},
};

/* ---- The base --------------------------------------------------------------------------------------------------- */

static const struct prior_ops *base_of(const struct declared *declared)
{
    static const struct prior_ops *const bases[] = {BASE_PRIORS(PRIOR_ENTRY)};
    return bases[(size_t)declared->param[BASE]];
}

static void base_log_prob(struct density *d, struct span rows, const real *z, double *logp)
{
    struct file *f = d->file;
    if (f->base.file) {
        f->base.prior->joint->log_prob(&f->base, rows, z, logp);
        return;
    }
    for (size_t r = rows.begin; r < rows.end; r++, z += d->L, logp++) {
        real *each = f->logp + r * d->L;
        f->base.prior->log_prob(f->state, d->L, z, each, f->slope + r * d->L);
        *logp = 0;
        for (size_t j = 0; j < d->L; j++) *logp += (double)each[j];
    }
}

static void base_backward(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    struct file *f = d->file;
    if (f->base.file) {
        f->base.prior->joint->backward(&f->base, rows, z, weight, dz);
        return;
    }
    for (size_t r = rows.begin; r < rows.end; r++, weight++, dz += d->L)
        for (size_t j = 0; j < d->L; j++) dz[j] += *weight * f->slope[r * d->L + j];
}

enum { AT_ONCE = 64 };

/* Scalars first .. first+n-1 of a factorised base, with no more random words than it uses. */
static void draw_scalars(const struct file *f, const struct rng *rng, size_t first, size_t n, real *z)
{
    const size_t words = f->base.prior->words;
    uint32_t word[4 * AT_ONCE], bits[AT_ONCE][4];
    rng_words(rng, first * words, n * words, word);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < words; k++) bits[i][k] = word[i * words + k];
    f->base.prior->sample(f->state, n, (const uint32_t(*)[4])bits, z);
}

static vae_status base_draw(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                            vae_error *err)
{
    struct file *f = d->file;
    if (f->base.file) return f->base.prior->joint->draw(&f->base, rng, rows, place, z, err);
    for (size_t left = (rows.end - rows.begin) * d->L, at = place * d->L; left > 0;) {
        const size_t n = left < AT_ONCE ? left : AT_ONCE;
        draw_scalars(f, rng, at, n, z);
        at += n, z += n, left -= n;
    }
    return VAE_OK;
}

/* ---- Memory ----------------------------------------------------------------------------------------------------- */

static vae_status declare(struct declared *declared, struct block *block, vae_error *err)
{
    const double *param = declared->param;
    const struct prior_ops *base = base_of(declared);
    double base_param[VAE_MAX_PARAMS] = {0};
    vae_status status = VAE_OK;
    if (base->joint && base->joint->size > MOST_BASE_FILE)
        return vae_fail(err, VAE_E_INTERNAL, "prior lars: no room for base %s", base->module.name);
    module_defaults(&base->module, base_param);
    declared->param = base_param;
    if (base->joint) status = base->joint->declare(declared, block, err);
    declared->param = param;
    if (status) return status;
    declare_net(declared, block, "prior.accept", declared->L, (size_t)param[LAYERS], (size_t)param[WIDTH],
                activation_find("tanh"), 1);
    struct tensor *z = declare_tensor(declared, block, "prior.z", 1, 0); /* <Z> of the last step; 0: none yet */
    z->rate = 0;
    z->lowest = 0;
    z->highest = 1;
    declared->own = (size_t)param[DRAWS];
    return VAE_OK;
}

/* Our network and <Z> come behind those of the base. */
static size_t our_net(const struct density *d) { return d->declared->nets - 1; }
static size_t our_tensor(const struct density *d) { return d->declared->tensors - 1; }

static void lay_out_base(struct density *d, struct arena *arena)
{
    struct file *f = d->file;
    const struct prior_ops *base = base_of(d->declared);
    const size_t rows = density_rows(d);
    module_defaults(&base->module, f->base_param);
    f->base_declared = *d->declared;
    f->base_declared.param = f->base_param;
    f->base_declared.nets--;
    f->base_declared.tensors--;
    f->base = *d;
    f->base.prior = base;
    f->base.declared = &f->base_declared;
    f->base.file = NULL;
    if (base->joint) {
        f->base.file = (struct file *)(void *)((char *)f + BASE_FILE);
        base->joint->lay_out(&f->base, arena);
    } else {
        f->state = arena_take(arena, 1, base->state_size);
        f->slope = arena_take(arena, rows * d->L, sizeof(real));
        f->logp = arena_take(arena, rows * d->L, sizeof(real));
    }
}

static void lay_out(struct density *d, struct arena *arena)
{
    struct file *f = d->file;
    const size_t rows = density_rows(d);
    lay_out_base(d, arena);
    f->x = arena_take(arena, rows * d->L, sizeof(real));
    f->dx = arena_take(arena, rows * d->L, sizeof(real));
    f->accept = arena_take(arena, rows, sizeof(real));
    f->slope_in_z = arena_take(arena, d->capacity, sizeof(double));
    f->own_logp = arena_take(arena, d->own, sizeof(double));
    f->own_at_birth = arena_take(arena, d->own, sizeof(double));
    f->own_weight = arena_take(arena, d->own, sizeof(real));
    f->own_dz = arena_take(arena, d->own * d->L, sizeof(real));
    d->run[our_net(d)].x = f->x;
}

static void derive(struct density *d)
{
    struct file *f = d->file;
    f->base.heads = d->heads;
    f->base.heads_gradient = d->heads_gradient;
    if (f->base.file)
        f->base.prior->joint->derive(&f->base);
    else if (f->base.prior->init)
        f->base.prior->init(f->state, f->base_param);
}

/* ---- Density ---------------------------------------------------------------------------------------------------- */

VAE_SIMD static void sigmoids(size_t n, const real *logit, real *a)
{
    for (size_t i = 0; i < n; i++) a[i] = vm_sigmoid(logit[i]);
}

/* (1-alpha)/Z, alpha and d alpha/dZ. */
struct truncation {
    double gain, alpha, slope;
};

static struct truncation truncate(const struct density *d)
{
    const double T = d->declared->param[TRIES], Z = d->file->Z;
    if (T < 1) return (struct truncation){1 / Z, 0, 0};
    const double alpha = pow(1 - Z, T - 1);
    return (struct truncation){(1 - alpha) / Z, alpha, T > 1 ? -(T - 1) * pow(1 - Z, T - 2) : 0};
}

static void propose(struct density *d, const struct rng *rng, struct span rows)
{
    base_draw(d, rng, rows, rows.begin, d->own_z + rows.begin * d->L, NULL);
}

static void forward(struct density *d, struct span rows, const real *z)
{
    struct file *f = d->file;
    struct run *run = &d->run[our_net(d)];
    memcpy(f->x + rows.begin * d->L, z, (rows.end - rows.begin) * d->L * sizeof *z);
    net_forward_rows(d->params, run, rows);
    sigmoids(rows.end - rows.begin, run_result(run) + rows.begin, f->accept + rows.begin);
}

static void log_prob(struct density *d, struct span rows, const real *z, double *logp)
{
    struct file *f = d->file;
    const bool own = rows.end <= d->own;
    base_log_prob(d, rows, z, own ? f->own_logp + rows.begin : logp);
    forward(d, rows, z);
    if (own) return;
    const struct truncation t = truncate(d);
    const real *logit = run_result(&d->run[our_net(d)]);
    for (size_t r = rows.begin; r < rows.end; r++, logp++)
        if (t.alpha > 0)
            *logp += log(t.gain * (double)f->accept[r] + t.alpha);
        else /* exact where a is tiny */
            *logp += log(t.gain) - (double)vm_softplus(-logit[r]);
}

/* Later calls with the same draws weigh them by how their density under the base has changed, which gives Z the
 * derivative that the head of this file says. */
static double estimate(const struct density *d)
{
    const struct file *f = d->file;
    double sum = 0, weights = 0;
    for (size_t s = 0; s < d->own; s++) {
        const double weight = exp(f->own_logp[s] - f->own_at_birth[s]);
        sum += weight * (double)f->accept[s];
        weights += weight;
    }
    return sum / weights;
}

static void add_round(struct density *d, bool first)
{
    struct file *f = d->file;
    if (first) f->sum = f->squares = f->rounds = 0;
    for (size_t s = 0; s < d->own; s++) {
        const double a = (double)f->accept[s];
        f->sum += a;
        f->squares += a * a;
    }
    f->rounds++;
    f->Z = f->sum / (f->rounds * (double)d->own);
}

static void weigh_own(struct density *d, enum weighing how)
{
    struct file *f = d->file;
    f->base.rows = d->rows;
    if (how == OWN_FIRST_ROUND || how == OWN_NEXT_ROUND) {
        add_round(d, how == OWN_FIRST_ROUND);
        return;
    }
    if (how == OWN_FRESH) memcpy(f->own_at_birth, f->own_logp, d->own * sizeof *f->own_logp);
    f->now = estimate(d);
    if (how == OWN_FRESH) {
        const double before = (double)*density_values(d, our_tensor(d));
        f->shift = before > 0 ? (1 - SMOOTHING) * (before - f->now) : 0;
    }
    f->Z = f->now + f->shift;
}

/* With an estimate of Z the integral of p is (1-alpha) Z / Z-hat + alpha. */
static double common_error(const struct density *d)
{
    const struct file *f = d->file;
    const double n = f->rounds * (double)d->own, variance = f->squares / n - f->Z * f->Z;
    return truncate(d).gain * sqrt(fmax(0, variance) / n);
}

/* ---- Backward --------------------------------------------------------------------------------------------------- */

static void backward(struct density *d, struct span rows, const real *z, const real *weight, real *dz)
{
    struct file *f = d->file;
    struct run *run = &d->run[our_net(d)];
    const struct truncation t = truncate(d);
    real *d_logit = run->gradient[run->net->layers - 1];
    for (size_t r = rows.begin; r < rows.end; r++) {
        const double w = (double)weight[r - rows.begin], a = (double)f->accept[r], bracket = t.gain * a + t.alpha;
        d_logit[r] = R(w * (t.alpha > 0 ? t.gain * a * (1 - a) / bracket : 1 - a));
        f->slope_in_z[r - d->own] = w * (t.alpha > 0 ? (t.slope * (1 - a / f->Z) - t.gain * a / f->Z) / bracket
                                                     : -1 / f->Z);
    }
    net_backward_rows(d->params, run, rows, f->dx);
    base_backward(d, rows, z, weight, dz);
    for (size_t i = 0; i < (rows.end - rows.begin) * d->L; i++) dz[i] += f->dx[rows.begin * d->L + i];
}

static void own_backward(struct density *d, struct span rows)
{
    struct file *f = d->file;
    struct run *run = &d->run[our_net(d)];
    const size_t L = d->L;
    double slope = 0;
    for (size_t r = 0; r < d->rows; r++) slope += f->slope_in_z[r];
    slope /= (double)d->own;
    for (size_t s = rows.begin; s < rows.end; s++) {
        const double a = (double)f->accept[s];
        run->gradient[run->net->layers - 1][s] = R(slope * a * (1 - a));
        f->own_weight[s] = R(slope * (a - f->now));
    }
    net_backward_rows(d->params, run, rows, NULL);
    if (!f->base.file) return; /* nothing of the base learns */
    memset(f->own_dz + rows.begin * L, 0, (rows.end - rows.begin) * L * sizeof *f->own_dz);
    base_backward(d, rows, d->own_z + rows.begin * L, f->own_weight + rows.begin, f->own_dz + rows.begin * L);
}

static void learn(struct density *d, struct span items, const real *z, real *gradient)
{
    const struct joint_ops *base = d->file->base.prior->joint;
    if (base && base->learn) base->learn(&d->file->base, items, z, gradient);
}

static void settle(const struct density *d, real *values)
{
    values[density_tensor(d, our_tensor(d))->offset] = R(d->file->Z);
}

/* ---- Draws ------------------------------------------------------------------------------------------------------ */

/* Draw number `place`: its tries come from a stream of its own, in batches as large as the rows that there are. */
static vae_status draw_one(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                           vae_error *err)
{
    const struct file *f = d->file;
    const double T = d->declared->param[TRIES];
    const struct rng tries = {.seed = rng->seed, .step = place + 1, .stream = rng->stream};
    const struct rng chance = {.seed = rng->seed, .step = place + 1, .stream = RNG_ACCEPT};
    for (size_t first = 0; (double)first < MOST_TRIES; first += rows.end - rows.begin) {
        vae_status status = base_draw(d, &tries, rows, first, d->own_z, err);
        if (status) return status;
        forward(d, rows, d->own_z);
        for (size_t i = 0; i < rows.end - rows.begin; i++) {
            uint32_t word;
            rng_words(&chance, first + i, 1, &word);
            if (rng_uniform(word) >= (double)f->accept[rows.begin + i] && (T < 1 || (double)(first + i) + 1 < T))
                continue;
            memcpy(z, d->own_z + i * d->L, d->L * sizeof *z);
            return VAE_OK;
        }
    }
    return vae_fail(err, VAE_E_MODEL, "prior lars: none of %.0f draws of its base was accepted", MOST_TRIES);
}

static vae_status draw(struct density *d, const struct rng *rng, struct span rows, size_t place, real *z,
                       vae_error *err)
{
    vae_status status = VAE_OK;
    const size_t n = rows.end - rows.begin;
    for (size_t i = 0; i < n && !status; i++)
        status = draw_one(d, rng, (struct span){0, d->own}, place + i, z + i * d->L, err);
    return status;
}

static const struct joint_ops joint = {
    .size = BASE_FILE + MOST_BASE_FILE,
    .declare = declare,
    .lay_out = lay_out,
    .derive = derive,
    .propose = propose,
    .log_prob = log_prob,
    .weigh_own = weigh_own,
    .common_error = common_error,
    .backward = backward,
    .own_backward = own_backward,
    .learn = learn,
    .settle = settle,
    .draw = draw,
};

const struct prior_ops prior_lars = {
    .module = {.name = "lars",
               .summary = "LARS: draws of a base prior, accepted by a learned network",
               .formula = "p(z) = pi(z) [(1-alpha) a(z)/Z + alpha], Z = E_pi a, alpha = (1-Z)^(tries-1)",
               .params = params},
    .joint = &joint,
};
