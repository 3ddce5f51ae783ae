/// The texts of ReadOptions, parsed. Every mistake is a ConfigError that names the option as it is typed.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/data/format.hpp"

namespace ntkrob::io {

/// "28x28x1" or "28x28" (one channel); "128x1x9" is a signal. Nothing for an empty text.
std::optional<ImageShape> parse_image_shape(const std::string& text);
/// Upper case: a permutation of NHWC, NHW, NTC or ND.
std::string parse_layout(const std::string& text);

struct RangeOption {
  enum class Kind { none, numbers, columns, file };
  Kind kind = Kind::none;
  float low = 0, high = 1;
  std::string file;
};
RangeOption parse_value_range(const std::string& text);

/// Labels as texts: from -> to.
std::map<std::string, std::string> parse_label_map(const std::string& text);
/// "a,b,c" at commas; quotes are not interpreted.
std::vector<std::string> parse_names(const std::string& text, const char* option);
/// Whole number in decimal, a sign allowed.
std::optional<std::int64_t> whole_number(const std::string& text);

/// throws: ConfigError where options contradict each other
void check(const ReadOptions& options);

}  // namespace ntkrob::io
