/* SPDX-License-Identifier: MIT
 *
 * VAE_SIMD before a function compiles it for several instruction sets; the loader picks the best at start, so one
 * binary runs on any x86-64. All versions give the same bits: no reassociation, no contraction, fused multiply-adds
 * only where written. (ThreadSanitizer's runtime is not up yet when the loader picks, so its build has one version.) */
#ifndef VAE_SIMD_H
#define VAE_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define VAE_SIMD __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define VAE_SIMD
#endif

/* A helper of VAE_SIMD functions has to become part of each of them: left to the compiler, it may be called instead,
 * and then runs in its version for the oldest machine. */
#define VAE_INLINE __attribute__((always_inline)) static inline

#endif
