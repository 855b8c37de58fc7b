/* SPDX-License-Identifier: MIT
 *
 * Hamiltonian Monte Carlo (Neal, "MCMC using Hamiltonian dynamics", 2011) on the densities between a proposal r and the
 * target p(x, .), all in the coordinates of proposal.h, where q has the scale 1 in every direction:
 *
 *     log f_b = (1 - b) log r + b target
 *
 * A move draws a momentum v ~ N(0, I), goes `leapfrog` steps of size h along the slope of log f_b, and is accepted with
 * probability min(1, exp(H - H')), H = |v|^2/2 - log f_b. It leaves f_b as it is, and is reversible: a chain that
 * comes from f_b may be read from its end. Beyond the reach of r nothing is accepted. The step varies by 20 % from move
 * to move and chain to chain, so that no trajectory comes back to where it began for ever. */
#ifndef VAE_HMC_H
#define VAE_HMC_H

#include "evaluate/proposal.h"

/* The chains of the images that a pass has, S of each: row s*B + b is chain s of image b. */
struct chains {
    struct pass *pass; /* with slopes; pass->eps is where they are */
    struct proposal *proposal;
    size_t leapfrog;
    real *momentum, *slope;       /* (S,B,L) and d target / d eps */
    real *eps, *slopes, *r_slope; /* (S,B,L) what a rejected move goes back to, */
    double *target, *log_r;       /* (S*B) likewise */
    double *energy;               /* (S*B) H at the start of a move */
    double *accepted;             /* (S*B) probability with which the last move was accepted */
    void *memory;
};

vae_status chains_new(struct chains *c, struct pass *pass, struct proposal *proposal, size_t leapfrog, vae_error *err);
void chains_free(struct chains *c);

/* After pass->eps was set: target, log r and slopes there. */
void chains_place(struct chains *c);
/* A move of every chain. The random numbers of a chain depend on its number and that of its image (`image`: of the
 * first) alone. */
void chains_move(struct chains *c, const struct rng *rng, size_t image, double b, double step);

#endif
