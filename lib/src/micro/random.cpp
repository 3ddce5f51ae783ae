#include "ntkrob/micro/random.hpp"

#include "ntkrob/micro/session.hpp"

namespace ntkrob::micro {
namespace {

// Streams below this number belong to layers.
constexpr uint32_t kOrderStream = 0x10000;

/// Finaliser of MurmurHash3: spreads every input bit over all output bits.
uint32_t mix(uint32_t h) {
  h = (h ^ (h >> 16)) * 0x85EBCA6Bu;
  h = (h ^ (h >> 13)) * 0xC2B2AE35u;
  return h ^ (h >> 16);
}

}  // namespace

uint32_t random_bits(uint64_t seed, uint32_t stream, uint32_t index) {
  uint32_t c0 = index, c1 = 0, c2 = stream, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(seed), k1 = static_cast<uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = static_cast<uint64_t>(0xD2511F53u) * c0, p1 = static_cast<uint64_t>(0xCD9E8D57u) * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c0;
}

float random_symmetric(uint64_t seed, uint32_t stream, uint32_t index) {
  const int32_t bits = static_cast<int32_t>(random_bits(seed, stream, index) >> 8);
  return static_cast<float>(bits - 8388608) * (1.0f / 8388608.0f);
}

// A Feistel network on the smallest even number of bits that holds n, walked until it lands below n.
uint32_t shuffled(uint32_t i, uint32_t n, uint64_t seed, uint32_t epoch) {
  uint32_t half = 1;
  while (half < 16 && (1u << (2 * half)) < n) ++half;
  const uint32_t mask = (1u << half) - 1;
  const uint32_t key = random_bits(seed, kOrderStream, epoch);
  do {
    uint32_t left = i >> half, right = i & mask;
    for (uint32_t round = 0; round < 4; ++round) {
      const uint32_t next = left ^ (mix(right + (key ^ round * 0x9E3779B9u)) & mask);
      left = right;
      right = next;
    }
    i = left << half | right;
  } while (i >= n);
  return i;
}

}  // namespace ntkrob::micro
