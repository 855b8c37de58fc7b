/* SPDX-License-Identifier: MIT
 *
 * Draws of z for estimates of log p(x), and their density. All is in the coordinates of the posterior's noise, eps with
 * z0 = a + s eps and, of a flow, z = f(z0): there the posterior is the same for every image, and densities are
 *
 *     target  log p(x, eps) = log p(x|z) + log p(z) + log |det dz/d eps|        its integral over eps is p(x)
 *     plain   log q(eps), the density of the noise
 *     log_r   log r(eps), that of the proposal: q, or the defensive mixture
 *
 * The defensive mixture has whole shares of the draws of an image (a deterministic mixture: Owen & Zhou, "Safe and
 * effective importance sampling", JASA 2000; Veach & Guibas 1995), so that a weight p/r has no more than twice the
 * second moment that it has under q, and is bounded where the prior or the wider q is large enough:
 *
 *     1/2  q
 *     1/4  q in which each latent is, with probability 1/L, three times as wide
 *     1/4  the prior */
#ifndef VAE_PROPOSAL_H
#define VAE_PROPOSAL_H

#include "pass/pass.h"

enum { PROPOSAL_PARTS = 3 };

struct proposal {
    struct pass *pass; /* with KL_PER_DRAW */
    vae_proposal kind;
    size_t draws;                     /* of an image */
    double log_share[PROPOSAL_PARTS]; /* of those draws */
    double reach;                     /* of the noise of q */

    double *target, *log_r; /* (S*B) of the draws at work */
    real *log_r_slope;      /* (S,B,L) d log r / d eps, in a pass with slopes */
    uint32_t (*words)[4];   /* (S,B,L) random words */
    real *scratch;          /* (S,B,L) times the arrays that a row needs */
    real *zero, *one;       /* (L) */
    void *memory;
};

/* `draws`: of an image, in all. */
vae_status proposal_new(struct proposal *p, struct pass *pass, vae_proposal kind, size_t draws, vae_error *err);
void proposal_free(struct proposal *p);

/* Draws first .. first+S-1 of the images at work into pass->eps; `image`: the number of the first image. */
vae_status proposal_draw(struct proposal *p, const struct rng *rng, size_t first, size_t image, vae_error *err);
/* From pass->eps to target and log_r, through flow, prior and decoder; in a pass with slopes also pass->dz, as
 * pass_slopes leaves it, and log_r_slope. */
void proposal_weigh(struct proposal *p);

#endif
