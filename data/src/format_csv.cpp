/// Tables of text: one sample per line, its label in one column. text_table.cpp says which.
///
/// Separators are comma, semicolon, tab or blanks. Whole numbers 0 .. 255 are kept as bytes; everything else is
/// floating point.
#include <algorithm>

#include "formats.hpp"
#include "narrow.hpp"
#include "part_files.hpp"
#include "taken.hpp"
#include "text_table.hpp"

namespace ntkrob::io {
namespace {

bool is_empty(const std::string& line) { return line.find_first_not_of(" \t\r") == std::string::npos; }

/// 0,1,2,... as pandas names columns that have no names.
///   A short row of numbers may be a sample, unless the next line has decimal points.
bool counts_up(const std::vector<std::string_view>& row, const std::vector<std::string_view>& next) {
  for (std::size_t c = 0; c < row.size(); ++c)
    if (row[c] != std::to_string(c)) return false;
  constexpr std::size_t kFewest = 3, kCertain = 8;
  const bool points =
      std::any_of(next.begin(), next.end(), [](std::string_view f) { return f.find('.') != std::string_view::npos; });
  return row.size() >= kCertain || (row.size() >= kFewest && points);
}

/// Whether fields between tabs are runs of numbers between blanks: then any white space separates.
bool mixes_blanks(const std::vector<std::string_view>& fields) {
  for (const std::string_view field : fields) {
    if (field.find(' ') == std::string_view::npos) continue;
    std::vector<std::string_view> pieces;
    std::string scratch;
    const std::string whole(field);  // which the pieces lie in
    split_fields(whole, ' ', pieces, scratch);
    double value = 0;
    if (std::all_of(pieces.begin(), pieces.end(), [&](std::string_view piece) { return parse_field(piece, value); }))
      return true;
  }
  return false;
}

/// A header has texts where the lines below have numbers.
bool is_header(const std::vector<std::string_view>& first, const std::vector<std::string_view>& second) {
  if (counts_up(first, second)) return true;
  bool any_number = false;
  for (std::size_t c = 0; c < first.size(); ++c) {
    double value = 0;
    const bool number = parse_field(first[c], value);
    any_number = any_number || number;
    if (!number && (c >= second.size() || parse_field(second[c], value))) return true;
  }
  return !any_number;
}

/// The lines of a table, the separator, and its header.
struct Opened {
  Opened(const std::string& path, std::size_t limit) : lines(path, limit) {}
  Lines lines;
  char separator = ',';
  std::vector<std::string> names;
  bool counted = false;                                      // the header is 0, 1, 2, ...: none
  std::vector<std::pair<std::size_t, std::string>> pending;  // lines read ahead that are samples
  std::size_t columns = 0;
};

void open(Opened& o) {
  std::string line, scratch, other;
  std::vector<std::pair<std::size_t, std::string>> ahead;
  while (ahead.size() < 2 && o.lines.next(line))
    if (!is_empty(line)) ahead.emplace_back(o.lines.number(), line);
  NTKROB_CHECK(!ahead.empty(), IoError, o.lines.path(), ": holds no samples");
  o.separator = separator_of(ahead[0].second);
  std::vector<std::string_view> first, second;
  split_fields(ahead[0].second, o.separator, first, scratch);
  if (o.separator == '\t' && mixes_blanks(first)) {
    o.separator = ' ';
    split_fields(ahead[0].second, o.separator, first, scratch);
  }
  o.columns = first.size();
  NTKROB_CHECK(o.columns <= kMaxColumns, IoError, o.lines.path(), ": line ", ahead[0].first, ": more than ",
               kMaxColumns, " columns; choose features first, or store the table as HDF5");
  if (ahead.size() > 1) split_fields(ahead[1].second, o.separator, second, other);
  o.counted = counts_up(first, second);
  if (is_header(first, second)) {
    if (!o.counted)
      for (const std::string_view name : first) o.names.emplace_back(name);
    ahead.erase(ahead.begin());
  }
  o.pending = std::move(ahead);
}

template <class Use>
void each_row(Opened& o, const Use& use) {
  std::vector<std::string_view> row;
  std::string line, scratch;
  for (const auto& [number, pending] : o.pending) {
    split_fields(pending, o.separator, row, scratch);
    use(number, row);
  }
  while (o.lines.next(line)) {
    if (is_empty(line)) continue;
    split_fields(line, o.separator, row, scratch);
    use(o.lines.number(), row);
  }
}

std::unique_ptr<TextTable> read_table(const std::string& path, const ReadOptions& options,
                                      std::unique_ptr<TextTable> onto, std::vector<std::string>& notes) {
  Opened o(path, budget_of(options)->limit());
  open(o);
  NTKROB_CHECK(o.columns >= 2, IoError, path,
               ": line 1: one column; a sample is a label and its pixels, separated by commas");
  if (onto) {
    NTKROB_CHECK(onto->columns() == o.columns && onto->names() == o.names, IoError, path, ": ", o.columns,
                 " columns, the file before has ", onto->columns(), ", or another header");
  } else {
    onto = std::make_unique<TextTable>(path, o.columns, o.names, options);
  }
  if (o.counted)
    notes.push_back(text("the first line of ", path, ", 0 to ", o.columns - 1, ", numbers the columns: no sample"));
  const std::size_t before = onto->rows();
  each_row(o, [&](std::size_t number, const std::vector<std::string_view>& row) { onto->add(number, row); });
  NTKROB_CHECK(onto->rows() > before, IoError, path, ": holds no samples");
  return onto;
}

RawArray whole_table(const std::string& path, ReadBudget& budget) {
  Opened o(path, budget.limit());
  open(o);
  RawArray array;
  array.where = path;
  std::vector<float> values;
  std::vector<std::string> texts;
  std::size_t rows = 0;
  bool all_numbers = true;
  each_row(o, [&](std::size_t number, const std::vector<std::string_view>& row) {
    NTKROB_CHECK(row.size() == o.columns, IoError, path, ": line ", number, ": ", row.size(),
                 " columns, the first line has ", o.columns);
    for (std::size_t c = 0; c < row.size(); ++c) {
      double value = 0;
      const bool good = parse_field(row[c], value);
      all_numbers = all_numbers && good;
      NTKROB_CHECK(good || o.columns == 1, IoError, path, ": line ", number, ", column ", c + 1, ": \"",
                   row[c].substr(0, 40), "\" is not a number");
      make_room(values, 1, budget, path);
      values.push_back(narrowed(value, path, values.size()));
      if (o.columns > 1) continue;
      budget.take(kTextBytes + row[c].size(), path);
      texts.emplace_back(row[c]);
    }
    ++rows;
  });
  NTKROB_CHECK(rows > 0, IoError, path, ": holds no samples");
  if (o.columns == 1)
    array.shape = {rows};
  else
    array.shape = {rows, o.columns};
  if (!all_numbers) {
    array.kind = RawArray::Kind::texts;
    array.names = texts;
    for (std::size_t i = 0; i < rows; ++i) array.ints.push_back(static_cast<std::int64_t>(i));
    return array;
  }
  array.kind = RawArray::Kind::floats;
  budget.take(values.size() * sizeof(float), path);
  array.floats =
      Matrix<float>(ConstView2D<float>(values.data(), static_cast<index>(rows), static_cast<index>(o.columns)));
  return array;
}

}  // namespace

bool recognise_csv(const Probe& probe) {
  if (probe.folder || probe.head.empty()) return false;
  bool separator = false, digit = false;
  for (const char c : probe.head) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 9 || (byte > 13 && byte < 32)) return false;
    separator = separator || c == ',' || c == ';' || c == '\t' || c == ' ' || c == '\n';
    digit = digit || (c >= '0' && c <= '9');
  }
  return separator && digit;
}

Catalogue table_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget) {
  Catalogue catalogue;
  catalogue.file = path;
  catalogue.arrays.push_back({"",
                              [=] {
                                const std::size_t before = budget->taken();
                                auto shape = whole_table(path, *budget).shape;
                                budget->give_back(budget->taken() - before);
                                return shape;
                              },
                              [=] { return whole_table(path, *budget); }});
  return catalogue;
}

RawDataset take_tables(std::unique_ptr<TextTable> train, std::unique_ptr<TextTable> test, RawDataset raw) {
  TextTable& first = train ? *train : *test;
  first.decide(raw.notes);
  if (train && test && !test->decide_like(*train)) {
    raw.notes.push_back(text("the test file has no label column: its ", test->rows(), " samples are left out"));
    test.reset();
  }
  // Both splits must come out as the same kind of pixels.
  const bool bytes = (!train || train->whole_bytes()) && (!test || test->whole_bytes());
  raw.columns = first.feature_names();
  if (train) raw.train = train->take(bytes);
  if (test) raw.test = test->take(bytes);
  return raw;
}

RawDataset read_csv(const std::vector<std::string>& inputs, const ReadOptions& options) {
  if (inputs.size() > 1 && are_parts(inputs)) return read_parts(inputs, options);
  RawDataset raw;
  raw.file = inputs[0];
  NTKROB_CHECK(options.x_test.empty(), ConfigError, field("x-test"), " names an array, but ", inputs[0], " is a table");
  std::unique_ptr<TextTable> train, test;
  for (const std::string& input : inputs) {
    const bool is_test = inputs.size() > 1 && names_test_split(input);
    std::unique_ptr<TextTable>& table = is_test ? test : train;
    table = read_table(input, options, std::move(table), raw.notes);
    if (inputs.size() > 1)
      raw.notes.push_back(text(input, " is ", is_test ? "the test split" : "of the training split"));
  }
  return take_tables(std::move(train), std::move(test), std::move(raw));
}

}  // namespace ntkrob::io
