/// Counter-based random numbers for devices: value = f(seed, stream, index), Philox4x32-10 (Salmon et al., SC 2011).
/// The same generator as ntkrob::Rng, but streams are numbers and values are float32, so the numbers of the two differ.
#pragma once

#include <stdint.h>

namespace ntkrob::micro {

uint32_t random_bits(uint64_t seed, uint32_t stream, uint32_t index);
/// Uniform in [-1, 1), a multiple of 2^-23.
float random_symmetric(uint64_t seed, uint32_t stream, uint32_t index);

}  // namespace ntkrob::micro
