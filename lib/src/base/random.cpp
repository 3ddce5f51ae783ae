#include "ntkrob/base/random.hpp"

#include <cmath>
#include <utility>

#include "ntkrob/base/fnv1a.hpp"

namespace ntkrob {
namespace {

/// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): spreads every input bit over all 64 output bits.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// Upper 64 bits of a * b.
std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a0 = a & 0xFFFFFFFFu, a1 = a >> 32, b0 = b & 0xFFFFFFFFu, b1 = b >> 32;
  const std::uint64_t low = a0 * b0, cross = a1 * b0 + (low >> 32);
  const std::uint64_t carry = a0 * b1 + (cross & 0xFFFFFFFFu);
  return a1 * b1 + (cross >> 32) + (carry >> 32);
}

}  // namespace

Rng::Rng(std::uint64_t seed, std::string_view stream) : stream_{seed, mix(fnv1a(stream))} {}

Rng Rng::fork(std::uint64_t k) const {
  Rng child;
  child.stream_.key = stream_.key;
  // The odd multiplier makes the order of forks count: fork(1).fork(2) and fork(2).fork(1) are different streams.
  child.stream_.stream = mix(stream_.stream * 0x9E3779B97F4A7C15u + mix(k + 0x9E3779B97F4A7C15u));
  return child;
}

std::uint32_t Rng::bits(std::uint64_t i) const { return stream_.block(i).word[0]; }

double Rng::uniform(std::uint64_t i) const { return stream_.uniform(i); }

double Rng::uniform(std::uint64_t i, double low, double high) const {
  const double value = low + (high - low) * uniform(i);
  // Rounding may reach the upper end, which the contract excludes.
  return value < high || low >= high ? value : std::nextafter(high, low);
}

void Rng::symmetric_uniform(index n, float* out) const {
  for (index i = 0; i < n; i += 4) {
    const base::PhiloxCounter b = stream_.block(static_cast<std::uint64_t>(i / 4));
    for (index k = i; k < n && k < i + 4; ++k) out[k] = RandomStream::symmetric(b.word[k - i]);
  }
}

double Rng::normal(std::uint64_t i) const { return stream_.normal(i); }

index Rng::below(std::uint64_t i, index n) const {
  NTKROB_CHECK(n > 0, ConfigError, "Rng::below: n is ", n, ", must be positive");
  const base::PhiloxCounter b = stream_.block(i);
  // Multiply-shift: each value has probability 1/n up to 2^-64.
  return static_cast<index>(multiply_high(RandomStream::join(b.word[0], b.word[1]), static_cast<std::uint64_t>(n)));
}

std::vector<index> Rng::permutation(index n) const {
  NTKROB_CHECK(n >= 0, ConfigError, "Rng::permutation: n is ", n, ", must not be negative");
  std::vector<index> order(static_cast<std::size_t>(n));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<index>(i);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(below(i - 1, static_cast<index>(i)))]);
  return order;
}

}  // namespace ntkrob
