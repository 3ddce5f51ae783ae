#include "text_table.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "echo.hpp"
#include "narrow.hpp"
#include "taken.hpp"

namespace ntkrob::io {

void TextTable::Candidate::add_text(std::string_view field, ReadBudget& budget, const std::string& where) {
  auto at = places.find(field);
  make_room(codes, 1, budget, where);
  if (at == places.end()) {
    budget.take(kTextBytes + 2 * field.size(), where);
    at = places.emplace(std::string(field), static_cast<std::int64_t>(texts.size())).first;
    texts.emplace_back(field);
  }
  codes.push_back(at->second);
}

void TextTable::Candidate::add(std::string_view field, bool number, double value, ReadBudget& budget,
                               const std::string& where) {
  if (!number && !is_text) {
    is_text = true;
    for (const double earlier : numbers) add_text(text(earlier), budget, where);
    numbers.clear();
  }
  if (is_text) return add_text(field, budget, where);
  make_room(numbers, 1, budget, where);
  numbers.push_back(value);
}

TextTable::TextTable(std::string path, std::size_t n_columns, std::vector<std::string> columns,
                     const ReadOptions& options)
    : budget_(budget_of(options)),
      path_(std::move(path)),
      label_option_(options.y),
      n_columns_(n_columns),
      names_(std::move(columns)),
      dropped_(n_columns, false) {
  NTKROB_CHECK(n_columns_ <= kMaxColumns, IoError, path_, ": more than ", kMaxColumns,
               " columns; choose features first, or store the table as HDF5");
  NTKROB_CHECK(options.x.empty(), ConfigError, field("x"), " names an array, but ", path_,
               " is a table; its columns are features but those of ", field("drop"), ", and ", field("y"),
               " names the label column");
  const std::vector<std::string> dropped = parse_names(options.drop, "drop");
  std::map<std::string, std::vector<std::size_t>> places;
  for (std::size_t c = 0; c < names_.size() && !dropped.empty(); ++c) places[names_[c]].push_back(c);
  for (const std::string& name : dropped) {
    const auto named = places.find(name);
    if (named == places.end() || name == "first" || name == "last") dropped_[find(name, "drop")] = true;
    if (named == places.end()) continue;
    for (const std::size_t c : named->second) dropped_[c] = true;
    places.erase(named);  // a name that is given twice
    places[name];
  }
  std::set<std::size_t> columns_kept;
  if (!label_option_.empty()) {
    columns_kept.insert(find(label_option_, "y"));
  } else if (!names_.empty()) {
    for (std::size_t c = 0; c < n_columns_; ++c)
      for (const char* label : kLabelNames)
        if (lower(names_[c]) == label) columns_kept.insert(c);
  }
  if (!names_.empty()) columns_kept.insert(0);  // may be an index
  if (names_.empty()) columns_kept.insert({0, n_columns_ - 1});
  for (const std::size_t c : columns_kept) {
    candidates_.emplace_back();
    candidates_.back().column = c;
  }
}

std::size_t TextTable::find(const std::string& name, const char* option) const {
  if (name == "first") return 0;
  if (name == "last") return n_columns_ - 1;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (names_[c] == name) return c;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (lower(names_[c]) == lower(name)) return c;
  const auto number = whole_number(name);
  NTKROB_CHECK(number && *number >= 1 && *number <= static_cast<std::int64_t>(n_columns_), ConfigError, field(option),
               " ", given(echoed(name)), ": ", path_,
               names_.empty() ? text(" has no header; give a number from 1 to ", n_columns_, ", first or last")
                              : text(" has no such column; give one of its names, a number from 1 to ", n_columns_,
                                     ", first or last"));
  return static_cast<std::size_t>(*number) - 1;
}

/// What to do about a field that is no number.
std::string TextTable::advice_about(std::string_view field, std::size_t column) const {
  const std::string small = lower(std::string(field));
  if (small.empty() || small == "?" || small == "na" || small == "n/a" || small == "null" || small == "none")
    return text("the value is missing: fill it in, leave the line out, or the column by ",
                ntkrob::field("drop", column + 1));
  std::string point = small;
  std::replace(point.begin(), point.end(), ',', '.');
  double value = 0;
  if (point != small && parse_field(point, value))
    return "decimal points are expected, not commas, in Python: pandas.read_csv(FILE, sep=None, decimal=',', "
           "engine='python').to_csv('points.csv', index=False)";
  return text("if the column is no feature, leave it out by ", ntkrob::field("drop", column + 1),
              label_option_.empty() ? text(", if it is the label, give ", ntkrob::field("y", column + 1)) : "");
}

void TextTable::add(std::size_t line, const std::vector<std::string_view>& row) {
  NTKROB_CHECK(row.size() == n_columns_, IoError, path_, ": line ", line, ": ", row.size(),
               " columns, the first line has ", n_columns_);
  std::size_t next = 0;
  make_room(values_, n_columns_, *budget_, path_);
  values_.resize(values_.size() + n_columns_);
  float* out = values_.data() + values_.size() - n_columns_;  // zeros
  for (std::size_t c = 0; c < row.size(); ++c, ++out) {
    double value = 0;
    const bool candidate = next < candidates_.size() && candidates_[next].column == c;
    if (dropped_[c] && !candidate) continue;
    const bool number = parse_field(row[c], value);
    if (candidate) candidates_[next++].add(row[c], number, value, *budget_, path_);
    if (!number && candidate) continue;
    NTKROB_CHECK(number, IoError, path_, ": line ", line, ", column ", c + 1,
                 names_.empty() ? std::string() : text(" (", names_[c].substr(0, 40), ")"), ": \"",
                 row[c].substr(0, 40), "\" is not a number; ", advice_about(row[c], c));
    NTKROB_CHECK(std::isfinite(value) || candidate, IoError, path_, ": line ", line, ", column ", c + 1, ": pixel is ",
                 value, "; pixels must be finite");
    NTKROB_CHECK(!is_beyond_float(value) || candidate, IoError, path_, ": line ", line, ", column ", c + 1, ": pixel ",
                 beyond_float_text(value));
    if (!candidate) whole_bytes_ = whole_bytes_ && value >= 0 && value <= 255 && value == std::floor(value);
    *out = static_cast<float>(value);
  }
  ++rows_;
}

bool TextTable::decide_like(const TextTable& other) {
  const bool has_label =
      std::find(names_.begin(), names_.end(), other.names_.empty() ? "" : other.names_[*other.label_]) != names_.end();
  if (n_columns_ + 1 == other.n_columns_ && !has_label) return false;
  NTKROB_CHECK(n_columns_ == other.n_columns_, IoError, path_, ": ", n_columns_, " columns, ", other.path_, " has ",
               other.n_columns_);
  NTKROB_CHECK(names_ == other.names_, IoError, path_, ": its header differs from that of ", other.path_,
               "; columns are taken by their place and must agree");
  dropped_ = other.dropped_;
  label_ = other.label_;
  for (const Candidate& c : candidates_)
    if (c.column != *label_ && !dropped_[c.column])
      for (const double value : c.numbers)
        whole_bytes_ = whole_bytes_ && value >= 0 && value <= 255 && value == std::floor(value);
  return true;
}

std::vector<std::string> TextTable::feature_names() const {
  std::vector<std::string> result;
  for (std::size_t c = 0; c < names_.size(); ++c)
    if (!dropped_[c] && c != label_) result.push_back(names_[c]);
  return result;
}

RawSplit TextTable::take(bool bytes) {
  RawSplit split;
  RawArray x, y;
  x.where = path_;
  y.where = text(path_, ": ", column_text(*label_));
  const Candidate* labels = candidate(*label_);
  NTKROB_CHECK(labels != nullptr, IoError, path_, ": ", column_text(*label_), " cannot be read as labels");
  // Features close up, in place.
  std::vector<std::size_t> kept;
  for (std::size_t c = 0; c < n_columns_; ++c)
    if (!dropped_[c] && c != *label_) kept.push_back(c);
  NTKROB_CHECK(!kept.empty(), IoError, path_, ": no column is left for features");
  x.shape = {rows_, kept.size()};
  budget_->take(rows_ * kept.size() * (bytes ? 1 : sizeof(float)), path_);
  if (bytes) {
    x.bytes.reserve(rows_ * kept.size());
    for (std::size_t i = 0; i < rows_; ++i)
      for (const std::size_t c : kept) x.bytes.push_back(static_cast<std::uint8_t>(values_[i * n_columns_ + c]));
  } else {
    x.kind = RawArray::Kind::floats;
    x.floats = Matrix<float>(static_cast<index>(rows_), static_cast<index>(kept.size()));
    float* out = x.floats.data();
    for (std::size_t i = 0; i < rows_; ++i)
      for (const std::size_t c : kept) *out++ = values_[i * n_columns_ + c];
  }
  budget_->give_back(values_.capacity() * sizeof(float));
  values_ = {};
  y.shape = {rows_};
  budget_->take(rows_ * sizeof(std::int64_t), path_);
  if (labels->is_text) {
    y.kind = RawArray::Kind::texts;
    y.ints = labels->codes;
    y.names = labels->texts;
  } else if (std::all_of(labels->numbers.begin(), labels->numbers.end(),
                         [](double v) { return v == std::floor(v) && std::abs(v) < 9e15; })) {
    y.kind = RawArray::Kind::ints;
    y.ints.assign(labels->numbers.begin(), labels->numbers.end());
  } else {
    y.kind = RawArray::Kind::floats;
    y.floats = Matrix<float>(static_cast<index>(rows_), 1);
    for (std::size_t i = 0; i < rows_; ++i) y.floats.data()[i] = narrowed(labels->numbers[i], y.where, i);
  }
  split.x = std::move(x);
  split.y = std::move(y);
  return split;
}

}  // namespace ntkrob::io
