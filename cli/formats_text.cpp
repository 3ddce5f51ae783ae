#include "formats_text.hpp"

#include "command.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::cli {

std::string formats_text() {
  std::vector<std::pair<std::string, std::string>> lines;
  for (const FormatInfo& f : formats())
    lines.emplace_back(f.name + std::string(f.name.size() < 8 ? 8 - f.name.size() : 1, ' ') + f.extensions,
                       f.description + (f.writable ? (f.readable ? " (read, write)" : " (write)") : " (read)"));
  return list_text("Formats:", lines);
}

}  // namespace ntkrob::cli
