/// Counter-based random numbers: value = f(seed, stream, index).
///
/// There is no hidden state: any worker may draw any index in any order and gets the same number, so results do not
/// depend on thread counts or batch sizes, and a resumed run continues bit-identically without storing generator state.
/// Generator: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "ntkrob/base/random_stream.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// One stream of random numbers. A value: cheap to copy, thread-safe (const).
class Rng {
 public:
  /// stream names the purpose ("support", "batch", ...): two purposes never share numbers.
  Rng(std::uint64_t seed, std::string_view stream);
  /// The sub-stream number `k` of this stream, for example one per step or per image.
  Rng fork(std::uint64_t k) const;

  std::uint32_t bits(std::uint64_t i) const;
  /// Uniform in [0, 1), 53 random bits.
  double uniform(std::uint64_t i) const;
  /// Uniform in [low, high).
  double uniform(std::uint64_t i, double low, double high) const;
  /// out[k] for k in [0, n): uniform in [-1, 1), 24 random bits each, four to a block: for random starts of whole
  /// images. Shares no bits with uniform(i) of another stream; do not mix with other draws of the same stream.
  void symmetric_uniform(index n, float* out) const;
  /// Standard normal (Box-Muller on the draws of index i).
  double normal(std::uint64_t i) const;
  /// Uniform integer in [0, n). requires: n > 0
  index below(std::uint64_t i, index n) const;
  /// A uniformly random permutation of 0 .. n-1 (Fisher-Yates).
  std::vector<index> permutation(index n) const;

  /// The stream as plain data, for draws on a device.
  const RandomStream& stream() const { return stream_; }

 private:
  Rng() = default;
  RandomStream stream_;
};

}  // namespace ntkrob
