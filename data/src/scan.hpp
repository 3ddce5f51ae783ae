/// Passes over many numbers, vectorised: every reader looks at all pixels before anybody uses one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ntkrob::io {

struct Extremes {
  double low = 0, high = 0;
  bool whole = true;   // whole numbers only
  bool finite = true;  // else the others mean nothing

  /// The extremes of both.
  void add(const Extremes& other);
};

/// Of count > 0 numbers.
Extremes extremes_of(const std::uint8_t* values, std::size_t count);
Extremes extremes_of(const std::int64_t* values, std::size_t count);
Extremes extremes_of(const float* values, std::size_t count);

}  // namespace ntkrob::io
