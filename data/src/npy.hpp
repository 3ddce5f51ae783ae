/// .npy arrays, alone or inside an NPZ archive (NumPy enhancement proposal 1).
#pragma once

#include <string>
#include <vector>

#include "raw_array.hpp"
#include "read_budget.hpp"

namespace ntkrob::io {

/// Element type and layout.
struct NpyHeader {
  char kind =
      0;  // 'u', 'i', 'f', 'b'; 'S': a text of `width` bytes, 'U': of width / 4 characters, filled up with zeros
  std::size_t width = 0;
  bool big_endian = false;
  bool fortran = false;  // the first axis varies fastest
  std::vector<std::size_t> shape;
  std::size_t data_offset = 0;
};

/// What every .npy header fits in.
constexpr std::size_t kNpyHeadBytes = std::size_t{1} << 16;
/// content: a whole .npy file, or its first kNpyHeadBytes. throws: IoError naming `where`
NpyHeader parse_npy_header(const std::string& content, const std::string& where);
/// The values of a whole .npy file, in C order. What they take stays taken from the budget.
///   throws: IoError naming `where`; ResourceError before memory is taken
RawArray parse_npy(const std::string& content, const std::string& where, ReadBudget& budget);
/// A .npy file. type: as NumPy writes it, "<f4"; shape: empty for a single value
std::string npy(const char* type, const std::vector<std::size_t>& shape, const void* values, std::size_t n_bytes);

}  // namespace ntkrob::io
