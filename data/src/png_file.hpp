/// 8-bit grey or RGB images as PNG, through libpng, in memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"
#include "read_budget.hpp"

namespace ntkrob::io {

struct Picture {
  ImageShape shape;  // channels 1 or 3
  std::vector<std::uint8_t> pixels;
};

/// Its pixels stay taken from the budget: they are the caller's, who gives back what goes.
///   throws: IoError naming the file and libpng's reason; 16-bit pictures and such that are transparent in places are
///   refused; opaque alpha is dropped; ResourceError before memory is taken
Picture read_png_file(const std::string& path, ReadBudget& budget);
/// The bytes of a PNG file. throws: ResourceError with libpng's reason, naming `what`
std::string encode_png(const std::string& what, const Picture& picture);
/// Whether this build reads and writes PNG.
bool has_png();
/// throws: as AtomicFile
void write_png_file(const std::string& path, const Picture& picture, bool force);

}  // namespace ntkrob::io
