#include "scan.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "ntkrob/base/multiversion.hpp"

namespace ntkrob::io {
namespace {

/// Numbers that are looked at side by side: a compiler keeps the order of comparisons of one number after the other.
constexpr std::size_t kLanes = 32;

template <class T>
inline void scan_whole(const T* values, std::size_t count, T& low, T& high) {
  T lows[kLanes], highs[kLanes];
  std::fill_n(lows, kLanes, values[0]);
  std::fill_n(highs, kLanes, values[0]);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes)
    for (std::size_t k = 0; k < kLanes; ++k) {
      const T value = values[i + k];
      lows[k] = value < lows[k] ? value : lows[k];
      highs[k] = value > highs[k] ? value : highs[k];
    }
  for (; i < count; ++i) {
    lows[0] = std::min(lows[0], values[i]);
    highs[0] = std::max(highs[0], values[i]);
  }
  low = *std::min_element(lows, lows + kLanes);
  high = *std::max_element(highs, highs + kLanes);
}

NTKROB_MULTIVERSION void scan(const std::uint8_t* values, std::size_t count, std::uint8_t& low, std::uint8_t& high) {
  scan_whole(values, count, low, high);
}

NTKROB_MULTIVERSION void scan(const std::int64_t* values, std::size_t count, std::int64_t& low, std::int64_t& high) {
  scan_whole(values, count, low, high);
}

/// Floats compare as these whole numbers, which a compiler may take in any order.
inline std::int32_t key_of(float value) {
  std::int32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits ^ (bits >> 31 & INT32_MAX);
}

inline float value_of(std::int32_t key) {
  const std::int32_t bits = key ^ (key >> 31 & INT32_MAX);
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value + 0.0f;  // no -0
}

NTKROB_MULTIVERSION void scan(const float* values, std::size_t count, std::int32_t& low, std::int32_t& high,
                              std::int32_t& broken) {
  constexpr std::int32_t kExponent = 0x7f800000;
  std::int32_t least = INT32_MAX, most = INT32_MIN, bad = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::int32_t bits;
    std::memcpy(&bits, values + i, sizeof bits);
    const std::int32_t key = key_of(values[i]);
    least = key < least ? key : least;
    most = key > most ? key : most;
    bad |= (bits & kExponent) == kExponent ? 1 : 0;
  }
  low = least;
  high = most;
  broken = bad;
}

NTKROB_MULTIVERSION std::int32_t odd(const float* values, std::size_t count) {
  std::int32_t found = 0;
  for (std::size_t i = 0; i < count; ++i) found |= values[i] == std::floor(values[i]) ? 0 : 1;
  return found;
}

}  // namespace

void Extremes::add(const Extremes& other) {
  low = std::min(low, other.low);
  high = std::max(high, other.high);
  whole = whole && other.whole;
  finite = finite && other.finite;
}

Extremes extremes_of(const std::uint8_t* values, std::size_t count) {
  std::uint8_t low = 0, high = 0;
  scan(values, count, low, high);
  return {static_cast<double>(low), static_cast<double>(high), true, true};
}

Extremes extremes_of(const std::int64_t* values, std::size_t count) {
  std::int64_t low = 0, high = 0;
  scan(values, count, low, high);
  return {static_cast<double>(low), static_cast<double>(high), true, true};
}

Extremes extremes_of(const float* values, std::size_t count) {
  constexpr std::size_t kPiece = 4096;  // stays in the cache for both loops
  std::int32_t low = INT32_MAX, high = INT32_MIN, broken = 0;
  bool whole = true;
  for (std::size_t i = 0; i < count; i += kPiece) {
    const std::size_t n = std::min(kPiece, count - i);
    std::int32_t piece_low = 0, piece_high = 0, piece_broken = 0;
    scan(values + i, n, piece_low, piece_high, piece_broken);
    low = std::min(low, piece_low);
    high = std::max(high, piece_high);
    broken |= piece_broken;
    whole = whole && odd(values + i, n) == 0;
  }
  return {value_of(low), value_of(high), whole, broken == 0};
}

}  // namespace ntkrob::io
