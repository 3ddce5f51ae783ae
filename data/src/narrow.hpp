/// Numbers of files, which may be wider, as float32, in which pixels, labels and targets are kept.
#pragma once

#include <cmath>
#include <string>

#include "ntkrob/base/error.hpp"

namespace ntkrob::io {

/// The error line's part for a finite number that float32 does not hold, with the number as it stands in the file.
template <class Wide>
std::string beyond_float_text(Wide value) {
  return text("is ", value, ", beyond the numbers of float32, which end at 3.4e38; remove or repair it");
}

/// Whether a number is finite and becomes infinite as float32.
template <class Wide>
bool is_beyond_float(Wide value) {
  return std::isfinite(value) && std::isinf(static_cast<float>(value));
}

/// value i of an array as float32.   throws: IoError, where it is finite and float32 does not hold it
inline float narrowed(double value, const std::string& where, std::size_t i) {
  NTKROB_CHECK(!is_beyond_float(value), IoError, where, ": value ", i, " ", beyond_float_text(value));
  return static_cast<float>(value);
}

}  // namespace ntkrob::io
