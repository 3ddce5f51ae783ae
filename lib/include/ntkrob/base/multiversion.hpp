/// NTKROB_MULTIVERSION: compile a function with plain loops for several instruction sets; the loader picks the best
/// one.
///
/// For simple elementwise loops outside the kernels. Not under sanitizers, whose start-up comes after the loader's
/// choice.
#pragma once

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__) && defined(__linux__)
#define NTKROB_MULTIVERSION __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NTKROB_MULTIVERSION
#endif
