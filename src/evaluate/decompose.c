/* SPDX-License-Identifier: MIT
 *
 * The parts of the mean KL (Hoffman & Johnson, "ELBO surgery", 2016; Chen et al., "Isolating sources of disentanglement
 * in VAEs", 2018, section 3): with the aggregate posterior q(z) = 1/N sum_n q(z|x_n),
 *
 *     E KL(q(z|x) || p(z)) = I(x;z) + KL(q(z) || p(z)),     I(x;z) = E [log q(z|x) - log q(z)]
 *     KL(q(z) || p(z))     = TC + sum_j KL(q(z_j) || p(z_j)),   TC = E [log q(z) - sum_j log q(z_j)]
 *
 * the second line for factorised priors. Each expectation is a mean over draws of z ~ q(z|x), at which every component
 * of q(z) is evaluated: N x draws densities, and one exponential for each and each latent.
 *
 * With the own component of a draw among the N, I(x;z) cannot exceed log N, which it reaches where posteriors do not
 * overlap, whatever the true information is. So q(z) is taken in three ways: as it is, without the own component, and
 * from other images altogether. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/simd.h"
#include "base/vmath.h"
#include "evaluate/evaluate.h"
#include "pass/pass.h"

/* Images of a pass; components whose densities are taken at once; tasks that the draws are cut into. */
enum { PASS_ROWS = 512, COMPONENTS = 32, TASKS = 64, CLASSES = 256 };

/* The posteriors of n images, grouped by their labels: class c has the components first[c] .. first[c+1]-1. */
struct mixture {
    size_t n, classes, first[CLASSES + 1];
    uint32_t *image; /* (n) which image a component is of */
    real *a, *b, *scale;
};

/* A sum of exponentials is sum * exp(most); one for each latent, and one for whole vectors behind them: (L+1). */
struct log_sums {
    double *most, *sum;
};

/* What is found out about each draw: logarithms of densities of each latent and, behind them, of the whole vector. */
struct draws {
    size_t n;
    uint32_t *own;    /* (n) component that it is drawn from */
    real *z;          /* (n,L) */
    double *log_p;    /* (n,L+1); of the latents under factorised priors alone */
    double *log_own;  /* (n,L+1) under the own component, */
    double *log_left; /* under q(z) without it, */
    double *log_held; /* under q(z) of other images, */
    double *log_like; /* and under q(z) of the images with the own label, without the own component */
};

/* ---- Posteriors ------------------------------------------------------------------------------------------------- */

/* Counting sort by label; without labels all are of one class. */
static vae_status group(struct mixture *m, const vae_images *images, vae_error *err)
{
    const uint8_t *label = images->labels;
    size_t next[CLASSES] = {0};
    m->n = images->n;
    m->image = mem_new(m->n, sizeof *m->image, err);
    if (!m->image) return VAE_E_MEMORY;
    m->classes = label ? CLASSES : 1;
    for (size_t i = 0; i < m->n; i++) m->first[(label ? label[i] : 0) + 1]++;
    for (size_t c = 0; c < m->classes; c++) next[c] = m->first[c + 1] += m->first[c];
    for (size_t i = m->n; i-- > 0;) m->image[--next[label ? label[i] : 0]] = (uint32_t)i;
    return VAE_OK;
}

static vae_status encode_block(struct pass *pass, const vae_images *images, const uint32_t *index, size_t n,
                               vae_error *err)
{
    vae_status status = pass_gather(pass, images, index, 0, n, err);
    if (!status) pass_encode(pass);
    return status;
}

static vae_status encode_all(struct mixture *m, struct pass *pass, const vae_images *images, vae_error *err)
{
    const size_t L = pass->model->L;
    vae_status status = group(m, images, err);
    if (status) return status;
    m->a = mem_new(m->n, L * sizeof(real), err);
    m->b = mem_new(m->n, L * sizeof(real), err);
    m->scale = mem_new(m->n, L * sizeof(real), err);
    if (!m->a || !m->b || !m->scale) return VAE_E_MEMORY;
    for (size_t done = 0; done < m->n && !status; done += pass->B) {
        const size_t left = m->n - done, B = left < pass->plan.capacity ? left : pass->plan.capacity;
        status = encode_block(pass, images, m->image + done, B, err);
        if (status) break;
        memcpy(m->a + done * L, pass->a, B * L * sizeof(real));
        memcpy(m->b + done * L, pass->b, B * L * sizeof(real));
        memcpy(m->scale + done * L, pass->scale, B * L * sizeof(real));
    }
    return status;
}

static void mixture_free(struct mixture *m)
{
    free(m->image);
    free(m->a);
    free(m->b);
    free(m->scale);
}

/* ---- Draws ------------------------------------------------------------------------------------------------------ */

static vae_status draws_new(struct draws *d, size_t n, size_t L, vae_error *err)
{
    *d = (struct draws){.n = n,
                        .own = mem_new(n, sizeof *d->own, err),
                        .z = mem_new(n, L * sizeof(real), err),
                        .log_p = mem_new(n, (L + 1) * sizeof(double), err),
                        .log_own = mem_new(n, (L + 1) * sizeof(double), err),
                        .log_left = mem_new(n, (L + 1) * sizeof(double), err),
                        .log_held = mem_new(n, (L + 1) * sizeof(double), err),
                        .log_like = mem_new(n, (L + 1) * sizeof(double), err)};
    const bool first = d->own && d->z && d->log_p && d->log_own;
    return first && d->log_left && d->log_held && d->log_like ? VAE_OK : VAE_E_MEMORY;
}

static void draws_free(struct draws *d)
{
    free(d->own);
    free(d->z);
    free(d->log_p);
    free(d->log_own);
    free(d->log_left);
    free(d->log_held);
    free(d->log_like);
}

/* log p(z_j) of each latent and the sum of them, or that of the vector under a joint prior; z is of the pass. */
static void log_prior(const struct pass *pass, size_t r, double log_q, double *log_p)
{
    const struct vae_model *model = pass->model;
    const size_t L = model->L;
    log_p[L] = pass->log_ratio[r] + log_q;
    for (size_t j = 0; j < L; j++) log_p[j] = (double)NAN;
    if (model->prior->joint) return;
    model->prior->log_prob(model->prior_state, L, pass->z + r * L, pass->logp, pass->dlogp);
    for (size_t j = 0; j < L; j++) log_p[j] = (double)pass->logp[j];
}

static void log_own(const struct pass *pass, size_t r, double *log_q)
{
    const struct vae_model *model = pass->model;
    const size_t L = model->L;
    model->posterior->log_prob(model->posterior_state, L, pass->b + r * L, pass->scale + r * L, pass->eps + r * L,
                               pass->logp, pass->dlogp);
    log_q[L] = 0;
    for (size_t j = 0; j < L; j++) log_q[L] += log_q[j] = (double)pass->logp[j];
}

/* From components that are evenly spread, as many of each class as it has images for. */
static vae_status draw_all(struct draws *d, const struct mixture *m, struct pass *pass, const vae_images *images,
                           uint64_t seed, vae_error *err)
{
    const size_t L = pass->model->L;
    uint32_t index[PASS_ROWS];
    for (size_t done = 0, block = 0; done < d->n; done += pass->B, block++) {
        const size_t left = d->n - done, B = left < pass->plan.capacity ? left : pass->plan.capacity;
        const struct rng noise = {.seed = seed, .step = block, .stream = RNG_DECOMPOSE};
        for (size_t r = 0; r < B; r++) {
            d->own[done + r] = (uint32_t)((done + r) * m->n / d->n);
            index[r] = m->image[d->own[done + r]];
        }
        vae_status status = encode_block(pass, images, index, B, err);
        if (status) return status;
        pass_latent(pass, &noise);
        memcpy(d->z + done * L, pass->z, B * L * sizeof(real));
        for (size_t r = 0; r < B; r++) {
            double *log_q = d->log_own + (done + r) * (L + 1);
            log_own(pass, r, log_q);
            log_prior(pass, r, log_q[L], d->log_p + (done + r) * (L + 1));
        }
    }
    return VAE_OK;
}

/* ---- Densities of mixtures -------------------------------------------------------------------------------------- */

/* Memory of a task, whose draws are taken in turn. */
struct scratch {
    real *eps, *log_q, *slope, *most; /* (COMPONENTS,L), and (L) */
    struct log_sums class, all;
};

struct job {
    const struct vae_model *model;
    double reach;                     /* of the posterior's noise: its density is zero beyond */
    const struct mixture *own, *held; /* held: of other images, or NULL */
    struct draws *draws;
    struct scratch *scratch; /* one a task */
    size_t tasks;
};

static void lay_out(struct scratch *s, size_t L, struct arena *arena)
{
    s->eps = arena_take(arena, COMPONENTS * L, sizeof(real));
    s->log_q = arena_take(arena, COMPONENTS * L, sizeof(real));
    s->slope = arena_take(arena, COMPONENTS * L, sizeof(real));
    s->most = arena_take(arena, L, sizeof(real));
    s->class.most = arena_take(arena, L + 1, sizeof(double));
    s->class.sum = arena_take(arena, L + 1, sizeof(double));
    s->all.most = arena_take(arena, L + 1, sizeof(double));
    s->all.sum = arena_take(arena, L + 1, sizeof(double));
}

static void clear(struct log_sums *s, size_t L)
{
    for (size_t j = 0; j <= L; j++) {
        s->most[j] = -INFINITY;
        s->sum[j] = 0;
    }
}

/* Adds exp(most) * sum to entry j; nothing where most is -inf. */
static void add(struct log_sums *s, size_t j, double most, double sum)
{
    if (!(sum > 0) || isinf(most)) return;
    if (most > s->most[j]) {
        s->sum[j] *= exp(s->most[j] - most);
        s->most[j] = most;
    }
    s->sum[j] += sum * exp(most - s->most[j]);
}

/* Sums over n rows of exp(log_q - most), for each latent; most becomes the largest of the rows. */
VAE_SIMD static void sum_rows(size_t n, size_t L, const real *log_q, real *most, real *sum)
{
    for (size_t j = 0; j < L; j++) most[j] = log_q[j];
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < L; j++) most[j] = log_q[i * L + j] > most[j] ? log_q[i * L + j] : most[j];
    for (size_t j = 0; j < L; j++) sum[j] = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < L; j++) sum[j] += vm_exp(log_q[i * L + j] - most[j]);
}

/* Adds the densities at z of components first .. first+n-1. */
static void add_components(const struct job *job, const struct mixture *m, size_t first, size_t n, const real *z,
                           struct scratch *s, struct log_sums *sums)
{
    const struct vae_model *model = job->model;
    const size_t L = model->L;
    const real *a = m->a + first * L, *scale = m->scale + first * L, least = R(1e-18);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < L; j++) {
            const size_t at = i * L + j;
            s->eps[at] = (z[j] - a[at]) / (scale[at] > least ? scale[at] : least);
        }
    model->posterior->log_prob(model->posterior_state, n * L, m->b + first * L, scale, s->eps, s->log_q, s->slope);
    for (size_t at = 0; at < n * L && isfinite(job->reach); at++)
        if (!(fabs((double)s->eps[at]) <= job->reach)) s->log_q[at] = R(-INFINITY);
    for (size_t i = 0; i < n; i++) {
        double whole = 0;
        for (size_t j = 0; j < L; j++) whole += (double)s->log_q[i * L + j];
        add(sums, L, whole, 1);
    }
    sum_rows(n, L, s->log_q, s->most, s->slope);
    for (size_t j = 0; j < L; j++) add(sums, j, (double)s->most[j], (double)s->slope[j]);
}

static void add_range(const struct job *job, const struct mixture *m, size_t begin, size_t end, const real *z,
                      struct scratch *s, struct log_sums *sums)
{
    for (; begin < end; begin += COMPONENTS)
        add_components(job, m, begin, end - begin < COMPONENTS ? end - begin : COMPONENTS, z, s, sums);
}

/* log of the mean of n densities. */
static void log_mean(const struct log_sums *s, size_t L, size_t n, double *log_q)
{
    for (size_t j = 0; j <= L; j++) log_q[j] = n ? s->most[j] + log(s->sum[j] / (double)n) : (double)NAN;
}

/* log q(z) of the mixture into `log_q`, and of the images with the label of `own` into `log_like`, unless that is NULL;
 * component `own` is left out. */
static void log_mixture(const struct job *job, const struct mixture *m, size_t own, const real *z, struct scratch *s,
                        double *log_q, double *log_like)
{
    const size_t L = job->model->L;
    clear(&s->all, L);
    for (size_t c = 0; c < m->classes; c++) {
        const size_t begin = m->first[c], end = m->first[c + 1];
        const bool is_own = begin <= own && own < end;
        if (begin == end) continue;
        clear(&s->class, L);
        add_range(job, m, begin, is_own ? own : end, z, s, &s->class);
        if (is_own) add_range(job, m, own + 1, end, z, s, &s->class);
        if (is_own && log_like) log_mean(&s->class, L, end - begin - 1, log_like);
        for (size_t j = 0; j <= L; j++) add(&s->all, j, s->class.most[j], s->class.sum[j]);
    }
    log_mean(&s->all, L, own < m->n ? m->n - 1 : m->n, log_q);
}

static void run_task(void *context, size_t task)
{
    const struct job *job = context;
    const struct draws *d = job->draws;
    const size_t L = job->model->L, begin = d->n * task / job->tasks, end = d->n * (task + 1) / job->tasks;
    struct scratch *s = &job->scratch[task];
    for (size_t i = begin; i < end; i++) {
        const real *z = d->z + i * L;
        log_mixture(job, job->own, d->own[i], z, s, d->log_left + i * (L + 1), d->log_like + i * (L + 1));
        if (job->held) log_mixture(job, job->held, SIZE_MAX, z, s, d->log_held + i * (L + 1), NULL);
    }
}

static vae_status evaluate_mixtures(struct job *job, struct pool *pool, vae_error *err)
{
    struct scratch scratch[TASKS];
    struct arena arena = {0};
    job->tasks = job->draws->n < TASKS ? job->draws->n : TASKS;
    job->scratch = scratch;
    for (size_t t = 0; t < job->tasks; t++) lay_out(&scratch[t], job->model->L, &arena);
    void *memory = arena.base = mem_new(arena.used, 1, err);
    if (!memory) return VAE_E_MEMORY;
    arena.used = 0;
    for (size_t t = 0; t < job->tasks; t++) lay_out(&scratch[t], job->model->L, &arena);
    pool_run(pool, "decompose", job->tasks, run_task, job);
    free(memory);
    return VAE_OK;
}

/* ---- Means over draws ------------------------------------------------------------------------------------------- */

/* Mean and standard error of values that are added one by one, those that are no numbers left out. One that is infinite
 * makes the mean infinite, or none where they are of both signs. */
struct moments {
    size_t n;
    double mean, squares, infinite;
};

static void take(struct moments *m, double value)
{
    if (isinf(value)) m->infinite += value;
    if (!isfinite(value)) return;
    const double apart = value - m->mean;
    m->n++;
    m->mean += apart / (double)m->n;
    m->squares += apart * (value - m->mean);
}

static vae_estimate estimate(const struct moments *m)
{
    const double n = (double)m->n;
    if (m->infinite != 0) return (vae_estimate){m->infinite, (double)NAN};
    return (vae_estimate){m->n ? m->mean : (double)NAN, m->n > 1 ? sqrt(m->squares / (n - 1) / n) : (double)NAN};
}

/* log q of the mixture with the own component, from that of the n - 1 others. */
static double with_own(double log_left, double log_own, size_t n)
{
    const double others = log_left + log((double)(n - 1)), most = fmax(others, log_own);
    return most + log(exp(others - most) + exp(log_own - most)) - log((double)n);
}

/* log q(z_j), or that of the vector where j = L, of draw i in one of the three ways. */
static double log_aggregate(const struct draws *d, size_t n, size_t L, size_t i, size_t j, vae_decomposition_way way)
{
    const size_t at = i * (L + 1) + j;
    if (way == VAE_HELD_OUT) return d->log_held[at];
    return way == VAE_LEFT_OUT ? d->log_left[at] : with_own(d->log_left[at], d->log_own[at], n);
}

static void sum_up(vae_decomposition_parts *parts, const struct draws *d, size_t n, size_t L, vae_decomposition_way way)
{
    struct moments information = {0}, marginal = {0}, correlation = {0}, latents = {0};
    for (size_t i = 0; i < d->n; i++) {
        const size_t whole = i * (L + 1) + L;
        const double log_q = log_aggregate(d, n, L, i, L, way);
        double product = 0, log_p = 0;
        for (size_t j = 0; j < L; j++) {
            product += log_aggregate(d, n, L, i, j, way);
            log_p += d->log_p[i * (L + 1) + j];
        }
        take(&information, d->log_own[whole] - log_q);
        take(&marginal, log_q - d->log_p[whole]);
        if (isinf(product)) correlation.infinite += log_q - product; /* -inf less -inf says nothing */
        take(&correlation, log_q - product);
        take(&latents, product - log_p);
    }
    parts->information = estimate(&information);
    parts->marginal = estimate(&marginal);
    parts->correlation = estimate(&correlation);
    parts->latents = estimate(&latents);
}

static void sum_up_latents(vae_decomposition *out, const struct draws *d, bool has_labels)
{
    const size_t L = out->latent;
    for (size_t j = 0; j < L; j++) {
        struct moments marginal = {0}, label = {0};
        for (size_t i = 0; i < d->n; i++) {
            const size_t at = i * (L + 1) + j;
            take(&marginal, d->log_left[at] - d->log_p[at]);
            if (has_labels) take(&label, d->log_like[at] - d->log_left[at]);
        }
        out->latent_marginal[j] = estimate(&marginal);
        out->latent_label[j] = estimate(&label);
    }
}

static vae_status summarise(vae_decomposition **out, const struct job *job, const vae_images *images, vae_error *err)
{
    const struct draws *d = job->draws;
    const size_t L = job->model->L, n = job->own->n;
    struct moments kl = {0};
    vae_decomposition *r = mem_new(1, sizeof *r, err);
    if (!r) return VAE_E_MEMORY;
    r->draws = d->n;
    r->latent = L;
    r->latent_marginal = mem_new(L, sizeof *r->latent_marginal, err);
    r->latent_label = mem_new(L, sizeof *r->latent_label, err);
    if (!r->latent_marginal || !r->latent_label) {
        vae_decomposition_free(&r);
        return VAE_E_MEMORY;
    }
    for (size_t i = 0; i < d->n; i++) take(&kl, d->log_own[i * (L + 1) + L] - d->log_p[i * (L + 1) + L]);
    r->kl = estimate(&kl);
    r->part[VAE_IN_SAMPLE].components = r->part[VAE_LEFT_OUT].components = n;
    r->part[VAE_HELD_OUT].components = job->held ? job->held->n : 0;
    for (size_t way = 0; way < VAE_DECOMPOSITION_WAYS; way++)
        if (r->part[way].components) sum_up(&r->part[way], d, n, L, (vae_decomposition_way)way);
    sum_up_latents(r, d, images->labels);
    *out = r;
    return VAE_OK;
}

void vae_decomposition_free(vae_decomposition **decomposition)
{
    if (!decomposition || !*decomposition) return;
    free((*decomposition)->latent_marginal);
    free((*decomposition)->latent_label);
    free(*decomposition);
    *decomposition = NULL;
}

/* ---- Interface -------------------------------------------------------------------------------------------------- */

vae_status vae_decompose_check(const vae_model *model, const vae_images *images, const vae_images *other, size_t draws,
                               vae_error *err)
{
    vae_status status = vae_model_check_images(model, images, err);
    if (!status && other) status = vae_model_check_images(model, other, err);
    if (status) return status;
    if (model->posterior->flow)
        return vae_fail(err, VAE_E_USAGE, "decompose: the density of a %s posterior is known at its own draws alone",
                        model->posterior->module.name);
    if (images->n < 2) return vae_fail(err, VAE_E_DATA, "decompose: %zu image(s) (expected 2 or more)", images->n);
    if (draws < 2 || draws > VAE_MOST_DRAWS)
        return vae_fail(err, VAE_E_USAGE, "decompose: %zu draws (expected 2 to %d)", draws, VAE_MOST_DRAWS);
    return VAE_OK;
}

static vae_status measure(vae_decomposition **out, struct job *job, struct pass *pass, const vae_images *images,
                          const vae_images *other, size_t draws, uint64_t seed, vae_error *err)
{
    struct mixture own = {0}, held = {0};
    struct draws d = {0};
    const struct rng rng = {.seed = seed, .stream = RNG_OWN};
    pass->pixels = model_pixels(job->model, images, seed, 0);
    pass_derive(pass, &rng);
    vae_status status = draws_new(&d, draws, job->model->L, err);
    if (!status) status = encode_all(&own, pass, images, err);
    if (!status) status = draw_all(&d, &own, pass, images, seed, err);
    if (!status && other) {
        pass->pixels = model_pixels(job->model, other, seed, 0);
        status = encode_all(&held, pass, other, err);
        job->held = &held;
    }
    job->own = &own;
    job->draws = &d;
    if (!status) status = evaluate_mixtures(job, pass->pool, err);
    if (!status) status = summarise(out, job, images, err);
    draws_free(&d);
    mixture_free(&own);
    mixture_free(&held);
    return status;
}

vae_status vae_decompose(vae_decomposition **out, const vae_model *model, const vae_images *images,
                         const vae_images *other, size_t draws, uint64_t seed, size_t threads, vae_error *err)
{
    struct pool *pool = NULL;
    struct pass pass = {0};
    struct job job = {.model = model, .reach = INFINITY};
    if (model->posterior->reach) job.reach = model->posterior->reach(model->posterior_state);
    vae_status status = vae_decompose_check(model, images, other, draws, err);
    if (!status) status = pool_new(&pool, threads, err);
    if (!status) {
        const struct pass_plan plan = {.capacity = pass_rows(model, PASS_ROWS),
                                       .S = 1,
                                       .K = 1,
                                       .kl = KL_PER_DRAW,
                                       .calibration = VAE_CALIBRATION_DRAWS,
                                       .sparse = images_are_sparse(images)};
        status = pass_new(&pass, model, pool, &plan, err);
    }
    if (!status) status = measure(out, &job, &pass, images, other, draws, seed, err);
    pass_free(&pass);
    pool_free(pool);
    return status;
}
