/// LIBSVM and SVMlight: "label index:value index:value ... # comment", what is not written is 0.
///   Source: Chang and Lin, LIBSVM, README. Indices count from 1; a file that has the index 0 counts from 0.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "formats.hpp"
#include "narrow.hpp"
#include "taken.hpp"
#include "text_table.hpp"

namespace ntkrob::io {
namespace {

/// More numbers than this are refused before memory is taken.
constexpr std::size_t kMaxNumbers = std::size_t{1} << 31;
constexpr std::uint64_t kMaxIndex = 100'000'000;

struct Sparse {
  std::vector<double> labels;
  std::vector<std::size_t> begin;  // of each row
  std::vector<std::uint32_t> index;
  std::vector<float> value;
  bool from_zero = false;
  std::uint32_t largest = 0;
  std::size_t n_bytes() const {
    return (labels.capacity() + begin.capacity()) * 8 + (index.capacity() + value.capacity()) * 4;
  }
};

void add_line(const std::string& path, std::size_t number, std::string line, Sparse& data, ReadBudget& budget) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> fields;
  std::string scratch;
  split_fields(line, ' ', fields, scratch);
  if (fields.empty()) return;
  NTKROB_CHECK(fields.size() <= kMaxColumns, IoError, path, ": line ", number, ": more than ", kMaxColumns,
               " numbers in a line; choose features first");
  make_room(data.labels, 1, budget, path);
  make_room(data.begin, 2, budget, path);
  make_room(data.index, fields.size(), budget, path);
  make_room(data.value, fields.size(), budget, path);
  double label = 0;
  NTKROB_CHECK(fields[0].find(',') == std::string_view::npos, IoError, path, ": line ", number, ": several labels \"",
               fields[0].substr(0, 40), "\"; a sample has one class");
  NTKROB_CHECK(parse_field(fields[0], label), IoError, path, ": line ", number, ": label \"", fields[0].substr(0, 40),
               "\" is not a number");
  NTKROB_CHECK(!is_beyond_float(label), IoError, path, ": line ", number, ": the label ", beyond_float_text(label));
  data.labels.push_back(label);
  data.begin.push_back(data.index.size());
  for (std::size_t i = 1; i < fields.size(); ++i) {
    const std::size_t colon = fields[i].find(':');
    std::uint64_t index = 0;
    double value = 0;
    const char* first = fields[i].data();
    const std::size_t digits = colon == std::string_view::npos ? 0 : colon;
    const auto [end, error] = std::from_chars(first, first + digits, index);
    const bool good = digits > 0 && end == first + digits && parse_field(fields[i].substr(colon + 1), value);
    NTKROB_CHECK(good, IoError, path, ": line ", number, ": \"", fields[i].substr(0, 40), "\" is not index:value");
    NTKROB_CHECK(error == std::errc() && index <= kMaxIndex, IoError, path, ": line ", number, ": index ",
                 fields[i].substr(0, std::min<std::size_t>(digits, 40)), ", at most ", kMaxIndex);
    NTKROB_CHECK(std::isfinite(value), IoError, path, ": line ", number, ": value ", value, "; values must be finite");
    NTKROB_CHECK(!is_beyond_float(value), IoError, path, ": line ", number, ": value of index ", index, " ",
                 beyond_float_text(value));
    NTKROB_CHECK(data.index.size() == data.begin.back() || data.index.back() < index, IoError, path, ": line ", number,
                 ": index ", index, " behind ", data.index.size() == data.begin.back() ? 0 : data.index.back(),
                 "; indices of a line must increase, sort them and leave each one once");
    data.from_zero = data.from_zero || index == 0;
    data.largest = std::max(data.largest, static_cast<std::uint32_t>(index));
    data.index.push_back(static_cast<std::uint32_t>(index));
    data.value.push_back(static_cast<float>(value));
  }
}

Sparse read_lines(const std::string& path, ReadBudget& budget) {
  Lines lines(path, budget.limit());
  Sparse data;
  std::string line;
  while (lines.next(line)) add_line(path, lines.number(), line, data, budget);
  NTKROB_CHECK(!data.labels.empty(), IoError, path, ": holds no samples");
  data.begin.push_back(data.index.size());
  return data;
}

RawSplit to_split(const Sparse& data, std::size_t features, bool from_zero, const std::string& path,
                  ReadBudget& budget) {
  const std::size_t n = data.labels.size();
  NTKROB_CHECK(features > 0 && n <= kMaxNumbers / features, IoError, path, ": ", n, " rows of ", features,
               " features are more than ", kMaxNumbers, " numbers; choose features first");
  budget.take((n * features + n) * sizeof(float), text(path, ": ", n, " rows of ", features, " features"));
  RawSplit split;
  RawArray x, y;
  x.where = path;
  y.where = path + ": labels";
  x.kind = y.kind = RawArray::Kind::floats;
  x.shape = {n, features};
  x.floats = Matrix<float>(static_cast<index>(n), static_cast<index>(features));
  std::fill_n(x.floats.data(), n * features, 0.0f);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t k = data.begin[i]; k < data.begin[i + 1]; ++k)
      x.floats.row(static_cast<index>(i))[data.index[k] - (from_zero ? 0 : 1)] = data.value[k];
  y.shape = {n};
  y.floats = Matrix<float>(static_cast<index>(n), 1);
  for (std::size_t i = 0; i < n; ++i) y.floats.data()[i] = static_cast<float>(data.labels[i]);
  split.x = std::move(x);
  split.y = std::move(y);
  return split;
}

}  // namespace

bool recognise_libsvm(const Probe& probe) {
  if (probe.folder) return false;
  // The first line that is no comment: a number, then index:value.
  for (std::size_t begin = 0; begin < probe.head.size();) {
    const std::size_t end = std::min(probe.head.find('\n', begin), probe.head.size());
    const std::string line = probe.head.substr(begin, end - begin);
    begin = end + 1;
    std::vector<std::string_view> fields;
    std::string scratch;
    split_fields(line, ' ', fields, scratch);
    if (fields.empty() || fields[0].front() == '#') continue;
    double number = 0;
    if (fields.size() < 2 || !parse_field(fields[0].substr(0, fields[0].find(',')), number)) return false;
    const std::size_t colon = fields[1].find(':');
    return colon != std::string_view::npos && colon > 0 &&
           std::all_of(fields[1].begin(), fields[1].begin() + static_cast<std::ptrdiff_t>(colon),
                       [](char c) { return c >= '0' && c <= '9'; });
  }
  return false;
}

RawDataset read_libsvm(const std::vector<std::string>& inputs, const ReadOptions& options) {
  RawDataset raw;
  raw.file = inputs[0];
  raw.sparse = true;
  expect_no_array_names(options, inputs[0], "LIBSVM");
  NTKROB_CHECK(options.drop.empty(), ConfigError, field("drop"), " names columns, LIBSVM has indices; ", inputs[0]);
  NTKROB_CHECK(inputs.size() <= 2, ConfigError, inputs.size(),
               " LIBSVM files; one, or one for training and one whose name has \"test\"");
  std::vector<std::pair<Sparse, bool>> parts;
  const auto budget = budget_of(options);
  std::size_t features = 0;
  bool from_zero = false;
  for (const std::string& input : inputs) {
    parts.emplace_back(read_lines(input, *budget), inputs.size() > 1 && names_test_split(input));
    from_zero = from_zero || parts.back().first.from_zero;
  }
  NTKROB_CHECK(parts.size() == 1 || parts[0].second != parts[1].second, ConfigError, inputs[0], " and ", inputs.back(),
               " would be the same split; the name of the test file has \"test\" in it");
  for (const auto& [data, is_test] : parts)
    features = std::max<std::size_t>(features, data.largest + (from_zero ? 1 : 0));
  raw.notes.push_back(
      text("indices count from ", from_zero ? 0 : 1, ", ", features, " features; what is not written is 0"));
  for (std::size_t i = 0; i < parts.size(); ++i) {
    (parts[i].second ? raw.test : raw.train) = to_split(parts[i].first, features, from_zero, inputs[i], *budget);
    budget->give_back(parts[i].first.n_bytes());
    parts[i].first = {};
  }
  return raw;
}

}  // namespace ntkrob::io
