#include "read_options.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "echo.hpp"
#include "input_file.hpp"
#include "ntkrob/base/memory.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {

bool PartFiles::any() const {
  return !train_images.empty() || !train_labels.empty() || !test_images.empty() || !test_labels.empty();
}

std::vector<std::pair<std::string, std::string>> ReadOptions::given() const {
  std::vector<std::pair<std::string, std::string>> result;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) result.emplace_back(name, value);
  };
  add("train-images", io::file_name(parts.train_images));
  add("train-labels", io::file_name(parts.train_labels));
  add("test-images", io::file_name(parts.test_images));
  add("test-labels", io::file_name(parts.test_labels));
  add("x", x);
  add("y", y);
  add("x-test", x_test);
  add("y-test", y_test);
  add("drop", drop);
  add("image-shape", image_shape);
  add("layout", layout);
  add("value-range", value_range);
  add("label-map", label_map);
  add("renumber", renumber ? "true" : "");
  add("test-file", io::file_name(test_file));
  if (test_fraction > 0) {
    add("test-fraction", format_number(test_fraction));
    add("split-seed", std::to_string(split_seed));
  }
  return result;
}

bool ReadOptions::structural() const {
  return parts.any() || !x.empty() || !y.empty() || !x_test.empty() || !y_test.empty() || !drop.empty() ||
         !image_shape.empty() || !layout.empty() || !value_range.empty();
}

namespace io {

std::optional<ImageShape> parse_image_shape(const std::string& shape) {
  if (shape.empty()) return std::nullopt;
  constexpr index kSideLimit = 1 << 20;
  std::vector<index> sides;
  for (std::size_t at = 0; at <= shape.size();) {
    const std::size_t x = std::min(shape.find('x', at), shape.size());
    sides.push_back(parse_integer(shape.substr(at, x - at), text(field("image-shape"), " ", echoed(shape), ": a side"),
                                  1, kSideLimit));
    at = x + 1;
  }
  NTKROB_CHECK(sides.size() == 2 || sides.size() == 3, ConfigError, field("image-shape"), " is \"",
               given(echoed(shape)), "\", must be ", limit("height x width or height x width x channels"),
               ", e.g. 28x28x1");
  return ImageShape{sides[0], sides[1], sides.size() == 3 ? sides[2] : 1};
}

std::string parse_layout(const std::string& layout) {
  std::string upper = layout;
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  std::string sorted = upper;
  std::sort(sorted.begin(), sorted.end());
  NTKROB_CHECK(
      sorted.empty() || sorted == "CHNW" || sorted == "HNW" || sorted == "CNT" || sorted == "DN", ConfigError,
      field("layout"), " is \"", given(echoed(layout)),
      "\", must be the order of the axes: N (samples) with H, W, C (pictures: NHWC, NCHW, HWCN, NHW), with T, C "
      "(signals: NTC, NCT), or with D (rows: ND)");
  return upper;
}

RangeOption parse_value_range(const std::string& range) {
  RangeOption result;
  if (range.empty()) return result;
  if (range == "columns") {
    result.kind = RangeOption::Kind::columns;
    return result;
  }
  const std::size_t colon = range.find(':');
  if (colon == std::string::npos || is_file(range)) {
    NTKROB_CHECK(
        is_file(range), ConfigError, field("value-range"), " is \"", given(echoed(range)),
        "\", must be LOW:HIGH (the values of black and white, e.g. 0:16), columns, or a data set of ntkrob that "
        "stores ranges; there is no such file");
    result.kind = RangeOption::Kind::file;
    result.file = range;
    return result;
  }
  result.kind = RangeOption::Kind::numbers;
  result.low =
      static_cast<float>(parse_number(range.substr(0, colon), text(field("value-range"), " ", echoed(range), ": LOW")));
  result.high = static_cast<float>(
      parse_number(range.substr(colon + 1), text(field("value-range"), " ", echoed(range), ": HIGH")));
  NTKROB_CHECK(std::isfinite(result.low) && std::isfinite(result.high) && result.low < result.high, ConfigError,
               field("value-range"), " is \"", given(echoed(range)), "\", must be ",
               limit("LOW:HIGH with the lower number first"));
  return result;
}

std::vector<std::string> parse_names(const std::string& names, const char* option) {
  std::vector<std::string> result;
  if (names.empty()) return result;
  for (std::size_t begin = 0; begin <= names.size();) {
    const std::size_t end = std::min(names.find(',', begin), names.size());
    result.push_back(names.substr(begin, end - begin));
    NTKROB_CHECK(!result.back().empty(), ConfigError, field(option), " is \"", given(echoed(names)),
                 "\": a name between commas is empty");
    begin = end + 1;
  }
  return result;
}

std::map<std::string, std::string> parse_label_map(const std::string& map) {
  std::map<std::string, std::string> result;
  for (const std::string& pair : parse_names(map, "label-map")) {
    const std::size_t colon = pair.rfind(':');
    NTKROB_CHECK(colon != std::string::npos && colon > 0 && colon + 1 < pair.size(), ConfigError, field("label-map"),
                 " is \"", echoed(map), "\": \"", given(echoed(pair)), "\" must be ", limit("FROM:TO"), ", e.g. 10:0");
    NTKROB_CHECK(result.emplace(pair.substr(0, colon), pair.substr(colon + 1)).second, ConfigError, field("label-map"),
                 " is \"", echoed(map), "\": ", given(echoed(pair.substr(0, colon))), " is given twice");
  }
  return result;
}

std::optional<std::int64_t> whole_number(const std::string& text) {
  std::int64_t value = 0;
  const char* begin = text.data() + (!text.empty() && text[0] == '+' ? 1 : 0);
  const auto [end, error] = std::from_chars(begin, text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::size_t default_read_limit() {
  const std::size_t machine = physical_memory_bytes();
  return machine == 0 ? SIZE_MAX : machine / 4 * 3;
}

std::shared_ptr<ReadBudget> budget_of(const ReadOptions& options) {
  if (options.budget) return options.budget;
  return std::make_shared<ReadBudget>(read_limit(options.memory));
}

void check(const ReadOptions& o) {
  parse_image_shape(o.image_shape);
  const std::string layout = parse_layout(o.layout);
  parse_value_range(o.value_range);
  parse_label_map(o.label_map);
  NTKROB_CHECK(o.image_shape.empty() || layout != "ND", ConfigError, field("layout", "ND"),
               " says that rows are no pictures, ", field("image-shape"), " ", given(echoed(o.image_shape)),
               " that they are; give one");
  NTKROB_CHECK(o.x_test.empty() || !o.x.empty(), ConfigError, field("x-test"), " ", given(echoed(o.x_test)), " needs ",
               field("x"), ", the images of the training split");
  NTKROB_CHECK(o.y_test.empty() || !o.x_test.empty(), ConfigError, field("y-test"), " ", given(echoed(o.y_test)),
               " needs ", field("x-test"));
  NTKROB_CHECK(std::isfinite(o.test_fraction) && o.test_fraction >= 0 && o.test_fraction < 1, ConfigError,
               field("test-fraction"), " is ", given(o.test_fraction), ", must be ", limit("at least 0 and below 1"));
  NTKROB_CHECK(o.split_seed == 0 || o.test_fraction > 0, ConfigError, field("split-seed"), " ", given(o.split_seed),
               " belongs to ", field("test-fraction"), ", which is not given");
  NTKROB_CHECK(o.test_fraction == 0 || o.test_file.empty(), ConfigError, field("test-fraction"), " and ",
               field("test-file"), " both make the test split; give one");
}

}  // namespace io
}  // namespace ntkrob
