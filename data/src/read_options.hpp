/// The texts of ReadOptions, parsed. Every mistake is a ConfigError that names the option as it is typed.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/data/format.hpp"
#include "read_budget.hpp"

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
/// "a,b,c" at commas; quotes are not interpreted.   option: its name, for messages
std::vector<std::string> parse_names(const std::string& text, const char* option);
/// Whole number in decimal, a sign allowed.
std::optional<std::int64_t> whole_number(const std::string& text);

/// Columns of a table, attributes, features of a line: more are refused, at about 100 bytes of memory each.
constexpr std::size_t kMaxColumns = std::size_t{1} << 20;

/// The limit for reading where nobody sets one: three quarters of this machine's memory.
std::size_t default_read_limit();
/// memory: what somebody set, or 0
inline std::size_t read_limit(std::size_t memory) { return memory > 0 ? memory : default_read_limit(); }
/// That of an open_dataset that is running; one of its own elsewhere.
std::shared_ptr<ReadBudget> budget_of(const ReadOptions& options);

/// throws: ConfigError where options contradict each other
void check(const ReadOptions& options);

}  // namespace ntkrob::io
