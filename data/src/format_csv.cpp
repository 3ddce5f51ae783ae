/// CSV: one sample per line, the label in the first column or in the column that a header line names "label".
///
/// Separators are comma, semicolon or tab. Whole numbers 0 .. 255 are pixels as bytes; everything else is floating
/// point.
#include <charconv>
#include <cmath>
#include <cstring>

#include "formats.hpp"
#include "input_file.hpp"
#include "raw_array.hpp"

namespace ntkrob::io {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{1} << 26;

/// Lines of a stream, with their number.
class Lines {
 public:
  explicit Lines(const std::string& path) : stream_(path), buffer_(std::size_t{1} << 16, '\0') {}
  const std::string& path() const { return stream_.path(); }
  std::size_t number() const { return number_; }

  bool next(std::string& line) {
    line.clear();
    bool any = false;
    while (true) {
      if (at_ == filled_) {
        filled_ = stream_.read_some(buffer_.data(), buffer_.size());
        at_ = 0;
        if (filled_ == 0) break;
      }
      any = true;
      const char* begin = buffer_.data() + at_;
      const void* end = std::memchr(begin, '\n', filled_ - at_);
      const std::size_t length = end ? static_cast<std::size_t>(static_cast<const char*>(end) - begin) : filled_ - at_;
      line.append(begin, length);
      at_ += length + (end ? 1 : 0);
      NTKROB_CHECK(line.size() <= kMaxLineBytes, IoError, path(), ": line ", number_ + 1, ": longer than ",
                   kMaxLineBytes, " bytes; this is no CSV file");
      if (end) break;
    }
    if (!any) return false;
    ++number_;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    return true;
  }

 private:
  InputStream stream_;
  std::string buffer_;
  std::size_t at_ = 0, filled_ = 0, number_ = 0;
};

std::string_view trimmed(std::string_view field) {
  while (!field.empty() && (field.front() == ' ' || field.front() == '"')) field.remove_prefix(1);
  while (!field.empty() && (field.back() == ' ' || field.back() == '"')) field.remove_suffix(1);
  return field;
}

std::vector<std::string_view> fields(const std::string& line, char separator) {
  std::vector<std::string_view> result;
  std::string_view rest = line;
  for (std::size_t at; (at = rest.find(separator)) != std::string_view::npos; rest.remove_prefix(at + 1))
    result.push_back(trimmed(rest.substr(0, at)));
  result.push_back(trimmed(rest));
  return result;
}

bool parse(std::string_view field, double& value) {
  if (!field.empty() && field.front() == '+') field.remove_prefix(1);
  const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
  return error == std::errc() && end == field.data() + field.size();
}

char separator_of(const std::string& line) {
  for (const char candidate : {',', ';', '\t'})
    if (line.find(candidate) != std::string::npos) return candidate;
  return ',';
}

/// What was gathered from the files of one split.
struct Table {
  std::size_t columns = 0, label_column = 0, n = 0;
  char separator = ',';
  bool whole_bytes = true;
  double high = 0;
  std::vector<float> values;
  std::vector<std::int64_t> labels;
};

void take_header(const std::vector<std::string_view>& names, Table& table) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (lower(std::string(names[i])) == "label") table.label_column = i;
}

void take_line(const std::string& path, std::size_t line, const std::vector<std::string_view>& row, Table& table) {
  NTKROB_CHECK(row.size() == table.columns, IoError, path, ": line ", line, ": ", row.size(),
               " columns, the first line has ", table.columns);
  for (std::size_t i = 0; i < row.size(); ++i) {
    double value = 0;
    NTKROB_CHECK(parse(row[i], value), IoError, path, ": line ", line, ", column ", i + 1, ": \"", row[i].substr(0, 40),
                 "\" is not a number");
    if (i == table.label_column) {
      NTKROB_CHECK(value >= 0 && value < kMaxClasses && value == std::floor(value), IoError, path, ": line ", line,
                   ", column ", i + 1, ": label ", value, " is not a whole number in 0 .. ", kMaxClasses - 1);
      table.labels.push_back(static_cast<std::int64_t>(value));
      continue;
    }
    NTKROB_CHECK(std::isfinite(value), IoError, path, ": line ", line, ", column ", i + 1, ": pixel is ", value,
                 "; pixels must be finite");
    table.whole_bytes = table.whole_bytes && value >= 0 && value <= 255 && value == std::floor(value);
    table.high = std::max(table.high, value);
    table.values.push_back(static_cast<float>(value));
  }
  ++table.n;
}

void read_table(const std::string& path, Table& table) {
  Lines lines(path);
  std::string line;
  bool first = true;
  while (lines.next(line)) {
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    if (first) table.separator = separator_of(line);
    const std::vector<std::string_view> row = fields(line, table.separator);
    if (first) {
      first = false;
      NTKROB_CHECK(table.columns == 0 || table.columns == row.size(), IoError, path, ": ", row.size(),
                   " columns, the file before has ", table.columns);
      table.columns = row.size();
      NTKROB_CHECK(row.size() >= 2, IoError, path, ": line ", lines.number(),
                   ": one column; a sample is a label and its pixels, separated by commas");
      double value = 0;
      bool header = false;
      for (const std::string_view field : row) header = header || !parse(field, value);
      if (header) {
        take_header(row, table);
        continue;
      }
    }
    take_line(path, lines.number(), row, table);
  }
  NTKROB_CHECK(table.n > 0, IoError, path, ": holds no samples");
}

RawSplit to_split(Table&& table, const std::string& path) {
  RawSplit split;
  RawArray x, y;
  x.where = y.where = path;
  const std::size_t size = table.columns - 1;
  x.shape = {table.n, size};
  // 784 or 64 byte values are a square grey picture; without that, convolutions and pictures would not know the shape.
  const auto side = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(size))));
  const bool bytes = table.whole_bytes && table.high > 1;
  if (bytes && side * side == size && side >= 8) x.shape = {table.n, side, side, 1};
  if (bytes) {
    x.bytes.assign(table.values.begin(), table.values.end());
  } else {
    x.kind = RawArray::Kind::floats;
    x.floats =
        Matrix<float>(ConstView2D<float>(table.values.data(), static_cast<index>(table.n), static_cast<index>(size)));
  }
  y.kind = RawArray::Kind::ints;
  y.shape = {table.n};
  y.ints = std::move(table.labels);
  split.x = std::move(x);
  split.y = std::move(y);
  return split;
}

}  // namespace

bool recognise_csv(const Probe& probe) {
  if (probe.folder || probe.head.empty()) return false;
  bool separator = false, digit = false;
  for (const char c : probe.head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 9 || (byte > 13 && byte < 32)) return false;
    separator = separator || c == ',' || c == ';' || c == '\t';
    digit = digit || (c >= '0' && c <= '9');
  }
  return separator && digit;
}

Dataset read_csv(const std::vector<std::string>& inputs, const IdxFiles&) {
  RawDataset raw;
  raw.file = inputs[0];
  Table train, test;
  std::string train_path, test_path;
  for (const std::string& input : inputs) {
    const bool is_test = inputs.size() > 1 && names_test_split(input);
    read_table(input, is_test ? test : train);
    (is_test ? test_path : train_path) = input;
  }
  // Both splits must come out as the same kind of pixels.
  const bool bytes = (train.n == 0 || train.whole_bytes) && (test.n == 0 || test.whole_bytes);
  const double high = std::max(train.high, test.high);
  for (Table* table : {&train, &test}) {
    table->whole_bytes = bytes;
    table->high = high;
  }
  if (train.n > 0) raw.train = to_split(std::move(train), train_path);
  if (test.n > 0) raw.test = to_split(std::move(test), test_path);
  return assemble(std::move(raw));
}

}  // namespace ntkrob::io
