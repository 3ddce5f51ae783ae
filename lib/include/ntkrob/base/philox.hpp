/// The Philox4x32-10 block function (Salmon et al., SC 2011, section 4.3): a bijection of 128-bit counters for every
/// 64-bit key. Everything draws through ntkrob::Rng; the header exists so that devices draw the same numbers, and that
/// the published test vectors can be checked against the bare function.
#pragma once

#include <cstdint>

#include "ntkrob/base/device_code.hpp"

namespace ntkrob::base {

struct PhiloxCounter {
  std::uint32_t word[4];
};
struct PhiloxKey {
  std::uint32_t word[2];
};

NTKROB_HD inline PhiloxCounter philox4x32_10(PhiloxCounter c, PhiloxKey k) {
  constexpr std::uint64_t kMultiplier0 = 0xD2511F53u, kMultiplier1 = 0xCD9E8D57u;
  constexpr std::uint32_t kWeyl0 = 0x9E3779B9u, kWeyl1 = 0xBB67AE85u;
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = kMultiplier0 * c.word[0], p1 = kMultiplier1 * c.word[2];
    c = PhiloxCounter{{static_cast<std::uint32_t>(p1 >> 32) ^ c.word[1] ^ k.word[0], static_cast<std::uint32_t>(p1),
                       static_cast<std::uint32_t>(p0 >> 32) ^ c.word[3] ^ k.word[1], static_cast<std::uint32_t>(p0)}};
    k.word[0] += kWeyl0;
    k.word[1] += kWeyl1;
  }
  return c;
}

}  // namespace ntkrob::base
