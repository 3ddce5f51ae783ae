#include "ntkrob/base/random.hpp"

#include <cmath>
#include <utility>

#include "base/philox.hpp"

namespace ntkrob {
namespace {

constexpr double kTwoPi = 6.283185307179586476925286766559;

/// Finaliser of SplitMix64 (Steele, Lea, Flood 2014): spreads every input bit over all 64 output bits.
std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

/// FNV-1a, 64 bits. std::hash is not used: its value may differ between standard libraries.
std::uint64_t hash(std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325u;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3u;
  return h;
}

std::uint64_t join(std::uint32_t low, std::uint32_t high) { return (static_cast<std::uint64_t>(high) << 32) | low; }

/// Upper 64 bits of a * b.
std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) {
  const std::uint64_t a0 = a & 0xFFFFFFFFu, a1 = a >> 32, b0 = b & 0xFFFFFFFFu, b1 = b >> 32;
  const std::uint64_t low = a0 * b0, cross = a1 * b0 + (low >> 32);
  const std::uint64_t carry = a0 * b1 + (cross & 0xFFFFFFFFu);
  return a1 * b1 + (cross >> 32) + (carry >> 32);
}

/// 53 bits to [0, 1).
double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }

}  // namespace

Rng::Rng(std::uint64_t seed, std::string_view stream) : key_(seed), stream_(mix(hash(stream))) {}

Rng Rng::fork(std::uint64_t k) const {
  Rng child;
  child.key_ = key_;
  // The odd multiplier makes the order of forks count: fork(1).fork(2) and fork(2).fork(1) are different streams.
  child.stream_ = mix(stream_ * 0x9E3779B97F4A7C15u + mix(k + 0x9E3779B97F4A7C15u));
  return child;
}

Rng::Block Rng::block(std::uint64_t i) const {
  const auto low = [](std::uint64_t v) { return static_cast<std::uint32_t>(v); };
  const auto high = [](std::uint64_t v) { return static_cast<std::uint32_t>(v >> 32); };
  const base::PhiloxCounter w =
      base::philox4x32_10({low(i), high(i), low(stream_), high(stream_)}, {low(key_), high(key_)});
  return {{w[0], w[1], w[2], w[3]}};
}

std::uint32_t Rng::bits(std::uint64_t i) const { return block(i).word[0]; }

double Rng::uniform(std::uint64_t i) const {
  const Block b = block(i);
  return unit(join(b.word[0], b.word[1]));
}

double Rng::uniform(std::uint64_t i, double low, double high) const {
  const double value = low + (high - low) * uniform(i);
  // Rounding may reach the upper end, which the contract excludes.
  return value < high || low >= high ? value : std::nextafter(high, low);
}

void Rng::symmetric_uniform(index n, float* out) const {
  for (index i = 0; i < n; i += 4) {
    const Block b = block(static_cast<std::uint64_t>(i / 4));
    // 24 bits, centred: k / 2^23 - 1 is exact in float32.
    for (index k = i; k < n && k < i + 4; ++k)
      out[k] = static_cast<float>(b.word[k - i] >> 8) * (1.0f / 8388608.0f) - 1.0f;
  }
}

double Rng::normal(std::uint64_t i) const {
  const Block b = block(i);
  // 1 - u lies in (0, 1], so the logarithm is finite.
  const double u = 1 - unit(join(b.word[0], b.word[1])), v = unit(join(b.word[2], b.word[3]));
  return std::sqrt(-2 * std::log(u)) * std::cos(kTwoPi * v);
}

index Rng::below(std::uint64_t i, index n) const {
  NTKROB_CHECK(n > 0, ConfigError, "Rng::below: n is ", n, ", must be positive");
  const Block b = block(i);
  // Multiply-shift: each value has probability 1/n up to 2^-64.
  return static_cast<index>(multiply_high(join(b.word[0], b.word[1]), static_cast<std::uint64_t>(n)));
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
