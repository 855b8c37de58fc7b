/* SPDX-License-Identifier: MIT
 *
 * The floating-point type of all hot code. `float` in the library; tests build everything a second time with
 * -DVAE_DOUBLE and check gradients there, where central differences have the digits to show a mistake. */
#ifndef VAE_REAL_H
#define VAE_REAL_H

#ifdef VAE_DOUBLE
typedef double real;
#define BLAS(name) cblas_d##name
#else
typedef float real;
#define BLAS(name) cblas_s##name
#endif

#define R(literal) ((real)(literal))

#endif
