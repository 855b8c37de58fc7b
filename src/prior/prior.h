/* SPDX-License-Identifier: MIT
 *
 * The interface of a latent prior p(z). A prior is one file that ends in a `const struct prior_ops` and stands in the
 * list below. Most are factorised over dimensions, p(z) = prod_j p(z_j): all callbacks then work on n scalars, wherever
 * they come from in the (B,L) matrix. A density of whole vectors, with tensors that are learned, has `joint` instead
 * (see joint.h) and none of these callbacks. Plug-ins (vae_prior.h) are put behind those of the list by plugin.c. */
#ifndef VAE_PRIOR_H
#define VAE_PRIOR_H

#include "base/real.h"
#include "vae.h"
#include "vae_prior.h"

struct joint_ops;
struct prior_state; /* completed privately by each prior's file */

/* KL(q || p) of n scalars, and its derivatives in the two heads of q (for a Gaussian: mean and log-variance). */
typedef void kl_function(const struct prior_state *state, size_t n, const real *a, const real *b, real *kl, real *da,
                         real *db);

/* The KL to one family of posteriors, in closed form or by quadrature. */
struct exact_kl {
    const char *posterior; /* name of the family */
    bool by_default;       /* is it what the setting kl means by auto? */
    kl_function *kl;
};

enum { EXACT_KLS = 4 };

struct prior_ops {
    vae_module module;
    size_t state_size; /* bytes that the host allocates, zeroed, for prior_state */

    /* Required. Derives the state from parameter values that were already range-checked. */
    void (*init)(struct prior_state *state, const double *param);
    /* Required. logp[i] = log p(z[i]) and grad[i] = d log p / dz. */
    void (*log_prob)(const struct prior_state *state, size_t n, const real *z, real *logp, real *grad);
    /* Required. n draws; bits[i] are four random words for draw i alone, of which the first `words` are used. */
    size_t words;
    void (*sample)(const struct prior_state *state, size_t n, const uint32_t (*bits)[4], real *z);

    const struct joint_ops *joint; /* of a joint prior; NULL: the prior is factorised */

    /* Does -log p(z) grow like log |z|, and no faster? Then a KL is finite also to a posterior without moments. */
    bool heavy_tailed;
    /* Optional: the posteriors to which there is an exact KL; to others it is taken by Monte Carlo. */
    struct exact_kl exact[EXACT_KLS + 1];
    /* Optional: known answers, which vae_module_check asks for. */
    const vae_known *known;

    const struct vae_prior_v1 *plugin; /* that this is made from, or NULL */
};

const struct prior_ops *prior_at(size_t i); /* NULL past the last */
const struct prior_ops *prior_find(const char *name);
/* Derives a zeroed state from parameter values: init, which for a plug-in has to know of which. */
void prior_init(const struct prior_ops *prior, struct prior_state *state, const double *param);

/* NULL where there is none. `by_default` may be NULL. */
kl_function *prior_exact_kl(const struct prior_ops *prior, const char *posterior, bool *by_default);

/* All priors, in the order of help texts: src/prior/NAME.c defines prior_NAME. Draws of any but lars may be what lars
 * accepts or rejects. */
#define BASE_PRIORS(X)                                                                                                 \
    X(normal)                                                                                                          \
    X(spikeslab) X(laplace) X(cauchy) X(studentt) X(logistic) X(scaled) X(mixture) X(vampprior) X(realnvp)
#define PRIORS(X) BASE_PRIORS(X) X(lars)
/* Those of which p(z/s)/s is of the same family, so that a scale may be learned. */
#define SCALE_PRIORS(X) X(normal) X(laplace) X(cauchy) X(studentt) X(logistic)

#define DECLARE_PRIOR(name) extern const struct prior_ops prior_##name;
PRIORS(DECLARE_PRIOR)
#undef DECLARE_PRIOR

/* Names of a list as words of a parameter, in its order. */
#define OR_PRIOR(name)    "|" #name
#define PRIOR_WORDS(LIST) (&(LIST(OR_PRIOR))[1])
#define PRIOR_ENTRY(name) &prior_##name,

/* ---- plugin.c --------------------------------------------------------------------------------------------------- */

/* The i-th plug-in that was added, or NULL past the last. */
const struct prior_ops *plugin_at(size_t i);
/* Loads a file and looks at its table; the table is NULL where it was refused. */
vae_status plugin_open(const char *path, const struct vae_prior_v1 **plugin, vae_error *err);
/* Puts a plug-in that plugin_open took behind all priors; nothing where it is there. */
vae_status plugin_add(const char *path, const struct vae_prior_v1 *plugin, vae_error *err);
void plugin_init(const struct vae_prior_v1 *plugin, struct prior_state *state, const double *param);

#endif
