#include "ntkrob/base/words.hpp"

#include <iomanip>
#include <sstream>

namespace ntkrob {

namespace {

std::string fixed_text(double value, int digits) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(digits) << value;
  return out.str();
}

}  // namespace

std::string bytes_text(double bytes) {
  const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 5) bytes /= 1024, ++unit;
  return fixed_text(bytes, unit == 0 || bytes >= 100 ? 0 : 1) + " " + units[unit];
}

std::string percent_text(double fraction) { return fixed_text(100 * fraction, 1) + " %"; }

std::string number_text(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string duration_text(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 60) return std::to_string(whole) + " s";
  if (whole < 3600) return std::to_string(whole / 60) + " min " + std::to_string(whole % 60) + " s";
  return std::to_string(whole / 3600) + " h " + std::to_string(whole % 3600 / 60) + " min";
}

std::string block_text(const std::string& heading, const std::string& lines) {
  std::string block = heading + "\n";
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) block += "  " + line + "\n";
  return block;
}

}  // namespace ntkrob
