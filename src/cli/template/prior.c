/* NAME: a prior for vaectl, as a plug-in.
 *
 *     cc -shared -fPIC -O2 NAME.c -o NAME.so $(pkg-config --cflags vae) -lm
 *     vaectl priors --check ./NAME.so
 *     vaectl train --prior ./NAME.so --scale 1.5
 *
 * It is complete, and right: the hyperbolic secant distribution with standard deviation s, rounder at its top than
 * Laplace's and with tails of the same kind. With x = pi z / (2 s),
 *
 *     p(z) = 1 / (2 s cosh x)
 *     log p(z) = -log s - |x| - log(1 + exp(-2 |x|))         d/dz = -(pi / 2 s) tanh x
 *     sampler: z = (2 s / pi) log tan(pi u / 2), u uniform in (0, 1)
 *
 * To make it yours, change what is marked EDIT, from the top to the bottom, and check it again. vae_prior.h says what
 * each callback has to do and to keep from; it is in the folder that `pkg-config --cflags vae` names. */
#include <math.h>
#include <vae_prior.h>

static const double pi = 3.14159265358979323846;

/* EDIT: what follows from the parameters, computed once. */
struct vae_prior_state {
    float rate;   /* pi / (2 s) */
    float norm;   /* -log s */
    double scale; /* 2 s / pi */
};

/* EDIT: each parameter's name, default, smallest and largest value, and help (VAE_COUNT for whole numbers). They become
 * flags of `vaectl train`. Without parameters leave .params out below. */
static const vae_param params[] = {
    VAE_REAL("scale", 1.0, 1e-3, 1e3, "standard deviation"),
    {0},
};

/* EDIT: the values of the parameters, in the order of the table. */
static void init(struct vae_prior_state *state, const double *param)
{
    state->rate = (float)(pi / (2 * param[0]));
    state->norm = (float)-log(param[0]);
    state->scale = 2 * param[0] / pi;
}

/* EDIT: log p, normalised, and its derivative. What may overflow is to be avoided: cosh x would, |x| does not. */
static void log_prob(const struct vae_prior_state *state, size_t n, const float *z, float *logp, float *slope)
{
    for (size_t i = 0; i < n; i++) {
        const float x = state->rate * z[i], size = fabsf(x);
        logp[i] = state->norm - size - log1pf(expf(-2 * size));
        slope[i] = -state->rate * tanhf(x);
    }
}

/* EDIT: draws from p, here by the inverse of its distribution function. There are four words a draw. */
static void sample(const struct vae_prior_state *state, size_t n, const uint32_t (*bits)[4], float *z)
{
    for (size_t i = 0; i < n; i++) {
        const double u = vae_uniform(bits[i][0]);
        z[i] = (float)(state->scale * (u < 0.5 ? log(tan(pi / 2 * u)) : -log(tan(pi / 2 * (1 - u)))));
    }
}

/* EDIT: values of log p that you know from elsewhere: z, log p(z), parameters. (VAE_KL_OF: mean, standard deviation,
 * KL, parameters, for those with a kl_gaussian.) */
static const vae_known known[] = {
    VAE_LOG_P(0, -0.6931472, 1),
    VAE_LOG_P(1, -1.6131026, 1),
    VAE_LOG_P(-3, -2.8240387, 2.5),
    {0},
};

/* EDIT: summary and formula, which `vaectl priors` shows. The name is what model files record: a model is used by
 * giving the plug-in of that name again. */
const struct vae_prior_v1 vae_prior_plugin = {
    .abi = VAE_PRIOR_ABI,
    .size = sizeof(struct vae_prior_v1),
    .module = {.name = "NAME",
               .summary = "hyperbolic secant: round top, exponential tails",
               .formula = "p(z) = 1 / (2 scale cosh(pi z / (2 scale)))",
               .params = params},
    .state_size = sizeof(struct vae_prior_state),
    .init = init,
    .log_prob = log_prob,
    .sample = sample,
    .kl_gaussian = NULL, /* EDIT: the exact KL of a Gaussian, where there is one */
    .known = known,
    .heavy_tailed = false,
};
