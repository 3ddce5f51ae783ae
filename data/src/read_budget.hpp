/// How many bytes reading one input may take in memory. Who is about to make an array says so first, so that a file
/// that claims more than memory has is refused before anything of it is unpacked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "ntkrob/base/error.hpp"

namespace ntkrob::io {

class ReadBudget {
 public:
  /// Without a limit.
  ReadBudget() = default;
  explicit ReadBudget(std::size_t n_bytes) : limit_(n_bytes) {}

  /// where: "file: array"   throws: ResourceError with the bytes needed and the limit; nothing is taken then
  void take(std::size_t n_bytes, const std::string& where) {
    NTKROB_CHECK(n_bytes <= limit_ - taken_, ResourceError, where, ": needs ", given(n_bytes), " bytes of memory",
                 taken_ == 0 ? std::string() : text(" beside the ", taken_, " bytes read before"), ", the limit is ",
                 ntkrob::limit(limit_), " bytes; ",
                 advice("raise the memory limit (", field("memory"), "), or read a smaller file"));
    taken_ += n_bytes;
  }
  /// What was taken and is free again. n_bytes <= taken()
  void give_back(std::size_t n_bytes) { taken_ -= n_bytes; }

  std::size_t limit() const { return limit_; }
  std::size_t taken() const { return taken_; }

 private:
  std::size_t limit_ = SIZE_MAX, taken_ = 0;
};

}  // namespace ntkrob::io
