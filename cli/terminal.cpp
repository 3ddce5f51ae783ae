#include "terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace ntkrob::cli {

bool at_terminal() {
  if (!isatty(STDERR_FILENO)) return false;
  const char* name = std::getenv("TERM");
  return name == nullptr || std::string(name) != "dumb";
}

int terminal_columns() {
  constexpr int kUnknown = 80;
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUnknown;
}

std::string cut_to_columns(const std::string& line, int columns) {
  std::string kept;
  int used = 0;
  for (std::size_t at = 0; at < line.size();) {
    const auto first = static_cast<unsigned char>(line[at]);
    const std::size_t announced = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1;
    std::size_t length = 1;
    while (length < announced && at + length < line.size() &&
           (static_cast<unsigned char>(line[at + length]) & 0xC0) == 0x80)
      ++length;
    used += length > 2 ? 2 : 1;
    if (used > columns) break;
    if (first < 0x20 || first == 0x7F)
      kept += ' ';
    else
      kept.append(line, at, length);
    at += length;
  }
  return kept;
}

}  // namespace ntkrob::cli
