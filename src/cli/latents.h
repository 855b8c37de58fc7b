/* SPDX-License-Identifier: MIT
 *
 * What commands that show latents share: which latents and images, and where a latent is moved to. */
#ifndef VAE_CLI_LATENTS_H
#define VAE_CLI_LATENTS_H

#include "cli/command.h"

/* Latent indices in the order of their KL of the last test pass, largest first; equal or unknown ones by index. */
void latents_order(const double *kl, size_t L, size_t *order);
/* "z3 KL 1.25", or "z3" where the KL is not known. */
enum { LATENT_NAME = 24 };
void latents_name(const vae_model *model, size_t latent, char name[LATENT_NAME]);
/* What counts as near zero: two standard deviations of the model's spike; of one without a spike, the default of
 * evaluations. */
double latents_near_zero(const vae_model *model);
/* --dims I,J: two latents; without it the two of largest KL. */
vae_status latents_dims(const struct arguments *arguments, const vae_model *model, size_t dims[2], vae_error *err);

/* --images I,J,..., else the first -n. */
enum { MOST_LISTED = 64 };
struct image_list {
    size_t n, index[MOST_LISTED];
};
vae_status latents_images(const struct arguments *arguments, const vae_images *images, size_t fallback,
                          struct image_list *list, vae_error *err);
/* Their pixels (n,D), posterior means (n,L) and, unless NULL, scales (n,L). */
vae_status latents_encode(const vae_model *model, const vae_images *images, const struct image_list *list,
                          float *pixels, float *mean, float *scale, vae_error *err);

/* Mean images (n,D) of latents z (n,L), which the caller frees. All have the label that --label says, where the model
 * is conditional. */
vae_status latents_decode(const struct arguments *arguments, const vae_model *model, size_t n, const float *z,
                          float **tiles, vae_error *err);

/* Where a latent is moved to, from one end of a range to the other. Steps between quantiles are those that would be
 * even under a standard normal: z_k = F^-1(Phi(t_k)), t_k evenly from Phi^-1(0.025) to Phi^-1(0.975). So they are
 * even under a normal prior, and closer where another prior has more of its mass. */
struct latent_range {
    vae_marginals *marginals; /* whose quantiles they are; NULL: numbers from -most to most */
    double most;
    char name[64]; /* what it is, for a note */
    bool same;     /* is it the same for all latents? */
};
/* "the largest KL first", or "the N of L latents with the largest KL". */
const char *latents_largest(size_t shown, size_t L, char text[64]);
/* --data and --split are refused where neither --image nor --range aggregate asks for images. */
vae_status latents_check_images(const struct arguments *arguments, vae_error *err);
/* --range prior|aggregate|R. Data are opened for the aggregate alone. */
vae_status latents_range(const struct arguments *arguments, const vae_model *model, struct latent_range *range,
                         vae_error *err);
void latents_range_free(struct latent_range *range);
/* The k-th of `steps` places; one alone is in the middle. */
double latents_place(const struct latent_range *range, size_t latent, size_t k, size_t steps);
/* The middle of all latents (L). */
void latents_middle(const struct latent_range *range, size_t L, float *z);
/* The probability whose quantile it is. */
double latents_probability(size_t k, size_t steps);
/* A place in three digits; the median of a prior around zero is 0, whatever its rounding. */
void latents_place_name(double z, char name[LATENT_NAME]);

#endif
